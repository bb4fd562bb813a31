/* A TCP endpoint (RFC 9293) as a pure state machine: segments and times come in by calls, segments go out through a
 * callback, an observer is told what happened. It knows no clock, no addresses, no bytes of headers: dialogue.[ch]
 * puts those around it.
 *
 * RFC 9293 (states, windows), 6298 (retransmission timer), 5681 and 6928 (congestion, initial window), 2018, 2883 and
 * 6675 (SACK), 8985 (which segments are lost: by the time they were sent, or three later ones), 7323 (window scale,
 * timestamps), 5961 (challenge ACKs), 3042 (limited transmit). */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include "track/tcp_state.h"

enum { ENDPOINT_PSH = 8, ENDPOINT_SACKS = 4 };

struct endpoint_range {
    uint32_t left, right; /* right: one beyond the last */
};

/* A segment, host byte order. */
struct endpoint_segment {
    uint32_t seq, ack;
    uint16_t flags;            /* enum tcp_flag, ENDPOINT_PSH */
    uint16_t window;           /* as on the wire */
    struct span payload, more; /* more: what comes behind payload, where a buffer wraps; only in what is sent */
    /* options */
    uint16_t mss; /* 0: none */
    uint8_t scale;
    bool has_scale, sack_permitted, timestamps;
    uint8_t sack_count;
    uint32_t ts_value, ts_echo;
    struct endpoint_range sacks[ENDPOINT_SACKS];
};

/* How a conversation ended. */
enum endpoint_end {
    ENDPOINT_OPEN,        /* it did not yet */
    ENDPOINT_IN_ORDER,    /* both FINs were sent and acknowledged, TIME_WAIT is over */
    ENDPOINT_REFUSED,     /* the SYN was answered with a reset */
    ENDPOINT_RESET,       /* the peer reset it */
    ENDPOINT_TIMED_OUT,   /* what was sent was not acknowledged, however often */
    ENDPOINT_UNREACHABLE, /* an ICMP error answered the SYN */
    ENDPOINT_ABORTED,     /* endpoint_abort */
};

/* What an observer may want to tell besides segments and states. */
enum endpoint_notice {
    NOTICE_TIMER,       /* sent again because the retransmission timer ran out */
    NOTICE_FAST,        /* a segment is taken for lost: loss recovery begins */
    NOTICE_PROBE,       /* a closed window is probed */
    NOTICE_CHALLENGE,   /* challenge ACK */
    NOTICE_DUPLICATE,   /* what came had been there already */
    NOTICE_AHEAD,       /* what came does not follow on what is there: kept */
    NOTICE_OUTSIDE,     /* what came is not acceptable: answered and dropped */
    NOTICE_OLD,         /* its timestamp is older than the last one: dropped (RFC 7323, 5) */
    NOTICE_UNREACHABLE, /* an ICMP error, which a connection outlives */
};

struct endpoint;

/* All but send may be NULL. They must not call the endpoint back. */
struct endpoint_sink {
    /* Its spans are valid during the call. The state is already the one that sending leads to. */
    void (*send)(void *context, const struct endpoint_segment *segment);
    void (*changed)(void *context, enum tcp_state from, enum tcp_state to);
    void (*noticed)(void *context, enum endpoint_notice notice);
};

struct endpoint_settings {
    uint32_t iss;                  /* RFC 6528: isn.[ch] */
    uint32_t ts_offset;            /* timestamps count milliseconds from here */
    uint16_t mss;                  /* announced, and the most that is sent: the MTU without IP and TCP headers */
    uint32_t send_buffer;          /* bytes, rounded up to a power of two */
    uint32_t receive_buffer;       /* the same; the largest window */
    unsigned syn_retries, retries; /* then it is given up */
    int64_t rto_least;             /* nanoseconds */
    int64_t linger;                /* in TIME_WAIT, nanoseconds; ENDPOINT_LINGER: three RTOs, at least a second */
    bool scale, sack, timestamps;  /* what is offered to the peer */
    bool no_delay;                 /* small segments at once: no Nagle (RFC 9293, 3.7.4) */
};

enum { ENDPOINT_LINGER = -1 };

struct endpoint_counts {
    uint64_t sent, received;             /* segments */
    uint64_t bytes_sent, bytes_received; /* of payload, each counted once */
    uint64_t again;                      /* segments sent again */
    uint64_t timeouts, recoveries;
};

/* Everything offered, 4 MiB each way, 6 and 15 retries, RTOs from 200 ms (what Linux has; RFC 6298, 2.4 would have
 * 1 s), TIME_WAIT by default, MSS 536. */
struct endpoint_settings endpoint_defaults(void);

/* Returns 0 or ERROR_MEMORY. The endpoint is CLOSED. */
int endpoint_open(struct endpoint **endpoint, const struct endpoint_settings *settings,
                  const struct endpoint_sink *sink, void *context, struct error *error);
void endpoint_free(struct endpoint *endpoint);

/* Times are nanoseconds of any steady clock, from 0 on. */

/* Active open: sends a SYN. */
void endpoint_connect(struct endpoint *endpoint, int64_t now);
/* Passive open: LISTEN, for one connection. */
void endpoint_listen(struct endpoint *endpoint);
/* Before the SYN is answered: another initial sequence number, which depends on the peer. */
void endpoint_set_iss(struct endpoint *endpoint, uint32_t iss, uint32_t ts_offset);

/* A segment of this conversation arrived; its checksum is good. */
void endpoint_take(struct endpoint *endpoint, const struct endpoint_segment *segment, int64_t now);
/* An ICMP error came for a segment with this number that was sent. hard: RFC 9293, 3.9.2.2. */
void endpoint_unreachable(struct endpoint *endpoint, uint32_t seq, bool hard, int64_t now);
/* The path takes no more than so many bytes of TCP payload and options (RFC 8201, RFC 1191). */
void endpoint_limit(struct endpoint *endpoint, uint32_t seq, uint16_t mss, int64_t now);

/* When endpoint_tick is to be called next; INT64_MAX: not by itself. */
int64_t endpoint_deadline(const struct endpoint *endpoint);
void endpoint_tick(struct endpoint *endpoint, int64_t now);

/* Takes as many bytes as there is room for, and returns how many. None after endpoint_shutdown. */
size_t endpoint_put(struct endpoint *endpoint, const void *bytes, size_t n, int64_t now);
/* Room for endpoint_put. */
size_t endpoint_room(const struct endpoint *endpoint);
/* No more will be written: a FIN goes out behind what was. */
void endpoint_shutdown(struct endpoint *endpoint, int64_t now);
/* Received and not consumed, as far as it lies in one piece. */
struct span endpoint_readable(const struct endpoint *endpoint);
void endpoint_consume(struct endpoint *endpoint, size_t n, int64_t now);
/* The peer's FIN was reached: nothing will come behind what is readable. */
bool endpoint_at_end(const struct endpoint *endpoint);
/* Sends a reset where there is somebody to be reset, and is CLOSED. */
void endpoint_abort(struct endpoint *endpoint, int64_t now);

enum tcp_state endpoint_state(const struct endpoint *endpoint);
enum endpoint_end endpoint_end(const struct endpoint *endpoint);
const struct endpoint_counts *endpoint_counts(const struct endpoint *endpoint);
/* Written, and not yet acknowledged. */
size_t endpoint_unacknowledged(const struct endpoint *endpoint);
/* Smoothed, nanoseconds; 0: not measured. */
int64_t endpoint_rtt(const struct endpoint *endpoint);
