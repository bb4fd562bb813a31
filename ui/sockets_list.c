/* Which connections the screen Sockets shows, and in what order. */
#include "base/array.h"
#include "ui/sockets_parts.h"
#include <stdlib.h>

enum { GATHER_SLICE = 1 << 15, RADIX_BITS = 11, RADIX = 1 << RADIX_BITS };

static const int64_t second = 1000000000;

/* --- one connection --- */

struct both socket_screen_look(const struct flow_table *flows, uint32_t index, int64_t now)
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
    struct sockets *sockets = socket_screen_sockets(app, s);
    struct flow_table none = { 0 };
    struct sockets only = *sockets; /* without connections: those are gathered in slices */
    only.flows = &none;
    if (s->host_view || s->show == SHOW_STATE + TCP_LISTEN)
        sockets_list(&only, &query, take_listener, s);
}

static bool gather(struct app *app, struct socket_screen *s, int64_t now)
{
    const struct flow_table *flows = &socket_screen_tracker(app, s)->flows;
    for (uint32_t n = 0; n < GATHER_SLICE && s->gathered < flows->count; n++, s->gathered++) {
        if (flow_at(flows, s->gathered)->flags & FLOW_FREE)
            continue;
        struct both b = socket_screen_look(flows, s->gathered, now);
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
    s->made_of = socket_screen_packet(app, s);
    s->last_made = monotonic();
    s->turn = rates_turn(s->rates);
    gather_listeners(app, s);
    s->phase = 1;
}

/* Anew when somebody asked, or once a second while there is news. */
static bool is_due(struct app *app, const struct socket_screen *s)
{
    bool news = s->made_of != socket_screen_packet(app, s) || (s->order == BY_RATE && s->turn != rates_turn(s->rates));
    return s->wanted || (news && monotonic() - s->last_made > second);
}

bool socket_screen_make(struct app *app, struct socket_screen *s)
{
    if (!s->phase && is_due(app, s))
        begin_making(app, s);
    if (!s->phase)
        return false;
    if (s->phase == 1) {
        if (!gather(app, s, socket_screen_time(app, socket_screen_packet(app, s))))
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
