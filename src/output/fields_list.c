#include "output/fields_list.h"
#include "base/array.h"
#include "base/nearest.h"
#include "base/text.h"
#include "dissectors/lookup.h"
#include "dissectors/registry.h"
#include "output/heading.h"
#include "protocol/tlv.h"
#include <stdlib.h>

enum { REFS_MAX = 64, TYPE_WIDTH = 8, PLACE_WIDEST = 48 };

struct list {
    struct buffer *out;
    const struct style *style;
    const struct protocol *only; /* NULL: all */
    struct field_ref *refs;      /* every row, in the order of the tables */
    uint32_t count, room;
    size_t name_width, place_width; /* of the protocol at hand */
    struct buffer places;           /* one entry's place, as text */
    bool failed;
};

static bool collect(void *context, const struct field_ref *ref)
{
    struct list *l = context;
    if (l->only && ref->protocol != l->only)
        return true;
    l->failed = !array_grow(&l->refs, sizeof *l->refs, l->count, &l->room);
    if (l->failed)
        return false;
    l->refs[l->count++] = *ref;
    return true;
}

/* --- what the columns say --- */

static void put_type(struct buffer *out, const struct field *f)
{
    static const char *const names[] = {
        [FIELD_UINT] = "uint",    [FIELD_UINT_LE] = "uint le",   [FIELD_BOOL] = "bool",    [FIELD_MAC] = "mac",
        [FIELD_IPV4] = "ipv4",    [FIELD_IPV6] = "ipv6",         [FIELD_BYTES] = "bytes",  [FIELD_TEXT] = "text",
        [FIELD_TIME] = "time",    [FIELD_DURATION] = "duration", [FIELD_NONE] = "present", [FIELD_INT] = "int",
        [FIELD_TLVS] = "options",
    };
    buffer_text(out, names[f->type]);
}

/* "byte 8", "bytes 0-1", "byte 12 bits 4-7", "bits 100-111", "bytes 20-" */
static void put_range(struct buffer *out, uint32_t bit, uint32_t width)
{
    uint32_t first = bit / 8, last = (bit + width - 1) / 8;
    if (!width)
        buffer_format(out, _("bytes %u-"), first);
    else if (!((bit | width) % 8) && first == last)
        buffer_format(out, _("byte %u"), first);
    else if (!((bit | width) % 8))
        buffer_format(out, _("bytes %u-%u"), first, last);
    else if (width == 1)
        buffer_format(out, _("byte %u bit %u"), first, bit % 8);
    else if (first == last)
        buffer_format(out, _("byte %u bits %u-%u"), first, bit % 8, bit % 8 + width - 1);
    else
        buffer_format(out, _("bits %u-%u"), bit, bit + width - 1);
}

/* A field that begins where another one ends, or whose length another one tells. */
static void put_moving(struct buffer *out, const struct field_ref *ref)
{
    const struct field *f = ref->field, *rows = ref->rows;
    if (f->sized)
        buffer_format(out, _("%s bytes "), rows[f->sized - 1].abbrev);
    else if (f->width % 8)
        buffer_format(out, _("%u bits "), f->width);
    else if (f->width)
        buffer_format(out, _("%u bytes "), f->width / 8);
    if (f->after)
        buffer_format(out, _("after %s"), rows[f->after - 1].abbrev);
    else
        buffer_format(out, _("from %u"), f->bit / 8);
    if (f->after && f->bit)
        buffer_format(out, " + %u", f->bit / 8);
}

static void put_place(struct buffer *out, const struct field_ref *ref)
{
    const struct field *f = ref->field;
    if (f->note_bit)
        buffer_text(out, _("tracker"));
    else if (f->read)
        buffer_text(out, _("computed"));
    else if (f->after || f->sized)
        put_moving(out, ref);
    else
        put_range(out, f->bit, f->width);
}

/* " of Timestamps", " of each of tcp.options" */
static void put_option(struct buffer *out, const struct field_ref *ref)
{
    if (ref->tlv)
        buffer_format(out, _(" of %s"), _(ref->tlv->title));
    else if (ref->run)
        buffer_format(out, _(" of each of %s"), ref->run->abbrev);
}

static bool same_place(const struct field_ref *a, const struct field_ref *b)
{
    const struct field *f = a->field, *g = b->field;
    return f->bit == g->bit && f->width == g->width && f->after == g->after && f->sized == g->sized &&
           f->note_bit == g->note_bit && f->read == g->read && f->stride == g->stride;
}

/* Rows of the same protocol and name are one field. Returns how many refs there are from i on, 0 if it came before. */
static unsigned gather(const struct list *l, size_t i, const struct field_ref *same[REFS_MAX])
{
    unsigned n = 0;
    for (size_t k = 0; k < l->count; k++) {
        const struct field_ref *ref = &l->refs[k];
        if (ref->protocol != l->refs[i].protocol || strcmp(ref->field->abbrev, l->refs[i].field->abbrev) != 0)
            continue;
        if (k < i)
            return 0;
        if (n < REFS_MAX)
            same[n++] = ref;
    }
    return n;
}

/* All places of a field: those of several options that agree are said once. */
static void put_places(struct list *l, const struct field_ref *const *same, unsigned n)
{
    struct buffer *out = &l->places;
    out->at = out->start;
    for (unsigned i = 0; i < n; i++) {
        bool before = false, later = false;
        for (unsigned k = 0; k < i; k++)
            before |= same_place(same[i], same[k]);
        if (before)
            continue;
        if (i)
            buffer_text(out, _(" or "));
        put_place(out, same[i]);
        put_option(out, same[i]);
        for (unsigned k = i + 1; k < n; k++)
            later |= same[k]->tlv != same[i]->tlv && same_place(same[i], same[k]);
        if (later && same[i]->run)
            buffer_text(out, _(" and others"));
        if (same[i]->field->stride)
            buffer_format(out, _(", every %u"), same[i]->field->stride);
    }
}

/* --- the lines --- */

/* Ends a column that began with a hold. */
static void put_column(struct buffer *out, size_t mark_at, size_t width)
{
    buffer_pad(out, mark_at, width);
    buffer_release(out);
    buffer_text(out, "  ");
}

static void write_names(struct list *l, const struct field *f)
{
    int digits = (f->width + 7) / 8 * 2;
    for (const struct value_name *n = f->names; l->only && n && n->name; n++)
        if (f->base == BASE_HEX)
            buffer_format(l->out, "%*s0x%0*x  %s\n", 8 - digits, "", digits, n->value, _(n->name));
        else
            buffer_format(l->out, "%10u  %s\n", n->value, _(n->name));
}

static void write_line(struct list *l, const struct field_ref *const *same, unsigned n)
{
    const struct field *f = same[0]->field;
    size_t at = buffer_hold(l->out);
    buffer_text(l->out, f->abbrev);
    put_column(l->out, at, l->name_width);
    at = buffer_hold(l->out);
    put_type(l->out, f);
    put_column(l->out, at, TYPE_WIDTH);
    at = buffer_hold(l->out);
    put_places(l, same, n);
    buffer_put(l->out, l->places.start, buffer_used(&l->places));
    put_column(l->out, at, l->place_width);
    buffer_text(l->out, _(f->title));
    buffer_char(l->out, '\n');
    write_names(l, f);
}

/* Whether a row of refs[k]'s name lies between from and k. */
static bool came_before(const struct list *l, size_t from, size_t k)
{
    for (size_t i = from; i < k; i++)
        if (!strcmp(l->refs[i].field->abbrev, l->refs[k].field->abbrev))
            return true;
    return false;
}

/* Where a shared name was met first it gets a line: ip.addr is ip.src or ip.dst. */
static void write_shared(struct list *l, size_t i)
{
    const struct field_ref *ref = &l->refs[i];
    const char *name = ref->field->also, *separator = "";
    for (size_t k = 0; k < i; k++)
        if (l->refs[k].field->also && !strcmp(l->refs[k].field->also, name))
            return;
    size_t at = buffer_hold(l->out);
    buffer_text(l->out, name);
    put_column(l->out, at, l->name_width);
    at = buffer_hold(l->out);
    put_type(l->out, ref->field);
    put_column(l->out, at, TYPE_WIDTH);
    for (size_t k = i; k < l->count; k++) {
        const struct field *f = l->refs[k].field;
        if (!f->also || strcmp(f->also, name) != 0 || came_before(l, i, k))
            continue;
        buffer_format(l->out, "%s%s", separator, f->abbrev);
        separator = _(" or ");
    }
    buffer_char(l->out, '\n');
}

/* The columns' widths over the rows of the protocol that begins at i. */
static void measure(struct list *l, size_t i)
{
    const struct protocol *protocol = l->refs[i].protocol;
    const struct field_ref *same[REFS_MAX];
    l->name_width = l->place_width = 0;
    for (; i < l->count && l->refs[i].protocol == protocol; i++) {
        const struct field *f = l->refs[i].field;
        size_t n = strlen(f->abbrev), also = f->also ? strlen(f->also) : 0;
        n = n > also ? n : also;
        l->name_width = n > l->name_width ? n : l->name_width;
        put_places(l, same, gather(l, i, same));
        n = buffer_used(&l->places);
        l->place_width = n > l->place_width && n <= PLACE_WIDEST ? n : l->place_width;
    }
}

static void write_heading(struct list *l, const struct protocol *protocol)
{
    sgr_begin(l->out, l->style, SGR_BOLD);
    buffer_text(l->out, _(protocol->title));
    sgr_end(l->out, l->style);
    if (protocol->rfc)
        buffer_format(l->out, " %s %s", mark(l->style, MARK_DOT), protocol->rfc);
    buffer_char(l->out, '\n');
}

static void write_all(struct list *l)
{
    const struct field_ref *same[REFS_MAX];
    const struct protocol *last = NULL;
    if (l->only && !l->count)
        write_heading(l, l->only);
    for (size_t i = 0; i < l->count; i++) {
        const struct protocol *protocol = l->refs[i].protocol;
        if (protocol != last) {
            buffer_text(l->out, last ? "\n" : "");
            write_heading(l, protocol);
            measure(l, i);
        }
        last = protocol;
        unsigned n = gather(l, i, same);
        if (n)
            write_line(l, same, n);
        if (l->refs[i].field->also)
            write_shared(l, i);
    }
}

static int not_found(const char *name, struct error *error)
{
    struct nearest nearest;
    nearest_begin(&nearest, name);
    for (const struct protocol *const *p = protocols; *p; p++)
        nearest_consider(&nearest, (*p)->name);
    if (nearest.best)
        return error_set(error, ERROR_NOT_FOUND, _("fields: no protocol '%s'; did you mean %s?"), name, nearest.best);
    return error_set(error, ERROR_NOT_FOUND, _("fields: no protocol '%s'; 'peel fields' lists all"), name);
}

int fields_list_write(struct buffer *out, const char *protocol, const struct style *style, struct error *error)
{
    struct list l = { .out = out, .style = style };
    if (protocol && !(l.only = registry_by_name(protocol)))
        return not_found(protocol, error);
    if (buffer_open(&l.places, -1, 512))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    lookup_each(collect, &l);
    if (!l.failed)
        write_all(&l);
    buffer_free(&l.places);
    free(l.refs);
    return l.failed ? error_set(error, ERROR_MEMORY, "%s", _("no memory")) : 0;
}
