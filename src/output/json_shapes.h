/* Shapes, for -T json: a short header, or a run of options, that was met before but for the values in it is written
 * from the text that was kept then, with holes where the values go. Which bytes the text depends on (kinds, lengths,
 * flags, values of a byte or two) is noted beside it. */
#pragma once
#include "output/json_plan.h"

enum {
    SHAPES = 128, /* that are kept */
};

/* Where a shape has a value of its own each time. */
struct hole {
    enum hole_kind {
        HOLE_NONE,
        HOLE_DECIMAL,  /* two or four bytes; */
        HOLE_ADJUSTED, /* the field makes another number of them */
        HOLE_IPV4,
        HOLE_MAC,
        HOLE_HEX,
    } kind;
    uint8_t at, size; /* bytes, of the header or run */
    const struct field *field;
};

struct shape {
    const struct field *row; /* of the run, or the first one of the header's; NULL: unused */
    uint32_t size, count, length;
    bool broken;                                            /* it is none */
    uint32_t bytes[SHAPE_BYTES / 4], mask[SHAPE_BYTES / 4]; /* what the texts depend on */
    struct hole hole[SHAPE_HOLES];
    uint16_t before[SHAPE_HOLES + 1]; /* how much text stands in front of each hole, and behind the last */
    char text[SHAPE_TEXT + CHUNK];
};

/* What a shape that is being made goes on with. */
void shape_text(struct shape *shape, const char *text, uint32_t length);
void shape_hole(struct shape *shape, const struct hole *hole);

/* Write at `at`, where the plan's room is left, as all in json_rows.h do. */

/* A run of options, */
char *json_options(struct json *j, const struct op *op, char *at);
/* where its shape is not kept: gathered, and the shape kept if it can be. */
char *json_new_options(struct json *j, const struct op *op, char *at);

/* The rows of an OP_SHAPED. NULL: this header is none for a shape, and nothing was written. */
char *json_shaped(struct json *j, const struct op *op, char *at);
