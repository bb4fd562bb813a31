/* A conversation drawn on standard error as it happens: the packets of a dialogue go through dissectors and tracker
 * into a ladder. */
#pragma once
#include "inject/dialogue.h"

struct live_ladder;

int live_ladder_open(struct live_ladder **ladder, struct error *error);
/* As an observer of dialogues is told of packets. */
void live_ladder_take(struct live_ladder *ladder, struct span bytes, uint16_t link_type, int64_t time);
/* Who is left and who is right; before the first packet. */
void live_ladder_ends(struct live_ladder *ladder, const struct segment_ends *ends, bool we_called);
/* Nothing has come for a while: what is kept to be folded is drawn. Nanoseconds of the dialogue's clock. */
void live_ladder_rest(struct live_ladder *ladder, int64_t now);
/* When to call live_ladder_rest; INT64_MAX: nothing is kept. */
int64_t live_ladder_deadline(const struct live_ladder *ladder);
/* Draws the end. NULL: nothing. */
void live_ladder_close(struct live_ladder *ladder);
