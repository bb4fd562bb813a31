/* A graph of two series in characters: one grows up from the time axis, the other down, both to the same scale. Braille
 * has two samples a column and four steps a line; ASCII one and three.
 *
 * A plot is written line by line, so that the caller may put labels beside it. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"

struct plot {
    const double *up, *down; /* `count` values each, none below 0; down NULL: there is only one */
    unsigned count;          /* plot_samples(columns) */
    unsigned columns;        /* of the graph */
    unsigned up_lines, down_lines;
    double up_most, down_most; /* what stands for the whole height of each part */
};

/* How many values a graph of so many columns shows. */
unsigned plot_samples(unsigned columns, const struct style *style);
/* Shares `lines` among the two parts (one at least for each that has anything) so that a step is worth the same in
 * both. up, down and columns are set; fills the rest. */
void plot_scale(struct plot *plot, unsigned lines, const struct style *style);
/* Line `line` of up_lines + down_lines, from the top, `columns` wide, without a newline. */
void plot_line(struct buffer *out, const struct plot *plot, unsigned line, const struct style *style);

/* A bar that fills `columns` as `part` is of `whole`: eighths of a character, or # in ASCII; something always shows of
 * what is more than nothing. No spaces behind it. */
void plot_bar(struct buffer *out, uint64_t part, uint64_t whole, unsigned columns, const struct style *style);
