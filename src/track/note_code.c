#include "track/note_code.h"
#include <stdlib.h>

enum kind {
    NUMBER,   /* unsigned 32 bits */
    PACKET,   /* a packet's number: written as the distance to this one */
    NEXT,     /* unsigned 32 bits: written as the distance to the member before */
    SCALE,    /* signed 32 bits */
    DURATION, /* signed 64 bits, mostly whole microseconds */
    STATES,   /* of both ends, and whether the client sent it */
};

/* A note's members, and the bits that say that they are there. */
static const struct member {
    uint8_t bit, kind;
    uint16_t offset;
} members[] = {
    { NOTE_STREAM, NUMBER, offsetof(struct note, stream) },
    { NOTE_SEQ, NUMBER, offsetof(struct note, seq) },
    { NOTE_SEQ, NEXT, offsetof(struct note, next_seq) },
    { NOTE_ACK, NUMBER, offsetof(struct note, ack) },
    { NOTE_WINDOW_SCALE, SCALE, offsetof(struct note, scale) },
    { NOTE_WINDOW, NUMBER, offsetof(struct note, window) },
    { NOTE_TIME_RELATIVE, DURATION, offsetof(struct note, time_relative) },
    { NOTE_TIME_DELTA, DURATION, offsetof(struct note, time_delta) },
    { NOTE_DUPLICATE_ACK, NUMBER, offsetof(struct note, duplicate_ack_num) },
    { NOTE_DUPLICATE_ACK, PACKET, offsetof(struct note, duplicate_ack_frame) },
    { NOTE_ACKS_FRAME, PACKET, offsetof(struct note, acks_frame) },
    { NOTE_ACK_RTT, DURATION, offsetof(struct note, ack_rtt) },
    { NOTE_INITIAL_RTT, DURATION, offsetof(struct note, initial_rtt) },
    { NOTE_BYTES_IN_FLIGHT, NUMBER, offsetof(struct note, bytes_in_flight) },
    { NOTE_PUSH_BYTES_SENT, NUMBER, offsetof(struct note, push_bytes_sent) },
    { NOTE_RTO, DURATION, offsetof(struct note, rto) },
    { NOTE_RTO_FRAME, PACKET, offsetof(struct note, rto_frame) },
    { NOTE_AGAIN, PACKET, offsetof(struct note, again_frame) },
    { NOTE_AGAIN, DURATION, offsetof(struct note, again) },
    { NOTE_STATES, STATES, offsetof(struct note, state) },
    { NOTE_ANSWERS, PACKET, offsetof(struct note, question_frame) },
    { NOTE_ANSWERS, DURATION, offsetof(struct note, answer_time) },
};

enum { MEMBERS = sizeof members / sizeof *members };

_Static_assert(offsetof(struct note, next_seq) == offsetof(struct note, seq) + 4, "NEXT: distances");
_Static_assert(offsetof(struct note, from_client) == offsetof(struct note, state) + 2, "STATES: three bytes");
_Static_assert(10 + 10 * MEMBERS <= NOTE_CODE_ROOM, "a note's room");

/* What stays the same in a conversation once it is known: what was seen first. */
struct constants {
    int64_t first, rtt; /* time of its first packet; of the handshake */
    uint32_t base[2];   /* of those who send from `port`, and of the others */
    int16_t scale[2];
    uint16_t port;
    uint8_t have; /* enum constant */
};
_Static_assert(sizeof(struct constants) == 32, "32 bytes a conversation");

enum constant { KNOWN_PORT = 1, KNOWN_FIRST = 2, KNOWN_RTT = 4, KNOWN_BASE = 8, KNOWN_SCALE = 32 }; /* << end */

struct conversations {
    struct constants *of; /* owned, by stream */
    uint32_t room;
};

/* Which members are there, and which of them need not be written. */
struct shape {
    uint64_t have;
    uint32_t told; /* bits 1 << member */
    uint32_t layer;
};

enum { SLOTS = NOTE_CODE_SHAPES * 2 };

struct note_code {
    struct conversations tcp, udp;
    struct shape shapes[NOTE_CODE_SHAPES];
    uint32_t count;
    uint16_t slots[SLOTS]; /* shapes + 1 by hash, 0: none */
};

struct note_code *note_code_open(void)
{
    return calloc(1, sizeof(struct note_code));
}

void note_code_close(struct note_code *code)
{
    if (!code)
        return;
    free(code->tcp.of);
    free(code->udp.of);
    free(code);
}

/* --- numbers --- */

uint8_t *number_put(uint8_t *to, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

uint64_t number_pull(struct span *from)
{
    uint64_t value = 0;
    const uint8_t *p;
    for (unsigned shift = 0; shift < 64 && (p = span_pull(from, 1)); shift += 7) {
        value |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p & 0x80))
            break;
    }
    return value;
}

static uint64_t fold(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unfold(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* --- members, whatever they are, as 64 bits --- */

static uint64_t get(const struct note *note, const struct member *m)
{
    const uint8_t *at = (const uint8_t *)note + m->offset;
    uint32_t number;
    int64_t duration;
    switch (m->kind) {
    case DURATION:
        memcpy(&duration, at, sizeof duration);
        return (uint64_t)duration;
    case STATES:
        return note->state[0] | (uint64_t)note->state[1] << 8 | (uint64_t)note->from_client << 16;
    default:
        memcpy(&number, at, sizeof number);
        return number;
    }
}

static void set(struct note *note, const struct member *m, uint64_t value)
{
    uint8_t *at = (uint8_t *)note + m->offset;
    uint32_t number = (uint32_t)value;
    switch (m->kind) {
    case DURATION:
        memcpy(at, &value, sizeof value);
        return;
    case STATES:
        note->state[0] = (uint8_t)value;
        note->state[1] = (uint8_t)(value >> 8);
        note->from_client = value >> 16 & 1;
        return;
    default:
        memcpy(at, &number, sizeof number);
    }
}

static uint8_t *put_member(uint8_t *to, const struct note *note, const struct member *m, uint64_t packet)
{
    uint64_t value = get(note, m);
    int64_t duration = (int64_t)value;
    switch (m->kind) {
    case PACKET:
        return number_put(to, fold((int64_t)packet - (int64_t)value));
    case NEXT:
        return number_put(to, (uint32_t)value - note->seq);
    case SCALE:
        return number_put(to, fold((int32_t)value));
    case DURATION:
        return number_put(to, duration % 1000 ? fold(duration) << 1 | 1 : fold(duration / 1000) << 1);
    default:
        return number_put(to, value);
    }
}

static void pull_member(struct span *from, struct note *note, const struct member *m, uint64_t packet)
{
    uint64_t value = number_pull(from);
    switch (m->kind) {
    case PACKET:
        value = packet - (uint64_t)unfold(value);
        break;
    case NEXT:
        value += note->seq;
        break;
    case SCALE:
        value = (uint64_t)unfold(value);
        break;
    case DURATION: /* what is no time wraps, and does not overflow */
        value = value & 1 ? (uint64_t)unfold(value >> 1) : (uint64_t)unfold(value >> 1) * 1000;
    }
    set(note, m, value);
}

/* --- whole notes --- */

uint8_t *note_put(uint8_t *to, const struct note *note, uint64_t packet)
{
    to = number_put(to, note->have);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (note->have >> members[i].bit & 1)
            to = put_member(to, note, &members[i], packet);
    return to;
}

void note_pull(struct span *from, struct note *note, uint64_t packet)
{
    note->have = number_pull(from);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (note->have >> members[i].bit & 1)
            pull_member(from, note, &members[i], packet);
}

/* --- what need not be written --- */

static bool is_tcp(const struct packet *p)
{
    return p->have & HOT_TCP && !(p->again & HOT_TCP);
}

/* A conversation's constants; NULL: it has none (room: and there is no room for them). */
static struct constants *constants_of(struct conversations *c, uint32_t stream)
{
    return stream < c->room ? &c->of[stream] : NULL;
}

static struct constants *make_constants(struct conversations *c, uint32_t stream)
{
    if (stream < c->room || stream >= NOTE_CODE_CONVERSATIONS)
        return constants_of(c, stream);
    uint32_t room = c->room ? c->room : 64;
    while (room <= stream)
        room *= 2;
    struct constants *more = realloc(c->of, room * sizeof *more);
    if (!more)
        return NULL;
    memset(more + c->room, 0, (room - c->room) * sizeof *more);
    c->of = more;
    c->room = room;
    return &more[stream];
}

/* Once set they stay: packets before rely on them. */
static void learn(struct constants *c, const struct packet *p, const struct note *note)
{
    uint64_t have = note->have;
    if (have >> NOTE_TIME_RELATIVE & 1 && !(c->have & KNOWN_FIRST)) {
        c->first = (int64_t)((uint64_t)p->time - (uint64_t)note->time_relative);
        c->have |= KNOWN_FIRST;
    }
    if (have >> NOTE_INITIAL_RTT & 1 && !(c->have & KNOWN_RTT)) {
        c->rtt = note->initial_rtt;
        c->have |= KNOWN_RTT;
    }
    if (!is_tcp(p))
        return;
    if (!(c->have & KNOWN_PORT)) {
        c->port = p->tcp_srcport;
        c->have |= KNOWN_PORT;
    }
    unsigned end = p->tcp_srcport != c->port;
    if (have >> NOTE_SEQ & 1 && !(c->have & KNOWN_BASE << end)) {
        c->base[end] = p->tcp_seq - note->seq;
        c->have |= (uint8_t)(KNOWN_BASE << end);
    }
    if (have >> NOTE_WINDOW_SCALE & 1 && !(c->have & KNOWN_SCALE << end)) {
        c->scale[end] = (int16_t)note->scale; /* another one, if it has no room there */
        c->have |= (uint8_t)(KNOWN_SCALE << end);
    }
}

/* What a member must be, by the constants, the packet, the word and the members before it. False: nobody knows. */
static bool guess(const struct constants *c, const struct packet *p, const struct journal_word *word,
                  const struct note *note, const struct member *m, uint64_t *value)
{
    bool tcp = is_tcp(p) && c && c->have & KNOWN_PORT;
    unsigned end = tcp && p->tcp_srcport != c->port;
    switch (m->bit) {
    case NOTE_STREAM:
        *value = word->stream;
        return word->bits & (JOURNAL_TCP | JOURNAL_UDP);
    case NOTE_STATES:
        *value = word->state[0] | (uint64_t)word->state[1] << 8 | (uint64_t)(word->bits & JOURNAL_CLIENT ? 1 : 0) << 16;
        return word->bits & JOURNAL_STATES;
    case NOTE_TIME_RELATIVE:
        *value = c ? (uint64_t)p->time - (uint64_t)c->first : 0;
        return c && c->have & KNOWN_FIRST;
    case NOTE_INITIAL_RTT:
        *value = c ? (uint64_t)c->rtt : 0;
        return c && c->have & KNOWN_RTT;
    case NOTE_SEQ:
        *value = m->kind == NEXT ? note->seq + p->tcp_length + (p->tcp_flags & 1) + (p->tcp_flags >> 1 & 1)
                 : tcp           ? p->tcp_seq - c->base[end]
                                 : 0;
        *value = (uint32_t)*value;
        return tcp && (m->kind == NEXT || c->have & KNOWN_BASE << end);
    case NOTE_ACK:
        *value = tcp ? p->tcp_ack - c->base[!end] : 0;
        *value = (uint32_t)*value;
        return tcp && c->have & KNOWN_BASE << !end;
    case NOTE_WINDOW_SCALE:
        *value = tcp ? (uint64_t)c->scale[end] & UINT32_MAX : 0;
        return tcp && c->have & KNOWN_SCALE << end;
    case NOTE_WINDOW:
        *value = tcp ? (uint32_t)p->tcp_window : 0;
        if (tcp && !(p->tcp_flags & 2) && c->have & KNOWN_SCALE << end && c->scale[end] > 0)
            *value *= (uint64_t)c->scale[end];
        return tcp;
    default:
        return false;
    }
}

static struct conversations *conversations_of(struct note_code *code, const struct packet *p)
{
    return is_tcp(p) ? &code->tcp : &code->udp;
}

/* --- shapes --- */

/* A shape's number, a new one if need be; -1: there are too many. */
static int shape_number(struct note_code *code, const struct shape *shape)
{
    uint64_t hash =
        (shape->have ^ (uint64_t)shape->told << 24 ^ (uint64_t)shape->layer << 58) * UINT64_C(0x9e3779b97f4a7c15);
    unsigned slot = (unsigned)(hash >> 40) % SLOTS;
    for (; code->slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct shape *s = &code->shapes[code->slots[slot] - 1];
        if (s->have == shape->have && s->told == shape->told && s->layer == shape->layer)
            return code->slots[slot] - 1;
    }
    if (code->count == NOTE_CODE_SHAPES)
        return -1;
    code->shapes[code->count] = *shape;
    code->slots[slot] = (uint16_t)++code->count;
    return (int)code->count - 1;
}

uint8_t *note_put_short(struct note_code *code, uint8_t *to, unsigned first, const struct packet *p, unsigned layer,
                        const struct journal_word *word)
{
    const struct note *note = layer_note(p, &p->layers[layer]);
    struct shape shape = { .have = note->have, .layer = layer };
    struct constants *c =
        note->have >> NOTE_STREAM & 1 ? make_constants(conversations_of(code, p), note->stream) : NULL;
    uint64_t value;
    if (c)
        learn(c, p, note);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (note->have >> members[i].bit & 1 && guess(c, p, word, note, &members[i], &value) &&
            value == get(note, &members[i]))
            shape.told |= 1u << i;
    int number = shape_number(code, &shape);
    if (number < 0)
        return NULL;
    to = number_put(to, first + (unsigned)number);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (note->have >> members[i].bit & 1 && !(shape.told >> i & 1))
            to = put_member(to, note, &members[i], p->number);
    return to;
}

static bool pass_over(const struct shape *shape, struct span *from)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (shape->have >> members[i].bit & 1 && !(shape->told >> i & 1)) {
            if (!from->left)
                return false;
            number_pull(from);
        }
    return true;
}

bool note_pull_short(const struct note_code *code, struct span *from, uint64_t shape_number, struct packet *p,
                     const struct journal_word *word)
{
    if (shape_number >= code->count)
        return false;
    const struct shape *shape = &code->shapes[shape_number];
    if (!p)
        return pass_over(shape, from);
    if (shape->layer >= p->layer_count || p->note_count == NOTES_MAX)
        return false;
    struct note *note = &p->notes[p->note_count++];
    p->layers[shape->layer].note = p->note_count;
    *note = (struct note){ .have = shape->have };
    const struct conversations *all = is_tcp(p) ? &code->tcp : &code->udp;
    const struct constants *c = NULL;
    uint64_t value;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!(shape->have >> members[i].bit & 1))
            continue;
        if (!(shape->told >> i & 1)) {
            if (!from->left)
                return false;
            pull_member(from, note, &members[i], p->number);
        } else if (guess(c, p, word, note, &members[i], &value)) {
            set(note, &members[i], value);
        }
        if (members[i].bit == NOTE_STREAM && note->stream < all->room)
            c = &all->of[note->stream];
    }
    return true;
}
