/* Input in big blocks, whatever it comes from: a file or pipe, a decompressor, memory. One block at a time lies in a
 * page-aligned buffer; what is left unused at its end is carried to the place in front of the next block, so that
 * every record lies in one piece. (Measured: faster than mmap, whose page faults cost more than the copy.) */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Up to n bytes to `to`, as soon as there are any: how many, 0 at the end, or a negative peel_error and in *why the
 * end of a sentence (static or translated text). */
typedef ssize_t block_source(void *context, uint8_t *to, size_t n, const char **why);

/* How fast a larger block is read beside the first one, measured on the way. */
struct block_trial {
    size_t size[2];    /* of the first block and of the larger one, bytes; larger 0: none is tried, or it is over */
    unsigned reads;    /* with both */
    uint64_t spent[2]; /* nanoseconds in the source */
    uint64_t bytes[2]; /* that it gave */
};

struct block_reader {
    const uint8_t *at, *end;        /* what was read and not yet used; whoever uses bytes advances `at` */
    uint8_t *start, *block, *limit; /* the buffer: [start, block) for what is carried, [block, limit) to read */
    uint8_t *own;                   /* the buffer's memory where it is the reader's own */
    uint64_t origin;                /* offset in the input of `start`, modulo 2^64 */
    block_source *source;
    void *context;
    int failed;      /* the source's negative error, after which it is asked no more */
    const char *why; /* the sentence that came with it */
    bool ended;
    size_t wanted;               /* the block's size from the next read on; 0: as it is */
    struct block_trial trial;    /* of a larger block */
    struct read_ahead *ahead;    /* owned; NULL: the source is asked when bytes are wanted */
    void (*told)(void *context); /* called when there are more bytes; NULL: nobody is */
    void *listener;              /* its context */
};

/* block: bytes to ask for at once. Returns 0 or ERROR_MEMORY; close in either case. */
int block_reader_open(struct block_reader *r, block_source *source, void *context, size_t block);
void block_reader_close(struct block_reader *r);

/* After a while a larger block is tried, and kept where the source is much faster with it. What is read stays in the
 * nearer caches with a small block, yet some systems copy large ones a third faster. */
void block_reader_try(struct block_reader *r, size_t larger);

static inline size_t block_reader_left(const struct block_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Where in the input `at` (or any place in what was read) lies. */
static inline uint64_t block_reader_offset(const struct block_reader *r, const uint8_t *at)
{
    return r->origin + (uint64_t)(at - r->start);
}

/* Makes at least n bytes stand at r->at; the buffer grows to a small multiple of n if it must, so the caller bounds n.
 * Returns 1, 0 (the input ended before) or a negative error, with r->why. What was read before stays, but moves. */
int block_reader_fill(struct block_reader *r, size_t n);

/* From now on a thread of its own asks the source, which nobody else may use until block_reader_close; where none is to
 * be had, all stays as it was. No block_reader_restart after this. */
void block_reader_go_ahead(struct block_reader *r);

/* Passes n bytes over without keeping them. Returns as block_reader_fill. */
int block_reader_skip(struct block_reader *r, uint64_t n);

/* Begins anew at `offset` of the input; whoever calls makes its source do so, too. */
void block_reader_restart(struct block_reader *r, uint64_t offset);

/* A place in a file that others may read at the same time. */
struct block_place {
    int fd;
    uint64_t offset;
};

/* Sources: a file descriptor (context: int *), one that is read by place (struct block_place *), and memory
 * (struct span *, which is used up). */
block_source block_source_file, block_source_place, block_source_memory;
