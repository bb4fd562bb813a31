/* Packets as Lua values: ip{ttl=1}/udp{}/"text", p.ip.ttl, p.ip.ttl = 2. */
#include "base/address.h"
#include "base/nearest.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "inject/craft_parts.h"
#include "inject/script_parts.h"
#include "protocol/tlv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PACKET "peel packet"
#define LAYER  "peel layer"

enum { LINK_ETHERNET = 1, LINK_RAW = 101, DEPTH_MAX = 16, FILE_MOST = CRAFT_PACKET_MAX };

/* One layer of a packet, which lies in its user value. */
struct script_layer {
    unsigned index;
};

int script_fail(lua_State *L, const struct error *error)
{
    lua_Debug where;
    for (int level = 1; lua_getstack(L, level, &where);
         level++) { /* the script's line, not that of a function of ours */
        lua_getinfo(L, "Sl", &where);
        if (where.currentline <= 0)
            continue;
        lua_pushfstring(L, "%s:%d: %s", where.short_src, where.currentline, error->text);
        lua_error(L);
    }
    luaL_error(L, "%s", error->text);
    abort(); /* not reached */
}

struct script_packet *script_to_packet(lua_State *L, int index)
{
    return luaL_testudata(L, index, PACKET);
}

struct script_packet *script_check_packet(lua_State *L, int index)
{
    return luaL_checkudata(L, index, PACKET);
}

struct script_packet *script_new_packet(lua_State *L)
{
    struct script_packet *p = lua_newuserdatauv(L, sizeof *p, 0);
    *p = (struct script_packet){ .link_type = CRAFT_NO_LINK };
    luaL_setmetatable(L, PACKET);
    return p;
}

static struct script_packet *new_crafted(lua_State *L)
{
    struct script_packet *p = script_new_packet(L);
    if (!(p->craft = craft_new()))
        luaL_error(L, "no memory");
    return p;
}

void script_push_bytes(lua_State *L, struct span bytes, uint32_t wire_length, uint16_t link_type, int64_t time)
{
    struct script_packet *p = script_new_packet(L);
    if (!(p->bytes = malloc(bytes.left + 1)))
        luaL_error(L, "no memory");
    if (bytes.left)
        memcpy(p->bytes, bytes.at, bytes.left);
    p->length = bytes.left;
    p->wire_length = wire_length;
    p->link_type = link_type;
    p->time = time;
}

static int collect(lua_State *L)
{
    struct script_packet *p = script_check_packet(L, 1);
    craft_free(p->craft);
    free(p->bytes);
    *p = (struct script_packet){ 0 };
    return 0;
}

static void view_bytes(const struct script_packet *p, struct packet *view)
{
    packet_reset(view, (struct span){ p->bytes, p->length });
    view->number = 1;
    view->time = p->time;
    view->timed = p->time;
    view->link_type = p->link_type;
    view->wire_length = p->wire_length;
    view->stop = 0;
    dissect(view);
}

struct craft *script_craft(lua_State *L, struct script_packet *p)
{
    struct error error;
    if (p->craft)
        return p->craft;
    struct packet *view = lua_newuserdatauv(L, sizeof *view, 0);
    memset(view, 0, sizeof *view);
    view_bytes(p, view);
    if (craft_from_packet(&p->craft, view, &error))
        script_fail(L, &error);
    lua_pop(L, 1);
    free(p->bytes);
    p->bytes = NULL;
    return p->craft;
}

struct span script_bytes(lua_State *L, struct script_packet *p)
{
    struct error error;
    struct span bytes = { p->bytes, p->length };
    if (p->craft && craft_build(p->craft, &bytes, &error))
        script_fail(L, &error);
    return bytes;
}

void script_view(lua_State *L, struct script_packet *p, struct packet *view)
{
    script_bytes(L, p);
    if (p->craft)
        craft_view(p->craft, view);
    else
        view_bytes(p, view);
}

/* What takes memory of its own while Lua may end the call by an error: kept by Lua. */
struct held {
    struct craft_value value;
};

static int collect_held(lua_State *L)
{
    struct held *held = luaL_checkudata(L, 1, "peel value");
    craft_value_free(&held->value);
    return 0;
}

static struct craft_value *hold(lua_State *L)
{
    struct held *held = lua_newuserdatauv(L, sizeof *held, 0);
    *held = (struct held){ 0 };
    luaL_setmetatable(L, "peel value");
    return &held->value;
}

static void read_value(lua_State *L, int index, struct craft_value *value, unsigned depth);

/* An array's values first, in their order; then what has names, sorted by them, so that the same script makes the same
 * packet each time. */
static void read_list(lua_State *L, int index, struct craft_value *list, unsigned depth)
{
    list->kind = CRAFT_LIST;
    lua_Integer n = luaL_len(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, index, i);
        struct craft_value *value = hold(L);
        read_value(L, -2, value, depth + 1);
        if (!craft_value_add(list, NULL, value))
            luaL_error(L, "no memory");
        lua_pop(L, 2);
    }
    unsigned first = list->count;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        struct craft_value *value = hold(L);
        read_value(L, -2, value, depth + 1);
        if (!craft_value_add(list, lua_tostring(L, -3), value))
            luaL_error(L, "no memory");
        lua_pop(L, 1);
    }
    for (unsigned i = first; i < list->count; i++)
        for (unsigned k = i; k > first && strcmp(list->entries[k - 1].name, list->entries[k].name) > 0; k--) {
            struct craft_entry swapped = list->entries[k];
            list->entries[k] = list->entries[k - 1];
            list->entries[k - 1] = swapped;
        }
}

static void read_value(lua_State *L, int index, struct craft_value *value, unsigned depth)
{
    index = lua_absindex(L, index);
    size_t n;
    const char *text;
    bool good = depth < DEPTH_MAX;
    luaL_checkstack(L, 8, "a value");
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        *value = (struct craft_value){ .kind = CRAFT_BOOLEAN, .number = lua_toboolean(L, index) };
        break;
    case LUA_TNUMBER:
        *value = (struct craft_value){ .kind = CRAFT_NUMBER, .number = luaL_checkinteger(L, index) };
        break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &n);
        good = good && craft_value_bytes(value, text, n);
        value->kind = CRAFT_TEXT;
        break;
    case LUA_TTABLE:
        if (good)
            read_list(L, index, value, depth);
        break;
    default: {
        struct script_packet *p = script_to_packet(L, index);
        struct span bytes = p ? script_bytes(L, p) : (struct span){ 0 };
        good = good && p && craft_value_bytes(value, bytes.at, bytes.left);
    }
    }
    if (!good)
        luaL_error(L, "a %s is no value of a field", luaL_typename(L, index));
}

void script_value(lua_State *L, int index, struct craft_value *value)
{
    index = lua_absindex(L, index);
    struct craft_value *held = hold(L);
    read_value(L, index, held, 0);
    *value = *held;
    *held = (struct craft_value){ 0 };
    lua_pop(L, 1);
}

/* Sets the fields that a table names in a layer. */
static void set_fields(lua_State *L, struct craft *craft, unsigned layer, int table)
{
    struct error error;
    const struct protocol *protocol = craft_layer_protocol(craft, layer);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s: a value without the name of a field", protocol ? protocol->name : "data");
        struct craft_value value;
        script_value(L, -1, &value);
        if (craft_set(craft, layer, lua_tostring(L, -2), &value, &error))
            script_fail(L, &error);
    }
}

/* ip{...}: the protocol is an upvalue. */
static int construct(lua_State *L)
{
    struct error error;
    const struct protocol *protocol = lua_touserdata(L, lua_upvalueindex(1));
    if (!lua_isnoneornil(L, 1))
        luaL_checktype(L, 1, LUA_TTABLE);
    struct script_packet *p = new_crafted(L);
    if (craft_add(p->craft, protocol, &error))
        script_fail(L, &error);
    if (lua_istable(L, 1))
        set_fields(L, p->craft, 0, 1);
    return 1;
}

static void append(lua_State *L, struct craft *to, int index)
{
    struct error error;
    size_t n;
    int code;
    if (lua_type(L, index) == LUA_TSTRING || lua_type(L, index) == LUA_TNUMBER) {
        const char *text = lua_tolstring(L, index, &n);
        code = n ? craft_add_bytes(to, (struct span){ (const uint8_t *)text, n }, &error) : 0;
    } else if (lua_istable(L, index) && craft_layer_count(to)) {
        set_fields(L, to, craft_layer_count(to) - 1, index);
        code = 0;
    } else if (lua_iscfunction(L, index)) { /* udp for udp{} */
        lua_pushvalue(L, index);
        lua_call(L, 0, 1);
        code = craft_append(to, script_craft(L, script_check_packet(L, -1)), &error);
        lua_pop(L, 1);
    } else {
        code = craft_append(to, script_craft(L, script_check_packet(L, index)), &error);
    }
    if (code)
        script_fail(L, &error);
}

/* a / b: b on top of a; a table sets fields of the topmost layer. */
static int divide(lua_State *L)
{
    struct script_packet *p = new_crafted(L);
    append(L, p->craft, 1);
    append(L, p->craft, 2);
    return 1;
}

static int add_hex(lua_State *L, const char *text, size_t n, luaL_Buffer *b)
{
    int high = -1;
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef", *found = text[i] ? strchr(digits, text[i] | 32) : NULL;
        if (!found && strchr(" \t\n\r:-", text[i]) && high < 0)
            continue;
        if (!found)
            return luaL_error(L, "no hexadecimal digit at character %d", (int)i + 1);
        if (high < 0) {
            high = (int)(found - digits);
            continue;
        }
        luaL_addchar(b, (char)(high << 4 | (int)(found - digits)));
        high = -1;
    }
    return high < 0 ? 0 : luaL_error(L, "an odd number of hexadecimal digits");
}

/* hex"dead beef": bytes */
static int hex(lua_State *L)
{
    size_t n;
    luaL_Buffer b;
    const char *text = luaL_checklstring(L, 1, &n);
    luaL_buffinit(L, &b);
    add_hex(L, text, n, &b);
    luaL_pushresult(&b);
    struct script_packet *p = new_crafted(L);
    append(L, p->craft, -2);
    return 1;
}

/* packet"0800...": a packet from its bytes in hex, or from a text of bytes if a link type follows. */
static int packet(lua_State *L)
{
    size_t n;
    luaL_Buffer b;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_Integer link = luaL_optinteger(L, 2, LINK_ETHERNET);
    luaL_argcheck(L, link >= 0 && link < CRAFT_NO_LINK, 2, "no link type");
    luaL_buffinit(L, &b);
    add_hex(L, text, n, &b);
    luaL_pushresult(&b);
    text = lua_tolstring(L, -1, &n);
    luaL_argcheck(L, n <= CRAFT_PACKET_MAX, 1, "too long");
    script_push_bytes(L, (struct span){ (const uint8_t *)text, n }, (uint32_t)n, (uint16_t)link, 0);
    return 1;
}

/* file"x.bin": the bytes of a file */
static int file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    FILE *f = fopen(path, "rb");
    if (!f)
        return luaL_error(L, "%s: %s", path, strerror(errno));
    luaL_Buffer b;
    char *room = luaL_buffinitsize(L, &b, FILE_MOST + 1);
    size_t n = fread(room, 1, FILE_MOST + 1, f);
    bool failed = ferror(f);
    fclose(f);
    if (failed || n > FILE_MOST)
        return luaL_error(L, failed ? "%s: cannot be read" : "%s: more than a packet holds", path);
    luaL_pushresultsize(&b, n);
    struct script_packet *p = new_crafted(L);
    append(L, p->craft, -2);
    return 1;
}

static const struct protocol *protocol_by_lua_name(const char *name)
{
    for (const struct protocol *const *p = protocols; *p; p++) {
        size_t i = 0;
        while (name[i] && (name[i] == (*p)->name[i] || (name[i] == '_' && (*p)->name[i] == '.')))
            i++;
        if (!name[i] && !(*p)->name[i] && *p != &frame_protocol)
            return *p;
    }
    return NULL;
}

static struct packet *new_view(lua_State *L, struct script_packet *p)
{
    struct packet *view = lua_newuserdatauv(L, sizeof *view, 0);
    memset(view, 0, sizeof *view);
    script_view(L, p, view);
    return view;
}

/* Pushes the nth layer of a protocol, or nil. */
static int push_layer(lua_State *L, int packet_index, const struct protocol *protocol, lua_Integer nth)
{
    packet_index = lua_absindex(L, packet_index);
    struct packet *view = new_view(L, script_check_packet(L, packet_index));
    for (unsigned i = 0; i < view->layer_count; i++) {
        if (view->layers[i].protocol != protocol || --nth)
            continue;
        struct script_layer *l = lua_newuserdatauv(L, sizeof *l, 1);
        l->index = i;
        luaL_setmetatable(L, LAYER);
        lua_pushvalue(L, packet_index);
        lua_setiuservalue(L, -2, 1);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int push_span(lua_State *L, struct span bytes)
{
    lua_pushlstring(L, (const char *)bytes.at, bytes.left);
    return 1;
}

static int packet_bytes(lua_State *L)
{
    return push_span(L, script_bytes(L, script_check_packet(L, 1)));
}

static int packet_hex(lua_State *L)
{
    struct span bytes = script_bytes(L, script_check_packet(L, 1));
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < bytes.left; i++) {
        luaL_addchar(&b, "0123456789abcdef"[bytes.at[i] >> 4]);
        luaL_addchar(&b, "0123456789abcdef"[bytes.at[i] & 15]);
    }
    luaL_pushresult(&b);
    return 1;
}

/* p:layer("ip", 2): the second one of its kind */
static int packet_layer(lua_State *L)
{
    script_check_packet(L, 1);
    const struct protocol *protocol = protocol_by_lua_name(luaL_checkstring(L, 2));
    lua_Integer nth = luaL_optinteger(L, 3, 1);
    if (!protocol)
        return luaL_error(L, "no protocol '%s'", lua_tostring(L, 2));
    return push_layer(L, 1, protocol, nth);
}

/* p:layers(): their names, from the outermost */
static int packet_layers(lua_State *L)
{
    struct packet *view = new_view(L, script_check_packet(L, 1));
    lua_newtable(L);
    for (unsigned i = 0; i < view->layer_count; i++) {
        lua_pushstring(L, view->layers[i].protocol->name);
        lua_seti(L, -2, i + 1);
    }
    return 1;
}

/* p:copy(): another one, which can be edited alone */
static int packet_copy(lua_State *L)
{
    struct craft *craft = script_craft(L, script_check_packet(L, 1));
    struct script_packet *p = script_new_packet(L);
    if (!(p->craft = craft_copy(craft)))
        return luaL_error(L, "no memory");
    return 1;
}

/* What no header describes: the bytes behind the last one. */
static int packet_payload(lua_State *L)
{
    struct packet *view = new_view(L, script_check_packet(L, 1));
    struct span bytes = { 0 };
    for (unsigned i = 0; i < view->layer_count; i++) {
        const struct layer *l = &view->layers[i];
        bytes = l->protocol == &data_protocol ? layer_header(view, l) : layer_payload(view, l);
        if (l->protocol == &data_protocol)
            break;
    }
    return push_span(L, bytes);
}

static const luaL_Reg packet_methods[] = {
    { "bytes", packet_bytes },   { "hex", packet_hex },   { "layer", packet_layer },
    { "layers", packet_layers }, { "copy", packet_copy }, { NULL, NULL },
};

static int packet_index(lua_State *L)
{
    struct script_packet *p = script_check_packet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    if (strncmp(name, "__", 2) != 0 && luaL_getmetafield(L, 1, name) != LUA_TNIL)
        return 1; /* a method */
    if (!strcmp(name, "payload"))
        return packet_payload(L);
    if (!strcmp(name, "time")) {
        lua_pushnumber(L, (lua_Number)p->time / 1e9);
        return 1;
    }
    const struct protocol *protocol = protocol_by_lua_name(name);
    if (!protocol)
        return luaL_error(L, "a packet has no '%s'", name);
    return push_layer(L, 1, protocol, 1);
}

/* Where the bytes that no header describes begin: the layer on top of which they lie. */
static unsigned top_header(const struct craft *craft)
{
    unsigned n = craft_layer_count(craft);
    while (n > 0 && !craft_layer_protocol(craft, n - 1))
        n--;
    return n;
}

static int packet_newindex(lua_State *L)
{
    struct script_packet *p = script_check_packet(L, 1);
    const char *name = luaL_checkstring(L, 2);
    if (!strcmp(name, "payload")) {
        struct craft *craft = script_craft(L, p);
        unsigned top = top_header(craft);
        luaL_argcheck(L, top > 0, 1, "it has no header");
        luaL_checkany(L, 3);
        craft_strip(craft, top - 1);
        append(L, craft, 3);
        return 0;
    }
    const struct protocol *protocol = protocol_by_lua_name(name);
    luaL_argcheck(L, protocol && lua_istable(L, 3), 3, "only fields of layers and the payload can be set");
    push_layer(L, 1, protocol, 1);
    struct script_layer *l = luaL_checkudata(L, -1, LAYER);
    set_fields(L, script_craft(L, p), l->index, 3);
    return 0;
}

static int packet_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)script_bytes(L, script_check_packet(L, 1)).left);
    return 1;
}

/* "eth/ip/tcp, 54 bytes" */
static int packet_text(lua_State *L)
{
    struct script_packet *p = script_check_packet(L, 1);
    struct packet *view = new_view(L, p);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (unsigned i = 0; i < view->layer_count; i++) {
        if (i)
            luaL_addchar(&b, '/');
        luaL_addstring(&b, view->layers[i].protocol->name);
    }
    lua_pushfstring(L, ", %d bytes", (int)view->buffers[0].left);
    luaL_addvalue(&b);
    luaL_pushresult(&b);
    return 1;
}

/* A field of a layer, asked for by name. */
struct wanted {
    struct sink sink;
    lua_State *L;
    const char *protocol, *name;
    unsigned best; /* how well the name was met: 0 at best */
    bool all;      /* a table of all that there are lies on top of the stack */
    lua_Integer count;
};

static void push_address(lua_State *L, const struct field *f, const struct value *v)
{
    char text[ADDRESS_TEXT], *end;
    if (f->type == FIELD_IPV4)
        end = write_ipv4(text, (uint32_t)v->u);
    else if (f->type == FIELD_IPV6)
        end = write_ipv6(text, v->bytes.at);
    else
        end = write_mac(text, v->bytes.at);
    lua_pushlstring(L, text, (size_t)(end - text));
}

static void push_value(lua_State *L, const struct field *f, const struct value *v)
{
    switch (f->type) {
    case FIELD_BOOL:
    case FIELD_NONE:
        lua_pushboolean(L, v->u != 0);
        break;
    case FIELD_IPV4:
    case FIELD_IPV6:
    case FIELD_MAC:
        push_address(L, f, v);
        break;
    case FIELD_BYTES:
    case FIELD_TEXT:
    case FIELD_TLVS:
        push_span(L, v->bytes);
        break;
    case FIELD_TIME:
    case FIELD_DURATION:
        lua_pushnumber(L, (lua_Number)v->i / 1e9);
        break;
    default:
        lua_pushinteger(L, (lua_Integer)v->u);
    }
}

static void want_field(struct sink *sink, const struct field *f, const struct value *v)
{
    struct wanted *w = (struct wanted *)sink;
    unsigned like = craft_likeness(f, w->protocol, w->name);
    if (like == CRAFT_UNLIKE || like > w->best || (like == w->best && !w->all && w->count))
        return;
    if (like < w->best) { /* a better one: what was found is forgotten */
        w->best = like;
        w->count = 0;
        lua_pop(w->L, 1);
        if (w->all)
            lua_newtable(w->L);
        else
            lua_pushnil(w->L);
    }
    push_value(w->L, f, v);
    w->count++;
    if (w->all)
        lua_seti(w->L, -2, w->count);
    else
        lua_replace(w->L, -2);
}

static int read_field(lua_State *L, const char *name, bool all)
{
    struct script_layer *l = luaL_checkudata(L, 1, LAYER);
    lua_getiuservalue(L, 1, 1);
    struct packet *view = new_view(L, script_check_packet(L, -1));
    const struct layer *layer = l->index < view->layer_count ? &view->layers[l->index] : NULL;
    if (!layer)
        return luaL_error(L, "the layer is gone");
    if (!strcmp(name, "payload"))
        return push_span(L, layer_payload(view, layer));
    if (!strcmp(name, "header"))
        return push_span(L, layer_header(view, layer));
    struct wanted w = { .sink = { .field = want_field },
                        .L = L,
                        .protocol = layer->protocol->name,
                        .name = name,
                        .best = UINT32_MAX,
                        .all = all };
    luaL_checkstack(L, 8, "a field");
    if (all)
        lua_newtable(L);
    else
        lua_pushnil(L);
    walk_layer(view, layer, &w.sink);
    return 1;
}

static int layer_all(lua_State *L)
{
    return read_field(L, luaL_checkstring(L, 2), true);
}

static int layer_index(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2);
    if (strncmp(name, "__", 2) != 0 && luaL_getmetafield(L, 1, name) != LUA_TNIL)
        return 1;
    return read_field(L, name, false);
}

static int layer_newindex(lua_State *L)
{
    struct error error;
    struct script_layer *l = luaL_checkudata(L, 1, LAYER);
    const char *name = luaL_checkstring(L, 2);
    lua_getiuservalue(L, 1, 1);
    struct craft *craft = script_craft(L, script_check_packet(L, -1));
    if (l->index >= craft_layer_count(craft))
        return luaL_error(L, "the layer is gone");
    struct craft_value value;
    script_value(L, 3, &value);
    if (craft_set(craft, l->index, name, &value, &error))
        return script_fail(L, &error);
    return 0;
}

static const luaL_Reg packet_meta[] = {
    { "__gc", collect },
    { "__div", divide },
    { "__index", packet_index },
    { "__newindex", packet_newindex },
    { "__len", packet_length },
    { "__tostring", packet_text },
    { NULL, NULL },
};
static const luaL_Reg layer_meta[] = {
    { "__index", layer_index },
    { "__newindex", layer_newindex },
    { "all", layer_all },
    { NULL, NULL },
};
static const luaL_Reg functions[] = {
    { "hex", hex },
    { "packet", packet },
    { "file", file },
    { NULL, NULL },
};

static void add_constructors(lua_State *L)
{
    for (const struct protocol *const *p = protocols; *p; p++) {
        if (*p == &frame_protocol || *p == &data_protocol)
            continue;
        lua_pushlightuserdata(L, (void *)(uintptr_t)*p);
        lua_pushcclosure(L, construct, 1);
        luaL_gsub(L, (*p)->name, ".", "_");
        lua_insert(L, -2);
        lua_settable(L, -3);
    }
}

void script_add_methods(struct script *script, const luaL_Reg *methods)
{
    luaL_getmetatable(script->L, PACKET);
    luaL_setfuncs(script->L, methods, 0);
    lua_pop(script->L, 1);
}

void script_packets_open(lua_State *L)
{
    luaL_newmetatable(L, PACKET);
    luaL_setfuncs(L, packet_meta, 0);
    luaL_setfuncs(L, packet_methods, 0);
    luaL_newmetatable(L, LAYER);
    luaL_setfuncs(L, layer_meta, 0);
    luaL_newmetatable(L, "peel value");
    lua_pushcfunction(L, collect_held);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 3);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    add_constructors(L);
    lua_pop(L, 1);
}
