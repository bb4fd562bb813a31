/* All conversations of a capture at once: what each end sent into a file of its own, in a new or empty folder.
 *
 * Files are called "tcp-7-10.0.0.1.1234-10.0.0.2.80": protocol, number, sender, receiver (colons of IPv6 addresses as
 * underscores). A byte lies at its position in the stream: what the capture misses is a hole that reads as zeros, and
 * stands in "streams.json", a line a conversation. A file appears with its first byte.
 *
 * Bounded: SPLIT_FILES are open at a time, SPLIT_STREAMS conversations of each protocol have files, later ones are
 * counted; what waits for bytes before it has the limits of track/reassembly.h. */
#pragma once
#include "base/error.h"
#include "protocol/packet.h"
#include "track/reassembly.h"

enum {
    SPLIT_FILES = 128,
    SPLIT_BUFFER = 16 << 10, /* bytes that each collects before they are written */
    SPLIT_STREAMS = 1 << 20,
};

struct split;

/* Makes the folder, or takes one that is empty. Returns 0, ERROR_SYSTEM or ERROR_MEMORY. */
int split_open(struct split **split, const char *path, struct error *error);
int split_folder(const struct split *split);
bool split_is_new(const struct split *split); /* the folder was made */
/* Who makes files in the folder, or opens them again, for writing: returns a descriptor or a negative errno. */
void split_makes(struct split *split, int (*make)(void *context, const char *name), void *context);
/* A packet that was dissected and tracked (TRACK_STREAMS). Returns 0, ERROR_SYSTEM or ERROR_MEMORY. */
int split_take(struct split *split, const struct packet *packet, struct error *error);
/* Ends all streams and writes streams.json. Returns 0 or ERROR_SYSTEM. */
int split_finish(struct split *split, struct error *error);
/* Conversations that have no files because there were too many. */
uint64_t split_left_out(const struct split *split);
void split_close(struct split *split);
