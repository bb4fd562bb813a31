/* Messages over TCP: cut out of segments, put together from several, in whatever order these come, in bounded memory.
 */
#include "track/messages.h"
#include "gathered.h"
#include "segments.h"

enum { MINE = 1000, ITS = 5000 };

static struct scene *s;
static uint32_t next_number[2];

static void setup(void)
{
    s = scene_open(TRACK_STREAMS | TRACK_MESSAGES);
    s->packet.streams = true;
    next_number[A] = MINE;
    next_number[B] = ITS;
}
TestSuite(messages, .init = setup);

static struct packet *send_at(enum who from, uint32_t seq, const void *bytes, size_t n, unsigned flags)
{
    uint8_t room[2000];
    size_t head = put_tcp(s, room, from, flags | ACK, seq, next_number[!from], 0);
    cr_assert_leq(head + n, sizeof room);
    memcpy(room + head, bytes, n);
    memcpy(put_ipv4(s, from, 6, head + n, (uint16_t)(s->number + 1), 0), room, head + n);
    return take(s);
}

/* The next bytes of a sender. */
static struct packet *send(enum who from, const void *bytes, size_t n)
{
    uint32_t seq = next_number[from];
    next_number[from] += (uint32_t)n;
    return send_at(from, seq, bytes, n, 0);
}

static struct packet *say(enum who from, const char *text)
{
    return send(from, text, strlen(text));
}

static struct packet *say_at(enum who from, uint32_t seq, const char *text)
{
    return send_at(from, seq, text, strlen(text), 0);
}

/* A text so often; good until the next call. */
static const char *often(unsigned times, const char *text)
{
    static char all[1500];
    size_t n = strlen(text);
    cr_assert_lt(times * n, sizeof all);
    for (unsigned i = 0; i < times; i++)
        memcpy(all + i * n, text, n);
    all[times * n] = 0;
    return all;
}

/* The protocols above TCP: "http,http,data". */
static const char *layers(const struct packet *p)
{
    static char text[400];
    bool above = false;
    text[0] = 0;
    for (unsigned i = 0; i < p->layer_count; i++) {
        const char *name = p->layers[i].protocol->name;
        size_t n = strlen(text);
        if (above && n + strlen(name) + 2 < sizeof text)
            snprintf(text + n, sizeof text - n, "%s%s", n ? "," : "", name);
        above |= !strcmp(name, "tcp");
    }
    return text;
}
#define LAYERS(p, expected) cr_assert_str_eq(layers(p), expected, "layers are %s", layers(p))

#define SAYS(p, name, expected) cr_assert_str_eq(gathered(p, name), expected, "%s is %s", name, gathered(p, name))

static const struct layer *first(const struct packet *p, const char *name)
{
    for (unsigned i = 0; i < p->layer_count; i++)
        if (!strcmp(p->layers[i].protocol->name, name))
            return &p->layers[i];
    return NULL;
}

/* --- where messages lie --- */

Test(messages, one_that_lies_whole_in_its_segment_is_read_where_it_lies)
{
    struct packet *p = say(A, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    LAYERS(p, "http");
    cr_assert_eq(first(p, "http")->buffer, 0);
    cr_assert_eq(p->buffer_count, 1);
    cr_assert_eq(&p->layers[p->subject], first(p, "http"));
    cr_assert_eq(messages_bytes(s->tracker.messages), 0);
}

Test(messages, one_in_three_segments_stands_in_the_packet_that_completes_it)
{
    LAYERS(say(A, "GET / HTT"), "data");
    LAYERS(say(A, "P/1.1\r\nHost: a\r"), "data");
    struct packet *p = say(A, "\n\r\n");
    LAYERS(p, "http");
    cr_assert_eq(first(p, "http")->buffer, 1);
    SAYS(p, "http.request.uri", "/");
    SAYS(p, "http.host", "a");
    say(A, "GET /2 HTTP/1.1\r\n\r\n");
    cr_assert_eq(messages_bytes(s->tracker.messages), 0);
}

Test(messages, several_in_a_segment_are_a_layer_each)
{
    struct packet *p = say(A, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
    LAYERS(p, "http,http,http");
    SAYS(p, "http.request.uri", "/1,/2,/3");
}

Test(messages, more_than_a_packet_has_layers_for_are_as_many_as_it_has)
{
    struct packet *p = say(A, often(60, "GET / HTTP/1.1\r\n\r\n"));
    cr_assert_leq(p->layer_count, LAYERS_MAX);
    cr_assert_str_eq(p->layers[4].protocol->name, "http");
    LAYERS(say(A, "GET / HTTP/1.1\r\n\r\n"), "http");
}

Test(messages, a_segment_may_end_one_and_hold_another_and_begin_a_third)
{
    say(A, "GET /1 HTTP/1.1\r\n");
    struct packet *p = say(A, "\r\nGET /2 HTTP/1.1\r\n\r\nGET /3");
    SAYS(p, "http.request.uri", "/1,/2");
    p = say(A, " HTTP/1.1\r\n\r\n");
    SAYS(p, "http.request.uri", "/3");
}

Test(messages, both_directions_have_their_own)
{
    say(A, "GET /1 HTTP/1.1\r\n");
    say(B, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n");
    SAYS(say(A, "\r\n"), "http.request.uri", "/1");
    LAYERS(say(B, "\r\nab"), "data");
    SAYS(say(B, "c"), "http.response.code", "200");
}

Test(messages, one_on_a_syn_counts_from_behind_it)
{
    static const char get[] = "GET / HTTP/1.1\r\n\r\n";
    LAYERS(send_at(A, MINE - 1, get, strlen(get), SYN), "http");
    next_number[A] += (uint32_t)strlen(get);
    LAYERS(say(A, get), "http");
}

/* --- order --- */

Test(messages, what_comes_again_stays_data)
{
    static const char get[] = "GET / HTTP/1.1\r\n\r\n";
    LAYERS(say(A, get), "http");
    LAYERS(say_at(A, MINE, get), "data");
    LAYERS(say_at(A, MINE, "GET /"), "data");
    LAYERS(say(A, get), "http");
}

Test(messages, what_was_missing_completes_one)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789abcdefghij";
    size_t n = strlen(answer);
    LAYERS(send_at(B, ITS, answer, 45, 0), "data");
    LAYERS(send_at(B, ITS + 50, answer + 50, n - 50, 0), "data");
    LAYERS(send_at(B, ITS + 50, answer + 50, n - 50, 0), "data");
    struct packet *p = send_at(B, ITS + 45, answer + 45, 5, 0);
    LAYERS(p, "http,data");
    cr_assert_arr_eq(layer_payload(p, first(p, "http")).at, "0123456789abcdefghij", 20);
}

Test(messages, one_that_was_sent_before_the_first_captured_is_read)
{
    static const char two[] = "GET /2 HTTP/1.1\r\n\r\n", one[] = "GET /1 HTTP/1.1\r\n\r\n";
    LAYERS(say_at(A, MINE, two), "http");
    LAYERS(say_at(A, MINE - 19, one), "http");
    LAYERS(say_at(A, MINE - 19, one), "data");
}

Test(messages, one_that_fills_a_gap_alone_is_read_once)
{
    static const char get[] = "GET /1 HTTP/1.1\r\n\r\n";
    say(A, get);
    LAYERS(say_at(A, MINE + 38, get), "http");
    LAYERS(say_at(A, MINE + 19, get), "http");
    LAYERS(say_at(A, MINE + 19, get), "data");
}

Test(messages, a_segment_that_overlaps_what_was_there_gives_what_is_new)
{
    say(A, "GET /1 HTTP/1.1\r\n");
    struct packet *p = say_at(A, MINE + 10, "xxxxxxx\r\nGET /2 HTTP/1.1\r\n\r\n");
    SAYS(p, "http.request.uri", "/1,/2");
    SAYS(p, "http.request.version", "HTTP/1.1,HTTP/1.1");
}

Test(messages, sequence_numbers_wrap)
{
    next_number[A] = 0xfffffffa;
    LAYERS(say(A, "GET /wrapped "), "data");
    SAYS(say(A, "HTTP/1.1\r\n\r\n"), "http.request.uri", "/wrapped");
}

Test(messages, one_that_never_comes_whole_ends_with_its_conversation)
{
    say(B, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (unsigned i = 0; i < HOLES; i++) /* a byte is always missing */
        say_at(B, next_number[B] + 1 + i * 2, "x");
    cr_assert_gt(messages_bytes(s->tracker.messages), 0);
    cr_assert_lt(messages_bytes(s->tracker.messages), 20000);
    messages_drop(s->tracker.messages, 0);
    cr_assert_eq(messages_bytes(s->tracker.messages), 0);
}

enum { LONG = 9999999 };
static const char long_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n";
static const uint8_t zeros[1400];

/* Of a body that takes as much room as any may, in a conversation of its own. */
static void begin_long_body(unsigned talk)
{
    s->port[A] = (uint16_t)(1000 + talk);
    next_number[B] = ITS;
    say(B, long_head);
    for (size_t n = 0; n <= MESSAGE_KEPT; n += sizeof zeros)
        send(B, zeros, sizeof zeros);
}

Test(messages, what_is_kept_in_all_has_an_end)
{
    for (unsigned i = 0; i < 700; i++) {
        begin_long_body(i);
        cr_assert_leq(messages_bytes(s->tracker.messages), MESSAGES_BYTES);
    }
    cr_assert_gt(messages_lost(s->tracker.messages), 100);
    LAYERS(say(A, "GET / HTTP/1.1\r\n\r\n"), "http");
}

/* The last packet of a long body, whose server's next number is `next`. */
static struct packet *end_long_body(unsigned talk, uint32_t next)
{
    struct packet *p = NULL;
    s->port[A] = (uint16_t)(1000 + talk);
    next_number[B] = next;
    for (uint32_t left = ITS + (uint32_t)strlen(long_head) + LONG - next; left;) {
        uint32_t n = left < sizeof zeros ? left : sizeof zeros;
        p = send(B, zeros, n);
        left -= n;
    }
    return p;
}

Test(messages, who_waited_the_longest_makes_room)
{
    enum { TALKS = 64, ROOM = 16, WAITED = 1, GOES_ON = 2 };
    messages_limit(s->tracker.messages, ROOM * (MESSAGE_KEPT + 4096));
    uint32_t next[TALKS];
    for (unsigned i = 0; i < TALKS; i++) {
        begin_long_body(i);
        next[i] = next_number[B];
        if (i <= GOES_ON)
            continue;
        s->port[A] = 1000 + GOES_ON; /* a byte now and then keeps it */
        next_number[B] = next[GOES_ON]++;
        send(B, zeros, 1);
    }
    cr_assert_leq(messages_lost(s->tracker.messages), TALKS - ROOM + 2);
    cr_assert_geq(messages_lost(s->tracker.messages), TALKS - ROOM - 2);
    cr_assert(!first(end_long_body(WAITED, next[WAITED]), "http"));
    cr_assert(first(end_long_body(GOES_ON, next[GOES_ON]), "http"));
    cr_assert(first(end_long_body(TALKS - 1, next[TALKS - 1]), "http"));
}

/* --- bodies --- */

static void body(const char *head, uint64_t n)
{
    static uint8_t part[1400];
    say(B, head);
    for (; n > sizeof part; n -= sizeof part) {
        LAYERS(send(B, part, sizeof part), "data");
        cr_assert_leq(messages_bytes(s->tracker.messages), MESSAGE_KEPT + 4096);
    }
    struct packet *p = send(B, part, (size_t)n);
    SAYS(p, "http.response.code", "200");
    const struct layer *data = first(p, "data");
    cr_assert(data && data->verdict == VERDICT_CUT);
}

Test(messages, a_long_body_is_counted_and_not_kept)
{
    body("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", 3000000);
    SAYS(say(B, "HTTP/1.1 404 Not\r\n\r\n"), "http.response.code", "");
    next_number[B] -= 20;
}

Test(messages, chunks_beyond_what_is_kept_are_followed)
{
    static char chunk[0x123 + 7];
    snprintf(chunk, sizeof chunk, "123\r\n");
    memset(chunk + 5, 'x', 0x123);
    memcpy(chunk + 5 + 0x123, "\r\n", 2);
    say(B, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    uint8_t segment[777]; /* so that sizes are cut at every place */
    size_t used = 0;
    for (unsigned i = 0; i < 2000; i++)
        for (size_t k = 0; k < 5 + 0x123 + 2; k++) {
            segment[used++] = (uint8_t)chunk[k];
            if (used == sizeof segment) {
                LAYERS(send(B, segment, used), "data");
                used = 0;
            }
        }
    send(B, segment, used);
    LAYERS(say(B, "0"), "data");
    LAYERS(say(B, "\r\nTrailer: yes\r\n"), "data");
    struct packet *p = say(B, "\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    SAYS(p, "http.response.code", "200,404");
}

Test(messages, a_chunk_without_a_size_ends_what_is_shown)
{
    struct packet *p = say(B, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n");
    SAYS(p, "http.response.code", "200");
}

Test(messages, a_body_without_a_length_goes_on_until_its_sender_closes)
{
    LAYERS(say(B, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsome"), "data");
    LAYERS(say(B, " more"), "data");
    struct packet *p = send_at(B, next_number[B], " end", 4, FIN);
    LAYERS(p, "http,data");
    cr_assert_arr_eq(layer_payload(p, first(p, "http")).at, "some more end", 13);
}

Test(messages, a_close_alone_ends_a_body_too)
{
    say(B, "HTTP/1.0 200 OK\r\n\r\nsome");
    struct packet *p = send_at(B, next_number[B], "", 0, FIN);
    LAYERS(p, "http,data");
    LAYERS(send_at(B, next_number[B], "", 0, FIN), "");
}

Test(messages, answers_that_have_no_body_have_none)
{
    say(A, "HEAD / HTTP/1.1\r\n\r\n");
    SAYS(say(B, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), "http.content_length", "9");
    SAYS(say(B, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
         "http.response.code", "304,204");
}

Test(messages, headers_without_end_are_shown_as_far_as_they_go)
{
    say(A, "GET / HTTP/1.1\r\n");
    unsigned shown = 0;
    for (unsigned i = 0; i < 100; i++) {
        const struct packet *p = say(A, often(100, "X-Name: yes\n"));
        shown += !strncmp(gathered(p, "http.request.method"), "GET", 3);
        cr_assert_leq(messages_bytes(s->tracker.messages), MESSAGE_KEPT + 4096);
    }
    cr_assert_eq(shown, 1);
}

/* --- whose --- */

Test(messages, off_its_port_a_protocol_is_known_by_its_looks)
{
    s->port[A] = 40000;
    s->port[B] = 40001;
    LAYERS(say(A, "hello"), "data");
    LAYERS(say(A, "GET / or not"), "data");
    LAYERS(say(A, "GET / HTTP/1.1\r\nHost: a\r\n"), "data");
    LAYERS(say(A, "\r\n"), "http");
    LAYERS(say(A, "GET / or not\r\n\r\n"), "http");
}

Test(messages, looks_tell_more_than_a_port)
{
    s->port[B] = 443;
    LAYERS(say(A, "GET / HTTP/1.1\r\n\r\n"), "http");
}

Test(messages, what_the_user_says_of_a_port_counts_more_than_looks)
{
    s->port[B] = 40443;
    cr_assert(registry_decode_as(KEY_TCP_PORT, 40443, registry_by_name("tls")));
    LAYERS(say(A, "GET / HTTP/1.1\r\n\r\n"), "data");
    LAYERS(send(A, "\x16\x03\x03\0\4\x0e\0\0\0", 9), "tls");
    s->port[B] = 80; /* the port of one protocol to that of another */
    s->port[A] = 40443;
    LAYERS(send(A, "\x16\x03\x03\0\4\x0e\0\0\0", 9), "tls");
}

Test(messages, after_an_upgrade_the_conversation_is_nobodys)
{
    say(A, "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n");
    LAYERS(say(B, "HTTP/1.1 101 Switching Protocols\r\n\r\nnew words"), "http");
    LAYERS(say(A, "GET out"), "data");
    LAYERS(send(B, "\x16\x03\x03\0\4\x0e\0\0\0", 9), "tls");
}

Test(messages, behind_connect_something_else_is_spoken)
{
    s->port[B] = 3128;
    say(A, "CONNECT example.org:443 HTTP/1.1\r\n\r\n");
    LAYERS(say(B, "HTTP/1.1 200 Go on\r\n\r\n"), "http");
    LAYERS(send(A, "\x16\x03\x01\0\4\x0e\0\0\0", 9), "tls");
}

Test(messages, a_reset_says_nothing_of_a_message)
{
    static const char get[] = "GET / HTTP/1.1\r\n\r\n";
    LAYERS(send_at(A, MINE, get, strlen(get), RST), "data");
}

Test(messages, a_segment_that_was_cut_short_is_read_alone)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n";
    send_at(B, ITS, answer, strlen(answer), 0);
    struct packet *p = &s->packet;
    packet_reset(p, (struct span){ s->bytes, 60 });
    p->wire_length = (uint32_t)s->length;
    messages_drop(s->tracker.messages, 0);
    dissect(p);
    tracker_take(&s->tracker, p);
    SAYS(p, "http.response.code", "200");
    cr_assert_eq(first(p, "http")->verdict, VERDICT_CUT);
    cr_assert_eq(messages_bytes(s->tracker.messages), 0);
}

Test(messages, what_another_conversation_left_is_not_found_by_the_next)
{
    say(A, "GET /1 HTTP/1.1\r\n");
    s->tracker.max_connections = 1;
    s->port[A] = 1001;
    LAYERS(say(A, "\r\n"), "data");
    cr_assert_eq(messages_bytes(s->tracker.messages), 0);
}

/* --- DNS --- */

Test(messages, dns_over_tcp_has_a_length_in_front)
{
    static const uint8_t query[] = { 0, 19, 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1 };
    s->port[B] = 53;
    struct packet *p = send(A, query, sizeof query);
    LAYERS(p, "dns");
    SAYS(p, "dns.length", "19");
    SAYS(p, "dns.qry.name", "a");
    LAYERS(send(A, query, 1), "data");
    LAYERS(send(A, query + 1, 10), "data");
    p = send(A, query + 11, sizeof query - 11);
    LAYERS(p, "dns");
    SAYS(p, "dns.length", "19");
    SAYS(p, "dns.id", "0x0007");
    LAYERS(send(A, "\0\3abc", 5), "data");
}

/* --- TLS --- */

/* A record of a type with n bytes of `fill`. */
static size_t put_record(uint8_t *at, uint8_t type, uint8_t fill, uint16_t n)
{
    at[0] = type;
    store_be16(at + 1, 0x0303);
    store_be16(at + 3, n);
    memset(at + 5, fill, n);
    return 5u + n;
}

Test(messages, whole_records_of_a_segment_are_a_layer_and_the_rest_begins_the_next)
{
    uint8_t bytes[600];
    size_t n = put_record(bytes, 23, 1, 100);
    n += put_record(bytes + n, 23, 2, 100);
    size_t whole = n;
    n += put_record(bytes + n, 23, 3, 100);
    s->port[B] = 443;
    struct packet *p = send(A, bytes, whole + 50);
    LAYERS(p, "tls");
    SAYS(p, "tls.record.length", "100,100");
    p = send(A, bytes + whole + 50, n - whole - 50);
    LAYERS(p, "tls");
    SAYS(p, "tls.record.length", "100");
}

Test(messages, behind_a_change_of_cipher_the_handshake_is_secret)
{
    uint8_t bytes[200];
    size_t n = put_record(bytes, 22, 0, 20); /* five hello requests in the clear */
    s->port[B] = 443;
    SAYS(send(A, bytes, n), "tls.handshake.type", "0,0,0,0,0");
    size_t change = put_record(bytes, 20, 1, 1);
    n = change + put_record(bytes + change, 22, 0, 20);
    struct packet *p = send(A, bytes, n);
    LAYERS(p, "tls,tls");
    SAYS(p, "tls.record.content_type", "20,22");
    SAYS(p, "tls.handshake.type", "");
    SAYS(send(B, bytes + change, n - change), "tls.handshake.type", "0,0,0,0,0");
}

Test(messages, a_hello_in_the_record_of_ssl_2_begins_a_conversation)
{
    static const char hello[] = "\x80\x1c\1\3\1\0\3\0\0\0\x10\0\0\x2f"
                                "0123456789abcdef";
    s->port[B] = 443;
    struct packet *p = send(A, hello, 30);
    LAYERS(p, "tls");
    SAYS(p, "tls.handshake.version", "0x0301");
    SAYS(p, "tls.handshake.cipherspecs", "00002f");
    SAYS(p, "tls.record.content_type", "");
    p = send(B, "\x16\x03\x01\0\4\x0e\0\0\0", 9);
    SAYS(p, "tls.handshake.type", "14");
}

Test(messages, tls_1_3_is_what_the_server_chose)
{
    uint8_t hello[100] = { 22, 3, 3, 0, 50, 2, 0, 0, 46, 3, 3 };
    hello[43] = 0;                                          /* session ID's length */
    memcpy(hello + 44, "\x13\x01\0\0\6\0\x2b\0\2\3\4", 11); /* cipher, no compression, extensions */
    size_t n = 55 + put_record(hello + 55, 23, 9, 20);
    s->port[B] = 443;
    struct packet *p = send(B, hello, n);
    SAYS(p, "tls.handshake.extensions.supported_version", "0x0304");
    SAYS(p, "tls.handshake.ciphersuite", "0x1301");
    SAYS(p, "tls.record.content_type", "22");
    SAYS(p, "tls.record.opaque_type", "23");
}

/* A server's hello that chooses TLS 1.3, as a record. */
static size_t put_choice(uint8_t at[100])
{
    memset(at, 0, 100);
    memcpy(at, "\x16\3\3\0\x32\2\0\0\x2e\3\3", 11);
    memcpy(at + 44, "\x13\x01\0\0\6\0\x2b\0\2\3\4", 11);
    return 55;
}

Test(messages, in_tls_1_3_a_change_of_cipher_hides_no_second_hello)
{
    uint8_t bytes[200];
    s->port[B] = 443;
    send(B, bytes, put_choice(bytes)); /* asks to try again */
    size_t n = put_record(bytes, 20, 1, 1);
    n += put_choice(bytes + n);
    struct packet *p = send(A, bytes, n);
    SAYS(p, "tls.record.content_type", "20,22");
    SAYS(p, "tls.handshake.type", "2");
}

/* Of a message's bytes as many as these, as a record. */
static size_t put_part(uint8_t *at, const uint8_t *message, uint16_t n)
{
    put_record(at, 22, 0, n);
    memcpy(at + 5, message, n);
    return 5u + n;
}

Test(messages, a_handshake_message_over_several_records_has_its_type_where_it_ends)
{
    uint8_t bytes[400], run[128] = { 11, 0, 0, 100 };
    memset(run + 4, 0xc5, 100);
    memcpy(run + 104, "\x0e\0\0\0", 4);
    s->port[B] = 443;
    struct packet *p = send(B, bytes, put_part(bytes, run, 30));
    SAYS(p, "tls.handshake.type", "");
    p = send(A, bytes, put_record(bytes, 22, 0, 20)); /* the other end's have nothing to do with it */
    SAYS(p, "tls.handshake.type", "0,0,0,0,0");
    p = send(B, bytes, put_part(bytes, run + 30, 30));
    SAYS(p, "tls.handshake.type", "");
    size_t n = put_part(bytes, run + 60, 48);
    n += put_record(bytes + n, 22, 0, 20);
    p = send(B, bytes, n);
    LAYERS(p, "tls,tls");
    SAYS(p, "tls.handshake.type", "11,14,0,0,0,0,0");
}

Test(messages, a_length_that_is_no_number_is_no_length)
{
    s->port[B] = 80;
    LAYERS(say(B, "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nabcde"), "data");
    LAYERS(say(B, "more"), "data");
    LAYERS(send_at(B, next_number[B], "", 0, FIN), "http,data");
}

Test(messages, an_empty_line_in_front_belongs_to_the_message_behind_it)
{
    s->port[B] = 80;
    struct packet *p = say(A, "\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\n\r\n");
    LAYERS(p, "http,data,http");
    SAYS(p, "http.request.uri", "/,/2");
}

Test(messages, what_a_message_tells_about_later_ones_stays_when_others_begin_meanwhile)
{
    uint8_t hello[100] = { 22, 3, 3, 0, 50, 2, 0, 0, 46, 3, 3 };
    memcpy(hello + 44, "\x13\x01\0\0\6\0\x2b\0\2\3\4", 11); /* as above: TLS 1.3 is chosen */
    size_t n = 55 + put_record(hello + 55, 23, 9, 20);
    s->port[B] = 443;
    send(B, hello, 30);
    for (uint16_t i = 0; i < 500; i++) { /* more conversations than there was room for */
        s->port[A] = (uint16_t)(2000 + i);
        send_at(B, ITS, hello, 30, 0);
    }
    s->port[A] = 1000;
    SAYS(send(B, hello + 30, n - 30), "tls.record.opaque_type", "23");
}
