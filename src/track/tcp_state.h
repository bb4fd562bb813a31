/* The state of both ends of a TCP connection (RFC 9293, 3.3.2), from what packets prove.
 *
 * What a host sent was sent; what it received is known only by what it sent afterwards. So a FIN on the wire puts its
 * sender into FIN_WAIT_1 or LAST_ACK at once, but its receiver into CLOSE_WAIT only when it acknowledges. Where
 * nothing ever answers (the last ACK of a handshake, the ACK of a FIN) arrival is presumed, and taken back when the
 * other end repeats itself. Numbers are Linux's where RFC 9293 leaves them open. */
#pragma once
#include "track/flow.h"

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

enum tcp_state {
    TCP_UNKNOWN, /* the packets do not tell */
    TCP_CLOSED,
    TCP_LISTEN,
    TCP_SYN_SENT,
    TCP_SYN_RECEIVED,
    TCP_ESTABLISHED, /* from here on synchronised */
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_TIME_WAIT,
    TCP_STATES,
};

enum {
    TIME_WAIT_MS = 60000, /* twice the maximum segment lifetime (RFC 9293, 3.4.2), as Linux has it */
    /* Longer than any host waits for an answer to its last SYN or SYN ACK: a socket that it gave up goes silently. */
    SYN_PATIENCE_MS = 65000,
    SYN_AGAIN_MS =
        500, /* a SYN ACK that comes this late again was not delayed but repeated; first RTO 1 s, RFC 6298, 2 */
    FIN_AGAIN_MS = 150, /* the same of a FIN; Linux's shortest RTO is 200 ms */
};

/* A segment, host byte order. */
struct segment {
    uint32_t frame;            /* the packet's number */
    uint32_t seq, ack, length; /* length: of the payload on the wire */
    uint16_t flags, window;
    uint16_t mss;    /* a SYN's option, 0: none */
    uint32_t sacked; /* bytes in the blocks of its SACK options; only looked for where it is analysed */
    int64_t time;    /* nanoseconds since 1970 */
    int64_t since;   /* since the conversation's packet before this one, nanoseconds */
    bool measured;   /* length is known: no quote, no single fragment, header within the datagram */
    bool sound;      /* the header is as long as one must be */
    bool quoted;     /* in an ICMP error */
    bool anew;       /* a SYN that counts from elsewhere than its end did */
    bool copy;       /* the same packet once more: a bridge or two interfaces let the capture see it twice */
    bool analysed;   /* the analysis looked at it, and again is what it says */
    bool again;      /* a retransmission */
};

/* Who wants to know of each change. */
struct tcp_watch {
    void (*changed)(struct tcp_watch *watch, struct flow *flow, unsigned end, enum tcp_state from, enum tcp_state to);
    void (*answered)(struct tcp_watch *watch, struct flow *flow, unsigned end, bool refused);
};

/* Takes a segment that `end` sent, at `now` (milliseconds since flow->first). flow->end[].base is set already. */
void tcp_state_take(struct flow *flow, unsigned end, const struct segment *segment, int32_t now,
                    struct tcp_watch *watch);
/* What nearly every segment is: data or an acknowledgement (of the flags that matter it has ACK alone) while both ends
 * are established and nothing is odd; and what tcp_state_take makes of such a one. */
bool tcp_state_is_usual(const struct flow_end *from, const struct flow_end *to, uint32_t seq);
void tcp_state_take_usual(struct flow_end *from, struct flow_end *to, const struct segment *segment);
/* Whether it is the same packet once more, as bridges and captures on several interfaces show it: the sender's last
 * segment again with its very identification (of the IPv4 header, 0: there is none), which is remembered. A host that
 * repeats itself counts on (RFC 6864 asks so where it matters). */
bool tcp_is_copy(struct flow *flow, unsigned end, const struct segment *segment, uint16_t ident);
/* A SYN that counts anew gave these ports a new entry: takes over what the old one knows of both ends. */
void tcp_state_reuse(struct flow *flow, const struct flow *old, unsigned end, const struct segment *segment,
                     struct tcp_watch *watch);
/* An ICMP error came back for a segment with this sequence number that `end` had sent. */
void tcp_state_unreachable(struct flow *flow, unsigned end, uint32_t seq, int32_t now, struct tcp_watch *watch);

/* The state of an end at `now`: what nobody says ends by time. */
enum tcp_state tcp_state_at(const struct flow *flow, unsigned end, int32_t now);
/* Bytes (SYN and FIN count one each) that an end sent and that are not acknowledged. */
uint32_t tcp_unacknowledged(const struct flow *flow, unsigned end);

/* RFC 9293's names with underscores; "?" for what is not known. */
const char *tcp_state_name(enum tcp_state state);
/* Whether an arrow may be taken: those of RFC 9293, figure 5, those to CLOSED (reset, given up), those out of a
 * connection met half-way, and those that take a presumption back. */
bool tcp_state_allowed(enum tcp_state from, enum tcp_state to);
