/* A packet's tree in a pane: which rows are open, where the cursor is; kept from packet to packet. */
#pragma once
#include "output/tree.h"
#include "ui/draw.h"
#include "ui/keys.h"

enum { TREE_OPEN_MAX = 256 };

struct tree_line {
    uint32_t text, length; /* in `texts` */
    uint32_t bit, width;   /* in its buffer, from the buffer's start; width 0: not in bytes */
    uint64_t key;          /* the same for the same field of other packets */
    const struct field *field;
    uint8_t buffer, depth;
    bool bad, holds; /* holds: there are deeper rows below */
};

struct tree_pane {
    struct buffer texts, scratch; /* owned */
    struct tree_line *lines;      /* owned */
    unsigned count, room;
    unsigned *shown; /* owned: lines that are to be seen, those within closed ones are not */
    unsigned shown_count;
    uint64_t open[TREE_OPEN_MAX]; /* keys */
    unsigned open_count;
    unsigned cursor, top; /* in shown */
    uint64_t cursor_key;
};

/* Returns 0 or ERROR_MEMORY. */
int tree_pane_open(struct tree_pane *tree);
void tree_pane_close(struct tree_pane *tree);
/* Another packet, or none (NULL). subject: the layer that the packet is about is selected, if nothing is. */
void tree_pane_set(struct tree_pane *tree, const struct packet *packet, const struct style *style);
void tree_pane_draw(struct tree_pane *tree, struct area area, bool focused);
bool tree_pane_act(struct tree_pane *tree, enum action action, int page);
/* The line the cursor is on, or NULL. */
const struct tree_line *tree_pane_line(const struct tree_pane *tree);
const char *tree_pane_text(const struct tree_pane *tree, const struct tree_line *line);
/* Opens what is needed to show the deepest field that holds a bit of a buffer, and goes there. */
void tree_pane_find(struct tree_pane *tree, unsigned buffer, uint32_t bit);
/* Opens the layer that the packet is about, and goes there. */
void tree_pane_enter(struct tree_pane *tree, const struct packet *packet);
/* Puts the cursor on a row of the pane; a second time opens or closes it. */
void tree_pane_click(struct tree_pane *tree, int row, bool twice);
