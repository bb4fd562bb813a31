#include "output/text.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"
#include "protocol/protocol.h"

void text_open(struct text *text, const struct style *style, enum time_format format, unsigned digits)
{
    *text = (struct text){ .style = *style, .time_format = format, .digits = digits };
    text->number_width = 4;
    text->time_width = format == FORMAT_ABSOLUTE || format == FORMAT_UTC              ? digits + 9
                       : format == FORMAT_ABSOLUTE_DATE || format == FORMAT_UTC_DATE ? digits + 20
                                                                                 : digits + 5;
    text->source_width = text->destination_width = 22;
    text->protocol_width = 6;
    text->length_width = 5;
}

/* Pads what was written since mark to the right edge (right) or on the right (left-aligned), widening the column. */
static void align_left(struct buffer *out, size_t mark, unsigned *width)
{
    unsigned used = (unsigned)(buffer_used(out) - mark);
    if (used > *width)
        *width = used;
    char *at = buffer_room(out, *width + 1);
    memset(at, ' ', *width - used + 1);
    out->at = at + (*width - used + 1);
}

static void write_right(struct buffer *out, const char *text, unsigned n, unsigned *width)
{
    if (n > *width)
        *width = n;
    char *at = buffer_room(out, *width + 1);
    memset(at, ' ', *width - n);
    memcpy(at + (*width - n), text, n);
    at[*width] = ' ';
    out->at = at + *width + 1;
}

static void write_number(struct buffer *out, uint64_t number, unsigned *width)
{
    char digits[24];
    write_right(out, digits, (unsigned)(write_decimal(digits, number) - digits), width);
}

static void write_time(struct text *text, struct buffer *out, const struct packet *packet)
{
    char bytes[64];
    struct buffer scratch = { .start = bytes, .at = bytes, .end = bytes + sizeof bytes, .fd = -1 };
    if (packet->timed) {
        switch (text->time_format) {
        case FORMAT_RELATIVE:
            time_write(&scratch, packet->time_relative, text->digits);
            break;
        case FORMAT_DELTA:
            time_write(&scratch, packet->time_delta, text->digits);
            break;
        case FORMAT_DELTA_SHOWN:
            time_write(&scratch, text->shown ? packet->time - text->last_shown : 0, text->digits);
            break;
        case FORMAT_EPOCH:
            time_write(&scratch, packet->time, text->digits);
            break;
        default:
            time_write_absolute(&scratch, packet->time, text->time_format, text->digits);
        }
        text->last_shown = packet->time;
        text->shown = true;
    }
    write_right(out, bytes, (unsigned)buffer_used(&scratch), &text->time_width);
}

/* What the line says beyond its subject: that the packet was not whole, what the tracker noticed. */
static void write_verdicts(struct buffer *out, const struct packet *packet, const struct layer *subject)
{
    const struct layer *last = &packet->layers[packet->layer_count - 1];
    if (last->flags & LAYER_DEEP)
        buffer_text(out, " · nested too deep");
    if (subject->verdict == VERDICT_BROKEN)
        buffer_text(out, " · malformed");
    else if (subject->verdict == VERDICT_CUT && subject->protocol != &data_protocol)
        buffer_text(out, " · cut short");
}

static void write_summary(struct buffer *out, const struct packet *packet, const struct layer *subject)
{
    if (subject->protocol->summary)
        subject->protocol->summary(packet, subject, out);
    else
        buffer_text(out, subject->protocol->title);
    if (subject->verdict | packet->layers[packet->layer_count - 1].flags)
        write_verdicts(out, packet, subject);
}

/* Cuts the line that began at mark to the terminal's columns, with a sign that it was cut. */
static void cut_line(const struct text *text, struct buffer *out, size_t mark)
{
    const char *line = out->start + mark;
    size_t n = buffer_used(out) - mark;
    if (n <= text->style.columns || text_columns(line, n) <= text->style.columns)
        return;
    size_t keep = 0, columns = 0;
    while (keep < n) {
        uint32_t code = 0;
        unsigned length = utf8_length((const uint8_t *)line + keep, n - keep, &code);
        length = length ? length : 1;
        columns += text_columns(line + keep, length);
        if (columns >= text->style.columns)
            break;
        keep += length;
    }
    out->at = out->start + mark + keep;
    buffer_text(out, text->style.ascii ? ">" : "…");
}

static const char *line_color(const struct packet *packet, const struct layer *subject)
{
    if (subject && subject->verdict == VERDICT_BROKEN)
        return "\033[31m";
    if (packet->have & HOT_TCP && packet->tcp_flags & 4)
        return "\033[31m";
    if (packet->have & HOT_TCP && packet->tcp_flags & 3)
        return "\033[33m";
    return NULL;
}

void text_header(struct text *text, struct buffer *out)
{
    size_t mark;
    write_right(out, "No", 2, &text->number_width);
    write_right(out, "Time", 4, &text->time_width);
    buffer_char(out, ' ');
    mark = buffer_used(out);
    buffer_text(out, "Source");
    align_left(out, mark, &text->source_width);
    mark = buffer_used(out);
    buffer_text(out, "Destination");
    align_left(out, mark, &text->destination_width);
    mark = buffer_used(out);
    buffer_text(out, "Proto");
    align_left(out, mark, &text->protocol_width);
    write_right(out, "Len", 3, &text->length_width);
    buffer_text(out, " Summary\n");
}

void text_write(struct text *text, struct buffer *out, const struct packet *packet)
{
    buffer_room(out, 1024); /* marks below hold: the line's fixed part lies in one piece */
    const struct layer *subject = packet_subject(packet);
    const char *color = text->style.color ? line_color(packet, subject) : NULL;
    if (color)
        buffer_text(out, color);
    size_t line = buffer_used(out);
    write_number(out, packet->number, &text->number_width);
    write_time(text, out, packet);
    buffer_char(out, ' ');
    size_t mark = buffer_used(out);
    endpoint_write(out, packet, subject, true);
    align_left(out, mark, &text->source_width);
    mark = buffer_used(out);
    endpoint_write(out, packet, subject, false);
    align_left(out, mark, &text->destination_width);
    mark = buffer_used(out);
    buffer_text(out, subject ? subject->protocol->label : "-");
    align_left(out, mark, &text->protocol_width);
    write_number(out, packet->wire_length, &text->length_width);
    buffer_char(out, ' ');
    if (subject)
        write_summary(out, packet, subject);
    if (text->style.columns)
        cut_line(text, out, line);
    if (color)
        buffer_text(out, "\033[0m");
    buffer_char(out, '\n');
}
