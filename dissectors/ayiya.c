/* Anything In Anything (draft-massar-v6ops-ayiya): signed tunnels of IPv6 over UDP, as SixXS had them. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { HEADER = 8, FORWARD = 1 };

static bool identity(const struct place *place, struct value *value);
static bool signature(const struct place *place, struct value *value);

static const struct value_name opcodes[] = {
    { 0, "Heartbeat" },
    { FORWARD, "Forward" },
    { 2, "Echo request" },
    { 3, "Echo request, forwarded" },
    { 4, "Echo response" },
    { 5, "Message of the day" },
    { 6, "Query request" },
    { 7, "Query response" },
    { 0, NULL },
};

enum { ROW_OPCODE = 5 };
static const struct field fields[] = {
    { "ayiya.idlen", N_("Identity length, as a power of 2"), FIELD_UINT, BITS(0, 4), .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "ayiya.idtype", N_("Identity type"), FIELD_UINT, BITS(4, 4) },
    { "ayiya.siglen", N_("Signature length"), FIELD_UINT, BITS(8, 4), .unit = 4, .role = ROLE_LENGTH,
      .counts = COUNTS_VALUES },
    { "ayiya.hashmethod", N_("Hash method"), FIELD_UINT, BITS(12, 4) },
    { "ayiya.authmethod", N_("Authentication method"), FIELD_UINT, BITS(16, 4) },
    { "ayiya.opcode", N_("Operation Code"), FIELD_UINT, BITS(20, 4), .names = opcodes },
    { "ayiya.nextheader", N_("Next Header"), FIELD_UINT, BYTE(3, 1), .role = ROLE_NEXT },
    { "ayiya.epoch", N_("Epoch, seconds since 1970"), FIELD_UINT, BYTE(4, 4) },
    { "ayiya.identity", N_("Identity"), FIELD_BYTES, .read = identity },
    { "ayiya.signature", N_("Signature"), FIELD_BYTES, .read = signature },
    { 0 },
};

static size_t identity_length(const uint8_t *h)
{
    return (size_t)1 << (h[0] >> 4);
}

static size_t signature_length(const uint8_t *h)
{
    return (h[1] >> 4) * (size_t)4;
}

static bool part(const struct place *place, size_t from, size_t length, struct value *value)
{
    *value = (struct value){ .bytes = span_part(place->bytes, from, length),
                             .bit = (uint32_t)from * 8,
                             .width = (uint32_t)length * 8 };
    return length && value->bytes.left == length;
}

static bool identity(const struct place *place, struct value *value)
{
    return place->bytes.left >= HEADER && part(place, HEADER, identity_length(place->bytes.at), value);
}

static bool signature(const struct place *place, struct value *value)
{
    const uint8_t *h = span_peek(&place->bytes, HEADER);
    return h && part(place, HEADER + identity_length(h), signature_length(h), value);
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, HEADER);
    size_t captured = in->left, length = h ? HEADER + identity_length(h) + signature_length(h) : HEADER;
    if (!span_pull(in, length)) {
        self->length = (uint32_t)captured;
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    if ((h[2] & 15) == FORWARD)
        *next = (struct key){ KEY_IP, h[3], 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    const char *name = field_value_name(&fields[ROW_OPCODE], h[2] & 15);
    buffer_text(out, name ? name : "opcode ");
    if (!name)
        buffer_decimal(out, h[2] & 15);
    buffer_text(out, ", next header ");
    buffer_decimal(out, h[3]);
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 5072, 0 },
    { 0 },
};

const struct protocol ayiya_protocol = {
    .name = "ayiya",
    .label = "AYIYA",
    .title = N_("Anything In Anything"),
    .rfc = "draft-massar-v6ops-ayiya",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
