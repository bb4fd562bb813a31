#include "output/split.h"
#include "base/buffer.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"
#include "output/ends.h"
#include "protocol/protocol.h"
#include "track/tcp_state.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TCP_HEADER = 20, NAME_BYTES = 192, OUTPUT_BYTES = 64 << 10, NO_FILE = 0 };

struct stream_side {
    struct reassembly_half half;
    uint64_t missing, bytes;
    uint32_t stream; /* its number; the index in its protocol's array */
    uint8_t from;    /* 0 the client */
    bool udp;
    uint16_t file; /* in files, from 1 on; NO_FILE: none is open */
};

struct stream {
    struct stream_side side[2];
    uint8_t address[2][16]; /* client, server */
    uint16_t port[2];
    uint8_t size; /* of addresses; 0: no packet yet */
};

struct file {
    struct stream_side *side; /* NULL: free */
    uint64_t used;            /* when, in turns */
    uint64_t at;              /* of buffer[0] in the file */
    uint32_t length;          /* bytes in the buffer */
    int fd;
    char *buffer; /* owned */
};

/* Streams of a protocol by their number, in chunks that never move: reassembly points into them. */
enum { CHUNK_BITS = 10, CHUNK = 1 << CHUNK_BITS };

struct streams {
    struct stream *chunks[SPLIT_STREAMS / CHUNK]; /* owned */
    uint32_t count;
};

struct split {
    int folder;
    bool made;  /* by us */
    char *path; /* owned */
    int (*make)(void *context, const char *name);
    void *context;
    struct reassembly reassembly;
    struct streams streams[2]; /* TCP, UDP */
    struct file files[SPLIT_FILES];
    uint64_t turn, left_out;
    uint32_t last_left_out[2];
    const struct protocol *tcp, *udp;
    int failed; /* errno of a write, 0 so far */
};

static struct split *owner; /* of the stream that reassembly hands on: its contexts are sides */

/* --- files --- */

static void flush(struct split *s, struct file *f)
{
    for (uint32_t done = 0; done < f->length && !s->failed;) {
        ssize_t n = pwrite(f->fd, f->buffer + done, f->length - done, (off_t)(f->at + done));
        if (n < 0 && errno != EINTR)
            s->failed = errno;
        done += n > 0 ? (uint32_t)n : 0;
    }
    f->at += f->length;
    f->length = 0;
}

static void shut(struct split *s, struct file *f)
{
    if (!f->side)
        return;
    flush(s, f);
    if (close(f->fd) && !s->failed)
        s->failed = errno;
    f->side->file = NO_FILE;
    f->side = NULL;
}

static struct stream *stream_at(const struct split *s, bool udp, uint32_t number)
{
    return &s->streams[udp].chunks[number >> CHUNK_BITS][number & (CHUNK - 1)];
}

static void write_name(const struct split *s, const struct stream_side *side, char name[NAME_BYTES])
{
    const struct stream *t = stream_at(s, side->udp, side->stream);
    struct ends ends = { 0 };
    ends_set(&ends, !side->udp, t->size, t->address[0], t->port[0], t->address[1], t->port[1]);
    char *at = name + snprintf(name, NAME_BYTES, "%s-%u", side->udp ? "udp" : "tcp", side->stream);
    for (unsigned i = 0; i < 2; i++) {
        const char *from = ends.name[i ^ side->from], *colon = strrchr(from, ':');
        *at++ = '-';
        for (; *from; from++) {
            if (*from != '[' && *from != ']')
                *at++ = from == colon ? '.' : *from == ':' ? '_' : *from;
        }
    }
    *at = 0;
}

static struct file *least_used(struct split *s)
{
    struct file *best = &s->files[0];
    for (struct file *f = s->files; f < s->files + SPLIT_FILES; f++) {
        if (!f->side)
            return f;
        if (f->used < best->used)
            best = f;
    }
    return best;
}

static struct file *file_of(struct split *s, struct stream_side *side)
{
    char name[NAME_BYTES];
    if (side->file != NO_FILE)
        return &s->files[side->file - 1];
    struct file *f = least_used(s);
    shut(s, f);
    if (!f->buffer && !(f->buffer = malloc(SPLIT_BUFFER))) {
        s->failed = ENOMEM;
        return NULL;
    }
    write_name(s, side, name);
    f->fd = s->make(s->context, name);
    if (f->fd < 0) {
        s->failed = -f->fd;
        return NULL;
    }
    f->side = side;
    f->length = 0;
    side->file = (uint16_t)(f - s->files + 1);
    return f;
}

static void put(struct split *s, struct stream_side *side, uint64_t at, struct span bytes)
{
    struct file *f = s->failed ? NULL : file_of(s, side);
    if (!f)
        return;
    f->used = ++s->turn;
    while (bytes.left && !s->failed) {
        if (f->length == SPLIT_BUFFER || (f->length && f->at + f->length != at))
            flush(s, f);
        if (!f->length)
            f->at = at;
        size_t n = SPLIT_BUFFER - f->length < bytes.left ? SPLIT_BUFFER - f->length : bytes.left;
        memcpy(f->buffer + f->length, span_pull(&bytes, n), n);
        f->length += (uint32_t)n;
        at += n;
    }
}

/* --- streams --- */

static void on_bytes(void *context, uint64_t at, struct span bytes)
{
    struct stream_side *side = context;
    side->bytes += bytes.left;
    put(owner, side, at, bytes);
}

static void on_gap(void *context, uint64_t at, uint64_t length)
{
    (void)at;
    ((struct stream_side *)context)->missing += length;
}

static void on_end(void *context, uint64_t at, enum reassembly_end how)
{
    (void)at;
    (void)how;
    struct stream_side *side = context;
    if (side->file != NO_FILE)
        shut(owner, &owner->files[side->file - 1]);
}

static const struct reassembly_consumer consumer = { on_bytes, on_gap, on_end };

/* NULL: too many of them, or no memory (then failed says so). */
static struct stream *find_stream(struct split *s, const struct packet *p, const struct layer *l, uint32_t number)
{
    bool udp = l->protocol == s->udp;
    struct streams *all = &s->streams[udp];
    if (number >= SPLIT_STREAMS) {
        s->left_out += number >= s->last_left_out[udp];
        s->last_left_out[udp] = number + 1;
        return NULL;
    }
    struct stream **chunk = &all->chunks[number >> CHUNK_BITS];
    if (!*chunk && !(*chunk = calloc(CHUNK, sizeof **chunk))) {
        s->failed = ENOMEM;
        return NULL;
    }
    struct stream *t = &(*chunk)[number & (CHUNK - 1)];
    if (number >= all->count)
        all->count = number + 1;
    if (t->size)
        return t;
    struct ends ends = { 0 };
    ends_learn(&ends, p, l);
    if (!ends.known)
        return NULL;
    t->size = ends.size;
    memcpy(t->address, ends.address, sizeof t->address);
    memcpy(t->port, ends.port, sizeof t->port);
    for (unsigned i = 0; i < 2; i++) {
        t->side[i] = (struct stream_side){ .stream = number, .from = (uint8_t)i, .udp = udp };
        t->side[i].half.context = &t->side[i];
    }
    return t;
}

static unsigned sender(const struct stream *t, const struct packet *p, const struct layer *l)
{
    const struct network *n = layer_network(p, l);
    uint16_t port = load_be16(layer_header(p, l).at);
    return !(n->size == t->size && !memcmp(n->source, t->address[0], t->size) && port == t->port[0]);
}

static void take_segment(struct split *s, struct stream *t, const struct packet *p, const struct layer *l)
{
    struct span h = layer_header(p, l);
    if (h.left < TCP_HEADER)
        return;
    unsigned from = sender(t, p, l), flags = h.at[13];
    struct reassembly_half *half = &t->side[from].half;
    uint32_t seq = load_be32(h.at + 4);
    if (flags & TCP_ACK)
        reassembly_acknowledge(&t->side[!from].half, load_be32(h.at + 8));
    if (flags & TCP_SYN) {
        seq++;
        if (!half->begun)
            reassembly_begin(half, seq);
    }
    if (!(flags & TCP_RST))
        reassembly_take(&s->reassembly, half, seq, layer_payload(p, l), layer_payload_length(l), flags & TCP_FIN);
}

static void take_datagram(struct split *s, struct stream *t, const struct packet *p, const struct layer *l)
{
    struct stream_side *side = &t->side[sender(t, p, l)];
    struct span bytes = layer_payload(p, l);
    uint32_t length = layer_payload_length(l);
    if (bytes.left)
        put(s, side, side->bytes + side->missing, bytes);
    side->bytes += bytes.left;
    side->missing += length > bytes.left ? length - bytes.left : 0;
}

int split_take(struct split *s, const struct packet *p, struct error *error)
{
    owner = s;
    for (const struct layer *l = p->layers; l < p->layers + p->layer_count; l++) {
        const struct note *note = layer_note(p, l);
        if (!note || l->flags & (LAYER_QUOTED | LAYER_FRAGMENT) || (l->protocol != s->tcp && l->protocol != s->udp))
            continue;
        struct stream *t = find_stream(s, p, l, note->stream);
        if (!t)
            continue;
        if (l->protocol == s->tcp)
            take_segment(s, t, p, l);
        else
            take_datagram(s, t, p, l);
    }
    if (!s->failed)
        return 0;
    return error_set(error, s->failed == ENOMEM ? ERROR_MEMORY : ERROR_SYSTEM, "%s: %s", s->path, strerror(s->failed));
}

/* --- the list --- */

static void list_side(struct split *s, struct buffer *out, const struct stream_side *side)
{
    char name[NAME_BYTES];
    const char *who = side->from ? "server" : "client";
    write_name(s, side, name);
    if (side->bytes)
        buffer_format(out, ",\"%s_file\":\"%s\"", who, name);
    else
        buffer_format(out, ",\"%s_file\":null", who);
    buffer_format(out, ",\"%s_bytes\":%llu,\"%s_missing\":%llu", who, (unsigned long long)side->bytes, who,
                  (unsigned long long)side->missing);
}

static void list_stream(struct split *s, struct buffer *out, const struct stream *t)
{
    bool udp = t->side[0].udp;
    buffer_format(out, "{\"proto\":\"%s\",\"stream\":%u", udp ? "udp" : "tcp", t->side[0].stream);
    for (unsigned i = 0; i < 2; i++) {
        char address[ENDS_NAME], *end;
        const char *who = i ? "server" : "client";
        end = address_write(address, t->address[i], t->size, false, 0);
        *end = 0;
        buffer_format(out, ",\"%s_addr\":\"%s\",\"%s_port\":%u", who, address, who, t->port[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        list_side(s, out, &t->side[i]);
    buffer_text(out, "}\n");
}

static void end_streams(struct split *s, struct buffer *out)
{
    for (unsigned udp = 0; udp < 2; udp++)
        for (uint32_t i = 0; i < s->streams[udp].count; i++) {
            if (!s->streams[udp].chunks[i >> CHUNK_BITS])
                continue;
            struct stream *t = stream_at(s, udp, i);
            for (unsigned side = 0; side < 2 && t->size && !udp; side++)
                reassembly_finish(&s->reassembly, &t->side[side].half, REASSEMBLY_STOPPED);
            if (t->size && out)
                list_stream(s, out, t);
        }
}

int split_finish(struct split *s, struct error *error)
{
    struct buffer out;
    owner = s;
    int fd = s->make(s->context, "streams.json");
    if (fd < 0 || buffer_open(&out, fd, OUTPUT_BYTES)) {
        s->failed = s->failed ? s->failed : fd < 0 ? -fd : ENOMEM;
        end_streams(s, NULL);
    } else {
        end_streams(s, &out);
        buffer_flush(&out);
        s->failed = s->failed ? s->failed : out.failed;
        buffer_free(&out);
    }
    for (struct file *f = s->files; f < s->files + SPLIT_FILES; f++)
        shut(s, f);
    if (fd >= 0 && close(fd) && !s->failed)
        s->failed = errno;
    return s->failed ? error_set(error, ERROR_SYSTEM, "%s: %s", s->path, strerror(s->failed)) : 0;
}

uint64_t split_left_out(const struct split *s)
{
    return s->left_out;
}

/* --- the folder --- */

static bool is_empty(int folder)
{
    int fd = dup(folder);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool empty = dir;
    while (dir && (entry = readdir(dir)))
        empty &= !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (dir)
        closedir(dir);
    return empty;
}

int split_open(struct split **split, const char *path, struct error *error)
{
    struct split *s = *split = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path)))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    s->folder = -1;
    s->made = !mkdir(path, 0777);
    if (!s->made && errno != EEXIST)
        return error_set(error, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    s->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0)
        return error_set(error, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    if (!is_empty(s->folder))
        return error_set(error, ERROR_SYSTEM, _("%s: the folder is not empty"), path);
    reassembly_open(&s->reassembly, &consumer);
    s->tcp = registry_by_name("tcp");
    s->udp = registry_by_name("udp");
    return 0;
}

int split_folder(const struct split *s)
{
    return s->folder;
}

bool split_is_new(const struct split *s)
{
    return s->made;
}

void split_makes(struct split *s, int (*make)(void *context, const char *name), void *context)
{
    s->make = make;
    s->context = context;
}

void split_close(struct split *s)
{
    if (!s)
        return;
    for (unsigned udp = 0; udp < 2; udp++)
        for (unsigned i = 0; i < SPLIT_STREAMS / CHUNK; i++)
            free(s->streams[udp].chunks[i]);
    for (unsigned i = 0; i < SPLIT_FILES; i++)
        free(s->files[i].buffer);
    if (s->folder >= 0)
        close(s->folder);
    free(s->path);
    free(s);
}
