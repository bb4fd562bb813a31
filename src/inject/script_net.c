/* send, ask, sniff, expect: packets of a script onto wires and from them. */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "inject/script_parts.h"
#include "protocol/checksum.h"
#include <stdlib.h>
#include <time.h>

enum { TCP = 6, UDP = 17, SECOND = 1000000000 };

struct sender *script_sender(lua_State *L)
{
    struct script *s = script_of(L);
    struct error error;
    if (!s->sender && sender_open(&s->sender, s->settings.interface, WIRE_RECEIVE, &error))
        script_fail(L, &error);
    return s->sender;
}

/* ---- ports that are held */

/* hold("tcp", 80 [, address]): this host's own stack says nothing at a port. */
static int hold(lua_State *L)
{
    static const char *const words[] = { "tcp", "udp", NULL };
    struct ip_address address = { 0 };
    struct error error;
    int which = luaL_checkoption(L, 1, NULL, words);
    lua_Integer port = luaL_checkinteger(L, 2);
    luaL_argcheck(L, port > 0 && port < 65536, 2, "no port");
    if (!lua_isnoneornil(L, 3))
        luaL_argcheck(L, parse_ip(luaL_checkstring(L, 3), &address), 3, "no address");
    if (held_take(&script_of(L)->held, which ? UDP : TCP, &address, (uint16_t)port, &error))
        return script_fail(L, &error);
    return 0;
}

/* ---- sending */

/* Sends the packet at the index; pushes it as it went. */
static struct script_packet *send_it(lua_State *L, int index)
{
    struct script *s = script_of(L);
    struct sender *sender = script_sender(L);
    struct sender_lane *lane;
    struct error error;
    struct craft *craft = script_craft(L, script_check_packet(L, index));
    struct script_packet *sent = script_new_packet(L);
    if (!(sent->craft = craft_copy(craft)))
        luaL_error(L, "no memory");
    if (sender_complete(sender, sent->craft, &lane, &error))
        script_fail(L, &error);
    struct span bytes = script_bytes(L, sent);
    craft_view(sent->craft, &s->view);
    held_take_source(&s->held, &s->view);
    sent->time = clock_ns(CLOCK_REALTIME);
    if (!wire_send(lane->wire, bytes))
        luaL_error(L, "too long");
    if (sender_flush(sender, &error))
        script_fail(L, &error);
    script_tell(s, bytes, wire_info(lane->wire)->link_type, sent->time, true);
    return sent;
}

/* send(p): returns the packet as it went, with what was filled in. */
static int send_packet(lua_State *L)
{
    script_check_packet(L, 1);
    send_it(L, 1);
    return 1;
}

/* ---- waiting for packets */

struct hunt {
    struct script_wait wait;
    struct question question;
    bool asked, wants_none;
    struct craft *pattern; /* of the pattern at index 1, alive as long as that is */
    struct bpf *bpf;       /* owned; NULL: none */
    unsigned most;         /* packets wanted */
    unsigned count;
    uint64_t found[ARRIVED_MAX];
    int again; /* how often a question is still to be sent */
    double timeout;
    uint64_t first; /* cursor at the beginning */
};

static int collect_hunt(lua_State *L)
{
    struct hunt *h = luaL_checkudata(L, 1, "peel hunt");
    bpf_close(h->bpf);
    h->bpf = NULL;
    return 0;
}

static struct hunt *new_hunt(lua_State *L)
{
    struct hunt *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    h->most = 1;
    luaL_setmetatable(L, "peel hunt");
    return h;
}

static bool wanted(struct script *s, struct hunt *h, const struct arrived *a)
{
    struct record r = { .bytes = { a->bytes, a->length },
                        .wire_length = a->wire_length,
                        .time = a->time,
                        .timed = true,
                        .link_type = a->link_type };
    if (h->bpf && !bpf_passes(h->bpf, &r))
        return false;
    if (!h->asked && !h->pattern)
        return true;
    script_dissect(a, &s->view);
    if (h->asked) {
        struct answer answer;
        answer_read(&answer, &s->view);
        if (!answer_fits(&answer, &h->question))
            return false;
    }
    return !h->pattern || craft_matches(h->pattern, &s->view, NULL) > 0;
}

static bool has_found(struct script *s, struct script_wait *w)
{
    struct hunt *h = (struct hunt *)w;
    for (; w->cursor < s->arrived_count && h->count < h->most; w->cursor++) {
        const struct arrived *a = script_arrived(s, w->cursor);
        if (a && wanted(s, h, a))
            h->found[h->count++] = w->cursor;
    }
    return h->count >= h->most;
}

static bool push_found(lua_State *L, const struct hunt *h, unsigned index)
{
    const struct arrived *a = index < h->count ? script_arrived(script_of(L), h->found[index]) : NULL;
    if (a)
        script_push_arrived(L, a);
    else
        lua_pushnil(L);
    return a;
}

/* What was gone past is not looked at again by the next expect. */
static void go_past(struct script *s, const struct hunt *h)
{
    if (h->wait.cursor > s->cursor)
        s->cursor = h->wait.cursor;
}

static int finish_ask(lua_State *L, struct script_wait *w)
{
    struct hunt *h = (struct hunt *)w;
    if (!h->count && h->again-- > 0) {
        send_it(L, 1);
        lua_pop(L, 1);
        w->late = false;
        w->deadline = script_now() + (int64_t)(h->timeout * SECOND);
        return script_wait(L, w);
    }
    go_past(script_of(L), h);
    if (push_found(L, h, 0))
        return 1;
    lua_pushliteral(L, "no answer");
    return 2;
}

static lua_Integer option_integer(lua_State *L, int table, const char *name, lua_Integer otherwise)
{
    if (!lua_istable(L, table))
        return otherwise;
    lua_getfield(L, table, name);
    lua_Integer n = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return n;
}

/* A pattern in a table's field; it stays on the stack, so that it lives. */
static struct craft *option_pattern(lua_State *L, int table, const char *name)
{
    if (!lua_istable(L, table))
        return NULL;
    if (lua_getfield(L, table, name) == LUA_TNIL)
        return NULL;
    return script_craft(L, script_check_packet(L, -1));
}

/* ask(p, {timeout=1, tries=1}): sends it, and returns the answer, or nil and why not. */
static int ask(lua_State *L)
{
    struct script *s = script_of(L);
    script_check_packet(L, 1);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct craft *pattern = option_pattern(L, 2, "match");
    uint64_t cursor = s->arrived_count;
    struct script_packet *sent = send_it(L, 1);
    struct hunt *h = new_hunt(L);
    script_view(L, sent, &s->view);
    if (!question_read(&h->question, &s->view))
        return luaL_error(L, "a packet without addresses has no answer");
    h->asked = true;
    h->pattern = pattern;
    h->again = (int)option_integer(L, 2, "tries", 1) - 1;
    h->wait = (struct script_wait){ has_found, finish_ask, script_deadline(L, 2, "timeout", 1), false, cursor };
    h->timeout = (double)(h->wait.deadline - script_now()) / SECOND;
    return script_wait(L, &h->wait);
}

static int finish_sniff(lua_State *L, struct script_wait *w)
{
    struct hunt *h = (struct hunt *)w;
    go_past(script_of(L), h);
    lua_createtable(L, (int)h->count, 0);
    for (unsigned i = 0, n = 0; i < h->count; i++) {
        if (push_found(L, h, i))
            lua_seti(L, -2, ++n);
        else
            lua_pop(L, 1);
    }
    return 1;
}

static void open_filter(lua_State *L, int table, struct hunt *h, uint16_t link_type)
{
    struct error error;
    if (!lua_istable(L, table))
        return;
    lua_getfield(L, table, "filter");
    const char *filter = luaL_optstring(L, -1, NULL);
    if (filter && bpf_open(&h->bpf, filter, link_type, &error))
        script_fail(L, &error);
    lua_pop(L, 1);
}

/* Packets come in from the moment that their interface is opened. */
static uint16_t open_ears(lua_State *L, int table)
{
    struct sender *sender = script_sender(L);
    struct sender_lane *lane = sender_lane_count(sender) ? sender_lane(sender, 0) : NULL;
    struct error error;
    const char *name = NULL;
    if (lua_istable(L, table)) {
        lua_getfield(L, table, "interface");
        name = luaL_optstring(L, -1, NULL);
        lua_pop(L, 1);
    }
    if ((name || !lane) && sender_lane_named(sender, name, &lane, &error))
        script_fail(L, &error);
    return wire_info(lane->wire)->link_type;
}

/* sniff{filter="tcp", count=1, timeout=..., match=pattern, interface=...}: an array of what came in. */
static int sniff(lua_State *L)
{
    struct script *s = script_of(L);
    if (!lua_isnoneornil(L, 1))
        luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    uint16_t link_type = open_ears(L, 1);
    lua_Integer count = option_integer(L, 1, "count", 1);
    luaL_argcheck(L, count > 0 && count <= ARRIVED_MAX, 1, "count: 1 to 4096 packets");
    struct craft *pattern = option_pattern(L, 1, "match");
    struct hunt *h = new_hunt(L);
    h->pattern = pattern;
    h->most = (unsigned)count;
    open_filter(L, 1, h, link_type);
    h->wait =
        (struct script_wait){ has_found, finish_sniff, script_deadline(L, 1, "timeout", -1), false, s->arrived_count };
    return script_wait(L, &h->wait);
}

/* "expected eth/ip/tcp within 1 s, and 3 other packets came" */
static int fail_expectation(lua_State *L, const struct hunt *h)
{
    struct script *s = script_of(L);
    char text[200];
    unsigned long long others = (unsigned long long)(s->arrived_count - h->first);
    s->expectation_failed = true;
    lua_getglobal(L, "tostring");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (h->wants_none)
        snprintf(text, sizeof text, _("this came, and should not have"));
    else
        snprintf(text, sizeof text, _("this did not come within %.3g s, but %llu other packets"), h->timeout, others);
    return luaL_error(L, "%s: %s", lua_tostring(L, -1), text);
}

static int finish_expect(lua_State *L, struct script_wait *w)
{
    struct hunt *h = (struct hunt *)w;
    struct script *s = script_of(L);
    bool came = h->count > 0;
    if (came == h->wants_none)
        return fail_expectation(L, h);
    go_past(s, h);
    if (h->wants_none)
        return 0;
    push_found(L, h, 0);
    return 1;
}

static int expect_or_none(lua_State *L, bool none)
{
    struct script *s = script_of(L);
    script_check_packet(L, 1);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    open_ears(L, 2);
    struct craft *pattern = script_craft(L, script_check_packet(L, 1));
    struct hunt *h = new_hunt(L);
    h->pattern = pattern;
    h->wants_none = none;
    h->first = s->cursor;
    h->wait = (struct script_wait){ has_found, finish_expect, script_deadline(L, 2, "within", 1), false, s->cursor };
    h->timeout = (double)(h->wait.deadline - script_now()) / SECOND;
    return script_wait(L, &h->wait);
}

/* expect(pattern, {within=1}): the first packet that has what is set in the pattern, of those that came in since the
 * last one that an ask or an expect took. An error if none comes. */
static int expect(lua_State *L)
{
    return expect_or_none(L, false);
}

/* expect_none(pattern, {within=1}): an error if one comes. */
static int expect_none(lua_State *L)
{
    return expect_or_none(L, true);
}

static const luaL_Reg functions[] = {
    { "send", send_packet },        { "ask", ask },   { "sniff", sniff }, { "expect", expect },
    { "expect_none", expect_none }, { "hold", hold }, { NULL, NULL },
};

void script_net_open(lua_State *L)
{
    luaL_newmetatable(L, "peel hunt");
    lua_pushcfunction(L, collect_hunt);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
