#include "track/fragments.h"
#include "protocol/protocol.h"
#include <stdlib.h>

enum { NONE = 0xffff, HEADS = FRAGMENT_DATAGRAMS };

#define SECONDS INT64_C(1000000000)
static const int64_t patience_ipv4 = 30 * SECONDS; /* RFC 791, 3.2 leaves it open (15 s at least); Linux: 30 s */
static const int64_t patience_ipv6 = 60 * SECONDS; /* RFC 8200, 4.5 */

struct piece {
    uint32_t offset, length; /* in the datagram */
    uint32_t kept;           /* where in bytes */
};

struct identity {
    uint8_t address[32]; /* source, destination; IPv4: the first 8 */
    uint32_t ident;
    uint8_t size;     /* of an address */
    uint8_t protocol; /* IPv4 only */
    uint16_t tag;     /* IPv4 only: of the innermost VLAN, and one more; 0: none */
};

struct datagram {
    struct identity key;
    uint16_t next; /* of the same head; of the free ones */
    uint16_t older, newer;
    uint8_t protocol; /* what the fragment at offset 0 says */
    bool condemned;   /* overlapped: whatever comes of it is thrown away */
    int64_t begun;
    uint32_t length;      /* of the datagram, 0: the last fragment has not come */
    uint32_t covered;     /* bytes in pieces, overlaps counted twice */
    struct piece *pieces; /* owned; by offset, then as they came */
    uint32_t piece_count, piece_room;
    uint8_t *bytes; /* owned; the pieces' bytes as they came */
    uint32_t kept, room;
};

struct fragments {
    struct datagram datagrams[FRAGMENT_DATAGRAMS];
    uint16_t heads[HEADS];
    uint16_t free, oldest, newest;
    unsigned count;
    size_t bytes;                /* rooms of all datagrams */
    uint8_t *whole[BUFFERS_MAX]; /* owned; datagrams put together from the packet at hand */
    unsigned whole_count;
};

static unsigned head_of(const struct identity *key)
{
    uint64_t h = key->ident * UINT64_C(0x9e3779b97f4a7c15) + key->protocol + ((uint64_t)key->tag << 8);
    for (unsigned i = 0; i < 32; i += 8)
        h = (h ^ load_le64(key->address + i)) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 32;
    return (unsigned)(h % HEADS);
}

static void forget(struct fragments *f, unsigned index)
{
    struct datagram *d = &f->datagrams[index];
    uint16_t *at = &f->heads[head_of(&d->key)];
    while (*at != index)
        at = &f->datagrams[*at].next;
    *at = d->next;
    if (d->older == NONE)
        f->oldest = d->newer;
    else
        f->datagrams[d->older].newer = d->newer;
    if (d->newer == NONE)
        f->newest = d->older;
    else
        f->datagrams[d->newer].older = d->older;
    f->bytes -= d->room;
    f->count--;
    free(d->pieces);
    free(d->bytes);
    d->pieces = NULL;
    d->bytes = NULL;
    d->next = f->free;
    f->free = (uint16_t)index;
}

static struct datagram *begin(struct fragments *f, const struct identity *key, int64_t now)
{
    if (f->free == NONE)
        forget(f, f->oldest);
    uint16_t index = f->free, *head = &f->heads[head_of(key)];
    struct datagram *d = &f->datagrams[index];
    f->free = d->next;
    *d = (struct datagram){ .key = *key, .next = *head, .older = f->newest, .newer = NONE, .begun = now };
    *head = index;
    if (f->newest == NONE)
        f->oldest = index;
    else
        f->datagrams[f->newest].newer = index;
    f->newest = index;
    f->count++;
    return d;
}

static struct datagram *find(struct fragments *f, const struct identity *key, int64_t now)
{
    int64_t patience = key->size == 4 ? patience_ipv4 : patience_ipv6;
    for (uint16_t i = f->heads[head_of(key)]; i != NONE; i = f->datagrams[i].next) {
        struct datagram *d = &f->datagrams[i];
        if (memcmp(&d->key, key, sizeof *key))
            continue;
        if (now <= d->begun || now - d->begun <= patience)
            return d;
        forget(f, i);
        break;
    }
    return begin(f, key, now);
}

/* The same datagram may be seen with a tag and without one, where packets were captured on both of a bridge's sides. */
static uint16_t tag_of(const struct packet *p)
{
    for (unsigned i = p->fragment.layer; i-- > 0;) {
        struct span h = layer_header(p, &p->layers[i]);
        if (!strcmp(p->layers[i].protocol->name, "vlan") && h.left >= 2)
            return (uint16_t)((load_be16(h.at) & 0xfff) + 1);
    }
    return 0;
}

static void set_key(struct identity *key, const struct packet *p)
{
    const struct network *n = layer_network(p, &p->layers[p->fragment.layer]);
    memset(key, 0, sizeof *key);
    memcpy(key->address, n->source, n->size);
    memcpy(key->address + n->size, n->destination, n->size);
    key->size = n->size;
    key->ident = p->fragment.ident;
    key->protocol = n->size == 4 ? p->fragment.protocol : 0;
    key->tag = n->size == 4 ? tag_of(p) : 0;
}

/* Room for one more piece of n bytes; false: no memory, or the datagram has had enough. */
static bool make_room(struct fragments *f, struct datagram *d, uint32_t n)
{
    if (d->piece_count == FRAGMENT_PIECES || d->kept + n > FRAGMENT_KEPT_BYTES)
        return false;
    if (d->piece_count == d->piece_room) {
        uint32_t room = d->piece_room ? d->piece_room * 2 : 8;
        struct piece *pieces = realloc(d->pieces, room * sizeof *pieces);
        if (!pieces)
            return false;
        d->pieces = pieces;
        d->piece_room = room;
    }
    if (d->kept + n > d->room) {
        uint32_t room = d->room ? d->room * 2 : 4096;
        while (room < d->kept + n)
            room *= 2;
        uint8_t *bytes = realloc(d->bytes, room);
        if (!bytes)
            return false;
        f->bytes += room - d->room;
        d->bytes = bytes;
        d->room = room;
    }
    return true;
}

/* Where among the pieces one at this offset goes: behind those that begin with it or before it. */
static uint32_t place_of(const struct datagram *d, uint32_t offset)
{
    uint32_t at = d->piece_count;
    while (at && d->pieces[at - 1].offset > offset)
        at--;
    return at;
}

enum add { ADDED, KNOWN, OVERLAP, REFUSED };

static enum add add_piece(struct fragments *f, struct datagram *d, const struct fragment *new)
{
    uint32_t n = (uint32_t) new->bytes.left, at = place_of(d, new->offset);
    if (at) {
        const struct piece *before = &d->pieces[at - 1];
        if (before->offset == new->offset && before->length == n && !memcmp(d->bytes + before->kept, new->bytes.at, n))
            return KNOWN;
    }
    bool overlap = (at && d->pieces[at - 1].offset + d->pieces[at - 1].length > new->offset) ||
                   (at<d->piece_count &&new->offset + n> d->pieces[at].offset);
    if (overlap && d->key.size == 16)
        return OVERLAP;
    if (!make_room(f, d, n))
        return REFUSED;
    memmove(&d->pieces[at + 1], &d->pieces[at], (d->piece_count - at) * sizeof *d->pieces);
    d->pieces[at] = (struct piece){ new->offset, n, d->kept };
    memcpy(d->bytes + d->kept, new->bytes.at, n);
    d->piece_count++;
    d->kept += n;
    d->covered += n;
    return ADDED;
}

static bool is_whole(const struct datagram *d)
{
    if (!d->length || d->covered < d->length)
        return false;
    uint32_t reached = 0;
    for (uint32_t i = 0; i < d->piece_count && d->pieces[i].offset <= reached; i++) {
        uint32_t end = d->pieces[i].offset + d->pieces[i].length;
        if (end > reached)
            reached = end;
    }
    return reached >= d->length;
}

static bool put_together(struct fragments *f, const struct datagram *d, struct span *whole)
{
    if (f->whole_count == BUFFERS_MAX)
        return false;
    uint8_t *out = malloc(d->length);
    if (!out)
        return false;
    uint32_t reached = 0;
    for (uint32_t i = 0; i < d->piece_count && reached < d->length; i++) {
        const struct piece *p = &d->pieces[i];
        uint32_t end = p->offset + p->length < d->length ? p->offset + p->length : d->length;
        if (end <= reached)
            continue;
        memcpy(out + reached, d->bytes + p->kept + (reached - p->offset), end - reached);
        reached = end;
    }
    f->whole[f->whole_count++] = out;
    *whole = (struct span){ out, d->length };
    return true;
}

bool fragments_take(struct fragments *f, const struct packet *packet, struct span *whole, uint8_t *protocol)
{
    const struct fragment *new = &packet->fragment;
    if (!packet->layers[new->layer].network || !new->bytes.left ||
        new->offset + new->bytes.left > FRAGMENT_DATAGRAM_BYTES)
        return false;
    struct identity key;
    set_key(&key, packet);
    struct datagram *d = find(f, &key, packet->time);
    unsigned index = (unsigned)(d - f->datagrams);
    enum add added = d->condemned ? KNOWN : add_piece(f, d, new);
    if (added == OVERLAP) /* stays until it is forgotten, so that what comes late begins no new datagram */
        d->condemned = true;
    if (added == REFUSED)
        forget(f, index);
    if (added != ADDED)
        return false;
    if (!new->more && !d->length)
        d->length = new->offset + (uint32_t) new->bytes.left;
    if (!new->offset)
        d->protocol = new->protocol;
    bool done = is_whole(d);
    if (done) {
        *protocol = d->protocol;
        done = put_together(f, d, whole);
        forget(f, index);
    }
    while (f->bytes > FRAGMENT_BYTES)
        forget(f, f->oldest);
    return done;
}

void fragments_begin(struct fragments *f)
{
    while (f->whole_count)
        free(f->whole[--f->whole_count]);
}

struct fragments *fragments_open(void)
{
    struct fragments *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    memset(f->heads, 0xff, sizeof f->heads);
    f->oldest = f->newest = NONE;
    for (unsigned i = 0; i < FRAGMENT_DATAGRAMS; i++)
        f->datagrams[i].next = i + 1 < FRAGMENT_DATAGRAMS ? (uint16_t)(i + 1) : NONE;
    return f;
}

void fragments_close(struct fragments *f)
{
    if (!f)
        return;
    fragments_begin(f);
    while (f->oldest != NONE)
        forget(f, f->oldest);
    free(f);
}

unsigned fragments_count(const struct fragments *f)
{
    return f->count;
}

size_t fragments_bytes(const struct fragments *f)
{
    return f->bytes;
}
