/* Virtual eXtensible LAN (RFC 7348): Ethernet over UDP; with the group policy of draft-smith-vxlan-group-policy. Its
 * generic extension (draft-ietf-nvo3-vxlan-gpe) says what it carries, and has a port of its own. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { HEADER = 8, LINK_ETHERNET = 1 };

static const struct field fields[] = {
    { "vxlan.flags", N_("Flags"), FIELD_UINT, BYTE(0, 2), .base = BASE_HEX, .preset = 0x0800 },
    { "vxlan.flag_g", N_("Group policy"), FIELD_BOOL, BITS(0, 1) },
    { "vxlan.flag_i", N_("Network identifier is there"), FIELD_BOOL, BITS(4, 1) },
    { "vxlan.flag_d", N_("Don't learn"), FIELD_BOOL, BITS(9, 1) },
    { "vxlan.flag_a", N_("Policy applied"), FIELD_BOOL, BITS(12, 1) },
    { "vxlan.gbp", N_("Group Policy ID"), FIELD_UINT, BYTE(2, 2) },
    { "vxlan.vni", N_("VXLAN Network Identifier"), FIELD_UINT, BYTE(4, 3) },
    { "vxlan.reserved8", N_("Reserved"), FIELD_UINT, BYTE(7, 1) },
    { 0 },
};

static const struct value_name carried[] = {
    { 1, "IPv4" }, { 2, "IPv6" }, { 3, "Ethernet" }, { 4, "Network Service Header" }, { 5, "MPLS" }, { 0, NULL },
};

static const struct field generic_fields[] = {
    { "vxlan.flags", N_("Flags"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX, .preset = 0x0c },
    { "vxlan.ver", N_("Version"), FIELD_UINT, BITS(2, 2) },
    { "vxlan.next_proto", N_("Next protocol"), FIELD_UINT, BYTE(3, 1), .preset = 3, .names = carried },
    { "vxlan.vni", N_("VXLAN Network Identifier"), FIELD_UINT, BYTE(4, 3) },
    { "vxlan.reserved8", N_("Reserved"), FIELD_UINT, BYTE(7, 1) },
    { 0 },
};

/* draft-ietf-nvo3-vxlan-gpe, 3.1 */
static struct key generic_key(uint8_t number)
{
    static const struct key keys[] = {
        [1] = { KEY_ETHERTYPE, 0x0800, 0 },
        [2] = { KEY_ETHERTYPE, 0x86dd, 0 },
        [3] = { KEY_LINK, LINK_ETHERNET, 0 },
        [5] = { KEY_ETHERTYPE, 0x8847, 0 },
    };
    return number < sizeof keys / sizeof *keys ? keys[number] : (struct key){ 0 };
}

static enum verdict dissect_generic(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = header_take(self, in, HEADER);
    if (!h)
        return VERDICT_CUT;
    *next = generic_key(h[3]);
    return VERDICT_WHOLE;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    if (!header_take(self, in, HEADER))
        return VERDICT_CUT;
    *next = (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "VNI ");
    buffer_decimal(out, load_be32(h + 4) >> 8);
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 4789, 0 },
    { 0 },
};

static const struct key generic_keys[] = {
    { KEY_UDP_PORT, 4790, 0 },
    { 0 },
};

const struct protocol vxlan_protocol = {
    .name = "vxlan",
    .label = "VXLAN",
    .title = N_("Virtual eXtensible Local Area Network"),
    .rfc = "RFC 7348",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol vxlan_gpe_protocol = {
    .name = "vxlan_gpe",
    .label = "VXLAN-GPE",
    .title = N_("Virtual eXtensible Local Area Network (GPE)"),
    .rfc = "draft-ietf-nvo3-vxlan-gpe",
    .fields = generic_fields,
    .keys = generic_keys,
    .least = HEADER,
    .dissect = dissect_generic,
    .summary = summary,
};
