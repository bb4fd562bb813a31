/* Input in big blocks: the buffer and its moves, and the two plain sources. The fast way, bytes that are already
 * there, is in the header and in those who use it; what stands here happens once a block. */
#include "capture/block_reader.h"
#include "base/clock.h"
#include "base/span.h"
#include "base/text.h"
#include "capture/read_ahead.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Only tests ask for less than a page. */
static size_t whole_pages(size_t n)
{
    return n < PAGE ? n : (n + PAGE - 1) / PAGE * PAGE;
}

/* Puts the unused bytes directly in front of `block`, where there is room for them, within the buffer from `start` to
 * `limit`, and keeps their offsets. */
static void carry(struct block_reader *r, uint8_t *start, uint8_t *block, uint8_t *limit)
{
    size_t left = block_reader_left(r);
    uint64_t offset = block_reader_offset(r, r->at);
    if (left)
        memmove(block - left, r->at, left);
    r->start = start;
    r->block = block;
    r->limit = limit;
    r->at = block - left;
    r->end = block;
    r->origin = offset - (uint64_t)(r->at - start);
}

/* A buffer that holds `front` bytes before a block of `size`. */
static int change_buffer(struct block_reader *r, size_t front, size_t size)
{
    front = whole_pages(front);
    size = whole_pages(size);
    void *start;
    if (posix_memalign(&start, PAGE, front + size)) {
        r->why = strerror(ENOMEM);
        return r->failed = ERROR_MEMORY;
    }
    if (!r->start)
        r->at = r->end = r->start = start;
    carry(r, start, (uint8_t *)start + front, (uint8_t *)start + front + size);
    free(r->own);
    r->own = start;
    return 0;
}

int block_reader_open(struct block_reader *r, block_source *source, void *context, size_t block)
{
    *r = (struct block_reader){ .source = source, .context = context };
    return change_buffer(r, block / 2, block);
}

void block_reader_close(struct block_reader *r)
{
    read_ahead_close(r->ahead);
    free(r->own);
    *r = (struct block_reader){ .ended = true };
}

void block_reader_try(struct block_reader *r, size_t larger)
{
    r->trial = (struct block_trial){ .size = { (size_t)(r->limit - r->block), larger } };
}

/* The first read with a block is left out: its memory is new. */
static void count_read(struct block_reader *r, int64_t spent, ssize_t bytes)
{
    enum { FIRST_READS = 17, LARGER_READS = 5 };
    struct block_trial *t = &r->trial;
    bool larger = t->reads >= FIRST_READS;
    if (t->reads != 0 && t->reads != FIRST_READS && bytes > 0 && spent > 0) {
        t->spent[larger] += (uint64_t)spent;
        t->bytes[larger] += (uint64_t)bytes;
    }
    t->reads++;
    if (t->reads == FIRST_READS)
        r->wanted = t->size[1];
    if (t->reads < FIRST_READS + LARGER_READS)
        return;
    bool pays = t->spent[1] * t->bytes[0] < t->spent[0] * t->bytes[1] / 5 * 4; /* a fifth of the time less */
    r->wanted = t->size[pays];
    t->size[1] = 0;
}

static ssize_t ask(struct block_reader *r)
{
    uint8_t *to = r->block + (r->end - r->block);
    size_t n = (size_t)(r->limit - r->end);
    if (!r->trial.size[1])
        return r->source(r->context, to, n, &r->why);
    int64_t before = clock_ns(CLOCK_MONOTONIC);
    ssize_t result = r->source(r->context, to, n, &r->why);
    count_read(r, clock_ns(CLOCK_MONOTONIC) - before, result);
    return result;
}

static int read_more(struct block_reader *r)
{
    if (r->failed || r->ended)
        return r->failed;
    ssize_t n = ask(r);
    if (n < 0)
        return r->failed = (int)n;
    if (n == 0)
        r->ended = true;
    r->end += n;
    return n > 0;
}

/* Room for n bytes from `at` on, and not so little that reads become small. With nothing to carry the block begins
 * anew, so that a pipe's short reads use the same, cached memory. */
static int make_room(struct block_reader *r, size_t n)
{
    size_t block = (size_t)(r->limit - r->block), front = (size_t)(r->block - r->start), size = r->wanted;
    r->wanted = 0;
    if (size && size != block)
        return change_buffer(r, n > size / 2 ? n : size / 2, size);
    if (r->at < r->end && (size_t)(r->limit - r->at) >= n && (size_t)(r->limit - r->end) >= block / 16)
        return 0;
    if (n > front)
        return change_buffer(r, n, n > block ? n : block);
    carry(r, r->start, r->block, r->limit);
    return 0;
}

void block_reader_go_ahead(struct block_reader *r)
{
    if (!r->failed && !r->ended && !r->ahead)
        r->ahead = read_ahead_open(r->source, r->context);
}

/* The next block of those read ahead, and what is left of the one before in front of it: there, if it has the room, or
 * both in a buffer of the reader's own. */
static int take_ahead(struct block_reader *r)
{
    uint8_t *block;
    ssize_t n = read_ahead_take(r->ahead, &block, &r->why);
    if (n < 0)
        return r->failed = (int)n;
    if (n == 0)
        r->ended = true;
    if (n == 0)
        return 0;
    size_t left = block_reader_left(r);
    if (left <= AHEAD_FRONT) {
        carry(r, block - AHEAD_FRONT, block, block + n);
        r->end = block + n;
        return 1;
    }
    bool fits = r->start == r->own && (size_t)(r->limit - r->end) >= (size_t)n;
    if (!fits && change_buffer(r, left, 2 * (left + (size_t)n)))
        return r->failed;
    memcpy(r->block + (r->end - r->block), block, (size_t)n);
    r->end += n;
    return 1;
}

int block_reader_fill(struct block_reader *r, size_t n)
{
    while (block_reader_left(r) < n) {
        if (r->failed || r->ended)
            return r->failed;
        int result = r->ahead ? take_ahead(r) : make_room(r, n);
        if (!r->ahead && result == 0)
            result = read_more(r);
        if (result <= 0)
            return result;
        if (r->told)
            r->told(r->listener);
    }
    return 1;
}

int block_reader_skip(struct block_reader *r, uint64_t n)
{
    while (block_reader_left(r) < n) {
        n -= block_reader_left(r);
        r->at = r->end;
        int result = block_reader_fill(r, 1);
        if (result <= 0)
            return result;
    }
    r->at += n;
    return 1;
}

void block_reader_restart(struct block_reader *r, uint64_t offset)
{
    r->at = r->end = r->block;
    r->origin = offset - (uint64_t)(r->block - r->start);
    r->failed = 0;
    r->ended = false;
}

ssize_t block_source_file(void *context, uint8_t *to, size_t n, const char **why)
{
    const int *fd = context;
    for (;;) {
        ssize_t got = read(*fd, to, n);
        if (got >= 0)
            return got;
        if (errno != EINTR) {
            *why = strerror(errno);
            return ERROR_SYSTEM;
        }
    }
}

ssize_t block_source_place(void *context, uint8_t *to, size_t n, const char **why)
{
    struct block_place *place = context;
    for (;;) {
        ssize_t got = pread(place->fd, to, n, (off_t)place->offset);
        if (got >= 0) {
            place->offset += (uint64_t)got;
            return got;
        }
        if (errno != EINTR) {
            *why = strerror(errno);
            return ERROR_SYSTEM;
        }
    }
}

ssize_t block_source_memory(void *context, uint8_t *to, size_t n, const char **why)
{
    (void)why;
    struct span *from = context;
    if (n > from->left)
        n = from->left;
    if (n)
        memcpy(to, span_pull(from, n), n);
    return (ssize_t)n;
}
