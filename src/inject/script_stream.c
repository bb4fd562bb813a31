/* TCP conversations in scripts: connect(), listen(), c:send(), c:receive(), c:close(). */
#include "base/text.h"
#include "inject/dialogue.h"
#include "inject/script_parts.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STREAM   "peel stream"
#define LISTENER "peel listener"

enum { SECOND = 1000000000, LINE_MOST = 1 << 20 };

struct stream {
    struct script *script;
    struct dialogue *conversation; /* NULL: closed */
    struct error error;
    int failed; /* the code of what ended it, from outside of the endpoint */
};

struct listener {
    struct dialogue_settings settings;
    char interface[16];
    struct stream *stream; /* that waits for a call, or NULL */
};

/* ---- for whoever goes round */

int stream_fd(const struct stream *s)
{
    return dialogue_fd(s->conversation);
}

int64_t stream_deadline(const struct stream *s)
{
    return s->failed ? INT64_MAX : dialogue_deadline(s->conversation);
}

void stream_step(struct stream *s)
{
    if (!s->failed)
        s->failed = dialogue_step(s->conversation, &s->error);
}

static struct endpoint *endpoint_of(const struct stream *s)
{
    return dialogue_endpoint(s->conversation);
}

void stream_abort(struct stream *s)
{
    endpoint_abort(endpoint_of(s), dialogue_now());
    dialogue_flush(s->conversation);
}

static void let_go(struct stream *s)
{
    struct script *script = s->script;
    unsigned kept = 0;
    for (unsigned i = 0; i < script->stream_count; i++)
        if (script->streams[i] != s)
            script->streams[kept++] = script->streams[i];
    script->stream_count = kept;
    dialogue_close(s->conversation);
    s->conversation = NULL;
}

/* ---- opening */

static void on_packet(void *context, struct span bytes, uint16_t link_type, int64_t time, bool sent)
{
    struct stream *s = context;
    script_tell(s->script, bytes, link_type, time, sent);
}

static struct stream *new_stream(lua_State *L)
{
    struct stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct stream){ .script = script_of(L) };
    luaL_setmetatable(L, STREAM);
    return s;
}

static void open_stream(lua_State *L, struct stream *s, const struct dialogue_settings *settings)
{
    static const struct dialogue_observer observer = { .packet = on_packet };
    struct script *script = s->script;
    struct error error;
    if (script->stream_count == STREAMS_MAX)
        luaL_error(L, "more than %d conversations", STREAMS_MAX);
    if (dialogue_open(&s->conversation, settings, &observer, s, &error))
        script_fail(L, &error);
    script->streams[script->stream_count++] = s;
}

static struct stream *check_stream(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM);
    luaL_argcheck(L, s->conversation, 1, "the conversation is closed");
    return s;
}

static uint32_t option_number(lua_State *L, int table, const char *name, lua_Integer least, lua_Integer most,
                              uint32_t otherwise)
{
    lua_getfield(L, table, name);
    lua_Integer n = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    if (n != otherwise && (n < least || n > most))
        luaL_error(L, "%s: %I to %I", name, least, most);
    return (uint32_t)n;
}

static bool option_flag(lua_State *L, int table, const char *name, bool otherwise)
{
    bool flag = lua_getfield(L, table, name) == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static void read_text(lua_State *L, int table, const char *name, char *text, size_t size)
{
    lua_getfield(L, table, name);
    snprintf(text, size, "%s", luaL_optstring(L, -1, ""));
    lua_pop(L, 1);
}

/* {interface=, from=, port=, window=, mss=, linger=, no_delay=, sack=, scale=, timestamps=} */
static void read_settings(lua_State *L, int table, struct dialogue_settings *s, char interface[16])
{
    char from[ADDRESS_TEXT];
    const struct script *script = script_of(L);
    *s = (struct dialogue_settings){ .endpoint = endpoint_defaults() };
    s->endpoint.mss = 0;
    snprintf(interface, 16, "%s", script->settings.interface ? script->settings.interface : "");
    if (lua_istable(L, table)) {
        struct endpoint_settings *e = &s->endpoint;
        if (lua_getfield(L, table, "interface") != LUA_TNIL)
            snprintf(interface, 16, "%s", luaL_checkstring(L, -1));
        lua_pop(L, 1);
        read_text(L, table, "from", from, sizeof from);
        if (*from && !parse_ip(from, &s->ends.local))
            luaL_error(L, "from: '%s' is not an address", from);
        s->ends.local_port = (uint16_t)option_number(L, table, "port", 1, 65535, 0);
        e->receive_buffer = option_number(L, table, "window", 1, 1 << 30, e->receive_buffer);
        e->mss = (uint16_t)option_number(L, table, "mss", 88, 65495, 0);
        if (lua_getfield(L, table, "linger") != LUA_TNIL)
            e->linger = (int64_t)(luaL_checknumber(L, -1) * SECOND);
        lua_pop(L, 1);
        e->no_delay = option_flag(L, table, "no_delay", e->no_delay);
        e->sack = option_flag(L, table, "sack", e->sack);
        e->scale = option_flag(L, table, "scale", e->scale);
        e->timestamps = option_flag(L, table, "timestamps", e->timestamps);
    }
    s->interface = *interface ? interface : NULL;
}

static bool take_address(const struct sockaddr *a, struct ip_address *address)
{
    if (a->sa_family == AF_INET) {
        address->size = 4;
        memcpy(address->bytes, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    } else if (a->sa_family == AF_INET6) {
        address->size = 16;
        memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
    } else {
        return false;
    }
    return true;
}

/* The first address that a name has, of the family of `like` if that has one. */
static void resolve(lua_State *L, const char *host, const struct ip_address *like, struct ip_address *address)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
    hints.ai_family = like->size == 4 ? AF_INET : like->size == 16 ? AF_INET6 : AF_UNSPEC;
    int why = getaddrinfo(host, NULL, &hints, &all);
    if (why)
        luaL_error(L, "%s: %s", host, why == EAI_SYSTEM ? strerror(errno) : gai_strerror(why));
    bool found = false;
    for (const struct addrinfo *a = all; a && !found; a = a->ai_next)
        found = take_address(a->ai_addr, address);
    freeaddrinfo(all);
    if (!found)
        luaL_error(L, "%s: no address", host);
}

/* "host:port", "[fd00::1]:80", ":80" or 80; host "" if there is none. */
static uint16_t split_place(lua_State *L, int index, char *host, size_t size)
{
    *host = 0;
    lua_Integer port;
    if (lua_type(L, index) == LUA_TNUMBER) {
        port = luaL_checkinteger(L, index);
    } else {
        const char *text = luaL_checkstring(L, index), *colon = strrchr(text, ':');
        char *end = NULL;
        size_t n = colon ? (size_t)(colon - text) : 0;
        luaL_argcheck(L, colon && n < size, index, "not HOST:PORT");
        port = strtol(colon + 1, &end, 10);
        luaL_argcheck(L, colon[1] && !*end, index, "not HOST:PORT");
        if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
            text++;
            n -= 2;
        }
        memcpy(host, text, n);
        host[n] = 0;
    }
    luaL_argcheck(L, port > 0 && port < 65536, index, "not a port from 1 to 65535");
    return (uint16_t)port;
}

/* ---- waiting */

/* What is waited for in a conversation. */
struct stage {
    struct script_wait wait;
    struct stream *stream;
    enum tcp_state state; /* that is to be reached */
    const char *text;     /* that is to be sent, of the Lua string at index 2 */
    size_t length;
    enum { WANT_ALL, WANT_LINE, WANT_SOME, WANT_BYTES } want; /* to the end, a line, what is there, so many */
    size_t wanted;                                            /* of WANT_BYTES */
    char *got;                                                /* owned */
    size_t got_length, got_room;
    bool at_end;
};

static int collect_stage(lua_State *L)
{
    struct stage *g = luaL_checkudata(L, 1, "peel stage");
    free(g->got);
    g->got = NULL;
    return 0;
}

/* The conversation is at stack index 1 as long as this waits. */
static struct stage *new_stage(lua_State *L, struct stream *s, bool (*ready)(struct script *, struct script_wait *),
                               int (*finish)(lua_State *, struct script_wait *), int64_t deadline)
{
    struct stage *g = lua_newuserdatauv(L, sizeof *g, 0);
    *g = (struct stage){ .wait = { ready, finish, deadline, false, 0 }, .stream = s };
    luaL_setmetatable(L, "peel stage");
    return g;
}

static bool is_over(const struct stream *s)
{
    return s->failed || endpoint_end(endpoint_of(s)) != ENDPOINT_OPEN;
}

/* Ends with a Lua error that says why the conversation ended. */
static int fail_stream(lua_State *L, struct stream *s)
{
    struct error error = s->error;
    if (!s->failed && !dialogue_verdict(s->conversation, &error))
        error_set(&error, ERROR_SYSTEM, "%s", _("the conversation is over"));
    let_go(s);
    return script_fail(L, &error);
}

static bool is_connected(struct script *script, struct script_wait *w)
{
    struct stream *s = ((struct stage *)w)->stream;
    (void)script;
    return is_over(s) || endpoint_state(endpoint_of(s)) >= TCP_ESTABLISHED;
}

static int finish_connect(lua_State *L, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    if (is_over(g->stream))
        return fail_stream(L, g->stream);
    if (w->late && !is_connected(NULL, w)) {
        stream_abort(g->stream);
        let_go(g->stream);
        return luaL_error(L, _("not connected in time"));
    }
    lua_pushvalue(L, 1);
    return 1;
}

/* connect("host:port", {timeout=...}): the conversation, once it is ESTABLISHED; an error if it will not be. */
static int connect_to(lua_State *L)
{
    struct dialogue_settings settings;
    char interface[16], host[256];
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    uint16_t port = split_place(L, 1, host, sizeof host);
    luaL_argcheck(L, *host, 1, "no host");
    read_settings(L, 2, &settings, interface);
    settings.ends.remote_port = port;
    resolve(L, host, &settings.ends.local, &settings.ends.remote);
    struct stream *s = new_stream(L);
    lua_replace(L, 1);
    open_stream(L, s, &settings);
    struct stage *g = new_stage(L, s, is_connected, finish_connect, script_deadline(L, 2, "timeout", -1));
    return script_wait(L, &g->wait);
}

/* listen("host:port" or port, options) */
static int listen_at(lua_State *L)
{
    char host[256];
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct listener *l = lua_newuserdatauv(L, sizeof *l, 1);
    *l = (struct listener){ 0 };
    luaL_setmetatable(L, LISTENER);
    uint16_t port = split_place(L, 1, host, sizeof host);
    read_settings(L, 2, &l->settings, l->interface);
    l->settings.ends.local_port = port;
    if (*host)
        resolve(L, host, &l->settings.ends.local, &l->settings.ends.local);
    struct stream *s = l->stream = new_stream(L);
    open_stream(L, s, &l->settings);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* l:accept{timeout=...}: the conversation of the next one who calls; one at a time. */
static int accept_call(lua_State *L)
{
    struct listener *l = luaL_checkudata(L, 1, LISTENER);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (l->stream) {
        lua_getiuservalue(L, 1, 1);
    } else {
        struct stream *s = new_stream(L);
        open_stream(L, s, &l->settings);
    }
    struct stream *s = lua_touserdata(L, -1);
    l->stream = NULL;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    lua_replace(L, 1);
    struct stage *g = new_stage(L, s, is_connected, finish_connect, script_deadline(L, 2, "timeout", -1));
    return script_wait(L, &g->wait);
}

static int close_listener(lua_State *L)
{
    struct listener *l = luaL_checkudata(L, 1, LISTENER);
    if (l->stream && l->stream->conversation)
        let_go(l->stream);
    l->stream = NULL;
    return 0;
}

/* ---- sending and receiving */

static bool has_sent(struct script *script, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    struct endpoint *e = endpoint_of(g->stream);
    (void)script;
    if (is_over(g->stream))
        return true;
    size_t n = endpoint_put(e, g->text, g->length, dialogue_now());
    g->text += n;
    g->length -= n;
    if (n)
        dialogue_flush(g->stream->conversation);
    return !g->length;
}

static int finish_send(lua_State *L, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    if (g->length && is_over(g->stream))
        return fail_stream(L, g->stream);
    if (g->length)
        return luaL_error(L, "%I bytes were not taken in time", (lua_Integer)g->length);
    lua_pushvalue(L, 1);
    return 1;
}

/* c:send(text, {timeout=...}): once the endpoint has taken it all */
static int stream_send(lua_State *L)
{
    struct stream *s = check_stream(L);
    size_t n;
    struct script_packet *p = script_to_packet(L, 2);
    const char *text = p ? NULL : luaL_checklstring(L, 2, &n);
    lua_settop(L, 3);
    if (p) {
        struct span bytes = script_bytes(L, p);
        text = (const char *)bytes.at;
        n = bytes.left;
    }
    struct stage *g = new_stage(L, s, has_sent, finish_send, script_deadline(L, 3, "timeout", -1));
    g->text = text;
    g->length = n;
    return script_wait(L, &g->wait);
}

static bool take_bytes(struct stage *g, const uint8_t *bytes, size_t n)
{
    if (g->got_length + n > g->got_room) {
        size_t room = (g->got_length + n) * 2 + 256;
        char *got = realloc(g->got, room);
        if (!got)
            return false;
        g->got = got;
        g->got_room = room;
    }
    memcpy(g->got + g->got_length, bytes, n);
    g->got_length += n;
    return true;
}

/* How many of the readable bytes are wanted; *enough: that is then all. */
static size_t bytes_wanted(const struct stage *g, struct span readable, bool *enough)
{
    const uint8_t *end;
    size_t n = readable.left;
    *enough = g->want == WANT_SOME;
    if (g->want == WANT_LINE) {
        end = memchr(readable.at, '\n', n);
        n = end ? (size_t)(end - readable.at) + 1 : n;
        *enough = end || g->got_length + n > LINE_MOST;
    } else if (g->want == WANT_BYTES) {
        size_t left = g->wanted - g->got_length;
        *enough = n >= left;
        n = n < left ? n : left;
    }
    return n;
}

static bool has_received(struct script *script, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    struct endpoint *e = endpoint_of(g->stream);
    (void)script;
    for (struct span readable; (readable = endpoint_readable(e)).left;) {
        bool enough;
        size_t n = bytes_wanted(g, readable, &enough);
        if (!take_bytes(g, readable.at, n))
            return true;
        endpoint_consume(e, n, dialogue_now());
        dialogue_flush(g->stream->conversation);
        if (enough)
            return true;
    }
    return g->at_end = endpoint_at_end(e) || is_over(g->stream);
}

static int finish_receive(lua_State *L, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    if (g->stream->failed)
        return fail_stream(L, g->stream);
    size_t n = g->got_length;
    if (g->want == WANT_LINE && n && g->got[n - 1] == '\n') /* a line comes without its end */
        n -= n > 1 && g->got[n - 2] == '\r' ? 2 : 1;
    if (!g->got_length && g->want != WANT_ALL) {
        lua_pushnil(L);
        lua_pushstring(L, w->late ? "timeout" : "end");
        return 2;
    }
    lua_pushlstring(L, g->got ? g->got : "", n);
    return 1;
}

/* c:receive("*a" | "*l" | n | nothing, {timeout=...}): all until the end, a line, n bytes, what is there; nil and "end"
 * or "timeout" if there is nothing. */
static int stream_receive(lua_State *L)
{
    struct stream *s = check_stream(L);
    unsigned want = WANT_SOME;
    lua_Integer wanted = 0;
    lua_settop(L, 3);
    if (lua_type(L, 2) == LUA_TNUMBER) {
        want = WANT_BYTES;
        wanted = luaL_checkinteger(L, 2);
        luaL_argcheck(L, wanted > 0 && wanted < INT32_MAX, 2, "no number of bytes");
    } else if (!lua_isnil(L, 2) && !lua_istable(L, 2)) {
        const char *what = luaL_checkstring(L, 2);
        what += *what == '*';
        luaL_argcheck(L, *what == 'a' || *what == 'l', 2, "not \"*a\", \"*l\" or a number of bytes");
        want = *what == 'a' ? WANT_ALL : WANT_LINE;
    }
    int options = lua_istable(L, 2) ? 2 : 3;
    struct stage *g = new_stage(L, s, has_received, finish_receive, script_deadline(L, options, "timeout", -1));
    g->want = want;
    g->wanted = (size_t)wanted;
    return script_wait(L, &g->wait);
}

/* ---- ending */

/* c:shutdown(): nothing more will be sent */
static int stream_shutdown(lua_State *L)
{
    struct stream *s = check_stream(L);
    endpoint_shutdown(endpoint_of(s), dialogue_now());
    dialogue_flush(s->conversation);
    return 0;
}

static bool has_closed(struct script *script, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    struct endpoint *e = endpoint_of(g->stream);
    (void)script;
    for (struct span rest; (rest = endpoint_readable(e)).left;)
        endpoint_consume(e, rest.left, dialogue_now());
    dialogue_flush(g->stream->conversation);
    return is_over(g->stream);
}

static int finish_close(lua_State *L, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    struct error error;
    if (g->stream->failed || !is_over(g->stream) || dialogue_verdict(g->stream->conversation, &error)) {
        if (!is_over(g->stream)) {
            stream_abort(g->stream);
            let_go(g->stream);
            return luaL_error(L, _("not closed in time"));
        }
        return fail_stream(L, g->stream);
    }
    let_go(g->stream);
    return 0;
}

/* c:close{timeout=...}: a FIN, and whatever follows until CLOSED; TIME_WAIT is kept. An error if it does not end in
 * order. */
static int stream_close(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM);
    if (!s->conversation)
        return 0;
    lua_settop(L, 2);
    endpoint_shutdown(endpoint_of(s), dialogue_now());
    dialogue_flush(s->conversation);
    struct stage *g = new_stage(L, s, has_closed, finish_close, script_deadline(L, 2, "timeout", -1));
    return script_wait(L, &g->wait);
}

/* c:abort(): a reset */
static int stream_reset(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM);
    if (s->conversation) {
        stream_abort(s);
        let_go(s);
    }
    return 0;
}

static int stream_collect(lua_State *L)
{
    return stream_reset(L);
}

static bool has_reached(struct script *script, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    (void)script;
    return endpoint_state(endpoint_of(g->stream)) >= g->state || is_over(g->stream); /* later ones lead no more to it */
}

static int finish_wait(lua_State *L, struct script_wait *w)
{
    struct stage *g = (struct stage *)w;
    lua_pushboolean(L, endpoint_state(endpoint_of(g->stream)) == g->state);
    return 1;
}

/* c:wait("TIME_WAIT", {timeout=...}): whether that state was reached, and not passed by on another way */
static int stream_wait(lua_State *L)
{
    struct stream *s = check_stream(L);
    const char *name = luaL_checkstring(L, 2);
    int state = TCP_CLOSED;
    while (state < TCP_STATES && strcmp(tcp_state_name((enum tcp_state)state), name) != 0)
        state++;
    luaL_argcheck(L, state < TCP_STATES, 2, "no state of TCP");
    lua_settop(L, 3);
    struct stage *g = new_stage(L, s, has_reached, finish_wait, script_deadline(L, 3, "timeout", -1));
    g->state = (enum tcp_state)state;
    return script_wait(L, &g->wait);
}

/* ---- looking */

/* c:state(): RFC 9293's name of it */
static int stream_state(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM);
    lua_pushstring(L, tcp_state_name(s->conversation ? endpoint_state(endpoint_of(s)) : TCP_CLOSED));
    return 1;
}

static void set_address(lua_State *L, const char *name, const struct ip_address *address)
{
    char text[ADDRESS_TEXT];
    lua_pushlstring(L, text, (size_t)(write_ip(text, address) - text));
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, uint64_t n)
{
    lua_pushinteger(L, (lua_Integer)n);
    lua_setfield(L, -2, name);
}

/* c:info(): addresses, ports and counts */
static int stream_info(lua_State *L)
{
    struct stream *s = check_stream(L);
    const struct segment_ends *ends = dialogue_ends(s->conversation);
    const struct endpoint_counts *n = endpoint_counts(endpoint_of(s));
    lua_newtable(L);
    set_address(L, "local_address", &ends->local);
    set_address(L, "remote_address", &ends->remote);
    set_number(L, "local_port", ends->local_port);
    set_number(L, "remote_port", ends->remote_port);
    set_number(L, "segments_sent", n->sent);
    set_number(L, "segments_received", n->received);
    set_number(L, "bytes_sent", n->bytes_sent);
    set_number(L, "bytes_received", n->bytes_received);
    set_number(L, "sent_again", n->again);
    set_number(L, "unacknowledged", endpoint_unacknowledged(endpoint_of(s)));
    lua_pushnumber(L, (lua_Number)endpoint_rtt(endpoint_of(s)) / SECOND);
    lua_setfield(L, -2, "round_trip");
    return 1;
}

static const luaL_Reg stream_methods[] = {
    { "send", stream_send },   { "receive", stream_receive }, { "shutdown", stream_shutdown },
    { "close", stream_close }, { "abort", stream_reset },     { "wait", stream_wait },
    { "state", stream_state }, { "info", stream_info },       { NULL, NULL },
};
static const luaL_Reg listener_methods[] = {
    { "accept", accept_call },
    { "close", close_listener },
    { NULL, NULL },
};
static const luaL_Reg functions[] = {
    { "connect", connect_to },
    { "listen", listen_at },
    { NULL, NULL },
};

static void add_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    if (methods)
        luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void script_streams_open(lua_State *L)
{
    add_type(L, STREAM, stream_methods, stream_collect);
    add_type(L, LISTENER, listener_methods, close_listener);
    add_type(L, "peel stage", NULL, collect_stage);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
