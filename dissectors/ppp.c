/* Point-to-Point Protocol (RFC 1661), in HDLC-like frames or without (RFC 1662): address and control may be left out,
 * and the protocol's first byte where it is 0. The last bit of its first byte says which: RFC 1661, 2 and 6.5. */
#include "base/text.h"
#include "protocol/protocol.h"

enum { ALL_STATIONS = 0xff, LINK_PPP = 9, IPV4 = 0x0021, IPV6 = 0x0057 };

static const struct when has_address[] = {
    { BITS(0, 8), ALL_STATIONS, ALL_STATIONS }, /* no protocol's number begins with it */
    { 0 },
};
static const struct when has_none[] = {
    { BITS(0, 8), 0, ALL_STATIONS - 1 },
    { 0 },
};
static const struct when is_short[] = {
    { BITS(7, 1), 1, 1, has_none },
    { 0 },
};
static const struct when is_long[] = {
    { BITS(7, 1), 0, 0, has_none },
    { 0 },
};
static const struct when is_short_behind[] = {
    { BITS(23, 1), 1, 1, has_address },
    { 0 },
};
static const struct when is_long_behind[] = {
    { BITS(23, 1), 0, 0, has_address },
    { 0 },
};

static const struct value_name protocol_numbers[] = {
    { 0x0021, "IPv4" },
    { 0x0023, "OSI" },
    { 0x002d, "Van Jacobson compressed TCP/IP" },
    { 0x002f, "Van Jacobson uncompressed TCP/IP" },
    { 0x003d, "Multilink" },
    { 0x0057, "IPv6" },
    { 0x00fd, "Compressed datagram" },
    { 0x0281, "MPLS unicast" },
    { 0x0283, "MPLS multicast" },
    { 0x8021, "IPCP" },
    { 0x8057, "IPv6CP" },
    { 0x80fd, "CCP" },
    { 0x8281, "MPLSCP" },
    { 0xc021, "LCP" },
    { 0xc023, "PAP" },
    { 0xc025, "Link Quality Report" },
    { 0xc223, "CHAP" },
    { 0xc227, "EAP" },
    { 0, NULL },
};

enum { FIRST_PROTOCOL = 2 };

#define PROTOCOL(where, which)                                                                                         \
    {                                                                                                                  \
        "ppp.protocol", N_("Protocol"), FIELD_UINT, where, .base = BASE_HEX, .role = ROLE_NEXT,                        \
                                                           .names = protocol_numbers, .when = which                    \
    }

static const struct field fields[] = {
    { "ppp.address", N_("Address"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX, .when = has_address },
    { "ppp.control", N_("Control"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX, .when = has_address },
    PROTOCOL(BYTE(2, 2), is_long_behind),
    PROTOCOL(BYTE(2, 1), is_short_behind),
    PROTOCOL(BYTE(0, 2), is_long),
    PROTOCOL(BYTE(0, 1), is_short),
    { 0 },
};

static const struct value_name directions[] = {
    { 0, "received" },
    { 1, "sent" },
    { 0, NULL },
};
static const struct field direction_fields[] = {
    { "ppp.direction", N_("Direction"), FIELD_UINT, BYTE(0, 1), .names = directions },
    { 0 },
};

/* Where the protocol begins and how long it is. False where that is cut off. */
static bool locate(struct span h, size_t *at, size_t *size)
{
    *at = h.left && h.at[0] == ALL_STATIONS ? 2 : 0;
    if (*at >= h.left)
        return false;
    *size = h.at[*at] & 1 ? 1 : 2;
    return *at + *size <= h.left;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t at, size;
    if (!locate(*in, &at, &size)) {
        self->length = (uint32_t)in->left;
        return VERDICT_CUT;
    }
    uint16_t protocol = size == 1 ? in->at[at] : load_be16(in->at + at);
    span_pull(in, at + size);
    self->length = (uint32_t)(at + size);
    if (protocol == IPV4 && in->left && in->at[0] >> 4 == 6)
        protocol = IPV6;
    *next = (struct key){ KEY_PPP, protocol, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    size_t at, size;
    if (!locate(h, &at, &size)) {
        buffer_text(out, "cut short");
        return;
    }
    uint16_t protocol = size == 1 ? h.at[at] : load_be16(h.at + at);
    const char *name = field_value_name(&fields[FIRST_PROTOCOL], protocol);
    buffer_text(out, name ? name : "protocol 0x");
    if (!name)
        buffer_hex(out, protocol, 4);
}

static enum verdict dissect_direction(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    if (!span_pull(in, 1))
        return VERDICT_CUT;
    self->length = 1;
    *next = (struct key){ KEY_LINK, LINK_PPP, 0 };
    return VERDICT_WHOLE;
}

static void summary_direction(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    buffer_text(out, !h.left ? "cut short" : h.at[0] ? "sent" : "received");
}

static const struct key keys[] = {
    { KEY_LINK, LINK_PPP, 0 },
    { KEY_LINK, 50, 0 },  /* LINKTYPE_PPP_HDLC */
    { KEY_LINK, 166, 0 }, /* LINKTYPE_PPP_PPPD: its direction stands where the address does */
    { 0 },
};
static const struct key direction_keys[] = {
    { KEY_LINK, 204, 0 }, /* LINKTYPE_PPP_WITH_DIR */
    { 0 },
};

const struct protocol ppp_protocol = {
    .name = "ppp",
    .label = "PPP",
    .title = N_("Point-to-Point Protocol"),
    .rfc = "RFC 1661",
    .fields = fields,
    .keys = keys,
    .least = 1,
    .carries = KEY_PPP,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol ppp_direction_protocol = {
    .name = "ppp_direction",
    .label = "PPP",
    .title = N_("PPP, direction"),
    .rfc = "LINKTYPE_PPP_WITH_DIR",
    .fields = direction_fields,
    .keys = direction_keys,
    .least = 1,
    .dissect = dissect_direction,
    .summary = summary_direction,
};
