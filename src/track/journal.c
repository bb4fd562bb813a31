#include "track/journal.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "track/note_code.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    A_MESSAGE = 255,
    HAS_LAYERS = 8,
    HAS_BUFFERS = 16,
    SHAPES = 32,
    LAYER_ROOM = 32,
    MESSAGE_PART = 2048,
    SHORT = 4096
};
enum { WHOLE_UP_TO = 256 << 20 };
enum {
    HELD = 256 << 10,
    WORDS_HELD = 4096,
    WORDS_NEAR = 256,
    FILL_AT_ONCE = 64 << 10,
    OFFSETS_AT_FIRST = 1024,
    MOST_BYTES = 1 << 24
};

struct journal {
    int words_fd, details_fd;
    uint64_t remarks;
    const struct protocol *tcp, *udp;
    uint64_t count;
    uint64_t *offsets; /* owned: in details, of each JOURNAL_STEP-th packet's */
    size_t offset_count, offset_room;
    struct journal_word held_words[WORDS_HELD]; /* the last ones, not written yet */
    size_t words_held;
    uint64_t written; /* bytes of details that are in the file; the rest is in `held` */
    struct buffer held;
    struct note_code *code; /* owned */
    int failed;
    /* reading */
    struct buffer piece;  /* of details */
    uint64_t piece_start; /* where it begins in the file */
    uint64_t next;        /* the packet whose details begin at `at`; 0: none */
    uint64_t at;
    struct journal_word near[WORDS_NEAR]; /* of packets near_first and on */
    uint64_t near_first;
    size_t near_count;
};

/* --- writing --- */

int journal_open(struct journal **journal, int words, int details, uint64_t remarks, struct error *error)
{
    struct journal *j = calloc(1, sizeof *j);
    *journal = j;
    if (j)
        j->code = note_code_open();
    if (!j || !j->code || buffer_open(&j->held, -1, HELD + NOTE_CODE_ROOM) ||
        buffer_open(&j->piece, -1, FILL_AT_ONCE)) {
        journal_close(j);
        *journal = NULL;
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    }
    j->words_fd = words;
    j->details_fd = details;
    j->remarks = remarks;
    j->tcp = registry_by_name("tcp");
    j->udp = registry_by_name("udp");
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->words_fd > 0)
        close(j->words_fd);
    if (j->details_fd > 0)
        close(j->details_fd);
    note_code_close(j->code);
    buffer_free(&j->held);
    buffer_free(&j->piece);
    free(j->offsets);
    free(j);
}

static int fail(struct journal *j, struct error *error)
{
    j->failed = errno;
    return error_set(error, ERROR_SYSTEM, _("the file that keeps what is known of packets: %s"), strerror(errno));
}

static bool write_all(int fd, const void *bytes, size_t n, uint64_t offset)
{
    const uint8_t *from = bytes;
    while (n) {
        ssize_t done = pwrite(fd, from, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        from += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return true;
}

static bool write_out(struct journal *j)
{
    size_t n = buffer_used(&j->held);
    if (!write_all(j->details_fd, j->held.start, n, j->written))
        return false;
    j->written += n;
    j->held.at = j->held.start;
    return true;
}

static bool add_word(struct journal *j, const struct journal_word *word)
{
    if (j->words_held == WORDS_HELD) {
        uint64_t first = j->count - WORDS_HELD;
        if (!write_all(j->words_fd, j->held_words, sizeof j->held_words, first * sizeof *word))
            return false;
        j->words_held = 0;
    }
    j->held_words[j->words_held++] = *word;
    return true;
}

static struct journal_word word_of(const struct journal *j, const struct packet *p)
{
    struct journal_word word = { 0 };
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        if (l->verdict == VERDICT_BROKEN)
            word.bits |= JOURNAL_ERROR;
        const struct note *note = layer_note(p, l);
        if (!note || l->flags & LAYER_QUOTED || !(note->have >> NOTE_STREAM & 1))
            continue;
        word.stream = note->stream;
        word.bits &= JOURNAL_ERROR;
        word.bits |= l->protocol == j->tcp ? JOURNAL_TCP : JOURNAL_UDP;
        word.bits |= note->have & j->remarks ? JOURNAL_REMARK : 0;
        if (note->have >> NOTE_STATES & 1) {
            word.bits |= JOURNAL_STATES;
            word.bits |= note->from_client ? JOURNAL_CLIENT : 0;
            memcpy(word.state, note->state, 2);
        }
    }
    if (p->have & HOT_TCP)
        word.bits |= (uint16_t)((p->tcp_flags & 4 ? JOURNAL_RESET : 0) | (p->tcp_flags & 3 ? JOURNAL_EDGE : 0));
    return word;
}

/* The first layer that lies in a buffer. */
static const struct layer *buffer_layer(const struct packet *p, unsigned buffer)
{
    for (unsigned i = 0; i < p->layer_count; i++)
        if (p->layers[i].buffer == buffer)
            return &p->layers[i];
    return NULL;
}

/* Whether a buffer holds a message of a stream, not a datagram that was put together from fragments. */
static bool is_message(const struct packet *p, unsigned buffer)
{
    const struct layer *l = buffer_layer(p, buffer);
    return l && l->protocol->frame;
}

/* As many bytes of a buffer as are kept: all, until the file is large. */
static size_t kept_bytes(const struct journal *j, const struct packet *p, unsigned buffer)
{
    size_t n = p->buffers[buffer].left;
    bool whole = !is_message(p, buffer) || j->written < WHOLE_UP_TO;
    return whole || n < MESSAGE_PART ? n : MESSAGE_PART;
}

/* Of each buffer but the packet's own: the protocol of the datagram that it is, or 255 for a message, the network that
 * it travels in, its bytes. */
static void put_buffers(struct journal *j, const struct packet *p)
{
    for (unsigned i = 1; i < p->buffer_count; i++) {
        const struct layer *l = buffer_layer(p, i);
        const struct network *network = l ? layer_network(p, l) : NULL;
        uint8_t head[24], *to = head;
        size_t n = kept_bytes(j, p, i);
        *to++ = is_message(p, i) ? A_MESSAGE : network ? network->protocol : 0;
        *to++ = l ? l->network : 0;
        to = number_put(to, n);
        buffer_put(&j->held, head, (size_t)(to - head));
        buffer_put(&j->held, p->buffers[i].at, n);
    }
}

static unsigned protocol_number(const struct protocol *protocol)
{
    unsigned i = 0;
    while (protocols[i] && protocols[i] != protocol)
        i++;
    return i;
}

/* The layers that the tracker changed or added: from the last one on that the dissectors had made. */
static uint8_t *put_layers(uint8_t *to, const struct packet *p, unsigned from)
{
    *to++ = (uint8_t)from;
    *to++ = p->layer_count;
    *to++ = p->subject;
    for (unsigned i = from; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        to = number_put(to, protocol_number(l->protocol));
        to = number_put(to, l->offset);
        to = number_put(to, l->length);
        to = number_put(to, l->end);
        *to++ = l->buffer;
        *to++ = l->verdict;
        *to++ = l->flags;
        *to++ = l->network;
        if (l->flags & LAYER_TOLD_NUMBER)
            to = number_put(to, l->told);
    }
    return to;
}

/* The layer that the only note is on. */
static unsigned noted_layer(const struct packet *p)
{
    unsigned i = 0;
    while (i + 1 < p->layer_count && !p->layers[i].note)
        i++;
    return i;
}

/* Mostly a packet has one note: then its shape's number, + SHAPES, and what the shape leaves open. Else two bytes: how
 * many notes, and whether layers come; how many buffers besides the packet's own. Then the buffers, the layers, and of
 * each note its layer and what it says. */
static void put_details(struct journal *j, const struct packet *p, struct journal_plain plain,
                        const struct journal_word *word)
{
    unsigned from = plain.layers ? plain.layers - 1 : 0;
    bool changed = p->layer_count != plain.layers || p->buffer_count > 1 ||
                   (plain.layers && p->layers[from].protocol != plain.last);
    if (p->note_count == 1 && !changed && p->layers[noted_layer(p)].note) {
        uint8_t *room = (uint8_t *)buffer_room(&j->held, NOTE_CODE_ROOM);
        uint8_t *end = note_put_short(j->code, room, SHAPES, p, noted_layer(p), word);
        if (end) {
            j->held.at = (char *)end;
            return;
        }
    }
    uint8_t *to = (uint8_t *)buffer_room(&j->held, 2);
    *to++ = (uint8_t)(p->note_count | (changed ? HAS_LAYERS : 0) | (p->buffer_count > 1 ? HAS_BUFFERS : 0));
    if (p->buffer_count > 1)
        *to++ = (uint8_t)(p->buffer_count - 1);
    j->held.at = (char *)to;
    if (p->buffer_count > 1)
        put_buffers(j, p);
    if (!p->note_count && !changed)
        return;
    to = (uint8_t *)buffer_room(&j->held, 3 + LAYERS_MAX * LAYER_ROOM + NOTES_MAX * (1 + NOTE_CODE_ROOM));
    if (changed)
        to = put_layers(to, p, from);
    for (unsigned i = 0; i < p->layer_count; i++) {
        if (!p->layers[i].note)
            continue;
        *to++ = (uint8_t)i;
        to = note_put(to, layer_note(p, &p->layers[i]), p->number);
    }
    j->held.at = (char *)to;
}

static bool keep_offset(struct journal *j)
{
    if (j->offset_count == j->offset_room) {
        size_t room = j->offset_room ? j->offset_room + j->offset_room / 2 : OFFSETS_AT_FIRST;
        uint64_t *more = realloc(j->offsets, room * sizeof *more);
        if (!more)
            return false;
        j->offsets = more;
        j->offset_room = room;
    }
    j->offsets[j->offset_count++] = j->written + buffer_used(&j->held);
    return true;
}

int journal_add(struct journal *j, const struct packet *p, struct journal_plain plain, struct error *error)
{
    if (j->failed) {
        errno = j->failed;
        return fail(j, error);
    }
    if (buffer_used(&j->held) >= HELD && !write_out(j))
        return fail(j, error);
    struct journal_word word = word_of(j, p);
    if (!add_word(j, &word) || (j->count % JOURNAL_STEP == 0 && !keep_offset(j)))
        return fail(j, error);
    put_details(j, p, plain, &word);
    if (j->held.failed) {
        errno = j->held.failed;
        return fail(j, error);
    }
    j->count++;
    return 0;
}

uint64_t journal_count(const struct journal *j)
{
    return j->count;
}

uint64_t journal_size(const struct journal *j)
{
    return j->count * sizeof(struct journal_word) + j->written + buffer_used(&j->held);
}

/* --- reading --- */

/* The bytes of details from `at` on, at least n if there are as many. */
static struct span details_at(struct journal *j, uint64_t at, size_t n)
{
    if (at >= j->written) {
        struct span all = { (const uint8_t *)j->held.start, buffer_used(&j->held) };
        return span_part(all, at - j->written, SIZE_MAX);
    }
    struct span piece = { (const uint8_t *)j->piece.start, buffer_used(&j->piece) };
    if (at >= j->piece_start && at + n <= j->piece_start + piece.left)
        return span_part(piece, at - j->piece_start, SIZE_MAX);
    size_t want = n > FILL_AT_ONCE ? n : FILL_AT_ONCE;
    j->piece.at = j->piece.start;
    char *to = buffer_room(&j->piece, want);
    uint64_t left = j->written - at;
    ssize_t got = j->piece.failed ? -1 : pread(j->details_fd, to, want < left ? want : (size_t)left, (off_t)at);
    j->piece_start = at;
    if (got > 0)
        j->piece.at = to + got;
    if (got >= 0 && (size_t)got == left) /* a packet's details may go on in what is not written yet */
        buffer_put(&j->piece, j->held.start, buffer_used(&j->held));
    return (struct span){ (const uint8_t *)j->piece.start, buffer_used(&j->piece) };
}

/* What was put together; p NULL: passes it over. False where it breaks off. */
static bool take_buffers(unsigned buffers, struct span *in, struct packet *p)
{
    for (; buffers; buffers--) {
        const uint8_t *head = span_pull(in, 2);
        uint64_t length = head ? number_pull(in) : 0;
        const uint8_t *bytes = head ? span_pull(in, length) : NULL;
        if (!bytes)
            return false;
        if (!p)
            continue;
        p->fragment.present = false;
        if (head[0] != A_MESSAGE)
            dissect_buffer(p, (struct span){ bytes, length }, (struct key){ KEY_IP, head[0], 0 }, head[1]);
        else if (p->buffer_count < BUFFERS_MAX)
            p->buffers[p->buffer_count++] = (struct span){ bytes, length };
    }
    return true;
}

static const struct protocol *protocol_at(uint64_t number)
{
    uint64_t i = 0;
    while (i < number && protocols[i])
        i++;
    return protocols[i] ? protocols[i] : &data_protocol;
}

static bool take_layers(struct span *in, struct packet *p)
{
    struct layer nowhere = { 0 };
    const uint8_t *head = span_pull(in, 3);
    if (!head || head[1] > LAYERS_MAX)
        return false;
    for (unsigned i = head[0]; i < head[1]; i++) {
        struct layer *l = p ? &p->layers[i] : &nowhere;
        *l = (struct layer){ .protocol = protocol_at(number_pull(in)) };
        l->offset = (uint32_t)number_pull(in);
        l->length = (uint32_t)number_pull(in);
        l->end = (uint32_t)number_pull(in);
        const uint8_t *rest = span_pull(in, 4);
        if (!rest)
            return false;
        l->buffer = rest[0];
        l->verdict = rest[1];
        l->flags = rest[2];
        l->network = rest[3];
        if (l->flags & LAYER_TOLD_NUMBER)
            l->told = (uint32_t)number_pull(in);
        if (p && l->buffer >= p->buffer_count)
            return false;
    }
    if (p) {
        p->layer_count = head[1];
        p->subject = head[2];
    }
    return true;
}

/* A packet's word, as of which there is one. */
static const struct journal_word *word_near(struct journal *j, uint64_t number)
{
    if (number < j->near_first || number >= j->near_first + j->near_count) {
        j->near_first = number;
        j->near_count = journal_words(j, number, j->near, WORDS_NEAR);
    }
    static const struct journal_word nothing;
    return j->near_count ? &j->near[number - j->near_first] : &nothing;
}

/* Takes a packet's details off; p NULL: passes them over. False where they break off. */
static bool take_details(struct journal *j, struct span *in, struct packet *p, uint64_t number)
{
    struct span rest = *in;
    uint64_t shape = number_pull(&rest);
    if (shape >= SHAPES) {
        *in = rest;
        return note_pull_short(j->code, in, shape - SHAPES, p, p ? word_near(j, number) : NULL);
    }
    const uint8_t *first = span_pull(in, 1);
    const uint8_t *buffers = first && *first & HAS_BUFFERS ? span_pull(in, 1) : NULL;
    if (!first || (*first & HAS_BUFFERS && (!buffers || !take_buffers(*buffers, in, p))))
        return false;
    if (*first & HAS_LAYERS && !take_layers(in, p))
        return false;
    unsigned notes = *first & (HAS_LAYERS - 1);
    for (unsigned i = 0; i < notes; i++) {
        struct note nowhere = { 0 };
        const uint8_t *layer = span_pull(in, 1);
        if (!layer || !in->left)
            return false;
        bool fits = p && *layer < p->layer_count && p->note_count < NOTES_MAX;
        note_pull(in, fits ? &p->notes[p->note_count++] : &nowhere, number);
        if (fits)
            p->layers[*layer].note = p->note_count;
    }
    return true;
}

/* How many bytes the details that begin at `at` take; 0: they are not there. */
static uint64_t details_length(struct journal *j, uint64_t at, uint64_t number)
{
    for (size_t want = 2048;; want *= 4) {
        struct span in = details_at(j, at, want), rest = in;
        if (take_details(j, &rest, NULL, number) && (rest.left || at + in.left >= j->written))
            return in.left - rest.left;
        if (in.left < want || want > MOST_BYTES)
            return 0;
    }
}

/* Where a packet's details begin. */
static bool find_details(struct journal *j, uint64_t number)
{
    uint64_t step = (number - 1) / JOURNAL_STEP;
    if (!j->next || number < j->next || step * JOURNAL_STEP + 1 > j->next) {
        j->next = step * JOURNAL_STEP + 1;
        j->at = j->offsets[step];
    }
    for (; j->next < number; j->next++) {
        uint64_t length = details_length(j, j->at, j->next);
        if (!length) {
            j->next = 0;
            return false;
        }
        j->at += length;
    }
    return true;
}

/* Most packets' details are short and lie whole in what was read last: one pass. */
static bool restore_short(struct journal *j, struct packet *p)
{
    struct span in = details_at(j, j->at, SHORT), rest = in;
    bool all = j->at >= j->written || j->at + in.left >= j->written + buffer_used(&j->held);
    if (!in.left || (*in.at < SHAPES && *in.at & HAS_BUFFERS) || (in.left < SHORT && !all) ||
        !take_details(j, &rest, p, p->number))
        return false;
    j->at += in.left - rest.left;
    return true;
}

bool journal_restore(struct journal *j, struct packet *p)
{
    if (!p->number || p->number > j->count || !find_details(j, p->number))
        return false;
    if (restore_short(j, p)) {
        j->next++;
        return true;
    }
    uint64_t length = details_length(j, j->at, p->number);
    struct span in = details_at(j, j->at, length);
    if (!length || in.left < length || !take_details(j, &in, p, p->number)) {
        j->next = 0;
        return false;
    }
    j->next++;
    j->at += length;
    return true;
}

size_t journal_words(struct journal *j, uint64_t first, struct journal_word *words, size_t n)
{
    uint64_t in_file = j->count - j->words_held;
    size_t done = 0;
    if (!first || first > j->count)
        return 0;
    if (n > j->count - first + 1)
        n = (size_t)(j->count - first + 1);
    if (first <= in_file) {
        size_t part = n < in_file - first + 1 ? n : (size_t)(in_file - first + 1);
        ssize_t got = pread(j->words_fd, words, part * sizeof *words, (off_t)((first - 1) * sizeof *words));
        done = got > 0 ? (size_t)got / sizeof *words : 0;
        if (done < part)
            return done;
    }
    if (done < n)
        memcpy(words + done, j->held_words + (first + done - 1 - in_file), (n - done) * sizeof *words);
    return n;
}
