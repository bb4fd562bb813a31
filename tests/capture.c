/* The capture reader and writer. Every input is put together here, byte by byte, so that each kind of damage is there
 * on purpose; it is read from a file, and again from memory in blocks too small to hold it, with the same outcome. */
#include "capture/capture.h"
#include "base/clock.h"
#include "capture/block_reader.h"
#include "capture/file.h"
#include "capture/writer.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#ifndef __has_feature
#define __has_feature(x) 0 /* clang's way to ask */
#endif

/* ------------------------------------------------------------------------------------------------ making captures */

struct bytes {
    uint8_t *at;
    size_t n, room;
    bool big; /* big-endian */
};

static struct bytes input;

static uint8_t *add_room(size_t n)
{
    if (input.n + n > input.room) {
        input.room = (input.n + n) * 2;
        input.at = realloc(input.at, input.room);
        cr_assert(input.at);
    }
    input.n += n;
    return input.at + input.n - n;
}

static void add_bytes(const void *bytes, size_t n)
{
    uint8_t *to = add_room(n);
    if (n)
        memcpy(to, bytes, n);
}

static void add_fill(int value, size_t n)
{
    memset(add_room(n), value, n);
}

static void add16(unsigned v)
{
    uint8_t little[2] = { (uint8_t)v, (uint8_t)(v >> 8) }, big[2] = { (uint8_t)(v >> 8), (uint8_t)v };
    add_bytes(input.big ? big : little, 2);
}

static void add32(uint32_t v)
{
    add16(input.big ? v >> 16 : v & 0xffff);
    add16(input.big ? v & 0xffff : v >> 16);
}

static void add64(uint64_t v)
{
    add32((uint32_t)(input.big ? v >> 32 : v));
    add32((uint32_t)(input.big ? v : v >> 32));
}

static void begin(bool big)
{
    input.n = 0;
    input.big = big;
}

enum { MICROSECONDS = (int)0xa1b2c3d4, NANOSECONDS = (int)0xa1b23c4d };

static void add_pcap_version(int magic, unsigned major, unsigned minor, uint32_t link_type)
{
    add32((uint32_t)magic);
    add16(major);
    add16(minor);
    add64(0);
    add32(65535);
    add32(link_type);
}

static void add_pcap(int magic, uint32_t link_type)
{
    add_pcap_version(magic, 2, 4, link_type);
}

static void add_pcap_header(uint32_t seconds, uint32_t fraction, uint32_t captured, uint32_t length)
{
    add32(seconds);
    add32(fraction);
    add32(captured);
    add32(length);
}

static void add_pcap_packet(uint32_t seconds, uint32_t fraction, size_t n)
{
    add_pcap_header(seconds, fraction, (uint32_t)n, (uint32_t)n);
    add_fill('p', n);
}

/* A block of pcapng: add_block returns where its length goes, end_block puts it there and behind. */
static size_t add_block(uint32_t type)
{
    add32(type);
    add32(0);
    return input.n - 8;
}

static void end_block_with(size_t start, uint32_t first, uint32_t second)
{
    size_t end = input.n;
    input.n = start + 4;
    add32(first);
    input.n = end;
    add32(second);
}

static void end_block(size_t start)
{
    add_fill(0, -input.n % 4 & 3);
    uint32_t length = (uint32_t)(input.n + 4 - start);
    end_block_with(start, length, length);
}

static void add_section_version(unsigned major, unsigned minor)
{
    size_t block = add_block(0x0a0d0d0a);
    add32(0x1a2b3c4d);
    add16(major);
    add16(minor);
    add64(UINT64_MAX);
    end_block(block);
}

static void add_section(void)
{
    add_section_version(1, 0);
}

static void add_option(unsigned code, const void *value, size_t n)
{
    add16(code);
    add16((unsigned)n);
    add_bytes(value, n);
    add_fill(0, -n % 4 & 3);
}

enum { NO_RESOLUTION = -1 };

static void add_interface_with(unsigned link_type, uint32_t snap_length, int resolution, int64_t offset)
{
    size_t block = add_block(1);
    add16(link_type);
    add16(0);
    add32(snap_length);
    uint8_t byte = (uint8_t)resolution;
    if (resolution != NO_RESOLUTION)
        add_option(9, &byte, 1);
    if (offset) {
        add16(14);
        add16(8);
        add64((uint64_t)offset);
    }
    add_option(0, NULL, 0);
    end_block(block);
}

static void add_interface(unsigned link_type)
{
    add_interface_with(link_type, 0, NO_RESOLUTION, 0);
}

static size_t add_enhanced_header(uint32_t interface, uint64_t time, uint32_t captured, uint32_t length)
{
    size_t block = add_block(6);
    add32(interface);
    add32((uint32_t)(time >> 32));
    add32((uint32_t)time);
    add32(captured);
    add32(length);
    return block;
}

static void add_enhanced(uint32_t interface, uint64_t time, size_t n)
{
    size_t block = add_enhanced_header(interface, time, (uint32_t)n, (uint32_t)n);
    add_fill('e', n);
    end_block(block);
}

/* One good section, interface and packet, in front of what a test wants to look at. */
static void begin_pcapng(bool big)
{
    begin(big);
    add_section();
    add_interface(1);
    add_enhanced(0, 1700000000123456, 61);
}

/* ----------------------------------------------------------------------------------------------- reading them back */

static struct error said;
static char path[64];      /* what is read or written */
static char temporary[64]; /* the file that a test made, one at a time */

static void remove_temporary(void)
{
    if (*temporary)
        unlink(temporary);
    *temporary = 0;
}

TestSuite(capture, .fini = remove_temporary);

static const char *write_file(const char *suffix, const void *bytes, size_t n)
{
    remove_temporary();
    snprintf(path, sizeof path, "/tmp/peel-test-XXXXXX%s", suffix);
    int fd = mkstemps(path, (int)strlen(suffix));
    cr_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    memcpy(temporary, path, sizeof path);
    return path;
}

/* What reading came to, and the last records of it. */
struct outcome {
    int opened, ended;
    unsigned packets;
    uint64_t bytes;
    int link_type;
    bool nanoseconds;
    struct record first, last; /* their bytes are gone */
    char comment[32];
};

static struct outcome read_all(struct capture *capture, int opened)
{
    struct outcome o = { .opened = opened };
    if (opened)
        return o;
    struct record record;
    while ((o.ended = capture_next(capture, &record, &said)) == 1) {
        for (size_t i = 1; i < record.bytes.left; i++)
            cr_assert_eq(record.bytes.at[i], record.bytes.at[0], "a packet's bytes come from several places");
        if (record.comment.left)
            snprintf(o.comment, sizeof o.comment, "%.*s", (int)record.comment.left, (const char *)record.comment.at);
        o.last = record;
        if (!o.packets++)
            o.first = record;
        o.bytes += record.bytes.left;
    }
    char sentence[512];
    snprintf(sentence, sizeof sentence, "%s", said.text);
    cr_assert_eq(capture_next(capture, &record, &said), o.ended, "the end is not the same again");
    cr_assert_str_eq(said.text, sentence);
    o.link_type = capture_link_type(capture);
    o.nanoseconds = capture_nanoseconds(capture);
    capture_close(capture);
    return o;
}

static struct outcome read_path(const char *name)
{
    said.text[0] = 0;
    struct capture *capture;
    int opened = capture_open(&capture, name, &said);
    return read_all(capture, opened);
}

/* From a file, and from memory in small blocks or ahead, which must come to the same. */
static struct outcome read_bytes(const void *bytes, size_t n)
{
    enum { WAYS = 5 };
    const size_t blocks[WAYS] = { 64, 100, 4096, CAPTURE_BLOCK, 64 };
    struct outcome o[WAYS];
    for (int i = 0; i < WAYS; i++) {
        struct capture *capture;
        int opened = capture_open_memory(&capture, (struct span){ bytes, n }, blocks[i], &said);
        if (!opened && i == WAYS - 1)
            block_reader_go_ahead(&capture->reader);
        o[i] = read_all(capture, opened);
    }
    struct outcome file = read_path(write_file("", bytes, n));
    for (int i = 0; i < WAYS; i++) {
        cr_assert_eq(o[i].opened, file.opened);
        cr_assert_eq(o[i].ended, file.ended);
        cr_assert_eq(o[i].packets, file.packets);
        cr_assert_eq(o[i].bytes, file.bytes);
        cr_assert_eq(o[i].last.time, file.last.time);
        cr_assert_eq(o[i].last.offset, file.last.offset);
        cr_assert_eq(o[i].last.interface, file.last.interface);
    }
    return file;
}

static struct outcome read_input(void)
{
    return read_bytes(input.at, input.n);
}

static void assert_said(const char *words)
{
    cr_assert(strncmp(said.text, path, strlen(path)) == 0, "the path does not stand first: %s", said.text);
    cr_assert(strstr(said.text, words), "'%s' is not in: %s", words, said.text);
}

/* After one good packet: damage, and these words. */
static void assert_damaged(const char *words)
{
    struct outcome o = read_input();
    cr_assert_eq(o.opened, 0);
    cr_assert_eq(o.ended, ERROR_DAMAGED);
    cr_assert_eq(o.packets, 1);
    assert_said(words);
    assert_said("damaged after packet 1 (byte ");
}

static void assert_good(unsigned packets)
{
    struct outcome o = read_input();
    cr_assert_eq(o.opened, 0, "%s", said.text);
    cr_assert_eq(o.ended, 0, "%s", said.text);
    cr_assert_eq(o.packets, packets);
}

/* ----------------------------------------------------------------------------------------------------------- pcap */

static void check_pcap(bool big, int magic, int64_t time)
{
    begin(big);
    add_pcap(magic, 1);
    add_pcap_packet(1700000000, 123456, 60);
    add_pcap_header(1700000001, 5, 40, 1500);
    add_fill('q', 40);
    struct outcome o = read_input();
    cr_assert_eq(o.opened, 0);
    cr_assert_eq(o.ended, 0);
    cr_assert_eq(o.packets, 2);
    cr_assert_eq(o.first.time, time);
    cr_assert(o.first.timed);
    cr_assert_eq(o.first.offset, 24);
    cr_assert_eq(o.last.offset, 24 + 16 + 60);
    cr_assert_eq(o.last.bytes.left, 40);
    cr_assert_eq(o.last.wire_length, 1500);
    cr_assert_eq(o.last.link_type, 1);
    cr_assert_eq(o.last.interface, 0);
    cr_assert_eq(o.link_type, 1);
    cr_assert_eq(o.nanoseconds, magic == NANOSECONDS);
}

Test(capture, a_pcap_is_read_in_both_byte_orders_and_resolutions)
{
    check_pcap(false, MICROSECONDS, 1700000000123456000);
    check_pcap(true, MICROSECONDS, 1700000000123456000);
    check_pcap(false, NANOSECONDS, 1700000000000123456);
    check_pcap(true, NANOSECONDS, 1700000000000123456);
}

Test(capture, a_pcap_header_alone_is_an_empty_capture)
{
    begin(false);
    add_pcap(MICROSECONDS, 113);
    assert_good(0);
}

Test(capture, the_link_type_comes_without_the_words_high_bits)
{
    begin(false);
    add_pcap(MICROSECONDS, 0x24000001);
    add_pcap_packet(1, 1, 60);
    cr_assert_eq(read_input().last.link_type, 1);
}

Test(capture, raw_ip_has_one_number_whatever_the_writer_called_it)
{
    const uint32_t written[] = { 12, 14, 101 };
    for (int i = 0; i < 3; i++) {
        begin(false);
        add_pcap(MICROSECONDS, written[i]);
        add_pcap_packet(1, 1, 60);
        struct outcome o = read_input();
        cr_assert_eq(o.last.link_type, 101);
        cr_assert_eq(o.link_type, 12, "libpcap calls it DLT_RAW, 12 on Linux");
    }
}

Test(capture, a_time_after_2038_stays_in_the_future)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(UINT32_MAX, 999999, 60);
    cr_assert_eq(read_input().last.time, 4294967295999999000);
}

Test(capture, a_fraction_beyond_its_second_is_added_all_the_same)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(10, 5000000, 60);
    cr_assert_eq(read_input().last.time, 15000000000);
}

Test(capture, a_packet_may_be_empty)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(1, 1, 0);
    add_pcap_packet(2, 1, 0);
    assert_good(2);
}

Test(capture, more_bytes_than_were_on_the_wire_are_delivered_as_they_are)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_header(1, 1, 60, 20);
    add_fill('p', 60);
    struct outcome o = read_input();
    cr_assert_eq(o.packets, 1);
    cr_assert_eq(o.last.bytes.left, 60);
    cr_assert_eq(o.last.wire_length, 20);
}

Test(capture, old_pcap_versions_have_their_lengths_the_other_way_round)
{
    for (unsigned minor = 2; minor <= 3; minor++) {
        begin(false);
        add_pcap_version(MICROSECONDS, 2, minor, 1);
        add_pcap_header(1, 1, 60, 20);
        add_fill('p', 20);
        struct outcome o = read_input();
        cr_assert_eq(o.ended, 0);
        cr_assert_eq(o.last.bytes.left, 20);
        cr_assert_eq(o.last.wire_length, 60);
    }
}

Test(capture, a_pcap_cut_in_a_packet_gives_the_whole_ones_before)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(1, 1, 60);
    add_pcap_header(1, 1, 60, 60);
    add_fill('p', 59);
    assert_damaged("(byte 100): the file ends in the middle of a record");
}

Test(capture, a_pcap_cut_in_a_packets_header_gives_the_whole_ones_before)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(1, 1, 60);
    add_fill(0, 15);
    assert_damaged("(byte 100): the file ends in the middle of a record");
}

Test(capture, a_packet_of_four_gigabytes_is_damage)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(1, 1, 60);
    add_pcap_header(1, 1, UINT32_MAX, 60);
    add_fill('p', 200);
    assert_damaged("4294967295 bytes");
}

Test(capture, the_largest_packet_is_read_and_one_byte_more_is_not)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(1, 1, CAPTURE_PACKET_MAX);
    add_pcap_packet(1, 1, 60);
    assert_good(2);
    add_pcap_header(1, 1, CAPTURE_PACKET_MAX + 1, 60);
    add_fill('p', CAPTURE_PACKET_MAX + 1);
    cr_assert_eq(read_input().packets, 2);
    assert_said("damaged after packet 2 (byte 16,777,332): ");
}

Test(capture, many_packets_of_all_sizes_cross_the_blocks)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    for (unsigned i = 0; i < 3000; i++)
        add_pcap_packet(i, 1, i * 7919 % 3001);
    assert_good(3000);
}

/* A source of numbers, as many bytes as are asked for, in so many microseconds a call and for each page beyond one. */
struct slow {
    uint8_t next;
    size_t asked; /* at the last call */
    unsigned call, page;
};

static ssize_t slow_source(void *context, uint8_t *to, size_t n, const char **why)
{
    (void)why;
    struct slow *s = context;
    long wait = s->call + s->page * (long)((n - 1) / 4096);
    nanosleep(&(struct timespec){ .tv_nsec = wait * 1000 }, NULL);
    for (size_t i = 0; i < n; i++)
        to[i] = s->next++;
    s->asked = n;
    return (ssize_t)n;
}

/* Reads pieces of 1000 bytes from it, while blocks of 4096 bytes are tried against others of 65536. */
static void read_slowly(struct slow *s)
{
    struct block_reader r;
    cr_assert_eq(block_reader_open(&r, slow_source, s, 4096), 0);
    block_reader_try(&r, 65536);
    uint8_t next = 0;
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert_eq(block_reader_fill(&r, 1000), 1);
        cr_assert_eq(block_reader_offset(&r, r.at), i * 1000);
        for (unsigned k = 0; k < 1000; k++)
            cr_assert_eq(*r.at++, next++);
    }
    block_reader_close(&r);
}

Test(capture, blocks_become_larger_where_reads_are_faster_so)
{
    struct slow s = { .call = 300 };
    read_slowly(&s);
    cr_assert_eq(s.asked, 65536);
}

Test(capture, blocks_stay_small_where_large_reads_are_no_faster)
{
    struct slow s = { .call = 100, .page = 2000 };
    read_slowly(&s);
    cr_assert_eq(s.asked, 4096);
}

/* --------------------------------------------------------------------------------------------------------- pcapng */

static void check_pcapng(bool big)
{
    begin_pcapng(big);
    struct outcome o = read_input();
    cr_assert_eq(o.ended, 0);
    cr_assert_eq(o.packets, 1);
    cr_assert_eq(o.last.bytes.left, 61);
    cr_assert_eq(o.last.time, 1700000000123456000);
    cr_assert_eq(o.last.offset, 28 + 24);
    cr_assert_eq(o.last.link_type, 1);
    cr_assert_not(o.nanoseconds);
}

Test(capture, a_pcapng_is_read_in_both_byte_orders)
{
    check_pcapng(false);
    check_pcapng(true);
}

Test(capture, a_section_alone_is_an_empty_capture)
{
    begin(false);
    add_section();
    assert_good(0);
}

Test(capture, each_section_has_its_byte_order_and_its_interfaces)
{
    begin_pcapng(false);
    add_interface(101);
    input.big = true;
    add_section();
    add_interface(113);
    add_enhanced(0, 5, 70);
    input.big = false;
    add_section();
    add_interface(0);
    add_enhanced(0, 6, 71);
    struct outcome o = read_input();
    cr_assert_eq(o.ended, 0, "%s", said.text);
    cr_assert_eq(o.packets, 3);
    cr_assert_eq(o.first.interface, 0);
    cr_assert_eq(o.last.interface, 3);
    cr_assert_eq(o.last.link_type, 0);
    cr_assert_eq(o.link_type, 1);
}

static int64_t time_with(int resolution, int64_t offset, uint64_t ticks)
{
    begin(false);
    add_section();
    add_interface_with(1, 0, resolution, offset);
    add_enhanced(0, ticks, 60);
    struct outcome o = read_input();
    cr_assert_eq(o.packets, 1);
    return o.last.time;
}

Test(capture, every_resolution_comes_out_in_nanoseconds)
{
    cr_assert_eq(time_with(0, 0, 1700000000), 1700000000000000000);
    cr_assert_eq(time_with(3, 0, 1700000000123), 1700000000123000000);
    cr_assert_eq(time_with(6, 0, 1700000000123456), 1700000000123456000);
    cr_assert_eq(time_with(9, 0, 1700000000123456789), 1700000000123456789);
    cr_assert_eq(time_with(12, 0, 5000000000001), 5000000000);
    cr_assert_eq(time_with(28, 0, UINT64_MAX), 1);
    cr_assert_eq(time_with(29, 0, UINT64_MAX), 0);
    cr_assert_eq(time_with(127, 0, UINT64_MAX), 0);
    cr_assert_eq(time_with(0x80, 0, 7), 7000000000);
    cr_assert_eq(time_with(0x80 | 10, 0, 1536), 1500000000);
    cr_assert_eq(time_with(0x80 | 32, 0, 0x180000000), 1500000000);
    cr_assert_eq(time_with(0x80 | 63, 0, UINT64_C(1) << 62), 500000000);
    cr_assert_eq(time_with(0x80 | 127, 0, UINT64_MAX), 0);
}

Test(capture, a_time_so_far_away_that_differences_would_overflow_is_the_nearest_that_does_not)
{
    cr_assert_eq(time_with(9, 0, (uint64_t)time_most), time_most);
    cr_assert_eq(time_with(9, 0, (uint64_t)time_most + 1), time_most);
    cr_assert_eq(time_with(9, 0, UINT64_C(1) << 63), time_least);
    cr_assert_eq(time_with(0, 0, INT64_MAX), time_most);
    cr_assert_eq(time_with(6, 0, INT64_MAX), time_most);
    cr_assert_eq(time_with(0, 0, UINT64_C(1) << 63), time_least);
    cr_assert_eq(time_with(6, INT64_MAX, 1), time_most);
    cr_assert_eq(time_with(6, INT64_MIN, 1), time_least);
}

Test(capture, a_time_with_the_highest_bit_set_lies_before_1970)
{
    cr_assert_eq(time_with(0, 0, UINT64_MAX), -1000000000);
    cr_assert_eq(time_with(6, 0, UINT64_MAX), -1000);
    cr_assert_eq(time_with(9, 0, UINT64_MAX), -1);
    cr_assert_eq(time_with(0x80, 0, UINT64_MAX), -1000000000);
}

Test(capture, a_time_offset_is_added)
{
    cr_assert_eq(time_with(6, 1000, 500000), 1000500000000);
    cr_assert_eq(time_with(6, -1000, 500000), -999500000000);
}

Test(capture, nanoseconds_are_known_from_the_interface)
{
    for (int resolution = 6; resolution <= 9; resolution += 3) {
        begin(false);
        add_section();
        add_interface_with(1, 0, resolution, 0);
        cr_assert_eq(read_input().nanoseconds, resolution == 9);
    }
}

Test(capture, a_simple_packet_has_no_time_and_is_cut_by_the_snap_length)
{
    for (int big = 0; big < 2; big++) {
        begin(big);
        add_section();
        add_interface_with(1, 50, NO_RESOLUTION, 0);
        size_t block = add_block(3);
        add32(90);
        add_fill('s', 50);
        end_block(block);
        struct outcome o = read_input();
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.packets, 1);
        cr_assert_not(o.last.timed);
        cr_assert_eq(o.last.time, 0);
        cr_assert_eq(o.last.bytes.left, 50);
        cr_assert_eq(o.last.wire_length, 90);
    }
}

Test(capture, an_obsolete_packet_block_is_read)
{
    for (int big = 0; big < 2; big++) {
        begin_pcapng(big);
        add_interface(101);
        size_t block = add_block(2);
        add16(1);
        add16(9);
        add32(0);
        add32(77);
        add32(33);
        add32(34);
        add_fill('o', 33);
        end_block(block);
        struct outcome o = read_input();
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.packets, 2);
        cr_assert_eq(o.last.time, 77000);
        cr_assert_eq(o.last.bytes.left, 33);
        cr_assert_eq(o.last.wire_length, 34);
        cr_assert_eq(o.last.link_type, 101);
        cr_assert_eq(o.last.interface, 1);
    }
}

Test(capture, a_packets_comment_comes_with_it)
{
    begin_pcapng(true);
    size_t block = add_enhanced_header(0, 1, 5, 5);
    add_fill('c', 5);
    add_fill(0, 3);
    add_option(2, "\0\0\0\1", 4);
    add_option(1, "look here", 9);
    add_option(1, "not here", 8);
    add_option(0, NULL, 0);
    end_block(block);
    struct outcome o = read_input();
    cr_assert_eq(o.packets, 2);
    cr_assert_str_eq(o.comment, "look here");
}

Test(capture, a_broken_option_leaves_the_packet_good)
{
    begin_pcapng(false);
    size_t block = add_enhanced_header(0, 1, 4, 4);
    add_fill('c', 4);
    add16(1);
    add16(4000);
    add_fill('x', 4);
    end_block(block);
    assert_good(2);
    cr_assert_str_empty(read_input().comment);
}

Test(capture, blocks_that_say_nothing_of_packets_are_passed_over)
{
    begin_pcapng(false);
    const uint32_t types[] = { 4, 5, 9, 10, 0x80000001 };
    for (int i = 0; i < 5; i++) {
        size_t block = add_block(types[i]);
        add_fill('?', (size_t)i * 20);
        end_block(block);
    }
    add_enhanced(0, 1, 60);
    assert_good(2);
}

Test(capture, a_custom_block_is_numbered_but_is_no_packet)
{
    begin_pcapng(false);
    const uint32_t types[] = { 0xbad, 0x40000bad };
    for (int i = 0; i < 2; i++) {
        size_t block = add_block(types[i]);
        add_fill('?', 24);
        end_block(block);
    }
    write_file("", input.at, input.n);
    struct capture *capture;
    struct record record;
    cr_assert_eq(capture_open(&capture, path, &said), 0);
    cr_assert_eq(capture_next(capture, &record, &said), 1);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(capture_next(capture, &record, &said), 1);
        cr_assert_eq(record.link_type, CAPTURE_NO_PACKET);
        cr_assert_eq(record.bytes.left, 20, "without the enterprise number");
        cr_assert(!record.timed);
    }
    cr_assert_eq(capture_next(capture, &record, &said), 0);
    capture_close(capture);
}

Test(capture, a_custom_block_too_short_for_its_number_is_damage)
{
    begin_pcapng(false);
    size_t block = add_block(0xbad);
    end_block(block);
    assert_damaged("too short");
}

Test(capture, a_big_unknown_block_takes_no_memory)
{
    begin_pcapng(false);
    size_t block = add_block(0x1234);
    add_fill('?', 100 << 20);
    end_block(block);
    add_enhanced(0, 1, 60);
    write_file("", input.at, input.n);
    struct rlimit limit;
    FILE *status = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    cr_assert(status && fscanf(status, "%lu", &pages) == 1);
    fclose(status);
    limit.rlim_cur = limit.rlim_max = (pages + 4096) * 4096; /* 16 MiB more than now */
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
    cr_assert(setrlimit(RLIMIT_AS, &limit) == 0);
#endif
    struct outcome o = read_path(path);
    cr_assert_eq(o.ended, 0, "%s", said.text);
    cr_assert_eq(o.packets, 2);
}

Test(capture, a_block_length_of_zero_is_damage)
{
    begin_pcapng(false);
    end_block_with(add_block(6), 0, 0);
    add_fill(0, 40);
    assert_damaged("block length 0 is less");
}

Test(capture, a_block_length_of_seven_is_damage)
{
    begin_pcapng(true);
    end_block_with(add_block(6), 7, 7);
    add_fill(0, 40);
    assert_damaged("block length 7 is not a multiple of 4");
}

Test(capture, a_block_of_four_gigabytes_is_damage)
{
    const uint32_t types[] = { 6, 1, 0x1234, 0x0a0d0d0a };
    for (int i = 0; i < 4; i++) {
        begin_pcapng(false);
        size_t block = add_block(types[i]);
        add32(0x1a2b3c4d);
        end_block_with(block, UINT32_MAX, UINT32_MAX);
        add_fill(0, 40);
        assert_damaged(types[i] == 0x1234 ? "in the middle of a record" : "is too large");
    }
}

Test(capture, a_block_length_between_multiples_of_four_is_rounded_up)
{
    begin_pcapng(false);
    size_t block = add_enhanced_header(0, 1, 61, 61);
    add_fill('e', 61);
    add_fill(0, 3);
    end_block_with(block, 12 + 20 + 61, 12 + 20 + 61);
    add_enhanced(0, 1, 60);
    assert_good(3);
}

Test(capture, two_lengths_that_differ_are_damage)
{
    const uint32_t types[] = { 6, 5 };
    for (int i = 0; i < 2; i++) {
        begin_pcapng(false);
        size_t block = add_block(types[i]);
        add_fill(0, 20);
        end_block_with(block, 32, 36);
        add_enhanced(0, 1, 60);
        assert_damaged("two lengths differ, 32 at its beginning and 36 at its end");
    }
}

Test(capture, a_packet_larger_than_its_block_is_damage)
{
    const uint32_t captured[] = { 61, UINT32_MAX };
    for (int i = 0; i < 2; i++) {
        begin_pcapng(false);
        size_t block = add_enhanced_header(0, 1, captured[i], captured[i]);
        add_fill('e', 60);
        end_block(block);
        assert_damaged(i ? "no packet has 4294967295 bytes" : "a packet of 61 bytes in a block that has room for 60");
    }
}

Test(capture, packet_blocks_shorter_than_their_headers_are_damage)
{
    for (uint32_t type = 1; type <= 6; type++) {
        if (type == 4 || type == 5)
            continue;
        begin_pcapng(false);
        end_block(add_block(type));
        assert_damaged("too short");
    }
}

Test(capture, a_packet_of_an_interface_never_described_is_damage)
{
    begin_pcapng(false);
    add_enhanced(1, 1, 60);
    assert_damaged("a packet from interface 1, of 1 described");
    begin_pcapng(false);
    add_section();
    size_t block = add_block(3);
    add32(4);
    add_fill('s', 4);
    end_block(block);
    assert_damaged("a packet from interface 0, of 0 described");
}

Test(capture, interfaces_without_end_are_damage)
{
    begin_pcapng(false);
    for (int i = 0; i <= CAPTURE_INTERFACES_MAX; i++)
        add_interface(1);
    assert_damaged("more than 65536 interfaces");
}

Test(capture, a_later_section_of_another_version_is_damage)
{
    begin_pcapng(false);
    add_section_version(2, 0);
    assert_damaged("version of pcapng that is not known");
    begin_pcapng(false);
    size_t block = add_block(0x0a0d0d0a);
    add_fill('x', 16);
    end_block(block);
    assert_damaged("byte-order magic");
}

Test(capture, a_pcapng_cut_anywhere_gives_the_packets_before)
{
    begin_pcapng(false);
    size_t one = input.n;
    add_enhanced(0, 1, 60);
    size_t all = input.n;
    for (size_t n = one + 1; n < all; n++) {
        input.n = n;
        assert_damaged("the file ends in the middle of a record");
    }
}

/* ----------------------------------------------------------------------------------------------- where they come from
 */

static void assert_not_opened(int code, const char *words)
{
    struct outcome o = read_input();
    cr_assert_eq(o.opened, code);
    assert_said(words);
}

Test(capture, what_is_no_capture_says_so)
{
    begin(false);
    assert_not_opened(ERROR_FORMAT, "it is empty");
    add_fill('a', 3);
    assert_not_opened(ERROR_FORMAT, "not a capture");
    add_fill('a', 3000);
    assert_not_opened(ERROR_FORMAT, "not a capture");
    begin(false);
    add32((uint32_t)MICROSECONDS);
    add_fill(0, 19);
    assert_not_opened(ERROR_FORMAT, "ends within the file's header");
    begin(false);
    add_pcap_version(MICROSECONDS, 1, 2, 1);
    assert_not_opened(ERROR_FORMAT, "version 1.2");
    begin(false);
    add_section_version(1, 7);
    assert_not_opened(ERROR_FORMAT, "version of pcapng");
}

Test(capture, what_cannot_be_opened_says_why)
{
    snprintf(path, sizeof path, "/tmp");
    cr_assert_eq(read_path(path).opened, ERROR_SYSTEM);
    assert_said("Is a directory");
    snprintf(path, sizeof path, "/tmp/peel-test-there-is-none");
    cr_assert_eq(read_path(path).opened, ERROR_SYSTEM);
    assert_said("No such file");
}

Test(capture, a_file_that_may_not_be_read_says_so)
{
    begin_pcapng(false);
    write_file("", input.at, input.n);
    cr_assert(chmod(path, 0) == 0);
    if (geteuid() == 0)
        cr_assert(seteuid(65534) == 0);
    int opened = read_path(path).opened;
    if (getuid() == 0)
        cr_assert(seteuid(0) == 0);
    cr_assert_eq(opened, ERROR_SYSTEM);
    assert_said("Permission denied");
}

Test(capture, libpcap_reads_the_modified_format)
{
    begin(false);
    add_pcap((int)0xa1b2cd34, 101);
    add_pcap_header(1700000000, 123456, 60, 70);
    add_fill(0, 8); /* interface index, protocol, packet type */
    add_fill('m', 60);
    struct outcome o = read_input();
    cr_assert_eq(o.ended, 0, "%s", said.text);
    cr_assert_eq(o.packets, 1);
    cr_assert_eq(o.last.time, 1700000000123456000);
    cr_assert_eq(o.last.wire_length, 70);
    cr_assert_eq(o.last.link_type, 101);
    cr_assert_eq(o.last.offset, 24);
    add_fill(1, 30);
    cr_assert_eq(read_input().ended, ERROR_DAMAGED);
    assert_said("damaged after packet 1 (byte 108): ");
}

Test(capture, the_link_type_is_known_before_the_first_packet_and_loses_none)
{
    begin_pcapng(false);
    add_enhanced(0, 1, 60);
    struct capture *capture;
    struct record record;
    cr_assert_eq(capture_open(&capture, write_file("", input.at, input.n), &said), 0);
    cr_assert_eq(capture_link_type(capture), 1);
    cr_assert_eq(capture_link_type(capture), 1);
    cr_assert_eq(capture_next(capture, &record, &said), 1);
    cr_assert_eq(record.bytes.left, 61);
    cr_assert_eq(record.bytes.at[60], 'e');
    cr_assert_eq(capture_next(capture, &record, &said), 1);
    cr_assert_eq(record.bytes.left, 60);
    cr_assert_eq(capture_next(capture, &record, &said), 0);
    capture_close(capture);
}

/* A child that writes n bytes, then waits for a byte from us before it writes the rest. */
static int stutter(const struct bytes *from, size_t n, int *go)
{
    int data[2], word[2];
    cr_assert(pipe(data) == 0 && pipe(word) == 0);
    if (fork() == 0) {
        close(data[0]);
        close(word[1]);
        char byte;
        bool good = write(data[1], from->at, n) == (ssize_t)n && read(word[0], &byte, 1) == 1 &&
                    write(data[1], from->at + n, from->n - n) == (ssize_t)(from->n - n);
        _exit(!good);
    }
    close(data[1]);
    close(word[0]);
    *go = word[1];
    return data[0];
}

static void check_pipe_of(const struct bytes *from, size_t first, unsigned before)
{
    int go, fd = stutter(from, first, &go);
    cr_assert(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
    struct capture *capture;
    struct record record;
    cr_assert_eq(capture_open(&capture, "-", &said), 0, "%s", said.text);
    alarm(20); /* it would wait for ever */
    for (unsigned i = 0; i < before; i++)
        cr_assert_eq(capture_next(capture, &record, &said), 1);
    cr_assert(write(go, "g", 1) == 1);
    cr_assert_eq(capture_next(capture, &record, &said), 1);
    cr_assert_eq(capture_next(capture, &record, &said), 0);
    alarm(0);
    capture_close(capture);
    cr_assert(fcntl(STDIN_FILENO, F_GETFD) >= 0, "standard input was closed");
    close(go);
    wait(NULL);
}

static void check_pipe(size_t first, unsigned before)
{
    check_pipe_of(&input, first, before);
}

Test(capture, a_pipe_is_read_as_it_comes)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    add_pcap_packet(1, 1, 60);
    add_pcap_packet(2, 1, 60);
    check_pipe(24 + 76, 1);
    size_t whole = input.n;
    add_pcap_packet(3, 1, 60);
    check_pipe(whole, 2);
    check_pipe(whole + 30, 2);
    begin_pcapng(false);
    whole = input.n;
    add_enhanced(0, 1, 60);
    check_pipe(whole, 1);
}

/* ----------------------------------------------------------------------------------------------------- compression */

static struct bytes packed;

static void pack_room(size_t n)
{
    if (packed.n + n > packed.room) {
        packed.room = (packed.n + n) * 2;
        packed.at = realloc(packed.at, packed.room);
        cr_assert(packed.at);
    }
}

static void pack_gzip(const uint8_t *from, size_t n)
{
    z_stream z = { 0 };
    cr_assert(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    pack_room(deflateBound(&z, n));
    z.next_in = (uint8_t *)from;
    z.avail_in = (unsigned)n;
    z.next_out = packed.at + packed.n;
    z.avail_out = (unsigned)(packed.room - packed.n);
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    packed.n += z.total_out;
    deflateEnd(&z);
}

static void pack_zstd(const uint8_t *from, size_t n)
{
    pack_room(ZSTD_compressBound(n));
    size_t written = ZSTD_compress(packed.at + packed.n, packed.room - packed.n, from, n, 3);
    cr_assert(!ZSTD_isError(written));
    packed.n += written;
}

typedef void packer(const uint8_t *from, size_t n);
static packer *const packers[] = { pack_gzip, pack_zstd };

/* In two members, which gzip and zstd both let a reader have one by one. */
Test(capture, a_compressed_pipe_is_read_as_it_comes)
{
    begin_pcapng(false);
    size_t first = input.n;
    add_enhanced(0, 1, 60);
    for (int i = 0; i < 2; i++) {
        packed.n = 0;
        packers[i](input.at, first);
        size_t member = packed.n;
        packers[i](input.at + first, input.n - first);
        check_pipe_of(&packed, member, 1);
    }
}

static void many_packets(void)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    for (unsigned i = 0; i < 2000; i++) {
        add_pcap_header(i, i * 7, 700 + i % 800, 1500);
        add_fill((int)(i * 31), 700 + i % 800);
    }
}

Test(capture, a_compressed_capture_reads_as_the_plain_one)
{
    many_packets();
    struct outcome plain = read_input();
    for (int i = 0; i < 2; i++) {
        packed.n = 0;
        packers[i](input.at, input.n);
        struct outcome o = read_bytes(packed.at, packed.n);
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.packets, 2000);
        cr_assert_eq(o.bytes, plain.bytes);
        cr_assert_eq(o.last.offset, plain.last.offset);
    }
}

/* Hardly compressed, so that the file is a big one. */
static void pack_stored(void)
{
    z_stream z = { .next_in = input.at, .avail_in = (uInt)input.n };
    cr_assert(deflateInit2(&z, 0, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    packed.n = 0;
    pack_room(deflateBound(&z, input.n));
    z.next_out = packed.at;
    z.avail_out = (uInt)packed.room;
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    packed.n = packed.room - z.avail_out;
    deflateEnd(&z);
}

static struct capture *open_ahead(size_t n)
{
    struct capture *capture;
    cr_assert_eq(capture_open(&capture, write_file("", packed.at, n), &said), 0, "%s", said.text);
    capture_read_ahead(capture);
    return capture;
}

Test(capture, a_big_compressed_file_is_read_ahead_and_reads_the_same)
{
    begin(false);
    add_pcap(MICROSECONDS, 1);
    for (unsigned i = 0; i < 600; i++)
        add_pcap_packet(i, 1, i * 7919 % 300001);
    pack_stored();
    struct outcome o = read_all(open_ahead(packed.n), 0);
    cr_assert_eq(o.ended, 0, "%s", said.text);
    cr_assert_eq(o.packets, 600);
    o = read_all(open_ahead(packed.n / 2), 0);
    cr_assert_eq(o.ended, ERROR_DAMAGED);
    cr_assert_gt(o.packets, 200);
    assert_said("the compressed data ends too soon");
}

Test(capture, what_is_read_ahead_may_be_left_at_any_time)
{
    many_packets();
    pack_stored();
    struct record record;
    for (unsigned i = 0; i < 50; i++) {
        struct capture *capture = open_ahead(packed.n);
        for (unsigned k = 0; k < i * i % 37; k++)
            cr_assert_eq(capture_next(capture, &record, &said), 1);
        capture_close(capture);
    }
}

Test(capture, members_and_frames_one_after_the_other_are_one_capture)
{
    many_packets();
    for (int i = 0; i < 2; i++) {
        packed.n = 0;
        packers[i](input.at, 1000);
        packers[i](input.at + 1000, 0);
        packers[i](input.at + 1000, input.n - 1000);
        struct outcome o = read_bytes(packed.at, packed.n);
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.packets, 2000);
    }
}

Test(capture, zeros_behind_gzip_are_padding_and_anything_else_is_damage)
{
    many_packets();
    packed.n = 0;
    pack_gzip(input.at, input.n);
    pack_room(1000);
    memset(packed.at + packed.n, 0, 1000);
    packed.n += 1000;
    cr_assert_eq(read_bytes(packed.at, packed.n).ended, 0);
    packed.at[packed.n - 500] = 'x';
    struct outcome o = read_bytes(packed.at, packed.n);
    cr_assert_eq(o.ended, ERROR_DAMAGED);
    cr_assert_eq(o.packets, 2000);
    assert_said("is not gzip");
}

Test(capture, compressed_data_that_ends_too_soon_gives_what_was_whole)
{
    many_packets();
    for (int i = 0; i < 2; i++) {
        packed.n = 0;
        packers[i](input.at, input.n);
        struct outcome o = read_bytes(packed.at, packed.n * 3 / 4);
        cr_assert_eq(o.ended, ERROR_DAMAGED);
        cr_assert_gt(o.packets, 1000u);
        cr_assert_lt(o.packets, 2000u);
        assert_said("the compressed data ends too soon");
        cr_assert_eq(read_bytes(packed.at, 8).opened, ERROR_FORMAT);
    }
}

Test(capture, damage_in_compressed_data_gives_what_came_before)
{
    many_packets();
    for (int i = 0; i < 2; i++) {
        packed.n = 0;
        packers[i](input.at, input.n / 2);
        size_t half = packed.n;
        packers[i](input.at + input.n / 2, input.n - input.n / 2);
        memset(packed.at + half + 20, 0xff, 40);
        struct outcome o = read_bytes(packed.at, packed.n);
        cr_assert_eq(o.opened, 0);
        cr_assert_eq(o.ended, ERROR_DAMAGED);
        cr_assert_gt(o.packets, 900u);
        assert_said("damaged after packet ");
    }
}

/* ---------------------------------------------------------------------------------------------------------- writer */

static struct record record_of(const char *bytes, int64_t time)
{
    struct span span = { (const uint8_t *)bytes, strlen(bytes) };
    return (struct record){
        .bytes = span, .wire_length = (uint32_t)span.left, .time = time, .timed = true, .link_type = 1
    };
}

static void write_records(const struct record *records, size_t n)
{
    struct writer *writer;
    cr_assert_eq(writer_open(&writer, path, &said), 0, "%s", said.text);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(writer_put(writer, &records[i], &said), 0, "%s", said.text);
    cr_assert_eq(writer_close(writer, &said), 0, "%s", said.text);
}

Test(capture, what_was_written_reads_the_same)
{
    struct record records[3] = { record_of("aaaaa", 1700000000123456789), record_of("bb", 5), record_of("", 6) };
    records[0].comment = (struct span){ (const uint8_t *)"well", 4 };
    records[1].wire_length = 1500;
    for (int i = 0; i < 2; i++) {
        write_file(i ? ".pcap" : ".pcapng", "", 0);
        write_records(records, 3);
        struct outcome o = read_path(path);
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.packets, 3);
        cr_assert_eq(o.bytes, 7);
        cr_assert_eq(o.first.time, 1700000000123456789);
        cr_assert_eq(o.last.time, 6);
        cr_assert(o.nanoseconds);
        cr_assert_str_eq(o.comment, i ? "" : "well");
    }
}

Test(capture, a_capture_without_packets_is_written_as_one)
{
    for (int i = 0; i < 2; i++) {
        write_file(i ? ".pcap" : ".pcapng", "", 0);
        write_records(NULL, 0);
        struct outcome o = read_path(path);
        cr_assert_eq(o.opened, 0);
        cr_assert_eq(o.ended, 0);
    }
}

Test(capture, interfaces_are_written_as_they_are_met)
{
    struct record records[4] = { record_of("a", 1), record_of("b", 2), record_of("c", 3), record_of("d", 4) };
    records[0].interface = 7;
    records[1].link_type = 101;
    records[2].interface = 7;
    records[3].link_type = 113; /* the same number as the second packet's, and another link type */
    write_file(".pcapng", "", 0);
    write_records(records, 4);
    struct outcome o = read_path(path);
    cr_assert_eq(o.packets, 4);
    cr_assert_eq(o.first.interface, 0);
    cr_assert_eq(o.last.interface, 2);
    cr_assert_eq(o.last.link_type, 113);
}

Test(capture, a_packet_without_a_time_stays_so_where_the_format_can)
{
    struct record records[2] = { record_of("a", 0), record_of("b", 0) };
    records[0].timed = records[1].timed = false;
    records[1].interface = 1;
    write_file(".pcapng", "", 0);
    write_records(records, 2);
    struct outcome o = read_path(path);
    cr_assert_not(o.first.timed);
    cr_assert(o.last.timed);
    cr_assert_eq(o.last.time, 0);
}

Test(capture, a_pcap_refuses_a_second_link_type_and_keeps_the_first)
{
    write_file(".pcap", "", 0);
    struct writer *writer;
    cr_assert_eq(writer_open(&writer, path, &said), 0);
    struct record good = record_of("a", 1), other = record_of("b", 2);
    other.link_type = 113;
    cr_assert_eq(writer_put(writer, &good, &said), 0);
    cr_assert_eq(writer_put(writer, &other, &said), ERROR_FORMAT);
    assert_said("one link type");
    cr_assert_eq(writer_close(writer, &said), 0);
    cr_assert_eq(read_path(path).packets, 1);
}

Test(capture, a_large_packet_is_written_whole)
{
    char *large = malloc((1 << 20) + 4);
    memset(large, 'l', (1 << 20) + 3);
    large[(1 << 20) + 3] = 0;
    struct record records[2] = { record_of("a", 1), record_of(large, 2) };
    for (int i = 0; i < 2; i++) {
        write_file(i ? ".pcap" : ".pcapng", "", 0);
        write_records(records, 2);
        struct outcome o = read_path(path);
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.last.bytes.left, (1 << 20) + 3);
    }
    free(large);
}

Test(capture, a_file_that_may_not_grow_ends_at_a_whole_packet)
{
    char text[1001];
    memset(text, 't', 1000);
    text[1000] = 0;
    struct record record = record_of(text, 1);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        write_file(i ? ".pcap" : ".pcapng", "", 0);
        struct rlimit limit, before;
        cr_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
        limit = before;
        limit.rlim_cur = 1234567;
        cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        struct writer *writer;
        cr_assert_eq(writer_open(&writer, path, &said), 0);
        int result = 0;
        for (int n = 0; n < 3000 && !result; n++)
            result = writer_put(writer, &record, &said);
        cr_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
        cr_assert_eq(result, ERROR_SYSTEM);
        assert_said("File too large");
        cr_assert_eq(writer_put(writer, &record, &said), ERROR_SYSTEM);
        cr_assert_eq(writer_close(writer, &said), ERROR_SYSTEM);
        struct outcome o = read_path(path);
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_eq(o.packets, i ? (1234567 - 24) / 1016 : (1234567 - 28 - 32) / 1032);
    }
}

Test(capture, a_full_device_is_told)
{
    snprintf(path, sizeof path, "/dev/full");
    struct writer *writer;
    struct record record = record_of("a", 1);
    cr_assert_eq(writer_open(&writer, path, &said), 0);
    cr_assert_eq(writer_put(writer, &record, &said), 0);
    cr_assert_eq(writer_flush(writer, &said), ERROR_SYSTEM);
    assert_said("No space left");
    cr_assert_eq(writer_close(writer, &said), ERROR_SYSTEM);
    snprintf(path, sizeof path, "/tmp/peel-test-no-such-folder/x.pcap");
    cr_assert_eq(writer_open(&writer, path, &said), ERROR_SYSTEM);
    assert_said("No such file");
}

/* Both ways of writing, the second lending its packets, give the same file. */
static struct span write_many(const char *suffix, bool many, const struct ring_packet *packets, size_t n)
{
    static const struct writer_description description = { .interface = "wire", .link_type = 1 };
    static uint8_t files[2][1 << 20];
    struct writer *writer;
    write_file(suffix, "", 0);
    cr_assert_eq(writer_open(&writer, path, &said), 0);
    cr_assert_eq(writer_describe(writer, &description, &said), 0);
    if (many) {
        writer_lend(writer);
        cr_assert_eq(writer_put_many(writer, packets, n, &said), 0);
    }
    for (size_t i = 0; !many && i < n; i++) {
        struct record record = { .bytes = packets[i].bytes, .wire_length = packets[i].wire_length, .link_type = 1 };
        record.time = packets[i].time;
        record.timed = true;
        cr_assert_eq(writer_put(writer, &record, &said), 0);
    }
    uint64_t size = writer_size(writer);
    cr_assert_eq(writer_close(writer, &said), 0);
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, files[many], sizeof files[many]);
    close(fd);
    cr_assert_eq(got, (ssize_t)size);
    return (struct span){ files[many], (size_t)got };
}

Test(capture, packets_written_at_once_are_those_written_one_by_one)
{
    enum { N = 900 };
    static uint8_t bytes[N];
    static struct ring_packet packets[N];
    for (size_t i = 0; i < N; i++) {
        bytes[i] = (uint8_t)(i * 7);
        packets[i] = (struct ring_packet){ .bytes = { bytes + N - 1 - i, i }, .wire_length = (uint32_t)i + 3 };
        packets[i].time = (int64_t)i * 1234567890123;
    }
    for (int i = 0; i < 2; i++) {
        const char *suffix = i ? ".pcap" : ".pcapng";
        struct span one_by_one = write_many(suffix, false, packets, N), at_once = write_many(suffix, true, packets, N);
        cr_assert_eq(one_by_one.left, at_once.left);
        cr_assert(memcmp(one_by_one.at, at_once.at, at_once.left) == 0, "%s differs", suffix);
    }
}

Test(capture, a_full_disk_leaves_whole_packets_of_those_that_were_lent)
{
    static uint8_t bytes[1000];
    static struct ring_packet packets[64];
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < 64; i++)
        packets[i] = (struct ring_packet){ .bytes = { bytes, i % 2 ? sizeof bytes : 60 }, .wire_length = 1000 };
    for (int i = 0; i < 2; i++) {
        write_file(i ? ".pcap" : ".pcapng", "", 0);
        struct rlimit limit, before;
        cr_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
        limit = before;
        limit.rlim_cur = 654321;
        cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        struct writer *writer;
        static const struct writer_description description = { .interface = "wire", .link_type = 1 };
        cr_assert_eq(writer_open(&writer, path, &said), 0);
        cr_assert_eq(writer_describe(writer, &description, &said), 0);
        writer_lend(writer);
        int result = 0;
        for (int n = 0; n < 1000 && !result; n++)
            result = writer_put_many(writer, packets, 64, &said);
        cr_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
        cr_assert_eq(result, ERROR_SYSTEM);
        cr_assert_eq(writer_close(writer, &said), ERROR_SYSTEM);
        struct outcome o = read_path(path);
        cr_assert_eq(o.ended, 0, "%s", said.text);
        cr_assert_gt(o.packets, 1000);
    }
}

Test(capture, a_file_whose_writer_was_killed_is_cut_behind_its_last_whole_record)
{
    static uint8_t bytes[100];
    static struct ring_packet packets[10];
    for (size_t i = 0; i < 10; i++)
        packets[i] = (struct ring_packet){ .bytes = { bytes, sizeof bytes }, .wire_length = 100 };
    for (int i = 0; i < 2; i++) {
        struct span whole = write_many(i ? ".pcap" : ".pcapng", true, packets, 10);
        size_t record = i ? 116 : 132;
        for (size_t cut = 1; cut < record; cut++)
            for (int known = 0; known < 2; known++) {
                int fd = open(path, O_WRONLY | O_TRUNC);
                cr_assert(write(fd, whole.at, whole.left - cut) > 0);
                writer_tidy(fd, i, known ? whole.left - 3 * record : 0);
                close(fd);
                struct outcome o = read_path(path);
                cr_assert_eq(o.ended, 0, "%s", said.text);
                cr_assert_eq(o.packets, 9);
            }
    }
}
