#include "output/ladder_svg.h"
#include "base/text.h"
#include "output/xml.h"
#include "track/tcp_state.h"

/* Where things stand, in pixels. */
enum {
    WIDTH = 1180,
    MARGIN = 20,
    TIME_END = 96,
    STATE_END = 216,
    LEFT = 228,
    RIGHT = 668,
    STATE_BEGIN = 680,
    REMARK = 800,
    REMARK_COLUMNS = 51, /* characters of 7.2 pixels */
    LABEL_COLUMNS = 57,
    HEAD = 64,
    ROW = 34,
    LINE = 15, /* from one line of remarks to the next */
    ROWS_BYTES = 64 << 10,
};

/* Plain colours first: not every viewer knows of dark ground. */
static const char style[] =
    "<style>\n"
    ".paper{fill:#ffffff}\n"
    "text{font:12px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1d232b;white-space:pre}\n"
    ".name{font-size:14px;font-weight:bold;text-anchor:middle}\n"
    ".time{fill:#69737f;text-anchor:end}\n"
    ".left{text-anchor:end;font-weight:bold}.right{font-weight:bold}\n"
    ".label{text-anchor:middle}.remark,.pause{fill:#69737f}.pause{text-anchor:middle}\n"
    ".life{stroke:#9aa4b0;stroke-width:2}\n"
    ".arrow{stroke:#1d232b;stroke-width:1.5;fill:none}.head{fill:#1d232b}\n"
    ".transfer .arrow{stroke-width:5}.missing .arrow{stroke-dasharray:3 5}.missing .cross{stroke-dasharray:none}\n"
    ".notable .arrow{stroke:#9a5b00}.notable .head,.notable .label,.notable .remark{fill:#9a5b00}\n"
    ".wrong .arrow{stroke:#b3261e}.wrong .head,.wrong .label,.wrong .remark{fill:#b3261e}\n"
    "@media (prefers-color-scheme:dark){.paper{fill:#14181d}text{fill:#e4e8ed}.time,.remark,.pause{fill:#98a2ad}"
    ".life{stroke:#66707b}.arrow{stroke:#e4e8ed}.head{fill:#e4e8ed}"
    ".notable .arrow{stroke:#f0b35a}.notable .head,.notable .label,.notable .remark{fill:#f0b35a}"
    ".wrong .arrow{stroke:#ff8a80}.wrong .head,.wrong .label,.wrong .remark{fill:#ff8a80}}\n"
    "</style>\n";

/* --- pieces --- */

static void put_text(struct buffer *out, const char *class, unsigned x, unsigned y, const char *text, size_t n)
{
    if (!n)
        return;
    buffer_format(out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class, x, y);
    xml_text(out, text, n);
    buffer_text(out, "</text>\n");
}

static void put_states(struct buffer *out, const struct ladder_step *step, unsigned y)
{
    for (unsigned i = 0; i < 2; i++) {
        const char *name = tcp_state_name(step->state[i]);
        if (step->entered >> i & 1)
            put_text(out, i ? "right" : "left", i ? STATE_BEGIN : STATE_END, y, name, strlen(name));
    }
}

/* A line with its head; one that does not arrive ends in a cross. */
static void put_arrow(struct buffer *out, const struct ladder_step *step, unsigned y)
{
    int way = step->from ? -1 : 1, from = step->from ? RIGHT : LEFT, to = step->from ? LEFT : RIGHT;
    if (step->look == LADDER_MISSING) {
        to -= way * 60;
        buffer_format(out,
                      "<path class=\"arrow\" d=\"M%d %uH%d\"/><path class=\"arrow cross\" "
                      "d=\"M%d %ul8 8m0 -8l-8 8\"/>\n",
                      from, y, to - way * 8, to - 4, y - 4);
        return;
    }
    buffer_format(out, "<path class=\"arrow\" d=\"M%d %uH%d\"/><path class=\"head\" d=\"M%d %ul%d -5v10z\"/>\n", from,
                  y, to - way * 8, to - way, y, -way * 11);
}

static void put_label(struct ladder *l, struct buffer *out, const struct ladder_step *step, unsigned y)
{
    size_t mark = buffer_used(&l->scratch);
    size_t wide = ladder_label(&l->scratch, step, LABEL_COLUMNS), more = strlen(step->summary);
    if (more && wide + 1 + more <= LABEL_COLUMNS) {
        buffer_text(&l->scratch, "  ");
        buffer_put(&l->scratch, step->summary, more - 1);
    }
    put_text(out, step->look == LADDER_PAUSE ? "pause" : "label", (LEFT + RIGHT) / 2, y, l->scratch.start + mark,
             buffer_used(&l->scratch) - mark);
    l->scratch.at = l->scratch.start + mark;
}

/* Bytes of a text that have room in so many columns, up to a space if there is one. */
static size_t fitting(const char *text, size_t n, size_t columns)
{
    size_t used = 0, space = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code;
        unsigned length = utf8_length((const uint8_t *)text + at, n - at, &code);
        length = length ? length : 1;
        used += text_columns(text + at, length);
        if (used > columns)
            return space ? space : at ? at : length;
        if (text[at] == ' ')
            space = at;
        at += length;
    }
    return n;
}

/* Each remark on lines of its own; returns how many lines there were. */
static unsigned put_remarks(struct buffer *out, const char *remarks, unsigned y)
{
    unsigned lines = 0;
    for (const char *end; (end = strchr(remarks, '\n')); remarks = end + 1)
        for (const char *at = remarks; at < end;) {
            size_t n = fitting(at, (size_t)(end - at), REMARK_COLUMNS);
            put_text(out, "remark", REMARK, y + lines++ * LINE, at, n);
            for (at += n; at < end && *at == ' ';)
                at++;
        }
    return lines;
}

static const char *class_of(const struct ladder_step *step)
{
    static const char *const classes[3][3] = {
        { "step", "step notable", "step wrong" },
        { "transfer", "transfer notable", "transfer wrong" },
        { "missing", "missing notable", "missing wrong" },
    };
    unsigned look = step->look == LADDER_TRANSFER ? 1 : step->look == LADDER_MISSING ? 2 : 0;
    return classes[look][step->mood];
}

/* --- rows --- */

static void put_step(struct ladder *l, struct ladder_svg *svg, const struct ladder_step *step)
{
    struct buffer *out = &svg->rows;
    unsigned y = svg->y + 22, lines = 0;
    char time[48];
    buffer_format(out, "<g class=\"%s\">", class_of(step));
    if (step->number)
        buffer_format(out, "<title>%llu</title>", (unsigned long long)step->number);
    buffer_char(out, '\n');
    if (step->timed && step->look != LADDER_BEGIN) {
        int64_t us = step->time / 1000;
        int n = snprintf(time, sizeof time, "%s%lld.%06lld", us < 0 ? "-" : "",
                         (long long)((us < 0 ? -us : us) / 1000000), (long long)((us < 0 ? -us : us) % 1000000));
        put_text(out, "time", TIME_END, y + 4, time, (size_t)n);
    }
    put_states(out, step, y + 4);
    if (step->look != LADDER_BEGIN) {
        put_arrow(out, step, y);
        put_label(l, out, step, y - 7);
        if (step->summary[0] && text_columns(step->summary, strlen(step->summary)) + 12 > LABEL_COLUMNS)
            lines = put_remarks(out, step->summary, y + 4);
        lines += put_remarks(out, step->remark, y + 4 + lines * LINE);
    }
    buffer_text(out, "</g>\n");
    svg->y += ROW + (lines > 2 ? (lines - 2) * LINE : 0);
}

static void draw_step(struct ladder *l, struct buffer *out, const struct ladder_step *step)
{
    struct ladder_svg *svg = l->context;
    (void)out;
    if (svg->count == LADDER_SVG_ROWS) {
        svg->left_out++;
        return;
    }
    svg->count++;
    if (step->look == LADDER_PAUSE) {
        put_label(l, &svg->rows, step, svg->y + 18);
        svg->y += ROW - 8;
    } else {
        put_step(l, svg, step);
    }
}

/* --- the file --- */

int ladder_svg_open(struct ladder_svg *svg, struct ladder *l)
{
    *svg = (struct ladder_svg){ .y = HEAD };
    l->draw = draw_step;
    l->context = svg;
    return buffer_open(&svg->rows, -1, ROWS_BYTES);
}

void ladder_svg_close(struct ladder_svg *svg)
{
    buffer_free(&svg->rows);
}

void ladder_svg_write(const struct ladder_svg *svg, const struct ladder *l, struct buffer *out)
{
    unsigned height = svg->y + 2 * MARGIN;
    const char *name[2] = { l->ends.name[0], l->ends.name[1] };
    buffer_format(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" role=\"img\">\n"
        "<title>%s - %s</title>\n%s<rect class=\"paper\" width=\"%d\" height=\"%u\"/>\n",
        WIDTH, height, WIDTH, height, name[0], name[1], style, WIDTH, height);
    for (unsigned i = 0; i < 2; i++) {
        unsigned x = i ? RIGHT : LEFT;
        put_text(out, "name", x, 34, l->ends.shown[i], strlen(l->ends.shown[i]));
        buffer_format(out, "<path class=\"life\" d=\"M%u 46V%u\"/>\n", x, height - MARGIN);
    }
    buffer_put(out, svg->rows.start, buffer_used(&svg->rows));
    if (svg->left_out) {
        char text[128];
        int n = snprintf(text, sizeof text, ngettext("%llu more", "%llu more", (unsigned long)svg->left_out),
                         (unsigned long long)svg->left_out);
        put_text(out, "pause", (LEFT + RIGHT) / 2, svg->y + 18, text, (size_t)n);
    }
    buffer_text(out, "</svg>\n");
}
