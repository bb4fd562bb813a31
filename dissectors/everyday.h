/* Ethernet, IPv4 without options or fragments, and TCP, all of them whole: so common that whoever can takes them in one
 * go. */
#pragma once
#include "base/span.h"

enum {
    EVERYDAY_IP = 14,  /* where the IPv4 header begins */
    EVERYDAY_TCP = 34, /* the TCP header */
    EVERYDAY_LINK = 1, /* LINKTYPE_ETHERNET */
    EVERYDAY_TYPE = 0x0800,
    EVERYDAY_PROTOCOL = 6,
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

/* in: a whole packet as captured. */
static inline struct everyday everyday_look(struct span in, uint16_t link_type, uint32_t wire_length)
{
    enum { PLAIN_IPV4 = 0x45 /* version 4, no options */, FRAGMENTED = 0x3fff, TCP_LEAST = 20 };
    const uint8_t *h = span_peek(&in, EVERYDAY_TCP + TCP_LEAST);
    if (!h || link_type != EVERYDAY_LINK || load_be16(h + 12) != EVERYDAY_TYPE || h[EVERYDAY_IP] != PLAIN_IPV4 ||
        load_be16(h + 20) & FRAGMENTED || h[23] != EVERYDAY_PROTOCOL)
        return (struct everyday){ 0 };
    uint32_t header = (h[46] >> 4) * 4u, payload = EVERYDAY_TCP + header, end = EVERYDAY_IP + load_be16(h + 16);
    if (header < TCP_LEAST || payload > end || end > wire_end(in, wire_length) || payload > in.left)
        return (struct everyday){ 0 };
    return (struct everyday){ h, payload, end };
}
