/* What is remembered between packets: the flow table, streams and their numbers, fragments. */
#include "segments.h"
#include "track/fragments.h"
#include <stdlib.h>

#define STREAMS (TRACK_STREAMS | TRACK_FRAGMENTS)

/* --- flow table --- */

static unsigned key_of(struct flow_key *key, uint8_t address[2][4], uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        address[0][i] = (uint8_t)(number >> (24 - 8 * i));
    memcpy(address[1], (uint8_t[]){ 192, 0, 2, 1 }, 4);
    return flow_key_set(key, address[0], address[1], 4, (uint16_t)(number * 7), 80, 6);
}

Test(flow, a_hundred_thousand_keys_are_each_found_again)
{
    struct flow_table t;
    struct flow_key key;
    uint8_t address[2][4];
    cr_assert_eq(flow_table_open(&t, 0), 0);
    for (uint32_t i = 0; i < 100000; i++) {
        key_of(&key, address, i);
        cr_assert_eq(flow_find(&t, &key), FLOW_NONE);
        cr_assert_eq(flow_add(&t, &key), i);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        key_of(&key, address, i);
        cr_assert_eq(flow_find(&t, &key), i);
    }
    flow_table_close(&t);
}

Test(flow, both_directions_have_one_key)
{
    struct flow_table t;
    struct flow_key there, back;
    uint8_t a[4] = { 10, 0, 0, 1 }, b[4] = { 10, 0, 0, 2 };
    cr_assert_eq(flow_table_open(&t, 0), 0);
    unsigned from = flow_key_set(&there, b, a, 4, 5, 6, 6), to = flow_key_set(&back, a, b, 4, 6, 5, 6);
    cr_assert_neq(from, to);
    cr_assert_eq(flow_add(&t, &there), flow_find(&t, &back));
    flow_key_set(&back, a, b, 4, 6, 5, 17);
    cr_assert_eq(flow_find(&t, &back), FLOW_NONE, "UDP is another key");
    flow_table_close(&t);
}

Test(flow, ipv6_addresses_are_kept_whole)
{
    struct flow_table t;
    struct flow_key key;
    uint8_t a[16] = { 0x20, 1, [15] = 1 }, b[16] = { 0x20, 1, [15] = 2 }, room[4];
    cr_assert_eq(flow_table_open(&t, 0), 0);
    unsigned end = flow_key_set(&key, b, a, 16, 5, 6, 6);
    uint32_t index = flow_add(&t, &key);
    cr_assert_eq(flow_find(&t, &key), index);
    cr_assert(!memcmp(flow_address(&t, flow_at(&t, index), end, room), b, 16));
    a[15] = 3;
    flow_key_set(&key, b, a, 16, 5, 6, 6);
    cr_assert_eq(flow_find(&t, &key), FLOW_NONE);
    flow_table_close(&t);
}

Test(flow, a_reused_key_leads_to_the_older_entry)
{
    struct flow_table t;
    struct flow_key key;
    uint8_t address[2][4];
    cr_assert_eq(flow_table_open(&t, 0), 0);
    key_of(&key, address, 7);
    uint32_t old = flow_add(&t, &key), new = flow_add(&t, &key);
    flow_at(&t, new)->stream = 1;
    cr_assert_eq(flow_find(&t, &key), new);
    cr_assert_eq(flow_previous(&t, new), old);
    cr_assert_eq(flow_by_stream(&t, 6, 0), old);
    flow_drop(&t, old);
    cr_assert_eq(flow_previous(&t, new), FLOW_NONE);
    cr_assert_eq(flow_find(&t, &key), new);
    flow_table_close(&t);
}

Test(flow, dropped_entries_leave_no_gap_that_hides_others)
{
    struct flow_table t;
    struct flow_key key;
    uint8_t address[2][4];
    uint32_t index[4096];
    cr_assert_eq(flow_table_open(&t, 0), 0);
    for (uint32_t i = 0; i < 4096; i++) {
        key_of(&key, address, i);
        index[i] = flow_add(&t, &key);
    }
    for (uint32_t i = 0; i < 4096; i += 3)
        flow_drop(&t, index[i]);
    for (uint32_t i = 0; i < 4096; i++) {
        key_of(&key, address, i);
        cr_assert_eq(flow_find(&t, &key), i % 3 ? index[i] : FLOW_NONE);
    }
    cr_assert_eq(t.live, 4096 - 1366);
    uint32_t count = t.count;
    key_of(&key, address, 5000);
    flow_add(&t, &key);
    cr_assert_eq(t.count, count, "a dropped entry is used again");
    flow_table_close(&t);
}

/* --- streams --- */

static void handshake(struct scene *s)
{
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, A, ACK, 101, 501, 0);
}

Test(streams, are_numbered_in_order_of_appearance)
{
    struct scene *s = scene_open(STREAMS);
    cr_assert_eq(send_segment(s, A, SYN, 100, 0, 0)->stream, 0);
    s->port[A] = 1001;
    cr_assert_eq(send_segment(s, A, SYN, 100, 0, 0)->stream, 1);
    s->port[A] = 1000;
    cr_assert_eq(send_segment(s, B, SYN | ACK, 500, 101, 0)->stream, 0);
    memcpy(put_ipv4(s, A, 17, 8, 1, 0), (uint8_t[]){ 0, 9, 0, 9, 0, 8, 0, 0 }, 8);
    cr_assert_eq(take(s)->notes[0].stream, 0, "UDP is counted apart");
    tracker_close(&s->tracker);
}

Test(streams, count_sequence_numbers_from_the_syn)
{
    struct scene *s = scene_open(STREAMS);
    const struct note *n = send_segment(s, A, SYN, 100, 77, 0);
    cr_assert_eq(n->seq, 0);
    cr_assert_eq(n->next_seq, 1);
    cr_assert_eq(n->ack, 77, "without ACK the number is as it stands");
    n = send_segment(s, B, SYN | ACK, 500, 101, 0);
    cr_assert_eq(n->seq, 0);
    cr_assert_eq(n->ack, 1);
    n = send_segment(s, A, ACK, 101, 501, 10);
    cr_assert_eq(n->seq, 1);
    cr_assert_eq(n->ack, 1);
    cr_assert_eq(n->next_seq, 11);
    tracker_close(&s->tracker);
}

Test(streams, met_in_the_middle_begin_at_1)
{
    struct scene *s = scene_open(STREAMS);
    const struct note *n = send_segment(s, A, ACK, 7000, 9000, 5);
    cr_assert_eq(n->seq, 1);
    cr_assert_eq(n->ack, 1);
    n = send_segment(s, B, ACK, 9010, 7005, 5);
    cr_assert_eq(n->seq, 11, "the first acknowledgement told where the other end is");
    cr_assert_eq(n->ack, 6);
    tracker_close(&s->tracker);
}

Test(streams, count_headers_that_were_cut_off_behind_the_window)
{
    struct scene *s = scene_open(TRACK_STREAMS);
    send_segment(s, A, ACK, 1000, 5000, 0);
    uint8_t room[64];
    size_t n = put_tcp(s, room, A, ACK, 1010, 5000, 0);
    memcpy(put_ipv4(s, A, 6, n, 7, 0), room, n);
    struct packet *p = take_but(s, 4);
    const struct note *note = layer_note(p, &p->layers[p->layer_count - 1]);
    cr_assert(has(note, NOTE_STREAM));
    cr_assert_eq(note->seq, 11);
    p = take_but(s, 5);
    cr_assert_null(layer_note(p, &p->layers[p->layer_count - 1]));
}

Test(streams, count_over_the_end_of_sequence_space)
{
    struct scene *s = scene_open(STREAMS);
    send_segment(s, A, SYN, 0xfffffff0, 0, 0);
    cr_assert_eq(send_segment(s, A, ACK, 0xfffffff1, 0, 30)->next_seq, 31);
    cr_assert_eq(send_segment(s, A, ACK, 15, 0, 1)->seq, 31);
    tracker_close(&s->tracker);
}

Test(streams, a_syn_that_counts_from_elsewhere_begins_a_new_one)
{
    struct scene *s = scene_open(STREAMS);
    handshake(s);
    cr_assert_not(has(send_segment(s, A, SYN, 100, 0, 0), NOTE_REUSED_PORTS), "that is the same SYN again");
    const struct note *n = send_segment(s, A, SYN, 9000, 0, 0);
    cr_assert_eq(n->stream, 1);
    cr_assert(has(n, NOTE_REUSED_PORTS));
    n = send_segment(s, B, SYN | ACK, 777, 9001, 0);
    cr_assert_eq(n->stream, 1);
    cr_assert_eq(n->ack, 1);
    tracker_close(&s->tracker);
}

Test(streams, a_syn_ack_that_counts_from_elsewhere_stays_in_its_own)
{
    struct scene *s = scene_open(STREAMS);
    handshake(s);
    const struct note *n = send_segment(s, B, SYN | ACK, 8000, 101, 0);
    cr_assert_eq(n->stream, 0);
    cr_assert(has(n, NOTE_REUSED_PORTS));
    cr_assert_eq(n->seq, 0);
    cr_assert_eq(send_segment(s, B, ACK, 8001, 101, 0)->seq, 1);
    tracker_close(&s->tracker);
}

Test(streams, tell_times_since_their_first_and_previous_packets)
{
    struct scene *s = scene_open(STREAMS);
    send_segment(s, A, SYN, 100, 0, 0);
    wait_ms(s, 9);
    const struct note *n = send_segment(s, B, SYN | ACK, 500, 101, 0);
    cr_assert_eq(n->time_relative, 10000000);
    wait_ms(s, -21);
    n = send_segment(s, A, ACK, 101, 501, 0);
    cr_assert_eq(n->time_relative, -10000000, "a clock that steps back is told as it was");
    cr_assert_eq(n->time_delta, -20000000);
    tracker_close(&s->tracker);
}

/* --- windows --- */

static struct scene *scaled(int a, int b)
{
    struct scene *s = scene_open(STREAMS);
    s->scale[A] = a;
    s->scale[B] = b;
    handshake(s);
    return s;
}

Test(windows, are_scaled_by_what_their_sender_offered)
{
    struct scene *s = scaled(7, 3);
    const struct note *n = send_segment(s, A, ACK, 101, 501, 0);
    cr_assert_eq(n->window, 128000);
    cr_assert_eq(n->scale, 128);
    cr_assert_eq(send_segment(s, B, ACK, 501, 101, 0)->window, 8000);
    n = send_segment(s, A, SYN, 100, 0, 0);
    cr_assert_eq(n->window, 1000, "never a SYN's");
    cr_assert_not(has(n, NOTE_WINDOW_SCALE));
    tracker_close(&s->tracker);
}

Test(windows, are_not_scaled_where_one_end_did_not_offer_it)
{
    for (unsigned who = 0; who < 2; who++) {
        struct scene *s = scaled(who == A ? -1 : 7, who == B ? -1 : 7);
        cr_assert_eq(send_segment(s, A, ACK, 101, 501, 0)->scale, -2);
        cr_assert_eq(send_segment(s, B, ACK, 501, 101, 0)->window, 1000);
        tracker_close(&s->tracker);
    }
}

Test(windows, of_a_connection_met_in_the_middle_are_as_they_stand)
{
    struct scene *s = scene_open(STREAMS);
    const struct note *n = send_segment(s, A, ACK, 101, 501, 0);
    cr_assert_eq(n->window, 1000);
    cr_assert_eq(n->scale, -1);
    tracker_close(&s->tracker);
}

Test(windows, a_shift_beyond_14_counts_as_14)
{
    struct scene *s = scaled(15, 0);
    cr_assert_eq(send_segment(s, A, ACK, 101, 501, 0)->scale, 16384);
    tracker_close(&s->tracker);
}

/* --- fragments --- */

enum { DATAGRAM = 48 };

/* Bytes [from, to) of a UDP datagram of 48, all filled with `fill` but for the header; the packet. */
static struct packet *send_fragment(struct scene *s, size_t from, size_t to, uint8_t fill)
{
    uint8_t whole[256];
    memset(whole, fill, sizeof whole);
    memcpy(whole, (uint8_t[]){ 3, 232, 0, 53, 0, DATAGRAM, 0, 0 }, 8);
    memcpy(put_ipv4(s, A, 17, to - from, 7, (uint16_t)(from / 8 | (to < DATAGRAM ? 0x2000 : 0))), whole + from,
           to - from);
    return take(s);
}

static struct span udp_payload(const struct packet *p)
{
    for (unsigned i = 0; i < p->layer_count; i++)
        if (!strcmp(p->layers[i].protocol->name, "udp"))
            return layer_payload(p, &p->layers[i]);
    return (struct span){ 0 };
}

Test(fragments, become_a_datagram_in_whatever_order_they_come)
{
    static const uint8_t orders[6][3] = {
        { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
    };
    struct scene *s = scene_open(STREAMS);
    for (unsigned o = 0; o < 6; o++) {
        for (unsigned i = 0; i < 3; i++) {
            unsigned which = orders[o][i];
            struct span got = udp_payload(send_fragment(s, which * 16, which * 16 + 16, 'x'));
            cr_assert_eq(got.left, i == 2 ? 40u : 0u);
        }
        cr_assert_eq(fragments_count(s->tracker.fragments), 0u);
        cr_assert_eq(s->packet.notes[0].stream, 0, "the datagram belongs to a stream");
    }
    tracker_close(&s->tracker);
}

Test(fragments, that_come_twice_change_nothing)
{
    struct scene *s = scene_open(STREAMS);
    send_fragment(s, 0, 16, 'x');
    send_fragment(s, 0, 16, 'x');
    send_fragment(s, 16, 32, 'x');
    cr_assert_eq(udp_payload(send_fragment(s, 32, 48, 'x')).left, 40u);
    tracker_close(&s->tracker);
}

Test(fragments, of_ipv4_that_overlap_yield_to_the_one_that_begins_first)
{
    struct scene *s = scene_open(STREAMS);
    send_fragment(s, 24, 40, 'l');
    send_fragment(s, 16, 32, 'e');
    send_fragment(s, 0, 16, 'x');
    struct span got = udp_payload(send_fragment(s, 32, 48, 'l'));
    cr_assert_eq(got.left, 40u);
    cr_assert_eq(got.at[23], 'e');
    cr_assert_eq(got.at[24], 'l');
    tracker_close(&s->tracker);
}

Test(fragments, beyond_the_end_are_cut_off)
{
    struct scene *s = scene_open(STREAMS);
    send_fragment(s, 0, 16, 'x');
    send_fragment(s, 32, 48, 'x');
    send_fragment(s, 40, 64, 'y');
    cr_assert_eq(udp_payload(send_fragment(s, 16, 32, 'x')).left, 40u);
    tracker_close(&s->tracker);
}

Test(fragments, are_forgotten_after_half_a_minute)
{
    struct scene *s = scene_open(STREAMS);
    send_fragment(s, 0, 16, 'x');
    send_fragment(s, 16, 32, 'x');
    wait_ms(s, 31000);
    cr_assert_eq(udp_payload(send_fragment(s, 32, 48, 'x')).left, 0u);
    tracker_close(&s->tracker);
}

Test(fragments, that_never_complete_take_bounded_memory)
{
    struct scene *s = scene_open(STREAMS);
    uint8_t bytes[1400] = { 0 };
    for (unsigned i = 0; i < 60000; i++) {
        memcpy(put_ipv4(s, A, 17, sizeof bytes, (uint16_t)(i / 40), (uint16_t)(0x2000 | (i % 40) * 176)), bytes,
               sizeof bytes);
        take(s);
    }
    cr_assert_leq(fragments_bytes(s->tracker.fragments), (size_t)FRAGMENT_BYTES);
    cr_assert_leq(fragments_count(s->tracker.fragments), (unsigned)FRAGMENT_DATAGRAMS);
    cr_assert_eq(fragments_count(s->tracker.fragments) > 0, true);
    tracker_close(&s->tracker);
}

/* IPv6 by the interface itself: the dissector's part is to fill packet->fragment. */
static bool take_ipv6(struct fragments *f, uint32_t offset, uint32_t n, bool more, uint8_t fill)
{
    static uint8_t addresses[32], bytes[256];
    struct packet p = { .network_count = 1, .layer_count = 1, .time = 1 };
    struct span whole;
    uint8_t protocol;
    memset(bytes, fill, sizeof bytes);
    p.networks[0] = (struct network){ addresses, addresses + 16, addresses + 16, 16, 17 };
    p.layers[0].network = 1;
    p.fragment = (struct fragment){
        .present = true, .more = more, .protocol = 17, .ident = 5, .offset = offset, .bytes = { bytes, n }
    };
    fragments_begin(f);
    return fragments_take(f, &p, &whole, &protocol);
}

Test(fragments, of_ipv6_that_overlap_condemn_the_datagram)
{
    struct fragments *f = fragments_open();
    cr_assert(!take_ipv6(f, 0, 16, true, 'x'));
    cr_assert(!take_ipv6(f, 0, 16, true, 'x'), "the same once more is none");
    cr_assert(take_ipv6(f, 16, 8, false, 'x'));
    cr_assert(!take_ipv6(f, 0, 16, true, 'x'));
    cr_assert(!take_ipv6(f, 8, 16, true, 'y'));
    cr_assert(!take_ipv6(f, 16, 8, false, 'x'));
    fragments_close(f);
}

/* --- what is predicted and what is taken apart --- */

static uint32_t chance(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

struct talk {
    uint32_t next[2]; /* each end's */
    unsigned step;
};

static void frame_it(struct scene *s, uint16_t type)
{
    memmove(s->bytes + 14, s->bytes, s->length);
    memset(s->bytes, 0, 12);
    store_be16(s->bytes + 12, type);
    s->length += 14;
}

/* An Ethernet frame: the handshake, then data and acknowledgements, mostly as they should be. */
static void next_frame(struct scene *s, struct talk *t)
{
    static const unsigned flags[] = { ACK,       ACK, ACK, PSH | ACK, PSH | ACK, PSH | ACK,
                                      FIN | ACK, SYN, RST, RST | ACK, SYN | ACK, 0 };
    enum who from = t->step == 0 ? A : t->step == 1 ? B : t->step == 2 ? A : (enum who)(chance() % 2);
    unsigned odd = chance() % 64, which = t->step == 0   ? SYN
                                          : t->step == 1 ? SYN | ACK
                                          : t->step == 2 ? ACK
                                          : odd          ? flags[chance() % 6]
                                                         : flags[chance() % 12];
    uint32_t length = which & SYN || chance() % 2 ? 0 : chance() % 1400, seq = t->next[from], ack = t->next[!from];
    if (odd == 1)
        seq -= chance() % 3000;
    else if (odd == 2)
        seq += chance() % 3000;
    else if (odd == 3)
        ack += chance() % 3000;
    else if (odd == 4)
        ack = chance();
    uint8_t room[1600];
    size_t n = put_tcp(s, room, from, which, seq, which == SYN ? 0 : ack, length);
    memcpy(put_ipv4(s, from, 6, n, (uint16_t)(odd == 5 ? t->step - 1 : t->step), 0), room, n);
    frame_it(s, 0x0800);
    if (odd == 6)
        s->bytes[14 + chance() % 40] = (uint8_t)chance();
    if (!odd || odd > 2)
        t->next[from] += length + (which & (SYN | FIN) ? 1 : 0);
    t->step++;
}

/* What is no segment: datagrams of a few conversations, of which one is a tunnel's that carries segments, messages that
 * quote and others, and what is not even IP. */
static void next_other(struct scene *s)
{
    enum { VXLAN = 4789, HEADS = 8 + 8 + 14 };
    static const uint16_t ports[] = { 53, 5000, 40000, VXLAN };
    static const uint8_t carried[] = { 1, 2, 47, 89, 4 };
    uint8_t room[256] = { 0 };
    enum who from = (enum who)(chance() % 2);
    unsigned what = chance() % 8;
    uint16_t port = ports[chance() % 4];
    size_t n = 8 + chance() % 100;
    if (what == 7) {
        s->length = 40;
        memset(s->bytes, 0, s->length);
        frame_it(s, chance() % 2 ? 0x0806 : (uint16_t)chance());
        return;
    }
    store_be16(room + (from ? 2 : 0), (uint16_t)(1024 + chance() % 4));
    store_be16(room + (from ? 0 : 2), port);
    if (port == VXLAN) {
        put_tcp(s, put_ipv4(s, from, 6, 20, 1, 0), from, ACK, chance(), chance(), 0);
        room[8] = 8;
        room[8 + 8 + 12] = 8;
        memcpy(room + HEADS, s->bytes, 40);
        n = HEADS + 40;
    }
    store_be16(room + 4, (uint16_t)(chance() % 4 ? n : n - 8 + chance() % 16));
    memcpy(put_ipv4(s, from, what == 6 ? carried[chance() % 5] : 17, n, 1, chance() % 16 ? 0 : 0x2000), room, n);
    if (chance() % 4 == 0)
        s->bytes[3] ^= 15; /* a length that is more or less */
    if (chance() % 16) {
        frame_it(s, 0x0800);
        return;
    }
    static const uint8_t snap[8] = { 0xaa, 0xaa, 3, 0, 0, 0, 8 }; /* RFC 1042: the type is a length, and IP behind it */
    memmove(s->bytes + sizeof snap, s->bytes, s->length);
    memcpy(s->bytes, snap, sizeof snap);
    s->length += sizeof snap;
    frame_it(s, (uint16_t)s->length);
}

static void take_by(struct scene *s, struct tracker *t, size_t captured)
{
    struct packet *p = &s->packet;
    packet_reset(p, (struct span){ s->bytes, captured });
    p->time = s->now;
    p->timed = true;
    p->link_type = 1;
    p->wire_length = (uint32_t)s->length;
    dissect(p);
    tracker_take(t, p);
}

/* One frame, by prediction where it can be, and taken apart. */
static bool take_both_ways(struct scene *s, struct tracker *apart)
{
    s->now += chance() % 16 ? chance() % 5000000 : chance();
    size_t captured = chance() % 16 ? s->length : chance() % (s->length + 1);
    bool predicted = tracker_predicts(&s->tracker, (struct span){ s->bytes, captured }, 1, (uint32_t)s->length, s->now);
    if (!predicted)
        take_by(s, &s->tracker, captured);
    take_by(s, apart, captured);
    return predicted;
}

static void expect_the_same(const struct flow_table *one, const struct flow_table *other)
{
    cr_assert_eq(one->count, other->count);
    for (uint32_t i = 0; i < one->count; i++)
        cr_assert_arr_eq(flow_at(one, i), flow_at(other, i), sizeof(struct flow), "flow %u", i);
}

Test(prediction, leads_where_taking_apart_leads)
{
    struct scene *s = scene_open(TRACK_FRAGMENTS | TRACK_STATES);
    struct tracker apart;
    struct error error;
    unsigned predicted = 0, all = 0;
    cr_assert_eq(tracker_open(&apart, TRACK_FRAGMENTS | TRACK_STATES, &error), 0);
    for (unsigned i = 0; i < 300; i++) {
        struct talk talk = { { chance(), chance() }, 0 };
        s->port[A] = (uint16_t)(1000 + i % 200);
        for (unsigned n = 3 + chance() % 200; talk.step < n; all++) {
            if (chance() % 32 || !talk.step)
                next_frame(s, &talk);
            predicted += take_both_ways(s, &apart);
        }
    }
    cr_expect_gt(predicted, all / 2, "%u of %u", predicted, all);
    expect_the_same(&apart.flows, &s->tracker.flows);
    tracker_close(&apart);
}

Test(prediction, of_what_is_no_segment_leads_there_too)
{
    struct scene *s = scene_open(TRACK_FRAGMENTS | TRACK_STATES);
    struct tracker apart;
    struct error error;
    unsigned predicted = 0, all = 20000;
    cr_assert_eq(tracker_open(&apart, TRACK_FRAGMENTS | TRACK_STATES, &error), 0);
    for (unsigned i = 0; i < all; i++) {
        next_other(s);
        predicted += take_both_ways(s, &apart);
    }
    cr_expect_gt(predicted, all / 3, "%u of %u", predicted, all);
    cr_expect_lt(predicted, all - all / 8, "tunnels are looked into: %u of %u", predicted, all);
    expect_the_same(&apart.flows, &s->tracker.flows);
    tracker_close(&apart);
}

/* The analysis is asked for, so that nothing is predicted. */
Test(prediction, of_notes_says_what_taking_apart_says)
{
    struct scene *s = scene_open(TRACK_FRAGMENTS | TRACK_STREAMS);
    struct tracker apart;
    struct error error;
    unsigned noted = 0;
    cr_assert_eq(tracker_open(&apart, TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_ANALYSIS, &error), 0);
    for (unsigned i = 0; i < 200; i++) {
        struct talk talk = { { chance(), chance() }, 0 };
        s->port[A] = (uint16_t)(1000 + i % 100);
        s->scale[A] = (int)(chance() % 17) - 1;
        s->scale[B] = (int)(chance() % 17) - 1;
        for (unsigned n = 3 + chance() % 100; talk.step < n;) {
            next_frame(s, &talk);
            s->window = (uint16_t)chance();
            s->now += chance() % 16 ? chance() % 5000000 : chance();
            size_t captured = chance() % 16 ? s->length : chance() % (s->length + 1);
            take_by(s, &apart, captured);
            struct note wanted = s->packet.notes[0];
            unsigned count = s->packet.note_count;
            take_by(s, &s->tracker, captured);
            const struct note *got = &s->packet.notes[0];
            cr_assert_eq(s->packet.note_count, count);
            if (!count)
                continue;
            cr_assert_eq(got->have & ~NOTES_ANALYSIS, wanted.have & ~NOTES_ANALYSIS);
            cr_assert_eq(got->stream, wanted.stream);
            if (!has(got, NOTE_WINDOW_SCALE))
                continue;
            cr_assert_eq(got->seq, wanted.seq);
            cr_assert_eq(got->next_seq, wanted.next_seq);
            cr_assert_eq(got->ack, wanted.ack);
            cr_assert_eq(got->window, wanted.window);
            cr_assert_eq(got->scale, wanted.scale);
            cr_assert_eq(got->time_relative, wanted.time_relative);
            cr_assert_eq(got->time_delta, wanted.time_delta);
            noted++;
        }
    }
    cr_expect_gt(noted, 2000u);
    tracker_close(&apart);
}
