#include "output/unpack.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

enum {
    OUTPUT_BYTES = 32 << 10,
    INFLATE_GZIP = 15 + 16, /* zlib's words for what it should expect */
    INFLATE_ZLIB = 15,
    INFLATE_RAW = -15,
    ZSTD_WINDOW_LOG = 23, /* 8 MiB, RFC 9659, 3 */
};

struct decoder {
    z_stream z;
    ZSTD_DStream *zstd; /* NULL: zlib's */
    bool begun;         /* z is initialised */
    bool over;          /* the end of the packed data was met */
    uint8_t out[OUTPUT_BYTES];
};

void unpack_open(struct unpack *u, const struct unpack_sink *sink, void *context, struct unpack *peer)
{
    *u = (struct unpack){ .sink = sink, .context = context, .peer = peer };
}

static void close_decoder(struct unpack *u)
{
    struct decoder *d = u->decoder;
    if (!d)
        return;
    if (d->begun)
        inflateEnd(&d->z);
    ZSTD_freeDStream(d->zstd);
    free(d);
    u->decoder = NULL;
}

void unpack_close(struct unpack *u)
{
    close_decoder(u);
}

static void hand_on(struct unpack *u, struct span bytes, bool unpacked)
{
    if (bytes.left)
        u->sink->bytes(u->context, bytes, unpacked);
}

/* --- packed data --- */

/* The rest of this body is of no use. */
static void spoil(struct unpack *u, const char *sentence)
{
    u->spoiled = true;
    close_decoder(u);
    u->sink->say(u->context, sentence);
}

/* What "deflate" means is zlib's format (RFC 9110, 8.4.1.2); some send the bare one, whose first byte is never like
 * that of zlib's (RFC 1950, 2.2) unless somebody filled padding bits. */
static int window_bits(const struct unpack *u, const struct span *bytes)
{
    if (u->coding == CODING_GZIP)
        return INFLATE_GZIP;
    return (bytes->at[0] & 0x8f) == 8 ? INFLATE_ZLIB : INFLATE_RAW;
}

static bool open_decoder(struct unpack *u, const struct span *bytes)
{
    struct decoder *d = u->decoder = calloc(1, sizeof *d);
    bool good = d;
    if (good && u->coding == CODING_ZSTD) {
        d->zstd = ZSTD_createDStream();
        good = d->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
    } else if (good) {
        good = d->begun = inflateInit2(&d->z, window_bits(u, bytes)) == Z_OK;
    }
    if (!good)
        spoil(u, _("no memory to unpack this body"));
    return good;
}

/* Takes from bytes what gives one more piece of output. False: the data are none of this coding. */
static bool step_zlib(struct decoder *d, struct span *bytes, size_t *got)
{
    size_t offered = bytes->left < UINT32_MAX ? bytes->left : UINT32_MAX;
    d->z.next_in = (Bytef *)(uintptr_t)bytes->at; /* zlib only reads it */
    d->z.avail_in = (uInt)offered;
    d->z.next_out = d->out;
    d->z.avail_out = sizeof d->out;
    int code = inflate(&d->z, Z_NO_FLUSH);
    span_pull(bytes, offered - d->z.avail_in);
    *got = sizeof d->out - d->z.avail_out;
    d->over = code == Z_STREAM_END;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
}

static bool step_zstd(struct decoder *d, struct span *bytes, size_t *got)
{
    ZSTD_inBuffer in = { bytes->at, bytes->left, 0 };
    ZSTD_outBuffer out = { d->out, sizeof d->out, 0 };
    size_t code = ZSTD_decompressStream(d->zstd, &out, &in);
    span_pull(bytes, in.pos);
    *got = out.pos;
    d->over = code == 0;
    return !ZSTD_isError(code);
}

/* A gzip member or zstd frame may follow another one (RFC 1952, 2.2; RFC 8878, 3). */
static bool begin_next(struct unpack *u, const struct span *bytes)
{
    struct decoder *d = u->decoder;
    d->over = false;
    if (d->zstd)
        return true;
    return u->coding == CODING_GZIP && bytes->at[0] == 0x1f && inflateReset(&d->z) == Z_OK;
}

static void decode(struct unpack *u, struct span bytes)
{
    if (!u->decoder && !open_decoder(u, &bytes))
        return;
    struct decoder *d = u->decoder;
    for (size_t got = 1; bytes.left || got == sizeof d->out;) {
        if (d->over && !bytes.left)
            return;
        if (d->over && !begin_next(u, &bytes)) {
            spoil(u, _("what follows the packed data is none"));
            return;
        }
        size_t before = bytes.left;
        bool good = d->zstd ? step_zstd(d, &bytes, &got) : step_zlib(d, &bytes, &got);
        u->unpacked += got;
        hand_on(u, (struct span){ d->out, got }, true);
        if (!good)
            spoil(u, _("the rest of this body cannot be unpacked"));
        else if (u->unpacked > UNPACK_BODY_MOST)
            spoil(u, _("the rest of this body is not unpacked: it is too long"));
        if (u->spoiled || (!got && bytes.left == before))
            return;
    }
}

/* Bytes of a body, chunks joined. */
static void take_body(struct unpack *u, struct span bytes)
{
    if (u->spoiled)
        return;
    if (u->coding == CODING_NONE || u->coding == CODING_OTHER)
        hand_on(u, bytes, u->chunked);
    else
        decode(u, bytes);
}

static void end_body(struct unpack *u)
{
    if (u->decoder && !u->decoder->over && !u->spoiled)
        u->sink->say(u->context, _("the packed data end too early"));
    close_decoder(u);
    u->state = UNPACK_START;
    u->header = u->line_length = 0;
}

/* --- headers --- */

static bool is_token(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '-' || text[i] == '_'))
            return false;
    return n > 0;
}

/* The oldest request that waits for an answer: whether it was HEAD, whose answers have no body. */
static bool answers_head(struct unpack *u)
{
    struct unpack *r = u->peer;
    if (!r || !r->waiting)
        return false;
    bool head = r->heads & 1;
    r->heads >>= 1;
    r->waiting--;
    return head;
}

/* "HTTP/1.1 200 OK" or "GET / HTTP/1.1". False: neither. */
static bool take_first_line(struct unpack *u)
{
    const char *space = strchr(u->line, ' ');
    size_t n = space ? (size_t)(space - u->line) : 0;
    u->request = strncmp(u->line, "HTTP/1.", 7) != 0;
    u->coding = CODING_NONE;
    u->chunked = u->has_length = u->spoiled = u->no_body = u->tunnel = false;
    u->unpacked = u->left = 0;
    if (!u->request) {
        int status = space ? atoi(space + 1) : 0;
        bool interim = status >= 100 && status < 200;
        u->no_body = interim || status == 204 || status == 304;
        if (!interim && answers_head(u))
            u->no_body = true;
        u->tunnel = status == 101;
        return space && status >= 100;
    }
    if (!is_token(u->line, n) || n > 20 || !strstr(space, " HTTP/1."))
        return false;
    if (u->waiting < UNPACK_REQUESTS) {
        if (n == 4 && !memcmp(u->line, "HEAD", 4))
            u->heads |= UINT64_C(1) << u->waiting;
        u->waiting++;
    }
    return true;
}

/* The value of a header line if its name is this one; NULL: another. */
static const char *header_value(const char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    return line + n + 1 + strspn(line + n + 1, " \t");
}

static bool is_word(const char *value, const char *word)
{
    size_t n = strlen(word);
    return !strncasecmp(value, word, n) && !value[n + strspn(value + n, " \t")];
}

/* A body's length; false: it is no number, or another than was said before. */
static bool take_length(struct unpack *u, const char *value)
{
    uint64_t length = 0;
    unsigned digits = 0;
    for (; *value >= '0' && *value <= '9'; value++, digits++)
        length = length * 10 + (uint64_t)(*value - '0');
    value += strspn(value, " \t");
    if (!digits || digits > 18 || *value || (u->has_length && length != u->left))
        return false;
    u->has_length = true;
    u->left = length;
    return true;
}

static enum unpack_coding coding_of(const char *value)
{
    return is_word(value, "gzip") || is_word(value, "x-gzip") ? CODING_GZIP
           : is_word(value, "deflate")                        ? CODING_DEFLATE
           : is_word(value, "zstd")                           ? CODING_ZSTD
           : is_word(value, "identity")                       ? CODING_NONE
                                                              : CODING_OTHER;
}

/* False: nobody can say where the body ends. */
static bool take_header_line(struct unpack *u)
{
    const char *value;
    if ((value = header_value(u->line, "Content-Length")))
        return take_length(u, value);
    if ((value = header_value(u->line, "Content-Encoding"))) {
        u->coding = (uint8_t)coding_of(value);
        return true;
    }
    if (!(value = header_value(u->line, "Transfer-Encoding")))
        return true;
    u->chunked = is_word(value, "chunked");
    return u->chunked || is_word(value, "identity");
}

static void begin_body(struct unpack *u)
{
    u->line_length = u->header = 0;
    if (u->no_body || (u->request && !u->chunked && !u->has_length)) {
        u->state = u->tunnel ? UNPACK_PASS : UNPACK_START;
        return;
    }
    if (u->coding == CODING_OTHER)
        u->sink->say(u->context, _("this body's coding is not known here: shown as it is"));
    u->state = u->chunked ? UNPACK_CHUNK_SIZE : u->has_length ? UNPACK_LENGTH : UNPACK_UNTIL_END;
    if (u->state == UNPACK_LENGTH && !u->left)
        end_body(u);
}

static void pass(struct unpack *u, const char *sentence)
{
    close_decoder(u);
    u->state = UNPACK_PASS;
    if (sentence)
        u->sink->say(u->context, sentence);
}

/* --- lines --- */

/* A chunk's size, and extensions behind it (RFC 9112, 7.1). False: none. */
static bool take_chunk_size(struct unpack *u)
{
    uint64_t size = 0;
    const char *at = u->line;
    unsigned digits = 0;
    for (;; at++, digits++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a' + 10)
                         : *at >= 'A' && *at <= 'F' ? (unsigned)(*at - 'A' + 10)
                                                    : 16;
        if (digit == 16)
            break;
        size = size << 4 | digit;
    }
    at += strspn(at, " \t");
    if (!digits || digits > 15 || (*at && *at != ';'))
        return false;
    u->left = size;
    u->state = size ? UNPACK_CHUNK : UNPACK_TRAILER;
    return true;
}

static void pass_line(struct unpack *u, const char *sentence)
{
    pass(u, sentence);
    hand_on(u, (struct span){ (const uint8_t *)u->line, strlen(u->line) }, true);
    hand_on(u, (struct span){ (const uint8_t *)"\n", 1 }, true);
}

static void take_line(struct unpack *u)
{
    bool empty = !u->line[0];
    switch ((enum unpack_state)u->state) {
    case UNPACK_START:
        if (empty) /* RFC 9112, 2.2 */
            return;
        if (!take_first_line(u))
            pass(u, NULL);
        else
            u->state = UNPACK_HEADER;
        return;
    case UNPACK_HEADER:
        if (empty)
            begin_body(u);
        else if (!take_header_line(u))
            pass(u, _("nobody can say where this body ends: shown as it is"));
        return;
    case UNPACK_CHUNK_SIZE:
        if (!take_chunk_size(u))
            pass_line(u, _("a chunk's size is no number: shown as it is from here on"));
        return;
    case UNPACK_CHUNK_END:
        if (empty)
            u->state = UNPACK_CHUNK_SIZE;
        else
            pass_line(u, _("a chunk is longer than it says: shown as it is from here on"));
        return;
    default: /* a trailer */
        if (empty)
            end_body(u);
    }
}

/* Takes a line, or the part of one that is there, off the bytes. Lines of a header are shown as they are. */
static void take_lines(struct unpack *u, struct span *bytes)
{
    bool shown = u->state == UNPACK_START || u->state == UNPACK_HEADER || u->state == UNPACK_TRAILER;
    const uint8_t *end = memchr(bytes->at, '\n', bytes->left);
    size_t n = end ? (size_t)(end - bytes->at) + 1 : bytes->left;
    struct span part = { span_pull(bytes, n), n };
    for (size_t i = 0; i < n; i++)
        if (u->line_length < sizeof u->line - 1)
            u->line[u->line_length++] = (char)part.at[i];
    u->header += n < UNPACK_HEAD_MOST ? (uint32_t)n : UNPACK_HEAD_MOST;
    if (shown)
        hand_on(u, part, false);
    if (u->header > UNPACK_HEAD_MOST) {
        pass(u, NULL);
        return;
    }
    if (!end)
        return;
    while (u->line_length && (u->line[u->line_length - 1] == '\n' || u->line[u->line_length - 1] == '\r'))
        u->line_length--;
    u->line[u->line_length] = 0;
    u->line_length = 0;
    if (!shown)
        u->header = 0;
    take_line(u);
}

/* What begins like no message passes at once: it may have no lines. */
static bool may_begin(const struct unpack *u, const struct span *bytes)
{
    uint8_t first = u->line_length ? (uint8_t)u->line[0] : bytes->at[0];
    return (first >= 'A' && first <= 'Z') || (!u->line_length && (first == '\r' || first == '\n'));
}

static void take_counted(struct unpack *u, struct span *bytes)
{
    struct span part = span_part(*bytes, 0, u->left < bytes->left ? (size_t)u->left : bytes->left);
    span_pull(bytes, part.left);
    u->left -= part.left;
    take_body(u, part);
    if (u->left)
        return;
    if (u->state == UNPACK_CHUNK)
        u->state = UNPACK_CHUNK_END;
    else
        end_body(u);
}

void unpack_take(struct unpack *u, struct span bytes)
{
    while (bytes.left) {
        if (u->state == UNPACK_START && !may_begin(u, &bytes))
            u->state = UNPACK_PASS;
        if (u->state == UNPACK_PASS) {
            hand_on(u, bytes, false);
            return;
        }
        if (u->state == UNPACK_UNTIL_END) {
            take_body(u, bytes);
            return;
        }
        if (u->state == UNPACK_LENGTH || u->state == UNPACK_CHUNK)
            take_counted(u, &bytes);
        else
            take_lines(u, &bytes);
    }
}

/* Within a body of known length one may count on; elsewhere the next bytes may be anything. */
void unpack_gap(struct unpack *u, uint64_t length)
{
    if (u->state == UNPACK_LENGTH && length <= u->left) {
        if (u->coding != CODING_NONE && u->coding != CODING_OTHER && !u->spoiled)
            spoil(u, _("the rest of this body cannot be unpacked"));
        u->left -= length;
        if (!u->left)
            end_body(u);
        return;
    }
    if (u->state == UNPACK_UNTIL_END || u->state == UNPACK_CHUNK) {
        bool packed = u->coding != CODING_NONE && u->coding != CODING_OTHER && !u->spoiled;
        if (u->state == UNPACK_CHUNK && length < u->left) {
            u->left -= length;
            if (packed)
                spoil(u, _("the rest of this body cannot be unpacked"));
            return;
        }
        if (u->state == UNPACK_UNTIL_END && !packed)
            return;
    }
    close_decoder(u);
    u->state = UNPACK_START;
    u->line_length = u->header = 0;
}

void unpack_end(struct unpack *u)
{
    if (u->state != UNPACK_START && u->state != UNPACK_PASS)
        end_body(u);
    close_decoder(u);
}
