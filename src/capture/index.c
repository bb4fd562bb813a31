#include "capture/index.h"
#include "base/text.h"
#include "capture/file.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_AT_ONCE = 1 << 20, MARKS_AT_FIRST = 1024 };

/* What a reader must know to begin at a record. */
struct mark {
    uint64_t offset;
    int64_t time;         /* of that record, or the last one before it that has a time */
    uint32_t before;      /* pcapng: interfaces of the sections before */
    uint32_t count : 31;  /* and of this one so far */
    uint32_t swapped : 1; /* the section's byte order is not ours */
};
_Static_assert(sizeof(struct mark) == 24, "375 KB a million packets");

struct capture_index {
    struct capture *capture; /* that reads the records in order */
    int fd;                  /* the caller's */
    char *name;
    struct mark *marks; /* owned */
    size_t mark_count, mark_room;
    struct pcapng_interface *interfaces; /* owned: of all sections */
    uint32_t interface_count, interface_room;
    struct mark end; /* where to go on */
    uint64_t count;
    int64_t first_time, last_time;
    bool timed; /* some packet has a time */
    bool over;  /* read as far as the file goes */
    struct error trouble;
    bool troubled;
};

struct index_reader {
    struct capture_index *index;
    struct capture *capture;
    uint64_t next; /* the packet that reading on would give; 0: none */
};

static struct mark mark_here(const struct capture *c, int64_t time)
{
    return (struct mark){ .offset = block_reader_offset(&c->reader, c->reader.at),
                          .time = time,
                          .before = c->pcapng.before,
                          .count = c->pcapng.count & INT32_MAX,
                          .swapped = c->swapped };
}

/* Makes a capture that was opened read on at a mark. */
static int go_to(struct capture *c, const struct capture_index *index, const struct mark *mark)
{
    if (mark->count > c->pcapng.room) {
        struct pcapng_interface *more = realloc(c->pcapng.interfaces, mark->count * sizeof *more);
        if (!more)
            return ERROR_MEMORY;
        c->pcapng.interfaces = more;
        c->pcapng.room = mark->count;
    }
    if (mark->count)
        memcpy(c->pcapng.interfaces, index->interfaces + mark->before, mark->count * sizeof *index->interfaces);
    c->pcapng.count = mark->count;
    c->pcapng.before = mark->before;
    c->swapped = mark->swapped;
    c->place.offset = mark->offset;
    block_reader_restart(&c->reader, mark->offset);
    c->next = c->format->next;
    c->over = 0;
    return 0;
}

/* Keeps the interfaces that the reader has learnt of. */
static int keep_interfaces(struct capture_index *x)
{
    const struct capture *c = x->capture;
    uint32_t all = c->pcapng.before + c->pcapng.count;
    if (all <= x->interface_count)
        return 0;
    if (all > x->interface_room) {
        uint32_t room = all < 8 ? 8 : all * 2;
        struct pcapng_interface *more = realloc(x->interfaces, room * sizeof *more);
        if (!more)
            return ERROR_MEMORY;
        x->interfaces = more;
        x->interface_room = room;
    }
    /* Sections without a packet in them may have had some that nobody will ask for. */
    for (uint32_t i = x->interface_count; i < c->pcapng.before; i++)
        x->interfaces[i] = (struct pcapng_interface){ 0 };
    memcpy(x->interfaces + c->pcapng.before, c->pcapng.interfaces, c->pcapng.count * sizeof *x->interfaces);
    x->interface_count = all;
    return 0;
}

static int add_mark(struct capture_index *x, const struct mark *mark)
{
    if (x->mark_count == x->mark_room) {
        size_t room = x->mark_room ? x->mark_room + x->mark_room / 2 : MARKS_AT_FIRST;
        struct mark *more = realloc(x->marks, room * sizeof *more);
        if (!more)
            return ERROR_MEMORY;
        x->marks = more;
        x->mark_room = room;
    }
    x->marks[x->mark_count++] = *mark;
    return 0;
}

int index_open(struct capture_index **index, int fd, const char *name, struct error *error)
{
    *index = NULL;
    struct capture_index *x = calloc(1, sizeof *x);
    if (!x || !(x->name = strdup(name))) {
        free(x);
        return error_set(error, ERROR_MEMORY, "%s: %s", name, strerror(ENOMEM));
    }
    x->fd = fd;
    int code = capture_open_place(&x->capture, fd, name, READ_AT_ONCE, error);
    if (!code && !capture_is_plain(x->capture))
        code = error_set(error, ERROR_FORMAT, _("%s: packets of this format cannot be found again"), name);
    if (code) {
        index_close(x);
        return code;
    }
    x->end = mark_here(x->capture, 0);
    *index = x;
    return 0;
}

void index_close(struct capture_index *x)
{
    if (!x)
        return;
    capture_close(x->capture);
    free(x->marks);
    free(x->interfaces);
    free(x->name);
    free(x);
}

static int end_here(struct capture_index *x, int code, const struct error *error)
{
    x->over = true;
    x->troubled = code < 0;
    if (code < 0)
        x->trouble = *error;
    return code;
}

static void take_time(struct capture_index *x, const struct record *record)
{
    if (!record->timed)
        return;
    if (!x->timed)
        x->first_time = record->time;
    x->timed = true;
    x->last_time = record->time;
}

int index_read_on(struct capture_index *x, unsigned packets)
{
    struct record record;
    struct error error;
    if (x->over)
        return x->troubled ? ERROR_DAMAGED : 0;
    for (; packets; packets--) {
        struct mark mark = x->end;
        int code = capture_next(x->capture, &record, &error);
        if (code <= 0)
            return end_here(x, code, &error);
        if (keep_interfaces(x))
            return end_here(x, error_set(&error, ERROR_MEMORY, "%s: %s", x->name, strerror(ENOMEM)), &error);
        take_time(x, &record);
        mark.time = x->last_time;
        if (x->count % INDEX_STEP == 0 && add_mark(x, &mark))
            return end_here(x, error_set(&error, ERROR_MEMORY, "%s: %s", x->name, strerror(ENOMEM)), &error);
        x->count++;
        x->end = mark_here(x->capture, x->last_time);
    }
    return 1;
}

void index_look_again(struct capture_index *x)
{
    if (!x->over || go_to(x->capture, x, &x->end))
        return;
    x->capture->packets = x->count;
    x->over = x->troubled = false;
}

const char *index_trouble(const struct capture_index *x)
{
    return x->troubled ? x->trouble.text : NULL;
}

uint64_t index_count(const struct capture_index *x)
{
    return x->count;
}

uint64_t index_offset(const struct capture_index *x)
{
    return x->end.offset;
}

bool index_nanoseconds(const struct capture_index *x)
{
    return capture_nanoseconds(x->capture);
}

bool index_is_coarse(const struct capture_index *x)
{
    return capture_is_coarse(x->capture);
}

int64_t index_first_time(const struct capture_index *x)
{
    return x->first_time;
}

int64_t index_last_time(const struct capture_index *x)
{
    return x->last_time;
}

uint64_t index_at_time(const struct capture_index *x, int64_t time)
{
    size_t low = 0, high = x->mark_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->marks[middle].time <= time)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return 0;
    return time >= x->last_time ? x->count : (uint64_t)(low - 1) * INDEX_STEP + 1;
}

size_t index_memory(const struct capture_index *x)
{
    return sizeof *x + x->mark_room * sizeof *x->marks + x->interface_room * sizeof *x->interfaces;
}

int index_reader_open(struct index_reader **reader, struct capture_index *index, size_t block, struct error *error)
{
    *reader = NULL;
    struct index_reader *r = calloc(1, sizeof *r);
    if (!r)
        return error_set(error, ERROR_MEMORY, "%s: %s", index->name, strerror(ENOMEM));
    r->index = index;
    int code = capture_open_place(&r->capture, index->fd, index->name, block, error);
    if (code)
        index_reader_close(r);
    else
        *reader = r;
    return code;
}

void index_reader_close(struct index_reader *r)
{
    if (!r)
        return;
    capture_close(r->capture);
    free(r);
}

int index_reader_get(struct index_reader *r, uint64_t number, struct record *record, struct error *error)
{
    const struct capture_index *x = r->index;
    if (!number || number > x->count)
        return error_set(error, ERROR_NOT_FOUND, _("%s: there is no packet %llu"), x->name, (unsigned long long)number);
    uint64_t place = (number - 1) / INDEX_STEP;
    if (!r->next || number < r->next || place * INDEX_STEP + 1 > r->next) {
        r->next = 0;
        if (go_to(r->capture, x, &x->marks[place]))
            return error_set(error, ERROR_MEMORY, "%s: %s", x->name, strerror(ENOMEM));
        r->next = r->capture->packets = place * INDEX_STEP;
        r->next++;
    }
    for (; r->next <= number; r->next++) {
        int code = capture_next(r->capture, record, error);
        if (code <= 0) {
            r->next = 0;
            return code ? code : error_set(error, ERROR_DAMAGED, _("%s: the file has become shorter"), x->name);
        }
    }
    return 1;
}
