/* What the tracker knew as of an earlier packet: a tracker of its own goes there from the first packet on, or from
 * where it is if that is not too late. */
#pragma once
#include "ui/store.h"

struct past;

int past_open(struct past **past, struct store *store, struct error *error);
void past_close(struct past *past);
/* Returns 0, or a negative error: no memory. */
int past_go(struct past *past, uint64_t number, struct error *error);
/* Works as store_step does. */
bool past_step(struct past *past, int64_t deadline);
uint64_t past_at(const struct past *past); /* as of which packet its tables are */
uint64_t past_target(const struct past *past);
struct tracker *past_tracker(struct past *past);
struct sockets *past_sockets(struct past *past);
