/* gzip through zlib and zstd through libzstd, each behind one function that makes a step: it takes from the input and
 * gives to the output what it can. Members and frames that follow one another are one stream, as gzip and zstd do. */
#include "capture/decompress.h"
#include "base/text.h"
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct decompress {
    struct block_reader *input;
    bool zstd;
    bool between; /* at the end of a member or frame: the input may end here */
    z_stream gzip;
    ZSTD_DStream *frames;
    size_t wanted; /* what zstd would take next: no more at once, or a damaged block takes the good ones along */
};

static bool is_gzip(struct span s)
{
    const uint8_t *p = span_peek(&s, 2);
    return p && p[0] == 0x1f && p[1] == 0x8b; /* RFC 1952, 2.3.1 */
}

static bool is_zstd(struct span s)
{
    const uint8_t *p = span_peek(&s, 4); /* RFC 8878, 3.1.1 and 3.1.2: a frame, or one to be skipped */
    return p && (load_le32(p) == 0xfd2fb528 || (load_le32(p) & 0xfffffff0) == 0x184d2a50);
}

bool decompress_knows(struct span beginning)
{
    return is_gzip(beginning) || is_zstd(beginning);
}

static struct span input_span(const struct decompress *d)
{
    return (struct span){ d->input->at, block_reader_left(d->input) };
}

int decompress_open(struct decompress **result, struct block_reader *input)
{
    struct decompress *d = calloc(1, sizeof *d);
    *result = d;
    if (!d)
        return ERROR_MEMORY;
    d->input = input;
    d->zstd = is_zstd(input_span(d));
    enum { WITH_GZIP_HEADER = 16 };
    d->wanted = 1;
    if (d->zstd ? !(d->frames = ZSTD_createDStream()) : inflateInit2(&d->gzip, MAX_WBITS + WITH_GZIP_HEADER) != Z_OK) {
        free(d);
        *result = NULL;
        return ERROR_MEMORY;
    }
    return 0;
}

void decompress_close(struct decompress *d)
{
    if (!d)
        return;
    if (d->zstd)
        ZSTD_freeDStream(d->frames);
    else
        inflateEnd(&d->gzip);
    free(d);
}

static ssize_t damaged(const char **why, const char *reason)
{
    *why = reason;
    return ERROR_DAMAGED;
}

/* Where one gzip member ended: 1 if another begins, 0 if the input ends here. Zeros may fill it up (tape blocks). */
static int next_member(struct decompress *d, const char **why)
{
    for (;;) {
        int result = block_reader_fill(d->input, 2);
        if (result < 0) {
            *why = d->input->why;
            return result;
        }
        if (is_gzip(input_span(d)))
            return inflateReset(&d->gzip) == Z_OK ? 1 : ERROR_MEMORY;
        if (!block_reader_left(d->input))
            return 0;
        if (*d->input->at)
            return (int)damaged(why, _("what follows the compressed data is not gzip"));
        d->input->at++;
    }
}

static uInt smaller(size_t n, uInt limit)
{
    return n < limit ? (uInt)n : limit;
}

static ssize_t inflate_step(struct decompress *d, uint8_t *to, size_t n, const char **why)
{
    if (d->between) {
        int result = next_member(d, why);
        if (result <= 0)
            return result;
        d->between = false;
    }
    d->gzip.next_in = (uint8_t *)d->input->at; /* zlib does not write there */
    d->gzip.avail_in = smaller(block_reader_left(d->input), UINT_MAX);
    d->gzip.next_out = to;
    d->gzip.avail_out = smaller(n, UINT_MAX);
    int result = inflate(&d->gzip, Z_NO_FLUSH);
    d->input->at = d->gzip.next_in;
    if (result == Z_STREAM_END)
        d->between = true;
    else if (result == Z_MEM_ERROR)
        return ERROR_MEMORY;
    else if (result != Z_OK && result != Z_BUF_ERROR && d->gzip.next_out == to)
        return damaged(why, _("the gzip data is damaged"));
    return d->gzip.next_out - to;
}

static ssize_t zstd_step(struct decompress *d, uint8_t *to, size_t n, const char **why)
{
    size_t left = block_reader_left(d->input);
    if (d->between && !left)
        return 0; /* asked without input, zstd would begin another frame */
    ZSTD_inBuffer in = { d->input->at, left < d->wanted ? left : d->wanted, 0 };
    ZSTD_outBuffer out = { to, n, 0 };
    size_t result = ZSTD_decompressStream(d->frames, &out, &in);
    d->input->at += in.pos;
    if (ZSTD_isError(result))
        return damaged(why, ZSTD_getErrorName(result));
    d->between = result == 0;
    d->wanted = result ? result : 1;
    return (ssize_t)out.pos;
}

ssize_t decompress_source(void *context, uint8_t *to, size_t n, const char **why)
{
    struct decompress *d = context;
    for (;;) {
        const uint8_t *before = d->input->at;
        bool was_between = d->between;
        ssize_t given = d->zstd ? zstd_step(d, to, n, why) : inflate_step(d, to, n, why);
        if (given != 0)
            return given;
        if (d->input->at != before || was_between != d->between)
            continue;
        if (block_reader_left(d->input))
            return damaged(why, _("the compressed data is damaged"));
        int result = block_reader_fill(d->input, 1);
        if (result < 0)
            *why = d->input->why;
        if (result == 0 && !d->between)
            return damaged(why, _("the compressed data ends too soon"));
        if (result <= 0)
            return result;
    }
}
