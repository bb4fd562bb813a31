/* Generic Network Virtualization Encapsulation (RFC 8926): frames and datagrams over UDP, with options. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum { HEADER = 8, OPTION = 4, UNIT = 4, TYPE_MIN = 1536 };

static size_t option_length(struct span run);

static const struct field option_fields[] = {
    { "geneve.option.class", N_("Class"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX },
    { "geneve.option.type", N_("Type"), FIELD_UINT, BYTE(2, 1), .base = BASE_HEX },
    { "geneve.option.type.critical", N_("Critical"), FIELD_BOOL, BITS(16, 1) },
    { "geneve.option.length", N_("Length"), FIELD_UINT, BITS(27, 5), .plus = 1, .unit = UNIT, .role = ROLE_LENGTH },
    { 0 },
};
static const struct field option_data[] = {
    { "geneve.option.unknown.data", N_("Data"), FIELD_BYTES, TO_END(OPTION) },
    { 0 },
};
static const struct tlv options[] = {
    { 0xffff, "Option", option_data },
    { 0 },
};
static const struct tlv_set option_set = {
    .kind_size = 2, .measure = option_length, .common = option_fields, .kinds = options
};

static const struct field fields[] = {
    { "geneve.version", N_("Version"), FIELD_UINT, BITS(0, 2) },
    { "geneve.opt_len", N_("Length of the options"), FIELD_UINT, BITS(2, 6), .unit = UNIT, .role = ROLE_LENGTH,
      .counts = COUNTS_HEADER, .less = HEADER },
    { "geneve.flags", N_("Flags"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX },
    { "geneve.flags.oam", N_("Control packet"), FIELD_BOOL, BITS(8, 1) },
    { "geneve.flags.critical", N_("Critical options present"), FIELD_BOOL, BITS(9, 1) },
    { "geneve.flags.reserved", N_("Reserved"), FIELD_BOOL, BITS(10, 6) },
    { "geneve.proto_type", N_("Protocol Type"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_NEXT },
    { "geneve.vni", N_("Virtual Network Identifier"), FIELD_UINT, BYTE(4, 3), .base = BASE_HEX },
    { "geneve.reserved", N_("Reserved"), FIELD_UINT, BYTE(7, 1), .base = BASE_HEX },
    { "geneve.options", N_("Options"), FIELD_TLVS, TO_END(HEADER), .tlvs = &option_set },
    { 0 },
};

static size_t option_length(struct span run)
{
    return run.left < OPTION ? 0 : OPTION + (run.at[3] & 31u) * UNIT;
}

/* Whether an option claims more than the header has: RFC 8926, 3.5 */
static bool overruns(struct span run)
{
    struct option option;
    while (tlv_next(&option_set, &run, &option))
        if (option.broken)
            return true;
    return false;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, HEADER);
    size_t captured = in->left, length = h ? HEADER + (h[0] & 63u) * UNIT : HEADER;
    if (!span_pull(in, length)) {
        self->length = (uint32_t)captured;
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    if (h[0] >> 6)
        return VERDICT_BROKEN; /* no other version is known */
    uint16_t type = load_be16(h + 2);
    if (type >= TYPE_MIN)
        *next = (struct key){ KEY_ETHERTYPE, type, 0 };
    return overruns((struct span){ h + HEADER, length - HEADER }) ? VERDICT_BROKEN : VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "VNI ");
    buffer_decimal(out, load_be32(h + 4) >> 8);
    buffer_text(out, ", type 0x");
    buffer_hex(out, load_be16(h + 2), 4);
    if (h[1] & 0x80)
        buffer_text(out, ", control");
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 6081, 0 },
    { 0 },
};

const struct protocol geneve_protocol = {
    .name = "geneve",
    .label = "Geneve",
    .title = N_("Generic Network Virtualization Encapsulation"),
    .rfc = "RFC 8926",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};
