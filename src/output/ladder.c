#include "output/ladder.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"
#include "track/tcp_state.h"

enum {
    TCP_HEADER = 20,
    TCP_PSH = 8,
    OPTION_MSS = 2,
    OPTION_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
    OPTION_TIMESTAMPS = 8,
    SCRATCH_BYTES = 1024,
    QUOTE_LEAST = 4, /* characters of text that a payload begins with, for it to be quoted */
    QUOTE_MOST = 60, /* of which so many are */
};

/* Silence that is worth a line. */
static const int64_t pause_ns = INT64_C(3000000000);

#define BIT(which) (UINT64_C(1) << (which))
#define AGAIN      (BIT(NOTE_RETRANSMISSION) | BIT(NOTE_FAST_RETRANSMISSION) | BIT(NOTE_SPURIOUS_RETRANSMISSION))

/* What a segment may have and still be one of many. */
static const uint64_t worth_telling = AGAIN | BIT(NOTE_OUT_OF_ORDER) | BIT(NOTE_LOST_SEGMENT) |
                                      BIT(NOTE_ACK_LOST_SEGMENT) | BIT(NOTE_DUPLICATE_ACK) | BIT(NOTE_KEEP_ALIVE) |
                                      BIT(NOTE_KEEP_ALIVE_ACK) | BIT(NOTE_ZERO_WINDOW) | BIT(NOTE_ZERO_WINDOW_PROBE) |
                                      BIT(NOTE_ZERO_WINDOW_PROBE_ACK) | BIT(NOTE_WINDOW_FULL) | BIT(NOTE_REUSED_PORTS);

int ladder_open(struct ladder *l, const struct style *style, unsigned columns)
{
    *l = (struct ladder){ .style = *style, .columns = columns, .fold = true };
    return buffer_open(&l->scratch, -1, SCRATCH_BYTES);
}

void ladder_close(struct ladder *l)
{
    buffer_free(&l->scratch);
}

/* --- texts --- */

void ladder_bytes(struct buffer *out, uint64_t bytes)
{
    static const char units[][4] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    unsigned unit = 0;
    uint64_t tenths = bytes > UINT64_MAX / 10 ? UINT64_MAX : bytes * 10;
    for (; tenths >= 10000 && unit < 6; unit++)
        tenths = (tenths + 500) / 1000;
    buffer_decimal(out, tenths / 10);
    if (unit && tenths < 1000) {
        buffer_char(out, '.');
        buffer_decimal(out, tenths % 10);
    }
    buffer_char(out, ' ');
    buffer_text(out, units[unit]);
}

void ladder_wait(struct buffer *out, int64_t wait, bool ascii)
{
    if (wait < 0) {
        buffer_char(out, '-');
        wait = wait == INT64_MIN ? INT64_MAX : -wait;
    }
    const char *unit = wait >= 1000000000 ? " s" : wait >= 1000000 ? " ms" : ascii ? " us" : " µs";
    int64_t one = wait >= 1000000000 ? 1000000000 : wait >= 1000000 ? 1000000 : 1000;
    uint64_t tenths = (uint64_t)(wait / (one / 10)) + (wait % (one / 10) >= one / 20);
    buffer_decimal(out, tenths / 10);
    if (tenths < 100 && one > 1000) {
        buffer_char(out, '.');
        buffer_decimal(out, tenths % 10);
    }
    buffer_text(out, unit);
}

/* Adds what lies in scratch from `mark` on to a text of at most `room` bytes, whole characters only and no newline of
 * its own; behind it one newline. Scratch is shortened to mark. */
static void add_line(struct ladder *l, size_t mark, char *text, size_t room)
{
    if (buffer_used(&l->scratch) < mark) /* there was no memory */
        return;
    size_t used = strlen(text), n = buffer_used(&l->scratch) - mark;
    const char *from = l->scratch.start + mark;
    l->scratch.at = l->scratch.start + mark;
    if (used + 2 >= room)
        return;
    if (n > room - used - 2) {
        n = room - used - 2;
        while (n && ((uint8_t)from[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(text + used, from, n);
    text[used + n] = '\n';
    text[used + n + 1] = 0;
}

static size_t begin_part(struct ladder *l, unsigned rank)
{
    size_t mark = buffer_used(&l->scratch);
    buffer_char(&l->scratch, (char)('0' + rank));
    return mark;
}

static void put_part(struct ladder *l, struct ladder_step *step, unsigned rank, const char *name)
{
    size_t mark = begin_part(l, rank);
    buffer_text(&l->scratch, name);
    add_line(l, mark, step->label, sizeof step->label);
}

static void put_number(struct ladder *l, struct ladder_step *step, unsigned rank, const char *name, uint64_t number)
{
    size_t mark = begin_part(l, rank);
    buffer_text(&l->scratch, name);
    buffer_char(&l->scratch, ' ');
    buffer_decimal(&l->scratch, number);
    add_line(l, mark, step->label, sizeof step->label);
}

static void put_remark(struct ladder *l, struct ladder_step *step, const char *text)
{
    size_t mark = buffer_used(&l->scratch);
    buffer_text(&l->scratch, text);
    add_line(l, mark, step->remark, sizeof step->remark);
}

size_t ladder_label(struct buffer *out, const struct ladder_step *step, size_t columns)
{
    char most = '9';
    size_t all;
    for (;; most--) {
        all = 0;
        unsigned parts = 0;
        for (const char *at = step->label, *end; (end = strchr(at, '\n')); at = end + 1)
            if (*at <= most)
                all += text_columns(at + 1, (size_t)(end - at - 1)) + (parts++ == 1 ? 2 : parts > 1);
        if (all <= columns || most == '0')
            break;
    }
    size_t used = 0;
    unsigned parts = 0;
    for (const char *at = step->label, *end; (end = strchr(at, '\n')); at = end + 1) {
        if (*at > most)
            continue;
        size_t gap = parts == 0 ? 0 : parts == 1 ? 2 : 1;
        parts++;
        for (; gap && used < columns; gap--, used++)
            buffer_char(out, ' ');
        for (at++; at < end;) {
            uint32_t code;
            unsigned n = utf8_length((const uint8_t *)at, (size_t)(end - at), &code);
            n = n ? n : 1;
            size_t wide = text_columns(at, n);
            if (used + wide > columns)
                return used;
            buffer_put(out, at, n);
            used += wide;
            at += n;
        }
    }
    return used;
}

/* --- handing on --- */

static void draw(struct ladder *l, struct buffer *out, struct ladder_step *step)
{
    step->entered = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (step->state[i] && step->state[i] != l->state[i]) {
            step->entered |= (uint8_t)(1u << i);
            l->state[i] = step->state[i];
        }
    }
    if (l->draw)
        l->draw(l, out, step);
    else
        ladder_draw_lines(l, out, step);
}

/* What was going on for a long time before this step: nothing. */
static void draw_pause(struct ladder *l, struct buffer *out, const struct ladder_step *next)
{
    int64_t wait = next->time - l->last;
    if (!l->timed || !next->timed || wait < pause_ns)
        return;
    struct ladder_step step = { .time = l->last, .look = LADDER_PAUSE, .timed = true, .facts.lasted = wait };
    size_t mark = begin_part(l, 0);
    ladder_wait(&l->scratch, wait, l->style.ascii);
    add_line(l, mark, step.label, sizeof step.label);
    draw(l, out, &step);
}

static void label_transfer(struct ladder *l, struct ladder_step *step)
{
    const struct ladder_facts *f = &step->facts;
    size_t mark = begin_part(l, 0);
    unsigned long many = (unsigned long)f->segments;
    buffer_format(&l->scratch,
                  l->ends.tcp ? ngettext("%llu segment, ", "%llu segments, ", many)
                              : ngettext("%llu datagram, ", "%llu datagrams, ", many),
                  (unsigned long long)f->segments);
    ladder_bytes(&l->scratch, f->bytes);
    if (step->timed) {
        buffer_text(&l->scratch, ", ");
        ladder_wait(&l->scratch, f->lasted, l->style.ascii);
    }
    add_line(l, mark, step->label, sizeof step->label);
    if (!f->acks)
        return;
    mark = begin_part(l, 1);
    buffer_format(&l->scratch, ngettext("(%llu ACK back)", "(%llu ACKs back)", (unsigned long)f->acks),
                  (unsigned long long)f->acks);
    add_line(l, mark, step->label, sizeof step->label);
}

/* States do not change within. */
static void draw_transfer(struct ladder *l, struct buffer *out)
{
    struct ladder_step *step = &l->steps[0];
    step->look = LADDER_TRANSFER;
    step->label[0] = 0;
    step->facts.segments = l->transfer_segments;
    step->facts.bytes = l->transfer_bytes;
    step->facts.acks = l->transfer_acks;
    step->facts.lasted = l->transfer_end - step->time;
    step->facts.next = l->transfer_next;
    label_transfer(l, step);
    for (unsigned i = 1; i < l->kept; i++)
        if (l->steps[i].remark[0] && !step->remark[0]) {
            memcpy(step->remark, l->steps[i].remark, sizeof step->remark);
            step->payload = l->steps[i].payload;
        }
    draw(l, out, step);
}

void ladder_settle(struct ladder *l, struct buffer *out)
{
    if (l->transferring)
        draw_transfer(l, out);
    for (unsigned i = 0; i < l->kept && !l->transferring; i++)
        draw(l, out, &l->steps[i]);
    l->kept = 0;
    l->transferring = false;
    l->transfer_bytes = l->transfer_segments = l->transfer_acks = 0;
}

static void keep(struct ladder *l, struct buffer *out, const struct ladder_step *step)
{
    if (l->kept == LADDER_KEPT)
        ladder_settle(l, out);
    l->steps[l->kept++] = *step;
}

/* One of many, or not: decides whether it is handed on, kept or only counted. */
static void pass_on(struct ladder *l, struct buffer *out, struct ladder_step *step)
{
    bool running = l->kept && l->steps[0].foldable;
    if (step->timed && l->timed && step->time - l->last >= pause_ns) {
        ladder_settle(l, out);
        draw_pause(l, out, step);
        running = false;
    }
    if (!step->foldable || (running && step->data && step->from != l->steps[0].from) || (!running && l->kept)) {
        ladder_settle(l, out);
        running = false;
    }
    if (step->timed) {
        l->last = step->time;
        l->timed = true;
    }
    if (!step->foldable || (!running && !step->data)) {
        draw(l, out, step);
        return;
    }
    if (!l->transferring)
        keep(l, out, step);
    if (step->data) {
        l->transfer_segments++;
        l->transfer_bytes += step->data;
        l->transfer_end = step->time;
        l->transfer_next = step->facts.next;
        l->transferring |= l->transfer_segments >= LADDER_FOLD;
    } else {
        l->transfer_acks++;
    }
}

void ladder_finish(struct ladder *l, struct buffer *out)
{
    ladder_settle(l, out);
}

/* --- TCP segments --- */

static const struct tlv_set *tcp_options(const struct protocol *tcp)
{
    for (const struct field *f = tcp->fields; f->abbrev; f++)
        if (f->type == FIELD_TLVS)
            return f->tlvs;
    return NULL;
}

static void put_flags(struct ladder *l, struct ladder_step *step, unsigned flags)
{
    static const char names[8][4] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR" };
    /* as people say them: SYN ACK, FIN ACK */
    static const uint8_t order[8] = { 1, 0, 2, 3, 4, 5, 6, 7 };
    size_t mark = begin_part(l, 0), before = buffer_used(&l->scratch);
    for (unsigned i = 0; i < 8; i++) {
        if (!(flags >> order[i] & 1))
            continue;
        if (buffer_used(&l->scratch) > before)
            buffer_char(&l->scratch, ' ');
        buffer_put(&l->scratch, names[order[i]], 3);
    }
    if (buffer_used(&l->scratch) == before)
        buffer_text(&l->scratch, _("no flags"));
    add_line(l, mark, step->label, sizeof step->label);
}

static void put_sack(struct ladder *l, struct ladder_step *step, const struct option *option, uint32_t base)
{
    for (size_t i = 2; i + 8 <= option->bytes.left; i += 8) {
        size_t mark = begin_part(l, 1);
        if (i == 2) {
            step->facts.sack[0] = load_be32(option->bytes.at + i) - base;
            step->facts.sack[1] = load_be32(option->bytes.at + i + 4) - base;
        }
        buffer_text(&l->scratch, i == 2 ? "SACK " : "");
        buffer_decimal(&l->scratch, load_be32(option->bytes.at + i) - base);
        buffer_char(&l->scratch, '-');
        buffer_decimal(&l->scratch, load_be32(option->bytes.at + i + 4) - base);
        add_line(l, mark, step->label, sizeof step->label);
    }
}

static void put_syn_option(struct ladder *l, struct ladder_step *step, const struct option *option)
{
    const uint8_t *at = option->bytes.at;
    if (option->tlv->kind == OPTION_MSS && option->bytes.left == 4) {
        step->facts.mss = load_be16(at + 2);
        put_number(l, step, 3, "mss", step->facts.mss);
    } else if (option->tlv->kind == OPTION_SCALE && option->bytes.left == 3) {
        step->facts.scale = at[2] < SCALE_MOST ? at[2] : SCALE_MOST; /* RFC 7323, 2.3 */
        put_number(l, step, 5, "wscale", at[2]);
    } else if (option->tlv->kind == OPTION_SACK_PERMITTED) {
        step->facts.sack_permitted = true;
        put_part(l, step, 6, "sack");
    } else if (option->tlv->kind == OPTION_TIMESTAMPS) {
        put_part(l, step, 7, "ts");
    }
}

/* A SYN's options, any segment's SACK blocks; base: what relative acknowledgements count from. */
static void put_options(struct ladder *l, struct ladder_step *step, struct span run, const struct layer *layer,
                        uint32_t base)
{
    const struct tlv_set *set = tcp_options(layer->protocol);
    struct option option;
    while (set && tlv_next(set, &run, &option)) {
        if (option.broken)
            continue;
        if (option.tlv->kind == OPTION_SACK)
            put_sack(l, step, &option, base);
        else if (step->facts.flags & TCP_SYN)
            put_syn_option(l, step, &option);
    }
}

static void raise(struct ladder_step *step, enum ladder_mood mood)
{
    if (step->mood < mood)
        step->mood = (uint8_t)mood;
}

static void remark_again(struct ladder *l, struct ladder_step *step, const struct note *note)
{
    size_t mark = buffer_used(&l->scratch);
    buffer_text(&l->scratch, note->have & BIT(NOTE_FAST_RETRANSMISSION)       ? _("fast retransmission")
                             : note->have & BIT(NOTE_SPURIOUS_RETRANSMISSION) ? _("sent again though it had arrived")
                                                                              : _("retransmission"));
    if (note->have & BIT(NOTE_AGAIN) && note->again >= 0) {
        buffer_text(&l->scratch, ": ");
        ladder_wait(&l->scratch, note->again, l->style.ascii);
        buffer_text(&l->scratch, _(" after the first"));
    }
    add_line(l, mark, step->remark, sizeof step->remark);
}

/* In the order of weight. */
static const struct {
    enum note_bit note;
    enum ladder_mood mood;
    const char *text;
} remarks[] = {
    { NOTE_REUSED_PORTS, LADDER_NOTABLE, N_("ports used again") },
    { NOTE_OUT_OF_ORDER, LADDER_NOTABLE, N_("out of order: it comes late") },
    { NOTE_KEEP_ALIVE, LADDER_NOTABLE, N_("keep-alive: are you still there?") },
    { NOTE_KEEP_ALIVE_ACK, LADDER_QUIET, N_("answers the keep-alive") },
    { NOTE_ZERO_WINDOW_PROBE, LADDER_NOTABLE, N_("probes the closed window") },
    { NOTE_ZERO_WINDOW_PROBE_ACK, LADDER_QUIET, N_("answers the probe") },
    { NOTE_ZERO_WINDOW, LADDER_WRONG, N_("window closed: no room for more") },
    { NOTE_WINDOW_FULL, LADDER_NOTABLE, N_("window full: no more may be sent") },
    { NOTE_ACK_LOST_SEGMENT, LADDER_WRONG, N_("acknowledges what was not captured") },
};

static void put_remarks(struct ladder *l, struct ladder_step *step, const struct note *note)
{
    if (note->have & AGAIN) {
        raise(step, LADDER_NOTABLE);
        remark_again(l, step, note);
    }
    for (unsigned i = 0; i < sizeof remarks / sizeof *remarks; i++) {
        if (!(note->have & BIT(remarks[i].note)))
            continue;
        raise(step, remarks[i].mood);
        put_remark(l, step, _(remarks[i].text));
    }
    if (note->have & BIT(NOTE_WINDOW_UPDATE))
        put_remark(l, step, _("window update"));
    if (!(note->have & BIT(NOTE_DUPLICATE_ACK)))
        return;
    size_t mark = buffer_used(&l->scratch);
    raise(step, LADDER_NOTABLE);
    buffer_format(&l->scratch, _("duplicate ACK, number %u"), note->duplicate_ack_num);
    add_line(l, mark, step->remark, sizeof step->remark);
}

/* How many bytes of printable text something begins with, about QUOTE_MOST at most. */
static size_t text_length(struct span bytes)
{
    size_t n = 0;
    while (n < bytes.left && n < QUOTE_MOST) {
        uint32_t code;
        unsigned length = utf8_length(bytes.at + n, bytes.left - n, &code);
        if (!length || code < 0x20 || (code >= 0x7f && code < 0xa0))
            break;
        n += length;
    }
    return n;
}

/* What a dissector says of the message that this packet completes, of several the last one, as a line of text has it.
 * False: nothing. */
static bool put_word(struct ladder *l, struct ladder_step *step, const struct packet *p, const struct layer *layer)
{
    size_t mark = buffer_used(&l->scratch);
    for (const struct layer *above = p->layers + p->layer_count - 1; above > layer; above--) {
        const char *label = above->protocol->label;
        if (above->protocol == &data_protocol || !above->protocol->summary || above->network != layer->network)
            continue;
        buffer_text(&l->scratch, label);
        buffer_char(&l->scratch, ' ');
        size_t begin = buffer_used(&l->scratch), n = strlen(label);
        above->protocol->summary(p, above, &l->scratch);
        if (buffer_used(&l->scratch) > begin + n && !memcmp(l->scratch.start + begin, label, n)) { /* HTTP HTTP/1.1 */
            n = buffer_used(&l->scratch) - begin;
            memmove(l->scratch.start + mark, l->scratch.start + begin, n);
            l->scratch.at = l->scratch.start + mark + n;
        }
        add_line(l, mark, step->remark, sizeof step->remark);
        return true;
    }
    return false;
}

/* The first line of a payload that is text, in quotes. */
static void put_quotation(struct ladder *l, struct ladder_step *step, struct span bytes)
{
    size_t n = text_length(bytes), mark = buffer_used(&l->scratch);
    bool whole = n == bytes.left || bytes.at[n] == '\r' || bytes.at[n] == '\n';
    while (n && bytes.at[n - 1] == ' ')
        n--;
    if (n < QUOTE_LEAST || (!whole && n < QUOTE_MOST))
        return;
    buffer_char(&l->scratch, '"');
    buffer_escaped(&l->scratch, bytes.at, n);
    buffer_text(&l->scratch, whole ? "\"" : l->style.ascii ? "...\"" : "…\"");
    add_line(l, mark, step->remark, sizeof step->remark);
}

/* The third segment of the handshake, and a TIME_WAIT that begins. */
static void put_times(struct ladder *l, struct ladder_step *step)
{
    unsigned flags = step->facts.flags;
    if (!step->timed)
        return;
    size_t mark = buffer_used(&l->scratch);
    if (flags & TCP_SYN && !(flags & TCP_ACK)) {
        l->syn_time = step->time;
        l->syn_seen = true;
    } else if (l->syn_seen && !l->shaken && step->from == 0 && step->state[0] == TCP_ESTABLISHED) {
        l->shaken = true;
        step->facts.handshake = step->time - l->syn_time;
        buffer_text(&l->scratch, _("handshake "));
        ladder_wait(&l->scratch, step->facts.handshake, l->style.ascii);
        add_line(l, mark, step->remark, sizeof step->remark);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (step->state[i] != TCP_TIME_WAIT || l->state[i] == TCP_TIME_WAIT)
            continue;
        int64_t until = step->time / 1000000 + TIME_WAIT_MS;
        buffer_format(&l->scratch, _("TIME_WAIT until %lld.%03lld s"), (long long)(until / 1000),
                      (long long)(until % 1000));
        add_line(l, mark, step->remark, sizeof step->remark);
    }
}

/* Segments before this one that the capture has not. */
static void draw_missing(struct ladder *l, struct buffer *out, const struct ladder_step *after)
{
    uint32_t next = l->next[after->from], missing = after->facts.seq - next;
    if (!(after->facts.notes & BIT(NOTE_LOST_SEGMENT)) || !l->next_known[after->from] || !missing ||
        missing > INT32_MAX)
        return;
    struct ladder_step step = { .time = after->time, .from = after->from, .look = LADDER_MISSING };
    step.mood = LADDER_WRONG;
    step.facts = (struct ladder_facts){ .bytes = missing, .seq = next, .next = after->facts.seq };
    size_t mark = begin_part(l, 0);
    ladder_bytes(&l->scratch, missing);
    buffer_text(&l->scratch, _(" not captured"));
    add_line(l, mark, step.label, sizeof step.label);
    put_number(l, &step, 1, "seq", next);
    pass_on(l, out, &step);
}

static void put_states(struct ladder_step *step, const struct note *note)
{
    if (!(note->have & BIT(NOTE_STATES)))
        return;
    step->state[step->from] = note->state[0];
    step->state[!step->from] = note->state[1];
}

/* The states before the first packet. What the answer tells of the server is filled in by it. */
static void begin(struct ladder *l, struct buffer *out, const struct ladder_step *first)
{
    unsigned flags = first->facts.flags;
    struct ladder_step step = { .look = LADDER_BEGIN, .state = { TCP_CLOSED } };
    if ((flags & (TCP_SYN | TCP_ACK)) != TCP_SYN || first->from || !first->state[0])
        return;
    ladder_settle(l, out);
    keep(l, out, &step);
    keep(l, out, first);
}

/* What the answer to the first SYN tells of its sender. Ports that are used again knew a state of before. */
static void answer_begin(struct ladder *l, unsigned flags)
{
    if (!(flags & (TCP_SYN | TCP_RST)))
        return;
    l->steps[0].state[1] = flags & TCP_SYN ? TCP_LISTEN : TCP_CLOSED;
    for (unsigned i = 1; i < l->kept; i++)
        l->steps[i].state[1] = TCP_UNKNOWN;
}

static void read_facts(struct ladder_facts *f, struct span header, const struct note *note)
{
    const uint8_t *h = header.at;
    f->notes = note->have;
    f->flags = h[13];
    f->raw_seq = load_be32(h + 4);
    f->seq = note->have & BIT(NOTE_SEQ) ? note->seq : f->raw_seq;
    f->next = note->have & BIT(NOTE_SEQ) ? note->next_seq : f->raw_seq;
    f->ack = note->have & BIT(NOTE_ACK) ? note->ack : load_be32(h + 8);
    f->window = note->have & BIT(NOTE_WINDOW) ? note->window : load_be16(h + 14);
    f->again = note->have & BIT(NOTE_AGAIN) ? note->again : -1;
    f->duplicates = note->have & BIT(NOTE_DUPLICATE_ACK) ? note->duplicate_ack_num : 0;
    f->scale = LADDER_NO_SCALE;
}

static void put_label(struct ladder *l, struct ladder_step *step)
{
    const struct ladder_facts *f = &step->facts;
    put_flags(l, step, f->flags);
    put_number(l, step, step->data || f->flags & (TCP_SYN | TCP_FIN) ? 2 : 5, "seq", f->seq);
    if (f->flags & TCP_ACK)
        put_number(l, step, step->data ? 3 : 1, "ack", f->ack);
    if (step->data)
        put_number(l, step, 1, "len", step->data);
    if (f->notes & AGAIN)
        put_part(l, step, 1, _("(again)"));
    if (!(f->flags & TCP_RST))
        put_number(l, step, f->notes & BIT(NOTE_ZERO_WINDOW) ? 1 : 4, "win", f->window);
}

/* What an end begins to say is quoted; a dissector may need more segments than the first one. */
static void speak(struct ladder *l, struct ladder_step *step, const struct packet *p, const struct layer *layer)
{
    size_t mark = strlen(step->remark);
    bool turn = !l->spoken || l->speaker != step->from;
    if (!step->data)
        return;
    l->speaker = step->from;
    l->spoken = true;
    l->worded = l->worded && !turn;
    if (step->facts.notes & AGAIN || l->worded)
        return;
    l->worded = put_word(l, step, p, layer);
    if (!l->worded && turn)
        put_quotation(l, step, layer_payload(p, layer));
    if (step->remark[mark])
        step->payload = (uint16_t)(mark + 1);
}

static bool is_foldable(const struct ladder *l, const struct ladder_step *step)
{
    unsigned flags = step->facts.flags;
    for (unsigned i = 0; i < 2; i++)
        if (step->state[i] && step->state[i] != l->state[i])
            return false;
    return l->fold && !(step->facts.notes & worth_telling) && !(flags & ~(unsigned)(TCP_ACK | TCP_PSH)) &&
           flags & TCP_ACK;
}

/* Remembers how far its sender has come. */
static void advance(struct ladder *l, const struct ladder_step *step)
{
    const struct ladder_facts *f = &step->facts;
    uint32_t *next = &l->next[step->from];
    if (!(f->notes & BIT(NOTE_SEQ)) || (l->next_known[step->from] && seq_diff(f->next, *next) <= 0))
        return;
    *next = f->next;
    l->next_known[step->from] = true;
}

static void take_segment(struct ladder *l, struct buffer *out, const struct packet *p, const struct layer *layer,
                         struct ladder_step *step)
{
    static const struct note nothing;
    struct span h = layer_header(p, layer);
    const struct note *note = layer_note(p, layer) ? layer_note(p, layer) : &nothing;
    bool first = !l->heard;
    if (h.left < TCP_HEADER)
        return;
    read_facts(&step->facts, h, note);
    step->data = layer_payload_length(layer);
    put_states(step, note);
    put_label(l, step);
    put_options(l, step, span_part(h, TCP_HEADER, h.left), layer, load_be32(h.at + 8) - step->facts.ack);
    if (step->facts.flags & TCP_RST)
        raise(step, LADDER_WRONG);
    put_remarks(l, step, note);
    put_times(l, step);
    speak(l, step, p, layer);
    draw_missing(l, out, step);
    advance(l, step);
    step->foldable = is_foldable(l, step);
    if (l->kept && l->steps[0].look == LADDER_BEGIN && step->from == 1)
        answer_begin(l, step->facts.flags);
    l->heading = l->heard = true;
    if (first)
        begin(l, out, step);
    if (!first || !l->kept) {
        pass_on(l, out, step);
    } else {
        l->last = step->time;
        l->timed = step->timed;
    }
}

/* --- anything else --- */

static void put_summary(struct ladder *l, struct ladder_step *step, const struct packet *p, const struct layer *subject)
{
    size_t mark = buffer_used(&l->scratch);
    if (subject->protocol->summary)
        subject->protocol->summary(p, subject, &l->scratch);
    else
        buffer_text(&l->scratch, _(subject->protocol->title));
    add_line(l, mark, step->summary, sizeof step->summary);
}

/* A packet that says so of itself: protocol and summary. */
static void take_other(struct ladder *l, struct buffer *out, const struct packet *p, const struct layer *layer,
                       struct ladder_step *step)
{
    const struct layer *subject = packet_subject(p);
    if (!subject)
        return;
    put_part(l, step, 0, subject->protocol->label);
    if (layer)
        step->data = layer_payload_length(layer);
    if (layer == subject) { /* no more is known of it than its bytes */
        step->foldable = l->fold && step->data;
        put_number(l, step, 1, "len", step->data);
        speak(l, step, p, layer);
    } else {
        put_summary(l, step, p, subject);
    }
    l->heading = true;
    pass_on(l, out, step);
}

/* Who sent a packet that accompanies: an end, or somebody else on the way to one. */
static unsigned companion_sender(struct ladder *l, const struct packet *p, struct ladder_step *step)
{
    const struct layer *subject = packet_subject(p);
    const struct network *n = subject ? layer_network(p, subject) : NULL;
    if (!n)
        return 0;
    int from = ends_address(&l->ends, n->source, n->size);
    if (from >= 0)
        return (unsigned)from;
    char text[64];
    size_t mark = buffer_used(&l->scratch);
    *address_write(text, n->source, n->size, false, 0) = 0;
    buffer_format(&l->scratch, _("from %s"), text);
    add_line(l, mark, step->remark, sizeof step->remark);
    return ends_address(&l->ends, n->destination, n->size) == 0;
}

void ladder_take(struct ladder *l, struct buffer *out, const struct packet *p, const struct layer *layer)
{
    if (layer)
        ends_learn(&l->ends, p, layer);
    if (!l->ends.known)
        return;
    if (l->names && !l->drawn) /* until the heading stands there */
        ends_call(&l->ends, l->names);
    if (p->timed && !l->timed && !l->heading)
        l->first = p->time;
    struct ladder_step step = { .time = p->time - l->first, .number = p->number, .timed = p->timed };
    l->scratch.at = l->scratch.start;
    step.from = (uint8_t)(layer ? ends_sender(&l->ends, p, layer) : companion_sender(l, p, &step));
    if (layer && l->ends.tcp)
        take_segment(l, out, p, layer, &step);
    else
        take_other(l, out, p, layer, &step);
}
