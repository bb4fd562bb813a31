#include "output/endpoints.h"
#include "base/address.h"
#include "dissectors/registry.h"
#include "output/value.h"

enum { HOT_PORTS = HOT_TCP | HOT_UDP };

const struct layer *packet_subject(const struct packet *packet)
{
    const struct layer *subject = NULL;
    for (unsigned i = 0; i < packet->layer_count; i++) {
        const struct layer *layer = &packet->layers[i];
        if (layer->flags & LAYER_QUOTED)
            break;
        if (!subject || layer->protocol != &data_protocol)
            subject = layer;
    }
    return subject;
}

/* A port: a row of 16 bits whose shared name ends in ".port". */
static const struct field *port_row(const struct protocol *protocol, bool source)
{
    const struct field *row = protocol->fields;
    for (; row->abbrev; row++) {
        size_t n = row->also ? strlen(row->also) : 0;
        if (n > 5 && !strcmp(row->also + n - 5, ".port"))
            return source || !row[1].abbrev ? row : row + 1;
    }
    return NULL;
}

static bool find_port(const struct packet *packet, const struct layer *subject, bool source, uint16_t *port)
{
    if (!(packet->again & HOT_PORTS) && (packet->have & HOT_PORTS) && (packet->have & HOT_PORTS) != HOT_PORTS) {
        if (packet->have & HOT_TCP)
            *port = source ? packet->tcp_srcport : packet->tcp_dstport;
        else
            *port = source ? packet->udp_srcport : packet->udp_dstport;
        /* Ports quoted in an error are not the ends of this packet. */
        for (const struct layer *l = subject; l > packet->layers; l--)
            if (l->protocol->hot & HOT_PORTS)
                return true;
        return false;
    }
    for (const struct layer *l = subject; l > packet->layers; l--) {
        const struct field *row = l->network == subject->network ? port_row(l->protocol, source) : NULL;
        struct place place = { .packet = packet, .layer = l, .rows = l->protocol->fields };
        struct value value;
        place.bytes = layer_header(packet, l);
        if (row && field_read(row, &place, 0, &value)) {
            *port = (uint16_t)value.u;
            return true;
        }
    }
    return false;
}

/* Where there is no network layer: the deepest rows that say source and destination (ARP, Ethernet). */
static void write_by_role(struct buffer *out, const struct packet *packet, const struct layer *subject, bool source)
{
    for (const struct layer *l = subject; l >= packet->layers; l--) {
        struct place place = { .packet = packet, .layer = l, .rows = l->protocol->fields };
        place.bytes = layer_header(packet, l);
        struct value value;
        for (const struct field *f = l->protocol->fields; f->abbrev; f++)
            if (f->role == (source ? ROLE_SOURCE : ROLE_DESTINATION) && field_read(f, &place, 0, &value)) {
                value_write(out, f, &value);
                return;
            }
    }
}

void endpoint_write(struct buffer *out, const struct packet *packet, const struct layer *subject, bool source)
{
    if (!subject)
        return;
    const struct network *network = layer_network(packet, subject);
    if (!network) {
        write_by_role(out, packet, subject, source);
        return;
    }
    const uint8_t *address = source ? network->source : network->destination;
    uint16_t port = 0;
    bool has_port = find_port(packet, subject, source, &port);
    char *at = buffer_room(out, ADDRESS_TEXT + 16);
    if (network->size == 4) {
        at = write_ipv4(at, load_be32(address));
    } else {
        if (has_port)
            *at++ = '[';
        at = write_ipv6(at, address);
        if (has_port)
            *at++ = ']';
    }
    if (has_port) {
        *at++ = ':';
        at = write_decimal(at, port);
    }
    out->at = at;
}
