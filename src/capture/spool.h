/* What cannot be read twice goes into a file that has no name: a pipe, a compressed capture, an interface. It is gone
 * when it is closed, however the program ends. */
#pragma once
#include "capture/capture.h"

struct spool;

/* A file without a name, open for reading and writing; -1 with errno. */
int spool_make_file(void);

/* Takes what `capture` holds, of which nothing was read yet and which stays the caller's: its bytes as they are,
 * decompressed, if it is a pcap or pcapng; else its packets as a pcapng. The file lies in TMPDIR, or /var/tmp.
 * Returns 0, ERROR_SYSTEM or ERROR_MEMORY. */
int spool_open(struct spool **spool, struct capture *capture, struct error *error);
void spool_close(struct spool *spool);
/* To read from, by place; the spool's. */
int spool_file(const struct spool *spool);
/* What the packets come from, to poll; -1: nothing that makes wait. */
int spool_feed(const struct spool *spool);
/* Takes the next piece, as much as comes at once. Returns 1, 0 (that was all) or a negative error: of reading or of
 * writing. After 0 or an error it returns the same again. */
int spool_take(struct spool *spool, struct error *error);
/* Bytes so far. */
uint64_t spool_size(const struct spool *spool);
