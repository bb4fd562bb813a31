/* What waits, and what runs meanwhile. A script's own function waits by going round here until its time has come; what
 * it spawned are coroutines, which are resumed when theirs has. */
#include "base/clock.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "inject/script_parts.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

enum { SECOND = 1000000000, MILLISECOND = 1000000 };

int64_t script_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t script_deadline(lua_State *L, int table, const char *name, double otherwise)
{
    double seconds = otherwise;
    if (lua_istable(L, table)) {
        lua_getfield(L, table, name);
        seconds = luaL_optnumber(L, -1, otherwise);
        lua_pop(L, 1);
    }
    return seconds >= 0 && seconds < 1e9 ? script_now() + (int64_t)(seconds * SECOND) : INT64_MAX;
}

void script_tell(struct script *s, struct span bytes, uint16_t link_type, int64_t time, bool sent)
{
    if (s->settings.packet)
        s->settings.packet(s->settings.context, bytes, link_type, time, sent);
}

const struct arrived *script_arrived(const struct script *s, uint64_t number)
{
    bool kept = number < s->arrived_count && s->arrived_count - number <= ARRIVED_MAX;
    return kept ? &s->arrived[number % ARRIVED_MAX] : NULL;
}

void script_push_arrived(lua_State *L, const struct arrived *a)
{
    script_push_bytes(L, (struct span){ a->bytes, a->length }, a->wire_length, a->link_type, a->time);
}

void script_dissect(const struct arrived *a, struct packet *view)
{
    packet_reset(view, (struct span){ a->bytes, a->length });
    view->time = a->time;
    view->timed = true;
    view->link_type = a->link_type;
    view->wire_length = a->wire_length;
    dissect(view);
}

static void keep(struct script *s, const struct wire_packet *p, uint16_t link_type)
{
    uint8_t *bytes = malloc(p->bytes.left + 1);
    if (!bytes)
        return;
    memcpy(bytes, p->bytes.at, p->bytes.left);
    struct arrived *a = &s->arrived[s->arrived_count++ % ARRIVED_MAX];
    free(a->bytes);
    *a = (struct arrived){ bytes, p->bytes.left, p->length, link_type, p->time };
    script_tell(s, p->bytes, link_type, p->time, false);
}

static void receive(lua_State *L, struct script *s)
{
    struct wire_packet got[WIRE_RECEIVED];
    struct error error;
    for (unsigned i = 0; s->sender && i < sender_lane_count(s->sender); i++) {
        struct wire *wire = sender_lane(s->sender, i)->wire;
        int n = wire_receive(wire, got, &error);
        if (n < 0)
            script_fail(L, &error);
        for (int k = 0; k < n; k++)
            keep(s, &got[k], wire_info(wire)->link_type);
    }
}

static bool is_over(struct script *s, struct script_wait *w)
{
    if (w->ready(s, w))
        return true;
    return w->late = w->late || script_now() >= w->deadline;
}

/* Removes what has ended. */
static void sweep(lua_State *L, struct script *s)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < s->task_count; i++) {
        if (s->tasks[i].done)
            luaL_unref(L, LUA_REGISTRYINDEX, s->tasks[i].reference);
        else
            s->tasks[kept++] = s->tasks[i];
    }
    s->task_count = kept;
}

/* Goes on with a task; a failure of it is one of whoever waits. */
static void resume(lua_State *L, struct script *s, unsigned index, int arguments)
{
    lua_State *T = s->tasks[index].L;
    int results;
    s->tasks[index].running = true;
    s->tasks[index].wait = NULL;
    int status = lua_resume(T, L, arguments, &results);
    struct task *t = s->tasks; /* others may have been added meanwhile, but none is removed while one runs */
    while (t->L != T)
        t++;
    t->running = false;
    if (status == LUA_YIELD) {
        if (t->wait)
            return;
        t->done = true;
        luaL_error(L, "a spawned function yielded to nobody");
    }
    t->done = true;
    if (status != LUA_OK) {
        lua_xmove(T, L, 1);
        lua_error(L);
    }
}

/* Resumes each task whose time has come; whether there was one. */
static bool run_tasks(lua_State *L, struct script *s)
{
    bool ran = false;
    for (unsigned i = 0; i < s->task_count; i++) {
        struct task *t = &s->tasks[i];
        if (t->running || t->done || !t->wait || !is_over(s, t->wait))
            continue;
        ran = true;
        resume(L, s, i, 0);
    }
    bool running = false;
    for (unsigned i = 0; i < s->task_count; i++)
        running |= s->tasks[i].running;
    if (!running)
        sweep(L, s);
    return ran;
}

static void sooner(int64_t *when, int64_t other)
{
    if (other < *when)
        *when = other;
}

/* Waits until something comes in, or the time has come for something. */
static void sleep_until(lua_State *L, struct script *s, int64_t when)
{
    struct pollfd fds[SENDER_LANES + STREAMS_MAX];
    nfds_t count = 0;
    for (unsigned i = 0; s->sender && i < sender_lane_count(s->sender); i++)
        fds[count++] = (struct pollfd){ .fd = wire_fd(sender_lane(s->sender, i)->wire), .events = POLLIN };
    for (unsigned i = 0; i < s->stream_count; i++) {
        fds[count++] = (struct pollfd){ .fd = stream_fd(s->streams[i]), .events = POLLIN };
        sooner(&when, stream_deadline(s->streams[i]));
    }
    for (unsigned i = 0; i < s->task_count; i++)
        if (s->tasks[i].wait)
            sooner(&when, s->tasks[i].wait->deadline);
    int64_t left = when - script_now();
    if (left <= 0)
        left = 0;
    struct timespec time = { left / SECOND, left % SECOND };
    if (ppoll(fds, count, when == INT64_MAX ? NULL : &time, NULL) < 0 && errno != EINTR)
        luaL_error(L, "poll: %s", strerror(errno));
}

/* One turn of whoever waits. */
static void turn(lua_State *L, struct script *s, int64_t deadline)
{
    struct error error;
    if (s->settings.interrupted && *s->settings.interrupted)
        luaL_error(L, _("interrupted"));
    if (run_tasks(L, s))
        return;
    if (s->sender && sender_flush(s->sender, &error))
        script_fail(L, &error);
    sleep_until(L, s, deadline);
    receive(L, s);
    for (unsigned i = 0; i < s->stream_count; i++)
        stream_step(s->streams[i]);
}

static int go_on(lua_State *L, int status, lua_KContext context)
{
    struct script_wait *w = (struct script_wait *)context;
    (void)status;
    return w->finish(L, w);
}

static struct task *task_of(struct script *s, lua_State *L)
{
    for (unsigned i = 0; i < s->task_count; i++)
        if (s->tasks[i].L == L)
            return &s->tasks[i];
    return NULL;
}

int script_wait(lua_State *L, struct script_wait *w)
{
    struct script *s = script_of(L);
    struct task *t = task_of(s, L);
    if (is_over(s, w))
        return w->finish(L, w);
    if (t && lua_isyieldable(L)) {
        t->wait = w;
        return lua_yieldk(L, 0, (lua_KContext)w, go_on);
    }
    while (!is_over(s, w))
        turn(L, s, w->deadline);
    return w->finish(L, w);
}

void script_finish_tasks(lua_State *L)
{
    struct script *s = script_of(L);
    while (s->task_count)
        turn(L, s, INT64_MAX);
    struct error error;
    if (s->sender && sender_flush(s->sender, &error))
        script_fail(L, &error);
}

static bool never(struct script *s, struct script_wait *w)
{
    (void)s, (void)w;
    return false;
}

static int nothing(lua_State *L, struct script_wait *w)
{
    (void)L, (void)w;
    return 0;
}

/* sleep(seconds) */
static int sleep_for(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "no number of seconds");
    struct script_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct script_wait){ never, nothing, script_now() + (int64_t)(seconds * SECOND), false, 0 };
    return script_wait(L, w);
}

/* now(): seconds since 1970, as packets' times */
static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)clock_ns(CLOCK_REALTIME) / SECOND);
    return 1;
}

/* spawn(f, ...): runs at once until it waits, and then beside whoever called. */
static int spawn(lua_State *L)
{
    struct script *s = script_of(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int arguments = lua_gettop(L) - 1;
    if (s->task_count == TASKS_MAX)
        return luaL_error(L, "more than %d functions at once", TASKS_MAX);
    lua_State *T = lua_newthread(L);
    lua_insert(L, 1);
    lua_xmove(L, T, arguments + 1);
    struct task *t = &s->tasks[s->task_count++];
    *t = (struct task){ .L = T };
    lua_pushvalue(L, 1);
    t->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    resume(L, s, s->task_count - 1, arguments);
    return 1;
}

struct joining {
    struct script_wait wait;
    lua_State *task;
};

static bool has_ended(struct script *s, struct script_wait *w)
{
    const struct task *t = task_of(s, ((struct joining *)w)->task);
    return !t || t->done;
}

/* join(task): waits until it has ended. */
static int join(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    struct joining *j = lua_newuserdatauv(L, sizeof *j, 0);
    *j = (struct joining){ { has_ended, nothing, INT64_MAX, false, 0 }, lua_tothread(L, 1) };
    return script_wait(L, &j->wait);
}

static const luaL_Reg functions[] = {
    { "sleep", sleep_for }, { "now", now }, { "spawn", spawn }, { "join", join }, { NULL, NULL },
};

void script_tasks_open(lua_State *L)
{
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
