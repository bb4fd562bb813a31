#include "track/tally.h"
#include "track/tcp_state.h"
#include <stdlib.h>
#include <string.h>

enum letter { LETTER_SYN, LETTER_A, LETTER_D, LETTER_F, LETTER_R, LETTER_I, LETTER_Q };

/* An end as Zeek sees it: by what it sent alone, for the connection's state in its log. */
enum tally_phase {
    PHASE_INACTIVE,
    PHASE_CALLED,
    PHASE_PARTIAL, /* met half-way */
    PHASE_ESTABLISHED,
    PHASE_CLOSED,
    PHASE_RESET,
};

struct hole {
    uint32_t begin, end; /* sequence numbers; end is one beyond */
    uint32_t next;
};

/* --- phases --- */

static enum tally_phase phase(const struct flow_detail *d, unsigned end)
{
    return d->phase[end] & 15;
}

static enum tally_phase phase_before(const struct flow_detail *d, unsigned end)
{
    return d->phase[end] >> 4;
}

static void set_phase(struct flow_detail *d, unsigned end, enum tally_phase to)
{
    if (phase(d, end) != to)
        d->phase[end] = (uint8_t)(to | (unsigned)phase(d, end) << 4);
}

static bool over(const struct flow_detail *d, unsigned end)
{
    return phase(d, end) >= PHASE_CLOSED;
}

/* An end that sent nothing yet. */
static void begin_phase(const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    unsigned me = at->end, he = !me;
    bool client = me == flow_client(at->flow), called = phase(d, he) == PHASE_CALLED;
    if (s->flags & TCP_SYN) {
        set_phase(d, me, client ? PHASE_CALLED : PHASE_ESTABLISHED);
        if (!client && called)
            set_phase(d, he, PHASE_ESTABLISHED);
    }
    if (s->flags & TCP_FIN)
        set_phase(d, me, PHASE_CLOSED);
    if (s->flags & TCP_RST)
        set_phase(d, me, PHASE_RESET);
    if (s->flags & (TCP_SYN | TCP_FIN | TCP_RST) || (!client && !s->length && called))
        return; /* the latter: some acknowledge a SYN before they answer it */
    bool answers = s->flags & TCP_ACK && phase(d, he) == PHASE_ESTABLISHED;
    set_phase(d, me, answers ? PHASE_ESTABLISHED : PHASE_PARTIAL);
}

static void go_on(const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    unsigned me = at->end, he = !me;
    enum tally_phase was = phase(d, me);
    if (was == PHASE_INACTIVE) {
        begin_phase(at, s);
    } else if (was == PHASE_CLOSED) {
        if (s->flags & TCP_RST && phase(d, he) != PHASE_CLOSED)
            set_phase(d, me, PHASE_RESET);
    } else if (was != PHASE_RESET) {
        if (was == PHASE_PARTIAL && phase(d, he) == PHASE_INACTIVE && (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
            set_phase(d, me, PHASE_CALLED);
        if (s->flags & TCP_FIN && !(s->flags & TCP_RST)) {
            set_phase(d, me, PHASE_CLOSED);
            if (phase(d, he) == PHASE_RESET && phase_before(d, he) == PHASE_CLOSED) /* FIN, RST: closed all the same */
                set_phase(d, he, PHASE_CLOSED);
        }
        if (s->flags & TCP_RST)
            set_phase(d, me, PHASE_RESET);
    }
}

/* --- history --- */

static void put_letter(struct flow_detail *d, unsigned end, char letter)
{
    size_t n = strnlen(d->history, sizeof d->history);
    if (n + 1 < sizeof d->history)
        d->history[n] = (char)(end && letter != '^' ? letter | 0x20 : letter);
}

/* Letters appear once an end; those of SYN, FIN and RST again if they have another number than before. */
static void remember(struct flow_detail *d, unsigned end, enum letter letter, char text, bool other)
{
    unsigned bit = 1u << (letter + 8 * end);
    if (!(d->seen & bit) || other)
        put_letter(d, end, text);
    d->seen |= (uint16_t)bit;
}

/* Those that count something appear at the first, tenth, hundredth ... time. */
static void remember_scaled(struct flow_detail *d, unsigned end, char letter, uint32_t times)
{
    for (uint32_t power = 1; power <= times && power <= 100000000; power *= 10)
        if (power == times)
            put_letter(d, end, letter);
}

static void count_scaled(struct flow_detail *d, unsigned end, char letter, uint16_t *times)
{
    if (*times < UINT16_MAX)
        remember_scaled(d, end, letter, ++*times);
}

static void remember_flags(const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    const struct flow_end *from = &at->flow->end[at->end];
    unsigned end = at->end, odd = s->flags & (TCP_SYN | TCP_FIN | TCP_RST);
    if (odd & (odd - 1)) {
        if ((odd & (TCP_FIN | TCP_RST)) == (TCP_FIN | TCP_RST))
            remember(d, end, LETTER_I, 'I', false);
        else
            remember(d, end, LETTER_Q, 'Q', false);
    } else if (odd == TCP_SYN) {
        remember(d, end, LETTER_SYN, s->flags & TCP_ACK ? 'H' : 'S', s->anew);
    } else if (odd == TCP_FIN) {
        remember(d, end, LETTER_F, 'F', from->flags & END_FIN_SENT && from->fin != s->seq + s->length);
    } else if (odd == TCP_RST) {
        remember(d, end, LETTER_R, 'R', d->reset[end] != (uint16_t)s->seq);
        d->reset[end] = (uint16_t)s->seq;
    } else if (s->length) {
        remember(d, end, LETTER_D, 'D', false);
    } else if (s->flags & TCP_ACK) {
        remember(d, end, LETTER_A, 'A', false);
    }
}

/* A window of 0 tells nothing in or after a reset, or once the other end has nothing more to send. */
static void remember_window(const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    unsigned end = at->end;
    if (!s->window && !(s->flags & TCP_RST) && phase(d, end) != PHASE_RESET && phase(d, !end) != PHASE_CLOSED)
        count_scaled(d, end, 'W', &d->zero_windows[end]);
    if (!(s->flags & (TCP_RST | TCP_SYN)))
        d->window[end] = s->window;
}

/* Data that lie before the highest number sent, for whatever reason. */
static void remember_repeats(const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    const struct flow_end *from = &at->flow->end[at->end];
    uint32_t takes = s->length + (s->flags & TCP_SYN ? 1 : 0) + (s->flags & TCP_FIN ? 1 : 0);
    bool known = from->state > TCP_CLOSED && phase(d, at->end) != PHASE_RESET;
    if (known && s->length && !(s->flags & TCP_RST) && seq_diff(s->seq + takes, from->sent) <= 0)
        count_scaled(d, at->end, 'T', &d->repeats[at->end]);
}

/* --- what was not captured --- */

static void free_hole(struct tally *t, uint32_t *link)
{
    uint32_t index = *link;
    *link = t->holes[index].next;
    t->holes[index].next = t->free;
    t->free = index;
}

static void add_hole(struct tally *t, uint32_t *link, uint32_t begin, uint32_t end)
{
    uint32_t index = t->free;
    if (index) {
        t->free = t->holes[index].next;
    } else {
        index = t->count ? t->count : 1;
        if (index >= t->room) {
            uint32_t room = t->room ? t->room * 2 : 64;
            struct hole *more = room <= HOLES_MOST ? realloc(t->holes, room * sizeof *more) : NULL;
            if (!more)
                return;
            t->holes = more;
            t->room = room;
        }
        t->count = index + 1;
    }
    t->holes[index] = (struct hole){ begin, end, *link };
    *link = index;
}

/* The numbers from begin to end (one beyond) were captured now: of what is missing, that is not. */
static void fill_holes(struct tally *t, uint32_t *link, uint32_t begin, uint32_t end)
{
    while (*link) {
        struct hole *h = &t->holes[*link];
        if (seq_diff(begin, h->end) >= 0 || seq_diff(end, h->begin) <= 0) {
            link = &h->next;
        } else if (seq_diff(begin, h->begin) > 0) {
            uint32_t behind = h->end;
            h->end = begin;
            if (seq_diff(end, behind) < 0) { /* the array may move: index, not pointer */
                uint32_t index = *link, next = h->next;
                add_hole(t, &next, end, behind);
                t->holes[index].next = next;
                return;
            }
            link = &h->next;
        } else if (seq_diff(end, h->end) < 0) {
            h->begin = end;
            link = &h->next;
        } else {
            free_hole(t, link);
        }
    }
}

static unsigned holes_of(const struct tally *t, uint32_t head)
{
    unsigned n = 0;
    for (; head; head = t->holes[head].next)
        n++;
    return n;
}

/* Only gaps in connections that were opened and are not reset count: elsewhere numbers mislead. */
static bool is_clean(const struct flow_detail *d)
{
    bool clean = true;
    for (unsigned end = 0; end < 2; end++)
        clean &= phase(d, end) == PHASE_ESTABLISHED ||
                 (phase(d, end) == PHASE_CLOSED && phase_before(d, end) == PHASE_ESTABLISHED);
    return clean;
}

static void miss(struct flow_detail *d, unsigned end, uint32_t bytes)
{
    if (!is_clean(d))
        return;
    d->missed += bytes;
    count_scaled(d, end, 'G', &d->gaps[end]);
}

/* The other end acknowledged what `end` sent before the number ack. */
static void settle_holes(struct tally *t, struct flow_detail *d, unsigned end, uint32_t ack)
{
    uint32_t *link = &d->holes[end];
    while (*link) {
        struct hole *h = &t->holes[*link];
        if (seq_diff(ack, h->begin) <= 0) {
            link = &h->next;
        } else if (seq_diff(ack, h->end) < 0) {
            miss(d, end, ack - h->begin);
            h->begin = ack;
            link = &h->next;
        } else {
            miss(d, end, h->end - h->begin);
            free_hole(t, link);
        }
    }
}

/* Before the states know of the segment. */
static void look_for_gaps(struct tally *t, const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    unsigned end = at->end;
    const struct flow_end *from = &at->flow->end[end], *to = &at->flow->end[!end];
    if (s->flags & (TCP_RST | TCP_SYN))
        return;
    int32_t beyond = seq_diff(s->seq, from->sent);
    if (from->state >= TCP_ESTABLISHED && beyond > 0 && beyond < 1 << 30 &&
        holes_of(t, d->holes[end]) < HOLES_PER_END) {
        add_hole(t, &d->holes[end], from->sent, s->seq);
    } else if (d->holes[end]) {
        fill_holes(t, &d->holes[end], s->seq, s->seq + s->length + (s->flags & TCP_FIN ? 1 : 0));
    }
    if (!(s->flags & TCP_ACK))
        return;
    settle_holes(t, d, !end, s->ack);
    int32_t unseen = seq_diff(s->ack, to->sent);
    if (to->state >= TCP_ESTABLISHED && unseen > 0 && unseen < 1 << 30)
        miss(d, !end, (uint32_t)unseen);
}

void tally_drop(struct tally *t, struct flow_detail *d)
{
    for (unsigned end = 0; end < 2; end++)
        while (d->holes[end])
            free_hole(t, &d->holes[end]);
}

void tally_close(struct tally *t)
{
    free(t->holes);
    *t = (struct tally){ 0 };
}

/* --- counters --- */

static void time_handshake(const struct tally_place *at, const struct segment *s)
{
    struct flow *f = at->flow;
    unsigned end = at->end;
    if (s->flags & TCP_SYN) {
        if (!(s->flags & TCP_ACK))
            *at->handshake = -s->time;
        bool client = s->flags & TCP_ACK ? !end : end;
        if (!(f->flags & FLOW_CLIENT_SEEN))
            f->flags = (uint16_t)((f->flags & ~FLOW_CLIENT_1) | (client ? FLOW_CLIENT_1 : 0) | FLOW_CLIENT_SEEN);
    } else if (*at->handshake < 0 && f->end[!end].state == TCP_SYN_RECEIVED && end == flow_client(f) &&
               !(s->flags & TCP_RST)) {
        int64_t took = s->time + *at->handshake;
        if (took > 0)
            *at->handshake = took;
    }
}

/* Sent again, by the analysis if somebody asked for it, else by a rule that wants no memory: what does not go beyond
 * what was sent before, and neither keeps the connection alive nor was overtaken. */
static bool is_again(const struct flow *f, unsigned end, const struct segment *s)
{
    enum { REORDERED_NS = 3000000 }; /* what fills a gap this soon was overtaken, not repeated */
    const struct flow_end *from = &f->end[end], *to = &f->end[!end];
    uint32_t begin = s->seq + (s->flags & TCP_SYN ? 1 : 0), stop = begin + s->length;
    if (s->analysed)
        return s->again;
    if (!s->length || s->flags & (TCP_RST | TCP_SYN) || from->state <= TCP_CLOSED)
        return false;
    int32_t beyond = seq_diff(begin, from->sent);
    if (beyond >= 0 || (s->length == 1 && beyond == -1)) /* the latter: a keep-alive's byte, RFC 9293, 3.8.4 */
        return false;
    return !(f->flags & FLOW_GAP && s->since < REORDERED_NS &&
             !(to->flags & END_HEARD && seq_diff(stop, to->received) <= 0));
}

/* Bytes that an end is proven to have sent, each counted once, whether the capture holds it or not. */
static void count_bytes(struct flow *f, unsigned end, const struct segment *s)
{
    const struct flow_end *from = &f->end[end];
    uint32_t begin = s->seq + (s->flags & TCP_SYN ? 1 : 0), stop = begin + s->length;
    if (!s->length || s->flags & TCP_RST)
        return;
    if (from->state <= TCP_CLOSED || s->flags & TCP_SYN) {
        f->bytes[end] += s->length;
        return;
    }
    int32_t new = seq_diff(stop, from->sent);
    if (new > 0 && new < 1 << 30) {
        f->bytes[end] += (uint32_t) new;
        if (seq_diff(begin, from->sent) > 0)
            f->flags |= FLOW_GAP;
    }
}

/* What is acknowledged was sent, if the capture missed it. A single byte is more likely a FIN. */
static void count_unseen(struct flow *f, unsigned end, const struct segment *s)
{
    const struct flow_end *to = &f->end[!end];
    int32_t unseen = seq_diff(s->ack, to->sent);
    if (s->flags & TCP_ACK && !(s->flags & (TCP_RST | TCP_SYN)) && to->state >= TCP_ESTABLISHED && unseen > 1 &&
        unseen < 1 << 30)
        f->bytes[!end] += (uint32_t)unseen;
}

static void tally_detail(struct tally *t, const struct tally_place *at, const struct segment *s)
{
    struct flow_detail *d = at->detail;
    unsigned end = at->end;
    if (s->mss)
        d->mss[end] = s->mss;
    if (s->copy)
        return;
    if (!over(d, 0) || !over(d, 1))
        d->productive = s->time;
    bool first = !(at->flow->packets[0] + at->flow->packets[1]);
    if (first && (s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) /* who sent the first packet was called */
        put_letter(d, end, '^');
    remember_flags(at, s);
    remember_window(at, s);
    remember_repeats(at, s);
    go_on(at, s);
    look_for_gaps(t, at, s);
}

void tally_usual(struct flow *f, unsigned end, const struct segment *s)
{
    f->packets[end]++;
    f->retransmits[end] += is_again(f, end, s) && !s->copy;
    count_bytes(f, end, s);
    count_unseen(f, end, s);
}

void tally_tcp(struct tally *t, const struct tally_place *at, const struct segment *s)
{
    struct flow *f = at->flow;
    unsigned end = at->end;
    if (!s->measured) {
        f->packets[end]++;
        return;
    }
    if ((s->flags & TCP_SYN || f->end[!end].state == TCP_SYN_RECEIVED) && *at->handshake <= 0)
        time_handshake(at, s);
    if (at->detail)
        tally_detail(t, at, s);
    tally_usual(f, end, s);
}

void tally_udp(const struct tally_place *at, uint32_t length, int64_t time)
{
    struct flow *f = at->flow;
    f->packets[at->end]++;
    f->bytes[at->end] += length;
    f->end[at->end].flags = (f->end[at->end].flags | END_SPOKE) & (uint16_t)~END_RESET;
    if (!at->detail)
        return;
    at->detail->productive = time;
    remember(at->detail, at->end, LETTER_D, 'D', false);
}

/* --- Zeek's words --- */

void tally_history(const struct flow *f, const struct flow_detail *d, char *out)
{
    char flip = flow_client(f) ? 0x20 : 0;
    size_t n = 0;
    for (; n + 1 < sizeof d->history && d->history[n]; n++)
        out[n] = d->history[n] == '^' ? '^' : (char)(d->history[n] ^ flip);
    out[n] = 0;
}

/* A SYN, then a RST, and nothing between them that opens or uses the connection. */
static bool gave_up(const char *history)
{
    history += *history == '^';
    if (*history != 'S')
        return false;
    history += 1 + strcspn(history + 1, "HAFGIQR");
    return *history == 'R';
}

static const char *state_reset(const struct flow *f, const struct flow_detail *d)
{
    unsigned orig = flow_client(f), resp = !orig;
    char history[sizeof d->history];
    bool unheard[2] = { phase(d, 0) == PHASE_INACTIVE || phase(d, 0) == PHASE_PARTIAL,
                        phase(d, 1) == PHASE_INACTIVE || phase(d, 1) == PHASE_PARTIAL };
    if (phase(d, resp) == PHASE_RESET) {
        if (phase(d, orig) == PHASE_CALLED || (phase(d, orig) == PHASE_RESET && !f->bytes[0] && !f->bytes[1]))
            return "REJ";
        return unheard[orig] ? "RSTRH" : "RSTR";
    }
    tally_history(f, d, history);
    if (unheard[resp])
        return gave_up(history) ? "RSTOS0" : "OTH";
    return "RSTO";
}

const char *tally_conn_state(const struct flow *f, const struct flow_detail *d)
{
    enum { TCP = 6 };
    if (f->protocol != TCP)
        return f->packets[0] && f->packets[1] ? "SF" : "S0";
    enum tally_phase orig = phase(d, flow_client(f)), resp = phase(d, !flow_client(f));
    if (orig == PHASE_RESET || resp == PHASE_RESET)
        return state_reset(f, d);
    if (orig == PHASE_CLOSED && resp == PHASE_CLOSED)
        return "SF";
    if (orig == PHASE_CLOSED)
        return resp <= PHASE_PARTIAL && resp != PHASE_CALLED ? "SH" : "S2";
    if (resp == PHASE_CLOSED)
        return orig <= PHASE_PARTIAL && orig != PHASE_CALLED ? "SHR" : "S3";
    if (orig == PHASE_CALLED && resp == PHASE_INACTIVE)
        return "S0";
    return orig == PHASE_ESTABLISHED && resp == PHASE_ESTABLISHED ? "S1" : "OTH";
}
