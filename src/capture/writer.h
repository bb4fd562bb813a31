/* Packets into a file: pcapng, or pcap (nanoseconds) where the file's name ends in .pcap. Interfaces are written as
 * they are met, link type and resolution with them. A pcap holds one link type: a packet of another is an error. */
#pragma once
#include "capture/capture.h"

struct writer;

/* path "-": standard output (pcapng). Overwrites path. Returns 0 or a negative error with a sentence. */
int writer_open(struct writer **writer, const char *path, struct error *error);
/* Returns 0, or ERROR_SYSTEM (disk full: what was written before ends at a whole packet) or ERROR_FORMAT. */
int writer_put(struct writer *writer, const struct record *record, struct error *error);
/* Writes what is still held and closes. Returns 0 or ERROR_SYSTEM. The writer is gone either way. */
int writer_close(struct writer *writer, struct error *error);
