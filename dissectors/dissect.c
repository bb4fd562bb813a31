#include "dissectors/dissect.h"
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

/* Whose the payload is. Of TCP's, where no stream is put together: who has a message that begins with the segment. */
static const struct protocol *find_next(const struct packet *p, struct key key, struct span *in, uint32_t *offset)
{
    const struct protocol *protocol;
    if (key.space != KEY_TCP_PORT) {
        protocol = registry_find(key);
        return protocol || key.space != KEY_UDP_PORT ? protocol : registry_by_looks(*in, PROBE_DATAGRAM);
    }
    protocol = p->streams ? NULL : registry_stream(key.value, key.other, *in);
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
        protocol = find_next(p, next, &in, &offset);
    }
    p->layer_count = (uint8_t)(self + 1 - p->layers);
    p->subject = (uint8_t)(subject - p->layers);
}

void dissect(struct packet *p)
{
    struct span in = p->buffers[0];
    uint32_t end = p->wire_length > in.left ? p->wire_length : (uint32_t)in.left;
    if (end)
        run_layers(p, registry_find((struct key){ KEY_LINK, p->link_type, 0 }), in, 0, end, 0, 0, 0);
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
                     uint32_t end, uint8_t flags)
{
    struct span in = span_part(p->buffers[tcp->buffer], offset, end - offset);
    if (p->layer_count < LAYERS_MAX - 1 && end > offset)
        run_layers(p, protocol, in, offset, end, tcp->buffer, tcp->network, flags);
}

void dissect_assembled(struct packet *p, const struct protocol *protocol, const struct layer *tcp, struct span bytes,
                       uint32_t length, uint8_t flags)
{
    uint32_t head = protocol->head;
    if (p->buffer_count == BUFFERS_MAX || p->layer_count >= LAYERS_MAX - 1 || bytes.left <= head)
        return;
    uint8_t buffer = p->buffer_count++;
    p->buffers[buffer] = bytes;
    run_layers(p, protocol, span_part(bytes, head, bytes.left), head, length, buffer, tcp->network, flags);
}
