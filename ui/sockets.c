/* The screen Sockets: the connections that the packets prove, as of now or as of any packet: both ends of each, or what
 * netstat on one host would print. */
#include "base/array.h"
#include "base/text.h"
#include "output/netstat.h"
#include "ui/app.h"
#include "ui/past.h"
#include "ui/rates.h"
#include <stdlib.h>

enum { GATHER_SLICE = 1 << 15, ROWS_MAX = 512, SLIDER_STEPS = 50, RADIX_BITS = 11, RADIX = 1 << RADIX_BITS };
enum { IP_TCP = 6, IP_UDP = 17 };

static const int64_t second = 1000000000;

enum order { BY_APPEARANCE, BY_RATE, BY_BYTES, BY_PACKETS, BY_AGAIN, BY_RTT, BY_STATE, BY_CLIENT, BY_SERVER, ORDERS };

static const char *const order_names[ORDERS] = {
    N_("appearance"), N_("rate"),  N_("bytes"),  N_("packets"), N_("retransmissions"),
    N_("round trip"), N_("state"), N_("client"), N_("server"),
};

/* Which rows are shown. 0: all; 1: open ones; from 2 on: those with an end in that state. */
enum { SHOW_ALL, SHOW_OPEN, SHOW_STATE, SHOWS = SHOW_STATE + TCP_STATES };

/* A row to be sorted: numbers that are sorted as unsigned ones. */
struct sortable {
    uint32_t key, flow;
};

struct listed {
    struct sortable *rows; /* owned */
    uint32_t count, room;
};

struct socket_screen {
    struct past *past; /* NULL until somebody goes back in time */
    struct rates *rates;
    bool in_past;
    enum order order;
    bool reverse, host_view;
    unsigned show;
    uint8_t host[16], host_size; /* of host_view */
    struct listed shown, made, spare;
    unsigned phase;    /* of making: 0 nothing to do, 1 gathering, from 2 on sorting */
    uint32_t gathered; /* flows looked at */
    uint64_t made_of;  /* packets the tracker had taken when making began */
    uint64_t turn;     /* of rates */
    int64_t last_made;
    bool wanted;              /* make it anew */
    uint32_t cursor_flow;     /* FLOW_NONE: the first row */
    uint32_t cursor, top;     /* rows; listeners come first */
    struct socket *listeners; /* owned */
    uint32_t listener_count, listener_room;
    struct area body;
    struct drawn *before; /* the table that stood there when one went elsewhere, until the next one is made */
    int slider_x, slider_width;
    struct buffer scratch;
};

static int open_state(struct app *app, void **state, struct error *error)
{
    struct socket_screen *s = calloc(1, sizeof *s);
    *state = s;
    if (!s || buffer_open(&s->scratch, -1, 1024))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    s->cursor_flow = FLOW_NONE;
    s->order = BY_BYTES;
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

static struct tracker *tracker_of(struct app *app, struct socket_screen *s)
{
    return s->in_past ? past_tracker(s->past) : store_tracker(app->store);
}

static struct sockets *sockets_of(struct app *app, struct socket_screen *s)
{
    return s->in_past ? past_sockets(s->past) : store_sockets(app->store);
}

static uint64_t packet_of(struct app *app, const struct socket_screen *s)
{
    return s->in_past ? past_at(s->past) : store_tracked(app->store);
}

static int64_t time_of(struct app *app, uint64_t number)
{
    const struct packet *p = number ? app_packet(app, number) : NULL;
    return p ? p->time : 0;
}

/* --- one connection --- */

struct both {
    const struct flow *flow;
    const struct flow_detail *detail;
    int64_t handshake;
    unsigned client;
    enum tcp_state state[2]; /* client, server */
};

static struct both look(const struct flow_table *flows, uint32_t index, int64_t now)
{
    struct both b = { .flow = flow_at(flows, index), .detail = flow_detail_at(flows, index) };
    b.handshake = *flow_handshake_at(flows, index) > 0 ? *flow_handshake_at(flows, index) : 0;
    b.client = flow_client(b.flow);
    int64_t ms = (now - b.flow->first) / 1000000;
    int32_t at = ms > INT32_MAX ? INT32_MAX : ms < 0 ? 0 : (int32_t)ms;
    for (unsigned i = 0; i < 2 && b.flow->protocol == IP_TCP; i++)
        b.state[i] = tcp_state_at(b.flow, i ? !b.client : b.client, at);
    return b;
}

static bool is_open(const struct both *b, int64_t now)
{
    if (b->flow->protocol != IP_TCP)
        return now - b->flow->last < UDP_PATIENCE_MS * INT64_C(1000000);
    return b->state[0] > TCP_CLOSED || b->state[1] > TCP_CLOSED;
}

static bool is_shown(const struct socket_screen *s, const struct flow_table *flows, const struct both *b, int64_t now)
{
    if (s->host_view) {
        uint8_t room[4];
        size_t size = b->flow->flags & FLOW_IPV6 ? 16 : 4;
        bool here = false;
        for (unsigned end = 0; end < 2 && size == s->host_size; end++)
            here |= !memcmp(flow_address(flows, b->flow, end, room), s->host, size);
        if (!here || !is_open(b, now))
            return false;
    }
    if (s->show == SHOW_ALL)
        return true;
    if (s->show == SHOW_OPEN)
        return is_open(b, now);
    enum tcp_state state = s->show - SHOW_STATE;
    return b->flow->protocol == IP_TCP && (b->state[0] == state || b->state[1] == state);
}

/* The bits of a float that is not negative are sorted as the float is. */
static uint32_t rank(double value)
{
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static double latest_rate(const struct socket_screen *s, const struct flow *f)
{
    struct rate rate;
    if (!rates_get(s->rates, f, &rate))
        return 0;
    double all = 0;
    for (unsigned i = RATE_SECONDS - 3; i < RATE_SECONDS; i++)
        all += (double)rate.bytes[0][i] + rate.bytes[1][i];
    return all;
}

static uint32_t address_rank(const struct flow_table *flows, const struct flow *f, unsigned end)
{
    uint8_t room[4];
    return load_be32(flow_address(flows, f, end, room));
}

static uint32_t key_of(const struct socket_screen *s, const struct flow_table *flows, uint32_t index,
                       const struct both *b)
{
    const struct flow *f = b->flow;
    switch (s->order) {
    case BY_RATE:
        return ~rank(latest_rate(s, f));
    case BY_BYTES:
        return ~rank((double)b->detail->wire[0] + (double)b->detail->wire[1]);
    case BY_PACKETS:
        return ~rank((double)f->packets[0] + f->packets[1]);
    case BY_AGAIN:
        return ~rank((double)f->retransmits[0] + f->retransmits[1]);
    case BY_RTT:
        return ~rank((double)b->handshake);
    case BY_STATE:
        return (uint32_t)b->state[0] << 8 | b->state[1];
    case BY_CLIENT:
        return address_rank(flows, f, b->client);
    case BY_SERVER:
        return address_rank(flows, f, !b->client);
    default:
        return index;
    }
}

/* --- making the list: gathered, then sorted digit by digit, each a slice --- */

static bool add(struct listed *l, struct sortable row)
{
    if (!array_grow(&l->rows, sizeof *l->rows, l->count, &l->room))
        return false;
    l->rows[l->count++] = row;
    return true;
}

static bool make_room_for(struct listed *l, uint32_t count)
{
    if (l->room >= count)
        return true;
    struct sortable *more = realloc(l->rows, count * sizeof *more);
    if (more) {
        l->rows = more;
        l->room = count;
    }
    return more;
}

static void take_listener(void *context, const struct socket *socket)
{
    struct socket_screen *s = context;
    if (socket->state != TCP_LISTEN)
        return;
    if (!array_grow(&s->listeners, sizeof *s->listeners, s->listener_count, &s->listener_room))
        return;
    s->listeners[s->listener_count++] = *socket;
}

static void gather_listeners(struct app *app, struct socket_screen *s)
{
    struct sockets_query query = { .listeners = true, .tcp = true, .size = s->host_view ? s->host_size : 0 };
    memcpy(query.host, s->host, sizeof query.host);
    s->listener_count = 0;
    struct sockets *sockets = sockets_of(app, s);
    struct flow_table none = { 0 };
    struct sockets only = *sockets; /* without connections: those are gathered in slices */
    only.flows = &none;
    if (s->host_view || s->show == SHOW_STATE + TCP_LISTEN)
        sockets_list(&only, &query, take_listener, s);
}

static bool gather(struct app *app, struct socket_screen *s, int64_t now)
{
    const struct flow_table *flows = &tracker_of(app, s)->flows;
    for (uint32_t n = 0; n < GATHER_SLICE && s->gathered < flows->count; n++, s->gathered++) {
        if (flow_at(flows, s->gathered)->flags & FLOW_FREE)
            continue;
        struct both b = look(flows, s->gathered, now);
        if (!is_shown(s, flows, &b, now))
            continue;
        uint32_t key = key_of(s, flows, s->gathered, &b);
        if (!add(&s->made, (struct sortable){ s->reverse ? ~key : key, s->gathered }))
            break;
    }
    return s->gathered < flows->count;
}

/* One digit of a radix sort, the lowest first; equal rows stay in order. */
static void sort_digit(struct socket_screen *s, unsigned digit)
{
    static uint32_t start[RADIX];
    unsigned shift = digit * RADIX_BITS;
    memset(start, 0, sizeof start);
    if (!make_room_for(&s->spare, s->made.count))
        return;
    for (uint32_t i = 0; i < s->made.count; i++)
        start[s->made.rows[i].key >> shift & (RADIX - 1)]++;
    uint32_t sum = 0;
    for (unsigned i = 0; i < RADIX; i++) {
        uint32_t n = start[i];
        start[i] = sum;
        sum += n;
    }
    for (uint32_t i = 0; i < s->made.count; i++)
        s->spare.rows[start[s->made.rows[i].key >> shift & (RADIX - 1)]++] = s->made.rows[i];
    s->spare.count = s->made.count;
    struct listed swap = s->made;
    s->made = s->spare;
    s->spare = swap;
}

/* The list is new: the cursor stays on its connection. */
static void take_over(struct socket_screen *s)
{
    struct listed swap = s->shown;
    s->shown = s->made;
    s->made = swap;
    s->made.count = 0;
    for (uint32_t i = 0; s->cursor_flow != FLOW_NONE && i < s->shown.count; i++)
        if (s->shown.rows[i].flow == s->cursor_flow) {
            s->cursor = s->listener_count + i;
            break;
        }
    uint32_t all = s->listener_count + s->shown.count;
    if (s->cursor >= all)
        s->cursor = all ? all - 1 : 0;
}

static void begin_making(struct app *app, struct socket_screen *s)
{
    s->wanted = false;
    s->made.count = 0;
    s->gathered = 0;
    s->made_of = packet_of(app, s);
    s->last_made = monotonic();
    s->turn = rates_turn(s->rates);
    gather_listeners(app, s);
    s->phase = 1;
}

/* Anew when somebody asked, or once a second while there is news. */
static bool is_due(struct app *app, const struct socket_screen *s)
{
    bool news = s->made_of != packet_of(app, s) || (s->order == BY_RATE && s->turn != rates_turn(s->rates));
    return s->wanted || (news && monotonic() - s->last_made > second);
}

static bool make(struct app *app, struct socket_screen *s)
{
    if (!s->phase && is_due(app, s))
        begin_making(app, s);
    if (!s->phase)
        return false;
    if (s->phase == 1) {
        if (!gather(app, s, time_of(app, packet_of(app, s))))
            s->phase = 2;
        return true;
    }
    sort_digit(s, s->phase++ - 2);
    if (s->phase < 5)
        return true;
    s->phase = 0;
    take_over(s);
    draw_forget(&s->before);
    app->dirty = true;
    return is_due(app, s);
}

static void go_with_rates(struct app *app, struct socket_screen *s)
{
    uint64_t number = packet_of(app, s);
    static uint64_t last;
    static int64_t when;
    if (number == last || (monotonic() - when < second && store_state(app->store) == STORE_TRACKING))
        return;
    last = number;
    when = monotonic();
    rates_go(s->rates, number, time_of(app, number));
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
        more |= make(app, s);
    while (s->phase && monotonic() < deadline);
    return more || s->phase;
}

/* --- drawing --- */

static uint32_t row_count(const struct socket_screen *s)
{
    return s->listener_count + s->shown.count;
}

static void draw_slider(struct app *app, struct socket_screen *s, struct area area)
{
    char words[128], number[32];
    struct buffer *out = &s->scratch;
    uint64_t all = store_tracked(app->store), at = s->in_past ? past_target(s->past) : all;
    bool busy = s->in_past && past_at(s->past) < past_target(s->past);
    out->at = out->start;
    int64_t time = time_of(app, at);
    if (at)
        time_write_absolute(out, time, FORMAT_ABSOLUTE_DATE, 3);
    int x = area.x + 1, end = area.x + area.width, tail = 14;
    int most = area.width - tail - 2;
    snprintf(words, sizeof words, _("as of %.*s, packet %s"), (int)buffer_used(out), out->start,
             draw_number(number, at));
    if ((int)text_columns(words, strlen(words)) > most)
        snprintf(words, sizeof words, _("as of packet %s"), draw_number(number, at));
    x += draw_text(area.y, x, most, words, s->in_past ? PAINT_WARN : PAINT_PLAIN) + 2;
    const char *mode = s->in_past ? busy ? _("going there") : _("the past") : _("now");
    s->slider_x = x + 1;
    s->slider_width = end - x - tail - 2;
    if (s->slider_width >= 8) {
        draw_text(area.y, x, 1, draw_sign("◀", "<"), PAINT_KEY);
        for (int i = 0; i < s->slider_width; i++)
            draw_text(area.y, x + 1 + i, 1, draw_sign("─", "-"), PAINT_DIM);
        int knob = all > 1 ? (int)((double)(at ? at - 1 : 0) / (double)(all - 1) * (s->slider_width - 1)) : 0;
        draw_text(area.y, x + 1 + knob, 1, draw_sign("●", "O"), PAINT_BOLD);
        draw_text(area.y, x + 1 + s->slider_width, 1, draw_sign("▶", ">"), PAINT_KEY);
    }
    draw_text(area.y, end - tail + 1, tail - 1, mode, s->in_past ? PAINT_WARN : PAINT_GOOD);
}

static void draw_words(struct app *app, struct socket_screen *s, struct area area)
{
    char words[160], count[32], all[32];
    const char *show = s->show == SHOW_ALL    ? _("all connections")
                       : s->show == SHOW_OPEN ? _("open ones")
                                              : tcp_state_name(s->show - SHOW_STATE);
    if (s->before)
        snprintf(words, sizeof words, "%s: %s", show, draw_sign("…", "..."));
    else
        snprintf(words, sizeof words, _("%s: %s of %s"), show, draw_number(count, row_count(s)),
                 draw_number(all, tracker_of(app, s)->flows.live));
    int x = area.x + 1;
    x += draw_text(area.y, x, area.width - 2, words, PAINT_PLAIN) + 3;
    if (s->host_view) {
        char *end = netstat_end(words, s->host, s->host_size, 0);
        size_t n = (size_t)(end - words);
        while (n && words[n - 1] != ':')
            n--;
        n -= n > 0;
        x += draw_text(area.y, x, area.x + area.width - x, _("as seen by "), PAINT_DIM);
        x += draw_text_part(area.y, x, area.x + area.width - x, words, n, PAINT_BOLD);
    }
    snprintf(words, sizeof words, _("sort: %s%s"), _(order_names[s->order]), s->reverse ? _(", reversed") : "");
    int width = (int)text_columns(words, strlen(words));
    if (area.x + area.width - width - 1 > x)
        draw_text(area.y, area.x + area.width - width - 1, width, words, PAINT_DIM);
}

/* Widths; 0: not shown. */
struct columns {
    int end, state, state2, queue, rate, spark, bytes, packets, rtt, again, program;
};

static struct columns choose_columns(const struct socket_screen *s, int width, bool live)
{
    struct columns c = { .state = 12, .state2 = s->host_view ? 0 : 12 };
    enum { LEAST_END = 11 };
    int left = width - 2 - 4 - c.state - 1 - (c.state2 ? c.state2 + 1 : 0) - 2; /* proto, two gaps behind the ends */
    if (left < 2 * LEAST_END && c.state2) { /* who it is tells more than the other one's state */
        left += c.state2 + 1;
        c.state2 = 0;
    }
    c.end = left < 42 ? left / 2 : 21;
    left -= 2 * c.end;
    int *wish[] = { &c.program, &c.rate, s->host_view ? &c.queue : &c.packets, &c.bytes, &c.rtt, &c.again, &c.spark };
    const int size[] = { live ? 16 : 0, 8, 8, 8, 8, 5, 2 * RATE_SECONDS + 1 };
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++) {
        bool twice = wish[i] == &c.rate || wish[i] == &c.bytes || wish[i] == &c.queue;
        int both = twice ? 2 : 1;
        if (!size[i] || both * (size[i] + 1) > left)
            continue;
        *wish[i] = size[i];
        left -= both * (size[i] + 1);
    }
    c.end += left / 2 < 26 ? left / 2 : 26;
    return c;
}

static int heading(int y, int x, int width, const char *text, bool right)
{
    if (!width)
        return x;
    if (right)
        draw_right(y, x, width, text, PAINT_HEADING);
    else
        draw_text(y, x, width, text, PAINT_HEADING);
    return x + width + 1;
}

static void draw_headings(const struct socket_screen *s, struct columns c, struct area area)
{
    int x = area.x + 2, y = area.y;
    const char *up = draw_sign("↑", "out"), *down = draw_sign("↓", "in");
    char text[32];
    x = heading(y, x, 3, _("Pro"), false);
    x = heading(y, x, c.end, s->host_view ? _("Local") : _("Client"), false);
    x = heading(y, x, c.end, s->host_view ? _("Foreign") : _("Server"), false);
    x = heading(y, x, c.state, s->host_view ? _("State") : _("Client state"), false);
    x = heading(y, x, c.state2, _("Server state"), false);
    x = heading(y, x, c.queue, _("Recv-Q"), true);
    x = heading(y, x, c.queue, _("Send-Q"), true);
    x = heading(y, x, c.packets, _("Packets"), true);
    for (unsigned i = 0; i < 2 && c.bytes; i++) {
        snprintf(text, sizeof text, _("Bytes %s"), i ? down : up);
        x = heading(y, x, c.bytes, text, true);
    }
    for (unsigned i = 0; i < 2 && c.rate; i++) {
        snprintf(text, sizeof text, _("Rate %s"), i ? down : up);
        x = heading(y, x, c.rate, text, true);
    }
    x = heading(y, x, c.rtt, _("RTT"), true);
    x = heading(y, x, c.again, _("Again"), true);
    x = heading(y, x, c.program, _("Program"), false);
    heading(y, x, c.spark, _("last seconds"), false);
}

static void write_rate(char text[32], double bytes)
{
    text[0] = 0;
    if (bytes <= 0)
        return;
    draw_bytes(text, (uint64_t)bytes);
    char *blank = strchr(text, ' ');
    if (blank)
        memmove(blank, blank + 1, strlen(blank));
    snprintf(text + strlen(text), 32 - strlen(text), "/s");
}

static void write_wait(char text[32], int64_t ns)
{
    if (ns <= 0)
        snprintf(text, 32, "%s", draw_sign("–", "-"));
    else
        snprintf(text, 32,
                 ns < 10000000 ? "%.2f ms"
                 : ns < second ? "%.0f ms"
                               : "%.1f s",
                 ns < second ? (double)ns / 1e6 : (double)ns / 1e9);
}

static void draw_spark(int y, int x, const uint32_t bytes[RATE_SECONDS], uint32_t most, enum paint paint)
{
    static const char *const signs[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const plain[] = { ".", ".", ":", ":", "+", "+", "#", "#" };
    for (unsigned i = 0; i < RATE_SECONDS; i++) {
        unsigned level = most && bytes[i] ? (unsigned)((uint64_t)bytes[i] * 7 / most) : 0;
        if (bytes[i])
            draw_text(y, x + (int)i, 1, draw_sign(signs[level], plain[level]), paint);
        else
            draw_text(y, x + (int)i, 1, draw_ascii() ? "_" : "▁", paint == PAINT_PLAIN ? PAINT_DIM : paint);
    }
}

static int cell(int y, int x, int width, const char *text, bool right, enum paint paint)
{
    if (!width)
        return x;
    if (right)
        draw_right(y, x, width, text, paint);
    else
        draw_middle(y, x, width, text, strlen(text), paint);
    return x + width + 1;
}

static void end_text(const struct flow_table *flows, const struct flow *f, unsigned end, char text[80])
{
    uint8_t room[4];
    char *to = netstat_end(text, flow_address(flows, f, end, room), f->flags & FLOW_IPV6 ? 16 : 4, f->port[end]);
    *to = 0;
}

/* The end that is local in the view of a host. */
static unsigned local_end(const struct socket_screen *s, const struct flow_table *flows, const struct both *b)
{
    uint8_t room[4];
    if (!s->host_view)
        return b->client;
    return memcmp(flow_address(flows, b->flow, 0, room), s->host, s->host_size) ? 1 : 0;
}

static enum paint state_paint(enum tcp_state state)
{
    return state == TCP_ESTABLISHED                                                        ? PAINT_GOOD
           : state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED || state == TCP_CLOSE_WAIT ? PAINT_WARN
           : state <= TCP_CLOSED                                                           ? PAINT_DIM
                                                                                           : PAINT_PLAIN;
}

/* What the kernel of this host says of an end, if it is one of its own; nothing of the past. */
static const struct kernel_socket *kernel_of(struct app *app, const struct socket_screen *s,
                                             const struct flow_table *flows, const struct flow *f, unsigned end)
{
    uint8_t here[4], there[4];
    if (!app->live || s->in_past)
        return NULL;
    return live_socket(app->live, f->protocol, f->flags & FLOW_IPV6 ? 16 : 4, flow_address(flows, f, end, here),
                       f->port[end], flow_address(flows, f, !end, there), f->port[!end]);
}

static void write_owner(const struct kernel_socket *kernel, char text[80])
{
    text[0] = 0;
    if (kernel && kernel->pid)
        snprintf(text, 80, "%.16s %d", kernel->program, kernel->pid);
    else if (kernel)
        snprintf(text, 80, "%s", kernel->why == OWNER_FORBIDDEN ? _("not ours to see") : "-");
}

static void draw_connection(struct app *app, struct socket_screen *s, uint32_t index, struct columns c, int y,
                            struct area area, bool cursor, int64_t now)
{
    const struct flow_table *flows = &tracker_of(app, s)->flows;
    if (index >= flows->count || flow_at(flows, index)->flags & FLOW_FREE)
        return;
    struct both b = look(flows, index, now);
    const struct flow *f = b.flow;
    bool tcp = f->protocol == IP_TCP;
    unsigned a = local_end(s, flows, &b), z = !a;
    enum tcp_state here = a == b.client ? b.state[0] : b.state[1], there = a == b.client ? b.state[1] : b.state[0];
    enum paint paint = cursor ? PAINT_SELECTED : PAINT_PLAIN;
    bool again = f->retransmits[0] + f->retransmits[1] > 0;
    char text[80], small[32];
    struct rate rate;
    bool fast = rates_get(s->rates, f, &rate);
    draw_fill(y, area.x, area.width, paint);
    int x = area.x;
    draw_text(y, x, 1, cursor ? draw_sign("▌", ">") : " ", paint);
    draw_text(y, x + 1, 1, again ? "!" : " ", cursor ? paint : PAINT_WARN);
    x += 2;
    draw_text(y, x, 3, tcp ? "tcp" : "udp", paint);
    x += 4;
    end_text(flows, f, a, text);
    x = cell(y, x, c.end, text, false, paint);
    end_text(flows, f, z, text);
    x = cell(y, x, c.end, text, false, paint);
    x = cell(y, x, c.state, tcp ? tcp_state_name(here) : "-", false, cursor ? paint : state_paint(here));
    if (c.state2)
        x = cell(y, x, c.state2, tcp ? tcp_state_name(there) : "-", false, cursor ? paint : state_paint(there));
    const struct kernel_socket *kernel = kernel_of(app, s, flows, f, a);
    if (c.queue) { /* packets do not tell what a process has not read yet */
        snprintf(small, sizeof small, "%u", kernel ? kernel->recv_q : 0);
        x = cell(y, x, c.queue, kernel ? small : "-", true, paint);
        snprintf(small, sizeof small, "%u", kernel ? kernel->send_q : tcp ? tcp_unacknowledged(f, a) : 0);
        x = cell(y, x, c.queue, small, true, paint);
    }
    if (c.packets) {
        snprintf(small, sizeof small, "%llu", (unsigned long long)f->packets[0] + f->packets[1]);
        x = cell(y, x, c.packets, small, true, paint);
    }
    for (unsigned i = 0; i < 2 && c.bytes; i++)
        x = cell(y, x, c.bytes, draw_bytes(small, f->bytes[i ? z : a]), true, paint);
    for (unsigned i = 0; i < 2 && c.rate; i++) {
        unsigned end = i ? z : a;
        write_rate(small,
                   fast ? ((double)rate.bytes[end][RATE_SECONDS - 2] + rate.bytes[end][RATE_SECONDS - 1]) / 2 : 0);
        x = cell(y, x, c.rate, small, true, paint);
    }
    if (c.rtt) {
        write_wait(small, b.handshake);
        x = cell(y, x, c.rtt, small, true, paint);
    }
    if (c.again) {
        snprintf(small, sizeof small, "%u", f->retransmits[0] + f->retransmits[1]);
        x = cell(y, x, c.again, again ? small : "", true, cursor ? paint : PAINT_WARN);
    }
    if (c.program) {
        write_owner(kernel ? kernel : kernel_of(app, s, flows, f, z), text);
        x = cell(y, x, c.program, text, false, paint);
    }
    if (!c.spark || !fast)
        return;
    uint32_t most = 0;
    for (unsigned i = 0; i < RATE_SECONDS; i++) {
        most = rate.bytes[0][i] > most ? rate.bytes[0][i] : most;
        most = rate.bytes[1][i] > most ? rate.bytes[1][i] : most;
    }
    draw_spark(y, x, rate.bytes[a], most, cursor ? paint : PAINT_CLIENT);
    draw_spark(y, x + RATE_SECONDS + 1, rate.bytes[z], most, cursor ? paint : PAINT_SERVER);
}

static void draw_listener(const struct socket *socket, struct columns c, int y, struct area area, bool cursor)
{
    enum paint paint = cursor ? PAINT_SELECTED : PAINT_PLAIN;
    char text[80];
    draw_fill(y, area.x, area.width, paint);
    draw_text(y, area.x, 1, cursor ? draw_sign("▌", ">") : " ", paint);
    int x = area.x + 2;
    draw_text(y, x, 3, "tcp", paint);
    x += 4;
    *netstat_end(text, socket->local, socket->size, socket->local_port) = 0;
    x = cell(y, x, c.end, text, false, paint);
    x = cell(y, x, c.end, "*", false, paint);
    cell(y, x, c.state, "LISTEN", false, cursor ? paint : PAINT_CLIENT);
}

static void draw(struct app *app, void *state, struct area area)
{
    struct socket_screen *s = state;
    for (int i = 0; i < area.height; i++)
        draw_fill(area.y + i, area.x, area.width, PAINT_PLAIN);
    draw_slider(app, s, area);
    draw_words(app, s, (struct area){ area.y + 1, area.x, 1, area.width });
    struct columns c = choose_columns(s, area.width, app->live);
    draw_headings(s, c, (struct area){ area.y + 2, area.x, 1, area.width });
    s->body = (struct area){ area.y + 3, area.x, area.height - 3, area.width };
    uint32_t height = s->body.height > 0 ? (uint32_t)s->body.height : 0, count = row_count(s);
    if (s->cursor < s->top)
        s->top = s->cursor;
    if (height && s->cursor >= s->top + height)
        s->top = s->cursor - height + 1;
    if (s->top + height > count)
        s->top = count > height ? count - height : 0;
    if (draw_kept(s->before, s->body))
        return;
    int64_t now = time_of(app, packet_of(app, s));
    for (uint32_t i = 0; i < height && s->top + i < count; i++) {
        uint32_t row = s->top + i;
        int y = s->body.y + (int)i;
        if (row < s->listener_count)
            draw_listener(&s->listeners[row], c, y, area, row == s->cursor);
        else
            draw_connection(app, s, s->shown.rows[row - s->listener_count].flow, c, y, area, row == s->cursor, now);
    }
    if (!count && height)
        draw_text(s->body.y + 1, area.x + 4, area.width - 4,
                  s->phase || (s->in_past && past_at(s->past) < past_target(s->past)) ? _("looking ...")
                                                                                      : _("no connection"),
                  PAINT_DIM);
}

/* --- what keys do --- */

static uint32_t cursor_flow(const struct socket_screen *s)
{
    uint32_t row = s->cursor - s->listener_count;
    return s->cursor >= s->listener_count && row < s->shown.count ? s->shown.rows[row].flow : FLOW_NONE;
}

static void go(struct socket_screen *s, int64_t to)
{
    int64_t count = row_count(s);
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
    uint64_t step_size = all / SLIDER_STEPS ? all / SLIDER_STEPS : 1;
    if (steps < 0)
        travel(app, s, at > step_size ? at - step_size : 1);
    else
        travel(app, s, at + step_size);
}

static void toggle_host(struct app *app, struct socket_screen *s)
{
    const struct flow_table *flows = &tracker_of(app, s)->flows;
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
    const struct flow *f = flow_at(&tracker_of(app, s)->flows, index);
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
    struct connection_view view = { &tracker_of(app, s)->flows, index, time_of(app, packet_of(app, s)) };
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
    .draw = draw,
    .act = act,
    .mouse = on_mouse,
    .step = step,
};
