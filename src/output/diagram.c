/* A header's bits are dealt out to cells: of the rows that cover a bit the narrowest has it (flags, not the word that
 * they lie in). Lines are drawn where neighbouring bits belong to different cells, and the sign at each corner follows
 * from the four lines that meet there. */
#include "output/diagram.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/cell.h"
#include "output/heading.h"
#include "protocol/checksum.h"
#include <errno.h>

enum {
    ROW = 32, /* bits */
    COLUMNS = 2 * ROW + 1,
    DRAWN_MAX = 128, /* bytes of a header; what is longer is cut, and says so */
    CELLS_MAX = 512,
    LINE_MAX = 80,
};

struct drawing {
    struct sink sink;
    struct buffer *out, *scratch;
    const struct style *style;
    const struct packet *packet;
    const struct layer *layer;
    const char *option; /* one has begun, and no field of it was met yet */
    uint32_t bits;      /* drawn */
    unsigned count;
    uint16_t owner[DRAWN_MAX * 8]; /* cell + 1; 0: none */
    struct cell cells[CELLS_MAX];
};

/* What bits are called that no row names. */
static const struct field reserved = { "", N_("Reserved"), FIELD_UINT, .base = BASE_DEC };
static const struct field reserved_bytes = { "", N_("Reserved"), FIELD_BYTES };
static const struct field padding = { "", N_("Padding"), FIELD_BYTES };
static const struct field option_data = { "", N_("Data"), FIELD_BYTES };
static const struct field cut_off = { "", N_("Cut off"), FIELD_BYTES };

/* --- cells --- */

/* Whether bits of one cell are better told by another that covers them too. The kind of an option stays whole, for its
 * name; runs of options and options themselves are only what lies around their fields. */
static bool gives_way(const struct cell *before, const struct cell *cell)
{
    if (before->kind)
        return false;
    bool around = before->field == &option_data || before->field->type == FIELD_TLVS;
    return cell->width < before->width || (around && cell->width == before->width);
}

static void deal(struct drawing *d, unsigned index)
{
    const struct cell *cell = &d->cells[index];
    for (uint32_t bit = cell->bit; bit < cell->bit + cell->width && bit < d->bits; bit++)
        if (!d->owner[bit] || gives_way(&d->cells[d->owner[bit] - 1], cell))
            d->owner[bit] = (uint16_t)(index + 1);
}

static struct cell *add_cell(struct drawing *d, const struct field *field, const struct value *value)
{
    if (d->count == CELLS_MAX || !value->width || value->bit >= d->bits)
        return NULL;
    struct cell *cell = &d->cells[d->count++];
    *cell = (struct cell){ .field = field, .value = *value, .bit = value->bit, .width = value->width };
    deal(d, d->count - 1);
    return cell;
}

/* The row of a checksum's status or of its being left to the interface, read. */
static bool read_row(const struct drawing *d, const struct field *checksum, const char *suffix, uint64_t *u)
{
    const struct field *rows = d->layer->protocol->fields;
    struct place place = { d->packet, d->layer, rows, layer_header(d->packet, d->layer), 0 };
    size_t n = strlen(checksum->abbrev);
    for (const struct field *f = rows; f->abbrev; f++) {
        struct value value;
        if (!strncmp(f->abbrev, checksum->abbrev, n) && !strcmp(f->abbrev + n, suffix) &&
            field_read(f, &place, 0, &value)) {
            *u = value.u;
            return true;
        }
    }
    return false;
}

static const char *checksum_remark(const struct drawing *d, const struct field *field)
{
    uint64_t status, left;
    if (!read_row(d, field, ".status", &status))
        return NULL;
    switch (status) {
    case CHECKSUM_GOOD:
        return _("correct");
    case CHECKSUM_UNVERIFIED:
        return _("not verified");
    case CHECKSUM_NOT_PRESENT:
        return _("none");
    }
    return read_row(d, field, ".offloaded", &left) && left ? _("left to interface") : _("bad");
}

/* A header is drawn with what stands in it, not with what that is adjusted to. */
static void take_wire_value(const struct drawing *d, struct cell *cell)
{
    const struct field *f = cell->field;
    if (!f->adjust || f->type != FIELD_UINT || cell->width > 64)
        return;
    uint64_t wire = bits_load(layer_header(d->packet, d->layer).at, cell->bit, cell->width);
    cell->value.u = f->unit ? (wire + f->plus) * f->unit : wire;
}

static void on_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct drawing *d = (struct drawing *)sink;
    if (field->flags & FIELD_HIDDEN)
        return;
    struct cell *cell = add_cell(d, field, value);
    if (!cell || field->type == FIELD_TLVS)
        return;
    take_wire_value(d, cell);
    if (field->role == ROLE_CHECKSUM)
        cell->remark = checksum_remark(d, field);
    cell->kind = field->names ? NULL : d->option;
    d->option = NULL;
}

static void on_option(struct sink *sink, const char *title, const struct value *value)
{
    struct drawing *d = (struct drawing *)sink;
    add_cell(d, &option_data, value);
    d->option = title;
}

static void on_option_end(struct sink *sink)
{
    ((struct drawing *)sink)->option = NULL;
}

/* Whether a cell has not all of the bits that it covers: others lie within it, and it is only what is between them. */
static bool is_pierced(const struct drawing *d, unsigned owner)
{
    const struct cell *cell = &d->cells[owner - 1];
    for (uint32_t bit = cell->bit; bit < cell->bit + cell->width && bit < d->bits; bit++)
        if (d->owner[bit] != owner)
            return true;
    return false;
}

/* What bits that no row names are called, by what lies around them. */
static const struct field *rest_row(const struct drawing *d, const struct cell *around, uint32_t from, uint32_t to)
{
    const struct field *unnamed = to - from <= 32 ? &reserved : &reserved_bytes;
    if (around && around->field->type == FIELD_TLVS)
        return &padding;
    if (around && around->field == &option_data && !((from | to) % 8) && to == around->bit + around->width)
        return &option_data;
    return to == d->bits && d->layer->verdict && !around ? &cut_off : unnamed;
}

/* Bits from..to that lie between fields become a cell of their own. */
static void add_rest(struct drawing *d, const struct cell *around, uint32_t from, uint32_t to)
{
    struct span header = layer_header(d->packet, d->layer);
    struct value value = { .bit = from, .width = to - from };
    value.bytes = span_part(header, from / 8, (to + 7) / 8 - from / 8);
    value.u = value.width <= 32 ? bits_load(header.at, from, value.width) : 1;
    const struct field *row = rest_row(d, around, from, to);
    if (d->count == CELLS_MAX)
        return;
    struct cell *cell = &d->cells[d->count++];
    *cell = (struct cell){ .field = row, .value = value, .bit = from, .width = value.width, .unnamed = true };
    for (uint32_t bit = from; bit < to; bit++)
        d->owner[bit] = (uint16_t)d->count;
}

static void name_the_rest(struct drawing *d)
{
    bool pierced[CELLS_MAX + 1] = { true };
    for (unsigned i = 1; i <= d->count; i++)
        pierced[i] = d->cells[i - 1].field == &option_data || is_pierced(d, i);
    for (uint32_t from = 0, to; from < d->bits; from = to) {
        unsigned owner = d->owner[from];
        for (to = from + 1; to < d->bits && d->owner[to] == owner; to++)
            ;
        if (pierced[owner])
            add_rest(d, owner ? &d->cells[owner - 1] : NULL, from, to);
    }
}

/* --- lines --- */

/* Whose a bit of a row is; 0 outside of the header. */
static unsigned at(const struct drawing *d, int row, int column)
{
    if (row < 0 || column < 0 || column >= ROW)
        return 0;
    uint32_t bit = (uint32_t)row * ROW + (uint32_t)column;
    return bit < d->bits ? d->owner[bit] : 0;
}

/* By the lines that meet: 1 up, 2 down, 4 left, 8 right. A line never ends in the open. */
static const char corners[16][4] = { " ", "│", "│", "│", "─", "┘", "┐", "┤", "─", "└", "┌", "├", "─", "┴", "┬", "┼" };
static const char ascii_corners[16] = " |||-+++-+++-+++";

static void put_corner(struct drawing *d, unsigned lines)
{
    if (d->style->ascii)
        buffer_char(d->out, ascii_corners[lines]);
    else
        buffer_text(d->out, corners[lines]);
}

/* The line above a row, unless nothing ends there. */
static void draw_border(struct drawing *d, int row)
{
    bool line[ROW + 2] = { false }; /* above bit i - 1 */
    unsigned end = 0;
    for (int i = 0; i < ROW; i++) {
        line[i + 1] = at(d, row - 1, i) != at(d, row, i);
        if (line[i + 1])
            end = (unsigned)i + 1;
    }
    if (!end)
        return;
    sgr_begin(d->out, d->style, SGR_DIM);
    for (int i = 0; i <= ROW; i++) {
        bool up = at(d, row - 1, i - 1) != at(d, row - 1, i), down = at(d, row, i - 1) != at(d, row, i);
        put_corner(d, (unsigned)(up | down << 1 | line[i] << 2 | line[i + 1] << 3));
        if (i < ROW && !((unsigned)i >= end && at(d, row, i) == 0))
            put_corner(d, line[i + 1] ? 12 : 0);
        if ((unsigned)i >= end && at(d, row, i) == 0)
            break;
    }
    sgr_end(d->out, d->style);
    buffer_char(d->out, '\n');
}

static void put_vertical(struct drawing *d)
{
    sgr_begin(d->out, d->style, SGR_DIM);
    put_corner(d, 3);
    sgr_end(d->out, d->style);
}

static void put_spaces(struct buffer *out, size_t n)
{
    memset(buffer_room(out, n), ' ', n);
    out->at += n;
}

/* Which row a cell's text stands in: the widest, the middle one of several. */
static int text_row(const struct cell *cell)
{
    uint32_t first = cell->bit / ROW, last = (cell->bit + cell->width - 1) / ROW;
    uint32_t head = ROW - cell->bit % ROW, tail = (cell->bit + cell->width - 1) % ROW + 1;
    if (first == last)
        return (int)first;
    uint32_t whole_first = first + (head < ROW), whole_last = last - (tail < ROW);
    if (whole_first <= whole_last)
        return (int)((whole_first + whole_last) / 2);
    return (int)(head >= tail ? first : last);
}

/* A cell whose two parts lie in two rows and touch nowhere: the one without text gets a sign. */
static bool is_torn(const struct cell *cell)
{
    uint32_t last = cell->bit + cell->width - 1;
    return last / ROW == cell->bit / ROW + 1 && last % ROW < cell->bit % ROW;
}

static size_t put_sign(struct buffer *out, const struct style *style)
{
    buffer_text(out, mark(style, MARK_CUT));
    return 1;
}

static enum sgr cell_color(const struct cell *cell)
{
    if (cell->remark && !strcmp(cell->remark, _("bad")))
        return SGR_RED;
    if (cell->unnamed)
        return SGR_DIM;
    return cell->width == 1 && cell->value.u ? SGR_BOLD : (enum sgr)0;
}

/* A cell's part of a row, `bits` wide from `bit` on: its text in the middle. */
static void draw_part(struct drawing *d, struct cell *cell, int row, uint32_t bit, uint32_t bits)
{
    size_t columns = 2 * bits - 1, used = 0;
    d->scratch->at = d->scratch->start;
    struct buffer *text = d->scratch + 1;
    text->at = text->start;
    bool one_row = cell->bit / ROW == (cell->bit + cell->width - 1) / ROW;
    if (!one_row && cell_is_spread(cell, COLUMNS - 2))
        used = cell_write_part(text, cell, (bit - cell->bit) / 8, bits / 8, columns, d->scratch, d->style);
    else if (row == text_row(cell) || (cell->bit + cell->width > d->bits && row == (int)(cell->bit / ROW)))
        used = cell_write(text, cell, columns, d->scratch, d->style);
    else if (is_torn(cell))
        used = put_sign(text, d->style);
    enum sgr color = cell_color(cell);
    put_spaces(d->out, (columns - used) / 2);
    if (color && used)
        sgr_begin(d->out, d->style, color);
    buffer_put(d->out, text->start, buffer_used(text));
    if (color && used)
        sgr_end(d->out, d->style);
    put_spaces(d->out, columns - used - (columns - used) / 2);
}

static void draw_row(struct drawing *d, int row)
{
    int column = 0;
    while (column < ROW && at(d, row, column)) {
        unsigned owner = at(d, row, column);
        int end = column;
        while (at(d, row, end) == owner)
            end++;
        put_vertical(d);
        draw_part(d, &d->cells[owner - 1], row, (uint32_t)(row * ROW + column), (uint32_t)(end - column));
        column = end;
    }
    put_vertical(d);
    put_spaces(d->out, (size_t)(ROW - column) * 2);
    sgr_begin(d->out, d->style, SGR_DIM);
    buffer_format(d->out, d->bits > 100 * 8 ? "%4d" : "%3d", row * ROW / 8);
    sgr_end(d->out, d->style);
    buffer_char(d->out, '\n');
}

/* --- headers --- */

static void write_heading(struct drawing *d, uint32_t drawn)
{
    const struct layer *layer = d->layer;
    const char *dot = mark(d->style, MARK_DOT), *verdict = heading_verdict(layer, true);
    sgr_begin(d->out, d->style, layer->verdict == VERDICT_BROKEN ? SGR_RED : SGR_BOLD);
    /* The headers that extend another share its label, but not its title: ipv6.hopopts. */
    const char *name = strchr(layer->protocol->name, '.') ? _(layer->protocol->title) : layer->protocol->label;
    buffer_text(d->out, name);
    sgr_end(d->out, d->style);
    size_t start = buffer_hold(d->out), wide = text_columns(name, strlen(name));
    heading_ends(d->out, d->packet, layer, d->style);
    if (layer->length > 1)
        buffer_format(d->out, _(" %s bytes %u-%u"), dot, layer->offset, layer->offset + layer->length - 1);
    else if (layer->length)
        buffer_format(d->out, _(" %s byte %u"), dot, layer->offset);
    if (drawn < layer->length)
        buffer_format(d->out, _(" (first %u of %u drawn here)"), drawn, layer->length);
    heading_place(d->out, layer, d->style);
    if (verdict)
        buffer_format(d->out, " %s %s", dot, verdict);
    const char *rfc = layer->protocol->rfc;
    size_t used = wide + text_columns(d->out->start + start, buffer_used(d->out) - start);
    buffer_release(d->out);
    if (rfc && used + strlen(rfc) + 3 <= LINE_MAX)
        buffer_format(d->out, " %s %s", dot, rfc);
    buffer_char(d->out, '\n');
}

static void write_ruler(struct drawing *d)
{
    sgr_begin(d->out, d->style, SGR_DIM);
    for (unsigned i = 0; i < ROW; i++) {
        buffer_char(d->out, ' ');
        buffer_char(d->out, i % 10 ? ' ' : (char)('0' + i / 10));
        if (i == ROW / 10 * 10)
            break;
    }
    sgr_end(d->out, d->style);
    buffer_char(d->out, '\n');
    sgr_begin(d->out, d->style, SGR_DIM);
    for (unsigned i = 0; i < ROW; i++) {
        buffer_char(d->out, ' ');
        buffer_char(d->out, (char)('0' + i % 10));
    }
    sgr_end(d->out, d->style);
    buffer_char(d->out, '\n');
}

/* Below the box: flags that are set, and what had to be shortened in its cell. */
static void write_legend(struct drawing *d)
{
    size_t used = 0;
    for (unsigned i = 0; i < d->count; i++) {
        const struct cell *cell = &d->cells[i];
        if (cell->told || d->owner[cell->bit] != i + 1)
            continue;
        d->scratch->at = d->scratch->start;
        cell_write_legend(d->scratch, cell);
        size_t n = buffer_used(d->scratch), columns = text_columns(d->scratch->start, n);
        if (used && used + 3 + columns > COLUMNS) {
            buffer_char(d->out, '\n');
            used = 0;
        }
        if (used)
            buffer_format(d->out, " %s ", mark(d->style, MARK_DOT));
        else
            buffer_char(d->out, ' ');
        used += columns + (used ? 3 : 1);
        buffer_put(d->out, d->scratch->start, n);
    }
    if (used)
        buffer_char(d->out, '\n');
}

static void draw_header(struct drawing *d, const struct layer *layer)
{
    uint32_t drawn = layer->length < DRAWN_MAX ? layer->length : DRAWN_MAX;
    d->layer = layer;
    d->bits = drawn * 8;
    d->count = 0;
    memset(d->owner, 0, sizeof d->owner);
    walk_layer(d->packet, layer, &d->sink);
    name_the_rest(d);
    write_heading(d, drawn);
    write_ruler(d);
    int rows = (int)((d->bits + ROW - 1) / ROW);
    for (int row = 0; row < rows; row++) {
        draw_border(d, row);
        draw_row(d, row);
    }
    draw_border(d, rows);
    write_legend(d);
}

/* What no dissector takes is no header, and of one that was cut there may be nothing: a line says so. */
static void write_line(struct drawing *d, const struct layer *layer)
{
    d->layer = layer;
    write_heading(d, layer->length);
}

void diagram_write(struct buffer *out, const struct packet *packet, const struct style *style)
{
    struct buffer scratch[2];
    if (buffer_open(&scratch[0], -1, 512)) {
        out->failed = ENOMEM;
        return;
    }
    if (buffer_open(&scratch[1], -1, 512)) {
        buffer_free(&scratch[0]);
        out->failed = ENOMEM;
        return;
    }
    struct drawing d;
    d.sink = (struct sink){ .field = on_field, .option = on_option, .option_end = on_option_end };
    d.out = out;
    d.scratch = scratch;
    d.style = style;
    d.packet = packet;
    d.option = NULL;
    for (unsigned i = 0; i < packet->layer_count; i++) {
        const struct layer *layer = &packet->layers[i];
        if (layer->length && layer->protocol != &data_protocol)
            draw_header(&d, layer);
        else if (layer->length || layer->verdict != VERDICT_WHOLE)
            write_line(&d, layer);
    }
    buffer_free(&scratch[0]);
    buffer_free(&scratch[1]);
}
