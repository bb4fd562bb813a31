/* Text on its way out. A buffer either goes to a file descriptor (it is written whenever it is full) or grows in
 * memory (fd -1). Writing text never fails at the place of writing: a failed write is remembered in `failed`
 * (the errno) and asked for once, so that the way of a packet holds no error handling. */
#pragma once
#include "base/digits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    char *start, *at, *end; /* owned; free with buffer_free */
    int fd;                 /* -1: memory only */
    int failed;             /* errno of the write or allocation that failed, 0 so far */
    unsigned holds;         /* while there are any, it grows instead of being written */
};

/* size: bytes to begin with; a buffer with an fd never grows beyond it unless a single piece is larger.
 * Returns 0 or ERROR_MEMORY. */
int buffer_open(struct buffer *b, int fd, size_t size);
void buffer_free(struct buffer *b);

/* Called before anything is written to a descriptor, by whoever has a line of its own on the terminal; NULL: nobody. */
extern void (*buffer_before_write)(int fd);

/* Writes out what is there (fd) or does nothing (memory). Returns 0, or ERROR_SYSTEM with the reason in failed. */
int buffer_flush(struct buffer *b);

/* Makes room for n more bytes, however that goes. Never returns NULL: after a failure the text is thrown away. */
char *buffer_make_room(struct buffer *b, size_t n);

static inline size_t buffer_used(const struct buffer *b)
{
    return (size_t)(b->at - b->start);
}

/* What is written from here on stays in the buffer until buffer_release, so that it may be looked at, cut or measured;
 * returns the mark where it begins: start[mark]. Holds nest. */
static inline size_t buffer_hold(struct buffer *b)
{
    b->holds++;
    return buffer_used(b);
}

static inline void buffer_release(struct buffer *b)
{
    b->holds--;
}

/* Where the next n bytes may be written; advance b->at afterwards by what was used. */
static inline char *buffer_room(struct buffer *b, size_t n)
{
    return (size_t)(b->end - b->at) >= n ? b->at : buffer_make_room(b, n);
}

static inline void buffer_put(struct buffer *b, const void *bytes, size_t n)
{
    char *at = buffer_room(b, n);
    memcpy(at, bytes, n);
    b->at = at + n;
}

static inline void buffer_char(struct buffer *b, char c)
{
    char *at = buffer_room(b, 1);
    *at = c;
    b->at = at + 1;
}

static inline void buffer_text(struct buffer *b, const char *text)
{
    buffer_put(b, text, strlen(text));
}

/* Pads with spaces to `width` bytes since mark (of a buffer_hold that still holds). */
void buffer_pad(struct buffer *b, size_t mark, size_t width);
void buffer_decimal(struct buffer *b, uint64_t value);
/* Lower-case hex, at least `digits` digits. No 0x. */
void buffer_hex(struct buffer *b, uint64_t value, unsigned digits);
/* Two hex digits a byte, `separator` between bytes (0: none). */
void buffer_bytes(struct buffer *b, const uint8_t *bytes, size_t n, char separator);
/* Hostile text for a terminal: valid printable UTF-8 as it is; every other byte, control characters (C0, C1),
 * bidirectional overrides and the backslash as \n, \t, \xNN. */
void buffer_escaped(struct buffer *b, const uint8_t *text, size_t n);
/* The same in C's words, as Wireshark writes the fields: \a \b \t \n \v \f \r, \177, \u202E, a backslash as it is,
 * U+FFFD for what is no UTF-8 or, with ascii, no ASCII; with ascii it ends at a zero byte. */
void buffer_c_escaped(struct buffer *b, const uint8_t *text, size_t n, bool ascii);
/* Hostile text within JSON quotes (not written here): valid UTF-8 as it is, control characters as \u00NN; a byte
 * that is no UTF-8 as U+FFFD. */
void buffer_json_escaped(struct buffer *b, const uint8_t *text, size_t n);
/* For what is not on the way of a packet. */
void buffer_format(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many bytes of valid UTF-8 stand at text[0]; 0 if it is not valid UTF-8 (RFC 3629). *code: the character. */
unsigned utf8_length(const uint8_t *text, size_t n, uint32_t *code);
/* Columns that a UTF-8 text takes on a terminal, wide and combining characters counted as they show. */
size_t text_columns(const char *text, size_t n);
