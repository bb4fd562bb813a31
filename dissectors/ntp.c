/* Network Time Protocol (RFC 5905): hosts tell each other the time. Control messages (mode 6, RFC 9327) and private
 * ones (mode 7) have a header of their own. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum {
    HEADER = 48,
    CONTROL_HEADER = 12,
    PRIVATE_HEADER = 8,
    CLIENT = 3,
    CONTROL = 6,
    PRIVATE = 7,
    EXTENSION = 4,
    MAC_MOST = 24, /* a key and a digest: what is no longer is no extension field: RFC 7822, 3 */
};

static bool reference_time(const struct place *place, struct value *value);
static bool origin_time(const struct place *place, struct value *value);
static bool receive_time(const struct place *place, struct value *value);
static bool transmit_time(const struct place *place, struct value *value);
static bool extensions(const struct place *place, struct value *value);
static bool key(const struct place *place, struct value *value);
static bool digest(const struct place *place, struct value *value);

static const struct when is_time[] = {
    { BITS(5, 3), 0, CONTROL - 1 },
    { 0 },
};
static const struct when is_control[] = {
    { BITS(5, 3), CONTROL, CONTROL },
    { 0 },
};
static const struct when is_private[] = {
    { BITS(5, 3), PRIVATE, PRIVATE },
    { 0 },
};
static const struct when has_flags[] = {
    { BITS(5, 3), 0, CONTROL },
    { 0 },
};

static const struct value_name leaps[] = {
    { 0, "no warning" },
    { 1, "last minute has 61 seconds" },
    { 2, "last minute has 59 seconds" },
    { 3, "clock not synchronized" },
    { 0, NULL },
};
static const struct value_name modes[] = {
    { 0, "reserved" },  { 1, "symmetric active" }, { 2, "symmetric passive" }, { CLIENT, "client" }, { 4, "server" },
    { 5, "broadcast" }, { CONTROL, "control" },    { PRIVATE, "private" },     { 0, NULL },
};
static const struct value_name strata[] = {
    { 0, "unspecified or invalid" },
    { 1, "primary reference" },
    { 16, "unsynchronized" },
    { 0, NULL },
};
static const struct value_name control_opcodes[] = {
    { 1, "read status" },
    { 2, "read variables" },
    { 3, "write variables" },
    { 4, "read clock variables" },
    { 5, "write clock variables" },
    { 6, "set trap" },
    { 7, "trap response" },
    { 8, "configure" },
    { 10, "read most recently used list" },
    { 12, "request nonce" },
    { 31, "unset trap" },
    { 0, NULL },
};

static const struct field extension_fields[] = {
    { "ntp.ext.type", N_("Type"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX },
    { "ntp.ext.length", N_("Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH },
    { "ntp.ext.value", N_("Value"), FIELD_BYTES, TO_END(EXTENSION) },
    { 0 },
};
static const struct tlv extension_kinds[] = {
    { 0xffff, "Extension", extension_fields },
    { 0 },
};
static const struct tlv_set extension_set = {
    .kind_size = 2, .length_size = 2, .unit = 1, .included = EXTENSION, .kinds = extension_kinds
};

enum { ROW_MODE = 3 };
static const struct field fields[] = {
    { "ntp.flags", N_("Flags"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX },
    { "ntp.flags.li", N_("Leap Indicator"), FIELD_UINT, BITS(0, 2), .names = leaps, .when = has_flags },
    { "ntp.flags.vn", N_("Version"), FIELD_UINT, BITS(2, 3), .preset = 4 },
    { "ntp.flags.mode", N_("Mode"), FIELD_UINT, BITS(5, 3), .preset = CLIENT, .names = modes },
    { "ntp.stratum", N_("Stratum"), FIELD_UINT, BYTE(1, 1), .when = is_time, .names = strata },
    { "ntp.ppoll", N_("Polling interval, as a power of 2"), FIELD_UINT, BYTE(2, 1), .when = is_time },
    { "ntp.precision", N_("Clock precision, as a power of 2"), FIELD_UINT, BYTE(3, 1), .when = is_time },
    { "ntp.rootdelay", N_("Root Delay, in seconds/65536"), FIELD_UINT, BYTE(4, 4), .when = is_time },
    { "ntp.rootdispersion", N_("Root Dispersion, in seconds/65536"), FIELD_UINT, BYTE(8, 4), .when = is_time },
    { "ntp.refid", N_("Reference ID"), FIELD_BYTES, BYTE(12, 4), .when = is_time },
    { "ntp.reftime", N_("Reference Timestamp"), FIELD_TIME, BYTE(16, 8), .read = reference_time, .when = is_time },
    { "ntp.org", N_("Origin Timestamp"), FIELD_TIME, BYTE(24, 8), .read = origin_time, .when = is_time },
    { "ntp.rec", N_("Receive Timestamp"), FIELD_TIME, BYTE(32, 8), .read = receive_time, .when = is_time },
    { "ntp.xmt", N_("Transmit Timestamp"), FIELD_TIME, BYTE(40, 8), .read = transmit_time, .when = is_time },
    { "ntp.extensions", N_("Extension fields"), FIELD_TLVS, .read = extensions, .tlvs = &extension_set,
      .when = is_time },
    { "ntp.keyid", N_("Key ID"), FIELD_BYTES, .read = key, .when = is_time },
    { "ntp.mac", N_("Message Authentication Code"), FIELD_BYTES, .read = digest, .when = is_time },
    { "ntp.ctrl.flags2", N_("Flags"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX, .when = is_control },
    { "ntp.ctrl.flags2.r", N_("Response"), FIELD_BOOL, BITS(8, 1), .when = is_control },
    { "ntp.ctrl.flags2.error", N_("Error"), FIELD_BOOL, BITS(9, 1), .when = is_control },
    { "ntp.ctrl.flags2.more", N_("More"), FIELD_BOOL, BITS(10, 1), .when = is_control },
    { "ntp.ctrl.flags2.opcode", N_("Operation Code"), FIELD_UINT, BITS(11, 5), .when = is_control,
      .names = control_opcodes },
    { "ntp.ctrl.sequence", N_("Sequence"), FIELD_UINT, BYTE(2, 2), .when = is_control },
    { "ntp.ctrl.status", N_("Status"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX, .when = is_control },
    { "ntp.ctrl.associd", N_("Association ID"), FIELD_UINT, BYTE(6, 2), .when = is_control },
    { "ntp.ctrl.offset", N_("Offset"), FIELD_UINT, BYTE(8, 2), .when = is_control },
    { "ntp.ctrl.count", N_("Count"), FIELD_UINT, BYTE(10, 2), .when = is_control, .role = ROLE_LENGTH,
      .less = CONTROL_HEADER },
    { "ntp.ctrl.data", N_("Data"), FIELD_BYTES, TO_END(CONTROL_HEADER), .when = is_control },
    { "ntp.priv.flags.r", N_("Response"), FIELD_BOOL, BITS(0, 1), .when = is_private },
    { "ntp.priv.flags.more", N_("More"), FIELD_BOOL, BITS(1, 1), .when = is_private },
    { "ntp.priv.auth", N_("Authenticated"), FIELD_BOOL, BITS(8, 1), .when = is_private },
    { "ntp.priv.seq", N_("Sequence"), FIELD_UINT, BITS(9, 7), .when = is_private },
    { "ntp.priv.impl", N_("Implementation"), FIELD_UINT, BYTE(2, 1), .when = is_private },
    { "ntp.priv.reqcode", N_("Request code"), FIELD_UINT, BYTE(3, 1), .when = is_private },
    { "ntp.priv.data", N_("Data"), FIELD_BYTES, TO_END(4), .when = is_private },
    { 0 },
};

/* Seconds since 1900 and their fraction; the top bit says which 68 years: RFC 5905, 6. 0 is no time. */
static bool read_time(const struct place *place, size_t at, struct value *value)
{
    const int64_t to_1970 = 2208988800, era = INT64_C(1) << 32;
    struct span bytes = span_part(place->bytes, at, 8);
    if (bytes.left < 8 || !load_be64(bytes.at))
        return false;
    int64_t seconds = load_be32(bytes.at);
    seconds += (bytes.at[0] & 0x80 ? 0 : era) - to_1970;
    uint64_t nanoseconds = (uint64_t)load_be32(bytes.at + 4) * 1000000000 >> 32;
    *value = (struct value){
        .i = seconds * 1000000000 + (int64_t)nanoseconds, .bytes = bytes, .bit = (uint32_t)at * 8, .width = 64
    };
    return true;
}

static bool reference_time(const struct place *place, struct value *value)
{
    return read_time(place, 16, value);
}

static bool origin_time(const struct place *place, struct value *value)
{
    return read_time(place, 24, value);
}

static bool receive_time(const struct place *place, struct value *value)
{
    return read_time(place, 32, value);
}

static bool transmit_time(const struct place *place, struct value *value)
{
    return read_time(place, 40, value);
}

/* Where extension fields end and the authentication begins. */
static size_t extensions_end(struct span h)
{
    size_t at = HEADER;
    while (at < h.left && h.left - at > MAC_MOST) {
        size_t length = load_be16(h.at + at + 2);
        if (length < EXTENSION || length > h.left - at)
            break;
        at += length;
    }
    return at;
}

static bool part(const struct place *place, size_t from, size_t to, struct value *value)
{
    *value =
        (struct value){ .bytes = span_part(place->bytes, from, to > from ? to - from : 0), .bit = (uint32_t)from * 8 };
    value->width = (uint32_t)value->bytes.left * 8;
    return value->width;
}

static bool extensions(const struct place *place, struct value *value)
{
    return part(place, HEADER, extensions_end(place->bytes), value);
}

static bool key(const struct place *place, struct value *value)
{
    size_t at = extensions_end(place->bytes);
    return at + 4 <= place->bytes.left && part(place, at, at + 4, value);
}

static bool digest(const struct place *place, struct value *value)
{
    return part(place, extensions_end(place->bytes) + 4, place->bytes.left, value);
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet, (void)next;
    size_t wire = self->end - self->offset;
    unsigned mode = in->left ? in->at[0] & 7 : 0;
    size_t least = mode == CONTROL ? CONTROL_HEADER : mode == PRIVATE ? PRIVATE_HEADER : HEADER;
    self->length = (uint32_t)in->left;
    span_pull(in, in->left);
    return self->length < wire ? VERDICT_CUT : wire < least ? VERDICT_BROKEN : VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, 2, out);
    if (!h)
        return;
    unsigned mode = h[0] & 7;
    buffer_text(out, "NTPv");
    buffer_decimal(out, h[0] >> 3 & 7);
    buffer_char(out, ' ');
    buffer_text(out, field_value_name(&fields[ROW_MODE], mode));
    if (mode == CONTROL) {
        const char *name = NULL;
        for (const struct value_name *n = control_opcodes; n->name && !name; n++)
            name = n->value == (h[1] & 31u) ? n->name : NULL;
        buffer_text(out, name ? ", " : "");
        buffer_text(out, name ? name : "");
        buffer_text(out, h[1] & 0x80 ? ", response" : "");
    } else if (mode != PRIVATE && (mode != CLIENT || h[1])) {
        buffer_text(out, ", stratum ");
        buffer_decimal(out, h[1]);
    }
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 123, 0 },
    { 0 },
};

const struct protocol ntp_protocol = {
    .name = "ntp",
    .label = "NTP",
    .title = N_("Network Time Protocol"),
    .rfc = "RFC 5905",
    .fields = fields,
    .keys = keys,
    .least = PRIVATE_HEADER,
    .dissect = dissect,
    .summary = summary,
    .leaf = true,
};
