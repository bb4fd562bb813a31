/* IPv6 routing headers (RFC 8200, 4.4): source routes (type 0, RFC 5095), Mobile IPv6 (type 2, RFC 6275, 6.4), RPL
 * (type 3, RFC 6554), segment routing (type 4, RFC 8754, 2). */
#include "base/address.h"
#include "base/text.h"
#include "protocol/protocol.h"

enum { LEAST = 8, UNIT = 8, NO_NEXT = 59, SOURCE = 0, MOBILE = 2, RPL = 3, SEGMENTS = 4, ADDRESS = 16 };

static const struct when is_source[] = {
    { BITS(16, 8), SOURCE, SOURCE },
    { 0 },
};
static const struct when is_mobile[] = {
    { BITS(16, 8), MOBILE, MOBILE },
    { 0 },
};
static const struct when is_rpl[] = {
    { BITS(16, 8), RPL, RPL },
    { 0 },
};
static const struct when is_segments[] = {
    { BITS(16, 8), SEGMENTS, SEGMENTS },
    { 0 },
};
static const struct when is_other[] = {
    { BITS(16, 8), 1, 1 },
    { BITS(16, 8), 5, 255 },
    { 0 },
};

static const struct value_name types[] = {
    { SOURCE, "Source Route" },      { 1, "Nimrod" }, { MOBILE, "Mobile IPv6" }, { RPL, "RPL Source Route" },
    { SEGMENTS, "Segment Routing" }, { 5, "CRH-16" }, { 6, "CRH-32" },           { 0, NULL },
};

enum { ROW_SEGMENT_COUNT = 11 };

static const struct field fields[] = {
    { "ipv6.routing.nxt", N_("Next Header"), FIELD_UINT, BYTE(0, 1), .role = ROLE_NEXT, .preset = NO_NEXT },
    { "ipv6.routing.len", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH, .counts = COUNTS_HEADER,
      .less = LEAST, .step = UNIT },
    { "ipv6.routing.len_oct", N_("Length in bytes"), FIELD_UINT, BYTE(1, 1), .plus = 1, .unit = UNIT,
      .flags = FIELD_HIDDEN },
    { "ipv6.routing.type", N_("Type"), FIELD_UINT, BYTE(2, 1), .names = types },
    { "ipv6.routing.segleft", N_("Segments Left"), FIELD_UINT, BYTE(3, 1) },
    { "ipv6.routing.src.reserved", N_("Reserved"), FIELD_BYTES, BYTE(4, 4), .when = is_source },
    { "ipv6.routing.src.addr", N_("Address"), FIELD_IPV6, BYTE(8, ADDRESS), .stride = ADDRESS, .flags = FIELD_MANY,
      .when = is_source },
    { "ipv6.routing.mipv6.reserved", N_("Reserved"), FIELD_BYTES, BYTE(4, 4), .when = is_mobile },
    { "ipv6.routing.mipv6.home_address", N_("Home Address"), FIELD_IPV6, BYTE(8, ADDRESS), .when = is_mobile },
    { "ipv6.routing.srh.last_entry", N_("Last Entry"), FIELD_UINT, BYTE(4, 1), .when = is_segments },
    { "ipv6.routing.srh.entries", N_("Entries"), FIELD_UINT, BYTE(4, 1), .plus = 1, .unit = 1, .when = is_segments,
      .flags = FIELD_HIDDEN },
    { "ipv6.routing.srh.flags", N_("Flags"), FIELD_UINT, BYTE(5, 1), .base = BASE_HEX, .when = is_segments },
    { "ipv6.routing.srh.tag", N_("Tag"), FIELD_BYTES, BYTE(6, 2), .when = is_segments },
    { "ipv6.routing.srh.addr", N_("Segment"), FIELD_IPV6, BYTE(8, ADDRESS), .stride = ADDRESS,
      .times = ROW_SEGMENT_COUNT, .flags = FIELD_MANY, .when = is_segments },
    { "ipv6.routing.rpl.cmprI", N_("Prefix bytes left out"), FIELD_UINT, BITS(32, 4), .when = is_rpl },
    { "ipv6.routing.rpl.cmprE", N_("Prefix bytes left out of the last"), FIELD_UINT, BITS(36, 4), .when = is_rpl },
    { "ipv6.routing.rpl.pad", N_("Padding bytes"), FIELD_UINT, BITS(40, 4), .when = is_rpl },
    { "ipv6.routing.rpl.reserved", N_("Reserved"), FIELD_UINT, BITS(44, 20), .when = is_rpl },
    { "ipv6.routing.unknown_data", N_("Addresses"), FIELD_BYTES, TO_END(8), .when = is_rpl },
    { "ipv6.routing.unknown_data", N_("Type-specific data"), FIELD_BYTES, TO_END(4), .when = is_other },
    { 0 },
};

/* Where the packet goes in the end, which is what checksums count (RFC 8200, 8.1): the last address of a source route,
 * the first one of a segment list, which is written backwards. NULL: the header does not say. */
static const uint8_t *final_destination(const uint8_t *h, size_t length)
{
    size_t addresses = (length - LEAST) / ADDRESS;
    unsigned left = h[3];
    if (!left || !addresses)
        return NULL;
    switch (h[2]) {
    case SOURCE:
        return h + LEAST + (addresses - 1) * ADDRESS;
    case MOBILE:
    case SEGMENTS:
        return h + LEAST;
    }
    return NULL;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    const uint8_t *h = span_peek(in, LEAST);
    size_t length = h ? ((size_t)h[1] + 1) * UNIT : LEAST;
    struct span header = span_part(*in, 0, length);
    self->length = (uint32_t)header.left;
    span_pull(in, header.left);
    if (header.left < length)
        return self->offset + length > self->end ? VERDICT_BROKEN : VERDICT_CUT;
    if (h[2] == MOBILE && length < LEAST + ADDRESS) /* RFC 6275, 6.4.1: it has one address */
        return VERDICT_BROKEN;
    if (h[2] == SEGMENTS && LEAST + (h[4] + 1u) * ADDRESS > length)
        return VERDICT_BROKEN;
    if (self->network) {
        struct network *network = &packet->networks[self->network - 1];
        const uint8_t *final = network->size == ADDRESS ? final_destination(h, length) : NULL;
        if (final)
            network->final = final;
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
    buffer_text(out, "type ");
    buffer_decimal(out, h.at[2]);
    buffer_text(out, ", segments left ");
    buffer_decimal(out, h.at[3]);
    const uint8_t *final = final_destination(h.at, h.left);
    if (final) {
        buffer_text(out, ", on to ");
        char *at = buffer_room(out, ADDRESS_TEXT);
        out->at = write_ipv6(at, final);
    }
}

static const struct key keys[] = {
    { KEY_IP, 43, 0 },
    { 0 },
};

const struct protocol ipv6_routing_protocol = {
    .name = "ipv6.routing",
    .label = "IPv6",
    .title = N_("IPv6 Routing Header"),
    .rfc = "RFC 8200, 4.4",
    .fields = fields,
    .keys = keys,
    .least = LEAST,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
