/* The Internet checksum (RFC 1071). */
#pragma once
#include "protocol/field.h"
#include "protocol/packet.h"

enum checksum_status {
    CHECKSUM_BAD = 0,
    CHECKSUM_GOOD = 1,
    CHECKSUM_UNVERIFIED = 2,  /* not all of it was captured */
    CHECKSUM_NOT_PRESENT = 3, /* UDP over IPv4 sent without one */
    CHECKSUM_ILLEGAL = 4,     /* UDP over IPv6 sent without one */
};

/* One's complement sum of the bytes as big-endian words, added to sum, folded to 16 bits; an odd last byte is padded
 * with 0. */
uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t n);
/* What checksum_add sums by, in the machine's word order, not folded: the plain way, and the one for processors that
 * have AVX2. */
uint64_t checksum_words_plain(const uint8_t *bytes, size_t n);
uint64_t checksum_words_avx2(const uint8_t *bytes, size_t n);
bool checksum_has_avx2(void);
/* The sum of the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1). */
uint32_t checksum_pseudo(const struct network *network, uint8_t protocol, uint32_t length);
/* The two bytes that belong into the header. */
static inline uint16_t checksum_finish(uint32_t sum)
{
    return (uint16_t)~sum;
}

extern const struct value_name checksum_status_names[];

/* For a layer whose checksum covers it to its end and a pseudo-header (TCP, UDP, ICMPv6): CHECKSUM_BAD, GOOD or
 * UNVERIFIED. */
enum checksum_status checksum_verify(const struct packet *packet, const struct layer *layer, uint8_t protocol);
/* The same without a pseudo-header (ICMP, IGMP), and never for what is quoted or a single fragment. */
enum checksum_status checksum_verify_alone(const struct packet *packet, const struct layer *layer);
/* Whether stored, the two bytes in the header, is the sum of the pseudo-header alone: what a host leaves to its
 * interface to complete. Then a checksum that does not fit is no sign of damage. */
bool checksum_offloaded(const struct packet *packet, const struct layer *layer, uint8_t protocol, uint16_t stored);
