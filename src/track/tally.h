/* What is counted of each conversation: packets, bytes, repetitions, the handshake's time; and, where details are kept,
 * what Zeek's conn.log says of it. Zeek's words are its own documentation's ("base/protocols/conn/main.zeek") and what
 * Zeek 8 does where that is silent. */
#pragma once
#include "track/flow.h"

struct segment;
struct hole;

/* Bytes that were not captured, of all conversations: at most HOLES_PER_END of an end, HOLES_MOST in all; what is
 * beyond is not counted as missed. */
enum { HOLES_PER_END = 64, HOLES_MOST = 1 << 20 };

struct tally {
    struct hole *holes; /* owned; [0] is never used */
    uint32_t count, room, free;
};

/* Where a packet is counted. */
struct tally_place {
    struct flow *flow;
    int64_t *handshake;
    struct flow_detail *detail; /* NULL: none are kept */
    unsigned end;               /* the sender */
};

void tally_close(struct tally *tally);

/* Call before the states take the segment. */
void tally_tcp(struct tally *tally, const struct tally_place *place, const struct segment *segment);
/* The same where no details are kept, of a segment that tcp_state_is_usual. */
void tally_usual(struct flow *flow, unsigned end, const struct segment *segment);
void tally_udp(const struct tally_place *place, uint32_t length, int64_t time);
/* The conversation is about to be forgotten. */
void tally_drop(struct tally *tally, struct flow_detail *detail);

/* Zeek's conn_state: SF, S0, REJ ... */
const char *tally_conn_state(const struct flow *flow, const struct flow_detail *detail);
/* Zeek's history as it writes it, upper case the client's; room for sizeof detail->history bytes. */
void tally_history(const struct flow *flow, const struct flow_detail *detail, char *out);
