/* The only way to bytes that came from outside: a pointer and how many bytes are left behind it. Every access says
 * how much it wants and gets NULL when there is less. A span owns nothing. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *at;
    size_t left;
};

/* The first n bytes, or NULL if there are fewer. */
static inline const uint8_t *span_peek(const struct span *s, size_t n)
{
    return n <= s->left ? s->at : NULL;
}

/* The first n bytes, which the span then no longer holds, or NULL (and the span as it was) if there are fewer. */
static inline const uint8_t *span_pull(struct span *s, size_t n)
{
    if (n > s->left)
        return NULL;
    const uint8_t *at = s->at;
    s->at += n;
    s->left -= n;
    return at;
}

/* The n bytes that start at offset, as far as they are there: never reaches beyond the span. */
static inline struct span span_part(struct span s, size_t offset, size_t n)
{
    if (offset > s.left)
        offset = s.left;
    s.at += offset;
    s.left -= offset;
    if (n < s.left)
        s.left = n;
    return s;
}

/* Plain loads; the caller has checked the length. */
static inline uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline uint16_t load_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t load_le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the loads above are written for little-endian machines");
