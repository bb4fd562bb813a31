/* Packets into a file: pcapng, or pcap (nanoseconds) where the file's name ends in .pcap. Interfaces are written as
 * they are met, link type and resolution with them. A pcap holds one link type: a packet of another is an error.
 *
 * What a format cannot say: pcap has no comments, and its times end at 1970 and 2106 (others become the nearest one);
 * pcapng has no times before 1970. A packet without a time goes into a simple packet block if that can hold it (the
 * first interface written, whole, no comment) and otherwise gets time 0. Records that are no packets are left out. */
#pragma once
#include "capture/capture.h"

struct writer;

/* path "-": standard output (pcapng). Overwrites path. Returns 0 or a negative error with a sentence. */
int writer_open(struct writer **writer, const char *path, struct error *error);
/* A pcapng into a file descriptor, which is the writer's from then on. name: as error sentences call it. */
int writer_open_file(struct writer **writer, int fd, const char *name, struct error *error);
/* Returns 0, or ERROR_SYSTEM (disk full: what was written before ends at a whole packet) or ERROR_FORMAT. */
int writer_put(struct writer *writer, const struct record *record, struct error *error);
/* Writes what is held out at once, for who reads the other end of a pipe or watches the file grow. Returns as
 * writer_put. */
int writer_flush(struct writer *writer, struct error *error);
/* Writes what is still held and closes. Returns 0 or ERROR_SYSTEM. The writer is gone either way. */
int writer_close(struct writer *writer, struct error *error);
