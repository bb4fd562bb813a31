/* Trees, bit diagrams and hex: what they look like, and that nothing that a packet holds can spoil them. */
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "output/diagram.h"
#include "output/fields_list.h"
#include "output/hex.h"
#include "output/text.h"
#include "output/tree.h"
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BOX = 65, ETHERNET = 1, RAW = 101 };

static const struct style plain = { .ascii = false }, ascii = { .ascii = true }, colored = { .color = true };

static const uint8_t syn[] = {
    0x02, 0,    0,    0,    0,    2,    0x02, 0,    0,    0,    0,    1,    0x08, 0x00, 0x45, 0x00, 0x00, 0x3c, 0x1c,
    0x46, 0x40, 0x00, 0x40, 0x06, 0x09, 0xae, 10,   99,   0,    1,    10,   99,   0,    2,    0xb2, 0x6e, 0x1f, 0x90,
    0xa9, 0xd8, 0xe7, 0x0f, 0,    0,    0,    0,    0xa0, 0x02, 0xfa, 0xf0, 0x8f, 0x28, 0,    0,    0x02, 0x04, 0x05,
    0xb4, 0x04, 0x02, 0x08, 0x0a, 0x00, 0x0f, 0x46, 0x28, 0,    0,    0,    0,    0x01, 0x03, 0x03, 0x07,
};
static const uint8_t arp[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0,  0,  0, 0, 1, 0x08, 0x06, 0, 1, 0x08, 0,  6,  4, 0,
    1,    0x02, 0,    0,    0,    0,    1,    10, 99, 0, 1, 0, 0,    0,    0, 0, 0,    10, 99, 0, 2,
};
/* Its checksum is wrong. */
static const uint8_t udp[] = {
    0x45, 0,  0, 32, 0,    1,    0, 0,  64, 17, 0x66, 0x03, 10,  99,   0,   1,
    10,   99, 0, 2,  0x9c, 0x40, 0, 99, 0,  12, 0x12, 0x34, 'h', 0x1b, '[', 'm',
};

static struct packet packet;
static struct buffer out;

static void open_all(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    registry_open();
    cr_assert_eq(buffer_open(&out, -1, 1 << 16), 0);
}

static void close_all(void)
{
    buffer_free(&out);
}

TestSuite(draw, .init = open_all, .fini = close_all);

static struct packet *take(const uint8_t *bytes, size_t n, uint16_t link_type)
{
    packet_reset(&packet, (struct span){ bytes, n });
    packet.number = 1;
    packet.timed = false;
    packet.link_type = link_type;
    packet.wire_length = (uint32_t)n;
    packet.comment = (struct span){ 0 };
    dissect(&packet);
    return &packet;
}

/* What was written, and the buffer empty again. */
static const char *text(void)
{
    buffer_char(&out, 0);
    out.at = out.start;
    return out.start;
}

static const char *part(const char *all, const char *from)
{
    const char *at = strstr(all, from);
    cr_assert(at, "no '%s' in:\n%s", from, all);
    return at;
}

/* --- as they look --- */

#define RULER                                                                                                          \
    " 0                   1                   2                   3\n"                                                 \
    " 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1\n"

Test(draw, a_syn_is_drawn_as_the_rfc_does)
{
    diagram_write(&out, take(syn, sizeof syn, ETHERNET), &plain);
    cr_assert_str_eq(part(text(), "TCP ·"), "TCP · 10.99.0.1:45678 → 10.99.0.2:8080 · bytes 34-73 · RFC 9293\n" RULER
                                            "┌───────────────────────────────┬───────────────────────────────┐\n"
                                            "│       Source Port 45678       │     Destination Port 8080     │  0\n"
                                            "├───────────────────────────────┴───────────────────────────────┤\n"
                                            "│                  Sequence Number 2849564431                   │  4\n"
                                            "├───────────────────────────────────────────────────────────────┤\n"
                                            "│                    Acknowledgment Number 0                    │  8\n"
                                            "├───────┬─────┬─┬─┬─┬─┬─┬─┬─┬─┬─┬───────────────────────────────┤\n"
                                            "│ 10·4B │Res 0│·│·│·│·│·│·│·│S│·│         Window 64240          │ 12\n"
                                            "├───────┴─────┴─┴─┴─┴─┴─┴─┴─┴─┴─┼───────────────────────────────┤\n"
                                            "│    Checksum 0x8f28 correct    │       Urgent Pointer 0        │ 16\n"
                                            "├───────────────┬───────────────┼───────────────────────────────┤\n"
                                            "│  Kind 2 MSS   │   Length 4    │        MSS Value 1460         │ 20\n"
                                            "├───────────────┼───────────────┼───────────────┬───────────────┤\n"
                                            "│  4 SACK Perm  │   Length 2    │ 8 Timestamps  │   Length 10   │ 24\n"
                                            "├───────────────┴───────────────┴───────────────┴───────────────┤\n"
                                            "│                    Timestamp value 1001000                    │ 28\n"
                                            "├───────────────────────────────────────────────────────────────┤\n"
                                            "│                    Timestamp echo reply 0                     │ 32\n"
                                            "├───────────────┬───────────────┬───────────────┬───────────────┤\n"
                                            "│1 No-Operation │3 Window Scale │   Length 3    │ Shift count 7 │ 36\n"
                                            "└───────────────┴───────────────┴───────────────┴───────────────┘\n"
                                            " Header Length 40 · S Syn · Kind 2 Maximum Segment Size\n");
}

Test(draw, addresses_go_around_corners)
{
    diagram_write(&out, take(arp, sizeof arp, ETHERNET), &plain);
    cr_assert_str_eq(text(), "Ethernet · 02:00:00:00:00:01 → ff:ff:ff:ff:ff:ff · bytes 0-13 · IEEE 802.3\n" RULER
                             "┌───────────────────────────────────────────────────────────────┐\n"
                             "│                 Destination ff:ff:ff:ff:ff:ff                 │  0\n"
                             "│                               ┌───────────────────────────────┤\n"
                             "│                               │                               │  4\n"
                             "├───────────────────────────────┘                               │\n"
                             "│                   Source 02:00:00:00:00:01                    │  8\n"
                             "├───────────────────────────────┬───────────────────────────────┘\n"
                             "│        Type 0x0806 ARP        │                                 12\n"
                             "└───────────────────────────────┘\n"
                             "ARP · 10.99.0.1 → 10.99.0.2 · bytes 14-41 · RFC 826\n" RULER
                             "┌───────────────────────────────┬───────────────────────────────┐\n"
                             "│   Hardware type 1 Ethernet    │     Protocol type 0x0800      │  0\n"
                             "├───────────────┬───────────────┼───────────────────────────────┤\n"
                             "│Hardware size 6│Protocol size 4│       Opcode 1 request        │  4\n"
                             "├───────────────┴───────────────┴───────────────────────────────┤\n"
                             "│             Sender MAC address 02:00:00:00:00:01              │  8\n"
                             "│                               ┌───────────────────────────────┤\n"
                             "│                               │  Sender IP address 10.99.0.1  │ 12\n"
                             "├───────────────────────────────┼───────────────────────────────┤\n"
                             "│               …               │                               │ 16\n"
                             "├───────────────────────────────┘                               │\n"
                             "│             Target MAC address 00:00:00:00:00:00              │ 20\n"
                             "├───────────────────────────────────────────────────────────────┤\n"
                             "│                  Target IP address 10.99.0.2                  │ 24\n"
                             "└───────────────────────────────────────────────────────────────┘\n");
}

Test(draw, without_box_signs_it_is_drawn_in_ascii)
{
    diagram_write(&out, take(udp, sizeof udp, RAW), &ascii);
    cr_assert_str_eq(part(text(), "UDP -"), "UDP - 10.99.0.1:40000 -> 10.99.0.2:99 - bytes 20-27 - RFC 768\n" RULER
                                            "+-------------------------------+-------------------------------+\n"
                                            "|       Source Port 40000       |      Destination Port 99      |  0\n"
                                            "+-------------------------------+-------------------------------+\n"
                                            "|           Length 12           |      Checksum 0x1234 bad      |  4\n"
                                            "+-------------------------------+-------------------------------+\n"
                                            "Data - bytes 28-31\n");
}

Test(draw, a_header_that_was_cut_short_says_so)
{
    diagram_write(&out, take(syn, 14 + 20 + 17, ETHERNET), &plain);
    cr_assert_str_eq(part(text(), "TCP ·"),
                     "TCP · 10.99.0.1:45678 → 10.99.0.2:8080 · bytes 34-50 · cut short · RFC 9293\n" RULER
                     "┌───────────────────────────────┬───────────────────────────────┐\n"
                     "│       Source Port 45678       │     Destination Port 8080     │  0\n"
                     "├───────────────────────────────┴───────────────────────────────┤\n"
                     "│                  Sequence Number 2849564431                   │  4\n"
                     "├───────────────────────────────────────────────────────────────┤\n"
                     "│                    Acknowledgment Number 0                    │  8\n"
                     "├───────┬─────┬─┬─┬─┬─┬─┬─┬─┬─┬─┬───────────────────────────────┤\n"
                     "│ 10·4B │Res 0│·│·│·│·│·│·│·│S│·│         Window 64240          │ 12\n"
                     "├───────┴─────┴─┼─┴─┴─┴─┴─┴─┴─┴─┴───────────────────────────────┘\n"
                     "│  Cut off 8f   │                                                 16\n"
                     "└───────────────┘\n"
                     " Header Length 40 · S Syn\n");
}

Test(draw, bits_between_fields_are_reserved_and_torn_cells_have_a_sign)
{
    static const uint8_t multipath[] = {
        0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x70, 2, 0, 0, 0, 0, 0, 0, 30, 4, 0x51, 0, 1, 3, 3, 7,
    };
    struct packet *p = take(multipath, sizeof multipath, 9999);
    p->layers[0] = (struct layer){ registry_by_name("tcp"), 0, sizeof multipath, sizeof multipath, 0, 0, 0, 0, 0 };
    diagram_write(&out, p, &plain);
    const char *all = text();
    part(all, "│  Kind 30 MT   │   Length 4    │   5   │ Res 1 │    Data 00    │ 20\n"
              "├───────────────┼───────────────┼───────┴───────┼───────────────┤\n"
              "│1 No-Operation │3 Window Scale │   Length 3    │ Shift count 7 │ 24\n"
              "└───────────────┴───────────────┴───────────────┴───────────────┘\n");
    static const uint8_t route[] = {
        0x47, 0, 0, 28, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 7, 7, 4, 10, 0, 0, 3, 0,
    };
    diagram_write(&out, take(route, sizeof route, RAW), &plain);
    part(text(), "│7 Record Route │   Length 7    │   Pointer 4   │       …       │ 20\n"
                 "├───────────────┴───────────────┴───────────────┼───────────────┤\n"
                 "│                Route 10.0.0.3                 │ 0 End of Opts │ 24\n"
                 "└───────────────────────────────────────────────┴───────────────┘\n");
}

Test(draw, a_long_header_is_cut_and_says_so)
{
    static uint8_t bytes[2 + 255 * 8] = { 0x3a, 40, 1, 100 };
    struct packet *p = take(bytes, 41 * 8, RAW);
    p->layer_count = 1;
    p->layers[0] = (struct layer){ registry_by_name("ipv6.hopopts"), 0, 41 * 8, 41 * 8, 0, 0, 0, 0, 0 };
    diagram_write(&out, p, &plain);
    part(text(), "(first 128 of 328 drawn here)");
}

Test(draw, the_tree_nests_bits_and_options)
{
    tree_write(&out, take(syn, sizeof syn, ETHERNET), &plain);
    cr_assert_str_eq(part(text(), "Transmission"), "Transmission Control Protocol · 10.99.0.1:45678 → 10.99.0.2:8080\n"
                                                   "  Source Port: 45678\n"
                                                   "  Destination Port: 8080\n"
                                                   "  [TCP Segment Len: 0]\n"
                                                   "  Sequence Number (raw): 2849564431\n"
                                                   "  Acknowledgment Number (raw): 0\n"
                                                   "  1010 .... = Header Length: 40 (10·4)\n"
                                                   "  Flags: 0x0002\n"
                                                   "    000. .... .... = Reserved: Not set\n"
                                                   "    ...0 .... .... = Accurate ECN: Not set\n"
                                                   "    .... 0... .... = Congestion Window Reduced: Not set\n"
                                                   "    .... .0.. .... = ECN-Echo: Not set\n"
                                                   "    .... ..0. .... = Urgent: Not set\n"
                                                   "    .... ...0 .... = Acknowledgment: Not set\n"
                                                   "    .... .... 0... = Push: Not set\n"
                                                   "    .... .... .0.. = Reset: Not set\n"
                                                   "    .... .... ..1. = Syn: Set\n"
                                                   "    .... .... ...0 = Fin: Not set\n"
                                                   "  Window: 64240\n"
                                                   "  Checksum: 0x8f28\n"
                                                   "  [Checksum Status: Good (1)]\n"
                                                   "  Urgent Pointer: 0\n"
                                                   "  Options: 20 bytes\n"
                                                   "    Maximum Segment Size\n"
                                                   "      Kind: 2\n"
                                                   "      Length: 4\n"
                                                   "      MSS Value: 1460\n"
                                                   "    SACK Permitted\n"
                                                   "      Kind: 4\n"
                                                   "      Length: 2\n"
                                                   "      SACK permitted\n"
                                                   "    Timestamps\n"
                                                   "      Kind: 8\n"
                                                   "      Length: 10\n"
                                                   "      Timestamp value: 1001000\n"
                                                   "      Timestamp echo reply: 0\n"
                                                   "    No-Operation\n"
                                                   "      Kind: 1\n"
                                                   "    Window Scale\n"
                                                   "      Kind: 3\n"
                                                   "      Length: 3\n"
                                                   "      Shift count: 7\n"
                                                   "      [Multiplier: 128]\n");
}

Test(draw, hex_starts_at_the_network_layer_in_its_own_columns)
{
    hex_write(&out, take(udp, sizeof udp, RAW), false, &plain);
    cr_assert_str_eq(text(), "0000  45 00 00 20 00 01 00 00  40 11 66 03 0a 63 00 01  E.. ....@.f..c..\n"
                             "0010  0a 63 00 02 9c 40 00 63  00 0c 12 34 68 1b 5b 6d  .c...@.c...4h.[m\n");
    hex_write(&out, take(arp, sizeof arp, ETHERNET), false, &plain);
    cr_assert_str_eq(text(), "0000                                             00 01                ..\n"
                             "0010  08 00 06 04 00 01 02 00  00 00 00 01 0a 63 00 01  .............c..\n"
                             "0020  00 00 00 00 00 00 0a 63  00 02                    .......c..\n");
    hex_write(&out, take(arp, sizeof arp, ETHERNET), true, &plain);
    cr_assert_eq(strncmp(text(), "0000  ff ff ff ff ff ff 02 00", 29), 0);
}

Test(draw, what_was_reassembled_is_shown_too)
{
    struct packet *p = take(syn, 34, ETHERNET);
    dissect_buffer(p, (struct span){ udp + 20, 12 }, (struct key){ KEY_IP, 17, 0 }, p->network_count);
    hex_write(&out, p, false, &plain);
    part(text(), "Reassembled 1: 12 bytes\n0000  9c 40 00 63 00 0c 12 34  68 1b 5b 6d              .@.c...4h.[m\n");
    diagram_write(&out, p, &plain);
    part(text(), "UDP · 10.99.0.1:40000 → 10.99.0.2:99 · bytes 0-7 · reassembled");
    tree_write(&out, p, &plain);
    part(text(), "User Datagram Protocol · 10.99.0.1:40000 → 10.99.0.2:99 · reassembled");
}

Test(draw, fields_are_listed_with_their_places)
{
    struct error error;
    cr_assert_eq(fields_list_write(&out, "tcp", &plain, &error), 0);
    const char *all = text();
    part(all, "byte 13 bit 6                      Syn\n");
    part(all, "bytes 2-5 of Timestamps            Timestamp value\n");
    part(all, "uint      tcp.srcport or tcp.dstport\n");
    cr_assert_eq(fields_list_write(&out, "upd", &plain, &error), ERROR_NOT_FOUND);
    cr_assert_str_eq(error.text, "fields: no protocol 'upd'; did you mean udp?");
}

/* --- whatever a packet holds --- */

/* No control character but newlines (and, with colours, our own SGR), all of it UTF-8. */
static void expect_clean(const char *at, size_t n, bool color)
{
    for (size_t i = 0; i < n;) {
        uint32_t code = 0;
        unsigned length = utf8_length((const uint8_t *)at + i, n - i, &code);
        cr_assert(length, "byte %zu is no UTF-8", i);
        if (color && code == 0x1b) {
            size_t end = i + 2 + strspn(at + i + 2, "0123456789");
            cr_assert(at[i + 1] == '[' && at[end] == 'm', "no colour of ours");
        } else {
            cr_assert(code >= 0x20 || code == '\n', "control character %x", code);
            cr_assert(code < 0x7f || code > 0x9f, "control character %x", code);
        }
        i += length;
    }
}

/* Lines of a box end where its right side is, or a half row's does; rows have their offset behind it. */
static void expect_boxes(const char *at, size_t n)
{
    const char *end = at + n;
    for (const char *next; at < end; at = next + 1) {
        next = memchr(at, '\n', (size_t)(end - at));
        cr_assert(next, "a last line without an end");
        size_t columns = text_columns(at, (size_t)(next - at));
        if (!strncmp(at, "│", 3) && next[-1] >= '0' && next[-1] <= '9')
            cr_assert(columns == BOX + 3 || columns == BOX + 4, "%zu columns: %.*s", columns, (int)(next - at), at);
        else if (!strncmp(at, "│", 3) || !strncmp(at, "├", 3) || !strncmp(at, "┌", 3) || !strncmp(at, "└", 3))
            cr_assert(columns <= BOX, "%zu columns: %.*s", columns, (int)(next - at), at);
    }
}

static void write_everything(const struct packet *p)
{
    out.at = out.start;
    diagram_write(&out, p, &plain);
    expect_boxes(out.start, buffer_used(&out));
    tree_write(&out, p, &plain);
    hex_write(&out, p, true, &plain);
    hex_write(&out, p, false, &plain);
    expect_clean(out.start, buffer_used(&out), false);
    out.at = out.start;
    diagram_write(&out, p, &ascii);
    diagram_write(&out, p, &colored);
    tree_write(&out, p, &colored);
    hex_write(&out, p, true, &colored);
    expect_clean(out.start, buffer_used(&out), true);
    out.at = out.start;
}

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % sides;
}

static const uint8_t evil[] =
    "\x1b[2J\x9b\xc2\x9b\x07\x7f\n\r\t\\\"\xff\xfe\xc0\xaf\xed\xa0\x80\xe2\x80\xae\xf0\x9f\x98";

Test(draw, hostile_text_never_gets_out_raw)
{
    uint8_t bytes[300];
    for (const struct protocol *const *p = protocols; *p; p++)
        for (unsigned shift = 0; shift < sizeof evil; shift++) {
            for (unsigned i = 0; i < sizeof bytes; i++)
                bytes[i] = evil[(i + shift) % (sizeof evil - 1)];
            struct packet *packet_now = take(bytes, sizeof bytes, 9999);
            packet_now->comment = (struct span){ evil, sizeof evil - 1 };
            packet_now->layer_count = 1;
            packet_now->layers[0] = (struct layer){ *p, 0, 200, 300, 0, 0, 0, 0, 0 };
            write_everything(packet_now);
        }
}

/* A header of each protocol, of random length and bytes, read by its table alone. */
Test(draw, every_table_is_drawn_whatever_it_meets)
{
    for (const struct protocol *const *p = protocols; *p; p++)
        for (unsigned turn = 0; turn < 300; turn++) {
            size_t n = dice(turn % 4 ? 64 : 400);
            uint8_t *bytes = malloc(n ? n : 1); /* so that a byte too far is seen */
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)(dice(3) ? dice(256) : dice(12));
            struct packet *packet_now = take(bytes, n, 9999);
            packet_now->layer_count = 1;
            packet_now->layers[0] = (struct layer){
                *p, 0, (uint32_t)n, (uint32_t)n + dice(3), 0, (uint8_t)dice(3), (uint8_t)dice(8), 0, 0
            };
            write_everything(packet_now);
            free(bytes);
        }
}

Test(draw, damaged_packets_are_drawn_as_far_as_they_go)
{
    static const uint16_t links[] = { ETHERNET, RAW, 0, 113, 276, 228 };
    static const struct span sound[] = {
        { syn, sizeof syn },
        { arp, sizeof arp },
        { udp, sizeof udp },
    };
    for (unsigned turn = 0; turn < 6000; turn++) {
        struct span from = sound[dice(3)];
        size_t n = dice(4) ? from.left : dice((uint32_t)from.left + 1);
        uint8_t *bytes = malloc(n ? n : 1);
        memcpy(bytes, from.at, n);
        for (unsigned i = dice(6); n && i > 0; i--)
            bytes[dice((uint32_t)n)] = (uint8_t)dice(256);
        write_everything(take(bytes, n, links[dice(6)]));
        free(bytes);
    }
}

/* --- the line in the terminal's columns --- */

static const char *line_in(unsigned columns, bool seven_bits)
{
    struct style style = { .columns = columns, .ascii = seven_bits };
    struct text line;
    take(syn, sizeof syn, ETHERNET);
    text_open(&line, &style, FORMAT_RELATIVE, 6);
    text_header(&line, &out);
    text_write(&line, &out, &packet);
    return text();
}

Test(draw, a_line_is_cut_where_the_terminal_ends)
{
    cr_assert_str_eq(
        line_in(113, false),
        "  No        Time  Source                 Destination            Proto    Len  Summary\n"
        "   1              10.99.0.1:45678        10.99.0.2:8080         TCP       74  [SYN] seq 2849564431 win "
        "64240 mss…\n");
    cr_assert_str_eq(
        line_in(0, false),
        "  No        Time  Source                 Destination            Proto    Len  Summary\n"
        "   1              10.99.0.1:45678        10.99.0.2:8080         TCP       74  [SYN] seq 2849564431 win "
        "64240 mss 1460 sack ts wscale 7\n");
}

Test(draw, in_a_narrow_terminal_the_summary_has_a_line_of_its_own)
{
    cr_assert_str_eq(line_in(80, false),
                     "  No        Time  Source           Destination      Proto    Len\n"
                     "                  Summary\n"
                     "   1              10.99.0.1:45678  10.99.0.2:8080   TCP       74\n"
                     "                  [SYN] seq 2849564431 win 64240 mss 1460 sack ts wscale 7\n");
    cr_assert_str_eq(part(line_in(50, true), "TCP"), "TCP       74\n"
                                                     "                  [SYN] seq 2849564431 win 64240 >\n");
}

Test(draw, a_terminal_narrower_than_any_line_loses_no_column)
{
    for (unsigned columns = 1; columns < 40; columns++)
        cr_assert(strstr(line_in(columns, false), "10.99.0.1:45678  10.99.0.2:8080   TCP       74\n"));
}

/* --- on its way out --- */

static void write_tree(struct buffer *to)
{
    tree_write(to, &packet, &plain);
}

static void write_diagram(struct buffer *to)
{
    diagram_write(to, &packet, &plain);
}

static void write_line(struct buffer *to)
{
    struct style narrow = { .columns = 60 };
    struct text line;
    text_open(&line, &narrow, FORMAT_RELATIVE, 6);
    text_write(&line, to, &packet);
}

static void write_fields(struct buffer *to)
{
    struct error error;
    cr_assert_eq(fields_list_write(to, "tcp", &plain, &error), 0);
}

/* Whenever the buffer is full and written out, even in the middle of what is measured or may be taken back. */
Test(draw, all_looks_the_same_however_small_the_buffer)
{
    static void (*const writers[])(struct buffer *) = { write_tree, write_diagram, write_line, write_fields };
    take(syn, sizeof syn, ETHERNET);
    for (unsigned w = 0; w < sizeof writers / sizeof *writers; w++) {
        writers[w](&out);
        size_t n = buffer_used(&out);
        char *expected = strdup(text()), *got = malloc(n + 1);
        for (size_t size = 1; size < 600; size++) {
            struct buffer small;
            int fd = memfd_create("small", 0);
            cr_assert_eq(buffer_open(&small, fd, size), 0);
            writers[w](&small);
            cr_assert_eq(buffer_flush(&small), 0);
            cr_assert_eq(pread(fd, got, n + 1, 0), (ssize_t)n);
            got[n] = 0;
            cr_assert_str_eq(got, expected);
            buffer_free(&small);
            close(fd);
        }
        free(expected);
        free(got);
    }
}
