/* Fields that only filters and -e know: Wireshark's names for what peel's tables hold under another one, as a payload,
 * or in several places. */
#pragma once
#include "dissectors/lookup.h"

/* Fills refs with up to `most` of them and returns how many there are; 0: no such name. */
unsigned extra_field(const char *name, struct field_ref *refs, unsigned most);
/* Calls back for each name. */
void extra_each(void (*each)(void *context, const char *name), void *context);
/* The tracker's notes that such a field reads: 1 << enum note_bit. */
uint64_t extra_notes(const struct field *field);
