/* JSON Lines, quickly. When it is opened, each protocol's table is compiled into a plan: its rows in order, each with
 * its key's text ready and, where it is nothing but a number of whole bytes, a note or a computed value, an op of its
 * own. Neighbouring rows that rarely change (addresses, narrow fields, the bits of flags) are one segment, whose text
 * is kept by the bytes that it was made from. A run of options whose kinds and lengths were met before is written from
 * the text that was kept of its shape. Whatever else a row may say goes through field_read: the table alone knows where
 * bytes lie. */
#include "output/json.h"
#include "base/address.h"
#include "base/array.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/value.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"
#include <stdlib.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum {
    KEY_BYTES = 48,
    CHUNK = 32, /* texts are copied in pieces of so many bytes: each has that much room behind it */
    SMALL = 1 << 10,
    PROTOCOL_SLOTS = 256, /* plans by protocol, at most half full */
    READS_MAX = 4,
    SEGMENT_BYTES = 32, /* a segment's key */
    NARROW_SLOTS = 256, /* texts kept of a segment of up to 8 bytes, */
    WIDE_SLOTS = 2048,  /* of a longer one */
    SHAPES = 64,        /* and of option runs; */
    SHAPE_BYTES = 40,   /* of those up to so long, */
    SHAPE_NUMBERS = 12, /* with so many numbers, */
    SHAPE_TEXT = 448,   /* and with so much text between them */
    ROW_SLOTS = 4096,   /* keys by row, at most half full */
    ADDRESS_ROOM = 64,
    NUMBER_ROOM = 40,
    OP_ROOM = 384, /* what an op may write beyond its bounded text */
};

enum op_kind {
    OP_END,
    OP_GUARD,       /* skips the next op unless the layer's flags are right */
    OP_BE16,        /* numbers of whole bytes, */
    OP_BE32,        /* big-endian */
    OP_ADJUSTED,    /* the same, where the row makes another number of it */
    OP_KEPT,        /* a segment of up to 8 bytes, */
    OP_KEPT_WIDE,   /* longer */
    OP_KEPT_HEADER, /* rows that depend on all of the header, if it is short */
    OP_NOTE,        /* 32 bits, unsigned, of the note */
    OP_NOTE_INT,
    OP_NOTE_TIME,
    OP_NOTE_NONE,
    OP_READ, /* computed: unsigned, */
    OP_READ_BOOL,
    OP_READ_TIME,
    OP_READS, /* several, unsigned, by their values */
    OP_REST,  /* bytes to the header's end */
    OP_ROW,   /* any row that is no array */
    OP_MANY,  /* any row that is one */
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
    bool adjusted; /* a row may make another value of its bytes */
    int32_t vain;  /* how many texts more were kept than found again, for headers */
    char *kept;    /* slots, made when first used */
    const struct plan *plan;
    uint32_t key; /* of the first row */
};

struct slot {
    uint64_t bytes[4];
    uint32_t length, size; /* 0: unused; of a header */
    char text[];
};

struct plan {
    const struct protocol *protocol; /* NULL: an unused slot */
    char *open;                      /* `,{"ip":` */
    uint32_t open_length;
    uint32_t need; /* bytes of the header that all quick ops want */
    bool shapes;   /* arrays come from one run of options alone */
    size_t room;   /* bytes that all rows of a bounded size take */
    struct op *ops;
    struct member *keys;
    unsigned op_count, key_count, key_room;
};

/* An occurrence that was gathered: its text in scratch; where its number lies in a run that a shape is made of. */
struct piece {
    uint32_t next, start, length;
    uint8_t at, size; /* size 0: the text is all that there is */
};

/* A run of options by its kinds and lengths: pieces of text, a number behind each but the last. */
struct shape {
    const struct field *row; /* of the run; NULL: unused */
    uint32_t size, count, length;
    bool broken;
    uint32_t bytes[SHAPE_BYTES / 4], mask[SHAPE_BYTES / 4]; /* what of the run the texts depend on */
    struct {
        uint8_t at, size; /* the number, in the run */
        uint16_t length;  /* of the text in front of it; of the last one that has no number */
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
    uint64_t *small; /* the numbers below SMALL as text, the length in the highest byte */
    uint64_t second; /* as it stands in second_text */
    uint32_t second_length;
    bool avx2;
    char second_text[CHUNK];
    struct shape *shapes;
    struct shape making;
    bool recording; /* into making */
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

/* The key of a name, made if there is none. False: no memory. */
static bool add_key(struct plan *plan, const char *abbrev, uint32_t *index)
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
static bool note_run(struct json *j, struct plan *plan, const struct tlv_set *set);

static bool note_option_rows(struct json *j, struct plan *plan, const struct field *rows)
{
    uint32_t key;
    for (const struct field *f = rows; f && f->abbrev; f++) {
        if (!note_row(j, plan, f, &key))
            return false;
        plan->keys[key].shared |= plan->keys[key].row != NULL;
        plan->keys[key].many = true;
        if (f->type == FIELD_TLVS && !note_run(j, plan, f->tlvs))
            return false;
    }
    return true;
}

static bool note_run(struct json *j, struct plan *plan, const struct tlv_set *set)
{
    if (!note_option_rows(j, plan, set->common))
        return false;
    for (const struct tlv *tlv = set->kinds; tlv->title; tlv++)
        if (!note_option_rows(j, plan, tlv->fields))
            return false;
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
        if (f->type == FIELD_TLVS && !note_run(j, plan, f->tlvs))
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

/* Whether values of this row tend to come again: what numbers of 16 bits and more do not, unless they tell an end of a
 * conversation, as those do that share a name (tcp.port). */
static bool is_calm(const struct field *f)
{
    if (f->only || f->never)
        return false;
    return f->type == FIELD_MAC || f->type == FIELD_IPV4 || f->type == FIELD_IPV6 || f->width < 16 || f->when ||
           f->also;
}

/* Takes the row into the segment if it leaves no holes: a segment's key has no bytes that none of its rows reads. */
static bool joins(struct json *j, const struct plan *plan, struct coverage *c, const struct field *f)
{
    if (!is_plain(f) || !is_calm(f) || f->role == ROLE_CHECKSUM || !value_room(f) || key_of(j, plan, f)->many ||
        has_twin(plan, f) || (f->adjust && f->type != FIELD_IPV4))
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
    for (unsigned i = 0; i < count; i++) {
        s->room += key_of(j, plan, &rows[i])->length + kept_room(&rows[i]);
        s->adjusted |= rows[i].adjust != NULL;
    }
    s->stride = (uint32_t)(sizeof(struct slot) + s->room + 63) / 64 * 64;
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

/* Whether a row depends on nothing but the header's bytes. */
static bool is_of_header(struct json *j, const struct plan *plan, const struct field *f)
{
    return f->abbrev && !f->note_bit && !f->read && !f->adjust && !f->only && !f->never && !f->stride && !f->times &&
           f->type != FIELD_TLVS && (f->when || f->after || f->sized) && !key_of(j, plan, f)->many &&
           !has_twin(plan, f);
}

/* The same for rows with conditions and shifts; what they read may be anywhere in the header. */
static int compile_header(struct json *j, const struct plan *plan, const struct field *f, struct op *op)
{
    struct coverage all = { .high = SEGMENT_BYTES * 8 };
    unsigned count = 0;
    while (is_of_header(j, plan, &f[count]))
        count++;
    if (!count)
        return 0;
    op->segment = make_segment(j, plan, f, count, &all);
    if (!op->segment)
        return -1;
    op->kind = OP_KEPT_HEADER;
    return (int)count;
}

/* Computed numbers that stand side by side: kept by what they are. */
static int compile_reads(struct json *j, const struct plan *plan, const struct field *f, struct op *op)
{
    struct coverage all = { .high = SEGMENT_BYTES * 8 };
    unsigned count = 0;
    while (count < READS_MAX && f[count].abbrev && f[count].read && f[count].type == FIELD_UINT && !f[count].when &&
           !f[count].only && !f[count].never && !key_of(j, plan, &f[count])->many && !has_twin(plan, &f[count]))
        count++;
    if (count < 2)
        return 0;
    op->segment = make_segment(j, plan, f, count, &all);
    if (!op->segment)
        return -1;
    op->kind = OP_READS;
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
        op->kind = (uint8_t)(op->twin && f->type != FIELD_UINT ? OP_ROW : note_op(f));
        op->bit = (uint8_t)(f->note_bit - 1);
        op->offset = f->note;
    } else if (op->twin) {
        return;
    } else if (f->read) {
        op->kind = (uint8_t)read_op(f);
    } else if (is_plain(f) && f->type == FIELD_UINT && !f->unit && !(f->bit % 8) &&
               (f->width == 16 || f->width == 32)) {
        op->kind = f->adjust ? OP_ADJUSTED : f->width == 16 ? OP_BE16 : OP_BE32;
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
    if (!rows)
        rows = compile_header(j, plan, f, op);
    if (!rows)
        rows = compile_reads(j, plan, f, op);
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
        plan->room += SHAPE_TEXT + SHAPE_NUMBERS * NUMBER_ROOM;
    for (const struct op *op = plan->ops; op->kind != OP_END; op++)
        if (op->kind != OP_REST)
            plan->need = op->need > plan->need ? op->need : plan->need;
    for (const struct field *f = plan->protocol->fields; f && f->abbrev; f++)
        plan->need = f->needs > plan->need ? f->needs : plan->need;
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
    summarize(plan);
    return true;
}

static inline struct plan *find_plan(struct json *j, const struct protocol *protocol)
{
    uint32_t at = (uint32_t)((uintptr_t)protocol * UINT64_C(0x9e3779b97f4a7c15) >> 40) % PROTOCOL_SLOTS;
    while (j->plans[at].protocol && j->plans[at].protocol != protocol)
        at = (at + 1) % PROTOCOL_SLOTS;
    return &j->plans[at];
}

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
        good = (j->shapes = calloc(SHAPES, sizeof *j->shapes)) && (j->small = make_small());
    for (const struct protocol *const *p = protocols; *p && good; p++)
        good = make_plan(j, find_plan(j, *p), *p);
    if (!good) {
        json_close(j);
        *json = NULL;
        return error_set(error, ERROR_MEMORY, "%s", _("json: no memory"));
    }
    j->frame = find_plan(j, &frame_protocol);
#ifdef __x86_64__
    j->avx2 = __builtin_cpu_supports("avx2");
#endif
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
    free(j->small);
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

/* A number below 2^16: eight characters in the table, their count in the last. */
static inline char *put_small(const struct json *j, char *at, uint64_t value)
{
    uint64_t text = j->small[value];
    memcpy(at, &text, 8);
    return at + (text >> 56);
}

static inline char *put_decimal(const struct json *j, char *at, uint32_t value)
{
    if (value < 100000000)
        return write_decimal(at, value);
    return write_few_digits(put_small(j, at, value / 100000000), value % 100000000, 8);
}

/* Epochs stay the same second for a while; durations are short. */
static inline char *put_seconds(struct json *j, char *at, uint64_t second)
{
    if (second < SMALL)
        return put_small(j, at, second);
    if (second != j->second) {
        j->second = second;
        j->second_length = (uint32_t)(write_decimal(j->second_text, second) - j->second_text);
    }
    return put_text(at, j->second_text, j->second_length);
}

/* An op's key: always KEY_BYTES, which is quicker than asking how many. */
static inline char *put_key(char *at, const struct op *op)
{
    memcpy(at, op->text, 16);
    memcpy(at + 16, op->text + 16, 16);
    memcpy(at + 32, op->text + 32, KEY_BYTES - 32);
    return at + op->length;
}

static inline char *put_time(struct json *j, char *at, int64_t nanoseconds)
{
    uint64_t n = (uint64_t)nanoseconds;
    *at++ = '"';
    if (nanoseconds < 0) {
        *at++ = '-';
        n = 0 - n;
    }
    uint64_t second = n / 1000000000;
    uint32_t rest = (uint32_t)(n - second * 1000000000), high = rest / 100000000;
    at = put_seconds(j, at, second);
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

/* Lower-case hex of n bytes. */
static char *put_hex_plain(char *at, const uint8_t *bytes, size_t n)
{
    for (; n; n--, bytes++) {
        *at++ = "0123456789abcdef"[*bytes >> 4];
        *at++ = "0123456789abcdef"[*bytes & 15];
    }
    return at;
}

#ifdef __x86_64__
/* Sixteen bytes: each widened to a word, its halves put into the word's bytes, the digits looked up. */
__attribute__((target("avx2"))) static inline void hex_sixteen(char *at, const uint8_t *bytes)
{
    const __m256i digits = _mm256_broadcastsi128_si256(
        _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'));
    __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)bytes));
    __m256i halves = _mm256_or_si256(_mm256_srli_epi16(words, 4), _mm256_slli_epi16(words, 8));
    halves = _mm256_and_si256(halves, _mm256_set1_epi8(15));
    _mm256_storeu_si256((__m256i *)(void *)at, _mm256_shuffle_epi8(digits, halves));
}

__attribute__((target("avx2"))) static char *put_hex_avx2(char *at, const uint8_t *bytes, size_t n)
{
    if (n < 16)
        return put_hex_plain(at, bytes, n);
    size_t done = 0;
    for (; done + 32 <= n; done += 32) {
        hex_sixteen(at + 2 * done, bytes + done);
        hex_sixteen(at + 2 * done + 32, bytes + done + 16);
    }
    if (done + 16 <= n)
        hex_sixteen(at + 2 * done, bytes + done);
    hex_sixteen(at + 2 * (n - 16), bytes + n - 16); /* the last ones, perhaps again */
    return at + 2 * n;
}
#endif

static char *put_hex(const struct json *j, char *at, const uint8_t *bytes, size_t n)
{
#ifdef __x86_64__
    if (j->avx2)
        return put_hex_avx2(at, bytes, n);
#endif
    (void)j;
    return put_hex_plain(at, bytes, n);
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

/* One more occurrence of a key, kept until the layer's end. */
static void gather(struct json *j, struct plan *plan, uint32_t index, const struct field *f, const struct value *value)
{
    if (!array_grow(&j->pieces, sizeof *j->pieces, j->piece_count, &j->piece_room) ||
        !array_grow(&j->touched, sizeof *j->touched, j->touched_count, &j->touched_room)) {
        j->scratch.failed = 1;
        return;
    }
    uint32_t start = (uint32_t)buffer_used(&j->scratch);
    value_write_json(&j->scratch, f, value);
    j->pieces[j->piece_count++] =
        (struct piece){ .start = start, .length = (uint32_t)buffer_used(&j->scratch) - start };
    struct member *key = &plan->keys[index];
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
static char *put_array(struct json *j, struct buffer *out, const struct plan *plan, struct member *key, char *at)
{
    at = make_room(j, out, at, key->length + plan->room);
    char *start = at;
    at = put_text(at, key->text, key->length);
    *at++ = '[';
    if (j->recording)
        record_text(&j->making, start, (uint32_t)(at - start));
    for (uint32_t p = key->first; p; p = j->pieces[p - 1].next) {
        const struct piece *piece = &j->pieces[p - 1];
        const char *text = j->scratch.start + piece->start;
        at = make_room(j, out, at, piece->length + plan->room);
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

/* The arrays that the layer's rows were gathered in. */
static char *put_gathered(struct json *j, struct buffer *out, const struct plan *plan, char *at)
{
    for (uint32_t i = 0; i < j->touched_count; i++)
        at = put_array(j, out, plan, &plan->keys[j->touched[i]], at);
    j->touched_count = j->piece_count = 0;
    j->scratch.at = j->scratch.start;
    return make_room(j, out, at, plan->room);
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
    return is_plain(&once) && !f->adjust && !f->when && !f->only && !f->never;
}

static void gather_options(struct json *j, struct plan *plan, const struct field *f, const struct place *place,
                           const struct value *value);

static void gather_rows(struct json *j, struct plan *plan, const struct place *place, uint32_t run)
{
    struct value value;
    for (const struct field *f = place->rows; f && f->abbrev; f++) {
        uint32_t key = find_row(j, plan, f)->key, count = j->piece_count;
        for (unsigned turn = 0; field_read(f, place, turn, &value); turn++) {
            if (f->type == FIELD_TLVS)
                gather_options(j, plan, f, place, &value);
            else
                gather(j, plan, key, f, &value);
            if (j->recording && j->piece_count > count)
                record_row(&j->making, f, value.bit / 8 - run, (uint32_t)value.bytes.left,
                           &j->pieces[j->piece_count - 1]);
            if (!f->stride)
                break;
        }
        j->making.broken |= !is_shapely(f);
    }
}

static void gather_options(struct json *j, struct plan *plan, const struct field *f, const struct place *place,
                           const struct value *value)
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
        gather_rows(j, plan, &inside, start);
        inside.rows = option.tlv->fields;
        inside.bytes = span_part(option.bytes, option.head, option.bytes.left);
        inside.start += (uint32_t)option.head;
        if (option_has_rows(&option, place->layer))
            gather_rows(j, plan, &inside, start);
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
        at = put_decimal(j, at, shape->number[i].size == 4 ? load_be32(number) : load_be16(number));
    }
    return put_text(at, text, shape->number[shape->count].length);
}

/* Options whose shape is not kept: gathered, and the shape kept if it can be. */
static char *put_new_options(struct json *j, struct buffer *out, struct plan *plan, const struct op *op,
                             const struct place *place, char *at)
{
    struct value value;
    if (!field_read(op->field, place, 0, &value))
        return at;
    const struct span *run = &value.bytes;
    j->recording = plan->shapes && run->left && run->left % 4 == 0 && run->left <= SHAPE_BYTES;
    struct shape *making = &j->making;
    memset(making, 0, offsetof(struct shape, text));
    making->row = op->field;
    making->size = (uint32_t)run->left;
    gather_options(j, plan, op->field, place, &value);
    if (!plan->shapes)
        return at;
    at = put_gathered(j, out, plan, at);
    if (!j->recording)
        return at;
    for (uint32_t i = 0; i < making->size / 4; i++)
        making->bytes[i] = load_le32(run->at + 4 * i) & making->mask[i];
    if (!making->broken)
        *find_shape(j, run) = *making;
    j->recording = false;
    return at;
}

static inline char *put_options(struct json *j, struct buffer *out, struct plan *plan, const struct op *op,
                                const struct place *place, char *at)
{
    struct span run = span_part(place->bytes, op->offset, place->bytes.left);
    if (!plan->shapes || run.left % 4 || run.left > SHAPE_BYTES)
        return put_new_options(j, out, plan, op, place, at);
    if (!run.left)
        return at;
    const struct shape *shape = find_shape(j, &run);
    if (!fits(shape, op->field, &run))
        return put_new_options(j, out, plan, op, place, at);
    return put_shape(j, shape, run.at, at);
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
    return put_decimal(j, at, value);
}

static inline char *put_note_time(struct json *j, const struct op *op, const struct note *note, char *at)
{
    int64_t value;
    memcpy(&value, (const char *)note + op->offset, sizeof value);
    return put_time(j, put_key(at, op), value);
}

static inline char *put_read(struct json *j, const struct op *op, const struct place *place, char *at)
{
    struct value value = { 0 };
    if (!op->field->read(place, &value))
        return at;
    at = put_key(at, op);
    switch (op->kind) {
    case OP_READ:
        return value.u < SMALL ? put_small(j, at, value.u) : write_decimal(at, value.u);
    case OP_READ_BOOL:
        return put_bool(at, value.u);
    default:
        return put_time(j, at, value.i);
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
    at = put_hex(j, at, bytes.at + op->offset, bytes.left - op->offset);
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
            at = put_decimal(j, put_key(at, op), load_be32(h + op->offset));
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
            at = put_options(j, out, plan, op, place, at);
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
            at = put_new_options(j, out, plan, op, place, at);
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
