/* The graph of output/plot.h as a page of its own: an SVG file (W3C SVG 1.1) that needs nothing else, for a browser, a
 * report or a slide. Dark where the reader's screen is. */
#pragma once
#include "base/buffer.h"
#include <stdbool.h>

struct plot_svg {
    const char *title;       /* whatever it says: it is escaped */
    const double *up, *down; /* `count` bytes a second each, none below 0 */
    unsigned count;          /* samples, 1 at least */
    const char *up_name, *down_name;
    int64_t duration; /* of all of it, nanoseconds */
};

enum { SVG_SAMPLES = 880 }; /* one a pixel */

void plot_svg_write(struct buffer *out, const struct plot_svg *plot);
