/* Virtual eXtensible LAN (RFC 7348): Ethernet over UDP; with the group policy of draft-smith-vxlan-group-policy. */
#include "base/text.h"
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

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t captured = in->left;
    if (!span_pull(in, HEADER)) {
        self->length = (uint32_t)captured;
        return VERDICT_CUT;
    }
    self->length = HEADER;
    *next = (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    buffer_text(out, "VNI ");
    buffer_decimal(out, load_be32(h.at + 4) >> 8);
}

static const struct key keys[] = {
    { KEY_UDP_PORT, 4789, 0 },
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
