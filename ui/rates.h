/* How fast conversations are at a moment: bytes on the wire of the last seconds, from the packets themselves. Only
 * those that said something lately take room, 80 bytes each. */
#pragma once
#include "ui/store.h"

enum { RATE_SECONDS = 8 };

struct rate {
    uint64_t key;                    /* protocol and stream; 0: an empty place */
    uint32_t bytes[2][RATE_SECONDS]; /* of each second, the oldest first; [0] sent by the lower end of the flow */
};

struct rates;

int rates_open(struct rates **rates, struct store *store, struct error *error);
void rates_close(struct rates *rates);
/* As of this packet, and its time. What lies ahead is added, all else begins anew. */
void rates_go(struct rates *rates, uint64_t number, int64_t time);
/* Works as store_step does. */
bool rates_step(struct rates *rates, int64_t deadline);
/* Changes whenever there are other numbers. */
uint64_t rates_turn(const struct rates *rates);
/* Of a conversation; false: it said nothing. */
bool rates_get(const struct rates *rates, const struct flow *flow, struct rate *rate);
