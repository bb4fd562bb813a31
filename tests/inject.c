/* What the endpoint stands on: headers written through tables, segments as packets, neighbours, sequence numbers. */
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "inject/header.h"
#include "inject/isn.h"
#include "inject/neighbour.h"
#include "inject/segment.h"
#include "protocol/checksum.h"
#include <criterion/criterion.h>

static struct packet packet;

static const struct packet *take(const uint8_t *bytes, size_t n, uint16_t link_type)
{
    packet_reset(&packet, (struct span){ bytes, n });
    packet.link_type = link_type;
    packet.wire_length = (uint32_t)n;
    dissect(&packet);
    for (unsigned i = 0; i < packet.layer_count; i++)
        cr_assert_eq(packet.layers[i].verdict, VERDICT_WHOLE);
    return &packet;
}

static struct ip_address ip(const char *text)
{
    struct ip_address a;
    cr_assert(parse_ip(text, &a), "%s", text);
    return a;
}

/* A number that a field of the packet shows; the first layer that has it. */
static uint64_t field(const struct packet *p, const char *name)
{
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        struct place place = { p, l, l->protocol->fields, layer_header(p, l), 0 };
        struct value v;
        for (const struct field *f = l->protocol->fields; f && f->abbrev; f++)
            if (!strcmp(f->abbrev, name) && field_read(f, &place, 0, &v))
                return v.u;
    }
    cr_assert_fail("no %s", name);
    return 0;
}

/* ---- segments */

static struct segment_ends ends_of(const char *local, const char *remote)
{
    return (struct segment_ends){ ip(local), ip(remote), 40000, 80 };
}

static struct segment_ends turned(const struct segment_ends *e)
{
    return (struct segment_ends){ e->remote, e->local, e->remote_port, e->local_port };
}

static void round_trip(const struct segment_ends *ends, const uint8_t *macs, const struct endpoint_segment *g)
{
    static uint8_t room[4096];
    struct segment_writer w;
    segment_writer_begin(&w, macs, ends);
    size_t n = segment_write(&w, room, g);
    cr_assert_leq(n, segment_length(&w, g));
    const struct packet *p = take(room, n, macs ? 1 : 101);
    struct endpoint_segment got;
    struct segment_ends other = turned(ends);
    unsigned mtu;
    cr_assert_eq(segment_read(p, false, &other, &got, &mtu), SEGMENT_HERE);
    cr_assert_eq(got.seq, g->seq);
    cr_assert_eq(got.ack, g->ack);
    cr_assert_eq(got.flags, g->flags);
    cr_assert_eq(got.window, g->window);
    cr_assert_eq(got.mss, g->mss);
    cr_assert_eq(got.has_scale, g->has_scale);
    cr_assert_eq(got.scale, g->scale);
    cr_assert_eq(got.sack_permitted, g->sack_permitted);
    cr_assert_eq(got.timestamps, g->timestamps);
    cr_assert_eq(got.ts_value, g->ts_value);
    cr_assert_eq(got.ts_echo, g->ts_echo);
    cr_assert_eq(got.sack_count, g->sack_count);
    cr_assert_arr_eq(got.sacks, g->sacks, sizeof g->sacks);
    cr_assert_eq(got.payload.left, g->payload.left + g->more.left);
    cr_assert(!g->payload.left || !memcmp(got.payload.at, g->payload.at, g->payload.left));
    cr_assert(!g->more.left || !memcmp(got.payload.at + g->payload.left, g->more.at, g->more.left));
    if (ends->local.size == 4)
        cr_assert_eq(field(p, "ip.checksum.status"), CHECKSUM_GOOD);
    cr_assert_eq(field(p, "tcp.checksum.status"), CHECKSUM_GOOD);
}

static void round_trips(const char *local, const char *remote, const uint8_t *macs)
{
    struct segment_ends ends = ends_of(local, remote);
    static const uint8_t text[] = "all that is said";
    struct endpoint_segment g[] = {
        { .flags = TCP_SYN,
          .seq = 0xfffffff0,
          .window = 65535,
          .mss = 1460,
          .sack_permitted = true,
          .timestamps = true,
          .ts_value = 77,
          .has_scale = true,
          .scale = 7 },
        { .flags = TCP_SYN | TCP_ACK, .seq = 1, .ack = 2, .window = 1, .mss = 536, .has_scale = true },
        { .flags = TCP_ACK | ENDPOINT_PSH,
          .seq = 5,
          .ack = 9,
          .window = 500,
          .payload = { text, 7 },
          .more = { text + 7, 4 },
          .timestamps = true,
          .ts_value = 1,
          .ts_echo = 2 },
        { .flags = TCP_ACK,
          .seq = 5,
          .ack = 9,
          .timestamps = true,
          .ts_value = 1,
          .ts_echo = 0xfffffffe,
          .sack_count = 3,
          .sacks = { { 20, 30 }, { 40, 50 }, { 0xfffffff0, 5 } } },
        { .flags = TCP_ACK, .sack_count = 4, .sacks = { { 20, 30 }, { 40, 50 }, { 60, 70 }, { 80, 90 } } },
        { .flags = TCP_FIN | TCP_ACK, .seq = 5, .ack = 9 },
        { .flags = TCP_RST, .seq = 5 },
    };
    for (unsigned i = 0; i < sizeof g / sizeof *g; i++)
        round_trip(&ends, macs, &g[i]);
}

Test(inject, a_segment_is_read_as_it_was_written)
{
    static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
    registry_open();
    round_trips("10.0.0.1", "10.0.0.2", macs);
    round_trips("10.0.0.1", "10.0.0.2", NULL);
    round_trips("fd00::1", "fd00::2", macs);
    round_trips("fd00::1", "fd00::2", NULL);
}

static size_t written(const struct segment_ends *ends, uint8_t *room, const struct endpoint_segment *g)
{
    struct segment_writer w;
    segment_writer_begin(&w, NULL, ends);
    return segment_write(&w, room, g);
}

Test(inject, a_segment_of_others_or_with_a_wrong_checksum_is_none_of_ours)
{
    registry_open();
    uint8_t room[256];
    struct segment_ends ends = ends_of("10.0.0.1", "10.0.0.2"), other = turned(&ends), third = other;
    struct endpoint_segment g = { .flags = TCP_ACK, .seq = 1 }, got;
    unsigned mtu;
    size_t n = written(&ends, room, &g);
    third.remote_port++;
    cr_assert_eq(segment_read(take(room, n, 101), false, &third, &got, &mtu), SEGMENT_NONE);
    third = other;
    third.local = ip("10.0.0.9");
    cr_assert_eq(segment_read(take(room, n, 101), false, &third, &got, &mtu), SEGMENT_NONE);
    cr_assert_eq(segment_read(take(room, n, 101), false, &other, &got, &mtu), SEGMENT_HERE);
    room[24] ^= 1;
    cr_assert_eq(segment_read(take(room, n, 101), false, &other, &got, &mtu), SEGMENT_NONE);
    cr_assert_eq(segment_read(take(room, n, 101), true, &other, &got, &mtu), SEGMENT_HERE);
}

Test(inject, only_a_syn_calls_a_listener)
{
    registry_open();
    uint8_t room[256];
    struct segment_ends ends = ends_of("10.0.0.1", "10.0.0.2");
    struct endpoint_segment g = { .flags = TCP_ACK, .seq = 1 }, got;
    unsigned mtu;
    struct segment_ends open = { .local = ends.remote, .local_port = ends.remote_port };
    size_t n = written(&ends, room, &g);
    cr_assert_eq(segment_read(take(room, n, 101), false, &open, &got, &mtu), SEGMENT_NONE);
    g.flags = TCP_SYN;
    n = written(&ends, room, &g);
    cr_assert_eq(segment_read(take(room, n, 101), false, &open, &got, &mtu), SEGMENT_HERE);
    cr_assert(ip_same(&open.remote, &ends.local));
    cr_assert_eq(open.remote_port, 40000);
}

/* An ICMP error that quotes `quoted`; from a router. */
static size_t icmp_error(uint8_t *room, unsigned type, unsigned code, unsigned mtu, const uint8_t *quoted, size_t n)
{
    struct header h = header_begin("ip", room, 20);
    header_put(&h, "ip.version", 4);
    header_put(&h, "ip.hdr_len", 20);
    header_put(&h, "ip.len", 28 + n);
    header_put(&h, "ip.ttl", 60);
    header_put(&h, "ip.proto", 1);
    header_put(&h, "ip.dst", 0x0a000001);
    header_put(&h, "ip.checksum", checksum_finish(checksum_add(0, room, 20)));
    h = header_begin("icmp", room + 20, 8);
    header_put(&h, "icmp.type", type);
    header_put(&h, "icmp.code", code);
    if (mtu)
        header_put(&h, "icmp.mtu", mtu);
    memcpy(room + 28, quoted, n);
    header_put(&h, "icmp.checksum", checksum_finish(checksum_add(0, room + 20, 8 + n)));
    return 28 + n;
}

Test(inject, an_icmp_error_about_our_segment_is_known)
{
    registry_open();
    uint8_t room[256], error[512];
    struct segment_ends ends = ends_of("10.0.0.1", "10.0.0.2"), other = ends;
    struct endpoint_segment g = { .flags = TCP_SYN, .seq = 4711, .mss = 1460 }, got;
    unsigned mtu = 0;
    size_t n = written(&ends, room, &g), all;
    for (size_t quoted = 28; quoted <= n; quoted += n - 28) { /* eight bytes of it are enough: RFC 792 */
        all = icmp_error(error, 3, 3, 0, room, quoted);
        packet_reset(&packet, (struct span){ error, all });
        packet.link_type = 101;
        dissect(&packet);
        cr_assert_eq(segment_read(&packet, false, &ends, &got, &mtu), SEGMENT_REFUSED);
        cr_assert_eq(got.seq, 4711);
    }
    all = icmp_error(error, 3, 4, 1280, room, 28);
    packet_reset(&packet, (struct span){ error, all });
    dissect(&packet);
    cr_assert_eq(segment_read(&packet, false, &ends, &got, &mtu), SEGMENT_TOO_LONG);
    cr_assert_eq(mtu, 1280);
    other.local_port++;
    cr_assert_eq(segment_read(&packet, false, &other, &got, &mtu), SEGMENT_NONE);
}

/* ---- segments that leave in one piece */

static void joined(const char *local, const char *remote)
{
    static uint8_t room[8192], text[3000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7);
    struct segment_ends ends = ends_of(local, remote), other = turned(&ends);
    struct segment_writer w;
    segment_writer_begin(&w, NULL, &ends);
    struct endpoint_segment a = {
        .flags = TCP_ACK, .seq = 0xffffff00, .ack = 9, .window = 5, .payload = { text, 1000 }
    };
    struct endpoint_segment b = a, got;
    b.seq += 1000;
    b.payload = (struct span){ text + 1000, 600 };
    b.more = (struct span){ text + 1600, 400 };
    size_t n = segment_write(&w, room, &a), transport, checksum;
    cr_assert(segment_continues(&w, &a, n, &b));
    n += segment_append(&w, room, n, &b);
    b.seq += 1000;
    b.flags |= ENDPOINT_PSH;
    b.payload = (struct span){ text + 2000, 77 };
    b.more.left = 0;
    cr_assert(segment_continues(&w, &a, n, &b));
    n += segment_append(&w, room, n, &b);
    b.seq += 77;
    cr_assert_not(segment_continues(&w, &a, n, &b)); /* the last one was shorter: nothing can follow */
    cr_assert_eq(segment_headers(&w, &a, &transport, &checksum), n - 2077);
    /* whoever completes the checksum adds the rest to what stands there */
    uint8_t *tcp = room + transport;
    store_be16(tcp + checksum, checksum_finish(checksum_add(0, tcp, n - transport)));
    unsigned mtu;
    cr_assert_eq(segment_read(take(room, n, 101), false, &other, &got, &mtu), SEGMENT_HERE);
    cr_assert_eq(got.payload.left, 2077);
    cr_assert_arr_eq(got.payload.at, text, 2077);
    cr_assert_eq(got.flags, TCP_ACK | ENDPOINT_PSH);
    if (ends.local.size == 4)
        cr_assert_eq(field(&packet, "ip.checksum.status"), CHECKSUM_GOOD);
}

Test(inject, segments_that_follow_each_other_leave_in_one_piece)
{
    registry_open();
    joined("10.0.0.1", "10.0.0.2");
    joined("fd00::1", "fd00::2");
}

Test(inject, segments_that_differ_leave_each_by_itself)
{
    registry_open();
    uint8_t room[2048], text[1000] = { 0 };
    struct segment_ends ends = ends_of("10.0.0.1", "10.0.0.2");
    struct segment_writer w;
    segment_writer_begin(&w, NULL, &ends);
    struct endpoint_segment a = { .flags = TCP_ACK, .seq = 5, .ack = 9, .window = 5, .payload = { text, 1000 } };
    size_t n = segment_write(&w, room, &a);
    struct endpoint_segment next = a;
    next.seq += 1000;
    cr_assert(segment_continues(&w, &a, n, &next));
    struct endpoint_segment others[] = { next, next, next, next, next, next, next };
    others[0].seq++;
    others[1].ack++;
    others[2].window++;
    others[3].flags |= TCP_FIN;
    others[4].timestamps = true;
    others[5].payload.left = 0;
    others[6].flags |= TCP_RST;
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        cr_assert_not(segment_continues(&w, &a, n, &others[i]), "%u", i);
    a.flags |= ENDPOINT_PSH; /* what was pushed is not kept back */
    cr_assert_not(segment_continues(&w, &a, n, &next));
}

/* ---- neighbours */

static uint8_t said[8][NEIGHBOUR_FRAME];
static size_t said_length[8];
static unsigned said_count;

static void on_frame(void *context, struct span frame)
{
    (void)context;
    cr_assert_lt(said_count, 8);
    cr_assert_leq(frame.left, sizeof *said);
    memcpy(said[said_count], frame.at, frame.left);
    said_length[said_count++] = frame.left;
}

static const int64_t sec = 1000000000;
static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 1 }, mac_b[6] = { 2, 0, 0, 0, 0, 2 };

static struct neighbours *neighbours(const uint8_t *mac)
{
    struct neighbours *n;
    registry_open();
    cr_assert_eq(neighbours_open(&n, mac, on_frame, NULL, NULL), 0);
    return n;
}

/* A asks for an address that B speaks for. */
static void asked_and_answered(const char *from, const char *address)
{
    struct neighbours *a = neighbours(mac_a), *b = neighbours(mac_b);
    struct ip_address source = ip(from), target = ip(address);
    uint8_t mac[6];
    said_count = 0;
    cr_assert(neighbours_speak_for(b, &target));
    cr_assert_eq(neighbours_find(a, &source, &target, mac, 0), NEIGHBOUR_ASKED);
    cr_assert_eq(said_count, 1);
    const struct packet *p = take(said[0], said_length[0], 1);
    if (source.size == 16) {
        cr_assert_eq(field(p, "icmpv6.checksum.status"), CHECKSUM_GOOD);
        cr_assert_eq(field(p, "ipv6.hlim"), 255);
    }
    neighbours_take(a, p, 0); /* it may hear itself */
    cr_assert_eq(said_count, 1);
    neighbours_take(b, p, 0);
    cr_assert_eq(said_count, 2);
    neighbours_take(a, take(said[1], said_length[1], 1), 0);
    cr_assert_eq(neighbours_find(a, &source, &target, mac, sec), NEIGHBOUR_KNOWN);
    cr_assert_arr_eq(mac, mac_b, 6);
    cr_assert_eq(said_count, 2); /* kept */
    cr_assert_eq(neighbours_find(a, &source, &target, mac, 100 * sec), NEIGHBOUR_ASKED);
    neighbours_close(a);
    neighbours_close(b);
}

Test(inject, an_address_is_asked_for_and_answered_by_arp)
{
    asked_and_answered("10.0.0.1", "10.0.0.2");
}

Test(inject, an_address_is_asked_for_and_answered_by_neighbor_discovery)
{
    asked_and_answered("fd00::1", "fd00::2:3");
}

Test(inject, three_questions_are_asked_and_then_it_is_silent)
{
    struct neighbours *a = neighbours(mac_a);
    struct ip_address source = ip("10.0.0.1"), target = ip("10.0.0.2");
    uint8_t mac[6];
    said_count = 0;
    neighbours_find(a, &source, &target, mac, 0);
    for (int64_t now = 0; now <= 3 * sec; now += sec / 10)
        if (neighbours_deadline(a) <= now)
            neighbours_tick(a, now);
    cr_assert_eq(said_count, 3);
    cr_assert_eq(neighbours_find(a, &source, &target, mac, 3 * sec), NEIGHBOUR_SILENT);
    cr_assert_eq(neighbours_deadline(a), INT64_MAX);
    neighbours_close(a);
}

Test(inject, nobody_is_learnt_who_was_not_asked_for)
{
    struct neighbours *a = neighbours(mac_a), *b = neighbours(mac_b);
    struct ip_address source = ip("10.0.0.1"), target = ip("10.0.0.2");
    uint8_t mac[6];
    said_count = 0;
    neighbours_find(b, &target, &source, mac, 0);
    neighbours_take(a, take(said[0], said_length[0], 1), 0);
    cr_assert_eq(said_count, 1);
    cr_assert_eq(neighbours_find(a, &source, &target, mac, 0), NEIGHBOUR_ASKED);
    neighbours_close(a);
    neighbours_close(b);
}

Test(inject, groups_have_link_addresses_of_their_own)
{
    struct neighbours *a = neighbours(mac_a);
    struct ip_address source = ip("10.0.0.1"), group = ip("224.129.2.3");
    uint8_t mac[6];
    cr_assert_eq(neighbours_find(a, &source, &group, mac, 0), NEIGHBOUR_KNOWN);
    cr_assert_arr_eq(mac, ((uint8_t[]){ 1, 0, 0x5e, 1, 2, 3 }), 6);
    group = ip("ff02::1:2");
    cr_assert_eq(neighbours_find(a, &source, &group, mac, 0), NEIGHBOUR_KNOWN);
    cr_assert_arr_eq(mac, ((uint8_t[]){ 0x33, 0x33, 0, 1, 0, 2 }), 6);
    neighbours_close(a);
}

/* ---- sequence numbers */

Test(inject, siphash_gives_what_its_authors_say)
{
    uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
    uint8_t bytes[16];
    for (unsigned i = 0; i < 16; i++)
        bytes[i] = (uint8_t)i;
    cr_assert_eq(isn_hash(key, bytes, 15), 0xa129ca6149be45e5); /* the paper's appendix A */
}

Test(inject, sequence_numbers_grow_with_time_and_differ_between_conversations)
{
    struct isn_secret secret;
    uint32_t offset;
    struct ip_address a = ip("10.0.0.1"), b = ip("10.0.0.2");
    cr_assert(isn_begin(&secret));
    uint32_t first = isn_make(&secret, &a, 1, &b, 2, 0, &offset);
    cr_assert_eq(isn_make(&secret, &a, 1, &b, 2, 4000 * 250, &offset), first + 250);
    cr_assert_neq(isn_make(&secret, &a, 1, &b, 3, 0, &offset), first);
    cr_assert_neq(isn_make(&secret, &b, 1, &a, 2, 0, &offset), first);
}
