#include "track/sockets.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

enum { LISTENERS_FEW = 64, LISTENERS_MOST = 1 << 22, IP_TCP = 6, IP_UDP = 17 };

/* --- listeners --- */

static uint32_t listener_slot(const struct sockets *s, const uint8_t *address, unsigned size, uint16_t port)
{
    uint64_t h = port * UINT64_C(0x9e3779b97f4a7c15) ^ s->flows->seed[0];
    for (unsigned i = 0; i < size; i += 4)
        h = (h ^ load_le32(address + i)) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 29;
    uint32_t at = (uint32_t)h & (s->room - 1);
    while (s->listeners[at].size && (s->listeners[at].port != port || s->listeners[at].size != size ||
                                     memcmp(s->listeners[at].address, address, size) != 0))
        at = (at + 1) & (s->room - 1);
    return at;
}

static bool more_listeners(struct sockets *s)
{
    uint32_t old_room = s->room;
    struct listener *old = s->listeners;
    if (old_room >= LISTENERS_MOST)
        return false;
    uint32_t room = old_room ? old_room * 2 : LISTENERS_FEW;
    struct listener *new = calloc(room, sizeof *new);
    if (!new)
        return false;
    s->listeners = new;
    s->room = room;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].size)
            new[listener_slot(s, old[i].address, old[i].size, old[i].port)] = old[i];
    free(old);
    return true;
}

static void answered(struct tcp_watch *watch, struct flow *f, unsigned end, bool refused)
{
    struct sockets *s = (struct sockets *)watch;
    uint8_t room[4];
    const uint8_t *address = flow_address(s->flows, f, end, room);
    unsigned size = f->flags & FLOW_IPV6 ? 16 : 4;
    if (s->count * 2 >= s->room && (refused || !more_listeners(s)))
        return;
    struct listener *l = &s->listeners[listener_slot(s, address, size, f->port[end])];
    if (!l->size) {
        if (refused)
            return;
        l->number = s->count++;
        l->size = (uint8_t)size;
        l->port = f->port[end];
        memcpy(l->address, address, size);
    }
    l->open = !refused;
}

static void changed(struct tcp_watch *watch, struct flow *f, unsigned end, enum tcp_state from, enum tcp_state to)
{
    struct sockets *s = (struct sockets *)watch;
    if (s->next)
        s->next->changed(s->next, f, end, from, to);
}

void sockets_open(struct sockets *s, struct tracker *tracker)
{
    *s = (struct sockets){ .watch = { changed, answered }, .flows = &tracker->flows };
    tracker->watch = &s->watch;
}

void sockets_close(struct sockets *s)
{
    free(s->listeners);
    s->listeners = NULL;
    s->room = s->count = 0;
}

/* --- tables --- */

static bool is_host(const struct sockets_query *q, const uint8_t *address, unsigned size)
{
    if (q->is_local)
        return q->is_local(q->context, address, size);
    return !q->size || (q->size == size && !memcmp(q->host, address, size));
}

static void set_ends(const struct flow_table *t, const struct flow *f, unsigned end, struct socket *out)
{
    uint8_t room[4];
    out->protocol = f->protocol;
    out->size = f->flags & FLOW_IPV6 ? 16 : 4;
    out->flow = f;
    out->end = end;
    memcpy(out->local, flow_address(t, f, end, room), out->size);
    memcpy(out->foreign, flow_address(t, f, !end, room), out->size);
    out->local_port = f->port[end];
    out->foreign_port = f->port[!end];
}

static bool tcp_socket(const struct flow *f, unsigned end, int32_t now, struct socket *out)
{
    if (f->flags & FLOW_MOVED)
        return false;
    out->state = tcp_state_at(f, end, now);
    out->send_q = tcp_unacknowledged(f, end);
    return out->state > TCP_LISTEN;
}

/* The end that was called answers anybody; so does one that speaks to a group. */
static bool udp_socket(const struct flow *f, unsigned end, int32_t now, int32_t last, struct socket *out)
{
    if (f->end[end].flags & END_RESET || now - (int64_t)last >= UDP_PATIENCE_MS)
        return false;
    bool group = out->size == 4 ? out->local[0] >= 224 : out->local[0] == 0xff;
    out->bound = end != flow_client(f);
    return !group;
}

static int32_t since_first(const struct flow *f, int64_t time)
{
    int64_t ms = (time - f->first) / 1000000;
    return ms > INT32_MAX ? INT32_MAX : ms < 0 ? 0 : (int32_t)ms;
}

static void list_protocol(const struct sockets *s, const struct sockets_query *q, uint8_t protocol,
                          void (*each)(void *, const struct socket *), void *context)
{
    for (uint32_t i = 0; i < s->flows->count; i++) {
        const struct flow *f = flow_at(s->flows, i);
        if (f->flags & FLOW_FREE || f->protocol != protocol)
            continue;
        int32_t now = since_first(f, q->time);
        for (unsigned turn = 0; turn < 2; turn++) {
            unsigned end = turn ? !flow_client(f) : flow_client(f);
            struct socket out = { 0 };
            set_ends(s->flows, f, end, &out);
            if (is_host(q, out.local, out.size) &&
                (protocol == IP_TCP ? tcp_socket(f, end, now, &out)
                                    : udp_socket(f, end, now, since_first(f, f->last), &out)))
                each(context, &out);
        }
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = (*(const struct listener *const *)a)->number, y = (*(const struct listener *const *)b)->number;
    return (x > y) - (x < y);
}

static int list_listeners(const struct sockets *s, const struct sockets_query *q,
                          void (*each)(void *, const struct socket *), void *context)
{
    const struct listener **found = malloc(s->count * sizeof *found + 1);
    size_t count = 0;
    if (!found)
        return ERROR_MEMORY;
    for (uint32_t i = 0; i < s->room; i++) {
        const struct listener *l = &s->listeners[i];
        if (l->size && l->open && is_host(q, l->address, l->size))
            found[count++] = l;
    }
    qsort(found, count, sizeof *found, by_number);
    for (size_t i = 0; i < count; i++) {
        const struct listener *l = found[i];
        struct socket out = {
            .protocol = IP_TCP, .size = l->size, .state = TCP_LISTEN, .local_port = l->port, .bound = true
        };
        memcpy(out.local, l->address, l->size);
        each(context, &out);
    }
    free(found);
    return 0;
}

int sockets_list(const struct sockets *s, const struct sockets_query *q,
                 void (*each)(void *context, const struct socket *socket), void *context)
{
    int code = q->listeners && q->tcp ? list_listeners(s, q, each, context) : 0;
    if (q->tcp)
        list_protocol(s, q, IP_TCP, each, context);
    if (q->udp)
        list_protocol(s, q, IP_UDP, each, context);
    return code;
}
