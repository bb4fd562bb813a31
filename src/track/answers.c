#include "track/answers.h"
#include "protocol/protocol.h"
#include <stdlib.h>

enum {
    WAYS = 4,                   /* places where a question may stand: those of its set */
    SETS = ANSWERS_ROOM / WAYS, /* a power of two */
};

#define TURNS        UINT32_MAX          /* in place of a number: how many questions a stream has had */
#define OF_STREAM    (UINT64_C(1) << 33) /* added to a stream's number */
#define OF_TCP       (UINT64_C(1) << 32) /* and this to TCP's: UDP's streams have the same */
#define OF_ADDRESSES (UINT64_C(1) << 63) /* no stream: two addresses, mixed */
#define ANEW         INT64_C(5000000000) /* nanoseconds after which a question that is asked again is another one */

struct entry {
    uint64_t ends; /* between whom */
    union {
        int64_t time; /* of a question */
        struct {
            uint32_t asked, ack; /* TURNS: the number of the last question; what its segment acknowledged */
        };
    };
    uint32_t number;
    uint32_t frame;    /* of a question; TURNS: of the last message. 0: the place is free */
    uint32_t answered; /* whether it was; TURNS: the number of the last answer */
};
_Static_assert(sizeof(struct entry) == 32, "32 bytes a question");

struct answers {
    struct entry entries[ANSWERS_ROOM];
};

struct answers *answers_open(void)
{
    return calloc(1, sizeof(struct answers));
}

void answers_close(struct answers *a)
{
    free(a);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    return (a ^ b >> 32 ^ b << 32) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct entry *set_of(struct answers *a, uint64_t ends, uint32_t number)
{
    return &a->entries[(mix(ends, number) >> 40 & (SETS - 1)) * WAYS];
}

static struct entry *find(struct answers *a, uint64_t ends, uint32_t number)
{
    struct entry *set = set_of(a, ends, number);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].frame && set[i].ends == ends && set[i].number == number)
            return &set[i];
    return NULL;
}

/* A place for a new entry: a free one, else that of the oldest. */
static struct entry *place(struct answers *a, uint64_t ends, uint32_t number)
{
    struct entry *set = set_of(a, ends, number), *oldest = set;
    for (unsigned i = 1; i < WAYS; i++)
        if (set[i].frame < oldest->frame)
            oldest = &set[i];
    *oldest = (struct entry){ .ends = ends, .number = number };
    return oldest;
}

/* The number of a message that goes by its turn: questions and answers are counted. Who asks again although an answer
 * is due has it, if meanwhile bytes were acknowledged that came after the first question: it was not captured. */
static uint32_t take_turn(struct answers *a, uint64_t stream, const struct packet *p, enum turn turn)
{
    struct entry *turns = find(a, stream, TURNS);
    if (!turns)
        turns = place(a, stream, TURNS);
    turns->frame = (uint32_t)p->number;
    if (turn == TURN_QUESTION) {
        if (turns->asked == turns->answered + 1 && turns->ack != p->tcp_ack)
            turns->answered++;
        turns->ack = p->tcp_ack;
        return ++turns->asked;
    }
    return turns->answered < turns->asked ? ++turns->answered : 0; /* 0: no question has that */
}

static void take_question(struct answers *a, uint64_t ends, uint32_t number, const struct packet *p)
{
    struct entry *e = find(a, ends, number);
    if (e && !e->answered && p->time - e->time < ANEW)
        return; /* asked again */
    if (!e)
        e = place(a, ends, number);
    e->time = p->time;
    e->frame = (uint32_t)p->number;
    e->answered = false;
}

static void take_answer(struct answers *a, uint64_t ends, uint32_t number, struct packet *p, struct layer *l)
{
    struct entry *e = find(a, ends, number);
    if (!e || l->note || p->note_count == NOTES_MAX)
        return;
    e->answered = true;
    struct note *note = &p->notes[p->note_count++];
    l->note = p->note_count;
    note->have = UINT64_C(1) << NOTE_ANSWERS;
    note->question_frame = e->frame;
    note->answer_time = p->time - e->time;
}

/* The same for both directions. */
static uint64_t addresses_of(const struct network *n)
{
    uint64_t half[2] = { 0, 0 };
    for (unsigned i = 0; i + 4 <= n->size; i += 4) {
        half[0] = mix(half[0] + 1, load_be32(n->source + i));
        half[1] = mix(half[1] + 1, load_be32(n->destination + i));
    }
    return (half[0] + half[1]) | OF_ADDRESSES;
}

/* Between whom a layer's messages go: the stream of the segment or datagram around it, else the addresses. 0: nobody.
 */
static uint64_t ends_of(const struct packet *p, const struct layer *l)
{
    for (const struct layer *around = l; around-- > p->layers && around->network == l->network;) {
        const struct note *note = layer_note(p, around);
        if (note && note->have >> NOTE_STREAM & 1)
            return note->stream | (note->have >> NOTE_SEQ & 1 ? OF_TCP : 0) | OF_STREAM;
    }
    const struct network *network = layer_network(p, l);
    return network ? addresses_of(network) : 0;
}

void answers_take(struct answers *a, struct packet *p)
{
    for (struct layer *l = p->layers; l < &p->layers[p->layer_count]; l++) {
        int64_t asked = TURN_IN_ORDER;
        enum turn turn = l->protocol->turn ? l->protocol->turn(p, l, &asked) : TURN_NONE;
        uint64_t ends = turn == TURN_NONE || l->flags & LAYER_QUOTED ? 0 : ends_of(p, l);
        if (!ends)
            continue;
        uint32_t number = asked == TURN_IN_ORDER ? take_turn(a, ends, p, turn) : (uint32_t)asked;
        if (turn == TURN_QUESTION)
            take_question(a, ends, number, p);
        else
            take_answer(a, ends, number, p, l);
    }
}
