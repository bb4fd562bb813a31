/* Every dissector on hostile bytes: the first two pick the link type, the rest is the packet. The whole tree is walked
 * and every value written, as text and as JSON, and some are asked for by name; values must lie within the packet's
 * buffers. */
#include "dissectors/dissect.h"
#include "dissectors/lookup.h"
#include "dissectors/registry.h"
#include "output/value.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct packet packet;
static struct buffer out;

/* Text may have been made of the packet, and lie in a dissector's scratch. */
static void check(struct span bytes, bool text)
{
    if (!bytes.at || !bytes.left || (text && bytes.left <= 255))
        return;
    for (unsigned i = 0; i < packet.buffer_count; i++) {
        struct span buffer = packet.buffers[i];
        if (bytes.at >= buffer.at && bytes.at + bytes.left <= buffer.at + buffer.left)
            return;
    }
    abort();
}

static void on_field(struct sink *sink, const struct field *field, const struct value *value)
{
    (void)sink;
    check(value->bytes, field->type == FIELD_TEXT);
    value_write(&out, field, value);
    value_write_named(&out, field, value);
    value_write_json(&out, field, value);
}

static void on_found(void *context, const struct field *field, const struct value *value)
{
    on_field(context, field, value);
}

/* Each row that there is, asked for by itself, as -e does. */
static bool on_row(void *context, const struct field_ref *ref)
{
    for (unsigned i = 0; i < packet.layer_count; i++)
        if (packet.layers[i].protocol == ref->protocol)
            lookup_read(ref, &packet, &packet.layers[i], on_found, context);
    return true;
}

static void on_option(struct sink *sink, const char *title, const struct value *value)
{
    (void)sink;
    check(value->bytes, false);
    buffer_text(&out, title);
}

static void on_layer(struct sink *sink, const struct packet *p, const struct layer *layer)
{
    (void)sink;
    if ((size_t)layer->offset + layer->length > p->buffers[layer->buffer].left || layer->end < layer->offset)
        abort();
    if (layer->protocol->summary)
        layer->protocol->summary(p, layer, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return 0;
    if (!out.start) {
        if (buffer_open(&out, -1, 1 << 16))
            abort();
        registry_open();
    }
    out.at = out.start;
    /* A copy of its own, so that one byte too many is seen. */
    uint8_t *copy = malloc(n - 2);
    if (n > 2 && copy)
        memcpy(copy, bytes + 2, n - 2);
    packet_reset(&packet, (struct span){ copy, n - 2 });
    packet.link_type = load_le16(bytes) & 0x1ff;
    packet.wire_length = (uint32_t)(n - 2) + (bytes[1] & 0x80 ? 1000 : 0); /* the top bit: the capture cut it short */
    dissect(&packet);
    struct sink sink = { .layer = on_layer, .field = on_field, .option = on_option };
    walk_packet(&packet, &sink);
    if (n % 8 == 0) /* it takes its time */
        lookup_each(on_row, NULL);
    free(copy);
    return 0;
}
