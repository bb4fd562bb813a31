#include "ui/store.h"
#include "base/clock.h"
#include "base/text.h"
#include "capture/spool.h"
#include "dissectors/dissect.h"
#include "output/remarks.h"
#include "track/messages.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* All of it is to stay small, whatever the capture holds. */
enum { SLICE = 256, TRACK_FIRST = 1024, PASS_BLOCK = 1 << 20, MESSAGES_MOST = 24 << 20 };

enum {
    LEVELS =
        TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_ANALYSIS | TRACK_STATES | TRACK_DETAILS | TRACK_MESSAGES | TRACK_ANSWERS
};

struct store {
    char *name;
    int fd;               /* of a file that is read in place; -1: the spool's */
    struct capture *feed; /* what goes into the spool; NULL: nothing does */
    bool feed_is_theirs;
    struct spool *spool;
    bool feeding;                /* it has not ended */
    bool regular;                /* it never makes wait: a file that is compressed */
    struct capture_index *index; /* NULL: the spool does not hold a header yet */
    struct index_reader *reader; /* the tracker's */
    struct tracker tracker;
    struct sockets sockets;
    bool tracker_open, sockets_open;
    struct journal *journal;
    struct packet packet; /* the tracker's scratch */
    int64_t last_time;
    bool timed, indexed, cancelled, journal_failed, fed_badly, shrunk;
    uint64_t size; /* of the file */
    struct error trouble;
};

struct store_reader {
    struct store *store;
    struct index_reader *reader;
    struct record record;
    struct packet packet;
    uint64_t last; /* the packet read last, and its time */
    int64_t last_time;
    bool timed;
};

int64_t monotonic(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* A file that is read where it lies, or else what is read of it goes into a spool. */
static int open_file(struct store *s, const char *path, struct error *error)
{
    struct stat status;
    s->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (s->fd >= 0 && !fstat(s->fd, &status) && S_ISREG(status.st_mode)) {
        s->size = (uint64_t)status.st_size;
        if (!index_open(&s->index, s->fd, path, error))
            return 0;
    }
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    int code = capture_open(&s->feed, path, error);
    if (!code)
        code = spool_open(&s->spool, s->feed, error);
    s->feeding = !code;
    s->regular = !code && !fstat(spool_feed(s->spool), &status) && S_ISREG(status.st_mode);
    s->size = s->regular ? (uint64_t)status.st_size : 0;
    return code;
}

/* Once the index is there: who reads, tracks and remembers. */
static int open_rest(struct store *s, struct error *error)
{
    int code = index_reader_open(&s->reader, s->index, PASS_BLOCK, error);
    if (!code)
        code = tracker_open(&s->tracker, LEVELS, error);
    if (code)
        return code;
    s->tracker_open = true;
    messages_limit(s->tracker.messages, MESSAGES_MOST);
    sockets_open(&s->sockets, &s->tracker);
    s->sockets_open = true;
    int words = spool_make_file(), details = words < 0 ? -1 : spool_make_file();
    if (details < 0) {
        code = error_set(error, ERROR_SYSTEM, _("a file to keep what is known of packets: %s"), strerror(errno));
        if (words >= 0)
            close(words);
        return code;
    }
    return journal_open(&s->journal, words, details, remarks_notes, error);
}

static int begin(struct store *s, struct error *error)
{
    int code = s->index ? 0 : index_open(&s->index, spool_file(s->spool), s->name, error);
    return code ? code : open_rest(s, error);
}

static struct store *new_store(const char *name)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s || !(s->name = strdup(name))) {
        free(s);
        return NULL;
    }
    s->fd = -1;
    return s;
}

/* Ends an opening: the store goes to the caller, or all that was made of it away. */
static int hand_over(struct store **store, struct store *s, int code, struct error *error)
{
    if (!code && s->spool && (code = spool_take(s->spool, error)) >= 0)
        code = 0;
    if (!code)
        code = begin(s, error);
    if (code)
        store_close(s);
    else
        *store = s;
    return code;
}

int store_open(struct store **store, const char *path, struct error *error)
{
    struct store *s = new_store(strcmp(path, "-") ? path : _("standard input"));
    *store = NULL;
    if (!s)
        return error_set(error, ERROR_MEMORY, "%s: %s", path, strerror(ENOMEM));
    return hand_over(store, s, open_file(s, path, error), error);
}

int store_open_live(struct store **store, struct capture *capture, const char *name, struct error *error)
{
    struct store *s = new_store(name);
    *store = NULL;
    if (!s)
        return error_set(error, ERROR_MEMORY, "%s: %s", name, strerror(ENOMEM));
    s->feed = capture;
    s->feed_is_theirs = s->feeding = true;
    return hand_over(store, s, spool_open(&s->spool, capture, error), error);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    journal_close(s->journal);
    if (s->sockets_open)
        sockets_close(&s->sockets);
    if (s->tracker_open)
        tracker_close(&s->tracker);
    index_reader_close(s->reader);
    index_close(s->index);
    spool_close(s->spool);
    if (!s->feed_is_theirs)
        capture_close(s->feed);
    if (s->fd >= 0)
        close(s->fd);
    free(s->name);
    free(s);
}

/* A record becomes a packet; its times count from the first one, and from the one before. */
static void fill(struct packet *p, const struct record *record, uint64_t number, int64_t first, int64_t before)
{
    packet_reset(p, record->bytes);
    p->streams = true;
    p->number = number;
    p->time = record->time;
    p->timed = record->timed;
    p->link_type = record->link_type;
    p->interface = record->interface;
    p->wire_length = record->wire_length;
    p->comment = record->comment;
    p->time_relative = record->timed ? record->time - first : 0;
    p->time_delta = record->timed ? record->time - before : 0;
}

/* The next packets through the tracker into the journal. False: there are none, or it cannot be. */
static bool track(struct store *s, unsigned packets)
{
    uint64_t next = journal_count(s->journal) + 1;
    struct record record;
    for (; packets && next <= index_count(s->index) && !s->journal_failed; packets--, next++) {
        if (index_reader_get(s->reader, next, &record, &s->trouble) < 0) {
            s->journal_failed = true;
            break;
        }
        fill(&s->packet, &record, next, index_first_time(s->index), s->timed ? s->last_time : record.time);
        s->timed |= record.timed;
        s->last_time = record.timed ? record.time : s->last_time;
        dissect(&s->packet);
        struct journal_plain plain = journal_plain(&s->packet);
        tracker_take(&s->tracker, &s->packet);
        s->journal_failed = journal_add(s->journal, &s->packet, plain, &s->trouble) < 0;
    }
    return !packets && !s->journal_failed;
}

bool store_step(struct store *s, int64_t deadline)
{
    while (!s->cancelled && monotonic() < deadline) {
        if (s->feeding && s->regular)
            store_fed(s);
        bool more = !s->indexed;
        if (more && index_read_on(s->index, SLICE * 4) <= 0)
            s->indexed = true;
        /* The first screen is to be whole at once; the rest of the tracker's work comes behind the index. */
        if (s->indexed || journal_count(s->journal) < TRACK_FIRST)
            more |= track(s, SLICE);
        if (!more && !(s->feeding && s->regular))
            return false;
    }
    return !s->cancelled;
}

int store_feed(const struct store *s)
{
    return s->feeding && !s->cancelled ? spool_feed(s->spool) : -1;
}

void store_fed(struct store *s)
{
    int code = spool_take(s->spool, &s->trouble);
    s->feeding = code > 0;
    s->fed_badly = code < 0;
    index_look_again(s->index);
    s->indexed = false;
}

void store_look_again(struct store *s)
{
    struct stat status;
    if (s->fd < 0 || fstat(s->fd, &status) || (uint64_t)status.st_size == s->size)
        return;
    s->shrunk = (uint64_t)status.st_size < index_offset(s->index);
    s->size = (uint64_t)status.st_size;
    if (s->shrunk)
        return;
    index_look_again(s->index);
    s->indexed = false;
}

void store_cancel(struct store *s, bool cancel)
{
    s->cancelled = cancel;
}

bool store_cancelled(const struct store *s)
{
    return s->cancelled;
}

enum store_state store_state(const struct store *s)
{
    return !s->indexed                                                               ? STORE_INDEXING
           : journal_count(s->journal) < index_count(s->index) && !s->journal_failed ? STORE_TRACKING
           : s->feeding                                                              ? STORE_WAITING
                                                                                     : STORE_READY;
}

double store_progress(const struct store *s)
{
    uint64_t count = index_count(s->index);
    if (s->indexed)
        return count ? (double)journal_count(s->journal) / (double)count : 1;
    return s->size && !s->spool ? (double)index_offset(s->index) / (double)s->size : 0;
}

const char *store_name(const struct store *s)
{
    return s->name;
}

int store_file(const struct store *s)
{
    return s->fd >= 0 ? s->fd : s->feed_is_theirs ? -1 : spool_feed(s->spool);
}

const char *store_trouble(const struct store *s)
{
    if (s->shrunk)
        return _("the file has become shorter");
    if (s->fed_badly || s->journal_failed)
        return s->trouble.text;
    return s->indexed && !s->feeding ? index_trouble(s->index) : NULL;
}

uint64_t store_count(const struct store *s)
{
    return index_count(s->index);
}

uint64_t store_tracked(const struct store *s)
{
    return journal_count(s->journal);
}

uint64_t store_bytes(const struct store *s)
{
    return s->spool ? spool_size(s->spool) : s->size;
}

bool store_nanoseconds(const struct store *s)
{
    return index_nanoseconds(s->index);
}

int64_t store_first_time(const struct store *s)
{
    return index_first_time(s->index);
}

struct capture_index *store_index(struct store *s)
{
    return s->index;
}

struct journal *store_journal(struct store *s)
{
    return s->journal;
}

struct tracker *store_tracker(struct store *s)
{
    return &s->tracker;
}

struct sockets *store_sockets(struct store *s)
{
    return &s->sockets;
}

int store_reader_open(struct store_reader **reader, struct store *store, size_t block, struct error *error)
{
    struct store_reader *r = calloc(1, sizeof *r);
    *reader = NULL;
    if (!r)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    r->store = store;
    int code = index_reader_open(&r->reader, store->index, block, error);
    if (code)
        store_reader_close(r);
    else
        *reader = r;
    return code;
}

void store_reader_close(struct store_reader *r)
{
    if (!r)
        return;
    index_reader_close(r->reader);
    free(r);
}

/* Reads a record, and keeps its time for the next one's. */
static int read_record(struct store_reader *r, uint64_t number, struct error *error)
{
    int code = index_reader_get(r->reader, number, &r->record, error);
    r->last = code > 0 ? number : 0;
    return code;
}

const struct packet *store_packet(struct store_reader *r, uint64_t number, struct error *error)
{
    if (number > 1 && r->last != number - 1) {
        r->timed = false;
        if (read_record(r, number - 1, error) < 0)
            return NULL;
        if (r->record.timed)
            r->last_time = r->record.time;
        r->timed = r->record.timed;
    }
    if (read_record(r, number, error) < 0)
        return NULL;
    fill(&r->packet, &r->record, number, index_first_time(r->store->index),
         number > 1 && r->timed ? r->last_time : r->record.time);
    if (r->record.timed)
        r->last_time = r->record.time;
    r->timed |= r->record.timed;
    dissect(&r->packet);
    journal_restore(r->store->journal, &r->packet);
    return &r->packet;
}

const struct record *store_record(const struct store_reader *r)
{
    return &r->record;
}
