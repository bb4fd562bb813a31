/* The endpoint on random segments, most of them near its windows, random times and random use: no crash, no endless
 * talk, and what must hold holds. Each step takes eight bytes of the input. */
#include "inject/endpoint.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 8, BUFFER = 8192, SENT_A_STEP = 256 /* a buffer of the shortest segments */ };

#define must(holds) must_hold(holds, #holds)
static void must_hold(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

struct scene {
    struct endpoint *endpoint;
    struct endpoint_segment last;
    unsigned sent; /* in this step */
    uint32_t peer; /* where the other end's numbers begin */
    uint64_t written, consumed;
    int64_t now;
};

static void on_send(void *context, const struct endpoint_segment *g)
{
    struct scene *s = context;
    s->last = *g;
    must(g->payload.left + g->more.left <= 1460);
    must(g->sack_count <= ENDPOINT_SACKS);
    for (unsigned i = 0; i < g->sack_count; i++)
        must((int32_t)(g->sacks[i].right - g->sacks[i].left) > 0);
    uint8_t sum = 0; /* all of it can be read */
    for (size_t i = 0; i < g->payload.left; i++)
        sum ^= g->payload.at[i];
    for (size_t i = 0; i < g->more.left; i++)
        sum ^= g->more.at[i];
    (void)sum;
    s->sent++;
}

static void on_change(void *context, enum tcp_state from, enum tcp_state to)
{
    struct scene *s = context;
    (void)s;
    must(from != to && to > TCP_UNKNOWN && to < TCP_STATES);
    must(from != TCP_CLOSED || to == TCP_LISTEN || to == TCP_SYN_SENT);
    must(from != TCP_TIME_WAIT || to == TCP_CLOSED);
}

static const struct endpoint_sink sink = { on_send, on_change, NULL };

static uint32_t near(uint32_t base, uint8_t where)
{
    return base + (uint32_t)(where & 31) * 100 - (where & 32 ? 1600 : 0) + (where >> 6);
}

static void take(struct scene *s, const uint8_t *step)
{
    static const uint8_t flags[16] = {
        2, 0x12, 0x10, 0x10, 0x18, 0x18, 0x11, 0x11, 4, 0x14, 2, 0x12, 1, 0x10, 0, 0x10
    };
    static const uint8_t payload[3000];
    uint32_t ours = s->last.seq + (uint32_t)(s->last.payload.left + s->last.more.left);
    uint32_t theirs = s->last.flags & TCP_ACK ? s->last.ack : s->peer;
    struct endpoint_segment g = { .flags = flags[step[1] & 15],
                                  .seq = near(theirs, step[2]),
                                  .ack = near(ours, step[3]),
                                  .window = (uint16_t)(step[4] << (step[5] & 8)),
                                  .timestamps = step[5] & 1 };
    g.payload = (struct span){ payload, (size_t)(step[1] >> 4) * 190 };
    g.ts_value = (uint32_t)(s->now / 1000000) + step[6] - 64;
    g.ts_echo = s->last.ts_value;
    if (step[5] & 2)
        g.sacks[g.sack_count++] = (struct endpoint_range){ near(ours, step[6]), near(ours, step[7]) };
    if (step[5] & 4)
        g.sacks[g.sack_count++] = (struct endpoint_range){ near(ours, step[7]), near(ours, step[6]) };
    if (g.flags & TCP_SYN) {
        g.mss = (uint16_t)(step[4] << 4);
        g.sack_permitted = step[5] & 16;
        g.has_scale = step[5] & 32;
        g.scale = step[6];
    }
    /* as if it fitted exactly, half of the time: else hardly one would be acceptable */
    if (step[5] & 64)
        g.seq = theirs;
    if (step[5] & 128)
        g.ack = ours + !!(s->last.flags & (TCP_SYN | TCP_FIN));
    endpoint_take(s->endpoint, &g, s->now);
}

static void use(struct scene *s, const uint8_t *step)
{
    static const uint8_t text[BUFFER];
    struct endpoint *e = s->endpoint;
    struct span got = endpoint_readable(e);
    must(got.left <= BUFFER);
    size_t n = endpoint_put(e, text, (size_t)step[2] * 20, s->now);
    must(n <= (size_t)step[2] * 20);
    s->written += n;
    switch (step[1] & 7) {
    case 0:
        endpoint_shutdown(e, s->now);
        break;
    case 1:
        endpoint_consume(e, step[3], s->now);
        break;
    case 2:
        endpoint_limit(e, near(s->last.seq, step[3]), (uint16_t)(step[4] * 8), s->now);
        break;
    case 3:
        endpoint_unreachable(e, near(s->last.seq, step[3]), step[4] & 1, s->now);
        break;
    case 4:
        if (step[4] == 77)
            endpoint_abort(e, s->now);
        break;
    default:
        endpoint_consume(e, got.left, s->now);
    }
}

static void check(struct scene *s)
{
    const struct endpoint_counts *c = endpoint_counts(s->endpoint);
    must(s->sent <= SENT_A_STEP);
    must(endpoint_unacknowledged(s->endpoint) <= BUFFER);
    must(c->bytes_sent <= s->written);
    must(endpoint_deadline(s->endpoint) >= 0);
    if (endpoint_end(s->endpoint)) {
        must(endpoint_state(s->endpoint) == TCP_CLOSED);
        must(endpoint_deadline(s->endpoint) == INT64_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene s = { .peer = 5000, .now = 1000000000 };
    struct endpoint_settings settings = endpoint_defaults();
    if (size < STEP)
        return 0;
    settings.iss = 0xfffffc00;
    settings.mss = 1460;
    settings.send_buffer = settings.receive_buffer = BUFFER;
    settings.sack = data[0] & 1;
    settings.timestamps = data[0] & 2;
    settings.scale = data[0] & 4;
    settings.no_delay = data[0] & 8;
    must(!endpoint_open(&s.endpoint, &settings, &sink, &s, NULL));
    if (data[0] & 16)
        endpoint_listen(s.endpoint);
    else
        endpoint_connect(s.endpoint, s.now);
    for (data += STEP, size -= STEP; size >= STEP; data += STEP, size -= STEP) {
        s.sent = 0;
        s.now += (int64_t)(data[0] >> 2) * (data[0] & 2 ? 20000000 : 100000);
        if (endpoint_deadline(s.endpoint) <= s.now)
            endpoint_tick(s.endpoint, s.now);
        if (data[0] & 1)
            take(&s, data);
        else
            use(&s, data);
        check(&s);
    }
    endpoint_free(s.endpoint);
    return 0;
}
