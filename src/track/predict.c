/* Header prediction: the next segment of an established connection mostly carries data or an acknowledgement and
 * nothing else, so that a few comparisons tell all that the tracker would find out by taking the packet apart (V.
 * Jacobson's idea for receivers, here for one who looks on). */
#include "dissectors/everyday.h"
#include "dissectors/registry.h"
#include "track/tcp_state.h"
#include "track/tracker.h"

enum { TCP_ODD = TCP_SYN | TCP_RST | TCP_FIN };

/* The conversation of a segment or datagram if it was met lately, over IPv4; NULL: ask the table. */
static inline struct flow *recent_flow(const struct flow_table *t, uint8_t protocol, uint32_t from, uint32_t to,
                                       uint16_t source, uint16_t destination, unsigned *end)
{
    uint32_t index = t->recent[flow_quick(from, to, source, destination)];
    if (index == FLOW_NONE)
        return NULL;
    struct flow *f = flow_at(t, index);
    __builtin_prefetch((const char *)f + 64, 1);
    unsigned e = from != to ? from > to : source > destination;
    *end = e;
    bool same = f->address[e] == from && f->address[!e] == to && f->port[e] == source && f->port[!e] == destination;
    return same && f->protocol == protocol && !(f->flags & (FLOW_FREE | FLOW_IPV6 | FLOW_UNTIMED)) ? f : NULL;
}

static inline struct flow *flow_of(const struct flow_table *t, const uint8_t *h, uint8_t protocol, unsigned *end)
{
    return recent_flow(t, protocol, load_be32(h + AT_IP_SOURCE), load_be32(h + AT_IP_DESTINATION),
                       load_be16(h + AT_TCP_SOURCE), load_be16(h + AT_TCP_DESTINATION), end);
}

/* What goes on where its end's last one ended, and acknowledges nothing that the capture has not: of all that tally and
 * states would look for, only this is left to do. False: look for it. */
static inline bool take_in_order(struct flow *f, unsigned end, uint32_t seq, uint32_t ack, uint32_t length)
{
    struct flow_end *from = &f->end[end];
    if (seq != from->sent || seq_diff(ack, f->end[!end].sent) > 0)
        return false;
    f->packets[end]++;
    f->bytes[end] += length;
    from->sent = seq + length;
    if (length)
        from->flags &= (uint16_t)~END_UNSEEN;
    if (seq_diff(ack, from->received) > 0)
        from->received = ack;
    return true;
}

static bool take_usual(struct flow *f, unsigned end, const struct segment *s, uint16_t ident)
{
    struct flow_end *from = &f->end[end], *to = &f->end[!end];
    struct segment again = *s;
    again.copy = tcp_is_copy(f, end, s, ident);
    f->last = s->time;
    tally_usual(f, end, &again);
    if (!again.copy)
        tcp_state_take_usual(from, to, s);
    return true;
}

static inline bool predicts_segment(struct tracker *t, const struct everyday *e, int64_t time)
{
    const uint8_t *h = e->bytes;
    unsigned end;
    if ((h[AT_TCP_OFFSET + 1] & (TCP_ODD | TCP_ACK)) != TCP_ACK)
        return false;
    struct flow *f = flow_of(&t->flows, h, EVERYDAY_PROTOCOL, &end);
    if (!f)
        return false;
    uint32_t seq = load_be32(h + AT_TCP_SEQ), ack = load_be32(h + AT_TCP_ACK), length = e->end - e->payload;
    if (!tcp_state_is_usual(&f->end[end], &f->end[!end], seq))
        return false;
    uint16_t ident = load_be16(h + AT_IP_ID);
    if (take_in_order(f, end, seq, ack, length)) {
        f->ident[end] = ident;
        f->last = time;
        return true;
    }
    struct segment s = {
        .seq = seq,
        .ack = ack,
        .flags = TCP_ACK,
        .length = length,
        .time = time,
        .since = time - f->last,
        .measured = true,
        .sound = true,
    };
    return take_usual(f, end, &s, ident);
}

static inline bool is_leaf(const struct protocol *protocol)
{
    return !protocol || protocol->leaf;
}

/* A datagram of a conversation that was met lately, in which no tunnel may be. */
static bool predicts_datagram(struct tracker *t, const uint8_t *h, uint32_t wire_end, int64_t time)
{
    uint32_t length = load_be16(h + AT_UDP_LENGTH), end_ip = AT_IP + load_be16(h + AT_IP_LENGTH);
    uint16_t source = load_be16(h + AT_TCP_SOURCE), destination = load_be16(h + AT_TCP_DESTINATION);
    bool down = destination <= source; /* as UDP's own dissector asks */
    struct key key = { KEY_UDP_PORT, down ? destination : source, down ? source : destination };
    unsigned end;
    if (length < AT_UDP_PAYLOAD - AT_TCP || AT_TCP + length > end_ip || end_ip > wire_end ||
        !is_leaf(registry_find(key)))
        return false;
    struct flow *f = flow_of(&t->flows, h, EVERYDAY_DATAGRAM, &end);
    if (!f)
        return false;
    struct tally_place place = { .flow = f, .end = end };
    f->last = time;
    tally_udp(&place, length - (AT_UDP_PAYLOAD - AT_TCP), time);
    return true;
}

bool tracker_predicts(struct tracker *t, struct span packet, uint16_t link_type, uint32_t wire_length, int64_t time)
{
    enum { TYPE_LEAST = 0x600 /* less is a length: IEEE 802.3, 3.2.6 */ };
    struct everyday e = everyday_look(packet, link_type, wire_length);
    if (__builtin_expect(e.bytes != NULL, 1))
        return predicts_segment(t, &e, time);
    const uint8_t *h = span_peek(&packet, AT_UDP_PAYLOAD);
    if (!h || link_type != EVERYDAY_LINK)
        return false;
    uint16_t type = load_be16(h + AT_ETHERTYPE);
    if (type != EVERYDAY_TYPE)
        return type >= TYPE_LEAST && is_leaf(registry_find((struct key){ KEY_ETHERTYPE, type, 0 }));
    if (!everyday_plain(h, link_type))
        return false;
    if (h[AT_IP_PROTOCOL] == EVERYDAY_DATAGRAM)
        return predicts_datagram(t, h, wire_end(packet, wire_length), time);
    return is_leaf(registry_find((struct key){ KEY_IP, h[AT_IP_PROTOCOL], 0 }));
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
    struct flow *f =
        recent_flow(&t->flows, EVERYDAY_PROTOCOL, p->ip_src, p->ip_dst, p->tcp_srcport, p->tcp_dstport, &end);
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
