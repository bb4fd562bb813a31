/* Ethernet, IPv4 without options or fragments, and TCP or UDP, all of them whole: so common that whoever can takes them
 * in one go. */
#pragma once
#include "base/span.h"
#include <stdbool.h>

enum {
    EVERYDAY_LINK = 1, /* LINKTYPE_ETHERNET */
    EVERYDAY_TYPE = 0x0800,
    EVERYDAY_PROTOCOL = 6,
    EVERYDAY_DATAGRAM = 17, /* UDP's: of these everyday_plain tells */
};

/* Where fields lie in the packet, bytes; a test holds them to the tables. */
enum everyday_at {
    AT_ETHERTYPE = 12,
    AT_IP = 14,
    AT_IP_LENGTH = AT_IP + 2,
    AT_IP_ID = AT_IP + 4,
    AT_IP_FRAGMENT = AT_IP + 6,
    AT_IP_TTL = AT_IP + 8,
    AT_IP_PROTOCOL = AT_IP + 9,
    AT_IP_SOURCE = AT_IP + 12,
    AT_IP_DESTINATION = AT_IP + 16,
    AT_TCP = AT_IP + 20, /* or UDP: their ports stand in the same places */
    AT_TCP_SOURCE = AT_TCP,
    AT_TCP_DESTINATION = AT_TCP + 2,
    AT_TCP_SEQ = AT_TCP + 4,
    AT_TCP_ACK = AT_TCP + 8,
    AT_TCP_OFFSET = AT_TCP + 12, /* four bits of it, then twelve flags */
    AT_TCP_WINDOW = AT_TCP + 14,
    AT_UDP_LENGTH = AT_TCP + 4,
    AT_UDP_PAYLOAD = AT_TCP + 8,
};

struct everyday {
    const uint8_t *bytes; /* of the packet, at least up to the end of the TCP header; NULL: it is something else */
    uint32_t payload;     /* where that header ends */
    uint32_t end;         /* where the datagram ends on the wire; not before payload */
};

/* What a packet ends with on the wire, as far as the capture tells. */
static inline uint32_t wire_end(struct span in, uint32_t wire_length)
{
    return wire_length > in.left ? wire_length : (uint32_t)in.left;
}

/* Whether it is a plain IPv4 datagram on Ethernet, whatever it carries. h: at least AT_UDP_PAYLOAD bytes. */
static inline bool everyday_plain(const uint8_t *h, uint16_t link_type)
{
    enum { PLAIN_IPV4 = 0x45 /* version 4, no options */, FRAGMENTED = 0x3fff };
    return link_type == EVERYDAY_LINK && load_be16(h + AT_ETHERTYPE) == EVERYDAY_TYPE && h[AT_IP] == PLAIN_IPV4 &&
           !(load_be16(h + AT_IP_FRAGMENT) & FRAGMENTED);
}

/* in: a whole packet as captured. */
static inline struct everyday everyday_look(struct span in, uint16_t link_type, uint32_t wire_length)
{
    enum { TCP_LEAST = 20 };
    const uint8_t *h = span_peek(&in, AT_TCP + TCP_LEAST);
    if (!h || !everyday_plain(h, link_type) || h[AT_IP_PROTOCOL] != EVERYDAY_PROTOCOL)
        return (struct everyday){ 0 };
    uint32_t header = (h[AT_TCP_OFFSET] >> 4) * 4u, payload = AT_TCP + header,
             end = AT_IP + load_be16(h + AT_IP_LENGTH);
    if (header < TCP_LEAST || payload > end || end > wire_end(in, wire_length) || payload > in.left)
        return (struct everyday){ 0 };
    return (struct everyday){ h, payload, end };
}
