/* Logical Link Control (IEEE 802.2), and SNAP (IEEE 802, 9.2; RFC 1042) where both access points are 0xaa. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    HEADER = 3,
    PADDING = 2,
    SNAP = 0xaa,
    UNNUMBERED_INFORMATION = 3,
    TYPE_LLC = 4, /* Linux's ETH_P_802_2: no type on the wire is that small */
};

static const struct when is_snap[] = {
    { BITS(0, 24), 0xaaaa03, 0xaaaa03 },
    { 0 },
};
/* Information and supervisory frames number themselves and take two bytes for it: IEEE 802.2, 5.2. */
static const struct when is_information[] = {
    { BITS(23, 1), 0, 0 },
    { 0 },
};
static const struct when is_supervisory[] = {
    { BITS(22, 2), 1, 1 },
    { 0 },
};
static const struct when is_numbered[] = {
    { BITS(22, 2), 0, 2 },
    { 0 },
};
static const struct when is_unnumbered[] = {
    { BITS(22, 2), 3, 3 },
    { 0 },
};
static const struct when carries_ethertype[] = {
    /* RFC 1042: 00-00-00; 00-00-f8 for bridges to Token Ring */
    { BITS(24, 24), 0, 0, is_snap },
    { BITS(24, 24), 0x0000f8, 0x0000f8, is_snap },
    { 0 },
};
static const struct when carries_private[] = {
    { BITS(24, 24), 1, 0x0000f7, is_snap },
    { BITS(24, 24), 0x0000f9, 0xffffff, is_snap },
    { 0 },
};

static const struct when of_bridges[] = {
    { BITS(24, 24), 0x0080c2, 0x0080c2, is_snap },
    { 0 },
};
static const struct when carries_bridged[] = {
    { BITS(48, 16), 1, 1, of_bridges },
    { BITS(48, 16), 7, 7, of_bridges },
    { 0 },
};

static const struct value_name saps[] = {
    { 0x00, "NULL LSAP" },   { 0x02, "LLC sub-layer management" },
    { 0x06, "IP" },          { 0x42, "Spanning Tree BPDU" },
    { 0x7e, "X.25" },        { 0x98, "ARP" },
    { 0xaa, "SNAP" },        { 0xe0, "NetWare" },
    { 0xf0, "NetBIOS" },     { 0xfe, "ISO Network Layer" },
    { 0xff, "Global LSAP" }, { 0, NULL },
};

static const struct field fields[] = {
    { "llc.dsap", N_("DSAP"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX, .role = ROLE_NEXT, .names = saps },
    { "llc.ssap", N_("SSAP"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX, .names = saps },
    { "llc.control", N_("Control"), FIELD_UINT, BYTE(2, 1), .base = BASE_HEX, .when = is_unnumbered },
    { "llc.control", N_("Control"), FIELD_UINT, BYTE(2, 2), .base = BASE_HEX, .when = is_numbered },
    { "llc.control.n_s", N_("N(S)"), FIELD_UINT, BITS(16, 7), .when = is_information },
    { "llc.control.s_ftype", N_("Supervisory type"), FIELD_UINT, BITS(20, 2), .when = is_supervisory },
    { "llc.control.n_r", N_("N(R)"), FIELD_UINT, BITS(24, 7), .when = is_numbered },
    { "llc.control.p", N_("Poll or final"), FIELD_BOOL, BITS(31, 1), .when = is_numbered },
    { "llc.oui", N_("Organization Code"), FIELD_UINT, BYTE(3, 3), .base = BASE_HEX, .when = is_snap },
    { "llc.type", N_("Type"), FIELD_UINT, BYTE(6, 2), .base = BASE_HEX, .when = carries_ethertype },
    { "llc.pid", N_("Protocol ID"), FIELD_UINT, BYTE(6, 2), .base = BASE_HEX, .when = carries_private },
    { "llc.bridged_pad", N_("Padding"), FIELD_UINT, BYTE(8, PADDING), .base = BASE_HEX, .when = carries_bridged },
    { 0 },
};

/* RFC 2684, 5.2: a bridged Ethernet frame, with or without its check sequence, behind two bytes of padding. */
static bool is_bridged(uint32_t oui, uint16_t id)
{
    return oui == 0x0080c2 && (id == 1 || id == 7);
}

/* The protocol behind a SNAP header. */
static struct key snap_key(uint32_t oui, uint16_t id)
{
    if (oui == 0 || oui == 0x0000f8)
        return (struct key){ KEY_ETHERTYPE, id, 0 };
    if (is_bridged(oui, id))
        return (struct key){ KEY_LINK, 1, 0 };
    return (struct key){ 0 };
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    const uint8_t *h = in->at;
    size_t header = HEADER;
    if (in->left >= HEADER && (h[2] & 3) != 3)
        header = HEADER + 1;
    else if (in->left >= HEADER && h[0] == SNAP && h[1] == SNAP && h[2] == UNNUMBERED_INFORMATION)
        header = HEADER + 5;
    if (!header_take(self, in, header))
        return VERDICT_CUT;
    if (header == HEADER + 5) {
        uint32_t oui = load_be32(h + 2) & 0xffffff;
        uint16_t id = load_be16(h + 6);
        if (is_bridged(oui, id) && !span_pull(in, PADDING))
            return VERDICT_CUT;
        self->length += is_bridged(oui, id) ? PADDING : 0;
        *next = snap_key(oui, id);
    } else if (h[2] == UNNUMBERED_INFORMATION || !(h[2] & 1)) {
        *next = (struct key){ KEY_LLC_SAP, h[0], 0 };
    }
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, "cut short");
        return;
    }
    buffer_text(out, "dsap 0x");
    buffer_hex(out, h.at[0], 2);
    buffer_text(out, " ssap 0x");
    buffer_hex(out, h.at[1], 2);
    if (h.left >= HEADER + 5) {
        buffer_text(out, ", SNAP 0x");
        buffer_hex(out, load_be32(h.at + 2) & 0xffffff, 6);
        buffer_text(out, " type 0x");
        buffer_hex(out, load_be16(h.at + 6), 4);
    }
}

static const struct key keys[] = {
    { KEY_ETHERTYPE, TYPE_LLC, 0 },
    { 0 },
};

const struct protocol llc_protocol = {
    .name = "llc",
    .label = "LLC",
    .title = N_("Logical Link Control"),
    .rfc = "IEEE 802.2",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_LLC_SAP,
    .dissect = dissect,
    .summary = summary,
};
