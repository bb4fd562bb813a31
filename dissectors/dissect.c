#include "dissectors/dissect.h"
#include "dissectors/everyday.h"
#include "dissectors/registry.h"

/* For a protocol that has no dissect of its own: its shortest header, and the key in its ROLE_NEXT row. */
static enum verdict dissect_by_table(struct packet *p, struct layer *self, struct span *in, struct key *next)
{
    const struct protocol *protocol = self->protocol;
    struct span header = span_part(*in, 0, protocol->least ? protocol->least : in->left);
    self->length = (uint32_t)header.left;
    struct place place = { .packet = p, .layer = self, .rows = protocol->fields, .bytes = header };
    struct value value;
    for (const struct field *f = protocol->fields; f->abbrev; f++)
        if (f->role == ROLE_NEXT && field_read(f, &place, 0, &value))
            *next = (struct key){ protocol->carries, (uint16_t)value.u, 0 };
    span_pull(in, header.left);
    return header.left < protocol->least ? VERDICT_CUT : VERDICT_WHOLE;
}

/* Whose the payload is. Of TCP's, where no stream is put together (none is of what errors quote): who has a message
 * that begins with the segment. */
static inline const struct protocol *find_next(const struct packet *p, struct key key, struct span *in,
                                               uint32_t *offset, uint8_t flags)
{
    const struct protocol *protocol;
    if (key.space != KEY_TCP_PORT) {
        protocol = registry_find(key);
        if (key.space != KEY_UDP_PORT)
            return protocol;
        if (p->stop == KEY_TCP_PORT) /* those known by their looks are leaves, too: a test says so */
            return protocol && protocol->leaf ? NULL : protocol;
        return protocol ? protocol : registry_by_looks(*in, PROBE_DATAGRAM);
    }
    bool alone = !p->streams || flags & LAYER_QUOTED;
    protocol = alone ? registry_stream(key.value, key.other, *in) : NULL;
    if (protocol && span_pull(in, protocol->head))
        *offset += protocol->head;
    return protocol;
}

/* Takes layer after layer off `in`, which lies at `offset` of a buffer; what encloses the first one ends at `end`
 * there, on the wire. What nobody takes, or nobody may take any more, is data. */
static void run_layers(struct packet *p, const struct protocol *protocol, struct span in, uint32_t offset, uint32_t end,
                       uint8_t buffer, uint8_t network, uint8_t flags)
{
    struct layer *self = &p->layers[p->layer_count], *subject = &p->layers[p->subject];
    for (;; self++) {
        self->protocol = protocol;
        self->offset = offset;
        self->length = 0;
        self->end = end;
        self->buffer = buffer;
        self->note = 0;
        self->flags = flags;
        self->network = network;
        if (!protocol || self == &p->layers[LAYERS_MAX - 1]) {
            self->flags |= protocol ? LAYER_DEEP : 0;
            self->protocol = &data_protocol;
            self->length = (uint32_t)in.left;
            self->verdict = in.left < end - offset ? VERDICT_CUT : VERDICT_WHOLE;
            break;
        }
        if (!(flags & LAYER_QUOTED))
            subject = self;
        struct key next = { 0 };
        enum verdict verdict =
            protocol->dissect ? protocol->dissect(p, self, &in, &next) : dissect_by_table(p, self, &in, &next);
        self->verdict = (uint8_t)verdict;
        offset += self->length;
        end = self->end;
        if ((verdict != VERDICT_WHOLE && !next.space) || offset >= end || (next.space && next.space == p->stop))
            break;
        if (in.left > end - offset)
            in.left = end - offset;
        flags = (uint8_t)(next.space == KEY_ICMP_QUOTE ? self->flags | LAYER_QUOTED : self->flags);
        network = p->network_count;
        protocol = find_next(p, next, &in, &offset, flags);
    }
    p->layer_count = (uint8_t)(self + 1 - p->layers);
    p->subject = (uint8_t)(subject - p->layers);
}

void dissect_layers(struct packet *p)
{
    uint32_t end = wire_end(p->buffers[0], p->wire_length);
    if (end)
        run_layers(p, registry_find((struct key){ KEY_LINK, p->link_type, 0 }), p->buffers[0], 0, end, 0, 0, 0);
}

/* --- the stack of everyday --- */

static inline void note_layer(struct packet *p, unsigned index, const struct protocol *protocol, uint32_t offset,
                              uint32_t length, uint32_t end, uint8_t network)
{
    p->layers[index] =
        (struct layer){ .protocol = protocol, .offset = offset, .length = length, .end = end, .network = network };
}

/* Ethernet's and IPv4's hot copies, and theirs whose bit is `above`. */
static inline void copy_plain(struct packet *p, const uint8_t *h, uint8_t protocol, uint8_t above)
{
    p->have = HOT_ETH | HOT_IP | above;
    p->ethertype = EVERYDAY_TYPE;
    p->ip_length = load_be16(h + AT_IP_LENGTH);
    p->ip_id = load_be16(h + AT_IP_ID);
    p->ip_ttl = h[AT_IP_TTL];
    p->ip_proto = protocol;
    p->ip_src = load_be32(h + AT_IP_SOURCE);
    p->ip_dst = load_be32(h + AT_IP_DESTINATION);
    p->networks[0] = (struct network){ h + AT_IP_SOURCE, h + AT_IP_DESTINATION, h + AT_IP_DESTINATION, 4, protocol };
    p->network_count = 1;
}

static inline void copy_tcp(struct packet *p, const uint8_t *h, uint32_t payload)
{
    p->tcp_srcport = load_be16(h + AT_TCP_SOURCE);
    p->tcp_dstport = load_be16(h + AT_TCP_DESTINATION);
    p->tcp_seq = load_be32(h + AT_TCP_SEQ);
    p->tcp_ack = load_be32(h + AT_TCP_ACK);
    p->tcp_flags = load_be16(h + AT_TCP_OFFSET) & 0xfff;
    p->tcp_window = load_be16(h + AT_TCP_WINDOW);
    p->tcp_length = payload;
}

/* Ethernet, IPv4 up to ip_end, and the third, up to `end`, of `length` bytes. */
static inline void note_stack(struct packet *p, uint32_t ip_end, const struct protocol *third, uint32_t length,
                              uint32_t end)
{
    note_layer(p, 0, &eth_protocol, 0, AT_IP, wire_end(p->buffers[0], p->wire_length), 0);
    note_layer(p, 1, &ip_protocol, AT_IP, AT_TCP - AT_IP, ip_end, 1);
    note_layer(p, 2, third, AT_TCP, length, end, 1);
    p->layer_count = 3;
    p->subject = 2;
}

static inline void note_data(struct packet *p, uint32_t at, uint32_t left, uint32_t end)
{
    note_layer(p, 3, &data_protocol, at, left, end, 1);
    p->layers[3].verdict = left < end - at ? VERDICT_CUT : VERDICT_WHOLE;
    p->layer_count = 4;
}

/* The stack of everyday, with what its dissectors would note and copy one by one; a test holds the two ways together.
 * False: it is something else, and nothing was done. */
static inline bool dissect_everyday(struct packet *p)
{
    struct everyday e = everyday_look(p->buffers[0], p->link_type, p->wire_length);
    if (!e.bytes)
        return false;
    struct span in = p->buffers[0];
    uint32_t at = e.payload, end = e.end;
    copy_plain(p, e.bytes, EVERYDAY_PROTOCOL, HOT_TCP);
    copy_tcp(p, e.bytes, end - at);
    note_stack(p, end, &tcp_protocol, at - AT_TCP, end);
    if (at == end || p->stop == KEY_TCP_PORT)
        return true;
    uint32_t left = (uint32_t)(in.left < end ? in.left : end) - at;
    const struct protocol *next =
        p->streams ? NULL : registry_stream(p->tcp_dstport, p->tcp_srcport, (struct span){ in.at + at, left });
    if (next) {
        uint32_t head = next->head < left ? next->head : 0;
        run_layers(p, next, span_part(in, at + head, left - head), at + head, end, 0, 1, 0);
        return true;
    }
    note_data(p, at, left, end);
    return true;
}

/* The same of a datagram. */
static inline bool dissect_everyday_datagram(struct packet *p)
{
    struct span in = p->buffers[0];
    const uint8_t *h = span_peek(&in, AT_UDP_PAYLOAD);
    if (!h || !everyday_plain(h, p->link_type) || h[AT_IP_PROTOCOL] != EVERYDAY_DATAGRAM)
        return false;
    uint32_t ip_end = AT_IP + load_be16(h + AT_IP_LENGTH), length = load_be16(h + AT_UDP_LENGTH), end = AT_TCP + length;
    if (length < AT_UDP_PAYLOAD - AT_TCP || end > ip_end || ip_end > wire_end(in, p->wire_length))
        return false;
    copy_plain(p, h, EVERYDAY_DATAGRAM, HOT_UDP);
    p->udp_srcport = load_be16(h + AT_TCP_SOURCE);
    p->udp_dstport = load_be16(h + AT_TCP_DESTINATION);
    p->udp_length = (uint16_t)length;
    note_stack(p, ip_end, &udp_protocol, AT_UDP_PAYLOAD - AT_TCP, end);
    if (end == AT_UDP_PAYLOAD || p->stop == KEY_UDP_PORT)
        return true;
    uint32_t offset = AT_UDP_PAYLOAD;
    in = span_part(in, offset, end - offset);
    bool down = p->udp_dstport <= p->udp_srcport; /* as UDP's own dissector asks */
    struct key key = { KEY_UDP_PORT, down ? p->udp_dstport : p->udp_srcport, down ? p->udp_srcport : p->udp_dstport };
    const struct protocol *next = find_next(p, key, &in, &offset, 0);
    if (next)
        run_layers(p, next, in, offset, end, 0, 1, 0);
    else
        note_data(p, offset, (uint32_t)in.left, end);
    return true;
}

void dissect(struct packet *p)
{
    if (p->stop == KEY_ETHERTYPE || p->stop == KEY_IP || !(dissect_everyday(p) || dissect_everyday_datagram(p)))
        dissect_layers(p);
}

void dissect_buffer(struct packet *p, struct span bytes, struct key key, uint8_t network)
{
    if (p->buffer_count == BUFFERS_MAX || p->layer_count >= LAYERS_MAX - 1 || !bytes.left)
        return;
    uint8_t buffer = p->buffer_count++;
    p->buffers[buffer] = bytes;
    run_layers(p, registry_find(key), bytes, 0, (uint32_t)bytes.left, buffer, network, 0);
}

void dissect_message(struct packet *p, const struct protocol *protocol, const struct layer *tcp, uint32_t offset,
                     uint32_t end, const struct message *message)
{
    struct span in = span_part(p->buffers[tcp->buffer], offset, end - offset);
    struct layer *self = &p->layers[p->layer_count];
    if (p->layer_count >= LAYERS_MAX - 1 || end <= offset)
        return;
    run_layers(p, protocol, in, offset, end, tcp->buffer, tcp->network, message->flags);
    self->told = message->told;
}

void dissect_assembled(struct packet *p, const struct protocol *protocol, const struct layer *tcp, struct span bytes,
                       uint32_t length, const struct message *message)
{
    uint32_t head = protocol->head;
    struct layer *self = &p->layers[p->layer_count];
    if (p->buffer_count == BUFFERS_MAX || p->layer_count >= LAYERS_MAX - 1 || bytes.left <= head)
        return;
    uint8_t buffer = p->buffer_count++;
    p->buffers[buffer] = bytes;
    run_layers(p, protocol, span_part(bytes, head, bytes.left), head, length, buffer, tcp->network, message->flags);
    self->told = message->told;
}
