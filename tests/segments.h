/* Packets made by hand: from two ends, A (10.0.0.1:1000) and B (10.0.0.2:80), raw IPv4, dissected and tracked. */
#pragma once
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "track/tracker.h"
#include <criterion/criterion.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum who { A, B };

struct scene {
    struct tracker tracker;
    struct packet packet;
    int64_t now; /* nanoseconds; the next packet's time */
    uint64_t number;
    uint8_t bytes[2048];
    size_t length;
    uint16_t port[2];
    int scale[2]; /* window scale option of SYNs, -1: none */
    uint16_t window;
};

static inline struct scene *scene_open(unsigned levels)
{
    static struct scene s;
    static bool open; /* a test may begin anew */
    if (open && s.tracker.flows.slots)
        tracker_close(&s.tracker);
    open = true;
    registry_open();
    s = (struct scene){ .now = INT64_C(1000000000000), .port = { 1000, 80 }, .scale = { -1, -1 }, .window = 1000 };
    struct error error;
    cr_assert_eq(tracker_open(&s.tracker, levels, &error), 0);
    return &s;
}

static inline void wait_ms(struct scene *s, int64_t ms)
{
    s->now += ms * 1000000;
}

/* Dissects and tracks s->bytes, of which the last ones were not captured; time goes on by a millisecond. */
static inline struct packet *take_but(struct scene *s, size_t lost)
{
    struct packet *p = &s->packet;
    packet_reset(p, (struct span){ s->bytes, s->length - lost });
    p->number = ++s->number;
    p->time = s->now;
    p->timed = true;
    p->link_type = 228;
    p->wire_length = (uint32_t)s->length;
    dissect(p);
    tracker_take(&s->tracker, p);
    wait_ms(s, 1);
    return p;
}

static inline struct packet *take(struct scene *s)
{
    return take_but(s, 0);
}

static inline uint16_t header_sum(const uint8_t *h, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i += 2)
        sum += load_be16(h + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* An IPv4 header for n bytes, which the caller writes behind it. Returns where. */
static inline uint8_t *put_ipv4(struct scene *s, enum who from, uint8_t protocol, size_t n, uint16_t id, uint16_t frag)
{
    uint8_t *h = s->bytes;
    memset(h, 0, 20);
    h[0] = 0x45;
    store_be16(h + 2, (uint16_t)(20 + n));
    store_be16(h + 4, id);
    store_be16(h + 6, frag);
    h[8] = 64;
    h[9] = protocol;
    h[12] = h[16] = 10;
    h[15] = from == A ? 1 : 2;
    h[19] = from == A ? 2 : 1;
    store_be16(h + 10, header_sum(h, 20));
    s->length = 20 + n;
    return h + 20;
}

static inline size_t put_tcp(const struct scene *s, uint8_t *h, enum who from, unsigned flags, uint32_t seq,
                             uint32_t ack, uint32_t length)
{
    size_t head = flags & SYN && s->scale[from] >= 0 ? 24 : 20;
    memset(h, 0, head + length);
    store_be16(h, s->port[from]);
    store_be16(h + 2, s->port[!from]);
    store_be16(h + 4, (uint16_t)(seq >> 16));
    store_be16(h + 6, (uint16_t)seq);
    store_be16(h + 8, (uint16_t)(ack >> 16));
    store_be16(h + 10, (uint16_t)ack);
    h[12] = (uint8_t)(head / 4 << 4);
    h[13] = (uint8_t)flags;
    store_be16(h + 14, s->window);
    if (head == 24)
        memcpy(h + 20, (uint8_t[]){ 3, 3, (uint8_t)s->scale[from], 1 }, 4);
    return head + length;
}

/* One segment; the note on its TCP layer. */
static inline const struct note *send_segment(struct scene *s, enum who from, unsigned flags, uint32_t seq,
                                              uint32_t ack, uint32_t length)
{
    uint8_t room[1600];
    size_t n = put_tcp(s, room, from, flags, seq, ack, length);
    memcpy(put_ipv4(s, from, 6, n, (uint16_t)(s->number + 1), 0), room, n);
    struct packet *p = take(s);
    for (unsigned i = 0; i < p->layer_count; i++)
        if (!strcmp(p->layers[i].protocol->name, "tcp"))
            return layer_note(p, &p->layers[i]);
    return NULL;
}

static inline bool has(const struct note *note, enum note_bit which)
{
    return note && note->have >> which & 1;
}
