/* Segments of an endpoint as packets, and packets as segments: headers are prepared once through the tables, and what
 * differs is filled in. */
#pragma once
#include "base/address.h"
#include "inject/endpoint.h"
#include "protocol/packet.h"

enum { SEGMENT_HEAD = 14 + 40, SEGMENT_LONGEST = SEGMENT_HEAD + 60 };

/* Both ends of a conversation. */
struct segment_ends {
    struct ip_address local, remote; /* of the same size */
    uint16_t local_port, remote_port;
};

struct segment_writer {
    uint8_t head[SEGMENT_LONGEST]; /* link, IP and TCP header as they always are */
    unsigned link, network;        /* bytes of the first two */
    uint32_t pseudo;               /* sum of the addresses and the protocol */
    uint16_t ident;
    bool six;
};

/* macs: destination and source, 12 bytes; NULL: no link header. */
void segment_writer_begin(struct segment_writer *writer, const uint8_t *macs, const struct segment_ends *ends);
/* The packet's length at most: with all options and the payload. */
size_t segment_length(const struct segment_writer *writer, const struct endpoint_segment *segment);
/* Writes the packet; returns its length. */
size_t segment_write(struct segment_writer *writer, uint8_t *at, const struct endpoint_segment *segment);

/* Whether g continues the segment `before`, whose packet (length bytes) is at `at`, so that both can leave as one piece
 * that is cut again where it has to be: the next bytes of the stream, and all else the same. */
bool segment_continues(const struct segment_writer *writer, const struct endpoint_segment *before, size_t length,
                       const struct endpoint_segment *g);
/* Writes g's payload behind the packet and makes its headers fit all of it, the checksum left to be completed. Returns
 * how many bytes were added. */
size_t segment_append(struct segment_writer *writer, uint8_t *at, size_t length, const struct endpoint_segment *g);
/* The length of the headers of a data segment, and where the TCP header and the checksum in it lie. */
size_t segment_headers(const struct segment_writer *writer, const struct endpoint_segment *g, size_t *transport,
                       size_t *checksum);

enum segment_kind {
    SEGMENT_NONE,        /* not of this conversation, or damaged */
    SEGMENT_HERE,        /* a segment from the remote end */
    SEGMENT_UNREACHABLE, /* an ICMP error about one of ours: seq in segment */
    SEGMENT_REFUSED,     /* the same, a hard one: RFC 9293, 3.9.2.2 */
    SEGMENT_TOO_LONG,    /* the same, because of its length: *mtu */
};

/* What a dissected packet is to a conversation. remote.size 0: whoever calls (local.size 0: at any address); then only
 * SYNs count, and the addresses are filled in. unfinished: its checksum was not computed yet (wire.h). The payload lies
 * in the packet. */
enum segment_kind segment_read(const struct packet *packet, bool unfinished, struct segment_ends *ends,
                               struct endpoint_segment *segment, unsigned *mtu);
