/* The flow table: all that is remembered of each conversation, one entry of 128 bytes, found by its sorted 5-tuple.
 *
 * Key: (protocol, address and port of one end, address and port of the other), the lower end first; VLAN tags are no
 * part of it. Ends are 0 (the lower) and 1; client, server and local are views of them. A port pair that is used
 * again gets a new entry, which replaces the older one in the table and leads to it by `previous`.
 *
 * Shape: 8-byte slots (32 bits of hash, 32 bits of index), linear probing, at most five eighths full, and entries in
 * chunks that never move. A slot's hash begins with its own place, so the table grows and closes gaps without a look at
 * the entries. Memory a conversation: 128 bytes and 13 to 26 of slots; IPv6 another 32 for its addresses; where they
 * are asked for, 8 for the handshake's time and 104 for details. */
#pragma once
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

#define FLOW_NONE UINT32_MAX /* no index */

enum flow_flag {
    FLOW_IPV6 = 1,
    FLOW_REUSED = 2,       /* an older conversation had the same addresses and ports */
    FLOW_FREE = 4,         /* no conversation: the entry waits for one */
    FLOW_UNTIMED = 8,      /* no packet of it had a time: first and last mean nothing */
    FLOW_CLIENT_1 = 16,    /* end 1 is the client (who sent the first SYN, or, by default, the first packet) */
    FLOW_CLIENT_SEEN = 32, /* the handshake told so */
    FLOW_MOVED = 64,       /* what its ends do now stands in a newer entry with the same key */
    FLOW_GAP = 128,        /* a segment was missing when last looked at: what fills the gap is no repetition */
};

/* What one end did, as far as packets prove it. Sequence numbers are as on the wire. */
struct flow_end {
    uint32_t base;     /* relative numbers count from here: the SYN's own number */
    uint32_t sent;     /* one beyond the highest number that it sent */
    uint32_t received; /* the highest acknowledgement that it sent */
    uint32_t fin;      /* the number of its FIN; before that is known: what it had sent when it
                          acknowledged the other's */
    uint8_t state;     /* enum tcp_state */
    uint8_t scale;     /* its windows' shift, or enum flow_scale */
    uint16_t flags;    /* enum end_flag */
};

enum flow_scale {
    SCALE_MOST = 14,     /* RFC 7323, 2.3 */
    SCALE_NONE = 254,    /* a SYN without the option was seen: windows are not scaled */
    SCALE_UNKNOWN = 255, /* no SYN seen */
};

enum end_flag {
    END_BASE = 1,          /* base is known */
    END_HEARD = 2,         /* it acknowledged something: received is known */
    END_SPOKE = 4,         /* it sent a segment without SYN: its handshake is over; UDP: it sent */
    END_FIN_SENT = 8,      /* fin is known */
    END_FIN_RECEIVED = 16, /* it acknowledged the other end's FIN */
    END_FIN_ACKED = 32,    /* its FIN was acknowledged */
    END_PASSIVE = 64,      /* it had received a FIN when it sent its own */
    END_RESET = 128,       /* a reset closed it; UDP: an ICMP error told that nobody is there */
    END_PENDING = 256,     /* a SYN in its name came in the middle of a connection: its own, or forged? */
    END_FAST_OPEN = 512,   /* it may speak before the handshake is over */
    END_UNSEEN = 1024,     /* the last of what it sent was not captured: a number alone tells of it */
};

struct flow {
    /* the line of state */
    uint32_t address[2]; /* IPv4: of both ends, host byte order; IPv6: [0] is the index of the pair of addresses */
    uint16_t port[2];
    uint32_t stream;   /* number in order of appearance, TCP and UDP counted apart */
    uint32_t previous; /* the entry before this one with the same key, or FLOW_NONE; ask flow_previous */
    uint8_t protocol;  /* 6 or 17 */
    uint8_t spare;
    uint16_t flags; /* enum flow_flag */
    struct flow_end end[2];
    /* the line of counters, [0] sent by end 0 */
    int64_t first, last; /* nanoseconds since 1970; last: of the latest packet read, even if its time stepped back */
    uint64_t bytes[2];
    uint32_t packets[2];
    uint32_t retransmits[2];
    int32_t changed[2]; /* when state last changed: milliseconds since first */
    uint16_t ident[2];  /* of the last IPv4 header: what comes twice with the same one is a copy */
    uint32_t side;      /* where the analysis keeps more about it, 0: nowhere */
};
_Static_assert(sizeof(struct flow) == 128, "two cache lines");

/* What only long tables of connections want; kept beside the entries if asked for. [0] is end 0's. */
struct flow_detail {
    int64_t productive;  /* when the last packet came that is part of what the connection was for; Zeek's duration */
    uint64_t wire[2];    /* bytes of whole packets on the wire */
    uint64_t network[2]; /* bytes of IP datagrams, as their headers say */
    uint64_t missed;     /* bytes of both ends that were acknowledged and not captured */
    uint32_t holes[2];   /* the same, not acknowledged yet: a list in struct tally, 0: none */
    uint16_t mss[2];     /* announced; 0: not seen */
    uint16_t window[2];  /* the last one, as on the wire */
    uint16_t zero_windows[2], gaps[2],
        repeats[2];    /* how often: windows of 0, bytes missed, data that were sent before */
    uint16_t reset[2]; /* the lower half of the last RST's number */
    uint16_t seen;     /* which letters of the history are there */
    uint8_t phase[2];  /* enum tally_phase, the one before in the upper half */
    char history[20];  /* Zeek's letters in order of appearance, 0 behind the last one; upper case: end 0 sent it */
};
_Static_assert(sizeof(struct flow_detail) == 104, "as the manual says");

struct flow_key {
    const uint8_t *address[2]; /* in the packet */
    uint16_t port[2];
    uint8_t size; /* of an address: 4 or 16 */
    uint8_t protocol;
    uint16_t quick; /* where it stands among the recent ones */
};

struct flow_slot {
    uint32_t hash, index;
};

enum { FLOW_RECENT_BITS = 13, FLOW_RECENT = 1 << FLOW_RECENT_BITS };

struct flow_table {
    struct flow_slot *slots;      /* owned; index FLOW_NONE: empty */
    unsigned bits;                /* 2^bits slots */
    uint32_t used;                /* slots in use */
    uint32_t count;               /* entries ever taken from the chunks, free ones too: indexes are below it */
    uint32_t free;                /* head of the free entries, linked by previous */
    uint32_t live;                /* entries that hold a conversation */
    unsigned beside;              /* enum flow_beside: what was asked for */
    struct flow **chunks;         /* owned; this and the next two have room for 2^n chunks, NULL while there is none */
    int64_t **handshakes;         /* owned; NULL: not asked for, too */
    struct flow_detail **details; /* owned; the same */
    uint8_t (**pairs)[32];        /* owned: chunks of pairs of IPv6 addresses, end 0 first */
    uint32_t pair_count, pair_free;
    uint64_t seed[4];
    uint32_t recent[FLOW_RECENT]; /* conversations met lately, by a poor and quick hash: most packets need no slot */
};

/* What is kept beside the entries. */
enum flow_beside { FLOW_HANDSHAKES = 1, FLOW_DETAILS = 2 };

/* Returns 0, ERROR_MEMORY or ERROR_SYSTEM (no random numbers). */
int flow_table_open(struct flow_table *table, unsigned beside);
void flow_table_close(struct flow_table *table);

/* To keep a table elsewhere and to fill one from there. like: an empty table gets the room, the counts and the hashes
 * of another one, of which only the struct itself is looked at; what lies in its pieces is to be filled in then. False:
 * no memory. piece: the i-th piece of memory that entries lie in; NULL: there are no more. */
bool flow_table_like(struct flow_table *table, const struct flow_table *other);
void *flow_table_piece(const struct flow_table *table, uint32_t i, size_t *size);

/* The key of a segment from source to destination, addresses of `size` bytes that must outlive the key. Returns the
 * end that the source is. */
unsigned flow_key_set(struct flow_key *key, const uint8_t *source, const uint8_t *destination, unsigned size,
                      uint16_t source_port, uint16_t destination_port, uint8_t protocol);

/* A key's place among the recent conversations: a hash that anybody may guess, of the last 32 bits of the addresses. */
static inline uint16_t flow_quick(uint32_t from, uint32_t to, uint16_t source_port, uint16_t destination_port)
{
    uint32_t mix = ((from ^ to) + ((uint32_t)source_port ^ destination_port)) * UINT32_C(0x9e3779b1);
    return (uint16_t)(mix >> (32 - FLOW_RECENT_BITS));
}

/* The index of the newest entry with this key, or FLOW_NONE. */
uint32_t flow_find(struct flow_table *table, const struct flow_key *key);
/* The same without a look at the recent ones, for who asks seldom and mostly for what is new: in two steps, so that
 * something else may be done while memory answers. The first returns what the second wants. */
uint32_t flow_seek(const struct flow_table *table, const struct flow_key *key);
uint32_t flow_found(const struct flow_table *table, const struct flow_key *key, uint32_t hash);
/* A new entry for the key, all else zero, scales unknown; one with the same key becomes its `previous`. FLOW_NONE:
 * no memory. */
uint32_t flow_add(struct flow_table *table, const struct flow_key *key);
/* Forgets an entry. */
void flow_drop(struct flow_table *table, uint32_t index);
/* The entry that this one replaced, or FLOW_NONE where there was none or it is forgotten. */
uint32_t flow_previous(const struct flow_table *table, uint32_t index);
/* The entry with a stream's number, or FLOW_NONE. Looks through all of them. */
uint32_t flow_by_stream(const struct flow_table *table, uint8_t protocol, uint32_t stream);

enum { FLOW_CHUNK_BITS = 14, FLOW_CHUNK = 1 << FLOW_CHUNK_BITS };

static inline struct flow *flow_at(const struct flow_table *table, uint32_t index)
{
    return &table->chunks[index >> FLOW_CHUNK_BITS][index & (FLOW_CHUNK - 1)];
}

/* Nanoseconds from the last SYN to the ACK that ended the handshake; negative: when that SYN was sent (its sign
 * turned), and the ACK has not come; 0: neither is known. Only in a table that was opened with them. */
static inline int64_t *flow_handshake_at(const struct flow_table *table, uint32_t index)
{
    return &table->handshakes[index >> FLOW_CHUNK_BITS][index & (FLOW_CHUNK - 1)];
}

/* The same. */
static inline struct flow_detail *flow_detail_at(const struct flow_table *table, uint32_t index)
{
    return &table->details[index >> FLOW_CHUNK_BITS][index & (FLOW_CHUNK - 1)];
}

/* Which end is the client, as far as known. */
static inline unsigned flow_client(const struct flow *flow)
{
    return flow->flags & FLOW_CLIENT_1 ? 1 : 0;
}

/* An end's address, network byte order, 4 or 16 bytes. room: where an IPv4 address may be written. */
const uint8_t *flow_address(const struct flow_table *table, const struct flow *flow, unsigned end, uint8_t room[4]);

/* RFC 9293, 3.4: sequence numbers are compared modulo 2^32. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}
