/* Finding packets by what they hold: text (upper and lower case alike), bytes, or a regular expression; in their bytes
 * and in what their line says. In slices, so that keys are answered meanwhile. */
#pragma once
#include "ui/view.h"

struct find;

/* "0x474554" or "47 45 54": bytes; "/GET .*HTTP/": a regular expression (PCRE2's); anything else: text. Returns 0 or
 * ERROR_USAGE with the reason. */
int find_open(struct find **find, struct store *store, const char *what, bool ascii, struct error *error);
void find_close(struct find *find);
/* Looks on from behind (or before) a packet, among those that are shown. */
void find_begin(struct find *find, uint64_t from, bool forward);
/* Works as store_step does. */
bool find_step(struct find *find, const struct view *view, int64_t deadline);
/* After find_step returned false: the packet, or 0. */
uint64_t find_result(const struct find *find);
/* How far it is, as a packet's number. */
uint64_t find_at(const struct find *find);
