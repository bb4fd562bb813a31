/* Cisco's HDLC, on serial lines in place of PPP (LINKTYPE_C_HDLC; RFC 1547, 4.3.1): an address that says whether all
 * are meant, and an ethertype. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { HEADER = 4, UNICAST = 0x0f, MULTICAST = 0x8f, SLARP = 0x8035 };

static const struct value_name addresses[] = { { UNICAST, "Unicast" }, { MULTICAST, "Multicast" }, { 0, NULL } };
static const struct value_name types[] = {
    { 0x0800, "IPv4" },           { 0x2000, "CDP" }, { SLARP, "SLARP" }, { 0x86dd, "IPv6" }, { 0x8847, "MPLS" },
    { 0x8848, "MPLS multicast" }, { 0xfefe, "OSI" }, { 0, NULL },
};

static const struct field fields[] = {
    { "chdlc.address", N_("Address"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX, .preset = UNICAST, .names = addresses },
    { "chdlc.control", N_("Control"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX },
    { "chdlc.protocol", N_("Protocol"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .role = ROLE_NEXT, .names = types },
    { 0 },
};

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = header_take(self, in, HEADER);
    if (!h)
        return VERDICT_CUT;
    uint16_t type = load_be16(h + 2);
    if (header_is_serial_type(type))
        *next = (struct key){ KEY_ETHERTYPE, type, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    const char *name = field_value_name(&fields[2], load_be16(h + 2));
    buffer_text(out, name ? name : "type 0x");
    if (!name)
        buffer_hex(out, load_be16(h + 2), 4);
}

static const struct key keys[] = {
    { KEY_LINK, 104, 0 },
    { 0 },
};

const struct protocol chdlc_protocol = {
    .name = "chdlc",
    .label = "CHDLC",
    .title = N_("Cisco HDLC"),
    .rfc = "RFC 1547",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_ETHERTYPE,
    .dissect = dissect,
    .summary = summary,
};
