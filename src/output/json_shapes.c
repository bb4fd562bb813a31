#include "output/json_shapes.h"
#include "output/json_rows.h"
#include "protocol/tlv.h"

/* --- making one --- */

void shape_text(struct shape *shape, const char *text, uint32_t length)
{
    if (shape->length + length > SHAPE_TEXT) {
        shape->broken = true;
        return;
    }
    memcpy(shape->text + shape->length, text, length);
    shape->length += length;
    shape->before[shape->count] = (uint16_t)(shape->before[shape->count] + length);
}

void shape_hole(struct shape *shape, const struct hole *hole)
{
    if (shape->count == SHAPE_HOLES) {
        shape->broken = true;
    } else {
        shape->hole[shape->count++] = *hole;
        shape->before[shape->count] = 0;
    }
}

static void depend(struct shape *shape, uint32_t at, uint32_t size)
{
    for (uint32_t i = at; i < at + size && i < SHAPE_BYTES; i++)
        shape->mask[i / 4] |= 0xffu << i % 4 * 8;
}

static bool depends(const struct shape *shape, uint32_t at, uint32_t size)
{
    for (uint32_t i = at; i < at + size && i < SHAPE_BYTES; i++)
        if ((uint8_t)(shape->mask[i / 4] >> i % 4 * 8) != 0xff)
            return false;
    return true;
}

static enum hole_kind hole_of(const struct field *f, const struct value *value)
{
    if (f->unit || value->bit % 8 || !value->width)
        return HOLE_NONE;
    switch (f->type) {
    case FIELD_UINT:
        return value->width != 16 && value->width != 32 ? HOLE_NONE : f->adjust ? HOLE_ADJUSTED : HOLE_DECIMAL;
    case FIELD_IPV4:
        return HOLE_IPV4;
    case FIELD_MAC:
        return HOLE_MAC;
    case FIELD_BYTES:
        return HOLE_HEX;
    default:
        return HOLE_NONE;
    }
}

/* A value goes into the shape as a hole or, where it is small, as what it says now. Others are in no shape. */
static struct hole record_value(struct shape *shape, const struct field *f, uint32_t at, const struct value *value)
{
    uint32_t size = (uint32_t)value->bytes.left;
    struct hole hole = { .kind = HOLE_NONE };
    if (at + size > SHAPE_BYTES)
        shape->broken = true;
    else if (!f->adjust && depends(shape, at, size))
        return hole;
    else if ((hole.kind = hole_of(f, value)))
        hole = (struct hole){ hole.kind, (uint8_t)at, (uint8_t)size, f };
    else if (size <= 2 && !f->adjust)
        depend(shape, at, size);
    else
        shape->broken = true;
    return hole;
}

/* --- finding one --- */

static inline struct shape *find_shape(const struct json *j, uint64_t first, size_t size)
{
    uint64_t mix = (first ^ size << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return &j->shapes[mix >> 32 & (SHAPES - 1)];
}

/* A header or run that its shape's texts hold for: the bytes that they depend on are the same. */
static inline bool fits(const struct shape *shape, const struct field *row, const struct span *run)
{
    if (shape->row != row || shape->size != run->left)
        return false;
    for (uint32_t i = 0; i < shape->size / 4; i++)
        if ((load_le32(run->at + 4 * i) & shape->mask[i]) != shape->bytes[i])
            return false;
    return true;
}

static inline bool is_short(const struct span *run)
{
    return run->left && run->left % 4 == 0 && run->left <= SHAPE_BYTES;
}

static void begin_shape(struct shape *making, const struct field *row, const struct span *run)
{
    memset(making, 0, offsetof(struct shape, text));
    making->row = row;
    making->size = (uint32_t)run->left;
}

static void keep_shape(struct shape *making, const struct span *run, struct shape *where)
{
    for (uint32_t i = 0; i < making->size / 4; i++)
        making->bytes[i] = load_le32(run->at + 4 * i) & making->mask[i];
    if (!making->broken)
        *where = *making;
}

/* --- writing one --- */

static inline char *put_hole(const struct json *j, const struct hole *hole, const uint8_t *run, char *at)
{
    const uint8_t *value = run + hole->at;
    uint32_t number = hole->size == 2 ? load_be16(value) : load_be32(value);
    switch (hole->kind) {
    case HOLE_DECIMAL:
        return put_decimal(&j->digits, at, number);
    case HOLE_ADJUSTED:
        return put_number(&j->digits, at, hole->field->adjust(&j->place, number));
    case HOLE_IPV4:
        return put_dotted(&j->digits, at, number);
    case HOLE_MAC:
        return put_mac(&j->digits, at, value);
    default:
        *at++ = '"';
        at = put_hex(&j->digits, at, value, hole->size);
        *at++ = '"';
        return at;
    }
}

static inline char *put_shape(const struct json *j, const struct shape *shape, const uint8_t *run, char *at)
{
    const char *text = shape->text;
    for (uint32_t i = 0; i < shape->count; i++) {
        at = put_text(at, text, shape->before[i]);
        text += shape->before[i];
        at = put_hole(j, &shape->hole[i], run, at);
    }
    return put_text(at, text, shape->before[shape->count]);
}

/* --- options --- */

/* Whether a shape may hold an option's row: it says nothing but what the option's bytes do, or its adjust asks the
 * tracker, who is asked again each time. */
static bool is_shapely(const struct field *f)
{
    if (f->when || f->only || f->never || f->flags & FIELD_SET)
        return false;
    if (f->flags & FIELD_OWN)
        return true;
    struct field once = *f;
    once.stride = 0;
    if (f->type == FIELD_BYTES && !f->width)
        once.width = 8;
    return plan_is_plain(&once) && (!f->adjust || (f->flags & FIELD_TRACKED && f->type == FIELD_UINT));
}

static void gather_options(struct json *j, const struct field *f, const struct place *place, const struct value *value);

static void record_row(struct json *j, const struct field *f, const struct place *place, const struct value *value,
                       uint32_t run)
{
    struct shape *making = &j->making;
    if (f->flags & FIELD_OWN)
        depend(making, place->start - run, (uint32_t)place->bytes.left);
    else if (j->hole_count == SHAPE_HOLES)
        making->broken = true;
    else if ((j->holes[j->hole_count] = record_value(making, f, value->bit / 8 - run, value)).kind)
        j->pieces[j->piece_count - 1].hole = ++j->hole_count;
}

static void gather_row(struct json *j, const struct field *f, uint32_t key, const struct place *place, uint32_t run)
{
    struct value value;
    for (unsigned turn = 0; field_read(f, place, turn, &value); turn++) {
        uint32_t count = j->piece_count;
        if (f->type == FIELD_TLVS)
            gather_options(j, f, place, &value);
        else
            json_gather(j, key, f, &value);
        if (j->recording && j->piece_count > count)
            record_row(j, f, place, &value, run);
        if (!f->stride)
            break;
    }
    j->making.broken |= j->recording && !is_shapely(f);
}

static void gather_rows(struct json *j, const struct place *place, uint32_t run)
{
    for (const struct field *f = place->rows; f && f->abbrev; f++) {
        const struct row_key *row = find_row(&j->plans, j->plan, f);
        if (!row->number || j->recording)
            gather_row(j, f, row->key, place, run);
        else if (place->bytes.left * 8 >= (size_t)f->bit + f->width)
            json_gather(j, row->key, f, &(struct value){ .u = bits_load(place->bytes.at, f->bit, f->width) });
    }
}

/* The kind and length of an option are what its shape depends on. */
static void record_head(struct json *j, const struct tlv_set *set, const struct option *option, uint32_t at)
{
    depend(&j->making, at, set->kind_size + (option->tlv->alone ? 0u : set->length_size));
    j->making.broken |= option->broken || set->measure;
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
        if (j->recording)
            record_head(j, f->tlvs, &option, inside.start - start);
        inside.rows = f->tlvs->common;
        gather_rows(j, &inside, start);
        inside.rows = option.tlv->fields;
        inside.bytes = span_part(option.bytes, option.head, option.bytes.left);
        inside.start += (uint32_t)option.head;
        if (option_has_rows(&option, place->layer))
            gather_rows(j, &inside, start);
    }
}

char *json_new_options(struct json *j, const struct op *op, char *at)
{
    struct value value;
    if (!field_read(op->field, &j->place, 0, &value))
        return at;
    const struct span *run = &value.bytes;
    j->recording = j->plan->shapes && is_short(run);
    if (j->recording)
        begin_shape(&j->making, op->field, run);
    j->hole_count = 0;
    gather_options(j, op->field, &j->place, &value);
    if (!j->plan->shapes)
        return at;
    at = json_gathered(j, at);
    if (j->recording)
        keep_shape(&j->making, run, find_shape(j, load_le32(run->at), run->left));
    j->recording = false;
    return at;
}

char *json_options(struct json *j, const struct op *op, char *at)
{
    struct span run = span_part(j->place.bytes, op->offset, j->place.bytes.left);
    if (!run.left)
        return j->plan->shapes ? at : json_new_options(j, op, at);
    if (!j->plan->shapes || !is_short(&run))
        return json_new_options(j, op, at);
    const struct shape *shape = find_shape(j, load_le32(run.at), run.left);
    if (!fits(shape, op->field, &run))
        return json_new_options(j, op, at);
    return put_shape(j, shape, run.at, at);
}

/* --- headers --- */

/* Writes the rows one by one, and keeps the shape that they have. */
static char *put_new_shape(struct json *j, const struct shaped *s, struct shape *where, char *at)
{
    struct value value;
    struct shape *making = &j->making;
    begin_shape(making, s->rows, &j->place.bytes);
    memcpy(making->mask, s->mask, sizeof making->mask);
    for (const struct field *f = s->rows; f < s->rows + s->count; f++) {
        if (!field_read(f, &j->place, 0, &value))
            continue;
        const struct member *key = key_of(&j->plans, j->plan, f);
        struct hole hole = record_value(making, f, value.bit / 8, &value);
        size_t mark = buffer_used(&j->scratch); /* behind what may be gathered */
        json_value(j, &j->scratch, f, &value);
        shape_text(making, key->text, key->length);
        if (hole.kind)
            shape_hole(making, &hole);
        else
            shape_text(making, j->scratch.start + mark, (uint32_t)(buffer_used(&j->scratch) - mark));
        j->scratch.at = j->scratch.start + mark;
        at = json_row(j, key, f, &value, at);
    }
    keep_shape(making, &j->place.bytes, where);
    return at;
}

char *json_shaped(struct json *j, const struct op *op, char *at)
{
    const struct shaped *s = op->shaped;
    const struct span *header = &j->place.bytes;
    if (!is_short(header))
        return NULL;
    uint64_t first = load_le32(header->at) & s->mask[0];
    if (header->left > 4)
        first |= (uint64_t)(load_le32(header->at + 4) & s->mask[1]) << 32;
    struct shape *shape = find_shape(j, first ^ op->key, header->left);
    return fits(shape, s->rows, header) ? put_shape(j, shape, header->at, at) : put_new_shape(j, s, shape, at);
}
