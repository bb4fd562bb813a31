/* Generic Routing Encapsulation (RFC 2784, with the key and sequence number of RFC 2890 and the source routes of RFC
 * 1701), over UDP too (RFC 8086). Version 1 is PPTP's (RFC 2637, 4.1): its key is a length and a call. */
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/protocol.h"

enum {
    HEADER = 4,
    WORD = 4,
    CHECKSUM = 0x8000, /* the bits of the first two bytes: RFC 2890, 2; RFC 1701 */
    ROUTING = 0x4000,
    KEY = 0x2000,
    SEQUENCE = 0x1000,
    ACKNOWLEDGMENT = 0x80,
    VERSION = 7,
    TYPE_MIN = 1536,
    VLAN = 0x8100,
    SERVICE_VLAN = 0x88a8,
    PPP = 0x880b,
    WCCP = 0x883e,
    ERSPAN = 0x88be,
    LINK_ETHERNET = 1,
    LINK_PPP = 9,
};

static bool checksum_status(const struct place *place, struct value *value);

static const struct when is_version0[] = {
    { BITS(13, 3), 0, 0 },
    { 0 },
};
static const struct when is_version1[] = {
    { BITS(13, 3), 1, 1 },
    { 0 },
};
static const struct when has_checksum[] = {
    { BITS(0, 1), 1, 1 },
    { BITS(1, 1), 1, 1 }, /* either bit brings both words */
    { 0 },
};
static const struct when is_checked[] = {
    { BITS(0, 1), 1, 1 },
    { 0 },
};
static const struct when has_key[] = {
    { BITS(2, 1), 1, 1, is_version0 },
    { 0 },
};
static const struct when has_call[] = {
    { BITS(2, 1), 1, 1, is_version1 },
    { 0 },
};
static const struct when has_sequence[] = {
    { BITS(3, 1), 1, 1 },
    { 0 },
};
static const struct when is_ppp[] = {
    { BITS(16, 16), PPP, PPP },
    { 0 },
};
static const struct when has_acknowledgment[] = {
    { BITS(8, 1), 1, 1, is_ppp },
    { 0 },
};
static const struct when has_routing[] = {
    { BITS(1, 1), 1, 1 },
    { 0 },
};
static const struct when is_wccp[] = {
    { BITS(16, 16), WCCP, WCCP },
    { 0 },
};

static const struct value_name types[] = {
    { 0x0000, "Keepalive" }, { 0x0800, "IPv4" },   { 0x2001, "NHRP" }, { 0x22eb, "ERSPAN III" },
    { 0x6558, "Ethernet" },  { 0x86dd, "IPv6" },   { 0x8847, "MPLS" }, { PPP, "PPP" },
    { WCCP, "WCCP" },        { ERSPAN, "ERSPAN" }, { 0, NULL },
};

/* Counted from 1, as .after does. A word that is absent has no width, so that the next one begins where it would. */
enum { ROW_TYPE = 11, ROW_CHECKSUM, ROW_STATUS, ROW_OFFSET, ROW_KEY, ROW_LENGTH, ROW_CALL, ROW_SEQUENCE, ROW_ACK };

static const struct field fields[] = {
    { "gre.flags_and_version", N_("Flags and Version"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX },
    { "gre.flags.checksum", N_("Checksum"), FIELD_BOOL, BITS(0, 1) },
    { "gre.flags.routing", N_("Routing"), FIELD_BOOL, BITS(1, 1) },
    { "gre.flags.key", N_("Key"), FIELD_BOOL, BITS(2, 1) },
    { "gre.flags.sequence_number", N_("Sequence number"), FIELD_BOOL, BITS(3, 1) },
    { "gre.flags.strict_source_route", N_("Strict source route"), FIELD_BOOL, BITS(4, 1) },
    { "gre.flags.recursion_control", N_("Recursion control"), FIELD_UINT, BITS(5, 3) },
    { "gre.flags.ack", N_("Acknowledgment"), FIELD_BOOL, BITS(8, 1), .when = is_version1 },
    { "gre.flags.reserved", N_("Reserved"), FIELD_UINT, BITS(8, 5), .when = is_version0 },
    { "gre.flags.version", N_("Version"), FIELD_UINT, BITS(13, 3) },
    { "gre.proto", N_("Protocol Type"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_NEXT, .names = types },
    { "gre.checksum", N_("Checksum"), FIELD_UINT, BYTE(0, 2), .after = ROW_TYPE, .base = BASE_HEX,
      .role = ROLE_CHECKSUM, .when = has_checksum },
    { "gre.checksum.status", N_("Checksum Status"), FIELD_UINT, .read = checksum_status, .names = checksum_status_names,
      .when = is_checked },
    { "gre.offset", N_("Offset"), FIELD_UINT, BYTE(0, 2), .after = ROW_CHECKSUM, .when = has_checksum },
    { "gre.key", N_("Key"), FIELD_UINT, BYTE(0, 4), .after = ROW_OFFSET, .base = BASE_HEX, .when = has_key },
    { "gre.key.payload_length", N_("Payload Length"), FIELD_UINT, BYTE(0, 2), .after = ROW_KEY, .when = has_call,
      .role = ROLE_LENGTH, .counts = COUNTS_PAYLOAD },
    { "gre.key.call_id", N_("Call ID"), FIELD_UINT, BYTE(0, 2), .after = ROW_LENGTH, .when = has_call },
    { "gre.sequence_number", N_("Sequence Number"), FIELD_UINT, BYTE(0, 4), .after = ROW_CALL, .when = has_sequence },
    { "gre.ack_number", N_("Acknowledgment Number"), FIELD_UINT, BYTE(0, 4), .after = ROW_SEQUENCE,
      .when = has_acknowledgment },
    { "gre.routing.information", N_("Routing"), FIELD_BYTES, TO_END(0), .after = ROW_ACK, .when = has_routing },
    { "gre.wccp.dynamic_service", N_("Dynamic Service"), FIELD_BOOL, BITS(7, 1), .after = ROW_ACK, .when = is_wccp },
    { "gre.wccp.alternative_bucket_used", N_("Alternative bucket used"), FIELD_BOOL, BITS(6, 1), .after = ROW_ACK,
      .when = is_wccp },
    { "gre.wccp.redirect_header_valid", N_("Redirect header is valid"), FIELD_BOOL, BITS(5, 1), .after = ROW_ACK,
      .when = is_wccp },
    { "gre.wccp.service_id", N_("Service ID"), FIELD_UINT, BYTE(1, 1), .after = ROW_ACK, .when = is_wccp },
    { "gre.wccp.alternative_bucket", N_("Alternative Bucket"), FIELD_UINT, BYTE(2, 1), .after = ROW_ACK,
      .when = is_wccp },
    { "gre.wccp.primary_bucket", N_("Primary Bucket"), FIELD_UINT, BYTE(3, 1), .after = ROW_ACK, .when = is_wccp },
    { 0 },
};

/* Over the header and all that it carries, without a pseudo-header: RFC 2784, 2.2 */
static bool checksum_status(const struct place *place, struct value *value)
{
    const struct packet *packet = place->packet;
    const struct layer *layer = place->layer;
    if (place->bytes.left < HEADER + 2)
        return false;
    value->u = CHECKSUM_UNVERIFIED;
    if (layer_captured(packet, layer) && !(layer->flags & (LAYER_QUOTED | LAYER_FRAGMENT))) {
        uint32_t sum = checksum_add(0, packet->buffers[layer->buffer].at + layer->offset, layer->end - layer->offset);
        value->u = checksum_finish(sum) ? CHECKSUM_BAD : CHECKSUM_GOOD;
    }
    return true;
}

/* The source route entries behind the words, the empty last one included; beyond `in` if they do not end. */
static size_t routing_length(const struct span *in, size_t at)
{
    for (;;) {
        if (at + WORD > in->left)
            return at + WORD;
        size_t length = in->at[at + 3];
        bool last = !length && !load_be16(in->at + at);
        at += WORD + length;
        if (last)
            return at;
    }
}

static size_t header_length(const struct span *in, uint16_t flags, uint16_t type)
{
    size_t length = HEADER;
    length += flags & (CHECKSUM | ROUTING) ? WORD : 0;
    length += flags & KEY ? WORD : 0;
    length += flags & SEQUENCE ? WORD : 0;
    length += type == PPP && flags & ACKNOWLEDGMENT ? WORD : 0; /* RFC 2637, 4.1 */
    if (flags & ROUTING)
        return routing_length(in, length);
    /* WCCP version 2 puts a word of its own in front of the datagram, version 1 none. */
    if (type == WCCP && length < in->left && in->at[length] >> 4 != 4)
        length += WORD;
    return length;
}

static struct key next_key(uint16_t flags, uint16_t type)
{
    if (type == PPP)
        return (struct key){ KEY_LINK, LINK_PPP, 0 };
    if (type == WCCP)
        return (struct key){ KEY_ETHERTYPE, 0x0800, 0 };
    if (type == ERSPAN && !(flags & SEQUENCE)) /* type I, which has no header: the frame itself */
        return (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    if (type < TYPE_MIN || type == VLAN || type == SERVICE_VLAN) /* tagged frames come with their Ethernet header */
        return (struct key){ 0 };
    return (struct key){ KEY_ETHERTYPE, type, 0 };
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, HEADER);
    size_t captured = in->left;
    uint16_t flags = h ? load_be16(h) : 0, type = h ? load_be16(h + 2) : 0;
    size_t length = h ? header_length(in, flags, type) : HEADER;
    if (!span_pull(in, length)) {
        self->length = (uint32_t)captured;
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    }
    self->length = (uint32_t)length;
    *next = next_key(flags, type);
    return VERDICT_WHOLE;
}

static void write_word(struct buffer *out, const char *words, uint64_t number)
{
    buffer_text(out, words);
    buffer_decimal(out, number);
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    struct place place = { .packet = packet, .layer = layer, .rows = fields, .bytes = h };
    struct value value;
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    uint16_t type = load_be16(h.at + 2);
    const char *name = field_value_name(&fields[ROW_TYPE - 1], type);
    buffer_text(out, name ? name : "type 0x");
    if (!name)
        buffer_hex(out, type, 4);
    if (field_read(&fields[ROW_KEY - 1], &place, 0, &value)) {
        buffer_text(out, ", key 0x");
        buffer_hex(out, value.u, 8);
    }
    if (field_read(&fields[ROW_CALL - 1], &place, 0, &value))
        write_word(out, ", call ", value.u);
    if (field_read(&fields[ROW_SEQUENCE - 1], &place, 0, &value))
        write_word(out, ", seq ", value.u);
    if (field_read(&fields[ROW_ACK - 1], &place, 0, &value))
        write_word(out, ", ack ", value.u);
}

static const struct key keys[] = {
    { KEY_IP, 47, 0 },
    { KEY_UDP_PORT, 4754, 0 }, /* RFC 8086, 8.2 */
    { 0 },
};

const struct protocol gre_protocol = {
    .name = "gre",
    .label = "GRE",
    .title = N_("Generic Routing Encapsulation"),
    .rfc = "RFC 2784",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};
