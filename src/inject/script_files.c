/* Captures in scripts: for p in packets("x.pcap") do ... end, and a file to put packets into. */
#include "base/clock.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "capture/capture.h"
#include "capture/writer.h"
#include "inject/script_parts.h"
#include <time.h>

#define READER "peel capture"
#define WRITER "peel writer"

enum { SECOND = 1000000000, LINK_RAW = 101 };

struct reader {
    struct capture *capture;
    struct bpf *bpf;
};

static int close_reader(lua_State *L)
{
    struct reader *r = luaL_checkudata(L, 1, READER);
    bpf_close(r->bpf);
    capture_close(r->capture);
    *r = (struct reader){ 0 };
    return 0;
}

/* The next packet, or nil behind the last one. */
static int next_packet(lua_State *L)
{
    struct reader *r = luaL_checkudata(L, 1, READER);
    struct record record;
    struct error error;
    int code = 0;
    while (r->capture && (code = capture_next(r->capture, &record, &error)) > 0) {
        if (record.link_type == CAPTURE_NO_PACKET || (r->bpf && !bpf_passes(r->bpf, &record)))
            continue;
        script_push_bytes(L, record.bytes, record.wire_length, record.link_type, record.time);
        return 1;
    }
    if (code < 0)
        script_fail(L, &error);
    return 0;
}

/* packets(path [, filter]): for each packet of a capture */
static int packets(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *filter = luaL_optstring(L, 2, NULL);
    struct error error;
    lua_pushcfunction(L, next_packet);
    struct reader *r = lua_newuserdatauv(L, sizeof *r, 0);
    *r = (struct reader){ 0 };
    luaL_setmetatable(L, READER);
    if (capture_open(&r->capture, path, &error))
        script_fail(L, &error);
    if (filter && bpf_open(&r->bpf, filter, (uint16_t)capture_link_type(r->capture), &error))
        script_fail(L, &error);
    lua_pushnil(L);
    lua_pushvalue(L, -2); /* closed at the end of the loop */
    return 4;
}

struct writing {
    struct writer *writer;
};

static struct writing *check_writer(lua_State *L)
{
    struct writing *w = luaL_checkudata(L, 1, WRITER);
    luaL_argcheck(L, w->writer, 1, "it is closed");
    return w;
}

/* w:put(p [, time]) */
static int put(lua_State *L)
{
    struct writing *w = check_writer(L);
    struct script_packet *p = script_check_packet(L, 2);
    struct error error;
    int64_t time = p->time ? p->time : clock_ns(CLOCK_REALTIME);
    if (!lua_isnoneornil(L, 3))
        time = (int64_t)(luaL_checknumber(L, 3) * SECOND);
    struct record r = { .bytes = script_bytes(L, p), .time = time, .timed = true };
    r.wire_length = p->wire_length > r.bytes.left ? p->wire_length : (uint32_t)r.bytes.left;
    r.link_type = p->craft && p->link_type == CRAFT_NO_LINK ? craft_link_type(p->craft) : p->link_type;
    r.link_type = r.link_type == CRAFT_NO_LINK ? LINK_RAW : r.link_type;
    if (writer_put(w->writer, &r, &error))
        script_fail(L, &error);
    return 0;
}

/* w:close() */
static int close_writer(lua_State *L)
{
    struct writing *w = luaL_checkudata(L, 1, WRITER);
    struct error error;
    struct writer *writer = w->writer;
    w->writer = NULL;
    if (writer && writer_close(writer, &error))
        script_fail(L, &error);
    return 0;
}

/* A script that ends by an error leaves what it wrote; nobody is there to be told of another one. */
static int collect_writer(lua_State *L)
{
    struct writing *w = luaL_checkudata(L, 1, WRITER);
    struct error error;
    if (w->writer)
        writer_close(w->writer, &error);
    w->writer = NULL;
    return 0;
}

/* writer(path): a capture to put packets into */
static int open_writer(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct error error;
    struct writing *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct writing){ 0 };
    luaL_setmetatable(L, WRITER);
    if (writer_open(&w->writer, path, &error))
        script_fail(L, &error);
    return 1;
}

static const luaL_Reg writer_methods[] = { { "put", put }, { "close", close_writer }, { NULL, NULL } };
static const luaL_Reg functions[] = {
    { "packets", packets },
    { "writer", open_writer },
    { NULL, NULL },
};

static void add_closer(lua_State *L, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__gc");
    lua_setfield(L, -2, "__close");
}

void script_files_open(lua_State *L)
{
    luaL_newmetatable(L, READER);
    add_closer(L, close_reader);
    luaL_newmetatable(L, WRITER);
    add_closer(L, collect_writer);
    luaL_newlib(L, writer_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
