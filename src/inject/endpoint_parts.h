/* What the three files of the endpoint share: endpoint.c (states), endpoint_send.c (what was sent, timers, congestion)
 * and endpoint_receive.c (what came). Nobody else includes this. */
#pragma once
#include "inject/endpoint.h"
#include "track/flow.h"

enum {
    SENT_MOST = 4096,    /* segments outstanding */
    RANGES_MOST = 128,   /* pieces kept ahead of a gap */
    DUPLICATES = 3,      /* DupThresh: RFC 5681, 3.2 */
    CHALLENGES = 10,     /* a second, RFC 5961, 7 */
    TIMESTAMP_BYTES = 12 /* with their padding */
};

#define NEVER INT64_MAX
#define MS    INT64_C(1000000)

static const int64_t rto_initial = 1000 * MS, rto_most = 60000 * MS, /* RFC 6298, 2 */
    ack_delay = 40 * MS,                                             /* RFC 9293, 3.8.6.3: less than 0.5 s */
    persist_least = 200 * MS;

enum sent_how { SENT_OUT, SENT_SACKED, SENT_LOST };

/* A segment that was sent and not acknowledged. */
struct sent {
    uint32_t seq, length; /* length counts SYN and FIN */
    uint8_t how;          /* enum sent_how: on its way, received, or to be sent again */
    bool syn, fin, push;
    bool again; /* was sent more than once */
    int64_t time;
};

/* A ring of bytes; places are counted without end. */
struct bytes {
    uint8_t *at;    /* owned */
    uint32_t size;  /* a power of two */
    uint64_t begin; /* the first place in use */
    uint32_t used;
};

struct sender {
    struct bytes data;     /* from data_seq on: what is not acknowledged, then what is not sent */
    uint32_t data_seq;     /* of the first byte in data */
    uint32_t una, nxt;     /* RFC 9293, 3.3.1 */
    uint32_t window, most; /* the peer's, scaled; the largest ever */
    uint32_t wl1, wl2;
    uint8_t scale;
    uint16_t mss; /* with options, without TCP header */
    bool fin_wanted, fin_sent;

    struct sent *sent; /* owned, SENT_MOST of them; a ring */
    uint32_t first, last;
    uint32_t lost_from;         /* none before this one is lost */
    uint32_t out, lost, sacked; /* bytes of the segments in each state */
    uint32_t sacked_count;      /* segments */
    uint32_t highest;           /* beyond the highest byte known to have arrived */
    unsigned duplicates;        /* ACKs in a row that brought nothing new; only without SACK */
    uint32_t virtual_sacked;    /* the bytes that these stand for (RFC 5681, 3.2: the window is inflated) */

    enum { CONGESTION_OPEN, CONGESTION_RECOVERY, CONGESTION_LOSS } phase;
    uint32_t cwnd, ssthresh, grown; /* grown: bytes acknowledged since cwnd last grew by a segment */
    uint32_t recovery;              /* the phase ends when this is acknowledged */
    bool at_once;                   /* the first segment of a recovery does not wait: RFC 6675, 5, step 4.3 */
    bool limited;                   /* it was cwnd that held data back */
    int64_t last_sent;

    int64_t srtt, rttvar, rto, rtt_least;
    unsigned backoff;
    int64_t timer;    /* retransmission or persist; NEVER: off */
    bool persisting;  /* the timer waits for a closed window to open */
    unsigned retries; /* since something was last heard */
    bool syn_again;

    /* RFC 8985, 5.2 */
    int64_t rack_time, rack_rtt, reorder_timer;
    uint32_t rack_end;
    bool reordering;
    unsigned reorder_factor, reorder_rounds;
    uint32_t reorder_round;
};

struct receiver {
    struct bytes data; /* used: in order and not consumed; what is ahead lies behind that */
    uint32_t nxt, irs;
    uint32_t edge; /* announced: nxt + window */
    uint8_t scale;
    bool fin_known, fin_taken;
    uint32_t fin;                             /* its number */
    struct endpoint_range ahead[RANGES_MOST]; /* sorted, apart from each other */
    unsigned ahead_count;
    uint32_t recent[ENDPOINT_SACKS]; /* a number in each piece that grew last, the latest first */
    unsigned recent_count;
    struct endpoint_range twice; /* a duplicate to be told of, RFC 2883 */
    bool tell_twice;
    uint32_t ts_recent;
    int64_t ts_recent_at;
    uint32_t last_ack; /* RFC 7323, 4.3 */
    uint32_t unacked;  /* bytes since the last ACK */
    bool ack_now;
    int64_t ack_timer;
    unsigned quick; /* so many more ACKs without delay */
};

struct endpoint {
    struct endpoint_settings settings;
    struct endpoint_sink sink;
    void *context;
    struct endpoint_counts counts;
    enum tcp_state state;
    enum endpoint_end end;
    bool passive;
    bool sack, timestamps; /* agreed upon */
    struct sender snd;
    struct receiver rcv;
    int64_t time_wait;
    int64_t challenge_second;
    unsigned challenges;
};

static inline bool seq_before(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) < 0;
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline struct sent *sent_at(const struct sender *s, uint32_t i)
{
    return &s->sent[i & (SENT_MOST - 1)];
}

/* Timestamps' clock: milliseconds (RFC 7323, 5.4). */
static inline uint32_t ts_clock(const struct endpoint *e, int64_t now)
{
    return e->settings.ts_offset + (uint32_t)(now / MS);
}

/* ---- bytes */

bool bytes_open(struct bytes *b, uint32_t size);
/* Writes n bytes `offset` beyond the first place; the caller has seen that they fit. */
void bytes_put(struct bytes *b, uint32_t offset, const uint8_t *from, uint32_t n);
/* n bytes from `offset` on, in one or two pieces. */
void bytes_get(const struct bytes *b, uint32_t offset, uint32_t n, struct span *piece, struct span *more);
void bytes_drop(struct bytes *b, uint32_t n);

/* ---- endpoint.c */

void endpoint_change(struct endpoint *e, enum tcp_state to);
void endpoint_notice(struct endpoint *e, enum endpoint_notice notice);
void endpoint_finish(struct endpoint *e, enum endpoint_end how);
/* Fills in ACK, window and options and hands it to the sink. now: for the timestamp. */
void endpoint_emit(struct endpoint *e, struct endpoint_segment *segment, int64_t now);

/* ---- endpoint_send.c */

void sender_begin(struct endpoint *e);
/* A SYN, or SYN ACK in SYN_RECEIVED; the first time or again. */
void sender_syn(struct endpoint *e, int64_t now);
/* The peer's SYN was read: sizes of segments and windows are known. */
void sender_ready(struct endpoint *e);
/* An acceptable ACK: una <= ack <= nxt, or older (then only its SACK blocks and nothing else count). */
void sender_take_ack(struct endpoint *e, const struct endpoint_segment *g, int64_t now);
/* Sends what may be sent. */
void sender_output(struct endpoint *e, int64_t now);
void sender_tick(struct endpoint *e, int64_t now);
/* No segment may be longer than the MSS any more; all that was sent is sent again. */
void sender_shorten(struct endpoint *e, int64_t now);

/* ---- endpoint_receive.c */

void receiver_begin(struct endpoint *e, const struct endpoint_segment *syn, int64_t now);
/* Payload and FIN of an acceptable segment. */
void receiver_take(struct endpoint *e, const struct endpoint_segment *g, int64_t now);
/* The window to announce, bytes. */
uint32_t receiver_window(struct endpoint *e);
/* Bytes behind nxt that there is room for. */
uint32_t receiver_space(const struct endpoint *e);
/* Up to `most` blocks into the segment. */
void receiver_sacks(struct endpoint *e, struct endpoint_segment *g, unsigned most);
void receiver_acked(struct endpoint *e);
