/* Quick writers and sums beside the plain ones: of JSON's small texts, of what stands in its quotes, of checksums. */
#include "base/address.h"
#include "base/clock.h"
#include "base/digits.h"
#include "output/json_text.h"
#include "protocol/checksum.h"
#include <criterion/criterion.h>

static uint64_t state = 88172645463325252u;

static uint32_t any(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static void check_number(const struct digits *d, uint64_t number)
{
    char quick[64] = { 0 }, plain[64] = { 0 };
    put_number(d, quick, number)[0] = 0;
    write_decimal(plain, number)[0] = 0;
    cr_assert_str_eq(quick, plain);
}

static void check_time(struct digits *d, int64_t time)
{
    char quick[2 * CHUNK + 32] = { 0 };
    struct buffer plain;
    cr_assert_eq(buffer_open(&plain, -1, 64), 0);
    put_time(d, quick, time)[0] = 0;
    buffer_char(&plain, '"');
    time_write(&plain, time, 9);
    buffer_put(&plain, "\"", 2);
    cr_assert_str_eq(quick, plain.start);
    buffer_free(&plain);
}

Test(quick, quick_numbers_and_times_are_the_plain_ones)
{
    struct digits d;
    cr_assert(digits_open(&d));
    for (unsigned i = 0; i < 3 * FOUR; i++)
        check_number(&d, i);
    for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10)
        for (unsigned i = 0; i < 3; i++) {
            check_number(&d, power - 1 + i);
            check_time(&d, (int64_t)(power - 1 + i));
            check_time(&d, -(int64_t)(power - 1 + i));
        }
    check_number(&d, UINT32_MAX);
    check_number(&d, UINT64_C(1) << 32);
    check_number(&d, UINT64_MAX);
    check_time(&d, INT64_MAX);
    for (unsigned turn = 0; turn < 100000; turn++) {
        uint64_t number = (uint64_t)any(UINT32_MAX) << any(32) >> any(32);
        check_number(&d, number);
        check_time(&d, any(2) ? (int64_t)number : -(int64_t)number);
    }
    digits_close(&d);
}

Test(quick, numbers_in_sentences_have_their_thousands_apart)
{
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { 999, "999" },
        { 1000, "1,000" },
        { 100000000, "100,000,000" },
        { UINT64_MAX, "18,446,744,073,709,551,615" },
    };
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_str_eq(grouped(text, cases[i].number), cases[i].text);
}

Test(quick, quick_addresses_are_the_plain_ones)
{
    struct digits d;
    cr_assert(digits_open(&d));
    for (unsigned turn = 0; turn < 100000; turn++) {
        char quick[64], plain[64] = "\"";
        uint8_t bytes[6];
        for (unsigned i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)any(any(2) ? 256 : 12);
        put_mac(&d, quick, bytes)[0] = 0;
        memcpy(write_mac(plain + 1, bytes), "\"", 2);
        cr_assert_str_eq(quick, plain);
        put_dotted(&d, quick, load_be32(bytes))[0] = 0;
        memcpy(write_ipv4(plain + 1, load_be32(bytes)), "\"", 2);
        cr_assert_str_eq(quick, plain);
    }
    digits_close(&d);
}

/* All values of a byte, at each place of texts shorter and longer than what is written at once. */
Test(quick, hex_is_the_plain_one)
{
    struct digits d;
    uint8_t bytes[160];
    char at[2 * sizeof bytes + 64], plain[2 * sizeof bytes + 1];
    cr_assert(digits_open(&d));
    for (unsigned i = 0; i < 256; i++) {
        for (unsigned k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(i + k);
        for (size_t n = 0; n <= sizeof bytes; n++) {
            memset(at, '#', sizeof at);
            put_hex_plain(plain, bytes, n);
            cr_assert_eq(put_hex(&d, at, bytes, n), at + 2 * n);
            cr_assert(!memcmp(at, plain, 2 * n), "%zu bytes from %02x on", n, i);
            cr_assert_eq(at[2 * n], '#', "%zu bytes: more than theirs", n);
        }
    }
    digits_close(&d);
}

/* Any byte at any place among those that stand for themselves, which are copied many at once. */
Test(quick, text_in_quotes_is_escaped_wherever_it_stands)
{
    struct buffer out, wanted;
    cr_assert_eq(buffer_open(&out, -1, 64), 0);
    cr_assert_eq(buffer_open(&wanted, -1, 64), 0);
    for (unsigned c = 0; c < 256; c++)
        for (unsigned n = 1; n < 20; n++)
            for (unsigned at = 0; at < n; at++) {
                uint8_t text[20], odd = (uint8_t)c;
                memset(text, 'a', sizeof text);
                text[at] = odd;
                out.at = out.start;
                wanted.at = wanted.start;
                buffer_json_escaped(&out, text, n);
                buffer_put(&wanted, text, at);
                if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
                    buffer_format(&wanted, "\\u%04x", c);
                else
                    buffer_put(&wanted, c < 0x80 ? (const char *)&odd : "\xef\xbf\xbd", c < 0x80 ? 1 : 3);
                buffer_put(&wanted, text + at + 1, n - at - 1);
                cr_assert_eq(buffer_used(&out), buffer_used(&wanted), "%02x at %u of %u", c, at, n);
                cr_assert(!memcmp(out.start, wanted.start, buffer_used(&out)), "%02x at %u of %u", c, at, n);
            }
    buffer_free(&out);
    buffer_free(&wanted);
}

/* --- checksums --- */

Test(checksum, the_fast_sum_is_the_plain_one)
{
    uint8_t bytes[2000 + 32];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(any(4) ? any(256) : 255);
    if (!checksum_has_avx2())
        cr_skip_test("this processor has no AVX2");
    for (size_t from = 0; from < 32; from++)
        for (size_t n = 0; n <= 2000; n++)
            cr_assert_eq(checksum_words_avx2(bytes + from, n) % 0xffff, checksum_words_plain(bytes + from, n) % 0xffff);
}

Test(checksum, a_sum_is_the_sum_of_words)
{
    uint8_t bytes[2001] = { 0 };
    for (size_t n = 0; n <= 2000; n++) {
        uint32_t sum = any(0x10000), wanted = sum;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(any(4) ? any(256) : 255);
        bytes[n] = 0;
        for (size_t i = 0; i < n; i += 2)
            wanted += load_be16(bytes + i);
        while (wanted >> 16)
            wanted = (wanted & 0xffff) + (wanted >> 16);
        cr_assert_eq(checksum_add(sum, bytes, n), wanted, "%zu bytes", n);
    }
}
