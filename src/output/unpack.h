/* Bodies of HTTP/1 messages as they were before they were sent: chunks joined, gzip, deflate and zstd unpacked
 * (RFC 9112, 6 and 7; RFC 9110, 8.4). One direction of a stream at a time, bytes in order; headers go through as they
 * are, and so does a stream that is no HTTP.
 *
 * Bounded whatever comes in: a body is unpacked up to UNPACK_BODY_MOST bytes, a header is read up to UNPACK_HEAD_MOST.
 * What lies (a chunk's size that is no number, packed data that are none) goes as far as it goes, and is said. */
#pragma once
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    UNPACK_BODY_MOST = 64 << 20,
    UNPACK_HEAD_MOST = 64 << 10, /* bytes of a message's header, or of a trailer; beyond it is taken for no HTTP */
    UNPACK_LINE = 512,           /* of a line so much is looked at */
    UNPACK_REQUESTS = 64,        /* pipelined ones that are remembered for what their answers mean */
};

/* Where it goes. */
struct unpack_sink {
    /* unpacked: not as it was in the stream. Valid during the call. */
    void (*bytes)(void *context, struct span bytes, bool unpacked);
    /* A sentence about what cannot be shown. */
    void (*say)(void *context, const char *sentence);
};

enum unpack_state {
    UNPACK_START,      /* before a message */
    UNPACK_HEADER,     /* in its lines */
    UNPACK_LENGTH,     /* in a body of known length */
    UNPACK_CHUNK_SIZE, /* in the line before a chunk */
    UNPACK_CHUNK,      /* in a chunk */
    UNPACK_CHUNK_END,  /* in the line behind a chunk */
    UNPACK_TRAILER,    /* behind the last chunk */
    UNPACK_UNTIL_END,  /* in a body that ends with the stream */
    UNPACK_PASS,       /* no HTTP: as it is, until a message begins behind a gap */
};

enum unpack_coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_ZSTD, CODING_OTHER };

struct decoder;

struct unpack {
    const struct unpack_sink *sink;
    void *context;
    struct unpack *peer; /* the other direction: requests tell what answers mean. NULL: nobody */
    uint8_t state;       /* enum unpack_state */
    uint8_t coding;      /* enum unpack_coding */
    bool request, head_answer, chunked, has_length, spoiled, no_body, tunnel;
    uint64_t left;        /* of the body or chunk */
    uint64_t unpacked;    /* bytes handed on of this body */
    uint32_t header;      /* bytes of the header so far */
    uint32_t line_length; /* of the line so far; more than line holds, perhaps */
    uint64_t heads;       /* requests that wait for answers, the oldest in bit 0; set: HEAD */
    uint8_t waiting;      /* how many */
    char line[UNPACK_LINE];
    struct decoder *decoder; /* owned; NULL: none */
};

void unpack_open(struct unpack *unpack, const struct unpack_sink *sink, void *context, struct unpack *peer);
void unpack_take(struct unpack *unpack, struct span bytes);
/* Bytes are missing here. */
void unpack_gap(struct unpack *unpack, uint64_t length);
/* The stream is over: what should have come and did not is said. */
void unpack_end(struct unpack *unpack);
void unpack_close(struct unpack *unpack);
