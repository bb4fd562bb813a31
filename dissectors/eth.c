/* Ethernet: DIX frames with a type (RFC 894) and IEEE 802.3 frames with a length, LLC on top (RFC 1042). */
#include "base/address.h"
#include "base/text.h"
#include "protocol/protocol.h"
#include <stddef.h>

/* IEEE 802.3, 3.2.6: a value up to 1500 is a length, from 1536 on a type, and between them nothing. */
enum { HEADER = 14, LENGTH_MAX = 1500, TYPE_MIN = 1536, TYPE_LLC = 4 };

static const struct when is_length[] = { { BITS(96, 16), 1, LENGTH_MAX }, { 0 } };
static const struct when is_type[] = {
    /* 0 is no length that a frame could have */
    { BITS(96, 16), 0, 0 },
    { BITS(96, 16), TYPE_MIN, 0xffff },
    { 0 },
};
static const struct when is_neither[] = { { BITS(96, 16), LENGTH_MAX + 1, TYPE_MIN - 1 }, { 0 } };

static const struct value_name ethertypes[] = {
    { 0x0800, "IPv4" },
    { 0x0806, "ARP" },
    { 0x8100, "802.1Q VLAN" },
    { 0x86dd, "IPv6" },
    { 0x8847, "MPLS unicast" },
    { 0x8863, "PPPoE discovery" },
    { 0x8864, "PPPoE session" },
    { 0x88a8, "802.1ad" },
    { 0x88cc, "LLDP" },
    { 0x888e, "802.1X" },
    { 0, NULL },
};

static const struct field fields[] = {
    { "eth.dst", N_("Destination"), FIELD_MAC, BYTE(0, 6), .role = ROLE_DESTINATION, .also = "eth.addr" },
    { "eth.src", N_("Source"), FIELD_MAC, BYTE(6, 6), .role = ROLE_SOURCE, .also = "eth.addr" },
    { "eth.type", N_("Type"), FIELD_UINT, BYTE(12, 2), .base = BASE_HEX, .role = ROLE_NEXT, .when = is_type,
      .names = ethertypes },
    { "eth.len", N_("Length"), FIELD_UINT, BYTE(12, 2), .role = ROLE_LENGTH, .less = HEADER, .when = is_length },
    { "eth.invalid_lentype", N_("Neither length nor type"), FIELD_UINT, BYTE(12, 2), .base = BASE_HEX,
      .when = is_neither },
    { 0 },
};

/* Cisco's trunks put a header of their own in front of the whole frame, with a group's first 40 bits to know it by. */
static bool is_isl(const uint8_t *h)
{
    return (h[0] == 0x01 || h[0] == 0x03) && !h[1] && h[2] == 0x0c && !h[3] && !h[4];
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    struct span all = *in;
    const uint8_t *h = span_pull(in, HEADER);
    if (!h) {
        packet->again |= HOT_ETH;
        return VERDICT_CUT;
    }
    uint16_t type = load_be16(h + 12);
    if (type < TYPE_MIN && is_isl(h)) {
        packet->again |= HOT_ETH;
        *in = all;
        *next = (struct key){ KEY_ISL, 0, 0 };
        return VERDICT_WHOLE;
    }
    self->length = HEADER;
    if (packet->have & HOT_ETH)
        packet->again |= HOT_ETH;
    packet->have |= HOT_ETH;
    packet->ethertype = type;
    if (type <= LENGTH_MAX) {
        if (self->offset + HEADER + type < self->end)
            self->end = self->offset + HEADER + type;
        /* Novell's frames have IPX right here, whose checksum is always ffff: no access points. */
        if (in->left >= 2 && load_be16(in->at) != 0xffff)
            *next = (struct key){ KEY_ETHERTYPE, TYPE_LLC, 0 };
    } else if (type >= TYPE_MIN) {
        *next = (struct key){ KEY_ETHERTYPE, type, 0 };
    }
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, layer->verdict == VERDICT_WHOLE ? "none: ISL" : "cut short");
        return;
    }
    buffer_text(out, "type 0x");
    buffer_hex(out, load_be16(h.at + 12), 4);
}

static const struct key keys[] = { { KEY_LINK, 1, 0 },
                                   { KEY_ETHERTYPE, 0x6558, 0 }, /* in GRE and Geneve: RFC 1701 */
                                   { KEY_IP, 143, 0 },           /* RFC 8986, 4.9 */
                                   { 0 } };

const struct protocol eth_protocol = {
    .name = "eth",
    .label = "Ethernet",
    .title = N_("Ethernet"),
    .rfc = "IEEE 802.3",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .hot = HOT_ETH,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};
