/* What the tracker said of each packet, so that any of them can be shown again without those before it: the notes, and
 * the datagrams and messages that were put together. It lies in two files without names: a word of eight bytes a
 * packet, to look through quickly, and the whole of it in few bytes, found by an offset for each 64th packet.
 *
 * Numbers are packets', from 1. Memory: 8 bytes for 64 packets. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "protocol/packet.h"

enum { JOURNAL_STEP = 64 };

enum journal_bit {
    JOURNAL_TCP = 1,
    JOURNAL_UDP = 2,
    JOURNAL_REMARK = 4,   /* the analysis noticed something that a line tells */
    JOURNAL_STATES = 8,   /* states are known */
    JOURNAL_ERROR = 16,   /* something is malformed */
    JOURNAL_RESET = 32,   /* a RST */
    JOURNAL_EDGE = 64,    /* a SYN or a FIN */
    JOURNAL_CLIENT = 128, /* states are known, and the client sent it */
};

/* Of the innermost conversation of a packet. */
struct journal_word {
    uint32_t stream;
    uint16_t bits;    /* enum journal_bit */
    uint8_t state[2]; /* of sender and receiver, enum tcp_state */
};
_Static_assert(sizeof(struct journal_word) == 8, "eight bytes a packet");

struct journal;

/* The files are the journal's from then on. remarks: bits of notes that a line tells. Returns 0 or ERROR_MEMORY. */
int journal_open(struct journal **journal, int words, int details, uint64_t remarks, struct error *error);
void journal_close(struct journal *journal);

/* A packet as the dissectors left it, before the tracker took it. */
struct journal_plain {
    const struct protocol *last; /* layer */
    unsigned layers;
};

static inline struct journal_plain journal_plain(const struct packet *packet)
{
    return (struct journal_plain){ packet->layer_count ? packet->layers[packet->layer_count - 1].protocol : NULL,
                                   packet->layer_count };
}

/* Packets in order, from number 1 on, after the tracker took them. Returns 0 or ERROR_SYSTEM (no room), after which
 * nothing more is kept. */
int journal_add(struct journal *journal, const struct packet *packet, struct journal_plain plain, struct error *error);
uint64_t journal_count(const struct journal *journal);

/* Bytes that both files take. */
uint64_t journal_size(const struct journal *journal);

/* Puts on a packet that was dissected, with its number, what the tracker had put there. Reassembled bytes are valid
 * until the next call. False: it is not known. */
bool journal_restore(struct journal *journal, struct packet *packet);
/* The words of packets from `first` on, up to n, into words; how many there are. */
size_t journal_words(struct journal *journal, uint64_t first, struct journal_word *words, size_t n);
