#include "ui/past.h"
#include "dissectors/dissect.h"
#include <errno.h>
#include <stdlib.h>

enum { SLICE = 256, READ_BLOCK = 1 << 20 };

struct past {
    struct store *store;
    struct index_reader *reader;
    struct tracker tracker;
    struct sockets sockets;
    struct packet packet;
    uint64_t at, target;
    bool open;
};

static void forget(struct past *p)
{
    if (p->open) {
        sockets_close(&p->sockets);
        tracker_close(&p->tracker);
    }
    p->open = false;
    p->at = 0;
}

static int begin(struct past *p, struct error *error)
{
    forget(p);
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
    free(p);
}

int past_go(struct past *p, uint64_t number, struct error *error)
{
    p->target = number;
    return number < p->at || !p->open ? begin(p, error) : 0;
}

bool past_step(struct past *p, int64_t deadline)
{
    struct record record;
    while (p->open && p->at < p->target) {
        for (unsigned i = 0; i < SLICE && p->at < p->target; i++) {
            if (index_reader_get(p->reader, p->at + 1, &record, NULL) < 0) {
                p->target = p->at;
                break;
            }
            packet_reset(&p->packet, record.bytes);
            p->packet.number = ++p->at;
            p->packet.time = record.time;
            p->packet.timed = record.timed;
            p->packet.link_type = record.link_type;
            p->packet.interface = record.interface;
            p->packet.wire_length = record.wire_length;
            dissect(&p->packet);
            tracker_take(&p->tracker, &p->packet);
        }
        if (monotonic() >= deadline)
            return p->at < p->target;
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
