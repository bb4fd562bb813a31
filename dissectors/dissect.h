/* Walks a packet through the dissectors: pure, no memory of earlier packets, nothing allocated. */
#pragma once
#include "protocol/packet.h"
#include "protocol/protocol.h"

/* Readies the scratch packet for the next one. The caller then sets number, time, link_type, wire_length. */
static inline void packet_reset(struct packet *p, struct span bytes)
{
    p->have = p->again = 0;
    p->layer_count = p->network_count = p->note_count = p->subject = 0;
    p->fragment.present = false;
    p->buffers[0] = bytes;
    p->buffer_count = 1;
}

/* Takes the packet apart by its link type. A link type that nobody knows is data. */
void dissect(struct packet *packet);
/* The same, layer by layer, whatever the packet is. */
void dissect_layers(struct packet *packet);

/* Goes on in a buffer that became whole (a datagram, a message): its layers come behind those that are there.
 * network: which addresses its layers travel between. Nothing happens when the packet has no room for a buffer. */
void dissect_buffer(struct packet *packet, struct span bytes, struct key key, uint8_t network);

/* A protocol's message in a stream: whole in a buffer that the packet has already, from offset to end, */
void dissect_message(struct packet *packet, const struct protocol *protocol, const struct layer *tcp, uint32_t offset,
                     uint32_t end, const struct message *message);
/* or put together from several segments: what was kept of it, and how long it is. message: what its layer is told. */
void dissect_assembled(struct packet *packet, const struct protocol *protocol, const struct layer *tcp,
                       struct span bytes, uint32_t length, const struct message *message);
