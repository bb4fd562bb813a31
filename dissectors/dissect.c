#include "dissectors/dissect.h"
#include "dissectors/registry.h"

/* What every layer of a run shares. */
struct run {
    struct span in;  /* what is left, as captured, never beyond end */
    uint32_t offset; /* in the buffer */
    uint32_t end;    /* what encloses the next layer ends here, on the wire */
    uint8_t buffer, flags, network;
};

static inline struct layer *add_layer(struct packet *p, const struct run *run, const struct protocol *protocol)
{
    struct layer *layer = &p->layers[p->layer_count++];
    *layer = (struct layer){
        .protocol = protocol,
        .offset = run->offset,
        .end = run->end,
        .buffer = run->buffer,
        .flags = run->flags,
        .network = run->network,
    };
    return layer;
}

/* What nobody takes, or nobody may take any more. */
static void add_data(struct packet *p, const struct run *run)
{
    struct layer *self = add_layer(p, run, &data_protocol);
    self->length = (uint32_t)run->in.left;
    self->verdict = self->length < run->end - run->offset ? VERDICT_CUT : VERDICT_WHOLE;
}

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

static void run_layers(struct packet *p, const struct protocol *protocol, struct run *run)
{
    while (protocol) {
        if (p->layer_count == LAYERS_MAX - 1) {
            run->flags |= LAYER_DEEP;
            break;
        }
        struct layer *self = add_layer(p, run, protocol);
        if (!(run->flags & LAYER_QUOTED))
            p->subject = (uint8_t)(p->layer_count - 1);
        struct key next = { 0 };
        self->verdict = (uint8_t)(protocol->dissect ? protocol->dissect(p, self, &run->in, &next)
                                                    : dissect_by_table(p, self, &run->in, &next));
        if (self->verdict != VERDICT_WHOLE && !next.space)
            return;
        run->offset = self->offset + self->length;
        run->end = self->end;
        run->flags = self->flags;
        run->network = p->network_count;
        if (run->offset >= run->end)
            return;
        size_t wire = run->end - run->offset;
        if (run->in.left > wire)
            run->in.left = wire;
        if (next.space == KEY_ICMP_QUOTE)
            run->flags |= LAYER_QUOTED;
        protocol = registry_find(next);
    }
    add_data(p, run);
}

void dissect(struct packet *p)
{
    struct span in = p->buffers[0];
    struct run run = { .in = in, .end = p->wire_length > in.left ? p->wire_length : (uint32_t)in.left };
    if (run.end)
        run_layers(p, registry_find((struct key){ KEY_LINK, p->link_type, 0 }), &run);
}

void dissect_buffer(struct packet *p, struct span bytes, struct key key, uint8_t network)
{
    if (p->buffer_count == BUFFERS_MAX || p->layer_count >= LAYERS_MAX - 1 || !bytes.left)
        return;
    uint8_t buffer = p->buffer_count++;
    p->buffers[buffer] = bytes;
    struct run run = { .in = bytes, .end = (uint32_t)bytes.left, .buffer = buffer, .network = network };
    run_layers(p, registry_find(key), &run);
}
