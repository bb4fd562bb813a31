#include "output/follow.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/text.h"
#include "output/heading.h"
#include "track/tcp_state.h"

enum { TCP_HEADER = 20, PER_LINE = 16, CLIENT_COLOR = 36, SERVER_COLOR = 32 };

/* --- lines --- */

static const char *sign(const struct follow *f, unsigned from)
{
    static const char *const signs[2][2] = { { "→ ", "← " }, { "> ", "< " } };
    return signs[f->style.ascii][from];
}

static void begin_color(struct follow *f, unsigned from)
{
    sgr_begin(f->out, &f->style, (enum sgr)(from ? SERVER_COLOR : CLIENT_COLOR));
}

static void end_line(struct follow *f)
{
    if (f->speaker < 0)
        return;
    sgr_end(f->out, &f->style);
    buffer_char(f->out, '\n');
    f->speaker = -1;
}

static void begin_line(struct follow *f, unsigned from)
{
    if (f->speaker == (int)from)
        return;
    end_line(f);
    begin_color(f, from);
    buffer_text(f->out, sign(f, from));
    f->speaker = (int)from;
}

/* A sentence on a line of its own, in brackets: no byte of the stream. */
static void put_note(struct follow *f, unsigned from, const char *sentence)
{
    end_line(f);
    sgr_begin(f->out, &f->style, SGR_RED);
    buffer_text(f->out, sign(f, from));
    buffer_char(f->out, '[');
    buffer_text(f->out, sentence);
    buffer_char(f->out, ']');
    sgr_end(f->out, &f->style);
    buffer_char(f->out, '\n');
}

/* --- text --- */

/* One character that is not ASCII; n: of its bytes. */
static void put_wide(struct follow *f, const uint8_t *at, unsigned n)
{
    size_t mark = buffer_hold(f->out);
    buffer_escaped(f->out, at, n);
    if (buffer_used(f->out) == mark || f->out->start[mark] == '\\') {
        f->out->at = f->out->start + mark;
        buffer_char(f->out, '.');
    }
    buffer_release(f->out);
}

static void put_byte(struct follow_side *s, uint8_t byte)
{
    struct follow *f = s->follow;
    if (byte == '\n') {
        begin_line(f, s->from);
        end_line(f);
        return;
    }
    begin_line(f, s->from);
    buffer_char(f->out, byte == '\t' || (byte >= 0x20 && byte < 0x7f) ? (char)byte : '.');
}

/* How many bytes a character that begins so has; 0: none does. RFC 3629 */
static unsigned wide_length(uint8_t first)
{
    return first >= 0xc2 && first < 0xe0   ? 2
           : first >= 0xe0 && first < 0xf0 ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

static void flush_carry(struct follow_side *s)
{
    for (unsigned i = 0; i < s->carried; i++)
        put_byte(s, '.');
    s->carried = 0;
    if (s->after_return)
        put_byte(s, '.');
    s->after_return = false;
}

/* The bytes of one character, one by one; a carriage return waits for what follows it. */
static void put_text_byte(struct follow_side *s, uint8_t byte)
{
    struct follow *f = s->follow;
    uint32_t code;
    if (s->after_return && byte != '\n')
        put_byte(s, '.');
    s->after_return = false;
    if (s->carried && (byte & 0xc0) != 0x80)
        flush_carry(s);
    if (!s->carried && wide_length(byte)) {
        s->carry[s->carried++] = byte;
    } else if (s->carried) {
        s->carry[s->carried++] = byte;
        if (s->carried < wide_length(s->carry[0]))
            return;
        if (utf8_length(s->carry, s->carried, &code) != s->carried || f->style.ascii) {
            flush_carry(s);
            return;
        }
        begin_line(f, s->from);
        put_wide(f, s->carry, s->carried);
        s->carried = 0;
    } else if (byte == '\r') {
        s->after_return = true;
    } else {
        put_byte(s, byte);
    }
}

static void put_text(struct follow_side *s, struct span bytes)
{
    struct follow *f = s->follow;
    while (bytes.left) {
        size_t n = 0;
        if (!s->carried && !s->after_return)
            while (n < bytes.left && bytes.at[n] >= 0x20 && bytes.at[n] < 0x7f)
                n++;
        if (n) {
            begin_line(f, s->from);
            buffer_put(f->out, bytes.at, n);
        } else {
            put_text_byte(s, bytes.at[n++]);
        }
        span_pull(&bytes, n);
    }
}

/* --- hex --- */

static void put_hex(struct follow_side *s, struct span bytes)
{
    struct follow *f = s->follow;
    for (uint64_t at = s->position; bytes.left; at += PER_LINE) {
        size_t n = bytes.left < PER_LINE ? bytes.left : PER_LINE;
        const uint8_t *row = span_pull(&bytes, n);
        begin_line(f, s->from);
        char *to = write_hex(buffer_room(f->out, 128), at, 8);
        for (size_t i = 0; i < PER_LINE; i++) {
            *to++ = ' ';
            if (i == 0 || i == PER_LINE / 2)
                *to++ = ' ';
            if (i < n) {
                to = write_hex(to, row[i], 2);
            } else {
                *to++ = ' ';
                *to++ = ' ';
            }
        }
        *to++ = ' ';
        *to++ = ' ';
        for (size_t i = 0; i < n; i++)
            *to++ = row[i] >= 0x20 && row[i] < 0x7f ? (char)row[i] : '.';
        f->out->at = to;
        end_line(f);
    }
}

/* --- JSON --- */

static void json_begin(struct follow_side *s)
{
    struct follow *f = s->follow;
    char address[ENDS_NAME];
    const char *name = f->ends.name[s->from], *colon = strrchr(name, ':');
    size_t n = colon ? (size_t)(colon - name) : 0, wide = n && name[0] == '[';
    memcpy(address, name + wide, n - 2 * wide);
    address[n - 2 * wide] = 0;
    buffer_format(f->out, "{\"proto\":\"%s\",\"from\":\"%s\",\"addr\":\"%s\",\"port\":%u", f->ends.tcp ? "tcp" : "udp",
                  s->from ? "server" : "client", address, f->ends.port[s->from]);
    if (f->packet) {
        buffer_text(f->out, ",\"packet\":");
        buffer_decimal(f->out, f->packet->number);
    }
    if (f->packet && f->packet->timed) {
        buffer_text(f->out, ",\"time\":\"");
        time_write(f->out, f->packet->time, 9);
        buffer_char(f->out, '"');
    }
    buffer_text(f->out, ",\"at\":");
    buffer_decimal(f->out, s->position);
}

static bool is_text(struct span bytes)
{
    while (bytes.left) {
        uint32_t code;
        unsigned n = utf8_length(bytes.at, bytes.left, &code);
        if (!n || (code < 0x20 && code != '\n' && code != '\r' && code != '\t') || (code >= 0x7f && code < 0xa0))
            return false;
        span_pull(&bytes, n);
    }
    return true;
}

static void put_json(struct follow_side *s, struct span bytes, bool unpacked)
{
    struct buffer *out = s->follow->out;
    json_begin(s);
    buffer_text(out, ",\"length\":");
    buffer_decimal(out, bytes.left);
    buffer_text(out, unpacked ? ",\"unpacked\":true,\"data\":\"" : ",\"data\":\"");
    buffer_bytes(out, bytes.at, bytes.left, 0);
    buffer_char(out, '"');
    if (is_text(bytes)) {
        buffer_text(out, ",\"text\":\"");
        buffer_json_escaped(out, bytes.at, bytes.left);
        buffer_char(out, '"');
    }
    buffer_text(out, "}\n");
}

/* --- what comes out of the streams --- */

static void show(struct follow_side *s, struct span bytes, bool unpacked)
{
    struct follow *f = s->follow;
    switch (f->hidden[s->from] ? FOLLOW_JSON + 1 : f->format) {
    case FOLLOW_ASCII:
        put_text(s, bytes);
        break;
    case FOLLOW_HEX:
        put_hex(s, bytes);
        break;
    case FOLLOW_RAW:
        buffer_put(f->out, bytes.at, bytes.left);
        break;
    case FOLLOW_JSON:
        put_json(s, bytes, unpacked);
    }
    s->position += bytes.left;
}

static void on_unpacked(void *context, struct span bytes, bool unpacked)
{
    show(context, bytes, unpacked);
}

static void on_said(void *context, const char *sentence)
{
    struct follow_side *s = context;
    struct follow *f = s->follow;
    if (f->hidden[s->from])
        return;
    if (f->format == FOLLOW_JSON) {
        json_begin(s);
        buffer_text(f->out, ",\"remark\":\"");
        buffer_json_escaped(f->out, (const uint8_t *)sentence, strlen(sentence));
        buffer_text(f->out, "\"}\n");
    } else if (f->format != FOLLOW_RAW) {
        flush_carry(s);
        put_note(f, s->from, sentence);
    }
}

static const struct unpack_sink unpacked_sink = { on_unpacked, on_said };

static void on_bytes(void *context, uint64_t at, struct span bytes)
{
    struct follow_side *s = context;
    (void)at;
    s->bytes += bytes.left;
    if (s->follow->unpack)
        unpack_take(&s->unpack, bytes);
    else
        show(s, bytes, false);
}

static void on_gap(void *context, uint64_t at, uint64_t length)
{
    struct follow_side *s = context;
    struct follow *f = s->follow;
    char number[32], sentence[128];
    (void)at;
    s->missing += length;
    if (!f->hidden[s->from] && f->format == FOLLOW_JSON) {
        json_begin(s);
        buffer_text(f->out, ",\"missing\":");
        buffer_decimal(f->out, length);
        buffer_text(f->out, "}\n");
    } else if (!f->hidden[s->from] && f->format != FOLLOW_RAW) {
        grouped(number, length);
        snprintf(sentence, sizeof sentence, ngettext("%s byte missing", "%s bytes missing", (unsigned long)length),
                 number);
        flush_carry(s);
        put_note(f, s->from, sentence);
    }
    s->position += length;
    if (f->unpack)
        unpack_gap(&s->unpack, length);
}

static void on_end(void *context, uint64_t at, enum reassembly_end how)
{
    struct follow_side *s = context;
    (void)at;
    s->how = (uint8_t)how;
    s->ended = true;
}

static const struct reassembly_consumer consumer = { on_bytes, on_gap, on_end };

/* --- what goes in --- */

void follow_open(struct follow *f, const struct style *style, enum follow_format format)
{
    *f = (struct follow){ .style = *style, .format = format, .speaker = -1 };
    reassembly_open(&f->reassembly, &consumer);
    for (unsigned i = 0; i < 2; i++) {
        f->side[i] = (struct follow_side){ .follow = f, .from = (uint8_t)i, .half = { .context = &f->side[i] } };
        unpack_open(&f->side[i].unpack, &unpacked_sink, &f->side[i], &f->side[!i].unpack);
    }
}

static void put_heading(struct follow *f)
{
    for (unsigned i = 0; i < 2; i++) {
        if (f->hidden[i])
            continue;
        sgr_begin(f->out, &f->style, SGR_BOLD);
        begin_color(f, i);
        buffer_text(f->out, sign(f, i));
        buffer_text(f->out, f->ends.shown[i]);
        buffer_text(f->out, i ? _(" (server)") : _(" (client)"));
        sgr_end(f->out, &f->style);
        buffer_char(f->out, '\n');
    }
    buffer_char(f->out, '\n');
}

static void take_segment(struct follow *f, const struct packet *p, const struct layer *layer, unsigned from)
{
    struct span h = layer_header(p, layer);
    if (h.left < TCP_HEADER || layer->flags & LAYER_FRAGMENT)
        return;
    struct reassembly_half *half = &f->side[from].half;
    uint32_t seq = load_be32(h.at + 4);
    unsigned flags = h.at[13];
    if (flags & TCP_ACK)
        reassembly_acknowledge(&f->side[!from].half, load_be32(h.at + 8));
    if (flags & TCP_SYN) {
        seq++;
        if (!half->begun)
            reassembly_begin(half, seq);
    }
    f->reset |= flags & TCP_RST;
    if (!(flags & TCP_RST)) /* what a reset carries is told to nobody: RFC 9293, 3.5.3 */
        reassembly_take(&f->reassembly, half, seq, layer_payload(p, layer), layer_payload_length(layer),
                        flags & TCP_FIN);
}

static void take_datagram(struct follow *f, const struct packet *p, const struct layer *layer, unsigned from)
{
    struct follow_side *s = &f->side[from];
    struct span bytes = layer_payload(p, layer);
    uint32_t length = layer_payload_length(layer);
    if (layer->flags & LAYER_FRAGMENT)
        return;
    if (bytes.left)
        on_bytes(s, 0, bytes);
    if (f->format == FOLLOW_ASCII && !f->hidden[from]) {
        flush_carry(s);
        end_line(f);
    }
    if (length > bytes.left)
        on_gap(s, 0, length - bytes.left);
}

void follow_take(struct follow *f, struct buffer *out, const struct packet *p, const struct layer *layer)
{
    f->out = out;
    f->packet = p;
    ends_learn(&f->ends, p, layer);
    if (!f->ends.known)
        return;
    if (!f->begun && f->names)
        ends_call(&f->ends, f->names);
    if (!f->begun && (f->format == FOLLOW_ASCII || f->format == FOLLOW_HEX))
        put_heading(f);
    f->begun = true;
    unsigned from = ends_sender(&f->ends, p, layer);
    if (f->ends.tcp)
        take_segment(f, p, layer, from);
    else
        take_datagram(f, p, layer, from);
}

static void put_end(struct follow *f, const struct follow_side *s)
{
    static const char *const how[] = { N_("closed"), N_("reset"), N_("the capture ends here") };
    char number[32];
    grouped(number, s->bytes);
    sgr_begin(f->out, &f->style, SGR_DIM);
    buffer_text(f->out, sign(f, s->from));
    buffer_format(f->out, ngettext("%s byte", "%s bytes", (unsigned long)s->bytes), number);
    if (s->missing) {
        grouped(number, s->missing);
        buffer_format(f->out, _(", %s missing"), number);
    }
    if (s->ended) {
        buffer_text(f->out, ", ");
        buffer_text(f->out, _(how[s->how]));
    }
    sgr_end(f->out, &f->style);
    buffer_char(f->out, '\n');
}

void follow_finish(struct follow *f, struct buffer *out)
{
    f->out = out;
    f->packet = NULL;
    bool words = f->begun && (f->format == FOLLOW_ASCII || f->format == FOLLOW_HEX);
    for (unsigned i = 0; i < 2; i++) {
        struct follow_side *s = &f->side[i];
        if (f->ends.tcp)
            reassembly_finish(&f->reassembly, &s->half, f->reset ? REASSEMBLY_RESET : REASSEMBLY_STOPPED);
        if (f->unpack)
            unpack_end(&s->unpack);
        if (words && !f->hidden[i])
            flush_carry(s);
    }
    end_line(f);
    if (words)
        buffer_char(out, '\n');
    for (unsigned i = 0; words && i < 2; i++)
        if (!f->hidden[i])
            put_end(f, &f->side[i]);
}

uint64_t follow_missing(const struct follow *f)
{
    uint64_t missing = 0;
    for (unsigned i = 0; i < 2; i++)
        missing += f->hidden[i] ? 0 : f->side[i].missing;
    return missing;
}
