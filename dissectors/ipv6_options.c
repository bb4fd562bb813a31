/* IPv6 hop-by-hop and destination options (RFC 8200, 4.3 and 4.6): two extension headers of one shape. */
#include "base/text.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

enum { LEAST = 8, UNIT = 8, NO_NEXT = 59, HOME = 0xc9, ADDRESS = 16 };

static const struct field option_common[] = {
    { "ipv6.opt.type", N_("Type"), FIELD_UINT, BYTE(0, 1), .base = BASE_HEX },
    { "ipv6.opt.type.action", N_("Action"), FIELD_UINT, BITS(0, 2) },
    { "ipv6.opt.type.change", N_("May Change"), FIELD_BOOL, BITS(2, 1) },
    { "ipv6.opt.type.rest", N_("Low-Order Bits"), FIELD_UINT, BITS(3, 5), .base = BASE_HEX },
    { "ipv6.opt.length", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH },
    { 0 },
};
static const struct field option_padding[] = {
    { "ipv6.opt.padn", N_("PadN"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct field option_jumbo[] = {
    { "ipv6.opt.jumbo", N_("Payload Length"), FIELD_UINT, BYTE(2, 4) },
    { 0 },
};
static const struct field option_limit[] = {
    { "ipv6.opt.tel", N_("Tunnel Encapsulation Limit"), FIELD_UINT, BYTE(2, 1) },
    { 0 },
};
static const struct field option_alert[] = {
    { "ipv6.opt.router_alert", N_("Router Alert"), FIELD_UINT, BYTE(2, 2) },
    { 0 },
};
static const struct field option_home[] = {
    { "ipv6.opt.mipv6.home_address", N_("Home Address"), FIELD_IPV6, BYTE(2, 16) },
    { 0 },
};
static const struct field option_other[] = {
    { "ipv6.opt.unknown", N_("Data"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct tlv options[] = {
    { 0x00, "Pad1", .alone = true },
    { 0x01, "PadN", option_padding },
    { 0x04, "Tunnel Encapsulation Limit", option_limit }, /* RFC 2473, 4.1.1 */
    { 0x05, "Router Alert", option_alert },               /* RFC 2711 */
    { 0xc2, "Jumbo Payload", option_jumbo },              /* RFC 2675, 2 */
    { 0xc9, "Home Address", option_home },                /* RFC 6275, 6.3 */
    { 0xffff, "Unknown", option_other },
    { 0 },
};
static const struct tlv_set option_set = {
    .kind_size = 1, .length_size = 1, .unit = 1, .included = 0, .common = option_common, .kinds = options
};

static const struct field hop_fields[] = {
    { "ipv6.hopopts.nxt", N_("Next Header"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = NO_NEXT },
    { "ipv6.hopopts.len", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH, .counts = COUNTS_HEADER,
      .less = LEAST, .step = UNIT },
    { "ipv6.hopopts.len_oct", N_("Length in bytes"), FIELD_UINT, BYTE(1, 1), .plus = 1, .unit = UNIT,
      .flags = FIELD_HIDDEN },
    { "ipv6.hopopts.options", N_("Options"), FIELD_TLVS, TO_END(2), .tlvs = &option_set },
    { 0 },
};
static const struct field destination_fields[] = {
    { "ipv6.dstopts.nxt", N_("Next Header"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = NO_NEXT },
    { "ipv6.dstopts.len", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH, .counts = COUNTS_HEADER,
      .less = LEAST, .step = UNIT },
    { "ipv6.dstopts.len_oct", N_("Length in bytes"), FIELD_UINT, BYTE(1, 1), .plus = 1, .unit = UNIT,
      .flags = FIELD_HIDDEN },
    { "ipv6.dstopts.options", N_("Options"), FIELD_TLVS, TO_END(2), .tlvs = &option_set },
    { 0 },
};

/* Whether an option claims more than the packet has. One that only reaches beyond its header is bad, but harmless. */
static bool overruns(struct span run, const struct span *behind)
{
    struct option option;
    while (tlv_next(&option_set, &run, &option))
        if (option.broken)
            return option.bytes.left < 2 || option.bytes.at[1] + (size_t)2 > option.bytes.left + behind->left;
    return false;
}

/* Where a mobile node away from home writes its lasting address, which checksums count as the source: RFC 6275, 6.3 and
 * 11.3.1. NULL: it is at home. */
static const uint8_t *home_address(struct span run)
{
    struct option option;
    while (tlv_next(&option_set, &run, &option))
        if (!option.broken && option.bytes.at[0] == HOME && option.bytes.left == 2 + ADDRESS)
            return option.bytes.at + 2;
    return NULL;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    const uint8_t *h = span_peek(in, LEAST);
    size_t length = h ? ((size_t)h[1] + 1) * UNIT : LEAST;
    struct span header = span_part(*in, 0, length);
    self->length = header.left < 2 ? 0 : (uint32_t)header.left;
    span_pull(in, header.left);
    if (header.left < length)
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    if (overruns(span_part(header, 2, length), in))
        return VERDICT_BROKEN;
    if (self->network) {
        struct network *network = &packet->networks[self->network - 1];
        const uint8_t *home = network->size == ADDRESS ? home_address(span_part(header, 2, length)) : NULL;
        if (home)
            network->source = home;
        network->protocol = h[0];
    }
    *next = (struct key){ KEY_IP, h[0], 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (layer->verdict != VERDICT_WHOLE || h.left < LEAST) {
        buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad length" : "cut short");
        return;
    }
    buffer_text(out, "next header ");
    buffer_decimal(out, h.at[0]);
}

static const struct key hop_keys[] = {
    { KEY_IP, 0, 0 },
    { 0 },
};
static const struct key destination_keys[] = {
    { KEY_IP, 60, 0 },
    { 0 },
};

const struct protocol ipv6_hopopts_protocol = {
    .name = "ipv6.hopopts",
    .label = "IPv6",
    .title = N_("IPv6 Hop-by-Hop Options"),
    .rfc = "RFC 8200, 4.3",
    .fields = hop_fields,
    .keys = hop_keys,
    .least = LEAST,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};

const struct protocol ipv6_dstopts_protocol = {
    .name = "ipv6.dstopts",
    .label = "IPv6",
    .title = N_("IPv6 Destination Options"),
    .rfc = "RFC 8200, 4.6",
    .fields = destination_fields,
    .keys = destination_keys,
    .least = LEAST,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
