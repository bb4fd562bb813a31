/* All memory between packets: puts fragments together, finds each segment's conversation and writes on the packet
 * what only earlier packets tell (struct note). What nobody asked for is not done.
 *
 * Stream numbers, relative sequence numbers and scaled windows are tshark's (4.0), as it prints them. */
#pragma once
#include "base/error.h"
#include "protocol/packet.h"
#include "track/analysis.h"
#include "track/flow.h"
#include "track/tally.h"

enum track_level {
    TRACK_FRAGMENTS = 1, /* fragments become datagrams, dissected in the packet that completes them */
    TRACK_STREAMS = 2,   /* notes: stream numbers, relative numbers, windows, times within the stream, and
                            the states if they are tracked */
    TRACK_STATES = 4,    /* the states of both ends, counters, the handshake's time */
    TRACK_ANALYSIS = 8,  /* what is remarkable: retransmissions, round-trip times ... */
    TRACK_MESSAGES = 16, /* application messages over TCP are put together; set packet.streams, too */
    TRACK_DETAILS = 32,  /* with states: what long tables of connections show (struct flow_detail) */
    TRACK_ANSWERS = 64,  /* which question a message answers; with streams */
};

struct answers;
struct fragments;
struct messages;
struct tcp_watch;
struct tlv_set;

struct tracker {
    unsigned levels; /* enum track_level */
    struct flow_table flows;
    struct analysis analysis;
    struct tally tally;
    struct fragments *fragments; /* owned; NULL: not asked for */
    struct messages *messages;   /* owned; NULL: not asked for */
    struct answers *answers;     /* owned; NULL: not asked for */
    const struct protocol *tcp, *udp, *ip, *ipv6;
    const struct tlv_set *tcp_options; /* how to read them */
    uint32_t tcp_streams, udp_streams; /* how many there were */
    bool out_of_memory;                /* something was not tracked for want of memory */
    uint32_t current;                  /* the entry of the segment that is being taken: for watchers */
    struct tcp_watch *watch;           /* told of every change of a state; NULL: nobody. The caller's */
    /* When max_connections are remembered a new one costs an old one: a half-open one if one is near, else the one
     * that is silent for longest of those near. */
    uint32_t max_connections; /* what a quarter of the machine's memory holds, until the caller says something else */
    uint32_t hand;            /* where to look for one to forget */
    uint64_t forgotten, forgotten_half_open;
};

/* The levels that fill these bits of notes (1 << enum note_bit). */
unsigned tracker_levels(uint64_t notes);

/* registry_open() comes first. TRACK_ANALYSIS needs TRACK_STREAMS. Returns 0, ERROR_MEMORY or ERROR_SYSTEM. */
int tracker_open(struct tracker *tracker, unsigned levels, struct error *error);
void tracker_close(struct tracker *tracker);

/* A packet as captured, nanoseconds since 1970, where only TRACK_FRAGMENTS and TRACK_STATES are asked for. True: it was
 * what was to be expected, and is taken; false: nothing was done, it is to be taken apart. */
bool tracker_predicts(struct tracker *tracker, struct span packet, uint16_t link_type, uint32_t wire_length,
                      int64_t time);

/* A segment without SYN of a conversation that was met lately, the only one of its packet, where only TRACK_FRAGMENTS
 * and TRACK_STREAMS are asked for: its note. False: nothing was done. */
bool tracker_predicts_note(struct tracker *tracker, struct packet *packet, struct layer *tcp);

/* A packet that was dissected, in the order of the capture. May add layers to it (their buffers are valid until the
 * next packet is taken) and writes notes. */
void tracker_take(struct tracker *tracker, struct packet *packet);
