/* A filter's expression as a tree: what the parser makes, the checker completes and evaluation reads.
 *
 *     or     := and (("or" | "||") and)*
 *     and    := not (("and" | "&&") not)*
 *     not    := ("not" | "!") not | "(" or ")" | test
 *     test   := ["any" | "all"] sum (COMPARISON sum)* | sum ["not"] "in" "{" range ("," range)* "}"
 *     range  := sum [".." sum]
 *     sum    := operands with & (binding least), + -, * / %, a leading -, grouped by { }
 *     operand := (NAME | LITERAL | FUNCTION "(" sum ("," sum)* ")") ["#" LAYERS] ["[" SLICE "]"] */
#pragma once
#include "base/error.h"
#include "dissectors/lookup.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    NODES_MAX = 4096,
    EXPRESSION_MAX = 1 << 16, /* bytes */
    DEPTH_MAX = 200,
    PARTS_MAX = 16, /* of a slice, or of a list of layers */
};

enum node_type {
    /* true or false */
    NODE_OR,
    NODE_AND,
    NODE_NOT,
    NODE_PRESENT, /* a: there is a value; of a calculation: one that is not 0 */
    NODE_COMPARE,
    NODE_IN, /* a, and items in pairs: from, to (or NULL) */
    /* values */
    NODE_FIELD,
    NODE_LITERAL,
    NODE_SLICE,
    NODE_FUNCTION,
    NODE_MATH,
};

enum comparison { SAME, OTHER, LESS, LESS_SAME, MORE, MORE_SAME, CONTAINS, MATCHES };
enum math { MATH_AND, MATH_PLUS, MATH_MINUS, MATH_TIMES, MATH_OVER, MATH_MODULO, MATH_NEGATIVE };
enum function {
    FUNCTION_LEN,
    FUNCTION_COUNT,
    FUNCTION_UPPER,
    FUNCTION_LOWER,
    FUNCTION_STRING,
    FUNCTION_MIN,
    FUNCTION_MAX,
    FUNCTION_ABS,
    FUNCTIONS
};

/* What a value is; decides how two are compared. */
enum kind {
    KIND_UNKNOWN, /* a literal that has not met its other side */
    KIND_NUMBER,  /* i */
    KIND_BOOL,    /* i, 0 or not */
    KIND_IPV4,    /* i, host order; mask for a network */
    KIND_TIME,    /* i, nanoseconds since 1970 */
    KIND_DURATION,
    KIND_BYTES, /* bytes, and also: */
    KIND_MAC,
    KIND_IPV6, /* mask: how many bits count */
    KIND_TEXT,
};

struct datum {
    int64_t i;     /* numbers of 64 bits without sign are cut off at INT64_MAX */
    uint32_t mask; /* KIND_IPV4: bits that count; KIND_IPV6: how many of them do. Only of literals; else all */
    struct span bytes;
};

struct list {
    struct datum *at; /* owned */
    unsigned count, room;
};

/* Bytes or layers from..to, both included; negative: counted from the end (-1 is the last). Written i-j, i comes before
 * j, and both are counted from the same end. */
struct part {
    int32_t from, to;
    bool open;    /* no end: `to` is not used */
    bool counted; /* `to` is a length */
};

struct node {
    uint8_t type;    /* enum node_type */
    uint8_t op;      /* enum comparison, math or function */
    uint8_t kind;    /* enum kind, of values */
    bool every;      /* comparison: all values must fulfil it; else any one */
    bool quoted;     /* literal: a string in quotes */
    bool forced;     /* literal or name, written so that it can be nothing else (:ff, .tcp) */
    bool character;  /* literal: '\n' */
    bool whole;      /* a protocol: its value is all of it, with what it carries, not the header alone */
    uint32_t column; /* from 0, in the expression */
    uint32_t length; /* of what it was written as, bytes */
    struct node *a, *b;
    struct node **items; /* arguments, members of a set */
    unsigned item_count;
    char *text; /* literal or name, escapes resolved; ends with 0 */
    size_t text_length;
    struct part parts[PARTS_MAX]; /* slice, or layers of a field */
    unsigned part_count;
    /* set by the checker */
    const struct protocol *protocol; /* a protocol stands for its bytes */
    struct field_ref *refs;          /* owned */
    unsigned ref_count;
    const struct field *field; /* of literals: what they are compared with, for its names; of fields: refs[0] */
    struct datum value;        /* of a literal */
    void *pattern;             /* compiled regular expression */
    struct list list;          /* what evaluation found */
};

/* Everything that belongs to one expression. */
struct syntax {
    const char *expression; /* owned by the caller */
    struct node *root;
    struct node *nodes; /* owned, an array of room for all there may be */
    unsigned node_count, node_room;
};

/* Returns 0, ERROR_USAGE or ERROR_MEMORY; syntax_close in any case. */
int syntax_parse(struct syntax *syntax, const char *expression, struct error *error);
/* Names become fields, literals values, and all sides fit each other. */
int syntax_check(struct syntax *syntax, struct error *error);
void syntax_close(struct syntax *syntax);

/* "filter: column N: SENTENCE"; column from 0. Returns ERROR_USAGE. */
int syntax_wrong(struct error *error, uint32_t column, const char *format, ...) __attribute__((format(printf, 3, 4)));
