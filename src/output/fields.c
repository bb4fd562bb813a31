/* -T fields. Each column knows the rows its name stands for. A column of a single row is read without a walk: from the
 * hot copy where there is one, from the frame, or from the layers of its protocol. */
#include "output/fields.h"
#include "base/address.h"
#include "base/nearest.h"
#include "base/text.h"
#include "dissectors/lookup.h"
#include "dissectors/registry.h"
#include "filter/extra.h"
#include "output/value.h"
#include "protocol/sink.h"
#include <stdlib.h>

enum { REFS_MAX = 64 };

struct column {
    char *name;
    struct field_ref *refs;
    unsigned count;
    uint8_t hot_bit; /* not 0: refs[0] has a hot copy, good while this bit of `again` is clear */
    bool frame;      /* what is known of a packet before its first byte */
    bool plain;      /* one row, no option's, at most once in a layer */
    bool mixed;      /* rows of several kinds of options, or rows that repeat: their order needs a walk */
};

struct fields {
    struct fields_options options;
    unsigned count;
    struct column columns[];
};

static bool consider(void *context, const struct field_ref *ref)
{
    struct nearest *nearest = context;
    nearest_consider(nearest, ref->field->abbrev);
    if (ref->field->also)
        nearest_consider(nearest, ref->field->also);
    return true;
}

static void consider_name(void *context, const char *name)
{
    nearest_consider(context, name);
}

static int unknown(const char *name, struct error *error)
{
    struct nearest nearest;
    nearest_begin(&nearest, name);
    lookup_each(consider, &nearest);
    extra_each(consider_name, &nearest);
    if (nearest.best)
        return error_set(error, ERROR_NOT_FOUND, _("fields: no field '%s'; did you mean %s?"), name, nearest.best);
    return error_set(error, ERROR_NOT_FOUND, _("fields: no field '%s'; 'peel fields' lists them"), name);
}

static bool is_mixed(const struct field_ref *refs, unsigned count)
{
    for (unsigned i = 0; i + 1 < count; i++)
        for (unsigned k = i + 1; k < count; k++)
            if (refs[i].protocol == refs[k].protocol && (refs[i].run || refs[i].field->stride))
                return true;
    return false;
}

static int open_column(struct column *column, const char *name, struct error *error)
{
    struct field_ref refs[REFS_MAX];
    unsigned n = lookup_field(name, refs, REFS_MAX);
    if (!n)
        n = extra_field(name, refs, REFS_MAX);
    if (!n)
        return unknown(name, error);
    if (n > REFS_MAX)
        n = REFS_MAX;
    column->name = strdup(name);
    column->refs = calloc(n, sizeof *refs);
    if (!column->name || !column->refs)
        return error_set(error, ERROR_MEMORY, _("fields: no memory"));
    memcpy(column->refs, refs, n * sizeof *refs);
    column->count = n;
    if (n == 1 && refs[0].field->hot)
        column->hot_bit = refs[0].protocol->hot;
    column->frame = refs[0].protocol == &frame_protocol;
    column->mixed = is_mixed(refs, n);
    column->plain = n == 1 && !refs[0].run && !refs[0].field->stride;
    return 0;
}

int fields_open(struct fields **fields, const char *const *names, unsigned n, const struct fields_options *options,
                struct error *error)
{
    struct fields *f = calloc(1, sizeof *f + n * sizeof *f->columns);
    if (!f)
        return error_set(error, ERROR_MEMORY, _("fields: no memory"));
    f->options = *options;
    f->count = n;
    int code = 0;
    for (unsigned i = 0; i < n && !code; i++)
        code = open_column(&f->columns[i], names[i], error);
    if (code) {
        fields_close(f);
        return code;
    }
    *fields = f;
    return 0;
}

void fields_close(struct fields *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->count; i++) {
        free(f->columns[i].name);
        free(f->columns[i].refs);
    }
    free(f);
}

uint64_t fields_notes(const struct fields *f)
{
    uint64_t notes = 0;
    for (unsigned i = 0; i < f->count; i++)
        for (unsigned k = 0; k < f->columns[i].count; k++)
            notes |= lookup_notes(&f->columns[i].refs[k]) | extra_notes(f->columns[i].refs[k].field);
    return notes;
}

/* A cell being written. */
struct cell {
    struct buffer *out; /* NULL: only count */
    const struct fields_options *options;
    unsigned count, skip; /* occurrences met; how many of the first to leave out */
};

static void add(void *context, const struct field *field, const struct value *value)
{
    struct cell *cell = context;
    unsigned turn = cell->count++;
    if (!cell->out || turn < cell->skip || (turn && cell->options->occurrence == OCCURRENCE_FIRST))
        return;
    if (turn > cell->skip)
        buffer_char(cell->out, cell->options->aggregator);
    value_write(cell->out, field, value);
}

static void read_plain(const struct field *field, const struct packet *packet, const struct layer *layer,
                       struct cell *cell)
{
    struct place place = {
        .packet = packet, .layer = layer, .rows = layer->protocol->fields, .bytes = layer_header(packet, layer)
    };
    struct value value;
    if (field_read(field, &place, 0, &value))
        add(cell, field, &value);
}

/* A walk that keeps to a column's rows. */
struct column_sink {
    struct sink sink;
    const struct column *column;
    struct cell *cell;
};

static void add_if_asked(struct sink *sink, const struct field *field, const struct value *value)
{
    struct column_sink *s = (struct column_sink *)sink;
    for (unsigned i = 0; i < s->column->count; i++)
        if (s->column->refs[i].field == field) {
            add(s->cell, field, value);
            return;
        }
}

static void write_walked(const struct column *column, const struct packet *packet, struct cell *cell)
{
    static const struct layer frame = { .protocol = &frame_protocol };
    if (column->frame) {
        read_plain(column->refs[0].field, packet, &frame, cell);
        return;
    }
    for (unsigned i = 0; i < packet->layer_count; i++) {
        const struct layer *layer = &packet->layers[i];
        if (column->plain) {
            if (layer->protocol == column->refs[0].protocol)
                read_plain(column->refs[0].field, packet, layer, cell);
            continue;
        }
        if (column->mixed) {
            struct column_sink s = { .sink.field = add_if_asked, .column = column, .cell = cell };
            walk_layer(packet, layer, &s.sink);
            continue;
        }
        for (unsigned k = 0; k < column->count; k++)
            if (layer->protocol == column->refs[k].protocol)
                lookup_read(&column->refs[k], packet, layer, add, cell);
    }
}

/* A value that is kept in the packet by its row's type and width, as value_write would write it. */
static void write_hot(struct buffer *out, const struct field *field, const struct packet *packet)
{
    const char *copy = (const char *)packet + field->hot;
    struct value value = { .width = field->width };
    uint16_t two;
    uint32_t four;
    if (field->type == FIELD_IPV6 || field->type == FIELD_MAC) {
        value.bytes = (struct span){ (const uint8_t *)copy, field->width / 8u };
    } else if (field->width <= 8) {
        value.u = (uint8_t)*copy;
    } else if (field->width <= 16) {
        memcpy(&two, copy, 2);
        value.u = two;
    } else {
        memcpy(&four, copy, 4);
        value.u = four;
    }
    if (field->type == FIELD_UINT && field->base == BASE_DEC)
        out->at = write_decimal(buffer_room(out, 24), value.u);
    else if (field->type == FIELD_IPV4)
        out->at = write_ipv4(buffer_room(out, ADDRESS_TEXT), (uint32_t)value.u);
    else
        value_write(out, field, &value);
}

static void write_cell(const struct fields *f, const struct column *column, struct buffer *out,
                       const struct packet *packet)
{
    if (column->hot_bit & packet->have & ~packet->again) {
        write_hot(out, column->refs[0].field, packet);
        return;
    }
    struct cell cell = { .options = &f->options };
    if (f->options.occurrence == OCCURRENCE_LAST) {
        write_walked(column, packet, &cell);
        cell.skip = cell.count ? cell.count - 1 : 0;
        cell.count = 0;
    }
    cell.out = out;
    write_walked(column, packet, &cell);
}

void fields_write(struct fields *f, struct buffer *out, const struct packet *packet)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (i)
            buffer_char(out, f->options.separator);
        if (f->options.quote)
            buffer_char(out, f->options.quote);
        write_cell(f, &f->columns[i], out, packet);
        if (f->options.quote)
            buffer_char(out, f->options.quote);
    }
    buffer_char(out, '\n');
}

void fields_header(struct fields *f, struct buffer *out)
{
    if (!f->options.header)
        return;
    for (unsigned i = 0; i < f->count; i++) {
        if (i)
            buffer_char(out, f->options.separator);
        buffer_text(out, f->columns[i].name);
    }
    buffer_char(out, '\n');
}
