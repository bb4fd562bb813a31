/* Number writers for the way of a packet: into a place with room enough, no terminating zero; they return the end of
 * what they wrote. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The eight decimal digits of a number below 10^8, one a byte (values 0 to 9), the first one in the lowest byte: three
 * steps that halve all parts at once (10^4, 10^2, 10), without a loop and without a branch. */
static inline uint64_t digits_eight(uint32_t value)
{
    uint64_t v = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (v * 10486) >> 20 & 0x0000007f0000007f;
    v = hundreds | (v - hundreds * 100) << 16;
    uint64_t tens = (v * 103) >> 10 & 0x000f000f000f000f;
    return tens | (v - tens * 10) << 8;
}

static const uint64_t digits_ascii = 0x3030303030303030;

/* Exactly `digits` digits, at most 8, of a number that has no more; up to 8 bytes are written. */
static inline char *write_few_digits(char *at, uint32_t value, unsigned digits)
{
    uint64_t text = (digits_eight(value) | digits_ascii) >> (64 - 8 * digits);
    memcpy(at, &text, 8);
    return at + digits;
}

/* Right-aligned in `width` columns (1 to 8), spaces in front; false, and nothing of use written, if it takes more.
 * Writes 8 bytes. */
static inline bool write_aligned(char *at, uint64_t value, unsigned width)
{
    if (value >= 100000000)
        return false;
    uint64_t digits = digits_eight((uint32_t)value);
    unsigned zeros = value ? (unsigned)__builtin_ctzll(digits) & 56 : 56;
    uint64_t spaces = 0x1010101010101010 & ((UINT64_C(1) << zeros) - 1);
    uint64_t text = ((digits | digits_ascii) ^ spaces) >> (64 - 8 * width);
    memcpy(at, &text, 8);
    return zeros / 8 + width >= 8;
}

/* Exactly `digits` digits, zeros in front; up to 20. */
static inline char *write_digits(char *at, uint64_t value, unsigned digits)
{
    for (char *from = at + digits; from > at; value /= 10)
        *--from = (char)('0' + value % 10);
    return at + digits;
}

/* Up to 20 digits; the caller has room for 24 bytes. */
static inline char *write_decimal(char *at, uint64_t value)
{
    if (value >= 100000000) {
        at = write_decimal(at, value / 100000000);
        return write_few_digits(at, (uint32_t)(value % 100000000), 8);
    }
    uint64_t digits = digits_eight((uint32_t)value);
    unsigned zeros = value ? (unsigned)__builtin_ctzll(digits) & 56 : 56;
    uint64_t text = (digits | digits_ascii) >> zeros;
    memcpy(at, &text, 8);
    return at + 8 - zeros / 8;
}

/* Lower-case, at least `digits` digits; up to 16 bytes. */
static inline char *write_hex(char *at, uint64_t value, unsigned digits)
{
    unsigned wanted = value ? (unsigned)(67 - __builtin_clzll(value)) / 4 : 1;
    if (wanted < digits)
        wanted = digits;
    for (unsigned i = wanted; i-- > 0; value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
    return at + wanted;
}

/* 1,234,567: thousands apart, as sentences show a number; up to 26 characters and a zero. Returns the text. */
static inline const char *grouped(char text[32], uint64_t value)
{
    char digits[24], *to = text;
    size_t left = (size_t)(write_decimal(digits, value) - digits);
    for (const char *at = digits; left; at++) {
        *to++ = *at;
        if (--left && left % 3 == 0)
            *to++ = ',';
    }
    *to = 0;
    return text;
}
