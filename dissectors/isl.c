/* Cisco Inter-Switch Link: what VLAN trunks had before IEEE 802.1Q. A header and a check sequence around the whole
 * frame, known by its destination. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { HEADER = 26, LENGTH_END = 14, CHECK_SEQUENCE = 4, ETHERNET = 0, LINK_ETHERNET = 1 };

static const struct value_name types[] = {
    { ETHERNET, "Ethernet" }, { 1, "Token Ring" }, { 2, "FDDI" }, { 3, "ATM" }, { 0, NULL },
};

static const struct field fields[] = {
    { "isl.dst", N_("Destination"), FIELD_BYTES, BYTE(0, 5) },
    { "isl.type", N_("Type"), FIELD_UINT, BITS(40, 4), .role = ROLE_NEXT, .names = types },
    { "isl.user", N_("User"), FIELD_UINT, BITS(44, 4), .base = BASE_HEX },
    { "isl.src", N_("Source"), FIELD_MAC, BYTE(6, 6), .role = ROLE_SOURCE },
    { "isl.len", N_("Length"), FIELD_UINT, BYTE(12, 2), .role = ROLE_LENGTH, .less = LENGTH_END },
    { "isl.dsap", N_("DSAP"), FIELD_UINT, BYTE(14, 1), .base = BASE_HEX },
    { "isl.ssap", N_("SSAP"), FIELD_UINT, BYTE(15, 1), .base = BASE_HEX },
    { "isl.control", N_("Control"), FIELD_UINT, BYTE(16, 1), .base = BASE_HEX },
    { "isl.hsa", N_("High bits of source address"), FIELD_UINT, BYTE(17, 3), .base = BASE_HEX },
    { "isl.vlan_id", N_("VLAN ID"), FIELD_UINT, BITS(160, 15) },
    { "isl.bpdu", N_("BPDU"), FIELD_BOOL, BITS(175, 1) },
    { "isl.index", N_("Index"), FIELD_UINT, BYTE(22, 2) },
    { 0 },
};

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = header_take(self, in, HEADER);
    if (!h)
        return VERDICT_CUT;
    uint32_t length = LENGTH_END + load_be16(h + 12);
    if (length >= HEADER + CHECK_SEQUENCE && self->offset + length <= self->end)
        self->end = self->offset + length - CHECK_SEQUENCE;
    if (h[5] >> 4 == ETHERNET)
        *next = (struct key){ KEY_LINK, LINK_ETHERNET, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "VLAN ");
    buffer_decimal(out, load_be16(h + 20) >> 1);
}

static const struct key keys[] = {
    { KEY_ISL, 0, 0 },
    { 0 },
};

const struct protocol isl_protocol = {
    .name = "isl",
    .label = "ISL",
    .title = N_("Cisco Inter-Switch Link"),
    .rfc = "Cisco 17056",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
};
