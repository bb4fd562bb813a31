#include "output/cell.h"
#include "base/text.h"
#include "output/heading.h"
#include "output/value.h"

enum form { NOTHING, FULL, SHORT, INITIALS };

/* How a text may look, the best first. Names of options are worth more than the word "Kind". */
struct shape {
    uint8_t title, name; /* enum form */
};
static const struct shape shapes[] = {
    { FULL, FULL },    { SHORT, FULL },    { FULL, SHORT },       { SHORT, SHORT },
    { FULL, NOTHING }, { SHORT, NOTHING }, { INITIALS, NOTHING }, { NOTHING, NOTHING },
};
static const struct shape kind_shapes[] = {
    { FULL, FULL },    { NOTHING, FULL },  { NOTHING, SHORT },   { FULL, INITIALS },
    { FULL, NOTHING }, { SHORT, NOTHING }, { NOTHING, NOTHING },
};

/* How the words of headers are shortened, in the usual way. */
static const struct {
    const char *word, *brief;
} abbreviations[] = {
    { "Acknowledgment", "Ack" }, { "Address", "Addr" },       { "Autonomous", "Auto" },  { "Checksum", "Cksum" },
    { "Code", "Code" },          { "Configuration", "Conf" }, { "Destination", "Dst" },  { "Differentiated", "Diff" },
    { "Extended", "Ext" },       { "Fragment", "Frag" },      { "Hardware", "HW" },      { "Header", "Hdr" },
    { "Identification", "ID" },  { "Identifier", "ID" },      { "Information", "Info" }, { "Length", "Len" },
    { "Maximum", "Max" },        { "Multicast", "Mcast" },    { "Number", "No" },        { "Option", "Opt" },
    { "Options", "Opts" },       { "Permitted", "Perm" },     { "Preference", "Pref" },  { "Preferred", "Pref" },
    { "Priority", "Prio" },      { "Protocol", "Proto" },     { "Reserved", "Res" },     { "Response", "Resp" },
    { "Sequence", "Seq" },       { "Source", "Src" },         { "Version", "Ver" },
};

static const char *abbreviate(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof abbreviations / sizeof *abbreviations; i++)
        if (!strncasecmp(abbreviations[i].word, word, n) && !abbreviations[i].word[n])
            return abbreviations[i].brief;
    return NULL;
}

/* The first letter of a word, as a capital. */
static void put_initial(struct buffer *out, const char *word, size_t n)
{
    uint32_t code;
    if (n && *word >= 'a' && *word <= 'z')
        buffer_char(out, (char)(*word - 'a' + 'A'));
    else
        buffer_put(out, word, n ? utf8_length((const uint8_t *)word, n, &code) : 0);
}

/* The words of a title or name; what stands in brackets at its end is left out. */
static void put_words(struct buffer *out, const char *text, enum form form)
{
    const char *end = strstr(text, " (");
    end = end ? end : text + strlen(text);
    if (form == FULL) {
        buffer_put(out, text, (size_t)(end - text));
        return;
    }
    const char *comma = strchr(text, ',');
    end = comma && comma < end ? comma : end;
    for (const char *word = text; word < end;) {
        size_t n = strcspn(word, " -");
        n = word + n > end ? (size_t)(end - word) : n;
        const char *brief = form == SHORT ? abbreviate(word, n) : NULL;
        if (brief)
            buffer_text(out, brief);
        else if (form == SHORT)
            buffer_put(out, word, n);
        else if (!(n == 2 && !strncmp(word, "of", 2)) && !(n == 3 && !strncmp(word, "and", 3)))
            put_initial(out, word, n);
        word += n;
        if (word < end && form == SHORT)
            buffer_char(out, *word);
        word += word < end;
    }
}

/* What a length counted in units says: "10·4B". */
static void put_units(struct buffer *out, const struct cell *cell, const struct style *style)
{
    const struct field *f = cell->field;
    uint64_t wire = cell->value.u / f->unit - f->plus;
    if (f->plus)
        buffer_char(out, '(');
    buffer_decimal(out, wire);
    if (f->plus) {
        buffer_char(out, '+');
        buffer_decimal(out, f->plus);
        buffer_char(out, ')');
    }
    buffer_text(out, mark(style, MARK_TIMES));
    buffer_decimal(out, f->unit);
    if (f->role == ROLE_LENGTH)
        buffer_char(out, 'B');
}

static void put_value(struct buffer *out, const struct cell *cell, const struct style *style)
{
    if (cell->field->unit)
        put_units(out, cell, style);
    else
        value_write(out, cell->field, &cell->value);
}

static const char *name_of(const struct cell *cell)
{
    const struct field *f = cell->field;
    bool number = f->type == FIELD_UINT || f->type == FIELD_UINT_LE;
    if (cell->remark)
        return cell->remark;
    return cell->kind ? _(cell->kind) : number ? field_value_name(f, cell->value.u) : NULL;
}

/* The text in one shape into scratch. */
static void shape_text(struct buffer *scratch, const struct cell *cell, struct shape shape, const struct style *style)
{
    scratch->at = scratch->start;
    if (shape.title) {
        put_words(scratch, _(cell->field->title), shape.title);
        if (cell->field->type == FIELD_NONE)
            return;
        buffer_char(scratch, ' ');
    }
    put_value(scratch, cell, style);
    const char *name = shape.name ? name_of(cell) : NULL;
    if (name) {
        buffer_char(scratch, ' ');
        put_words(scratch, name, shape.name);
    }
}

static size_t scratch_columns(const struct buffer *scratch)
{
    return text_columns(scratch->start, buffer_used(scratch));
}

/* Copies what has room, with a sign where more would have come. */
static size_t put_cut(struct buffer *out, const struct buffer *scratch, size_t columns, const struct style *style)
{
    size_t n = buffer_used(scratch), all = scratch_columns(scratch);
    if (all <= columns) {
        buffer_put(out, scratch->start, n);
        return all;
    }
    size_t keep = 0, used = 0;
    while (keep < n) {
        uint32_t code;
        unsigned length = utf8_length((const uint8_t *)scratch->start + keep, n - keep, &code);
        length = length ? length : 1;
        size_t wide = text_columns(scratch->start + keep, length);
        if (used + wide >= columns)
            break;
        keep += length;
        used += wide;
    }
    buffer_put(out, scratch->start, keep);
    buffer_text(out, mark(style, MARK_CUT));
    return used + 1;
}

/* One column: the flag's letter when it is set. */
static size_t put_flag(struct buffer *out, const struct cell *cell, const struct style *style)
{
    const char *title = cell->field->title;
    uint32_t code;
    if (cell->field->type != FIELD_BOOL)
        buffer_char(out, cell->value.u ? '1' : '0');
    else if (!cell->value.u)
        buffer_text(out, style->ascii ? "." : "·");
    else
        buffer_put(out, title, utf8_length((const uint8_t *)title, strlen(title), &code));
    return 1;
}

/* A number that not even its value's usual spelling has room for: "0x02" in three columns. */
static void put_bare_number(struct buffer *scratch, const struct cell *cell)
{
    scratch->at = scratch->start;
    if (cell->field->type == FIELD_BOOL || cell->value.u < 10 || cell->field->base == BASE_DEC)
        buffer_decimal(scratch, cell->value.u);
    else
        buffer_hex(scratch, cell->value.u, 1);
}

/* Whether a reader misses nothing: usual abbreviations do no harm, initials and what is left out do. */
static bool is_all(const struct cell *cell, struct shape shape)
{
    bool title = shape.title == FULL || shape.title == SHORT || cell->kind;
    bool name = shape.name == FULL || shape.name == SHORT || !name_of(cell);
    return title && name;
}

size_t cell_write(struct buffer *out, struct cell *cell, size_t columns, struct buffer *scratch,
                  const struct style *style)
{
    const struct field *f = cell->field;
    cell->told = f->type == FIELD_BOOL ? !cell->value.u : cell->unnamed;
    if (columns == 1 && cell->width == 1)
        return put_flag(out, cell, style);
    const struct shape *shape = cell->kind ? kind_shapes : shapes;
    bool one_word = !strpbrk(_(f->title), " -");
    for (;; shape++) {
        if (shape->title == INITIALS && one_word)
            continue;
        shape_text(scratch, cell, *shape, style);
        size_t used = scratch_columns(scratch);
        if (used <= columns) {
            cell->told |= is_all(cell, *shape);
            buffer_put(out, scratch->start, buffer_used(scratch));
            return used;
        }
        if (!shape->title && !shape->name)
            break;
    }
    bool number = f->type == FIELD_UINT || f->type == FIELD_UINT_LE || f->type == FIELD_BOOL;
    if (number && !f->unit)
        put_bare_number(scratch, cell);
    return put_cut(out, scratch, columns, style);
}

bool cell_is_spread(const struct cell *cell, size_t columns)
{
    if (cell->field->type != FIELD_BYTES && cell->field->type != FIELD_TEXT)
        return false;
    return strlen(_(cell->field->title)) + 1 + cell->value.bytes.left * 2 > columns;
}

size_t cell_write_part(struct buffer *out, const struct cell *cell, size_t from, size_t n, size_t columns,
                       struct buffer *scratch, const struct style *style)
{
    scratch->at = scratch->start;
    if (!from) {
        put_words(scratch, _(cell->field->title), FULL);
        buffer_char(scratch, ' ');
    }
    struct span part = span_part(cell->value.bytes, from, n);
    if (cell->field->type == FIELD_TEXT)
        buffer_escaped(scratch, part.at, part.left);
    else
        buffer_bytes(scratch, part.at, part.left, ' ');
    return put_cut(out, scratch, columns, style);
}

void cell_write_legend(struct buffer *out, const struct cell *cell)
{
    const struct field *f = cell->field;
    if (f->type == FIELD_BOOL && cell->width == 1) {
        uint32_t code;
        buffer_put(out, f->title, utf8_length((const uint8_t *)f->title, strlen(f->title), &code));
        buffer_char(out, ' ');
        buffer_text(out, _(f->title));
        return;
    }
    buffer_text(out, _(f->title));
    if (f->type == FIELD_NONE)
        return;
    buffer_char(out, ' ');
    value_write_named(out, f, &cell->value);
    const char *more = cell->remark ? cell->remark : cell->kind ? _(cell->kind) : NULL;
    if (more) {
        buffer_char(out, ' ');
        buffer_text(out, more);
    }
}
