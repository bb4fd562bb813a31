/* The bytes of a conversation as both ends read them: streams put in order, datagrams one after another. As text, hex,
 * JSON, or the bytes themselves.
 *
 * Fed packet by packet; writes as bytes come in order, and so holds only what waits for bytes before it (the limits of
 * track/reassembly.h). What the capture misses is named in its place. Text and hex say in front of each line who sent
 * it. All text is escaped: of what is no printable text a dot is left. */
#pragma once
#include "base/buffer.h"
#include "output/ends.h"
#include "output/style.h"
#include "output/unpack.h"
#include "protocol/packet.h"
#include "track/reassembly.h"

enum follow_format { FOLLOW_ASCII, FOLLOW_HEX, FOLLOW_RAW, FOLLOW_JSON };

struct follow;

struct follow_side {
    struct follow *follow;
    uint8_t from; /* 0 the client's bytes, 1 the server's */
    uint8_t how;  /* enum reassembly_end, once ended */
    bool ended;
    struct reassembly_half half;
    struct unpack unpack;
    uint64_t position;       /* of the next byte to be shown */
    uint64_t bytes, missing; /* in the stream, so far */
    uint8_t carry[4];        /* a character's first bytes, until the others come */
    uint8_t carried;
    bool after_return; /* the last byte was a carriage return */
};

struct follow {
    /* the caller's, before the first packet */
    struct style style;
    enum follow_format format;
    bool unpack;               /* HTTP bodies without their chunks and compression */
    bool hidden[2];            /* the client's, the server's bytes are not shown */
    const struct names *names; /* of the ends; NULL: none */
    struct ends ends;          /* known with the first packet, or set before it by ends_set */
    /* its own */
    struct reassembly reassembly;
    struct follow_side side[2];
    struct buffer *out; /* the caller's, during a call */
    const struct packet *packet;
    int speaker; /* whose line is open; -1: no line is */
    bool begun, reset;
};

/* style is copied. Allocates nothing but what waits; follow_finish frees it. */
void follow_open(struct follow *follow, const struct style *style, enum follow_format format);
/* A packet of the conversation; layer: its TCP or UDP layer. */
void follow_take(struct follow *follow, struct buffer *out, const struct packet *packet, const struct layer *layer);
/* Nothing more comes: what waits, what is missing, and how it ended. */
void follow_finish(struct follow *follow, struct buffer *out);
/* Bytes that the capture misses, both directions that are shown. */
uint64_t follow_missing(const struct follow *follow);
