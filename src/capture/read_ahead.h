/* A thread that goes on reading while what was read is being used, so that what reading costs (decompressing) takes no
 * time of its own. It is a few blocks ahead and no more, and takes no signals. */
#pragma once
#include "capture/block_reader.h"

enum {
    AHEAD_BLOCK = 256 << 10, /* bytes read at once */
    AHEAD_FRONT = 64 << 10,  /* room in front of each block, for what is carried there */
};

struct read_ahead;

/* Begins to read from the source, which is the thread's from now on, until read_ahead_close. NULL: no memory, or no
 * thread is to be had. */
struct read_ahead *read_ahead_open(block_source *source, void *context);

/* The next block, waiting for it: how many bytes, 0 behind the last one, or the source's negative error and *why. The
 * bytes stay until the second call after this one: so the end of a block may be carried in front of the next. */
ssize_t read_ahead_take(struct read_ahead *a, uint8_t **block, const char **why);

/* Ends the thread, once it has read the block that it is reading. Takes NULL, too. */
void read_ahead_close(struct read_ahead *a);
