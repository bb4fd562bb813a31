/* JSON Lines, quickly: by the plans that json_plan.c makes of the tables. */
#include "output/json.h"
#include "dissectors/registry.h"
#include "output/json_rows.h"
#include "output/value.h"
#include <stdlib.h>

static uint64_t *make_small(void)
{
    uint64_t *small = malloc(SMALL * sizeof *small);
    for (unsigned i = 0; small && i < SMALL; i++) {
        char text[8] = { 0 };
        text[7] = (char)(write_decimal(text, i) - text);
        for (unsigned k = (unsigned)text[7]; k < 7; k++)
            text[k] = 0;
        memcpy(&small[i], text, 8);
    }
    return small;
}

int json_open(struct json **json, struct error *error)
{
    struct json *j = *json = calloc(1, sizeof *j);
    bool good = j && !buffer_open(&j->scratch, -1, 4096);
    if (good)
        good = (j->shapes = calloc(SHAPES, sizeof *j->shapes)) && (j->digits.small = make_small());
    good = good && plans_open(&j->plans);
    if (!good) {
        json_close(j);
        *json = NULL;
        return error_set(error, ERROR_MEMORY, "%s", _("json: no memory"));
    }
    j->frame = find_plan(&j->plans, &frame_protocol);
#ifdef __x86_64__
    j->digits.avx2 = __builtin_cpu_supports("avx2");
#endif
    return 0;
}

void json_close(struct json *j)
{
    if (!j)
        return;
    plans_close(&j->plans);
    free(j->shapes);
    free(j->digits.small);
    free(j->pieces);
    free(j->touched);
    buffer_free(&j->scratch);
    free(j);
}

/* A row that is no array; nothing if a row of the same name was there. */
static char *put_any(struct json *j, struct buffer *out, const struct plan *plan, const struct op *op,
                     const struct place *place, char *at)
{
    struct value value;
    struct member *key = &plan->keys[op->key];
    if ((op->twin && key->written == j->layer) || !field_read(op->field, place, 0, &value))
        return at;
    key->written = j->layer;
    return json_row(j, out, plan, key, op->field, &value, at);
}

static void gather_many(struct json *j, struct plan *plan, const struct op *op, const struct place *place)
{
    struct value value;
    for (unsigned turn = 0; field_read(op->field, place, turn, &value); turn++) {
        json_gather(j, plan, op->key, op->field, &value);
        if (!op->field->stride)
            break;
    }
}

/* The header ends within what a quick op wants of it: its rows one by one. */
static char *put_short(struct json *j, struct buffer *out, const struct plan *plan, const struct op *op,
                       const struct place *place, char *at)
{
    struct value value;
    unsigned count = op->segment ? op->segment->count : 1;
    for (const struct field *f = op->field; f < op->field + count; f++)
        if (field_read(f, place, 0, &value))
            at = json_row(j, out, plan, key_of(&j->plans, plan, f), f, &value, at);
    return at;
}

/* --- segments --- */

/* The text of a segment that was not kept, by field_read; kept now, unless there is no memory. */
static char *put_fresh(struct json *j, const struct segment *s, struct slot *slot, const uint64_t words[4],
                       const struct place *place, char *at)
{
    struct value value;
    char *start = at;
    for (const struct field *f = s->rows; f < s->rows + s->count; f++) {
        if (!field_read(f, place, 0, &value))
            continue;
        const struct member *key = key_of(&j->plans, s->plan, f);
        at = put_text(at, key->text, key->length);
        struct buffer direct = { .start = at, .at = at, .end = at + SEGMENT_BYTES * 6 + ADDRESS_ROOM, .fd = -1 };
        value_write_json(&direct, f, &value);
        at = direct.at;
    }
    if (slot) {
        memcpy(slot->bytes, words, sizeof slot->bytes);
        slot->length = (uint32_t)(at - start);
        memcpy(slot->text, start, slot->length);
    }
    return at;
}

/* Whether the rows that may make another address of their bytes leave them as they are. */
static bool says_wire(const struct segment *s, const struct place *place)
{
    for (const struct field *f = s->rows; f < s->rows + s->count; f++) {
        if (!f->adjust)
            continue;
        uint32_t wire = load_be32(place->bytes.at + f->bit / 8);
        if (f->adjust(place, wire) != wire)
            return false;
    }
    return true;
}

static struct slot *first_slot(struct segment *s)
{
    s->kept = calloc(1, (size_t)s->slots * s->stride + CHUNK);
    return (struct slot *)s->kept;
}

static inline char *put_narrow(struct json *j, struct segment *s, const struct place *place, const uint8_t *bytes,
                               char *at)
{
    uint64_t words[4] = { load_narrow(bytes, s->size) & s->mask[0] };
    uint64_t mix = words[0] * UINT64_C(0x9e3779b97f4a7c15);
    if (__builtin_expect((s->adjusted && !says_wire(s, place)) || (!s->kept && !first_slot(s)), 0))
        return put_fresh(j, s, NULL, words, place, at);
    struct slot *slot = (struct slot *)(s->kept + (mix >> 32 & (s->slots - 1)) * s->stride);
    if (slot->bytes[0] != words[0] || !slot->length)
        return put_fresh(j, s, slot, words, place, at);
    return put_text(at, slot->text, slot->length);
}

static inline struct slot *wide_slot(const struct segment *s, const uint64_t w[4])
{
    uint64_t mix = w[0] * UINT64_C(0x9e3779b97f4a7c15) ^ w[3] * UINT64_C(0xd6e8feb86659fd93);
    mix = (mix ^ (w[1] + w[2]) * UINT64_C(0xa0761d6478bd642f)) * UINT64_C(0xe7037ed1a0b428db);
    return (struct slot *)(s->kept + (mix >> 48 & (s->slots - 1)) * s->stride);
}

static inline char *put_wide(struct json *j, struct segment *s, const struct place *place, const uint8_t *bytes,
                             char *at)
{
    uint64_t w[4];
    load_wide(w, bytes, s->size);
    for (unsigned i = 0; i < 4; i++)
        w[i] &= s->mask[i];
    if (__builtin_expect((s->adjusted && !says_wire(s, place)) || (!s->kept && !first_slot(s)), 0))
        return put_fresh(j, s, NULL, w, place, at);
    struct slot *slot = wide_slot(s, w);
    if ((slot->bytes[0] ^ w[0]) | (slot->bytes[1] ^ w[1]) | (slot->bytes[2] ^ w[2]) | (slot->bytes[3] ^ w[3]) ||
        !slot->length)
        return put_fresh(j, s, slot, w, place, at);
    return put_text(at, slot->text, slot->length);
}

/* A header of up to SEGMENT_BYTES as words, which differ where headers of the same length do. */
static void load_header(uint64_t w[4], struct span bytes)
{
    memset(w, 0, SEGMENT_BYTES);
    if (bytes.left >= 16) {
        load_wide(w, bytes.at, (uint32_t)bytes.left);
    } else if (bytes.left >= 8) {
        w[0] = load_le64(bytes.at);
        w[1] = load_le64(bytes.at + bytes.left - 8);
    } else {
        for (size_t i = 0; i < bytes.left; i++)
            w[0] = w[0] << 8 | bytes.at[i];
    }
}

/* Headers that hardly come again are not kept. */
static char *put_header(struct json *j, struct buffer *out, const struct plan *plan, const struct op *op,
                        const struct place *place, char *at)
{
    enum { ENOUGH = 512 };
    struct segment *s = op->segment;
    if (place->bytes.left > SEGMENT_BYTES || s->vain > ENOUGH || (!s->kept && !first_slot(s)))
        return put_short(j, out, plan, op, place, at);
    uint64_t w[4];
    load_header(w, place->bytes);
    struct slot *slot = wide_slot(s, w);
    if (slot->size != place->bytes.left ||
        ((slot->bytes[0] ^ w[0]) | (slot->bytes[1] ^ w[1]) | (slot->bytes[2] ^ w[2]) | (slot->bytes[3] ^ w[3]))) {
        s->vain++;
        slot->size = (uint32_t)place->bytes.left;
        return put_fresh(j, s, slot, w, place, at);
    }
    s->vain--;
    return put_text(at, slot->text, slot->length);
}

/* Several computed numbers. */
static inline char *put_reads(struct json *j, struct buffer *out, const struct plan *plan, const struct op *op,
                              const struct place *place, char *at)
{
    struct segment *s = op->segment;
    struct value value = { 0 };
    uint64_t w[READS_MAX] = { 0 };
    bool all = s->kept || first_slot(s);
    for (unsigned i = 0; i < s->count && all; i++) {
        all = s->rows[i].read(place, &value);
        w[i] = value.u;
    }
    if (!all)
        return put_short(j, out, plan, op, place, at);
    struct slot *slot = wide_slot(s, w);
    if ((slot->bytes[0] ^ w[0]) | (slot->bytes[1] ^ w[1]) | (slot->bytes[2] ^ w[2]) | (slot->bytes[3] ^ w[3]) ||
        !slot->length)
        return put_fresh(j, s, slot, w, place, at);
    return put_text(at, slot->text, slot->length);
}

/* --- a layer --- */

static inline bool guarded(const struct op *op, unsigned flags)
{
    return (op->never & flags) || (op->only && !(op->only & flags));
}

static inline char *put_note_number(struct json *j, const struct op *op, const struct note *note, char *at)
{
    uint32_t value;
    memcpy(&value, (const char *)note + op->offset, sizeof value);
    at = put_key(at, op);
    if (op->kind == OP_NOTE_INT && value >> 31) {
        *at++ = '-';
        value = 0 - value;
    }
    return put_decimal(&j->digits, at, value);
}

static inline char *put_note_time(struct json *j, const struct op *op, const struct note *note, char *at)
{
    int64_t value;
    memcpy(&value, (const char *)note + op->offset, sizeof value);
    return put_time(&j->digits, put_key(at, op), value);
}

static inline char *put_read(struct json *j, const struct op *op, const struct place *place, char *at)
{
    struct value value = { 0 };
    if (!op->field->read(place, &value))
        return at;
    at = put_key(at, op);
    switch (op->kind) {
    case OP_READ:
        return value.u < SMALL ? put_small(&j->digits, at, value.u) : write_decimal(at, value.u);
    case OP_READ_BOOL:
        return put_bool(at, value.u);
    default:
        return put_time(&j->digits, at, value.i);
    }
}

static inline char *put_rest(struct json *j, struct buffer *out, const struct plan *plan, const struct op *op,
                             struct span bytes, char *at)
{
    if (bytes.left <= op->offset)
        return at;
    at = make_room(j, out, at, 2 * bytes.left + plan->room);
    at = put_key(at, op);
    *at++ = '"';
    at = put_hex(&j->digits, at, bytes.at + op->offset, bytes.left - op->offset);
    *at++ = '"';
    return at;
}

static char *put_rows(struct json *j, struct buffer *out, struct plan *plan, const struct place *place, char *at)
{
    const uint8_t *h = place->bytes.at;
    const struct note *note = layer_note(place->packet, place->layer);
    uint64_t have = note ? note->have : 0;
    for (const struct op *op = plan->ops;; op++) {
        switch (op->kind) {
        case OP_END:
            return at;
        case OP_GUARD:
            op += guarded(op, place->layer->flags);
            break;
        case OP_BE16:
            at = write_decimal(put_key(at, op), load_be16(h + op->offset));
            break;
        case OP_BE32:
            at = put_decimal(&j->digits, put_key(at, op), load_be32(h + op->offset));
            break;
        case OP_ADJUSTED:
            at = put_text(at, op->text, op->length);
            at = write_decimal(at, op->field->adjust(place, bits_load(h, op->field->bit, op->field->width)));
            break;
        case OP_KEPT:
            at = put_narrow(j, op->segment, place, h + op->offset, at);
            break;
        case OP_KEPT_WIDE:
            at = put_wide(j, op->segment, place, h + op->offset, at);
            break;
        case OP_KEPT_HEADER:
            at = put_header(j, out, plan, op, place, at);
            break;
        case OP_NOTE:
            if (op->twin && have >> op->bit & 1)
                plan->keys[op->key].written = j->layer;
            if (have >> op->bit & 1)
                at = put_note_number(j, op, note, at);
            break;
        case OP_NOTE_INT:
            if (have >> op->bit & 1)
                at = put_note_number(j, op, note, at);
            break;
        case OP_NOTE_TIME:
            if (have >> op->bit & 1)
                at = put_note_time(j, op, note, at);
            break;
        case OP_NOTE_NONE:
            if (have >> op->bit & 1)
                at = put_bool(put_key(at, op), true);
            break;
        case OP_READS:
            at = put_reads(j, out, plan, op, place, at);
            break;
        case OP_READ:
        case OP_READ_BOOL:
        case OP_READ_TIME:
            at = put_read(j, op, place, at);
            break;
        case OP_REST:
            at = put_rest(j, out, plan, op, place->bytes, at);
            break;
        case OP_ROW:
            at = put_any(j, out, plan, op, place, at);
            break;
        case OP_MANY:
            gather_many(j, plan, op, place);
            break;
        case OP_OPTIONS:
            at = json_options(j, out, plan, op, place, at);
            break;
        default:
            __builtin_unreachable();
        }
    }
}

/* The same for a header that ends within what the quick ops want. */
static char *put_short_rows(struct json *j, struct buffer *out, struct plan *plan, const struct place *place, char *at)
{
    for (const struct op *op = plan->ops; op->kind != OP_END; op++) {
        if (op->kind == OP_MANY)
            gather_many(j, plan, op, place);
        else if (op->kind == OP_OPTIONS)
            at = json_new_options(j, out, plan, op, place, at);
        else if (op->kind != OP_GUARD)
            at = op->twin ? put_any(j, out, plan, op, place, at) : put_short(j, out, plan, op, place, at);
    }
    return at;
}

/* What a protocol's walk says. Fields that no table holds get their keys when they are first met. */
struct walk_sink {
    struct sink sink;
    struct json *json;
    struct buffer *out;
    struct plan *plan;
    const struct place *place;
    char *at;
    unsigned depth; /* options around */
};

static void walked_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct walk_sink *w = (struct walk_sink *)sink;
    struct value told;
    uint32_t index;
    unsigned before = w->plan->key_count;
    if (field->type == FIELD_TLVS || !plan_key(w->plan, field->abbrev, &index))
        return;
    struct member *key = &w->plan->keys[index];
    if (index == before)
        key->many = field->flags & FIELD_MANY || field->stride || w->depth;
    if (key->many) {
        json_gather(w->json, w->plan, index, field, value);
    } else if (key->written != w->json->layer && !(key->row && field_read(key->row, w->place, 0, &told))) {
        key->written = w->json->layer;
        w->at = json_row(w->json, w->out, w->plan, key, field, value, w->at);
    }
}

static void walked_option(struct sink *sink, const char *title, const struct value *value)
{
    (void)title;
    (void)value;
    ((struct walk_sink *)sink)->depth++;
}

static void walked_option_end(struct sink *sink)
{
    ((struct walk_sink *)sink)->depth--;
}

static char *put_walk(struct json *j, struct buffer *out, struct plan *plan, const struct place *place, char *at)
{
    struct walk_sink w = { .sink = { .field = walked_field, .option = walked_option, .option_end = walked_option_end },
                           .json = j,
                           .out = out,
                           .plan = plan,
                           .place = place,
                           .at = at };
    plan->protocol->walk(place->packet, place->layer, &w.sink);
    return w.at;
}

/* A layer's fields from the comma of the first one on, which becomes the object's brace. */
static char *put_object(struct json *j, struct buffer *out, struct plan *plan, const struct place *place, char *at)
{
    static const char verdicts[][CHUNK] = { "", ",\"_verdict\":\"cut\"", ",\"_verdict\":\"malformed\"" };
    static const uint8_t lengths[] = { 0, 17, 23 };
    j->layer++;
    j->open = at;
    if (place->bytes.left >= plan->need)
        at = put_rows(j, out, plan, place, at);
    else
        at = put_short_rows(j, out, plan, place, at);
    if (plan->protocol->walk)
        at = put_walk(j, out, plan, place, at);
    if (j->touched_count)
        at = json_gathered(j, out, plan, at);
    unsigned verdict = place->layer->verdict;
    if (verdict)
        at = put_text(at, verdicts[verdict], lengths[verdict]);
    if (at == j->open)
        at++;
    if (j->open)
        *j->open = '{';
    return at;
}

static char *put_layer(struct json *j, struct buffer *out, const struct packet *packet, const struct layer *layer,
                       bool first, char *at)
{
    struct plan *plan = find_plan(&j->plans, layer->protocol);
    struct place place = {
        .packet = packet, .layer = layer, .rows = layer->protocol->fields, .bytes = layer_header(packet, layer)
    };
    j->open = NULL;
    at = make_room(j, out, at, plan->room);
    at = put_text(at, plan->open + first, plan->open_length - first);
    at = put_object(j, out, plan, &place, at);
    *at++ = '}';
    *at++ = '}';
    return at;
}

void json_write(struct json *j, struct buffer *out, const struct packet *packet)
{
    static const char layers[CHUNK] = ",\"layers\":[", end[CHUNK] = "]}\n";
    struct layer frame = { .protocol = &frame_protocol };
    struct place place = { .packet = packet, .layer = &frame, .rows = frame_protocol.fields };
    j->open = NULL;
    char *at = make_room(j, out, out->at, j->frame->room);
    at = put_object(j, out, j->frame, &place, at);
    at = put_text(at, layers, 11);
    for (unsigned i = 0; i < packet->layer_count; i++)
        at = put_layer(j, out, packet, &packet->layers[i], i == 0, at);
    j->open = NULL;
    at = make_room(j, out, at, OP_ROOM);
    out->at = put_text(at, end, 3);
}
