/* Walks a packet's layers through their tables into a sink. */
#include "protocol/protocol.h"
#include "protocol/sink.h"
#include "protocol/tlv.h"

static void walk_options(const struct field *f, const struct place *place, const struct value *run, struct sink *sink)
{
    struct span rest = run->bytes;
    struct option option;
    while (tlv_next(f->tlvs, &rest, &option)) {
        struct place inside = *place;
        inside.bytes = option.bytes;
        inside.start = place->start + (uint32_t)(option.bytes.at - place->bytes.at);
        if (sink->option) {
            struct value v = { .bytes = option.bytes,
                               .bit = inside.start * 8,
                               .width = (uint32_t)option.bytes.left * 8 };
            sink->option(sink, option.tlv->title, &v);
        }
        if (f->tlvs->common) {
            inside.rows = f->tlvs->common;
            walk_rows(&inside, sink);
        }
        if (option_has_rows(&option, place->layer)) {
            inside.rows = option.tlv->fields;
            inside.bytes = span_part(option.bytes, option.head, option.bytes.left);
            inside.start += (uint32_t)option.head;
            walk_rows(&inside, sink);
        }
        if (sink->option_end)
            sink->option_end(sink);
    }
}

void walk_rows(const struct place *place, struct sink *sink)
{
    struct value value;
    for (const struct field *f = place->rows; f->abbrev; f++) {
        for (unsigned turn = 0; field_read(f, place, turn, &value); turn++) {
            if (sink->field)
                sink->field(sink, f, &value);
            if (f->type == FIELD_TLVS)
                walk_options(f, place, &value, sink);
            if (!f->stride)
                break;
        }
    }
}

void walk_layer(const struct packet *packet, const struct layer *layer, struct sink *sink)
{
    if (sink->layer)
        sink->layer(sink, packet, layer);
    struct place place = {
        .packet = packet, .layer = layer, .rows = layer->protocol->fields, .bytes = layer_header(packet, layer)
    };
    walk_rows(&place, sink);
    if (layer->protocol->walk)
        layer->protocol->walk(packet, layer, sink);
    if (sink->layer_end)
        sink->layer_end(sink, packet, layer);
}

void walk_packet(const struct packet *packet, struct sink *sink)
{
    for (unsigned i = 0; i < packet->layer_count; i++)
        walk_layer(packet, &packet->layers[i], sink);
}
