#include "output/json_rows.h"
#include "base/array.h"
#include "output/value.h"
#include "protocol/tlv.h"

void json_value(struct json *j, struct buffer *out, const struct field *f, const struct value *value)
{
    char *at;
    switch (f->type) {
    case FIELD_UINT:
    case FIELD_UINT_LE:
        at = buffer_room(out, NUMBER_ROOM);
        out->at = put_number(&j->digits, at, value->u);
        break;
    case FIELD_BYTES:
        at = buffer_room(out, 2 * value->bytes.left + 2);
        *at++ = '"';
        at = put_hex(&j->digits, at, value->bytes.at, value->bytes.left);
        *at++ = '"';
        out->at = at;
        break;
    default:
        value_write_json(out, f, value);
    }
}

char *json_row(struct json *j, const struct member *key, const struct field *f, const struct value *value, char *at)
{
    struct buffer *out = j->out;
    at = make_room(j, at, key->length + j->plan->room);
    at = put_text(at, key->text, key->length);
    if (j->open) {
        *j->open = '{';
        j->open = NULL;
    }
    out->at = at;
    json_value(j, out, f, value);
    return make_room(j, out->at, j->plan->room);
}

void json_gather(struct json *j, uint32_t index, const struct field *f, const struct value *value)
{
    if (!array_grow(&j->pieces, sizeof *j->pieces, j->piece_count, &j->piece_room) ||
        !array_grow(&j->touched, sizeof *j->touched, j->touched_count, &j->touched_room)) {
        j->scratch.failed = 1;
        return;
    }
    uint32_t start = (uint32_t)buffer_used(&j->scratch);
    json_value(j, &j->scratch, f, value);
    j->pieces[j->piece_count++] =
        (struct piece){ .start = start, .length = (uint32_t)buffer_used(&j->scratch) - start };
    struct member *key = &j->plan->keys[index];
    if (key->last) {
        j->pieces[key->last - 1].next = j->piece_count;
    } else {
        key->first = j->piece_count;
        j->touched[j->touched_count++] = index;
    }
    key->last = j->piece_count;
}

static void record_text(struct shape *shape, const char *text, uint32_t length)
{
    if (shape->length + length > SHAPE_TEXT) {
        shape->broken = true;
        return;
    }
    memcpy(shape->text + shape->length, text, length);
    shape->length += length;
    shape->number[shape->count].length = (uint16_t)(shape->number[shape->count].length + length);
}

static void record_piece(struct shape *shape, const struct piece *piece, const char *text)
{
    if (!piece->size) {
        record_text(shape, text, piece->length);
    } else if (shape->count == SHAPE_NUMBERS) {
        shape->broken = true;
    } else {
        shape->number[shape->count].at = piece->at;
        shape->number[shape->count++].size = piece->size;
        shape->number[shape->count].length = 0;
    }
}

/* One array of what was gathered. */
static char *put_array(struct json *j, struct member *key, char *at)
{
    at = make_room(j, at, key->length + j->plan->room);
    char *start = at;
    at = put_text(at, key->text, key->length);
    *at++ = '[';
    if (j->recording)
        record_text(&j->making, start, (uint32_t)(at - start));
    for (uint32_t p = key->first; p; p = j->pieces[p - 1].next) {
        const struct piece *piece = &j->pieces[p - 1];
        const char *text = j->scratch.start + piece->start;
        at = make_room(j, at, piece->length + j->plan->room);
        memcpy(at, text, piece->length);
        at += piece->length;
        *at++ = piece->next ? ',' : ']';
        if (j->recording) {
            record_piece(&j->making, piece, text);
            record_text(&j->making, at - 1, 1);
        }
    }
    key->first = key->last = 0;
    return at;
}

char *json_gathered(struct json *j, char *at)
{
    for (uint32_t i = 0; i < j->touched_count; i++)
        at = put_array(j, &j->plan->keys[j->touched[i]], at);
    j->touched_count = j->piece_count = 0;
    j->scratch.at = j->scratch.start;
    return make_room(j, at, j->plan->room);
}

/* --- options --- */

/* The shape depends on these bytes of the run. */
static void depend(struct shape *shape, uint32_t at, uint32_t size)
{
    for (uint32_t i = at; i < at + size && i < SHAPE_BYTES; i++)
        shape->mask[i / 4] |= 0xffu << i % 4 * 8;
}

static bool depends(const struct shape *shape, uint32_t at, uint32_t size)
{
    for (uint32_t i = at; i < at + size && i < SHAPE_BYTES; i++)
        if (!(shape->mask[i / 4] >> i % 4 * 8 & 0xff))
            return false;
    return true;
}

/* A row of an option goes into the shape as a number that is read anew each time or, where it is small, as what it
 * says now. Rows that have more to say than where they lie are in no shape. */
static void record_row(struct shape *shape, const struct field *f, uint32_t at, uint32_t size, struct piece *piece)
{
    if (depends(shape, at, size))
        return;
    if (f->type == FIELD_UINT && !f->unit && !(f->bit % 8) && (f->width == 16 || f->width == 32)) {
        piece->at = (uint8_t)at;
        piece->size = (uint8_t)size;
    } else if (size <= 2) {
        depend(shape, at, size);
    } else {
        shape->broken = true;
    }
}

static bool is_shapely(const struct field *f)
{
    struct field once = *f;
    once.stride = 0;
    return plan_is_plain(&once) && !f->adjust && !f->when && !f->only && !f->never;
}

static void gather_options(struct json *j, const struct field *f, const struct place *place, const struct value *value);

static void gather_rows(struct json *j, const struct place *place, uint32_t run)
{
    struct value value;
    for (const struct field *f = place->rows; f && f->abbrev; f++) {
        uint32_t key = find_row(&j->plans, j->plan, f)->key, count = j->piece_count;
        for (unsigned turn = 0; field_read(f, place, turn, &value); turn++) {
            if (f->type == FIELD_TLVS)
                gather_options(j, f, place, &value);
            else
                json_gather(j, key, f, &value);
            if (j->recording && j->piece_count > count)
                record_row(&j->making, f, value.bit / 8 - run, (uint32_t)value.bytes.left,
                           &j->pieces[j->piece_count - 1]);
            if (!f->stride)
                break;
        }
        j->making.broken |= j->recording && !is_shapely(f);
    }
}

static void gather_options(struct json *j, const struct field *f, const struct place *place, const struct value *value)
{
    struct option option;
    struct place inside = *place;
    struct span run = value->bytes;
    uint32_t start = value->bit / 8;
    while (tlv_next(f->tlvs, &run, &option)) {
        inside.bytes = option.bytes;
        inside.start = place->start + (uint32_t)(option.bytes.at - place->bytes.at);
        depend(&j->making, inside.start - start, f->tlvs->kind_size + (option.tlv->alone ? 0u : f->tlvs->length_size));
        j->making.broken |= option.broken || f->tlvs->measure;
        inside.rows = f->tlvs->common;
        gather_rows(j, &inside, start);
        inside.rows = option.tlv->fields;
        inside.bytes = span_part(option.bytes, option.head, option.bytes.left);
        inside.start += (uint32_t)option.head;
        if (option_has_rows(&option, place->layer))
            gather_rows(j, &inside, start);
    }
}

static inline struct shape *find_shape(const struct json *j, const struct span *run)
{
    uint64_t mix = (load_le32(run->at) ^ (uint64_t)run->left << 32) * UINT64_C(0x9e3779b97f4a7c15);
    return &j->shapes[mix >> 32 & (SHAPES - 1)];
}

/* A run that its shape's texts hold for: the bytes that they depend on are the same. */
static inline bool fits(const struct shape *shape, const struct field *row, const struct span *run)
{
    if (shape->row != row || shape->size != run->left)
        return false;
    for (uint32_t i = 0; i < shape->size / 4; i++)
        if ((load_le32(run->at + 4 * i) & shape->mask[i]) != shape->bytes[i])
            return false;
    return true;
}

static inline char *put_shape(const struct json *j, const struct shape *shape, const uint8_t *run, char *at)
{
    const char *text = shape->text;
    for (uint32_t i = 0; i < shape->count; i++) {
        at = put_text(at, text, shape->number[i].length);
        text += shape->number[i].length;
        const uint8_t *number = run + shape->number[i].at;
        at = put_decimal(&j->digits, at, shape->number[i].size == 4 ? load_be32(number) : load_be16(number));
    }
    return put_text(at, text, shape->number[shape->count].length);
}

char *json_new_options(struct json *j, const struct op *op, char *at)
{
    struct value value;
    if (!field_read(op->field, &j->place, 0, &value))
        return at;
    const struct span *run = &value.bytes;
    j->recording = j->plan->shapes && run->left && run->left % 4 == 0 && run->left <= SHAPE_BYTES;
    struct shape *making = &j->making;
    memset(making, 0, offsetof(struct shape, text));
    making->row = op->field;
    making->size = (uint32_t)run->left;
    gather_options(j, op->field, &j->place, &value);
    if (!j->plan->shapes)
        return at;
    at = json_gathered(j, at);
    if (!j->recording)
        return at;
    for (uint32_t i = 0; i < making->size / 4; i++)
        making->bytes[i] = load_le32(run->at + 4 * i) & making->mask[i];
    if (!making->broken)
        *find_shape(j, run) = *making;
    j->recording = false;
    return at;
}

char *json_options(struct json *j, const struct op *op, char *at)
{
    struct span run = span_part(j->place.bytes, op->offset, j->place.bytes.left);
    if (!j->plan->shapes || run.left % 4 || run.left > SHAPE_BYTES)
        return json_new_options(j, op, at);
    if (!run.left)
        return at;
    const struct shape *shape = find_shape(j, &run);
    if (!fits(shape, op->field, &run))
        return json_new_options(j, op, at);
    return put_shape(j, shape, run.at, at);
}
