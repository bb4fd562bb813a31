/* What was sent and what became of it: acknowledgments, timers, loss, congestion. */
#include "inject/endpoint_parts.h"

enum { INITIAL_SEGMENTS = 10, INITIAL_BYTES = 14600 /* RFC 6928, 2 */, REORDER_MOST = 20, REORDER_ROUNDS = 16 };

static const int64_t rto_after_syn = 3000 * MS; /* RFC 6298, 5.7 */

void sender_begin(struct endpoint *e)
{
    struct sender *s = &e->snd;
    s->una = s->nxt = s->highest = e->settings.iss;
    s->data_seq = e->settings.iss + 1;
    s->mss = e->settings.mss;
    s->rto = rto_initial;
    s->timer = s->reorder_timer = NEVER;
    s->rtt_least = NEVER;
    s->reorder_factor = 1;
    s->ssthresh = UINT32_MAX;
    s->cwnd = s->mss;
}

void sender_ready(struct endpoint *e)
{
    struct sender *s = &e->snd;
    uint32_t most = 2u * s->mss > INITIAL_BYTES ? 2u * s->mss : INITIAL_BYTES;
    s->cwnd = (uint32_t)INITIAL_SEGMENTS * s->mss;
    if (s->cwnd > most)
        s->cwnd = most;
    if (s->syn_again) { /* RFC 5681, 3.1 */
        s->cwnd = s->mss;
        s->rto = rto_after_syn;
    }
}

static uint32_t payload_most(const struct endpoint *e)
{
    return e->snd.mss - (e->timestamps ? TIMESTAMP_BYTES : 0u);
}

static bool may_carry_data(enum tcp_state state)
{
    return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT_1 || state == TCP_CLOSING ||
           state == TCP_LAST_ACK;
}

/* ---- the timer: RFC 6298, 5 */

static void start_timer(struct sender *s, int64_t now)
{
    int64_t wait = s->rto;
    for (unsigned i = 0; i < s->backoff && wait < rto_most; i++)
        wait *= 2;
    s->timer = now + least(wait, rto_most);
}

/* RFC 6298, 2. */
static void take_rtt(struct endpoint *e, int64_t rtt)
{
    struct sender *s = &e->snd;
    if (!s->srtt) {
        s->srtt = rtt;
        s->rttvar = rtt / 2;
    } else {
        int64_t off = rtt > s->srtt ? rtt - s->srtt : s->srtt - rtt;
        s->rttvar += (off - s->rttvar) / 4;
        s->srtt += (rtt - s->srtt) / 8;
    }
    s->srtt = greatest(s->srtt, 1);
    s->rtt_least = least(s->rtt_least, rtt);
    s->rto = least(greatest(s->srtt + greatest(4 * s->rttvar, MS), e->settings.rto_least), rto_most);
    s->backoff = 0;
}

/* ---- the segments outstanding */

static uint32_t *count_of(struct sender *s, uint8_t how)
{
    return how == SENT_OUT ? &s->out : how == SENT_LOST ? &s->lost : &s->sacked;
}

static void set_how(struct sender *s, uint32_t i, uint8_t how)
{
    struct sent *t = sent_at(s, i);
    *count_of(s, t->how) -= t->length;
    *count_of(s, how) += t->length;
    s->sacked_count += (how == SENT_SACKED);
    s->sacked_count -= (t->how == SENT_SACKED);
    t->how = how;
    if (how == SENT_LOST && seq_before(i, s->lost_from))
        s->lost_from = i;
}

/* The first one at or beyond seq, by halving. */
static uint32_t find_sent(const struct sender *s, uint32_t seq)
{
    uint32_t low = s->first, n = s->last - s->first;
    while (n) {
        uint32_t half = n / 2;
        if (seq_before(sent_at(s, low + half)->seq, seq)) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

static void put_on_wire(struct endpoint *e, struct sent *t, int64_t now)
{
    struct sender *s = &e->snd;
    struct endpoint_segment g = { .seq = t->seq, .flags = TCP_ACK };
    uint32_t n = t->length - t->syn - t->fin;
    if (t->syn) {
        g.flags = e->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;
        g.mss = e->settings.mss;
        bool first = e->state == TCP_SYN_SENT;
        g.has_scale = e->settings.scale && (first || e->rcv.scale || e->snd.scale);
        g.scale = e->rcv.scale;
        g.sack_permitted = first ? e->settings.sack : e->sack;
    }
    if (n)
        bytes_get(&s->data, t->seq + t->syn - s->data_seq, n, &g.payload, &g.more);
    g.flags |= (uint16_t)((t->fin ? TCP_FIN : 0) | (t->push ? ENDPOINT_PSH : 0));
    t->time = now;
    s->last_sent = now;
    endpoint_emit(e, &g, now);
    if (s->timer == NEVER)
        start_timer(s, now);
}

static void resend(struct endpoint *e, uint32_t i, int64_t now)
{
    struct sent *t = sent_at(&e->snd, i);
    set_how(&e->snd, i, SENT_OUT);
    t->again = true;
    e->counts.again++;
    put_on_wire(e, t, now);
}

/* The caller has seen that there is room for another one. */
static void send_first_time(struct endpoint *e, const struct sent *new, int64_t now)
{
    struct sender *s = &e->snd;
    struct sent *t = sent_at(s, s->last++);
    *t = *new;
    t->seq = s->nxt;
    t->how = SENT_OUT;
    s->out += t->length;
    s->nxt += t->length;
    e->counts.bytes_sent += t->length - t->syn - t->fin;
    put_on_wire(e, t, now);
}

void sender_syn(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    if (s->first != s->last) {
        resend(e, s->first, now);
        return;
    }
    struct sent syn = { .length = 1, .syn = true };
    send_first_time(e, &syn, now);
}

/* One that is longer than it may be now becomes two. */
static void split(struct endpoint *e, uint32_t i)
{
    struct sender *s = &e->snd;
    struct sent *t = sent_at(s, i);
    uint32_t most = payload_most(e);
    if (t->length - t->fin <= most || s->last - s->first == SENT_MOST)
        return;
    for (uint32_t k = s->last++; k != i; k--)
        *sent_at(s, k) = *sent_at(s, k - 1);
    struct sent *rest = sent_at(s, i + 1);
    rest->seq += most;
    rest->length -= most;
    t->length = most;
    t->fin = t->push = false;
    if (rest->how == SENT_SACKED)
        s->sacked_count++;
}

void sender_shorten(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    (void)now;
    for (uint32_t i = s->first; i != s->last; i++) {
        split(e, i);
        if (sent_at(s, i)->how == SENT_OUT)
            set_how(s, i, SENT_LOST);
    }
}

/* ---- congestion: RFC 5681 */

/* 3.1, (4): half of what is not acknowledged. While losses follow each other that is more than the window lets fly, for
 * what came behind a hole counts, too; and halves of it would never fall. */
static void halve(struct endpoint *e)
{
    struct sender *s = &e->snd;
    uint32_t half = (uint32_t)least(s->nxt - s->una, s->cwnd) / 2;
    s->ssthresh = half > 2u * s->mss ? half : 2u * s->mss;
}

static void enter_recovery(struct endpoint *e)
{
    struct sender *s = &e->snd;
    if (s->phase != CONGESTION_OPEN)
        return;
    halve(e);
    s->cwnd = s->ssthresh;
    s->recovery = s->nxt;
    s->phase = CONGESTION_RECOVERY;
    s->at_once = true;
    e->counts.recoveries++;
    if (s->reorder_rounds && !--s->reorder_rounds)
        s->reorder_factor = 1; /* RFC 8985, 6.2, step 4 */
    endpoint_notice(e, NOTICE_FAST);
}

/* 3.1; segments may be acknowledged several at a time: RFC 3465, 2.2. */
static void grow(struct endpoint *e, uint32_t acked)
{
    struct sender *s = &e->snd;
    if (!s->limited || s->phase == CONGESTION_RECOVERY)
        return;
    if (s->cwnd < s->ssthresh) {
        uint32_t most = s->phase == CONGESTION_OPEN ? 2u * s->mss : s->mss;
        s->cwnd += acked < most ? acked : most;
        return;
    }
    s->grown += acked;
    if (s->grown >= s->cwnd && s->cwnd < 1u << 30) {
        s->grown -= s->cwnd;
        s->cwnd += s->mss;
    }
}

/* Bytes that are on their way: what RFC 6675, 4 calls the pipe. */
static uint32_t pipe_of(const struct sender *s)
{
    return s->out > s->virtual_sacked ? s->out - s->virtual_sacked : 0;
}

static bool cwnd_allows(struct sender *s, uint32_t n)
{
    uint32_t pipe = pipe_of(s);
    if (!pipe || pipe + n <= s->cwnd)
        return true;
    s->limited = true;
    return false;
}

/* ---- what ACKs tell */

struct news {
    uint32_t acked; /* bytes, cumulatively */
    int64_t rtt;    /* of the segment sent last that was sent once; NEVER: none */
    bool delivered; /* something new arrived there */
};

/* A segment is known to have arrived: RFC 8985, 6.2, steps 1 to 3. */
static void delivered(struct endpoint *e, const struct sent *t, int64_t now, struct news *news)
{
    struct sender *s = &e->snd;
    uint32_t end = t->seq + t->length;
    int64_t rtt = now - t->time;
    news->delivered = true;
    if (!t->again) {
        news->rtt = least(news->rtt, rtt);
        if (seq_before(end, s->highest))
            s->reordering = true;
    }
    if (seq_before(s->highest, end))
        s->highest = end;
    if (t->again && rtt < s->rtt_least)
        return; /* an answer to when it was sent before */
    if (t->time > s->rack_time || (t->time == s->rack_time && seq_before(s->rack_end, end))) {
        s->rack_time = t->time;
        s->rack_end = end;
        s->rack_rtt = rtt;
    }
}

static void release(struct endpoint *e, uint32_t ack, int64_t now, struct news *news)
{
    struct sender *s = &e->snd;
    for (; s->first != s->last; s->first++) {
        struct sent *t = sent_at(s, s->first);
        if (seq_before(ack, t->seq + t->length))
            break;
        if (t->how != SENT_SACKED)
            delivered(e, t, now, news);
        *count_of(s, t->how) -= t->length;
        s->sacked_count -= (t->how == SENT_SACKED);
    }
    if (s->first != s->last) {
        struct sent *t = sent_at(s, s->first);
        uint32_t part = seq_before(t->seq, ack) ? ack - t->seq : 0;
        t->seq += part;
        t->length -= part;
        *count_of(s, t->how) -= part;
    }
    if (seq_before(s->lost_from, s->first))
        s->lost_from = s->first;
    uint32_t n = seq_before(s->data_seq, ack) ? ack - s->data_seq : 0;
    if (n > s->data.used)
        n = s->data.used; /* the FIN */
    bytes_drop(&s->data, n);
    s->data_seq += n;
    news->acked = ack - s->una;
    s->una = ack;
}

/* RFC 2883, 4: the first block may tell of what arrived twice. */
static bool tells_twice(const struct endpoint_segment *g)
{
    const struct endpoint_range *a = &g->sacks[0], *b = &g->sacks[1];
    if (!g->sack_count)
        return false;
    if (!seq_before(g->ack, a->right))
        return true;
    return g->sack_count > 1 && !seq_before(a->left, b->left) && !seq_before(b->right, a->right);
}

/* RFC 8985, 6.2, step 4: segments overtake each other by more than was thought. */
static void widen_reordering(struct sender *s)
{
    s->reordering = true;
    s->reorder_rounds = REORDER_ROUNDS;
    if (seq_before(s->una, s->reorder_round))
        return;
    s->reorder_round = s->nxt;
    if (s->reorder_factor < REORDER_MOST)
        s->reorder_factor++;
}

static void take_sacks(struct endpoint *e, const struct endpoint_segment *g, int64_t now, struct news *news)
{
    struct sender *s = &e->snd;
    bool twice = tells_twice(g);
    if (twice)
        widen_reordering(s);
    for (unsigned k = twice; k < g->sack_count; k++) {
        const struct endpoint_range *block = &g->sacks[k];
        if (!seq_before(block->left, block->right) || seq_before(block->left, g->ack) ||
            seq_before(s->nxt, block->right))
            continue;
        for (uint32_t i = find_sent(s, block->left); i != s->last; i++) {
            struct sent *t = sent_at(s, i);
            if (seq_before(block->right, t->seq + t->length))
                break;
            if (t->how == SENT_SACKED)
                continue;
            delivered(e, t, now, news);
            set_how(s, i, SENT_SACKED);
        }
    }
}

/* How much later than a segment sent after it one may still come: RFC 8985, 6.2, step 4. */
static int64_t reorder_window(const struct sender *s)
{
    if (!s->reordering && (s->phase != CONGESTION_OPEN || s->sacked_count >= DUPLICATES))
        return 0;
    if (s->rtt_least == NEVER)
        return 0;
    return least((int64_t)s->reorder_factor * (s->rtt_least / 4), s->srtt);
}

/* RFC 8985, 6.2, step 5: what was sent before something that arrived, and had time enough. */
static void detect_loss(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    bool lost = false;
    s->reorder_timer = NEVER;
    if (!s->rack_time || (!s->sacked_count && s->phase == CONGESTION_OPEN))
        return;
    int64_t window = reorder_window(s);
    for (uint32_t i = s->first; i != s->last; i++) {
        struct sent *t = sent_at(s, i);
        if (t->how != SENT_OUT)
            continue;
        if (t->time > s->rack_time || (t->time == s->rack_time && !seq_before(t->seq + t->length, s->rack_end)))
            continue;
        int64_t until = t->time + s->rack_rtt + window;
        if (until <= now) {
            set_how(s, i, SENT_LOST);
            lost = true;
        } else {
            s->reorder_timer = least(s->reorder_timer, until);
        }
    }
    if (lost)
        enter_recovery(e);
}

/* Without SACK: RFC 5681, 3.2 and RFC 6582, 3.2. */
static void count_duplicates(struct endpoint *e, const struct endpoint_segment *g, uint32_t acked)
{
    struct sender *s = &e->snd;
    bool outstanding = s->first != s->last;
    if (acked) {
        s->duplicates = 0;
        s->virtual_sacked -= s->virtual_sacked < acked ? s->virtual_sacked : acked;
        if (s->phase == CONGESTION_RECOVERY && outstanding && seq_before(s->una, s->recovery) &&
            sent_at(s, s->first)->how == SENT_OUT)
            set_how(s, s->first, SENT_LOST); /* a partial ACK: the next one is missing, too */
        return;
    }
    bool same = !g->payload.left && !(g->flags & TCP_FIN) && (uint32_t)g->window << s->scale == s->window;
    if (!same || !outstanding)
        return;
    s->duplicates++;
    s->virtual_sacked += s->mss;
    if (s->duplicates != DUPLICATES || s->phase != CONGESTION_OPEN)
        return;
    if (sent_at(s, s->first)->how == SENT_OUT)
        set_how(s, s->first, SENT_LOST);
    enter_recovery(e);
}

/* RFC 9293, 3.10.7.4: SND.WL1, SND.WL2. */
static void take_window(struct endpoint *e, const struct endpoint_segment *g)
{
    struct sender *s = &e->snd;
    if (!seq_before(s->wl1, g->seq) && (s->wl1 != g->seq || seq_before(g->ack, s->wl2)))
        return;
    s->window = (uint32_t)g->window << (g->flags & TCP_SYN ? 0 : s->scale);
    s->wl1 = g->seq;
    s->wl2 = g->ack;
    if (s->window > s->most)
        s->most = s->window;
    if (!s->window || !s->persisting)
        return;
    s->persisting = false; /* it opened; the probe, if one was sent, was thrown away */
    s->timer = NEVER;
    s->backoff = 0;
    if (s->first != s->last && sent_at(s, s->first)->how == SENT_OUT)
        set_how(s, s->first, SENT_LOST);
}

static void measure(struct endpoint *e, const struct endpoint_segment *g, int64_t now, const struct news *news)
{
    if (news->rtt != NEVER)
        take_rtt(e, news->rtt);
    else if (news->acked && e->timestamps && g->ts_echo) /* RFC 7323, 4.1 */
        take_rtt(e, greatest((int64_t)(ts_clock(e, now) - g->ts_echo), 1) * MS);
}

static void leave_phase(struct sender *s)
{
    if (s->phase == CONGESTION_OPEN || seq_before(s->una, s->recovery))
        return;
    if (s->phase == CONGESTION_RECOVERY)
        s->cwnd = s->ssthresh;
    s->phase = CONGESTION_OPEN;
    s->virtual_sacked = 0;
    s->grown = 0;
}

void sender_take_ack(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    struct sender *s = &e->snd;
    struct news news = { .rtt = NEVER };
    s->retries = 0;
    if (seq_before(g->ack, s->una))
        return;
    if (e->sack)
        take_sacks(e, g, now, &news);
    if (seq_before(s->una, g->ack))
        release(e, g->ack, now, &news);
    measure(e, g, now, &news);
    if (!e->sack)
        count_duplicates(e, g, news.acked);
    leave_phase(s);
    take_window(e, g);
    if (e->sack)
        detect_loss(e, now);
    if (news.acked)
        grow(e, news.acked);
    if (s->una == s->nxt) {
        if (!s->persisting)
            s->timer = NEVER;
    } else if (news.acked && !s->persisting) {
        start_timer(s, now);
    }
}

/* ---- sending */

static uint32_t unsent(const struct sender *s)
{
    uint32_t sent = seq_before(s->data_seq, s->nxt) ? s->nxt - s->data_seq : 0;
    return s->data.used > sent ? s->data.used - sent : 0;
}

static bool pending(const struct sender *s)
{
    return unsent(s) || (s->fin_wanted && !s->fin_sent);
}

/* The state that sending a FIN leads to, before it is sent: so observers see it beside the segment. */
static void fin_goes(struct endpoint *e)
{
    e->snd.fin_sent = true;
    if (e->state == TCP_CLOSE_WAIT)
        endpoint_change(e, TCP_LAST_ACK);
    else if (e->state == TCP_ESTABLISHED)
        endpoint_change(e, TCP_FIN_WAIT_1);
}

/* n bytes, and the FIN behind them if they are the last and the window takes it. */
static void send_bytes(struct endpoint *e, uint32_t n, uint32_t usable, int64_t now)
{
    struct sender *s = &e->snd;
    struct sent new = { .length = n };
    if (n == unsent(s)) {
        new.push = n;
        new.fin = s->fin_wanted && !s->fin_sent &&n + 1 <= usable;
    }
    new.length += new.fin;
    if (!new.length)
        return;
    if (new.fin)
        fin_goes(e);
    send_first_time(e, &new, now);
}

static uint32_t usable_window(const struct sender *s)
{
    uint32_t edge = s->una + s->window;
    return seq_before(s->nxt, edge) ? edge - s->nxt : 0;
}

/* Nagle, and no silly windows: RFC 9293, 3.8.6.2.1. */
static bool worth_sending(const struct endpoint *e, uint32_t n, uint32_t all)
{
    const struct sender *s = &e->snd;
    if (n == payload_most(e))
        return true;
    if (n == all && (e->settings.no_delay || s->fin_wanted || s->una == s->nxt))
        return true;
    return n && n >= s->most / 2;
}

static bool send_new(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    if (s->last - s->first == SENT_MOST || !pending(s))
        return false;
    uint32_t all = unsent(s), usable = usable_window(s), n = all;
    if (n > payload_most(e))
        n = payload_most(e);
    if (n > usable)
        n = usable;
    if (all ? !n : !usable)
        return false;
    if (s->una == s->nxt && now - s->last_sent > s->rto) { /* RFC 5681, 4.1 */
        uint32_t restart = (uint32_t)INITIAL_SEGMENTS * s->mss;
        s->cwnd = s->cwnd < restart ? s->cwnd : restart;
    }
    if (!worth_sending(e, n, all) || !cwnd_allows(s, n))
        return false;
    send_bytes(e, n, usable, now);
    return true;
}

static bool send_one(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    if (!s->lost)
        return send_new(e, now);
    while (s->lost_from != s->last && sent_at(s, s->lost_from)->how != SENT_LOST)
        s->lost_from++;
    if (s->lost_from == s->last)
        return send_new(e, now);
    split(e, s->lost_from);
    if (!s->at_once && !cwnd_allows(s, sent_at(s, s->lost_from)->length))
        return false;
    s->at_once = false;
    resend(e, s->lost_from, now);
    return true;
}

/* Something waits and nothing is on its way whose ACK would bring us on. */
static void plan_probe(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    if (s->persisting || s->una != s->nxt || !pending(s))
        return;
    s->persisting = true;
    s->backoff = 0;
    s->timer = now + greatest(s->rto, persist_least);
}

void sender_output(struct endpoint *e, int64_t now)
{
    if (may_carry_data(e->state)) {
        e->snd.limited = false;
        while (send_one(e, now))
            ;
        plan_probe(e, now);
    }
    if (e->rcv.ack_now && e->state >= TCP_SYN_RECEIVED) {
        struct endpoint_segment g = { .seq = e->snd.nxt, .flags = TCP_ACK };
        endpoint_emit(e, &g, now);
    }
}

/* ---- timers that ran out */

/* RFC 9293, 3.8.6.1: a byte of what waits, again and again at growing intervals. */
static void probe(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    if (s->retries++ >= e->settings.retries) { /* not even an ACK that the window is closed */
        endpoint_finish(e, ENDPOINT_TIMED_OUT);
        return;
    }
    endpoint_notice(e, NOTICE_PROBE);
    s->backoff++;
    start_timer(s, now);
    if (s->first != s->last) {
        resend(e, s->first, now);
        return;
    }
    uint32_t usable = usable_window(s), n = unsent(s);
    if (!usable)
        usable = 1;
    if (n > usable)
        n = usable;
    if (n > payload_most(e))
        n = payload_most(e);
    send_bytes(e, n, usable, now);
}

static void lose_all(struct sender *s)
{
    bool reneged = s->first != s->last && sent_at(s, s->first)->how == SENT_SACKED; /* RFC 2018, 8 */
    for (uint32_t i = s->first; i != s->last; i++)
        if (sent_at(s, i)->how == SENT_OUT || reneged)
            set_how(s, i, SENT_LOST);
}

static void time_out(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    bool syn = e->state == TCP_SYN_SENT || e->state == TCP_SYN_RECEIVED;
    if (s->retries++ >= (syn ? e->settings.syn_retries : e->settings.retries)) {
        endpoint_finish(e, ENDPOINT_TIMED_OUT);
        return;
    }
    endpoint_notice(e, NOTICE_TIMER);
    e->counts.timeouts++;
    s->backoff++;
    start_timer(s, now);
    if (syn) {
        s->syn_again = true;
        sender_syn(e, now);
        return;
    }
    if (s->phase != CONGESTION_LOSS) /* RFC 5681, 3.1: once for the same segment */
        halve(e);
    s->phase = CONGESTION_LOSS;
    s->recovery = s->nxt;
    s->cwnd = s->mss;
    s->duplicates = 0;
    s->virtual_sacked = 0;
    s->reorder_timer = NEVER;
    lose_all(s);
}

void sender_tick(struct endpoint *e, int64_t now)
{
    struct sender *s = &e->snd;
    if (s->reorder_timer <= now)
        detect_loss(e, now);
    if (s->timer > now)
        return;
    if (s->persisting)
        probe(e, now);
    else if (s->first != s->last)
        time_out(e, now);
    else
        s->timer = NEVER;
}
