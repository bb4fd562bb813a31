/* Buffers, and the number writers that stand on the way of every packet. */
#include "base/buffer.h"
#include "base/error.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

static const char hex_digits[] = "0123456789abcdef";

int buffer_open(struct buffer *b, int fd, size_t size)
{
    *b = (struct buffer){ .fd = fd };
    b->start = b->at = malloc(size);
    if (!b->start)
        return ERROR_MEMORY;
    b->end = b->start + size;
    return 0;
}

void buffer_free(struct buffer *b)
{
    free(b->start);
    *b = (struct buffer){ .fd = -1 };
}

void (*buffer_before_write)(int fd);

int buffer_flush(struct buffer *b)
{
    if (b->fd < 0)
        return 0;
    if (buffer_before_write && b->at > b->start)
        buffer_before_write(b->fd);
    const char *from = b->start;
    while (from < b->at && !b->failed) {
        ssize_t n = write(b->fd, from, (size_t)(b->at - from));
        if (n >= 0)
            from += n;
        else if (errno != EINTR)
            b->failed = errno;
    }
    b->at = b->start;
    return b->failed ? ERROR_SYSTEM : 0;
}

char *buffer_make_room(struct buffer *b, size_t n)
{
    if (b->fd >= 0 && b->at > b->start && !b->holds)
        buffer_flush(b);
    size_t size = (size_t)(b->end - b->start), used = buffer_used(b);
    if (size - used >= n)
        return b->at;
    size_t more = used + n > size * 2 ? used + n : size * 2;
    char *bytes = realloc(b->start, more);
    if (!bytes) {
        b->failed = ENOMEM;
        b->at = b->start;
        if (n <= size)
            return b->at;
        abort(); /* not even what one piece of text takes: nothing sensible is left to do */
    }
    b->start = bytes;
    b->at = bytes + used;
    b->end = bytes + more;
    return b->at;
}

void buffer_pad(struct buffer *b, size_t mark, size_t width)
{
    size_t used = buffer_used(b) - mark;
    if (used >= width)
        return;
    size_t n = width - used;
    memset(buffer_room(b, n), ' ', n);
    b->at += n;
}

void buffer_decimal(struct buffer *b, uint64_t value)
{
    b->at = write_decimal(buffer_room(b, 24), value);
}

void buffer_hex(struct buffer *b, uint64_t value, unsigned digits)
{
    b->at = write_hex(buffer_room(b, 16), value, digits);
}

void buffer_bytes(struct buffer *b, const uint8_t *bytes, size_t n, char separator)
{
    char *at = buffer_room(b, n * 3 + 1);
    for (size_t i = 0; i < n; i++) {
        if (separator && i)
            *at++ = separator;
        *at++ = hex_digits[bytes[i] >> 4];
        *at++ = hex_digits[bytes[i] & 15];
    }
    b->at = at;
}

unsigned utf8_length(const uint8_t *text, size_t n, uint32_t *code)
{
    if (!n)
        return 0;
    uint8_t c = text[0];
    unsigned length = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (!length || length > n)
        return 0;
    uint32_t v = length == 1 ? c : c & (0x7fu >> length);
    for (unsigned i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (text[i] & 0x3f);
    }
    if ((length == 3 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) || (length == 4 && (v < 0x10000 || v > 0x10ffff)))
        return 0;
    *code = v;
    return length;
}

/* What must not reach a terminal as it is: controls, and characters that turn the direction of writing. */
static bool must_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff || code == 0x61c;
}

void buffer_escaped(struct buffer *b, const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t plain = i;
        while (plain < n && text[plain] >= 0x20 && text[plain] < 0x7f && text[plain] != '\\')
            plain++;
        if (plain > i) {
            buffer_put(b, text + i, plain - i);
            i = plain;
            continue;
        }
        uint32_t code = 0;
        unsigned length = utf8_length(text + i, n - i, &code);
        if (length && !must_escape(code) && code != '\\') {
            buffer_put(b, text + i, length);
            i += length;
            continue;
        }
        unsigned bytes = length ? length : 1;
        for (unsigned k = 0; k < bytes; k++, i++) {
            char *at = buffer_room(b, 4);
            *at++ = '\\';
            switch (text[i]) {
            case '\n':
                *at++ = 'n';
                break;
            case '\r':
                *at++ = 'r';
                break;
            case '\t':
                *at++ = 't';
                break;
            case '\\':
                *at++ = '\\';
                break;
            default:
                *at++ = 'x';
                at = write_hex(at, text[i], 2);
            }
            b->at = at;
        }
    }
}

/* How many bytes at text stand together for one character that is none: those that its first byte announces, as far as
 * they continue it. */
static size_t broken_length(const uint8_t *text, size_t n)
{
    uint8_t c = text[0];
    size_t most = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : c < 0xfc ? 5 : 6, i = 1;
    while (i < most && i < n && (text[i] & 0xc0) == 0x80)
        i++;
    return i;
}

static void put_c_escape(struct buffer *b, uint32_t code)
{
    static const char letters[] = "abtnvfr"; /* 7 to 13 */
    char *at = buffer_room(b, 12);
    *at++ = '\\';
    if (code >= 7 && code <= 13) {
        *at++ = letters[code - 7];
    } else if (code < 0x80) {
        for (int shift = 6; shift >= 0; shift -= 3)
            *at++ = (char)('0' + (code >> shift & 7));
    } else {
        unsigned digits = code > 0xffff ? 8 : 4;
        *at++ = digits == 8 ? 'U' : 'u';
        for (unsigned shift = digits * 4; shift; shift -= 4)
            *at++ = "0123456789ABCDEF"[code >> (shift - 4) & 15];
    }
    b->at = at;
}

void buffer_c_escaped(struct buffer *b, const uint8_t *text, size_t n, bool ascii)
{
    if (ascii) { /* C's strings end there */
        const uint8_t *end = n ? memchr(text, 0, n) : NULL;
        n = end ? (size_t)(end - text) : n;
    }
    for (size_t i = 0; i < n;) {
        size_t plain = i;
        while (plain < n && text[plain] >= 0x20 && text[plain] < 0x7f)
            plain++;
        buffer_put(b, text + i, plain - i);
        i = plain;
        if (i == n)
            return;
        uint32_t code = 0;
        unsigned length = ascii && text[i] >= 0x80 ? 0 : utf8_length(text + i, n - i, &code);
        if (!length)
            buffer_put(b, "\xef\xbf\xbd", 3);
        else if (must_escape(code) || code == 0xad || (code & 0xfffe) == 0xfffe)
            put_c_escape(b, code);
        else
            buffer_put(b, text + i, length);
        i += length ? length : ascii ? 1 : broken_length(text + i, n - i);
    }
}

/* Whether a byte stands for itself within JSON quotes. */
static inline bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Whether eight bytes do: of each one the highest bit, and that of what is left of it or of its difference from one
 * that does not. A byte borrows from the next one only if it is none itself. */
static inline bool are_plain(const uint8_t text[8])
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t word;
    memcpy(&word, text, sizeof word);
    uint64_t odd = word | (word - ones * 0x20) | ((word ^ ones * 0x7f) - ones) | ((word ^ ones * '"') - ones) |
                   ((word ^ ones * '\\') - ones);
    return !(odd & ones << 7);
}

/* How many bytes at the beginning stand for themselves: names and lines are little else. */
static size_t plain_length(const uint8_t *text, size_t n)
{
    size_t at = 0;
    while (n - at >= 8 && are_plain(text + at))
        at += 8;
    while (at < n && is_plain(text[at]))
        at++;
    return at;
}

void buffer_json_escaped(struct buffer *b, const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t plain = plain_length(text + i, n - i);
        if (plain) {
            buffer_put(b, text + i, plain);
            i += plain;
            continue;
        }
        uint32_t code = 0;
        unsigned length = utf8_length(text + i, n - i, &code);
        if (!length) {
            buffer_put(b, "\xef\xbf\xbd", 3);
            i++;
        } else if (must_escape(code) || code == '"' || code == '\\') {
            buffer_put(b, "\\u", 2);
            buffer_hex(b, code, 4);
            i += length;
        } else {
            buffer_put(b, text + i, length);
            i += length;
        }
    }
}

void buffer_format(struct buffer *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n <= 0)
        return;
    char *at = buffer_room(b, (size_t)n + 1);
    va_start(arguments, format);
    vsnprintf(at, (size_t)n + 1, format, arguments);
    va_end(arguments);
    b->at = at + n;
}

size_t text_columns(const char *text, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n;) {
        uint32_t code = 0;
        unsigned length = utf8_length((const uint8_t *)text + i, n - i, &code);
        int width = length ? wcwidth((wchar_t)code) : 1;
        columns += (size_t)(width < 0 ? 1 : width);
        i += length ? length : 1;
    }
    return columns;
}
