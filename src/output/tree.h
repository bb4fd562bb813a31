/* A packet as a tree for people: layers, fields, bits within fields, options. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "protocol/packet.h"

void tree_write(struct buffer *out, const struct packet *packet, const struct style *style);

/* A row of it, for who draws the tree otherwise. */
struct tree_row {
    const struct layer *layer;
    const struct field *field; /* NULL: the layer itself, an option, or a remark on the layer */
    uint32_t bit, width;       /* where it lies, in bits from the layer's start; width 0: not in bytes */
    unsigned depth;            /* 0: a layer; a row holds those below it that are deeper */
    bool bad;
    const char *text; /* without indentation and newline, valid during the call */
    size_t length;
};

/* scratch is overwritten. style without colours. */
void tree_rows(struct buffer *scratch, const struct packet *packet, const struct style *style,
               void (*row)(void *context, const struct tree_row *row), void *context);
