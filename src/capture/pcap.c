/* The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records of a 16-byte header and the packet.
 * Microseconds and nanoseconds, both byte orders. Relatives with other magic numbers are libpcap's. */
#include "base/text.h"
#include "capture/file.h"

enum {
    FILE_HEADER = 24,
    RECORD_HEADER = 16,
    MAGIC_MICROSECONDS = (int)0xa1b2c3d4,
    MAGIC_NANOSECONDS = (int)0xa1b23c4d,
};

static bool is_magic(uint32_t magic)
{
    return magic == (uint32_t)MAGIC_MICROSECONDS || magic == (uint32_t)MAGIC_NANOSECONDS;
}

static bool knows(struct span beginning)
{
    const uint8_t *p = span_peek(&beginning, 4);
    return p && (is_magic(load_le32(p)) || is_magic(load_be32(p)));
}

/* Before version 2.3 the packet's length on the wire stood first; in 2.3 some writers did it so and some not. */
static enum pcap_lengths lengths_of(unsigned major, unsigned minor)
{
    if (major == 543 || (major == 2 && minor < 3))
        return PCAP_LENGTHS_SWAPPED;
    return major == 2 && minor == 3 ? PCAP_LENGTHS_ORDERED : PCAP_LENGTHS_PLAIN;
}

static int start(struct capture *c, struct error *error)
{
    int result = block_reader_fill(&c->reader, FILE_HEADER);
    if (result <= 0)
        return capture_no_start(c, result, error);
    const uint8_t *p = c->reader.at;
    c->swapped = !is_magic(load_le32(p));
    c->nanoseconds = capture_load32(p, c->swapped) == (uint32_t)MAGIC_NANOSECONDS;
    unsigned major = capture_load16(p + 4, c->swapped), minor = capture_load16(p + 6, c->swapped);
    if (major < 2)
        return error_set(error, ERROR_FORMAT, _("%s: pcap version %u.%u is not known"), c->path, major, minor);
    c->pcap.fraction = c->nanoseconds ? 1 : 1000;
    c->pcap.lengths = lengths_of(major, minor);
    c->pcap.link_type = capture_plain_link_type(capture_load32(p + 20, c->swapped));
    c->first_link_type = c->pcap.link_type;
    c->first_known = true;
    c->reader.at += FILE_HEADER;
    return 0;
}

static inline uint32_t captured_length(const struct capture *c, const uint8_t *header, uint32_t *wire_length)
{
    uint32_t captured = capture_load32(header + 8, c->swapped), wire = capture_load32(header + 12, c->swapped);
    if (__builtin_expect(c->pcap.lengths != PCAP_LENGTHS_PLAIN, 0) &&
        (c->pcap.lengths == PCAP_LENGTHS_SWAPPED || captured > wire)) {
        *wire_length = captured;
        return wire;
    }
    *wire_length = wire;
    return captured;
}

/* A record that does not lie whole in the buffer yet: makes it so (1), or says why not. */
__attribute__((noinline, cold)) static int fetch(struct capture *c, struct error *error)
{
    struct block_reader *r = &c->reader;
    uint64_t offset = block_reader_offset(r, r->at);
    int result = block_reader_fill(r, RECORD_HEADER);
    if (result == 0 && block_reader_left(r) == 0)
        return capture_end(c);
    if (result <= 0)
        return capture_cut_short(c, result, offset, error);
    uint32_t wire_length, captured = captured_length(c, r->at, &wire_length);
    if (captured > CAPTURE_PACKET_MAX)
        return capture_damaged(c, offset, error, _("no packet has %u bytes"), captured);
    result = block_reader_fill(r, RECORD_HEADER + (size_t)captured);
    return result > 0 ? 1 : capture_cut_short(c, result, offset, error);
}

static int next(struct capture *c, struct record *record, struct error *error)
{
    struct block_reader *r = &c->reader;
    uint32_t captured, wire_length;
    size_t left = block_reader_left(r);
    if (left < RECORD_HEADER || (captured = captured_length(c, r->at, &wire_length)) > left - RECORD_HEADER ||
        captured > CAPTURE_PACKET_MAX) {
        int result = fetch(c, error);
        if (result <= 0)
            return result;
        captured = captured_length(c, r->at, &wire_length);
    }
    const uint8_t *header = r->at;
    int64_t seconds = capture_load32(header, c->swapped);
    int64_t fraction = capture_load32(header + 4, c->swapped);
    *record = (struct record){
        .bytes = { header + RECORD_HEADER, captured },
        .wire_length = wire_length,
        .time = seconds * 1000000000 + fraction * c->pcap.fraction,
        .timed = true,
        .link_type = c->pcap.link_type,
        .offset = block_reader_offset(r, header),
    };
    r->at = header + RECORD_HEADER + captured;
    c->packets++;
    return 1;
}

const struct capture_format capture_pcap = { .knows = knows, .start = start, .next = next };
