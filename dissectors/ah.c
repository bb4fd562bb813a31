/* IP Authentication Header (RFC 4302): authenticates what follows, which stays readable. */
#include "base/text.h"
#include "protocol/protocol.h"

enum { LEAST = 12, NO_NEXT = 59 };

static const struct field fields[] = {
    { "ah.next_header", N_("Next Header"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = NO_NEXT },
    { "ah.length", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH, .counts = COUNTS_HEADER, .less = 8,
      .step = 4 },
    { "ah.reserved", N_("Reserved"), FIELD_BYTES, BYTE(2, 2) },
    { "ah.spi", N_("Security Parameters Index"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX },
    { "ah.sequence", N_("Sequence"), FIELD_UINT, BYTE(8, 4) },
    { "ah.icv", N_("Integrity Check Value"), FIELD_BYTES, TO_END(12) },
    { 0 },
};

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    const uint8_t *h = span_peek(in, 2);
    size_t length = h ? ((size_t)h[1] + 2) * 4 : LEAST; /* RFC 4302, 2.2: in words, less two */
    struct span header = span_part(*in, 0, length);     /* less than LEAST is RFC 1826's, without a sequence number */
    self->length = (uint32_t)header.left;
    span_pull(in, header.left);
    if (header.left < length)
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    if (self->network)
        packet->networks[self->network - 1].protocol = h[0];
    *next = (struct key){ KEY_IP, h[0], 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (layer->verdict != VERDICT_WHOLE || h.left < LEAST) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad length" : "cut short");
        return;
    }
    buffer_text(out, "spi 0x");
    buffer_hex(out, load_be32(h.at + 4), 8);
    buffer_text(out, " seq ");
    buffer_decimal(out, load_be32(h.at + 8));
}

static const struct key keys[] = {
    { KEY_IP, 51, 0 },
    { 0 },
};

const struct protocol ah_protocol = {
    .name = "ah",
    .label = "AH",
    .title = N_("Authentication Header"),
    .rfc = "RFC 4302",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
