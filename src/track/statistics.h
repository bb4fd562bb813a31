/* What a capture holds, in numbers: a tree of protocols, conversations, lengths of packets, bytes over time.
 *
 * What stands on the way of every packet is a few additions: the layers' sum finds the place in the tree, the entry of
 * a flow table (track/flow.h) counts the conversation, the bin of the last packet mostly takes the next one, too.
 * Endpoints are added up from the conversations when somebody asks for them.
 *
 * Bounded: NODES_MOST places in the tree (what would need more is counted where the tree ends), flows_most
 * conversations (packets of further ones are counted in `unplaced`), SERIES_BINS bins, ten times as wide when the
 * capture outlasts them. Bytes are those of whole packets on the wire, as tshark counts them; times are nanoseconds
 * since 1970 and may step back. */
#pragma once
#include "protocol/packet.h"
#include "track/flow.h"

enum statistics_part {
    STATISTICS_TREE = 1,   /* the tree of protocols */
    STATISTICS_FLOWS = 2,  /* conversations of IPv4 and IPv6, by addresses and ports */
    STATISTICS_PAIRS = 32, /* by addresses alone, which costs less */
    STATISTICS_LINKS = 4,  /* conversations between MAC addresses */
    STATISTICS_SERIES = 8, /* packets and bytes over time */
    STATISTICS_TCP = 16,   /* round trips and what is remarkable, from notes that TRACK_ANALYSIS wrote */
};

enum {
    NODES_MOST = 4096,
    NODE_CACHE_BITS = 9,
    LENGTHS = 1 << 16,           /* packets of this length and longer share the last place */
    SERIES_BINS = 8192,          /* unless the caller asked for bins of a certain width: */
    SERIES_BINS_ASKED = 1 << 20, /* so many */
    STREAMS_MOST = 1 << 22,      /* TCP streams whose round trips are kept */
    FLOW_RUNS = 8,               /* that wait to be looked up */
    PROTOCOL_OTHER = 255,        /* flow.protocol: neither TCP nor UDP */
    PROTOCOL_PAIR = 253,         /* flow.protocol: addresses alone, whatever they exchange */
    PROTOCOL_LINK = 254,         /* flow.protocol: MAC addresses, at the end of 16 bytes */
};

/* A place in the tree; [0] is the root, a parent stands before its children. Counts are of packets that end here. */
struct tree_node {
    const struct protocol *protocol; /* NULL: the root */
    uint32_t parent, child, sibling; /* child: the first one; 0: none */
    uint16_t depth;                  /* the root's: 0 */
    bool malformed;                  /* a packet that is what its parent says, and contradicts itself */
    uint64_t packets, bytes;
};

struct series_bin {
    uint64_t packets[2], bytes[2];
};

/* Direction 1: what the end with the lower port sent, the server more likely than not; direction 0: all else. With a
 * host: 0 what it sent, 1 all else. */
struct series {
    struct series_bin *bins; /* owned */
    uint32_t count, room;    /* bins used; there */
    uint32_t most;           /* of them */
    int64_t start;           /* where bin 0 begins */
    uint64_t width;          /* of a bin, nanoseconds */
    int64_t bin_start;       /* of the one that the last packet went to */
    uint32_t bin;
};

/* What is remarkable about TCP segments. */
enum trouble {
    TROUBLE_AGAIN,        /* sent again: of these ... */
    TROUBLE_FAST,         /* ... after duplicate acknowledgements */
    TROUBLE_SPURIOUS,     /* ... although acknowledged */
    TROUBLE_OUT_OF_ORDER, /* overtaken */
    TROUBLE_LOST,         /* something before it was not captured */
    TROUBLE_DUPLICATE,    /* acknowledgements repeated */
    TROUBLE_ZERO_WINDOW,
    TROUBLE_FULL_WINDOW,
    TROUBLES,
};

struct rtt {
    uint64_t sum; /* nanoseconds */
    uint32_t count;
    uint32_t least, most; /* microseconds */
};

/* A TCP stream, by its number. Ends are its flow's. */
struct stream_statistics {
    uint32_t flow; /* index, FLOW_NONE: not met */
    uint32_t trouble[2][TROUBLES];
    struct rtt rtt[2];   /* of segments that an end sent until they were acknowledged, as the capture saw it */
    int64_t initial_rtt; /* of the handshake; 0: not seen */
};

/* Packets of one conversation, one after another, that were not looked up yet. [0] of each pair: the end that sent the
 * first one. */
struct flow_run {
    uint8_t address[2][16];
    uint8_t size;     /* of addresses: 4 or 16; 0: an empty place */
    uint8_t protocol; /* flow.protocol */
    uint16_t flags;   /* TCP's, of the first packet, as seq and ack */
    uint16_t port[2];
    uint32_t ports, seq, ack; /* ports: [0]'s in the upper half */
    uint32_t hash;            /* flow_seek's */
    uint64_t both;            /* of IPv4, both addresses at once: [0] in the lower half, bytes as on the wire */
    bool open, timed;         /* more may come; it has times */
    uint32_t packets[2];
    uint64_t bytes[2];
    int64_t first, last;
};

struct statistics {
    unsigned parts; /* enum statistics_part */
    uint32_t flows_most;
    const uint8_t *host; /* whose direction the series shows, or NULL. The caller's */
    uint8_t host_size;   /* 4 or 16 */
    /* counted */
    uint64_t untimed, unplaced;
    uint64_t *lengths;   /* owned; packets of each length on the wire */
    uint64_t long_bytes; /* of those in the last place */
    uint32_t longest;
    int64_t first, last; /* the earliest and the latest time */
    bool begun;
    struct tree_node *nodes; /* owned */
    uint32_t node_count;
    uint32_t everyday[2]; /* the places of TCP over IPv4 over Ethernet and of data on it; 0: not met yet */
    struct flow_table flows;
    struct series series;
    struct stream_statistics *streams; /* owned */
    uint32_t stream_count, stream_room;
    bool out_of_memory;
    /* its own */
    const struct protocol *ip, *ipv6, *tcp, *udp, *eth;
    struct flow_run runs[FLOW_RUNS]; /* a ring */
    unsigned run;                    /* the latest */
    uint32_t settled;                /* the flow of the last run that was counted */
    uint64_t times[LAYERS_MAX];      /* what a layer's protocol counts in the sum of its packet's */
    struct {
        uint64_t sum;
        uint32_t node;
    } cache[1 << NODE_CACHE_BITS];
};

/* interval: the width of a bin in nanoseconds, 0: whatever fits. registry_open() comes first. Returns 0, ERROR_MEMORY
 * or ERROR_SYSTEM; the caller closes in any case. */
int statistics_open(struct statistics *statistics, unsigned parts, uint64_t interval);
void statistics_close(struct statistics *statistics);

/* A packet that was dissected and, for STATISTICS_TCP, tracked. */
void statistics_take(struct statistics *statistics, const struct packet *packet);
/* A packet as captured, nanoseconds since 1970: true if it was counted without being taken apart, as most segments can
 * be; else take it apart. */
bool statistics_predicts(struct statistics *statistics, struct span packet, uint16_t link_type, uint32_t wire_length,
                         int64_t time);

/* Call before flows, the series or tables of them are asked for: counts what waited for company. More packets may come.
 */
void statistics_settle(struct statistics *statistics);

/* Packets and bytes of all. */
void statistics_totals(const struct statistics *statistics, uint64_t *packets, uint64_t *bytes);

/* The series as `count` samples of equal length from the first to the last time: bytes (or packets) a second that went
 * in one direction. What lies in a bin is spread evenly over it. */
void statistics_sample(const struct statistics *statistics, unsigned direction, bool packets, double *samples,
                       unsigned count);

/* Packets and bytes of each place in the tree with all below it: node_count of them. The caller frees. NULL: no memory.
 */
struct tree_total {
    uint64_t packets, bytes;
};
struct tree_total *statistics_tree(const struct statistics *statistics);
