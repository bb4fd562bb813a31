#include "track/tally_table.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

enum { IP_TCP = 6, IP_UDP = 17, MAC_BYTES = 6 };

static bool belongs(const struct flow *f, enum statistics_kind kind)
{
    static const uint8_t kept_as[KINDS] = {
        [KIND_ETH] = PROTOCOL_LINK,   [KIND_IP] = PROTOCOL_PAIR, [KIND_IPV6] = PROTOCOL_PAIR,
        [KIND_HOSTS] = PROTOCOL_PAIR, [KIND_TCP] = IP_TCP,       [KIND_UDP] = IP_UDP,
    };
    bool wide = f->flags & FLOW_IPV6;
    if (f->flags & FLOW_FREE || (kind == KIND_IP && wide) || (kind == KIND_IPV6 && !wide))
        return false;
    if (kind == KIND_ANY)
        return f->protocol == IP_TCP || f->protocol == IP_UDP || f->protocol == PROTOCOL_OTHER;
    return f->protocol == kept_as[kind];
}

/* Endpoints are found by a hash of address and port; a slot holds it in its upper half, and the row's number from 1 on.
 */
static uint32_t hash_end(const struct tally_table *t, const struct flow *f, unsigned end)
{
    uint8_t bytes[4];
    const uint8_t *address = flow_address(t->flows, f, end, bytes);
    uint64_t h = t->flows->seed[0] ^ f->port[end];
    for (unsigned i = 0; i < (f->flags & FLOW_IPV6 ? 16 : 4); i += 4)
        h = (h ^ load_le32(address + i)) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 29;
    return (uint32_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static bool is_end(const struct tally_table *t, const struct tally_row *row, const struct flow *f, unsigned end)
{
    const struct flow *g = flow_at(t->flows, row->flow);
    if (f->port[end] != g->port[row->flip] || f->protocol != g->protocol || (f->flags ^ g->flags) & FLOW_IPV6)
        return false;
    uint8_t bytes[2][4];
    if (!(f->flags & FLOW_IPV6))
        return f->address[end] == g->address[row->flip];
    return !memcmp(flow_address(t->flows, f, end, bytes[0]), flow_address(t->flows, g, row->flip, bytes[1]), 16);
}

/* Room for another row, and slots at most half full. */
static bool more_rows(struct tally_table *t)
{
    enum { BITS_FEW = 8 };
    if (t->count < 1u << t->bits >> 1 && t->bits)
        return true;
    unsigned bits = t->bits ? t->bits + 1 : BITS_FEW;
    uint64_t *slots = bits < 32 ? calloc((size_t)1 << bits, sizeof *slots) : NULL;
    struct tally_row *rows = slots ? realloc(t->rows, ((size_t)1 << bits) / 2 * sizeof *rows) : NULL;
    if (!rows) {
        free(slots);
        return false;
    }
    for (uint32_t i = 0; t->bits && i < 1u << t->bits; i++) {
        uint32_t at = (uint32_t)(t->slots[i] >> 32) >> (32 - bits);
        while (t->slots[i] && slots[at])
            at = (at + 1) & ((1u << bits) - 1);
        if (t->slots[i])
            slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->rows = rows;
    t->bits = bits;
    return true;
}

/* The row of a flow's end, made if need be. NULL: no memory. */
static struct tally_row *find_row(struct tally_table *t, uint32_t flow, unsigned end)
{
    const struct flow *f = flow_at(t->flows, flow);
    if (!more_rows(t))
        return NULL;
    uint32_t hash = hash_end(t, f, end), at = hash >> (32 - t->bits);
    for (; t->slots[at]; at = (at + 1) & ((1u << t->bits) - 1)) {
        struct tally_row *row = &t->rows[(uint32_t)t->slots[at] - 1];
        if (t->slots[at] >> 32 == hash && is_end(t, row, f, end))
            return row;
    }
    t->slots[at] = (uint64_t)hash << 32 | ++t->count;
    t->rows[t->count - 1] = (struct tally_row){ .flow = flow, .protocol = f->protocol, .flip = end };
    return &t->rows[t->count - 1];
}

/* Adds what `end` of a flow sent (and the other one sent back) to a row. */
static void add_to_row(struct tally_row *row, const struct flow *f, unsigned end)
{
    for (unsigned i = 0; i < 2; i++) {
        row->packets[i] += f->packets[i ^ end];
        row->bytes[i] += f->bytes[i ^ end];
    }
    row->flows++;
    if (f->flags & FLOW_UNTIMED)
        return;
    row->first = row->timed && row->first < f->first ? row->first : f->first;
    row->last = row->timed && row->last > f->last ? row->last : f->last;
    row->timed = true;
}

static bool speaks_to_itself(const struct flow_table *t, const struct flow *f)
{
    uint8_t bytes[2][4];
    return f->port[0] == f->port[1] &&
           !memcmp(flow_address(t, f, 0, bytes[0]), flow_address(t, f, 1, bytes[1]), f->flags & FLOW_IPV6 ? 16 : 4);
}

/* Who speaks to itself receives what it sends. */
static void add_received(struct tally_row *row, const struct flow *f, unsigned end)
{
    row->packets[0] += f->packets[!end];
    row->bytes[0] += f->bytes[!end];
    row->packets[1] += f->packets[end];
    row->bytes[1] += f->bytes[end];
}

static bool add_ends(struct tally_table *t, const struct statistics *s)
{
    for (uint32_t i = 0; i < s->flows.count; i++) {
        const struct flow *f = flow_at(&s->flows, i);
        if (!belongs(f, t->kind))
            continue;
        bool both = !speaks_to_itself(t->flows, f);
        for (unsigned turn = 0; turn < 1u + both; turn++) {
            unsigned end = flow_client(f) ^ turn;
            struct tally_row *row = find_row(t, i, end);
            if (!row)
                return false;
            add_to_row(row, f, end);
            if (!both)
                add_received(row, f, end);
        }
    }
    return true;
}

static bool copy_flows(struct tally_table *t, const struct statistics *s)
{
    t->rows = malloc(((size_t)s->flows.count + 1) * sizeof *t->rows);
    for (uint32_t i = 0; t->rows && i < s->flows.count; i++) {
        const struct flow *f = flow_at(&s->flows, i);
        if (!belongs(f, t->kind))
            continue;
        struct tally_row *row = &t->rows[t->count++];
        *row = (struct tally_row){ .flow = i, .protocol = f->protocol, .flip = flow_client(f) };
        add_to_row(row, f, flow_client(f));
    }
    return t->rows;
}

int tally_table_open(struct tally_table *t, const struct statistics *s, enum statistics_kind kind, bool endpoints)
{
    *t = (struct tally_table){ .kind = kind, .endpoints = endpoints, .flows = &s->flows };
    return (endpoints ? add_ends(t, s) : copy_flows(t, s)) ? 0 : ERROR_MEMORY;
}

void tally_table_close(struct tally_table *t)
{
    free(t->rows);
    free(t->slots);
    t->rows = NULL;
    t->slots = NULL;
    t->count = 0;
}

void tally_party(const struct tally_table *t, const struct tally_row *row, unsigned end, struct party *party)
{
    const struct flow *f = flow_at(t->flows, row->flow);
    unsigned side = end ^ row->flip;
    const uint8_t *address = flow_address(t->flows, f, side, party->room);
    bool link = row->protocol == PROTOCOL_LINK;
    party->size = link ? MAC_BYTES : f->flags & FLOW_IPV6 ? 16 : 4;
    party->address = link ? address + 16 - MAC_BYTES : address;
    party->has_port = row->protocol == IP_TCP || row->protocol == IP_UDP;
    party->port = f->port[side];
}
