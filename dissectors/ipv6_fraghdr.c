/* IPv6 fragment header (RFC 8200, 4.5; atomic fragments RFC 6946). The tracker puts fragments together. */
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"

enum { HEADER = 8, NO_NEXT = 59 };

static const struct field fields[] = {
    { "ipv6.fraghdr.nxt", N_("Next Header"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = NO_NEXT },
    { "ipv6.fraghdr.reserved_octet", N_("Reserved"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX },
    { "ipv6.fraghdr.offset", N_("Fragment Offset"), FIELD_UINT, BITS(16, 13) },
    { "ipv6.fraghdr.reserved_bits", N_("Reserved bits"), FIELD_UINT, BITS(29, 2) },
    { "ipv6.fraghdr.more", N_("More Fragments"), FIELD_BOOL, BITS(31, 1) },
    { "ipv6.fraghdr.ident", N_("Identification"), FIELD_UINT, BYTE(4, 4), .base = BASE_HEX },
    { 0 },
};

/* Only one that was captured whole is put together with its like, a quoted one never. */
static void note_fragment(struct packet *p, struct layer *self, const struct span *in, const uint8_t *h)
{
    uint32_t length = layer_payload_length(self);
    self->flags |= LAYER_FRAGMENT;
    if (self->flags & LAYER_QUOTED || in->left < length || !length)
        return;
    p->fragment = (struct fragment){
        .present = true,
        .more = h[3] & 1,
        .layer = (uint8_t)(self - p->layers),
        .protocol = h[0],
        .ident = load_be32(h + 4),
        .offset = load_be16(h + 2) & 0xfff8u,
        .bytes = { in->at, length },
    };
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    const uint8_t *h = span_pull(in, HEADER);
    if (!h) {
        self->length = 0;
        return VERDICT_CUT;
    }
    self->length = HEADER;
    if (self->network)
        packet->networks[self->network - 1].protocol = h[0];
    uint16_t word = load_be16(h + 2);
    if (word & 0xfff9) {
        note_fragment(packet, self, in, h);
        return VERDICT_WHOLE; /* data, until it is put together */
    }
    *next = (struct key){ KEY_IP, h[0], 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "fragment at ");
    buffer_decimal(out, load_be16(h + 2) & 0xfff8u);
    buffer_text(out, " of id 0x");
    buffer_hex(out, load_be32(h + 4), 8);
    if (h[3] & 1)
        buffer_text(out, ", more follow");
}

static const struct key keys[] = {
    { KEY_IP, 44, 0 },
    { 0 },
};

const struct protocol ipv6_fraghdr_protocol = {
    .name = "ipv6.fraghdr",
    .label = "IPv6",
    .title = N_("IPv6 Fragment Header"),
    .rfc = "RFC 8200, 4.5",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
