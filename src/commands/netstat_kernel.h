/* The kernel's table beside the one that packets tell: which of its sockets a row is, whose it is, and what the kernel
 * has that no packet showed. Owners are remembered, so that a socket whose process has gone still says whose it was. */
#pragma once
#include "host/owner.h"
#include "output/netstat.h"

struct known_owner;

struct kernel_table {
    struct kernel_socket *all; /* owned; the latest answer, by protocol, ends and ports */
    size_t count;
    bool *shown;               /* by place in all: a row was found for it. Owned */
    int64_t time;              /* of the question, nanoseconds since 1970; 0: none yet */
    struct known_owner *known; /* owned */
    size_t known_count;
    char program[17];
};

/* Takes an answer of source_sockets. Returns 0 or ERROR_MEMORY. */
int kernel_table_take(struct kernel_table *table, const struct buffer *answer, int64_t time);
void kernel_table_free(struct kernel_table *table);
/* What the kernel says of a row. Valid until the next call. */
struct netstat_facts kernel_table_facts(struct kernel_table *table, const struct socket *row);
/* Calls `each` with every socket that no row was asked for since the last answer: its state is TCP_UNKNOWN, or
 * TCP_LISTEN, because no packet told one. */
void kernel_table_rest(const struct kernel_table *table, void (*each)(void *context, const struct socket *socket),
                       void *context);
