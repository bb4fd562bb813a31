#include "output/text.h"
#include "base/address.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"
#include "output/names.h"
#include "output/remarks.h"
#include "protocol/protocol.h"

enum { ENDS_WIDE = 110 }; /* from so many columns on, addresses begin with room for the longest of IPv4 and a port */

void text_open(struct text *text, const struct style *style, enum time_format format, unsigned digits)
{
    *text = (struct text){ .style = *style, .time_format = format, .digits = digits };
    text->number_width = 4;
    text->time_width = format == FORMAT_ABSOLUTE || format == FORMAT_UTC             ? digits + 9
                       : format == FORMAT_ABSOLUTE_DATE || format == FORMAT_UTC_DATE ? digits + 20
                                                                                     : digits + 5;
    text->source_width = text->destination_width = style->columns && style->columns < ENDS_WIDE ? 16 : 22;
    text->protocol_width = 6;
    text->length_width = 5;
    text->last_second = UINT64_MAX;
    text->last_number = UINT64_MAX - 1;
}

/* The columns before the summary are put into one reserved piece of the buffer. No column is wider than WIDEST, and
 * each may write SLACK bytes beyond its end: whole vectors of spaces are quicker than counting. */
enum { WIDEST = END6_TEXT - 1, SLACK = END6_TEXT, COLUMNS_ROOM = 6 * (WIDEST + 1) + SLACK };

static inline unsigned widen(unsigned *width, size_t used)
{
    if (used > *width)
        *width = (unsigned)used;
    return *width;
}

/* Spaces from text_end to the end of the column that began at `at`, and one more. */
static inline char *pad_column(char *at, char *text_end, unsigned *width)
{
    char *end = at + widen(width, (size_t)(text_end - at)) + 1;
    memset(text_end, ' ', 32);
    if (end - text_end > 32)
        memset(text_end + 32, ' ', (size_t)(end - text_end) - 32);
    return end;
}

static char *put_right(char *at, const char *text, size_t n, unsigned *width)
{
    size_t pad = widen(width, n) - n;
    memset(at, ' ', pad);
    memcpy(at + pad, text, n);
    at[pad + n] = ' ';
    return at + pad + n + 1;
}

static inline char *put_number(char *at, uint64_t number, unsigned *width)
{
    if (*width <= 8 && write_aligned(at, number, *width)) {
        at[*width] = ' ';
        return at + *width + 1;
    }
    char digits[24];
    return put_right(at, digits, (size_t)(write_decimal(digits, number) - digits), width);
}

/* The packet's number. Mostly it is one more than the last one, and then only the last digit of its text changes. */
static inline char *put_packet_number(struct text *text, char *at, uint64_t number)
{
    unsigned width = text->number_width;
    char fresh[8];
    if (number == text->last_number + 1 && text->number_text >> 56 < '9') {
        text->number_text += UINT64_C(1) << 56;
    } else {
        text->last_number = UINT64_MAX - 1;
        if (width > 8 || !write_aligned(fresh, number, 8) || (width < 8 && fresh[7 - width] != ' '))
            return put_number(at, number, &text->number_width);
        memcpy(&text->number_text, fresh, 8);
    }
    text->last_number = number;
    uint64_t characters = text->number_text >> (64 - 8 * width);
    memcpy(at, &characters, 8);
    at[width] = ' ';
    return at + width + 1;
}

static char *put_other_time(struct text *text, char *at, const struct packet *packet)
{
    char bytes[64]; /* the most that a time's writer asks for: a buffer that lies here cannot grow */
    struct buffer scratch = { .start = bytes, .at = bytes, .end = bytes + sizeof bytes, .fd = -1 };
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
    return put_right(at, bytes, buffer_used(&scratch), &text->time_width);
}

static inline char *put_time(struct text *text, char *at, const struct packet *packet)
{
    if (!packet->timed)
        return put_right(at, "", 0, &text->time_width);
    uint64_t n = (uint64_t)packet->time_relative, second = n / 1000000000;
    unsigned width = text->time_width - 7;
    if (text->time_format != FORMAT_RELATIVE || packet->time_relative < 0 || text->digits != 6 || width > 8)
        return put_other_time(text, at, packet);
    if (second != text->last_second && !write_aligned(text->second_text, second, width)) {
        text->last_second = UINT64_MAX;
        return put_other_time(text, at, packet);
    }
    text->last_second = second;
    memcpy(at, text->second_text, 8);
    at += width;
    *at++ = '.';
    at = write_few_digits(at, (uint32_t)(n - second * 1000000000) / 1000, 6);
    *at++ = ' ';
    return at;
}

/* Fixed sizes: as one memcpy the compiler makes it a string instruction that takes longer to start. */
static inline void copy_text(char *to, const char *from, unsigned n)
{
    for (unsigned i = 0; i < n; i += 8)
        memcpy(to + i, from + i, 8);
}

/* One end of the packet, padded, from its kept text. */
static inline char *put_end4(struct text *text, char *at, const uint8_t *address, uint64_t port, unsigned *width)
{
    uint64_t key = UINT64_C(1) << 63 | port << 32 | load_be32(address);
    struct end4_text *kept = &text->ends4[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
    if (kept->key != key) {
        char fresh[END6_TEXT];
        char *end = address_write(fresh, address, 4, port >> 16, (uint16_t)port);
        memset(end, ' ', END4_TEXT);
        copy_text(kept->text, fresh, END4_TEXT);
        kept->key = key;
    }
    if (*width >= END4_TEXT)
        memset(at + END4_TEXT, ' ', END6_TEXT - END4_TEXT);
    copy_text(at, kept->text, END4_TEXT);
    return at + *width + 1;
}

static char *put_end6(struct text *text, char *at, const uint8_t *address, uint64_t port, unsigned *width)
{
    uint64_t high = load_be64(address), low = load_be64(address + 8);
    uint32_t tail = UINT32_C(1) << 31 | (uint32_t)port;
    uint64_t mix = (high ^ low * UINT64_C(0x9e3779b97f4a7c15) ^ tail) * UINT64_C(0xd6e8feb86659fd93);
    struct end6_text *kept = &text->ends6[mix >> 58];
    if (kept->low != low || kept->tail != tail || kept->high != high) {
        memset(kept->text, ' ', END6_TEXT);
        char fresh[END6_TEXT];
        kept->length = (uint32_t)(address_write(fresh, address, 16, port >> 16, (uint16_t)port) - fresh);
        memcpy(kept->text, fresh, kept->length);
        kept->high = high;
        kept->low = low;
        kept->tail = tail;
    }
    copy_text(at, kept->text, END6_TEXT);
    return at + widen(width, kept->length) + 1;
}

static char *put_other_end(char *at, const struct packet *packet, const struct layer *subject, bool source,
                           unsigned *width)
{
    char bytes[ADDRESS_TEXT * 4];
    struct buffer scratch = { .start = bytes, .at = bytes, .end = bytes + sizeof bytes, .fd = -1 };
    endpoint_write(&scratch, packet, subject, source);
    size_t n = buffer_used(&scratch);
    n = n < WIDEST ? n : WIDEST;
    memcpy(at, scratch.start, n);
    return pad_column(at, at + n, width);
}

/* One end with names in place of numbers: what is longer than a column may be is cut. */
static char *put_named_end(struct text *text, char *at, const struct packet *packet, const struct layer *subject,
                           bool source, unsigned *width)
{
    char bytes[2048]; /* a name, each of its bytes escaped, and a service */
    struct buffer scratch = { .start = bytes, .at = bytes, .end = bytes + sizeof bytes, .fd = -1 };
    const struct network *network = subject ? layer_network(packet, subject) : NULL;
    uint16_t ports[2] = { 0, 0 };
    uint8_t mac[6];
    if (network) {
        bool has_ports = endpoint_ports(packet, subject, ports);
        uint8_t hot = subject->protocol->hot ? subject->protocol->hot : packet->have; /* mostly there is one of them */
        uint8_t protocol = hot & HOT_TCP ? 6 : hot & HOT_UDP ? 17 : 0;
        names_write_end(&scratch, text->names, source ? network->source : network->destination, network->size,
                        has_ports, ports[!source], protocol);
    } else {
        endpoint_write(&scratch, packet, subject, source);
        *scratch.at = 0;
        if (parse_mac(bytes, mac)) {
            scratch.at = bytes;
            names_write_mac(&scratch, text->names, mac);
        }
    }
    size_t n = buffer_used(&scratch);
    if (n > WIDEST) {
        for (n = WIDEST - 1; n && ((uint8_t)bytes[n] & 0xc0) == 0x80; n--)
            ;
        bytes[n++] = '~';
    }
    memcpy(at, bytes, n);
    return pad_column(at, at + n, width);
}

static inline char *put_ends(struct text *text, char *at, const struct packet *packet, const struct layer *subject)
{
    if (text->names) {
        at = put_named_end(text, at, packet, subject, true, &text->source_width);
        return put_named_end(text, at, packet, subject, false, &text->destination_width);
    }
    const struct network *network = subject ? layer_network(packet, subject) : NULL;
    if (!network) {
        at = put_other_end(at, packet, subject, true, &text->source_width);
        return put_other_end(at, packet, subject, false, &text->destination_width);
    }
    uint16_t ports[2] = { 0, 0 };
    bool has_ports = endpoint_hot_ports(packet, subject, ports) || endpoint_ports(packet, subject, ports);
    uint64_t mark = (uint64_t)has_ports << 16;
    if (network->size == 4) {
        at = put_end4(text, at, network->source, mark | ports[0], &text->source_width);
        return put_end4(text, at, network->destination, mark | ports[1], &text->destination_width);
    }
    at = put_end6(text, at, network->source, mark | ports[0], &text->source_width);
    return put_end6(text, at, network->destination, mark | ports[1], &text->destination_width);
}

static inline char *put_label(struct text *text, char *at, const struct protocol *protocol)
{
    if (protocol != text->labelled || !text->label_length) {
        const char *label = protocol ? protocol->label : "-";
        size_t n = strlen(label);
        text->label_length = (uint32_t)(n < sizeof text->label_text ? n : sizeof text->label_text);
        memset(text->label_text, ' ', sizeof text->label_text);
        memcpy(text->label_text, label, text->label_length);
        text->labelled = protocol;
    }
    memcpy(at, text->label_text, sizeof text->label_text);
    return at + widen(&text->protocol_width, text->label_length) + 1;
}

/* What the line says beyond its subject: that the packet was not whole, what the tracker noticed. */
static void write_verdict(const struct text *text, struct buffer *out, const char *verdict)
{
    buffer_text(out, text->style.ascii ? " | " : " · ");
    buffer_text(out, verdict);
}

static void write_verdicts(const struct text *text, struct buffer *out, const struct packet *packet,
                           const struct layer *subject)
{
    const struct layer *last = &packet->layers[packet->layer_count - 1];
    if (last->flags & LAYER_DEEP)
        write_verdict(text, out, "nested too deep");
    if (subject->verdict == VERDICT_BROKEN)
        write_verdict(text, out, "malformed");
    else if (subject->verdict == VERDICT_CUT && subject->protocol != &data_protocol)
        write_verdict(text, out, "cut short");
}

/* What the message answers, and then what is remarkable about its segment. */
static void write_remarks(const struct text *text, struct buffer *out, const struct packet *packet,
                          const struct layer *subject)
{
    const struct note *answer = layer_note(packet, subject), *segment = packet_note(packet);
    if (answer && answer->have & remarks_notes && answer != segment)
        remarks_write(out, answer, text->style.ascii);
    if (segment && segment->have & remarks_notes)
        remarks_write(out, segment, text->style.ascii);
}

static void write_summary(const struct text *text, struct buffer *out, const struct packet *packet,
                          const struct layer *subject)
{
    if (subject->protocol->summary)
        subject->protocol->summary(packet, subject, out);
    else
        buffer_text(out, subject->protocol->title);
    if (subject->verdict | packet->layers[packet->layer_count - 1].flags)
        write_verdicts(text, out, packet, subject);
    if (packet->note_count == 1 && packet->notes->have & remarks_notes)
        remarks_write(out, packet->notes, text->style.ascii);
    else if (packet->note_count > 1)
        write_remarks(text, out, packet, subject);
}

void text_summary(const struct text *text, struct buffer *out, const struct packet *packet)
{
    const struct layer *subject = packet_subject(packet);
    if (subject)
        write_summary(text, out, packet, subject);
}

enum { SUMMARY_LEAST = 32 }; /* with fewer columns left for it on its line, a summary that needs more gets its own */

/* Cuts what began at mark to so many columns, with a sign that it was cut. */
static void cut_line(const struct text *text, struct buffer *out, size_t mark, size_t most)
{
    const char *line = out->start + mark;
    size_t n = buffer_used(out) - mark;
    if (n <= most || text_columns(line, n) <= most)
        return;
    size_t keep = 0, columns = 0;
    while (keep < n) {
        uint32_t code = 0;
        unsigned length = utf8_length((const uint8_t *)line + keep, n - keep, &code);
        length = length ? length : 1;
        columns += text_columns(line + keep, length);
        if (columns >= most)
            break;
        keep += length;
    }
    out->at = out->start + mark + keep;
    buffer_text(out, text->style.ascii ? ">" : "…");
}

/* Moves what began at mark, behind two spaces, to a line of its own that begins below the sources. Returns where it
 * begins there. */
static size_t put_below(const struct text *text, struct buffer *out, size_t mark)
{
    unsigned indent = text->number_width + text->time_width + 3, further = indent - 1;
    buffer_room(out, further);
    char *at = out->start + mark;
    memmove(at + further, at, buffer_used(out) - mark);
    memset(at - 1, ' ', indent);
    at[-2] = '\n';
    out->at += further;
    return mark + further;
}

/* A line that begins at `line` and its summary at `summary` in the terminal's columns: a narrow one has the summary in
 * a line below where it does not fit. */
static void fit_line(const struct text *text, struct buffer *out, size_t line, size_t summary)
{
    size_t columns = text->style.columns, used = buffer_used(out) - line;
    if (used <= columns || text_columns(out->start + line, used) <= columns)
        return;
    size_t before = text_columns(out->start + line, summary - line);
    if (before + SUMMARY_LEAST <= columns)
        return cut_line(text, out, line, columns);
    size_t begin = put_below(text, out, summary), indent = begin - summary + 1;
    cut_line(text, out, begin, columns > indent ? columns - indent : 1);
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
    size_t line = text->style.columns ? buffer_hold(out) : 0;
    char *at = buffer_room(out, COLUMNS_ROOM);
    at = put_right(at, "No", 2, &text->number_width);
    at = put_right(at, "Time", 4, &text->time_width);
    *at++ = ' ';
    at = pad_column(at, (char *)memcpy(at, "Source", 6) + 6, &text->source_width);
    at = pad_column(at, (char *)memcpy(at, "Destination", 11) + 11, &text->destination_width);
    at = pad_column(at, (char *)memcpy(at, "Proto", 5) + 5, &text->protocol_width);
    out->at = put_right(at, "Len", 3, &text->length_width);
    size_t summary = buffer_used(out) + 1;
    buffer_text(out, " Summary");
    if (text->style.columns) {
        if (summary - line + SUMMARY_LEAST > text->style.columns)
            put_below(text, out, summary);
        buffer_release(out);
    }
    buffer_char(out, '\n');
}

void text_write(struct text *text, struct buffer *out, const struct packet *packet)
{
    const struct layer *subject = packet_subject(packet);
    const char *color = text->style.color ? line_color(packet, subject) : NULL;
    if (color)
        buffer_text(out, color);
    size_t line = text->style.columns ? buffer_hold(out) : 0;
    char *at = buffer_room(out, COLUMNS_ROOM);
    at = put_packet_number(text, at, packet->number);
    at = put_time(text, at, packet);
    *at++ = ' ';
    at = put_ends(text, at, packet, subject);
    at = put_label(text, at, subject ? subject->protocol : NULL);
    at = put_number(at, packet->wire_length, &text->length_width);
    *at++ = ' ';
    out->at = at;
    size_t summary = text->style.columns ? buffer_used(out) : 0;
    if (subject)
        write_summary(text, out, packet, subject);
    if (text->style.columns) {
        fit_line(text, out, line, summary);
        buffer_release(out);
    }
    if (color)
        buffer_text(out, "\033[0m");
    buffer_char(out, '\n');
}
