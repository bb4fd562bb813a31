#include "output/tree.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/heading.h"
#include "output/value.h"
#include "protocol/checksum.h"

enum { INDENT = 2, NESTED_MAX = 8, BYTES_SHOWN = 32, TEXT_SHOWN = 512 };

struct bits {
    uint32_t bit, width;
};

struct tree {
    struct sink sink;
    struct buffer *out;
    const struct style *style;
    struct bits open[NESTED_MAX]; /* the fields that the next one may lie within */
    unsigned nested, depth;       /* how many are open; how many options are */
    const char *option;           /* one has begun, and its title is not written yet */
    struct value option_value;    /* where it lies */
    bool no_bytes;                /* a layer that has none: that its fields don't come from there is no news */
    const struct layer *layer;
    unsigned row_depth;                                     /* of the row that is being written */
    void (*row)(void *context, const struct tree_row *row); /* NULL: lines are wanted */
    void *context;
};

static void indent(struct tree *t, unsigned depth)
{
    t->row_depth = depth;
    if (t->row)
        return;
    memset(buffer_room(t->out, INDENT * depth), ' ', INDENT * depth);
    t->out->at += INDENT * depth;
}

/* Ends a row: with a newline, or by handing it on. */
static void end_row(struct tree *t, const struct field *field, const struct value *value, bool bad)
{
    if (!t->row) {
        buffer_char(t->out, '\n');
        return;
    }
    struct tree_row row = { .layer = t->layer,
                            .field = field,
                            .bit = value && value->width ? value->bit : 0,
                            .width = value ? value->width : 0,
                            .depth = t->row_depth,
                            .bad = bad,
                            .text = t->out->start,
                            .length = buffer_used(t->out) };
    t->row(t->context, &row);
    t->out->at = t->out->start;
}

/* The bits of a field within the ones around it: "..01 1... = ". */
static void write_bits(struct buffer *out, const struct value *value, struct bits around)
{
    for (uint32_t i = 0; i < around.width; i++) {
        uint32_t bit = around.bit + i, within = bit - value->bit + value->bit % 8;
        bool inside = bit >= value->bit && bit < value->bit + value->width;
        if (i && (around.width - i) % 4 == 0)
            buffer_char(out, ' ');
        buffer_char(out, !inside ? '.' : value->bytes.at[within / 8] >> (7 - within % 8) & 1 ? '1' : '0');
    }
    buffer_text(out, " = ");
}

/* What of the open fields has all of the value's bits and more; the others are closed. */
static struct bits enclose(struct tree *t, const struct field *field, const struct value *value)
{
    while (t->nested) {
        struct bits last = t->open[t->nested - 1];
        if (value->bit >= last.bit && value->bit + value->width <= last.bit + last.width && value->width < last.width)
            return last;
        t->nested--;
    }
    bool ragged = (value->bit | value->width) % 8 && value->width <= 32 && field->base != BASE_HEX;
    uint32_t from = value->bit / 8 * 8, to = (value->bit + value->width + 7) / 8 * 8;
    return ragged ? (struct bits){ from, to - from } : (struct bits){ 0, 0 };
}

static void write_cut(struct tree *t, const struct field *field, const struct value *value)
{
    struct value part = *value;
    part.bytes.left = field->type == FIELD_TEXT ? TEXT_SHOWN : BYTES_SHOWN;
    value_write_named(t->out, field, &part);
    buffer_text(t->out, mark(t->style, MARK_CUT));
    buffer_format(t->out, _(" (%zu bytes)"), value->bytes.left);
}

static void write_value(struct tree *t, const struct field *field, const struct value *value)
{
    size_t most = field->type == FIELD_TEXT                                 ? TEXT_SHOWN
                  : field->type == FIELD_BYTES || field->type == FIELD_NONE ? BYTES_SHOWN
                                                                            : SIZE_MAX;
    if (field->type == FIELD_TLVS)
        buffer_format(t->out, _("%zu bytes"), value->bytes.left);
    else if (value->bytes.left > most)
        write_cut(t, field, value);
    else
        value_write_named(t->out, field, value);
    if (field->unit && value->width && !field->adjust) { /* what stands in the packet: 40 (10·4) */
        buffer_text(t->out, " (");
        buffer_decimal(t->out, value->u / field->unit - field->plus);
        if (field->plus) {
            buffer_char(t->out, '+');
            buffer_decimal(t->out, field->plus);
        }
        buffer_text(t->out, mark(t->style, MARK_TIMES));
        buffer_decimal(t->out, field->unit);
        buffer_char(t->out, ')');
    }
}

static bool is_bad_checksum(const struct field *field, const struct value *value)
{
    return field->names == checksum_status_names && (value->u == CHECKSUM_BAD || value->u == CHECKSUM_ILLEGAL);
}

/* Title and value; a field that is there or not has its title alone. */
static void write_field(struct tree *t, const struct field *field, const struct value *value)
{
    buffer_text(t->out, _(field->title));
    if (field->type == FIELD_NONE)
        return;
    buffer_text(t->out, ": ");
    write_value(t, field, value);
}

/* A field that is not from bytes: it was computed, or is known from other packets. */
static void write_bracketed(struct tree *t, const struct field *field, const struct value *value)
{
    indent(t, 1 + t->depth);
    sgr_begin(t->out, t->style, is_bad_checksum(field, value) ? SGR_RED : SGR_DIM);
    buffer_char(t->out, '[');
    write_field(t, field, value);
    buffer_char(t->out, ']');
    sgr_end(t->out, t->style);
}

/* An option's title has a line of its own, but for one that its first field says again: "Host: ...". Whether the field
 * stands in the title's place. */
static bool write_title(struct tree *t, const struct field *field)
{
    const char *title = t->option;
    t->option = NULL;
    if (!title || (field && !strcmp(title, field->title)))
        return title;
    indent(t, 1 + t->depth);
    buffer_text(t->out, _(title));
    end_row(t, NULL, &t->option_value, false);
    t->depth++;
    return false;
}

static void on_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct tree *t = (struct tree *)sink;
    if (field->flags & FIELD_HIDDEN)
        return;
    bool instead = write_title(t, field);
    if (t->no_bytes) {
        indent(t, 1);
        write_field(t, field, value);
    } else if (!value->width) {
        write_bracketed(t, field, value);
    } else {
        struct bits around = enclose(t, field, value);
        indent(t, 1 + t->depth + t->nested);
        if (around.width && around.width <= 64)
            write_bits(t->out, value, around);
        write_field(t, field, value);
        bool number = field->type == FIELD_UINT || field->type == FIELD_BOOL;
        if (number && value->width > 1 && t->nested < NESTED_MAX)
            t->open[t->nested++] = (struct bits){ value->bit, value->width };
    }
    t->depth += instead;
    end_row(t, field, value, is_bad_checksum(field, value));
}

static void on_option(struct sink *sink, const char *title, const struct value *value)
{
    struct tree *t = (struct tree *)sink;
    write_title(t, NULL);
    t->nested = 0;
    t->depth++;
    t->option = title;
    t->option_value = *value;
}

static void on_option_end(struct sink *sink)
{
    struct tree *t = (struct tree *)sink;
    write_title(t, NULL);
    t->nested = 0;
    t->depth -= 2;
}

static void on_layer(struct sink *sink, const struct packet *packet, const struct layer *layer)
{
    struct tree *t = (struct tree *)sink;
    t->nested = t->depth = 0;
    t->no_bytes = layer->protocol == &frame_protocol;
    t->layer = layer;
    t->row_depth = 0;
    sgr_begin(t->out, t->style, layer->verdict == VERDICT_BROKEN ? SGR_RED : SGR_BOLD);
    buffer_text(t->out, _(layer->protocol->title));
    sgr_end(t->out, t->style);
    if (layer->protocol == &frame_protocol) {
        buffer_char(t->out, ' ');
        buffer_decimal(t->out, packet->number);
    } else if (!heading_ends(t->out, packet, layer, t->style) && layer->protocol->summary) {
        buffer_char(t->out, ' ');
        buffer_text(t->out, mark(t->style, MARK_DOT));
        buffer_char(t->out, ' ');
        layer->protocol->summary(packet, layer, t->out);
    }
    heading_place(t->out, layer, t->style);
    end_row(t, NULL, NULL, layer->verdict == VERDICT_BROKEN);
}

static void on_layer_end(struct sink *sink, const struct packet *packet, const struct layer *layer)
{
    struct tree *t = (struct tree *)sink;
    (void)packet;
    const char *words = heading_verdict(layer, false);
    if (!words)
        return;
    indent(t, 1);
    sgr_begin(t->out, t->style, layer->verdict == VERDICT_BROKEN ? SGR_RED : SGR_YELLOW);
    buffer_char(t->out, '[');
    buffer_text(t->out, words);
    buffer_char(t->out, ']');
    sgr_end(t->out, t->style);
    end_row(t, NULL, NULL, true);
}

static void walk(struct tree *t, const struct packet *packet)
{
    t->sink = (struct sink){ on_layer, on_field, on_option, on_option_end, on_layer_end };
    struct layer frame = { .protocol = &frame_protocol };
    walk_layer(packet, &frame, &t->sink);
    walk_packet(packet, &t->sink);
}

void tree_write(struct buffer *out, const struct packet *packet, const struct style *style)
{
    struct tree t = { .out = out, .style = style };
    walk(&t, packet);
}

void tree_rows(struct buffer *scratch, const struct packet *packet, const struct style *style,
               void (*row)(void *context, const struct tree_row *row), void *context)
{
    struct tree t = { .out = scratch, .style = style, .row = row, .context = context };
    scratch->at = scratch->start;
    walk(&t, packet);
}
