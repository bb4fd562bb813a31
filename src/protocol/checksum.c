#include "protocol/checksum.h"

static uint32_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

/* Sums 32-bit words in the machine's order and turns the result at the end: RFC 1071, 2 (B). */
uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t n)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    while (n >= 16) {
        a += load_le32(bytes);
        b += load_le32(bytes + 4);
        c += load_le32(bytes + 8);
        d += load_le32(bytes + 12);
        bytes += 16;
        n -= 16;
    }
    a += b + c + d;
    while (n >= 4) {
        a += load_le32(bytes);
        bytes += 4;
        n -= 4;
    }
    uint8_t rest[4] = { 0 };
    memcpy(rest, bytes, n);
    a += load_le32(rest);
    uint32_t folded = fold(a);
    return fold((uint64_t)sum + (uint16_t)(folded << 8 | folded >> 8));
}

uint32_t checksum_pseudo(const struct network *network, uint8_t protocol, uint32_t length)
{
    uint8_t tail[8] = { 0, 0, 0, 0, 0, 0, 0, protocol };
    store_be32(tail, length);
    uint32_t sum = checksum_add(0, network->source, network->size);
    sum = checksum_add(sum, network->final, network->size);
    return checksum_add(sum, tail, sizeof tail);
}

const struct value_name checksum_status_names[] = {
    {CHECKSUM_BAD,          "Bad"        },
    { CHECKSUM_GOOD,        "Good"       },
    { CHECKSUM_UNVERIFIED,  "Unverified" },
    { CHECKSUM_NOT_PRESENT, "Not present"},
    { CHECKSUM_ILLEGAL,     "Illegal"    },
    { 0,                    NULL         },
};

enum checksum_status checksum_verify(const struct packet *packet, const struct layer *layer, uint8_t protocol)
{
    const struct network *network = layer_network(packet, layer);
    if (!network || !layer_captured(packet, layer) || layer->flags & LAYER_FRAGMENT)
        return CHECKSUM_UNVERIFIED;
    uint32_t length = layer->end - layer->offset;
    uint32_t sum = checksum_pseudo(network, protocol, length);
    sum = checksum_add(sum, packet->buffers[layer->buffer].at + layer->offset, length);
    return checksum_finish(sum) ? CHECKSUM_BAD : CHECKSUM_GOOD;
}

bool checksum_offloaded(const struct packet *packet, const struct layer *layer, uint8_t protocol, uint16_t stored)
{
    const struct network *network = layer_network(packet, layer);
    return network && checksum_pseudo(network, protocol, layer->end - layer->offset) == stored;
}
