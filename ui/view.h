/* Which packets are shown: all of them, or those that something lets pass. A bit a packet and a count for 64 of them:
 * 190 KB a million. */
#pragma once
#include "ui/store.h"

struct view;

/* Whether a packet is to be shown. */
typedef bool view_passes(void *context, const struct packet *packet);

/* All packets of the store. */
int view_open(struct view **view, struct store *store, struct error *error);
void view_close(struct view *view);
/* From now on only packets that pass, from the first one on; NULL: all. They are asked about once the tracker has seen
 * them. */
void view_filter(struct view *view, view_passes *passes, void *context);
/* Only packets of a conversation (protocol 6 or 17), which is quickly found. */
void view_stream(struct view *view, unsigned protocol, uint32_t stream);
/* Works as store_step does. */
bool view_step(struct view *view, int64_t deadline);
void view_cancel(struct view *view);

bool view_is_all(const struct view *view);
uint64_t view_looked(const struct view *view); /* packets that were asked about */
uint64_t view_count(const struct view *view);  /* packets that are shown */
/* The n-th one that is shown, from 0, is packet ...; 0: there are not so many. */
uint64_t view_nth(const struct view *view, uint64_t n);
/* How many shown packets have numbers below this: the place of the packet, if it is shown. */
uint64_t view_place(const struct view *view, uint64_t number);
bool view_shows(const struct view *view, uint64_t number);
size_t view_memory(const struct view *view);
