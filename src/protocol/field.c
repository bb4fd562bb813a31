/* Reads a field by its row: whether it is there, where it lies, what it is. */
#include "protocol/field.h"
#include "protocol/packet.h"
#include <stddef.h>

static bool holds(const struct when *when, struct span bytes)
{
    for (; when->width; when++) {
        if ((when->bit + when->width + 7u) / 8 > bytes.left)
            continue;
        uint64_t v = bits_load(bytes.at, when->bit, when->width);
        if (v >= when->low && v <= when->high && (!when->and || holds(when->and, bytes)))
            return true;
    }
    return false;
}

static bool present(const struct field *f, const struct place *place)
{
    if (f->only && !(place->layer->flags & f->only))
        return false;
    if (f->never && place->layer->flags & f->never)
        return false;
    if (place->bytes.left < f->needs)
        return false;
    return !f->when || holds(f->when, place->bytes);
}

static uint64_t scale(const struct field *f, uint64_t wire)
{
    return f->unit ? (wire + f->plus) * f->unit : wire;
}

static void locate(const struct field *f, const struct place *place, uint32_t *bit, uint32_t *width);

/* The number in the row that another row's `sized` or `times` names; 0 where it is absent or cut off. */
static uint32_t told(uint8_t row, const struct place *place)
{
    const struct field *f = &place->rows[row - 1];
    uint32_t bit, width;
    locate(f, place, &bit, &width);
    if (!width || width > 32 || (uint64_t)bit + width > (uint64_t)place->bytes.left * 8)
        return 0;
    uint64_t n = scale(f, bits_load(place->bytes.at, bit, width));
    return n < UINT32_MAX / 8 ? (uint32_t)n : UINT32_MAX / 8;
}

/* Where a row ends. Rows stand behind one another, so the one that was asked for last is kept. */
static uint32_t find_end(const struct field *f, const struct place *place)
{
    struct recall *r = place->recall;
    uint32_t bit, width;
    if (r && r->row == f && r->at == place->bytes.at && r->left == place->bytes.left)
        return r->end;
    locate(f, place, &bit, &width);
    if (r) {
        r->row = f;
        r->at = place->bytes.at;
        r->left = place->bytes.left;
        r->end = bit + width;
    }
    return bit + width;
}

/* Where a field begins and how wide it is; an absent one has no width. */
static void locate(const struct field *f, const struct place *place, uint32_t *bit, uint32_t *width)
{
    *bit = f->bit + (f->after ? find_end(&place->rows[f->after - 1], place) : 0);
    *width = f->width;
    uint32_t all = (uint32_t)place->bytes.left * 8;
    if (!present(f, place)) {
        *width = 0;
    } else if (f->sized) {
        *width = told(f->sized, place) * 8;
    } else if (f->measure) {
        size_t n = f->measure(span_part(place->bytes, *bit / 8, place->bytes.left));
        *width = n && n <= place->bytes.left ? (uint32_t)n * 8 : all + 8; /* a broken one reaches beyond the header */
    } else if (!f->width) {
        *width = all > *bit ? all - *bit : 0;
    }
}

static uint64_t load_little(const uint8_t *bytes, uint32_t n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | bytes[n];
    return v;
}

static bool read_note(const struct field *f, const struct place *place, struct value *value)
{
    const struct note *note = layer_note(place->packet, place->layer);
    if (!note || !(note->have >> (f->note_bit - 1) & 1))
        return false;
    const char *at = (const char *)note + f->note;
    uint32_t narrow;
    *value = (struct value){ 0 };
    switch (f->type) {
    case FIELD_NONE:
        value->u = 1;
        break;
    case FIELD_DURATION:
    case FIELD_TIME:
        memcpy(&value->i, at, sizeof value->i);
        break;
    case FIELD_INT:
        memcpy(&narrow, at, sizeof narrow);
        value->i = (int32_t)narrow;
        break;
    default:
        memcpy(&narrow, at, sizeof narrow);
        value->u = narrow;
    }
    return true;
}

/* The bit of a bitmap that is the turn-th one set. */
static bool read_set(const struct field *f, const struct place *place, uint32_t bit, uint32_t width, unsigned turn,
                     struct value *value)
{
    if (width > place->bytes.left * 8 || bit > place->bytes.left * 8 - width)
        return false;
    for (uint32_t i = 0; i < width; i++) {
        uint32_t at = bit + i;
        if (!(place->bytes.at[at / 8] << at % 8 & 0x80) || turn--)
            continue;
        *value = (struct value){ .bytes = { place->bytes.at + at / 8, 1 }, .bit = at + place->start * 8, .width = 1 };
        value->u = f->adjust ? f->adjust(place, i) : i;
        return true;
    }
    return false;
}

bool field_read(const struct field *f, const struct place *place, unsigned turn, struct value *value)
{
    if (f->note_bit)
        return present(f, place) && read_note(f, place, value);
    if (f->read) {
        *value = (struct value){ 0 };
        return present(f, place) && f->read(place, value);
    }
    uint32_t bit = f->bit, width = f->width;
    if (f->after && width && !f->sized && !f->measure && !(f->when || f->only || f->never || f->needs)) {
        bit += find_end(&place->rows[f->after - 1], place);
    } else if (f->after || f->sized || !width) {
        locate(f, place, &bit, &width);
        if (!width)
            return false;
    }
    if ((f->when || f->only || f->never || f->needs) && !present(f, place))
        return false;
    if (f->flags & FIELD_SET)
        return read_set(f, place, bit, width, turn, value);
    bit += turn * f->stride * 8u;
    if (f->times && turn >= told(f->times, place))
        return false;
    if ((uint64_t)bit + width > (uint64_t)place->bytes.left * 8)
        return false;
    value->bit = bit + place->start * 8;
    value->width = width;
    value->bytes = (struct span){ place->bytes.at + bit / 8, (bit % 8 + width + 7) / 8 };
    switch (f->type) {
    case FIELD_UINT:
    case FIELD_BOOL:
        value->u = scale(f, width <= 64 ? bits_load(place->bytes.at, bit, width) : 0);
        break;
    case FIELD_UINT_LE:
        value->u = scale(f, width <= 64 ? load_little(value->bytes.at, width / 8) : 0);
        break;
    case FIELD_IPV4:
        value->u = load_be32(value->bytes.at);
        break;
    default:
        value->u = 1;
    }
    if (f->adjust)
        value->u = f->adjust(place, value->u);
    return true;
}

bool field_present(const struct field *f, const struct place *place)
{
    return present(f, place);
}

bool field_locate(const struct field *f, const struct place *place, unsigned turn, uint32_t *bit, uint32_t *wide)
{
    if (f->note_bit || (f->read && !f->measure && !(f->bit | f->width)))
        return false;
    locate(f, place, bit, wide);
    *bit += turn * f->stride * 8u;
    return true;
}

static void store_bits(uint8_t *bytes, uint32_t bit, uint32_t width, uint64_t v)
{
    while (width > 0) {
        uint32_t free = 8 - bit % 8, n = width < free ? width : free;
        uint8_t mask = (uint8_t)((0xffu >> (8 - n)) << (free - n));
        width -= n;
        uint8_t part = (uint8_t)(v >> width << (free - n));
        bytes[bit / 8] = (uint8_t)((bytes[bit / 8] & ~mask) | (part & mask));
        bit += n;
    }
}

/* The number as it stands on the wire; false if the row cannot say it. */
static bool unscale(const struct field *f, uint32_t width, uint64_t v, uint64_t *wire)
{
    *wire = v;
    if (f->unit) {
        if (v % f->unit || v / f->unit < f->plus)
            return false;
        *wire = v / f->unit - f->plus;
    }
    return width >= 64 || !(*wire >> width);
}

static enum put put_number(const struct field *f, uint8_t *header, uint32_t bit, uint32_t width, uint64_t v)
{
    uint64_t wire;
    if (width > 64 || !unscale(f, width, v, &wire))
        return PUT_LARGE;
    if (f->type == FIELD_UINT_LE) {
        for (uint32_t i = 0; i < width / 8; i++)
            header[bit / 8 + i] = (uint8_t)(wire >> 8 * i);
    } else {
        store_bits(header, bit, width, wire);
    }
    return PUT_DONE;
}

enum put field_put(const struct field *f, const struct place *place, unsigned turn, uint8_t *header,
                   const struct value *value)
{
    uint32_t bit, width;
    if (!field_locate(f, place, turn, &bit, &width) || f->type == FIELD_DURATION)
        return PUT_COMPUTED;
    if (!present(f, place))
        return PUT_ABSENT;
    if ((uint64_t)bit + width > (uint64_t)place->bytes.left * 8)
        return PUT_SHORT;
    if (f->flags & FIELD_SET) {
        if (value->u >= width)
            return PUT_LARGE;
        store_bits(header, bit + (uint32_t)value->u, 1, 1);
        return PUT_DONE;
    }
    switch (f->type) {
    case FIELD_UINT:
    case FIELD_UINT_LE:
    case FIELD_BOOL:
    case FIELD_IPV4:
        return put_number(f, header, bit, width, value->u);
    case FIELD_NONE:
        return PUT_DONE;
    }
    if (bit % 8 || value->bytes.left > width / 8)
        return PUT_LARGE;
    if (width)
        memset(header + bit / 8, 0, width / 8);
    if (value->bytes.left)
        memcpy(header + bit / 8, value->bytes.at, value->bytes.left);
    return PUT_DONE;
}

const char *field_value_name(const struct field *field, uint64_t value)
{
    if (field->names)
        for (const struct value_name *n = field->names; n->name; n++)
            if (n->value == value)
                return n->name;
    return NULL;
}
