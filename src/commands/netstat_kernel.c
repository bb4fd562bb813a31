#include "commands/netstat_kernel.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    IP_TCP = 6,
    KNOWN_PLACES = 1 << 16, /* of remembered owners: at most half of them are taken, then it begins anew */
    LISTENING = 10,
    CLOSED = 7,
};

/* A packet may be on its way from the wire to us, or the kernel's answer may: what happened so shortly before is not
 * called a difference. */
static const int64_t settled = 200000000;

/* A socket's name: its order is the table's. */
struct key {
    uint8_t protocol, size;
    uint16_t local_port, foreign_port;
    uint8_t local[16], foreign[16];
};

struct known_owner {
    struct key key; /* size 0: an empty place */
    int32_t pid;
    char program[16];
};

static enum tcp_state state_of(uint8_t kernel)
{
    static const enum tcp_state states[] = {
        TCP_UNKNOWN, TCP_ESTABLISHED, TCP_SYN_SENT, TCP_SYN_RECEIVED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,   TCP_TIME_WAIT,
        TCP_CLOSED,  TCP_CLOSE_WAIT,  TCP_LAST_ACK, TCP_LISTEN,       TCP_CLOSING,    TCP_SYN_RECEIVED,
    };
    return kernel < sizeof states / sizeof *states ? states[kernel] : TCP_UNKNOWN;
}

static struct key key_of(const struct kernel_socket *s)
{
    struct key key = {
        .protocol = s->protocol, .size = s->size, .local_port = s->local_port, .foreign_port = s->foreign_port
    };
    memcpy(key.local, s->local, sizeof key.local);
    memcpy(key.foreign, s->foreign, sizeof key.foreign);
    return key;
}

static int by_key(const void *a, const void *b)
{
    struct key x = key_of(a), y = key_of(b);
    return memcmp(&x, &y, sizeof x);
}

/* --- owners that were known once --- */

static struct known_owner *known_place(struct kernel_table *t, const struct key *key)
{
    uint64_t h = 0;
    uint32_t words[sizeof *key / 4 + 1] = { 0 };
    memcpy(words, key, sizeof *key);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        h = (h ^ words[i]) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 29;
    size_t at = h & (KNOWN_PLACES - 1);
    while (t->known[at].key.size && memcmp(&t->known[at].key, key, sizeof *key) != 0)
        at = (at + 1) & (KNOWN_PLACES - 1);
    return &t->known[at];
}

static void remember(struct kernel_table *t, const struct kernel_socket *s)
{
    struct key key = key_of(s);
    if (!t->known && !(t->known = calloc(KNOWN_PLACES, sizeof *t->known)))
        return;
    if (t->known_count >= KNOWN_PLACES / 2) {
        memset(t->known, 0, KNOWN_PLACES * sizeof *t->known);
        t->known_count = 0;
    }
    struct known_owner *place = known_place(t, &key);
    t->known_count += !place->key.size;
    place->key = key;
    place->pid = s->pid;
    memcpy(place->program, s->program, sizeof place->program);
}

/* --- the table --- */

int kernel_table_take(struct kernel_table *t, const struct buffer *answer, int64_t time)
{
    size_t count = buffer_used(answer) / sizeof *t->all;
    struct kernel_socket *all = malloc((count + 1) * sizeof *all);
    bool *shown = calloc(count + 1, sizeof *shown);
    if (!all || !shown) {
        free(all);
        free(shown);
        return ERROR_MEMORY;
    }
    memcpy(all, answer->start, count * sizeof *all);
    qsort(all, count, sizeof *all, by_key);
    free(t->all);
    free(t->shown);
    t->all = all;
    t->shown = shown;
    t->count = count;
    t->time = time;
    for (size_t i = 0; i < count; i++)
        if (all[i].pid)
            remember(t, &all[i]);
    return 0;
}

void kernel_table_free(struct kernel_table *t)
{
    free(t->all);
    free(t->shown);
    free(t->known);
}

static const struct kernel_socket *find(const struct kernel_table *t, const struct key *key)
{
    struct kernel_socket wanted = {
        .protocol = key->protocol, .size = key->size, .local_port = key->local_port, .foreign_port = key->foreign_port
    };
    memcpy(wanted.local, key->local, sizeof wanted.local);
    memcpy(wanted.foreign, key->foreign, sizeof wanted.foreign);
    return t->count ? bsearch(&wanted, t->all, t->count, sizeof wanted, by_key) : NULL;
}

/* Some sockets are bound to any address, and those of IPv6 take IPv4 as well. */
static const struct kernel_socket *find_row(const struct kernel_table *t, const struct socket *row, struct key *key)
{
    static const uint8_t any[16];
    *key = (struct key){ .protocol = row->protocol, .size = row->size, .local_port = row->local_port };
    memcpy(key->local, row->local, row->size);
    if (!row->bound) {
        memcpy(key->foreign, row->foreign, row->size);
        key->foreign_port = row->foreign_port;
    }
    const struct kernel_socket *found = find(t, key);
    if (found || (row->protocol == IP_TCP && !row->bound))
        return found;
    struct key wider = *key; /* a UDP socket may be connected or not */
    memcpy(wider.foreign, any, sizeof any);
    wider.foreign_port = 0;
    found = find(t, &wider);
    if (!found) {
        memcpy(wider.local, any, sizeof any);
        found = find(t, &wider);
    }
    if (!found && row->size == 4) {
        wider.size = 16;
        found = find(t, &wider);
    }
    return found;
}

static void set_owner(struct kernel_table *t, const struct kernel_socket *s, const struct key *key,
                      struct netstat_facts *facts)
{
    const struct known_owner *known = t->known ? known_place(t, key) : NULL;
    facts->why = s ? s->why : OWNER_GONE;
    if (s && s->pid) {
        facts->pid = s->pid;
        memcpy(t->program, s->program, sizeof s->program);
    } else if (known && known->key.size) {
        facts->pid = known->pid;
        memcpy(t->program, known->program, sizeof known->program);
    }
    facts->program = t->program;
}

struct netstat_facts kernel_table_facts(struct kernel_table *t, const struct socket *row)
{
    struct netstat_facts facts = { .there = t->time != 0 };
    struct key key;
    const struct kernel_socket *s = find_row(t, row, &key);
    if (s) {
        t->shown[s - t->all] = true;
        facts.in_kernel = true;
        facts.kernel = row->protocol == IP_TCP ? state_of(s->state) : TCP_UNKNOWN;
        facts.recv_q = s->state == LISTENING ? 0 : s->recv_q;
    }
    bool unseen = !row->flow && row->state != TCP_LISTEN;
    bool same = s && (row->protocol != IP_TCP || facts.kernel == row->state);
    if (unseen)
        facts.agreement = NETSTAT_UNSEEN;
    else if (same)
        facts.agreement = NETSTAT_SAME;
    else
        facts.agreement = row->flow && row->flow->last > t->time - settled ? NETSTAT_MOVING : NETSTAT_DIFFERENT;
    set_owner(t, s, &key, &facts);
    return facts;
}

void kernel_table_rest(const struct kernel_table *t, void (*each)(void *context, const struct socket *socket),
                       void *context)
{
    static const uint8_t any[16];
    for (size_t i = 0; i < t->count; i++) {
        const struct kernel_socket *s = &t->all[i];
        if (t->shown[i] || (s->protocol == IP_TCP && s->state == CLOSED))
            continue;
        struct socket out = {
            .protocol = s->protocol,
            .size = s->size,
            .state = s->state == LISTENING && s->protocol == IP_TCP ? TCP_LISTEN : TCP_UNKNOWN,
            .local_port = s->local_port,
            .foreign_port = s->foreign_port,
            .bound = !s->foreign_port && !memcmp(s->foreign, any, s->size),
            .send_q = s->state == LISTENING ? 0 : s->send_q,
        };
        memcpy(out.local, s->local, s->size);
        memcpy(out.foreign, s->foreign, s->size);
        each(context, &out);
    }
}
