/* One header in the making: rows of a table are put where the table says that they lie, and what a row needs to be
 * there is made so: the bits that its condition asks for, the length that another row tells, room. */
#include "base/text.h"
#include "inject/craft_parts.h"
#include <stdlib.h>

void region_free(struct region *r)
{
    free(r->header);
    free(r->claimed);
    free(r->forced);
    r->header = r->claimed = NULL;
    r->forced = NULL;
    r->length = r->room = r->forced_count = 0;
}

struct place region_place(const struct region *r, const struct field *rows)
{
    return (struct place){ .layer = &r->layer, .rows = rows, .bytes = { r->header, r->length } };
}

int region_resize(struct region *r, size_t n, struct error *error)
{
    if (n > CRAFT_PACKET_MAX)
        return error_set(error, ERROR_USAGE, _("%s: a header of more than %d bytes"), r->protocol, CRAFT_PACKET_MAX);
    if (n > r->room) {
        size_t room = n < 256 ? 256 : n * 2;
        uint8_t *header = realloc(r->header, room);
        if (!header)
            return error_set(error, ERROR_MEMORY, _("no memory"));
        r->header = header;
        uint8_t *claimed = realloc(r->claimed, room);
        if (!claimed)
            return error_set(error, ERROR_MEMORY, _("no memory"));
        r->claimed = claimed;
        r->room = room;
    }
    if (n > r->length) {
        memset(r->header + r->length, 0, n - r->length);
        memset(r->claimed + r->length, 0, n - r->length);
    }
    r->length = n;
    return 0;
}

static uint8_t bit_mask(uint32_t bit)
{
    return (uint8_t)(0x80 >> bit % 8);
}

bool region_is_claimed(const struct region *r, uint32_t bit, uint32_t width)
{
    for (uint32_t i = bit; i < bit + width && i / 8 < r->length; i++)
        if (r->claimed[i / 8] & bit_mask(i))
            return true;
    return false;
}

void region_claim(struct region *r, uint32_t bit, uint32_t width)
{
    for (uint32_t i = bit; i < bit + width && i / 8 < r->length; i++)
        r->claimed[i / 8] |= bit_mask(i);
}

static bool is_claimed_by_base(const struct region *r, uint32_t bit, uint32_t width)
{
    for (uint32_t i = bit; r->base && i < bit + width && i / 8 < r->base->left; i++)
        if (r->base_claimed[i / 8] & bit_mask(i))
            return true;
    return false;
}

/* Makes the header long enough for the field, if it is there and has a length of its own. */
static int make_room(struct region *r, const struct field *rows, const struct field *f, unsigned turn,
                     struct error *error)
{
    struct place place = region_place(r, rows);
    uint32_t bit, wide;
    if (!field_locate(f, &place, turn, &bit, &wide))
        return 0;
    size_t end = (bit + (size_t)wide + 7) / 8;
    return end > r->length ? region_resize(r, end, error) : 0;
}

/* Whether a row's condition reads the row's own bits. */
static bool hangs_on_itself(const struct field *f)
{
    for (const struct when *w = f->when; w && w->width; w++)
        if (w->bit < f->bit + f->width && f->bit < w->bit + w->width)
            return true;
    return false;
}

static int put_presets(struct region *r, const struct field *rows, struct error *error)
{
    for (const struct field *f = rows; f && f->abbrev; f++) {
        uint32_t bit, wide;
        struct place place = region_place(r, rows);
        if (!f->preset || (f->role == ROLE_CHECKSUM) || !field_locate(f, &place, 0, &bit, &wide) || !wide ||
            region_is_claimed(r, bit, wide))
            continue;
        int code = make_room(r, rows, f, 0, error);
        if (code)
            return code;
        place = region_place(r, rows);
        field_put(f, &place, 0, r->header, &(struct value){ .u = f->preset });
    }
    return 0;
}

static void store(struct region *r, const struct forced *forced)
{
    const struct field row = { .type = FIELD_UINT, .bit = forced->bit, .width = forced->width };
    struct place place = region_place(r, NULL);
    field_put(&row, &place, 0, r->header, &(struct value){ .u = forced->value });
    region_claim(r, forced->bit, forced->width);
}

static int begin(struct region *r, struct error *error)
{
    size_t n = r->base ? r->base->left : r->least;
    r->length = 0;
    int code = region_resize(r, n, error);
    if (code)
        return code;
    if (r->base)
        memcpy(r->header, r->base->at, n);
    for (unsigned i = 0; i < r->forced_count; i++) {
        size_t end = (r->forced[i].bit + r->forced[i].width + 7u) / 8;
        code = end > r->length ? region_resize(r, end, error) : 0;
        if (code)
            return code;
        store(r, &r->forced[i]);
    }
    for (unsigned i = 0; i < 2 && !r->base && !code; i++)
        code = put_presets(r, r->tables[i], error);
    return code;
}

/* Tells the row that counts a field's bytes or times, unless the user told it. */
static int tell(struct region *r, const struct field *rows, uint8_t row, uint64_t n, struct error *error)
{
    const struct field *counter = &rows[row - 1];
    int code = make_room(r, rows, counter, 0, error);
    struct place place = region_place(r, rows);
    uint32_t bit, wide;
    if (!code && field_locate(counter, &place, 0, &bit, &wide) && !region_is_claimed(r, bit, wide))
        field_put(counter, &place, 0, r->header, &(struct value){ .u = n });
    return code;
}

static const char *width_words(const struct field *f, uint32_t wide, char *words, size_t n)
{
    if (wide > 63)
        snprintf(words, n, "%u bytes", wide / 8);
    else if (f->unit)
        snprintf(words, n, "%u to %llu in steps of %u", (unsigned)f->plus * f->unit,
                 (unsigned long long)(((UINT64_C(1) << wide) - 1 + f->plus) * f->unit), f->unit);
    else
        snprintf(words, n, "0 to %llu", (1ULL << wide) - 1);
    return words;
}

static int too_large(const struct field *f, uint32_t wide, const struct value *v, bool number, struct error *error)
{
    char words[80];
    if (!number)
        return error_set(error, ERROR_USAGE, _("%s: %zu bytes do not fit into %u"), f->abbrev, v->bytes.left, wide / 8);
    return error_set(error, ERROR_USAGE, _("%s: %llu does not fit (%s)"), f->abbrev, (unsigned long long)v->u,
                     width_words(f, wide, words, sizeof words));
}

static bool is_number(const struct field *f)
{
    return f->type == FIELD_UINT || f->type == FIELD_UINT_LE || f->type == FIELD_BOOL || f->type == FIELD_IPV4;
}

/* The header's end is where the value's is. */
static int fit_end(struct region *r, const struct field *rows, const struct field *f, size_t n, struct error *error)
{
    struct place place = region_place(r, rows);
    uint32_t bit, wide;
    field_locate(f, &place, 0, &bit, &wide);
    return region_resize(r, bit / 8 + n, error);
}

/* Puts a value into a row whose condition reads the row itself, and looks whether it is there with it: 0, 1 (it is not,
 * and nothing was changed) or an error. */
static int put_itself(struct region *r, const struct field *rows, const struct field *f, const struct value *value,
                      struct error *error)
{
    struct field row = *f;
    row.when = NULL;
    struct place place = region_place(r, rows);
    uint32_t bit, wide;
    uint8_t before[16];
    size_t length = r->length;
    if (!field_locate(&row, &place, 0, &bit, &wide) || wide > 64)
        return 1;
    int code = make_room(r, rows, &row, 0, error);
    if (code)
        return code;
    place = region_place(r, rows);
    size_t from = bit / 8, n = (bit % 8 + wide + 7) / 8;
    memcpy(before, r->header + from, n);
    enum put put = field_put(&row, &place, 0, r->header, value);
    if (put == PUT_LARGE)
        return too_large(f, wide, value, true, error);
    if (put == PUT_DONE && field_present(f, &place)) {
        region_claim(r, bit, wide);
        return 0;
    }
    memcpy(r->header + from, before, n);
    r->length = length;
    return 1;
}

/* Puts one value; 1: the row cannot be there as things are. */
static int put_value(struct region *r, const struct field *rows, const struct field *f, unsigned turn,
                     const struct value *value, struct error *error)
{
    uint32_t bit = 0, wide = 0;
    int code = 0;
    struct place place = region_place(r, rows);
    if (hangs_on_itself(f) && is_number(f))
        return put_itself(r, rows, f, value, error);
    if (!field_present(f, &place))
        return 1;
    if (f->sized)
        code = tell(r, rows, f->sized, value->bytes.left, error);
    else if (!f->width && !is_number(f) && f->type != FIELD_NONE)
        code = fit_end(r, rows, f, value->bytes.left, error);
    if (!code)
        code = make_room(r, rows, f, turn, error);
    if (code)
        return code;
    place = region_place(r, rows);
    enum put put = field_put(f, &place, turn, r->header, value);
    field_locate(f, &place, turn, &bit, &wide);
    if (put == PUT_LARGE)
        return too_large(f, wide, value, is_number(f), error);
    if (put != PUT_DONE)
        return error_set(error, ERROR_USAGE, _("%s: has no place in this header"), f->abbrev);
    region_claim(r, bit, wide);
    return 0;
}

static int put_one(struct region *r, const struct field *rows, const struct field *f, unsigned turn,
                   const struct craft_value *v, struct error *error)
{
    uint8_t *scratch = malloc(CRAFT_PACKET_MAX), *run = NULL;
    if (!scratch)
        return error_set(error, ERROR_MEMORY, _("no memory"));
    struct value value = { 0 };
    int code = 0;
    if (f->type == FIELD_TLVS && v->kind == CRAFT_LIST) {
        code = options_build(f->tlvs, r->protocol, v, &run, &value.bytes.left, error);
        value.bytes.at = run;
    } else if (f->type == FIELD_TLVS && v->kind == CRAFT_BYTES) {
        value.bytes = (struct span){ (const uint8_t *)v->bytes, v->length };
    } else if (f->type == FIELD_TLVS) {
        code = error_set(error, ERROR_USAGE, _("%s: this is not a list of options"), f->abbrev);
    } else {
        code = craft_convert(rows, f, v, &value, scratch, error);
    }
    if (!code)
        code = put_value(r, rows, f, turn, &value, error);
    free(scratch);
    free(run);
    return code;
}

/* Puts what an entry says into a row: 0, 1 (absent) or an error. */
static int put_entry(struct region *r, const struct field *rows, const struct field *f, const struct craft_value *v,
                     struct error *error)
{
    if (f->type == FIELD_TLVS || v->kind != CRAFT_LIST || !(f->stride || f->flags & FIELD_SET))
        return put_one(r, rows, f, 0, v, error);
    int code = f->times ? tell(r, rows, f->times, v->count, error) : 0;
    if (code)
        return code;
    for (unsigned i = 0; i < v->count; i++) {
        code = put_one(r, rows, f, f->stride && !(f->flags & FIELD_SET) ? i : 0, &v->entries[i].value, error);
        if (code)
            return code;
    }
    return 0;
}

/* A row that a name stands for, and the table it is in. */
struct choice {
    const struct field *rows, *field;
};

/* With the value in it, where its condition reads that. */
static bool is_there(struct region *r, const struct choice *c, const struct craft_value *v)
{
    struct place place = region_place(r, c->rows);
    struct field row = *c->field;
    struct value value;
    uint32_t bit, wide;
    uint8_t small[16]; /* of a number's texts none is read into it but an address */
    if (!hangs_on_itself(c->field) || !is_number(c->field))
        return field_present(c->field, &place);
    row.when = NULL;
    if (craft_convert(c->rows, c->field, v, &value, small, NULL) || !field_locate(&row, &place, 0, &bit, &wide) ||
        wide > 64)
        return false;
    uint8_t bytes[72] = { 0 };
    size_t n = r->length < sizeof bytes ? r->length : sizeof bytes, end = (bit + wide + 7) / 8;
    if (end > sizeof bytes)
        return false;
    memcpy(bytes, r->header, n);
    place.bytes = (struct span){ bytes, n > end ? n : end };
    return field_put(&row, &place, 0, bytes, &value) == PUT_DONE && field_present(c->field, &place);
}

/* Whether a row could take the value at all. */
static bool takes(const struct choice *c, const struct craft_value *v)
{
    if (c->field->type == FIELD_TLVS)
        return v->kind == CRAFT_LIST || v->kind == CRAFT_BYTES;
    if (c->field->stride && v->kind == CRAFT_LIST)
        v = v->count ? &v->entries[0].value : v;
    uint8_t *scratch = malloc(CRAFT_PACKET_MAX);
    struct value value;
    bool good = scratch && !craft_convert(c->rows, c->field, v, &value, scratch, NULL);
    free(scratch);
    return good;
}

/* The row that is there and takes the value, else the first one that takes it, else the first one. */
static bool choose(struct region *r, const struct craft_entry *e, struct choice *chosen)
{
    struct choice all[2 * MATCHES_MAX];
    unsigned count = 0;
    for (unsigned t = 0; t < 2 && r->tables[t]; t++) {
        const struct field *found[MATCHES_MAX];
        unsigned n = craft_match(r->tables[t], r->protocol, e->name, true, found, MATCHES_MAX);
        for (unsigned i = 0; i < n; i++)
            all[count++] = (struct choice){ r->tables[t], found[i] };
    }
    const struct choice *first = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (!takes(&all[i], &e->value))
            continue;
        if (is_there(r, &all[i], &e->value)) {
            *chosen = all[i];
            return true;
        }
        first = first ? first : &all[i];
    }
    if (count)
        *chosen = first ? *first : all[0];
    return count;
}

/* The row that the place of a value among the others stands for: those without a role, in their order, and again from
 * the first where they repeat. */
static bool choose_by_place(const struct region *r, unsigned place, struct choice *chosen, unsigned *turn)
{
    const struct field *rows = r->tables[1] ? r->tables[1] : r->tables[0], *with[MATCHES_MAX];
    unsigned count = 0;
    bool repeats = false;
    for (const struct field *f = rows; f && f->abbrev && count < MATCHES_MAX; f++)
        if (!f->role && !f->note_bit && !f->read && !f->only) {
            with[count++] = f;
            repeats |= f->stride;
        }
    if (!count || (place >= count && !repeats))
        return false;
    *chosen = (struct choice){ rows, with[place % count] };
    *turn = place / count;
    return true;
}

static uint64_t bits_of(const struct region *r, uint32_t bit, uint32_t width)
{
    return (bit + width + 7) / 8 <= r->length ? bits_load(r->header + bit / 8, bit % 8, width) : 0;
}

/* Notes the bits that a condition needs; false if the user set them otherwise. */
static bool force(struct region *r, const struct when *when, unsigned *count)
{
    for (; when->width; when++) {
        unsigned mark = *count;
        uint64_t now = bits_of(r, when->bit, when->width);
        bool good = now >= when->low && now <= when->high && (when->bit + when->width + 7u) / 8 <= r->length;
        if (!good && !region_is_claimed(r, when->bit, when->width) && *count < FORCED_MAX) {
            r->forced[(*count)++] = (struct forced){ when->bit, when->width, when->low };
            good = true;
        }
        if (good && (!when->and || force(r, when->and, count)))
            return true;
        *count = mark;
    }
    return false;
}

static bool has_own_bits(const struct field *f)
{
    return !f->read && !f->note_bit;
}

/* The field that a condition reads, for saying so. */
static const struct field *read_by(const struct field *rows, const struct when *when)
{
    for (const struct field *f = rows; f->abbrev; f++)
        if (f->bit == when->bit && f->width == when->width && !f->after && has_own_bits(f))
            return f;
    return NULL;
}

static int cannot_be(const struct region *r, const struct choice *c, struct error *error)
{
    const struct when *when = c->field->when;
    const struct field *f = when ? read_by(c->rows, when) : NULL;
    if (!f)
        return error_set(error, ERROR_USAGE, _("%s: is not there in such a header"), c->field->abbrev);
    return error_set(error, ERROR_USAGE, _("%s: is not there where %s is %llu"), c->field->abbrev, f->abbrev,
                     (unsigned long long)bits_of(r, when->bit, when->width));
}

/* Makes a row's condition true, for the next turn: 1, or an error. */
static int make_it_so(struct region *r, const struct choice *c, struct error *error)
{
    unsigned count = r->forced_count;
    if (!r->forced)
        r->forced = calloc(FORCED_MAX, sizeof *r->forced);
    if (!r->forced)
        return error_set(error, ERROR_MEMORY, _("no memory"));
    if (!c->field->when || !force(r, c->field->when, &count) || count == r->forced_count)
        return cannot_be(r, c, error);
    r->forced_count = count;
    return 1;
}

/* What no row says, at a header's or an option's end: `rest`. */
static bool is_rest(const struct craft_entry *e)
{
    return e->name && !strcmp(e->name, CRAFT_REST) && (e->value.kind == CRAFT_BYTES || e->value.kind == CRAFT_TEXT);
}

/* One try: 0 all is in, 1 a condition was made true and all is to be put in anew, or an error. */
static int put_entries(struct region *r, const struct craft_entry *entries, unsigned count, bool *done,
                       struct error *error)
{
    struct choice choice;
    unsigned turn = 0, place = 0;
    int code;
    memset(done, 0, count);
    for (unsigned t = 0; t < 2 && r->tables[t]; t++) {
        for (const struct field *f = r->tables[t]; f->abbrev; f++)
            for (unsigned i = 0; i < count; i++) {
                if (done[i] || !entries[i].name || !choose(r, &entries[i], &choice) || choice.field != f ||
                    !is_there(r, &choice, &entries[i].value))
                    continue;
                if ((code = put_entry(r, choice.rows, f, &entries[i].value, error)) < 0)
                    return code;
                done[i] = !code;
            }
    }
    for (unsigned i = 0; i < count; i++) {
        if (done[i])
            continue;
        if (!entries[i].name && !choose_by_place(r, place++, &choice, &turn))
            return error_set(error, ERROR_USAGE, _("%s: more values than fields"), r->protocol);
        if (entries[i].name && !choose(r, &entries[i], &choice)) {
            if (is_rest(&entries[i]))
                continue;
            return error_set(error, ERROR_NOT_FOUND, _("%s: no such field: %s"), r->protocol, entries[i].name);
        }
        code = entries[i].name ? put_entry(r, choice.rows, choice.field, &entries[i].value, error)
                               : put_one(r, choice.rows, choice.field, turn, &entries[i].value, error);
        if (code == 1)
            code = make_it_so(r, &choice, error);
        if (code)
            return code;
    }
    return 0;
}

/* The fields that are there by what others say have room, set or not. */
static int grow(struct region *r, struct error *error)
{
    for (unsigned round = 0; round < FORCED_MAX; round++) {
        size_t before = r->length;
        for (unsigned t = 0; t < 2 && r->tables[t]; t++)
            for (const struct field *f = r->tables[t]; f->abbrev; f++) {
                struct place place = region_place(r, r->tables[t]);
                uint32_t bit, wide;
                if ((!f->width && !f->sized) || f->stride || f->flags & FIELD_ROOM || f->only ||
                    !field_locate(f, &place, 0, &bit, &wide) || !wide)
                    continue;
                int code = make_room(r, r->tables[t], f, 0, error);
                if (code)
                    return code;
            }
        if (r->length == before)
            break;
    }
    return 0;
}

/* Bytes behind the last field. */
static int put_rest(struct region *r, const struct craft_entry *entries, unsigned count, struct error *error)
{
    for (unsigned i = 0; i < count; i++) {
        const struct craft_value *v = &entries[i].value;
        size_t at = r->length;
        if (!is_rest(&entries[i]))
            continue;
        int code = region_resize(r, at + v->length, error);
        if (code)
            return code;
        memcpy(r->header + at, v->bytes, v->length);
        region_claim(r, (uint32_t)at * 8, (uint32_t)v->length * 8);
    }
    return 0;
}

int region_fill(struct region *r, const struct craft_entry *entries, unsigned count, struct error *error)
{
    bool *done = calloc(count + 1, sizeof *done);
    int code = done ? 1 : error_set(error, ERROR_MEMORY, _("no memory"));
    while (code == 1) {
        code = begin(r, error);
        if (!code)
            code = put_entries(r, entries, count, done, error);
    }
    free(done);
    if (!code && !r->base)
        code = grow(r, error);
    return code ? code : put_rest(r, entries, count, error);
}

bool region_compute(struct region *r, const struct field *rows, const struct field *f, uint64_t number, bool *fits)
{
    struct field row = *f;
    struct place place = region_place(r, rows);
    struct value value = { .u = number }, now;
    uint32_t bit, wide;
    *fits = true;
    if (hangs_on_itself(f) && !(r->base && !field_present(f, &place))) /* what was read keeps its kind */
        row.when = NULL;
    if (!field_locate(&row, &place, 0, &bit, &wide) || !wide || bit + wide > r->length * 8 ||
        region_is_claimed(r, bit, wide) || is_claimed_by_base(r, bit, wide))
        return false;
    uint64_t before = bits_of(r, bit, wide);
    *fits = field_put(&row, &place, 0, r->header, &value) != PUT_LARGE;
    if (*fits && field_read(f, &place, 0, &now))
        return true;
    const struct field plain = { .type = FIELD_UINT, .bit = (uint16_t)bit, .width = (uint16_t)wide };
    field_put(&plain, &place, 0, r->header, &(struct value){ .u = before });
    return false;
}

size_t region_alignment(const struct region *r)
{
    for (const struct field *f = r->tables[0]; f->abbrev; f++)
        if (f->role == ROLE_LENGTH && f->counts == COUNTS_HEADER)
            return f->step ? f->step : f->unit ? f->unit : 1;
    return 1;
}
