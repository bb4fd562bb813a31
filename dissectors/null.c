/* BSD loopback (LINKTYPE_NULL, LINKTYPE_LOOP): four bytes that name an address family. In NULL they are in the byte
 * order of the machine that captured, in LOOP in network order; a family is a small number, so the order shows. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { HEADER = 4, LENGTH_MAX = 1500, TYPE_MIN = 1536, AF_MOST = 5, LOOP = 108, LINK_PPP = 9, PPP_HEAD = 0xff03 };

/* In NULL: a number of 32 bits in either order; one of 16 bits in either half, in either order; or, beyond what a
 * length could be, an ethertype in the lower half. */
static uint32_t family_of(struct span h, bool network_order)
{
    uint32_t word = load_le32(h.at);
    if (network_order || word >> 16 > AF_MOST)
        return load_be32(h.at);
    if (word > 0xffff)
        return word >> 16;
    return !(word & 0xff) && word < TYPE_MIN ? word >> 8 : word;
}

static bool family(const struct place *place, struct value *value)
{
    if (place->bytes.left < HEADER)
        return false;
    value->u = family_of(place->bytes, place->packet->link_type == LOOP);
    value->bytes = span_part(place->bytes, 0, HEADER);
    value->width = HEADER * 8;
    return value->u <= LENGTH_MAX || place->packet->link_type == LOOP;
}

static bool type(const struct place *place, struct value *value)
{
    if (place->bytes.left < HEADER)
        return false;
    value->u = family_of(place->bytes, place->packet->link_type == LOOP);
    value->bytes = span_part(place->bytes, 0, 2);
    value->width = 16;
    bool known = value->u > LENGTH_MAX && place->packet->link_type != LOOP;
    value->u = (uint16_t)value->u;
    return known;
}

static const struct value_name families[] = {
    { 2, "IPv4" },           { 7, "OSI" },           { 16, "AppleTalk" }, { 23, "IPX" }, { 24, "IPv6, NetBSD" },
    { 28, "IPv6, FreeBSD" }, { 30, "IPv6, Darwin" }, { 0, NULL },
};

static const struct field fields[] = {
    { "null.family", N_("Family"), FIELD_UINT_LE, BYTE(0, HEADER), .preset = 2, .read = family, .names = families },
    { "null.type", N_("Type"), FIELD_UINT, .base = BASE_HEX, .read = type },
    { 0 },
};

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    struct span all = *in;
    if (packet->link_type != LOOP && in->left >= 2 && load_be16(in->at) == PPP_HEAD) {
        *next = (struct key){ KEY_LINK, LINK_PPP, 0 };
        return VERDICT_WHOLE;
    }
    if (!header_take(self, in, HEADER))
        return VERDICT_CUT;
    uint32_t number = family_of(all, packet->link_type == LOOP);
    if (number == 2)
        *next = header_ip_key(in);
    else if (number == 24 || number == 28 || number == 30)
        *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
    else if (number > LENGTH_MAX && packet->link_type != LOOP)
        *next = (struct key){ KEY_ETHERTYPE, (uint16_t)number, 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, layer->verdict == VERDICT_WHOLE ? "none: PPP" : "cut short");
        return;
    }
    buffer_text(out, "family ");
    buffer_decimal(out, family_of(h, packet->link_type == LOOP));
}

static const struct key keys[] = {
    { KEY_LINK, 0, 0 },
    { KEY_LINK, LOOP, 0 },
    { 0 },
};

const struct protocol null_protocol = {
    .name = "null",
    .label = "Null",
    .title = N_("Null or loopback"),
    .rfc = "LINKTYPE_NULL",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .dissect = dissect,
    .summary = summary,
};
