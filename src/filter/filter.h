/* Display filters, in Wireshark's language (peel-filter(5)): whether a packet that was taken apart passes. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "protocol/packet.h"

struct filter;

/* Compiles an expression. registry_open() comes first. Returns 0, ERROR_USAGE with a sentence that names the column
 * (from 1, in bytes), or ERROR_MEMORY. The caller frees it with filter_close. */
int filter_open(struct filter **filter, const char *expression, struct error *error);
/* Which of the tracker's notes it reads: 1 << enum note_bit. The packet's note must be written before filter_passes. */
uint64_t filter_notes(const struct filter *filter);
bool filter_passes(struct filter *filter, const struct packet *packet);
/* When no packet passed: writes which of the clauses that the expression joins with "and" matched nothing even alone,
 * as a sentence without end of line. Nothing is written if a packet passed or there is only one clause. */
void filter_explain(const struct filter *filter, struct buffer *out);
void filter_close(struct filter *filter);
