/* Messages over TCP: HTTP, TLS and DNS in segments that come in any order, again, cut short and never. The first byte
 * picks the port; then each segment is three bytes (who sends it and how, where it begins relative to what its sender
 * said before, how long it is) and so many bytes. All layers are walked and said in a line; memory stays within its
 * bounds, and what conversations held is free when they are forgotten. */
#include "track/messages.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "output/value.h"
#include "track/tracker.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 3, HEADERS = 40, OPEN_MOST = 2 * ASSEMBLIES * (MESSAGE_KEPT + 4096) };
enum how { FROM = 1, ENDS = 2, RESETS = 4, CUT = 8, TWICE = 16, FORGET = 32, LONG = 64 };

static struct packet packet;
static struct buffer out;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_field(struct sink *sink, const struct field *field, const struct value *value)
{
    (void)sink;
    value_write(&out, field, value);
    value_write_json(&out, field, value);
}

static void on_layer(struct sink *sink, const struct packet *p, const struct layer *layer)
{
    (void)sink;
    must((size_t)layer->offset + layer->length <= p->buffers[layer->buffer].left && layer->end >= layer->offset);
    if (layer->protocol->summary)
        layer->protocol->summary(p, layer, &out);
}

static void put_headers(uint8_t *h, size_t n, unsigned from, uint8_t flags, uint32_t seq, uint16_t port)
{
    memset(h, 0, HEADERS);
    h[0] = 0x45;
    store_be16(h + 2, (uint16_t)(HEADERS + n));
    h[8] = 64;
    h[9] = 6;
    h[12] = h[16] = 10;
    h[15] = (uint8_t)(1 + from);
    h[19] = (uint8_t)(2 - from);
    store_be16(h + (from ? 20 : 22), port);
    store_be16(h + (from ? 22 : 20), 40000);
    store_be16(h + 24, (uint16_t)(seq >> 16));
    store_be16(h + 26, (uint16_t)seq);
    h[32] = 5 << 4;
    h[33] = flags;
}

static void take(struct tracker *t, const uint8_t *bytes, size_t captured, size_t wire)
{
    uint8_t *copy = malloc(captured); /* of its own, so that one byte too many is seen */
    must(copy);
    memcpy(copy, bytes, captured);
    packet_reset(&packet, (struct span){ copy, captured });
    packet.number++;
    packet.streams = true;
    packet.link_type = 228;
    packet.wire_length = (uint32_t)wire;
    dissect(&packet);
    tracker_take(t, &packet);
    struct sink sink = { .layer = on_layer, .field = on_field };
    out.at = out.start;
    walk_packet(&packet, &sink);
    must(messages_bytes(t->messages) <= OPEN_MOST);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = { 80, 443, 53, 40001 };
    static uint8_t bytes[HEADERS + 64 * 255];
    struct tracker t;
    if (!size)
        return 0;
    if (!out.start) {
        must(!buffer_open(&out, -1, 1 << 16));
        registry_open();
    }
    must(!tracker_open(&t, TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_MESSAGES | TRACK_ANSWERS, NULL));
    uint32_t next[2] = { 0xfffff000, 1000 };
    uint16_t port = ports[data[0] & 3];
    if (data[0] & 4)
        messages_limit(t.messages, 6000);
    for (data++, size--; size >= STEP;) {
        uint8_t how = data[0], where = data[1], length = data[2];
        unsigned from = how & FROM;
        data += STEP, size -= STEP;
        size_t n = length < size ? length : size, all = how & LONG ? n * 64 : n;
        uint32_t seq = where < 128 ? next[from] + (where & 0x40 ? where & 0x3fu : 0) : next[from] - (where & 0x7fu);
        uint8_t flags = (uint8_t)(16 | (how & ENDS ? 1 : 0) | (how & RESETS ? 4 : 0));
        put_headers(bytes, all, from, flags, seq, port);
        for (size_t at = 0; n && at < all; at += n)
            memcpy(bytes + HEADERS + at, data, n);
        data += n, size -= n;
        take(&t, bytes, HEADERS + (how & CUT ? all / 2 : all), HEADERS + all);
        if (how & TWICE)
            take(&t, bytes, HEADERS + all, HEADERS + all);
        if (seq + all - next[from] < 1u << 30)
            next[from] = seq + (uint32_t)all;
        if (how & FORGET)
            messages_drop(t.messages, 0);
    }
    messages_begin(t.messages);
    messages_drop(t.messages, 0);
    must(!messages_bytes(t.messages));
    tracker_close(&t);
    return 0;
}
