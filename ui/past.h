/* What the tracker knew as of an earlier packet: a tracker of its own goes there, from where it is, from the first
 * packet on, or from a copy of its tables that it made when it came by, whichever is nearest. Copies lie in a file
 * without a name, as many as PAST_BYTES hold. */
#pragma once
#include "ui/store.h"

struct past;

int past_open(struct past **past, struct store *store, struct error *error);
void past_close(struct past *past);
/* Returns 0, or a negative error: no memory. */
int past_go(struct past *past, uint64_t number, struct error *error);
/* Works as store_step does. */
bool past_step(struct past *past, int64_t deadline);
uint64_t past_at(const struct past *past); /* as of which packet its tables are; 0 while a copy is read */
uint64_t past_target(const struct past *past);
struct tracker *past_tracker(struct past *past);
struct sockets *past_sockets(struct past *past);
/* A copy after each so many packets, not after so much work: for tests. 0: as it is meant. */
void past_copy_each(struct past *past, uint64_t packets);
unsigned past_copies(const struct past *past);
