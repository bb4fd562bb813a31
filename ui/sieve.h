/* What the filter line says: a display filter, compiled. */
#pragma once
#include "base/error.h"
#include "protocol/packet.h"

struct sieve;

/* Returns 0 or ERROR_USAGE with the reason. */
int sieve_open(struct sieve **sieve, const char *text, struct error *error);
void sieve_close(struct sieve *sieve);
/* Whether a packet passes, which the tracker has seen: datagrams and messages that were put together count, too.
 * context: struct sieve *. */
bool sieve_passes(void *context, const struct packet *packet);
/* The n-th field or protocol whose name begins so, from 0, into whole (room for `size` bytes); false: no more. */
bool sieve_complete(const char *word, unsigned n, char *whole, size_t size);
