/* Header prediction: the next segment of an established connection mostly carries data or an acknowledgement and
 * nothing else, so that a few comparisons tell all that the tracker would find out by taking the packet apart (V.
 * Jacobson's idea for receivers, here for one who looks on). */
#include "dissectors/everyday.h"
#include "track/tcp_state.h"
#include "track/tracker.h"

enum { TCP_ODD = TCP_SYN | TCP_RST | TCP_FIN };

/* The conversation of a segment if it was met lately, over IPv4; NULL: ask the table. */
static inline struct flow *recent_flow(const struct flow_table *t, const uint8_t *h, unsigned *end)
{
    uint32_t from = load_be32(h + 26), to = load_be32(h + 30);
    uint16_t source = load_be16(h + EVERYDAY_TCP), destination = load_be16(h + EVERYDAY_TCP + 2);
    uint32_t index = t->recent[flow_quick(from, to, source, destination)];
    if (index == FLOW_NONE)
        return NULL;
    struct flow *f = flow_at(t, index);
    __builtin_prefetch((const char *)f + 64, 1);
    unsigned e = from != to ? from > to : source > destination;
    *end = e;
    bool same = f->address[e] == from && f->address[!e] == to && f->port[e] == source && f->port[!e] == destination;
    return same && f->protocol == EVERYDAY_PROTOCOL && !(f->flags & (FLOW_FREE | FLOW_IPV6 | FLOW_UNTIMED)) ? f : NULL;
}

bool tracker_predicts(struct tracker *t, struct span packet, uint16_t link_type, uint32_t wire_length, int64_t time)
{
    struct everyday e = everyday_look(packet, link_type, wire_length);
    const uint8_t *h = e.bytes;
    unsigned end;
    if (!h || (h[EVERYDAY_TCP + 13] & (TCP_ODD | TCP_ACK)) != TCP_ACK)
        return false;
    struct flow *f = recent_flow(&t->flows, h, &end);
    if (!f)
        return false;
    struct segment s = {
        .seq = load_be32(h + EVERYDAY_TCP + 4),
        .ack = load_be32(h + EVERYDAY_TCP + 8),
        .flags = TCP_ACK,
        .length = e.end - e.payload,
        .time = time,
        .since = time - f->last,
        .measured = true,
        .sound = true,
    };
    struct flow_end *from = &f->end[end], *to = &f->end[!end];
    if (!tcp_state_is_usual(from, to, &s))
        return false;
    s.copy = tcp_is_copy(f, end, &s, load_be16(h + 18));
    f->last = time;
    tally_usual(f, end, &s);
    if (!s.copy)
        tcp_state_take_usual(from, to, &s);
    return true;
}
