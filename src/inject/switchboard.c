#include "inject/switchboard.h"
#include "base/text.h"
#include "inject/dialogue_parts.h"
#include <stddef.h>
#include <stdlib.h>

enum { BUCKETS = 1024, HALF_OPEN_NS = 1000000000 };

struct switchboard {
    struct switchboard_settings settings;
    struct dialogue *line;             /* listens, and is never called: it holds what all share */
    struct dialogue *buckets[BUCKETS]; /* by who called, linked by next */
    struct dialogue *latest;           /* linked by older */
    unsigned busy, waiting;            /* conversations; those of them in TIME_WAIT, when last counted */
};

/* Beside a conversation, behind it in memory. */
static size_t talk_offset(void)
{
    size_t unit = _Alignof(max_align_t);
    return (sizeof(struct dialogue) + unit - 1) / unit * unit;
}

void *switchboard_talk(struct dialogue *c)
{
    return (char *)c + talk_offset();
}

struct dialogue *switchboard_first(const struct switchboard *b)
{
    return b->latest;
}

struct dialogue *switchboard_next(const struct dialogue *c)
{
    return c->older;
}

/* --- who is who --- */

static unsigned bucket_of(const struct segment_ends *ends)
{
    uint32_t h = ends->remote_port;
    for (unsigned i = 0; i < ends->remote.size; i++)
        h = (h ^ ends->remote.bytes[i]) * UINT32_C(0x9e3779b1);
    return (h ^ h >> 15) % BUCKETS;
}

static bool same_ends(const struct segment_ends *a, const struct segment_ends *b)
{
    return a->remote_port == b->remote_port && a->remote.size == b->remote.size && a->local.size == b->local.size &&
           !memcmp(a->remote.bytes, b->remote.bytes, a->remote.size) &&
           !memcmp(a->local.bytes, b->local.bytes, a->local.size);
}

static struct dialogue *find(const struct switchboard *b, const struct segment_ends *ends)
{
    struct dialogue *c = b->buckets[bucket_of(ends)];
    while (c && !same_ends(&c->ends, ends))
        c = c->next;
    return c;
}

/* Where the TCP segment that is read comes from, and who it is for. False: there is none, or it is not for us. */
static bool read_ends(const struct switchboard *b, struct segment_ends *ends)
{
    const struct packet *p = &b->line->line->packet;
    const struct segment_ends *ours = &b->line->ends;
    if (!(p->have & HOT_TCP) || p->again & HOT_TCP || !p->network_count || p->tcp_dstport != ours->local_port)
        return false;
    const struct network *n = &p->networks[0];
    *ends = (struct segment_ends){ .local_port = p->tcp_dstport, .remote_port = p->tcp_srcport };
    ends->local.size = ends->remote.size = n->size;
    memcpy(ends->local.bytes, n->final, n->size);
    memcpy(ends->remote.bytes, n->source, n->size);
    return !ours->local.size || (ours->local.size == n->size && !memcmp(ours->local.bytes, n->final, n->size));
}

/* --- conversations --- */

static void unlink_from(struct dialogue **link, struct dialogue *c, bool by_bucket)
{
    while (*link && *link != c)
        link = by_bucket ? &(*link)->next : &(*link)->older;
    if (*link)
        *link = by_bucket ? c->next : c->older;
}

void switchboard_drop(struct switchboard *b, struct dialogue *c)
{
    unlink_from(&b->buckets[bucket_of(&c->ends)], c, true);
    unlink_from(&b->latest, c, false);
    dialogue_close(c);
}

static void count(struct switchboard *b)
{
    b->busy = b->waiting = 0;
    for (const struct dialogue *c = b->latest; c; c = c->older)
        if (endpoint_state(c->endpoint) == TCP_TIME_WAIT)
            b->waiting++;
        else
            b->busy++;
}

/* The one of a state that called first. */
static struct dialogue *oldest(const struct switchboard *b, enum tcp_state state)
{
    struct dialogue *found = NULL;
    for (struct dialogue *c = b->latest; c; c = c->older)
        if (endpoint_state(c->endpoint) == state)
            found = c;
    return found;
}

static bool make_room(struct switchboard *b, int64_t now)
{
    count(b);
    if (b->waiting > b->settings.most)
        switchboard_drop(b, oldest(b, TCP_TIME_WAIT));
    if (b->busy < b->settings.most)
        return true;
    struct dialogue *half = oldest(b, TCP_SYN_RECEIVED);
    if (!half || now - half->called < HALF_OPEN_NS)
        return false;
    switchboard_drop(b, half);
    return true;
}

static struct dialogue *new_dialogue(struct switchboard *b, int64_t now)
{
    struct dialogue *c = calloc(1, talk_offset() + b->settings.talk_size);
    if (!c)
        return NULL;
    c->line = b->line->line;
    c->settings = b->settings.dialogue;
    c->observer = b->settings.observer;
    c->observer.packet = NULL;
    c->context = switchboard_talk(c);
    c->ends = b->line->ends;
    c->listening = true;
    c->called = now;
    if (dialogue_open_endpoint(c, NULL)) {
        dialogue_close(c);
        return NULL;
    }
    b->settings.called(b->settings.context, c, switchboard_talk(c));
    endpoint_listen(c->endpoint);
    return c;
}

static void take_call(struct switchboard *b, const struct wire_packet *w, int64_t now)
{
    struct dialogue *c = make_room(b, now) ? new_dialogue(b, now) : NULL;
    if (!c)
        return;
    dialogue_take(c, w, now);
    if (endpoint_state(c->endpoint) <= TCP_LISTEN) { /* it was no call after all */
        dialogue_close(c);
        return;
    }
    struct dialogue **bucket = &b->buckets[bucket_of(&c->ends)];
    c->next = *bucket;
    *bucket = c;
    c->older = b->latest;
    b->latest = c;
}

/* RFC 9293, 3.10.7.1: what belongs to nothing. */
static void refuse(struct switchboard *b, const struct segment_ends *ends, const struct endpoint_segment *g)
{
    struct line *l = b->line->line;
    struct segment_writer writer;
    uint8_t macs[12];
    struct endpoint_segment reset = { .seq = g->ack, .flags = TCP_RST };
    bool ours = b->line->ends.local.size || route_is_own(&ends->local);
    if (g->flags & TCP_RST || !ours || (l->neighbours && !dialogue_sender(&l->packet, macs)))
        return;
    if (!(g->flags & TCP_ACK)) {
        uint32_t takes = (g->flags & TCP_SYN ? 1u : 0) + (g->flags & TCP_FIN ? 1u : 0);
        reset =
            (struct endpoint_segment){ .ack = g->seq + (uint32_t)g->payload.left + takes, .flags = TCP_RST | TCP_ACK };
    }
    memcpy(macs + 6, wire_info(l->wire)->mac, 6);
    segment_writer_begin(&writer, l->neighbours ? macs : NULL, ends);
    uint8_t *room = wire_room(l->wire, segment_length(&writer, &reset));
    if (!room)
        return;
    wire_put(l->wire, segment_write(&writer, room, &reset));
    l->talker = NULL;
}

static void take_segment(struct switchboard *b, struct segment_ends *ends, const struct wire_packet *w, int64_t now)
{
    struct endpoint_segment g;
    unsigned mtu;
    struct dialogue *c = find(b, ends);
    const uint16_t flags = b->line->line->packet.tcp_flags;
    bool is_call = (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
    if (c && is_call && endpoint_state(c->endpoint) == TCP_TIME_WAIT) { /* RFC 9293, 3.6.1: the port is used again */
        switchboard_drop(b, c);
        c = NULL;
    }
    if (c)
        dialogue_take(c, w, now);
    else if (is_call)
        take_call(b, w, now);
    else if (segment_read(&b->line->line->packet, w->unfinished, ends, &g, &mtu) == SEGMENT_HERE)
        refuse(b, ends, &g);
}

static void take_packet(struct switchboard *b, const struct wire_packet *w, int64_t now)
{
    struct line *l = b->line->line;
    struct segment_ends ends;
    dialogue_read(l, w);
    if (l->neighbours && neighbours_take(l->neighbours, &l->packet, now))
        return;
    if (read_ends(b, &ends)) {
        take_segment(b, &ends, w, now);
        return;
    }
    for (struct dialogue *c = b->latest; c; c = c->older) /* an ICMP error? */
        if (dialogue_take(c, w, now))
            return;
}

/* --- the switchboard --- */

int switchboard_open(struct switchboard **switchboard, const struct switchboard_settings *settings, struct error *error)
{
    struct switchboard *b = calloc(1, sizeof *b);
    static const struct dialogue_observer nobody;
    *switchboard = NULL;
    if (!b)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    b->settings = *settings;
    b->settings.dialogue.ends.remote.size = 0;
    int code = dialogue_open(&b->line, &b->settings.dialogue, &nobody, NULL, error);
    if (code) {
        free(b);
        return code;
    }
    *switchboard = b;
    return 0;
}

void switchboard_close(struct switchboard *b)
{
    if (!b)
        return;
    switchboard_flush(b);
    while (b->latest)
        switchboard_drop(b, b->latest);
    dialogue_close(b->line);
    free(b);
}

int switchboard_fd(const struct switchboard *b)
{
    return dialogue_fd(b->line);
}

int64_t switchboard_deadline(const struct switchboard *b)
{
    int64_t when = dialogue_deadline(b->line);
    for (const struct dialogue *c = b->latest; c; c = c->older) {
        int64_t its = endpoint_deadline(c->endpoint);
        when = when < its ? when : its;
    }
    return when;
}

int switchboard_step(struct switchboard *b, struct error *error)
{
    struct line *l = b->line->line;
    struct wire_packet packets[WIRE_RECEIVED];
    unsigned rounds = 0;
    int n;
    int64_t now = dialogue_now();
    do {
        n = wire_receive(l->wire, packets, error);
        for (int i = 0; i < n; i++)
            take_packet(b, &packets[i], now);
    } while (n == WIRE_RECEIVED && ++rounds < 4);
    if (n < 0)
        return n;
    if (l->neighbours && neighbours_deadline(l->neighbours) <= now)
        neighbours_tick(l->neighbours, now);
    for (struct dialogue *c = b->latest; c; c = c->older)
        if (endpoint_deadline(c->endpoint) <= now)
            endpoint_tick(c->endpoint, now);
    switchboard_flush(b);
    return 0;
}

void switchboard_flush(struct switchboard *b)
{
    dialogue_flush(b->line);
}
