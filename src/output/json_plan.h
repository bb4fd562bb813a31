/* How each protocol's table is compiled for -T json (json.h): its rows in order, each with its key's text ready and,
 * where it is nothing but a number of whole bytes, a note or a computed value, an op of its own. Neighbouring rows that
 * rarely change (addresses, narrow fields, the bits of flags) are one segment, whose text is kept by the bytes that it
 * was made from. Whatever else a row may say goes through field_read: the table alone knows where bytes lie. */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include "protocol/protocol.h"

enum {
    KEY_BYTES = 32,       /* of keys that quick ops write; longer ones are rare */
    CHUNK = 32,           /* texts are copied in pieces of so many bytes: each has that much room behind it */
    PROTOCOL_SLOTS = 256, /* plans by protocol, at most half full */
    ROW_SLOTS = 4096,     /* keys by row, at most half full */
    SEGMENT_BYTES = 32,   /* a segment's key */
    SHAPE_BYTES = 40,     /* headers and runs of options up to so long are kept as shapes (json_shapes.h), */
    SHAPE_HOLES = 12,     /* with so many holes, */
    SHAPE_TEXT = 448,     /* so much text between them, */
    HOLE_ROOM = 2 * SHAPE_BYTES + CHUNK + 2, /* and so much in each */
    ADDRESS_ROOM = 64,
    NUMBER_ROOM = 40,
    OP_ROOM = 384, /* what an op may write beyond its bounded text */
};

enum op_kind {
    OP_END,
    OP_GUARD,    /* skips the next op unless the layer's flags are right */
    OP_IF_NOTED, /* skips the next ops where nothing of what they tell is noted */
    OP_SHADOWED, /* never there: another row of its name is */
    OP_BE16,     /* numbers of whole bytes, */
    OP_BE32,     /* big-endian; */
    OP_TWIN,     /* of 32 bits, where another row has the same name; */
    OP_ADJUSTED, /* the row makes another number of what is there, */
    OP_ADDRESS,  /* or another address */
    OP_IPV4,
    OP_MAC,
    OP_KEPT_1,    /* a segment of a byte, */
    OP_KEPT_2,    /* two, */
    OP_KEPT_4,    /* four, */
    OP_KEPT_8,    /* eight, */
    OP_KEPT,      /* three or five to seven, */
    OP_KEPT_WIDE, /* more */
    OP_SHAPED,    /* rows whose places some bytes of the header tell */
    OP_NOTE,      /* 32 bits, unsigned, of the note; */
    OP_NOTE_TWIN, /* another row has the same name */
    OP_NOTE_INT,
    OP_NOTE_TIME,
    OP_NOTE_NONE,
    OP_READ, /* computed: unsigned, */
    OP_READ_BOOL,
    OP_READ_TIME,
    OP_READ_OTHER, /* of another type, which needs more room */
    OP_REST,       /* bytes to the header's end */
    OP_ROW,        /* any row that is no array */
    OP_MANY,       /* any row that is one */
    OP_OPTIONS,
    OP_KINDS,
};

struct member {
    const char *abbrev;
    char *text; /* `,"ip.src":`, KEY_BYTES of room behind */
    uint32_t length;
    bool many, shared;       /* shared: both of options and of the header */
    uint32_t first, last;    /* pieces gathered, their number + 1; 0: none */
    uint64_t written;        /* the layer it was last written in, where another row may want to write it, too */
    const struct field *row; /* of the header's table; NULL: only in options or a walk */
};

struct json;
struct op;

/* Writes at `at` what an op says of the header and goes on with the next op; returns the end of the layer's text. There
 * is room for all ops of a bounded size: whoever writes more makes room anew. */
typedef char *op_code(struct json *json, const struct op *op, char *at, const uint8_t *header);

struct op {
    op_code *code;
    union {
        struct segment *segment;
        struct shaped *shaped;
        uint64_t noted; /* bits of struct note's `have`: one of them is needed */
        bool (*read)(const struct place *place, struct value *value);
    };
    uint16_t offset; /* in the header or in struct note */
    uint16_t need;   /* bytes of the header it wants */
    uint16_t length; /* of text */
    uint8_t kind, only, never;
    uint8_t skip; /* so many ops */
    bool twin;    /* another row has the same name */
    char text[KEY_BYTES];
    const struct field *field;
    uint32_t key; /* index */
};

/* Rows that are a pure function of a few neighbouring bytes, with the texts that these bytes gave. */
struct segment {
    char *kept;          /* slots; a single unused one until the first text is to be kept */
    uint64_t last;       /* index of the last slot: one less than a power of two */
    uint64_t mask[4];    /* which bits the rows read, loaded as the bytes are */
    uint32_t stride;     /* of slots */
    uint32_t size, room; /* bytes it is read from; bytes its text takes at most */
    uint32_t slots;      /* to be kept */
    const struct field *rows;
    unsigned count;
    const struct plan *plan;
};

struct slot {
    uint64_t bytes[4];
    uint32_t length; /* 0: unused */
    char text[];
};

/* Rows that are there or not, and here or there, as other bytes of the header say. */
struct shaped {
    const struct field *rows;
    unsigned count;
    uint32_t mask[SHAPE_BYTES / 4]; /* those bytes */
};

struct plan {
    const struct protocol *protocol; /* NULL: an unused slot */
    char *open;                      /* `,{"ip":` */
    uint32_t open_length;
    uint32_t need; /* bytes of the header that all quick ops want */
    bool shapes;   /* arrays come from one run of options alone */
    size_t room;   /* bytes that all rows of a bounded size take */
    struct op *ops;
    struct op *unguarded; /* those of layers without a flag, which nearly all are */
    struct member *keys;
    unsigned op_count, key_count, key_room;
};

/* Which key a row has in a plan. */
struct row_key {
    const struct plan *plan; /* NULL: unused */
    const struct field *field;
    uint32_t key;
    bool number; /* nothing but whole bytes at a fixed place, there wherever the header is long enough */
};

/* The plans of all protocols there are. */
struct plans {
    struct row_key row_keys[ROW_SLOTS];
    unsigned row_count;
    struct plan plans[PROTOCOL_SLOTS];
};

/* Compiles all protocols. False: no memory; what was made is the caller's to close, too. */
bool plans_open(struct plans *known);
void plans_close(struct plans *known);

/* The key of a name in a plan, made if there is none; pointers to the plan's other keys may be stale then. False: no
 * memory. */
bool plan_key(struct plan *plan, const char *abbrev, uint32_t *index);

static inline bool op_has_segment(const struct op *op)
{
    return op->kind >= OP_KEPT_1 && op->kind <= OP_KEPT_WIDE;
}

/* Whether a row is nothing but bits at a fixed place. */
bool plan_is_plain(const struct field *field);

static inline struct plan *find_plan(struct plans *known, const struct protocol *protocol)
{
    uint32_t at = (uint32_t)((uintptr_t)protocol * UINT64_C(0x9e3779b97f4a7c15) >> 40) % PROTOCOL_SLOTS;
    while (known->plans[at].protocol && known->plans[at].protocol != protocol)
        at = (at + 1) % PROTOCOL_SLOTS;
    return &known->plans[at];
}

static inline uint32_t hash_row(const struct plan *plan, const struct field *field)
{
    uint64_t mix = ((uintptr_t)plan ^ (uintptr_t)field << 17) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mix >> 32) % ROW_SLOTS;
}

static inline struct row_key *find_row(struct plans *known, const struct plan *plan, const struct field *field)
{
    uint32_t at = hash_row(plan, field);
    while (known->row_keys[at].plan && (known->row_keys[at].plan != plan || known->row_keys[at].field != field))
        at = (at + 1) % ROW_SLOTS;
    return &known->row_keys[at];
}

static inline const struct member *key_of(struct plans *known, const struct plan *plan, const struct field *f)
{
    return &plan->keys[find_row(known, plan, f)->key];
}

/* A segment's slot where nothing was kept so far. */
extern const struct slot json_no_slot;

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
    case 4:
        return load_le32(bytes);
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
