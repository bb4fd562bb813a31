#include "ui/view.h"
#include <errno.h>
#include <stdlib.h>

enum { WORDS_AT_FIRST = 256, SLICE = 128, JOURNAL_SLICE = 4096, SCAN_BLOCK = 1 << 20 };

struct view {
    struct store *store;
    struct store_reader *reader;
    view_passes *passes;
    void *context;
    bool all, by_stream, cancelled;
    uint16_t stream_bit;
    uint32_t stream;
    uint64_t looked, count;
    uint64_t *bits;  /* owned: bit i of word w is packet 64 w + i + 1 */
    uint32_t *ranks; /* owned: how many are set in the words before */
    size_t room;
};

int view_open(struct view **view, struct store *store, struct error *error)
{
    struct view *v = calloc(1, sizeof *v);
    *view = NULL;
    if (!v)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    *v = (struct view){ .store = store, .all = true };
    int code = store_reader_open(&v->reader, store, SCAN_BLOCK, error);
    if (code)
        view_close(v);
    else
        *view = v;
    return code;
}

void view_close(struct view *v)
{
    if (!v)
        return;
    store_reader_close(v->reader);
    free(v->bits);
    free(v->ranks);
    free(v);
}

static void begin(struct view *v)
{
    v->looked = v->count = 0;
    v->cancelled = v->by_stream = false;
}

void view_filter(struct view *v, view_passes *passes, void *context)
{
    begin(v);
    v->all = !passes;
    v->passes = passes;
    v->context = context;
}

void view_stream(struct view *v, unsigned protocol, uint32_t stream)
{
    begin(v);
    v->all = false;
    v->by_stream = true;
    v->stream_bit = protocol == 6 ? JOURNAL_TCP : JOURNAL_UDP;
    v->stream = stream;
}

static bool make_room(struct view *v, uint64_t number)
{
    size_t word = (size_t)((number - 1) / 64);
    if (word < v->room)
        return true;
    size_t room = v->room ? v->room * 2 : WORDS_AT_FIRST;
    uint64_t *bits = realloc(v->bits, room * sizeof *bits);
    v->bits = bits ? bits : v->bits;
    uint32_t *ranks = bits ? realloc(v->ranks, room * sizeof *ranks) : NULL;
    v->ranks = ranks ? ranks : v->ranks;
    if (!ranks)
        return false;
    v->room = room;
    return true;
}

/* The next packet is shown, or it is not. False: no memory. */
static bool add(struct view *v, bool shown)
{
    if (!make_room(v, v->looked + 1))
        return false;
    size_t word = (size_t)(v->looked / 64);
    if (v->looked % 64 == 0) {
        v->bits[word] = 0;
        v->ranks[word] = (uint32_t)v->count;
    }
    v->bits[word] |= (uint64_t)shown << (v->looked % 64);
    v->count += shown;
    v->looked++;
    return true;
}

static void look_at_words(struct view *v)
{
    static struct journal_word words[JOURNAL_SLICE];
    size_t n = journal_words(store_journal(v->store), v->looked + 1, words, JOURNAL_SLICE);
    for (size_t i = 0; i < n; i++)
        if (!add(v, words[i].stream == v->stream && words[i].bits & v->stream_bit))
            break;
}

static void look_at_packets(struct view *v, uint64_t last)
{
    for (unsigned i = 0; i < SLICE && v->looked < last; i++) {
        const struct packet *p = store_packet(v->reader, v->looked + 1, NULL);
        if (!p || !add(v, v->passes(v->context, p))) {
            v->cancelled = true;
            break;
        }
    }
}

bool view_step(struct view *v, int64_t deadline)
{
    if (v->all || v->cancelled)
        return false;
    uint64_t last = store_tracked(v->store);
    while (v->looked < last && !v->cancelled) {
        if (v->by_stream)
            look_at_words(v);
        else
            look_at_packets(v, last);
        if (monotonic() >= deadline)
            return v->looked < last && !v->cancelled;
    }
    return false;
}

void view_cancel(struct view *v)
{
    v->cancelled = true;
}

bool view_is_all(const struct view *v)
{
    return v->all;
}

uint64_t view_looked(const struct view *v)
{
    return v->all ? store_count(v->store) : v->looked;
}

uint64_t view_count(const struct view *v)
{
    return v->all ? store_count(v->store) : v->count;
}

uint64_t view_nth(const struct view *v, uint64_t n)
{
    if (n >= view_count(v))
        return 0;
    if (v->all)
        return n + 1;
    size_t low = 0, high = (size_t)((v->looked + 63) / 64);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (v->ranks[middle] <= n)
            low = middle;
        else
            high = middle;
    }
    uint64_t bits = v->bits[low];
    for (n -= v->ranks[low]; n; n--)
        bits &= bits - 1;
    return (uint64_t)low * 64 + (uint64_t)__builtin_ctzll(bits) + 1;
}

uint64_t view_place(const struct view *v, uint64_t number)
{
    if (!number)
        return 0;
    if (v->all)
        return number - 1;
    if (number > v->looked)
        return v->count;
    uint64_t bits = v->bits[(number - 1) / 64] & ((UINT64_C(1) << ((number - 1) % 64)) - 1);
    return v->ranks[(number - 1) / 64] + (uint64_t)__builtin_popcountll(bits);
}

bool view_shows(const struct view *v, uint64_t number)
{
    if (!number || number > view_looked(v))
        return false;
    return v->all || v->bits[(number - 1) / 64] >> ((number - 1) % 64) & 1;
}

size_t view_memory(const struct view *v)
{
    return sizeof *v + v->room * (sizeof *v->bits + sizeof *v->ranks);
}
