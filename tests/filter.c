/* Display filters: what passes, what does not, and how the wrong ones are called wrong. */
#include "filter/filter.h"
#include "capture/capture.h"
#include "segments.h"
#include <glob.h>
#include <stdlib.h>

/* An Ethernet frame with a TCP segment over IPv4: a GET from 10.1.2.3:40000 to 192.168.0.80:80. */
static uint8_t frame[] = {
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0x08, 0x00, /* Ethernet */
    0x45, 0x00, 0x00, 0x2c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 10,   1,    2,    3,
    192,  168,  0,    80,                                                                           /* IPv4 */
    0x9c, 0x40, 0x00, 0x50, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x50, 0x18, 0x04, 0x00, /* TCP */
    0x00, 0x00, 0x00, 0x00, 'G',  'E',  'T',  '/',
};

static struct packet packet;

static const struct packet *request(void)
{
    registry_open();
    packet_reset(&packet, (struct span){ frame, sizeof frame });
    packet.number = 7;
    packet.time = INT64_C(1600000000500000000);
    packet.time_relative = 1500000000;
    packet.timed = true;
    packet.link_type = 1;
    packet.wire_length = sizeof frame;
    dissect(&packet);
    return &packet;
}

static bool passes(const char *expression, const struct packet *p)
{
    struct filter *filter;
    struct error error;
    cr_assert_eq(filter_open(&filter, expression, &error), 0, "%s: %s", expression, error.text);
    bool passed = filter_passes(filter, p);
    filter_close(filter);
    return passed;
}

static void expect_all(const char *const *expressions, bool wanted)
{
    const struct packet *p = request();
    for (; *expressions; expressions++)
        cr_expect_eq(passes(*expressions, p), wanted, "%s", *expressions);
}

Test(filter, comparisons_that_hold)
{
    static const char *const all[] = {
        "tcp.port == 80",
        "tcp.port eq 40000",
        "tcp.srcport > tcp.dstport",
        "ip.ttl <= 64",
        "ip.ttl ge 0x40",
        "ip.ttl == 0100",
        "ip.ttl == 0b1000000",
        "ip.ttl == '@'",
        "tcp.port != 443",
        "tcp.port !== 80",
        "tcp.port any_ne 80",
        "any tcp.port != 80",
        "all tcp.port > 79",
        "tcp.dstport === 80",
        "1 < ip.ttl < 65",
        "ip.src == 10.0.0.0/8",
        "ip.addr == 192.168.0.80",
        "ip.src < 10.1.2.4",
        "eth.src == 66:77:88:99:aa:bb",
        "eth.src == 66-77-88-99-aa-bb",
        "eth.dst == 0011.2233.4455",
        "tcp.flags.push == True",
        "tcp.flags.syn == 0",
        "tcp.flags.push == \"Set\"",
        "tcp.flags == 0x018",
        "tcp.flags & 0x10",
        "ip.proto == TCP",
        "ip.proto == \"tcp\"",
        "not ipv6.nxt == TCP",
        "frame.time == \"2020-09-13 12:26:40.5Z\"",
        "frame.time_relative == 1.5",
        "frame.time_relative > .5",
        "frame.number == 7 && frame.len == 58",
        "ip.src & 255.0.0.0 == 10.0.0.0",
        "eth.src & ff:ff:00:00:00:00 == 66:77:00:00:00:00",
        "eth.src & 00:01:00:00:00:00",
        "not eth.src & 01:00:00:00:00:00",
        "tcp.payload & 40:00:00:00",
        "tcp.srcport == tcp.dstport * 500",
        "tcp.srcport == {tcp.dstport + 20} * 400",
        "tcp.dstport - 81 == -1",
        "tcp.dstport % 3 == 2",
        "tcp.dstport == 4 * {15 + 5}",
        "frame.time_relative == 1 + .5",
        NULL,
    };
    expect_all(all, true);
}

Test(filter, comparisons_that_do_not)
{
    static const char *const all[] = {
        "tcp.port == 81",
        "tcp.port != 80",
        "tcp.port === 80",
        "tcp.port all_ne 80",
        "all tcp.port > 80",
        "ip.src == 10.1.2.4",
        "ip.src == 11.0.0.0/8",
        "udp.port != 80",
        "udp.port == 80",
        "udp",
        "ipv6.addr == ::/0",
        "tcp.flags.syn",
        "!tcp",
        "tcp.flags & 0x02",
        "tcp.dstport / 0 == 0",
        "frame.time < \"2020-01-01\"",
        "ip.ttl in {65..100, 3}",
        "tcp.port not in {80}",
        "count(udp.port) == 0",
        "tcp.options.mss_val > 0",
        NULL,
    };
    /* a bit that is 0 is there all the same */
    cr_expect(passes("tcp.flags.syn", request()));
    static const char *left[sizeof all / sizeof *all];
    unsigned n = 0;
    for (unsigned i = 0; all[i]; i++)
        if (strcmp(all[i], "tcp.flags.syn") != 0)
            left[n++] = all[i];
    expect_all(left, false);
}

Test(filter, searches_slices_sets_and_functions)
{
    static const char *const all[] = {
        "tcp contains \"GET\"",
        "frame contains 47:45:54",
        "frame contains 0x47",
        "tcp.payload contains \"T/\"",
        "frame.protocols contains \"ip:tcp\"",
        "frame.protocols matches \"^eth:ethertype:ip:tcp\"",
        "not ssl and not bootp and not ssl.handshake.type == 1",
        "tcp matches \"get/$\"",
        "tcp ~ r\"g\\x45t\"",
        "not tcp matches \"(?-i)get\"",
        "eth.src[0:3] == 66:77:88",
        "eth.src[1-2] == 77:88",
        "eth.src[-2--1] == aa:bb",
        "eth.src contains 77:88",
        "eth.src[-1] == bb",
        "eth.src[:2,4] == 66:77:aa",
        "eth.src[4:] == aa:bb",
        "tcp[0:2] == 9c:40",
        "tcp[13] & 0x18",
        "tcp.payload[0:3] == \"GET\"",
        "tcp[20:3] == \"GET\"",
        "not ip[20:3]",
        "ip[20:3] != \"GET\"",
        "ip.src[0] == 0a",
        "tcp.port in {22, 79..81}",
        "ip.addr in {10.0.0.0/8}",
        "ip.src in {10.0.0.0 .. 10.2.0.0}",
        "not tcp.port in {22, 443}",
        "len(tcp) == 24",
        "len(eth.src) == 6",
        "count(tcp.port) == 2",
        "max(tcp.srcport, tcp.dstport) == 40000",
        "min(tcp.srcport, tcp.dstport) == 80",
        "string(ip.src) matches \"^10[.]\"",
        "string(tcp.dstport) == \"80\"",
        "string(eth.src) contains \"aa:bb\"",
        "abs(tcp.dstport - 100) == 20",
        "ip.src#1 == 10.1.2.3",
        "not ip#2",
        "ip.addr#[1-3] == 10.1.2.3",
        "ip.addr#[-1] == 10.1.2.3",
        ".tcp.port == 80",
        "tcp.payload contains \"\\x47\\105T\"",
        NULL,
    };
    expect_all(all, true);
}

Test(filter, and_binds_more_than_or_and_not_most)
{
    static const char *const all[] = {
        "tcp or udp and arp",
        "!udp && tcp",
        "not udp or arp",
        "(tcp || udp) && ip",
        "!(udp) and !(arp || icmp)",
        "tcp && !udp && !arp",
        "not not tcp",
        "ip.src==10.1.2.3&&tcp.dstport==80",
        NULL,
    };
    expect_all(all, true);
    cr_expect(!passes("(tcp or udp) and arp", request()));
    cr_expect(!passes("not (tcp and ip)", request()));
}

Test(filter, what_is_wrong_is_named_with_its_column)
{
    static const struct {
        const char *expression, *said;
    } all[] = {
        { "tcp.prot == 80", "column 1: no field 'tcp.prot'; did you mean tcp.port?" },
        { "ip and tcp.strem == 0", "column 8: no field 'tcp.strem'; did you mean tcp.stream?" },
        { "tcp.port = 80", "column 10: " },
        { "tcp.port == 80 &&", "column 18: the expression ends too early" },
        { "tcp.port == (80)", "column 13: '(' is out of place" },
        { "(tcp", "column 5: " },
        { "tcp)", "column 4: ')' is out of place" },
        { "tcp.port == 70000", "column 13: 70000 is too big" },
        { "tcp.port == word", "column 13: 'word' is no number" },
        { "ip.src == 10.0.0.300", "column 11: " },
        { "ip.src == 10.0.0.0/33", "column 11: " },
        { "ip.src == eth.src", "column 11: " },
        { "tcp.port[0] == 1", "column 1: " },
        { "tcp.port contains 1", "column 1: " },
        { "tcp matches \"(\"", "column 15: regular expression: " },
        { "tcp matches get", "column 13: " },
        { "tcp contains GET", "column 14: " },
        { "tcp contains \"GET", "column 14: the quote is not closed" },
        { "tcp contains \"\\q\"", "column 15: " },
        { "frobnicate(tcp.port) == 1", "column 1: no function 'frobnicate'" },
        { "len(tcp.port) == 1", "column 5: " },
        { "tcp.port in 80", "column 13: " },
        { "tcp.port in {}", "column 14: " },
        { "1 == 1", "column 1: " },
        { "1 + 2 == 3", "column 1: " },
        { "ip.src == 1 + 2", "column 11: " },
        { "", "column 1: " },
        { "eth.src[7", "column 8: " },
        { "eth.src[a] == 1", "column 9: " },
        { "frame.time > \"soon\"", "column 14: " },
        { "tcp.flags.syn == maybe", "column 18: " },
        { "ip.src == 10", "column 11: '10' is no IPv4 address" },
        { "ip.src & 0xff == 1", "column 10: '0xff' is no IPv4 address" },
        { "eth.src == 66:77:88", "column 12: that is no MAC address" },
        { "eth.src > 0", "column 11: that is no MAC address" },
        { "eth.src in {66:77 .. 66:78}", "column 13: that is no MAC address" },
        { "eth.src & 01:00", "column 11: that is no MAC address" },
        { "eth.src == 66:77:88:99:aa:bb:cc", "column 12: that is no MAC address" },
        { "eth.src[2-1] == 77", "column 12: a bracket holds" },
        { "eth.src[2-2] == 77", "column 12: a bracket holds" },
        { "eth.src[1--1]", "column 13: a bracket holds" },
        { "tcp & ip", "column 1: bytes cannot be calculated with" },
        { "ip.src == ${ip.dst}", "column 11: '${...}' stands for" },
        { "_ws.col.info contains \"SYN\"", "column 1: '_ws.col.info' is a column" },
    };
    registry_open();
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct filter *filter = NULL;
        struct error error = { "" };
        cr_expect_eq(filter_open(&filter, all[i].expression, &error), ERROR_USAGE, "%s", all[i].expression);
        cr_expect(strstr(error.text, all[i].said), "%s: '%s', not '%s'", all[i].expression, error.text, all[i].said);
    }
}

Test(filter, what_is_there_of_a_payload_counts_in_fragments_and_quotes_but_not_in_resets)
{
    enum { IP_FLAGS = 20, TCP_FLAGS = 47, QUOTE = 14 + 20 + 8 };
    static const uint8_t unreachable[QUOTE] = { [12] = 8, [14] = 0x45, [17] = 72, [22] = 64, [23] = 1, [34] = 3 };
    static uint8_t bytes[QUOTE + sizeof frame - 14];
    frame[IP_FLAGS] = 0x20; /* more follow */
    const struct packet *p = request();
    cr_expect(passes("tcp.payload == \"GET/\" && !tcp.len", p));
    frame[IP_FLAGS] = 0x40;
    memcpy(bytes, unreachable, QUOTE);
    memcpy(bytes + QUOTE, frame + 14, sizeof frame - 14);
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.wire_length = sizeof bytes;
    dissect(&packet);
    cr_expect(passes("icmp && tcp.payload contains \"GET\"", &packet));
    frame[TCP_FLAGS] |= 4;
    p = request();
    cr_expect(passes("tcp.flags.reset == 1 && !tcp.payload", p));
    frame[TCP_FLAGS] &= (uint8_t)~4;
}

Test(filter, depth_and_length_are_bounded)
{
    enum { MANY = 100000 };
    static char text[MANY + 1];
    struct filter *filter;
    struct error error;
    registry_open();
    for (unsigned i = 0; i < 3; i++) {
        memset(text, "(!{"[i], MANY);
        cr_expect_eq(filter_open(&filter, text, &error), ERROR_USAGE);
        text[5000] = 0;
        cr_expect_eq(filter_open(&filter, text, &error), ERROR_USAGE);
        text[5000] = ' ';
    }
}

Test(filter, a_regular_expression_that_never_ends_is_given_up)
{
    static uint8_t bytes[2000];
    const struct packet *p = request();
    memcpy(bytes, frame, sizeof frame);
    memset(bytes + sizeof frame, 'a', sizeof bytes - sizeof frame);
    bytes[16] = (uint8_t)((sizeof bytes - 14) >> 8);
    bytes[17] = (uint8_t)(sizeof bytes - 14);
    packet_reset(&packet, (struct span){ bytes, sizeof bytes });
    packet.wire_length = sizeof bytes;
    dissect(&packet);
    cr_expect(!passes("tcp matches \"(a+)+(a+)+(a+)+(a+)+x$\"", p));
}

static const struct packet *sent(struct scene *s, enum who from, unsigned flags, uint32_t seq, uint32_t ack,
                                 uint32_t length)
{
    send_segment(s, from, flags, seq, ack, length);
    return &s->packet;
}

Test(filter, states_of_both_ends_can_be_asked_for)
{
    struct filter *filter;
    struct error error;
    struct scene *s = scene_open(TRACK_STREAMS | TRACK_STATES);
    cr_assert_eq(filter_open(&filter, "tcp.state.client == \"SYN_SENT\" && tcp.state.sender == \"SYN_SENT\"", &error),
                 0);
    cr_expect_eq(tracker_levels(filter_notes(filter)), (unsigned)(TRACK_STREAMS | TRACK_STATES));
    cr_expect(filter_passes(filter, sent(s, A, SYN, 100, 0, 0)));
    cr_expect(!filter_passes(filter, sent(s, B, SYN | ACK, 500, 101, 0)));
    cr_expect(!filter_passes(filter, sent(s, A, ACK, 101, 501, 0)));
    filter_close(filter);
    cr_expect(passes("tcp.state.server == ESTABLISHED && tcp.stream == 0", sent(s, B, ACK, 501, 101, 10)));
}

/* A request with and without its host, as a datagram of SSDP. */
static bool asks(const char *text, const char *expression)
{
    static uint8_t bytes[200];
    static const uint8_t head[28] = { 0x45, [8] = 64, 17, [12] = 10, 0, 0, 1, 10, 0, 0, 2, 0x07, 0x6c, 0x07, 0x6c };
    size_t n = strlen(text);
    registry_open();
    memcpy(bytes, head, sizeof head);
    memcpy(bytes + sizeof head, text, n);
    store_be16(bytes + 2, (uint16_t)(28 + n));
    store_be16(bytes + 24, (uint16_t)(8 + n));
    packet_reset(&packet, (struct span){ bytes, 28 + n });
    packet.link_type = 101;
    packet.wire_length = (uint32_t)(28 + n);
    dissect(&packet);
    return passes(expression, &packet);
}

Test(filter, what_is_asked_for_is_told_with_its_host)
{
    cr_expect(asks("GET /a HTTP/1.1\r\nHost: h:8\r\n\r\n", "http.request.full_uri == \"http://h:8/a\""));
    cr_expect(asks("GET http://x/ HTTP/1.1\r\nHost: h\r\n\r\n", "http.request.full_uri == \"http://x/\""));
    cr_expect(asks("CONNECT x:443 HTTP/1.1\r\nHost: h\r\n\r\n", "http.request.full_uri == \"x:443\""));
    cr_expect(!asks("GET /a HTTP/1.1\r\n\r\n", "http.request.full_uri"));
    cr_expect(!asks("HTTP/1.1 200 OK\r\nHost: h\r\n\r\n", "http.request.full_uri"));
}

Test(filter, what_a_reset_carries_is_no_payload)
{
    request();
    uint8_t *flags = &frame[47], before = *flags;
    *flags = 0x14;
    cr_expect(!passes("tcp.payload", request()));
    *flags = before;
    cr_expect(passes("tcp.payload", request()));
}

static const char *explained(const char *expression, const struct packet *p)
{
    struct filter *filter;
    struct error error;
    static char text[256];
    struct buffer out;
    cr_assert_eq(filter_open(&filter, expression, &error), 0, "%s", error.text);
    cr_assert_eq(buffer_open(&out, -1, 256), 0);
    filter_passes(filter, p);
    filter_explain(filter, &out);
    buffer_char(&out, 0);
    filter_close(filter);
    snprintf(text, sizeof text, "%s", out.start);
    buffer_free(&out);
    return text;
}

Test(filter, the_clause_that_alone_matched_nothing_is_named)
{
    const struct packet *p = request();
    cr_expect_str_eq(explained("tcp && (udp.port == 53) && ip", p), "'udp.port == 53' alone already matched no packet");
    cr_expect(strstr(explained("udp and ip and arp", p), "'udp', 'arp': each alone"));
    cr_expect_str_eq(explained("tcp && ip", p), "");
    cr_expect_str_eq(explained("udp", p), "");
}

/* --- the short way and the long one --- */

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % sides;
}

static const char *const both_ways[] = {
    "eth",
    "ip",
    "ipv6",
    "tcp",
    "udp",
    "tcp.srcport",
    "tcp.port == 80",
    "tcp.port != 80",
    "tcp.port === 80",
    "tcp.port !== 80",
    "udp.port in {53, 67..68, 5353}",
    "all udp.port > 100",
    "ip.addr == 10.0.0.0/8",
    "ip.addr != 10.0.0.0/8",
    "ip.src > 10.0.0.0/9",
    "ip.src <= 10.0.0.1",
    "ip.ttl < 64",
    "ip.ttl >= 64",
    "ip.len > 60",
    "tcp.flags.syn == 1",
    "tcp.flags.syn != 1",
    "tcp.flags.syn",
    "tcp.flags.ack == 0",
    "tcp.flags.res == 1",
    "tcp.flags == 0x12",
    "ip.proto == 17",
    "ip.id",
    "tcp.window_size_value > 1000",
    "tcp.seq_raw >= 0x80000000",
    "tcp.ack_raw < 5",
    "udp.length in {8..20}",
    "not ip.src in {10.0.0.1 .. 10.0.0.9}",
    "ip.ttl in {9..3}",
};
enum { WAYS = sizeof both_ways / sizeof *both_ways };

static void check_ways(struct filter *const *filters, const uint8_t *bytes, size_t n, uint16_t link)
{
    packet_reset(&packet, (struct span){ bytes, n });
    packet.link_type = link;
    packet.wire_length = (uint32_t)n;
    dissect(&packet);
    uint8_t again = packet.again;
    for (unsigned i = 0; i < WAYS; i++) {
        packet.again = again;
        bool quick = filter_passes(filters[i], &packet);
        packet.again = 0xff;
        cr_assert_eq(quick, filter_passes(filters[i], &packet), "%s", both_ways[i]);
    }
}

static void check_file(struct filter *const *filters, const char *path)
{
    struct capture *capture;
    struct error error;
    struct record record;
    cr_assert_eq(capture_open(&capture, path, &error), 0, "%s", error.text);
    while (capture_next(capture, &record, &error) > 0) {
        size_t n = record.bytes.left;
        check_ways(filters, record.bytes.at, n, record.link_type);
        for (unsigned turn = 0; turn < 20; turn++) {
            size_t m = dice(2) ? n : dice((uint32_t)n + 1);
            uint8_t *bytes = malloc(m ? m : 1);
            memcpy(bytes, record.bytes.at, m);
            for (unsigned i = dice(6); m && i > 0; i--)
                bytes[dice(m < 100 ? (uint32_t)m : 100)] = (uint8_t)dice(dice(2) ? 256 : 16);
            check_ways(filters, bytes, m, record.link_type);
            free(bytes);
        }
    }
    capture_close(capture);
}

Test(filter, hot_copies_answer_as_the_tables_do)
{
    struct filter *filters[WAYS];
    struct error error;
    glob_t found;
    registry_open();
    for (unsigned i = 0; i < WAYS; i++)
        cr_assert_eq(filter_open(&filters[i], both_ways[i], &error), 0, "%s", error.text);
    cr_assert_eq(glob(TESTDATA "/*.pcapng", 0, NULL, &found), 0);
    cr_assert_geq(found.gl_pathc, 3);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_file(filters, found.gl_pathv[i]);
    globfree(&found);
    for (unsigned i = 0; i < WAYS; i++)
        filter_close(filters[i]);
}
