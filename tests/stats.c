/* What peel stats counts and how it shows it: the tree of protocols, conversations, series, tables, plots, names. */
#include "output/stats.h"
#include "output/human.h"
#include "output/names.h"
#include "output/plot.h"
#include "output/ranking.h"
#include "output/table.h"
#include "segments.h"
#include "track/address_book.h"
#include "track/tally_table.h"
#include <stdlib.h>

#define ALL (STATISTICS_TREE | STATISTICS_FLOWS | STATISTICS_PAIRS | STATISTICS_LINKS | STATISTICS_SERIES)

static struct statistics statistics;

static struct scene *counting(unsigned parts, uint64_t interval)
{
    struct scene *s =
        scene_open(parts & STATISTICS_TCP ? TRACK_STREAMS | TRACK_ANALYSIS | TRACK_FRAGMENTS : TRACK_FRAGMENTS);
    statistics_close(&statistics);
    cr_assert_eq(statistics_open(&statistics, parts, interval), 0);
    return s;
}

static void count(struct scene *s)
{
    statistics_take(&statistics, take(s));
}

static void count_segment(struct scene *s, enum who from, unsigned flags, uint32_t seq, uint32_t ack, uint32_t length)
{
    send_segment(s, from, flags, seq, ack, length);
    statistics_take(&statistics, &s->packet);
}

static void count_datagram(struct scene *s, enum who from, size_t length)
{
    uint8_t *h = put_ipv4(s, from, 17, 8 + length, 0, 0);
    memset(h, 0, 8 + length);
    store_be16(h, s->port[from]);
    store_be16(h + 2, s->port[!from]);
    store_be16(h + 4, (uint16_t)(8 + length));
    count(s);
}

/* "eth:ip" with the packets of it and all below, or 0. */
static uint64_t packets_at(const char *path)
{
    struct tree_total *totals = statistics_tree(&statistics);
    uint32_t at = 0;
    char words[128];
    snprintf(words, sizeof words, "%s", path);
    for (char *word = words, *next; word; word = next) {
        if ((next = strchr(word, ':')))
            *next++ = 0;
        for (at = statistics.nodes[at].child; at; at = statistics.nodes[at].sibling)
            if (!strcmp(statistics.nodes[at].malformed ? "malformed" : statistics.nodes[at].protocol->name, word))
                break;
        if (!at)
            break;
    }
    uint64_t packets = at ? totals[at].packets : 0;
    free(totals);
    return packets;
}

static struct tally_table table;

static const struct tally_row *row_of(enum statistics_kind kind, bool endpoints, uint32_t rows)
{
    tally_table_close(&table);
    statistics_settle(&statistics);
    cr_assert_eq(tally_table_open(&table, &statistics, kind, endpoints), 0);
    cr_assert_eq(table.count, rows, "%u rows", table.count);
    return table.rows;
}

/* --- the tree --- */

Test(tree, a_place_counts_itself_and_all_below)
{
    struct scene *s = counting(ALL, 0);
    count_segment(s, A, SYN, 100, 0, 0);
    count_segment(s, A, ACK, 101, 1, 10);
    count_datagram(s, A, 4);
    cr_assert_eq(packets_at("ip"), 3);
    cr_assert_eq(packets_at("ip:tcp"), 2);
    cr_assert_eq(packets_at("ip:tcp:data"), 1);
    cr_assert_eq(packets_at("ip:udp:data"), 1);
    cr_assert_eq(packets_at("ip:data"), 0);
}

Test(tree, what_an_error_quotes_has_no_place)
{
    struct scene *s = counting(ALL, 0);
    uint8_t quoted[28];
    count_datagram(s, A, 0);
    memcpy(quoted, s->bytes, sizeof quoted);
    uint8_t *h = put_ipv4(s, B, 1, 8 + sizeof quoted, 0, 0);
    memset(h, 0, 8);
    h[0] = 3;
    memcpy(h + 8, quoted, sizeof quoted);
    count(s);
    cr_assert_gt(s->packet.layer_count, 2);
    cr_assert_eq(packets_at("ip:icmp"), 1);
    cr_assert_eq(packets_at("ip:icmp:ip"), 0);
    row_of(KIND_UDP, false, 1);
    cr_assert_eq(table.rows[0].packets[0], 1, "a quoted datagram is counted once, when it is sent");
}

Test(tree, a_packet_that_contradicts_itself_says_so)
{
    struct scene *s = counting(ALL, 0);
    uint8_t *h = put_ipv4(s, A, 17, 8, 0, 0);
    memset(h, 0, 8);
    store_be16(h + 4, 3); /* shorter than its header */
    count(s);
    cr_assert_eq(packets_at("ip:udp:malformed"), 1);
}

/* Stacks of two kinds of tags nested at random: more places than there may be. */
Test(tree, it_is_bounded_and_no_packet_is_lost)
{
    counting(STATISTICS_TREE, 0);
    static struct packet p;
    enum { PACKETS = 40000 };
    uint8_t bytes[14 + 4 * 30];
    srand(1);
    for (unsigned i = 0; i < PACKETS; i++) {
        memset(bytes, 0, sizeof bytes);
        for (unsigned at = 12; at + 1 < sizeof bytes; at += 4)
            store_be16(bytes + at, rand() & 1 ? 0x8100 : 0x88a8);
        packet_reset(&p, (struct span){ bytes, sizeof bytes });
        p.link_type = 1;
        p.wire_length = sizeof bytes;
        dissect(&p);
        statistics_take(&statistics, &p);
    }
    cr_assert_eq(statistics.node_count, NODES_MOST);
    struct tree_total *totals = statistics_tree(&statistics);
    cr_assert_eq(totals[0].packets, PACKETS);
    cr_assert_eq(totals[0].bytes, (uint64_t)PACKETS * sizeof bytes);
    free(totals);
}

/* --- conversations and endpoints --- */

Test(conversations, both_directions_are_one_row_and_the_first_sender_stands_first)
{
    struct scene *s = counting(ALL, 0);
    count_datagram(s, B, 10);
    count_datagram(s, A, 20);
    count_datagram(s, B, 30);
    const struct tally_row *row = row_of(KIND_UDP, false, 1);
    cr_assert_eq(row->packets[0], 2);
    cr_assert_eq(row->bytes[0], 38 + 58);
    cr_assert_eq(row->bytes[1], 48);
    cr_assert_eq(row->last - row->first, 2000000);
    struct party party;
    tally_party(&table, row, 0, &party);
    cr_assert_eq(party.port, 80);
    cr_assert_eq(party.address[3], 2);
}

Test(conversations, a_syn_with_another_number_begins_a_new_one)
{
    struct scene *s = counting(ALL, 0);
    count_segment(s, A, SYN, 100, 0, 0);
    count_segment(s, A, SYN, 100, 0, 0);
    row_of(KIND_TCP, false, 1);
    count_segment(s, A, SYN, 5000, 0, 0);
    row_of(KIND_TCP, false, 2);
    row_of(KIND_TCP, true, 2);
    cr_assert_eq(table.rows[0].packets[0], 3, "an endpoint stays one");
    cr_assert_eq(table.rows[0].flows, 2);
}

Test(conversations, who_answers_a_syn_is_the_server_even_if_seen_first)
{
    struct scene *s = counting(ALL, 0);
    count_segment(s, B, SYN | ACK, 700, 101, 0);
    const struct tally_row *row = row_of(KIND_TCP, false, 1);
    struct party party;
    tally_party(&table, row, 0, &party);
    cr_assert_eq(party.port, 1000);
    cr_assert_eq(row->packets[1], 1);
}

Test(conversations, addresses_add_up_their_ports_and_what_has_none)
{
    struct scene *s = counting(ALL, 0);
    count_datagram(s, A, 0);
    s->port[A] = 1001;
    count_datagram(s, B, 0);
    put_ipv4(s, A, 89, 0, 0, 0);
    count(s);
    const struct tally_row *row = row_of(KIND_IP, false, 1);
    cr_assert_eq(row->packets[0], 2, "A began");
    cr_assert_eq(row->packets[1], 1);
    row_of(KIND_HOSTS, true, 2);
    row_of(KIND_IPV6, true, 0);
    row_of(KIND_ANY, false, 3);
}

Test(conversations, who_speaks_to_himself_is_one_end_that_gets_what_it_sends)
{
    struct scene *s = counting(ALL, 0);
    s->port[A] = s->port[B] = 7;
    uint8_t *h = put_ipv4(s, A, 17, 8, 0, 0);
    memset(h, 0, 8);
    h[1] = h[3] = 7;
    h[5] = 8;
    s->bytes[19] = 1; /* to itself */
    count(s);
    const struct tally_row *row = row_of(KIND_UDP, true, 1);
    cr_assert_eq(row->packets[0], 1);
    cr_assert_eq(row->packets[1], 1);
}

Test(conversations, those_beyond_the_limit_are_counted_apart)
{
    struct scene *s = counting(ALL, 0);
    statistics.flows_most = 3; /* one of them is the pair of addresses */
    for (uint16_t i = 0; i < 5; i++) {
        s->port[A] = (uint16_t)(2000 + i);
        count_datagram(s, A, 0);
    }
    row_of(KIND_UDP, false, 2);
    cr_assert_eq(statistics.unplaced, 3);
    uint64_t packets, bytes;
    statistics_totals(&statistics, &packets, &bytes);
    cr_assert_eq(packets, 5);
}

Test(conversations, tunnels_count_each_network_layer)
{
    struct scene *s = counting(ALL, 0);
    uint8_t inner[64];
    count_datagram(s, A, 4);
    size_t n = s->length;
    memcpy(inner, s->bytes, n);
    memcpy(put_ipv4(s, B, 4, n, 0, 0), inner, n);
    count(s);
    const struct tally_row *row = row_of(KIND_IP, false, 1);
    cr_assert_eq(row->packets[0] + row->packets[1], 3);
    row = row_of(KIND_UDP, false, 1);
    cr_assert_eq(row->packets[0], 2);
    cr_assert_eq(row->bytes[0], n + n + 20, "bytes are the whole packet's");
}

Test(conversations, mac_addresses_have_theirs)
{
    counting(STATISTICS_LINKS, 0);
    static struct packet p;
    uint8_t bytes[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x12, 0x34 };
    packet_reset(&p, (struct span){ bytes, sizeof bytes });
    p.link_type = 1;
    p.wire_length = sizeof bytes;
    dissect(&p);
    statistics_take(&statistics, &p);
    const struct tally_row *row = row_of(KIND_ETH, false, 1);
    struct party party;
    tally_party(&table, row, 0, &party);
    cr_assert_eq(party.size, 6);
    cr_assert_eq(party.address[0], 2);
    cr_assert(!row->timed);
    row_of(KIND_ANY, false, 0);
}

/* --- prediction --- */

/* An Ethernet frame of one of some conversations: mostly a segment, some with a message that is known by its looks. */
static size_t put_frame(struct scene *s, uint8_t *frame)
{
    static const unsigned flags[] = { 16, 24, 2, 18, 17, 4 };
    enum who from = (enum who)(rand() % 2);
    uint8_t room[1600];
    s->port[A] = (uint16_t)(rand() % 4 ? 1000 : 1000 + rand() % 8);
    s->port[B] = rand() % 4 ? 8080 : 53;
    size_t length = rand() % 2 ? 0 : (size_t)rand() % 1200;
    size_t n = put_tcp(s, room, from, flags[rand() % 3 ? 0 : rand() % 6], (uint32_t)rand(), 7, (uint32_t)length);
    if (length > 100 && rand() % 4 == 0)
        memcpy(room + n - length, "GET / HTTP/1.1\r\n\r\n", 18);
    memcpy(put_ipv4(s, from, rand() % 16 ? 6 : 17, n, 1, rand() % 32 ? 0 : 0x2000), room, n);
    memset(frame, 0, 14);
    store_be16(frame + 12, rand() % 32 ? 0x0800 : 0x88b5);
    memcpy(frame + 14, s->bytes, s->length);
    return 14 + s->length;
}

static void expect_the_same_rows(const struct statistics *one, const struct statistics *other,
                                 enum statistics_kind kind)
{
    struct tally_table a, b;
    cr_assert_eq(tally_table_open(&a, one, kind, false), 0);
    cr_assert_eq(tally_table_open(&b, other, kind, false), 0);
    cr_assert_eq(a.count, b.count);
    for (uint32_t i = 0; i < a.count; i++) {
        struct party parties[2];
        cr_assert_arr_eq(a.rows[i].packets, b.rows[i].packets, sizeof a.rows[i].packets);
        cr_assert_arr_eq(a.rows[i].bytes, b.rows[i].bytes, sizeof a.rows[i].bytes);
        cr_assert(a.rows[i].first == b.rows[i].first && a.rows[i].last == b.rows[i].last);
        tally_party(&a, &a.rows[i], 0, &parties[0]);
        tally_party(&b, &b.rows[i], 0, &parties[1]);
        cr_assert(parties[0].port == parties[1].port && !memcmp(parties[0].address, parties[1].address, 4));
    }
    tally_table_close(&a);
    tally_table_close(&b);
}

static void expect_the_same(struct statistics *one, struct statistics *other)
{
    statistics_settle(one);
    statistics_settle(other);
    struct tree_total *a = statistics_tree(one), *b = statistics_tree(other);
    cr_assert_eq(one->node_count, other->node_count);
    cr_assert_arr_eq(a, b, one->node_count * sizeof *a);
    cr_assert_arr_eq(one->lengths, other->lengths, LENGTHS * sizeof *one->lengths);
    cr_assert_eq(one->series.count, other->series.count);
    if (one->series.count)
        cr_assert_arr_eq(one->series.bins, other->series.bins, one->series.count * sizeof *one->series.bins);
    cr_assert(one->first == other->first && one->last == other->last && one->longest == other->longest);
    expect_the_same_rows(one, other, KIND_HOSTS);
    expect_the_same_rows(one, other, KIND_ANY);
    free(a);
    free(b);
}

/* By prediction where it can be, and taken apart. */
static bool count_both_ways(struct scene *s, struct statistics *quick)
{
    static struct packet p;
    static uint8_t frame[2048];
    size_t n = put_frame(s, frame), captured = rand() % 8 ? n : (size_t)rand() % (n + 1);
    s->now += rand() % 100000000 - 10000000;
    packet_reset(&p, (struct span){ frame, captured });
    p.link_type = 1;
    p.wire_length = (uint32_t)n;
    p.time = s->now;
    p.timed = true;
    dissect(&p);
    statistics_take(&statistics, &p);
    bool predicted = statistics_predicts(quick, p.buffers[0], p.link_type, p.wire_length, p.time);
    if (!predicted)
        statistics_take(quick, &p);
    cr_assert(statistics.first == quick->first && statistics.last == quick->last);
    return predicted;
}

static void predict(unsigned parts)
{
    enum { FRAMES = 20000 };
    struct scene *s = counting(parts, 0);
    static struct statistics quick;
    unsigned predicted = 0;
    cr_assert_eq(statistics_open(&quick, parts, 0), 0);
    srand(1);
    for (unsigned i = 0; i < FRAMES; i++)
        predicted += count_both_ways(s, &quick);
    cr_expect_gt(predicted, FRAMES / 2, "%u of %u", predicted, (unsigned)FRAMES);
    expect_the_same(&statistics, &quick);
    statistics_close(&quick);
}

Test(prediction, counts_what_taking_apart_counts)
{
    predict(STATISTICS_TREE | STATISTICS_FLOWS | STATISTICS_PAIRS | STATISTICS_SERIES);
    predict(STATISTICS_TREE | STATISTICS_FLOWS | STATISTICS_SERIES);
    predict(STATISTICS_PAIRS);
}

/* --- lengths --- */

Test(lengths, those_beyond_the_last_place_keep_their_bytes)
{
    struct scene *s = counting(0, 0);
    put_ipv4(s, A, 17, 8, 0, 0);
    take(s);
    s->packet.wire_length = 70000;
    statistics_take(&statistics, &s->packet);
    s->packet.wire_length = 200000;
    statistics_take(&statistics, &s->packet);
    uint64_t packets, bytes;
    statistics_totals(&statistics, &packets, &bytes);
    cr_assert_eq(packets, 2);
    cr_assert_eq(bytes, 270000);
    cr_assert_eq(statistics.longest, 200000);
}

/* --- bytes over time --- */

static void at_ms(struct scene *s, int64_t ms)
{
    s->now = INT64_C(1000000000000) + ms * 1000000;
    count_datagram(s, A, 72); /* 100 bytes */
}

static uint64_t bytes_in(uint32_t from, uint32_t to)
{
    statistics_settle(&statistics);
    uint64_t sum = 0;
    for (uint32_t i = from; i < to && i < statistics.series.count; i++)
        sum += statistics.series.bins[i].bytes[0] + statistics.series.bins[i].bytes[1];
    return sum;
}

Test(series, bins_widen_tenfold_and_lose_nothing)
{
    struct scene *s = counting(ALL, 0);
    for (int64_t ms = 0; ms < 9000; ms += 3)
        at_ms(s, ms);
    cr_assert_eq(statistics.series.width, 10000000);
    cr_assert_eq(bytes_in(0, UINT32_MAX), 300000);
    cr_assert_eq(bytes_in(0, 3), 1000, "thirty milliseconds have ten packets");
    at_ms(s, INT64_C(4000000000));
    cr_assert_leq(statistics.series.count, SERIES_BINS);
    cr_assert_eq(bytes_in(0, UINT32_MAX), 300100);
}

Test(series, time_may_step_back_before_the_first_packet)
{
    struct scene *s = counting(ALL, 0);
    at_ms(s, 1000);
    at_ms(s, 0);
    at_ms(s, -5000);
    at_ms(s, 990);
    cr_assert_eq(bytes_in(0, UINT32_MAX), 400);
    cr_assert_leq(statistics.series.start, statistics.first);
    cr_assert_eq(statistics.last - statistics.first, INT64_C(6000000000));
    at_ms(s, -4000000000);
    cr_assert_eq(bytes_in(0, UINT32_MAX), 500);
    cr_assert_leq(statistics.series.count, SERIES_BINS);
}

Test(series, the_ends_of_time_do_not_overflow)
{
    struct scene *s = counting(ALL, 0);
    static const int64_t times[] = { 0, INT64_MAX, INT64_MIN, 5, INT64_MAX - 1, -1 };
    for (unsigned i = 0; i < sizeof times / sizeof *times; i++) {
        s->now = 0;
        put_ipv4(s, A, 17, 8, 0, 0);
        take(s);
        s->packet.time = times[i];
        statistics_take(&statistics, &s->packet);
    }
    cr_assert_eq(bytes_in(0, UINT32_MAX), 28 * 6);
    double samples[32], sum = 0;
    statistics_sample(&statistics, 0, true, samples, 32);
    for (unsigned i = 0; i < 32; i++)
        sum += samples[i];
    cr_assert_gt(sum, 0);
}

Test(series, samples_add_up_to_all_bytes)
{
    struct scene *s = counting(ALL, 0);
    for (int64_t ms = 0; ms <= 7000; ms += 7)
        at_ms(s, ms);
    double samples[77], sum = 0;
    statistics_settle(&statistics);
    statistics_sample(&statistics, 0, false, samples, 77);
    for (unsigned i = 0; i < 77; i++)
        sum += samples[i] * 7.0 / 77;
    cr_assert_float_eq(sum, 100100.0, 1.0, "%f", sum);
    cr_assert_float_eq(samples[38], 100 / 0.007, 1500, "%f", samples[38]);
}

Test(series, what_the_lower_port_sends_is_the_other_direction)
{
    struct scene *s = counting(ALL, 1000000000);
    count_datagram(s, B, 10);
    count_datagram(s, A, 0);
    cr_assert_eq(statistics.series.bins[0].bytes[0], 28);
    cr_assert_eq(statistics.series.bins[0].bytes[1], 38);
    statistics.host = (const uint8_t[]){ 10, 0, 0, 2 };
    statistics.host_size = 4;
    count_datagram(s, B, 100);
    cr_assert_eq(statistics.series.bins[0].bytes[0], 28 + 128, "what the host sends");
}

/* --- TCP --- */

Test(streams, round_trips_and_repetitions_belong_to_their_direction)
{
    struct scene *s = counting(ALL | STATISTICS_TCP, 0);
    count_segment(s, A, SYN, 100, 0, 0);
    wait_ms(s, 19);
    count_segment(s, B, SYN | ACK, 500, 101, 0);
    count_segment(s, A, ACK, 101, 501, 0);
    count_segment(s, A, ACK | PSH, 101, 501, 50);
    wait_ms(s, 300);
    count_segment(s, A, ACK | PSH, 101, 501, 50);
    wait_ms(s, 9);
    count_segment(s, B, ACK, 501, 151, 0);
    cr_assert_eq(statistics.stream_count, 1);
    const struct stream_statistics *t = &statistics.streams[0];
    unsigned a = flow_client(flow_at(&statistics.flows, t->flow));
    cr_assert_eq(t->trouble[a][TROUBLE_AGAIN], 1);
    cr_assert_eq(t->trouble[!a][TROUBLE_AGAIN], 0);
    cr_assert_gt(t->rtt[a].count, 0);
    cr_assert_eq(t->initial_rtt, 21000000);
}

/* --- how it is shown --- */

static char shown[8192];

static const char *text_of(struct buffer *b)
{
    size_t n = buffer_used(b);
    n = n < sizeof shown ? n : sizeof shown - 1;
    memcpy(shown, b->start, n);
    shown[n] = 0;
    b->at = b->start;
    return shown;
}

static struct buffer out;
static const struct style utf8 = { .columns = 0 }, ascii = { .ascii = true };

static void writing(void)
{
    if (!out.start)
        cr_assert_eq(buffer_open(&out, -1, 256), 0);
    out.at = out.start;
}

#define SHOWS(expected, call)                                                                                          \
    do {                                                                                                               \
        writing();                                                                                                     \
        call;                                                                                                          \
        cr_assert_str_eq(text_of(&out), expected);                                                                     \
    } while (0)

Test(human, numbers_read_well)
{
    SHOWS("0", human_count(&out, 0));
    SHOWS("999", human_count(&out, 999));
    SHOWS("1,234,567", human_count(&out, 1234567));
    SHOWS("999 B", human_bytes(&out, 999));
    SHOWS("1.0 kB", human_bytes(&out, 1000));
    SHOWS("1.0 MB", human_bytes(&out, 999960));
    SHOWS("999.9 kB", human_bytes(&out, 999949));
    SHOWS("18.4 EB", human_bytes(&out, UINT64_MAX));
    SHOWS("12.5", human_share(&out, 1, 8));
    SHOWS("<0.1", human_share(&out, 1, 100000));
    SHOWS("0.0", human_share(&out, 0, 0));
    SHOWS("812 µs", human_duration(&out, 812345, false));
    SHOWS("812 us", human_duration(&out, 812345, true));
    SHOWS("12.3 ms", human_duration(&out, 12345678, false));
    SHOWS("3.4 s", human_duration(&out, INT64_C(3420000000), false));
    SHOWS("5 min 3 s", human_duration(&out, INT64_C(303000000000), false));
    SHOWS("2 h", human_duration(&out, INT64_C(7200000000000), false));
    SHOWS("3 d 4 h", human_duration(&out, INT64_C(273600000000000), false));
}

static void draw(struct plot *p, unsigned lines, const struct style *style)
{
    plot_scale(p, lines, style);
    for (unsigned line = 0; line < p->up_lines + p->down_lines; line++) {
        plot_line(&out, p, line, style);
        buffer_char(&out, '\n');
    }
}

Test(plot, one_direction_grows_up_and_the_other_down)
{
    static const double up[] = { 8, 4, 0, 1 }, down[] = { 0, 4, 2, 0 };
    struct plot p = { .up = up, .down = down, .columns = 2 };
    SHOWS("⡇ \n⣿⢀\n⢸⠃\n", draw(&p, 3, &utf8));
}

Test(plot, ascii_does_the_same)
{
    static const double up[] = { 8, 4, 0, 1 }, down[] = { 0, 4, 2, 0 };
    struct plot p = { .up = up, .down = down, .columns = 4 };
    SHOWS("|   \n|| .\n |' \n", draw(&p, 3, &ascii));
}

Test(plot, with_one_direction_alone_all_lines_are_its)
{
    static const double up[] = { 4, 2 }, none[] = { 0, 0 };
    struct plot p = { .up = up, .down = none, .columns = 2 };
    SHOWS("| \n||\n", draw(&p, 2, &ascii));
    struct plot q = { .up = none, .down = up, .columns = 2 };
    writing();
    draw(&q, 2, &ascii);
    cr_assert_eq(q.down_lines, 2);
    struct plot r = { .up = none, .down = none, .columns = 2 };
    SHOWS("  \n  \n", draw(&r, 2, &ascii));
}

Test(plot, bars_show_the_least_share)
{
    SHOWS("████", plot_bar(&out, 7, 7, 4, &utf8));
    SHOWS("██", plot_bar(&out, 1, 2, 4, &utf8));
    SHOWS("▏", plot_bar(&out, 1, 100000, 4, &utf8));
    SHOWS("", plot_bar(&out, 0, 7, 4, &utf8));
    SHOWS("##", plot_bar(&out, 1, 2, 4, &ascii));
}

static void draw_table(unsigned columns, bool narrow_ascii)
{
    static const struct table_column titles[] = {
        { .title = "Who", .left = true, .may_cut = true },
        { .title = "Count" },
        { .title = "Extra", .rank = 2 },
        { .title = "More", .rank = 2 },
        { .title = "Least", .rank = 1 },
        { 0 },
    };
    struct style style = { .columns = columns, .ascii = narrow_ascii };
    struct table t;
    cr_assert_eq(table_open(&t, &out, &style, titles), 0);
    buffer_text(table_cell(&t), "a-name-that-is-long");
    buffer_decimal(table_cell(&t), 7);
    table_row(&t);
    buffer_text(table_cell(&t), "ü");
    buffer_decimal(table_cell(&t), 1234567);
    buffer_text(table_cell(&t), "x");
    buffer_text(table_cell(&t), "y");
    buffer_text(table_cell(&t), "z");
    table_row(&t);
    table_close(&t);
}

Test(table, columns_are_aligned_and_cells_that_lack_are_empty)
{
    SHOWS("Who                    Count  Extra  More  Least\n"
          "a-name-that-is-long        7                    \n"
          "ü                    1234567      x     y      z\n",
          draw_table(0, false));
}

Test(table, where_there_is_no_room_ranks_go_first_and_then_text_is_cut)
{
    SHOWS("Who                    Count  Least\n"
          "a-name-that-is-long        7       \n"
          "ü                    1234567      z\n",
          draw_table(40, false));
    SHOWS("Who           Count\n"
          "a-name~ong        7\n"
          "ü           1234567\n",
          draw_table(19, true));
}

static int by_value(const void *context, uint32_t a, uint32_t b)
{
    const uint32_t *values = context;
    return values[a] > values[b] ? -1 : values[a] < values[b];
}

Test(ranking, the_first_few_are_those_of_the_whole_order)
{
    enum { ROWS = 5000 };
    static uint32_t values[ROWS];
    srand(3);
    for (unsigned i = 0; i < ROWS; i++)
        values[i] = (uint32_t)rand() % 100;
    uint32_t all_count, count;
    uint32_t *all = ranking(ROWS, 0, by_value, values, &all_count);
    cr_assert_eq(all_count, ROWS);
    for (unsigned most = 1; most < 400; most += 133) {
        uint32_t *few = ranking(ROWS, most, by_value, values, &count);
        cr_assert_eq(count, most);
        cr_assert(!memcmp(few, all, most * sizeof *few));
        free(few);
    }
    free(all);
}

Test(sections, nothing_read_is_nothing_shown)
{
    counting(ALL | STATISTICS_TCP, 0);
    struct style style = { .columns = 80 };
    struct stats_view view = { .statistics = &statistics, .style = &style };
    struct stats_order order = { 0 };
    writing();
    stats_plot(&out, &view, 8);
    stats_tree(&out, &view, 0);
    stats_sizes(&out, &view);
    stats_series(&out, &view);
    stats_tree_json(&out, &view);
    cr_assert_eq(buffer_used(&out), 0, "%s", text_of(&out));
    cr_assert_eq(stats_table(&out, &view, KIND_TCP, false, &order), 0);
    cr_assert_eq(stats_rtt(&out, &view, &order), 0);
    cr_assert_eq(stats_trouble(&out, &view, &order), 0);
}

Test(sections, no_line_is_wider_than_the_screen)
{
    struct scene *s = counting(ALL | STATISTICS_TCP, 0);
    for (unsigned i = 0; i < 50; i++) {
        s->port[A] = (uint16_t)(60000 + i);
        count_segment(s, A, SYN, 1, 0, 0);
        count_segment(s, B, SYN | ACK, 1, 2, 0);
        count_segment(s, A, ACK, 2, 2, 1000);
        count_segment(s, A, ACK, 2, 2, 1000);
        count_datagram(s, A, i * 20);
    }
    statistics_settle(&statistics);
    static const unsigned widths[] = { 80, 100, 113, 200 };
    for (unsigned w = 0; w < 4; w++) {
        struct style style = { .columns = widths[w] };
        struct stats_view view = { .statistics = &statistics, .style = &style };
        struct stats_order order = { .most = 5 };
        writing();
        stats_plot(&out, &view, 8);
        stats_tree(&out, &view, 0);
        stats_sizes(&out, &view);
        stats_series(&out, &view);
        stats_table(&out, &view, KIND_ANY, false, &order);
        stats_table(&out, &view, KIND_HOSTS, true, &order);
        stats_trouble(&out, &view, &order);
        for (char *line = out.start, *end; line < out.at; line = end + 1) {
            end = memchr(line, '\n', (size_t)(out.at - line));
            cr_assert_not_null(end);
            cr_assert_leq(text_columns(line, (size_t)(end - line)), widths[w], "%.*s", (int)(end - line), line);
        }
    }
}

Test(sections, a_misspelt_column_finds_its_like)
{
    const char *near = NULL;
    cr_assert_str_eq(stats_find_column("bytes", &near), "bytes");
    cr_assert_null(stats_find_column("packtes", &near));
    cr_assert_str_eq(near, "packets");
}

/* --- names --- */

static const char *write_file(const char *text)
{
    static char paths[4][64];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "/tmp/peel-test-XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

static struct names *open_names(const char *hosts, const char *services, const char *makers)
{
    struct names *names;
    struct error error;
    struct names_files files = { write_file(hosts), write_file(services), write_file(makers) };
    cr_assert_eq(names_open(&names, &files, &error), 0);
    remove(files.hosts);
    remove(files.services);
    remove(files.makers);
    return names;
}

Test(names, files_are_read_as_their_manuals_say)
{
    struct names *n =
        open_names("# comment\n10.0.0.1 one.example uno\n\n2001:db8::1\tsix.example # more\n10.0.0.1 other\n"
                   "nonsense name\n10.0.0.3\n",
                   "http 80/tcp www # web\nhttps\t443/udp\nbad 99999/tcp\nworse x/tcp\nodd 9/sctp\n",
                   "00-00-0C   (hex)\t\tCisco Systems, Inc\n00000C     (base 16)\t\tCisco\n"
                   "00:1B:C5:00:10:00/36\tOpenRB\tOpenRB.com\n00:1B:C5\tIeeeRegi\n# comment\nxx\n");
    uint8_t one[4] = { 10, 0, 0, 1 }, three[4] = { 10, 0, 0, 3 }, six[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
    cr_assert_str_eq(names_address(n, one, 4), "one.example");
    cr_assert_str_eq(names_address(n, six, 16), "six.example");
    cr_assert_null(names_address(n, three, 4));
    cr_assert_str_eq(names_service(n, 6, 80), "http");
    cr_assert_null(names_service(n, 17, 80));
    cr_assert_str_eq(names_service(n, 17, 443), "https");
    cr_assert_null(names_service(n, 1, 80));
    cr_assert_null(names_service(n, 6, 9));
    SHOWS("one.example:http", names_write_end(&out, n, one, 4, true, 80, 6));
    SHOWS("10.0.0.3:http", names_write_end(&out, n, three, 4, true, 80, 6));
    SHOWS("10.0.0.3:81", names_write_end(&out, n, three, 4, true, 81, 6));
    SHOWS("six.example", names_write_end(&out, n, six, 16, false, 0, 0));
    six[15] = 2;
    SHOWS("[2001:db8::2]:http", names_write_end(&out, n, six, 16, true, 80, 6));
    SHOWS("Cisco_01:02:03", names_write_mac(&out, n, (const uint8_t[]){ 0, 0, 0x0c, 1, 2, 3 }));
    SHOWS("OpenRB_00:1f:ff", names_write_mac(&out, n, (const uint8_t[]){ 0, 0x1b, 0xc5, 0, 0x1f, 0xff }));
    SHOWS("IeeeRegi_00:2f:ff", names_write_mac(&out, n, (const uint8_t[]){ 0, 0x1b, 0xc5, 0, 0x2f, 0xff }));
    SHOWS("02:00:00:00:00:01", names_write_mac(&out, n, (const uint8_t[]){ 2, 0, 0, 0, 0, 1 }));
    SHOWS("Broadcast", names_write_mac(&out, n, (const uint8_t[]){ 255, 255, 255, 255, 255, 255 }));
    names_close(n);
}

Test(names, a_hosts_file_that_was_asked_for_must_be_there)
{
    struct names *n;
    struct error error;
    cr_assert_eq(names_open(&n, &(struct names_files){ .hosts = "/nonexistent/hosts" }, &error), ERROR_SYSTEM);
    names_close(n);
}

/* A DNS answer over UDP from B: who asks for what, and the records as they stand on the wire. */
static void learn(struct address_book *book, struct scene *s, const char *message, size_t n)
{
    uint8_t *h = put_ipv4(s, B, 17, 8 + n, 0, 0);
    store_be16(h, 53);
    store_be16(h + 2, 40000);
    store_be16(h + 4, (uint16_t)(8 + n));
    store_be16(h + 6, 0);
    memcpy(h + 8, message, n);
    address_book_learn(book, take(s));
}
#define LEARN(message) learn(book, s, message, sizeof(message) - 1)

#define ASKED   "\3www\2ex\0\0\1\0\1" /* at 12 */
#define ANSWER  "\0\1\x81\x80\0\1"
#define RECORD  "\0\1\0\0\1\0" /* class IN, time to live */
#define POINTED "\xc0\x0c"

Test(book, an_answer_names_its_addresses_after_what_was_asked)
{
    struct scene *s = scene_open(0);
    struct address_book *book = address_book_open();
    /* www.ex is an alias of h.ex, whose address follows; another name's address is its own */
    LEARN(ANSWER "\0\3\0\0\0\0" ASKED POINTED "\0\5" RECORD "\0\4\1h\xc0\x10"
                 "\1h\xc0\x10\0\1" RECORD "\0\4\12\1\1\1"
                 "\3www\3org\0\0\1" RECORD "\0\4\12\1\1\2");
    cr_assert_str_eq(address_book_find(book, (const uint8_t[]){ 10, 1, 1, 1 }, 4), "www.ex");
    cr_assert_str_eq(address_book_find(book, (const uint8_t[]){ 10, 1, 1, 2 }, 4), "www.org");
    cr_assert_null(address_book_find(book, (const uint8_t[]){ 10, 1, 1, 3 }, 4));
    address_book_close(book);
}

Test(book, six_and_pointers_are_learnt_and_questions_are_not)
{
    struct scene *s = scene_open(0);
    struct address_book *book = address_book_open();
    uint8_t six[16] = { 0x20, 1, [15] = 9 };
    LEARN(ANSWER "\0\1\0\0\0\0"
                 "\3www\2ex\0\0\x1c\0\1" POINTED "\0\x1c" RECORD "\0\x10\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\x09");
    cr_assert_str_eq(address_book_find(book, six, 16), "www.ex");
    LEARN(ANSWER "\0\1\0\0\0\0"
                 "\0014\0013\0012\0011\7in-addr\4arpa\0\0\x0c\0\1" POINTED "\0\x0c" RECORD "\0\3\1p\0");
    cr_assert_str_eq(address_book_find(book, (const uint8_t[]){ 1, 2, 3, 4 }, 4), "p");
    LEARN("\0\1\1\0\0\1\0\1\0\0\0\0" ASKED POINTED "\0\1" RECORD "\0\4\12\2\2\2");
    cr_assert_null(address_book_find(book, (const uint8_t[]){ 10, 2, 2, 2 }, 4), "a question proves nothing");
    address_book_close(book);
}

Test(book, what_was_told_counts_more_than_answers_and_these_more_than_pointers)
{
    struct address_book *book = address_book_open();
    const uint8_t a[4] = { 1, 2, 3, 4 };
    address_book_tell(book, a, 4, "pointer", 7, BOOK_POINTER);
    address_book_tell(book, a, 4, "answer", 6, BOOK_ANSWER);
    address_book_tell(book, a, 4, "pointer", 7, BOOK_POINTER);
    cr_assert_str_eq(address_book_find(book, a, 4), "answer");
    address_book_tell(book, a, 4, "later", 5, BOOK_ANSWER);
    cr_assert_str_eq(address_book_find(book, a, 4), "later");
    address_book_tell(book, a, 4, "told", 4, BOOK_TOLD);
    address_book_tell(book, a, 4, "later", 5, BOOK_ANSWER);
    cr_assert_str_eq(address_book_find(book, a, 4), "told");
    address_book_close(book);
}

Test(book, it_is_bounded)
{
    struct address_book *book = address_book_open();
    uint8_t a[4];
    for (uint32_t i = 0; i < BOOK_MOST + 1000; i++) {
        store_be32(a, i);
        address_book_tell(book, a, 4, "x", 1, BOOK_ANSWER);
    }
    store_be32(a, BOOK_MOST - 1);
    cr_assert_str_eq(address_book_find(book, a, 4), "x");
    store_be32(a, BOOK_MOST);
    cr_assert_null(address_book_find(book, a, 4));
    address_book_close(book);
}

Test(book, a_name_with_control_bytes_does_not_reach_the_terminal)
{
    struct scene *s = scene_open(0);
    struct names *n = open_names("", "", "");
    uint8_t *h = put_ipv4(s, B, 17, 8 + 42, 0, 0);
    static const char message[] = ANSWER "\0\1\0\0\0\0"
                                         "\4\33[2J\2ex\0\0\1\0\1" POINTED "\0\1" RECORD "\0\4\12\1\1\1";
    store_be16(h, 53);
    store_be16(h + 2, 40000);
    store_be16(h + 4, 8 + sizeof message - 1);
    store_be16(h + 6, 0);
    memcpy(h + 8, message, sizeof message - 1);
    s->length = 28 + sizeof message - 1;
    store_be16(s->bytes + 2, (uint16_t)s->length);
    names_learn(n, take(s));
    cr_assert_not_null(names_address(n, (const uint8_t[]){ 10, 1, 1, 1 }, 4));
    writing();
    names_write_end(&out, n, (const uint8_t[]){ 10, 1, 1, 1 }, 4, true, 80, 6);
    cr_assert_null(memchr(out.start, 27, buffer_used(&out)), "%s", text_of(&out));
    names_close(n);
}
