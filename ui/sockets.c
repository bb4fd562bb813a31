/* The screen Sockets: the connections that the packets prove, as of now or as of any packet: both ends of each, or what
 * netstat on one host would print. */
#include "base/text.h"
#include "output/netstat.h"
#include "ui/sockets_parts.h"
#include <stdlib.h>

enum { SLIDER_STEPS = 50, PREPARE_FROM = 10000 /* packets: fewer are replayed at once */ };

static const int64_t second = 1000000000;

static int open_state(struct app *app, void **state, struct error *error)
{
    struct socket_screen *s = calloc(1, sizeof *s);
    *state = s;
    if (!s || buffer_open(&s->scratch, -1, 1024))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    s->cursor_flow = FLOW_NONE;
    s->order = BY_BYTES;
    s->widest = 15;
    s->wanted = true;
    return rates_open(&s->rates, app->store, error);
}

static void close_state(void *state)
{
    struct socket_screen *s = state;
    if (!s)
        return;
    draw_forget(&s->before);
    past_close(s->past);
    rates_close(s->rates);
    buffer_free(&s->scratch);
    free(s->shown.rows);
    free(s->made.rows);
    free(s->spare.rows);
    free(s->listeners);
    free(s);
}

/* --- what the table is as of --- */

struct tracker *socket_screen_tracker(struct app *app, struct socket_screen *s)
{
    return s->in_past ? past_tracker(s->past) : store_tracker(app->store);
}

struct sockets *socket_screen_sockets(struct app *app, struct socket_screen *s)
{
    return s->in_past ? past_sockets(s->past) : store_sockets(app->store);
}

uint64_t socket_screen_packet(struct app *app, const struct socket_screen *s)
{
    return s->in_past ? past_at(s->past) : store_tracked(app->store);
}

int64_t socket_screen_time(struct app *app, uint64_t number)
{
    const struct packet *p = number ? app_packet(app, number) : NULL;
    return p ? p->time : 0;
}

static void go_with_rates(struct app *app, struct socket_screen *s)
{
    uint64_t number = socket_screen_packet(app, s);
    static uint64_t last;
    static int64_t when;
    if (number == last || (monotonic() - when < second && store_state(app->store) == STORE_TRACKING))
        return;
    last = number;
    when = monotonic();
    rates_go(s->rates, number, socket_screen_time(app, number));
}

/* Of the slider, in packets. */
static uint64_t step_size(uint64_t all)
{
    return all / SLIDER_STEPS ? all / SLIDER_STEPS : 1;
}

/* The first step back would replay the capture from its first packet on: that is done before somebody asks, when there
 * is nothing else to do. A capture that grows does not wait for it. */
static bool prepare(struct app *app, struct socket_screen *s, int64_t deadline)
{
    uint64_t all = store_tracked(app->store);
    if (store_state(app->store) != STORE_READY || all < PREPARE_FROM || s->unprepared)
        return false;
    s->unprepared = (!s->past && past_open(&s->past, app->store, NULL)) ||
                    (!past_target(s->past) && past_go(s->past, all - step_size(all), NULL));
    return !s->unprepared && past_step(s->past, deadline);
}

static bool step(struct app *app, void *state, int64_t deadline)
{
    struct socket_screen *s = state;
    bool more = false;
    if (app->screen != SCREEN_SOCKETS && !s->in_past)
        return false;
    if (s->in_past && past_step(s->past, deadline))
        return true;
    if (app->screen != SCREEN_SOCKETS)
        return false;
    go_with_rates(app, s);
    more |= rates_step(s->rates, deadline);
    do
        more |= socket_screen_make(app, s);
    while (s->phase && monotonic() < deadline);
    return more || s->phase || prepare(app, s, deadline);
}

/* --- what keys do --- */

static uint32_t cursor_flow(const struct socket_screen *s)
{
    uint32_t row = s->cursor - s->listener_count;
    return s->cursor >= s->listener_count && row < s->shown.count ? s->shown.rows[row].flow : FLOW_NONE;
}

static void go(struct socket_screen *s, int64_t to)
{
    int64_t count = socket_screen_rows(s);
    if (s->before) /* the rows are still to come */
        return;
    to = to >= count ? count - 1 : to;
    s->cursor = to < 0 ? 0 : (uint32_t)to;
    s->cursor_flow = cursor_flow(s);
}

/* Rows are places in the tables of one moment: those of another moment have to be found anew. What stands there stays
 * until then. */
static void keep_table(struct socket_screen *s)
{
    if (!s->before)
        draw_keep(&s->before, s->body);
    s->shown.count = s->listener_count = 0;
    s->phase = 0;
}

static void travel(struct app *app, struct socket_screen *s, uint64_t number)
{
    struct error error;
    uint64_t all = store_tracked(app->store);
    s->wanted = true;
    if (number >= all) {
        s->in_past = false;
        keep_table(s);
        return;
    }
    int code = s->past ? 0 : past_open(&s->past, app->store, &error);
    if (!code)
        code = past_go(s->past, number ? number : 1, &error);
    s->in_past = !code;
    keep_table(s);
    if (code)
        app_say(app, PAINT_BAD, "%s", error.text);
}

static void travel_by(struct app *app, struct socket_screen *s, int steps)
{
    uint64_t all = store_tracked(app->store), at = s->in_past ? past_target(s->past) : all;
    uint64_t size = step_size(all);
    if (steps < 0)
        travel(app, s, at > size ? at - size : 1);
    else
        travel(app, s, at + size);
}

static void toggle_host(struct app *app, struct socket_screen *s)
{
    const struct flow_table *flows = &socket_screen_tracker(app, s)->flows;
    uint32_t index = cursor_flow(s);
    s->wanted = true;
    if (s->host_view && index != FLOW_NONE) { /* the other end, then both again */
        const struct flow *f = flow_at(flows, index);
        uint8_t room[4];
        unsigned server = !flow_client(f);
        const uint8_t *address = flow_address(flows, f, server, room);
        s->host_view = memcmp(address, s->host, s->host_size) != 0;
        memcpy(s->host, address, s->host_size);
        return;
    }
    s->host_view = !s->host_view && index != FLOW_NONE;
    if (!s->host_view)
        return;
    const struct flow *f = flow_at(flows, index);
    uint8_t room[4];
    s->host_size = f->flags & FLOW_IPV6 ? 16 : 4;
    memcpy(s->host, flow_address(flows, f, flow_client(f), room), s->host_size);
}

static void open_conversation(struct app *app, struct socket_screen *s, unsigned screen)
{
    uint32_t index = cursor_flow(s);
    if (index == FLOW_NONE)
        return;
    const struct flow *f = flow_at(&socket_screen_tracker(app, s)->flows, index);
    app_converse(app, f->protocol, f->stream);
    if (screen == SCREEN_PACKETS)
        app_follow(app, f->protocol, f->stream);
    app_show(app, app->screens[screen] ? screen : SCREEN_PACKETS);
}

static void copy(struct app *app, struct socket_screen *s)
{
    uint32_t index = cursor_flow(s);
    struct buffer *out = &s->scratch;
    if (index == FLOW_NONE)
        return;
    out->at = out->start;
    struct connection_view view = { &socket_screen_tracker(app, s)->flows, index,
                                    socket_screen_time(app, socket_screen_packet(app, s)) };
    netstat_connection(out, &view, false);
    app_copy(app, out->start, buffer_used(out) - 1, _("line"));
}

static bool act(struct app *app, void *state, enum action action)
{
    struct socket_screen *s = state;
    int page = s->body.height > 1 ? s->body.height - 1 : 1;
    switch (action) {
    case ACT_UP:
        go(s, (int64_t)s->cursor - 1);
        return true;
    case ACT_DOWN:
        go(s, (int64_t)s->cursor + 1);
        return true;
    case ACT_PAGE_UP:
        go(s, (int64_t)s->cursor - page);
        return true;
    case ACT_PAGE_DOWN:
        go(s, (int64_t)s->cursor + page);
        return true;
    case ACT_TOP:
        go(s, 0);
        return true;
    case ACT_BOTTOM:
        go(s, INT64_MAX / 2);
        return true;
    case ACT_EARLIER:
    case ACT_LATER:
        travel_by(app, s, action == ACT_EARLIER ? -1 : 1);
        return true;
    case ACT_AS_OF:
        travel(app, s, s->in_past ? UINT64_MAX : app->selected);
        return true;
    case ACT_SORT:
        s->order = (s->order + 1) % ORDERS;
        s->wanted = true;
        return true;
    case ACT_SORT_REVERSE:
        s->reverse = !s->reverse;
        s->wanted = true;
        return true;
    case ACT_STATE:
        s->show = (s->show + 1) % SHOWS;
        s->show += s->show == SHOW_STATE + TCP_UNKNOWN;
        s->wanted = true;
        return true;
    case ACT_HOST:
        toggle_host(app, s);
        return true;
    case ACT_OPEN:
        open_conversation(app, s, SCREEN_CONVERSATION);
        return true;
    case ACT_FOLLOW:
        open_conversation(app, s, SCREEN_PACKETS);
        return true;
    case ACT_COPY:
        copy(app, s);
        return true;
    case ACT_BACK:
        if (!s->in_past)
            return false;
        travel(app, s, UINT64_MAX);
        return true;
    default:
        return false;
    }
}

static void on_mouse(struct app *app, void *state, const struct mouse *mouse)
{
    struct socket_screen *s = state;
    if (mouse->what == MOUSE_UP || mouse->what == MOUSE_DOWN) {
        go(s, (int64_t)s->cursor + (mouse->what == MOUSE_UP ? -3 : 3));
    } else if (mouse->y == s->body.y - 3 && mouse->x >= s->slider_x && mouse->x < s->slider_x + s->slider_width) {
        uint64_t all = store_tracked(app->store);
        travel(app, s, 1 + (uint64_t)((double)(mouse->x - s->slider_x) / (s->slider_width - 1) * (double)all));
    } else if (mouse->y >= s->body.y && mouse->y < s->body.y + s->body.height) {
        go(s, (int64_t)s->top + mouse->y - s->body.y);
        if (mouse->what == MOUSE_DOUBLE)
            open_conversation(app, s, SCREEN_CONVERSATION);
    }
}

const struct screen sockets_screen = {
    .title = N_("Sockets"),
    .footer = (const uint8_t[]){ ACT_OPEN, ACT_EARLIER, ACT_LATER, ACT_HOST, ACT_STATE, ACT_SORT, ACT_HELP, ACT_FOLLOW,
                                 ACT_COPY, ACT_QUIT, 0 },
    .open = open_state,
    .close = close_state,
    .draw = socket_screen_draw,
    .act = act,
    .mouse = on_mouse,
    .step = step,
};
