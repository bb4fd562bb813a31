/* Internet Protocol, version 4 (RFC 791), with the differentiated services field of RFC 2474 and 3168. */
#include "base/address.h"
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"
#include <stddef.h>

enum {
    HEADER = 20,
    LENGTH_END = 4,
    DESTINATION = 16,
    LOOSE_ROUTE = 131,
    STRICT_ROUTE = 137,
    UNASSIGNED = 253 /* RFC 3692, 2.1 */
};

static bool checksum_status(const struct place *place, struct value *value);
static bool other_version(const struct place *place, struct value *value);
static uint64_t destination(const struct place *place, uint64_t wire);
static uint64_t total_length(const struct place *place, uint64_t wire);

static const struct value_name dscps[] = {
    { 0, "CS0" },   { 8, "CS1" },   { 10, "AF11" }, { 12, "AF12" }, { 14, "AF13" }, { 16, "CS2" },
    { 18, "AF21" }, { 20, "AF22" }, { 22, "AF23" }, { 24, "CS3" },  { 26, "AF31" }, { 28, "AF32" },
    { 30, "AF33" }, { 32, "CS4" },  { 34, "AF41" }, { 36, "AF42" }, { 38, "AF43" }, { 40, "CS5" },
    { 46, "EF" },   { 48, "CS6" },  { 56, "CS7" },  { 0, NULL },
};
static const struct value_name ecns[] = {
    { 0, "Not-ECT" }, { 1, "ECT(1)" }, { 2, "ECT(0)" }, { 3, "CE" }, { 0, NULL }
};
static const struct value_name protocol_names[] = {
    { 0, "IPv6 Hop-by-Hop Option" },
    { 1, "ICMP" },
    { 2, "IGMP" },
    { 4, "IPIP" },
    { 6, "TCP" },
    { 17, "UDP" },
    { 41, "IPv6" },
    { 43, "IPv6-Route" },
    { 44, "IPv6-Frag" },
    { 47, "GRE" },
    { 50, "ESP" },
    { 51, "AH" },
    { 58, "ICMPv6" },
    { 59, "No Next Header" },
    { 60, "IPv6-Opts" },
    { 89, "OSPF" },
    { 103, "PIM" },
    { 112, "VRRP" },
    { 132, "SCTP" },
    { 0, NULL },
};

/* Options: RFC 791, 3.1; router alert RFC 2113. */
static const struct field option_common[] = {
    { "ip.opt.type", N_("Type"), FIELD_UINT, BYTE(0, 1) },
    { "ip.opt.len", N_("Length"), FIELD_UINT, BYTE(1, 1), .role = ROLE_LENGTH },
    { 0 },
};
static const struct field option_route[] = {
    { "ip.opt.ptr", N_("Pointer"), FIELD_UINT, BYTE(2, 1) },
    { "ip.rec_rt", N_("Route"), FIELD_IPV4, BYTE(3, 4), .stride = 4 },
    { 0 },
};
static const struct when stamps_alone[] = {
    { BITS(28, 4), 0, 0 },
    { 0 },
};
static const struct field option_timestamp[] = {
    { "ip.opt.ptr", N_("Pointer"), FIELD_UINT, BYTE(2, 1) },
    { "ip.opt.overflow", N_("Overflow"), FIELD_UINT, BITS(24, 4) },
    { "ip.opt.flag", N_("Flag"), FIELD_UINT, BITS(28, 4), .base = BASE_HEX },
    { "ip.opt.time_stamp", N_("Time stamp"), FIELD_UINT, BYTE(4, 4), .stride = 4, .flags = FIELD_HIDDEN,
      .when = stamps_alone },
    { 0 },
};
static const struct field option_alert[] = {
    { "ip.opt.ra", N_("Router Alert"), FIELD_UINT, BYTE(2, 2) },
    { 0 },
};
static const struct field option_other[] = {
    { "ip.opt.data", N_("Data"), FIELD_BYTES, TO_END(2) },
    { 0 },
};
static const struct tlv options[] = {
    { 0, "End of Options", .alone = true, .stop = true, .name = "eol" },
    { 1, "No-Operation", .alone = true, .name = "nop" },
    { 7, "Record Route", option_route },
    { 68, "Time Stamp", option_timestamp, .name = "timestamp" },
    { 131, "Loose Source Route", option_route },
    { 137, "Strict Source Route", option_route },
    { 148, "Router Alert", option_alert },
    { 0xffff, "Unknown", option_other },
    { 0 },
};
static const struct tlv_set option_set = {
    .kind_size = 1, .length_size = 1, .unit = 1, .included = 2, .common = option_common, .kinds = options
};

/* Rows that are there only with all of the word they are cut from. */
static const struct when fragment_word[] = {
    { BITS(48, 16), 0, 0xffff },
    { 0 },
};

static const struct field fields[] = {
    { "ip.version", N_("Version"), FIELD_UINT, BITS(0, 4), .preset = 4 },
    { "ip.version", N_("Version"), FIELD_UINT, .read = other_version },
    { "ip.hdr_len", N_("Header Length"), FIELD_UINT, BITS(4, 4), .unit = 4, .role = ROLE_LENGTH,
      .counts = COUNTS_HEADER },
    { "ip.dsfield", N_("Differentiated Services"), FIELD_UINT, BYTE(1, 1), .base = BASE_HEX },
    { "ip.dsfield.dscp", N_("DSCP"), FIELD_UINT, BITS(8, 6), .names = dscps },
    { "ip.dsfield.ecn", N_("ECN"), FIELD_UINT, BITS(14, 2), .names = ecns },
    { "ip.len", N_("Total Length"), FIELD_UINT, BYTE(2, 2), .role = ROLE_LENGTH, HOT(ip_length),
      .adjust = total_length },
    { "ip.id", N_("Identification"), FIELD_UINT, BYTE(4, 2), .base = BASE_HEX, HOT(ip_id) },
    { "ip.flags", N_("Flags"), FIELD_UINT, BITS(48, 3), .base = BASE_HEX, .when = fragment_word },
    { "ip.flags.rb", N_("Reserved bit"), FIELD_BOOL, BITS(48, 1), .when = fragment_word },
    { "ip.flags.df", N_("Don't fragment"), FIELD_BOOL, BITS(49, 1), .letter = 'D', .when = fragment_word },
    { "ip.flags.mf", N_("More fragments"), FIELD_BOOL, BITS(50, 1), .letter = 'M', .when = fragment_word },
    { "ip.frag_offset", N_("Fragment Offset"), FIELD_UINT, BITS(51, 13), .when = fragment_word },
    { "ip.ttl", N_("Time to Live"), FIELD_UINT, BYTE(8, 1), .preset = 64, HOT(ip_ttl) },
    { "ip.proto", N_("Protocol"), FIELD_UINT, BYTE(9, 1), .role = ROLE_NEXT, .preset = UNASSIGNED, HOT(ip_proto),
      .names = protocol_names },
    { "ip.checksum", N_("Header Checksum"), FIELD_UINT, BYTE(10, 2), .base = BASE_HEX, .role = ROLE_CHECKSUM,
      .counts = COUNTS_HEADER },
    { "ip.checksum.status", N_("Header Checksum Status"), FIELD_UINT, .read = checksum_status,
      .names = checksum_status_names },
    { "ip.src", N_("Source Address"), FIELD_IPV4, BYTE(12, 4), .role = ROLE_SOURCE, HOT(ip_src), .also = "ip.addr" },
    { "ip.dst", N_("Destination Address"), FIELD_IPV4, BYTE(16, 4), .role = ROLE_DESTINATION, HOT(ip_dst),
      .also = "ip.addr", .adjust = destination },
    { "ip.cur_rt", N_("Current Route"), FIELD_IPV4, BYTE(16, 4), .only = LAYER_ROUTED },
    { "ip.options", N_("Options"), FIELD_TLVS, TO_END(20), .tlvs = &option_set },
    { 0 },
};

static bool checksum_status(const struct place *place, struct value *value)
{
    const uint8_t *h = span_peek(&place->bytes, 12);
    if (!h)
        return false;
    size_t length = (size_t)(h[0] & 15) * 4;
    if (place->bytes.left < length || length < HEADER)
        value->u = CHECKSUM_UNVERIFIED;
    else
        value->u = checksum_finish(checksum_add(0, h, length)) ? CHECKSUM_BAD : CHECKSUM_GOOD;
    return true;
}

/* What is no version 4 has no header of ours, only that number. */
static bool other_version(const struct place *place, struct value *value)
{
    const struct layer *layer = place->layer;
    if (layer->length || layer->verdict != VERDICT_BROKEN)
        return false;
    *value = (struct value){ .bytes = span_part(place->packet->buffers[layer->buffer], layer->offset, 1), .width = 4 };
    value->u = value->bytes.left ? value->bytes.at[0] >> 4 : 0;
    /* Where nothing said that it is version 4 there is one header, not two. */
    return value->bytes.left && (value->u != 6 || (layer != place->packet->layers && !layer->network));
}

/* A length of 0 is left to the interface that cuts the segment up: what was captured tells it. */
static uint64_t total_length(const struct place *place, uint64_t wire)
{
    return wire ? wire : place->layer->end - place->layer->offset;
}

/* The end of a source route that has not been gone to its end, or NULL: RFC 791, 3.1. */
static const uint8_t *route_end(const uint8_t *h, size_t length)
{
    struct span run = { h + HEADER, length - HEADER };
    struct option option;
    while (tlv_next(&option_set, &run, &option)) {
        const uint8_t *o = option.bytes.at;
        size_t n = option.bytes.left;
        if (option.broken || (o[0] != LOOSE_ROUTE && o[0] != STRICT_ROUTE))
            continue;
        return n >= 7 && o[2] >= 4 && o[2] % 4 == 0 && o[2] <= n ? o + n - 4 : NULL;
    }
    return NULL;
}

/* A source route holds the destination; the header holds its next stop. */
static uint64_t destination(const struct place *place, uint64_t wire)
{
    bool routed = place->layer->flags & LAYER_ROUTED;
    const uint8_t *at = routed ? route_end(place->bytes.at, place->bytes.left) : NULL;
    return at ? load_be32(at) : wire;
}

/* Whether options that were cut off may hold the destination. */
static bool hides_destination(const struct span *in)
{
    size_t at = HEADER, end = (in->at[0] & 15u) * 4;
    while (at < end) {
        if (at >= in->left)
            return true;
        uint8_t kind = in->at[at];
        if (kind == 0)
            return false;
        if (kind == 1) {
            at++;
            continue;
        }
        if (at + 1 >= in->left)
            return true;
        uint8_t length = in->at[at + 1];
        if (length < 2 || at + length > end)
            return false;
        if (kind == LOOSE_ROUTE || kind == STRICT_ROUTE)
            return at + length > in->left;
        at += length;
    }
    return false;
}

/* Lengths and verdict of a header of which HEADER bytes are there. */
static enum verdict measure(struct layer *self, const struct span *in)
{
    const uint8_t *h = in->at;
    uint32_t header = (h[0] & 15) * 4u, total = load_be16(h + 2);
    if (header < HEADER) {
        self->length = 1; /* nothing behind the length can be believed */
        return VERDICT_BROKEN;
    }
    if (total == 0) /* filled in by the interface that cuts the segment up */
        total = self->end - self->offset;
    self->length = header < in->left ? header : (uint32_t)in->left;
    if (total < header) {
        self->length = LENGTH_END; /* nor behind that one */
        return VERDICT_BROKEN;
    }
    if (self->offset + total < self->end)
        self->end = self->offset + total;
    if (header > in->left)
        return VERDICT_CUT;
    return VERDICT_WHOLE;
}

static void copy_hot(struct packet *p, const uint8_t *h, const uint8_t *end)
{
    if (p->have & HOT_IP) {
        p->again |= HOT_IP;
        return;
    }
    p->have |= HOT_IP;
    if (!load_be16(h + 2))
        p->again |= HOT_IP; /* its length is not the one in the header */
    p->ip_length = load_be16(h + 2);
    p->ip_id = load_be16(h + 4);
    p->ip_ttl = h[8];
    p->ip_proto = h[9];
    p->ip_src = load_be32(h + 12);
    p->ip_dst = load_be32(end);
}

/* A fragment whose header is sound and that was captured whole can be put together with its like, and is not looked
 * into before; a quoted one never is put together. */
static bool note_fragment(struct packet *p, struct layer *self, struct span *in, const uint8_t *h)
{
    uint16_t word = load_be16(h + 6);
    self->flags |= LAYER_FRAGMENT;
    uint32_t length = layer_payload_length(self), total = load_be16(h + 2);
    if (in->left < length || self->length + length < total || !length ||
        checksum_finish(checksum_add(0, h, self->length)))
        return false;
    if (self->flags & LAYER_QUOTED)
        return true;
    p->fragment = (struct fragment){
        .present = true,
        .more = word & 0x2000,
        .layer = (uint8_t)(self - p->layers),
        .protocol = h[9],
        .ident = load_be16(h + 4),
        .offset = (word & 0x1fffu) * 8,
        .bytes = { in->at, length },
    };
    return true;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    if (in->left && in->at[0] >> 4 != 4) {
        packet->again |= HOT_IP;
        if (in->at[0] >> 4 == 6) /* the layer below was wrong about it */
            *next = (struct key){ KEY_ETHERTYPE, 0x86dd, 0 };
        return VERDICT_BROKEN;
    }
    const uint8_t *h = span_peek(in, HEADER);
    if (!h) {
        packet->again |= HOT_IP;
        bool bad = in->left && (in->at[0] & 15) * 4 < HEADER;
        bool small = in->left > LENGTH_END && load_be16(in->at + 2) && load_be16(in->at + 2) < (in->at[0] & 15) * 4;
        self->length = bad ? 1 : small ? LENGTH_END : (uint32_t)in->left;
        return bad || small ? VERDICT_BROKEN : VERDICT_CUT;
    }
    enum verdict verdict = measure(self, in);
    if (self->length < HEADER) {
        packet->again |= HOT_IP;
        return verdict;
    }
    if (verdict == VERDICT_CUT && hides_destination(in)) {
        packet->again |= HOT_IP;
        self->length = DESTINATION;
        return verdict;
    }
    const uint8_t *end = self->length > HEADER ? route_end(h, self->length) : NULL;
    if (end)
        self->flags |= LAYER_ROUTED;
    else
        end = h + DESTINATION;
    copy_hot(packet, h, end);
    if (packet->network_count < NETWORKS_MAX) {
        packet->networks[packet->network_count++] = (struct network){ h + 12, h + DESTINATION, end, 4, h[9] };
        self->network = packet->network_count;
    }
    self->flags &= (uint8_t)~LAYER_FRAGMENT; /* a datagram within a fragment is one of its own */
    span_pull(in, self->length);
    if (verdict != VERDICT_WHOLE)
        return verdict;
    uint16_t word = load_be16(h + 6);
    if (word & 0x3fff && (note_fragment(packet, self, in, h) || word & 0x1fff))
        return VERDICT_WHOLE; /* data, until it is put together */
    *next = (struct key){ KEY_IP, h[9], 0 };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left < HEADER) {
        buffer_text(out, layer->verdict == VERDICT_CUT ? "cut short" : h.left ? "bad header length" : "bad version");
        return;
    }
    if (layer->flags & LAYER_FRAGMENT) {
        buffer_text(out, "fragment at ");
        buffer_decimal(out, (load_be16(h.at + 6) & 0x1fffu) * 8);
        buffer_text(out, " of id 0x");
        buffer_hex(out, load_be16(h.at + 4), 4);
        buffer_text(out, ", ");
    }
    buffer_text(out, "protocol ");
    buffer_decimal(out, h.at[9]);
    buffer_text(out, " len ");
    buffer_decimal(out, layer_payload_length(layer));
}

static const struct key keys[] = { { KEY_ETHERTYPE, 0x0800, 0 }, { KEY_LLC_SAP, 0x06, 0 }, { KEY_IP, 4, 0 },
                                   { KEY_PPP, 0x0021, 0 },       { KEY_LINK, 228, 0 },     { 0 } };

const struct protocol ip_protocol = {
    .name = "ip",
    .label = "IPv4",
    .title = N_("Internet Protocol Version 4"),
    .rfc = "RFC 791",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .hot = HOT_IP,
    .carries = KEY_IP,
    .dissect = dissect,
    .summary = summary,
};
