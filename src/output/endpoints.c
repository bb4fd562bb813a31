#include "output/endpoints.h"
#include "base/address.h"
#include "output/value.h"

/* Ports are two rows in turn whose shared name ends in ".port". */
static const struct field *port_rows(const struct protocol *protocol)
{
    for (const struct field *row = protocol->fields; row->abbrev; row++) {
        size_t n = row->also ? strlen(row->also) : 0;
        if (n > 5 && !strcmp(row->also + n - 5, ".port"))
            return row;
    }
    return NULL;
}

bool endpoint_ports(const struct packet *packet, const struct layer *subject, uint16_t ports[2])
{
    if (!((packet->have | packet->again) & (HOT_TCP | HOT_UDP)))
        return false;
    for (const struct layer *l = subject; l > packet->layers && l->network == subject->network; l--) {
        const struct field *rows = port_rows(l->protocol);
        struct place place = { .packet = packet, .layer = l, .rows = l->protocol->fields };
        struct value source, destination;
        place.bytes = layer_header(packet, l);
        if (rows && field_read(rows, &place, 0, &source) && field_read(rows + 1, &place, 0, &destination)) {
            ports[0] = (uint16_t)source.u;
            ports[1] = (uint16_t)destination.u;
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

char *address_write(char *at, const uint8_t *address, uint8_t size, bool has_port, uint16_t port)
{
    if (size == 4) {
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
    return at;
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
    uint16_t ports[2] = { 0, 0 };
    bool has_port = endpoint_ports(packet, subject, ports);
    const uint8_t *address = source ? network->source : network->destination;
    out->at = address_write(buffer_room(out, 64), address, network->size, has_port, ports[!source]);
}
