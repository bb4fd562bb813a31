/* A ladder as SVG: one file that needs no other, for a page or a slide, readable on light and on dark ground (it asks
 * the viewer which). No script, no font of its own. */
#pragma once
#include "output/ladder.h"

enum { LADDER_SVG_ROWS = 20000 }; /* beyond that they are only counted: nobody can look at them */

struct ladder_svg {
    struct buffer rows; /* owned: what is between head and foot, which says how high it is */
    unsigned y;         /* of the next row, pixels */
    unsigned count;
    uint64_t left_out;
};

/* Makes the ladder draw into svg, which must outlive it. Returns 0 or ERROR_MEMORY. */
int ladder_svg_open(struct ladder_svg *svg, struct ladder *ladder);
/* After ladder_finish: the whole file. */
void ladder_svg_write(const struct ladder_svg *svg, const struct ladder *ladder, struct buffer *out);
void ladder_svg_close(struct ladder_svg *svg);
