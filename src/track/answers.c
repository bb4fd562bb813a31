#include "track/answers.h"
#include "protocol/protocol.h"
#include <stdlib.h>

enum {
    WAYS = 4,                   /* places where a question may stand: those of its set */
    SETS = ANSWERS_ROOM / WAYS, /* a power of two */
    NUMBER_MOST = (1 << 30) - 1,
    TURNS = 1, /* in a key's lowest bits: no question, but how many there were of a stream; of one of TCP */
    STREAM_TCP = 2,
};

struct entry {
    uint64_t key; /* stream, number, and TURNS; all bits: free */
    union {
        int64_t time; /* of a question */
        struct {
            uint32_t asked, ack; /* TURNS: the number of the last question; what its segment acknowledged */
        };
    };
    uint32_t frame;
    uint32_t answered; /* TURNS: the number of the last answer; else whether it was */
};
_Static_assert(sizeof(struct entry) == 24, "24 bytes a question");

struct answers {
    struct entry entries[ANSWERS_ROOM];
};

#define FREE UINT64_MAX
#define ANEW INT64_C(5000000000) /* nanoseconds after which a question that is asked again is another one */

struct answers *answers_open(void)
{
    struct answers *a = malloc(sizeof *a);
    for (unsigned i = 0; a && i < ANSWERS_ROOM; i++)
        a->entries[i] = (struct entry){ .key = FREE };
    return a;
}

void answers_close(struct answers *a)
{
    free(a);
}

/* TCP's streams and UDP's have the same numbers. */
static uint64_t stream_key(const struct note *around)
{
    return (uint64_t)around->stream << 32 | (around->have >> NOTE_SEQ & 1 ? STREAM_TCP : 0);
}

static uint64_t question_key(uint64_t stream, uint32_t number)
{
    return stream | (uint64_t)(number & NUMBER_MOST) << 2;
}

static struct entry *set_of(struct answers *a, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);
    return &a->entries[(mixed >> 40 & (SETS - 1)) * WAYS];
}

static struct entry *find(struct answers *a, uint64_t key)
{
    struct entry *set = set_of(a, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

/* A place for a new entry: a free one, else that of the oldest. */
static struct entry *place(struct answers *a, uint64_t key, uint32_t frame)
{
    struct entry *set = set_of(a, key), *best = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == FREE) {
            best = &set[i];
            break;
        }
        if (set[i].frame < best->frame)
            best = &set[i];
    }
    *best = (struct entry){ .key = key, .frame = frame };
    return best;
}

/* The number of a message that goes by its turn: questions and answers are counted. Who asks again although an answer
 * is due has it, if meanwhile bytes were acknowledged that came after the first question: it was not captured. */
static uint32_t take_turn(struct answers *a, uint64_t stream, const struct packet *p, enum turn turn)
{
    struct entry *turns = find(a, stream | TURNS);
    if (!turns)
        turns = place(a, stream | TURNS, (uint32_t)p->number);
    turns->frame = (uint32_t)p->number;
    if (turn == TURN_QUESTION) {
        if (turns->asked == turns->answered + 1 && turns->ack != p->tcp_ack)
            turns->answered++;
        turns->ack = p->tcp_ack;
        return ++turns->asked;
    }
    return turns->answered < turns->asked ? ++turns->answered : 0; /* 0: no question has that */
}

static void take_question(struct answers *a, uint64_t key, const struct packet *p)
{
    struct entry *e = find(a, key);
    if (e && !e->answered && p->time - e->time < ANEW)
        return; /* asked again */
    if (!e)
        e = place(a, key, (uint32_t)p->number);
    e->time = p->time;
    e->frame = (uint32_t)p->number;
    e->answered = false;
}

static void take_answer(struct answers *a, uint64_t key, struct packet *p, struct layer *l)
{
    struct entry *e = find(a, key);
    if (!e || l->note || p->note_count == NOTES_MAX)
        return;
    e->answered = true;
    struct note *note = &p->notes[p->note_count++];
    l->note = p->note_count;
    note->have = UINT64_C(1) << NOTE_ANSWERS;
    note->question_frame = e->frame;
    note->answer_time = p->time - e->time;
}

/* The conversation that a layer's messages travel in: that of the segment or datagram around it. */
static const struct note *stream_around(const struct packet *p, const struct layer *l)
{
    while (l-- > p->layers)
        if (l->note && layer_note(p, l)->have >> NOTE_STREAM & 1)
            return layer_note(p, l);
    return NULL;
}

void answers_take(struct answers *a, struct packet *p)
{
    for (struct layer *l = p->layers; l < &p->layers[p->layer_count]; l++) {
        int32_t number = TURN_IN_ORDER;
        enum turn turn = l->protocol->turn ? l->protocol->turn(p, l, &number) : TURN_NONE;
        const struct note *around = turn == TURN_NONE || l->flags & LAYER_QUOTED ? NULL : stream_around(p, l);
        if (!around)
            continue;
        uint64_t stream = stream_key(around);
        if (number == TURN_IN_ORDER)
            number = (int32_t)take_turn(a, stream, p, turn);
        if (turn == TURN_QUESTION)
            take_question(a, question_key(stream, (uint32_t)number), p);
        else
            take_answer(a, question_key(stream, (uint32_t)number), p, l);
    }
}
