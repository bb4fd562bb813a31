/* Fragments of IPv4 (RFC 791, 3.2; RFC 815) and IPv6 (RFC 8200, 4.5) datagrams, put together.
 *
 * Memory is bounded: so many datagrams, so many fragments of each, so many bytes in all; the oldest is forgotten
 * first, and by the packets' time each after a while. IPv4 fragments that overlap: the one that begins first in the
 * datagram wins, among those the one that came first. IPv6 fragments that overlap without being the same condemn the
 * whole datagram (RFC 5722, 4). */
#pragma once
#include "protocol/packet.h"

enum {
    FRAGMENT_DATAGRAMS = 1024,                         /* being put together at a time */
    FRAGMENT_PIECES = 1024,                            /* of one datagram */
    FRAGMENT_BYTES = 16 << 20,                         /* kept in all */
    FRAGMENT_DATAGRAM_BYTES = 65535,                   /* payload of a datagram */
    FRAGMENT_KEPT_BYTES = 2 * FRAGMENT_DATAGRAM_BYTES, /* of one datagram, overlaps included */
};

struct fragments;

/* NULL: no memory. */
struct fragments *fragments_open(void);
void fragments_close(struct fragments *fragments);

/* Forgets which buffers earlier packets' datagrams lie in: call once a packet, before fragments_take. */
void fragments_begin(struct fragments *fragments);

/* Takes the packet's fragment (packet->fragment.present). If its datagram is whole now: true, *whole holds its
 * payload, valid until the next fragments_begin, and *protocol what it carries. */
bool fragments_take(struct fragments *fragments, const struct packet *packet, struct span *whole, uint8_t *protocol)
    __attribute__((noinline)) /* in the tracker's loop it would cost those that are none */;

/* How many datagrams are being put together, and bytes they hold. */
unsigned fragments_count(const struct fragments *fragments);
size_t fragments_bytes(const struct fragments *fragments);
