#include "output/json_ops.h"
#include "output/json_rows.h"
#include "output/json_shapes.h"
#include <stdlib.h>

static inline char *go_on(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return op->code(j, op, at, h);
}

static char *end(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    (void)j, (void)op, (void)h;
    return at;
}

/* --- rows by field_read --- */

/* A row that is no array; nothing if a row of the same name was there. */
static char *put_row(struct json *j, const struct field *f, uint32_t index, char *at)
{
    struct value value;
    struct member *key = &j->plan->keys[index];
    if (key->written == j->layer || !field_read(f, &j->place, 0, &value))
        return at;
    key->written = j->layer;
    return json_row(j, key, f, &value, at);
}

static char *row(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_row(j, op->field, op->key, at), h);
}

static char *shadowed(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, at, h);
}

static void gather_many(struct json *j, const struct op *op)
{
    struct value value;
    for (unsigned turn = 0; field_read(op->field, &j->place, turn, &value); turn++) {
        json_gather(j, op->key, op->field, &value);
        if (!op->field->stride)
            break;
    }
}

static char *many(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    gather_many(j, op);
    return go_on(j, op + 1, at, h);
}

static char *options(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, json_options(j, op, at), h);
}

static char *put_rows(struct json *j, const struct field *rows, unsigned count, char *at)
{
    for (const struct field *f = rows; f < rows + count; f++)
        at = put_row(j, f, find_row(&j->plans, j->plan, f)->key, at);
    return at;
}

char *json_short_rows(struct json *j, char *at)
{
    for (const struct op *op = j->plan->ops; op->kind != OP_END; op++) {
        if (op->kind == OP_MANY)
            gather_many(j, op);
        else if (op->kind == OP_OPTIONS)
            at = json_new_options(j, op, at);
        else if (op_has_segment(op))
            at = put_rows(j, op->segment->rows, op->segment->count, at);
        else if (op->kind == OP_SHAPED)
            at = put_rows(j, op->shaped->rows, op->shaped->count, at);
        else if (op->kind != OP_GUARD && op->kind != OP_IF_NOTED)
            at = put_row(j, op->field, op->key, at);
    }
    return at;
}

/* --- conditions --- */

static char *guard(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    unsigned flags = j->place.layer->flags;
    bool skips = (op->never & flags) || (op->only && !(op->only & flags));
    return go_on(j, op + 1 + skips, at, h);
}

static char *if_noted(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, j->noted & op->noted ? op + 1 : op + 1 + op->skip, at, h);
}

/* --- values of the header --- */

static char *be16(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    at = put_decimal(&j->digits, put_key(at, op), load_be16(h + op->offset));
    return go_on(j, op + 1, at, h);
}

static char *be32(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    at = put_decimal(&j->digits, put_key(at, op), load_be32(h + op->offset));
    return go_on(j, op + 1, at, h);
}

static char *twin(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    struct member *key = &j->plan->keys[op->key];
    if (key->written != j->layer) {
        key->written = j->layer;
        at = put_decimal(&j->digits, put_key(at, op), load_be32(h + op->offset));
    }
    return go_on(j, op + 1, at, h);
}

static char *adjusted(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    const struct field *f = op->field;
    at = put_number(&j->digits, put_key(at, op), f->adjust(&j->place, bits_load(h, f->bit, f->width)));
    return go_on(j, op + 1, at, h);
}

static char *address(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    uint64_t shown = op->field->adjust(&j->place, load_be32(h + op->offset));
    at = put_dotted(&j->digits, put_key(at, op), (uint32_t)shown);
    return go_on(j, op + 1, at, h);
}

static char *ipv4(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    at = put_dotted(&j->digits, put_key(at, op), load_be32(h + op->offset));
    return go_on(j, op + 1, at, h);
}

static char *mac(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    at = put_mac(&j->digits, put_key(at, op), h + op->offset);
    return go_on(j, op + 1, at, h);
}

static char *rest(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    size_t left = j->place.bytes.left;
    if (left <= op->offset)
        return go_on(j, op + 1, at, h);
    left -= op->offset;
    at = put_key(make_room(j, at, 2 * left + j->plan->room), op);
    *at++ = '"';
    at = put_hex(&j->digits, at, h + op->offset, left);
    *at++ = '"';
    return go_on(j, op + 1, at, h);
}

/* --- segments --- */

/* The text of a segment that was not kept, by field_read; kept now in *slot, unless that is NULL. */
static char *put_fresh(struct json *j, const struct segment *s, struct slot *slot, const uint64_t words[4], char *at)
{
    struct value value;
    char *start = at;
    for (const struct field *f = s->rows; f < s->rows + s->count; f++) {
        if (!field_read(f, &j->place, 0, &value))
            continue;
        const struct member *key = key_of(&j->plans, s->plan, f);
        at = put_text(at, key->text, key->length);
        struct buffer direct = { .start = at, .at = at, .end = at + SEGMENT_BYTES * 6 + ADDRESS_ROOM, .fd = -1 };
        json_value(j, &direct, f, &value);
        at = direct.at;
    }
    if (slot) {
        memcpy(slot->bytes, words, sizeof slot->bytes);
        slot->length = (uint32_t)(at - start);
        memcpy(slot->text, start, slot->length);
    }
    return at;
}

/* Makes the slots when the first text is to be kept. False: no memory. */
static bool has_slots(struct segment *s)
{
    if (s->last)
        return true;
    char *kept = calloc(1, (size_t)s->slots * s->stride + CHUNK);
    if (!kept)
        return false;
    s->kept = kept;
    s->last = s->slots - 1;
    return true;
}

static inline struct slot *narrow_slot(const struct segment *s, uint64_t bytes)
{
    return (struct slot *)(s->kept + (bytes * UINT64_C(0x9e3779b97f4a7c15) >> 32 & s->last) * s->stride);
}

static inline struct slot *wide_slot(const struct segment *s, const uint64_t w[4])
{
    uint64_t mix = w[0] * UINT64_C(0x9e3779b97f4a7c15) ^ w[3] * UINT64_C(0xd6e8feb86659fd93);
    mix = (mix ^ (w[1] + w[2]) * UINT64_C(0xa0761d6478bd642f)) * UINT64_C(0xe7037ed1a0b428db);
    return (struct slot *)(s->kept + (mix >> 48 & s->last) * s->stride);
}

static inline bool holds_words(const struct slot *slot, const uint64_t w[4])
{
    return !((slot->bytes[0] ^ w[0]) | (slot->bytes[1] ^ w[1]) | (slot->bytes[2] ^ w[2]) | (slot->bytes[3] ^ w[3]));
}

static __attribute__((noinline)) char *keep_narrow(struct json *j, struct segment *s, uint64_t bytes, char *at)
{
    uint64_t words[4] = { bytes };
    return put_fresh(j, s, has_slots(s) ? narrow_slot(s, bytes) : NULL, words, at);
}

static inline char *put_narrow(struct json *j, struct segment *s, const uint8_t *from, uint32_t size, char *at)
{
    uint64_t bytes = load_narrow(from, size) & s->mask[0];
    const struct slot *slot = narrow_slot(s, bytes);
    if (__builtin_expect(slot->bytes[0] != bytes || !slot->length, 0))
        return keep_narrow(j, s, bytes, at);
    return put_text(at, slot->text, slot->length);
}

static __attribute__((noinline)) char *put_wide(struct json *j, struct segment *s, const uint8_t *from, char *at)
{
    uint64_t w[4];
    load_wide(w, from, s->size);
    for (unsigned i = 0; i < 4; i++)
        w[i] &= s->mask[i];
    const struct slot *slot = wide_slot(s, w);
    if (holds_words(slot, w) && slot->length)
        return put_text(at, slot->text, slot->length);
    return put_fresh(j, s, has_slots(s) ? wide_slot(s, w) : NULL, w, at);
}

static char *kept_1(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_narrow(j, op->segment, h + op->offset, 1, at), h);
}

static char *kept_2(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_narrow(j, op->segment, h + op->offset, 2, at), h);
}

static char *kept_4(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_narrow(j, op->segment, h + op->offset, 4, at), h);
}

static char *kept_8(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_narrow(j, op->segment, h + op->offset, 8, at), h);
}

static char *kept(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_narrow(j, op->segment, h + op->offset, op->segment->size, at), h);
}

static char *kept_wide(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    return go_on(j, op + 1, put_wide(j, op->segment, h + op->offset, at), h);
}

static char *shaped(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    char *end = json_shaped(j, op, at);
    if (!end)
        end = put_rows(j, op->shaped->rows, op->shaped->count, at);
    return go_on(j, op + 1, end, h);
}

/* --- notes --- */

static inline uint32_t note_number(const struct json *j, const struct op *op)
{
    uint32_t value;
    memcpy(&value, (const char *)j->note + op->offset, sizeof value);
    return value;
}

static char *note(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (j->noted & op->noted)
        at = put_decimal(&j->digits, put_key(at, op), note_number(j, op));
    return go_on(j, op + 1, at, h);
}

static char *note_twin(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (j->noted & op->noted) {
        j->plan->keys[op->key].written = j->layer;
        at = put_decimal(&j->digits, put_key(at, op), note_number(j, op));
    }
    return go_on(j, op + 1, at, h);
}

static char *note_int(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (j->noted & op->noted) {
        uint32_t value = note_number(j, op);
        at = put_key(at, op);
        if (value >> 31) {
            *at++ = '-';
            value = 0 - value;
        }
        at = put_decimal(&j->digits, at, value);
    }
    return go_on(j, op + 1, at, h);
}

static char *note_time(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (j->noted & op->noted) {
        int64_t value;
        memcpy(&value, (const char *)j->note + op->offset, sizeof value);
        at = put_time(&j->digits, put_key(at, op), value);
    }
    return go_on(j, op + 1, at, h);
}

static char *note_none(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (j->noted & op->noted)
        at = put_bool(put_key(at, op), true);
    return go_on(j, op + 1, at, h);
}

/* --- computed values --- */

/* The value of a computed row, 0 where it does not say one. */
static inline bool compute(struct json *j, const struct op *op)
{
    j->value.u = 0;
    return op->read(&j->place, &j->value);
}

static char *computed(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (compute(j, op))
        at = put_number(&j->digits, put_key(at, op), j->value.u);
    return go_on(j, op + 1, at, h);
}

static char *computed_bool(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (compute(j, op))
        at = put_bool(put_key(at, op), j->value.u);
    return go_on(j, op + 1, at, h);
}

static char *computed_time(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    if (compute(j, op))
        at = put_time(&j->digits, put_key(at, op), j->value.i);
    return go_on(j, op + 1, at, h);
}

static char *computed_other(struct json *j, const struct op *op, char *at, const uint8_t *h)
{
    j->value = (struct value){ 0 };
    if (op->read(&j->place, &j->value))
        at = json_row(j, &j->plan->keys[op->key], op->field, &j->value, at);
    return go_on(j, op + 1, at, h);
}

op_code *const json_op_codes[OP_KINDS] = {
    [OP_END] = end,
    [OP_GUARD] = guard,
    [OP_IF_NOTED] = if_noted,
    [OP_SHADOWED] = shadowed,
    [OP_BE16] = be16,
    [OP_BE32] = be32,
    [OP_TWIN] = twin,
    [OP_ADJUSTED] = adjusted,
    [OP_ADDRESS] = address,
    [OP_IPV4] = ipv4,
    [OP_MAC] = mac,
    [OP_KEPT_1] = kept_1,
    [OP_KEPT_2] = kept_2,
    [OP_KEPT_4] = kept_4,
    [OP_KEPT_8] = kept_8,
    [OP_KEPT] = kept,
    [OP_KEPT_WIDE] = kept_wide,
    [OP_SHAPED] = shaped,
    [OP_NOTE] = note,
    [OP_NOTE_TWIN] = note_twin,
    [OP_NOTE_INT] = note_int,
    [OP_NOTE_TIME] = note_time,
    [OP_NOTE_NONE] = note_none,
    [OP_READ] = computed,
    [OP_READ_BOOL] = computed_bool,
    [OP_READ_TIME] = computed_time,
    [OP_READ_OTHER] = computed_other,
    [OP_REST] = rest,
    [OP_ROW] = row,
    [OP_MANY] = many,
    [OP_OPTIONS] = options,
};
