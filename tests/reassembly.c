/* Streams put together: what is handed on, in which order, and what is told of the bytes that are missing. */
#include "track/reassembly.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* Writes down what it is told: bytes as they are, a gap of three as "<3>", the end as ".", "!" (reset) or "?". */
struct record {
    char text[256];
    size_t length;
    uint64_t next;
    uint64_t bytes, missing;
    unsigned ends;
};

static void put(struct record *record, const char *text, size_t n)
{
    cr_assert_lt(record->length + n, sizeof record->text);
    memcpy(record->text + record->length, text, n);
    record->length += n;
}

static void on_bytes(void *context, uint64_t at, struct span bytes)
{
    struct record *record = context;
    cr_assert_eq(at, record->next);
    record->next += bytes.left;
    put(record, (const char *)bytes.at, bytes.left);
}

static void on_gap(void *context, uint64_t at, uint64_t length)
{
    struct record *record = context;
    char text[32];
    cr_assert_eq(at, record->next);
    record->next += length;
    put(record, text, (size_t)snprintf(text, sizeof text, "<%llu>", (unsigned long long)length));
}

static void on_end(void *context, uint64_t at, enum reassembly_end how)
{
    struct record *record = context;
    cr_assert_eq(at, record->next);
    cr_assert_eq(record->ends++, 0);
    put(record, how == REASSEMBLY_FIN ? "." : how == REASSEMBLY_RESET ? "!" : "?", 1);
}

static const struct reassembly_consumer consumer = { on_bytes, on_gap, on_end };

struct scene {
    struct reassembly all;
    struct reassembly_half half;
    struct record record;
};

static struct scene *scene(void)
{
    static struct scene s;
    s = (struct scene){ 0 };
    s.half.context = &s.record;
    reassembly_open(&s.all, &consumer);
    reassembly_begin(&s.half, 1000);
    return &s;
}

/* Data whose first byte is the at-th of the stream. */
static void take(struct scene *s, uint32_t at, const char *text)
{
    uint32_t n = (uint32_t)strlen(text);
    reassembly_take(&s->all, &s->half, 1000 + at, (struct span){ (const uint8_t *)text, n }, n, false);
}

static void take_fin(struct scene *s, uint32_t at)
{
    reassembly_take(&s->all, &s->half, 1000 + at, (struct span){ NULL, 0 }, 0, true);
}

static void expect(struct scene *s, const char *text)
{
    cr_assert_eq(s->record.length, strlen(text), "%.*s is not %s", (int)s->record.length, s->record.text, text);
    cr_assert(!memcmp(s->record.text, text, s->record.length), "%.*s is not %s", (int)s->record.length, s->record.text,
              text);
}

Test(reassembly, segments_in_order_pass_at_once)
{
    struct scene *s = scene();
    take(s, 0, "GET ");
    expect(s, "GET ");
    take(s, 4, "/");
    expect(s, "GET /");
    cr_assert_eq(s->all.held, 0);
}

Test(reassembly, what_comes_too_early_waits_for_what_is_missing)
{
    struct scene *s = scene();
    take(s, 3, "def");
    take(s, 6, "ghi");
    expect(s, "");
    take(s, 0, "abc");
    expect(s, "abcdefghi");
    cr_assert_eq(s->all.held, 0);
}

Test(reassembly, a_repeated_segment_is_handed_on_once)
{
    struct scene *s = scene();
    take(s, 0, "abc");
    take(s, 0, "abc");
    take(s, 0, "abcdef");
    take(s, 2, "cd");
    expect(s, "abcdef");
}

Test(reassembly, of_overlapping_bytes_the_first_ones_count)
{
    struct scene *s = scene();
    take(s, 2, "cd");
    take(s, 6, "gh");
    take(s, 0, "XXXXXXXXXX");
    expect(s, "XXcdXXghXX");
    take(s, 8, "YYZZ");
    expect(s, "XXcdXXghXXZZ");
}

Test(reassembly, pieces_that_overlap_are_kept_without_their_overlap)
{
    struct scene *s = scene();
    take(s, 4, "ef");
    take(s, 2, "XXXX");
    take(s, 5, "YYYY");
    expect(s, "");
    take(s, 0, "ab");
    expect(s, "abXXefYYY");
}

Test(reassembly, acknowledged_bytes_that_never_came_are_a_gap)
{
    struct scene *s = scene();
    take(s, 0, "abc");
    take(s, 6, "ghi");
    reassembly_acknowledge(&s->half, 1009);
    expect(s, "abc");
    take(s, 9, "jkl");
    expect(s, "abc<3>ghijkl");
    take(s, 3, "def");
    expect(s, "abc<3>ghijkl");
}

Test(reassembly, bytes_that_the_receiver_lacks_are_waited_for)
{
    struct scene *s = scene();
    take(s, 0, "abc");
    take(s, 6, "ghi");
    reassembly_acknowledge(&s->half, 1003);
    take(s, 9, "jkl");
    expect(s, "abc");
    take(s, 3, "def");
    expect(s, "abcdefghijkl");
}

Test(reassembly, what_the_snap_length_cut_off_is_a_gap)
{
    struct scene *s = scene();
    reassembly_take(&s->all, &s->half, 1000, (struct span){ (const uint8_t *)"ab", 2 }, 5, false);
    reassembly_acknowledge(&s->half, 1005);
    take(s, 5, "fg");
    expect(s, "ab<3>fg");
}

Test(reassembly, a_fin_ends_the_stream_when_all_before_it_came)
{
    struct scene *s = scene();
    take_fin(s, 3);
    expect(s, "");
    take(s, 0, "abc");
    expect(s, "abc.");
    take(s, 3, "more");
    take_fin(s, 7);
    expect(s, "abc.");
}

Test(reassembly, an_acknowledged_fin_ends_the_stream_across_a_gap)
{
    struct scene *s = scene();
    take(s, 0, "a");
    take_fin(s, 3);
    reassembly_acknowledge(&s->half, 1004);
    reassembly_finish(&s->all, &s->half, REASSEMBLY_STOPPED);
    expect(s, "a<2>.");
}

Test(reassembly, a_reset_hands_on_what_waits_and_ends)
{
    struct scene *s = scene();
    take(s, 2, "c");
    reassembly_finish(&s->all, &s->half, REASSEMBLY_RESET);
    reassembly_finish(&s->all, &s->half, REASSEMBLY_STOPPED);
    expect(s, "<2>c!");
    cr_assert_eq(s->all.held, 0);
}

Test(reassembly, the_end_of_the_capture_tells_what_was_acknowledged_and_never_seen)
{
    struct scene *s = scene();
    take(s, 0, "a");
    reassembly_acknowledge(&s->half, 1011);
    reassembly_finish(&s->all, &s->half, REASSEMBLY_STOPPED);
    expect(s, "a<10>?");
}

Test(reassembly, numbers_wrap_around)
{
    struct scene *s = scene();
    s->half.begun = false;
    reassembly_begin(&s->half, UINT32_MAX - 1);
    take(s, UINT32_MAX - 1 - 1000 + 4, "ef");
    take(s, UINT32_MAX - 1 - 1000, "abcd");
    expect(s, "abcdef");
    reassembly_acknowledge(&s->half, 4);
    cr_assert_eq(s->half.acknowledged, 6);
}

Test(reassembly, a_stream_met_half_way_begins_with_its_first_segment)
{
    struct scene *s = scene();
    s->half.begun = false;
    reassembly_take(&s->all, &s->half, 77, (struct span){ NULL, 0 }, 0, false);
    take(s, 500, "abc");
    take(s, 498, "XXabcdef");
    expect(s, "abcdef");
}

Test(reassembly, numbers_that_no_window_reaches_are_ignored)
{
    struct scene *s = scene();
    take(s, 0, "a");
    take(s, 0x50000000, "far");
    take(s, 0x90000000, "before");
    reassembly_acknowledge(&s->half, 1000 + 0x50000000);
    reassembly_finish(&s->all, &s->half, REASSEMBLY_STOPPED);
    expect(s, "a?");
}

Test(reassembly, a_direction_without_room_gives_up_what_is_missing)
{
    struct scene *s = scene();
    s->all.half_most = 100;
    take(s, 2, "cdefghijklmnopqrstuvwxyz0123456789");
    expect(s, "");
    take(s, 40, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    expect(s, "<2>cdefghijklmnopqrstuvwxyz0123456789");
    take(s, 100, "0123456789012345678901234567890123456789012345678901234567890123456789");
    expect(s, "<2>cdefghijklmnopqrstuvwxyz0123456789<4>ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<24>"
              "0123456789012345678901234567890123456789012345678901234567890123456789");
    cr_assert_eq(s->all.held, 0);
}

Test(reassembly, all_directions_share_the_memory)
{
    struct scene *s = scene();
    struct record other = { .next = 0 };
    struct reassembly_half half = { .context = &other };
    s->all.most = 100;
    take(s, 10, "cdefghijklmnopqrstuvwxyz0123456789");
    reassembly_begin(&half, 0);
    reassembly_take(&s->all, &half, 5, (struct span){ (const uint8_t *)"0123456789012345678901234567890123456789", 40 },
                    40, false);
    cr_assert_eq(other.next, 45, "who asks gives way");
    expect(s, "");
    reassembly_finish(&s->all, &half, REASSEMBLY_STOPPED);
    reassembly_finish(&s->all, &s->half, REASSEMBLY_STOPPED);
    cr_assert_eq(s->all.held, 0);
}

/* --- random segments against a simple model --- */

enum { STREAM = 20000, MSS = 300 };

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)((at * 2654435761u) >> 13);
}

struct model {
    uint64_t next, bytes, missing;
    bool given[STREAM]; /* some segment had it */
    bool whole;         /* no limit was reached: gaps are exactly what nobody gave */
    unsigned ends;
};

static void model_bytes(void *context, uint64_t at, struct span bytes)
{
    struct model *m = context;
    cr_assert_eq(at, m->next);
    for (size_t i = 0; i < bytes.left; i++) {
        cr_assert(m->given[at + i], "byte %zu was never sent", (size_t)at + i);
        cr_assert_eq(bytes.at[i], byte_at(at + i));
    }
    m->next += bytes.left;
    m->bytes += bytes.left;
}

static void model_gap(void *context, uint64_t at, uint64_t length)
{
    struct model *m = context;
    cr_assert_eq(at, m->next);
    for (uint64_t i = 0; i < length && m->whole; i++)
        cr_assert_not(m->given[at + i], "byte %zu was there", (size_t)(at + i));
    m->next += length;
    m->missing += length;
}

static void model_end(void *context, uint64_t at, enum reassembly_end how)
{
    struct model *m = context;
    (void)how;
    cr_assert_eq(at, m->next);
    cr_assert_eq(m->ends++, 0);
}

static const struct reassembly_consumer model_consumer = { model_bytes, model_gap, model_end };

/* One stream cut into segments, some lost, some twice, some longer than they were the first time, in an order that is
 * shuffled within `reach` segments. */
static void run(unsigned seed, unsigned reach, unsigned loss, size_t half_most)
{
    static struct model m;
    static uint8_t stream[STREAM];
    static struct {
        uint32_t at, n;
    } segments[4 * STREAM / 8];
    struct reassembly all;
    struct reassembly_half half = { .context = &m };
    uint32_t start = UINT32_MAX - STREAM / 2 + seed, count = 0;
    srand(seed);
    m = (struct model){ .whole = half_most == REASSEMBLY_HALF_BYTES };
    reassembly_open(&all, &model_consumer);
    all.half_most = half_most;
    reassembly_begin(&half, start);
    for (uint32_t at = 0, n; at < STREAM; at += n) {
        n = 1 + (uint32_t)rand() % MSS;
        n = n < STREAM - at ? n : STREAM - at;
        for (int copies = (unsigned)rand() % 100 < loss ? 0 : rand() % 8 ? 1 : 2; copies > 0; copies--) {
            uint32_t early = rand() % 4 ? 0 : (uint32_t)rand() % 50, from = at > early ? at - early : 0;
            segments[count].at = from;
            segments[count++].n = at + n - from;
        }
    }
    for (uint32_t i = 0; i < STREAM; i++)
        stream[i] = byte_at(i);
    for (uint32_t i = 0; reach && i < count; i++) {
        uint32_t k = i + (uint32_t)rand() % reach;
        k = k < count ? k : count - 1;
        typeof(segments[0]) other = segments[i];
        segments[i] = segments[k];
        segments[k] = other;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = segments[i].at, n = segments[i].n;
        memset(m.given + at, true, n);
        reassembly_take(&all, &half, start + at, (struct span){ stream + at, n }, n, false);
        cr_assert_leq(all.held, half_most);
        cr_assert_eq(all.held, half.held);
    }
    reassembly_finish(&all, &half, REASSEMBLY_STOPPED);
    cr_assert_eq(all.held, 0);
    cr_assert_eq(m.ends, 1);
    cr_assert_eq(m.bytes + m.missing, m.next);
    if (!loss && m.whole)
        cr_assert_eq(m.bytes, STREAM);
}

Test(reassembly, random_segments_in_random_order_give_the_stream_that_was_sent)
{
    for (unsigned seed = 0; seed < 200; seed++)
        run(seed, seed % 40, 0, REASSEMBLY_HALF_BYTES);
}

Test(reassembly, random_loss_is_told_byte_by_byte)
{
    for (unsigned seed = 0; seed < 200; seed++)
        run(seed, seed % 40, 5 + seed % 30, REASSEMBLY_HALF_BYTES);
}

Test(reassembly, little_memory_loses_bytes_but_never_their_order)
{
    for (unsigned seed = 0; seed < 200; seed++)
        run(seed, seed % 40, seed % 30, 200 + seed * 17);
}
