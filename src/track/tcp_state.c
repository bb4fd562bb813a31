#include "track/tcp_state.h"

struct machine {
    struct flow *flow;
    int32_t now;
    struct tcp_watch *watch;
};

static void set_state(const struct machine *m, unsigned end, enum tcp_state state)
{
    struct flow_end *e = &m->flow->end[end];
    enum tcp_state old = e->state;
    if (old == state)
        return;
    e->state = (uint8_t)state;
    m->flow->changed[end] = m->now;
    if (m->watch)
        m->watch->changed(m->watch, m->flow, end, old, state);
}

static bool synchronised(const struct flow_end *e)
{
    return e->state >= TCP_ESTABLISHED;
}

/* The state that follows from what is known of both FINs. */
static enum tcp_state state_of(const struct flow_end *e)
{
    if (!(e->flags & END_FIN_SENT))
        return e->flags & END_FIN_RECEIVED ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
    bool acked = e->flags & END_FIN_ACKED;
    if (!(e->flags & END_FIN_RECEIVED))
        return acked ? TCP_FIN_WAIT_2 : TCP_FIN_WAIT_1;
    if (e->flags & END_PASSIVE)
        return acked ? TCP_CLOSED : TCP_LAST_ACK;
    return acked ? TCP_TIME_WAIT : TCP_CLOSING;
}

static void set_flag(const struct machine *m, unsigned end, enum end_flag flag)
{
    struct flow_end *e = &m->flow->end[end];
    if (e->flags & flag)
        return;
    e->flags |= (uint16_t)flag;
    set_state(m, end, state_of(e));
}

/* It has the other end's FIN, and by then had sent all before this number: a FIN of its own from there on is an
 * answer, one before it crossed the other. */
static void fin_received(const struct machine *m, unsigned end, uint32_t sent)
{
    struct flow_end *e = &m->flow->end[end];
    if (!(e->flags & (END_FIN_SENT | END_FIN_RECEIVED)))
        e->fin = sent;
    set_flag(m, end, END_FIN_RECEIVED);
}

static void place_fin(struct flow_end *e, uint32_t at)
{
    if (e->flags & END_FIN_RECEIVED && seq_diff(at, e->fin) >= 0)
        e->flags |= END_PASSIVE;
    e->fin = at;
}

/* Everything of an earlier connection is over for this end. */
static void begin(const struct machine *m, unsigned end, enum tcp_state state, uint32_t sent)
{
    struct flow_end *e = &m->flow->end[end];
    if (e->state > TCP_LISTEN && e->state != state)
        set_state(m, end, TCP_CLOSED);
    e->flags &= END_BASE;
    e->sent = sent;
    e->received = e->fin = 0;
    set_state(m, end, state);
    m->flow->changed[end] = m->now;
}

static void hear(struct flow_end *e, uint32_t ack)
{
    if (!(e->flags & END_HEARD) || seq_diff(ack, e->received) > 0)
        e->received = ack;
    e->flags |= END_HEARD;
}

/* captured: what lies before that number, and not the number alone. */
static void reach(struct flow_end *e, uint32_t sent, bool captured)
{
    int32_t beyond = seq_diff(sent, e->sent);
    if (beyond > 0)
        e->sent = sent;
    if (captured && beyond >= 0)
        e->flags &= (uint16_t)~END_UNSEEN;
    else if (beyond > 0)
        e->flags |= END_UNSEEN;
}

static void reset(const struct machine *m, unsigned end)
{
    m->flow->end[end].flags = (m->flow->end[end].flags | END_RESET) & (uint16_t)~END_PENDING;
    set_state(m, end, TCP_CLOSED);
}

static bool free_to_open(const struct flow_end *e)
{
    return e->state <= TCP_SYN_SENT || e->state == TCP_TIME_WAIT;
}

/* --- SYN (RFC 9293, 3.10.7.2 and 3.10.7.3) --- */

static void take_syn(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *from = &m->flow->end[end];
    bool again = from->sent == s->seq + 1 + s->length, silent = !(from->flags & END_SPOKE);
    if (again && from->state == TCP_SYN_SENT)
        m->flow->changed[end] = m->now;
    else if (again && from->state == TCP_ESTABLISHED && silent && m->now - m->flow->changed[end] >= SYN_AGAIN_MS)
        set_state(m, end, TCP_SYN_SENT);                      /* the answer has not arrived */
    else if (free_to_open(from) || from->flags & END_PENDING) /* asked twice: it means it */
        begin(m, end, TCP_SYN_SENT, s->seq + 1 + s->length);
}

void tcp_state_reuse(struct flow *flow, const struct flow *old, unsigned end, const struct segment *s,
                     struct tcp_watch *watch)
{
    int64_t shift = (old->first - flow->first) / 1000000;
    for (unsigned i = 0; i < 2; i++) {
        struct flow_end *e = &flow->end[i];
        const struct flow_end *o = &old->end[i];
        e->sent = o->sent;
        e->received = o->received;
        e->fin = o->fin;
        e->state = o->state;
        e->flags = (e->flags & END_BASE) | (o->flags & (uint16_t)~END_BASE);
        flow->changed[i] = (int32_t)(old->changed[i] + shift);
    }
    struct machine m = { flow, 0, watch };
    struct flow_end *from = &flow->end[end];
    if (!s->measured || !(s->flags & TCP_SYN))
        return;
    if (free_to_open(from))
        begin(&m, end, TCP_SYN_SENT, s->seq + 1 + s->length);
    else /* a host that forgot its connection, or a forger: the answer to the challenge ACK will tell (RFC 5961, 4) */
        from->flags |= END_PENDING;
}

static void again_syn_ack(const struct machine *m, unsigned end)
{
    struct flow_end *from = &m->flow->end[end];
    if (from->state == TCP_SYN_RECEIVED) {
        m->flow->changed[end] = m->now;
    } else if (from->state == TCP_ESTABLISHED && !(from->flags & END_SPOKE) &&
               m->now - m->flow->changed[end] >= SYN_AGAIN_MS) {
        set_state(m, end, TCP_SYN_RECEIVED); /* it has not taken the last ACK: lost, or its accept queue is full */
    }
}

/* The SYN ACK that it sent before, not one for another connection. */
static bool is_repeated(const struct flow_end *from, const struct segment *s)
{
    if (s->anew || (from->sent != s->seq + 1 + s->length && !(from->flags & END_FAST_OPEN)))
        return false;
    return from->state == TCP_SYN_RECEIVED || (from->state == TCP_ESTABLISHED && !(from->flags & END_SPOKE));
}

static void take_syn_ack(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *from = &m->flow->end[end], *to = &m->flow->end[!end];
    if (to->state == TCP_UNKNOWN || (to->flags & END_PENDING && s->ack == to->base + 1))
        begin(m, !end, TCP_SYN_SENT, s->ack);
    bool called = to->state == TCP_SYN_SENT, simultaneous = from->state == TCP_SYN_SENT;
    if (called && (seq_diff(s->ack, to->base) <= 0 || seq_diff(to->sent, s->ack) < 0))
        return;
    if (simultaneous) {
        set_state(m, end, TCP_SYN_RECEIVED);
    } else if (is_repeated(from, s)) {
        again_syn_ack(m, end);
    } else if (from->state <= TCP_SYN_RECEIVED || called) {
        begin(m, end, TCP_SYN_RECEIVED, s->seq + 1 + s->length);
        if (s->ack != to->base + 1)
            from->flags |= END_FAST_OPEN; /* RFC 7413: it took the data that came with the SYN */
    } else {
        return;
    }
    hear(from, s->ack);
    reach(from, s->seq + 1 + s->length, true);
    if (!simultaneous && m->watch && m->watch->answered)
        m->watch->answered(m->watch, m->flow, end, false);
    if (to->state == TCP_SYN_RECEIVED ? seq_diff(s->ack, to->base) > 0 : called && !simultaneous)
        set_state(m, !end, TCP_ESTABLISHED); /* until it repeats its SYN */
}

/* --- RST (RFC 9293, 3.10.7.3 and 3.10.7.4; RFC 5961, 3) --- */

/* Whether the receiver takes a reset: only at the very number it waits for. Its own acknowledgements tell that number;
 * what was sent and not yet acknowledged may have arrived as well. */
static bool is_exact(const struct flow_end *from, const struct flow_end *to, const struct segment *s)
{
    if (from->state != TCP_UNKNOWN && s->seq == from->sent)
        return true;
    if (to->flags & END_HEARD && s->seq == to->received)
        return true;
    bool after_fin = to->state == TCP_CLOSE_WAIT || to->state == TCP_CLOSING || to->state == TCP_LAST_ACK;
    return after_fin && s->seq == from->fin; /* Linux takes it there, too: some hosts do not count their FIN */
}

static void take_rst(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *from = &m->flow->end[end], *to = &m->flow->end[!end];
    bool opening = to->state == TCP_SYN_SENT || to->flags & END_PENDING;
    if (opening && s->flags & TCP_ACK) {
        uint32_t most = to->flags & END_PENDING ? to->base + 1 : to->sent;
        if (seq_diff(s->ack, to->base) > 0 && seq_diff(most, s->ack) >= 0) {
            reset(m, !end);
            reset(m, end);
            if (m->watch && m->watch->answered)
                m->watch->answered(m->watch, m->flow, end, true);
            return;
        }
    }
    bool exact = to->state != TCP_SYN_SENT && is_exact(from, to, s);
    if (exact && to->state != TCP_CLOSED)
        reset(m, !end);
    if (from->flags & END_PENDING) { /* it knows nothing of the old connection */
        if (exact && !(s->flags & TCP_ACK))
            begin(m, end, TCP_SYN_SENT, from->base + 1);
    } else if (from->state == TCP_SYN_SENT) {
        if (s->seq == from->sent)
            reset(m, end);
    } else if (exact) {
        reset(m, end);
    }
}

/* --- everything else (RFC 9293, 3.10.7.4) --- */

/* What the sender proves to be by sending at all. False: the segment is none of this connection's. */
static bool sender_speaks(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *from = &m->flow->end[end], *to = &m->flow->end[!end];
    switch ((enum tcp_state)from->state) {
    case TCP_UNKNOWN:
    case TCP_LISTEN:
        begin(m, end, TCP_ESTABLISHED, s->seq);
        break;
    case TCP_CLOSED:
        if (!(from->flags & END_RESET) || !(from->flags & END_SPOKE))
            return from->flags & END_FIN_SENT; /* or it has no socket any more */
        if (s->seq != from->sent && s->seq != from->sent - 1)
            return false;
        from->flags &= (uint16_t)~END_RESET; /* the reset has not reached it */
        set_state(m, end, state_of(from));
        break;
    case TCP_SYN_SENT:
        if (seq_diff(s->seq, from->base) <= 0 || seq_diff(from->sent, s->seq) < 0 ||
            (to->state == TCP_SYN_RECEIVED && seq_diff(s->ack, to->base) <= 0))
            return false;
        set_state(m, end, TCP_ESTABLISHED);
        break;
    case TCP_SYN_RECEIVED:
        if (!(from->flags & END_FAST_OPEN))
            set_state(m, end, TCP_ESTABLISHED);
        break;
    default:
        if (seq_diff(s->seq, from->sent) > 1 << 30 || seq_diff(s->seq, from->sent) < -(1 << 30))
            return false;
        from->flags &= (uint16_t)~END_PENDING; /* that SYN was not its own */
    }
    from->flags |= END_SPOKE;
    return true;
}

/* Whether a FIN may stand at that number: nothing comes behind it. What was not captured may have been the FIN, or is
 * nothing at all, if a forged number told of it. */
static bool may_end_at(const struct flow_end *from, const struct flow_end *to, uint32_t at)
{
    int32_t behind = seq_diff(from->sent, at);
    if (behind <= 0)
        return true;
    return from->flags & END_UNSEEN && (behind == 1 || !(to->flags & END_HEARD) || seq_diff(at, to->received) >= 0);
}

static void sender_fin(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *from = &m->flow->end[end], *to = &m->flow->end[!end];
    uint32_t at = s->seq + s->length;
    if (!(from->flags & END_FIN_SENT)) {
        if (!may_end_at(from, to, at))
            return;
        place_fin(from, at);
        from->sent = at + 1;
        if (from->state == TCP_SYN_RECEIVED) { /* Fast Open: shows only once the handshake is through */
            from->flags |= END_FIN_SENT;
            return;
        }
        set_flag(m, end, END_FIN_SENT);
        if (synchronised(to) && to->flags & END_HEARD && seq_diff(to->received, at) > 0) { /* the capture's order */
            set_flag(m, end, END_FIN_ACKED);
            fin_received(m, !end, to->sent);
        }
    } else if (at == from->fin && from->flags & END_FIN_ACKED && !(from->flags & END_RESET) &&
               m->now - m->flow->changed[end] >= FIN_AGAIN_MS) {
        from->flags &= (uint16_t)~END_FIN_ACKED; /* the acknowledgement got lost */
        set_state(m, end, state_of(from));
    }
}

/* What the receiver makes of it, if it arrives. */
static void receiver_takes(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *to = &m->flow->end[end];
    if (to->state == TCP_UNKNOWN) {
        begin(m, end, TCP_ESTABLISHED, s->ack);
        hear(to, s->seq);
    }
    if (to->state == TCP_SYN_RECEIVED && seq_diff(s->ack, to->base) > 0)
        set_state(m, end, state_of(to));
    if (!synchronised(to))
        return;
    reach(to, s->ack, false);
    if (to->flags & END_FIN_SENT && seq_diff(s->ack, to->fin) > 0)
        set_flag(m, end, END_FIN_ACKED);
    if (to->state == TCP_TIME_WAIT)
        m->flow->changed[end] = m->now;
}

static void take_plain(const struct machine *m, unsigned end, const struct segment *s)
{
    struct flow_end *from = &m->flow->end[end], *to = &m->flow->end[!end];
    if (!sender_speaks(m, end, s))
        return;
    bool open = synchronised(from);
    if (open && s->flags & TCP_FIN && synchronised(to) && to->flags & END_SPOKE && !(to->flags & END_FIN_SENT) &&
        s->ack == to->sent + 1) { /* answers a FIN that the capture missed */
        place_fin(to, to->sent);
        set_flag(m, !end, END_FIN_SENT);
        reach(to, s->ack, false);
    }
    hear(from, s->ack);
    if (open && to->flags & END_FIN_SENT && seq_diff(from->received, to->fin) > 0)
        fin_received(m, end, s->seq);
    if (s->flags & TCP_FIN)
        sender_fin(m, end, s);
    reach(from, s->seq + s->length + (s->flags & TCP_FIN ? 1 : 0), s->length || s->flags & TCP_FIN);
    receiver_takes(m, !end, s);
}

bool tcp_state_is_usual(const struct flow_end *from, const struct flow_end *to, uint32_t seq)
{
    enum { ODD = END_FIN_SENT | END_FIN_RECEIVED | END_PENDING, USUAL = END_BASE | END_HEARD | END_SPOKE };
    if (from->state != TCP_ESTABLISHED || to->state != TCP_ESTABLISHED || (from->flags & (ODD | USUAL)) != USUAL ||
        (to->flags & (ODD | END_BASE)) != END_BASE)
        return false;
    int32_t beyond = seq_diff(seq, from->sent);
    return beyond <= 1 << 30 && beyond >= -(1 << 30);
}

void tcp_state_take_usual(struct flow_end *from, struct flow_end *to, const struct segment *s)
{
    hear(from, s->ack);
    reach(from, s->seq + s->length, s->length);
    reach(to, s->ack, false);
}

bool tcp_is_copy(struct flow *f, unsigned end, const struct segment *s, uint16_t ident)
{
    enum { COPY_NS = 10000000 };
    const struct flow_end *from = &f->end[end];
    uint32_t takes = s->length + (s->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    bool same = ident && ident == f->ident[end] && s->since >= 0 && s->since < COPY_NS;
    f->ident[end] = ident;
    return same && takes && s->seq + takes == from->sent && (!(s->flags & TCP_ACK) || s->ack == from->received);
}

void tcp_state_take(struct flow *flow, unsigned end, const struct segment *s, int32_t now, struct tcp_watch *watch)
{
    struct machine m = { flow, now, watch };
    struct flow_end *from = &flow->end[end], *to = &flow->end[!end];
    if (!s->measured || !s->sound || s->copy)
        return;
    bool plain = (s->flags & (TCP_SYN | TCP_RST | TCP_FIN | TCP_ACK)) == TCP_ACK;
    if (plain && tcp_state_is_usual(from, to, s->seq))
        tcp_state_take_usual(from, to, s);
    else if (s->flags & TCP_RST)
        take_rst(&m, end, s);
    else if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        take_syn(&m, end, s);
    else if (s->flags & TCP_SYN)
        take_syn_ack(&m, end, s);
    else if (s->flags & TCP_ACK) /* without it nobody reads on: RFC 9293, 3.10.7.4, fifth */
        take_plain(&m, end, s);
}

/* RFC 9293, 3.9.2.2; RFC 1122, 4.2.3.9: soft once the connection stands. */
void tcp_state_unreachable(struct flow *flow, unsigned end, uint32_t seq, int32_t now, struct tcp_watch *watch)
{
    struct machine m = { flow, now, watch };
    struct flow_end *e = &flow->end[end];
    if ((e->state == TCP_SYN_SENT || e->state == TCP_SYN_RECEIVED) && seq == e->base)
        reset(&m, end);
}

enum tcp_state tcp_state_at(const struct flow *flow, unsigned end, int32_t now)
{
    enum tcp_state state = flow->end[end].state;
    int64_t since = (int64_t)now - flow->changed[end];
    if (state == TCP_TIME_WAIT && since >= TIME_WAIT_MS)
        return TCP_CLOSED;
    if ((state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED) && since >= SYN_PATIENCE_MS)
        return TCP_CLOSED;
    return state;
}

uint32_t tcp_unacknowledged(const struct flow *flow, unsigned end)
{
    const struct flow_end *e = &flow->end[end], *peer = &flow->end[!end];
    if (e->state <= TCP_LISTEN)
        return 0;
    if (e->state == TCP_SYN_SENT || !(peer->flags & END_HEARD))
        return e->flags & END_BASE ? e->sent - e->base : 0;
    int32_t open = seq_diff(e->sent, peer->received);
    return open > 0 ? (uint32_t)open : 0;
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[TCP_STATES] = {
        "?",          "CLOSED",     "LISTEN",     "SYN_SENT", "SYN_RECEIVED", "ESTABLISHED",
        "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",  "LAST_ACK",     "TIME_WAIT",
    };
    return names[state];
}

bool tcp_state_allowed(enum tcp_state from, enum tcp_state to)
{
#define TO(state) (1u << TCP_##state)
    static const unsigned arrows[TCP_STATES] = {
        [TCP_UNKNOWN] = TO(SYN_SENT) | TO(SYN_RECEIVED) | TO(ESTABLISHED),
        [TCP_CLOSED] = TO(SYN_SENT) | TO(SYN_RECEIVED) /* through LISTEN, which is another row */
                       | TO(LAST_ACK)                  /* its last ACK was lost */
                       | TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(FIN_WAIT_2) | TO(CLOSE_WAIT) | TO(CLOSING) |
                       TO(TIME_WAIT), /* a reset that did not arrive */
        [TCP_LISTEN] = TO(SYN_SENT) | TO(SYN_RECEIVED),
        [TCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED),
        [TCP_SYN_RECEIVED] = TO(ESTABLISHED) | TO(FIN_WAIT_1),
        [TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(SYN_RECEIVED) | TO(SYN_SENT), /* a lost handshake */
        [TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING),
        [TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(FIN_WAIT_1), /* the ACK was lost */
        [TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSING),     /* its own FIN came before, and was lost */
        [TCP_CLOSING] = TO(TIME_WAIT),
        [TCP_LAST_ACK] = 0,
        [TCP_TIME_WAIT] = TO(CLOSING), /* the ACK of its FIN was lost */
    };
#undef TO
    return to == TCP_CLOSED || arrows[from] >> to & 1;
}
