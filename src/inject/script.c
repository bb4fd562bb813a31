/* The Lua state, expressions and files in it. */
#include "inject/script.h"
#include "base/nearest.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "inject/script_parts.h"
#include <errno.h>
#include <lualib.h>
#include <stdlib.h>

enum { HOOK_COUNT = 100000 };

struct lua_State *script_state(struct script *script)
{
    return script->L;
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    script_packets_open(L);
    script_tasks_open(L);
    script_net_open(L);
    script_streams_open(L);
    script_files_open(L);
    return 0;
}

int script_open(struct script **script, const struct script_settings *settings, struct error *error)
{
    struct script *s = calloc(1, sizeof *s);
    *script = s;
    if (s)
        s->L = luaL_newstate();
    if (s && s->L) {
        *(struct script **)lua_getextraspace(s->L) = s;
        if (settings)
            s->settings = *settings;
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
    if (!s)
        return;
    for (unsigned i = 0; i < s->stream_count; i++)
        stream_abort(s->streams[i]);
    if (s->L)
        lua_close(s->L);
    held_release(&s->held);
    for (unsigned i = 0; i < ARRIVED_MAX; i++)
        free(s->arrived[i].bytes);
    sender_close(s->sender);
    free(s);
}

bool script_expectation_failed(const struct script *s)
{
    return s->expectation_failed;
}

/* The word between quotes behind "global ", if the sentence has one. */
static bool unknown_name(const char *text, char *name, size_t size)
{
    const char *at = strstr(text, "(global '"), *end = at ? strchr(at + 9, '\'') : NULL;
    if (!end || (size_t)(end - at - 9) >= size)
        return false;
    memcpy(name, at + 9, (size_t)(end - at - 9));
    name[end - at - 9] = 0;
    return true;
}

/* A name that is nobody's is nil to Lua; most such are misspelt protocols. The sentence is on top of the stack. */
static int take_error(struct script *s, int code, struct error *error)
{
    const char *text = lua_tostring(s->L, -1);
    char name[64];
    struct nearest nearest = { 0 };
    if (text && unknown_name(text, name, sizeof name)) {
        nearest_begin(&nearest, name);
        for (const struct protocol *const *p = protocols; *p; p++)
            nearest_consider(&nearest, (*p)->name);
    }
    if (nearest.best)
        error_set(error, code, _("%s; did you mean '%s'?"), text, nearest.best);
    else
        error_set(error, code, "%s", text ? text : _("an error that is no text"));
    lua_pop(s->L, 1);
    return code;
}

/* Calls the function on top and makes a packet of what it returns, which lies then on top. */
static int to_packet(lua_State *L)
{
    lua_call(L, 0, 1);
    struct script_packet *p = script_to_packet(L, -1);
    if (!p)
        return luaL_error(L, _("this is no packet but a %s"), luaL_typename(L, -1));
    script_craft(L, p);
    return 1;
}

int script_packet(struct script *s, const char *expression, struct craft **craft, struct error *error)
{
    lua_State *L = s->L;
    *craft = NULL;
    lua_settop(L, 0);
    lua_pushcfunction(L, to_packet);
    const char *text = lua_pushfstring(L, "return %s", expression);
    int failed = luaL_loadbuffer(L, text, strlen(text), "=packet");
    if (!failed) {
        lua_remove(L, -2);
        failed = lua_pcall(L, 1, 1, 0);
    }
    if (failed)
        return take_error(s, ERROR_USAGE, error);
    *craft = craft_copy(script_to_packet(L, -1)->craft);
    lua_settop(L, 0);
    return *craft ? 0 : error_set(error, ERROR_MEMORY, _("no memory"));
}

/* A script that never waits can be interrupted, too. */
static void look_up(lua_State *L, lua_Debug *where)
{
    struct script *s = script_of(L);
    (void)where;
    if (s->settings.interrupted && *s->settings.interrupted)
        luaL_error(L, _("interrupted"));
}

/* Runs the function below the arguments, and then what it left to be done. */
static int run_all(lua_State *L)
{
    lua_call(L, lua_gettop(L) - 1, 0);
    script_finish_tasks(L);
    return 0;
}

static void set_arguments(lua_State *L, const char *path, int argc, char **argv)
{
    lua_createtable(L, argc, 1);
    lua_pushstring(L, path);
    lua_seti(L, -2, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_seti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
}

int script_run(struct script *s, const char *path, int argc, char **argv, struct error *error)
{
    lua_State *L = s->L;
    lua_settop(L, 0);
    set_arguments(L, path, argc, argv);
    lua_pushcfunction(L, run_all);
    int failed = luaL_loadfile(L, strcmp(path, "-") ? path : NULL);
    if (failed)
        return take_error(s, failed == LUA_ERRFILE ? ERROR_SYSTEM : ERROR_USAGE, error);
    lua_sethook(L, look_up, LUA_MASKCOUNT, HOOK_COUNT);
    if (!lua_checkstack(L, argc))
        return error_set(error, ERROR_MEMORY, _("no memory"));
    for (int i = 0; i < argc; i++)
        lua_pushstring(L, argv[i]);
    failed = lua_pcall(L, argc + 1, 0, 0);
    return failed ? take_error(s, ERROR_FORMAT, error) : 0;
}
