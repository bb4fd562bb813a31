/* GPRS Tunnelling Protocol, user plane (3GPP TS 29.281): the datagrams of mobile phones over UDP. */
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    LEAST = 8,
    HEADER = 12,
    OPTIONAL = 7, /* any of the flags E, S, PN brings four more bytes: 5.1 */
    EXTENSION = 4,
    NEXT_EXTENSION = 11,
    VERSION1 = 1,
    DATA = 255,     /* T-PDU */
    PAYLOAD = 0x10, /* protocol type: GTP, and not GTP' for charging, which carries nobody's packets */
    ETHERNET = 14,
    LINK_ETHERNET = 1,
    IPV4 = 0x0800,
    ARP = 0x0806,
    IPV6 = 0x86dd,
};

static size_t extension_length(struct span run);
static bool extension_next(const struct place *place, struct value *value);

static const struct when has_more[] = {
    { BITS(5, 3), 1, 7 },
    { 0 },
};
static const struct when has_extensions[] = {
    { BITS(5, 1), 1, 1 },
    { 0 },
};

static const struct value_name messages[] = {
    { 1, "Echo request" },      { 2, "Echo response" },
    { 26, "Error indication" }, { 31, "Supported extension headers notification" },
    { 253, "Tunnel status" },   { 254, "End marker" },
    { DATA, "T-PDU" },          { 0, NULL },
};
static const struct value_name extension_types[] = {
    { 0x00, "None" },
    { 0x03, "Long PDCP PDU number" },
    { 0x20, "Service class indicator" },
    { 0x40, "UDP port" },
    { 0x81, "RAN container" },
    { 0x82, "Long PDCP PDU number" },
    { 0x83, "Xw RAN container" },
    { 0x84, "NR RAN container" },
    { 0x85, "PDU session container" },
    { 0xc0, "PDCP PDU number" },
    { 0, NULL },
};

enum { ROW_NEXT = 3 };
static const struct field extension_fields[] = {
    { "gtp.ext_hdr.length", N_("Length"), FIELD_UINT, BYTE(0, 1), .unit = EXTENSION, .role = ROLE_LENGTH },
    { "gtp.ext_hdr.content", N_("Content and next type"), FIELD_BYTES, TO_END(1) },
    { "gtp.ext_hdr.next", N_("Next extension header"), FIELD_UINT, .base = BASE_HEX, .read = extension_next,
      .names = extension_types },
    { 0 },
};
static const struct tlv extensions[] = {
    { 0xffff, "Extension header", extension_fields },
    { 0 },
};
static const struct tlv_set extension_set = { .kind_size = 1, .measure = extension_length, .kinds = extensions };

enum { ROW_MESSAGE = 7 };
static const struct field fields[] = {
    { "gtp.flags", N_("Flags"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX },
    { "gtp.flags.version", N_("Version"), FIELD_UINT, BITS(0, 3), .preset = VERSION1 },
    { "gtp.flags.payload", N_("Protocol type"), FIELD_UINT, BITS(3, 1), .preset = 1 },
    { "gtp.flags.reserved", N_("Reserved"), FIELD_UINT, BITS(4, 1) },
    { "gtp.flags.e", N_("Extension header is there"), FIELD_BOOL, BITS(5, 1) },
    { "gtp.flags.s", N_("Sequence number is there"), FIELD_BOOL, BITS(6, 1) },
    { "gtp.flags.pn", N_("N-PDU number is there"), FIELD_BOOL, BITS(7, 1) },
    { "gtp.message", N_("Message Type"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX, .preset = DATA, .names = messages },
    { "gtp.length", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH, .less = LEAST },
    { "gtp.teid", N_("Tunnel Endpoint ID"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX },
    { "gtp.seq_number", N_("Sequence Number"), FIELD_UINT, BYTE(8, 2), .base = BASE_HEX, .when = has_more },
    { "gtp.npdu_number", N_("N-PDU Number"), FIELD_UINT, BYTE(10, 1), .base = BASE_HEX, .when = has_more },
    { "gtp.ext_hdr.next", N_("Next extension header"), FIELD_UINT, BYTE(NEXT_EXTENSION, 1), .base = BASE_HEX,
      .when = has_more, .names = extension_types },
    { "gtp.ext_hdr", N_("Extension headers"), FIELD_TLVS, TO_END(HEADER), .tlvs = &extension_set,
      .when = has_extensions },
    { 0 },
};

/* 5.2.1: the first byte counts units of four bytes, the last one is the type of the next. */
static size_t extension_length(struct span run)
{
    return run.at[0] * (size_t)EXTENSION;
}

static bool extension_next(const struct place *place, struct value *value)
{
    size_t n = place->bytes.left;
    if (n < EXTENSION || n != extension_length(place->bytes))
        return false;
    *value = (struct value){ .bytes = { place->bytes.at + n - 1, 1 },
                             .bit = (place->start + (uint32_t)n - 1) * 8,
                             .width = 8 };
    value->u = value->bytes.at[0];
    return true;
}

/* Where the extension headers end, beyond `in` if they do not; 0 if one has no length. */
static size_t extensions_end(const struct span *in)
{
    size_t at = HEADER;
    uint8_t type = in->left >= HEADER && in->at[0] & 4 ? in->at[NEXT_EXTENSION] : 0;
    while (type) {
        if (at >= in->left)
            return at + EXTENSION;
        size_t length = extension_length(span_part(*in, at, 1));
        if (!length)
            return 0;
        at += length;
        if (at > in->left)
            return at;
        type = in->at[at - 1];
    }
    return at;
}

/* What a T-PDU is: 3GPP does not say; it is known by its first bits, or by an ethertype where Ethernet has it. */
static struct key next_key(const struct span *in)
{
    unsigned first = in->left ? in->at[0] : 0;
    if (first >= 0x45 && first <= 0x4e)
        return (struct key){ KEY_ETHERTYPE, IPV4, 0 };
    if (first >> 4 == 6)
        return (struct key){ KEY_ETHERTYPE, IPV6, 0 };
    unsigned type = in->left > ETHERNET ? load_be16(in->at + ETHERNET - 2) : 0;
    if (type == IPV4 || type == IPV6 || type == ARP)
        return (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return (struct key){ 0 };
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, LEAST);
    size_t captured = in->left;
    if (!h || h[0] >> 5 != VERSION1) {
        self->length = h ? 1 : (uint32_t)captured;
        return h ? VERDICT_BROKEN : VERDICT_CUT;
    }
    if (self->offset + LEAST + load_be16(h + 2) < self->end)
        self->end = self->offset + LEAST + load_be16(h + 2);
    *in = span_part(*in, 0, self->end - self->offset);
    size_t length = h[0] & OPTIONAL ? extensions_end(in) : LEAST;
    if (!length || !span_pull(in, length)) {
        self->length = (uint32_t)in->left;
        return !length || self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    if (h[1] == DATA && h[0] & PAYLOAD)
        *next = next_key(in);
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < LEAST) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad version" : "cut short");
        return;
    }
    const char *name = field_value_name(&fields[ROW_MESSAGE], h.at[1]);
    buffer_text(out, name ? name : "message ");
    if (!name)
        buffer_decimal(out, h.at[1]);
    buffer_text(out, ", tunnel 0x");
    buffer_hex(out, load_be32(h.at + 4), 8);
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 2152, 0 },
    { 0 },
};

const struct protocol gtp_protocol = {
    .name = "gtp",
    .label = "GTP",
    .title = N_("GPRS Tunnelling Protocol"),
    .rfc = "3GPP TS 29.281",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
};
