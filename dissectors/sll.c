/* Linux cooked captures: what libpcap writes in place of a link header where there is none, or one of many kinds
 * (LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2, www.tcpdump.org/linktypes). Both have the same fields in other places.
 */
#include "base/address.h"
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    HEADER = 16,
    HEADER2 = 20,
    LENGTH_MAX = 1500,
    TYPE_LLC = 4,
    NETLINK = 824,
    GRE = 778,
    ETHERNET_FRAME = 3,
    RADIOTAP = 803,
    FRAME_RELAY = 770
};

/* ARPHRD_: which numbers are no ethertypes */
static const struct when type_is_other[] = {
    { BITS(16, 16), NETLINK, NETLINK },
    { 0 },
};
static const struct when type_is_gre[] = {
    { BITS(16, 16), GRE, GRE },
    { 0 },
};
static const struct when hardware_is_plain[] = {
    { BITS(16, 16), 0, GRE - 1 },
    { BITS(16, 16), GRE + 1, NETLINK - 1 },
    { BITS(16, 16), NETLINK + 1, 0xffff },
    { 0 },
};
static const struct when type_is_ethertype[] = {
    { BITS(112, 16), LENGTH_MAX + 1, 0xffff, hardware_is_plain },
    { 0 },
};
static const struct when type_is_linux[] = {
    { BITS(112, 16), 0, LENGTH_MAX, hardware_is_plain },
    { 0 },
};
static const struct when has_mac[] = {
    { BITS(32, 16), 6, 6 },
    { 0 },
};
static const struct when has_ipv4[] = {
    { BITS(32, 16), 4, 4 },
    { 0 },
};
static const struct when has_other[] = {
    { BITS(32, 16), 1, 3 },
    { BITS(32, 16), 5, 5 },
    { BITS(32, 16), 7, 8 },
    { 0 },
};
static const struct when has_mac2[] = {
    { BITS(88, 8), 6, 6 },
    { 0 },
};
static const struct when has_ipv42[] = {
    { BITS(88, 8), 4, 4 },
    { 0 },
};
static const struct when has_other2[] = {
    { BITS(88, 8), 1, 3 },
    { BITS(88, 8), 5, 5 },
    { BITS(88, 8), 7, 8 },
    { 0 },
};

static const struct value_name packet_types[] = {
    { 0, "Unicast to us" }, { 1, "Broadcast" },  { 2, "Multicast" },
    { 3, "To another" },    { 4, "Sent by us" }, { 0, NULL },
};

enum { ROW_ADDRESS_LENGTH = 3, ROW2_ADDRESS_LENGTH = 5 }; /* counted from 1, as .sized does */

static const struct field fields[] = {
    { "sll.pkttype", N_("Packet type"), FIELD_UINT, BYTE(0, 2), .names = packet_types },
    { "sll.hatype", N_("Link-layer address type"), FIELD_UINT, BYTE(2, 2) },
    { "sll.halen", N_("Link-layer address length"), FIELD_UINT, BYTE(4, 2) },
    { "sll.src.eth", N_("Source"), FIELD_MAC, BYTE(6, 6), .when = has_mac },
    { "sll.src.ipv4", N_("Source"), FIELD_IPV4, BYTE(6, 4), .when = has_ipv4 },
    { "sll.src.other", N_("Source"), FIELD_BYTES, BYTE(6, 0), .sized = ROW_ADDRESS_LENGTH, .when = has_other },
    { "sll.etype", N_("Protocol"), FIELD_UINT, BYTE(14, 2), .base = BASE_HEX, .role = ROLE_NEXT,
      .when = type_is_ethertype },
    { "sll.gretype", N_("Protocol"), FIELD_UINT, BYTE(14, 2), .base = BASE_HEX, .when = type_is_gre },
    { "sll.ltype", N_("Protocol"), FIELD_UINT, BYTE(14, 2), .base = BASE_HEX, .when = type_is_linux },
    { "sll.ltype", N_("Protocol"), FIELD_UINT, BYTE(14, 2), .base = BASE_HEX, .when = type_is_other },
    { 0 },
};

static const struct field fields2[] = {
    { "sll.etype", N_("Protocol"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX, .role = ROLE_NEXT },
    { "sll.ifindex", N_("Interface index"), FIELD_UINT, BYTE(4, 4) },
    { "sll.hatype", N_("Link-layer address type"), FIELD_UINT, BYTE(8, 2) },
    { "sll.pkttype", N_("Packet type"), FIELD_UINT, BYTE(10, 1), .names = packet_types },
    { "sll.halen", N_("Link-layer address length"), FIELD_UINT, BYTE(11, 1) },
    { "sll.src.eth", N_("Source"), FIELD_MAC, BYTE(12, 6), .when = has_mac2 },
    { "sll.src.ipv4", N_("Source"), FIELD_IPV4, BYTE(12, 4), .when = has_ipv42 },
    { "sll.src.other", N_("Source"), FIELD_BYTES, BYTE(12, 0), .sized = ROW2_ADDRESS_LENGTH, .when = has_other2 },
    { 0 },
};

/* Linux's own numbers stand below the ethertypes: 802.2 is one that the registry knows as well. */
static struct key next_key(uint16_t hardware, uint16_t type)
{
    if (hardware == RADIOTAP)
        return (struct key){ KEY_LINK, 127, 0 };
    if (hardware == FRAME_RELAY)
        return (struct key){ KEY_LINK, 107, 0 };
    if (hardware != NETLINK && type == ETHERNET_FRAME)
        return (struct key){ KEY_LINK, 1, 0 };
    if (hardware == NETLINK || (type <= LENGTH_MAX && type != TYPE_LLC))
        return (struct key){ 0 };
    return (struct key){ KEY_ETHERTYPE, type, 0 };
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = header_take(self, in, HEADER);
    if (!h)
        return VERDICT_CUT;
    *next = next_key(load_be16(h + 2), load_be16(h + 14));
    return VERDICT_WHOLE;
}

static enum verdict dissect2(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = header_take(self, in, HEADER2);
    if (!h)
        return VERDICT_CUT;
    *next = next_key(load_be16(h + 8), load_be16(h));
    return VERDICT_WHOLE;
}

static void write_summary(uint32_t packet_type, uint16_t type, struct buffer *out)
{
    static const char *const words[] = { "to us", "broadcast", "multicast", "to another", "from us" };
    buffer_text(out, packet_type < sizeof words / sizeof *words ? words[packet_type] : "unknown direction");
    buffer_text(out, ", type 0x");
    buffer_hex(out, type, 4);
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (h)
        write_summary(load_be16(h), load_be16(h + 14), out);
}

static void summary2(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER2, out);
    if (h)
        write_summary(h[10], load_be16(h), out);
}

static const struct key keys[] = {
    { KEY_LINK, 113, 0 },
    { 0 },
};
static const struct key keys2[] = {
    { KEY_LINK, 276, 0 },
    { 0 },
};

const struct protocol sll_protocol = {
    .name = "sll",
    .label = "SLL",
    .title = N_("Linux cooked capture"),
    .rfc = "LINKTYPE_LINUX_SLL",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol sll2_protocol = {
    .name = "sll2",
    .label = "SLL2",
    .title = N_("Linux cooked capture version 2"),
    .rfc = "LINKTYPE_LINUX_SLL2",
    .fields = fields2,
    .keys = keys2,
    .least = HEADER2,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect2,
    .summary = summary2,
};
