#include "commands/serve.h"
#include "base/text.h"
#include "commands/exchange.h"
#include "host/stop.h"
#include "inject/switchboard.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Beside each conversation. */
struct talk {
    struct serve *serve;
    struct dialogue *dialogue;
    uint64_t text_sent;
    bool shut;
};

struct serve {
    struct exchange *x;
    struct switchboard *board;
    bool input_over;
    unsigned open; /* conversations that may be written to */
    size_t room;   /* what each of them takes, at least */
};

static const int64_t second = 1000000000;

/* --- telling --- */

static void tell_who(const struct talk *t)
{
    const struct segment_ends *ends = dialogue_ends(t->dialogue);
    char address[ADDRESS_TEXT];
    *write_ip(address, &ends->remote) = 0;
    exchange_tell_time(t->serve->x);
    fprintf(stderr, ends->remote.size == 4 ? "%s:%u  " : "[%s]:%u  ", address, ends->remote_port);
}

static void on_change(void *context, enum tcp_state from, enum tcp_state to)
{
    const struct talk *t = context;
    if (to == TCP_ESTABLISHED)
        t->serve->x->established = true;
    if (!t->serve->x->verbose || to == TCP_LISTEN)
        return;
    tell_who(t);
    fprintf(stderr, "%s -> %s\n", tcp_state_name(from), tcp_state_name(to));
}

static void on_notice(void *context, enum endpoint_notice notice)
{
    const struct talk *t = context;
    const char *text = exchange_notice(notice);
    if (!t->serve->x->verbose || !text)
        return;
    tell_who(t);
    fprintf(stderr, "%s\n", text);
}

static void on_call(void *context, struct dialogue *dialogue, void *talk)
{
    *(struct talk *)talk = (struct talk){ .serve = context, .dialogue = dialogue };
}

/* --- one conversation --- */

static bool may_write(const struct dialogue *c)
{
    enum tcp_state state = endpoint_state(dialogue_endpoint((struct dialogue *)(uintptr_t)c));
    return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

static void move_on(struct serve *s, struct talk *t)
{
    struct endpoint *e = dialogue_endpoint(t->dialogue);
    const struct exchange *x = s->x;
    if (t->shut || endpoint_state(e) < TCP_ESTABLISHED)
        return;
    if (x->text && t->text_sent < x->text_length)
        t->text_sent += endpoint_put(e, x->text + t->text_sent, x->text_length - t->text_sent, dialogue_now());
    if (x->text ? t->text_sent == x->text_length : s->input_over) {
        t->shut = true;
        endpoint_shutdown(e, dialogue_now());
    }
    if (!t->shut && may_write(t->dialogue)) {
        size_t room = endpoint_room(e);
        s->room = s->open++ && s->room < room ? s->room : room;
    }
}

/* How it ended, if not in order: one conversation's trouble is not the others'. */
static void part(struct serve *s, struct talk *t)
{
    struct error error;
    int code = dialogue_verdict(t->dialogue, &error);
    if (code)
        report(code, &error);
    if (s->x->verbose) {
        tell_who(t);
        fputc('\n', stderr);
        exchange_tell_counts(s->x, t->dialogue);
    }
    switchboard_drop(s->board, t->dialogue);
}

/* --- all of them --- */

static int go_round(struct serve *s, struct error *error)
{
    struct dialogue *next;
    int code = 0;
    s->open = 0;
    s->room = EXCHANGE_PIECE;
    s->x->blocked = false;
    for (struct dialogue *c = switchboard_first(s->board); c && !code; c = next) {
        struct endpoint *e = dialogue_endpoint(c);
        struct talk *t = switchboard_talk(c);
        next = switchboard_next(c);
        move_on(s, t);
        if (!s->x->blocked && endpoint_readable(e).left)
            code = exchange_drain(s->x, e, error);
        if (!code && endpoint_end(e) && !endpoint_readable(e).left)
            part(s, t);
    }
    switchboard_flush(s->board);
    return code;
}

/* What standard input says goes to all who are there. */
static int feed(struct serve *s, struct error *error)
{
    struct exchange *x = s->x;
    ssize_t n = read(STDIN_FILENO, x->room, s->room < EXCHANGE_PIECE ? s->room : EXCHANGE_PIECE);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0)
        return error_set(error, ERROR_SYSTEM, _("standard input: %s"), strerror(errno));
    s->input_over = !n;
    for (struct dialogue *c = switchboard_first(s->board); c; c = switchboard_next(c)) {
        const struct talk *t = switchboard_talk(c);
        if (!t->shut && may_write(c))
            endpoint_put(dialogue_endpoint(c), x->room, (size_t)n, dialogue_now());
    }
    return 0;
}

static bool too_late(const struct serve *s)
{
    const struct exchange *x = s->x;
    return x->timeout && !x->established && dialogue_now() >= x->begun + (int64_t)x->timeout * second;
}

/* Waits for something to do. Whether standard input is readable. */
static bool wait_for(const struct serve *s, const sigset_t *waiting)
{
    const struct exchange *x = s->x;
    bool hears = !x->text && !s->input_over && s->open && s->room;
    struct pollfd fds[3] = {
        { .fd = switchboard_fd(s->board), .events = POLLIN },
        { .fd = hears ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = x->blocked ? x->out : -1, .events = POLLOUT },
    };
    int64_t when = switchboard_deadline(s->board);
    int64_t give_up = x->timeout && !x->established ? x->begun + (int64_t)x->timeout * second : INT64_MAX;
    when = when < give_up ? when : give_up;
    int64_t left = when - dialogue_now();
    struct timespec time = { .tv_sec = left > 0 ? left / second : 0, .tv_nsec = left > 0 ? left % second : 0 };
    int n = stop_poll(fds, 3, when == INT64_MAX ? NULL : &time, waiting);
    return n > 0 && fds[1].revents && !exchange_interrupted();
}

static int serve_all(struct serve *s, const sigset_t *waiting, struct error *error)
{
    int code = 0;
    while (!code && !exchange_interrupted()) {
        code = go_round(s, error);
        if (code || exchange_interrupted())
            break;
        if (too_late(s))
            return error_set(error, ERROR_SYSTEM, _("nobody called within %llu s"), s->x->timeout);
        if (wait_for(s, waiting))
            code = feed(s, error);
        if (!code)
            code = switchboard_step(s->board, error);
    }
    return code;
}

int serve(struct exchange *x, unsigned most, struct error *error)
{
    struct serve s = { .x = x };
    struct switchboard_settings settings = {
        .dialogue = x->settings,
        .observer = { .changed = on_change, .noticed = on_notice },
        .most = most,
        .talk_size = sizeof(struct talk),
        .called = on_call,
        .context = &s,
    };
    sigset_t before;
    x->begun = dialogue_now();
    if (!x->room && !(x->room = malloc(EXCHANGE_PIECE)))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    int code = switchboard_open(&s.board, &settings, error);
    if (code)
        return code;
    exchange_open_output(x);
    exchange_catch_signals(&before);
    code = serve_all(&s, &before, error);
    for (struct dialogue *c = switchboard_first(s.board); c; c = switchboard_next(c))
        if (endpoint_state(dialogue_endpoint(c)) != TCP_TIME_WAIT)
            endpoint_abort(dialogue_endpoint(c), dialogue_now());
    switchboard_close(s.board);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}
