/* The tracker on random valid segments in random order, and on raw packets: no crash, and what must hold holds. Each
 * step takes eight bytes of the input: who sends what, from where in its sequence space, and how much later. */
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "track/fragments.h"
#include "track/sockets.h"
#include "track/tally.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 8, CONNECTIONS = 4, MOST = 3, LINK_ETHERNET = 1, LINK_IPV4 = 228 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void changed(struct tcp_watch *watch, struct flow *f, unsigned end, enum tcp_state from, enum tcp_state to)
{
    (void)watch;
    (void)f;
    (void)end;
    if (!tcp_state_allowed(from, to))
        fprintf(stderr, "no arrow leads from %s to %s\n", tcp_state_name(from), tcp_state_name(to));
    must(tcp_state_allowed(from, to));
}

static uint32_t near(const uint8_t *base, uint8_t where)
{
    return load_be32(base) + (uint32_t)(where & 31) * 100 - (where & 32 ? 1500 : 0) + (where >> 6);
}

/* IPv4 and TCP; returns the length. */
static size_t write_segment(uint8_t *h, const uint8_t *step)
{
    static const uint8_t bases[2][4] = { { 0xff, 0xff, 0xfc, 0x18 }, { 0, 0, 1, 0xf4 } };
    static const uint8_t flags[16] = {
        2, 0x12, 0x10, 0x10, 0x18, 0x18, 0x11, 0x11, 4, 0x14, 2, 0x12, 1, 0x10, 3, 0x10
    };
    unsigned from = step[0] & 1, which = step[0] >> 1 & (CONNECTIONS - 1);
    size_t n = 40 + (size_t)(step[1] >> 4) * 10;
    memset(h, 0, n);
    h[0] = 0x45;
    store_be16(h + 2, (uint16_t)n);
    h[5] = step[7];
    h[8] = 64;
    h[9] = 6;
    h[12] = h[16] = 10;
    h[15] = (uint8_t)(1 + from);
    h[19] = (uint8_t)(2 - from);
    store_be16(h + (from ? 20 : 22), 80);
    store_be16(h + (from ? 22 : 20), (uint16_t)(1000 + which));
    uint32_t seq = near(bases[from], step[2]), ack = near(bases[!from], step[3]);
    for (unsigned i = 0; i < 4; i++) {
        h[24 + i] = (uint8_t)(seq >> (24 - 8 * i));
        h[28 + i] = (uint8_t)(ack >> (24 - 8 * i));
    }
    h[32] = 5 << 4;
    h[33] = flags[step[1] & 15];
    h[34] = step[4];
    return n;
}

static void check(const struct tracker *t, const struct sockets *s, int64_t now)
{
    must(t->flows.live <= MOST);
    must(fragments_bytes(t->fragments) <= FRAGMENT_BYTES);
    for (uint32_t i = 0; i < t->flows.count; i++) {
        const struct flow *f = flow_at(&t->flows, i);
        if (f->flags & FLOW_FREE)
            continue;
        for (unsigned end = 0; end < 2; end++) {
            const struct flow_end *e = &f->end[end], *peer = &f->end[!end];
            must(e->state < TCP_STATES);
            must(tcp_state_at(f, end, (int32_t)((now - f->first) / 1000000)) < TCP_STATES);
            /* what is acknowledged was sent */
            bool both = e->state >= TCP_ESTABLISHED && peer->state >= TCP_ESTABLISHED && peer->flags & END_HEARD;
            must(!both || f->flags & FLOW_REUSED || tcp_unacknowledged(f, end) < 1u << 31);
            must(strnlen(flow_detail_at(&t->flows, i)->history, 20) < 20);
        }
        (void)tally_conn_state(f, flow_detail_at(&t->flows, i));
    }
    (void)s;
}

static void ignore(void *context, const struct socket *socket)
{
    (void)context;
    must(socket->state > TCP_CLOSED || socket->protocol == 17);
}

static void take(struct tracker *t, struct packet *p, const uint8_t *bytes, size_t n, uint16_t link_type, int64_t now)
{
    packet_reset(p, (struct span){ bytes, n });
    p->number++;
    p->time = now;
    p->timed = true;
    p->link_type = link_type;
    p->wire_length = (uint32_t)n;
    dissect(p);
    tracker_take(t, p);
}

/* The same segments, some of them datagrams, taken apart each, and only where that is not predicted: the conversations
 * are the same. */
static void predict(const uint8_t *data, size_t size)
{
    static struct packet p;
    static uint8_t frame[512];
    struct tracker apart, quick;
    must(!tracker_open(&apart, TRACK_FRAGMENTS | TRACK_STATES, NULL));
    must(!tracker_open(&quick, TRACK_FRAGMENTS | TRACK_STATES, NULL));
    apart.max_connections = quick.max_connections = MOST;
    memcpy(frame, (uint8_t[14]){ [12] = 8 }, 14);
    int64_t now = INT64_C(1700000000000000000);
    for (; size >= STEP; data += STEP, size -= STEP) {
        now += ((int64_t)data[5] - 16) * (data[6] & 1 ? 1000000000 : 1000000);
        size_t n = 14 + write_segment(frame + 14, data);
        if ((data[6] & 6) == 6) { /* a datagram between the same ports */
            frame[14 + 9] = 17;
            store_be16(frame + 14 + 20 + 4, data[4]);
        }
        take(&apart, &p, frame, n, LINK_ETHERNET, now);
        if (!tracker_predicts(&quick, (struct span){ frame, n }, LINK_ETHERNET, (uint32_t)n, now))
            take(&quick, &p, frame, n, LINK_ETHERNET, now);
    }
    must(apart.flows.count == quick.flows.count);
    for (uint32_t i = 0; i < apart.flows.count; i++)
        must(!memcmp(flow_at(&apart.flows, i), flow_at(&quick.flows, i), sizeof(struct flow)));
    tracker_close(&apart);
    tracker_close(&quick);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet p;
    static uint8_t bytes[512];
    struct tracker t;
    struct sockets s;
    struct tcp_watch watch = { changed, NULL };
    static bool ready;
    if (!ready)
        registry_open();
    ready = true;
    predict(data, size);
    must(!tracker_open(&t, TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_STATES | TRACK_DETAILS | TRACK_ANALYSIS, NULL));
    t.max_connections = MOST;
    sockets_open(&s, &t);
    s.next = &watch;
    int64_t now = INT64_C(1700000000000000000);
    for (; size >= STEP; data += STEP, size -= STEP) {
        now += ((int64_t)data[5] - 16) * (data[6] & 1 ? 1000000000 : 1000000);
        if (data[6] & 2) /* whatever the rest of the input is, as a packet */
            take(&t, &p, data, size, LINK_IPV4, now);
        else
            take(&t, &p, bytes, write_segment(bytes, data), LINK_IPV4, now);
        check(&t, &s, now);
    }
    struct sockets_query q = { .time = now, .listeners = true, .tcp = true, .udp = true };
    sockets_list(&s, &q, ignore, NULL);
    sockets_close(&s);
    tracker_close(&t);
    return 0;
}
