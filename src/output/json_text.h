/* The small texts of -T json, written straight to where they go; the caller has made the room, CHUNK bytes more than
 * the text takes. */
#pragma once
#include "base/text.h"
#include "output/json_plan.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* What is kept to write numbers quickly. */
struct digits {
    /* owned: of each number below FOUR its digits as text (the first one in the lowest byte), below without leading
     * zeros, above all four of them, with how many the number has, less one, in the two highest bits. */
    uint64_t *fours;
    uint32_t pairs[256]; /* of each byte its two hexadecimal digits and a colon */
    uint64_t second;     /* as it stands in second_text */
    uint32_t second_length;
    bool avx2;
    char second_text[CHUNK];
};

enum { FOUR = 10000 };

/* False: no memory. */
bool digits_open(struct digits *d);
void digits_close(struct digits *d);

/* Copies in whole chunks; as one memcpy the compiler makes it a string instruction that takes longer to start. */
static inline char *put_text(char *at, const char *text, uint32_t length)
{
    memcpy(at, text, CHUNK);
    for (uint32_t done = CHUNK; done < length; done += CHUNK)
        memcpy(at + done, text + done, CHUNK);
    return at + length;
}

/* A number below FOUR. */
static inline char *put_few(const struct digits *d, char *at, uint32_t value)
{
    uint64_t entry = d->fours[value];
    uint32_t text = (uint32_t)entry;
    memcpy(at, &text, sizeof text);
    return at + 1 + (entry >> 62);
}

/* The same with zeros in front. */
static inline char *put_four(const struct digits *d, char *at, uint32_t value)
{
    uint32_t text = (uint32_t)(d->fours[value] >> 32) & 0x3fffffff;
    memcpy(at, &text, sizeof text);
    return at + 4;
}

static inline char *put_decimal(const struct digits *d, char *at, uint32_t value)
{
    if (value < FOUR)
        return put_few(d, at, value);
    uint32_t high = value / FOUR, low = value % FOUR;
    if (high < FOUR)
        return put_four(d, put_few(d, at, high), low);
    return put_four(d, put_four(d, put_few(d, at, high / FOUR), high % FOUR), low);
}

static inline char *put_number(const struct digits *d, char *at, uint64_t value)
{
    return value >> 32 ? write_decimal(at, value) : put_decimal(d, at, (uint32_t)value);
}

/* An address in quotes, of a number in host order. */
static inline char *put_dotted(const struct digits *d, char *at, uint32_t address)
{
    *at++ = '"';
    for (unsigned shift = 24; shift; shift -= 8) {
        at = put_few(d, at, address >> shift & 0xff);
        *at++ = '.';
    }
    at = put_few(d, at, address & 0xff);
    *at++ = '"';
    return at;
}

/* Epochs stay the same second for a while; durations are short. */
static inline char *put_seconds(struct digits *d, char *at, uint64_t second)
{
    if (second < FOUR)
        return put_few(d, at, (uint32_t)second);
    if (second != d->second) {
        d->second = second;
        d->second_length = (uint32_t)(write_decimal(d->second_text, second) - d->second_text);
    }
    return put_text(at, d->second_text, d->second_length);
}

/* An op's key: always KEY_BYTES, which is quicker than asking how many. */
static inline char *put_key(char *at, const struct op *op)
{
    memcpy(at, op->text, KEY_BYTES);
    return at + op->length;
}

static inline char *put_time(struct digits *d, char *at, int64_t nanoseconds)
{
    uint64_t n = (uint64_t)nanoseconds;
    *at++ = '"';
    if (nanoseconds < 0) {
        *at++ = '-';
        n = 0 - n;
    }
    uint64_t second = n / 1000000000;
    uint32_t rest = (uint32_t)(n - second * 1000000000), tail = rest % 100000;
    at = put_seconds(d, at, second);
    *at++ = '.';
    at = put_four(d, put_four(d, at, rest / 100000), tail / 10);
    *at++ = (char)('0' + tail % 10);
    *at++ = '"';
    return at;
}

static inline char *put_bool(char *at, bool value)
{
    memcpy(at, value ? "true\0\0\0" : "false\0\0", 8);
    return at + 5 - value;
}

/* An address in quotes: each byte's two digits with a colon behind, the last one's a quote. */
static inline char *put_mac(const struct digits *d, char *at, const uint8_t *bytes)
{
    *at++ = '"';
    for (unsigned i = 0; i < 6; i++)
        memcpy(at + 3 * i, &d->pairs[bytes[i]], sizeof d->pairs[0]);
    at[17] = '"';
    return at + 18;
}

/* Lower-case hex of n bytes. */
static inline char *put_hex_plain(char *at, const uint8_t *bytes, size_t n)
{
    for (; n; n--, bytes++) {
        *at++ = "0123456789abcdef"[*bytes >> 4];
        *at++ = "0123456789abcdef"[*bytes & 15];
    }
    return at;
}

#ifdef __x86_64__
/* Sixteen bytes: each widened to a word, its halves put into the word's bytes, the digits looked up. */
__attribute__((target("avx2"))) static inline void hex_sixteen(char *at, const uint8_t *bytes)
{
    const __m256i digits = _mm256_broadcastsi128_si256(
        _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'));
    __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)bytes));
    __m256i halves = _mm256_or_si256(_mm256_srli_epi16(words, 4), _mm256_slli_epi16(words, 8));
    halves = _mm256_and_si256(halves, _mm256_set1_epi8(15));
    _mm256_storeu_si256((__m256i *)(void *)at, _mm256_shuffle_epi8(digits, halves));
}

__attribute__((target("avx2"))) static inline char *put_hex_avx2(char *at, const uint8_t *bytes, size_t n)
{
    if (n < 16)
        return put_hex_plain(at, bytes, n);
    size_t done = 0;
    for (; done + 32 <= n; done += 32) {
        hex_sixteen(at + 2 * done, bytes + done);
        hex_sixteen(at + 2 * done + 32, bytes + done + 16);
    }
    if (done + 16 <= n)
        hex_sixteen(at + 2 * done, bytes + done);
    hex_sixteen(at + 2 * (n - 16), bytes + n - 16); /* the last ones, perhaps again */
    return at + 2 * n;
}
#endif

static inline char *put_hex(const struct digits *d, char *at, const uint8_t *bytes, size_t n)
{
#ifdef __x86_64__
    if (d->avx2)
        return put_hex_avx2(at, bytes, n);
#endif
    (void)d;
    return put_hex_plain(at, bytes, n);
}
