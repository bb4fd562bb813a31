/* Whether a test of a filter's tree holds for a packet: the way for all that the hot copies do not answer. */
#pragma once
#include "filter/syntax.h"

enum {
    VALUES_MAX = 4096, /* occurrences of a field, and results of a calculation, that count */
};

struct chunk;

/* Scratch for one packet's computed bytes and for regular expressions. */
struct evaluation {
    const struct packet *packet;
    struct chunk *chunks; /* owned; the one in use first */
    void *matches;        /* pcre2_match_data, owned */
    void *limits;         /* pcre2_match_context, owned */
};

/* Returns 0 or ERROR_MEMORY. */
int evaluation_open(struct evaluation *evaluation, struct error *error);
void evaluation_close(struct evaluation *evaluation);
/* Of a NODE_PRESENT, NODE_COMPARE or NODE_IN. */
bool evaluate(struct evaluation *evaluation, struct node *test, const struct packet *packet);
