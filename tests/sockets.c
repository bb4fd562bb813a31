/* The state of both ends of a connection: every arrow of RFC 9293's figure 5 on segments made by hand, and what happens
 * when packets are lost, forged, repeated or were sent before the capture began. */
#include "track/sockets.h"
#include "segments.h"
#include "track/tally.h"
#include <unistd.h>

static void must_be_allowed(struct tcp_watch *watch, struct flow *f, unsigned end, enum tcp_state from,
                            enum tcp_state to)
{
    (void)watch;
    (void)f;
    (void)end;
    cr_expect(tcp_state_allowed(from, to), "no arrow leads from %s to %s", tcp_state_name(from), tcp_state_name(to));
}

static struct sockets sockets;
static struct tcp_watch watch = { must_be_allowed, NULL };

static struct scene *begin(void)
{
    struct scene *s = scene_open(TRACK_STREAMS | TRACK_STATES | TRACK_DETAILS);
    static bool open;
    if (open)
        sockets_close(&sockets);
    open = true;
    sockets_open(&sockets, &s->tracker);
    sockets.next = &watch;
    return s;
}

/* The newest entry. A's address is the lower one: it is end 0. */
static struct flow *flow(const struct scene *s)
{
    return flow_at(&s->tracker.flows, s->tracker.flows.count - 1);
}

static enum tcp_state state(const struct scene *s, enum who who)
{
    const struct flow *f = flow(s);
    return tcp_state_at(f, who, (int32_t)((s->now - f->first) / 1000000));
}

#define expect(a, b)                                                                                                   \
    do {                                                                                                               \
        cr_expect_str_eq(tcp_state_name(state(s, A)), tcp_state_name(TCP_##a), "A");                                   \
        cr_expect_str_eq(tcp_state_name(state(s, B)), tcp_state_name(TCP_##b), "B");                                   \
    } while (0)

/* A calls B: A's data begin at 101, B's at 501. */
static struct scene *established(void)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, A, ACK, 101, 501, 0);
    return s;
}

/* --- RFC 9293, figure 5 --- */

Test(opening, a_syn_takes_its_sender_from_closed_to_syn_sent)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    expect(SYN_SENT, UNKNOWN);
}

Test(opening, an_answer_takes_a_listener_to_syn_received_and_the_caller_to_established)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    expect(ESTABLISHED, SYN_RECEIVED);
}

Test(opening, the_last_ack_takes_syn_received_to_established)
{
    struct scene *s = established();
    expect(ESTABLISHED, ESTABLISHED);
}

Test(opening, two_callers_meet_in_syn_received_and_both_become_established)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, SYN, 500, 0, 0);
    expect(SYN_SENT, SYN_SENT);
    send_segment(s, A, SYN | ACK, 100, 501, 0);
    expect(SYN_RECEIVED, SYN_SENT);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    expect(ESTABLISHED, SYN_RECEIVED);
    send_segment(s, A, ACK, 101, 501, 0);
    expect(ESTABLISHED, ESTABLISHED);
    cr_expect_eq(sockets.count, 0u, "none of them listens");
}

Test(opening, a_refusal_takes_syn_sent_to_closed)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, RST | ACK, 0, 101, 0);
    expect(CLOSED, CLOSED);
}

Test(opening, a_refusal_of_another_call_changes_nothing)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, RST | ACK, 0, 5000, 0);
    send_segment(s, B, RST, 101, 0, 0);
    expect(SYN_SENT, UNKNOWN);
}

Test(opening, a_reset_takes_syn_received_to_closed)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, A, RST, 101, 0, 0);
    expect(CLOSED, CLOSED);
}

Test(opening, a_caller_that_calls_again_has_not_got_the_answer)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    wait_ms(s, 1000);
    send_segment(s, A, SYN, 100, 0, 0);
    expect(SYN_SENT, SYN_RECEIVED);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, A, ACK, 101, 501, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(opening, a_listener_that_answers_again_has_not_got_the_last_ack)
{
    struct scene *s = established();
    wait_ms(s, 1000);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    expect(ESTABLISHED, SYN_RECEIVED);
    send_segment(s, A, ACK, 101, 501, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(opening, an_answer_that_comes_twice_at_once_is_no_repetition)
{
    struct scene *s = established();
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(opening, with_fast_open_the_server_may_speak_in_syn_received)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 50);
    send_segment(s, B, SYN | ACK, 500, 151, 0);
    send_segment(s, B, ACK, 501, 151, 20);
    cr_expect_eq(state(s, B), TCP_SYN_RECEIVED);
    send_segment(s, A, ACK, 151, 521, 0);
    expect(ESTABLISHED, ESTABLISHED);
    cr_expect_eq(tcp_unacknowledged(flow(s), A), 0u);
}

Test(opening, nobody_waits_for_an_answer_for_ever)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    wait_ms(s, SYN_PATIENCE_MS);
    expect(CLOSED, UNKNOWN);
}

static void send_unreachable(struct scene *s, uint8_t code, uint32_t seq)
{
    uint8_t quoted[28], icmp[36] = { 3, code };
    put_tcp(s, put_ipv4(s, A, 6, 20, 1, 0), A, SYN, seq, 0, 0);
    memcpy(quoted, s->bytes, sizeof quoted);
    memcpy(icmp + 8, quoted, sizeof quoted);
    store_be16(icmp + 2, header_sum(icmp, sizeof icmp));
    memcpy(put_ipv4(s, B, 1, sizeof icmp, 2, 0), icmp, sizeof icmp);
    take(s);
}

Test(opening, an_icmp_unreachable_ends_syn_sent)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_unreachable(s, 1, 4711);
    cr_expect_eq(state(s, A), TCP_SYN_SENT, "that quoted something else");
    send_unreachable(s, 4, 100);
    cr_expect_eq(state(s, A), TCP_SYN_SENT, "too big a packet is no reason");
    send_unreachable(s, 1, 100);
    cr_expect_eq(state(s, A), TCP_CLOSED);
}

Test(opening, an_icmp_unreachable_is_soft_once_the_connection_stands)
{
    struct scene *s = established();
    send_unreachable(s, 1, 100);
    expect(ESTABLISHED, ESTABLISHED);
}

/* --- closing --- */

Test(closing, a_fin_takes_established_to_fin_wait_1)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    expect(FIN_WAIT_1, ESTABLISHED);
}

Test(closing, acknowledging_a_fin_takes_one_end_to_close_wait_and_the_other_to_fin_wait_2)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 102, 0);
    expect(FIN_WAIT_2, CLOSE_WAIT);
}

Test(closing, a_half_closed_connection_still_carries_data)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 102, 1000);
    send_segment(s, A, ACK, 102, 1501, 0);
    expect(FIN_WAIT_2, CLOSE_WAIT);
}

static struct scene *last_ack(void)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 102, 0);
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    return s;
}

Test(closing, a_fin_takes_close_wait_to_last_ack)
{
    struct scene *s = last_ack();
    expect(FIN_WAIT_2, LAST_ACK);
}

Test(closing, the_last_ack_takes_fin_wait_2_to_time_wait_and_last_ack_to_closed)
{
    struct scene *s = last_ack();
    send_segment(s, A, ACK, 102, 502, 0);
    expect(TIME_WAIT, CLOSED);
}

Test(closing, one_segment_may_acknowledge_a_fin_and_carry_one)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    expect(FIN_WAIT_2, LAST_ACK);
    send_segment(s, A, ACK, 102, 502, 0);
    expect(TIME_WAIT, CLOSED);
}

Test(closing, fins_that_cross_take_both_ends_through_closing_to_time_wait)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, FIN | ACK, 501, 101, 0);
    expect(FIN_WAIT_1, FIN_WAIT_1);
    send_segment(s, A, ACK, 102, 502, 0);
    expect(CLOSING, FIN_WAIT_2);
    send_segment(s, B, ACK, 502, 102, 0);
    expect(TIME_WAIT, TIME_WAIT);
}

Test(closing, a_lost_fin_whose_number_the_next_ack_has_used_crossed_the_other_one)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 502, 102, 0); /* 501 was B's FIN */
    expect(FIN_WAIT_2, CLOSE_WAIT);
    wait_ms(s, 200);
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    expect(FIN_WAIT_2, CLOSING);
    send_segment(s, A, ACK, 102, 502, 0);
    expect(TIME_WAIT, TIME_WAIT);
}

Test(closing, a_lost_fin_sent_after_the_other_one_was_acknowledged_answered_it)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 102, 0);
    send_segment(s, B, ACK, 502, 102, 0);
    wait_ms(s, 200);
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    expect(FIN_WAIT_2, LAST_ACK);
    send_segment(s, A, ACK, 102, 502, 0);
    expect(TIME_WAIT, CLOSED);
}

Test(closing, time_wait_ends_after_a_minute)
{
    struct scene *s = last_ack();
    send_segment(s, A, ACK, 102, 502, 0);
    wait_ms(s, TIME_WAIT_MS - 10);
    expect(TIME_WAIT, CLOSED);
    wait_ms(s, 10);
    expect(CLOSED, CLOSED);
}

Test(closing, a_fin_that_comes_again_starts_time_wait_again)
{
    struct scene *s = last_ack();
    send_segment(s, A, ACK, 102, 502, 0);
    wait_ms(s, 50000);
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    expect(TIME_WAIT, LAST_ACK);
    send_segment(s, A, ACK, 102, 502, 0);
    wait_ms(s, 50000);
    expect(TIME_WAIT, CLOSED);
}

Test(closing, a_fin_that_comes_again_has_not_been_acknowledged)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 102, 0);
    wait_ms(s, 300);
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    expect(FIN_WAIT_1, CLOSE_WAIT);
}

Test(closing, a_fin_behind_a_gap_is_not_received)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 100);
    send_segment(s, A, FIN | ACK, 201, 501, 0);
    send_segment(s, B, ACK, 501, 101, 0);
    expect(FIN_WAIT_1, ESTABLISHED);
    send_segment(s, B, ACK, 501, 202, 0);
    expect(FIN_WAIT_2, CLOSE_WAIT);
}

Test(closing, an_acknowledgement_seen_before_its_fin_counts)
{
    struct scene *s = established();
    send_segment(s, B, ACK, 501, 102, 0);
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    expect(FIN_WAIT_2, CLOSE_WAIT);
}

Test(closing, a_fin_that_answers_an_unseen_fin_proves_it)
{
    struct scene *s = established();
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    expect(FIN_WAIT_2, LAST_ACK);
}

Test(closing, a_fin_in_the_past_is_forged)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 1000);
    send_segment(s, B, ACK, 501, 1101, 0);
    send_segment(s, A, FIN | ACK, 600, 501, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(closing, a_fin_where_data_were_captured_is_forged)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 50);
    send_segment(s, B, ACK, 501, 151, 0);
    send_segment(s, A, FIN | ACK, 150, 501, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(closing, a_number_that_only_a_forger_told_does_not_hide_the_fin)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 50);
    send_segment(s, B, ACK, 501, 151, 0);
    send_segment(s, A, ACK, 3151, 501, 0); /* forged: A has sent nothing up to there */
    send_segment(s, A, FIN | ACK, 151, 501, 0);
    send_segment(s, B, ACK, 501, 152, 0);
    expect(FIN_WAIT_2, CLOSE_WAIT);
}

Test(closing, a_fin_without_ack_means_nothing)
{
    struct scene *s = established();
    send_segment(s, A, FIN, 101, 0, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

/* --- resets --- */

Test(resets, at_the_exact_number_close_both_ends)
{
    struct scene *s = established();
    send_segment(s, A, RST | ACK, 101, 501, 0);
    expect(CLOSED, CLOSED);
}

Test(resets, elsewhere_in_the_window_draw_a_challenge_and_close_nothing)
{
    struct scene *s = established();
    send_segment(s, A, RST, 140, 0, 0);
    send_segment(s, B, ACK, 501, 101, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(resets, that_did_not_arrive_close_nothing)
{
    struct scene *s = established();
    send_segment(s, A, RST | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 101, 10);
    cr_expect_eq(state(s, B), TCP_CLOSED, "B had not spoken: nothing of it is known to stand");
    s = established();
    send_segment(s, B, ACK, 501, 101, 10);
    send_segment(s, A, RST | ACK, 101, 511, 0);
    send_segment(s, B, ACK, 511, 101, 10);
    expect(CLOSED, ESTABLISHED);
    send_segment(s, A, RST, 101, 0, 0);
    expect(CLOSED, CLOSED);
}

Test(resets, end_time_wait)
{
    struct scene *s = last_ack();
    send_segment(s, A, ACK, 102, 502, 0);
    send_segment(s, B, RST, 502, 0, 0);
    expect(CLOSED, CLOSED);
}

/* --- ports used again --- */

Test(reuse, a_new_call_takes_time_wait_to_syn_sent)
{
    struct scene *s = last_ack();
    send_segment(s, A, ACK, 102, 502, 0);
    send_segment(s, A, SYN, 90000, 0, 0);
    expect(SYN_SENT, CLOSED);
    send_segment(s, B, SYN | ACK, 70000, 90001, 0);
    send_segment(s, A, ACK, 90001, 70001, 0);
    expect(ESTABLISHED, ESTABLISHED);
}

Test(reuse, a_listener_in_time_wait_stays_there_until_it_answers)
{
    struct scene *s = established();
    send_segment(s, B, FIN | ACK, 501, 101, 0);
    send_segment(s, A, FIN | ACK, 101, 502, 0);
    send_segment(s, B, ACK, 502, 102, 0);
    expect(CLOSED, TIME_WAIT);
    send_segment(s, A, SYN, 90000, 0, 0);
    expect(SYN_SENT, TIME_WAIT);
    send_segment(s, B, SYN | ACK, 70000, 90001, 0);
    expect(ESTABLISHED, SYN_RECEIVED);
}

Test(reuse, a_host_that_forgot_its_connection_is_told_by_a_challenge_and_resets_it)
{
    struct scene *s = established();
    send_segment(s, B, ACK, 501, 101, 10);
    send_segment(s, A, ACK, 101, 511, 0);
    send_segment(s, A, SYN, 90000, 0, 0);
    send_segment(s, B, ACK, 511, 101, 0);
    send_segment(s, A, RST, 101, 0, 0);
    expect(SYN_SENT, CLOSED);
}

Test(reuse, a_forged_syn_changes_nothing)
{
    struct scene *s = established();
    send_segment(s, B, ACK, 501, 101, 10);
    send_segment(s, A, SYN, 90000, 0, 0);
    send_segment(s, B, ACK, 511, 101, 0);
    send_segment(s, A, ACK, 101, 511, 5);
    send_segment(s, B, ACK, 511, 106, 0);
    expect(ESTABLISHED, ESTABLISHED);
    cr_expect_eq(tcp_unacknowledged(flow(s), A), 0u);
}

/* --- captures that begin late, times that go back, packets seen twice --- */

Test(capture, a_connection_met_half_way_is_established)
{
    struct scene *s = begin();
    send_segment(s, A, ACK, 7000, 9000, 5);
    expect(ESTABLISHED, ESTABLISHED);
    send_segment(s, B, FIN | ACK, 9000, 7005, 0);
    send_segment(s, A, ACK, 7005, 9001, 0);
    expect(CLOSE_WAIT, FIN_WAIT_2);
}

Test(capture, that_begins_with_the_answer_knows_the_caller)
{
    struct scene *s = begin();
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    expect(ESTABLISHED, SYN_RECEIVED);
    cr_expect_eq(flow_client(flow(s)), A);
}

Test(capture, times_that_step_back_do_no_harm)
{
    struct scene *s = last_ack();
    wait_ms(s, -5000);
    send_segment(s, A, ACK, 102, 502, 0);
    expect(TIME_WAIT, CLOSED);
}

Test(capture, packets_seen_twice_are_no_repetitions)
{
    struct scene *s = established();
    uint8_t bytes[600];
    size_t n = put_tcp(s, bytes, A, ACK, 101, 501, 500);
    for (unsigned copy = 0; copy < 2; copy++) {
        memcpy(put_ipv4(s, A, 6, n, 99, 0), bytes, n);
        take(s);
    }
    cr_expect_eq(flow(s)->retransmits[A], 0u);
    cr_expect_eq(flow(s)->bytes[A], 500u);
    wait_ms(s, 300);
    memcpy(put_ipv4(s, A, 6, n, 100, 0), bytes, n);
    take(s);
    cr_expect_eq(flow(s)->retransmits[A], 1u);
    cr_expect_eq(flow(s)->bytes[A], 500u);
}

/* --- tables --- */

struct counted {
    unsigned all, listeners;
    struct socket last;
};

static void count(void *context, const struct socket *socket)
{
    struct counted *c = context;
    c->all++;
    c->listeners += socket->state == TCP_LISTEN;
    c->last = *socket;
}

static struct counted list(const struct scene *s, uint8_t last_octet)
{
    struct counted c = { 0 };
    struct sockets_query q = {
        .time = s->now, .host = { 10, 0, 0, last_octet }, .size = 4, .listeners = true, .tcp = true, .udp = true
    };
    sockets_list(&sockets, &q, count, &c);
    return c;
}

Test(tables, a_listener_is_known_by_its_answer)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    cr_expect_eq(list(s, 2).all, 0u);
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    struct counted c = list(s, 2);
    cr_expect_eq(c.all, 2u);
    cr_expect_eq(c.listeners, 1u);
    cr_expect_eq(list(s, 1).all, 1u);
}

static void expect_port(void *context, const struct socket *socket)
{
    uint16_t *port = context;
    if (socket->state == TCP_LISTEN)
        cr_expect_eq(socket->local_port, (*port)++);
}

Test(tables, list_listeners_in_order_of_appearance)
{
    enum { MANY = 200 };
    struct scene *s = begin();
    uint16_t port = 2000;
    for (s->port[B] = port; s->port[B] < port + MANY; s->port[B]++) {
        send_segment(s, A, SYN, 100, 0, 0);
        send_segment(s, B, SYN | ACK, 500, 101, 0);
    }
    struct sockets_query q = { .time = s->now, .listeners = true, .tcp = true };
    cr_expect_eq(sockets_list(&sockets, &q, expect_port, &port), 0);
    cr_expect_eq(port, 2000 + MANY);
}

Test(tables, a_refusal_ends_a_listener)
{
    struct scene *s = established();
    s->port[A] = 1001;
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, B, RST | ACK, 0, 101, 0);
    cr_expect_eq(list(s, 2).listeners, 0u);
}

Test(tables, send_q_is_what_was_sent_and_not_acknowledged)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 1000);
    cr_expect_eq(list(s, 1).last.send_q, 1000u);
    send_segment(s, B, ACK, 501, 701, 0);
    cr_expect_eq(list(s, 1).last.send_q, 400u);
}

static void send_udp(struct scene *s, enum who from)
{
    uint16_t there = from == A ? 1000 : 53, to = from == A ? 53 : 1000;
    uint8_t h[8] = { (uint8_t)(there >> 8), (uint8_t)there, (uint8_t)(to >> 8), (uint8_t)to, 0, 8 };
    memcpy(put_ipv4(s, from, 17, sizeof h, 1, 0), h, sizeof h);
    take(s);
}

Test(tables, udp_sockets_are_known_by_their_datagrams_for_a_while)
{
    struct scene *s = begin();
    send_udp(s, A);
    send_udp(s, B);
    cr_expect(list(s, 2).last.bound, "who was called answers anybody");
    cr_expect_not(list(s, 1).last.bound);
    wait_ms(s, UDP_PATIENCE_MS);
    cr_expect_eq(list(s, 1).all + list(s, 2).all, 0u);
}

Test(tables, what_is_remembered_is_bounded_by_the_machines_memory)
{
    struct tracker t;
    struct error error;
    cr_assert_eq(tracker_open(&t, TRACK_STREAMS, &error), 0);
    cr_expect_geq(t.max_connections, 1u << 20);
    cr_expect_leq((uint64_t)t.max_connections * 256,
                  (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4 + (UINT64_C(256) << 20));
    tracker_close(&t);
}

Test(tables, half_open_connections_are_forgotten_first)
{
    struct scene *s = established();
    s->tracker.max_connections = 100;
    for (unsigned i = 0; i < 1000; i++) {
        s->port[A] = (uint16_t)(2000 + i);
        send_segment(s, A, SYN, 100, 0, 0);
    }
    cr_expect_eq(s->tracker.flows.live, 100u);
    cr_expect_eq(s->tracker.forgotten, 901u);
    cr_expect_eq(s->tracker.forgotten_half_open, 901u);
    const struct flow *first = flow_at(&s->tracker.flows, 0);
    cr_expect_eq(first->end[A].state, TCP_ESTABLISHED);
}

/* --- Zeek's words --- */

static void expect_zeek(const struct scene *s, const char *conn_state, const char *history)
{
    char text[32];
    uint32_t index = s->tracker.flows.count - 1;
    const struct flow_detail *d = flow_detail_at(&s->tracker.flows, index);
    tally_history(flow(s), d, text);
    cr_expect_str_eq(text, history);
    cr_expect_str_eq(tally_conn_state(flow(s), d), conn_state);
}

Test(zeek, a_whole_connection_is_sf)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 10);
    send_segment(s, B, ACK, 501, 111, 10);
    send_segment(s, A, FIN | ACK, 111, 511, 0);
    send_segment(s, B, FIN | ACK, 511, 112, 0);
    expect_zeek(s, "SF", "ShADdFf");
}

Test(zeek, a_call_that_nobody_answers_is_s0_and_a_refused_one_rej)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    expect_zeek(s, "S0", "S");
    send_segment(s, B, RST | ACK, 0, 101, 0);
    expect_zeek(s, "REJ", "Sr");
}

Test(zeek, resets_tell_who_sent_them)
{
    struct scene *s = established();
    expect_zeek(s, "S1", "ShA");
    send_segment(s, B, RST | ACK, 501, 101, 0);
    expect_zeek(s, "RSTR", "ShAr");
}

Test(zeek, a_call_given_up_is_rstos0_and_an_answer_without_call_rstrh)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, A, RST, 101, 0, 0);
    expect_zeek(s, "RSTOS0", "SR");
    s = begin();
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, B, RST, 501, 0, 0);
    expect_zeek(s, "RSTRH", "^hr");
}

Test(zeek, the_first_packet_being_an_answer_turns_the_direction_round)
{
    struct scene *s = begin();
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, A, ACK, 101, 501, 0);
    send_segment(s, A, ACK, 101, 501, 10);
    expect_zeek(s, "S1", "^hAD");
}

Test(zeek, what_was_met_half_way_is_oth_whatever_ends_it)
{
    struct scene *s = begin();
    send_segment(s, A, ACK, 101, 501, 10);
    send_segment(s, B, ACK, 501, 111, 0);
    expect_zeek(s, "OTH", "Da");
    send_segment(s, A, RST, 111, 0, 0);
    expect_zeek(s, "OTH", "DaR");
}

Test(zeek, one_sided_closes_are_sh_shr_s2_and_s3)
{
    struct scene *s = begin();
    send_segment(s, A, SYN, 100, 0, 0);
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    expect_zeek(s, "SH", "SF");
    s = begin();
    send_segment(s, B, SYN | ACK, 500, 101, 0);
    send_segment(s, B, FIN | ACK, 501, 101, 0);
    expect_zeek(s, "SHR", "^hf");
    s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    expect_zeek(s, "S2", "ShAF");
    s = established();
    send_segment(s, B, FIN | ACK, 501, 101, 0);
    expect_zeek(s, "S3", "ShAf");
}

Test(zeek, a_reset_by_the_called_end_is_rstr_even_if_the_caller_reset_before)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 10);
    send_segment(s, A, RST, 111, 0, 0);
    expect_zeek(s, "RSTO", "ShADR");
    send_segment(s, B, RST, 501, 0, 0);
    expect_zeek(s, "RSTR", "ShADRr");
}

Test(zeek, resets_and_fins_appear_again_if_their_number_is_another)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    expect_zeek(s, "S2", "ShAF");
    send_segment(s, A, RST, 102, 0, 0);
    send_segment(s, A, RST, 102, 0, 0);
    send_segment(s, A, RST, 103, 0, 0);
    expect_zeek(s, "RSTO", "ShAFRR");
}

Test(zeek, repetitions_appear_at_the_first_tenth_and_hundredth)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 10);
    for (unsigned i = 1; i <= 100; i++) {
        wait_ms(s, 300);
        send_segment(s, A, ACK, 101, 501, 10);
        if (i == 9)
            expect_zeek(s, "S1", "ShADT");
    }
    expect_zeek(s, "S1", "ShADTTT");
}

Test(zeek, a_window_of_zero_after_the_other_ends_fin_tells_nothing)
{
    struct scene *s = established();
    s->window = 0;
    send_segment(s, A, ACK, 101, 501, 0);
    expect_zeek(s, "S1", "ShAW");
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, ACK, 501, 102, 0);
    expect_zeek(s, "S2", "ShAWFa");
}

static uint64_t missed(const struct scene *s)
{
    return flow_detail_at(&s->tracker.flows, s->tracker.flows.count - 1)->missed;
}

Test(zeek, what_is_acknowledged_and_was_not_captured_is_missed)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 10);
    send_segment(s, A, ACK, 121, 501, 10); /* 111 to 120 are not there */
    send_segment(s, B, ACK, 501, 111, 0);
    cr_expect_eq(missed(s), 0u, "they may come");
    send_segment(s, B, ACK, 501, 131, 0);
    cr_expect_eq(missed(s), 10u);
    expect_zeek(s, "S1", "ShADaG");
    send_segment(s, B, ACK, 501, 151, 0); /* nor are 131 to 150, and nothing behind them */
    cr_expect_eq(missed(s), 30u);
    cr_expect_eq(flow(s)->bytes[A], 50u, "all the same A sent them");
}

Test(zeek, what_comes_late_is_not_missed)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 131, 501, 10);
    send_segment(s, A, ACK, 111, 501, 10); /* in the middle of what is not there */
    send_segment(s, A, ACK, 101, 501, 10);
    send_segment(s, B, ACK, 501, 121, 0);
    cr_expect_eq(missed(s), 0u);
    send_segment(s, B, ACK, 501, 141, 0);
    cr_expect_eq(missed(s), 10u, "121 to 130");
}

Test(zeek, nothing_is_missed_in_a_connection_that_was_met_half_way)
{
    struct scene *s = begin();
    send_segment(s, A, ACK, 101, 501, 10);
    send_segment(s, A, ACK, 121, 501, 10);
    send_segment(s, B, ACK, 501, 131, 0);
    cr_expect_eq(missed(s), 0u);
}

Test(zeek, bytes_are_counted_by_the_ip_headers)
{
    struct scene *s = established();
    send_segment(s, A, ACK, 101, 501, 10);
    const struct flow_detail *d = flow_detail_at(&s->tracker.flows, s->tracker.flows.count - 1);
    cr_expect_eq(d->network[A], 3 * 40 + 10u);
    cr_expect_eq(d->network[B], 40u);
}

Test(zeek, the_last_ack_is_no_part_of_the_duration)
{
    struct scene *s = established();
    send_segment(s, A, FIN | ACK, 101, 501, 0);
    send_segment(s, B, FIN | ACK, 501, 102, 0);
    int64_t last = flow(s)->last;
    wait_ms(s, 500);
    send_segment(s, A, ACK, 102, 502, 0);
    const struct flow_detail *d = flow_detail_at(&s->tracker.flows, s->tracker.flows.count - 1);
    cr_expect_eq(d->productive, last);
    cr_expect(flow(s)->last > last);
}
