#include "track/tally.h"
#include <string.h>

enum letter { LETTER_S, LETTER_H, LETTER_A, LETTER_D, LETTER_F, LETTER_R, LETTER_I, LETTER_Q };

/* Letters appear once an end; those that count something again at every tenth, hundredth ... time. */
static void remember(struct flow_detail *d, unsigned end, unsigned letter)
{
    static const char letters[] = "SHADFRIQ";
    unsigned bit = 1u << (letter + 8 * end);
    if (d->seen & bit)
        return;
    d->seen |= (uint16_t)bit;
    size_t n = strnlen(d->history, sizeof d->history);
    if (n + 1 < sizeof d->history)
        d->history[n] = (char)(end ? letters[letter] | 0x20 : letters[letter]);
}

static void remember_again(struct flow_detail *d, unsigned end, char letter, uint32_t times)
{
    size_t n = strnlen(d->history, sizeof d->history);
    for (uint32_t power = 1; power <= times && power <= 100000000; power *= 10)
        if (power == times && n + 1 < sizeof d->history)
            d->history[n] = (char)(end ? letter | 0x20 : letter);
}

static void remember_flags(struct flow_detail *d, unsigned end, const struct segment *s)
{
    unsigned odd = s->flags & (TCP_SYN | TCP_FIN | TCP_RST);
    if (odd & (odd - 1))
        remember(d, end, odd == (TCP_FIN | TCP_RST) ? LETTER_I : LETTER_Q);
    else if (odd == TCP_SYN)
        remember(d, end, s->flags & TCP_ACK ? LETTER_H : LETTER_S);
    else if (odd)
        remember(d, end, odd == TCP_FIN ? LETTER_F : LETTER_R);
    else if (s->length)
        remember(d, end, LETTER_D);
    else if (s->flags & TCP_ACK)
        remember(d, end, LETTER_A);
}

static void time_handshake(struct flow *f, struct flow_detail *d, unsigned end, const struct segment *s)
{
    if (s->flags & TCP_SYN) {
        if (!(s->flags & TCP_ACK))
            d->syn = s->time;
        bool client = s->flags & TCP_ACK ? !end : end;
        if (!(f->flags & FLOW_CLIENT_SEEN))
            f->flags = (uint16_t)((f->flags & ~FLOW_CLIENT_1) | (client ? FLOW_CLIENT_1 : 0) | FLOW_CLIENT_SEEN);
    } else if (d->syn && f->end[!end].state == TCP_SYN_RECEIVED && end == flow_client(f) && !(s->flags & TCP_RST)) {
        d->handshake = s->time - d->syn;
    }
}

/* Bytes that an end is proven to have sent, each counted once, whether the capture holds it or not. */
static void count_bytes(struct flow *f, struct flow_detail *d, unsigned end, const struct segment *s)
{
    enum { REORDERED_NS = 3000000 }; /* what fills a gap this soon was overtaken, not repeated */
    const struct flow_end *from = &f->end[end], *to = &f->end[!end];
    uint32_t begin = s->seq + (s->flags & TCP_SYN ? 1 : 0), stop = begin + s->length;
    if (!s->length || s->flags & TCP_RST)
        return;
    if (from->state == TCP_UNKNOWN || from->state == TCP_CLOSED || s->flags & TCP_SYN) {
        f->bytes[end] += s->length;
        return;
    }
    int32_t beyond = seq_diff(begin, from->sent), new = seq_diff(stop, from->sent);
    if (new > 0 && new < 1 << 30) {
        f->bytes[end] += (uint32_t) new;
        if (beyond > 0)
            f->flags |= FLOW_GAP;
    }
    if (beyond >= 0 || (s->length == 1 && beyond == -1)) /* the latter: a keep-alive's byte, RFC 9293, 3.8.4 */
        return;
    bool overtaken =
        f->flags & FLOW_GAP && s->since < REORDERED_NS && !(to->flags & END_HEARD && seq_diff(stop, to->received) <= 0);
    if (!overtaken && !s->copy)
        remember_again(d, end, 'T', ++f->retransmits[end]);
}

void tally_tcp(struct flow *f, struct flow_detail *d, unsigned end, const struct segment *s)
{
    f->packets[end]++;
    if (!s->measured)
        return;
    remember_flags(d, end, s);
    if (s->mss)
        d->mss[end] = s->mss;
    if (!d->handshake)
        time_handshake(f, d, end, s);
    if (!(s->flags & (TCP_RST | TCP_SYN))) {
        if (!s->window)
            remember_again(d, end, 'W', ++d->zero_windows[end]);
        d->window[end] = s->window;
    }
    count_bytes(f, d, end, s);
}

void tally_udp(struct flow *f, struct flow_detail *d, unsigned end, uint32_t length)
{
    f->packets[end]++;
    f->bytes[end] += length;
    f->end[end].flags = (f->end[end].flags | END_SPOKE) & (uint16_t)~END_RESET;
    remember(d, end, LETTER_D);
}

void tally_history(const struct flow *f, const struct flow_detail *d, char *out)
{
    unsigned flip = flow_client(f) ? 0x20 : 0;
    size_t n = 0;
    for (; n + 1 < sizeof d->history && d->history[n]; n++)
        out[n] = (char)(d->history[n] ^ (char)flip);
    out[n] = 0;
}

/* Documented in Zeek's "base/protocols/conn/main.zeek". */
const char *tally_conn_state(const struct flow *f, const struct flow_detail *d)
{
    char h[sizeof d->history];
    tally_history(f, d, h);
#define SAW(letter) (strchr(h, letter) != NULL)
    if (f->protocol != 6)
        return f->packets[0] && f->packets[1] ? "SF" : "S0";
    bool syn = SAW('S'), syn_ack = SAW('h');
    if (syn && !syn_ack && !SAW('d') && !SAW('a'))
        return SAW('r') ? "REJ" : SAW('R') ? "RSTOS0" : SAW('F') ? "SH" : "S0";
    if (!syn && syn_ack && !SAW('D') && !SAW('A'))
        return SAW('r') ? "RSTRH" : SAW('f') ? "SHR" : "OTH";
    if (!syn)
        return "OTH";
    if (SAW('R') || SAW('r')) {
        const char *orig = strchr(h, 'R'), *resp = strchr(h, 'r');
        return !resp || (orig && orig < resp) ? "RSTO" : "RSTR";
    }
    if (SAW('F'))
        return SAW('f') ? "SF" : "S2";
    return SAW('f') ? "S3" : "S1";
#undef SAW
}
