#include "ui/past.h"
#include "capture/spool.h"
#include "dissectors/dissect.h"
#include "track/fragments.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLICE = 256,
    READ_BLOCK = 1 << 20,
    COPIES = 256,
    COPY_AFTER_NS = 40000000,
    COPY_AFTER_COPIES = 2,
    FRAGMENTS = 8192
};

static const uint64_t most_bytes = UINT64_C(512) << 20;
static const int64_t fragments_last = INT64_C(120) * 1000000000; /* nobody waits for one for so long */

/* What a copy begins with in the file; the pieces of the table of connections and the listeners follow. */
struct head {
    struct flow_table flows;
    uint32_t listener_count, listener_room, fragment_count;
    uint32_t tcp_streams, udp_streams, hand;
    uint64_t forgotten, forgotten_half_open;
};

/* A packet that brought a fragment: datagrams that are not whole are copied as the packets to read again. */
struct piece {
    uint64_t number;
    int64_t time;
};

struct copy {
    uint64_t at, offset;
};

enum doing { GOING, WRITING, READING, AGAIN /* the fragments */ };

struct past {
    struct store *store;
    struct index_reader *reader;
    struct tracker tracker;
    struct sockets sockets;
    struct packet packet;
    uint64_t at, target;
    bool open;
    struct copy copies[COPIES]; /* by packet */
    unsigned copy_count;
    int fd; /* -1: no copies are made */
    uint64_t size;
    int64_t worked; /* nanoseconds since the last copy, and what that one took */
    int64_t copying;
    uint64_t each;
    struct piece fragments[FRAGMENTS];      /* since there was no unfinished datagram, as far as they may matter */
    uint32_t fragment_count, fragment_next; /* the next one to read again */
    bool too_many;                          /* fragments: some are not in the list */
    /* the copy that is being written or read */
    enum doing doing;
    uint32_t piece;
    uint64_t offset, copied; /* where it goes on; of which packet it is */
    struct head head;
};

static void forget(struct past *p)
{
    if (p->open) {
        sockets_close(&p->sockets);
        tracker_close(&p->tracker);
    }
    p->open = p->too_many = false;
    p->at = 0;
    p->fragment_count = 0;
}

static int begin(struct past *p, struct error *error)
{
    forget(p);
    p->doing = GOING;
    int code = tracker_open(&p->tracker, TRACK_FRAGMENTS | TRACK_STATES | TRACK_DETAILS, error);
    if (code)
        return code;
    p->tracker.max_connections = store_tracker(p->store)->max_connections;
    sockets_open(&p->sockets, &p->tracker);
    p->packet.stop = KEY_TCP_PORT; /* nothing that TCP carries matters here */
    p->open = true;
    return 0;
}

int past_open(struct past **past, struct store *store, struct error *error)
{
    struct past *p = calloc(1, sizeof *p);
    *past = NULL;
    if (!p)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    p->store = store;
    p->fd = spool_make_file();
    int code = index_reader_open(&p->reader, store_index(store), READ_BLOCK, error);
    if (!code)
        code = begin(p, error);
    if (code)
        past_close(p);
    else
        *past = p;
    return code;
}

void past_close(struct past *p)
{
    if (!p)
        return;
    forget(p);
    index_reader_close(p->reader);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

/* --- copies --- */

/* The i-th piece of memory that a copy is of. */
static void *piece_of(struct past *p, uint32_t i, size_t *size)
{
    if (i == 0) {
        *size = sizeof p->head;
        return &p->head;
    }
    if (i == 1) {
        *size = p->sockets.room * sizeof *p->sockets.listeners;
        return *size ? (void *)p->sockets.listeners : &p->head;
    }
    if (i == 2) {
        *size = p->fragment_count * sizeof *p->fragments;
        return p->fragments;
    }
    return flow_table_piece(&p->tracker.flows, i - 3, size);
}

static bool move(int fd, void *memory, size_t size, uint64_t offset, bool out)
{
    char *at = memory;
    while (size) {
        ssize_t n = out ? pwrite(fd, at, size, (off_t)offset) : pread(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* Whether it is time for a copy; one that is there already will do. */
static bool is_time(const struct past *p)
{
    if (p->fd < 0 || p->copy_count == COPIES || p->size >= most_bytes || p->too_many)
        return false;
    uint64_t last = p->copy_count ? p->copies[p->copy_count - 1].at : 0;
    return p->at > last &&
           (p->each ? p->at - last >= p->each : p->worked > COPY_AFTER_NS + COPY_AFTER_COPIES * p->copying);
}

static void begin_writing(struct past *p)
{
    const struct tracker *t = &p->tracker;
    p->head = (struct head){ .flows = t->flows,
                             .listener_count = p->sockets.count,
                             .listener_room = p->sockets.room,
                             .fragment_count = p->fragment_count,
                             .tcp_streams = t->tcp_streams,
                             .udp_streams = t->udp_streams,
                             .hand = t->hand,
                             .forgotten = t->forgotten,
                             .forgotten_half_open = t->forgotten_half_open };
    p->doing = WRITING;
    p->piece = 0;
    p->offset = p->size;
    p->copying = 0;
}

static void end_writing(struct past *p)
{
    p->copies[p->copy_count++] = (struct copy){ p->at, p->size };
    p->size = p->offset;
    p->worked = 0;
    p->doing = GOING;
}

static void begin_reading(struct past *p, const struct copy *copy)
{
    p->doing = READING;
    p->piece = 0;
    p->offset = copy->offset;
    p->copied = copy->at;
}

/* The head of a copy was read: room for the rest. */
static bool make_room(struct past *p)
{
    const struct head *h = &p->head;
    struct tracker *t = &p->tracker;
    if (h->listener_room && !(p->sockets.listeners = calloc(h->listener_room, sizeof *p->sockets.listeners)))
        return false;
    p->sockets.count = h->listener_count;
    p->sockets.room = h->listener_room;
    p->fragment_count = h->fragment_count;
    t->tcp_streams = h->tcp_streams;
    t->udp_streams = h->udp_streams;
    t->hand = h->hand;
    t->forgotten = h->forgotten;
    t->forgotten_half_open = h->forgotten_half_open;
    return flow_table_like(&t->flows, &h->flows);
}

/* One piece of a copy. False: it cannot be read or written. */
static bool move_piece(struct past *p)
{
    size_t size;
    void *memory = piece_of(p, p->piece, &size);
    if (!memory) {
        if (p->doing == WRITING) {
            end_writing(p);
        } else {
            p->doing = AGAIN;
            p->fragment_next = 0;
        }
        return true;
    }
    if (!move(p->fd, memory, size, p->offset, p->doing == WRITING))
        return false;
    p->offset += size;
    return p->piece++ || p->doing == WRITING || make_room(p);
}

/* Without copies, then, and from the first packet on. */
static void do_without(struct past *p)
{
    bool reading = p->doing > WRITING;
    p->doing = GOING;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->copy_count = 0;
    if (reading && begin(p, NULL))
        p->target = 0;
}

/* --- going --- */

/* The last copy that is not later than a packet. */
static const struct copy *nearest(const struct past *p, uint64_t number)
{
    const struct copy *best = NULL;
    for (unsigned i = 0; i < p->copy_count && p->copies[i].at <= number; i++)
        best = &p->copies[i];
    return best;
}

int past_go(struct past *p, uint64_t number, struct error *error)
{
    const struct copy *copy = nearest(p, number);
    p->target = number;
    bool here = p->open && p->doing <= WRITING && p->at <= number; /* what is being written is finished first */
    if (here && (!copy || copy->at <= p->at))
        return 0;
    int code = begin(p, error);
    if (!code && copy)
        begin_reading(p, copy);
    return code;
}

/* Packet `number` dissected; false: it is not there any more. */
static bool read_packet(struct past *p, uint64_t number)
{
    struct record record;
    if (index_reader_get(p->reader, number, &record, NULL) < 0)
        return false;
    packet_reset(&p->packet, record.bytes);
    p->packet.number = number;
    p->packet.time = record.time;
    p->packet.timed = record.timed;
    p->packet.link_type = record.link_type;
    p->packet.interface = record.interface;
    p->packet.wire_length = record.wire_length;
    dissect(&p->packet);
    return true;
}

static void remember_fragment(struct past *p)
{
    uint32_t old = 0;
    if (!fragments_count(p->tracker.fragments)) {
        p->fragment_count = 0;
        p->too_many = false;
    }
    while (old < p->fragment_count && p->packet.time - fragments_last > p->fragments[old].time)
        old++;
    p->fragment_count -= old;
    memmove(p->fragments, p->fragments + old, p->fragment_count * sizeof *p->fragments);
    if (p->fragment_count == FRAGMENTS)
        p->too_many = true;
    else
        p->fragments[p->fragment_count++] = (struct piece){ p->packet.number, p->packet.time };
}

static bool take_next(struct past *p)
{
    if (!read_packet(p, p->at + 1)) {
        p->target = p->at;
        return false;
    }
    p->at++;
    if (p->packet.fragment.present)
        remember_fragment(p);
    tracker_take(&p->tracker, &p->packet);
    return true;
}

/* Gives the tracker a fragment again that waits for the rest of its datagram: it puts it there and does nothing else.
 */
static void take_again(struct past *p)
{
    if (p->fragment_next == p->fragment_count) {
        p->at = p->copied;
        p->worked = 0;
        p->doing = GOING;
        return;
    }
    unsigned levels = p->tracker.levels;
    p->tracker.levels = TRACK_FRAGMENTS;
    if (read_packet(p, p->fragments[p->fragment_next++].number))
        tracker_take(&p->tracker, &p->packet);
    p->tracker.levels = levels;
}

bool past_step(struct past *p, int64_t deadline)
{
    while (p->open && (p->doing != GOING || p->at < p->target)) {
        int64_t now = monotonic();
        if (now >= deadline)
            return true;
        if (p->doing == AGAIN) {
            take_again(p);
            continue;
        }
        if (p->doing != GOING) {
            if (!move_piece(p))
                do_without(p);
            p->copying += monotonic() - now;
            continue;
        }
        for (unsigned i = 0; i < SLICE && p->at < p->target && take_next(p); i++)
            ;
        p->worked += monotonic() - now;
        if (is_time(p))
            begin_writing(p);
    }
    return false;
}

uint64_t past_at(const struct past *p)
{
    return p->at;
}

uint64_t past_target(const struct past *p)
{
    return p->target;
}

struct tracker *past_tracker(struct past *p)
{
    return &p->tracker;
}

struct sockets *past_sockets(struct past *p)
{
    return &p->sockets;
}

void past_copy_each(struct past *p, uint64_t packets)
{
    p->each = packets;
}

unsigned past_copies(const struct past *p)
{
    return p->copy_count;
}
