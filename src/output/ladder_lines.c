/* A ladder as lines of text:
 *
 *                        10.0.0.1:45678                              10.0.0.2:80
 *   0.000044  SYN_SENT      │────────────── SYN  seq 0 ──────────────▶│
 *
 * time, state of the left end, lifelines and arrow, state of the right end; remarks at the right where the terminal is
 * wide, else below their arrow. */
#include "base/text.h"
#include "output/heading.h"
#include "output/ladder.h"
#include "track/tcp_state.h"

enum { TIME_COLUMNS = 10, STATE_COLUMNS = 12, WIDE = 116, ARROW_MOST = 72, REMARK_LEAST = 36 };

/* Where things stand on a line, in columns. */
struct layout {
    size_t left, arrow, right;     /* the left lifeline, what lies between both, the right lifeline */
    size_t remark, remark_columns; /* 0: below */
};

static struct layout lay_out(const struct ladder *l)
{
    struct layout y = { .left = TIME_COLUMNS + 2 + STATE_COLUMNS + 1 };
    size_t columns = l->columns ? l->columns : LADDER_COLUMNS;
    if (columns < LADDER_COLUMNS_LEAST)
        columns = LADDER_COLUMNS_LEAST;
    size_t fixed = y.left + 2 + 1 + STATE_COLUMNS;
    y.arrow = columns - fixed;
    if (columns >= WIDE) {
        y.remark_columns = (columns - fixed) * 2 / 5;
        if (y.remark_columns < REMARK_LEAST)
            y.remark_columns = REMARK_LEAST;
        y.arrow = columns - fixed - y.remark_columns - 2;
        if (y.arrow > ARROW_MOST) {
            y.remark_columns += y.arrow - ARROW_MOST;
            y.arrow = ARROW_MOST;
        }
    }
    y.right = y.left + 1 + y.arrow;
    y.remark = y.right + 2 + STATE_COLUMNS + 2;
    return y;
}

/* --- pieces --- */

struct signs {
    const char *line, *right, *left, *dash, *thick, *thick_right, *thick_left, *dotted, *lost, *under, *again;
};

static const struct signs utf8 = { "│", "▶", "◀", "─", "═", "▶", "◀", "╌", "╳", "╰ ", "…" };
static const struct signs plain = { "|", ">", "<", "-", "=", ">", "<", ".", "x", "` ", "~" };

static const struct signs *signs(const struct ladder *l)
{
    return l->style.ascii ? &plain : &utf8;
}

static void repeat(struct buffer *out, const char *sign, size_t n)
{
    while (n--)
        buffer_text(out, sign);
}

static void spaces(struct buffer *out, size_t n)
{
    repeat(out, " ", n);
}

static void begin_mood(const struct ladder *l, struct buffer *out, enum ladder_mood mood)
{
    if (mood != LADDER_QUIET)
        sgr_begin(out, &l->style, mood == LADDER_WRONG ? SGR_RED : SGR_YELLOW);
}

static void end_mood(const struct ladder *l, struct buffer *out, enum ladder_mood mood)
{
    if (mood != LADDER_QUIET)
        sgr_end(out, &l->style);
}

static void put_time(struct ladder *l, struct buffer *out, const struct ladder_step *step, bool shown)
{
    if (!shown || !step->timed) {
        spaces(out, TIME_COLUMNS + 2);
        return;
    }
    char text[48];
    uint64_t us = (uint64_t)(step->time < 0 ? -step->time : step->time) / 1000;
    int n = snprintf(text, sizeof text, "%s%llu.%06llu", step->time < 0 ? "-" : "", (unsigned long long)(us / 1000000),
                     (unsigned long long)(us % 1000000));
    sgr_begin(out, &l->style, SGR_DIM);
    if (n < TIME_COLUMNS)
        spaces(out, TIME_COLUMNS - (size_t)n);
    buffer_text(out, text);
    sgr_end(out, &l->style);
    if (n < TIME_COLUMNS + 2)
        spaces(out, TIME_COLUMNS + 2 - (size_t)(n > TIME_COLUMNS ? n : TIME_COLUMNS));
}

static void put_state(struct ladder *l, struct buffer *out, const struct ladder_step *step, unsigned end)
{
    const char *name = step->entered >> end & 1 ? tcp_state_name(step->state[end]) : "";
    if (*name) {
        sgr_begin(out, &l->style, SGR_BOLD);
        buffer_text(out, name);
        sgr_end(out, &l->style);
    }
    if (end == 0)
        spaces(out, STATE_COLUMNS + 1 - strlen(name));
}

/* Both lifelines and nothing between them but a text in the middle. */
static void put_between(struct ladder *l, struct buffer *out, const struct layout *y, const char *text, size_t n)
{
    size_t wide = text_columns(text, n), before = wide < y->arrow ? (y->arrow - wide) / 2 : 0;
    buffer_text(out, signs(l)->line);
    spaces(out, before);
    buffer_put(out, text, n);
    spaces(out, y->arrow > before + wide ? y->arrow - before - wide : 0);
    buffer_text(out, signs(l)->line);
}

static size_t summary_columns(const struct ladder_step *step)
{
    return text_columns(step->summary, strlen(step->summary) - 1);
}

/* Beside the label on the arrow. */
static bool summary_fits(const struct layout *y, const struct ladder_step *step)
{
    const char *end = strchr(step->label, '\n');
    return step->summary[0] && end && (size_t)(end - step->label) + 1 + summary_columns(step) <= y->arrow - 5;
}

static void put_arrow(struct ladder *l, struct buffer *out, const struct layout *y, const struct ladder_step *step)
{
    const struct signs *s = signs(l);
    const char *dash = step->look == LADDER_TRANSFER ? s->thick : step->look == LADDER_MISSING ? s->dotted : s->dash;
    const char *head = step->look == LADDER_MISSING ? s->lost : step->from ? s->left : s->right;
    size_t mark = buffer_used(&l->scratch), room = y->arrow - 5; /* head, a dash and a space at either side */
    size_t wide = ladder_label(&l->scratch, step, room);
    if (summary_fits(y, step)) {
        buffer_text(&l->scratch, "  ");
        buffer_put(&l->scratch, step->summary, strlen(step->summary) - 1);
        wide += 2 + summary_columns(step);
    }
    size_t dashes = y->arrow - 1 - wide - 2, before = dashes / 2, after = dashes - before;
    buffer_text(out, s->line);
    begin_mood(l, out, step->mood);
    if (step->from)
        buffer_text(out, head);
    repeat(out, dash, before);
    buffer_char(out, ' ');
    buffer_put(out, l->scratch.start + mark, buffer_used(&l->scratch) - mark);
    buffer_char(out, ' ');
    repeat(out, dash, after);
    if (!step->from)
        buffer_text(out, head);
    end_mood(l, out, step->mood);
    buffer_text(out, s->line);
    l->scratch.at = l->scratch.start + mark;
}

/* --- remarks --- */

/* How many bytes of a text have room in so many columns, up to a space if one is near enough. */
static size_t fitting(const char *text, size_t n, size_t columns)
{
    size_t at = 0, used = 0, space = 0;
    while (at < n) {
        uint32_t code;
        unsigned length = utf8_length((const uint8_t *)text + at, n - at, &code);
        length = length ? length : 1;
        size_t wide = text_columns(text + at, length);
        if (used + wide > columns)
            return space ? space : at ? at : length;
        if (text[at] == ' ')
            space = at;
        used += wide;
        at += length;
    }
    return n;
}

static void put_line_below(struct ladder *l, struct buffer *out, const struct layout *y, const char *text, size_t n,
                           bool first)
{
    spaces(out, y->left);
    buffer_text(out, signs(l)->line);
    buffer_text(out, first ? "   " : "     ");
    if (first)
        buffer_text(out, signs(l)->under);
    buffer_put(out, text, n);
    size_t used = 5 + text_columns(text, n);
    spaces(out, used < y->arrow ? y->arrow - used : 0);
    buffer_text(out, signs(l)->line);
    buffer_char(out, '\n');
}

static void put_line_beside(struct ladder *l, struct buffer *out, const struct layout *y, const char *text, size_t n)
{
    spaces(out, y->left);
    buffer_text(out, signs(l)->line);
    spaces(out, y->arrow);
    buffer_text(out, signs(l)->line);
    spaces(out, y->remark - y->right - 1);
    buffer_put(out, text, n);
    buffer_char(out, '\n');
}

/* Lines behind what stands in a text already, dots between; returns how long it is now. */
static size_t join(const struct ladder *l, char *text, size_t n, const char *lines)
{
    const char *dot = l->style.ascii ? " | " : " · ";
    for (const char *end; (end = strchr(lines, '\n')) && n + 8 + (size_t)(end - lines) < LADDER_REMARK * 3;
         lines = end + 1) {
        if (n) {
            memcpy(text + n, dot, strlen(dot));
            n += strlen(dot);
        }
        memcpy(text + n, lines, (size_t)(end - lines));
        n += (size_t)(end - lines);
    }
    return n;
}

/* The remarks, all on one line as far as they have room. used: columns of the arrow's line. */
static void put_remarks(struct ladder *l, struct buffer *out, const struct layout *y, const struct ladder_step *step,
                        size_t used)
{
    char all[LADDER_REMARK * 3];
    size_t n = join(l, all, 0, summary_fits(y, step) ? "" : step->summary);
    n = join(l, all, n, step->remark);
    size_t room = y->remark_columns ? y->remark_columns : y->arrow - 6;
    bool first = true;
    if (y->remark_columns && n)
        spaces(out, y->remark - used);
    else
        buffer_char(out, '\n');
    for (size_t at = 0; at < n; first = false) {
        size_t part = fitting(all + at, n - at, room);
        if (!y->remark_columns) {
            put_line_below(l, out, y, all + at, part, first);
        } else if (first) {
            buffer_put(out, all + at, part);
            buffer_char(out, '\n');
        } else {
            put_line_beside(l, out, y, all + at, part);
        }
        at += part;
        while (at < n && all[at] == ' ')
            at++;
    }
}

/* --- lines --- */

/* The names above the lifelines, each in the middle of its own as far as there is room. */
static void put_heading(struct ladder *l, struct buffer *out, const struct layout *y)
{
    size_t n[2] = { strlen(l->ends.shown[0]), strlen(l->ends.shown[1]) };
    size_t from = n[0] / 2 < y->left ? y->left - n[0] / 2 : 0;
    size_t to = n[1] / 2 < y->right ? y->right - n[1] / 2 : 0, columns = y->remark - 2;
    if (to + n[1] > columns)
        to = columns > n[1] ? columns - n[1] : 0;
    spaces(out, from);
    buffer_text(out, l->ends.shown[0]);
    if (from + n[0] + 2 > to) {
        buffer_char(out, '\n');
        spaces(out, to);
    } else {
        spaces(out, to - from - n[0]);
    }
    buffer_text(out, l->ends.shown[1]);
    buffer_char(out, '\n');
}

static void draw_pause(struct ladder *l, struct buffer *out, const struct layout *y, const struct ladder_step *step)
{
    const char *dots = l->style.ascii ? ". . . " : "· · · ";
    size_t mark = buffer_used(&l->scratch);
    buffer_text(&l->scratch, dots);
    ladder_label(&l->scratch, step, y->arrow - 16);
    buffer_text(&l->scratch, l->style.ascii ? " . . ." : " · · ·");
    spaces(out, y->left);
    put_between(l, out, y, l->scratch.start + mark, buffer_used(&l->scratch) - mark);
    buffer_char(out, '\n');
    l->scratch.at = l->scratch.start + mark;
}

void ladder_draw_lines(struct ladder *l, struct buffer *out, const struct ladder_step *step)
{
    struct layout y = lay_out(l);
    if (!l->drawn)
        put_heading(l, out, &y);
    l->drawn = true;
    if (step->look == LADDER_PAUSE) {
        draw_pause(l, out, &y, step);
        return;
    }
    put_time(l, out, step, step->look != LADDER_BEGIN);
    put_state(l, out, step, 0);
    if (step->look == LADDER_BEGIN)
        put_between(l, out, &y, "", 0);
    else
        put_arrow(l, out, &y, step);
    size_t used = y.right + 1;
    if (step->entered & 2) {
        buffer_char(out, ' ');
        put_state(l, out, step, 1);
        used += 1 + strlen(tcp_state_name(step->state[1]));
    }
    put_remarks(l, out, &y, step, used);
}
