/* What the screens look at: a capture of any size, of which any packet can be had at once, as the tracker left it. Its
 * index, the tracker and the journal grow in slices, between two keys. */
#pragma once
#include "capture/index.h"
#include "track/journal.h"
#include "track/sockets.h"
#include "track/tracker.h"

struct store;

enum store_state {
    STORE_INDEXING, /* finding out where packets lie */
    STORE_TRACKING, /* following conversations */
    STORE_READY,    /* both, as far as the capture goes */
    STORE_WAITING,  /* more may come: a pipe, an interface, a file that somebody writes */
};

/* path "-": standard input. Returns 0 or a negative error. */
int store_open(struct store **store, const char *path, struct error *error);
/* What an interface brings, which stays the caller's and must stay as long. */
int store_open_live(struct store **store, struct capture *capture, const char *name, struct error *error);
void store_close(struct store *store);

/* Works until `deadline` (nanoseconds of CLOCK_MONOTONIC) or until there is nothing to do; true: there is more. */
bool store_step(struct store *store, int64_t deadline);
/* Where more comes from, to poll; -1: nowhere. */
int store_feed(const struct store *store);
/* It is readable. */
void store_fed(struct store *store);
/* The file may have grown or shrunk. */
void store_look_again(struct store *store);
/* Stop indexing: what is known is all there is to see; and go on. */
void store_cancel(struct store *store, bool cancel);

enum store_state store_state(const struct store *store);
bool store_cancelled(const struct store *store);
double store_progress(const struct store *store); /* of STORE_INDEXING and _TRACKING, 0 to 1 */
const char *store_name(const struct store *store);
int store_file(const struct store *store); /* the capture's descriptor; -1: an interface */
/* What is wrong with the capture or with keeping it; NULL: nothing. */
const char *store_trouble(const struct store *store);
uint64_t store_count(const struct store *store);   /* packets that can be had */
uint64_t store_tracked(const struct store *store); /* packets of which is known what the tracker says */
uint64_t store_bytes(const struct store *store);   /* of the capture, as far as it is there */
bool store_nanoseconds(const struct store *store);
int64_t store_first_time(const struct store *store);
struct capture_index *store_index(struct store *store);
struct journal *store_journal(struct store *store);
/* As of packet store_tracked. */
struct tracker *store_tracker(struct store *store);
struct sockets *store_sockets(struct store *store);

/* A way to read it; each keeps its own place. */
struct store_reader;
int store_reader_open(struct store_reader **reader, struct store *store, size_t block, struct error *error);
void store_reader_close(struct store_reader *reader);
/* Packet `number`, dissected, with the tracker's notes if it has come so far; valid until the next call. NULL: it
 * cannot be read any more, and error says why. */
const struct packet *store_packet(struct store_reader *reader, uint64_t number, struct error *error);
/* The record of the packet that store_packet gave last. */
const struct record *store_record(const struct store_reader *reader);

int64_t monotonic(void);
