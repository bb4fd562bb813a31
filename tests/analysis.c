/* What the analysis notices about TCP segments: each kind on segments made by hand, as tshark 4.0 would see them. */
#include "segments.h"

#define LEVELS (TRACK_STREAMS | TRACK_ANALYSIS)

/* A and B have shaken hands, 10 ms each way; the next numbers are 1 on both sides (1001 and 5001 on the wire). */
static struct scene *handshake(void)
{
    struct scene *s = scene_open(LEVELS);
    send_segment(s, A, SYN, 1000, 0, 0);
    wait_ms(s, 9);
    send_segment(s, B, SYN | ACK, 5000, 1001, 0);
    wait_ms(s, 9);
    send_segment(s, A, ACK, 1001, 5001, 0);
    return s;
}

static const struct note *from_a(struct scene *s, uint32_t seq, uint32_t ack, uint32_t length)
{
    return send_segment(s, A, ACK, 1000 + seq, 5000 + ack, length);
}

static const struct note *from_b(struct scene *s, uint32_t seq, uint32_t ack, uint32_t length)
{
    return send_segment(s, B, ACK, 5000 + seq, 1000 + ack, length);
}

/* Notes that judge, not numbers and times. */
static uint64_t judged(const struct note *note)
{
    uint64_t numbers = 0;
    static const enum note_bit bits[] = { NOTE_ACKS_FRAME,      NOTE_ACK_RTT, NOTE_INITIAL_RTT, NOTE_BYTES_IN_FLIGHT,
                                          NOTE_PUSH_BYTES_SENT, NOTE_RTO,     NOTE_RTO_FRAME,   NOTE_AGAIN };
    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
        numbers |= UINT64_C(1) << bits[i];
    return note->have & NOTES_ANALYSIS & ~numbers;
}

static void is_only(const struct note *note, enum note_bit which)
{
    cr_assert_eq(judged(note), UINT64_C(1) << which, "notes %llx", (unsigned long long)judged(note));
}

static void is_plain(const struct note *note)
{
    cr_assert_eq(judged(note), 0, "notes %llx", (unsigned long long)judged(note));
}

/* --- round trips and counts --- */

Test(analysis, an_ack_names_the_segment_it_answers_and_how_long_that_took)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    wait_ms(s, 24);
    const struct note *n = from_b(s, 1, 101, 0);
    cr_assert(has(n, NOTE_ACKS_FRAME) && has(n, NOTE_ACK_RTT));
    cr_assert_eq(n->acks_frame, 4);
    cr_assert_eq(n->ack_rtt, 25000000);
}

Test(analysis, an_ack_in_the_middle_of_a_segment_answers_none)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    cr_assert_not(has(from_b(s, 1, 50, 0), NOTE_ACKS_FRAME));
    cr_assert_eq(from_a(s, 101, 1, 10)->bytes_in_flight, 61, "what it covered is not in flight");
}

Test(analysis, the_initial_round_trip_lasts_from_the_syn_to_the_ack_of_its_answer)
{
    struct scene *s = handshake();
    const struct note *n = from_a(s, 1, 1, 100);
    cr_assert(has(n, NOTE_INITIAL_RTT));
    cr_assert_eq(n->initial_rtt, 20000000);
}

/* The header of s->bytes says that it has so many words. Returns the note on it, or NULL. */
static const struct note *take_with_words(struct scene *s, unsigned words)
{
    s->bytes[20 + 12] = (uint8_t)(words << 4);
    struct packet *p = take(s);
    return layer_note(p, &p->layers[p->layer_count - 1]);
}

static void put_segment(struct scene *s, enum who from, unsigned flags, uint32_t seq, uint32_t ack)
{
    uint8_t room[64];
    size_t n = put_tcp(s, room, from, flags, seq, ack, 0);
    memcpy(put_ipv4(s, from, 6, n, 77, 0), room, n);
}

Test(analysis, a_header_longer_than_all_there_is_still_takes_part_in_the_handshake)
{
    struct scene *s = scene_open(LEVELS);
    put_segment(s, A, SYN, 1000, 0);
    take_with_words(s, 15);
    send_segment(s, B, SYN | ACK, 5000, 1001, 0);
    put_segment(s, A, ACK, 1001, 5001);
    cr_assert_not(has(take_with_words(s, 15), NOTE_INITIAL_RTT), "nothing is said of it itself");
    wait_ms(s, 50);
    cr_assert_eq(from_a(s, 1, 1, 10)->initial_rtt, 2000000);
}

Test(analysis, a_header_shorter_than_one_can_be_times_no_handshake_but_takes_room)
{
    struct scene *s = scene_open(LEVELS);
    send_segment(s, A, SYN, 1000, 0, 0);
    send_segment(s, B, SYN | ACK, 5000, 1001, 0);
    put_segment(s, A, ACK, 1001, 5001);
    cr_assert_eq(take_with_words(s, 3)->have & NOTES_ANALYSIS, 0, "nothing is said of it itself");
    wait_ms(s, 50);
    const struct note *n = from_a(s, 1, 1, 5);
    cr_assert(has(n, NOTE_RETRANSMISSION), "8 bytes seem to be behind a header of 12");
    cr_assert_eq(n->initial_rtt, 53000000);
}

Test(analysis, a_syn_with_a_header_longer_than_all_there_is_says_nothing_of_the_ports)
{
    struct scene *s = handshake();
    put_segment(s, A, SYN, 9000, 0);
    const struct note *n = take_with_words(s, 15);
    cr_assert_not(has(n, NOTE_REUSED_PORTS));
    cr_assert_eq(n->stream, 1, "though it begins a connection");
}

Test(analysis, bytes_in_flight_grow_until_they_are_acknowledged)
{
    struct scene *s = handshake();
    cr_assert_eq(from_a(s, 1, 1, 100)->bytes_in_flight, 100);
    cr_assert_eq(from_a(s, 101, 1, 50)->bytes_in_flight, 150);
    from_b(s, 1, 101, 0);
    cr_assert_eq(from_a(s, 151, 1, 50)->bytes_in_flight, 100);
}

/* B acknowledges what A begins with, and has blocks of 10 bytes each beyond it; so many bytes of that are not captured.
 */
static void answer_with_blocks(struct scene *s, unsigned blocks, size_t lost)
{
    uint8_t room[64];
    size_t n = put_tcp(s, room, B, ACK, 5001, 1001, 0);
    memcpy(room + n, (uint8_t[]){ 1, 1, 5, (uint8_t)(2 + 8 * blocks) }, 4);
    n += 4;
    for (unsigned i = 0; i < blocks; i++, n += 8) {
        store_be16(room + n, 0);
        store_be16(room + n + 2, (uint16_t)(1101 + 100 * i));
        store_be16(room + n + 4, 0);
        store_be16(room + n + 6, (uint16_t)(1111 + 100 * i));
    }
    room[12] = (uint8_t)(n / 4 << 4);
    memcpy(put_ipv4(s, B, 6, n, 77, 0), room, n);
    take_but(s, lost);
}

Test(analysis, what_was_acknowledged_selectively_is_not_in_flight)
{
    struct scene *s = handshake();
    cr_assert_eq(from_a(s, 1, 1, 900)->bytes_in_flight, 900);
    answer_with_blocks(s, 3, 0);
    cr_assert_eq(from_a(s, 901, 1, 100)->bytes_in_flight, 1000 - 30);
    answer_with_blocks(s, 4, 0); /* the fourth is not counted: tshark's way */
    cr_assert_eq(from_a(s, 1001, 1, 100)->bytes_in_flight, 1100 - 30);
}

Test(analysis, blocks_that_were_captured_count_though_the_next_was_not)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 900);
    answer_with_blocks(s, 3, 12);
    cr_assert_eq(from_a(s, 901, 1, 100)->bytes_in_flight, 1000 - 10);
}

Test(analysis, bytes_in_flight_are_unknown_after_a_gap_until_the_other_end_speaks)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    cr_assert_not(has(from_a(s, 201, 1, 100), NOTE_BYTES_IN_FLIGHT));
    cr_assert_not(has(from_a(s, 301, 1, 100), NOTE_BYTES_IN_FLIGHT));
    from_b(s, 1, 101, 0);
    cr_assert_eq(from_a(s, 401, 1, 100)->bytes_in_flight, 300);
}

Test(analysis, bytes_since_the_last_push_are_counted_with_the_push_itself)
{
    struct scene *s = handshake();
    cr_assert_eq(from_a(s, 1, 1, 100)->push_bytes_sent, 100);
    cr_assert_eq(send_segment(s, A, ACK | PSH, 1101, 5001, 50)->push_bytes_sent, 150);
    cr_assert_eq(from_a(s, 151, 1, 10)->push_bytes_sent, 10);
}

/* --- sent again --- */

Test(analysis, old_data_after_the_round_trip_time_are_a_retransmission)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_a(s, 101, 1, 100);
    wait_ms(s, 200);
    const struct note *n = from_a(s, 101, 1, 100);
    is_only(n, NOTE_RETRANSMISSION);
    cr_assert_eq(n->rto, 202000000);
    cr_assert_eq(n->rto_frame, 4, "it waited since the oldest that is not acknowledged");
    cr_assert_eq(n->again_frame, 5);
    cr_assert_eq(n->again, 201000000);
}

Test(analysis, a_repeated_syn_is_a_retransmission)
{
    struct scene *s = scene_open(LEVELS);
    send_segment(s, A, SYN, 1000, 0, 0);
    wait_ms(s, 1000);
    const struct note *n = send_segment(s, A, SYN, 1000, 0, 0);
    is_only(n, NOTE_RETRANSMISSION);
    cr_assert_eq(n->rto, 1001000000);
}

Test(analysis, what_was_acknowledged_is_sent_again_for_nothing)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_b(s, 1, 101, 0);
    const struct note *n = from_a(s, 1, 1, 100);
    cr_assert_eq(judged(n), UINT64_C(1) << NOTE_RETRANSMISSION | UINT64_C(1) << NOTE_SPURIOUS_RETRANSMISSION);
    cr_assert_not(has(n, NOTE_RTO));
}

Test(analysis, two_duplicate_acks_make_a_retransmission_fast)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_a(s, 101, 1, 100);
    for (unsigned i = 0; i < 3; i++)
        from_b(s, 1, 1, 0);
    const struct note *n = from_a(s, 1, 1, 100);
    cr_assert_eq(judged(n), UINT64_C(1) << NOTE_RETRANSMISSION | UINT64_C(1) << NOTE_FAST_RETRANSMISSION);
}

Test(analysis, one_duplicate_ack_makes_no_retransmission_fast)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_a(s, 101, 1, 100);
    wait_ms(s, 30);
    is_only(from_b(s, 1, 1, 0), NOTE_DUPLICATE_ACK);
    is_only(from_a(s, 1, 1, 100), NOTE_RETRANSMISSION);
}

Test(analysis, an_end_that_was_answered_more_than_it_sent_asks_for_a_fast_retransmission)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_a(s, 101, 1, 100);
    wait_ms(s, 30);
    from_b(s, 1, 101, 10);
    is_only(from_a(s, 201, 900, 0), NOTE_ACK_LOST_SEGMENT);
    const struct note *n = from_a(s, 101, 11, 100);
    cr_assert(has(n, NOTE_FAST_RETRANSMISSION) && has(n, NOTE_RETRANSMISSION));
}

Test(analysis, half_of_all_numbers_ahead_is_ahead)
{
    struct scene *s = handshake();
    is_only(from_a(s, 1 + (UINT32_C(1) << 31), 1, 0), NOTE_LOST_SEGMENT);
    cr_assert_not(has(from_a(s, 1 + (UINT32_C(1) << 31), 1, 10), NOTE_LOST_SEGMENT));
}

Test(analysis, twenty_milliseconds_after_the_duplicate_acks_it_is_not_fast)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_a(s, 101, 1, 100);
    for (unsigned i = 0; i < 3; i++)
        from_b(s, 1, 1, 0);
    wait_ms(s, 20);
    is_only(from_a(s, 1, 1, 100), NOTE_RETRANSMISSION);
}

Test(analysis, data_that_begin_with_the_byte_of_a_keep_alive_are_new)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 10);
    wait_ms(s, 1000);
    is_only(from_a(s, 10, 1, 1), NOTE_KEEP_ALIVE);
    is_plain(from_a(s, 10, 1, 20));
}

/* --- order and loss --- */

Test(analysis, a_segment_beyond_the_next_number_tells_that_one_is_lost)
{
    struct scene *s = handshake();
    is_only(from_a(s, 101, 1, 100), NOTE_LOST_SEGMENT);
    is_plain(from_a(s, 201, 1, 100));
}

Test(analysis, what_fills_a_gap_at_once_is_out_of_order)
{
    struct scene *s = handshake();
    from_a(s, 101, 1, 100);
    is_only(from_a(s, 1, 1, 100), NOTE_OUT_OF_ORDER);
}

Test(analysis, what_fills_a_gap_after_the_round_trip_time_was_sent_again)
{
    struct scene *s = handshake();
    from_a(s, 101, 1, 100);
    wait_ms(s, 20);
    is_only(from_a(s, 1, 1, 100), NOTE_RETRANSMISSION);
}

Test(analysis, without_a_handshake_three_milliseconds_divide_reordering_from_repetition)
{
    struct scene *s = scene_open(LEVELS);
    from_a(s, 1, 1, 10);
    from_a(s, 101, 1, 10);
    is_only(from_a(s, 51, 1, 10), NOTE_OUT_OF_ORDER);
    wait_ms(s, 2);
    is_only(from_a(s, 61, 1, 10), NOTE_RETRANSMISSION);
}

Test(analysis, what_fills_a_gap_where_time_steps_back_counts_as_sent_again)
{
    struct scene *s = handshake();
    from_a(s, 101, 1, 100);
    wait_ms(s, -5000);
    const struct note *note = from_a(s, 1, 1, 100);
    cr_assert(note->have >> NOTE_RETRANSMISSION & 1);
    cr_assert(!(note->have >> NOTE_OUT_OF_ORDER & 1));
}

Test(analysis, an_ack_beyond_all_that_was_captured_is_told_once)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    is_only(from_b(s, 1, 201, 0), NOTE_ACK_LOST_SEGMENT);
    is_plain(from_b(s, 1, 301, 0));
    from_a(s, 101, 1, 10);
    is_plain(from_b(s, 1, 401, 0));
}

/* --- acknowledgements again --- */

Test(analysis, duplicate_acks_are_counted_from_the_first_of_them)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    from_b(s, 1, 101, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        const struct note *n = from_b(s, 1, 101, 0);
        is_only(n, NOTE_DUPLICATE_ACK);
        cr_assert_eq(n->duplicate_ack_num, i);
        cr_assert_eq(n->duplicate_ack_frame, 5);
    }
    from_a(s, 101, 1, 100);
    from_b(s, 1, 201, 0);
    cr_assert_eq(from_b(s, 1, 201, 0)->duplicate_ack_num, 1);
}

Test(analysis, data_with_the_same_ack_are_no_duplicate)
{
    struct scene *s = handshake();
    from_b(s, 1, 1, 100);
    is_plain(from_b(s, 101, 1, 100));
}

Test(analysis, a_fin_or_a_reset_is_no_duplicate_ack)
{
    struct scene *s = handshake();
    from_b(s, 1, 1, 0);
    is_plain(send_segment(s, B, FIN | ACK, 5001, 1001, 0));
    is_plain(send_segment(s, B, RST | ACK, 5002, 1001, 0));
}

/* --- keep-alives --- */

Test(analysis, a_segment_one_byte_before_the_next_keeps_the_connection_alive)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 10);
    from_b(s, 1, 11, 0);
    wait_ms(s, 45000);
    is_only(from_a(s, 10, 1, 0), NOTE_KEEP_ALIVE);
    is_only(from_b(s, 1, 11, 0), NOTE_KEEP_ALIVE_ACK);
    is_only(from_a(s, 10, 1, 1), NOTE_KEEP_ALIVE);
}

/* --- windows --- */

Test(analysis, a_window_closes_is_probed_and_opens_again)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    s->window = 0;
    is_only(from_b(s, 1, 101, 0), NOTE_ZERO_WINDOW);
    s->window = 1000;
    wait_ms(s, 300);
    is_only(from_a(s, 101, 1, 1), NOTE_ZERO_WINDOW_PROBE);
    s->window = 0;
    const struct note *n = from_b(s, 1, 101, 0);
    cr_assert_eq(judged(n), UINT64_C(1) << NOTE_ZERO_WINDOW | UINT64_C(1) << NOTE_ZERO_WINDOW_PROBE_ACK);
    s->window = 1000;
    is_only(from_b(s, 1, 101, 0), NOTE_WINDOW_UPDATE);
    is_plain(from_a(s, 101, 1, 100));
}

Test(analysis, a_syn_fin_or_reset_with_window_zero_closes_no_window)
{
    struct scene *s = scene_open(LEVELS);
    s->window = 0;
    is_plain(send_segment(s, A, SYN, 1000, 0, 0));
    is_plain(send_segment(s, B, RST | ACK, 0, 1001, 0));
}

Test(analysis, data_that_end_where_the_window_ends_fill_it)
{
    struct scene *s = handshake();
    is_plain(from_a(s, 1, 1, 500));
    is_only(from_a(s, 501, 1, 500), NOTE_WINDOW_FULL);
}

Test(analysis, a_full_window_counts_with_its_scale)
{
    struct scene *s = scene_open(LEVELS);
    s->scale[A] = s->scale[B] = 1;
    send_segment(s, A, SYN, 1000, 0, 0);
    send_segment(s, B, SYN | ACK, 5000, 1001, 0);
    s->window = 500;
    send_segment(s, A, ACK, 1001, 5001, 0);
    from_b(s, 1, 1, 0);
    is_plain(from_a(s, 1, 1, 500));
    is_only(from_a(s, 501, 1, 500), NOTE_WINDOW_FULL);
}

Test(analysis, the_window_of_a_syn_is_not_scaled)
{
    struct scene *s = scene_open(LEVELS);
    s->scale[A] = s->scale[B] = 1;
    send_segment(s, A, SYN, 1000, 0, 0);
    send_segment(s, B, SYN | ACK, 5000, 1001, 0);
    is_only(from_a(s, 1, 1, 1000), NOTE_WINDOW_FULL);
}

Test(analysis, a_window_whose_scale_nobody_knows_is_never_full)
{
    struct scene *s = scene_open(LEVELS);
    from_b(s, 1, 1, 0);
    is_plain(from_a(s, 1, 1, 1000));
}

Test(analysis, a_syn_whose_options_were_cut_off_does_not_tell_its_scale)
{
    struct scene *s = scene_open(LEVELS);
    s->scale[A] = s->scale[B] = 1;
    for (enum who who = A; who <= B; who++) {
        uint8_t room[64];
        size_t n = put_tcp(s, room, who, who ? SYN | ACK : SYN, who ? 5000 : 1000, who ? 1001 : 0, 0);
        memcpy(put_ipv4(s, who, 6, n, 7, 0), room, n);
        take_but(s, 3);
    }
    from_b(s, 1, 1, 0);
    is_plain(from_a(s, 1, 1, 1000));
}

/* --- connections --- */

Test(analysis, a_syn_with_another_number_uses_the_ports_again)
{
    struct scene *s = handshake();
    from_a(s, 1, 1, 100);
    is_only(send_segment(s, A, SYN, 700000, 0, 0), NOTE_REUSED_PORTS);
    is_plain(send_segment(s, B, SYN | ACK, 900000, 700001, 0));
    const struct note *n = send_segment(s, A, ACK, 700001, 900001, 10);
    is_plain(n);
    cr_assert_eq(n->bytes_in_flight, 10, "nothing of the older connection is left");
}

Test(analysis, numbers_wrap_around)
{
    struct scene *s = scene_open(LEVELS);
    uint32_t seq = UINT32_MAX - 50;
    send_segment(s, A, SYN, seq - 1, 0, 0);
    send_segment(s, B, SYN | ACK, 5000, seq, 0);
    is_plain(send_segment(s, A, ACK, seq, 5001, 100));
    is_plain(send_segment(s, A, ACK, seq + 100, 5001, 100));
    cr_assert_eq(send_segment(s, B, ACK, 5001, seq + 200, 0)->acks_frame, 4);
    is_only(send_segment(s, A, ACK, seq + 300, 5001, 100), NOTE_LOST_SEGMENT);
    is_only(send_segment(s, A, ACK, seq + 200, 5001, 100), NOTE_OUT_OF_ORDER);
}

Test(analysis, only_who_asks_for_it_pays)
{
    struct scene *s = scene_open(TRACK_STREAMS);
    from_a(s, 1, 1, 10);
    wait_ms(s, 1000);
    is_plain(from_a(s, 1, 1, 10));
    cr_assert_eq(s->tracker.analysis.flow_count, 0);
    cr_assert_null(s->tracker.analysis.flows);
    cr_assert_eq(tracker_levels(UINT64_C(1) << NOTE_STREAM), TRACK_STREAMS);
    cr_assert_eq(tracker_levels(UINT64_C(1) << NOTE_RTO), LEVELS);
}

Test(analysis, segments_that_nobody_acknowledges_are_forgotten_in_time)
{
    struct scene *s = handshake();
    for (uint32_t i = 0; i < 3 * UNACKED_PER_END; i++)
        from_a(s, 1 + i, 1, 1);
    cr_assert_leq(s->tracker.analysis.segment_count, UNACKED_PER_END + 8);
    cr_assert_eq(from_b(s, 1, 3 * UNACKED_PER_END + 1, 0)->acks_frame, 3 * UNACKED_PER_END + 3);
    cr_assert_eq(from_a(s, 3 * UNACKED_PER_END + 1, 1, 1)->bytes_in_flight, 1);
}
