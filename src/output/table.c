#include "output/table.h"
#include "base/error.h"
#include <stdlib.h>

int table_open(struct table *t, struct buffer *out, const struct style *style, const struct table_column *columns)
{
    *t = (struct table){ .out = out, .style = style, .columns = columns };
    while (t->column_count < TABLE_COLUMNS && columns[t->column_count].title)
        t->column_count++;
    t->ends = malloc((size_t)TABLE_ROWS * TABLE_COLUMNS * sizeof *t->ends);
    int code = buffer_open(&t->cells, -1, 1 << 16);
    return code ? code : t->ends ? 0 : ERROR_MEMORY;
}

static void end_cell(struct table *t)
{
    if (t->cell_count)
        t->ends[t->cell_count - 1] = (uint32_t)buffer_used(&t->cells);
}

struct buffer *table_cell(struct table *t)
{
    end_cell(t);
    t->cell_count++;
    return &t->cells;
}

static const char *cell_at(const struct table *t, unsigned i, size_t *n)
{
    size_t from = i ? t->ends[i - 1] : 0;
    *n = t->ends[i] - from;
    return t->cells.start + from;
}

static const char *title_of(const struct table *t, unsigned column)
{
    const struct table_column *c = &t->columns[column];
    return t->style->ascii && c->ascii ? c->ascii : c->title;
}

enum {
    COMFORTABLE = 24,
    NARROWEST = 8
}; /* what columns that may be cut keep as long as others can be left out; at all */

/* most: what columns that may be cut count at most. */
static unsigned line_width(const struct table *t, unsigned most)
{
    unsigned width = 0;
    for (unsigned c = 0; c < t->column_count; c++) {
        if (t->hidden[c])
            continue;
        unsigned own = t->columns[c].may_cut && t->widths[c] > most ? most : t->widths[c];
        width += own + (width ? TABLE_GAP : 0);
    }
    return width;
}

static bool hide_worst(struct table *t)
{
    unsigned rank = 0;
    for (unsigned c = 0; c < t->column_count; c++)
        if (!t->hidden[c] && t->columns[c].rank > rank)
            rank = t->columns[c].rank;
    for (unsigned c = 0; c < t->column_count && rank; c++)
        t->hidden[c] |= t->columns[c].rank == rank;
    return rank;
}

static bool narrow_widest(struct table *t)
{
    unsigned widest = TABLE_COLUMNS;
    for (unsigned c = 0; c < t->column_count; c++)
        if (!t->hidden[c] && t->columns[c].may_cut && t->widths[c] > NARROWEST &&
            (widest == TABLE_COLUMNS || t->widths[c] > t->widths[widest]))
            widest = c;
    if (widest == TABLE_COLUMNS)
        return false;
    t->widths[widest]--;
    return true;
}

/* Leaves out columns until the rest fits, then cuts those that may be. */
static void fit(struct table *t)
{
    unsigned most = t->style->columns;
    while (most && line_width(t, COMFORTABLE) > most && hide_worst(t))
        ;
    while (most && line_width(t, UINT32_MAX) > most && narrow_widest(t))
        ;
}

static void measure(struct table *t)
{
    for (unsigned i = 0; i < t->cell_count; i++) {
        size_t n;
        const char *text = cell_at(t, i, &n);
        unsigned c = i % t->column_count, wide = (unsigned)text_columns(text, n);
        t->widths[c] = wide > t->widths[c] ? wide : t->widths[c];
    }
    for (unsigned c = 0; c < t->column_count && !t->begun; c++) {
        const char *title = title_of(t, c);
        unsigned wide = (unsigned)text_columns(title, strlen(title));
        t->widths[c] = wide > t->widths[c] ? wide : t->widths[c];
    }
}

/* Bytes of text that take at most so many columns. */
static size_t fitting(const char *text, size_t n, size_t columns)
{
    size_t keep = 0, used = 0;
    while (keep < n) {
        uint32_t code;
        unsigned length = utf8_length((const uint8_t *)text + keep, n - keep, &code);
        length = length ? length : 1;
        used += text_columns(text + keep, length);
        if (used > columns)
            break;
        keep += length;
    }
    return keep;
}

/* Text in so many columns: its beginning and its end, which of an address with a port say most. */
static void put_cut(struct buffer *out, const char *text, size_t n, size_t columns, bool ascii)
{
    size_t all = text_columns(text, n);
    if (all <= columns || !columns) {
        buffer_put(out, text, columns ? n : 0);
        return;
    }
    size_t tail = columns / 3, head = fitting(text, n, columns - 1 - tail);
    size_t from = fitting(text, n, all - tail); /* a character of two columns may stand across: then a column less */
    buffer_put(out, text, head);
    buffer_text(out, ascii ? "~" : "…");
    buffer_put(out, text + from, n - from);
}

static void put_spaces(struct buffer *out, size_t n)
{
    memset(buffer_room(out, n), ' ', n);
    out->at += n;
}

static void put_cell(const struct table *t, unsigned column, const char *text, size_t n, bool last)
{
    size_t wide = text_columns(text, n), room = t->widths[column];
    wide = wide < room ? wide : room;
    if (!t->columns[column].left)
        put_spaces(t->out, room - wide);
    put_cut(t->out, text, n, room, t->style->ascii);
    if (t->columns[column].left && !last)
        put_spaces(t->out, room - wide);
}

/* One line: a row's cells, or the titles. */
static void put_line(const struct table *t, unsigned first, bool titles)
{
    bool begun = false;
    unsigned last = t->column_count;
    while (last > 0 && t->hidden[last - 1])
        last--;
    for (unsigned c = 0; c < last; c++) {
        size_t n = 0;
        const char *text = titles ? title_of(t, c) : cell_at(t, first + c, &n);
        if (t->hidden[c])
            continue;
        if (begun)
            put_spaces(t->out, TABLE_GAP);
        begun = true;
        put_cell(t, c, text, titles ? strlen(text) : n, c + 1 == last);
    }
    buffer_char(t->out, '\n');
}

static void flush(struct table *t)
{
    end_cell(t);
    measure(t);
    fit(t);
    if (!t->begun && t->style->color)
        buffer_text(t->out, "\033[1m");
    if (!t->begun)
        put_line(t, 0, true);
    if (!t->begun && t->style->color) { /* before the line's end, so that nothing of the next one is touched */
        t->out->at--;
        buffer_text(t->out, "\033[0m\n");
    }
    t->begun = true;
    for (unsigned i = 0; i < t->cell_count; i += t->column_count)
        put_line(t, i, false);
    t->cell_count = 0;
    t->cells.at = t->cells.start;
}

void table_row(struct table *t)
{
    while (t->cell_count % t->column_count)
        table_cell(t);
    end_cell(t);
    if (t->cell_count == TABLE_ROWS * t->column_count)
        flush(t);
}

void table_close(struct table *t)
{
    if (t->ends && t->cells.start && (t->cell_count || !t->begun))
        flush(t);
    buffer_free(&t->cells);
    free(t->ends);
    t->ends = NULL;
}
