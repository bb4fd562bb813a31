#include "track/messages.h"
#include "base/array.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "track/flow.h"
#include "track/tcp_state.h"
#include <stdlib.h>

enum { FAR = 0x40000000, CARRY = 256, SEGMENT_MOST = 1 << 16 };

struct range {
    uint64_t from, to; /* positions in a message */
};

/* A message that is not whole yet. Positions count from its first byte. */
struct assembly {
    struct assembly *next;          /* of the direction's, or of those that are done */
    struct assembly *older, *newer; /* of all that wait, by when a byte of them came last; NULL where they are done */
    uint32_t place;                 /* of its conversation */
    struct message message;
    uint32_t seq;    /* of the first byte */
    uint32_t size;   /* of bytes */
    uint64_t have;   /* what is there without a gap */
    uint64_t wanted; /* what frame waits for */
    bool any;        /* all of the segment that brings the next byte */
    bool to_end;
    unsigned holes;
    struct range pieces[HOLES]; /* what is there behind a gap */
    uint32_t carried;           /* bytes before `have`, beyond those kept, that frame has yet to see: */
    uint8_t carry[CARRY];
    uint8_t *bytes; /* owned: the first MESSAGE_KEPT of them; `size` allocated */
};

struct direction {
    struct assembly *open; /* owned, the newest first */
    uint32_t first, next;  /* sequence numbers: the lowest that was seen, one beyond the highest */
    bool known;
    uint8_t gaps;
    struct {
        uint32_t from, to;
    } gap[MESSAGE_GAPS]; /* sequence numbers between them that were not seen */
};

struct conversation {
    const struct protocol *protocol; /* NULL: nobody claims it */
    bool sure;                       /* a message of it was seen, or the user says so */
    uint64_t memory;                 /* the protocol's */
    uint32_t next_free;
    struct direction direction[2];
};

struct messages {
    uint32_t *places; /* owned; by flow: its conversation, 0 none yet, NOBODY: no port claims it */
    uint32_t place_count;
    struct conversation *conversations; /* owned; [0] is never used */
    uint32_t count, room, free;
    size_t held;
    uint64_t lost;
    size_t most;                      /* that may be held */
    struct assembly *oldest, *newest; /* of those that wait; their directions own them */
    struct assembly *done;            /* owned: whose bytes the packet at hand shows */
    uint8_t window[CARRY + SEGMENT_MOST];
};

enum { NOBODY = UINT32_MAX };

/* What a segment is being taken with. */
struct taking {
    struct messages *all;
    struct packet *packet;
    const struct layer *tcp;
    struct conversation *talk;
    struct direction *from;
    unsigned end;
    bool fin;       /* the sender closes behind it */
    bool shown;     /* the layer of data above TCP has gone */
    uint32_t start; /* of the payload, in the buffer */
    struct span payload;
};

struct messages *messages_open(void)
{
    struct messages *m = calloc(1, sizeof *m);
    if (m)
        m->most = MESSAGES_BYTES;
    return m;
}

void messages_limit(struct messages *m, size_t most)
{
    m->most = most;
}

size_t messages_bytes(const struct messages *m)
{
    return m->held;
}

uint64_t messages_lost(const struct messages *m)
{
    return m->lost;
}

/* --- assemblies --- */

static void stop_waiting(struct messages *m, struct assembly *a)
{
    if (a->older)
        a->older->newer = a->newer;
    else if (m->oldest == a)
        m->oldest = a->newer;
    if (a->newer)
        a->newer->older = a->older;
    else if (m->newest == a)
        m->newest = a->older;
    a->older = a->newer = NULL;
}

/* As the one that waits the shortest. */
static void keep_waiting(struct messages *m, struct assembly *a)
{
    stop_waiting(m, a);
    a->older = m->newest;
    if (m->newest)
        m->newest->newer = a;
    else
        m->oldest = a;
    m->newest = a;
}

static void free_assembly(struct messages *m, struct assembly *a)
{
    stop_waiting(m, a);
    m->held -= sizeof *a + a->size;
    free(a->bytes);
    free(a);
}

static void free_list(struct messages *m, struct assembly **list)
{
    while (*list) {
        struct assembly *a = *list;
        *list = a->next;
        free_assembly(m, a);
    }
}

static void take_out(struct messages *m, struct assembly *a)
{
    struct assembly **at = &m->conversations[a->place].direction[a->message.end].open;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    stop_waiting(m, a);
}

static void give_up(struct messages *m, struct assembly *a)
{
    m->lost++;
    take_out(m, a);
    free_assembly(m, a);
}

/* Whether n bytes more may be held for `a`: whoever waits the longest makes room, unless it is `a`. */
static bool may_hold(struct messages *m, size_t n, const struct assembly *a)
{
    while (m->held + n > m->most && m->oldest && m->oldest != a)
        give_up(m, m->oldest);
    return m->held + n <= m->most;
}

/* Room for the message's first n bytes. */
static bool make_room(struct messages *m, struct assembly *a, uint64_t n)
{
    if (n <= a->size)
        return true;
    uint32_t size = a->size ? a->size : 4096;
    while (size < n)
        size *= 2;
    if (size > a->wanted && a->wanted >= n)
        size = (uint32_t)a->wanted;
    uint8_t *bytes = may_hold(m, size - a->size, a) ? realloc(a->bytes, size) : NULL;
    if (!bytes)
        return false;
    m->held += size - a->size;
    a->bytes = bytes;
    a->size = size;
    return true;
}

/* Adds a range; those that touch become one. False: too many. */
static bool add_range(struct assembly *a, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < a->holes;) {
        struct range *r = &a->pieces[i];
        if (to < r->from || from > r->to) {
            i++;
            continue;
        }
        from = r->from < from ? r->from : from;
        to = r->to > to ? r->to : to;
        *r = a->pieces[--a->holes];
    }
    if (from <= a->have) {
        a->have = to > a->have ? to : a->have;
        return true;
    }
    if (a->holes == HOLES)
        return false;
    a->pieces[a->holes++] = (struct range){ from, to };
    return true;
}

/* Bytes of the message at a position. False: no room for them. */
static bool store(struct messages *m, struct assembly *a, uint64_t at, struct span bytes)
{
    uint64_t to = at + bytes.left;
    if (at < MESSAGE_KEPT) {
        uint64_t until = to < MESSAGE_KEPT ? to : MESSAGE_KEPT;
        if (!make_room(m, a, until))
            return false;
        memcpy(a->bytes + at, bytes.at, (size_t)(until - at));
    }
    return add_range(a, at, to);
}

static void open_assembly(struct taking *t, const struct message *message, enum frame frame, uint32_t seq,
                          struct span bytes)
{
    struct messages *m = t->all;
    unsigned n = 0;
    for (struct assembly **at = &t->from->open; *at; n++) {
        if (n == ASSEMBLIES - 1)
            free_list(m, at);
        else
            at = &(*at)->next;
    }
    struct assembly *a = may_hold(m, sizeof *a, NULL) ? calloc(1, sizeof *a) : NULL;
    if (!a) {
        m->lost++;
        return;
    }
    m->held += sizeof *a;
    a->message = *message;
    a->place = (uint32_t)(t->talk - m->conversations);
    a->seq = seq;
    a->to_end = frame == FRAME_TO_END;
    a->any = !a->to_end && message->length <= bytes.left;
    a->wanted = a->to_end ? FAR : a->any ? bytes.left + 1 : message->length;
    if (!store(m, a, 0, bytes)) {
        m->lost++;
        free_assembly(m, a);
        return;
    }
    a->next = t->from->open;
    t->from->open = a;
    keep_waiting(m, a);
}

/* --- layers --- */

/* The payload is no longer just data. */
static void begin_layers(struct taking *t)
{
    struct packet *p = t->packet;
    if (!t->shown && t->tcp == &p->layers[p->layer_count - 2] &&
        p->layers[p->layer_count - 1].protocol == &data_protocol)
        p->layer_count--;
    t->shown = true;
}

/* A message, its head included, where it lies in the segment. */
static void show_in_place(struct taking *t, const struct protocol *protocol, const struct message *message,
                          struct span bytes, uint64_t wire)
{
    uint32_t at = t->start + (uint32_t)(bytes.at - t->payload.at), head = protocol->head;
    if (wire <= head)
        return;
    begin_layers(t);
    dissect_message(t->packet, protocol, t->tcp, at + head, at + (uint32_t)wire, message);
}

/* A message that an assembly holds `length` bytes of; it lives on as long as the packet. */
static void show_assembly(struct taking *t, struct assembly *a, uint64_t length)
{
    take_out(t->all, a);
    a->next = t->all->done;
    t->all->done = a;
    uint64_t kept = length < MESSAGE_KEPT ? length : MESSAGE_KEPT;
    kept = kept < a->have ? kept : a->have;
    begin_layers(t);
    dissect_assembled(t->packet, t->talk->protocol, t->tcp, (struct span){ a->bytes, (size_t)kept },
                      length < UINT32_MAX ? (uint32_t)length : UINT32_MAX, &a->message);
}

static void part(struct taking *t, const struct message *message)
{
    t->talk->sure = true;
    if (!message->farewell)
        return;
    t->talk->protocol = NULL;
    t->talk->memory = 0;
    for (unsigned i = 0; i < 2; i++)
        free_list(t->all, &t->talk->direction[i].open);
}

/* --- framing --- */

static struct message new_message(const struct taking *t, bool last)
{
    return (struct message){ .last = last, .end = (uint8_t)t->end, .memory = &t->talk->memory };
}

/* The bytes from message.at on that frame is to see: those kept, else those of this segment, what it left of the one
 * before in front of them. False: they are gone. */
static bool find_rest(struct taking *t, struct assembly *a, uint64_t at, struct span segment, struct span *rest)
{
    uint64_t from = a->message.at;
    *rest = (struct span){ 0 };
    if (from >= a->have)
        return true;
    if (a->have <= MESSAGE_KEPT) {
        *rest = (struct span){ a->bytes + from, (size_t)(a->have - from) };
        return true;
    }
    if (at + segment.left != a->have) /* what filled a gap: what comes behind it was not kept */
        return false;
    if (from >= at) {
        *rest = span_part(segment, (size_t)(from - at), segment.left);
        return true;
    }
    if (at - from > CARRY || segment.left > SEGMENT_MOST)
        return false;
    uint8_t *before = t->all->window + CARRY - (at - from);
    if (from + a->carried == at)
        memcpy(before, a->carry, a->carried);
    else if (at <= MESSAGE_KEPT)
        memcpy(before, a->bytes + from, (size_t)(at - from));
    else
        return false;
    memcpy(t->all->window + CARRY, segment.at, segment.left);
    *rest = (struct span){ before, (size_t)(at - from) + segment.left };
    return true;
}

/* Keeps what frame has not seen the end of, where nothing else does. */
static void carry(struct assembly *a, struct span rest)
{
    uint64_t from = a->message.at;
    a->carried = 0;
    if (a->have <= MESSAGE_KEPT || from >= a->have || a->have - from > CARRY || a->have - from > rest.left)
        return;
    a->carried = (uint32_t)(a->have - from);
    memcpy(a->carry, rest.at + rest.left - a->carried, a->carried);
}

/* Bytes that go on with an assembly; returns how many of them are done with. */
static size_t go_on(struct taking *t, struct assembly *a, uint32_t seq, struct span bytes)
{
    uint64_t at = seq - a->seq, before = a->have;
    size_t n = bytes.left;
    if (!a->any && a->wanted - at < n)
        n = (size_t)(a->wanted - at);
    bytes.left = n;
    keep_waiting(t->all, a);
    if (!store(t->all, a, at, bytes)) {
        give_up(t->all, a);
        return n;
    }
    if (a->have == before || a->have < a->wanted)
        return n;
    struct span rest;
    enum frame frame = FRAME_NONE;
    a->message.memory = &t->talk->memory; /* conversations move when there are more of them */
    if (find_rest(t, a, at, bytes, &rest))
        frame = t->talk->protocol->frame(&a->message, rest);
    if (frame == FRAME_WHOLE) {
        uint64_t length = a->message.length < a->have ? a->message.length : a->have, over = a->have - length;
        struct message message = a->message;
        show_assembly(t, a, length);
        part(t, &message);
        return over < n ? n - (size_t)over : n;
    }
    if (frame == FRAME_NONE) {
        show_assembly(t, a, a->have);
        return n;
    }
    carry(a, rest);
    a->to_end = frame == FRAME_TO_END;
    a->any = !a->to_end && a->message.length <= a->have;
    a->wanted = a->to_end ? FAR : a->any ? a->have + 1 : a->message.length;
    return n;
}

/* Bytes that begin a message; returns how many of them are done with. */
static size_t begin(struct taking *t, uint32_t seq, struct span bytes)
{
    const struct protocol *protocol = t->talk->protocol;
    struct message message = new_message(t, t->fin);
    enum frame frame = protocol->frame(&message, bytes);
    switch (frame) {
    case FRAME_WHOLE:
        if (!message.length || message.length > bytes.left)
            return bytes.left;
        show_in_place(t, protocol, &message, span_part(bytes, 0, (size_t)message.length), message.length);
        part(t, &message);
        return (size_t)message.length;
    case FRAME_MORE:
    case FRAME_TO_END:
        open_assembly(t, &message, frame, seq, bytes);
        break;
    case FRAME_NONE:
        break;
    }
    return bytes.left;
}

static struct assembly *find_assembly(const struct direction *d, uint32_t seq)
{
    struct assembly *a = d->open;
    while (a && (seq - a->seq >= a->wanted || seq - a->seq < a->have))
        a = a->next;
    return a;
}

/* --- order --- */

static void add_gap(struct direction *d, uint32_t from, uint32_t to)
{
    if (d->gaps == MESSAGE_GAPS) {
        memmove(&d->gap[0], &d->gap[1], sizeof d->gap - sizeof *d->gap);
        d->gaps--;
    }
    d->gap[d->gaps].from = from;
    d->gap[d->gaps++].to = to;
}

/* What of a segment below the highest number was missing: takes it out of its gap. Nothing: it was there before. */
static struct span fill_gap(struct direction *d, uint32_t *seq, struct span bytes)
{
    for (unsigned i = 0; i < d->gaps; i++) {
        uint32_t from = d->gap[i].from, to = d->gap[i].to, end = *seq + (uint32_t)bytes.left;
        uint32_t begin = seq_diff(*seq, from) > 0 ? *seq : from, until = seq_diff(end, to) < 0 ? end : to;
        if (seq_diff(until, begin) <= 0)
            continue;
        bytes = span_part(bytes, begin - *seq, until - begin);
        *seq = begin;
        d->gap[i].to = begin;
        if (begin == from) {
            d->gap[i].from = until;
            d->gap[i].to = to;
        } else if (until != to) {
            add_gap(d, until, to);
        }
        return bytes;
    }
    return (struct span){ 0 };
}

/* What of a segment was not there before; its first number in *seq. */
static struct span take_new(struct direction *d, uint32_t *seq, struct span bytes)
{
    uint32_t end = *seq + (uint32_t)bytes.left;
    if (!d->known) {
        d->known = true;
        d->first = *seq;
        d->next = end;
        return bytes;
    }
    if (seq_diff(end, d->first) <= 0) { /* before all that was captured first */
        if (end != d->first)
            add_gap(d, end, d->first);
        d->first = *seq;
        return bytes;
    }
    if (seq_diff(end, d->next) <= 0)
        return fill_gap(d, seq, bytes);
    if (seq_diff(*seq, d->next) > 0)
        add_gap(d, d->next, *seq);
    uint32_t old = seq_diff(d->next, *seq) > 0 ? d->next - *seq : 0;
    *seq += old;
    d->next = end;
    return span_part(bytes, old, bytes.left);
}

/* --- conversations --- */

static bool make_place(struct messages *m, uint32_t flow)
{
    if (flow < m->place_count)
        return true;
    uint32_t count = m->place_count ? m->place_count : 1024;
    while (count <= flow)
        count *= 2;
    uint32_t *places = realloc(m->places, count * sizeof *places);
    if (!places)
        return false;
    memset(places + m->place_count, 0, (count - m->place_count) * sizeof *places);
    m->places = places;
    m->place_count = count;
    return true;
}

static struct conversation *add_conversation(struct messages *m, uint32_t flow, const struct protocol *protocol)
{
    uint32_t index = m->free;
    if (index) {
        m->free = m->conversations[index].next_free;
    } else {
        if (!array_grow(&m->conversations, sizeof *m->conversations, m->count + 1, &m->room))
            return NULL;
        index = ++m->count;
    }
    m->conversations[index] = (struct conversation){ .protocol = protocol };
    m->places[flow] = index;
    return &m->conversations[index];
}

/* Who may claim a conversation that nobody has: by port, */
static const struct protocol *by_ports(struct messages *m, uint32_t flow, const struct packet *p,
                                       const struct layer *tcp, bool *asked)
{
    struct span header = layer_header(p, tcp);
    uint16_t source = load_be16(header.at), destination = load_be16(header.at + 2);
    const struct protocol *protocol = registry_by_ports(source, destination);
    *asked = registry_is_asked(source, destination);
    if (protocol && protocol->frame)
        return protocol;
    m->places[flow] = NOBODY;
    return NULL;
}

/* or by the looks of a segment, where a message of the port's protocol was never seen. */
static struct conversation *find(struct messages *m, uint32_t flow, const struct packet *p, const struct layer *tcp,
                                 struct span payload)
{
    if (!make_place(m, flow)) {
        m->lost++;
        return NULL;
    }
    uint32_t place = m->places[flow];
    struct conversation *c = place && place != NOBODY ? &m->conversations[place] : NULL;
    if (c && c->sure && c->protocol)
        return c;
    bool asked = false;
    const struct protocol *by_port = c ? c->protocol : place ? NULL : by_ports(m, flow, p, tcp, &asked);
    const struct protocol *protocol = by_port;
    if (!asked && (!by_port || !by_port->probe || !by_port->probe(payload, PROBE_PORT))) {
        const struct protocol *other = registry_by_looks(payload, PROBE_STREAM);
        if (other && other->frame && !(c && c->direction[0].open) && !(c && c->direction[1].open))
            protocol = other;
    }
    if (!protocol)
        return NULL;
    if (!c && !(c = add_conversation(m, flow, protocol)))
        m->lost++;
    else
        c->protocol = protocol;
    if (c)
        c->sure |= asked;
    return c;
}

static void end_conversation(struct messages *m, struct conversation *c)
{
    free_list(m, &c->direction[0].open);
    free_list(m, &c->direction[1].open);
}

void messages_drop(struct messages *m, uint32_t flow)
{
    if (flow >= m->place_count)
        return;
    uint32_t place = m->places[flow];
    m->places[flow] = 0;
    if (!place || place == NOBODY)
        return;
    end_conversation(m, &m->conversations[place]);
    m->conversations[place].next_free = m->free;
    m->free = place;
}

void messages_begin(struct messages *m)
{
    free_list(m, &m->done);
}

void messages_close(struct messages *m)
{
    if (!m)
        return;
    free_list(m, &m->done);
    for (uint32_t i = 1; i <= m->count; i++)
        end_conversation(m, &m->conversations[i]);
    free(m->conversations);
    free(m->places);
    free(m);
}

/* --- segments --- */

/* The sender closes: what went on until then is whole, unless something of it is missing. */
static void close_sender(struct taking *t, uint32_t seq)
{
    for (struct assembly *a = t->from->open; a; a = a->next) {
        if (!a->to_end || seq - a->seq != a->have)
            continue;
        struct message message = a->message;
        show_assembly(t, a, a->have);
        part(t, &message);
        return;
    }
}

/* Of a segment that was cut short when captured, or is quoted, nothing is put together. */
static void take_alone(struct taking *t, struct span payload, uint32_t wire)
{
    struct message message = new_message(t, true);
    const struct protocol *protocol = t->talk->protocol;
    uint64_t memory = t->talk->memory;
    enum frame frame = protocol->frame(&message, payload);
    t->talk->memory = memory;
    if (frame != FRAME_NONE && payload.left > protocol->head)
        show_in_place(t, protocol, &message, payload, wire);
}

/* Whether a segment may hold something of messages: it is as TCP wants it, on its way, and its data is not taken yet.
 */
static bool counts(const struct packet *p, const struct layer *tcp, bool has_data, unsigned flags)
{
    unsigned above = (unsigned)(&p->layers[p->layer_count] - tcp) - 1;
    return tcp->verdict == VERDICT_WHOLE && !(tcp->flags & (LAYER_QUOTED | LAYER_FRAGMENT)) && above <= has_data &&
           !(flags & TCP_RST) && (has_data || flags & TCP_FIN);
}

void messages_take(struct messages *m, struct packet *p, const struct layer *tcp, uint32_t flow, unsigned end)
{
    struct span header = layer_header(p, tcp), payload = layer_payload(p, tcp);
    unsigned flags = load_be16(header.at + 12) & 0xfff;
    if (!counts(p, tcp, payload.left, flags))
        return;
    if (!payload.left && (flow >= m->place_count || !m->places[flow] || m->places[flow] == NOBODY))
        return;
    struct taking t = { m, p, tcp, .end = end, .fin = flags & TCP_FIN, .payload = payload };
    t.start = tcp->offset + tcp->length;
    t.talk = payload.left ? find(m, flow, p, tcp, payload) : &m->conversations[m->places[flow]];
    if (!t.talk || !t.talk->protocol)
        return;
    t.from = &t.talk->direction[end];
    uint32_t seq = load_be32(header.at + 4) + (flags & TCP_SYN ? 1 : 0), wire = layer_payload_length(tcp);
    if (payload.left < wire) {
        take_alone(&t, payload, wire);
        return;
    }
    uint32_t close = seq + wire;
    struct span bytes = payload.left ? take_new(t.from, &seq, payload) : payload;
    while (bytes.left && t.talk->protocol) {
        struct assembly *a = find_assembly(t.from, seq);
        size_t n = a ? go_on(&t, a, seq, bytes) : begin(&t, seq, bytes);
        span_pull(&bytes, n);
        seq += (uint32_t)n;
    }
    if (t.fin && t.talk->protocol)
        close_sender(&t, close);
}
