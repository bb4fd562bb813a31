/* JSON Lines, quickly. When it is opened, each protocol's table is compiled into a plan: its rows in order, each with
 * its key's text ready and, where it is nothing but a number of whole bytes, a note or a computed value, an op of its
 * own. Neighbouring rows that rarely change (addresses, narrow fields, the bits of flags) are one segment, whose text
 * is kept by the bytes that it was made from. A run of options whose kinds and lengths were met before is written from
 * the text that was kept of its shape. Whatever else a row may say goes through field_read: the table alone knows where
 * bytes lie. */
#include "output/json.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/value.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"
#include <stdlib.h>

enum {
    CHUNK = 32,           /* texts are copied in pieces of so many bytes: each has that much room behind it */
    PROTOCOL_SLOTS = 256, /* plans by protocol, at most half full */
    SEGMENT_BYTES = 32,   /* a segment's key */
    NARROW_SLOTS = 256,   /* texts kept of a segment of up to 8 bytes, */
    WIDE_SLOTS = 2048,    /* of a longer one */
    SHAPES = 256,         /* and of option runs; */
    SHAPE_BYTES = 40,     /* of those up to so long, */
    SHAPE_NUMBERS = 12,   /* with so many numbers, */
    SHAPE_TEXT = 448,     /* and with so much text between them */
    ROW_SLOTS = 4096,     /* keys by row, at most half full */
    ADDRESS_ROOM = 64,
    NUMBER_ROOM = 40,
    OP_ROOM = 128, /* what an op may write beyond its bounded text */
};

enum op_kind {
    OP_END,
    OP_GUARD,     /* skips the next op unless the layer's flags are right */
    OP_BE16,      /* numbers of whole bytes, */
    OP_BE32,      /* big-endian */
    OP_KEPT,      /* a segment of up to 8 bytes, */
    OP_KEPT_WIDE, /* longer */
    OP_NOTE,      /* 32 bits, unsigned, of the note */
    OP_NOTE_INT,
    OP_NOTE_TIME,
    OP_NOTE_NONE,
    OP_READ, /* computed: unsigned, */
    OP_READ_BOOL,
    OP_READ_TIME,
    OP_REST, /* bytes to the header's end */
    OP_ROW,  /* any row that is no array */
    OP_MANY, /* any row that is one */
    OP_OPTIONS,
};

struct member {
    const char *abbrev;
    char *text; /* `,"ip.src":`, CHUNK bytes of room behind */
    uint32_t length;
    bool many, shared;       /* shared: both of options and of the header */
    uint32_t first, last;    /* pieces gathered, their number + 1; 0: none */
    uint64_t written;        /* the layer it was last written in, where another row may want to write it, too */
    const struct field *row; /* of the header's table; NULL: only in options or a walk */
};

struct op {
    uint8_t kind, only, never;
    uint8_t bit;     /* enum note_bit of notes */
    uint16_t offset; /* in the header or in struct note */
    uint16_t need;   /* bytes of the header it wants */
    uint32_t length; /* of text */
    const char *text;
    bool twin; /* another row has the same name */
    const struct field *field;
    uint32_t key; /* index */
    struct segment *segment;
};

/* Rows that are a pure function of a few neighbouring bytes, with the texts that these bytes gave. */
struct segment {
    const struct field *rows;
    unsigned count;
    uint32_t size, room; /* bytes it is read from; bytes its text takes at most */
    uint64_t mask[4];    /* which bits the rows read, loaded as the bytes are */
    uint32_t stride, slots;
    char *kept; /* slots, made when first used */
    const struct plan *plan;
    uint32_t key; /* of the first row */
};

struct slot {
    uint64_t bytes[4];
    uint32_t length; /* 0: unused */
    char text[];
};

struct plan {
    const struct protocol *protocol; /* NULL: an unused slot */
    char *open;                      /* `,{"ip":` */
    uint32_t open_length;
    size_t room; /* bytes that all rows of a bounded size take */
    struct op *ops;
    struct member *keys;
    unsigned op_count, key_count, key_room;
};

struct piece {
    uint32_t next, start, length;
};

/* A run of options by its kinds and lengths: pieces of text, a number behind each but the last. */
struct shape {
    const struct tlv_set *set;
    uint32_t size, numbers;
    uint32_t bytes[SHAPE_BYTES / 4], mask[SHAPE_BYTES / 4];
    struct {
        uint16_t at, size; /* the number, in the run */
        uint32_t length;   /* of the text in front */
    } number[SHAPE_NUMBERS + 1];
    char text[SHAPE_TEXT + CHUNK];
};

/* Which key a row has in a plan. */
struct row_key {
    const struct plan *plan; /* NULL: unused */
    const struct field *field;
    uint32_t key;
};

struct json {
    struct row_key row_keys[ROW_SLOTS];
    unsigned row_count;
    struct plan plans[PROTOCOL_SLOTS];
    struct plan *frame;
    struct shape *shapes;
    uint64_t layer; /* counts layers */
    /* the layer at work */
    char *open; /* where its first key's comma stands, NULL: made a brace already */
    struct buffer scratch;
    struct piece *pieces;
    uint32_t *touched; /* keys that have pieces */
    uint32_t piece_count, piece_room, touched_count, touched_room;
};

/* --- the plan --- */

/* Whether a row is nothing but bits at a fixed place. */
static bool is_plain(const struct field *f)
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
        return is_plain(f) ? f->width / 8 * 3 + 8u : 0;
    default:
        return NUMBER_ROOM;
    }
}

static uint32_t hash_row(const struct plan *plan, const struct field *field)
{
    uint64_t mix = ((uintptr_t)plan ^ (uintptr_t)field << 17) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mix >> 32) % ROW_SLOTS;
}

static struct row_key *find_row(struct json *j, const struct plan *plan, const struct field *field)
{
    uint32_t at = hash_row(plan, field);
    while (j->row_keys[at].plan && (j->row_keys[at].plan != plan || j->row_keys[at].field != field))
        at = (at + 1) % ROW_SLOTS;
    return &j->row_keys[at];
}

/* A copy with CHUNK bytes of room behind it, so that whole chunks may be read. */
static char *make_text(const char *before, const char *name, const char *after, uint32_t *length)
{
    size_t n[3] = { strlen(before), strlen(name), strlen(after) };
    char *text = calloc(1, n[0] + n[1] + n[2] + CHUNK);
    if (!text)
        return NULL;
    memcpy(text, before, n[0]);
    memcpy(text + n[0], name, n[1]);
    memcpy(text + n[0] + n[1], after, n[2]);
    *length = (uint32_t)(n[0] + n[1] + n[2]);
    return text;
}

/* The key of a name, made if there is none. False: no memory. */
static bool add_key(struct plan *plan, const char *abbrev, uint32_t *index)
{
    for (*index = 0; *index < plan->key_count; ++*index)
        if (!strcmp(plan->keys[*index].abbrev, abbrev))
            return true;
    if (plan->key_count == plan->key_room) {
        unsigned room = plan->key_room ? plan->key_room * 2 : 32;
        struct member *keys = realloc(plan->keys, room * sizeof *keys);
        if (!keys)
            return false;
        plan->keys = keys;
        plan->key_room = room;
    }
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

static bool note_row(struct json *j, struct plan *plan, const struct field *f, uint32_t *key)
{
    if (!add_key(plan, f->abbrev, key))
        return false;
    struct row_key *row = find_row(j, plan, f);
    if (!row->plan && j->row_count < ROW_SLOTS / 2) {
        *row = (struct row_key){ plan, f, *key };
        j->row_count++;
    }
    return true;
}

/* Keys of option rows are arrays. */
static bool note_option_rows(struct json *j, struct plan *plan, const struct field *rows)
{
    uint32_t key;
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (!note_row(j, plan, f, &key))
            return false;
        plan->keys[key].shared |= plan->keys[key].row != NULL;
        plan->keys[key].many = true;
    }
    return true;
}

static bool note_rows(struct json *j, struct plan *plan, const struct field *rows)
{
    uint32_t key;
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (!note_row(j, plan, f, &key))
            return false;
        if (f->type != FIELD_TLVS && !plan->keys[key].row)
            plan->keys[key].row = f;
        plan->keys[key].many |= (f->flags & FIELD_MANY) || f->stride;
    }
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (f->type != FIELD_TLVS)
            continue;
        if (!note_option_rows(j, plan, f->tlvs->common))
            return false;
        for (const struct tlv *tlv = f->tlvs->kinds; tlv->title; tlv++)
            if (!note_option_rows(j, plan, tlv->fields))
                return false;
    }
    return true;
}

static const struct member *key_of(struct json *j, const struct plan *plan, const struct field *f)
{
    return &plan->keys[find_row(j, plan, f)->key];
}

static bool has_twin(const struct plan *plan, const struct field *f)
{
    for (const struct field *other = plan->protocol->fields; other->abbrev; other++)
        if (other != f && !strcmp(other->abbrev, f->abbrev))
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

/* Whether values of this row tend to come again: what numbers of 16 bits and more do not. */
static bool is_calm(const struct field *f)
{
    if (f->only || f->never)
        return false;
    return f->type == FIELD_MAC || f->type == FIELD_IPV4 || f->type == FIELD_IPV6 || f->width < 16 || f->when;
}

/* Takes the row into the segment if it leaves no holes: a segment's key has no bytes that none of its rows reads. */
static bool joins(struct json *j, const struct plan *plan, struct coverage *c, const struct field *f)
{
    if (!is_plain(f) || !is_calm(f) || f->role == ROLE_CHECKSUM || !value_room(f) || key_of(j, plan, f)->many ||
        has_twin(plan, f))
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

/* The segment's bytes as one to four words; those of a size that is no power of two overlap. */
static inline uint64_t load_narrow(const uint8_t *bytes, uint32_t size)
{
    switch (size) {
    case 1:
        return *bytes;
    case 2:
        return load_le16(bytes);
    case 3:
        return load_le16(bytes) | (uint64_t)bytes[2] << 16;
    case 8:
        return load_le64(bytes);
    default:
        return load_le32(bytes) | (uint64_t)load_le32(bytes + size - 4) << 32;
    }
}

static inline void load_wide(uint64_t words[4], const uint8_t *bytes, uint32_t size)
{
    words[0] = load_le64(bytes);
    words[1] = size > 16 ? load_le64(bytes + 8) : 0;
    words[2] = size > 16 ? load_le64(bytes + size - 16) : 0;
    words[3] = load_le64(bytes + size - 8);
}

static struct segment *make_segment(struct json *j, const struct plan *plan, const struct field *rows, unsigned count,
                                    const struct coverage *c)
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
        s->room += key_of(j, plan, &rows[i])->length + value_room(&rows[i]);
    s->stride = (uint32_t)(sizeof(struct slot) + s->room + CHUNK + 63) / 64 * 64;
    uint32_t most = s->size <= 8 ? NARROW_SLOTS : WIDE_SLOTS;
    s->slots = s->size == 1 ? 256 : most;
    return s;
}

/* How many rows from f on are one segment; *op is its op then. 0: none. -1: no memory. */
static int compile_segment(struct json *j, const struct plan *plan, const struct field *f, struct op *op)
{
    struct coverage c = { .low = UINT32_MAX };
    unsigned count = 0;
    while (f[count].abbrev && joins(j, plan, &c, &f[count]))
        count++;
    if (!count)
        return 0;
    op->segment = make_segment(j, plan, f, count, &c);
    if (!op->segment)
        return -1;
    op->kind = op->segment->size <= 8 ? OP_KEPT : OP_KEPT_WIDE;
    op->offset = (uint16_t)(c.low / 8);
    op->need = (uint16_t)((c.high + 7) / 8);
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
    default:
        return OP_ROW;
    }
}

/* The op of one row. */
static void compile_row(const struct plan *plan, const struct field *f, struct op *op)
{
    const struct member *key = &plan->keys[op->key];
    op->kind = OP_ROW;
    if (f->type == FIELD_TLVS) {
        op->kind = OP_OPTIONS;
    } else if (key->many) {
        op->kind = OP_MANY;
    } else if (f->when) {
        return;
    } else if (f->note_bit) {
        op->kind = (uint8_t)note_op(f);
        op->bit = (uint8_t)(f->note_bit - 1);
        op->offset = f->note;
    } else if (op->twin) {
        return;
    } else if (f->read) {
        op->kind = (uint8_t)read_op(f);
    } else if (is_plain(f) && f->type == FIELD_UINT && !f->unit && !(f->bit % 8) &&
               (f->width == 16 || f->width == 32)) {
        op->kind = f->width == 16 ? OP_BE16 : OP_BE32;
        op->offset = f->bit / 8;
        op->need = (uint16_t)((f->bit + f->width) / 8);
    } else if (f->type == FIELD_BYTES && !f->width && !f->after && !f->sized && !f->stride && !(f->bit % 8)) {
        op->kind = OP_REST;
        op->offset = f->bit / 8;
        op->need = (uint16_t)(op->offset + 1);
    }
}

/* Ops for the row f and perhaps those after it; returns how many rows, or -1. */
static int compile(struct json *j, struct plan *plan, const struct field *f)
{
    struct op *op = &plan->ops[plan->op_count];
    op->field = f;
    op->key = find_row(j, plan, f)->key;
    op->text = plan->keys[op->key].text;
    op->length = plan->keys[op->key].length;
    int rows = compile_segment(j, plan, f, op);
    if (rows) {
        plan->op_count++;
        plan->room += op->segment ? op->segment->room + OP_ROOM : 0;
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

static bool make_plan(struct json *j, struct plan *plan, const struct protocol *protocol)
{
    plan->protocol = protocol;
    plan->open = make_text(",{\"", protocol->name, "\":", &plan->open_length);
    if (!plan->open || !note_rows(j, plan, protocol->fields))
        return false;
    unsigned rows = 0;
    while (protocol->fields && protocol->fields[rows].abbrev)
        rows++;
    plan->ops = calloc(2 * rows + 1, sizeof *plan->ops);
    if (!plan->ops)
        return false;
    plan->room = plan->open_length + 4 * OP_ROOM;
    for (unsigned i = 0; i < rows;) {
        int n = compile(j, plan, &protocol->fields[i]);
        if (n < 0)
            return false;
        i += (unsigned)n;
    }
    return true;
}

static inline struct plan *find_plan(struct json *j, const struct protocol *protocol)
{
    uint32_t at = (uint32_t)((uintptr_t)protocol * UINT64_C(0x9e3779b97f4a7c15) >> 40) % PROTOCOL_SLOTS;
    while (j->plans[at].protocol && j->plans[at].protocol != protocol)
        at = (at + 1) % PROTOCOL_SLOTS;
    return &j->plans[at];
}

int json_open(struct json **json, struct error *error)
{
    struct json *j = *json = calloc(1, sizeof *j);
    bool good = j && !buffer_open(&j->scratch, -1, 4096);
    if (good)
        good = (j->shapes = calloc(SHAPES, sizeof *j->shapes)) != NULL;
    for (const struct protocol *const *p = protocols; *p && good; p++)
        good = make_plan(j, find_plan(j, *p), *p);
    if (!good) {
        json_close(j);
        *json = NULL;
        return error_set(error, ERROR_MEMORY, "%s", _("json: no memory"));
    }
    j->frame = find_plan(j, &frame_protocol);
    return 0;
}

static void free_plan(struct plan *plan)
{
    for (unsigned i = 0; i < plan->key_count; i++) {
        free((char *)plan->keys[i].abbrev);
        free(plan->keys[i].text);
    }
    for (unsigned i = 0; i < plan->op_count; i++) {
        if (plan->ops[i].segment)
            free(plan->ops[i].segment->kept);
        free(plan->ops[i].segment);
    }
    free(plan->open);
    free(plan->keys);
    free(plan->ops);
}

void json_close(struct json *j)
{
    if (!j)
        return;
    for (unsigned i = 0; i < PROTOCOL_SLOTS; i++)
        if (j->plans[i].protocol)
            free_plan(&j->plans[i]);
    free(j->shapes);
    free(j->pieces);
    free(j->touched);
    buffer_free(&j->scratch);
    free(j);
}

/* --- texts --- */

/* Copies in whole chunks; as one memcpy the compiler makes it a string instruction that takes longer to start. */
static inline char *put_text(char *at, const char *text, uint32_t length)
{
    memcpy(at, text, CHUNK);
    for (uint32_t done = CHUNK; done < length; done += CHUNK)
        memcpy(at + done, text + done, CHUNK);
    return at + length;
}

static inline char *put_time(char *at, int64_t nanoseconds)
{
    uint64_t n = (uint64_t)nanoseconds;
    *at++ = '"';
    if (nanoseconds < 0) {
        *at++ = '-';
        n = 0 - n;
    }
    uint64_t second = n / 1000000000;
    uint32_t rest = (uint32_t)(n - second * 1000000000);
    at = write_decimal(at, second);
    uint32_t high = rest / 100000000;
    *at++ = '.';
    *at++ = (char)('0' + high);
    at = write_few_digits(at, rest - high * 100000000, 8);
    *at++ = '"';
    return at;
}

static inline char *put_bool(char *at, bool value)
{
    memcpy(at, value ? "true\0\0\0" : "false\0\0", 8);
    return at + 5 - value;
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 hex_characters(bytes16 nibbles)
{
    return nibbles + '0' + ((bytes16)(nibbles > 9) & ('a' - '0' - 10));
}

/* Lower-case hex of n bytes. */
static char *put_hex(char *at, const uint8_t *bytes, size_t n)
{
    for (; n >= 16; n -= 16, bytes += 16, at += 32) {
        bytes16 v;
        memcpy(&v, bytes, 16);
        bytes16 high = hex_characters(v >> 4), low = hex_characters(v & 15);
        bytes16 first = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        bytes16 second =
            __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        memcpy(at, &first, 16);
        memcpy(at + 16, &second, 16);
    }
    for (; n; n--, bytes++) {
        *at++ = "0123456789abcdef"[*bytes >> 4];
        *at++ = "0123456789abcdef"[*bytes & 15];
    }
    return at;
}

/* --- rows by field_read --- */

/* Room for n bytes at `at`. The text so far may move, so the layer's brace is settled first. */
static inline char *make_room(struct json *j, struct buffer *out, char *at, size_t n)
{
    if ((size_t)(out->end - at) >= n)
        return at;
    bool empty = j->open == at;
    if (j->open && !empty) {
        *j->open = '{';
        j->open = NULL;
    }
    out->at = at;
    at = buffer_make_room(out, n);
    if (empty)
        j->open = at;
    return at;
}

static char *put_row(struct json *j, struct buffer *out, const struct plan *plan, const struct member *key,
                     const struct field *f, const struct value *value, char *at)
{
    at = make_room(j, out, at, key->length + plan->room);
    at = put_text(at, key->text, key->length);
    if (j->open) {
        *j->open = '{';
        j->open = NULL;
    }
    out->at = at;
    value_write_json(out, f, value);
    return make_room(j, out, out->at, plan->room);
}

/* Grows an array by doubling; false: no memory. */
static bool grow(void *array, size_t element, uint32_t count, uint32_t *room)
{
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 64;
    void **at = array;
    void *bigger = realloc(*at, more * element);
    if (!bigger)
        return false;
    *at = bigger;
    *room = more;
    return true;
}

/* One more occurrence of a key, kept until the layer's end. */
static void gather(struct json *j, struct plan *plan, uint32_t index, const struct field *f, const struct value *value)
{
    if (!grow(&j->pieces, sizeof *j->pieces, j->piece_count, &j->piece_room) ||
        !grow(&j->touched, sizeof *j->touched, j->touched_count, &j->touched_room)) {
        j->scratch.failed = 1;
        return;
    }
    uint32_t start = (uint32_t)buffer_used(&j->scratch);
    value_write_json(&j->scratch, f, value);
    j->pieces[j->piece_count++] = (struct piece){ 0, start, (uint32_t)buffer_used(&j->scratch) - start };
    struct member *key = &plan->keys[index];
    if (key->last) {
        j->pieces[key->last - 1].next = j->piece_count;
    } else {
        key->first = j->piece_count;
        j->touched[j->touched_count++] = index;
    }
    key->last = j->piece_count;
}

/* The arrays that the layer's rows were gathered in. */
static char *put_gathered(struct json *j, struct buffer *out, struct plan *plan, char *at)
{
    for (uint32_t i = 0; i < j->touched_count; i++) {
        struct member *key = &plan->keys[j->touched[i]];
        at = make_room(j, out, at, key->length + plan->room);
        at = put_text(at, key->text, key->length);
        *at++ = '[';
        for (uint32_t p = key->first; p; p = j->pieces[p - 1].next) {
            const struct piece *piece = &j->pieces[p - 1];
            at = make_room(j, out, at, piece->length + plan->room);
            memcpy(at, j->scratch.start + piece->start, piece->length);
            at += piece->length;
            *at++ = ',';
        }
        at[-1] = ']';
        key->first = key->last = 0;
    }
    j->touched_count = j->piece_count = 0;
    j->scratch.at = j->scratch.start;
    return at;
}

static void gather_rows(struct json *j, struct plan *plan, const struct place *place)
{
    struct value value;
    for (const struct field *f = place->rows; f && f->abbrev; f++) {
        uint32_t key = find_row(j, plan, f)->key;
        for (unsigned turn = 0; field_read(f, place, turn, &value); turn++) {
            gather(j, plan, key, f, &value);
            if (!f->stride)
                break;
        }
    }
}

static void gather_options(struct json *j, struct plan *plan, const struct field *f, const struct place *place,
                           struct span run)
{
    struct option option;
    struct place inside = *place;
    while (tlv_next(f->tlvs, &run, &option)) {
        inside.bytes = option.bytes;
        inside.start = place->start + (uint32_t)(option.bytes.at - place->bytes.at);
        inside.rows = f->tlvs->common;
        gather_rows(j, plan, &inside);
        inside.rows = option.tlv->fields;
        if (!option.broken)
            gather_rows(j, plan, &inside);
    }
}

static char *put_options(struct json *j, struct buffer *out, struct plan *plan, const struct op *op,
                         const struct place *place, char *at)
{
    struct value run;
    (void)out;
    if (field_read(op->field, place, 0, &run))
        gather_options(j, plan, op->field, place, run.bytes);
    return at;
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
    return put_row(j, out, plan, key, op->field, &value, at);
}

static void gather_many(struct json *j, struct plan *plan, const struct op *op, const struct place *place)
{
    struct value value;
    for (unsigned turn = 0; field_read(op->field, place, turn, &value); turn++) {
        gather(j, plan, op->key, op->field, &value);
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
            at = put_row(j, out, plan, key_of(j, plan, f), f, &value, at);
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
        const struct member *key = key_of(j, s->plan, f);
        at = put_text(at, key->text, key->length);
        struct buffer direct = { .start = at, .at = at, .end = at + value_room(f), .fd = -1 };
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

static struct slot *first_slot(struct segment *s)
{
    s->kept = calloc(s->slots, s->stride);
    return (struct slot *)s->kept;
}

static inline char *put_narrow(struct json *j, struct segment *s, const struct place *place, const uint8_t *bytes,
                               char *at)
{
    uint64_t words[4] = { load_narrow(bytes, s->size) & s->mask[0] };
    uint64_t mix = words[0] * UINT64_C(0x9e3779b97f4a7c15);
    if (__builtin_expect(!s->kept && !first_slot(s), 0))
        return put_fresh(j, s, NULL, words, place, at);
    struct slot *slot = (struct slot *)(s->kept + (mix >> 32) % s->slots * s->stride);
    if (slot->bytes[0] != words[0] || !slot->length)
        return put_fresh(j, s, slot, words, place, at);
    return put_text(at, slot->text, slot->length);
}

static inline char *put_wide(struct json *j, struct segment *s, const struct place *place, const uint8_t *bytes,
                             char *at)
{
    uint64_t w[4];
    load_wide(w, bytes, s->size);
    for (unsigned i = 0; i < 4; i++)
        w[i] &= s->mask[i];
    uint64_t mix = w[0] * UINT64_C(0x9e3779b97f4a7c15) ^ w[3] * UINT64_C(0xd6e8feb86659fd93);
    mix = (mix ^ (w[1] + w[2]) * UINT64_C(0xa0761d6478bd642f)) * UINT64_C(0xe7037ed1a0b428db);
    if (__builtin_expect(!s->kept && !first_slot(s), 0))
        return put_fresh(j, s, NULL, w, place, at);
    struct slot *slot = (struct slot *)(s->kept + (mix >> 48) % s->slots * s->stride);
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

static inline char *put_note(const struct op *op, const struct note *note, char *at)
{
    const char *from = (const char *)note + op->offset;
    uint32_t narrow;
    int64_t wide;
    at = put_text(at, op->text, op->length);
    switch (op->kind) {
    case OP_NOTE:
        memcpy(&narrow, from, 4);
        return write_decimal(at, narrow);
    case OP_NOTE_INT:
        memcpy(&narrow, from, 4);
        *at = '-';
        at += narrow >> 31;
        return write_decimal(at, narrow >> 31 ? 0 - narrow : narrow);
    case OP_NOTE_TIME:
        memcpy(&wide, from, 8);
        return put_time(at, wide);
    default:
        return put_bool(at, true);
    }
}

static inline char *put_read(const struct op *op, const struct place *place, char *at)
{
    struct value value = { 0 };
    if (!op->field->read(place, &value))
        return at;
    at = put_text(at, op->text, op->length);
    if (op->kind == OP_READ)
        return write_decimal(at, value.u);
    return op->kind == OP_READ_BOOL ? put_bool(at, value.u) : put_time(at, value.i);
}

static inline char *put_rest(struct json *j, struct buffer *out, const struct plan *plan, const struct op *op,
                             struct span bytes, char *at)
{
    at = make_room(j, out, at, 2 * bytes.left + plan->room);
    at = put_text(at, op->text, op->length);
    *at++ = '"';
    at = put_hex(at, bytes.at + op->offset, bytes.left - op->offset);
    *at++ = '"';
    return at;
}

static char *put_rows(struct json *j, struct buffer *out, struct plan *plan, const struct place *place, char *at)
{
    const uint8_t *h = place->bytes.at;
    const struct note *note = layer_note(place->packet, place->layer);
    uint64_t have = note ? note->have : 0;
    for (const struct op *op = plan->ops;; op++) {
        if (op->need > place->bytes.left) {
            at = put_short(j, out, plan, op, place, at);
            continue;
        }
        switch (op->kind) {
        case OP_END:
            return at;
        case OP_GUARD:
            op += guarded(op, place->layer->flags);
            break;
        case OP_BE16:
            at = write_decimal(put_text(at, op->text, op->length), load_be16(h + op->offset));
            break;
        case OP_BE32:
            at = write_decimal(put_text(at, op->text, op->length), load_be32(h + op->offset));
            break;
        case OP_KEPT:
            at = put_narrow(j, op->segment, place, h + op->offset, at);
            break;
        case OP_KEPT_WIDE:
            at = put_wide(j, op->segment, place, h + op->offset, at);
            break;
        case OP_NOTE:
        case OP_NOTE_INT:
        case OP_NOTE_TIME:
        case OP_NOTE_NONE:
            if (have >> op->bit & 1) {
                plan->keys[op->key].written = j->layer;
                at = put_note(op, note, at);
            }
            break;
        case OP_READ:
        case OP_READ_BOOL:
        case OP_READ_TIME:
            at = put_read(op, place, at);
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
            at = put_options(j, out, plan, op, place, at);
            break;
        }
    }
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
    if (field->type == FIELD_TLVS || !add_key(w->plan, field->abbrev, &index))
        return;
    struct member *key = &w->plan->keys[index];
    if (index == before)
        key->many = field->flags & FIELD_MANY || field->stride || w->depth;
    if (key->many) {
        gather(w->json, w->plan, index, field, value);
    } else if (key->written != w->json->layer && !(key->row && field_read(key->row, w->place, 0, &told))) {
        key->written = w->json->layer;
        w->at = put_row(w->json, w->out, w->plan, key, field, value, w->at);
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
    struct walk_sink w = {
        .sink = {.field = walked_field, .option = walked_option, .option_end = walked_option_end},
        .json = j,
        .out = out,
        .plan = plan,
        .place = place,
        .at = at
    };
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
    at = put_rows(j, out, plan, place, at);
    if (plan->protocol->walk)
        at = put_walk(j, out, plan, place, at);
    if (j->touched_count)
        at = put_gathered(j, out, plan, at);
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
    struct plan *plan = find_plan(j, layer->protocol);
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
