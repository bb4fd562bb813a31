/* HTTP and TLS by themselves: what their tables read of a message, and what is left of one that lies. */
#include "taken.h"

static void setup(void)
{
    registry_open();
}
TestSuite(applications, .init = setup);

/* A message as the stream layer hands it on: what was kept of it, how long it is, what its stream told before. */
static void read_as(const char *protocol, const void *bytes, size_t n, size_t wire, uint8_t flags)
{
    static const struct layer tcp;
    packet_reset(&packet, (struct span){ 0 });
    dissect_assembled(&packet, registry_by_name(protocol), &tcp, (struct span){ bytes, n }, (uint32_t)wire,
                      &(struct message){ .flags = flags });
}

static void http(const char *text)
{
    read_as("http", text, strlen(text), strlen(text), 0);
}

#define TLS(...)                                                                                                       \
    static const uint8_t bytes[] = { __VA_ARGS__ };                                                                    \
    read_as("tls", bytes, sizeof bytes, sizeof bytes, 0)

/* --- HTTP --- */

Test(applications, a_request_line_is_of_three_words)
{
    http("GET /a?b=c HTTP/1.1\r\n\r\n");
    SAYS("http.request", "1");
    SAYS("http.request.method", "GET");
    SAYS("http.request.uri", "/a?b=c");
    SAYS("http.request.version", "HTTP/1.1");
    SAYS("http.response", "");
    SAYS("http.response.code", "");
}

Test(applications, a_request_line_may_lack_words)
{
    http("GET /a\r\n\r\n");
    SAYS("http.request.uri", "/a");
    SAYS("http.request.version", "");
    http("GET \r\n\r\n");
    SAYS("http.request.method", "GET");
    SAYS("http.request.uri", "");
}

Test(applications, a_method_may_stand_alone)
{
    http("GET\r\nHost: a\r\n\r\n");
    SAYS("http.request.method", "GET");
    SAYS("http.request.uri", "");
    SAYS("http.host", "a");
}

Test(applications, an_empty_line_in_front_of_a_message_is_skipped)
{
    http("\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    SAYS("http.request.uri", "/a");
    SAYS("http.host", "a");
    cr_assert_str_eq(summary(0), "GET /a HTTP/1.1, host a");
}

Test(applications, behind_a_first_line_a_colon_makes_a_header)
{
    http("GET / HTTP/1.1\r\nHost : a\r\n(x): b\r\nUser-Agent: c\r\nnone\r\nServer: d\r\n\r\n");
    SAYS("http.unknown_header", "Host : a,(x): b");
    SAYS("http.user_agent", "c");
    SAYS("http.server", "");
}

Test(applications, a_status_line_may_have_more_spaces_and_be_a_shoutcast_streams)
{
    http("HTTP/1.1  200  OK\r\n\r\n");
    SAYS("http.response.code", "200");
    SAYS("http.response.phrase", "OK");
    http("ICY 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n");
    SAYS("http.response.code", "200");
    SAYS("http.content_type", "audio/mpeg");
}

Test(applications, a_header_that_the_capture_cuts_before_its_lf_has_no_cr)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r";
    read_as("http", text, sizeof text - 1, 100, 0);
    SAYS("http.host", "a");
}

Test(applications, a_word_that_is_no_method_begins_no_request)
{
    http("GETS /a HTTP/1.1\r\n\r\n");
    SAYS("http.request.method", "");
    http("get /a HTTP/1.1\r\n\r\n");
    SAYS("http.request.method", "");
}

Test(applications, an_answer_has_a_code_of_three_digits)
{
    http("HTTP/1.1 404 Not Found\r\n\r\n");
    SAYS("http.response.version", "HTTP/1.1");
    SAYS("http.response.code", "404");
    SAYS("http.response.phrase", "Not Found");
    http("HTTP/1.1 40x Not Found\r\n\r\n");
    SAYS("http.response.code", "");
    http("HTTP/1.1\r\n\r\n");
    SAYS("http.response.version", "HTTP/1.1");
    SAYS("http.response.code", "");
    http("HTTP/1.1 200\r\n\r\n");
    SAYS("http.response.code", "200");
    SAYS("http.response.phrase", "");
}

Test(applications, values_of_headers_have_no_spaces_around_them)
{
    http("GET / HTTP/1.1\r\nhost: \t a b \t\r\nUSER-AGENT:c\r\nAccept:\r\n\r\n");
    SAYS("http.host", "a b");
    SAYS("http.user_agent", "c");
    SAYS("http.accept", "");
    SAYS("http.header", "host: \\t a b \\t,USER-AGENT:c,Accept:");
}

Test(applications, lines_may_end_without_a_carriage_return)
{
    http("GET / HTTP/1.1\nHost: a\n\nbody");
    SAYS("http.request.version", "HTTP/1.1");
    SAYS("http.host", "a");
    SAYS("data.len", "4");
}

Test(applications, names_are_known_whole)
{
    http("GET / HTTP/1.1\r\nHos: a\r\nHosts: b\r\nContent-Lengths: 4\r\nUnheard-Of: c\r\n\r\n");
    SAYS("http.host", "");
    SAYS("http.content_length", "");
    SAYS("http.unknown_header", "Hos: a,Hosts: b,Content-Lengths: 4,Unheard-Of: c");
}

Test(applications, a_length_that_is_no_number_is_text_alone)
{
    http("HTTP/1.1 200 OK\r\nContent-Length: 12 bytes\r\n\r\n");
    SAYS("http.content_length_header", "12 bytes");
    SAYS("http.content_length", "");
    http("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n");
    SAYS("http.content_length", "");
}

Test(applications, a_line_that_is_no_header_ends_them)
{
    http("GET / HTTP/1.1\r\nHost: a\r\nnot a header\r\nUser-Agent: b\r\n\r\n");
    SAYS("http.host", "a");
    SAYS("http.user_agent", "");
    cr_assert_eq(packet.layers[0].verdict, VERDICT_WHOLE);
    SAYS("data.len", "31");
}

Test(applications, headers_alone_are_read_too)
{
    http("Content-Type: text/plain\r\n\r\n");
    SAYS("http.content_type", "text/plain");
    cr_assert_str_eq(summary(0), "continued");
}

Test(applications, headers_that_the_capture_cut_off_are_read_as_far_as_they_are_there)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nUser-Ag";
    read_as("http", text, strlen(text), 200, 0);
    SAYS("http.host", "a");
    cr_assert_eq(packet.layers[0].verdict, VERDICT_CUT);
}

Test(applications, a_line_shows_no_control_character)
{
    http("GET /\x1b[2J HTTP/1.1\r\nHost: \x9b\r\n\r\n");
    for (const char *c = summary(0); *c; c++)
        cr_assert(*c >= ' ' && *c < 0x7f);
    http("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n");
    cr_assert_str_eq(summary(0), "HTTP/1.1 200 OK, text/plain, length 7");
}

Test(applications, ssdp_is_http_in_datagrams)
{
    TAKE(RAW, IPV4(47, 17), 0x9c, 0x40, 0x07, 0x6c, 0, 27, 0, 0, 'N', 'O', 'T', 'I', 'F', 'Y', ' ', '*', ' ', 'H', 'T',
         'T', 'P', '\r', '\n');
    (void)p;
    cr_assert_str_eq(last()->protocol->name, "ssdp");
    SAYS("http.request.method", "NOTIFY");
}

/* --- TLS --- */

#define RECORD(type, length) type, 3, 3, 0, length
#define RANDOM                                                                                                         \
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

Test(applications, a_client_says_whom_it_calls)
{
    TLS(RECORD(22, 72), 1, 0, 0, 68, 3, 3, RANDOM, 0, 0, 4, 0x13, 1, 0, 5, 1, 0, 0, 23, 0, 0, 0, 8, 0, 6, 0, 0, 3, 'a',
        'b', 'c', 0, 16, 0, 7, 0, 5, 2, 'h', '2', 1, 'x');
    SAYS("tls.handshake.type", "1");
    SAYS("tls.handshake.version", "0x0303");
    SAYS("tls.handshake.ciphersuite", "0x1301,0x0005");
    SAYS("tls.handshake.extensions_server_name", "abc");
    SAYS("tls.handshake.extensions_alpn_str", "h2,x");
    cr_assert_str_eq(summary(0), "Client Hello abc");
}

Test(applications, a_list_of_versions_and_a_choice_are_one_field)
{
    TLS(RECORD(22, 54), 1, 0, 0, 50, 3, 3, RANDOM, 0, 0, 2, 0, 5, 1, 0, 0, 7, 0, 43, 0, 3, 2, 3, 4, 0, 0);
    SAYS("tls.handshake.extensions.supported_version", "0x0304");
}

Test(applications, a_hello_without_extensions_is_whole)
{
    TLS(RECORD(22, 45), 1, 0, 0, 41, 3, 1, RANDOM, 0, 0, 2, 0, 5, 1, 0);
    SAYS("tls.handshake.ciphersuite", "0x0005");
    SAYS("tls.handshake.extensions_length", "");
    cr_assert_str_eq(summary(0), "Client Hello");
}

Test(applications, suites_beyond_the_end_are_none)
{
    TLS(RECORD(22, 43), 1, 0, 0, 39, 3, 1, RANDOM, 0, 0xff, 0xfe, 0, 5);
    SAYS("tls.handshake.type", "1");
    SAYS("tls.handshake.cipher_suites_length", "65534");
    SAYS("tls.handshake.ciphersuite", "");
}

Test(applications, a_name_longer_than_its_extension_is_none)
{
    TLS(RECORD(22, 59), 1, 0, 0, 55, 3, 3, RANDOM, 0, 0, 2, 0, 5, 1, 0, 0, 12, 0, 0, 0, 8, 0, 6, 0, 0, 99, 'a', 'b',
        'c');
    SAYS("tls.handshake.extensions_server_name_len", "99");
    SAYS("tls.handshake.extensions_server_name", "");
    cr_assert_str_eq(summary(0), "Client Hello abc");
}

Test(applications, an_extension_beyond_the_end_shows_its_head)
{
    TLS(RECORD(22, 54), 1, 0, 0, 50, 3, 3, RANDOM, 0, 0, 2, 0, 5, 1, 0, 0, 7, 0, 16, 0, 200, 0, 3, 2);
    SAYS("tls.handshake.extension.len", "200");
    SAYS("tls.handshake.extensions_alpn_str", "");
}

Test(applications, several_messages_in_a_record_are_several)
{
    TLS(RECORD(22, 8), 14, 0, 0, 0, 0, 0, 0, 0);
    SAYS("tls.handshake.type", "14,0");
    cr_assert_str_eq(summary(0), "Server Hello Done, Hello Request");
}

Test(applications, a_message_that_goes_on_in_the_next_record_is_a_part_until_it_ends)
{
    TLS(RECORD(22, 20), 11, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    SAYS("tls.handshake.type", "");
    SAYS("tls.handshake.part", "0b0009000102030405060708090a0b0c0d0e0f10");
    cr_assert_str_eq(summary(0), "Certificate");
}

Test(applications, what_makes_no_sense_as_a_message_is_encrypted)
{
    TLS(RECORD(22, 20), 77, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    SAYS("tls.handshake.type", "");
    cr_assert_str_eq(summary(0), "Encrypted Handshake");
}

Test(applications, an_alert_in_the_clear_has_two_bytes)
{
    TLS(RECORD(21, 2), 2, 40, RECORD(21, 4), 2, 40, 0, 0);
    SAYS("tls.alert_message.desc", "40");
    cr_assert_str_eq(summary(0), "Alert Handshake Failure, Alert");
}

Test(applications, records_of_no_bytes_are_records)
{
    TLS(RECORD(23, 0), RECORD(22, 0), RECORD(21, 0));
    SAYS("tls.record.content_type", "23,22,21");
    SAYS("tls.app_data", "");
}

Test(applications, what_is_no_record_is_left_as_data)
{
    TLS(RECORD(23, 1), 9, 'S', 'S', 'H', '-', '2');
    SAYS("tls.record.content_type", "23");
    SAYS("data.len", "5");
}

Test(applications, a_record_that_the_capture_cut_off_is_read_as_far_as_it_is_there)
{
    static const uint8_t bytes[] = { RECORD(22, 200), 1, 0, 0, 196, 3, 3, RANDOM, 0, 0, 4, 0x13, 1 };
    read_as("tls", bytes, sizeof bytes, 205, 0);
    SAYS("tls.record.content_type", "22");
    SAYS("tls.handshake.version", "0x0303");
    cr_assert_eq(packet.layers[0].verdict, VERDICT_CUT);
}

Test(applications, what_the_stream_told_hides_what_is_secret)
{
    static const uint8_t bytes[] = {
        RECORD(22, 16), 1, 0, 0, 12, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, RECORD(23, 1), 0
    };
    read_as("tls", bytes, sizeof bytes, sizeof bytes, LAYER_TOLD_1 | LAYER_TOLD_2);
    SAYS("tls.handshake.type", "");
    SAYS("tls.record.content_type", "22");
    SAYS("tls.record.opaque_type", "23");
}
