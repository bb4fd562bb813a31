/* What the filter line says: a display filter, compiled. */
#pragma once
#include "base/error.h"
#include "protocol/packet.h"

struct sieve;

/* Returns 0 or ERROR_USAGE with the reason. */
int sieve_open(struct sieve **sieve, const char *text, struct error *error);
void sieve_close(struct sieve *sieve);
/* Whether it asks for what the tracker says of a packet. */
bool sieve_tracked(const struct sieve *sieve);
/* context: struct sieve *. */
bool sieve_passes(void *context, const struct packet *packet);
/* The n-th field or protocol whose name begins so, from 0, into whole (room for `size` bytes); false: no more. */
bool sieve_complete(const char *word, unsigned n, char *whole, size_t size);
