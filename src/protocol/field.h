/* A protocol is one table of fields. A row is the only place that says where bytes of a header lie and what they mean;
 * the tree, -T fields, JSON, filters, bit diagrams, crafting and scripts all read it. */
#pragma once
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

struct packet;
struct layer;
struct tlv_set;

enum field_type {
    FIELD_UINT,     /* unsigned, network byte order, up to 64 bits, any bit offset */
    FIELD_UINT_LE,  /* the same, little-endian; whole bytes only */
    FIELD_BOOL,     /* one bit, or any width: not 0 */
    FIELD_MAC,      /* 6 bytes */
    FIELD_IPV4,     /* 4 bytes; value.u in host order */
    FIELD_IPV6,     /* 16 bytes */
    FIELD_BYTES,    /* hex */
    FIELD_TEXT,     /* characters, escaped on the way out */
    FIELD_TIME,     /* an instant: value.i, nanoseconds since 1970 */
    FIELD_DURATION, /* value.i, nanoseconds */
    FIELD_NONE,     /* there or not; the value is its bytes */
    FIELD_INT,      /* from a note or computed: value.i, signed */
    FIELD_TLVS,     /* a run of type-length-value options, described by `tlvs` */
};

enum field_base {
    BASE_DEC,
    BASE_HEX,  /* as many digits as the width has, in whole bytes */
    BASE_DATE, /* a time as day and clock, here */
};

/* What crafting does with a field that the user did not set. */
enum field_role {
    ROLE_NONE,
    ROLE_LENGTH,   /* computed: the bytes that `counts` names, without `less` of them, in steps of `step` */
    ROLE_CHECKSUM, /* computed: the Internet checksum of what `counts` names */
    ROLE_NEXT,     /* the key of the layer on top, in the protocol's key space `carries` */
    ROLE_SOURCE,   /* from the route or the interface */
    ROLE_DESTINATION,
};

/* What a length or a checksum counts. */
enum field_counts {
    COUNTS_ALL,     /* the header and all that it carries */
    COUNTS_HEADER,  /* the header alone */
    COUNTS_PAYLOAD, /* what it carries alone */
    COUNTS_PSEUDO,  /* the pseudo-header (RFC 9293, 3.1) and all: checksums only; one of 0 is written as the preset */
    COUNTS_VALUES,  /* the bytes or the times of the rows that it is the length of; if none is set it is the preset */
};

enum field_flag {
    FIELD_MANY = 1,    /* may occur more than once in a layer: an array in JSON. Rows of options need not say it. */
    FIELD_HIDDEN = 2,  /* answers to its name in -e, -Y and JSON, but is not drawn in trees and diagrams */
    FIELD_SET = 4,     /* a bitmap (FIELD_UINT, with a stride): occurs once for each bit that is set, as its number */
    FIELD_TRACKED = 8, /* its adjust reads the tracker's note */
    FIELD_ROOM = 16,   /* there if the header is long enough for it: crafting makes room for it only if it is set */
    FIELD_ASCII = 32,  /* a text in which a byte beyond ASCII is no character: -T fields writes U+FFFD for it */
    FIELD_OWN = 64,    /* what its read says depends on nothing but the bytes of its header or option */
};

struct value {
    union {
        uint64_t u;
        int64_t i;
    };
    struct span bytes;   /* the bytes it was read from; for MAC, IPv6, BYTES and TEXT the value itself */
    uint32_t bit, width; /* where they lie, in bits from the header's start; width 0: not from bytes */
};

/* What was found out about a layer by whoever reads many of its rows, one after another, so that it need not be found
 * again. All 0 before the first row. */
struct recall {
    const struct field *row; /* where this one ends, of the header that begins at `at` with `left` bytes */
    const uint8_t *at;
    size_t left;
    uint32_t end;    /* in bits */
    uint64_t own[2]; /* the protocol's, as it likes; 0: nothing */
};

/* A header to read fields from: a layer's, or an option's within it. */
struct place {
    const struct packet *packet;
    const struct layer *layer;
    const struct field *rows; /* the table that the header is read by: what `after` counts in */
    struct span bytes;        /* the header, as far as it was captured */
    uint32_t start;           /* where bytes begin, in bytes from the layer's start: 0 but for options */
    struct recall *recall;    /* of the layer, whose bytes stay the same meanwhile; NULL: none */
};

/* Present only where another bit field of the same header has a value from low to high. An array of these ends with
 * width 0 and is true if one of them is; `and` is needed besides. */
struct when {
    uint16_t bit, width;
    uint32_t low, high;
    const struct when *and;
};

struct value_name {
    uint32_t value;
    const char *name; /* NULL ends the array */
};

struct field {
    const char *abbrev, *title; /* Wireshark's name; the RFC's words. abbrev NULL ends a table. */
    uint8_t type, base, role, flags;
    uint16_t bit, width; /* from the header's start; width 0: to its end */
    uint16_t hot;        /* offset of a copy in struct packet that dissect made, 0: none */
    uint8_t plus, unit;  /* value = (wire + plus) * unit; unit 0 means 1 and no plus: (n + 1) * 8 in IPv6 */
    uint8_t after;       /* row + 1: begins where that row ends; bit is added to it */
    uint8_t sized;       /* row + 1: that row's value is this field's length in bytes */
    uint8_t stride;      /* repeats every so many bytes, to the end of the header */
    uint8_t times;       /* row + 1: but not oftener than that row's value says */
    uint8_t only, never; /* enum layer_flag: only in layers that have one of these; never in such */
    uint8_t needs;       /* shown only where so many bytes of the header are there; 0: its own are enough */
    /* For crafting, where it is not set: */
    uint8_t counts;     /* enum field_counts, for lengths and checksums */
    uint8_t less, step; /* so many bytes does a length not count; the rest in units of so many, 0: the row's own unit */
    uint16_t preset;    /* the value of a field without a role */
    const struct when *when;
    const struct value_name *names;
    const struct tlv_set *tlvs; /* FIELD_TLVS */
    const char *also;           /* a second name, shared with other rows: ip.addr, tcp.port */
    /* Not from bytes: from the note that the tracker wrote (offset into struct note and the bit that says it is
     * there), or computed when asked for; read returns false where the field is absent. Text that it made lies in
     * scratch of the dissector's, good until the next one is made. A row with read and a bit or width lies where it
     * says: read tells what the bytes there mean, and crafting writes them. */
    uint16_t note;
    uint8_t note_bit; /* enum note_bit + 1 */
    char letter;      /* of a bit: what stands for it in a text of letters, as S in "SA" */
    bool (*read)(const struct place *place, struct value *value);
    /* Its bytes themselves tell its length (a DNS name): how many of those that are left it takes, 0 if they break off
     * or are none. What begins after a broken one is absent. `read` may say what it means. */
    size_t (*measure)(struct span rest);
    /* From bytes, but they do not say all (a count from elsewhere, a 0 that stands for the rest): what the field shows
     * for the number that was read. */
    uint64_t (*adjust)(const struct place *place, uint64_t wire);
};

/* For tables: */
#define BITS(at, n)         .bit = (at), .width = (n)
#define BYTE(at, n)         .bit = (at)*8, .width = (n)*8
#define TO_END(at)          .bit = (at)*8, .width = 0
#define HOT(member)         .hot = offsetof(struct packet, member)
#define NOTE(member, which) .note = offsetof(struct note, member), .note_bit = (which) + 1

/* Reads one field; `turn` counts the occurrences of a row with a stride, from 0. False where it is absent (its
 * condition is not met) or cut off. FIELD_TLVS answers with the bytes of the whole run. */
bool field_read(const struct field *field, const struct place *place, unsigned turn, struct value *value);

enum put {
    PUT_DONE,
    PUT_ABSENT,   /* its condition is not met */
    PUT_COMPUTED, /* it has no place in the header: it is computed, or the tracker's */
    PUT_SHORT,    /* the header ends before it does */
    PUT_LARGE,    /* it cannot hold the value: too large, or not in its units */
};

/* Writes one field where field_read finds it. place->bytes is the header at its full length, and header the same bytes,
 * for writing. Of *value: bytes for FIELD_MAC, IPV6, BYTES, TEXT, TIME and TLVS (shorter ones are filled up with 0), u
 * for all others; u is what field_read answers without an adjust. A FIELD_SET sets the bit u. */
enum put field_put(const struct field *field, const struct place *place, unsigned turn, uint8_t *header,
                   const struct value *value);
/* Whether a row's condition is met, however long the header is. */
bool field_present(const struct field *field, const struct place *place);
/* Where a field lies, in bits from the header's start, whether or not the header is long enough for it; 0 width where
 * it is absent. *wide of one that reaches to the header's end: what is left of it. False: it has no place. */
bool field_locate(const struct field *field, const struct place *place, unsigned turn, uint32_t *bit, uint32_t *wide);

/* The name of a value, or NULL. */
const char *field_value_name(const struct field *field, uint64_t value);

/* The span of `bits` bits from `bit` on as an unsigned number; the caller has checked that they are there. */
static inline uint64_t bits_load(const uint8_t *bytes, uint32_t bit, uint32_t width)
{
    const uint8_t *p = bytes + bit / 8;
    uint32_t shift = bit % 8, end = shift + width;
    if (!(shift | (width & 7))) {
        switch (width) {
        case 8:
            return *p;
        case 16:
            return load_be16(p);
        case 32:
            return load_be32(p);
        case 64:
            return load_be64(p);
        }
    }
    if (end > 64) /* nine bytes: no header has such a field */
        return 0;
    uint64_t v = 0;
    for (uint32_t i = 0; i < end; i += 8)
        v = v << 8 | *p++;
    v >>= (8 - end % 8) % 8;
    return width < 64 ? v & ((UINT64_C(1) << width) - 1) : v;
}
