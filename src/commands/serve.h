/* peel listen --keep-open: conversations with all who call, until it is interrupted. What they say goes to standard
 * output as it comes; what standard input says, to all who are there. */
#pragma once
#include "base/error.h"

struct exchange;

/* At most `most` at once. Returns 0 when it was interrupted, or a negative error. */
int serve(struct exchange *exchange, unsigned most, struct error *error);
