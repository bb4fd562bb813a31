/* Packets built by hand, taken apart, and asked what they say. Included once by a test program. */
#pragma once
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "gathered.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct packet packet;

__attribute__((unused)) static const struct packet *take(uint16_t link_type, const uint8_t *bytes, size_t n)
{
    packet_reset(&packet, (struct span){ bytes, n });
    packet.link_type = link_type;
    packet.wire_length = (uint32_t)n;
    dissect(&packet);
    return &packet;
}
#define TAKE(link_type, ...)                                                                                           \
    static const uint8_t bytes[] = { __VA_ARGS__ };                                                                    \
    const struct packet *p = take(link_type, bytes, sizeof bytes)

__attribute__((unused)) static const char *values(const char *name)
{
    return gathered(&packet, name);
}
#define SAYS(name, expected) cr_assert_str_eq(values(name), expected, "%s is %s", name, values(name))

static const struct layer *last(void)
{
    return &packet.layers[packet.layer_count - 1];
}

static const char *summary(unsigned layer)
{
    static char text[512];
    struct buffer out;
    buffer_open(&out, -1, 256);
    packet.layers[layer].protocol->summary(&packet, &packet.layers[layer], &out);
    size_t n = buffer_used(&out);
    memcpy(text, out.start, n);
    text[n] = 0;
    buffer_free(&out);
    return text;
}

enum { ETHERNET = 1, RAW = 101, LOOPBACK = 0 };
#define MACS 0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01
/* 10.0.0.1 to 10.0.0.2 */
#define IPV4(length, protocol) 0x45, 0, 0, length, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2
/* fe80::1 to fe80::2 */
#define ADDRESS6(n)        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n
#define IPV6(length, next) 0x60, 0, 0, 0, 0, length, next, 255, ADDRESS6(1), ADDRESS6(2)
