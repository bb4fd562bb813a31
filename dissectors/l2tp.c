/* Layer Two Tunneling Protocol (RFC 2661, 3.1): PPP's frames over UDP, and messages that control the tunnel. Version 3
 * (RFC 3931, 4.1.2) does not say what it carries, nor how long its cookie is: that is data. */
#include "base/text.h"
#include "protocol/protocol.h"

enum {
    LEAST = 6, /* flags, tunnel, session */
    WORD = 2,
    CONTROL = 0x8000,
    LENGTH = 0x4000,
    SEQUENCE = 0x0800,
    OFFSET = 0x0200,
    VERSION = 0x000f,
    VERSION2 = 2,
    VERSION3 = 3,
    LEAST3 = 8, /* flags, reserved, session */
    LINK_PPP = 9,
};

static const struct when is_version2[] = {
    { BITS(12, 4), 0, VERSION2 },
    { 0 },
};
static const struct when is_data3[] = {
    { BITS(0, 16), VERSION3, VERSION3 },
    { 0 },
};
static const struct when has_length[] = {
    { BITS(1, 1), 1, 1 },
    { 0 },
};
static const struct when has_sequence[] = {
    { BITS(4, 1), 1, 1, is_version2 },
    { 0 },
};
static const struct when has_offset[] = {
    { BITS(6, 1), 1, 1, is_version2 },
    { 0 },
};
static const struct value_name types[] = {
    { 0, "Data" },
    { 1, "Control" },
    { 0, NULL },
};

enum { ROW_VERSION = 7, ROW_LENGTH, ROW_TUNNEL, ROW_SESSION, ROW_SENT, ROW_RECEIVED };

static const struct field fields[] = {
    { "l2tp.flags", N_("Flags and version"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX, .preset = VERSION2 },
    { "l2tp.type", N_("Type"), FIELD_UINT, BITS(0, 1), .names = types },
    { "l2tp.length_bit", N_("Length is there"), FIELD_BOOL, BITS(1, 1) },
    { "l2tp.seq_bit", N_("Sequence numbers are there"), FIELD_BOOL, BITS(4, 1) },
    { "l2tp.offset_bit", N_("Offset is there"), FIELD_BOOL, BITS(6, 1) },
    { "l2tp.priority", N_("Priority"), FIELD_BOOL, BITS(7, 1) },
    { "l2tp.version", N_("Version"), FIELD_UINT, BITS(12, 4), .preset = VERSION2 },
    { "l2tp.length", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH, .when = has_length },
    { "l2tp.tunnel", N_("Tunnel ID"), FIELD_UINT, BYTE(0, 2), .after = ROW_LENGTH, .when = is_version2 },
    { "l2tp.session", N_("Session ID"), FIELD_UINT, BYTE(0, 2), .after = ROW_TUNNEL, .when = is_version2 },
    { "l2tp.Ns", N_("Sent"), FIELD_UINT, BYTE(0, 2), .after = ROW_SESSION, .when = has_sequence },
    { "l2tp.Nr", N_("Expected"), FIELD_UINT, BYTE(0, 2), .after = ROW_SENT, .when = has_sequence },
    { "l2tp.offset", N_("Offset"), FIELD_UINT, BYTE(0, 2), .after = ROW_RECEIVED, .when = has_offset },
    { "l2tp.sid", N_("Session ID"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX, .when = is_data3 },
    { 0 },
};

/* Of a header that begins with these flags; where it pads itself, `in` tells how far. */
static size_t header_length(const struct span *in, uint16_t flags)
{
    if ((flags & VERSION) == VERSION3)
        return LEAST3 + (flags & CONTROL ? WORD * 2 : 0);
    size_t length = LEAST;
    length += flags & LENGTH ? WORD : 0;
    length += flags & SEQUENCE ? WORD * 2 : 0;
    if (flags & OFFSET) {
        length += WORD;
        length += in->left >= length ? load_be16(in->at + length - WORD) : 0;
    }
    return length;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, LEAST);
    size_t captured = in->left;
    uint16_t flags = h ? load_be16(h) : 0;
    size_t length = h ? header_length(in, flags) : LEAST;
    if (!span_pull(in, length)) {
        self->length = (uint32_t)captured;
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    if (flags & LENGTH && load_be16(h + 2) >= length && self->offset + load_be16(h + 2) < self->end)
        self->end = self->offset + load_be16(h + 2);
    if (!(flags & CONTROL) && (flags & VERSION) == VERSION2)
        *next = (struct key){ KEY_LINK, LINK_PPP, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    struct place place = { .packet = packet, .layer = layer, .rows = fields, .bytes = h };
    struct value value;
    if (h.left < LEAST) {
        buffer_text(out, "cut short");
        return;
    }
    buffer_text(out, load_be16(h.at) & CONTROL ? "control" : "data");
    if (field_read(&fields[ROW_TUNNEL - 1], &place, 0, &value)) {
        buffer_text(out, ", tunnel ");
        buffer_decimal(out, value.u);
    }
    if (field_read(&fields[ROW_SESSION - 1], &place, 0, &value)) {
        buffer_text(out, ", session ");
        buffer_decimal(out, value.u);
    }
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 1701, 0 },
    { 0 },
};

const struct protocol l2tp_protocol = {
    .name = "l2tp",
    .label = "L2TP",
    .title = N_("Layer 2 Tunneling Protocol"),
    .rfc = "RFC 2661",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .dissect = dissect,
    .summary = summary,
};
