/* Bytes that no dissector takes: an unknown protocol, a payload, a fragment. Never an error. */
#include "base/text.h"
#include "protocol/protocol.h"
#include <stddef.h>

static bool length(const struct place *place, struct value *value)
{
    value->u = place->layer->end - place->layer->offset;
    return true;
}

static const struct field fields[] = {
    { "data.data", N_("Data"), FIELD_BYTES, TO_END(0) },
    { "data.len", N_("Length"), FIELD_UINT, .read = length },
    { 0 },
};

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    (void)packet;
    if (layer->flags & LAYER_DEEP)
        buffer_text(out, "nested too deep: ");
    buffer_decimal(out, layer->end - layer->offset);
    buffer_text(out, " bytes");
}

const struct protocol data_protocol = {
    .name = "data",
    .label = "Data",
    .title = N_("Data"),
    .fields = fields,
    .summary = summary,
};
