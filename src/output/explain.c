#include "output/explain.h"
#include "base/digits.h"
#include "base/text.h"
#include "output/heading.h"
#include "track/tcp_state.h"
#include <stdarg.h>

#define BIT(which) (UINT64_C(1) << (which))
#define AGAIN      (BIT(NOTE_RETRANSMISSION) | BIT(NOTE_FAST_RETRANSMISSION) | BIT(NOTE_SPURIOUS_RETRANSMISSION))

enum { INDENT = 12, TEXT_BYTES = 1024, NUMBER_TEXT = 32, AMOUNT_TEXT = 48, TCP_PSH = 8 };

enum chapter { CHAPTER_NONE, CHAPTER_OPEN, CHAPTER_TALK, CHAPTER_CLOSE, CHAPTER_END };

/* What is said about a thing where it occurs first. */
enum concept {
    TOLD_NUMBERS = 1 << 0,
    TOLD_ACK = 1 << 1,
    TOLD_PUSH = 1 << 2,
    TOLD_FLIGHT = 1 << 3,
    TOLD_WINDOW = 1 << 4,
    TOLD_AGAIN = 1 << 5,
    TOLD_DUPLICATE = 1 << 6,
    TOLD_SACK = 1 << 7,
    TOLD_CLOSED_WINDOW = 1 << 8,
    TOLD_MISSING = 1 << 9,
    TOLD_FIN = 1 << 10,
    TOLD_SCALE = 1 << 11,
};

/* --- words --- */

static const char *subject(unsigned end)
{
    return end ? _("The server") : _("The client");
}

static const char *object(unsigned end)
{
    return end ? _("the server") : _("the client");
}

static const char *wait_text(struct explain *e, char text[AMOUNT_TEXT], int64_t nanoseconds)
{
    struct buffer *scratch = &e->ladder.scratch;
    size_t mark = buffer_used(scratch), n;
    ladder_wait(scratch, nanoseconds, e->ladder.style.ascii);
    n = buffer_used(scratch) - mark;
    n = n < AMOUNT_TEXT ? n : AMOUNT_TEXT - 1;
    memcpy(text, scratch->start + mark, n);
    text[n] = 0;
    scratch->at = scratch->start + mark;
    return text;
}

static bool first_time(struct explain *e, enum concept concept)
{
    bool first = !(e->told & concept);
    e->told |= concept;
    return first;
}

/* One more sentence of the paragraph. */
static void say(struct explain *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct explain *e, const char *format, ...)
{
    char sentence[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (buffer_used(&e->text))
        buffer_char(&e->text, ' ');
    buffer_text(&e->text, sentence);
}

/* --- paragraphs --- */

static void put_spaces(struct buffer *out, size_t n)
{
    while (n--)
        buffer_char(out, ' ');
}

/* Up to which byte a line reaches that begins at `from`. A word that is longer than a line is broken. */
static size_t line_end(const char *text, size_t from, size_t n, size_t columns)
{
    size_t used = 0, space = 0;
    for (size_t at = from; at < n;) {
        uint32_t code;
        unsigned length = utf8_length((const uint8_t *)text + at, n - at, &code);
        length = length ? length : 1;
        used += text_columns(text + at, length);
        if (text[at] == ' ')
            space = at;
        if (used > columns)
            return space > from ? space : at > from ? at : at + length;
        at += length;
    }
    return n;
}

/* The text that was said, wrapped; the first line goes on behind the columns that stand there already. */
static void put_paragraph(struct explain *e, struct buffer *out, size_t standing, size_t indent)
{
    const char *text = e->text.start;
    size_t n = buffer_used(&e->text);
    for (size_t at = 0; at < n;) {
        size_t before = at ? indent : standing;
        size_t end = line_end(text, at, n, e->columns > before ? e->columns - before : 1);
        if (at)
            put_spaces(out, indent);
        buffer_put(out, text + at, end - at);
        buffer_char(out, '\n');
        at = end;
        while (at < n && text[at] == ' ')
            at++;
    }
    e->text.at = e->text.start;
}

static void put_title(struct explain *e, struct buffer *out, const char *title)
{
    if (e->begun)
        buffer_char(out, '\n');
    for (size_t at = 0, n = strlen(title); at < n;) {
        size_t end = line_end(title, at, n, e->columns);
        sgr_begin(out, &e->ladder.style, SGR_BOLD);
        buffer_put(out, title + at, end - at);
        sgr_end(out, &e->ladder.style);
        buffer_char(out, '\n');
        at = end + (end < n && title[end] == ' ');
    }
    e->begun = true;
}

/* Returns how many columns it takes: more than the usual ones after a quarter of an hour. */
static size_t put_time(struct explain *e, struct buffer *out, const struct ladder_step *step)
{
    char text[48];
    int64_t us = step->time / 1000;
    int n = step->timed ? snprintf(text, sizeof text, "%lld.%06lld", (long long)(us / 1000000),
                                   (long long)((us < 0 ? -us : us) % 1000000))
                        : 0;
    sgr_begin(out, &e->ladder.style, SGR_DIM);
    put_spaces(out, n < INDENT - 2 ? (size_t)(INDENT - 2 - n) : 0);
    buffer_put(out, text, (size_t)n);
    sgr_end(out, &e->ladder.style);
    put_spaces(out, 2);
    return n < INDENT - 2 ? INDENT : (size_t)n + 2;
}

static void begin_chapter(struct explain *e, struct buffer *out, enum chapter chapter)
{
    static const char *const titles[] = { "", N_("Opening"), N_("Talking"), N_("Closing"), N_("In short") };
    if (e->chapter == chapter)
        return;
    e->chapter = (uint8_t)chapter;
    put_title(e, out, _(titles[chapter]));
}

/* A step's paragraph, and a signal where something is wrong: the sign stands for the colour as well. */
static void put_step(struct explain *e, struct buffer *out, const struct ladder_step *step, enum chapter chapter)
{
    begin_chapter(e, out, chapter);
    put_paragraph(e, out, put_time(e, out, step), INDENT);
}

/* --- the beginning --- */

static void introduce(struct explain *e, struct buffer *out, bool from_the_start)
{
    const struct ends *ends = &e->ladder.ends;
    char title[2 * ENDS_NAME + 64];
    snprintf(title, sizeof title, ends->tcp ? _("%s and %s talk by TCP") : _("%s and %s talk by UDP"), ends->shown[0],
             ends->shown[1]);
    put_title(e, out, title);
    say(e, _("Two programs talk here, each through a socket: its end of the conversation, named by an address and a "
             "port."));
    if (ends->tcp && from_the_start)
        say(e, _("%s is the client, who calls; %s is the server, who waits to be called."), ends->shown[0],
            ends->shown[1]);
    else
        say(e, _("%s is called the client here, because it spoke first in this capture; %s is called the server."),
            ends->shown[0], ends->shown[1]);
    if (ends->tcp)
        say(e, _("TCP carries bytes both ways in segments. It numbers every byte, so that what is lost can be sent "
                 "again and what comes twice or in disorder can be put right."));
    else
        say(e, _("UDP carries single messages, datagrams. There is no handshake, no acknowledgement and no order: what "
                 "is lost stays lost, unless the programs themselves ask again."));
    if (ends->tcp && !from_the_start)
        say(e, _("The capture begins when they are talking already: how the connection was opened is not to be seen."));
    put_paragraph(e, out, 0, 0);
}

/* --- states --- */

static const char *state_meaning(enum tcp_state state)
{
    static const char *const meanings[TCP_STATES] = {
        [TCP_CLOSED] = N_("for it there is no connection any more"),
        [TCP_LISTEN] = N_("it waits to be called"),
        [TCP_SYN_SENT] = N_("it has called and waits for an answer"),
        [TCP_SYN_RECEIVED] = N_("it has answered and waits for the last step of the handshake"),
        [TCP_ESTABLISHED] = N_("the way is open, in both directions"),
        [TCP_FIN_WAIT_1] = N_("it has closed its direction and waits until that is acknowledged"),
        [TCP_FIN_WAIT_2] = N_("its direction is closed; it still listens until the other end closes, too"),
        [TCP_CLOSE_WAIT] = N_("it knows that nothing more comes; its own program has not closed yet"),
        [TCP_CLOSING] = N_("both have closed at the same time, and it waits for the acknowledgement"),
        [TCP_LAST_ACK] = N_("both directions are closed; only the last acknowledgement is missing"),
        [TCP_TIME_WAIT] =
            N_("all is done; it keeps the ports for a while (60 s on Linux), so that a late segment cannot "
               "be taken for one of a new conversation"),
    };
    return meanings[state];
}

/* What the ends came into by this step; what a state means is said once. */
static void say_states(struct explain *e, const struct ladder_step *step)
{
    for (unsigned i = 0; i < 2; i++) {
        unsigned end = i ? !step->from : step->from;
        enum tcp_state state = step->state[end];
        if (!(step->entered >> end & 1) || !state)
            continue;
        const char *meaning = state < TCP_STATES ? state_meaning(state) : NULL;
        if (meaning && !(e->states >> state & 1))
            say(e, _("%s is in %s now: %s."), subject(end), tcp_state_name(state), _(meaning));
        else
            say(e, _("%s is in %s now."), subject(end), tcp_state_name(state));
        e->states |= 1u << state;
    }
}

/* --- opening --- */

static void say_abilities(struct explain *e, const struct ladder_step *step)
{
    char text[2][NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    say(e, _("It has room for %s bytes at first (its window)."), grouped(text[0], f->window));
    if (f->mss)
        say(e, _("A segment to it may carry up to %s bytes (MSS)."), grouped(text[0], f->mss));
    if (f->scale != LADDER_NO_SCALE && f->scale && first_time(e, TOLD_SCALE))
        say(e,
            _("Later windows count in units of %s bytes (window scale %u), because the field in the header ends at "
              "%s."),
            grouped(text[0], UINT64_C(1) << f->scale), f->scale, grouped(text[1], UINT16_MAX));
    else if (f->scale != LADDER_NO_SCALE && f->scale)
        say(e, _("Its later windows count in units of %s bytes."), grouped(text[0], UINT64_C(1) << f->scale));
    if (f->sack_permitted)
        say(e, _("It understands selective acknowledgements (SACK)."));
}

static void tell_syn(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    if (f->notes & AGAIN) {
        say(e, _("No answer came. %s asks again: SYN."), subject(step->from));
        return;
    }
    say(e, _("%s asks for a connection: SYN, the first of three steps, the handshake."), subject(step->from));
    say(e,
        _("It will number its bytes from %s on, a number that nobody should guess; here we count from 0, so that "
          "the SYN itself is number 0 and the first byte number 1."),
        grouped(text, f->raw_seq));
    say_abilities(e, step);
}

static void tell_syn_ack(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    if (f->notes & AGAIN) {
        say(e, _("%s answers again: SYN ACK. The last step of the handshake has not arrived."), subject(step->from));
        return;
    }
    say(e, _("%s agrees: SYN ACK, the second step."), subject(step->from));
    say(e, _("Its own bytes begin at %s, counted here from 0, too."), grouped(text, f->raw_seq));
    say(e, _("With ack %s it says: I have everything before number %s, go on there."), grouped(text, f->ack), text);
    e->told |= TOLD_ACK;
    say_abilities(e, step);
}

static void tell_handshake(struct explain *e, const struct ladder_step *step)
{
    char text[AMOUNT_TEXT];
    e->handshake = step->facts.handshake;
    say(e, _("%s acknowledges that: ACK, the third step. The handshake is done, both may speak."), subject(step->from));
    say(e,
        _("It took %s, the time of a question and its answer (the round-trip time), as seen from where the capture "
          "was made."),
        wait_text(e, text, e->handshake));
}

/* --- talking --- */

/* The numbers of the bytes, from..to. */
static void say_numbers(struct explain *e, const struct ladder_facts *f, bool meaning)
{
    char text[2][NUMBER_TEXT];
    uint32_t last = f->next - (f->flags & TCP_FIN ? 2 : 1);
    if (f->seq == last)
        say(e, _("It is byte number %s."), grouped(text[0], f->seq));
    else
        say(e, _("They are the bytes number %s to %s."), grouped(text[0], f->seq), grouped(text[1], last));
    if (meaning && first_time(e, TOLD_NUMBERS))
        say(e, _("The segment's header says \"seq %s\", the number of the first one."), grouped(text[0], f->seq));
}

/* What the payload is or begins with. */
static void say_beginning(struct explain *e, const struct ladder_step *step)
{
    if (!step->payload)
        return;
    const char *from = step->remark + step->payload - 1, *end = strchr(from, '\n');
    int n = (int)(end ? (size_t)(end - from) : strlen(from));
    if (*from == '"')
        say(e, _("What it says begins with %.*s."), n, from);
    else
        say(e, _("What it says is %.*s."), n, from);
}

static void tell_data(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    say(e, ngettext("%s sends %s byte.", "%s sends %s bytes.", step->data), subject(step->from),
        grouped(text, step->data));
    say_numbers(e, f, true);
    say_beginning(e, step);
    if (f->flags & TCP_PSH && first_time(e, TOLD_PUSH))
        say(e, _("PSH asks to hand them to the program at once: nothing follows for the moment."));
}

static void tell_transfer(struct explain *e, const struct ladder_step *step)
{
    char text[2][NUMBER_TEXT], wait[AMOUNT_TEXT];
    const struct ladder_facts *f = &step->facts;
    say(e,
        e->ladder.ends.tcp ? _("%s sends %s bytes in %s segments, within %s.")
                           : _("%s sends %s bytes in %s datagrams, within %s."),
        subject(step->from), grouped(text[0], f->bytes), grouped(text[1], f->segments), wait_text(e, wait, f->lasted));
    if (e->ladder.ends.tcp)
        say_numbers(e, f, false);
    say_beginning(e, step);
    if (f->acks)
        say(e,
            ngettext("Meanwhile %s acknowledges once.", "Meanwhile %s acknowledges %s times.", (unsigned long)f->acks),
            object(!step->from), grouped(text[0], f->acks));
    if (e->ladder.ends.tcp && first_time(e, TOLD_FLIGHT))
        say(e,
            _("It need not wait for each acknowledgement: as much as the other end has room for may be on its way."));
    e->packets += f->segments + f->acks - 1;
}

static void tell_again(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT], wait[AMOUNT_TEXT];
    const struct ladder_facts *f = &step->facts;
    if (step->data)
        say(e,
            ngettext("%s sends %s byte again: a retransmission.", "%s sends %s bytes again: a retransmission.",
                     step->data),
            subject(step->from), grouped(text, step->data));
    else
        say(e, _("%s sends its FIN again: a retransmission."), subject(step->from));
    if (step->data)
        say_numbers(e, f, false);
    if (f->again >= 0)
        say(e, _("The first time was %s ago."), wait_text(e, wait, f->again));
    if (f->notes & BIT(NOTE_FAST_RETRANSMISSION))
        say(e, _("Duplicate acknowledgements told it what is missing, so it did not wait for its timer (fast "
                 "retransmission)."));
    else if (f->notes & BIT(NOTE_SPURIOUS_RETRANSMISSION))
        say(e, _("They had been acknowledged already: it was not needed (spurious)."));
    if (first_time(e, TOLD_AGAIN))
        say(e, _("A sender keeps what it sent until it is acknowledged. Where no acknowledgement comes in time, it "
                 "sends once more."));
    e->again[step->from]++;
}

static void tell_ack(struct explain *e, const struct ladder_step *step)
{
    char text[2][NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    if (f->notes & BIT(NOTE_DUPLICATE_ACK)) {
        say(e, _("%s says ack %s once more: duplicate acknowledgement number %s."), subject(step->from),
            grouped(text[0], f->ack), grouped(text[1], f->duplicates));
        if (first_time(e, TOLD_DUPLICATE))
            say(e,
                _("Something arrived, but not byte %s, which should come next. Three of them are a sign that it is "
                  "lost."),
                text[0]);
    } else if (e->fin_known[!step->from] && f->ack == e->fin[!step->from]) {
        say(e, _("%s acknowledges the FIN: nothing is missing."), subject(step->from));
    } else if (first_time(e, TOLD_ACK)) {
        say(e, _("%s acknowledges: ack %s says that it has everything before number %s."), subject(step->from),
            grouped(text[0], f->ack), text[0]);
    } else {
        say(e, _("%s acknowledges everything before number %s."), subject(step->from), grouped(text[0], f->ack));
    }
    if (!(f->notes & BIT(NOTE_ZERO_WINDOW)) && !(f->flags & TCP_FIN) && first_time(e, TOLD_WINDOW))
        say(e, _("Its window says how many more bytes it has room for: %s."), grouped(text[0], f->window));
}

static void say_sack(struct explain *e, const struct ladder_facts *f)
{
    char text[2][NUMBER_TEXT];
    if (f->sack[0] == f->sack[1])
        return;
    say(e, _("Its SACK adds: I have bytes %s to %s as well."), grouped(text[0], f->sack[0]),
        grouped(text[1], f->sack[1] - 1));
    if (first_time(e, TOLD_SACK))
        say(e, _("So only what lies before has to be sent again."));
}

/* What is remarkable beside what the segment itself says. */
static void say_remarks(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    if (f->notes & BIT(NOTE_OUT_OF_ORDER))
        say(e, _("This segment comes later than others that it belongs before (out of order). The receiver puts it in "
                 "its place."));
    if (f->notes & BIT(NOTE_WINDOW_FULL))
        say(e, _("With it the window of %s is used up: nothing more may be sent until it makes room."),
            object(!step->from));
    if (f->notes & BIT(NOTE_ZERO_WINDOW))
        say(e,
            first_time(e, TOLD_CLOSED_WINDOW)
                ? _("Its window is 0 now: its program does not read as fast as data come, the buffer is full, and the "
                    "other end has to wait.")
                : _("Its window is still 0."));
    if (f->notes & BIT(NOTE_WINDOW_UPDATE))
        say(e, _("It has room again: %s bytes."), grouped(text, f->window));
    if (f->notes & BIT(NOTE_ACK_LOST_SEGMENT))
        say(e, _("It acknowledges bytes that are not in the capture: whoever captured missed them, the receiver did "
                 "not."));
    if (f->notes & BIT(NOTE_REUSED_PORTS))
        say(e, _("The same two ports had a conversation before; this is a new one."));
}

/* --- closing --- */

static void tell_fin(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT];
    if (step->data)
        say(e,
            ngettext("%s sends its last byte, %s of it, and closes its direction: FIN.",
                     "%s sends its last %s bytes and closes its direction: FIN.", step->data),
            subject(step->from), grouped(text, step->data));
    else
        say(e, _("%s has nothing more to say and closes its direction: FIN."), subject(step->from));
    e->fin[step->from] = step->facts.next;
    e->fin_known[step->from] = true;
    if (first_time(e, TOLD_FIN))
        say(e, _("Each direction is closed by itself; the other end may go on sending. A FIN has a number like a byte, "
                 "so that it can be acknowledged."));
}

static void tell_reset(struct explain *e, const struct ladder_step *step, bool opening)
{
    if (opening)
        say(e, _("%s refuses: RST. No program waits for calls at port %u there, or somebody in between says so."),
            subject(step->from), e->ladder.ends.port[step->from]);
    else
        say(e,
            _("%s breaks the connection off: RST. What is on its way is thrown away, nothing is acknowledged any "
              "more."),
            subject(step->from));
}

/* --- steps --- */

static void tell_missing(struct explain *e, struct buffer *out, const struct ladder_step *step)
{
    char text[3][NUMBER_TEXT];
    const struct ladder_facts *f = &step->facts;
    say(e, _("Bytes number %s to %s of %s (%s) are missing in the capture here."), grouped(text[0], f->seq),
        grouped(text[1], f->next - 1), object(step->from), grouped(text[2], f->bytes));
    if (first_time(e, TOLD_MISSING))
        say(e,
            _("Either they were lost on their way to where the capture was made, or the capture itself missed them, or "
              "they come late."));
    e->missing[step->from] += f->bytes;
    put_step(e, out, step, CHAPTER_TALK);
}

static void tell_pause(struct explain *e, struct buffer *out, const struct ladder_step *step)
{
    char wait[AMOUNT_TEXT];
    say(e, _("Then nothing happens for %s."), wait_text(e, wait, step->facts.lasted));
    put_step(e, out, &(struct ladder_step){ .timed = false }, e->chapter ? e->chapter : CHAPTER_TALK);
}

static enum chapter tell_segment(struct explain *e, const struct ladder_step *step)
{
    const struct ladder_facts *f = &step->facts;
    bool opening = e->chapter <= CHAPTER_OPEN && !(e->states >> TCP_ESTABLISHED & 1);
    if (f->flags & TCP_RST) {
        tell_reset(e, step, opening);
        return opening ? CHAPTER_OPEN : CHAPTER_CLOSE;
    }
    if (f->flags & TCP_SYN) {
        if (f->flags & TCP_ACK)
            tell_syn_ack(e, step);
        else
            tell_syn(e, step);
        return CHAPTER_OPEN;
    }
    if (f->handshake) {
        tell_handshake(e, step);
        if (step->data)
            tell_data(e, step);
        return CHAPTER_OPEN;
    }
    if (f->notes & BIT(NOTE_KEEP_ALIVE))
        say(e, _("%s asks whether the other end is still there: a keep-alive, a segment that brings nothing new."),
            subject(step->from));
    else if (f->notes & BIT(NOTE_ZERO_WINDOW_PROBE))
        say(e, _("%s tries whether there is room again: a probe of the closed window."), subject(step->from));
    else if (f->notes & AGAIN)
        tell_again(e, step);
    else if (f->flags & TCP_FIN)
        tell_fin(e, step);
    else if (f->notes & BIT(NOTE_KEEP_ALIVE_ACK))
        say(e, _("%s answers that it is."), subject(step->from));
    else if (f->notes & BIT(NOTE_ZERO_WINDOW_PROBE_ACK))
        say(e, _("%s answers."), subject(step->from));
    else if (step->data)
        tell_data(e, step);
    else
        tell_ack(e, step);
    say_sack(e, f);
    bool closing = e->chapter == CHAPTER_CLOSE || f->flags & TCP_FIN;
    return closing ? CHAPTER_CLOSE : CHAPTER_TALK;
}

/* UDP: how long an answer took tells more than when it came. */
static void tell_datagram(struct explain *e, const struct ladder_step *step)
{
    char text[NUMBER_TEXT], wait[AMOUNT_TEXT];
    bool answers = e->asker >= 0 && e->asker != (int)step->from;
    say(e, ngettext("%s sends a datagram of %s byte.", "%s sends a datagram of %s bytes.", step->data),
        subject(step->from), grouped(text, step->data));
    if (step->summary[0])
        say(e, _("It says: %.*s %.*s."), (int)strcspn(step->label + 1, "\n"), step->label + 1,
            (int)(strlen(step->summary) - 1), step->summary);
    say_beginning(e, step);
    if (answers && step->timed)
        say(e, _("That is %s after the other end spoke."), wait_text(e, wait, step->time - e->asked));
    e->asker = step->from;
    e->asked = step->time;
}

/* How much an end has sent, what is missing included, nothing twice. */
static void count_bytes(struct explain *e, const struct ladder_step *step)
{
    const struct ladder_facts *f = &step->facts;
    unsigned from = step->from;
    uint32_t end = f->next - (f->flags & (TCP_FIN | TCP_SYN) ? 1 : 0);
    if (!e->ladder.ends.tcp) {
        e->bytes[from] += step->look == LADDER_TRANSFER ? f->bytes : step->data;
        return;
    }
    if (!step->data && step->look != LADDER_MISSING)
        return;
    if (!e->high_known[from])
        e->high[from] = f->flags & TCP_SYN ? f->seq + 1 : f->seq;
    e->high_known[from] = true;
    if (seq_diff(end, e->high[from]) <= 0)
        return;
    e->bytes[from] += end - e->high[from];
    e->high[from] = end;
}

static void count(struct explain *e, const struct ladder_step *step)
{
    count_bytes(e, step);
    if (step->look != LADDER_ARROW && step->look != LADDER_TRANSFER)
        return;
    e->packets++;
    if (step->timed)
        e->last = step->time + (step->look == LADDER_TRANSFER ? step->facts.lasted : 0);
}

static void on_step(struct ladder *ladder, struct buffer *out, const struct ladder_step *step)
{
    struct explain *e = ladder->context;
    enum chapter chapter = CHAPTER_TALK;
    if (!e->begun)
        introduce(e, out, step->look == LADDER_BEGIN);
    count(e, step);
    if (step->look == LADDER_BEGIN)
        return;
    if (step->look == LADDER_PAUSE) {
        tell_pause(e, out, step);
        return;
    }
    if (step->look == LADDER_MISSING) {
        tell_missing(e, out, step);
        return;
    }
    if (step->look == LADDER_TRANSFER)
        tell_transfer(e, step);
    else if (!ladder->ends.tcp)
        tell_datagram(e, step);
    else
        chapter = tell_segment(e, step);
    say_remarks(e, step);
    say_states(e, step);
    put_step(e, out, step, chapter);
}

/* --- the whole --- */

int explain_open(struct explain *e, const struct style *style, unsigned columns)
{
    *e = (struct explain){ .columns = columns ? columns : EXPLAIN_COLUMNS, .asker = -1 };
    if (e->columns < EXPLAIN_COLUMNS_LEAST)
        e->columns = EXPLAIN_COLUMNS_LEAST;
    if (e->columns > EXPLAIN_COLUMNS_MOST)
        e->columns = EXPLAIN_COLUMNS_MOST;
    int code = ladder_open(&e->ladder, style, columns);
    e->ladder.draw = on_step;
    e->ladder.context = e;
    return code ? code : buffer_open(&e->text, -1, TEXT_BYTES);
}

void explain_close(struct explain *e)
{
    ladder_close(&e->ladder);
    buffer_free(&e->text);
}

void explain_take(struct explain *e, struct buffer *out, const struct packet *packet, const struct layer *layer)
{
    ladder_take(&e->ladder, out, packet, layer);
}

static void say_amount(struct explain *e, unsigned end)
{
    char text[NUMBER_TEXT];
    say(e, ngettext("%s sent %s byte of data.", "%s sent %s bytes of data.", (unsigned long)e->bytes[end]),
        subject(end), grouped(text, e->bytes[end]));
    if (e->missing[end])
        say(e, _("%s of them were not in the capture where they belong."), grouped(text, e->missing[end]));
    if (e->again[end])
        say(e, ngettext("%s segment was sent again.", "%s segments were sent again.", (unsigned long)e->again[end]),
            grouped(text, e->again[end]));
}

void explain_finish(struct explain *e, struct buffer *out)
{
    char text[NUMBER_TEXT], wait[AMOUNT_TEXT];
    ladder_finish(&e->ladder, out);
    if (!e->begun)
        return;
    begin_chapter(e, out, CHAPTER_END);
    say(e, ngettext("%s packet in %s.", "%s packets in %s.", (unsigned long)e->packets), grouped(text, e->packets),
        wait_text(e, wait, e->last));
    for (unsigned end = 0; end < 2; end++)
        say_amount(e, end);
    if (e->handshake)
        say(e, _("A question and its answer take about %s."), wait_text(e, wait, e->handshake));
    if (e->ladder.ends.tcp && e->ladder.state[0])
        say(e, _("When the capture ends, the client is in %s and the server in %s."),
            tcp_state_name(e->ladder.state[0]), tcp_state_name(e->ladder.state[1]));
    put_paragraph(e, out, 0, 0);
}
