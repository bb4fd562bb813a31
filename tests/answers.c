/* Which question a message answers, and how long that took. */
#include "track/answers.h"
#include "segments.h"

#define LEVELS (TRACK_STREAMS | TRACK_ANSWERS)

static const struct note *note_of(const struct packet *p, const char *protocol)
{
    for (unsigned i = 0; i < p->layer_count; i++)
        if (!strcmp(p->layers[i].protocol->name, protocol))
            return layer_note(p, &p->layers[i]);
    return NULL;
}

/* A question for the addresses of "a", or an answer that says there are none. */
static size_t put_dns(uint8_t *to, uint16_t id, bool answer)
{
    static const uint8_t question[] = { 1, 'a', 0, 0, 1, 0, 1 };
    memset(to, 0, 12);
    store_be16(to, id);
    to[2] = answer ? 0x81 : 1;
    to[5] = 1;
    memcpy(to + 12, question, sizeof question);
    return 12 + sizeof question;
}

/* A datagram of DNS. The note on the message, or NULL. */
static const struct note *dns(struct scene *s, enum who from, uint16_t id, bool answer)
{
    uint8_t message[64];
    size_t n = put_dns(message, id, answer);
    uint8_t *udp = put_ipv4(s, from, 17, 8 + n, (uint16_t)(s->number + 1), 0);
    store_be16(udp, s->port[from]);
    store_be16(udp + 2, s->port[!from]);
    store_be16(udp + 4, (uint16_t)(8 + n));
    store_be16(udp + 6, 0);
    memcpy(udp + 8, message, n);
    return note_of(take(s), "dns");
}

static const struct note *asks(struct scene *s, uint16_t id)
{
    return dns(s, A, id, false);
}

static const struct note *answers(struct scene *s, uint16_t id)
{
    return dns(s, B, id, true);
}

static struct scene *resolver(void)
{
    struct scene *s = scene_open(LEVELS);
    s->port[B] = 53;
    return s;
}

static void answers_after(const struct note *note, uint32_t frame, int64_t ms)
{
    cr_assert(has(note, NOTE_ANSWERS));
    cr_assert_eq(note->question_frame, frame);
    cr_assert_eq(note->answer_time, ms * 1000000);
}

/* --- questions with numbers --- */

Test(answers, an_answer_names_its_question_and_how_long_it_took)
{
    struct scene *s = resolver();
    cr_assert_null(asks(s, 7));
    asks(s, 8);
    wait_ms(s, 20);
    answers_after(answers(s, 7), 1, 22);
    answers_after(answers(s, 8), 2, 22);
}

Test(answers, an_answer_that_comes_twice_says_so_twice)
{
    struct scene *s = resolver();
    asks(s, 7);
    answers_after(answers(s, 7), 1, 1);
    answers_after(answers(s, 7), 1, 2);
}

Test(answers, an_answer_to_nothing_or_to_others_has_no_question)
{
    struct scene *s = resolver();
    cr_assert_null(answers(s, 7));
    asks(s, 7);
    cr_assert_null(answers(s, 9));
    s->port[A] = 1001;
    cr_assert_null(answers(s, 7));
}

Test(answers, a_question_that_is_repeated_counts_from_the_first_time)
{
    struct scene *s = resolver();
    asks(s, 7);
    wait_ms(s, 3000);
    asks(s, 7);
    answers_after(answers(s, 7), 1, 3002);
    asks(s, 7);
    answers_after(answers(s, 7), 4, 1);
}

Test(answers, five_seconds_later_it_is_another_question)
{
    struct scene *s = resolver();
    asks(s, 7);
    wait_ms(s, 5000);
    asks(s, 7);
    answers_after(answers(s, 7), 2, 1);
}

Test(answers, where_time_steps_back_the_wait_is_negative)
{
    struct scene *s = resolver();
    asks(s, 7);
    wait_ms(s, -50);
    answers_after(answers(s, 7), 1, -49);
}

Test(answers, more_questions_than_there_is_room_for_forget_the_oldest)
{
    struct scene *s = resolver();
    for (unsigned i = 0; i < 4 * ANSWERS_ROOM; i++) {
        s->port[A] = (uint16_t)(1024 + i / 8);
        asks(s, (uint16_t)i);
    }
    unsigned known = 0;
    for (unsigned i = 4 * ANSWERS_ROOM; i-- > 0;) {
        s->port[A] = (uint16_t)(1024 + i / 8);
        const struct note *n = answers(s, (uint16_t)i);
        cr_assert(!n || n->question_frame == i + 1);
        known += n != NULL;
        if (i >= 4 * ANSWERS_ROOM - ANSWERS_ROOM / 4)
            cr_assert(n, "question %u is young", i);
    }
    cr_assert_leq(known, ANSWERS_ROOM);
}

static const struct note *ping(struct scene *s, enum who from, bool reply, uint16_t ident, uint16_t sequence)
{
    uint8_t *icmp = put_ipv4(s, from, 1, 8, (uint16_t)(s->number + 1), 0);
    memset(icmp, 0, 8);
    icmp[0] = reply ? 0 : 8;
    store_be16(icmp + 4, ident);
    store_be16(icmp + 6, sequence);
    return note_of(take(s), "icmp");
}

Test(answers, a_ping_is_answered_by_address_identifier_and_sequence_number)
{
    struct scene *s = scene_open(LEVELS);
    ping(s, A, false, 40000, 1);
    ping(s, A, false, 40000, 2);
    ping(s, B, false, 50000, 1);
    answers_after(ping(s, B, true, 40000, 2), 2, 2);
    answers_after(ping(s, B, true, 40000, 1), 1, 4);
    answers_after(ping(s, A, true, 50000, 1), 3, 3);
    cr_assert_null(ping(s, B, true, 40001, 1));
    cr_assert_null(ping(s, B, true, 40000, 3));
}

Test(answers, a_ping_between_other_addresses_is_another_one)
{
    struct scene *s = scene_open(LEVELS);
    ping(s, A, false, 1, 1);
    uint8_t *reply = put_ipv4(s, B, 1, 8, 1, 0);
    memcpy(reply, (uint8_t[]){ 0, 0, 0, 0, 0, 1, 0, 1 }, 8);
    s->bytes[15] = 9;
    cr_assert_null(note_of(take(s), "icmp"));
}

/* --- questions that are answered in their order --- */

/* A segment of HTTP. The note on the message, or NULL. */
static const struct note *says(struct scene *s, enum who from, uint32_t seq, uint32_t ack, const char *text)
{
    uint8_t room[512];
    size_t n = strlen(text), head = put_tcp(s, room, from, ACK | PSH, seq, ack, 0);
    memcpy(room + head, text, n);
    memcpy(put_ipv4(s, from, 6, head + n, (uint16_t)(s->number + 1), 0), room, head + n);
    return note_of(take(s), "http");
}

#define GET  "GET / HTTP/1.1\r\n\r\n"
#define OK   "HTTP/1.1 204 No Content\r\n\r\n"
#define WAIT "HTTP/1.1 100 Continue\r\n\r\n"
#define OVER "HTTP/1.1 101 Switching Protocols\r\n\r\n"

Test(answers, requests_are_answered_in_their_order)
{
    struct scene *s = scene_open(LEVELS);
    says(s, A, 1, 1, GET);
    says(s, A, 19, 1, GET);
    wait_ms(s, 10);
    answers_after(says(s, B, 1, 37, OK), 1, 12);
    answers_after(says(s, B, 28, 37, OK), 2, 12);
    cr_assert_null(says(s, B, 55, 37, OK), "nobody asked");
}

Test(answers, an_answer_that_was_not_captured_keeps_nobody_waiting)
{
    struct scene *s = scene_open(LEVELS);
    says(s, A, 1, 1, GET);
    says(s, A, 19, 28, GET); /* it has the first answer */
    answers_after(says(s, B, 28, 37, OK), 2, 1);
    says(s, A, 37, 55, GET);
    answers_after(says(s, B, 55, 55, OK), 4, 1);
}

Test(answers, an_interim_answer_is_none)
{
    struct scene *s = scene_open(LEVELS);
    says(s, A, 1, 1, GET);
    cr_assert_null(says(s, B, 1, 19, WAIT));
    answers_after(says(s, B, 26, 19, OVER), 1, 2);
}

Test(answers, a_stream_of_tcp_and_one_of_udp_with_its_number_are_two)
{
    struct scene *s = scene_open(LEVELS);
    says(s, A, 1, 1, GET);
    s->port[B] = 53;
    cr_assert_null(answers(s, 1));
    asks(s, 1);
    answers_after(answers(s, 1), 3, 1);
    s->port[B] = 80;
    answers_after(says(s, B, 1, 19, OK), 1, 4);
}

/* --- who reads it --- */

Test(answers, what_is_known_of_the_segment_stands_beside_it)
{
    struct scene *s = scene_open(LEVELS | TRACK_ANALYSIS);
    says(s, A, 1, 1, GET);
    says(s, B, 1, 19, OK);
    cr_assert_eq(packet_note(&s->packet), note_of(&s->packet, "tcp"));
    cr_assert(has(packet_note(&s->packet), NOTE_STREAM));
}

Test(answers, only_who_asks_for_it_pays)
{
    struct scene *s = scene_open(TRACK_STREAMS);
    cr_assert_null(s->tracker.answers);
    s->port[B] = 53;
    asks(s, 7);
    cr_assert_null(answers(s, 7));
    cr_assert_eq(tracker_levels(UINT64_C(1) << NOTE_ANSWERS), TRACK_STREAMS | TRACK_ANSWERS);
}
