/* Internet Protocol, version 6 (RFC 8200). Its extension headers are layers of their own. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include <stddef.h>

enum { HEADER = 40, HOP_BY_HOP = 0, NO_NEXT = 59, JUMBO = 0xc2 };

/* Rows that are there only with all of the words they are cut from, or that the next header is read with. */
static const struct when first_word[] = {
    { BITS(0, 32), 0, UINT32_MAX },
    { 0 },
};
static const struct when length_and_next[] = {
    { BITS(32, 24), 0, UINT32_MAX },
    { 0 },
};

static const struct field fields[] = {
    { "ip.version", N_("Version"), FIELD_UINT, BITS(0, 4), .flags = FIELD_HIDDEN },
    { "ipv6.version", N_("Version"), FIELD_UINT, BITS(0, 4), .preset = 6 },
    { "ipv6.tclass", N_("Traffic Class"), FIELD_UINT, BITS(4, 8), .base = BASE_HEX, .when = first_word },
    { "ipv6.tclass.dscp", N_("DSCP"), FIELD_UINT, BITS(4, 6), .when = first_word },
    { "ipv6.tclass.ecn", N_("ECN"), FIELD_UINT, BITS(10, 2), .when = first_word },
    { "ipv6.flow", N_("Flow Label"), FIELD_UINT, BITS(12, 20), .base = BASE_HEX, .when = first_word },
    { "ipv6.plen", N_("Payload Length"), FIELD_UINT, BYTE(4, 2), .role = ROLE_LENGTH, .less = HEADER,
      .when = length_and_next },
    { "ipv6.nxt", N_("Next Header"), FIELD_UINT, BYTE(6, 1), .role = ROLE_NEXT, .preset = NO_NEXT },
    { "ipv6.hlim", N_("Hop Limit"), FIELD_UINT, BYTE(7, 1), .preset = 64 },
    { "ipv6.src", N_("Source Address"), FIELD_IPV6, BYTE(8, 16), .role = ROLE_SOURCE, HOT(ipv6_src),
      .also = "ipv6.addr" },
    { "ipv6.dst", N_("Destination Address"), FIELD_IPV6, BYTE(24, 16), .role = ROLE_DESTINATION, HOT(ipv6_dst),
      .also = "ipv6.addr" },
    { 0 },
};

static void copy_hot(struct packet *p, const uint8_t *h)
{
    if (p->have & HOT_IPV6) {
        p->again |= HOT_IPV6;
        return;
    }
    p->have |= HOT_IPV6;
    memcpy(p->ipv6_src, h + 8, 16);
    memcpy(p->ipv6_dst, h + 24, 16);
}

/* The length of a jumbogram, which says 0 in its own header: RFC 2675, 3. 0: there is no such option. */
static uint32_t jumbo_length(struct span in)
{
    const uint8_t *h = span_peek(&in, 8);
    if (!h)
        return 0;
    struct span run = span_part(in, 2, ((size_t)h[1] + 1) * 8 - 2);
    while (run.left >= 2 && run.at[0] != JUMBO) {
        size_t length = run.at[0] ? run.at[1] + 2u : 1; /* 0: Pad1 */
        if (!span_pull(&run, length))
            return 0;
    }
    return run.left >= 6 && run.at[1] == 4 ? load_be32(run.at + 2) : 0;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    if (in->left && in->at[0] >> 4 != 6) {
        packet->again |= HOT_IPV6;
        self->length = 1; /* nothing behind the version can be believed */
        return VERDICT_BROKEN;
    }
    const uint8_t *h = span_pull(in, HEADER);
    if (!h) {
        packet->again |= HOT_IPV6;
        self->length = (uint32_t)in->left;
        return VERDICT_CUT;
    }
    self->length = HEADER;
    copy_hot(packet, h);
    if (packet->network_count < NETWORKS_MAX) {
        packet->networks[packet->network_count++] = (struct network){ h + 8, h + 24, h + 24, 16, h[6] };
        self->network = packet->network_count;
    }
    uint32_t length = load_be16(h + 4);
    if (!length && h[6] == HOP_BY_HOP)
        length = jumbo_length(*in);
    if (length < self->end - self->offset - HEADER)
        self->end = self->offset + HEADER + length;
    *next = (struct key){ KEY_IP, h[6], 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, "next header ");
    buffer_decimal(out, h[6]);
    buffer_text(out, " len ");
    buffer_decimal(out, layer_payload_length(layer));
}

static const struct key keys[] = {
    { KEY_ETHERTYPE, 0x86dd, 0 }, { KEY_IP, 41, 0 }, { KEY_LINK, 229, 0 }, { KEY_PPP, 0x0057, 0 }, { 0 },
};

const struct protocol ipv6_protocol = {
    .name = "ipv6",
    .label = "IPv6",
    .title = N_("Internet Protocol Version 6"),
    .rfc = "RFC 8200",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
