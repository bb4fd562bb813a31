/* The bytes of a TCP stream in order: across loss, reordering, overlaps and repetition, each direction by itself.
 *
 * A direction (struct reassembly_half) belongs to the caller; what waits for bytes before it lies in pieces that the
 * half owns and struct reassembly counts. In-order bytes are handed on as they come, without a copy.
 *
 * Where bytes are missing, what follows waits until they come, or until it is clear that they will not: the receiver
 * has acknowledged them and the sender goes on (the capture missed them), the direction's memory or all memory is
 * used up, or the stream ends. Then the consumer hears of a gap. Overlaps keep what came first. Numbers are compared
 * modulo 2^32 (RFC 9293, 3.4); positions count bytes from the stream's start in 64 bits. */
#pragma once
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    REASSEMBLY_HALF_BYTES = 1 << 20, /* kept of one direction, the pieces' own size included */
    REASSEMBLY_BYTES = 64 << 20,     /* in all */
    REASSEMBLY_PIECES = 4096,        /* of one direction */
    REASSEMBLY_FAR = 1 << 30,        /* no window reaches so far: RFC 7323, 2.3 */
};

enum reassembly_end {
    REASSEMBLY_FIN,     /* the sender closed; all before the FIN was handed on */
    REASSEMBLY_RESET,   /* either end reset the connection */
    REASSEMBLY_STOPPED, /* nothing more was captured */
};

/* What a half's bytes go to; context is the half's. `at` is the position of the first byte. */
struct reassembly_consumer {
    void (*bytes)(void *context, uint64_t at, struct span bytes); /* bytes are valid during the call */
    void (*gap)(void *context, uint64_t at, uint64_t length);
    void (*end)(void *context, uint64_t at, enum reassembly_end how); /* once, last */
};

struct piece;

struct reassembly_half {
    void *context;
    uint64_t next;              /* position of the byte that should come next */
    uint64_t acknowledged;      /* the receiver has what lies before this position */
    uint64_t fin;               /* position behind the last byte; valid with fin_known */
    struct piece *first, *last; /* owned; in order, without overlaps, all behind next */
    uint32_t seq;               /* the number of the byte at next */
    uint32_t held;              /* bytes in pieces, their own size included */
    uint32_t pieces;
    bool begun, fin_known, ended;
};

struct reassembly {
    const struct reassembly_consumer *consumer;
    size_t half_most, most; /* limits in bytes */
    size_t held;            /* in all pieces of all halves */
};

/* Limits are the constants above; the caller may lower them afterwards. */
void reassembly_open(struct reassembly *reassembly, const struct reassembly_consumer *consumer);

/* A direction whose first byte has the number seq (a SYN's + 1). Without this the first segment taken is the start. */
void reassembly_begin(struct reassembly_half *half, uint32_t seq);

/* A segment whose data begin with the number seq: what was captured of them, how many there were on the wire, and
 * whether a FIN follows. */
void reassembly_take(struct reassembly *reassembly, struct reassembly_half *half, uint32_t seq, struct span bytes,
                     uint32_t wire_length, bool fin);

/* The other direction acknowledged this half's bytes before the number ack. */
void reassembly_acknowledge(struct reassembly_half *half, uint32_t ack);

/* The stream is over: hands on what waits, gaps before it, and the end; frees all pieces. For halves that ended
 * already it does nothing. */
void reassembly_finish(struct reassembly *reassembly, struct reassembly_half *half, enum reassembly_end how);
