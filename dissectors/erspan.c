/* Encapsulated Remote SPAN: frames mirrored by a switch, in GRE (draft-foschiano-erspan). Type I has no header of its
 * own; this is of type II, whose version is 1, and type III, whose version is 2. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { LEAST = 8, HEADER3 = 12, PLATFORM = 8, TYPE2 = 1, TYPE3 = 2, FRAME_ETHERNET = 0, LINK_ETHERNET = 1 };

static const struct when is_type2[] = {
    { BITS(0, 4), TYPE2, TYPE2 },
    { 0 },
};
static const struct when is_type3[] = {
    { BITS(0, 4), TYPE3, TYPE3 },
    { 0 },
};
static const struct when has_platform[] = {
    { BITS(95, 1), 1, 1, is_type3 },
    { 0 },
};

static const struct value_name versions[] = {
    { TYPE2, "type II" },
    { TYPE3, "type III" },
    { 0, NULL },
};
static const struct value_name frame_types[] = {
    { FRAME_ETHERNET, "Ethernet" },
    { 2, "IP" },
    { 0, NULL },
};
static const struct value_name granularities[] = {
    { 0, "100 microseconds" }, { 1, "100 nanoseconds" }, { 2, "IEEE 1588" }, { 3, "user defined" }, { 0, NULL },
};

static const struct field fields[] = {
    { "erspan.version", N_("Version"), FIELD_UINT, BITS(0, 4), .preset = TYPE2, .names = versions },
    { "erspan.vlan", N_("VLAN"), FIELD_UINT, BITS(4, 12) },
    { "erspan.cos", N_("Class of Service"), FIELD_UINT, BITS(16, 3) },
    { "erspan.encap", N_("Encapsulation"), FIELD_UINT, BITS(19, 2), .when = is_type2 },
    { "erspan.bso", N_("Bad, Short or Oversized"), FIELD_UINT, BITS(19, 2), .when = is_type3 },
    { "erspan.truncated", N_("Truncated"), FIELD_UINT, BITS(21, 1) },
    { "erspan.spanid", N_("Session ID"), FIELD_UINT, BITS(22, 10) },
    { "erspan.reserved", N_("Reserved"), FIELD_UINT, BITS(32, 12), .when = is_type2 },
    { "erspan.index", N_("Index"), FIELD_UINT, BITS(44, 20), .when = is_type2 },
    { "erspan.timestamp", N_("Timestamp"), FIELD_UINT, BYTE(4, 4), .when = is_type3 },
    { "erspan.sgt", N_("Security Group Tag"), FIELD_UINT, BYTE(8, 2), .when = is_type3 },
    { "erspan.p", N_("Has Ethernet PDU"), FIELD_UINT, BITS(80, 1), .when = is_type3 },
    { "erspan.ft", N_("Frame Type"), FIELD_UINT, BITS(81, 5), .when = is_type3, .names = frame_types },
    { "erspan.hw", N_("Hardware ID"), FIELD_UINT, BITS(86, 6), .when = is_type3 },
    { "erspan.direction", N_("Egress"), FIELD_BOOL, BITS(92, 1), .when = is_type3 },
    { "erspan.gra", N_("Timestamp granularity"), FIELD_UINT, BITS(93, 2), .when = is_type3, .names = granularities },
    { "erspan.o", N_("Optional subheader"), FIELD_UINT, BITS(95, 1), .when = is_type3 },
    { "erspan.platid", N_("Platform ID"), FIELD_UINT, BITS(96, 6), .when = has_platform },
    { "erspan.pid.rsvd", N_("Platform specific"), FIELD_UINT, BITS(102, 58), .when = has_platform },
    { 0 },
};

static size_t header_length(const struct span *in)
{
    if (in->left < LEAST || in->at[0] >> 4 != TYPE3)
        return LEAST;
    return in->left >= HEADER3 && in->at[HEADER3 - 1] & 1 ? HEADER3 + PLATFORM : HEADER3;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = in->at;
    size_t captured = in->left, length = header_length(in);
    if (!span_pull(in, length)) {
        self->length = (uint32_t)captured;
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    unsigned version = h[0] >> 4;
    if (version != TYPE2 && version != TYPE3)
        return VERDICT_BROKEN;
    if (version == TYPE2 || (h[10] >> 2 & 31) == FRAME_ETHERNET)
        *next = (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, LEAST, out);
    if (!h)
        return;
    const char *name = field_value_name(&fields[0], h[0] >> 4);
    buffer_text(out, name ? name : "bad version");
    buffer_text(out, ", session ");
    buffer_decimal(out, load_be16(h + 2) & 0x3ff);
    buffer_text(out, ", VLAN ");
    buffer_decimal(out, load_be16(h) & 0xfff);
}

static const struct key keys[] = {
    { KEY_ETHERTYPE, 0x88be, 0 },
    { KEY_ETHERTYPE, 0x22eb, 0 },
    { 0 },
};

const struct protocol erspan_protocol = {
    .name = "erspan",
    .label = "ERSPAN",
    .title = N_("Encapsulated Remote SPAN"),
    .rfc = "draft-foschiano-erspan",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
};
