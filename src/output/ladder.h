/* A conversation as a sequence diagram: an arrow a packet between two lifelines, the state of both ends at the sides,
 * what is remarkable beside it; long transfers are one arrow.
 *
 * A ladder is fed packet by packet and hands on steps to whoever draws them: as lines (the default) into a struct
 * buffer, or as SVG (output/ladder_svg.h). It keeps a few steps, because a transfer is folded only once it is long:
 * ladder_finish, or ladder_settle where somebody watches live, hands those on. Packets must have been through
 * dissectors and tracker; what levels the tracker runs at decides what can be told: TRACK_STREAMS relative numbers,
 * TRACK_STATES the states, TRACK_ANALYSIS what is remarkable. All texts from packets are escaped. */
#pragma once
#include "base/buffer.h"
#include "output/ends.h"
#include "output/style.h"
#include "protocol/packet.h"

enum {
    LADDER_COLUMNS = 80,       /* where nobody says how wide it is */
    LADDER_COLUMNS_LEAST = 60, /* below that lines are as long as with that many */
    LADDER_LABEL = 224,        /* bytes on an arrow, all parts */
    LADDER_REMARK = 256,       /* bytes of remarks on it */
    LADDER_KEPT = 16,          /* steps that may still be folded */
    LADDER_FOLD = 3,           /* segments with data that are a transfer */
    LADDER_NO_SCALE = 255,
};

enum ladder_look {
    LADDER_ARROW,    /* a packet */
    LADDER_TRANSFER, /* many segments of data, and the acknowledgements of them */
    LADDER_MISSING,  /* segments that the capture has not: an arrow that does not arrive */
    LADDER_PAUSE,    /* nothing for a while: no arrow */
    LADDER_BEGIN,    /* the states before the first packet: no arrow */
};

enum ladder_mood { LADDER_QUIET, LADDER_NOTABLE, LADDER_WRONG };

/* A step in numbers, for those who tell it otherwise. Of TCP segments only; relative numbers as far as known. */
struct ladder_facts {
    uint64_t notes;     /* what the analysis noted: 1 << enum note_bit */
    int64_t again;      /* with NOTE_AGAIN: nanoseconds since it was sent first; negative: not known */
    int64_t handshake;  /* nanoseconds from the SYN to this segment, which ends the handshake; 0: it does not */
    int64_t lasted;     /* of a transfer or a pause, nanoseconds */
    uint64_t bytes;     /* of a transfer, or missing */
    uint64_t segments;  /* of a transfer, with data */
    uint64_t acks;      /* of a transfer: what came back meanwhile */
    uint32_t seq, next; /* the first number, one beyond the last one */
    uint32_t raw_seq;   /* as on the wire */
    uint32_t ack;
    uint32_t window;     /* scaled */
    uint32_t duplicates; /* the number of this duplicate ACK */
    uint32_t sack[2];    /* the first SACK block; equal: none */
    uint16_t mss;        /* a SYN's; 0: none */
    uint8_t flags;       /* as in the header's byte 13 */
    uint8_t scale;       /* a SYN's window scale; LADDER_NO_SCALE: none */
    bool sack_permitted;
};

struct ladder_step {
    int64_t time;     /* nanoseconds since the first packet of the ladder */
    uint64_t number;  /* of the packet; 0: none */
    uint8_t from;     /* who sent it: 0 the left end, 1 the right one */
    uint8_t look;     /* enum ladder_look */
    uint8_t mood;     /* enum ladder_mood */
    uint8_t entered;  /* bits 1 << end: it came into state[end] by this */
    uint8_t state[2]; /* enum tcp_state, left and right */
    uint32_t data;    /* bytes of payload on the wire */
    bool timed, foldable;
    uint16_t payload; /* where in remark stands what its payload is or begins with, + 1; 0: nowhere */
    struct ladder_facts facts;
    /* Parts, each with the digit of its rank in front and a newline behind: where there is no room for all of them,
     * those of the highest rank are left out first. */
    char label[LADDER_LABEL];
    char summary[LADDER_REMARK]; /* what a dissector says of it: on the arrow if there is room, else a remark */
    char remark[LADDER_REMARK];  /* in the order of weight, a newline between two */
};

struct ladder {
    /* the caller's, before the first packet */
    struct style style;
    unsigned columns; /* 0: LADDER_COLUMNS */
    bool fold;        /* long transfers are one arrow */
    bool windows;     /* each arrow says its window */
    /* Called with each step, in order; NULL: lines into the buffer. */
    void (*draw)(struct ladder *ladder, struct buffer *out, const struct ladder_step *step);
    void *context;             /* draw's */
    const struct names *names; /* of the ends; NULL: none */
    struct ends ends;          /* known with the first packet, left and right, or set before it by ends_set */
    /* its own */
    int64_t first, last, syn_time;
    uint32_t next[2]; /* relative number that should come next */
    uint8_t state[2]; /* as last handed on */
    uint8_t speaker;  /* who sent data last: what an end begins to say is quoted */
    bool next_known[2], syn_seen, shaken, spoken, worded, heard, timed, heading;
    bool drawn; /* for whoever draws: false at the first step */
    unsigned kept;
    struct ladder_step steps[LADDER_KEPT];
    /* the transfer that is going on, once it is long */
    bool transferring;
    uint64_t transfer_bytes, transfer_segments, transfer_acks;
    int64_t transfer_end;
    uint32_t transfer_next;
    struct buffer scratch; /* owned */
};

/* Returns 0 or ERROR_MEMORY. style and columns are copied. */
int ladder_open(struct ladder *ladder, const struct style *style, unsigned columns);
void ladder_close(struct ladder *ladder);

/* A packet; layer: its TCP or UDP layer that belongs to the conversation, NULL for one that only accompanies it (ARP,
 * ICMP, a query to a name server). The first one with a layer says who the ends are, unless ladder->ends knows: the
 * client is left. */
void ladder_take(struct ladder *ladder, struct buffer *out, const struct packet *packet, const struct layer *layer);
/* Hands on what is kept; a transfer that goes on will be told in another line. */
void ladder_settle(struct ladder *ladder, struct buffer *out);
/* Settles, and draws the end. */
void ladder_finish(struct ladder *ladder, struct buffer *out);

/* The label's parts that have room in so many columns, two spaces between; returns the columns written. */
size_t ladder_label(struct buffer *out, const struct ladder_step *step, size_t columns);
/* "12.1 kB", "0.2 ms" */
void ladder_bytes(struct buffer *out, uint64_t bytes);
void ladder_wait(struct buffer *out, int64_t nanoseconds, bool ascii);

/* Draws a step as lines: the default of draw. */
void ladder_draw_lines(struct ladder *ladder, struct buffer *out, const struct ladder_step *step);
