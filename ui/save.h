/* Writes the packets that are shown into a file, in slices. */
#pragma once
#include "ui/view.h"

struct save;

/* fd: of the file, which is ours from then on, and begun anew unless it is the capture itself: that is an error.
 * Returns 0 or a negative error. */
int save_open(struct save **save, struct store *store, int fd, const char *path, struct error *error);
/* Works as store_step does; false: done or failed. */
bool save_step(struct save *save, const struct view *view, int64_t deadline);
uint64_t save_count(const struct save *save); /* packets written */
/* Returns 0 or a negative error of writing. */
int save_close(struct save *save, struct error *error);
