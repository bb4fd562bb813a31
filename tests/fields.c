/* -T fields and JSON find the fields of a packet each in their own quick way; what a walk over the tables finds is what
 * holds. Here every field there is, is asked for by name. */
#include "output/fields.h"
#include "base/nearest.h"
#include "capture/capture.h"
#include "dissectors/lookup.h"
#include "output/value.h"
#include "segments.h"
#include <glob.h>
#include <stdlib.h>

enum { NAMES_MAX = 2048 };

static const char *names[NAMES_MAX];
static unsigned name_count;

static bool add_name(void *context, const struct field_ref *ref)
{
    (void)context;
    for (unsigned i = 0; i < name_count; i++)
        if (!strcmp(names[i], ref->field->abbrev))
            return true;
    cr_assert_lt(name_count, (unsigned)NAMES_MAX);
    names[name_count++] = ref->field->abbrev;
    return true;
}

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % sides;
}

/* What a walk finds, a text a name. */
struct found {
    struct sink sink;
    struct buffer cells[NAMES_MAX];
};

static void found_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct found *found = (struct found *)sink;
    unsigned i = 0;
    while (strcmp(names[i], field->abbrev) != 0)
        i++;
    struct buffer *cell = &found->cells[i];
    if (buffer_used(cell))
        buffer_char(cell, '\2');
    value_write(cell, field, value);
}

static void expect_cells(struct found *found, const char *line, const struct packet *p)
{
    for (unsigned i = 0; i < name_count; i++) {
        size_t n = strcspn(line, "\1\n");
        struct buffer *cell = &found->cells[i];
        bool same = n == buffer_used(cell) && !memcmp(line, cell->start, n);
        cr_assert(same, "%s is '%.*s', a walk finds '%.*s', packet %llu", names[i], (int)n, line,
                  (int)buffer_used(cell), cell->start, (unsigned long long)p->number);
        cell->at = cell->start;
        line += n + 1;
    }
}

static void check(struct fields *fields, struct buffer *out, const struct packet *p)
{
    static struct found found;
    struct layer frame = { .protocol = &frame_protocol };
    found.sink.field = found_field;
    for (unsigned i = 0; i < name_count && !found.cells[i].start; i++)
        buffer_open(&found.cells[i], -1, 64);
    walk_layer(p, &frame, &found.sink);
    walk_packet(p, &found.sink);
    out->at = out->start;
    fields_write(fields, out, p);
    buffer_char(out, 0);
    expect_cells(&found, out->start, p);
}

struct bench {
    struct scene *scene;
    struct fields *fields;
    struct buffer out;
};

static struct bench open_bench(void)
{
    struct bench b;
    struct error error;
    b.scene = scene_open(TRACK_STREAMS | TRACK_FRAGMENTS | TRACK_MESSAGES);
    b.scene->packet.streams = true;
    lookup_each(add_name, NULL);
    struct fields_options options = { .separator = '\1', .aggregator = '\2' };
    cr_assert_eq(fields_open(&b.fields, names, name_count, &options, &error), 0, "%s", error.text);
    cr_assert_eq(buffer_open(&b.out, -1, 64), 0);
    return b;
}

static void close_bench(struct bench *b)
{
    fields_close(b->fields);
    buffer_free(&b->out);
    tracker_close(&b->scene->tracker);
}

static struct packet *dissected(struct bench *b, const uint8_t *bytes, size_t n, uint16_t link)
{
    struct packet *p = &b->scene->packet;
    packet_reset(p, (struct span){ bytes, n });
    p->number = ++b->scene->number;
    p->time = b->scene->now;
    p->timed = dice(8);
    p->link_type = link;
    p->wire_length = (uint32_t)n;
    dissect(p);
    tracker_take(&b->scene->tracker, p);
    wait_ms(b->scene, dice(100));
    return p;
}

static void check_capture(struct bench *b, const char *path)
{
    struct capture *capture;
    struct error error;
    struct record record;
    cr_assert_eq(capture_open(&capture, path, &error), 0, "%s", error.text);
    while (capture_next(capture, &record, &error) > 0) {
        size_t n = record.bytes.left;
        check(b->fields, &b->out, dissected(b, record.bytes.at, n, record.link_type));
        if (dice(2))
            n = dice((uint32_t)n + 1);
        uint8_t *bytes = malloc(n ? n : 1); /* the same, damaged and cut */
        memcpy(bytes, record.bytes.at, n);
        for (unsigned i = dice(6); n && i > 0; i--)
            bytes[dice(n < 100 ? (uint32_t)n : 100)] = (uint8_t)dice(dice(2) ? 256 : 16);
        check(b->fields, &b->out, dissected(b, bytes, n, record.link_type));
        free(bytes);
    }
    capture_close(capture);
}

/* PEEL_TEST_CAPTURES: other captures than those of testdata, a pattern of the shell. */
Test(fields, every_field_of_every_capture_is_what_a_walk_finds)
{
    struct bench b = open_bench();
    const char *pattern = getenv("PEEL_TEST_CAPTURES");
    glob_t files;
    cr_assert_eq(glob(pattern ? pattern : TESTDATA "/*.pcapng", GLOB_BRACE, NULL, &files), 0);
    for (unsigned turn = 0; turn < (pattern ? 1 : 20); turn++)
        for (size_t i = 0; i < files.gl_pathc; i++)
            check_capture(&b, files.gl_pathv[i]);
    globfree(&files);
    close_bench(&b);
}

/* A name that several kinds of options share. */
Test(fields, occurrences_stand_in_the_order_met)
{
    struct bench b = open_bench();
    static const uint8_t bytes[] = {
        0x49, 0, 0,   36, 0, 1,  0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0,
        0,    2, 131, 7,  8, 10, 0, 0, 3,  7,   7, 4, 0,  0, 0, 0, 1,  0,
    };
    check(b.fields, &b.out, dissected(&b, bytes, sizeof bytes, 228));
    close_bench(&b);
}

Test(fields, every_table_is_read_as_a_walk_does)
{
    struct bench b = open_bench();
    for (const struct protocol *const *protocol = protocols; *protocol; protocol++)
        for (unsigned turn = 0; turn < 200; turn++) {
            size_t n = dice(turn % 4 ? 64 : 400);
            uint8_t *bytes = malloc(n ? n : 1);
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)dice(dice(3) ? 256 : 12);
            struct packet *p = dissected(&b, bytes, n, 9999);
            p->layer_count = 1;
            p->layers[0] = (struct layer){ .protocol = *protocol,
                                           .length = (uint32_t)n,
                                           .end = (uint32_t)n + dice(3),
                                           .verdict = (uint8_t)dice(3),
                                           .flags = (uint8_t)dice(16) };
            if ((*protocol) != &frame_protocol)
                check(b.fields, &b.out, p);
            free(bytes);
        }
    close_bench(&b);
}

static const char *suggest(const char *word)
{
    static const char *const candidates[] = { "tcp.port", "tcp.srcport", "ip.proto", "ip.src" };
    struct nearest nearest;
    nearest_begin(&nearest, word);
    for (unsigned i = 0; i < sizeof candidates / sizeof *candidates; i++)
        nearest_consider(&nearest, candidates[i]);
    return nearest.best;
}

Test(fields, a_misspelt_name_is_recognized)
{
    cr_assert_str_eq(suggest("tcp.prot"), "tcp.port");
    cr_assert_str_eq(suggest("ip.protto"), "ip.proto");
    cr_assert_str_eq(suggest("ip.scr"), "ip.src");
    cr_assert_null(suggest("bluetooth.handle"));
}
