/* What -T json needs beyond the quick ops of a plan: rows that go through field_read, and arrays. */
#pragma once
#include "base/buffer.h"
#include "output/json_shapes.h"
#include "output/json_text.h"

/* An occurrence that was gathered: its text in scratch; where its value lies in a run that a shape is made of. */
struct piece {
    uint32_t next, start, length;
    uint32_t hole; /* in the shape that is made, its number + 1; 0: the text is all that there is */
};

struct json {
    struct plans plans;
    struct plan *frame;
    struct digits digits;
    struct shape *shapes; /* owned, SHAPES */
    struct shape making;
    struct hole holes[SHAPE_HOLES]; /* gathered for it, in the order of the run */
    uint32_t hole_count;
    bool recording; /* into making */
    uint64_t layer; /* counts layers */
    /* what is at work: the packet's text goes to out, the layer is of plan */
    struct buffer *out;
    struct plan *plan;
    struct place place;
    struct recall recall;    /* of place */
    const struct note *note; /* NULL: none; */
    uint64_t noted;          /* what it has */
    struct value value;      /* that an op reads */
    char *open;              /* where its first key's comma stands, NULL: made a brace already */
    struct buffer scratch;
    struct piece *pieces;
    uint32_t *touched; /* keys that have pieces */
    uint32_t piece_count, piece_room, touched_count, touched_room;
};

/* Room for n bytes at `at`. The text so far may move, so the layer's brace is settled first. */
static inline char *make_room(struct json *j, char *at, size_t n)
{
    struct buffer *out = j->out;
    if (__builtin_expect((size_t)(out->end - at) >= n, 1))
        return at;
    bool empty = j->open == at;
    if (j->open && !empty) {
        *j->open = '{';
        j->open = NULL;
    }
    out->at = at;
    at = buffer_make_room(out, n);
    if (empty)
        j->open = at;
    return at;
}

/* All of these write at `at` what the layer at work has, where plan->room bytes are left, and return where the text
 * goes on, with as much room. */

/* A value's text, to the end of a buffer. */
void json_value(struct json *j, struct buffer *out, const struct field *f, const struct value *value);

/* A row's key and value. */
char *json_row(struct json *j, const struct member *key, const struct field *f, const struct value *value, char *at);

/* One more occurrence of a key, kept until the layer's end. */
void json_gather(struct json *j, uint32_t index, const struct field *f, const struct value *value);

/* The arrays that the layer's rows were gathered in. */
char *json_gathered(struct json *j, char *at);
