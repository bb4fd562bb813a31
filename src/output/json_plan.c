#include "output/json_plan.h"
#include "base/address.h"
#include "base/array.h"
#include "dissectors/registry.h"
#include "output/json_ops.h"
#include "protocol/tlv.h"
#include <stdlib.h>

enum {
    SHAPE_ROOM = SHAPE_TEXT + SHAPE_HOLES * HOLE_ROOM,
    NARROW_SLOTS = 256, /* texts kept of a segment of up to 8 bytes, */
    WIDE_SLOTS = 2048,  /* of a longer one */
};

const struct slot json_no_slot;

bool plan_is_plain(const struct field *f)
{
    return !f->note_bit && !f->read && !f->after && !f->sized && !f->stride && !f->times && f->width &&
           !(f->flags & FIELD_MANY) && f->type != FIELD_TLVS && f->type != FIELD_TEXT;
}

/* The most bytes of JSON that a value takes; 0: not bounded by its row. */
static uint32_t value_room(const struct field *f)
{
    switch (f->type) {
    case FIELD_MAC:
    case FIELD_IPV4:
    case FIELD_IPV6:
        return ADDRESS_ROOM;
    case FIELD_TEXT:
    case FIELD_TLVS:
        return 0;
    case FIELD_BYTES:
        return plan_is_plain(f) ? f->width / 8 * 3 + 8u : 0;
    default:
        return NUMBER_ROOM;
    }
}

/* A copy with KEY_BYTES of room behind it, so that whole chunks may be read. */
static char *make_text(const char *before, const char *name, const char *after, uint32_t *length)
{
    size_t n[3] = { strlen(before), strlen(name), strlen(after) };
    char *text = calloc(1, n[0] + n[1] + n[2] + KEY_BYTES);
    if (!text)
        return NULL;
    memcpy(text, before, n[0]);
    memcpy(text + n[0], name, n[1]);
    memcpy(text + n[0] + n[1], after, n[2]);
    *length = (uint32_t)(n[0] + n[1] + n[2]);
    return text;
}

bool plan_key(struct plan *plan, const char *abbrev, uint32_t *index)
{
    for (*index = 0; *index < plan->key_count; ++*index)
        if (!strcmp(plan->keys[*index].abbrev, abbrev))
            return true;
    if (!array_grow(&plan->keys, sizeof *plan->keys, plan->key_count, &plan->key_room))
        return false;
    struct member key = { 0 };
    key.text = make_text(",\"", abbrev, "\":", &key.length);
    if (!key.text)
        return false;
    key.abbrev = strndup(abbrev, strlen(abbrev));
    if (!key.abbrev) {
        free(key.text);
        return false;
    }
    plan->keys[plan->key_count++] = key;
    return true;
}

static bool is_number(const struct field *f)
{
    return plan_is_plain(f) && f->type == FIELD_UINT && !(f->bit % 8) && !(f->width % 8) && f->width <= 64 &&
           !f->unit && !f->adjust && !f->when && !f->only && !f->never && !f->needs;
}

static bool note_row(struct plans *known, struct plan *plan, const struct field *f, uint32_t *key)
{
    if (!plan_key(plan, f->abbrev, key))
        return false;
    struct row_key *row = find_row(known, plan, f);
    if (!row->plan && known->row_count < ROW_SLOTS / 2) {
        *row = (struct row_key){ plan, f, *key, is_number(f) };
        known->row_count++;
    }
    return true;
}

/* Keys of option rows are arrays. */
static bool note_run(struct plans *known, struct plan *plan, const struct tlv_set *set);

static bool note_option_rows(struct plans *known, struct plan *plan, const struct field *rows)
{
    uint32_t key;
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (!note_row(known, plan, f, &key))
            return false;
        plan->keys[key].shared |= plan->keys[key].row != NULL;
        plan->keys[key].many = true;
        if (f->type == FIELD_TLVS && !note_run(known, plan, f->tlvs))
            return false;
    }
    return true;
}

static bool note_run(struct plans *known, struct plan *plan, const struct tlv_set *set)
{
    if (!note_option_rows(known, plan, set->common))
        return false;
    for (const struct tlv *tlv = set->kinds; tlv->title; tlv++)
        if (!note_option_rows(known, plan, tlv->fields))
            return false;
    return true;
}

static bool note_rows(struct plans *known, struct plan *plan, const struct field *rows)
{
    uint32_t key;
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (!note_row(known, plan, f, &key))
            return false;
        if (f->type != FIELD_TLVS && !plan->keys[key].row)
            plan->keys[key].row = f;
        plan->keys[key].many |= (f->flags & FIELD_MANY) || f->stride;
    }
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (f->type == FIELD_TLVS && !note_run(known, plan, f->tlvs))
            return false;
    }
    return true;
}

static bool has_twin(const struct plan *plan, const struct field *f)
{
    for (const struct field *other = plan->protocol->fields; other->abbrev; other++)
        if (other != f && !strcmp(other->abbrev, f->abbrev))
            return true;
    return false;
}

/* Whether a row is there wherever the header is long enough for it. */
static bool is_sure(const struct field *f)
{
    return plan_is_plain(f) && !f->when && !f->only && !f->never;
}

/* Whether a row can only be there where another one of its name, which counts, is there, too. */
static bool is_shadowed(const struct plan *plan, const struct field *f)
{
    for (const struct field *other = plan->protocol->fields; other < f; other++)
        if (is_sure(other) && !strcmp(other->abbrev, f->abbrev))
            return true;
    return false;
}

/* Bits that a segment reads, of the first SEGMENT_BYTES of a header from `start` on. */
struct coverage {
    uint32_t low, high; /* bits */
    uint8_t bits[64 * 8];
};

static bool cover(struct coverage *c, uint32_t bit, uint32_t width)
{
    if (!width || bit + width > sizeof c->bits)
        return false;
    memset(c->bits + bit, 1, width);
    c->low = bit < c->low ? bit : c->low;
    c->high = bit + width > c->high ? bit + width : c->high;
    return c->high / 8 - c->low / 8 < SEGMENT_BYTES;
}

static bool cover_conditions(struct coverage *c, const struct when *when)
{
    for (; when && when->width; when++)
        if (!cover(c, when->bit, when->width) || !cover_conditions(c, when->and))
            return false;
    return true;
}

/* Whether a row is worth a segment: values of 16 bits and more hardly come again and are written as quickly, but for
 * IPv6 addresses. */
static bool is_calm(const struct field *f)
{
    return !f->only && !f->never && (f->type == FIELD_IPV6 || f->width < 16 || f->when);
}

/* Takes the row into the segment if it leaves no holes: a segment's key has no bytes that none of its rows reads. */
static bool joins(struct plans *known, const struct plan *plan, struct coverage *c, const struct field *f)
{
    if (!plan_is_plain(f) || !is_calm(f) || f->role == ROLE_CHECKSUM || !value_room(f) || f->adjust ||
        key_of(known, plan, f)->many || is_shadowed(plan, f) || (has_twin(plan, f) && !is_sure(f)))
        return false;
    struct coverage wider = *c;
    if (!cover(&wider, f->bit, f->width) || !cover_conditions(&wider, f->when))
        return false;
    for (uint32_t i = wider.low; i < wider.high; i++)
        if (!wider.bits[i])
            return false;
    *c = wider;
    return true;
}

/* The most that the text of a value read from SEGMENT_BYTES takes. */
static uint32_t kept_room(const struct field *f)
{
    switch (f->type) {
    case FIELD_MAC:
        return MAC_TEXT + 2;
    case FIELD_IPV4:
        return sizeof "\"255.255.255.255\"";
    case FIELD_IPV6:
        return ADDRESS_TEXT + 2;
    case FIELD_BOOL:
    case FIELD_NONE:
        return 5;
    case FIELD_UINT:
        return f->unit || !f->width || f->width > 16 ? 20 : f->width <= 8 ? 3 : 5;
    case FIELD_BYTES:
    case FIELD_TEXT:
        return 6 * SEGMENT_BYTES + 2;
    default:
        return NUMBER_ROOM;
    }
}

static struct segment *make_segment(struct plans *known, const struct plan *plan, const struct field *rows,
                                    unsigned count, const struct coverage *c)
{
    struct segment *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->plan = plan;
    s->rows = rows;
    s->count = count;
    uint32_t first = c->low / 8;
    s->size = (c->high + 7) / 8 - first;
    uint8_t mask[SEGMENT_BYTES + 1] = { 0 };
    for (uint32_t i = c->low; i < c->high; i++)
        mask[i / 8 - first] |= (uint8_t)(0x80 >> i % 8);
    if (s->size <= 8)
        s->mask[0] = load_narrow(mask, s->size);
    else
        load_wide(s->mask, mask, s->size);
    for (unsigned i = 0; i < count; i++)
        s->room += key_of(known, plan, &rows[i])->length + kept_room(&rows[i]);
    s->kept = (char *)&json_no_slot;
    s->stride = (uint32_t)(sizeof(struct slot) + s->room + 63) / 64 * 64;
    uint32_t most = s->size <= 8 ? NARROW_SLOTS : WIDE_SLOTS;
    s->slots = s->size == 1 ? 256 : most;
    return s;
}

static enum op_kind segment_op(const struct segment *s)
{
    switch (s->size) {
    case 1:
        return OP_KEPT_1;
    case 2:
        return OP_KEPT_2;
    case 4:
        return OP_KEPT_4;
    case 8:
        return OP_KEPT_8;
    default:
        return s->size < 8 ? OP_KEPT : OP_KEPT_WIDE;
    }
}

/* How many rows from f on are one segment; *op is its op then. 0: none. -1: no memory. */
static int compile_segment(struct plans *known, const struct plan *plan, const struct field *f, struct op *op)
{
    struct coverage c = { .low = UINT32_MAX };
    unsigned count = 0;
    while (f[count].abbrev && joins(known, plan, &c, &f[count]))
        count++;
    if (!count)
        return 0;
    op->segment = make_segment(known, plan, f, count, &c);
    if (!op->segment)
        return -1;
    op->kind = (uint8_t)segment_op(op->segment);
    op->offset = (uint16_t)(c.low / 8);
    op->need = (uint16_t)((c.high + 7) / 8);
    return (int)count;
}

/* Whether a row depends on nothing but the header's bytes. */
static bool is_of_header(struct plans *known, const struct plan *plan, const struct field *f)
{
    return f->abbrev && !f->note_bit && !f->read && !f->adjust && !f->only && !f->never && !f->stride && !f->times &&
           f->type != FIELD_TLVS && (f->when || f->after || f->sized) && !key_of(known, plan, f)->many &&
           !has_twin(plan, f);
}

/* What of the header tells where a row lies and whether it is there. False: more than a shape can depend on. */
static bool mask_bits(uint8_t mask[SHAPE_BYTES], uint32_t bit, uint32_t width)
{
    if (bit + width > SHAPE_BYTES * 8)
        return false;
    for (uint32_t i = bit; i < bit + width; i++)
        mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return true;
}

static bool mask_conditions(uint8_t mask[SHAPE_BYTES], const struct when *when)
{
    for (; when && when->width; when++)
        if (!mask_bits(mask, when->bit, when->width) || !mask_conditions(mask, when->and))
            return false;
    return true;
}

static bool mask_row(uint8_t mask[SHAPE_BYTES], const struct field *table, const struct field *f)
{
    if (f->measure || !mask_conditions(mask, f->when))
        return false;
    const struct field *size = f->sized ? &table[f->sized - 1] : NULL;
    if (size && (size->after || size->sized || size->measure || !mask_bits(mask, size->bit, size->width) ||
                 !mask_conditions(mask, size->when)))
        return false;
    return !f->after || mask_row(mask, table, &table[f->after - 1]);
}

/* The same for rows with conditions and shifts, whose own bytes hardly come again. */
static int compile_shaped(struct plans *known, struct plan *plan, const struct field *f, struct op *op)
{
    uint8_t mask[SHAPE_BYTES] = { 0 };
    unsigned count = 0;
    while (is_of_header(known, plan, &f[count]) && mask_row(mask, plan->protocol->fields, &f[count]))
        count++;
    if (!count)
        return 0;
    struct shaped *s = op->shaped = malloc(sizeof *s);
    if (!s)
        return -1;
    *s = (struct shaped){ .rows = f, .count = count };
    for (unsigned i = 0; i < SHAPE_BYTES / 4; i++)
        s->mask[i] = load_le32(mask + 4 * i);
    op->kind = OP_SHAPED;
    return (int)count;
}

static enum op_kind note_op(const struct field *f)
{
    switch (f->type) {
    case FIELD_UINT:
        return OP_NOTE;
    case FIELD_INT:
        return OP_NOTE_INT;
    case FIELD_TIME:
    case FIELD_DURATION:
        return OP_NOTE_TIME;
    case FIELD_NONE:
        return OP_NOTE_NONE;
    default:
        return OP_ROW;
    }
}

static enum op_kind read_op(const struct field *f)
{
    switch (f->type) {
    case FIELD_UINT:
        return OP_READ;
    case FIELD_BOOL:
        return OP_READ_BOOL;
    case FIELD_TIME:
    case FIELD_DURATION:
        return OP_READ_TIME;
    case FIELD_TLVS:
        return OP_ROW;
    default:
        return OP_READ_OTHER;
    }
}

static enum op_kind plain_op(const struct field *f)
{
    if (f->unit || f->bit % 8)
        return OP_ROW;
    switch (f->type) {
    case FIELD_UINT:
        if (f->adjust && f->width <= 32)
            return OP_ADJUSTED;
        return f->adjust ? OP_ROW : f->width == 16 ? OP_BE16 : f->width == 32 ? OP_BE32 : OP_ROW;
    case FIELD_IPV4:
        return f->adjust ? OP_ADDRESS : OP_IPV4;
    case FIELD_MAC:
        return f->adjust ? OP_ROW : OP_MAC;
    default:
        return OP_ROW;
    }
}

static uint64_t noted(const struct field *f)
{
    return UINT64_C(1) << (f->note_bit - 1);
}

/* The op of one row. */
static void compile_row(const struct plan *plan, const struct field *f, struct op *op)
{
    const struct member *key = &plan->keys[op->key];
    bool quick = key->length <= KEY_BYTES;
    op->kind = OP_ROW;
    if (f->type == FIELD_TLVS) {
        op->kind = OP_OPTIONS;
        op->offset = f->bit / 8;
    } else if (key->many) {
        op->kind = OP_MANY;
    } else if (f->when || !quick) {
        return;
    } else if (f->note_bit) {
        op->kind = (uint8_t)(!op->twin ? note_op(f) : f->type == FIELD_UINT ? OP_NOTE_TWIN : OP_ROW);
        op->noted = noted(f);
        op->offset = f->note;
    } else if (is_shadowed(plan, f)) {
        op->kind = OP_SHADOWED;
    } else if (op->twin && !is_sure(f)) {
        if (!plan_is_plain(f) || plain_op(f) != OP_BE32)
            return;
        op->kind = OP_TWIN;
        op->offset = f->bit / 8;
        op->need = (uint16_t)(op->offset + 4);
    } else if (f->read) {
        op->kind = (uint8_t)read_op(f);
        op->read = f->read;
    } else if (plan_is_plain(f)) {
        op->kind = (uint8_t)plain_op(f);
        op->offset = f->bit / 8;
        op->need = (uint16_t)((f->bit + f->width + 7) / 8);
    } else if (f->type == FIELD_BYTES && !f->width && !f->after && !f->sized && !f->stride && !(f->bit % 8)) {
        op->kind = OP_REST;
        op->offset = f->bit / 8;
        op->need = (uint16_t)(op->offset + 1);
    }
}

/* Ops for the row f and perhaps those after it; returns how many rows, or -1. */
static int compile(struct plans *known, struct plan *plan, const struct field *f)
{
    struct op *op = &plan->ops[plan->op_count];
    op->field = f;
    op->key = find_row(known, plan, f)->key;
    op->length = (uint16_t)plan->keys[op->key].length;
    memcpy(op->text, plan->keys[op->key].text, KEY_BYTES);
    int rows = compile_segment(known, plan, f, op);
    uint32_t room = rows > 0 ? op->segment->room : SHAPE_ROOM;
    if (!rows)
        rows = compile_shaped(known, plan, f, op);
    if (rows) {
        plan->op_count++;
        plan->room += room + OP_ROOM;
        return rows;
    }
    op->twin = has_twin(plan, f);
    compile_row(plan, f, op);
    if (f->only || f->never) {
        op[1] = *op;
        op->kind = OP_GUARD;
        op->need = 0;
        op->only = f->only;
        op->never = f->never;
        plan->op_count++;
    }
    plan->op_count++;
    plan->room += op->length + value_room(f) + OP_ROOM;
    return 1;
}

/* How many rows from f on are only there or not, or go with one that is, and all that is noted: as a rule none of them
 * is there. Each is one op. */
static unsigned count_rare(const struct field *f)
{
    unsigned count = 0;
    if (f->note_bit && f->type == FIELD_NONE)
        while (count < UINT8_MAX && f[count].abbrev && f[count].note_bit && !f[count].only && !f[count].never)
            count++;
    return count;
}

/* One op in front of such rows. */
static void compile_rare(struct plan *plan, const struct field *f, unsigned count)
{
    struct op *op = &plan->ops[plan->op_count++];
    op->kind = OP_IF_NOTED;
    op->skip = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        op->noted |= noted(&f[i]);
}

/* Whether arrays come only from one run of options, which reaches from a fixed place to the header's end. */
static bool allows_shapes(const struct plan *plan)
{
    unsigned runs = 0;
    for (const struct op *op = plan->ops; op->kind != OP_END; op++) {
        const struct field *f = op->field;
        if (op->kind == OP_MANY)
            return false;
        if (op->kind != OP_OPTIONS)
            continue;
        if (f->width || f->when || f->only || f->never || f->after || f->sized || f->note_bit || f->read || f->bit % 8)
            return false;
        runs++;
    }
    return runs == 1;
}

static void summarize(struct plan *plan)
{
    plan->shapes = allows_shapes(plan) && !plan->protocol->walk;
    if (plan->shapes)
        plan->room += SHAPE_ROOM;
    for (const struct op *op = plan->ops; op->kind != OP_END; op++)
        if (op->kind != OP_REST)
            plan->need = op->need > plan->need ? op->need : plan->need;
    for (const struct field *f = plan->protocol->fields; f && f->abbrev; f++)
        plan->need = f->needs > plan->need ? f->needs : plan->need;
}

/* Guards know what to say where no flag is set: never let through, only not. */
static bool drop_guards(struct plan *plan)
{
    struct op *to = plan->unguarded = malloc((plan->op_count + 1) * sizeof *to);
    if (!to)
        return false;
    for (const struct op *op = plan->ops; op <= plan->ops + plan->op_count; op++)
        if (op->kind == OP_GUARD)
            op += op->only != 0;
        else
            *to++ = *op;
    return true;
}

static bool make_plan(struct plans *known, struct plan *plan, const struct protocol *protocol)
{
    plan->protocol = protocol;
    plan->open = make_text(",{\"", protocol->name, "\":", &plan->open_length);
    if (!plan->open || !note_rows(known, plan, protocol->fields))
        return false;
    unsigned rows = 0;
    while (protocol->fields && protocol->fields[rows].abbrev)
        rows++;
    plan->ops = calloc(3 * rows + 1, sizeof *plan->ops);
    if (!plan->ops)
        return false;
    plan->room = plan->open_length + 4 * OP_ROOM;
    for (unsigned i = 0, rare_end = 0; i < rows;) {
        unsigned rare = i < rare_end ? 0 : count_rare(&protocol->fields[i]);
        if (rare) {
            compile_rare(plan, &protocol->fields[i], rare);
            rare_end = i + rare;
        }
        int n = compile(known, plan, &protocol->fields[i]);
        if (n < 0)
            return false;
        i += (unsigned)n;
    }
    for (unsigned i = 0; i <= plan->op_count; i++)
        plan->ops[i].code = json_op_codes[plan->ops[i].kind];
    summarize(plan);
    return drop_guards(plan);
}

bool plans_open(struct plans *known)
{
    bool good = true;
    for (const struct protocol *const *p = protocols; *p && good; p++)
        good = make_plan(known, find_plan(known, *p), *p);
    return good;
}

static void free_plan(struct plan *plan)
{
    for (unsigned i = 0; i < plan->key_count; i++) {
        free((char *)plan->keys[i].abbrev);
        free(plan->keys[i].text);
    }
    for (unsigned i = 0; i < plan->op_count; i++) {
        struct segment *s = op_has_segment(&plan->ops[i]) ? plan->ops[i].segment : NULL;
        if (s && s->last)
            free(s->kept);
        free(s);
        if (plan->ops[i].kind == OP_SHAPED)
            free(plan->ops[i].shaped);
    }
    free(plan->open);
    free(plan->keys);
    free(plan->ops);
    free(plan->unguarded);
}

void plans_close(struct plans *known)
{
    for (unsigned i = 0; i < PROTOCOL_SLOTS; i++)
        if (known->plans[i].protocol)
            free_plan(&known->plans[i]);
}
