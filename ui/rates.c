#include "ui/rates.h"
#include <errno.h>
#include <stdlib.h>

enum { SLICE = 128, ROOM_AT_FIRST = 1024, ROOM_MAX = 1 << 17, READ_BLOCK = 1 << 18 };

static const int64_t second = 1000000000;

struct entry {
    uint64_t key;
    int64_t slot[RATE_SECONDS]; /* the second that a place of the ring stands for, since 1970 */
    uint32_t bytes[2][RATE_SECONDS];
};

struct rates {
    struct store *store;
    struct store_reader *reader;
    struct entry *entries; /* owned; open addressing, at most half full */
    uint32_t room, count;
    uint64_t at, target; /* packets: the last one taken; the one to come to */
    int64_t time;        /* of target: seconds end there */
    uint64_t turn;
};

int rates_open(struct rates **rates, struct store *store, struct error *error)
{
    struct rates *r = calloc(1, sizeof *r);
    *rates = NULL;
    if (!r)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    r->store = store;
    int code = store_reader_open(&r->reader, store, READ_BLOCK, error);
    if (code)
        rates_close(r);
    else
        *rates = r;
    return code;
}

void rates_close(struct rates *r)
{
    if (!r)
        return;
    store_reader_close(r->reader);
    free(r->entries);
    free(r);
}

/* --- the table --- */

static uint64_t key_of(unsigned protocol, uint32_t stream)
{
    return (uint64_t)protocol << 32 | stream;
}

static struct entry *place_of(const struct rates *r, uint64_t key)
{
    uint32_t mask = r->room - 1, at = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
    while (r->entries[at].key && r->entries[at].key != key)
        at = (at + 1) & mask;
    return &r->entries[at];
}

/* Twice the room; those that have long been silent are left behind. */
static bool grow(struct rates *r)
{
    struct rates fresh = *r;
    int64_t oldest = r->time / second - RATE_SECONDS;
    fresh.room = r->room ? r->room * 2 : ROOM_AT_FIRST;
    fresh.count = 0;
    if (fresh.room > ROOM_MAX || !(fresh.entries = calloc(fresh.room, sizeof *fresh.entries)))
        return false;
    for (uint32_t i = 0; i < r->room; i++) {
        const struct entry *e = &r->entries[i];
        bool fresh_enough = false;
        for (unsigned s = 0; e->key && s < RATE_SECONDS; s++)
            fresh_enough |= e->slot[s] >= oldest;
        if (fresh_enough) {
            *place_of(&fresh, e->key) = *e;
            fresh.count++;
        }
    }
    free(r->entries);
    *r = fresh;
    return true;
}

static void add(struct rates *r, uint64_t key, unsigned end, int64_t time, uint32_t bytes)
{
    if (r->count * 2 >= r->room && !grow(r))
        return;
    struct entry *e = place_of(r, key);
    r->count += !e->key;
    e->key = key;
    int64_t slot = time / second;
    unsigned place = (unsigned)((uint64_t)slot % RATE_SECONDS);
    if (e->slot[place] != slot) {
        e->slot[place] = slot;
        e->bytes[0][place] = e->bytes[1][place] = 0;
    }
    e->bytes[end][place] += bytes;
}

/* --- going --- */

void rates_go(struct rates *r, uint64_t number, int64_t time)
{
    uint64_t first = index_at_time(store_index(r->store), time - RATE_SECONDS * second);
    if (number < r->at || first > r->at + 1) {
        r->at = first ? first - 1 : 0;
        r->count = 0;
        if (r->room)
            memset(r->entries, 0, r->room * sizeof *r->entries);
    }
    r->target = number;
    r->time = time;
    r->turn++;
}

static unsigned lower_end(const struct packet *p, const struct layer *l, const uint16_t ports[2])
{
    const struct network *network = layer_network(p, l);
    struct flow_key key;
    return network ? flow_key_set(&key, network->source, network->final, network->size, ports[0], ports[1], 6) : 0;
}

static void take(struct rates *r, uint64_t number, const struct journal_word *word)
{
    if (!(word->bits & (JOURNAL_TCP | JOURNAL_UDP)))
        return;
    const struct packet *p = store_packet(r->reader, number, NULL);
    if (!p || !p->timed)
        return;
    bool tcp = word->bits & JOURNAL_TCP;
    for (unsigned i = p->layer_count; i-- > 0;) {
        const struct layer *l = &p->layers[i];
        struct span header = layer_header(p, l);
        if (!l->note || header.left < 4 || l->flags & LAYER_QUOTED)
            continue;
        uint16_t ports[2] = { load_be16(header.at), load_be16(header.at + 2) };
        add(r, key_of(tcp ? 6 : 17, word->stream), lower_end(p, l, ports), p->time, p->wire_length);
        return;
    }
}

bool rates_step(struct rates *r, int64_t deadline)
{
    struct journal_word words[SLICE];
    uint64_t last = r->target < store_tracked(r->store) ? r->target : store_tracked(r->store);
    while (r->at < last) {
        size_t n = last - r->at < SLICE ? (size_t)(last - r->at) : SLICE;
        n = journal_words(store_journal(r->store), r->at + 1, words, n);
        for (size_t i = 0; i < n; i++)
            take(r, ++r->at, &words[i]);
        r->turn++;
        if (!n)
            return false;
        if (monotonic() >= deadline)
            return r->at < last;
    }
    return false;
}

uint64_t rates_turn(const struct rates *r)
{
    return r->turn;
}

bool rates_get(const struct rates *r, const struct flow *flow, struct rate *rate)
{
    *rate = (struct rate){ .key = key_of(flow->protocol, flow->stream) };
    const struct entry *e = r->room ? place_of(r, rate->key) : NULL;
    int64_t last = r->time / second;
    bool some = false;
    for (unsigned s = 0; e && e->key && s < RATE_SECONDS; s++) {
        int64_t slot = last - (RATE_SECONDS - 1) + s;
        unsigned place = (unsigned)((uint64_t)slot % RATE_SECONDS);
        if (e->slot[place] != slot)
            continue;
        rate->bytes[0][s] = e->bytes[0][place];
        rate->bytes[1][s] = e->bytes[1][place];
        some = true;
    }
    return some;
}
