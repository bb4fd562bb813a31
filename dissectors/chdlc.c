/* Cisco's HDLC, on serial lines in place of PPP (LINKTYPE_C_HDLC; RFC 1547, 4.3.1): an address that says whether all
 * are meant, and an ethertype. */
#include "base/text.h"
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

/* Not all that Ethernet carries: SLARP's number is another protocol's there, and ARP's and tags' are nobody's here. */
static bool is_carried(uint16_t type)
{
    return type == 0x0800 || type == 0x86dd || type == 0x8847 || type == 0x8848 || type == 0x6558;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t captured = in->left;
    const uint8_t *h = span_pull(in, HEADER);
    if (!h) {
        self->length = (uint32_t)captured;
        return VERDICT_CUT;
    }
    self->length = HEADER;
    uint16_t type = load_be16(h + 2);
    if (is_carried(type))
        *next = (struct key){ KEY_ETHERTYPE, type, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    const char *name = field_value_name(&fields[2], load_be16(h.at + 2));
    buffer_text(out, name ? name : "type 0x");
    if (!name)
        buffer_hex(out, load_be16(h.at + 2), 4);
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
