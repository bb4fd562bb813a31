/* Any packet of a capture at once: an index that holds the place of each 64th packet and what a reader must know to
 * begin there, and readers that begin at those places. For pcap and pcapng that are not compressed, in files; what
 * comes otherwise goes into a spool first (spool.h).
 *
 * Memory: 24 bytes for 64 packets, 375 KB a million; pcapng's interfaces besides, 40 bytes each. The file may grow:
 * then the index goes on from the last whole record. */
#pragma once
#include "capture/capture.h"

enum { INDEX_STEP = 64 }; /* packets from one place to the next */

struct capture_index;

/* fd stays the caller's and open as long as the index is. Returns 0, ERROR_FORMAT (no capture, or one that has no
 * places: compressed, or in one of libpcap's formats), ERROR_SYSTEM or ERROR_MEMORY. */
int index_open(struct capture_index **index, int fd, const char *name, struct error *error);
void index_close(struct capture_index *index);

/* Reads on for `packets` more. Returns 1 (there may be more), 0 (as far as the file goes) or a negative error where it
 * is damaged; then, and where it ends within a record, index_trouble says so. */
int index_read_on(struct capture_index *index, unsigned packets);
/* The file may have grown: index_read_on will see. */
void index_look_again(struct capture_index *index);
/* Why reading ended where it did; NULL: in order. */
const char *index_trouble(const struct capture_index *index);

uint64_t index_count(const struct capture_index *index);  /* packets known so far */
uint64_t index_offset(const struct capture_index *index); /* where the next record begins, bytes */
bool index_nanoseconds(const struct capture_index *index);
/* As capture_is_coarse. */
bool index_is_coarse(const struct capture_index *index);
/* When the first packet that has a time was captured; 0 before there is one. */
int64_t index_first_time(const struct capture_index *index);
/* When the last one of those known so far was. */
int64_t index_last_time(const struct capture_index *index);
/* The last packet, from 1, that is known to have come at or before a time, as near as the index tells (it knows each
 * 64th packet's), if times do not step back. 0: none. */
uint64_t index_at_time(const struct capture_index *index, int64_t time);
/* Bytes of memory that the index takes. */
size_t index_memory(const struct capture_index *index);

/* One who reads packets by their numbers. Several may read at the same time. */
struct index_reader;

/* block: bytes to read at once. The index must stay as long. */
int index_reader_open(struct index_reader **reader, struct capture_index *index, size_t block, struct error *error);
void index_reader_close(struct index_reader *reader);
/* Packet `number`, from 1 to index_count, valid until the next call. The next one costs no more than capture_next;
 * any other at most INDEX_STEP. Returns 1, or a negative error: the file is no longer what was indexed. */
int index_reader_get(struct index_reader *reader, uint64_t number, struct record *record, struct error *error);
