/* User Datagram Protocol (RFC 768; over IPv6 RFC 8200, 8.1). */
#include "base/text.h"
#include "protocol/checksum.h"
#include "protocol/header.h"
#include "protocol/protocol.h"
#include <stddef.h>

enum { HEADER = 8, CHECKSUM = 6, EPHEMERAL = 49152 /* RFC 6335, 6 */ };

static bool checksum_status(const struct place *place, struct value *value);
static bool checksum_left_to_interface(const struct place *place, struct value *value);

static const struct when has_ports[] = {
    { BITS(0, 32), 0, UINT32_MAX },
    { 0 },
};

static const struct field fields[] = {
    { "udp.srcport", N_("Source Port"), FIELD_UINT, BYTE(0, 2), .preset = EPHEMERAL, HOT(udp_srcport),
      .also = "udp.port", .when = has_ports },
    { "udp.dstport", N_("Destination Port"), FIELD_UINT, BYTE(2, 2), .role = ROLE_NEXT, HOT(udp_dstport),
      .also = "udp.port", .when = has_ports },
    { "udp.length", N_("Length"), FIELD_UINT, BYTE(4, 2), .role = ROLE_LENGTH, HOT(udp_length) },
    { "udp.checksum", N_("Checksum"), FIELD_UINT, BYTE(6, 2), .base = BASE_HEX, .role = ROLE_CHECKSUM,
      .counts = COUNTS_PSEUDO, .preset = 0xffff },
    { "udp.checksum.status", N_("Checksum Status"), FIELD_UINT, .read = checksum_status,
      .names = checksum_status_names },
    { "udp.checksum.offloaded", N_("Left to the interface"), FIELD_BOOL, .read = checksum_left_to_interface },
    { "udp.stream", N_("Stream Index"), FIELD_UINT, NOTE(stream, NOTE_STREAM) },
    { 0 },
};

/* Whether all of the datagram around it was captured. */
static bool enclosed(const struct place *place)
{
    const struct layer *below = place->layer - 1;
    return place->layer == place->packet->layers || below->buffer != place->layer->buffer ||
           layer_captured(place->packet, below);
}

static bool checksum_status(const struct place *place, struct value *value)
{
    const struct network *network = layer_network(place->packet, place->layer);
    const uint8_t *h = span_peek(&place->bytes, HEADER);
    if (!h)
        return false;
    if (!load_be16(h + 6))
        value->u = network && network->size == 16 ? CHECKSUM_ILLEGAL : CHECKSUM_NOT_PRESENT;
    else if (load_be16(h + 4) > place->layer->end - place->layer->offset || !enclosed(place))
        value->u = CHECKSUM_UNVERIFIED; /* not all that it counts, or that IP brought, is here */
    else
        value->u = checksum_verify(place->packet, place->layer, 17);
    return true;
}

static bool checksum_left_to_interface(const struct place *place, struct value *value)
{
    const uint8_t *h = span_peek(&place->bytes, HEADER);
    value->u = h && checksum_offloaded(place->packet, place->layer, 17, load_be16(h + 6));
    return value->u;
}

static enum verdict dissect(struct packet *packet, struct layer *self, struct span *in, struct key *next)
{
    const uint8_t *h = span_pull(in, HEADER);
    if (!h) {
        packet->again |= HOT_UDP;
        self->length = (uint32_t)in->left;
        return VERDICT_CUT;
    }
    self->length = HEADER;
    uint16_t length = load_be16(h + 4);
    if (packet->have & HOT_UDP) {
        packet->again |= HOT_UDP;
    } else {
        packet->have |= HOT_UDP;
        packet->udp_srcport = load_be16(h);
        packet->udp_dstport = load_be16(h + 2);
        packet->udp_length = length;
    }
    const struct network *network = layer_network(packet, self);
    /* 0 is a jumbogram's (RFC 2675, 4), which only IPv6 has. */
    if (length < HEADER && (length || !network || network->size == 4)) {
        self->length = CHECKSUM;
        return VERDICT_BROKEN;
    }
    if (length && self->offset + length < self->end) /* 0: a jumbogram, RFC 2675, 4 */
        self->end = self->offset + length;
    /* The lower port is a server's more likely than the other, which was picked at random. */
    uint16_t source = load_be16(h), destination = load_be16(h + 2);
    bool down = destination <= source;
    *next = (struct key){ KEY_UDP_PORT, down ? destination : source, down ? source : destination };
    return VERDICT_WHOLE;
}

static void summary(const struct packet *packet, const struct layer *layer, struct buffer *out)
{
    const uint8_t *h = header_shown(packet, layer, HEADER, out);
    if (!h)
        return;
    buffer_text(out, layer->verdict == VERDICT_BROKEN ? "bad length " : "len ");
    buffer_decimal(out, layer->verdict == VERDICT_BROKEN ? load_be16(h + 4) : layer_payload_length(layer));
}

static const struct key keys[] = { { KEY_IP, 17, 0 }, { 0 } };

const struct protocol udp_protocol = {
    .name = "udp",
    .label = "UDP",
    .title = N_("User Datagram Protocol"),
    .rfc = "RFC 768",
    .fields = fields,
    .keys = keys,
    .least = HEADER,
    .hot = HOT_UDP,
    .carries = KEY_UDP_PORT,
    .dissect = dissect,
    .summary = summary,
};
