/* Captures written: records are put together in one big buffer, which always begins with a whole record, and go to the
 * file when it is full. So a write that fails half-way (a full disk) can be taken back to the last whole record.
 * Packets that were lent are not copied: they are written from where they lie, between pieces of the buffer. */
#include "capture/writer.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    BUFFER = 512 * 1024,
    PCAP_HEADER = 24,
    PCAP_RECORD = 16,
    BLOCK_TRAILER = 4,
    SECTION_BLOCK = 28,
    INTERFACE_BLOCK = 32, /* without what describes it */
    ENHANCED_HEADER = 28,
    SIMPLE_HEADER = 12,
    OPTION_HEADER = 4,
    INTERFACES_MAX = 1 << 20,
    SNAP_LENGTH = 262144, /* what tcpdump and dumpcap say; libpcap refuses or cuts by it */
    LINKTYPE_ETHERNET = 1,
    PIECES = 1024,   /* IOV_MAX */
    LENT_FROM = 256, /* bytes: a shorter packet is copied sooner than written as a piece of its own (measured) */
    TEXT_MAX = 1024, /* of a description's texts */
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
    bool lent;
    bool begun;         /* pcap: the header is there, with link_type in it */
    uint16_t link_type; /* pcap */
    uint32_t unit;      /* pcap: nanoseconds in a unit of its times */
    uint32_t count;     /* interfaces written */
    struct written *interfaces;
    size_t interface_room;
    uint8_t *buffer;
    size_t used, size;
    size_t cut;          /* the buffer before this is in pieces */
    size_t pieced;       /* bytes in pieces */
    unsigned pieces;     /* always pairs: of the buffer, and a packet */
    uint64_t *told;      /* see writer_tell */
    struct iovec *piece; /* PIECES, once something was lent */
    uint64_t written;    /* bytes in the file */
    struct writer_description description;
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

/* The n bytes that stand `at` bytes behind the beginning of what is to be written: a header of a block or a record, all
 * of which lies in the buffer. *piece: where to look from; advanced. */
struct place {
    unsigned piece;
    size_t before; /* bytes in the pieces before */
};

static const uint8_t *header_at(const struct writer *w, size_t at, struct place *place)
{
    while (place->piece < w->pieces && at - place->before >= w->piece[place->piece].iov_len)
        place->before += w->piece[place->piece++].iov_len;
    const uint8_t *start = place->piece < w->pieces ? w->piece[place->piece].iov_base : w->buffer + w->cut;
    return start + (at - place->before);
}

/* How many of the first n bytes are whole records (or blocks, or the file's header). */
static size_t whole_records(const struct writer *w, size_t n, bool at_start)
{
    size_t whole = 0;
    struct place place = { 0 };
    for (;;) {
        size_t length = w->pcap && at_start ? PCAP_HEADER : w->pcap ? PCAP_RECORD : 8;
        if (n - whole < length)
            return whole;
        const uint8_t *header = header_at(w, whole, &place);
        if (!w->pcap)
            length = load_le32(header + 4);
        else if (!at_start)
            length += load_le32(header + 8);
        at_start = false;
        if (n - whole < length)
            return whole;
        whole += length;
    }
}

/* After a write that failed when `done` bytes were in the file: what is no whole record goes again. */
static void take_back(struct writer *w, size_t done)
{
    off_t end = w->regular ? lseek(w->fd, 0, SEEK_CUR) : -1;
    if (end < (off_t)done)
        return;
    size_t whole = whole_records(w, done, (size_t)end == done);
    end -= (off_t)(done - whole);
    w->written += whole;
    if (whole < done && ftruncate(w->fd, end) == 0)
        lseek(w->fd, end, SEEK_SET);
}

/* Waits until a descriptor that does not block (someone else's standard output) takes more. */
static bool wait_for_room(int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    return poll(&ready, 1, -1) >= 0 || errno == EINTR;
}

static void forget_held(struct writer *w)
{
    w->used = w->cut = w->pieced = 0;
    w->pieces = 0;
}

static size_t held(const struct writer *w)
{
    return w->pieced + w->used - w->cut;
}

/* Writes from `done` bytes on, in one piece or in many. */
static ssize_t write_from(const struct writer *w, size_t done)
{
    if (!w->pieces)
        return write(w->fd, w->buffer + done, w->used - done);
    struct iovec all[PIECES];
    unsigned from = 0;
    size_t n = w->pieces;
    memcpy(all, w->piece, n * sizeof *all);
    if (w->used > w->cut) /* there is room: pieces come by two, and the last pair makes for a flush */
        all[n++] = (struct iovec){ w->buffer + w->cut, w->used - w->cut };
    for (; from < n && done >= all[from].iov_len; from++)
        done -= all[from].iov_len;
    all[from].iov_base = (uint8_t *)all[from].iov_base + done;
    all[from].iov_len -= done;
    return writev(w->fd, all + from, (int)(n - from));
}

int writer_flush(struct writer *w, struct error *error)
{
    if (w->failed)
        return error_set(error, w->failed, "%s", w->sentence.text);
    size_t done = 0, all = held(w);
    while (done < all) {
        ssize_t n = write_from(w, done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || (errno != EINTR && !(errno == EAGAIN && wait_for_room(w->fd)))) {
            int reason = n == 0 ? ENOSPC : errno;
            take_back(w, done);
            forget_held(w);
            return fail(w, reason == EPIPE ? ERROR_CLOSED : ERROR_SYSTEM, strerror(reason), error);
        }
    }
    w->written += all;
    if (w->told)
        *w->told = w->written;
    forget_held(w);
    return 0;
}

int writer_return(struct writer *w, struct error *error)
{
    return w->pieces ? writer_flush(w, error) : 0;
}

void writer_lend(struct writer *w)
{
    w->lent = true;
}

/* A packet's bytes, which are not copied if they stay where they are until they are written. `to` is where they would
 * go in the buffer; what comes behind them goes to the place that is returned. */
static uint8_t *put_packet(struct writer *w, uint8_t *to, struct span bytes)
{
    if (!w->lent || bytes.left < LENT_FROM || (!w->piece && !(w->piece = malloc(PIECES * sizeof *w->piece)))) {
        if (bytes.left)
            memcpy(to, bytes.at, bytes.left);
        return to + bytes.left;
    }
    size_t before = (size_t)(to - w->buffer) - w->cut;
    w->piece[w->pieces++] = (struct iovec){ w->buffer + w->cut, before };
    w->piece[w->pieces++] = (struct iovec){ (void *)(uintptr_t)bytes.at, bytes.left };
    w->pieced += before + bytes.left;
    w->cut += before;
    return to;
}

/* Where the next n bytes go, NULL after an error. They count once w->used says so. */
static uint8_t *room(struct writer *w, size_t n, struct error *error)
{
    if (w->size - w->used >= n && w->pieces <= PIECES - 4)
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

/* An option that is a text, nothing for NULL; longer texts are cut. */
static uint8_t *put_text(uint8_t *p, uint16_t code, const char *text)
{
    if (!text)
        return p;
    size_t n = strlen(text);
    n = n < TEXT_MAX ? n : TEXT_MAX;
    p = put16(p, code);
    p = put16(p, (uint16_t)n);
    return put_padded(p, (struct span){ (const uint8_t *)text, n });
}

/* Ends the block that begins at `block`: both of its lengths. */
static uint8_t *end_block(uint8_t *block, uint8_t *p)
{
    uint32_t length = (uint32_t)(p + BLOCK_TRAILER - block);
    put32(block + 4, length);
    return put32(p, length);
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
    if (w->description.interface) {
        p = put_text(p, 4, "peel " PEEL_VERSION); /* shb_userappl */
        p = put32(p, 0);
    }
    used_until(w, end_block(w->buffer, p));
}

static int begin_pcap(struct writer *w, uint16_t link_type, struct error *error)
{
    uint8_t *p = room(w, PCAP_HEADER, error);
    if (!p)
        return w->failed;
    p = put32(p, w->unit == 1 ? 0xa1b23c4d : 0xa1b2c3d4);
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
    static const struct writer_description unknown;
    const struct writer_description *d = w->count ? &unknown : &w->description;
    uint8_t *block = room(w, INTERFACE_BLOCK + 3 * (OPTION_HEADER + TEXT_MAX + 4), error), *p = block;
    if (!p)
        return w->failed;
    p = put32(p, 1);
    p = put32(p, INTERFACE_BLOCK);
    p = put16(p, link_type);
    p = put16(p, 0);
    p = put32(p, d->snap_length); /* 0: none */
    p = put_text(p, 2, d->interface);
    p = put16(p, 9); /* if_tsresol: 10^-9 */
    p = put16(p, 1);
    p = put32(p, 9);
    if (d->filter) {
        size_t n = strnlen(d->filter, TEXT_MAX);
        uint8_t text[1 + TEXT_MAX] = { 0 }; /* 0: a pcap-filter */
        memcpy(text + 1, d->filter, n);
        p = put16(p, 11);
        p = put16(p, (uint16_t)(n + 1));
        p = put_padded(p, (struct span){ text, n + 1 });
    }
    p = put32(p, 0); /* opt_endofopt */
    used_until(w, end_block(block, p));
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
    p = put_packet(w, p, record->bytes);
    for (size_t padding = padded(record->bytes.left) - record->bytes.left; padding; padding--)
        *p++ = 0;
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
    p = put32(p, (uint32_t)(time % second) / w->unit);
    p = put32(p, (uint32_t)record->bytes.left);
    p = put32(p, record->wire_length);
    used_until(w, put_packet(w, p, record->bytes));
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

/* Short packets are copied by pieces of 16 bytes, the last of which may lie over the one before. */
static inline uint8_t *copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n < 16) {
        memcpy(to, from, n);
        return to + n;
    }
    uint8_t *end = to + n;
    const uint8_t *last = from + n - 16;
    for (; to < end - 16; to += 16, from += 16)
        memcpy(to, from, 16);
    memcpy(end - 16, last, 16);
    return end;
}

static inline uint8_t *put_short(struct writer *w, uint8_t *p, struct span bytes)
{
    return bytes.left < LENT_FROM ? copy_short(p, bytes.at, bytes.left) : put_packet(w, p, bytes);
}

/* Not by way of an array: written in parts and read whole a moment later, it costs more than the packet. */
static inline uint8_t *put_two(uint8_t *p, uint32_t first, uint32_t second_word)
{
    uint64_t both = first | (uint64_t)second_word << 32;
    memcpy(p, &both, sizeof both);
    return p + sizeof both;
}

static inline uint8_t *put_block(struct writer *w, uint8_t *p, const struct ring_packet *packet)
{
    size_t n = packet->bytes.left, more = padded(n) - n;
    uint32_t length = (uint32_t)(ENHANCED_HEADER + n + more + BLOCK_TRAILER);
    uint64_t time = packet->time > 0 ? (uint64_t)packet->time : 0;
    p = put_two(p, 6, length);
    p = put_two(p, 0, (uint32_t)(time >> 32)); /* the first interface */
    p = put_two(p, (uint32_t)time, (uint32_t)n);
    p = put_short(w, put32(p, packet->wire_length), packet->bytes);
    put32(p, 0); /* more than the padding, which the length then lies over */
    return put32(p + more, length);
}

static inline uint8_t *put_record(struct writer *w, uint8_t *p, const struct ring_packet *packet)
{
    uint64_t time = packet->time > 0 ? (uint64_t)packet->time : 0;
    p = put_two(p, (uint32_t)(time / (uint64_t)second), (uint32_t)(time % (uint64_t)second) / w->unit);
    p = put_two(p, (uint32_t)packet->bytes.left, packet->wire_length);
    return put_short(w, p, packet->bytes);
}

int writer_put_many(struct writer *w, const struct ring_packet *packets, size_t count, struct error *error)
{
    if (w->failed)
        return error_set(error, w->failed, "%s", w->sentence.text);
    uint8_t *p = w->buffer + w->used, *end = w->buffer + w->size;
    for (size_t i = 0; i < count; i++) {
        size_t most = ENHANCED_HEADER + packets[i].bytes.left + 2 * BLOCK_TRAILER;
        if ((size_t)(end - p) < most || w->pieces > PIECES - 4) {
            used_until(w, p);
            if (!(p = room(w, most, error)))
                return w->failed;
            end = w->buffer + w->size;
        }
        p = w->pcap ? put_record(w, p, &packets[i]) : put_block(w, p, &packets[i]);
    }
    used_until(w, p);
    return 0;
}

int writer_describe(struct writer *w, const struct writer_description *description, struct error *error)
{
    uint32_t number;
    struct record none = { .link_type = description->link_type };
    w->description = *description;
    if (w->pcap)
        return begin_pcap(w, description->link_type, error);
    begin_pcapng(w);
    return interface_number(w, &none, &number, error);
}

static uint8_t *put_number(uint8_t *p, uint16_t code, uint64_t value)
{
    p = put16(p, code);
    p = put16(p, 8);
    memcpy(p, &value, 8);
    return p + 8;
}

/* Times in a block of statistics stand with the high half first. */
static uint8_t *put_time(uint8_t *p, uint16_t code, int64_t time)
{
    uint64_t t = time > 0 ? (uint64_t)time : 0;
    return put_number(p, code, t >> 32 | t << 32);
}

int writer_statistics(struct writer *w, const struct writer_statistics *statistics, struct error *error)
{
    if (w->failed)
        return error_set(error, w->failed, "%s", w->sentence.text);
    if (w->pcap || !w->count)
        return 0;
    uint8_t *block = room(w, 20 + 6 * 12 + 4 + BLOCK_TRAILER, error), *p = block;
    if (!p)
        return w->failed;
    p = put32(p, 5);
    p = put32(p, 0);
    p = put32(p, 0); /* the first interface */
    uint64_t now = statistics->time > 0 ? (uint64_t)statistics->time : 0;
    p = put32(p, (uint32_t)(now >> 32));
    p = put32(p, (uint32_t)now);
    p = put_time(p, 2, statistics->begun);
    p = put_time(p, 3, statistics->time);
    p = put_number(p, 4, statistics->received);          /* isb_ifrecv */
    p = put_number(p, 5, statistics->interface_dropped); /* isb_ifdrop */
    p = put_number(p, 7, statistics->dropped);           /* isb_osdrop */
    p = put_number(p, 8, statistics->delivered);         /* isb_usrdeliv */
    p = put32(p, 0);
    used_until(w, end_block(block, p));
    return 0;
}

void writer_tell(struct writer *w, uint64_t *place)
{
    w->told = place;
    *place = w->written;
}

void writer_tidy(int fd, bool pcap, uint64_t from)
{
    char path[64];
    struct stat status;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC); /* the other was opened for writing */
    uint64_t end = (uint64_t)status.st_size, whole = from > end ? 0 : from;
    while (reader >= 0 && whole < end) {
        uint8_t header[PCAP_RECORD];
        size_t length = pcap ? whole ? PCAP_RECORD : PCAP_HEADER : 8,
               wanted = length < sizeof header ? length : sizeof header;
        if (end - whole < length || pread(reader, header, wanted, (off_t)whole) != (ssize_t)wanted)
            break;
        if (!pcap)
            length = load_le32(header + 4);
        else if (whole)
            length += load_le32(header + 8);
        if (length < 8 || length > end - whole)
            break;
        whole += length;
    }
    if (reader >= 0) {
        close(reader);
        if (whole < end && ftruncate(fd, (off_t)whole))
            return; /* nobody is left to be told */
    }
}

uint64_t writer_size(const struct writer *w)
{
    return w->written + held(w);
}

static void writer_free(struct writer *w)
{
    free(w->interfaces);
    free(w->piece);
    free(w->buffer);
    free(w->path);
    free(w);
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

void writer_microseconds(struct writer *w)
{
    w->unit = 1000;
}

bool writer_is_pcap(const char *path)
{
    return ends_in(path, ".pcap");
}

static int no_memory(const char *path, struct error *error)
{
    return error_set(error, ERROR_MEMORY, "%s: %s", path, strerror(ENOMEM));
}

int writer_open_descriptor(struct writer **writer, int fd, const char *path, struct error *error)
{
    struct stat status;
    struct writer *w = calloc(1, sizeof *w);
    *writer = NULL;
    if (!w)
        return no_memory(path, error);
    *w = (struct writer){ .fd = fd, .buffer = malloc(BUFFER), .size = BUFFER };
    w->path = strdup(fd == STDOUT_FILENO ? _("standard output") : path);
    int code = w->buffer && w->path ? 0 : no_memory(path, error);
    if (!code && fstat(fd, &status) < 0)
        code = error_set(error, ERROR_SYSTEM, "%s: %s", w->path, strerror(errno));
    if (code) {
        writer_free(w);
        return code;
    }
    w->regular = S_ISREG(status.st_mode);
    w->pcap = writer_is_pcap(path);
    w->unit = 1;
    if (!w->pcap)
        begin_pcapng(w);
    *writer = w;
    return 0;
}

int writer_open(struct writer **writer, const char *path, struct error *error)
{
    bool standard = strcmp(path, "-") == 0;
    *writer = NULL;
    int fd = standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0)
        return error_set(error, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    int code = writer_open_descriptor(writer, fd, path, error);
    if (code && !standard)
        close(fd);
    return code;
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
