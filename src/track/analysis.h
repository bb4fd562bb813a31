/* What is remarkable about a TCP segment in the light of those before it: sent again, out of order, lost before it,
 * acknowledged twice, windows that close ... under Wireshark's names and by its rules (User's Guide, 7.5 "TCP
 * Analysis", and what tshark 4.0 does with segments made by hand). It fills the NOTE_* bits of tcp.analysis in struct
 * note.
 *
 * Only a field, column or format that asks pays for it: a conversation's memory here is allocated with its first
 * segment, 160 bytes, found by flow->side; a segment that waits for its acknowledgement is 24 bytes in a pool that all
 * share. Bounded: UNACKED_PER_END segments of one direction and UNACKED_MOST in all; beyond that the oldest of the
 * direction are forgotten, and a late acknowledgement of them gets no round-trip time. Times are nanoseconds; they may
 * step back. */
#pragma once
#include "protocol/packet.h"
#include "track/flow.h"

enum {
    UNACKED_PER_END = 10000,
    UNACKED_MOST = 1 << 22,
};

enum analysis_end_flag {
    SIDE_NEXT = 1,        /* next is known */
    SIDE_ACK = 2,         /* its last segment acknowledged something */
    SIDE_WINDOW = 4,      /* window is known */
    SIDE_EXPECTED = 8,    /* expected is known */
    SIDE_PUSHED = 16,     /* its last data were pushed */
    SIDE_KEEP_ALIVE = 32, /* its last segment was a keep-alive */
    SIDE_PROBE = 64,      /* its last segment was a probe of a closed window */
    SIDE_GAP = 128,       /* something that it sent was not captured: what is in flight is not known */
    SIDE_DISORDER = 256,  /* its unacknowledged segments do not lie in order of their numbers */
    SIDE_SYN = 1024,      /* its last segment was a SYN */
    SIDE_TOLD = 512,      /* that something was acknowledged to it which was not captured */
};

/* One direction. */
struct analysis_end {
    int64_t next_time, ack_time; /* of the segment that reached next; of the last one of all */
    uint32_t next;               /* the number that should come next */
    uint32_t next_frame;         /* the packet that reached it */
    uint32_t expected;           /* one beyond what the other end may acknowledge, as far as captured */
    uint32_t ack;                /* the last acknowledgement that it sent */
    uint32_t ack_frame;          /* the packet that was the first to send it */
    uint32_t duplicates;         /* how often it was repeated since, or since a segment that was not captured */
    uint32_t window;             /* as on the wire */
    uint32_t pushed;             /* bytes since the last push */
    uint32_t oldest, latest;     /* unacknowledged segments in the order captured, 0: none */
    uint32_t unacked;            /* how many */
    uint32_t sacked;             /* bytes in the blocks of its last segment's SACK option */
    uint32_t flags;              /* enum analysis_end_flag */
};

struct analysis_flow {
    struct analysis_end end[2];
    int64_t syn_time, initial_rtt;
    uint32_t flags, next_free;
};

struct unacked;
struct segment;

struct analysis {
    struct analysis_flow *flows; /* owned; [0] is never used */
    uint32_t flow_count, flow_room, flow_free;
    struct unacked *segments; /* owned; [0] is never used */
    uint32_t segment_count, segment_room, segment_free;
    bool out_of_memory; /* something was not analysed for want of memory */
};

void analysis_close(struct analysis *analysis);

/* A segment of a conversation that `end` sent. */
void analysis_take(struct analysis *analysis, struct flow *flow, unsigned end, const struct segment *segment,
                   struct note *note);

/* The conversation is about to be forgotten. */
void analysis_drop(struct analysis *analysis, struct flow *flow);
