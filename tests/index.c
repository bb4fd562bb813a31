/* Any packet at once: what the index, its readers, spools and the journal give must be what reading from the first
 * packet on gives. */
#include "capture/index.h"
#include "capture/file.h"
#include "capture/spool.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "output/remarks.h"
#include "output/text.h"
#include "output/tree.h"
#include "track/journal.h"
#include "track/tracker.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 16 };

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % sides;
}

static struct capture_index *index_whole(int fd)
{
    struct capture_index *x;
    struct error error;
    cr_assert_eq(index_open(&x, fd, "test", &error), 0, "%s", error.text);
    while (index_read_on(x, 7) > 0)
        ;
    return x;
}

static uint64_t sum(struct span bytes)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < bytes.left; i++)
        h = (h ^ bytes.at[i]) * UINT64_C(1099511628211);
    return h;
}

/* What of a record must be the same. */
struct seen {
    uint64_t bytes, comment;
    int64_t time;
    uint32_t wire_length, interface, link_type, none;
};

static struct seen see(const struct record *r)
{
    return (struct seen){ sum(r->bytes), sum(r->comment), r->time, r->wire_length, r->interface, r->link_type, 0 };
}

/* All of a capture in order; how many, at most `most`. */
static size_t read_all(int fd, struct seen *seen, size_t most)
{
    struct capture *c;
    struct record record;
    size_t n = 0;
    cr_assert_eq(capture_open_place(&c, fd, "test", BLOCK, NULL), 0);
    while (n < most && capture_next(c, &record, NULL) > 0)
        seen[n++] = see(&record);
    capture_close(c);
    return n;
}

static void same_in_any_order(int fd, const char *path)
{
    enum { MOST = 1 << 16 };
    static struct seen seen[MOST];
    size_t n = read_all(fd, seen, MOST);
    struct capture_index *x = index_whole(fd);
    cr_assert_eq(index_count(x), n, "%s: %zu of %zu", path, (size_t)index_count(x), n);
    struct index_reader *reader;
    cr_assert_eq(index_reader_open(&reader, x, BLOCK, NULL), 0);
    for (size_t i = 0; n && i < 2000; i++) {
        uint64_t number = dice(3) ? dice((uint32_t)n) + 1 : i % n + 1;
        struct record record;
        struct error error;
        cr_assert_eq(index_reader_get(reader, number, &record, &error), 1, "%s: %s", path, error.text);
        struct seen got = see(&record);
        cr_assert(!memcmp(&got, &seen[number - 1], sizeof got), "%s: packet %zu", path, (size_t)number);
    }
    struct record record;
    cr_assert_lt(index_reader_get(reader, 0, &record, NULL), 0);
    cr_assert_lt(index_reader_get(reader, n + 1, &record, NULL), 0);
    index_reader_close(reader);
    index_close(x);
}

Test(index, every_packet_of_every_capture_is_found)
{
    glob_t paths;
    cr_assert_eq(glob(TESTDATA "/*.pcap*", 0, NULL, &paths), 0);
    for (size_t i = 0; i < paths.gl_pathc; i++) {
        int fd = open(paths.gl_pathv[i], O_RDONLY | O_CLOEXEC);
        struct capture *c;
        cr_assert_geq(fd, 0);
        cr_assert_eq(capture_open_place(&c, fd, "test", BLOCK, NULL), 0, "%s", paths.gl_pathv[i]);
        if (capture_is_plain(c))
            same_in_any_order(fd, paths.gl_pathv[i]);
        capture_close(c);
        close(fd);
    }
    globfree(&paths);
}

/* --- pcapng: sections, byte orders, interfaces that come in the middle --- */

static void put(int fd, const void *bytes, size_t n)
{
    cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
}

static uint32_t order(uint32_t value, bool swapped)
{
    return swapped ? __builtin_bswap32(value) : value;
}

static void put_section(int fd, bool swapped)
{
    uint32_t block[] = { 0x0a0d0d0a, order(28, swapped), order(0x1a2b3c4d, swapped), swapped ? 0x00000100 : 1,
                         UINT32_MAX, UINT32_MAX,         order(28, swapped) };
    put(fd, block, sizeof block);
}

static void put_interface(int fd, bool swapped, uint16_t link_type)
{
    uint32_t type = swapped ? __builtin_bswap16(link_type) : link_type;
    uint32_t block[] = { order(1, swapped), order(20, swapped), type, 0, order(20, swapped) };
    put(fd, block, sizeof block);
}

static void put_packet(int fd, bool swapped, uint32_t interface, uint32_t time, uint32_t what)
{
    uint32_t block[] = { order(6, swapped),    order(36, swapped), order(interface, swapped), 0,
                         order(time, swapped), order(4, swapped),  order(4, swapped),         what,
                         order(36, swapped) };
    put(fd, block, sizeof block);
}

Test(index, sections_and_interfaces_are_known_wherever_one_begins)
{
    int fd = spool_make_file();
    uint32_t time = 0;
    cr_assert_geq(fd, 0);
    for (unsigned section = 0; section < 40; section++) {
        bool swapped = section % 3 == 1;
        put_section(fd, swapped);
        for (uint32_t interface = 0; section % 5 != 4 && interface < 3; interface++) {
            put_interface(fd, swapped, (uint16_t)(section + interface));
            for (unsigned i = 0; i < 50 + section; i++, time++)
                put_packet(fd, swapped, interface - dice(interface + 1), time, dice(1 << 20));
        }
        if (section % 5 == 4)
            put_interface(fd, swapped, 1); /* that no packet comes from */
    }
    same_in_any_order(fd, "sections");
    close(fd);
}

/* --- files that grow and shrink --- */

static int copy_part(int from, size_t n)
{
    static uint8_t bytes[1 << 20];
    int fd = spool_make_file();
    ssize_t got = pread(from, bytes, n, 0);
    cr_assert_geq(got, 0);
    put(fd, bytes, (size_t)got);
    return fd;
}

Test(index, what_a_file_grows_by_is_read_on)
{
    static struct seen seen[64];
    int whole = open(TESTDATA "/handshake.pcapng", O_RDONLY | O_CLOEXEC);
    struct stat status;
    cr_assert(whole >= 0 && !fstat(whole, &status));
    size_t size = (size_t)status.st_size, n = read_all(whole, seen, 64);
    for (size_t part = 200; part < size; part += 61) {
        int fd = copy_part(whole, part);
        struct capture_index *x = index_whole(fd);
        static uint8_t rest[1 << 16];
        for (size_t at = part; at < size;) {
            size_t more = 1 + dice(500);
            ssize_t got = pread(whole, rest, more, (off_t)at);
            cr_assert_gt(got, 0);
            put(fd, rest, (size_t)got);
            at += (size_t)got;
            index_look_again(x);
            while (index_read_on(x, 3) > 0)
                ;
        }
        cr_assert_eq(index_count(x), n, "from %zu: %zu", part, (size_t)index_count(x));
        cr_assert_null(index_trouble(x));
        struct index_reader *reader;
        struct record record;
        cr_assert_eq(index_reader_open(&reader, x, BLOCK, NULL), 0);
        for (size_t i = n; i > 0; i--) {
            cr_assert_eq(index_reader_get(reader, i, &record, NULL), 1);
            struct seen got = see(&record);
            cr_assert(!memcmp(&got, &seen[i - 1], sizeof got));
        }
        index_reader_close(reader);
        index_close(x);
        close(fd);
    }
    close(whole);
}

Test(index, a_file_that_shrank_is_an_error_and_no_crash)
{
    int whole = open(TESTDATA "/handshake.pcapng", O_RDONLY | O_CLOEXEC), fd = copy_part(whole, 1 << 20);
    struct capture_index *x = index_whole(fd);
    struct index_reader *reader;
    struct record record;
    struct error error;
    cr_assert_eq(index_reader_open(&reader, x, BLOCK, NULL), 0);
    cr_assert_eq(ftruncate(fd, 2000), 0);
    cr_assert_lt(index_reader_get(reader, index_count(x), &record, &error), 0);
    cr_assert_eq(index_reader_get(reader, 1, &record, &error), 1);
    index_reader_close(reader);
    index_close(x);
    close(fd);
    close(whole);
}

Test(index, a_million_packets_cost_less_than_a_megabyte)
{
    int fd = spool_make_file();
    uint8_t header[24] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [20] = 1 };
    static uint8_t records[1000][16];
    put(fd, header, sizeof header);
    for (unsigned i = 0; i < 1000; i++)
        put(fd, records, sizeof records);
    struct capture_index *x = index_whole(fd);
    cr_assert_eq(index_count(x), 1000000u);
    cr_assert_lt(index_memory(x), 1000000u);
    index_close(x);
    close(fd);
}

/* --- spools --- */

Test(spool, holds_what_the_capture_held)
{
    static struct seen seen[1 << 12], spooled[1 << 12];
    int whole = open(TESTDATA "/protocols.pcapng", O_RDONLY | O_CLOEXEC);
    size_t n = read_all(whole, seen, 1 << 12);
    struct capture *c;
    struct spool *spool;
    struct error error;
    cr_assert_eq(capture_open_place(&c, whole, "test", BLOCK, &error), 0);
    cr_assert_eq(spool_open(&spool, c, &error), 0, "%s", error.text);
    while (spool_take(spool, &error) > 0)
        ;
    cr_assert_eq(spool_take(spool, &error), 0);
    cr_assert_eq(read_all(spool_file(spool), spooled, 1 << 12), n);
    cr_assert(!memcmp(seen, spooled, n * sizeof *seen));
    spool_close(spool);
    capture_close(c);
    close(whole);
}

/* --- the journal --- */

struct retold {
    struct text text;
    struct buffer out, line;
};

/* A packet's line and its tree. */
static uint64_t told(struct retold *r, const struct packet *p)
{
    struct style plain = { 0 };
    r->out.at = r->out.start;
    text_open(&r->text, &plain, FORMAT_RELATIVE, 9);
    text_write(&r->text, &r->out, p);
    tree_write(&r->out, p, &plain);
    for (unsigned i = 0; i < p->note_count; i++) { /* what neither of them says */
        const struct note *note = &p->notes[i];
        bool states = note->have >> NOTE_STATES & 1;
        buffer_format(&r->out, "%llx %u %u %u\n", (unsigned long long)note->have, states ? note->state[0] : 0u,
                      states ? note->state[1] : 0u, states && note->from_client);
        buffer_format(&r->out, "%d\n", note->have >> NOTE_WINDOW_SCALE & 1 ? note->scale : 0);
    }
    return sum((struct span){ (const uint8_t *)r->out.start, buffer_used(&r->out) });
}

static void fill(struct packet *p, const struct record *record, uint64_t number)
{
    packet_reset(p, record->bytes);
    p->streams = true;
    p->number = number;
    p->time = record->time;
    p->timed = record->timed;
    p->time_relative = p->time_delta = 0;
    p->link_type = record->link_type;
    p->interface = record->interface;
    p->wire_length = record->wire_length;
    p->comment = record->comment;
    dissect(p);
}

static void retell(const char *path)
{
    enum { MOST = 1 << 14 };
    static uint64_t tales[MOST];
    static struct packet p;
    static struct retold r;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct capture_index *x;
    struct tracker tracker;
    struct journal *journal;
    struct index_reader *reader;
    struct record record;
    struct error error;
    if (index_open(&x, fd, path, &error)) {
        close(fd);
        return;
    }
    while (index_read_on(x, 1000) > 0)
        ;
    uint64_t n = index_count(x) < MOST ? index_count(x) : MOST;
    cr_assert_eq(buffer_open(&r.out, -1, 1 << 16), 0);
    const unsigned levels =
        TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_STATES | TRACK_ANALYSIS | TRACK_MESSAGES | TRACK_ANSWERS;
    cr_assert_eq(tracker_open(&tracker, levels, &error), 0);
    cr_assert_eq(journal_open(&journal, spool_make_file(), spool_make_file(), remarks_notes, &error), 0);
    cr_assert_eq(index_reader_open(&reader, x, BLOCK, &error), 0);
    for (uint64_t i = 1; i <= n; i++) {
        cr_assert_eq(index_reader_get(reader, i, &record, &error), 1);
        fill(&p, &record, i);
        struct journal_plain plain = journal_plain(&p);
        tracker_take(&tracker, &p);
        tales[i - 1] = told(&r, &p);
        cr_assert_eq(journal_add(journal, &p, plain, &error), 0, "%s", error.text);
        if (dice(10))
            continue;
        uint64_t earlier = dice((uint32_t)i) + 1; /* while it is being written */
        cr_assert_eq(index_reader_get(reader, earlier, &record, &error), 1);
        fill(&p, &record, earlier);
        cr_assert(journal_restore(journal, &p));
        cr_assert_eq(told(&r, &p), tales[earlier - 1], "%s: packet %zu:\n%.*s", path, (size_t)earlier,
                     (int)buffer_used(&r.out), r.out.start);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t number = i % 2 ? i + 1 : dice((uint32_t)n) + 1;
        struct journal_word word;
        cr_assert_eq(index_reader_get(reader, number, &record, &error), 1);
        fill(&p, &record, number);
        cr_assert(journal_restore(journal, &p));
        cr_assert_eq(told(&r, &p), tales[number - 1], "%s: packet %zu:\n%.*s", path, (size_t)number,
                     (int)buffer_used(&r.out), r.out.start);
        cr_assert_eq(journal_words(journal, number, &word, 1), 1u);
        const struct note *note = p.note_count ? &p.notes[p.note_count - 1] : NULL;
        if (note && p.note_count == 1 && note->have >> NOTE_STREAM & 1 && word.bits & (JOURNAL_TCP | JOURNAL_UDP))
            cr_assert_eq(word.stream, note->stream);
    }
    if (strstr(path, "trouble") || strstr(path, "tunnels")) /* nothing in them is put together */
        cr_assert_leq(journal_size(journal), 16 * n, "%s: %zu bytes for %zu packets", path,
                      (size_t)journal_size(journal), (size_t)n);
    p.number = n + 1;
    cr_assert_not(journal_restore(journal, &p));
    index_reader_close(reader);
    journal_close(journal);
    tracker_close(&tracker);
    index_close(x);
    buffer_free(&r.out);
    close(fd);
}

Test(journal, any_packet_is_told_as_when_it_was_read_in_order, .timeout = 60)
{
    glob_t paths;
    registry_open();
    cr_assert_eq(glob(TESTDATA "/*.pcap*", 0, NULL, &paths), 0);
    for (size_t i = 0; i < paths.gl_pathc; i++)
        retell(paths.gl_pathv[i]);
    globfree(&paths);
}
