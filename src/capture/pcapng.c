/* The pcapng format (draft-ietf-opsawg-pcapng): blocks of a type, a length, a body and the length again. Packets come
 * in enhanced, simple and obsolete packet blocks; of all others only sections and interfaces matter here, and the rest
 * is passed over without being kept. Lengths that are not a multiple of 4 are rounded up, as Wireshark reads them. */
#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include "capture/file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_HEADER = 8,
    BLOCK_TRAILER = 4,
    BLOCK_MIN = BLOCK_HEADER + BLOCK_TRAILER,
    BLOCK_MAX = CAPTURE_PACKET_MAX + (1 << 20), /* of one that we read: the largest packet, and its options */
    OPTION_HEADER = 4,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,

    BLOCK_SECTION = 0x0a0d0d0a, /* the same in both byte orders */
    BLOCK_INTERFACE = 1,
    BLOCK_OBSOLETE_PACKET = 2,
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_ENHANCED_PACKET = 6,
    BLOCK_CUSTOM = 0x00000bad,
    BLOCK_CUSTOM_UNCOPIED = 0x40000bad, /* not to be copied into another file */

    SECTION_HEADER = 24, /* up to its body's fixed part, of these blocks */
    INTERFACE_HEADER = 16,
    OBSOLETE_HEADER = 28,
    SIMPLE_HEADER = 12,
    ENHANCED_HEADER = 28,
    CUSTOM_HEADER = 12,

    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_TSRESOL = 9,
    OPTION_TSOFFSET = 14,
};

/* A block that lies whole in the buffer. */
struct block {
    const uint8_t *at;
    size_t length; /* rounded up to a multiple of 4 */
    uint64_t offset;
};

static bool knows(struct span beginning)
{
    const uint8_t *p = span_peek(&beginning, 4);
    return p && load_le32(p) == BLOCK_SECTION;
}

/* The next option, which *options then no longer holds. False where they end, also if they end in the wrong place:
 * what a broken option would have told is not known, but the packet before it is good. */
static bool next_option(struct span *options, bool swapped, uint16_t *code, struct span *value)
{
    const uint8_t *header = span_pull(options, OPTION_HEADER);
    if (!header)
        return false;
    *code = capture_load16(header, swapped);
    size_t length = capture_load16(header + 2, swapped);
    if (*code == OPTION_END || length > options->left)
        return false;
    *value = span_part(*options, 0, length);
    *options = span_part(*options, (length + 3) & ~(size_t)3, SIZE_MAX);
    return true;
}

/* What lies between the end of a block's data and its trailer. */
static struct span options_of(const struct block *block, size_t header, size_t data)
{
    struct span all = { block->at, block->length - BLOCK_TRAILER };
    return span_part(all, header + ((data + 3) & ~(size_t)3), SIZE_MAX);
}

/* The meaning of if_tsresol: 10^-n, or 2^-n where the high bit is set. Any n is defined and none may overflow. The
 * interface's offset must be known. */
static void set_resolution(struct pcapng_interface *interface, uint8_t resolution)
{
    unsigned n = resolution & 0x7f;
    interface->multiplier = 1;
    interface->divisor = 1;
    interface->shift = 0;
    if (resolution & 0x80) {
        interface->multiplier = 1000000000;
        interface->shift = (uint8_t)n;
    } else if (n > 9 + 19) {
        interface->multiplier = 0; /* 2^64 of such ticks are less than a nanosecond */
    } else {
        for (unsigned i = n; i < 9; i++)
            interface->multiplier *= 10;
        for (unsigned i = 9; i < n; i++)
            interface->divisor *= 10;
    }
    interface->plain = interface->divisor == 1 && !interface->shift && !interface->offset;
}

static int64_t time_of(const struct pcapng_interface *interface, uint64_t ticks)
{
    if (__builtin_expect(interface->plain, 1)) {
        /* Nobody captures so late that the highest bit is set; a writer whose clock stood before 1970 may. Read as
         * negative, the times between its packets are right. */
        return time_bounded((__int128)(int64_t)ticks * (int64_t)interface->multiplier);
    }
    unsigned __int128 value = (unsigned __int128)ticks * interface->multiplier / interface->divisor;
    value = value >> interface->shift;
    return time_bounded((__int128)value + (__int128)interface->offset * 1000000000);
}

/* Room for one more interface of this section, at interfaces[count]. */
static int make_room(struct capture *c, const struct block *block, struct error *error)
{
    if (c->pcapng.before + c->pcapng.count >= CAPTURE_INTERFACES_MAX)
        return capture_damaged(c, block->offset, error, _("more than %d interfaces"), CAPTURE_INTERFACES_MAX);
    if (!array_grow(&c->pcapng.interfaces, sizeof *c->pcapng.interfaces, c->pcapng.count, &c->pcapng.room))
        return capture_no_memory(c, block->offset, error);
    return 1;
}

static int add_interface(struct capture *c, const struct block *block, struct error *error)
{
    if (block->length < INTERFACE_HEADER + BLOCK_TRAILER)
        return capture_damaged(c, block->offset, error, _("an interface description of %zu bytes is too short"),
                               block->length);
    int result = make_room(c, block, error);
    if (result <= 0)
        return result;
    struct pcapng_interface *interface = &c->pcapng.interfaces[c->pcapng.count++];
    *interface = (struct pcapng_interface){
        .link_type = capture_plain_link_type(capture_load16(block->at + 8, c->swapped)),
        .snap_length = capture_load32(block->at + 12, c->swapped),
    };
    uint8_t resolution = 6; /* unless the option says otherwise: microseconds */
    struct span options = options_of(block, INTERFACE_HEADER, 0), value;
    for (uint16_t code; next_option(&options, c->swapped, &code, &value);)
        if (code == OPTION_TSRESOL && value.left >= 1)
            resolution = *value.at;
        else if (code == OPTION_TSOFFSET && value.left >= 8)
            interface->offset = (int64_t)capture_load64(value.at, c->swapped);
    set_resolution(interface, resolution);
    c->nanoseconds |= resolution & 0x80 ? (resolution & 0x7f) >= 20 : resolution > 6; /* 2^-20 s is below a us */
    if (!c->first_known)
        c->first_link_type = interface->link_type;
    c->first_known = true;
    return 1;
}

/* Reads a section's first 16 bytes, which tell its byte order, and forgets the interfaces of the section before. The
 * sentence that is returned says what is wrong with it; NULL: nothing. */
static const char *begin_section(struct capture *c, const uint8_t *p)
{
    if (load_le32(p + 8) != BYTE_ORDER_MAGIC && load_be32(p + 8) != BYTE_ORDER_MAGIC)
        return _("a section without byte-order magic");
    bool swapped = load_le32(p + 8) != BYTE_ORDER_MAGIC;
    unsigned major = capture_load16(p + 12, swapped), minor = capture_load16(p + 14, swapped);
    if (major != 1 || (minor != 0 && minor != 2)) /* 1.2 is 1.0 by another name (draft, 4.1) */
        return _("a section in a version of pcapng that is not known");
    c->swapped = swapped;
    c->pcapng.before += c->pcapng.count;
    c->pcapng.count = 0;
    return NULL;
}

static int start(struct capture *c, struct error *error)
{
    int result = block_reader_fill(&c->reader, 16);
    if (result <= 0)
        return capture_no_start(c, result, error);
    const char *why = begin_section(c, c->reader.at);
    return why ? error_set(error, ERROR_FORMAT, "%s: %s", c->path, why) : 0;
}

/* The packet of a block whose captured bytes stand behind `header` bytes. */
static int give_packet(struct capture *c, struct record *record, const struct block *block, size_t header,
                       size_t captured, struct error *error)
{
    size_t room = block->length - BLOCK_TRAILER - header;
    if (captured > CAPTURE_PACKET_MAX)
        return capture_damaged(c, block->offset, error, _("no packet has %zu bytes"), captured);
    if (captured > room)
        return capture_damaged(c, block->offset, error, _("a packet of %zu bytes in a block that has room for %zu"),
                               captured, room);
    record->bytes = (struct span){ block->at + header, captured };
    record->offset = block->offset;
    c->packets++;
    c->reader.at = block->at + block->length;
    return 1;
}

/* Interface `number` of this section goes into the record; what it is comes back, NULL if there is none such. */
static inline const struct pcapng_interface *take_interface(const struct capture *c, struct record *record,
                                                            uint32_t number)
{
    if (number >= c->pcapng.count)
        return NULL;
    record->interface = c->pcapng.before + number;
    record->link_type = c->pcapng.interfaces[number].link_type;
    return &c->pcapng.interfaces[number];
}

static int no_interface(struct capture *c, const struct block *block, uint32_t number, struct error *error)
{
    return capture_damaged(c, block->offset, error, _("a packet from interface %u, of %u described"), number,
                           c->pcapng.count);
}

static int too_short(struct capture *c, const struct block *block, struct error *error)
{
    return capture_damaged(c, block->offset, error, _("a packet block of %zu bytes is too short"), block->length);
}

static void find_comment(const struct capture *c, struct record *record, struct span options)
{
    struct span value;
    for (uint16_t code; next_option(&options, c->swapped, &code, &value);)
        if (code == OPTION_COMMENT) {
            record->comment = value;
            return;
        }
}

/* Enhanced packet blocks, and the obsolete ones, which differ in the width of the interface's number. */
static int timed_packet(struct capture *c, struct record *record, const struct block *block, bool obsolete,
                        struct error *error)
{
    if (block->length < ENHANCED_HEADER + BLOCK_TRAILER)
        return too_short(c, block, error);
    const uint8_t *p = block->at;
    bool swapped = c->swapped;
    uint32_t number = obsolete ? capture_load16(p + 8, swapped) : capture_load32(p + 8, swapped);
    size_t captured = capture_load32(p + 20, swapped);
    *record = (struct record){ .wire_length = capture_load32(p + 24, swapped), .timed = true };
    const struct pcapng_interface *interface = take_interface(c, record, number);
    if (!interface)
        return no_interface(c, block, number, error);
    uint64_t ticks = (uint64_t)capture_load32(p + 12, swapped) << 32 | capture_load32(p + 16, swapped);
    record->time = time_of(interface, ticks);
    struct span options = options_of(block, ENHANCED_HEADER, captured);
    if (options.left)
        find_comment(c, record, options);
    return give_packet(c, record, block, ENHANCED_HEADER, captured, error);
}

/* A simple packet block says neither when nor how much of the packet was captured: all of it, up to the interface's
 * snap length, and no more than lies in the block. */
static int simple_packet(struct capture *c, struct record *record, const struct block *block, struct error *error)
{
    if (block->length < SIMPLE_HEADER + BLOCK_TRAILER)
        return too_short(c, block, error);
    *record = (struct record){ .wire_length = capture_load32(block->at + 8, c->swapped) };
    const struct pcapng_interface *interface = take_interface(c, record, 0);
    if (!interface)
        return no_interface(c, block, 0, error);
    size_t captured = block->length - SIMPLE_HEADER - BLOCK_TRAILER;
    if (captured > record->wire_length)
        captured = record->wire_length;
    if (interface->snap_length && captured > interface->snap_length)
        captured = interface->snap_length;
    return give_packet(c, record, block, SIMPLE_HEADER, captured, error);
}

/* What somebody wrote between the packets for programs of his own: numbered among them, as Wireshark does, so that
 * numbers mean the same here and there. */
static int custom_block(struct capture *c, struct record *record, const struct block *block, struct error *error)
{
    if (block->length < CUSTOM_HEADER + BLOCK_TRAILER)
        return too_short(c, block, error);
    size_t length = block->length - CUSTOM_HEADER - BLOCK_TRAILER;
    *record = (struct record){ .wire_length = (uint32_t)length, .link_type = CAPTURE_NO_PACKET };
    return give_packet(c, record, block, CUSTOM_HEADER, length, error);
}

/* The length of the block that begins at `at`, of which the header (and of a section 12 bytes) is there. Sections are
 * in the byte order that they announce themselves. */
static uint32_t length_of(const struct capture *c, const uint8_t *at)
{
    bool swapped = load_le32(at) == BLOCK_SECTION ? load_be32(at + 8) == BYTE_ORDER_MAGIC : c->swapped;
    return capture_load32(at + 4, swapped);
}

static uint64_t rounded(uint32_t length)
{
    return ((uint64_t)length + 3) & ~(uint64_t)3;
}

static int bad_trailer(struct capture *c, uint64_t offset, uint32_t length, uint32_t trailer, struct error *error)
{
    return capture_damaged(c, offset, error, _("a block's two lengths differ, %u at its beginning and %u at its end"),
                           length, trailer);
}

/* Passes over a block that nothing here reads, however long it is. */
static int skip_block(struct capture *c, struct error *error)
{
    struct block_reader *r = &c->reader;
    uint64_t offset = block_reader_offset(r, r->at);
    uint32_t length = length_of(c, r->at);
    int result = block_reader_skip(r, rounded(length) - BLOCK_TRAILER);
    if (result > 0)
        result = block_reader_fill(r, BLOCK_TRAILER);
    if (result <= 0)
        return capture_cut_short(c, result, offset, error);
    uint32_t trailer = capture_load32(r->at, c->swapped);
    if (rounded(trailer) != rounded(length))
        return bad_trailer(c, offset, length, trailer, error);
    r->at += BLOCK_TRAILER;
    return 1;
}

/* Makes the beginning of the next block stand in the buffer, as much of it as its length takes to be known. */
static int fetch_header(struct capture *c, struct error *error)
{
    struct block_reader *r = &c->reader;
    uint64_t offset = block_reader_offset(r, r->at);
    int result = block_reader_fill(r, BLOCK_MIN);
    if (result == 0 && block_reader_left(r) == 0)
        return capture_end(c);
    if (result <= 0)
        return capture_cut_short(c, result, offset, error);
    uint32_t length = length_of(c, r->at);
    if (length >= BLOCK_MIN)
        return 1;
    if (length % 4)
        return capture_damaged(c, offset, error, _("block length %u is not a multiple of 4"), length);
    return capture_damaged(c, offset, error, _("block length %u is less than a block's header"), length);
}

/* Makes a block that is read here lie whole in the buffer. */
static int fetch_block(struct capture *c, struct block *block, struct error *error)
{
    struct block_reader *r = &c->reader;
    block->offset = block_reader_offset(r, r->at);
    if (block->length > BLOCK_MAX)
        return capture_damaged(c, block->offset, error, _("block length %zu is too large"), block->length);
    int result = block_reader_fill(r, block->length);
    if (result <= 0)
        return capture_cut_short(c, result, block->offset, error);
    block->at = r->at;
    return 1;
}

static int read_section(struct capture *c, const struct block *block, struct error *error)
{
    const char *why = block->length < SECTION_HEADER + BLOCK_TRAILER ? _("a section header that is too short")
                                                                     : begin_section(c, block->at);
    if (!why)
        return 1;
    return capture_damaged(c, block->offset, error, "%s", why);
}

static bool is_packet(uint32_t type)
{
    return type == BLOCK_ENHANCED_PACKET || type == BLOCK_SIMPLE_PACKET || type == BLOCK_OBSOLETE_PACKET ||
           type == BLOCK_CUSTOM || type == BLOCK_CUSTOM_UNCOPIED;
}

/* A whole block. Returns 1: if it is a packet's, the record holds it, and the reader stands behind the block. */
static int read_block(struct capture *c, struct record *record, const struct block *block, uint32_t type,
                      struct error *error)
{
    switch (type) {
    case BLOCK_ENHANCED_PACKET:
        return timed_packet(c, record, block, false, error);
    case BLOCK_OBSOLETE_PACKET:
        return timed_packet(c, record, block, true, error);
    case BLOCK_SIMPLE_PACKET:
        return simple_packet(c, record, block, error);
    case BLOCK_CUSTOM:
    case BLOCK_CUSTOM_UNCOPIED:
        return custom_block(c, record, block, error);
    case BLOCK_SECTION:
        return read_section(c, block, error);
    default:
        return add_interface(c, block, error);
    }
}

static int next(struct capture *c, struct record *record, struct error *error)
{
    struct block_reader *r = &c->reader;
    for (;;) {
        int result = block_reader_left(r) >= BLOCK_MIN && length_of(c, r->at) >= BLOCK_MIN ? 1 : fetch_header(c, error);
        if (result <= 0)
            return result;
        uint32_t type = capture_load32(r->at, c->swapped);
        if (!is_packet(type) && type != BLOCK_INTERFACE && type != BLOCK_SECTION) {
            if ((result = skip_block(c, error)) <= 0)
                return result;
            continue;
        }
        uint32_t length = length_of(c, r->at);
        struct block block = { .length = rounded(length) };
        if ((result = fetch_block(c, &block, error)) <= 0)
            return result;
        bool swapped = type == BLOCK_SECTION ? load_be32(block.at + 8) == BYTE_ORDER_MAGIC : c->swapped;
        uint32_t trailer = capture_load32(block.at + block.length - BLOCK_TRAILER, swapped);
        if (rounded(trailer) != block.length)
            return bad_trailer(c, block.offset, length, trailer, error);
        if ((result = read_block(c, record, &block, type, error)) <= 0 || is_packet(type))
            return result;
        r->at = block.at + block.length;
    }
}

static void finish(struct capture *c)
{
    free(c->pcapng.interfaces);
}

const struct capture_format capture_pcapng = { .knows = knows, .start = start, .next = next, .close = finish };
