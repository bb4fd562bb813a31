/* Header prediction: the next segment of an established connection mostly carries data or an acknowledgement and
 * nothing else, so that a few comparisons tell all that the tracker would find out by taking the packet apart (V.
 * Jacobson's idea for receivers, here for one who looks on). */
#include "dissectors/everyday.h"
#include "track/tcp_state.h"
#include "track/tracker.h"

enum { TCP_ODD = TCP_SYN | TCP_RST | TCP_FIN };

/* The conversation of a segment if it was met lately, over IPv4; NULL: ask the table. */
static inline struct flow *recent_flow(const struct flow_table *t, uint32_t from, uint32_t to, uint16_t source,
                                       uint16_t destination, unsigned *end)
{
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
    if (!h || (h[AT_TCP_OFFSET + 1] & (TCP_ODD | TCP_ACK)) != TCP_ACK)
        return false;
    struct flow *f = recent_flow(&t->flows, load_be32(h + AT_IP_SOURCE), load_be32(h + AT_IP_DESTINATION),
                                 load_be16(h + AT_TCP_SOURCE), load_be16(h + AT_TCP_DESTINATION), &end);
    if (!f)
        return false;
    struct segment s = {
        .seq = load_be32(h + AT_TCP_SEQ),
        .ack = load_be32(h + AT_TCP_ACK),
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
    s.copy = tcp_is_copy(f, end, &s, load_be16(h + AT_IP_ID));
    f->last = time;
    tally_usual(f, end, &s);
    if (!s.copy)
        tcp_state_take_usual(from, to, &s);
    return true;
}

#define BIT(which) (UINT64_C(1) << (which))

bool tracker_predicts_note(struct tracker *t, struct packet *p, struct layer *l)
{
    enum { HOT = HOT_ETH | HOT_IP | HOT_TCP };
    uint32_t wire = l->end - l->offset;
    unsigned end;
    if (p->have != HOT || p->again || p->tcp_flags & TCP_SYN || l->flags | l->verdict || !p->timed ||
        p->networks[0].final != p->networks[0].destination || l->length > wire || l->end < l->offset)
        return false;
    struct flow *f = recent_flow(&t->flows, p->ip_src, p->ip_dst, p->tcp_srcport, p->tcp_dstport, &end);
    if (!f)
        return false;
    const struct flow_end *from = &f->end[end], *to = &f->end[!end];
    if (!(from->flags & to->flags & END_BASE))
        return false;
    struct note *note = &p->notes[0];
    p->note_count = l->note = 1;
    note->have = BIT(NOTE_STREAM) | BIT(NOTE_SEQ) | BIT(NOTE_ACK) | BIT(NOTE_WINDOW) | BIT(NOTE_WINDOW_SCALE) |
                 BIT(NOTE_TIME_RELATIVE) | BIT(NOTE_TIME_DELTA);
    note->stream = f->stream;
    note->seq = p->tcp_seq - from->base;
    note->next_seq = note->seq + wire - l->length + (p->tcp_flags & TCP_FIN ? 1 : 0);
    note->ack = p->tcp_flags & TCP_ACK ? p->tcp_ack - to->base : p->tcp_ack;
    bool scaled = from->scale <= SCALE_MOST;
    note->window = (uint32_t)p->tcp_window << (scaled ? from->scale : 0);
    note->scale = scaled ? 1 << from->scale : from->scale == SCALE_NONE ? -2 : -1;
    note->time_relative = p->time - f->first;
    note->time_delta = p->time - f->last;
    f->last = p->time;
    return true;
}
