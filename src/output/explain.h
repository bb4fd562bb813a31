/* A conversation told in plain words, for people who learn: what each step is, why it is done, with the numbers of this
 * conversation. What a word means is said where it occurs first.
 *
 * It is a ladder whose steps are paragraphs instead of arrows: fed packet by packet, wrapped to the width of the
 * terminal. All texts go through the catalogue of the user's language. */
#pragma once
#include "output/ladder.h"

enum {
    EXPLAIN_COLUMNS = 80, /* where nobody says how wide it is */
    EXPLAIN_COLUMNS_LEAST = 40,
    EXPLAIN_COLUMNS_MOST = 100, /* longer lines are hard to read */
};

struct explain {
    struct ladder ladder; /* the caller may set ladder.ends before the first packet */
    size_t columns;
    struct buffer text; /* owned: the paragraph that is being made */
    /* what was said already */
    uint32_t told;   /* enum concept */
    uint32_t states; /* 1 << enum tcp_state: explained */
    uint8_t chapter; /* enum chapter */
    bool begun;
    /* for the end */
    uint64_t packets, again[2], missing[2], bytes[2];
    int64_t last, handshake, asked;
    uint32_t high[2]; /* one beyond the last byte that an end sent, relative */
    uint32_t fin[2];  /* one beyond its FIN */
    bool high_known[2], fin_known[2];
    int asker; /* UDP: who spoke last; -1: nobody yet */
};

/* style is copied; its columns decide the width. Returns 0 or ERROR_MEMORY. */
int explain_open(struct explain *explain, const struct style *style, unsigned columns);
void explain_close(struct explain *explain);
/* A packet of the conversation; layer: its TCP or UDP layer. */
void explain_take(struct explain *explain, struct buffer *out, const struct packet *packet, const struct layer *layer);
/* The last paragraphs: how it ended, and all of it in short. */
void explain_finish(struct explain *explain, struct buffer *out);
