/* Initial sequence numbers (RFC 6528): a clock of 4 microseconds, plus a number that a secret and the conversation's
 * addresses and ports determine. */
#pragma once
#include "base/address.h"

struct isn_secret {
    uint64_t key[2];
};

/* The same for all processes until the next boot: numbers grow from one connection to the next with the same ports,
 * even if another process makes it, and a peer in TIME_WAIT takes it (RFC 9293, 3.4.2). From the system's number of
 * this boot, which is random and leaves the host nowhere, or else from random numbers; false if there are none. */
bool isn_begin(struct isn_secret *secret);
/* now: nanoseconds. *ts_offset: another number of the same kind, where timestamps count from (RFC 7323, 5.4). */
uint32_t isn_make(const struct isn_secret *secret, const struct ip_address *local, uint16_t local_port,
                  const struct ip_address *remote, uint16_t remote_port, int64_t now, uint32_t *ts_offset);
/* SipHash-2-4 (Aumasson, Bernstein 2012). */
uint64_t isn_hash(const uint64_t key[2], const uint8_t *bytes, size_t n);
