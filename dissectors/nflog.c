/* What Linux' packet filter logs (LINKTYPE_NFLOG, www.tcpdump.org/linktypes): a family, and attributes in the byte
 * order of the machine that captured, of which one is the packet. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum {
    HEADER = 4,    /* family, version, resource */
    ATTRIBUTE = 4, /* length, which counts itself, and type */
    ALIGNMENT = 4,
    PACKET_HEADER = 1, /* NFULA_PACKET_HDR: ethertype, hook */
    PAYLOAD = 9,       /* NFULA_PAYLOAD */
    AF_IPV4 = 2,       /* as Linux has them */
    AF_IPV6 = 10,
};

static const struct value_name families[] = { { AF_IPV4, "IPv4" }, { 7, "Bridge" }, { AF_IPV6, "IPv6" }, { 0, NULL } };

static const struct field fields[] = {
    { "nflog.family", N_("Family"), FIELD_UINT, BYTE(0, 1), .preset = AF_IPV4, .names = families },
    { "nflog.version", N_("Version"), FIELD_UINT, BYTE(1, 1) },
    { "nflog.res_id", N_("Resource ID"), FIELD_UINT, BYTE(2, 2) },
    { "nflog.tlv", N_("Attributes"), FIELD_BYTES, TO_END(HEADER) },
    { 0 },
};

static uint16_t load_order(const uint8_t *at, bool little)
{
    return little ? load_le16(at) : load_be16(at);
}

/* Where the packet begins, and where it ends by its attribute's length; 0 if there is none in this byte order. *type is
 * its ethertype, which another attribute may tell, in network order always. */
static size_t find_packet(const struct span *in, bool little, size_t *end, uint16_t *type)
{
    *type = 0;
    for (size_t at = HEADER; at + ATTRIBUTE <= in->left;) {
        size_t length = load_order(in->at + at, little);
        if (length < ATTRIBUTE)
            return 0;
        uint16_t kind = load_order(in->at + at + 2, little);
        if (kind == PACKET_HEADER && length >= ATTRIBUTE + 2 && at + ATTRIBUTE + 2 <= in->left)
            *type = load_be16(in->at + at + ATTRIBUTE);
        if (kind == PAYLOAD) {
            *end = at + length;
            return at + ATTRIBUTE;
        }
        at += (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return 0;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    (void)packet;
    size_t end = 0;
    uint16_t type = 0;
    const uint8_t *h = in->at;
    if (in->left < HEADER) {
        self->length = (uint32_t)in->left;
        return VERDICT_CUT;
    }
    size_t at = find_packet(in, true, &end, &type);
    if (!at)
        at = find_packet(in, false, &end, &type);
    if (!at) {
        self->length = (uint32_t)in->left;
        span_pull(in, in->left);
        return self->offset + self->length < self->end ? VERDICT_CUT : VERDICT_WHOLE;
    }
    span_pull(in, at);
    self->length = (uint32_t)at;
    if (self->offset + end < self->end)
        self->end = self->offset + (uint32_t)end;
    if (type)
        *next = (struct key){ KEY_ETHERTYPE, type, 0 };
    else if (h[0] == AF_IPV4)
        *next = header_ip_key(in);
    else if (h[0] == AF_IPV6)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "family ");
    buffer_decimal(out, h[0]);
    buffer_text(out, ", group ");
    buffer_decimal(out, load_be16(h + 2));
}

static const struct key keys[] = {
    { KEY_LINK, 239, 0 },
    { 0 },
};

const struct protocol nflog_protocol = {
    .name = "nflog",
    .label = "NFLOG",
    .title = N_("Linux packet filter's log"),
    .rfc = "LINKTYPE_NFLOG",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
};
