#include "output/plot.h"

enum { BRAILLE = 0x2800, BRAILLE_STEPS = 4, ASCII_STEPS = 2 };

unsigned plot_samples(unsigned columns, const struct style *style)
{
    return style->ascii ? columns : columns * 2;
}

static double largest(const double *values, unsigned n)
{
    double most = 0;
    for (unsigned i = 0; values && i < n; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

void plot_scale(struct plot *p, unsigned lines, const struct style *style)
{
    p->count = plot_samples(p->columns, style);
    double up = largest(p->up, p->count), down = largest(p->down, p->count), all = up + down;
    if (lines < 2)
        lines = 2;
    unsigned below = down > 0 ? (unsigned)((double)lines * down / all + 0.5) : 0;
    if (down > 0 && !below)
        below = 1;
    if (up > 0 && below == lines)
        below--;
    p->up_lines = lines - below;
    p->down_lines = below;
    double step = up / p->up_lines; /* a line's worth */
    if (below && down / below > step)
        step = down / below;
    p->up_most = step * p->up_lines;
    p->down_most = step * p->down_lines;
}

/* How many of a part's steps a value fills; what is more than nothing shows. */
static unsigned filled(const double *values, unsigned i, double most, unsigned steps)
{
    if (!values || values[i] <= 0 || most <= 0)
        return 0;
    double level = values[i] / most * steps + 0.5;
    unsigned n = level > steps ? steps : (unsigned)level;
    return n ? n : 1;
}

/* The dots of half a character: `n` of four rows, from the bottom or from the top. */
static unsigned dots(unsigned n, bool right, bool from_top)
{
    static const uint8_t rows[2][BRAILLE_STEPS] = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } };
    unsigned set = 0;
    for (unsigned i = 0; i < n; i++)
        set |= rows[right][from_top ? i : BRAILLE_STEPS - 1 - i];
    return set;
}

static void put_braille(struct buffer *out, unsigned set)
{
    unsigned code = BRAILLE + set;
    if (!set) {
        buffer_char(out, ' ');
        return;
    }
    buffer_char(out, (char)(0xe0 | code >> 12));
    buffer_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
    buffer_char(out, (char)(0x80 | (code & 0x3f)));
}

/* Steps of a value that lie in line `line` of a part, counted from the axis. */
static unsigned in_line(unsigned steps, unsigned line, unsigned per_line)
{
    unsigned below = line * per_line;
    return steps <= below ? 0 : steps - below < per_line ? steps - below : per_line;
}

void plot_line(struct buffer *out, const struct plot *p, unsigned line, const struct style *style)
{
    static const char up_signs[] = " .|", down_signs[] = " '|";
    bool down = line >= p->up_lines;
    unsigned from_axis = down ? line - p->up_lines : p->up_lines - 1 - line;
    const double *values = down ? p->down : p->up;
    double most = down ? p->down_most : p->up_most;
    unsigned per_line = style->ascii ? ASCII_STEPS : BRAILLE_STEPS;
    unsigned steps = per_line * (down ? p->down_lines : p->up_lines);
    for (unsigned c = 0; c < p->columns; c++) {
        if (style->ascii) {
            unsigned n = in_line(filled(values, c, most, steps), from_axis, per_line);
            buffer_char(out, down ? down_signs[n] : up_signs[n]);
            continue;
        }
        unsigned left = in_line(filled(values, c * 2, most, steps), from_axis, per_line);
        unsigned right = in_line(filled(values, c * 2 + 1, most, steps), from_axis, per_line);
        put_braille(out, dots(left, false, down) | dots(right, true, down));
    }
}

void plot_bar(struct buffer *out, uint64_t part, uint64_t whole, unsigned columns, const struct style *style)
{
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    if (!part || !whole || !columns)
        return;
    unsigned steps = style->ascii ? 1 : 8;
    double wanted = (double)part / (double)whole * columns * steps + 0.5;
    unsigned n = wanted > columns * steps ? columns * steps : (unsigned)wanted;
    n = n ? n : 1;
    for (unsigned i = 0; i < n / steps; i++)
        buffer_text(out, style->ascii ? "#" : "█");
    if (!style->ascii)
        buffer_text(out, eighths[n % steps]);
}
