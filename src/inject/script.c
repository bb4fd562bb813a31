/* The Lua state, expressions and files in it. */
#include "inject/script.h"
#include "base/text.h"
#include "inject/script_parts.h"
#include <errno.h>
#include <lualib.h>
#include <stdlib.h>

struct script {
    lua_State *L;
};

struct lua_State *script_state(struct script *script)
{
    return script->L;
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    script_packets_open(L);
    return 0;
}

int script_open(struct script **script, struct error *error)
{
    struct script *s = calloc(1, sizeof *s);
    *script = s;
    if (s)
        s->L = luaL_newstate();
    if (s && s->L) {
        lua_pushcfunction(s->L, open_all);
        if (lua_pcall(s->L, 0, 0, 0) == LUA_OK)
            return 0;
    }
    script_close(s);
    *script = NULL;
    return error_set(error, ERROR_MEMORY, _("no memory"));
}

void script_close(struct script *s)
{
    if (s && s->L)
        lua_close(s->L);
    free(s);
}

/* A name that is nobody's is nil to Lua; most of them are misspelt protocols. The function's message is on top. */
static int take_error(struct script *s, int code, struct error *error)
{
    const char *text = lua_tostring(s->L, -1);
    error_set(error, code, "%s", text ? text : _("an error that is no text"));
    lua_pop(s->L, 1);
    return code;
}

int script_packet(struct script *s, const char *expression, struct craft **craft, struct error *error)
{
    lua_State *L = s->L;
    *craft = NULL;
    lua_pushfstring(L, "return %s", expression);
    int failed = luaL_loadbuffer(L, lua_tostring(L, -1), lua_rawlen(L, -1), "=packet") || lua_pcall(L, 0, 1, 0);
    lua_remove(L, -2);
    if (failed)
        return take_error(s, ERROR_USAGE, error);
    struct script_packet *p = script_to_packet(L, -1);
    int code = 0;
    if (p && p->craft) {
        *craft = craft_copy(p->craft);
    } else if (p) {
        *craft = NULL;
        code = error_set(error, ERROR_USAGE, _("packet: a packet from bytes"));
    } else {
        code = error_set(error, ERROR_USAGE, _("this is no packet, but a %s"), luaL_typename(L, -1));
    }
    if (!code && !*craft)
        code = error_set(error, ERROR_MEMORY, _("no memory"));
    lua_pop(L, 1);
    return code;
}
