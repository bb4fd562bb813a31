#include "track/flow.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
    SLOT_BITS = 10,
    PAIR_CHUNK_BITS = 12,
    PAIR_CHUNK = 1 << PAIR_CHUNK_BITS,
    HUGE_PAGE = 2 << 20,
    HUGE_FROM = 2,         /* chunks: a small table takes only the pages it needs */
    HUGE_SLOTS = 16 << 20, /* bytes, the same */
};

/* --- the hash: a multiply of 64 by 64 bits, folded; seeded, so that nobody can choose what collides --- */

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_key(const struct flow_table *t, const struct flow_key *key)
{
    uint64_t ports = (uint64_t)key->port[0] << 32 | (uint64_t)key->port[1] << 8 | key->protocol;
    uint64_t h;
    if (key->size == 4) {
        uint64_t pair = (uint64_t)load_be32(key->address[0]) << 32 | load_be32(key->address[1]);
        h = fold(pair ^ t->seed[0], ports ^ t->seed[1]);
    } else {
        h = fold(load_be64(key->address[0]) ^ t->seed[0], load_be64(key->address[0] + 8) ^ t->seed[1]);
        h ^= fold(load_be64(key->address[1]) ^ t->seed[2], load_be64(key->address[1] + 8) ^ t->seed[3]);
        h = fold(h ^ t->seed[2], ports ^ t->seed[1]);
    }
    return (uint32_t)(fold(h ^ t->seed[3], t->seed[2]) >> 32);
}

unsigned flow_key_set(struct flow_key *key, const uint8_t *source, const uint8_t *destination, unsigned size,
                      uint16_t source_port, uint16_t destination_port, uint8_t protocol)
{
    unsigned end;
    uint32_t from = load_be32(source + size - 4), to = load_be32(destination + size - 4);
    if (size == 4) {
        end = from != to ? from > to : source_port > destination_port;
    } else {
        int order = memcmp(source, destination, 16);
        end = order ? order > 0 : source_port > destination_port;
    }
    key->address[end] = source;
    key->address[!end] = destination;
    key->port[end] = source_port;
    key->port[!end] = destination_port;
    key->size = (uint8_t)size;
    key->protocol = protocol;
    key->quick = flow_quick(from, to, source_port, destination_port);
    return end;
}

static uint8_t *pair_at(const struct flow_table *t, uint32_t index)
{
    return t->pairs[index >> PAIR_CHUNK_BITS][index & (PAIR_CHUNK - 1)];
}

static bool matches(const struct flow_table *t, const struct flow *f, const struct flow_key *key)
{
    if (f->flags & FLOW_FREE || f->port[0] != key->port[0] || f->port[1] != key->port[1] ||
        f->protocol != key->protocol || (f->flags & FLOW_IPV6 ? 16 : 4) != key->size)
        return false;
    if (key->size == 4)
        return f->address[0] == load_be32(key->address[0]) && f->address[1] == load_be32(key->address[1]);
    const uint8_t *pair = pair_at(t, f->address[0]);
    return !memcmp(pair, key->address[0], 16) && !memcmp(pair + 16, key->address[1], 16);
}

/* --- slots: where a hash would like to stand follows from its upper bits --- */

static uint32_t home(const struct flow_table *t, uint32_t hash)
{
    return hash >> (32 - t->bits);
}

/* The slot of a key, or the empty one where it would go. */
static uint32_t slot_of(const struct flow_table *t, const struct flow_key *key, uint32_t hash)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << t->bits) - 1), at = home(t, hash);
    while (t->slots[at].index != FLOW_NONE &&
           (t->slots[at].hash != hash || !matches(t, flow_at(t, t->slots[at].index), key)))
        at = (at + 1) & mask;
    return at;
}

static struct flow_slot *new_slots(unsigned bits)
{
    size_t size = sizeof(struct flow_slot) << bits;
    struct flow_slot *slots = aligned_alloc(size < HUGE_PAGE ? 64 : HUGE_PAGE, size);
    if (!slots)
        return NULL;
    if (size >= HUGE_SLOTS)
        madvise(slots, size, MADV_HUGEPAGE);
    memset(slots, 0xff, size);
    return slots;
}

static bool grow(struct flow_table *t)
{
    if (t->bits == 32)
        return false;
    struct flow_slot *old = t->slots, *slots = new_slots(t->bits + 1);
    if (!slots)
        return false;
    size_t n = (size_t)1 << t->bits;
    t->slots = slots;
    t->bits++;
    uint32_t mask = (uint32_t)((UINT64_C(1) << t->bits) - 1);
    for (size_t i = 0; i < n; i++) {
        if (old[i].index == FLOW_NONE)
            continue;
        uint32_t at = home(t, old[i].hash);
        while (slots[at].index != FLOW_NONE)
            at = (at + 1) & mask;
        slots[at] = old[i];
    }
    free(old);
    return true;
}

/* Empties a slot and moves what follows up, so that nothing lies behind a gap that its search would stop at. */
static void close_gap(struct flow_table *t, uint32_t gap)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << t->bits) - 1);
    for (uint32_t at = (gap + 1) & mask; t->slots[at].index != FLOW_NONE; at = (at + 1) & mask) {
        uint32_t wish = home(t, t->slots[at].hash);
        if (((at - wish) & mask) < ((at - gap) & mask))
            continue;
        t->slots[gap] = t->slots[at];
        gap = at;
    }
    t->slots[gap].index = FLOW_NONE;
    t->used--;
}

/* --- entries --- */

static uint32_t new_pair(struct flow_table *t, const struct flow_key *key)
{
    uint32_t index = t->pair_free;
    if (index != FLOW_NONE) {
        memcpy(&t->pair_free, pair_at(t, index), sizeof t->pair_free);
    } else {
        index = t->pair_count;
        if (!(index & (PAIR_CHUNK - 1))) {
            uint32_t chunk = index >> PAIR_CHUNK_BITS;
            if (!(chunk & (chunk - 1))) { /* room for twice as many */
                void *more = realloc(t->pairs, sizeof *t->pairs * (chunk ? chunk * 2u : 1u));
                if (!more)
                    return FLOW_NONE;
                t->pairs = more;
            }
            t->pairs[chunk] = aligned_alloc(64, 32 * PAIR_CHUNK);
            if (!t->pairs[chunk])
                return FLOW_NONE;
        }
        t->pair_count++;
    }
    memcpy(pair_at(t, index), key->address[0], 16);
    memcpy(pair_at(t, index) + 16, key->address[1], 16);
    return index;
}

/* Room for the addresses of twice as many chunks, where there is none left. */
static bool grow_list(void *list, uint32_t chunk)
{
    void **at = list, *more = chunk & (chunk - 1) ? *at : realloc(*at, sizeof *at * (chunk ? chunk * 2u : 1u));
    if (more)
        *at = more;
    return more;
}

static bool new_beside(struct flow_table *t, uint32_t chunk)
{
    if ((t->beside & FLOW_HANDSHAKES && !grow_list(&t->handshakes, chunk)) ||
        (t->beside & FLOW_DETAILS && !grow_list(&t->details, chunk)))
        return false;
    if (t->handshakes && !(t->handshakes[chunk] = aligned_alloc(64, sizeof(int64_t) * FLOW_CHUNK)))
        return false;
    if (!t->details || (t->details[chunk] = aligned_alloc(64, sizeof(struct flow_detail) * FLOW_CHUNK)))
        return true;
    free(t->handshakes[chunk]);
    return false;
}

static uint32_t new_entry(struct flow_table *t)
{
    uint32_t index = t->free;
    if (index != FLOW_NONE) {
        t->free = flow_at(t, index)->previous;
        return index;
    }
    index = t->count;
    if (index == FLOW_NONE)
        return FLOW_NONE;
    if (!(index & (FLOW_CHUNK - 1))) {
        uint32_t chunk = index >> FLOW_CHUNK_BITS;
        if (!grow_list(&t->chunks, chunk))
            return FLOW_NONE;
        t->chunks[chunk] = aligned_alloc(HUGE_PAGE, sizeof(struct flow) * FLOW_CHUNK);
        if (!t->chunks[chunk])
            return FLOW_NONE;
        if (!new_beside(t, chunk)) {
            free(t->chunks[chunk]);
            return FLOW_NONE;
        }
        if (chunk >= HUGE_FROM)
            madvise(t->chunks[chunk], sizeof(struct flow) * FLOW_CHUNK, MADV_HUGEPAGE);
    }
    t->count++;
    return index;
}

static void free_entry(struct flow_table *t, uint32_t index)
{
    struct flow *f = flow_at(t, index);
    f->flags = FLOW_FREE;
    f->previous = t->free;
    t->free = index;
}

/* Both lines of an entry and the details' are wanted soon; they lie apart. */
static void fetch(const struct flow_table *t, uint32_t index)
{
    __builtin_prefetch((const char *)flow_at(t, index) + 64, 1);
    if (t->details)
        __builtin_prefetch(flow_detail_at(t, index), 1);
}

uint32_t flow_find(struct flow_table *t, const struct flow_key *key)
{
    uint32_t *recent = &t->recent[key->quick], index = *recent;
    if (index != FLOW_NONE) {
        fetch(t, index);
        if (matches(t, flow_at(t, index), key))
            return index;
    }
    index = t->slots[slot_of(t, key, hash_key(t, key))].index;
    if (index != FLOW_NONE)
        *recent = index;
    return index;
}

uint32_t flow_seek(const struct flow_table *t, const struct flow_key *key)
{
    uint32_t hash = hash_key(t, key);
    __builtin_prefetch(&t->slots[home(t, hash)]);
    return hash;
}

uint32_t flow_found(const struct flow_table *t, const struct flow_key *key, uint32_t hash)
{
    return t->slots[slot_of(t, key, hash)].index;
}

uint32_t flow_add(struct flow_table *t, const struct flow_key *key)
{
    if ((uint64_t)t->used * 8 >= UINT64_C(5) << t->bits && !grow(t))
        return FLOW_NONE;
    uint32_t index = new_entry(t), pair = 0;
    if (index == FLOW_NONE)
        return FLOW_NONE;
    if (key->size == 16 && (pair = new_pair(t, key)) == FLOW_NONE) {
        free_entry(t, index);
        return FLOW_NONE;
    }
    struct flow *f = flow_at(t, index);
    uint32_t hash = hash_key(t, key);
    struct flow_slot *slot = &t->slots[slot_of(t, key, hash)];
    *f = (struct flow){ .previous = slot->index,
                        .port = { key->port[0], key->port[1] },
                        .protocol = key->protocol,
                        .end = { { .scale = SCALE_UNKNOWN }, { .scale = SCALE_UNKNOWN } } };
    if (key->size == 16) {
        f->flags = FLOW_IPV6;
        f->address[0] = pair;
    } else {
        f->address[0] = load_be32(key->address[0]);
        f->address[1] = load_be32(key->address[1]);
    }
    if (t->handshakes)
        *flow_handshake_at(t, index) = 0;
    if (t->details)
        *flow_detail_at(t, index) = (struct flow_detail){ 0 };
    t->used += slot->index == FLOW_NONE;
    *slot = (struct flow_slot){ hash, index };
    t->recent[key->quick] = index;
    t->live++;
    return index;
}

void flow_drop(struct flow_table *t, uint32_t index)
{
    struct flow *f = flow_at(t, index);
    uint8_t room[2][4];
    struct flow_key key;
    size_t size = f->flags & FLOW_IPV6 ? 16 : 4;
    flow_key_set(&key, flow_address(t, f, 0, room[0]), flow_address(t, f, 1, room[1]), (unsigned)size, f->port[0],
                 f->port[1], f->protocol);
    uint32_t mask = (uint32_t)((UINT64_C(1) << t->bits) - 1), at = home(t, hash_key(t, &key));
    while (t->slots[at].index != FLOW_NONE && t->slots[at].index != index)
        at = (at + 1) & mask;
    if (t->slots[at].index == index)
        close_gap(t, at);
    if (f->flags & FLOW_IPV6) {
        memcpy(pair_at(t, f->address[0]), &t->pair_free, sizeof t->pair_free);
        t->pair_free = f->address[0];
    }
    free_entry(t, index);
    t->live--;
}

uint32_t flow_previous(const struct flow_table *t, uint32_t index)
{
    const struct flow *f = flow_at(t, index);
    if (f->previous == FLOW_NONE)
        return FLOW_NONE;
    const struct flow *p = flow_at(t, f->previous);
    uint8_t room[2][4], other[2][4];
    size_t size = f->flags & FLOW_IPV6 ? 16 : 4;
    bool same = !(p->flags & FLOW_FREE) && (p->flags & FLOW_IPV6) == (f->flags & FLOW_IPV6) &&
                p->protocol == f->protocol && p->port[0] == f->port[0] && p->port[1] == f->port[1] &&
                p->stream < f->stream;
    for (unsigned end = 0; end < 2 && same; end++)
        same = !memcmp(flow_address(t, f, end, room[end]), flow_address(t, p, end, other[end]), size);
    return same ? f->previous : FLOW_NONE;
}

uint32_t flow_by_stream(const struct flow_table *t, uint8_t protocol, uint32_t stream)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct flow *f = flow_at(t, i);
        if (!(f->flags & FLOW_FREE) && f->protocol == protocol && f->stream == stream)
            return i;
    }
    return FLOW_NONE;
}

const uint8_t *flow_address(const struct flow_table *t, const struct flow *f, unsigned end, uint8_t room[4])
{
    if (f->flags & FLOW_IPV6)
        return pair_at(t, f->address[0]) + (size_t)16 * end;
    uint32_t wire = __builtin_bswap32(f->address[end]);
    memcpy(room, &wire, sizeof wire);
    return room;
}

int flow_table_open(struct flow_table *t, unsigned beside)
{
    *t = (struct flow_table){ .bits = SLOT_BITS, .free = FLOW_NONE, .pair_free = FLOW_NONE };
    memset(t->recent, 0xff, sizeof t->recent);
    if (getrandom(t->seed, sizeof t->seed, 0) != sizeof t->seed)
        return ERROR_SYSTEM;
    t->slots = new_slots(t->bits);
    t->beside = beside;
    if (t->slots)
        return 0;
    flow_table_close(t);
    return ERROR_MEMORY;
}

void flow_table_close(struct flow_table *t)
{
    for (uint32_t i = 0; t->chunks && i < t->count; i += FLOW_CHUNK)
        free(t->chunks[i >> FLOW_CHUNK_BITS]);
    for (uint32_t i = 0; t->handshakes && i < t->count; i += FLOW_CHUNK)
        free(t->handshakes[i >> FLOW_CHUNK_BITS]);
    for (uint32_t i = 0; t->details && i < t->count; i += FLOW_CHUNK)
        free(t->details[i >> FLOW_CHUNK_BITS]);
    for (uint32_t i = 0; i < t->pair_count; i += PAIR_CHUNK)
        free(t->pairs[i >> PAIR_CHUNK_BITS]);
    free(t->chunks);
    free(t->handshakes);
    free(t->details);
    free(t->pairs);
    free(t->slots);
    *t = (struct flow_table){ 0 };
}

static uint32_t parts(uint32_t count, unsigned bits)
{
    return (uint32_t)(((uint64_t)count + ((1u << bits) - 1)) >> bits);
}

/* As new_entry and new_pair would have made it one by one. */
static bool make_chunks(struct flow_table *t, uint32_t count, uint32_t pair_count)
{
    while (t->count < count) {
        if (new_entry(t) == FLOW_NONE)
            return false;
        t->count = count - t->count < FLOW_CHUNK ? count : t->count + FLOW_CHUNK - 1;
    }
    static const uint8_t nothing[16];
    struct flow_key key = { .address = { nothing, nothing } };
    while (t->pair_count < pair_count) {
        if (new_pair(t, &key) == FLOW_NONE)
            return false;
        t->pair_count = pair_count - t->pair_count < PAIR_CHUNK ? pair_count : t->pair_count + PAIR_CHUNK - 1;
    }
    return true;
}

bool flow_table_like(struct flow_table *t, const struct flow_table *other)
{
    struct flow_slot *slots = new_slots(other->bits);
    if (!slots)
        return false;
    free(t->slots);
    t->slots = slots;
    t->bits = other->bits;
    memcpy(t->seed, other->seed, sizeof t->seed);
    if (!make_chunks(t, other->count, other->pair_count))
        return false;
    t->used = other->used;
    t->live = other->live;
    t->free = other->free;
    t->pair_free = other->pair_free;
    return true;
}

/* How many of a chunk's entries there are. */
static uint32_t in_chunk(const struct flow_table *t, uint32_t chunk)
{
    uint32_t left = t->count - chunk * FLOW_CHUNK;
    return left < FLOW_CHUNK ? left : FLOW_CHUNK;
}

void *flow_table_piece(const struct flow_table *t, uint32_t i, size_t *size)
{
    enum { SLOTS_AT_ONCE = 1 << 17 };
    uint32_t chunks = parts(t->count, FLOW_CHUNK_BITS), pairs = parts(t->pair_count, PAIR_CHUNK_BITS);
    size_t slots = (size_t)1 << t->bits;
    if (i < chunks) {
        *size = in_chunk(t, i) * sizeof(struct flow);
        return t->chunks[i];
    }
    i -= chunks;
    if (t->handshakes && i < chunks) {
        *size = in_chunk(t, i) * sizeof(int64_t);
        return t->handshakes[i];
    }
    i -= t->handshakes ? chunks : 0;
    if (t->details && i < chunks) {
        *size = in_chunk(t, i) * sizeof(struct flow_detail);
        return t->details[i];
    }
    i -= t->details ? chunks : 0;
    if (i < pairs) {
        uint32_t left = t->pair_count - i * PAIR_CHUNK;
        *size = (size_t)(left < PAIR_CHUNK ? left : PAIR_CHUNK) * 32;
        return t->pairs[i];
    }
    i -= pairs;
    size_t from = (size_t)i * SLOTS_AT_ONCE;
    if (from >= slots)
        return NULL;
    *size = (slots - from < SLOTS_AT_ONCE ? slots - from : SLOTS_AT_ONCE) * sizeof(struct flow_slot);
    return t->slots + from;
}
