/* HTTP bodies unpacked, and ladders' labels: what the program from outside cannot be made to do easily, chiefly bytes
 * that come in every possible portion. */
#include "output/unpack.h"
#include "output/ladder.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { MOST = 1 << 16 };

struct seen {
    char text[MOST];
    size_t n;
    unsigned said;
};

static void on_bytes(void *context, struct span bytes, bool unpacked)
{
    struct seen *s = context;
    (void)unpacked;
    cr_assert(s->n + bytes.left < MOST);
    memcpy(s->text + s->n, bytes.at, bytes.left);
    s->text[s->n += bytes.left] = 0;
}

static void on_said(void *context, const char *sentence)
{
    cr_assert(*sentence);
    ((struct seen *)context)->said++;
}

static const struct unpack_sink sink = { on_bytes, on_said };

/* All of it in portions of so many bytes. */
static const struct seen *unpacked(const void *bytes, size_t n, size_t portion)
{
    static struct seen seen;
    struct unpack u;
    seen = (struct seen){ 0 };
    unpack_open(&u, &sink, &seen, NULL);
    for (size_t at = 0; at < n; at += portion)
        unpack_take(&u, span_part((struct span){ bytes, n }, at, portion));
    unpack_end(&u);
    return &seen;
}

static size_t gzipped(uint8_t *to, size_t room, const char *text)
{
    z_stream z = { 0 };
    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = to;
    z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"

Test(unpack, portions_of_any_size_give_the_same)
{
    uint8_t packed[256], message[1024];
    size_t n = gzipped(packed, sizeof packed, "a page that says little, little, little"), at = 0;
    for (unsigned twice = 0; twice < 2; twice++) {
        at += (size_t)snprintf((char *)message + at, sizeof message - at, HEAD "5\r\n");
        memcpy(message + at, packed, 5);
        at += 5;
        at += (size_t)snprintf((char *)message + at, sizeof message - at, "\r\n%zx ;x=y\r\n", n - 5);
        memcpy(message + at, packed + 5, n - 5);
        at += n - 5;
        at += (size_t)snprintf((char *)message + at, sizeof message - at, "\r\n0\r\n\r\n");
    }
    for (size_t portion = 1; portion <= at; portion++) {
        const struct seen *s = unpacked(message, at, portion);
        cr_assert_str_eq(s->text, HEAD "a page that says little, little, little\r\n" HEAD
                                       "a page that says little, little, little\r\n");
        cr_assert_eq(s->said, 0);
    }
}

Test(unpack, what_is_no_http_goes_through_as_it_is)
{
    static const char *const texts[] = { "SSH-2.0-x\r\nmore", "\x16\x03\x01", "GET nothing\r\n\r\nmore",
                                         "HTTP/1.1\r\n\r\n5\r\n", "POST / SIP/2.0\r\nContent-Length: 99\r\n\r\nab" };
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t portion = 1; portion < 9; portion++)
            cr_assert_str_eq(unpacked(texts[i], strlen(texts[i]), portion)->text, texts[i]);
}

Test(unpack, a_gap_of_a_body_of_known_length_is_counted_over)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12", rest[] = "90HTTP/1.1 204 No\r\n\r\n";
    struct seen seen = { 0 };
    struct unpack u;
    unpack_open(&u, &sink, &seen, NULL);
    unpack_take(&u, (struct span){ (const uint8_t *)head, sizeof head - 1 });
    unpack_gap(&u, 6);
    unpack_take(&u, (struct span){ (const uint8_t *)rest, sizeof rest - 1 });
    cr_assert_eq(u.state, UNPACK_START);
    unpack_end(&u);
    cr_assert_eq(seen.said, 0);
}

Test(unpack, answers_belong_to_requests_in_their_order)
{
    static const char asks[] = "GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    static const char answers[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
                                  "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n";
    struct seen seen = { 0 };
    struct unpack client, server;
    unpack_open(&client, &sink, &seen, &server);
    unpack_open(&server, &sink, &seen, &client);
    unpack_take(&client, (struct span){ (const uint8_t *)asks, sizeof asks - 1 });
    cr_assert_eq(client.waiting, 3);
    seen.n = 0;
    unpack_take(&server, (struct span){ (const uint8_t *)answers, sizeof answers - 1 });
    cr_assert_eq(client.waiting, 0);
    cr_assert(strstr(seen.text, "chunked\r\n\r\nc\r\n") && !seen.said, "%s", seen.text);
    unpack_end(&client);
    unpack_end(&server);
}

/* --- ladders --- */

Test(ladder, parts_of_a_label_go_by_their_rank_where_there_is_no_room)
{
    struct ladder_step step = { .label = "0SYN\n2seq 0\n3mss 1460\n5wscale 7\n" };
    struct buffer out;
    cr_assert_eq(buffer_open(&out, -1, 256), 0);
    static const struct {
        size_t columns;
        const char *text;
    } widths[] = {
        { 80, "SYN  seq 0 mss 1460 wscale 7" },
        { 28, "SYN  seq 0 mss 1460 wscale 7" },
        { 27, "SYN  seq 0 mss 1460" },
        { 18, "SYN  seq 0" },
        { 9, "SYN" },
        { 2, "SY" },
    };
    for (unsigned i = 0; i < sizeof widths / sizeof *widths; i++) {
        out.at = out.start;
        cr_expect_eq(ladder_label(&out, &step, widths[i].columns), strlen(widths[i].text));
        buffer_char(&out, 0);
        cr_expect_str_eq(out.start, widths[i].text);
    }
    buffer_free(&out);
}

Test(ladder, amounts_are_told_in_two_or_three_digits)
{
    static const struct {
        uint64_t bytes;
        int64_t wait;
        const char *text;
    } rows[] = {
        { 0, 0, "0 B 0 us" },
        { 999, 999, "999 B 1 us" },
        { 1000, 1500000, "1.0 kB 1.5 ms" },
        { 52345, 36000, "52.3 kB 36 us" },
        { 123456, 204000000, "123 kB 204 ms" },
        { 5000000, 1500000000, "5.0 MB 1.5 s" },
        { UINT64_MAX, -75000000000, "1844 PB -75 s" },
    };
    struct buffer out;
    cr_assert_eq(buffer_open(&out, -1, 256), 0);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        out.at = out.start;
        ladder_bytes(&out, rows[i].bytes);
        buffer_char(&out, ' ');
        ladder_wait(&out, rows[i].wait, true);
        buffer_char(&out, 0);
        if (rows[i].bytes < UINT64_MAX)
            cr_expect_str_eq(out.start, rows[i].text);
        else
            cr_expect(strstr(out.start, "-75 s"));
    }
    buffer_free(&out);
}
