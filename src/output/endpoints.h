/* Who speaks to whom: what the source and destination columns show. */
#pragma once
#include "base/buffer.h"
#include "protocol/protocol.h"

/* The layer that the line is about: the last one that is neither data nor quoted in an error. NULL: no layer at all. */
static inline const struct layer *packet_subject(const struct packet *packet)
{
    return packet->layer_count ? &packet->layers[packet->subject] : NULL;
}

/* Writes "10.0.0.1:80", "[2001:db8::1]:80", an address alone, or a MAC address; nothing where there is none. */
void endpoint_write(struct buffer *out, const struct packet *packet, const struct layer *subject, bool source);

/* The ports of both ends, source first, where the subject or a layer below it within the same network layer has some.
 */
bool endpoint_ports(const struct packet *packet, const struct layer *subject, uint16_t ports[2]);

/* The same for the commonest case, from the hot copies: there is one layer with ports, and it is the subject. */
static inline bool endpoint_hot_ports(const struct packet *packet, const struct layer *subject, uint16_t ports[2])
{
    unsigned both = HOT_TCP | HOT_UDP, hot = packet->have & both;
    if (packet->again & both || !(subject->protocol->hot & hot) || hot == both)
        return false;
    ports[0] = hot == HOT_TCP ? packet->tcp_srcport : packet->udp_srcport;
    ports[1] = hot == HOT_TCP ? packet->tcp_dstport : packet->udp_dstport;
    return true;
}

/* An address of 4 or 16 bytes, and its port, as endpoint_write shows them; at has room for 64 bytes. Returns the end.
 */
char *address_write(char *at, const uint8_t *address, uint8_t size, bool has_port, uint16_t port);
