/* Captures written: records are put together in one big buffer, which always begins with a whole record, and go to the
 * file when it is full. So a write that fails half-way (a full disk) can be taken back to the last whole record. */
#include "capture/writer.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER = 512 * 1024,
    PCAP_HEADER = 24,
    PCAP_RECORD = 16,
    BLOCK_TRAILER = 4,
    SECTION_BLOCK = 28,
    INTERFACE_BLOCK = 32,
    ENHANCED_HEADER = 28,
    SIMPLE_HEADER = 12,
    OPTION_HEADER = 4,
    INTERFACES_MAX = 1 << 20,
    SNAP_LENGTH = 262144, /* what tcpdump and dumpcap say; libpcap refuses or cuts by it */
    LINKTYPE_ETHERNET = 1,
};

static const int64_t second = 1000000000;

/* What became of an interface of the records: its number in the file plus one, 0: not written yet. */
struct written {
    uint32_t number;
    uint16_t link_type;
};

struct writer {
    int fd;
    bool pcap, regular;
    bool begun;         /* pcap: the header is there, with link_type in it */
    uint16_t link_type; /* pcap */
    uint32_t count;     /* interfaces written */
    struct written *interfaces;
    size_t interface_room;
    uint8_t *buffer;
    size_t used, size;
    int failed; /* the error that every call returns from now on */
    struct error sentence;
    char *path;
};

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

static uint8_t *put16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, 2);
    return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
    return p + 4;
}

/* Bytes, and zeros up to the next multiple of 4. */
static uint8_t *put_padded(uint8_t *p, struct span bytes)
{
    size_t padding = padded(bytes.left) - bytes.left;
    if (bytes.left)
        memcpy(p, bytes.at, bytes.left);
    memset(p + bytes.left, 0, padding);
    return p + bytes.left + padding;
}

/* The file takes no more. */
static int fail(struct writer *w, int code, const char *why, struct error *error)
{
    w->failed = error_set(&w->sentence, code, "%s: %s", w->path, why);
    return error_set(error, code, "%s", w->sentence.text);
}

/* This packet cannot be written; what came before it still can. */
static int refuse(const struct writer *w, int code, const char *why, struct error *error)
{
    return error_set(error, code, "%s: %s", w->path, why);
}

/* How many of the first n bytes in the buffer are whole records (or blocks, or the file's header). */
static size_t whole_records(const struct writer *w, size_t n, bool at_start)
{
    size_t whole = 0;
    for (;;) {
        size_t length = w->pcap && at_start ? PCAP_HEADER : w->pcap ? PCAP_RECORD : 8;
        if (n - whole < length)
            return whole;
        if (!w->pcap)
            length = load_le32(w->buffer + whole + 4);
        else if (!at_start)
            length += load_le32(w->buffer + whole + 8);
        at_start = false;
        if (n - whole < length)
            return whole;
        whole += length;
    }
}

/* After a write that failed when `done` bytes of the buffer were in the file: what is no whole record goes again. */
static void take_back(const struct writer *w, size_t done)
{
    off_t end = w->regular ? lseek(w->fd, 0, SEEK_CUR) : -1;
    if (end < (off_t)done)
        return;
    size_t whole = whole_records(w, done, (size_t)end == done);
    end -= (off_t)(done - whole);
    if (whole < done && ftruncate(w->fd, end) == 0)
        lseek(w->fd, end, SEEK_SET);
}

/* Waits until a descriptor that does not block (someone else's standard output) takes more. */
static bool wait_for_room(int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    return poll(&ready, 1, -1) >= 0 || errno == EINTR;
}

int writer_flush(struct writer *w, struct error *error)
{
    if (w->failed)
        return error_set(error, w->failed, "%s", w->sentence.text);
    size_t done = 0;
    while (done < w->used) {
        ssize_t n = write(w->fd, w->buffer + done, w->used - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || (errno != EINTR && !(errno == EAGAIN && wait_for_room(w->fd)))) {
            int reason = n == 0 ? ENOSPC : errno;
            take_back(w, done);
            w->used = 0;
            return fail(w, ERROR_SYSTEM, strerror(reason), error);
        }
    }
    w->used = 0;
    return 0;
}

/* Where the next n bytes go, NULL after an error. They count once w->used says so. */
static uint8_t *room(struct writer *w, size_t n, struct error *error)
{
    if (w->size - w->used >= n)
        return w->buffer + w->used;
    if (writer_flush(w, error))
        return NULL;
    if (w->size < n) {
        uint8_t *more = realloc(w->buffer, n);
        if (!more) {
            fail(w, ERROR_MEMORY, strerror(ENOMEM), error);
            return NULL;
        }
        w->buffer = more;
        w->size = n;
    }
    return w->buffer;
}

static void used_until(struct writer *w, const uint8_t *end)
{
    w->used = (size_t)(end - w->buffer);
}

static void begin_pcapng(struct writer *w)
{
    uint8_t *p = put32(w->buffer, 0x0a0d0d0a);
    p = put32(p, SECTION_BLOCK);
    p = put32(p, 0x1a2b3c4d);
    p = put16(p, 1); /* version 1.0 */
    p = put16(p, 0);
    p = put32(p, UINT32_MAX); /* the section's length: not told */
    p = put32(p, UINT32_MAX);
    used_until(w, put32(p, SECTION_BLOCK));
}

static int begin_pcap(struct writer *w, uint16_t link_type, struct error *error)
{
    uint8_t *p = room(w, PCAP_HEADER, error);
    if (!p)
        return w->failed;
    p = put32(p, 0xa1b23c4d);
    p = put16(p, 2); /* version 2.4 */
    p = put16(p, 4);
    p = put32(p, 0);
    p = put32(p, 0);
    p = put32(p, SNAP_LENGTH);
    used_until(w, put32(p, link_type));
    w->link_type = link_type;
    w->begun = true;
    return 0;
}

static int add_interface(struct writer *w, struct written *written, uint16_t link_type, struct error *error)
{
    uint8_t *p = room(w, INTERFACE_BLOCK, error);
    if (!p)
        return w->failed;
    p = put32(p, 1);
    p = put32(p, INTERFACE_BLOCK);
    p = put16(p, link_type);
    p = put16(p, 0);
    p = put32(p, 0); /* no snap length */
    p = put16(p, 9); /* if_tsresol: 10^-9 */
    p = put16(p, 1);
    p = put32(p, 9);
    p = put32(p, 0); /* opt_endofopt */
    used_until(w, put32(p, INTERFACE_BLOCK));
    *written = (struct written){ ++w->count, link_type };
    return 0;
}

/* The number in the file of a record's interface, which is written first if it is new. A number that comes with another
 * link type than before is another interface. */
static int interface_number(struct writer *w, const struct record *record, uint32_t *number, struct error *error)
{
    if (record->interface >= w->interface_room) {
        if (record->interface >= INTERFACES_MAX)
            return refuse(w, ERROR_FORMAT, _("too many interfaces"), error);
        size_t more = ((size_t)record->interface + 1) * 2;
        struct written *interfaces = realloc(w->interfaces, more * sizeof *interfaces);
        if (!interfaces)
            return refuse(w, ERROR_MEMORY, strerror(ENOMEM), error);
        memset(interfaces + w->interface_room, 0, (more - w->interface_room) * sizeof *interfaces);
        w->interfaces = interfaces;
        w->interface_room = more;
    }
    struct written *written = &w->interfaces[record->interface];
    if (written->number == 0 || written->link_type != record->link_type) {
        int result = add_interface(w, written, record->link_type, error);
        if (result)
            return result;
    }
    *number = written->number - 1;
    return 0;
}

static int put_simple(struct writer *w, const struct record *record, struct error *error)
{
    size_t length = SIMPLE_HEADER + padded(record->bytes.left) + BLOCK_TRAILER;
    uint8_t *p = room(w, length, error);
    if (!p)
        return w->failed;
    p = put32(p, 3);
    p = put32(p, (uint32_t)length);
    p = put32(p, record->wire_length);
    p = put_padded(p, record->bytes);
    used_until(w, put32(p, (uint32_t)length));
    return 0;
}

static int put_enhanced(struct writer *w, const struct record *record, uint32_t number, struct error *error)
{
    struct span comment = record->comment;
    if (comment.left > UINT16_MAX)
        comment.left = UINT16_MAX;
    size_t options = comment.left ? OPTION_HEADER + padded(comment.left) + OPTION_HEADER : 0;
    size_t length = ENHANCED_HEADER + padded(record->bytes.left) + options + BLOCK_TRAILER;
    uint64_t time = record->timed && record->time > 0 ? (uint64_t)record->time : 0;
    uint8_t *p = room(w, length, error);
    if (!p)
        return w->failed;
    p = put32(p, 6);
    p = put32(p, (uint32_t)length);
    p = put32(p, number);
    p = put32(p, (uint32_t)(time >> 32));
    p = put32(p, (uint32_t)time);
    p = put32(p, (uint32_t)record->bytes.left);
    p = put32(p, record->wire_length);
    p = put_padded(p, record->bytes);
    if (options) {
        p = put16(p, 1); /* opt_comment */
        p = put16(p, (uint16_t)comment.left);
        p = put_padded(p, comment);
        p = put32(p, 0); /* opt_endofopt */
    }
    used_until(w, put32(p, (uint32_t)length));
    return 0;
}

static int put_pcapng(struct writer *w, const struct record *record, struct error *error)
{
    uint32_t number = 0;
    int result = interface_number(w, record, &number, error);
    if (result)
        return result;
    bool whole = record->bytes.left == record->wire_length;
    if (!record->timed && number == 0 && whole && !record->comment.left)
        return put_simple(w, record, error);
    return put_enhanced(w, record, number, error);
}

static int put_pcap(struct writer *w, const struct record *record, struct error *error)
{
    int result = w->begun ? 0 : begin_pcap(w, record->link_type, error);
    if (result)
        return result;
    if (record->link_type != w->link_type) {
        char why[128];
        snprintf(why, sizeof why, _("a pcap holds one link type, here %u, and this packet has %u; pcapng holds both"),
                 w->link_type, record->link_type);
        return refuse(w, ERROR_FORMAT, why, error);
    }
    int64_t time = record->time, last = (int64_t)UINT32_MAX * second + second - 1;
    time = !record->timed || time < 0 ? 0 : time > last ? last : time;
    uint8_t *p = room(w, PCAP_RECORD + record->bytes.left, error);
    if (!p)
        return w->failed;
    p = put32(p, (uint32_t)(time / second));
    p = put32(p, (uint32_t)(time % second));
    p = put32(p, (uint32_t)record->bytes.left);
    p = put32(p, record->wire_length);
    if (record->bytes.left)
        memcpy(p, record->bytes.at, record->bytes.left);
    used_until(w, p + record->bytes.left);
    return 0;
}

int writer_put(struct writer *w, const struct record *record, struct error *error)
{
    if (w->failed)
        return error_set(error, w->failed, "%s", w->sentence.text);
    if (record->link_type == CAPTURE_NO_PACKET)
        return 0;
    if (record->bytes.left > CAPTURE_PACKET_MAX)
        return refuse(w, ERROR_FORMAT, _("a packet is larger than any reader takes"), error);
    return w->pcap ? put_pcap(w, record, error) : put_pcapng(w, record, error);
}

static void writer_free(struct writer *w)
{
    free(w->interfaces);
    free(w->buffer);
    free(w->path);
    free(w);
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

static struct writer *writer_new(const char *name)
{
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct writer){ .buffer = malloc(BUFFER), .size = BUFFER, .path = strdup(name) };
    if (w->buffer && w->path)
        return w;
    writer_free(w);
    return NULL;
}

/* fd: what opening it gave, with errno if that is -1. */
static int begin_writer(struct writer **writer, struct writer *w, int fd, struct error *error)
{
    struct stat status;
    w->fd = fd;
    if (w->fd < 0 || fstat(w->fd, &status) < 0) {
        error_set(error, ERROR_SYSTEM, "%s: %s", w->path, strerror(errno));
        writer_free(w);
        return ERROR_SYSTEM;
    }
    w->regular = S_ISREG(status.st_mode);
    if (!w->pcap)
        begin_pcapng(w);
    *writer = w;
    return 0;
}

int writer_open(struct writer **writer, const char *path, struct error *error)
{
    bool standard = strcmp(path, "-") == 0;
    struct writer *w = writer_new(standard ? _("standard output") : path);
    *writer = NULL;
    if (!w)
        return error_set(error, ERROR_MEMORY, "%s: %s", path, strerror(ENOMEM));
    w->pcap = ends_in(path, ".pcap");
    int fd = standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    return begin_writer(writer, w, fd, error);
}

int writer_open_file(struct writer **writer, int fd, const char *name, struct error *error)
{
    struct writer *w = writer_new(name);
    *writer = NULL;
    return w ? begin_writer(writer, w, fd, error) : error_set(error, ERROR_MEMORY, "%s: %s", name, strerror(ENOMEM));
}

int writer_close(struct writer *w, struct error *error)
{
    /* A pcap without a packet still has a link type; Ethernet is as good as any. */
    if (!w->failed && w->pcap && !w->begun)
        begin_pcap(w, LINKTYPE_ETHERNET, error);
    int result = writer_flush(w, error);
    if (w->fd != STDOUT_FILENO && close(w->fd) < 0 && !result)
        result = fail(w, ERROR_SYSTEM, strerror(errno), error);
    writer_free(w);
    return result;
}
