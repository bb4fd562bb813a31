/* The states: RFC 9293, 3.10. */
#include "base/text.h"
#include "inject/endpoint_parts.h"
#include <stdlib.h>

static const int64_t second = 1000 * MS, ts_outdated = INT64_C(24) * 24 * 3600 * 1000 * MS; /* RFC 7323, 5.5 */

enum { SCALE_MINE_MOST = 14, MSS_LEAST = 48 };

struct endpoint_settings endpoint_defaults(void)
{
    return (struct endpoint_settings){
        .mss = 536, /* RFC 9293, 3.7.1 */
        .send_buffer = 4 << 20,
        .receive_buffer = 4 << 20,
        .syn_retries = 6,
        .retries = 15,
        .rto_least = 200 * MS,
        .linger = ENDPOINT_LINGER,
        .scale = true,
        .sack = true,
        .timestamps = true,
    };
}

int endpoint_open(struct endpoint **endpoint, const struct endpoint_settings *settings,
                  const struct endpoint_sink *sink, void *context, struct error *error)
{
    struct endpoint *e = calloc(1, sizeof *e);
    *endpoint = NULL;
    if (!e)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    e->settings = *settings;
    if (e->settings.mss < MSS_LEAST)
        e->settings.mss = MSS_LEAST;
    e->sink = *sink;
    e->context = context;
    e->state = TCP_CLOSED;
    e->snd.sent = calloc(SENT_MOST, sizeof *e->snd.sent);
    if (!e->snd.sent || !bytes_open(&e->snd.data, settings->send_buffer) ||
        !bytes_open(&e->rcv.data, settings->receive_buffer)) {
        endpoint_free(e);
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    }
    while (settings->scale && e->rcv.scale < SCALE_MINE_MOST && e->rcv.data.size >> e->rcv.scale > UINT16_MAX)
        e->rcv.scale++;
    e->rcv.ack_timer = e->time_wait = NEVER;
    sender_begin(e);
    *endpoint = e;
    return 0;
}

void endpoint_free(struct endpoint *e)
{
    if (!e)
        return;
    free(e->snd.data.at);
    free(e->rcv.data.at);
    free(e->snd.sent);
    free(e);
}

/* ---- telling */

void endpoint_change(struct endpoint *e, enum tcp_state to)
{
    enum tcp_state from = e->state;
    if (from == to)
        return;
    e->state = to;
    if (e->sink.changed)
        e->sink.changed(e->context, from, to);
}

void endpoint_notice(struct endpoint *e, enum endpoint_notice notice)
{
    if (e->sink.noticed)
        e->sink.noticed(e->context, notice);
}

void endpoint_finish(struct endpoint *e, enum endpoint_end how)
{
    e->end = how;
    e->snd.timer = e->snd.reorder_timer = e->rcv.ack_timer = e->time_wait = NEVER;
    endpoint_change(e, TCP_CLOSED);
}

static void hand_out(struct endpoint *e, const struct endpoint_segment *g)
{
    e->counts.sent++;
    e->sink.send(e->context, g);
}

void endpoint_emit(struct endpoint *e, struct endpoint_segment *g, int64_t now)
{
    bool syn = g->flags & TCP_SYN;
    uint32_t window = receiver_window(e);
    if (g->flags & TCP_ACK)
        g->ack = e->rcv.nxt;
    if (syn)
        g->window = (uint16_t)(window < UINT16_MAX ? window : UINT16_MAX); /* RFC 7323, 2.2: not scaled */
    else
        g->window = (uint16_t)(window >> e->rcv.scale);
    g->timestamps = e->timestamps;
    if (g->timestamps) {
        g->ts_value = ts_clock(e, now);
        g->ts_echo = g->flags & TCP_ACK ? e->rcv.ts_recent : 0;
    }
    if (!syn && !g->payload.left) /* with payload there is no room for blocks */
        receiver_sacks(e, g, e->timestamps ? 3 : 4);
    if (g->flags & TCP_ACK)
        receiver_acked(e);
    hand_out(e, g);
}

/* RFC 9293, 3.10.7.1: an answer to a segment that belongs to nothing. */
static void send_reset(struct endpoint *e, const struct endpoint_segment *g)
{
    struct endpoint_segment reset = { .flags = TCP_RST, .seq = g->ack };
    if (!(g->flags & TCP_ACK)) {
        reset.seq = 0;
        reset.flags = TCP_RST | TCP_ACK;
        reset.ack = g->seq + (uint32_t)g->payload.left + !!(g->flags & TCP_SYN) + !!(g->flags & TCP_FIN);
    }
    hand_out(e, &reset);
}

/* Answers to what is not acceptable have a limit, so that two ends never keep each other busy: RFC 5961, 7. */
static bool may_challenge(struct endpoint *e, int64_t now)
{
    if (now - e->challenge_second >= second) {
        e->challenge_second = now;
        e->challenges = 0;
    }
    return e->challenges++ < CHALLENGES;
}

static void challenge(struct endpoint *e, enum endpoint_notice notice, int64_t now)
{
    if (!may_challenge(e, now))
        return;
    endpoint_notice(e, notice);
    e->rcv.ack_now = true;
}

/* ---- opening */

static void agree(struct endpoint *e, const struct endpoint_segment *syn)
{
    e->timestamps = e->settings.timestamps && syn->timestamps;
    e->sack = e->settings.sack && syn->sack_permitted;
    e->snd.scale = 0;
    if (e->settings.scale && syn->has_scale)
        e->snd.scale = syn->scale <= SCALE_MOST ? syn->scale : SCALE_MOST; /* RFC 7323, 2.3 */
    else
        e->rcv.scale = 0;
    uint16_t theirs = syn->mss ? syn->mss : 536; /* RFC 9293, 3.7.1 */
    if (theirs < MSS_LEAST)
        theirs = MSS_LEAST;
    e->snd.mss = theirs < e->settings.mss ? theirs : e->settings.mss;
    e->snd.window = e->snd.most = syn->window;
    e->snd.wl1 = syn->seq;
    e->snd.wl2 = syn->ack;
    sender_ready(e);
}

void endpoint_connect(struct endpoint *e, int64_t now)
{
    if (e->state != TCP_CLOSED || e->end)
        return;
    e->timestamps = e->settings.timestamps;
    endpoint_change(e, TCP_SYN_SENT);
    sender_syn(e, now);
}

void endpoint_listen(struct endpoint *e)
{
    if (e->state != TCP_CLOSED || e->end)
        return;
    e->passive = true;
    endpoint_change(e, TCP_LISTEN);
}

void endpoint_set_iss(struct endpoint *e, uint32_t iss, uint32_t ts_offset)
{
    if (e->state != TCP_CLOSED && e->state != TCP_LISTEN)
        return;
    e->settings.iss = iss;
    e->settings.ts_offset = ts_offset;
    sender_begin(e);
}

/* RFC 9293, 3.10.7.2. */
static void take_in_listen(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    if (g->flags & TCP_RST)
        return;
    if (g->flags & TCP_ACK) {
        send_reset(e, g);
        return;
    }
    if (!(g->flags & TCP_SYN))
        return;
    agree(e, g);
    receiver_begin(e, g, now);
    endpoint_change(e, TCP_SYN_RECEIVED);
    sender_syn(e, now);
}

static void establish(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    endpoint_change(e, TCP_ESTABLISHED);
    sender_take_ack(e, g, now);
}

/* RFC 9293, 3.10.7.3. */
static void take_in_syn_sent(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    bool acks = g->flags & TCP_ACK;
    if (acks && g->ack != e->snd.nxt) {
        if (!(g->flags & TCP_RST))
            send_reset(e, g);
        return;
    }
    if (g->flags & TCP_RST) {
        if (acks)
            endpoint_finish(e, ENDPOINT_REFUSED);
        return;
    }
    if (!(g->flags & TCP_SYN))
        return;
    agree(e, g);
    receiver_begin(e, g, now);
    if (!acks) { /* both called at once: figure 8 */
        endpoint_change(e, TCP_SYN_RECEIVED);
        sender_syn(e, now);
        return;
    }
    e->rcv.ack_now = true;
    establish(e, g, now);
    sender_output(e, now);
}

/* ---- the rest: RFC 9293, 3.10.7.4 */

static uint32_t length_of(const struct endpoint_segment *g)
{
    return (uint32_t)g->payload.left + !!(g->flags & TCP_SYN) + !!(g->flags & TCP_FIN);
}

/* Step 1. A sender that filled the window may speak from its very edge; one that probes a closed one is heard. */
static bool acceptable(const struct endpoint *e, const struct endpoint_segment *g)
{
    uint32_t length = length_of(g), space = receiver_space(e), edge = e->rcv.nxt + space;
    if (seq_before(e->rcv.nxt + space, e->rcv.edge))
        edge = e->rcv.edge;
    if (!length)
        return !seq_before(g->seq, e->rcv.nxt) && !seq_before(edge, g->seq);
    if (g->seq == e->rcv.nxt)
        return true;
    return seq_before(g->seq, edge) && seq_before(e->rcv.nxt, g->seq + length);
}

/* The other half of a simultaneous open: the SYN that is known, with the ACK that is wanted. */
static bool completes_open(const struct endpoint *e, const struct endpoint_segment *g)
{
    return e->state == TCP_SYN_RECEIVED && (g->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
           g->seq == e->rcv.irs && g->ack == e->snd.nxt;
}

static void start_time_wait(struct endpoint *e, int64_t now)
{
    int64_t linger = e->settings.linger;
    if (linger == ENDPOINT_LINGER)
        linger = greatest(3 * e->snd.rto, second);
    e->snd.timer = e->snd.reorder_timer = NEVER;
    e->time_wait = now + linger;
    endpoint_change(e, TCP_TIME_WAIT);
}

static void refuse(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    if (g->flags & TCP_RST)
        return;
    if (e->state == TCP_TIME_WAIT && g->flags & TCP_FIN && g->seq + length_of(g) == e->rcv.nxt)
        start_time_wait(e, now); /* its last ACK got lost */
    if (e->state == TCP_SYN_RECEIVED && g->flags & TCP_SYN && g->seq == e->rcv.irs) {
        if (may_challenge(e, now))
            sender_syn(e, now); /* the SYN ACK did not arrive */
        return;
    }
    if (g->payload.left && !seq_before(e->rcv.nxt, g->seq + (uint32_t)g->payload.left)) {
        receiver_take(e, g, now); /* all of it is known: tells so */
        e->rcv.ack_now = true;
    } else if (g->payload.left || g->flags & TCP_FIN) {
        endpoint_notice(e, NOTICE_OUTSIDE);
        e->rcv.ack_now = true;
    } else {
        challenge(e, NOTICE_OUTSIDE, now);
    }
    sender_output(e, now);
}

/* RFC 7323, 5.3. */
static bool outdated(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    if (!e->timestamps || g->flags & TCP_RST)
        return false;
    if (!g->timestamps)
        return true;
    return seq_before(g->ts_value, e->rcv.ts_recent) && now - e->rcv.ts_recent_at < ts_outdated;
}

/* Step 2, with RFC 5961, 3.2: only the exact number resets. */
static void take_reset(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    if (g->seq != e->rcv.nxt) {
        challenge(e, NOTICE_CHALLENGE, now);
        sender_output(e, now);
    } else if (e->state == TCP_SYN_RECEIVED && !e->passive) {
        endpoint_finish(e, ENDPOINT_REFUSED);
    } else if (e->state == TCP_TIME_WAIT || e->state == TCP_LAST_ACK || e->state == TCP_CLOSING) {
        endpoint_finish(e, e->state == TCP_TIME_WAIT ? ENDPOINT_IN_ORDER : ENDPOINT_RESET);
    } else {
        endpoint_finish(e, ENDPOINT_RESET);
    }
}

/* Step 5. False: nothing more of the segment counts. */
static bool take_ack(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    if (e->state == TCP_SYN_RECEIVED) {
        if (g->ack != e->snd.nxt) {
            send_reset(e, g);
            return false;
        }
        establish(e, g, now);
        return true;
    }
    if (seq_before(e->snd.nxt, g->ack) || seq_before(g->ack, e->snd.una - e->snd.most)) { /* RFC 5961, 5.2 */
        challenge(e, NOTICE_CHALLENGE, now);
        return false;
    }
    sender_take_ack(e, g, now);
    if (!e->snd.fin_sent || e->snd.una != e->snd.nxt)
        return true;
    if (e->state == TCP_FIN_WAIT_1) {
        endpoint_change(e, TCP_FIN_WAIT_2);
    } else if (e->state == TCP_CLOSING) {
        start_time_wait(e, now);
    } else if (e->state == TCP_LAST_ACK) {
        endpoint_finish(e, ENDPOINT_IN_ORDER);
        return false;
    }
    return true;
}

/* Step 8. */
static void after_fin(struct endpoint *e, int64_t now)
{
    if (e->state == TCP_ESTABLISHED)
        endpoint_change(e, TCP_CLOSE_WAIT);
    else if (e->state == TCP_FIN_WAIT_1)
        endpoint_change(e, TCP_CLOSING);
    else if (e->state == TCP_FIN_WAIT_2)
        start_time_wait(e, now);
}

static void take_synchronized(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    struct endpoint_segment trimmed;
    if (completes_open(e, g)) {
        trimmed = *g;
        trimmed.flags &= (uint16_t)~TCP_SYN;
        trimmed.seq++;
        e->rcv.ack_now = true;
        g = &trimmed;
    }
    if (outdated(e, g, now)) {
        endpoint_notice(e, NOTICE_OLD);
        refuse(e, g, now);
        return;
    }
    if (!acceptable(e, g)) {
        refuse(e, g, now);
        return;
    }
    if (g->flags & TCP_RST) {
        take_reset(e, g, now);
        return;
    }
    if (g->flags & TCP_SYN) { /* RFC 5961, 4.2 */
        challenge(e, NOTICE_CHALLENGE, now);
        sender_output(e, now);
        return;
    }
    if (!(g->flags & TCP_ACK))
        return;
    if (e->timestamps && !seq_before(g->ts_value, e->rcv.ts_recent) && !seq_before(e->rcv.last_ack, g->seq)) {
        e->rcv.ts_recent = g->ts_value;
        e->rcv.ts_recent_at = now;
    }
    if (take_ack(e, g, now) && (g->payload.left || g->flags & TCP_FIN)) {
        bool fin_before = e->rcv.fin_taken;
        receiver_take(e, g, now);
        if (e->rcv.fin_taken && !fin_before)
            after_fin(e, now);
    }
    sender_output(e, now);
}

void endpoint_take(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    e->counts.received++;
    if (e->state == TCP_LISTEN)
        take_in_listen(e, g, now);
    else if (e->state == TCP_SYN_SENT)
        take_in_syn_sent(e, g, now);
    else if (e->state >= TCP_SYN_RECEIVED)
        take_synchronized(e, g, now);
}

void endpoint_unreachable(struct endpoint *e, uint32_t seq, bool hard, int64_t now)
{
    (void)now;
    if (e->state < TCP_SYN_SENT || seq_before(seq, e->snd.una) || !seq_before(seq, e->snd.nxt))
        return; /* RFC 5927, 4.1: it must be about something that is on its way */
    if (hard && e->state == TCP_SYN_SENT)
        endpoint_finish(e, ENDPOINT_UNREACHABLE);
    else
        endpoint_notice(e, NOTICE_UNREACHABLE);
}

void endpoint_limit(struct endpoint *e, uint32_t seq, uint16_t mss, int64_t now)
{
    if (e->state < TCP_ESTABLISHED || seq_before(seq, e->snd.una) || !seq_before(seq, e->snd.nxt))
        return;
    if (mss >= e->snd.mss || mss < MSS_LEAST)
        return;
    e->snd.mss = mss;
    sender_shorten(e, now);
    sender_output(e, now);
}

/* ---- time */

int64_t endpoint_deadline(const struct endpoint *e)
{
    int64_t when = least(e->snd.timer, e->snd.reorder_timer);
    return least(when, least(e->rcv.ack_timer, e->time_wait));
}

void endpoint_tick(struct endpoint *e, int64_t now)
{
    if (e->time_wait <= now) {
        endpoint_finish(e, ENDPOINT_IN_ORDER);
        return;
    }
    if (e->rcv.ack_timer <= now)
        e->rcv.ack_now = true;
    sender_tick(e, now);
    sender_output(e, now);
}

/* ---- what its user does */

size_t endpoint_room(const struct endpoint *e)
{
    if (e->snd.fin_wanted || e->end || e->state == TCP_LISTEN)
        return 0;
    return e->snd.data.size - e->snd.data.used;
}

size_t endpoint_put(struct endpoint *e, const void *bytes, size_t n, int64_t now)
{
    size_t room = endpoint_room(e);
    if (n > room)
        n = room;
    bytes_put(&e->snd.data, e->snd.data.used, bytes, (uint32_t)n);
    e->snd.data.used += (uint32_t)n;
    sender_output(e, now);
    return n;
}

void endpoint_shutdown(struct endpoint *e, int64_t now)
{
    if (e->end)
        return;
    if (e->state == TCP_LISTEN || e->state == TCP_CLOSED) {
        endpoint_abort(e, now);
        return;
    }
    e->snd.fin_wanted = true;
    sender_output(e, now);
}

struct span endpoint_readable(const struct endpoint *e)
{
    struct span piece, more;
    bytes_get(&e->rcv.data, 0, e->rcv.data.used, &piece, &more);
    return piece;
}

/* The window that opens is told when it had been nearly closed, or when half of the buffer came free since. */
void endpoint_consume(struct endpoint *e, size_t n, int64_t now)
{
    struct receiver *r = &e->rcv;
    if (n > r->data.used)
        n = r->data.used;
    bytes_drop(&r->data, (uint32_t)n);
    if (e->state < TCP_ESTABLISHED || r->fin_taken)
        return;
    uint32_t told = seq_before(r->nxt, r->edge) ? r->edge - r->nxt : 0, space = receiver_space(e);
    uint32_t most = (uint32_t)UINT16_MAX << r->scale;
    if (space > most)
        space = most;
    if ((told < e->snd.mss && space >= e->snd.mss) || (space > told && space - told >= r->data.size / 2)) {
        r->ack_now = true;
        sender_output(e, now);
    }
}

bool endpoint_at_end(const struct endpoint *e)
{
    return e->rcv.fin_taken && !e->rcv.data.used;
}

void endpoint_abort(struct endpoint *e, int64_t now)
{
    (void)now;
    if (e->end)
        return;
    bool other = e->state == TCP_SYN_RECEIVED || e->state == TCP_ESTABLISHED || e->state == TCP_FIN_WAIT_1 ||
                 e->state == TCP_FIN_WAIT_2 || e->state == TCP_CLOSE_WAIT;
    struct endpoint_segment reset = { .flags = TCP_RST | TCP_ACK, .seq = e->snd.nxt, .ack = e->rcv.nxt };
    endpoint_finish(e, ENDPOINT_ABORTED);
    if (other)
        hand_out(e, &reset);
}

enum tcp_state endpoint_state(const struct endpoint *e)
{
    return e->state;
}

enum endpoint_end endpoint_end(const struct endpoint *e)
{
    return e->end;
}

const struct endpoint_counts *endpoint_counts(const struct endpoint *e)
{
    return &e->counts;
}

size_t endpoint_unacknowledged(const struct endpoint *e)
{
    return e->snd.data.used;
}

int64_t endpoint_rtt(const struct endpoint *e)
{
    return e->snd.srtt;
}
