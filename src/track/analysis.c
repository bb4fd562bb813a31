#include "track/analysis.h"
#include "base/array.h"
#include "track/tcp_state.h"
#include <stdlib.h>

enum { PSH = 8 };

#define MILLISECOND INT64_C(1000000)

enum {
    OUT_OF_ORDER_MS = 3, /* as long as the round-trip time is not known */
    FLIGHT_MOST = 2000000000,
    FAST_MS = 20,
};

enum conversation_flag {
    TALK_SYN = 1,         /* syn_time is known */
    TALK_INITIAL_RTT = 2, /* initial_rtt is known */
};

struct unacked {
    int64_t time;
    uint32_t seq, end;
    uint32_t frame, next;
};

/* One segment under the eye. */
struct look {
    struct analysis *analysis;
    struct analysis_flow *talk;
    const struct flow *flow;
    struct analysis_end *from, *to;
    unsigned side; /* which end from is */
    const struct segment *s;
    uint32_t end;    /* one beyond its last number: SYN and FIN take one each, RFC 9293, 3.4 */
    bool control;    /* SYN, FIN or RST */
    bool remarkable; /* tshark has something to say of it, even if it is not shown */
    struct note *note;
};

static void found(struct look *l, enum note_bit which)
{
    l->note->have |= UINT64_C(1) << which;
}

static bool is(const struct look *l, enum note_bit which)
{
    return l->note->have >> which & 1;
}

/* --- memory --- */

static struct analysis_flow *talk_of(struct analysis *a, struct flow *flow)
{
    if (flow->side)
        return &a->flows[flow->side];
    uint32_t index = a->flow_free;
    if (index) {
        a->flow_free = a->flows[index].next_free;
    } else {
        index = a->flow_count ? a->flow_count : 1;
        if (!array_grow(&a->flows, sizeof *a->flows, index, &a->flow_room)) {
            a->out_of_memory = true;
            return NULL;
        }
        a->flow_count = index + 1;
    }
    a->flows[index] = (struct analysis_flow){ 0 };
    flow->side = index;
    return &a->flows[index];
}

static uint32_t new_unacked(struct analysis *a)
{
    uint32_t index = a->segment_free;
    if (index) {
        a->segment_free = a->segments[index].next;
        return index;
    }
    index = a->segment_count ? a->segment_count : 1;
    if (index == UNACKED_MOST || !array_grow(&a->segments, sizeof *a->segments, index, &a->segment_room))
        return 0;
    a->segment_count = index + 1;
    return index;
}

static void free_unacked(struct analysis *a, uint32_t index)
{
    a->segments[index].next = a->segment_free;
    a->segment_free = index;
}

/* Takes the segment behind `before` (0: the oldest) out of the list. Returns the one that follows. */
static uint32_t unlink_unacked(struct analysis *a, struct analysis_end *e, uint32_t before, uint32_t index)
{
    uint32_t next = a->segments[index].next;
    if (before)
        a->segments[before].next = next;
    else
        e->oldest = next;
    if (!next)
        e->latest = before;
    e->unacked--;
    free_unacked(a, index);
    return next;
}

static void forget_unacked(struct analysis *a, struct analysis_end *e)
{
    while (e->oldest)
        unlink_unacked(a, e, 0, e->oldest);
    e->flags &= ~(unsigned)SIDE_DISORDER;
}

/* --- what the window says --- */

/* The window of a SYN is never scaled: RFC 7323, 2.2. */
static uint64_t scaled(const struct look *l, unsigned side)
{
    const struct analysis_end *e = &l->talk->end[side];
    uint8_t scale = l->flow->end[side].scale;
    return (uint64_t)e->window << (scale <= SCALE_MOST && !(e->flags & SIDE_SYN) ? scale : 0);
}

static void look_at_windows(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_end *from = l->from, *to = l->to;
    if (s->length == 1 && from->flags & SIDE_NEXT && s->seq == from->next && to->flags & SIDE_WINDOW && !to->window)
        return found(l, NOTE_ZERO_WINDOW_PROBE);
    if (!s->window && !l->control)
        found(l, NOTE_ZERO_WINDOW);
    if (s->length && !l->control && to->flags & SIDE_ACK && l->flow->end[!l->side].scale != SCALE_UNKNOWN &&
        s->seq + s->length == (uint32_t)(to->ack + scaled(l, !l->side)))
        found(l, NOTE_WINDOW_FULL);
}

/* --- a segment without data: an acknowledgement and what it may stand for --- */

static void look_at_repetition(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_end *from = l->from, *to = l->to;
    if (s->ack != from->ack) {
        from->ack_frame = s->frame;
        from->duplicates = 0;
        from->flags &= ~(unsigned)SIDE_TOLD;
        return;
    }
    bool again = !s->length && !l->control && from->flags & SIDE_NEXT && s->seq == from->next;
    if (!again)
        return;
    bool steady = s->window == from->window;
    if (!steady && s->window) {
        found(l, NOTE_WINDOW_UPDATE);
    } else if (steady && s->window && to->flags & SIDE_KEEP_ALIVE) {
        found(l, NOTE_KEEP_ALIVE_ACK);
    } else if (steady && !s->window && to->flags & SIDE_PROBE) {
        found(l, NOTE_ZERO_WINDOW_PROBE_ACK);
    } else if (s->window) {
        found(l, NOTE_DUPLICATE_ACK);
        from->flags |= SIDE_TOLD;
        l->note->duplicate_ack_num = ++from->duplicates;
        l->note->duplicate_ack_frame = from->ack_frame;
    }
}

/* Beyond all that was captured of the other end. Said once, until that end acknowledges something else. */
static void look_at_acknowledgement(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_end *to = l->to;
    if (!(s->flags & TCP_ACK) || !(to->flags & SIDE_EXPECTED) || seq_diff(to->expected, s->ack) >= 0)
        return;
    if (to->expected == to->next && to->flags & SIDE_TOLD) {
        to->duplicates = 0;
        l->remarkable = true;
        return;
    }
    found(l, NOTE_ACK_LOST_SEGMENT);
    if (to->expected == to->next)
        to->flags |= SIDE_TOLD;
    to->expected = to->next;
}

/* --- a segment that takes room in the sequence, and is not new --- */

static int64_t out_of_order_limit(const struct look *l)
{
    return l->talk->flags & TALK_INITIAL_RTT ? l->talk->initial_rtt : OUT_OF_ORDER_MS * MILLISECOND;
}

/* How long the sender waited: since the oldest segment that is not acknowledged, or the last one that was new. */
static void note_timeout(struct look *l)
{
    const struct analysis_end *e = l->from;
    const struct unacked *u = e->oldest ? &l->analysis->segments[e->oldest] : NULL;
    int64_t rto = l->s->time - (u ? u->time : e->next_time);
    if (!rto)
        return;
    found(l, NOTE_RTO);
    found(l, NOTE_RTO_FRAME);
    l->note->rto = rto;
    l->note->rto_frame = u ? u->frame : e->next_frame;
}

/* Which segment this one repeats: the first that began where it begins. */
static void note_again(struct look *l)
{
    const struct unacked *u = l->analysis->segments;
    uint32_t i = l->from->oldest;
    while (i && u[i].seq != l->s->seq)
        i = u[i].next;
    if (!i)
        return;
    found(l, NOTE_AGAIN);
    l->note->again = l->s->time - u[i].time;
    l->note->again_frame = u[i].frame;
}

/* Two duplicate ACKs at least, RFC 5681, 3.2; as tshark has it, also where it was said of the end, since its last ACK
 * that was new, that it has not sent what is acknowledged to it. */
static bool asked_again(const struct analysis_end *e)
{
    return e->flags & SIDE_TOLD && e->duplicates != 1;
}

static void look_at_order(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_end *from = l->from, *to = l->to;
    if (l->end == s->seq || is(l, NOTE_KEEP_ALIVE))
        return;
    /* Where time steps back the wait counts as longer than any, as tshark has it. */
    uint64_t since = (uint64_t)(s->time - to->ack_time), still = (uint64_t)(s->time - from->next_time);
    bool old =
        from->flags & SIDE_NEXT && seq_diff(s->seq, from->next) < 0 && !(s->seq == from->next - 1 && s->length > 1);
    if (s->length && to->flags & SIDE_ACK && seq_diff(s->seq + s->length, to->ack) <= 0) {
        found(l, NOTE_SPURIOUS_RETRANSMISSION);
    } else if (!old) {
        return;
    } else if (asked_again(to) && to->ack == s->seq && since < FAST_MS * MILLISECOND) {
        found(l, NOTE_FAST_RETRANSMISSION);
    } else if (still < (uint64_t)out_of_order_limit(l) && l->end != from->next) {
        found(l, NOTE_OUT_OF_ORDER);
        return;
    } else {
        note_timeout(l);
    }
    found(l, NOTE_RETRANSMISSION);
    note_again(l);
}

/* --- what waits for its acknowledgement --- */

static void remember_segment(struct look *l)
{
    struct analysis *a = l->analysis;
    struct analysis_end *e = l->from;
    if (e->unacked == UNACKED_PER_END)
        unlink_unacked(a, e, 0, e->oldest);
    uint32_t index = new_unacked(a);
    if (!index)
        return;
    a->segments[index] = (struct unacked){ l->s->time, l->s->seq, l->end, l->s->frame, 0 };
    if (e->latest)
        a->segments[e->latest].next = index;
    else
        e->oldest = index;
    const struct unacked *before = e->latest ? &a->segments[e->latest] : NULL;
    if (before && (seq_diff(l->end, before->end) < 0 || seq_diff(l->s->seq, before->seq) < 0))
        e->flags |= SIDE_DISORDER;
    e->latest = index;
    e->unacked++;
}

/* The segment that this acknowledgement answers, and away with all that it covers. */
static void settle(struct look *l)
{
    struct analysis *a = l->analysis;
    struct analysis_end *e = l->to;
    uint32_t before = 0, index = e->oldest;
    while (index) {
        struct unacked *u = &a->segments[index];
        int32_t beyond = seq_diff(u->end, l->s->ack);
        if (!beyond && !is(l, NOTE_ACKS_FRAME)) {
            found(l, NOTE_ACKS_FRAME);
            l->note->acks_frame = u->frame;
            l->note->ack_rtt = l->s->time - u->time;
            if (l->note->ack_rtt)
                found(l, NOTE_ACK_RTT);
        }
        if (beyond <= 0) {
            index = unlink_unacked(a, e, before, index);
            continue;
        }
        if (seq_diff(u->seq, l->s->ack) < 0)
            u->seq = l->s->ack;
        else if (!(e->flags & SIDE_DISORDER))
            break;
        before = index;
        index = u->next;
    }
    if (!e->oldest)
        e->flags &= ~(unsigned)SIDE_DISORDER;
}

/* From the lowest to the highest number that waits, without what the other end's last SACK option has. What is near
 * half of all numbers is none, as tshark has it: they changed their base. */
static int64_t flight(const struct look *l)
{
    const struct unacked *segments = l->analysis->segments;
    const struct analysis_end *e = l->from;
    uint32_t base = l->flow->end[l->side].base, low = segments[e->oldest].seq - base;
    uint32_t high = segments[e->latest].end - base;
    for (uint32_t i = e->flags & SIDE_DISORDER ? e->oldest : 0; i; i = segments[i].next) {
        uint32_t from = segments[i].seq - base, to = segments[i].end - base;
        low = from < low ? from : low;
        high = to > high ? to : high;
    }
    uint32_t span = high - low;
    int64_t bytes = (int64_t)span - l->to->sacked - (l->s->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    return span < FLIGHT_MOST ? bytes : 0;
}

static void count_flight(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_end *e = l->from;
    if (e->flags & SIDE_GAP || !e->oldest || !s->length)
        return;
    e->pushed = e->flags & SIDE_PUSHED ? s->length : e->pushed + s->length;
    e->flags = (e->flags & ~(unsigned)SIDE_PUSHED) | (s->flags & PSH ? SIDE_PUSHED : 0);
    l->remarkable = true;
    int64_t bytes = flight(l);
    if (bytes <= 0)
        return;
    found(l, NOTE_BYTES_IN_FLIGHT);
    found(l, NOTE_PUSH_BYTES_SENT);
    l->note->bytes_in_flight = (uint32_t)bytes;
    l->note->push_bytes_sent = e->pushed;
}

/* --- the handshake's round trip: from the last SYN to the ACK that answers the SYN ACK --- */

static void time_handshake(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_flow *t = l->talk;
    if (!s->sound)
        return;
    if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        t->syn_time = s->time;
        t->flags |= TALK_SYN;
    } else if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_ACK && t->flags & TALK_SYN && !(t->flags & TALK_INITIAL_RTT)) {
        t->initial_rtt = s->time - t->syn_time;
        t->flags |= t->initial_rtt ? TALK_INITIAL_RTT : 0;
    }
    if (t->flags & TALK_INITIAL_RTT && (l->remarkable || l->note->have & NOTES_ANALYSIS)) {
        found(l, NOTE_INITIAL_RTT);
        l->note->initial_rtt = t->initial_rtt;
    }
}

static void remember(struct look *l)
{
    const struct segment *s = l->s;
    struct analysis_end *e = l->from;
    bool first = !(e->flags & SIDE_NEXT);
    if ((first || seq_diff(e->next, l->end) < 0) && !is(l, NOTE_ZERO_WINDOW_PROBE)) {
        e->next = l->end;
        e->next_time = s->time;
        e->next_frame = s->frame;
        if (e->next) /* a reset that answers a SYN counts from 0: RFC 9293, 3.5.2 */
            e->flags |= SIDE_NEXT;
    }
    if (!(e->flags & SIDE_EXPECTED) || (s->seq == e->expected && !is(l, NOTE_ZERO_WINDOW_PROBE)))
        e->expected = e->next;
    e->flags &= ~(unsigned)(SIDE_ACK | SIDE_KEEP_ALIVE | SIDE_PROBE | SIDE_SYN);
    e->flags |= (e->expected ? SIDE_EXPECTED : 0) | SIDE_WINDOW | (s->ack ? SIDE_ACK : 0) |
                (s->flags & TCP_SYN ? SIDE_SYN : 0) | (is(l, NOTE_KEEP_ALIVE) ? SIDE_KEEP_ALIVE : 0) |
                (is(l, NOTE_ZERO_WINDOW_PROBE) ? SIDE_PROBE : 0);
    e->ack = s->ack;
    e->ack_time = s->time;
    e->window = s->window;
    e->sacked = s->sacked;
}

void analysis_take(struct analysis *a, struct flow *flow, unsigned end, const struct segment *s, struct note *note)
{
    struct analysis_flow *talk = talk_of(a, flow);
    if (!talk)
        return;
    struct look l = {
        .analysis = a,
        .talk = talk,
        .flow = flow,
        .from = &talk->end[end],
        .to = &talk->end[!end],
        .side = end,
        .s = s,
        .end = s->seq + s->length,
        .control = s->flags & (TCP_SYN | TCP_FIN | TCP_RST),
        .note = note,
    };
    if (!s->measured) /* a header that says it is longer than all there is */
        return time_handshake(&l);
    l.end += s->flags & (TCP_SYN | TCP_FIN) ? 1 : 0;
    look_at_windows(&l);
    bool probe = is(&l, NOTE_ZERO_WINDOW_PROBE);
    if (!probe && l.from->flags & SIDE_NEXT && !(s->flags & TCP_RST) && seq_diff(l.from->next, s->seq) < 0) {
        found(&l, NOTE_LOST_SEGMENT);
        l.from->flags |= SIDE_GAP;
    }
    if (!probe && s->length <= 1 && !l.control && l.from->flags & SIDE_NEXT && s->seq == l.from->next - 1)
        found(&l, NOTE_KEEP_ALIVE);
    look_at_repetition(&l);
    look_at_acknowledgement(&l);
    look_at_order(&l);
    if (l.end != s->seq)
        remember_segment(&l);
    settle(&l);
    if (s->flags & TCP_ACK)
        l.to->flags &= ~(unsigned)SIDE_GAP;
    count_flight(&l);
    time_handshake(&l);
    remember(&l);
}

void analysis_drop(struct analysis *a, struct flow *flow)
{
    if (!flow->side)
        return;
    struct analysis_flow *talk = &a->flows[flow->side];
    forget_unacked(a, &talk->end[0]);
    forget_unacked(a, &talk->end[1]);
    talk->next_free = a->flow_free;
    a->flow_free = flow->side;
    flow->side = 0;
}

void analysis_close(struct analysis *a)
{
    free(a->flows);
    free(a->segments);
    *a = (struct analysis){ 0 };
}
