/* Opening a capture, finding out what it is, and how its reading ends. The formats themselves are next door (pcap.c,
 * pcapng.c, libpcap.c); the bytes come through block_reader.c and decompress.c. */
#include "capture/file.h"
#include "base/buffer.h"
#include "base/digits.h"
#include "base/text.h"
#include "capture/decompress.h"
#include <errno.h>
#include <fcntl.h>
#include <pcap/dlt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct capture_format *const formats[] = { &capture_pcap, &capture_pcapng, &capture_libpcap };

static int next_over(struct capture *c, struct record *record, struct error *error)
{
    (void)record;
    if (c->over < 0)
        error_set(error, c->over, "%s", c->sentence.text);
    return c->over;
}

int capture_end(struct capture *c)
{
    c->next = next_over;
    return c->over = 0;
}

static int stop(struct capture *c, int code, uint64_t offset, struct error *error, const char *why)
{
    char packets[32], byte[32];
    grouped(packets, c->packets);
    grouped(byte, offset);
    if (code != ERROR_DAMAGED)
        error_set(&c->sentence, code, _("%s: cannot be read on after packet %s (byte %s): %s"), c->path, packets, byte,
                  why);
    else if (c->packets)
        error_set(&c->sentence, code, _("%s: damaged after packet %s (byte %s): %s"), c->path, packets, byte, why);
    else
        error_set(&c->sentence, code, _("%s: damaged before the first packet (byte %s): %s"), c->path, byte, why);
    c->over = code;
    c->next = next_over;
    return next_over(c, NULL, error);
}

int capture_damaged(struct capture *c, uint64_t offset, struct error *error, const char *format, ...)
{
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return stop(c, ERROR_DAMAGED, offset, error, why);
}

int capture_cut_short(struct capture *c, int result, uint64_t offset, struct error *error)
{
    if (result < 0)
        return stop(c, result, offset, error, c->reader.why);
    return stop(c, ERROR_DAMAGED, offset, error, _("the file ends in the middle of a record"));
}

int capture_no_memory(struct capture *c, uint64_t offset, struct error *error)
{
    return stop(c, ERROR_MEMORY, offset, error, strerror(ENOMEM));
}

int capture_no_start(struct capture *c, int result, struct error *error)
{
    if (result == 0)
        return error_set(error, ERROR_FORMAT, _("%s: not a capture: it ends within the file's header"), c->path);
    return error_set(error, result == ERROR_DAMAGED ? ERROR_FORMAT : result, "%s: %s", c->path, c->reader.why);
}

/* The bytes' source under the reader: memory, the file as it is, or the file through a decompressor. */
static int open_reader(struct capture *c, size_t block)
{
    block_source *source = c->fd >= 0 ? block_source_file : c->place.fd >= 0 ? block_source_place : block_source_memory;
    void *context = c->fd >= 0 ? (void *)&c->fd : c->place.fd >= 0 ? (void *)&c->place : (void *)&c->memory;
    if (block_reader_open(&c->reader, source, context, block))
        return ERROR_MEMORY;
    int result = block_reader_fill(&c->reader, 4);
    struct span beginning = { c->reader.at, block_reader_left(&c->reader) };
    if (result < 0 || !decompress_knows(beginning))
        return result < 0 ? result : 0;
    c->raw = c->reader;
    c->reader = (struct block_reader){ .why = strerror(ENOMEM) };
    if (decompress_open(&c->decompress, &c->raw))
        return ERROR_MEMORY;
    if (block_reader_open(&c->reader, decompress_source, c->decompress, block))
        return ERROR_MEMORY;
    result = block_reader_fill(&c->reader, 4);
    return result < 0 ? result : 0;
}

static int find_format(struct capture *c, struct error *error)
{
    struct span beginning = { c->reader.at, block_reader_left(&c->reader) };
    if (!beginning.left)
        return error_set(error, ERROR_FORMAT, _("%s: not a capture: it is empty"), c->path);
    beginning = span_part(beginning, 0, 4);
    const struct capture_format *const *format = formats;
    while (!(*format)->knows(beginning))
        format++;
    c->format = *format;
    c->next = c->format->next;
    return c->format->start(c, error);
}

static int open_capture(struct capture *c, size_t block, struct error *error)
{
    if (!c->path)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    int result = open_reader(c, block);
    if (result < 0)
        return capture_no_start(c, result, error);
    return find_format(c, error);
}

static bool is_file(const struct capture *c, off_t least)
{
    struct stat about;
    return c->fd >= 0 && !fstat(c->fd, &about) && S_ISREG(about.st_mode) && about.st_size >= least;
}

/* Ends an opening: the capture goes to the caller, or all that was made of it away. */
static int hand_over(struct capture **result, struct capture *c, int code)
{
    if (code < 0) {
        capture_close(c);
        c = NULL;
    }
    *result = c;
    return code;
}

int capture_open_file(const char *path, struct error *error)
{
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
    struct stat status;
    int reason = fd < 0 || fstat(fd, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (!reason)
        return fd;
    if (fd > STDIN_FILENO)
        close(fd);
    return error_set(error, ERROR_SYSTEM, "%s: %s", fd == STDIN_FILENO ? _("standard input") : path, strerror(reason));
}

int capture_open(struct capture **capture, const char *path, struct error *error)
{
    *capture = NULL;
    int fd = capture_open_file(path, error);
    return fd < 0 ? fd : capture_open_descriptor(capture, fd, path, error);
}

int capture_open_descriptor(struct capture **capture, int fd, const char *path, struct error *error)
{
    *capture = NULL;
    struct capture *c = calloc(1, sizeof *c);
    if (!c) {
        if (fd != STDIN_FILENO)
            close(fd);
        return error_set(error, ERROR_MEMORY, "%s: %s", path, strerror(ENOMEM));
    }
    c->fd = fd;
    c->path = strdup(fd == STDIN_FILENO ? _("standard input") : path);
    int code = open_capture(c, CAPTURE_BLOCK, error);
    if (!code && !c->decompress && is_file(c, 0))
        block_reader_try(&c->reader, CAPTURE_LARGER);
    return hand_over(capture, c, code);
}

int capture_open_memory(struct capture **capture, struct span bytes, size_t block, struct error *error)
{
    *capture = NULL;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    c->fd = c->place.fd = -1;
    c->memory = bytes;
    c->path = strdup("memory");
    return hand_over(capture, c, open_capture(c, block, error));
}

int capture_open_place(struct capture **capture, int fd, const char *name, size_t block, struct error *error)
{
    *capture = NULL;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(error, ERROR_MEMORY, "%s: %s", name, strerror(ENOMEM));
    c->fd = -1;
    c->place.fd = fd;
    c->path = strdup(name);
    return hand_over(capture, c, open_capture(c, block, error));
}

bool capture_is_plain(const struct capture *c)
{
    return !c->decompress && c->format != &capture_libpcap;
}

int capture_pour(struct capture *c, struct span *piece, struct error *error)
{
    struct block_reader *r = &c->reader;
    if (!c->poured) /* what was read to see what it is, the file's header included, still lies in the block */
        *piece = (struct span){ r->block, (size_t)(r->end - r->block) };
    while (c->poured || !piece->left) {
        r->at = r->end;
        int result = block_reader_fill(r, 1);
        if (result < 0)
            return error_set(error, result, "%s: %s", c->path, r->why);
        if (!result)
            return 0;
        *piece = (struct span){ r->at, block_reader_left(r) };
        break;
    }
    c->poured = true;
    return 1;
}

int capture_next(struct capture *capture, struct record *record, struct error *error)
{
    return capture->next(capture, record, error);
}

/* The packet that capture_link_type read ahead. */
static int next_held(struct capture *c, struct record *record, struct error *error)
{
    (void)error;
    *record = c->held;
    c->next = c->format->next;
    return 1;
}

int capture_dlt(uint16_t link_type)
{
    static const struct {
        uint16_t link_type;
        int dlt;
    } differing[] = {
        { 100, DLT_ATM_RFC1483 }, { LINKTYPE_RAW, DLT_RAW }, { 102, DLT_SLIP_BSDOS },
        { 103, DLT_PPP_BSDOS },   { 106, DLT_ATM_CLIP },     { 246, DLT_PFSYNC },
    };
    for (size_t i = 0; i < sizeof differing / sizeof *differing; i++)
        if (differing[i].link_type == link_type)
            return differing[i].dlt;
    return link_type;
}

uint16_t capture_link_type_of(int dlt)
{
    for (int link_type = 100; link_type <= 246; link_type++)
        if (capture_dlt((uint16_t)link_type) == dlt)
            return (uint16_t)link_type;
    return capture_plain_link_type((uint32_t)dlt);
}

int capture_link_type(struct capture *capture)
{
    if (!capture->first_known && capture->next == capture->format->next &&
        capture->next(capture, &capture->held, NULL) == 1)
        capture->next = next_held;
    return capture->first_known ? capture_dlt(capture->first_link_type) : 0;
}

bool capture_is_coarse(const struct capture *capture)
{
    return capture->format == &capture_pcap && !capture->nanoseconds;
}

bool capture_nanoseconds(const struct capture *capture)
{
    return capture->nanoseconds;
}

/* Plain files are left alone: what a thread would save of the time, it takes again and more in moving bytes from one
 * processor to another. Nor is one to wait for a pipe, which nothing could wake at the end. */
void capture_read_ahead(struct capture *c)
{
    enum { WORTH_IT = 256 << 10 }; /* a smaller file is over before a thread is up */
    if (c->decompress && is_file(c, WORTH_IT) && sysconf(_SC_NPROCESSORS_ONLN) > 1)
        block_reader_go_ahead(&c->reader);
}

void capture_tells(struct capture *c, void (*told)(void *context), void *context)
{
    c->reader.told = told;
    c->reader.listener = context;
}

/* Where others read ahead, the descriptor knows. */
uint64_t capture_bytes_read(const struct capture *c)
{
    const struct block_reader *r = c->decompress ? &c->raw : &c->reader;
    off_t at = c->fd >= 0 ? lseek(c->fd, 0, SEEK_CUR) : -1;
    return at >= 0 ? (uint64_t)at : block_reader_offset(r, r->end);
}

void capture_close(struct capture *capture)
{
    if (!capture)
        return;
    if (capture->format && capture->format->close)
        capture->format->close(capture);
    block_reader_close(&capture->reader); /* first: it may be reading ahead */
    decompress_close(capture->decompress);
    block_reader_close(&capture->raw);
    if (capture->fd > STDIN_FILENO)
        close(capture->fd);
    free(capture->path);
    free(capture);
}
