/* One packet on its way through the house. It is scratch: reused for the next packet, owns nothing, frees nothing. */
#pragma once
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

struct protocol;

enum {
    LAYERS_MAX = 32, /* what lies deeper is data, and says so */
    BUFFERS_MAX = 8,
    NETWORKS_MAX = 8,
    NOTES_MAX = 4,
};

enum verdict {
    VERDICT_WHOLE,
    VERDICT_CUT,    /* the capture ends before the header does: nobody's fault */
    VERDICT_BROKEN, /* the header contradicts itself or what encloses it */
};

enum layer_flag {
    LAYER_QUOTED = 1,   /* inside an ICMP error: not on its way to anyone */
    LAYER_FRAGMENT = 2, /* of a fragmented datagram, and only this fragment's bytes are here */
    LAYER_DEEP = 4,     /* data because LAYERS_MAX was reached */
    LAYER_ROUTED = 8,   /* an IPv4 header with a source route: its destination is not the last one */
    LAYER_TOLD_1 = 16,  /* what earlier messages of its stream told, in the words of its protocol */
    LAYER_TOLD_2 = 32,
    LAYER_TOLD_NUMBER = 64, /* the same as a number: layer.told is set */
};

struct layer {
    const struct protocol *protocol;
    uint32_t offset; /* of the header in its buffer, bytes */
    uint32_t length; /* of the header, as far as it was captured */
    uint32_t end;    /* in the buffer: where header and payload end by the lengths on the wire; may lie beyond what was
                        captured */
    uint8_t buffer;  /* in packet.buffers: 0 the packet as captured, more: reassembled */
    uint8_t verdict; /* enum verdict */
    uint8_t flags;   /* enum layer_flag */
    uint8_t note;    /* 0: none, else packet.notes[note - 1] */
    uint8_t network; /* 0: none, else packet.networks[network - 1]: the addresses this layer travels between */
    uint32_t told;   /* LAYER_TOLD_NUMBER */
};

/* Which hot copies are there (have), and which occur again further in (again): then fields are read by walking. */
enum hot_bit {
    HOT_ETH = 1,
    HOT_IP = 2,
    HOT_IPV6 = 4,
    HOT_TCP = 8,
    HOT_UDP = 16,
};

/* A pair of network addresses, in the buffers. */
struct network {
    const uint8_t *source, *destination;
    const uint8_t *final; /* the destination that checksums count: IPv6 routing headers move it. RFC 8200, 8.1 */
    uint8_t size;         /* 4 or 16 */
    uint8_t protocol;     /* of the payload, IP protocol number */
};

/* What of a datagram this packet brings: set by the IP dissectors, taken by the tracker. */
struct fragment {
    bool present, more;
    uint8_t layer;    /* the IP layer's index */
    uint8_t protocol; /* what the whole datagram carries */
    uint32_t ident;
    uint32_t offset; /* in the datagram's payload, bytes */
    struct span bytes;
};

/* What the tracker knows about a TCP or UDP layer, or a message that answers one: memory of earlier packets. A bit in
 * `have` for each member that is there. Times are nanoseconds. */
enum note_bit {
    NOTE_STREAM,
    NOTE_SEQ, /* seq and next_seq */
    NOTE_ACK,
    NOTE_WINDOW,
    NOTE_WINDOW_SCALE,
    NOTE_TIME_RELATIVE,
    NOTE_TIME_DELTA,
    /* tcp.analysis, in Wireshark's words */
    NOTE_RETRANSMISSION,
    NOTE_FAST_RETRANSMISSION,
    NOTE_SPURIOUS_RETRANSMISSION,
    NOTE_OUT_OF_ORDER,
    NOTE_LOST_SEGMENT,
    NOTE_ACK_LOST_SEGMENT,
    NOTE_DUPLICATE_ACK,
    NOTE_KEEP_ALIVE,
    NOTE_KEEP_ALIVE_ACK,
    NOTE_ZERO_WINDOW,
    NOTE_ZERO_WINDOW_PROBE,
    NOTE_ZERO_WINDOW_PROBE_ACK,
    NOTE_WINDOW_UPDATE,
    NOTE_WINDOW_FULL,
    NOTE_REUSED_PORTS,
    NOTE_ACKS_FRAME,
    NOTE_ACK_RTT,
    NOTE_INITIAL_RTT,
    NOTE_BYTES_IN_FLIGHT,
    NOTE_PUSH_BYTES_SENT,
    NOTE_RTO,
    NOTE_RTO_FRAME,
    /* peel's own */
    NOTE_AGAIN, /* again and again_frame: which segment was sent again, if it is still remembered, how long ago */
    NOTE_STATES,
    NOTE_ANSWERS, /* on a message that answers one: question_frame and answer_time, since then */
    /* In no note: asked for where a field is in messages over TCP, so that the tracker puts them together. */
    NOTE_MESSAGES,
};

/* What TCP analysis fills. */
#define NOTES_ANALYSIS ((UINT64_C(1) << (NOTE_AGAIN + 1)) - (UINT64_C(1) << NOTE_RETRANSMISSION))

struct note {
    uint64_t have;
    uint32_t stream;
    uint32_t seq, next_seq, ack; /* relative */
    uint32_t window;             /* scaled */
    int32_t scale;               /* the factor; -1 unknown: no SYN seen; -2: windows are not scaled */
    uint32_t duplicate_ack_num, duplicate_ack_frame, acks_frame, rto_frame, again_frame;
    uint32_t bytes_in_flight, push_bytes_sent, question_frame;
    int64_t ack_rtt, initial_rtt, rto, again, time_relative, time_delta, answer_time;
    uint8_t state[2]; /* of the sender and the receiver after this segment, enum tcp_state */
    bool from_client; /* the sender is the connection's client, as far as known; there with the states */
};

struct packet {
    /* where it came from */
    uint64_t number;                   /* from 1 */
    int64_t time;                      /* nanoseconds since 1970 */
    int64_t time_delta, time_relative; /* since the packet before, since the first one */
    bool timed;
    uint16_t link_type;
    uint32_t interface;
    uint32_t wire_length;
    struct span comment;

    /* hot copies, host byte order, first occurrence; valid where `have` says so */
    uint8_t have, again; /* enum hot_bit */
    uint8_t ip_proto, ip_ttl;
    uint16_t ethertype;
    uint16_t ip_id, ip_length;
    uint32_t ip_src, ip_dst;
    uint8_t ipv6_src[16], ipv6_dst[16];
    uint16_t tcp_srcport, tcp_dstport, tcp_flags, tcp_window;
    uint32_t tcp_seq, tcp_ack, tcp_length; /* length: of the payload on the wire */
    uint16_t udp_srcport, udp_dstport, udp_length;

    uint8_t layer_count, buffer_count, network_count, note_count;
    uint8_t stop;    /* enum key_space: layers that hang there are not asked for; 0: all are; KEY_TCP_PORT: nor are
                        those over UDP that carry nothing further. Stays over packets. */
    bool streams;    /* what TCP carries is left as data: the tracker puts messages together. Stays over packets. */
    uint8_t subject; /* the layer that the packet is about: the last one that is neither data nor quoted in an error */
    struct fragment fragment;
    struct layer layers[LAYERS_MAX];
    struct span buffers[BUFFERS_MAX];
    struct network networks[NETWORKS_MAX];
    struct note notes[NOTES_MAX];
};

/* The bytes of a layer's header, as far as captured. */
static inline struct span layer_header(const struct packet *p, const struct layer *l)
{
    return span_part(p->buffers[l->buffer], l->offset, l->length);
}

/* What a layer carries, as far as captured. */
static inline struct span layer_payload(const struct packet *p, const struct layer *l)
{
    size_t from = (size_t)l->offset + l->length;
    return span_part(p->buffers[l->buffer], from, l->end > from ? l->end - from : 0);
}

/* How many bytes a layer carries on the wire. */
static inline uint32_t layer_payload_length(const struct layer *l)
{
    uint32_t from = l->offset + l->length;
    return l->end > from ? l->end - from : 0;
}

/* Whether all of a layer's header and payload was captured. */
static inline bool layer_captured(const struct packet *p, const struct layer *l)
{
    return l->end <= p->buffers[l->buffer].left;
}

static inline const struct network *layer_network(const struct packet *p, const struct layer *l)
{
    return l->network ? &p->networks[l->network - 1] : NULL;
}

static inline const struct note *layer_note(const struct packet *p, const struct layer *l)
{
    return l->note ? &p->notes[l->note - 1] : NULL;
}

/* What is known of the segment or datagram, of tunnels the innermost, or NULL. */
static inline const struct note *packet_note(const struct packet *p)
{
    unsigned n = p->note_count;
    while (n && p->notes[n - 1].have == UINT64_C(1) << NOTE_ANSWERS)
        n--;
    return n ? &p->notes[n - 1] : NULL;
}
