#include "output/remarks.h"

#define BIT(which) (UINT64_C(1) << (which))
#define AGAIN      (BIT(NOTE_RETRANSMISSION) | BIT(NOTE_FAST_RETRANSMISSION) | BIT(NOTE_SPURIOUS_RETRANSMISSION))

/* In the order that they are told. Retransmissions and duplicate ACKs say more than a word. */
static const struct {
    enum note_bit note;
    const char *text;
} words[] = {
    { NOTE_REUSED_PORTS, "ports used again" },
    { NOTE_LOST_SEGMENT, "lost segment before this one" },
    { NOTE_OUT_OF_ORDER, "out of order" },
    { NOTE_KEEP_ALIVE, "keep-alive" },
    { NOTE_KEEP_ALIVE_ACK, "ACK of a keep-alive" },
    { NOTE_ZERO_WINDOW, "zero window" },
    { NOTE_ZERO_WINDOW_PROBE, "probe of a zero window" },
    { NOTE_ZERO_WINDOW_PROBE_ACK, "ACK of the probe" },
    { NOTE_WINDOW_UPDATE, "window update" },
    { NOTE_WINDOW_FULL, "window full" },
    { NOTE_ACK_LOST_SEGMENT, "ACK of a lost segment" },
};

const uint64_t remarks_notes = AGAIN | BIT(NOTE_DUPLICATE_ACK) | BIT(NOTE_REUSED_PORTS) | BIT(NOTE_LOST_SEGMENT) |
                               BIT(NOTE_OUT_OF_ORDER) | BIT(NOTE_KEEP_ALIVE) | BIT(NOTE_KEEP_ALIVE_ACK) |
                               BIT(NOTE_ZERO_WINDOW) | BIT(NOTE_ZERO_WINDOW_PROBE) | BIT(NOTE_ZERO_WINDOW_PROBE_ACK) |
                               BIT(NOTE_WINDOW_UPDATE) | BIT(NOTE_WINDOW_FULL) | BIT(NOTE_ACK_LOST_SEGMENT) |
                               BIT(NOTE_ANSWERS);

/* "87 µs", "2.3 ms", "204 ms", "1.5 s", "75 s": two or three digits are enough. */
static void write_wait(struct buffer *out, int64_t wait, bool ascii)
{
    const char *unit = wait >= 1000000000 ? " s" : wait >= 1000000 ? " ms" : ascii ? " us" : " µs";
    int64_t one = wait >= 1000000000 ? 1000000000 : wait >= 1000000 ? 1000000 : 1000;
    int64_t tenths = (wait + one / 20) / (one / 10);
    bool exact = tenths < 100 && one > 1000;
    buffer_decimal(out, (uint64_t)(exact ? tenths / 10 : (wait + one / 2) / one));
    if (exact) {
        buffer_char(out, '.');
        buffer_char(out, (char)('0' + tenths % 10));
    }
    buffer_text(out, unit);
}

/* " 12, 204 ms later" */
static void write_earlier(struct buffer *out, uint32_t frame, int64_t wait, bool ascii)
{
    buffer_char(out, ' ');
    buffer_decimal(out, frame);
    if (wait < 0)
        return;
    buffer_text(out, ", ");
    write_wait(out, wait, ascii);
    buffer_text(out, " later");
}

static void write_again(struct buffer *out, const struct note *note, bool ascii)
{
    buffer_text(out, ascii ? " | " : " · ");
    buffer_text(out, note->have & BIT(NOTE_FAST_RETRANSMISSION)       ? "fast retransmission"
                     : note->have & BIT(NOTE_SPURIOUS_RETRANSMISSION) ? "spurious retransmission"
                                                                      : "retransmission");
    if (!(note->have & BIT(NOTE_AGAIN)))
        return;
    buffer_text(out, " of");
    write_earlier(out, note->again_frame, note->again, ascii);
}

void remarks_write(struct buffer *out, const struct note *note, bool ascii)
{
    if (note->have & AGAIN)
        write_again(out, note, ascii);
    if (note->have & BIT(NOTE_ANSWERS)) {
        buffer_text(out, ascii ? " | answers" : " · answers");
        write_earlier(out, note->question_frame, note->answer_time, ascii);
    }
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!(note->have & BIT(words[i].note)))
            continue;
        buffer_text(out, ascii ? " | " : " · ");
        buffer_text(out, words[i].text);
    }
    if (!(note->have & BIT(NOTE_DUPLICATE_ACK)))
        return;
    buffer_text(out, ascii ? " | duplicate ACK " : " · duplicate ACK ");
    buffer_decimal(out, note->duplicate_ack_num);
    buffer_text(out, " of ");
    buffer_decimal(out, note->duplicate_ack_frame);
}
