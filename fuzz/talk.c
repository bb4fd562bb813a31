/* A conversation's segments in random order, with random bytes, through ladder (lines and SVG), story and stream: no
 * crash, nothing that a terminal would obey, lines no wider than they should be. Each step takes eight bytes of the
 * input: who sends, flags, where from in its sequence space, what it acknowledges, window, how much later, options,
 * length. The payload is the input itself from there on. */
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "output/explain.h"
#include "output/follow.h"
#include "output/ladder_svg.h"
#include "track/tracker.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 8, HEADERS = 40, OPTIONS = 12, PAYLOAD = 255, COLUMNS = 77 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void put_be32(uint8_t *h, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        h[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* IPv4 and TCP; returns the length. */
static size_t write_segment(uint8_t *h, const uint8_t *step, size_t left)
{
    static const uint8_t flags[16] = { 2, 0x12, 0x10, 0x10, 0x18, 0x18, 0x11, 0x11,
                                       4, 0x14, 2,    0x12, 1,    0x10, 0x18, 0x3f };
    unsigned from = step[0] & 1;
    size_t options = step[6] & 4 ? OPTIONS : 0, payload = step[7] < left - STEP ? step[7] : left - STEP;
    size_t n = HEADERS + options + payload;
    memset(h, 0, HEADERS + OPTIONS);
    h[0] = 0x45;
    store_be16(h + 2, (uint16_t)(n + (step[6] & 8 ? 9 : 0))); /* cut short, now and then */
    h[8] = 64;
    h[9] = 6;
    h[12] = h[16] = 10;
    h[15] = (uint8_t)(1 + from);
    h[19] = (uint8_t)(2 - from);
    store_be16(h + (from ? 20 : 22), 80);
    store_be16(h + (from ? 22 : 20), 1000);
    put_be32(h + 24, 0xffffff00u + step[2] * 4u);
    put_be32(h + 28, 0xffffff00u + step[3] * 4u);
    h[32] = (uint8_t)((HEADERS - 20 + options) / 4 << 4);
    h[33] = flags[step[1] & 15];
    h[34] = step[4];
    if (options && step[6] & 16) { /* MSS, window scale, SACK permitted */
        memcpy(h + HEADERS, (uint8_t[]){ 2, 4, 5, 0xb4, 3, 3, step[4], 4, 2, 8, 2, 0 }, OPTIONS);
    } else if (options) { /* a SACK block */
        memcpy(h + HEADERS, (uint8_t[]){ 1, 1, 5, 10 }, 4);
        put_be32(h + HEADERS + 4, 0xffffff00u + step[2] * 3u);
        put_be32(h + HEADERS + 8, 0xffffff00u + step[3] * 5u);
    }
    memcpy(h + HEADERS + options, step + STEP, payload);
    return n;
}

/* What was written can go to a terminal, and lines end where they should. */
static void check(struct buffer *out, size_t columns)
{
    const char *line = out->start;
    for (const char *at = out->start; at < out->at; at++) {
        must(*at == '\n' || *at == '\t' || (uint8_t)*at >= 0x20);
        must((uint8_t)*at != 0x7f);
        if (*at != '\n')
            continue;
        must(!columns || text_columns(line, (size_t)(at - line)) <= columns);
        line = at + 1;
    }
    out->at = out->start;
}

struct all {
    struct tracker tracker;
    struct packet packet;
    struct ladder lines, picture;
    struct ladder_svg svg;
    struct explain explain;
    struct follow follow[3];
    struct buffer out;
};

static void take(struct all *a, const uint8_t *bytes, size_t n, int64_t now)
{
    struct packet *p = &a->packet;
    packet_reset(p, (struct span){ bytes, n });
    p->number++;
    p->time = now;
    p->timed = true;
    p->link_type = 228;
    p->wire_length = (uint32_t)n;
    dissect(p);
    tracker_take(&a->tracker, p);
    const struct layer *layer = NULL;
    for (unsigned i = 0; i < p->layer_count; i++)
        if (p->layers[i].note && !(p->layers[i].flags & LAYER_QUOTED))
            layer = &p->layers[i];
    ladder_take(&a->lines, &a->out, p, layer);
    check(&a->out, COLUMNS);
    ladder_take(&a->picture, &a->out, p, layer);
    if (!layer)
        return;
    explain_take(&a->explain, &a->out, p, layer);
    check(&a->out, COLUMNS);
    for (unsigned i = 0; i < 3; i++) {
        follow_take(&a->follow[i], &a->out, p, layer);
        check(&a->out, 0);
    }
}

static void open_all(struct all *a)
{
    static const enum follow_format formats[3] = { FOLLOW_ASCII, FOLLOW_HEX, FOLLOW_JSON };
    struct style style = { 0 };
    must(!tracker_open(&a->tracker, TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_STATES | TRACK_ANALYSIS, NULL));
    must(!buffer_open(&a->out, -1, 1 << 16));
    must(!ladder_open(&a->lines, &style, COLUMNS));
    must(!ladder_open(&a->picture, &style, 0));
    must(!ladder_svg_open(&a->svg, &a->picture));
    must(!explain_open(&a->explain, &style, COLUMNS));
    for (unsigned i = 0; i < 3; i++) {
        follow_open(&a->follow[i], &style, formats[i]);
        a->follow[i].unpack = i != 1;
    }
}

static void finish_all(struct all *a)
{
    ladder_finish(&a->lines, &a->out);
    check(&a->out, COLUMNS);
    ladder_finish(&a->picture, &a->out);
    ladder_svg_write(&a->svg, &a->picture, &a->out);
    check(&a->out, 0);
    explain_finish(&a->explain, &a->out);
    check(&a->out, COLUMNS);
    for (unsigned i = 0; i < 3; i++) {
        follow_finish(&a->follow[i], &a->out);
        must(!a->follow[i].reassembly.held);
        check(&a->out, 0);
    }
    ladder_close(&a->lines);
    ladder_close(&a->picture);
    ladder_svg_close(&a->svg);
    explain_close(&a->explain);
    buffer_free(&a->out);
    tracker_close(&a->tracker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct all a;
    static uint8_t bytes[HEADERS + OPTIONS + PAYLOAD];
    static bool ready;
    if (!ready)
        registry_open();
    ready = true;
    memset(&a, 0, sizeof a);
    open_all(&a);
    int64_t now = INT64_C(1700000000000000000);
    for (; size >= STEP; data += STEP, size -= STEP) {
        now += ((int64_t)data[5] - 16) * (data[6] & 1 ? 1000000000 : 1000000);
        if (data[6] & 2) /* whatever the rest of the input is, as a packet */
            take(&a, data, size, now);
        else
            take(&a, bytes, write_segment(bytes, data, size), now);
    }
    finish_all(&a);
    return 0;
}
