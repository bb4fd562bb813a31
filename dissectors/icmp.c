/* Internet Control Message Protocol (RFC 792), with address masks (RFC 950), router discovery (RFC 1256), path MTU (RFC
 * 1191), extended echo (RFC 8335). Errors quote the datagram that they are about: the next layers. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    HEADER = 8,
    LEAST = 6, /* less than that is not looked at */
    ECHO_REPLY = 0,
    UNREACHABLE = 3,
    SOURCE_QUENCH = 4,
    REDIRECT = 5,
    ECHO = 8,
    ROUTER_ADVERTISEMENT = 9,
    TIME_EXCEEDED = 11,
    PARAMETER_PROBLEM = 12,
    TIMESTAMP = 13,
    TIMESTAMP_REPLY = 14,
    INFORMATION = 15,
    MASK = 17,
    MASK_REPLY = 18,
    EXTENDED_ECHO = 42, /* RFC 8335, 2 */
    EXTENDED_ECHO_REPLY = 43,
    FRAGMENTATION_NEEDED = 4, /* a code of UNREACHABLE: RFC 1191, 4 */
};

static bool checksum_status(const struct place *place, struct value *value);

static const struct when has_ident[] = {
    { BITS(0, 8), ECHO_REPLY, ECHO_REPLY },
    { BITS(0, 8), ECHO, ECHO },
    { BITS(0, 8), TIMESTAMP, MASK_REPLY },
    { BITS(0, 8), EXTENDED_ECHO, EXTENDED_ECHO_REPLY },
    { 0 },
};
static const struct when has_seq[] = {
    { BITS(0, 8), ECHO_REPLY, ECHO_REPLY },
    { BITS(0, 8), ECHO, ECHO },
    { BITS(0, 8), TIMESTAMP, MASK_REPLY },
    { 0 },
};
static const struct when is_extended_echo[] = {
    { BITS(0, 8), EXTENDED_ECHO, EXTENDED_ECHO_REPLY },
    { 0 },
};
static const struct when is_extended_request[] = {
    { BITS(0, 8), EXTENDED_ECHO, EXTENDED_ECHO },
    { 0 },
};
static const struct when is_extended_reply[] = {
    { BITS(0, 8), EXTENDED_ECHO_REPLY, EXTENDED_ECHO_REPLY },
    { 0 },
};
static const struct when is_unreachable[] = {
    { BITS(0, 8), UNREACHABLE, UNREACHABLE },
    { 0 },
};
static const struct when is_too_big[] = {
    { BITS(8, 8), FRAGMENTATION_NEEDED, FRAGMENTATION_NEEDED, is_unreachable },
    { 0 },
};
static const struct when has_length[] = {
    /* RFC 4884, 4 */
    { BITS(0, 8), UNREACHABLE, UNREACHABLE },
    { BITS(0, 8), TIME_EXCEEDED, PARAMETER_PROBLEM },
    { 0 },
};
static const struct when is_time_exceeded[] = {
    { BITS(0, 8), TIME_EXCEEDED, TIME_EXCEEDED },
    { 0 },
};
/* Codes of these have no names. */
static const struct when is_other[] = {
    { BITS(0, 8), 0, UNREACHABLE - 1 },
    { BITS(0, 8), SOURCE_QUENCH, SOURCE_QUENCH },
    { BITS(0, 8), REDIRECT + 1, TIME_EXCEEDED - 1 },
    { BITS(0, 8), PARAMETER_PROBLEM + 1, 255 },
    { 0 },
};
static const struct when is_redirect[] = {
    { BITS(0, 8), REDIRECT, REDIRECT },
    { 0 },
};
static const struct when is_parameter_problem[] = {
    { BITS(0, 8), PARAMETER_PROBLEM, PARAMETER_PROBLEM },
    { 0 },
};
static const struct when is_advertisement[] = {
    { BITS(0, 8), ROUTER_ADVERTISEMENT, ROUTER_ADVERTISEMENT },
    { 0 },
};
static const struct when is_timestamp[] = {
    { BITS(0, 8), TIMESTAMP, TIMESTAMP_REPLY },
    { 0 },
};
static const struct when is_mask[] = {
    { BITS(0, 8), MASK, MASK_REPLY },
    { 0 },
};

static const struct value_name types[] = {
    { ECHO_REPLY, "Echo reply" },
    { UNREACHABLE, "Destination unreachable" },
    { SOURCE_QUENCH, "Source quench" },
    { REDIRECT, "Redirect" },
    { 6, "Alternate host address" },
    { ECHO, "Echo request" },
    { ROUTER_ADVERTISEMENT, "Router advertisement" },
    { 10, "Router solicitation" },
    { TIME_EXCEEDED, "Time exceeded" },
    { PARAMETER_PROBLEM, "Parameter problem" },
    { TIMESTAMP, "Timestamp request" },
    { TIMESTAMP_REPLY, "Timestamp reply" },
    { INFORMATION, "Information request" },
    { 16, "Information reply" },
    { MASK, "Address mask request" },
    { MASK_REPLY, "Address mask reply" },
    { 30, "Traceroute" },
    { 40, "Security failure" },
    { EXTENDED_ECHO, "Extended echo request" },
    { EXTENDED_ECHO_REPLY, "Extended echo reply" },
    { 0, NULL },
};

/* RFC 792; RFC 1122, 3.2.2.1; RFC 1812, 5.2.7.1 */
static const struct value_name unreachable_codes[] = {
    { 0, "Network unreachable" },
    { 1, "Host unreachable" },
    { 2, "Protocol unreachable" },
    { 3, "Port unreachable" },
    { FRAGMENTATION_NEEDED, "Fragmentation needed" },
    { 5, "Source route failed" },
    { 6, "Destination network unknown" },
    { 7, "Destination host unknown" },
    { 8, "Source host isolated" },
    { 9, "Network administratively prohibited" },
    { 10, "Host administratively prohibited" },
    { 11, "Network unreachable for type of service" },
    { 12, "Host unreachable for type of service" },
    { 13, "Communication administratively prohibited" },
    { 14, "Host precedence violation" },
    { 15, "Precedence cutoff in effect" },
    { 0, NULL },
};
static const struct value_name redirect_codes[] = {
    { 0, "Redirect for the network" },
    { 1, "Redirect for the host" },
    { 2, "Redirect for type of service and network" },
    { 3, "Redirect for type of service and host" },
    { 0, NULL },
};
static const struct value_name time_exceeded_codes[] = {
    { 0, "Time to live exceeded in transit" },
    { 1, "Fragment reassembly time exceeded" },
    { 0, NULL },
};
static const struct value_name parameter_problem_codes[] = {
    { 0, "Pointer indicates the error" },
    { 1, "Required option missing" },
    { 2, "Bad length" },
    { 0, NULL },
};

enum { ROW_CODE = 1, ROWS_CODE = 4, /* those that name it */ ROW_ADDRESS_COUNT = 24 };

static const struct field fields[] = {
    { "icmp.type", N_("Type"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = ECHO, .names = types },
    { "icmp.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_unreachable, .names = unreachable_codes },
    { "icmp.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_redirect, .names = redirect_codes },
    { "icmp.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_time_exceeded, .names = time_exceeded_codes },
    { "icmp.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_parameter_problem, .names = parameter_problem_codes },
    { "icmp.code", N_("Code"), FIELD_UINT, BYTE(1, 1), .when = is_other },
    { "icmp.checksum", N_("Checksum"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_CHECKSUM },
    { "icmp.checksum.status", N_("Checksum Status"), FIELD_UINT, .read = checksum_status,
      .names = checksum_status_names },
    { "icmp.ident", N_("Identifier"), FIELD_UINT, BYTE(4, 2), .when = has_ident },
    { "icmp.ident_le", N_("Identifier, little-endian"), FIELD_UINT_LE, BYTE(4, 2), .when = has_seq,
      .flags = FIELD_HIDDEN },
    { "icmp.seq", N_("Sequence Number"), FIELD_UINT, BYTE(6, 2), .when = has_seq },
    { "icmp.seq_le", N_("Sequence Number, little-endian"), FIELD_UINT_LE, BYTE(6, 2), .when = has_seq,
      .flags = FIELD_HIDDEN },
    { "icmp.ext.echo.seq", N_("Sequence Number"), FIELD_UINT, BYTE(6, 1), .when = is_extended_echo },
    { "icmp.ext.echo.req.res", N_("Reserved"), FIELD_UINT, BITS(56, 7), .when = is_extended_request },
    { "icmp.ext.echo.req.local", N_("Local"), FIELD_BOOL, BITS(63, 1), .when = is_extended_request },
    { "icmp.ext.echo.rsp.state", N_("State"), FIELD_UINT, BITS(56, 3), .when = is_extended_reply },
    { "icmp.ext.echo.rsp.res", N_("Reserved"), FIELD_UINT, BITS(59, 2), .when = is_extended_reply },
    { "icmp.ext.echo.rsp.active", N_("Active"), FIELD_BOOL, BITS(61, 1), .when = is_extended_reply },
    { "icmp.ext.echo.rsp.ipv4", N_("IPv4"), FIELD_BOOL, BITS(62, 1), .when = is_extended_reply },
    { "icmp.ext.echo.rsp.ipv6", N_("IPv6"), FIELD_BOOL, BITS(63, 1), .when = is_extended_reply },
    { "icmp.pointer", N_("Pointer"), FIELD_UINT, BYTE(4, 1), .when = is_parameter_problem },
    { "icmp.length", N_("Length of the quote, in words"), FIELD_UINT, BYTE(5, 1), .when = has_length },
    { "icmp.mtu", N_("MTU of next hop"), FIELD_UINT, BYTE(6, 2), .when = is_too_big },
    { "icmp.num_addrs", N_("Number of addresses"), FIELD_UINT, BYTE(4, 1), .when = is_advertisement },
    { "icmp.addr_entry_size", N_("Address entry size"), FIELD_UINT, BYTE(5, 1), .preset = 2, .when = is_advertisement },
    { "icmp.lifetime", N_("Lifetime"), FIELD_UINT, BYTE(6, 2), .when = is_advertisement },
    { "icmp.router_address", N_("Router address"), FIELD_IPV4, BYTE(8, 4), .stride = 8, .times = ROW_ADDRESS_COUNT,
      .flags = FIELD_MANY, .when = is_advertisement },
    { "icmp.pref_level", N_("Preference level"), FIELD_UINT, BYTE(12, 4), .stride = 8, .times = ROW_ADDRESS_COUNT,
      .flags = FIELD_MANY, .when = is_advertisement },
    { "icmp.resp_to", N_("Answers the request in packet"), FIELD_UINT, NOTE(question_frame, NOTE_ANSWERS) },
    { "icmp.redir_gw", N_("Gateway Address"), FIELD_IPV4, BYTE(4, 4), .when = is_redirect },
    { "icmp.originate_timestamp", N_("Originate Timestamp"), FIELD_UINT, BYTE(8, 4), .when = is_timestamp },
    { "icmp.receive_timestamp", N_("Receive Timestamp"), FIELD_UINT, BYTE(12, 4), .when = is_timestamp },
    { "icmp.transmit_timestamp", N_("Transmit Timestamp"), FIELD_UINT, BYTE(16, 4), .when = is_timestamp },
    { "icmp.address_mask", N_("Address Mask"), FIELD_IPV4, BYTE(8, 4), .when = is_mask },
    { 0 },
};

static bool checksum_status(const struct place *place, struct value *value)
{
    value->u = checksum_verify_alone(place->packet, place->layer);
    return place->bytes.left >= 4;
}

/* The length of a message's fixed part; `all` of it where nothing else can follow. */
static size_t header_length(const uint8_t *h, size_t all)
{
    switch (h[0]) {
    case ROUTER_ADVERTISEMENT:
        return HEADER + 8u * h[4] < all ? HEADER + 8u * h[4] : all;
    case TIMESTAMP:
    case TIMESTAMP_REPLY:
        return 20;
    case MASK:
    case MASK_REPLY:
        return 12;
    }
    return HEADER;
}

static bool is_error(uint8_t type)
{
    return type == UNREACHABLE || type == SOURCE_QUENCH || type == REDIRECT || type == TIME_EXCEEDED ||
           type == PARAMETER_PROBLEM;
}

/* How much of an error is the quote: RFC 792 of a redirect, the header and eight bytes; of the others, if they have a
 * length, what it says, and extensions behind that (RFC 4884, 4; tshark counts the quote's header besides). 0: all. */
static uint16_t quote_length(const uint8_t *h, const struct span *quote, size_t all)
{
    if (quote->left < 4)
        return 0;
    uint16_t header = (quote->at[0] & 15) * 4, told = h[5] * 4;
    if (h[0] == REDIRECT)
        return header + 8;
    return told && all > told && load_be16(quote->at + 2) > told ? header + told : 0;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = span_peek(in, HEADER);
    size_t length = h ? header_length(h, self->end - self->offset) : HEADER;
    struct span header = span_part(*in, 0, length);
    self->length = header.left < LEAST ? 0 : (uint32_t)header.left;
    span_pull(in, header.left);
    if (header.left < length)
        return VERDICT_CUT;
    if (is_error(h[0]))
        *next = (struct key){ KEY_ICMP_QUOTE, 0x0800, quote_length(h, in, self->end - self->offset - HEADER) };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    const char *name = field_value_name(&fields[0], h[0]);
    buffer_text(out, name ? name : "type ");
    if (!name)
        buffer_decimal(out, h[0]);
    if (h[0] == ECHO || h[0] == ECHO_REPLY) {
        buffer_text(out, " id ");
        buffer_decimal(out, load_be16(h + 4));
        buffer_text(out, " seq ");
        buffer_decimal(out, load_be16(h + 6));
    } else if (h[0] == REDIRECT) {
        buffer_text(out, " to ");
        char *at = buffer_room(out, ADDRESS_TEXT);
        out->at = write_ipv4(at, load_be32(h + 4));
    } else {
        header_write_code(packet, layer, &fields[ROW_CODE], ROWS_CODE, out);
    }
}

static const struct key keys[] = {
    { KEY_IP, 1, 0 },
    { 0 },
};

static enum turn turn(const struct packet *packet, const struct layer *layer, int64_t *number)
{
    return header_ping(packet, layer, ECHO, ECHO_REPLY, number);
}

const struct protocol icmp_protocol = {
    .name = "icmp",
    .label = "ICMP",
    .title = N_("Internet Control Message Protocol"),
    .rfc = "RFC 792",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .turn = turn,
    .summary = summary,
};
