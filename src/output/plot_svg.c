#include "output/plot_svg.h"
#include "output/human.h"
#include "output/xml.h"

enum {
    WIDTH = 1000,
    HEIGHT = 420,
    LEFT = 90,
    RIGHT = LEFT + SVG_SAMPLES,
    TOP = 50,
    BOTTOM = 350,
    TICKS = 5, /* about so many on an axis */
};

/* What lies between: values in rows of pixels from the axis, at the same scale for both parts. */
struct scale {
    double most_up, most_down; /* of each part, rounded up to a tick */
    double step;               /* between ticks */
    double axis;               /* where 0 is */
};

/* A coordinate, to a tenth, whatever the locale's decimal point. */
static void put_place(struct buffer *out, double value)
{
    uint64_t tenths = value > 0 ? (uint64_t)(value * 10 + 0.5) : 0;
    buffer_decimal(out, tenths / 10);
    if (tenths % 10) {
        buffer_char(out, '.');
        buffer_char(out, (char)('0' + tenths % 10));
    }
}

static void put_attribute(struct buffer *out, const char *name, double value)
{
    buffer_char(out, ' ');
    buffer_text(out, name);
    buffer_put(out, "=\"", 2);
    put_place(out, value);
    buffer_char(out, '"');
}

static void put_line(struct buffer *out, const char *class, double x1, double x2, double y1, double y2)
{
    buffer_format(out, "<line class=\"%s\"", class);
    put_attribute(out, "x1", x1);
    put_attribute(out, "x2", x2);
    put_attribute(out, "y1", y1);
    put_attribute(out, "y2", y2);
    buffer_text(out, "/>");
}

static void begin_label(struct buffer *out, const char *anchor, double x, double y)
{
    buffer_format(out, "<text class=\"faint\" text-anchor=\"%s\"", anchor);
    put_attribute(out, "x", x);
    put_attribute(out, "y", y);
    buffer_char(out, '>');
}

static double largest(const double *values, unsigned n)
{
    double most = 0;
    for (unsigned i = 0; i < n; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them are `all`. */
static double nice_step(double all)
{
    double wanted = all / TICKS, power = 1;
    while (power * 10 <= wanted)
        power *= 10;
    while (power > wanted)
        power /= 10;
    return power * (wanted > power * 5 ? 10 : wanted > power * 2 ? 5 : wanted > power ? 2 : 1);
}

static double round_up(double value, double step)
{
    return value > 0 ? step * (double)(uint64_t)(value / step + 0.999999) : 0;
}

static struct scale find_scale(const struct plot_svg *p)
{
    double up = largest(p->up, p->count), down = largest(p->down, p->count);
    struct scale s = { .step = 1 };
    if (up + down > 0)
        s.step = nice_step(up + down);
    s.most_up = round_up(up, s.step);
    s.most_down = round_up(down, s.step);
    if (s.most_up + s.most_down <= 0)
        s.most_up = s.step;
    s.axis = TOP + (BOTTOM - TOP) * s.most_up / (s.most_up + s.most_down);
    return s;
}

static double row_of(const struct scale *s, double value)
{
    return s->axis - value * (BOTTOM - TOP) / (s->most_up + s->most_down);
}

static void put_head(struct buffer *out, const struct plot_svg *p)
{
    buffer_format(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
                  "font-family=\"sans-serif\" font-size=\"13\">\n<title>",
                  WIDTH, HEIGHT, WIDTH, HEIGHT);
    xml_text(out, p->title, strlen(p->title));
    buffer_text(out, "</title>\n<style>\n"
                     "  .page { fill: #fff } .ink { fill: #222 } .faint { fill: #667 } .grid { stroke: #ddd }\n"
                     "  .axis { stroke: #667 } .up { fill: #3b76b5 } .down { fill: #d9822b }\n"
                     "  @media (prefers-color-scheme: dark) {\n"
                     "    .page { fill: #16181c } .ink { fill: #e6e6e6 } .faint { fill: #99a } .grid { stroke: #333 }\n"
                     "    .axis { stroke: #99a } .up { fill: #6aa5e0 } .down { fill: #f0a354 }\n"
                     "  }\n</style>\n");
    buffer_format(out, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
    buffer_format(out, "<text class=\"ink\" x=\"%d\" y=\"28\" font-size=\"17\">", LEFT);
    xml_text(out, p->title, strlen(p->title));
    buffer_text(out, "</text>\n");
}

static void put_grid_line(struct buffer *out, const struct scale *s, double value)
{
    double y = row_of(s, value);
    put_line(out, value == 0 ? "axis" : "grid", LEFT, RIGHT, y, y);
    begin_label(out, "end", LEFT - 8, y + 4.5);
    human_rate(out, value < 0 ? -value : value);
    buffer_text(out, "</text>\n");
}

static void put_grid(struct buffer *out, const struct scale *s)
{
    for (unsigned i = 1; i <= TICKS * 4 && i * s->step <= s->most_up * 1.0001; i++)
        put_grid_line(out, s, i * s->step);
    for (unsigned i = 1; i <= TICKS * 4 && i * s->step <= s->most_down * 1.0001; i++)
        put_grid_line(out, s, -(double)i * s->step);
}

/* One part as an area of steps, a sample a step. */
static void put_area(struct buffer *out, const struct plot_svg *p, const struct scale *s, bool down)
{
    const double *values = down ? p->down : p->up;
    double width = (double)(RIGHT - LEFT) / p->count, before = 0;
    buffer_format(out, "<path class=\"%s\" d=\"M%d ", down ? "down" : "up", LEFT);
    put_place(out, s->axis);
    for (unsigned i = 0; i < p->count; i++) {
        double value = down ? -values[i] : values[i];
        if (i && value == before)
            continue;
        buffer_char(out, 'H');
        put_place(out, LEFT + i * width);
        buffer_char(out, 'V');
        put_place(out, row_of(s, value));
        before = value;
    }
    buffer_format(out, "H%dV", RIGHT);
    put_place(out, s->axis);
    buffer_text(out, "Z\"/>\n");
}

/* Seconds between ticks of the time axis: as clocks count, from a minute on. */
static double time_step(double seconds)
{
    static const double clocks[] = { 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400 };
    double wanted = seconds / (TICKS + 3);
    if (wanted <= 30)
        return nice_step(seconds * TICKS / (TICKS + 3));
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++)
        if (clocks[i] >= wanted)
            return clocks[i];
    return 86400 * nice_step(seconds / 86400 * TICKS / (TICKS + 3));
}

static void put_times(struct buffer *out, const struct plot_svg *p)
{
    double seconds = (double)p->duration / 1e9, step = seconds > 0 ? time_step(seconds) : 1;
    for (unsigned i = 0; i <= TICKS * 10 && i * step <= seconds * 1.0001; i++) {
        double x = seconds > 0 ? LEFT + (RIGHT - LEFT) * i * step / seconds : LEFT;
        put_line(out, "axis", x, x, BOTTOM + 4, BOTTOM + 9);
        begin_label(out, "middle", x, BOTTOM + 25);
        if (i)
            human_duration(out, (int64_t)(i * step * 1e9 + 0.5), false);
        else
            buffer_char(out, '0');
        buffer_text(out, "</text>\n");
    }
}

static void put_legend(struct buffer *out, const struct plot_svg *p)
{
    const char *const names[] = { p->up_name, p->down_name };
    for (unsigned i = 0; i < 2; i++) {
        buffer_format(out, "<rect class=\"%s\" x=\"%u\" y=\"%d\" width=\"12\" height=\"12\"/>", i ? "down" : "up",
                      LEFT + i * 220, BOTTOM + 45);
        buffer_format(out, "<text class=\"ink\" x=\"%u\" y=\"%d\">%s ", LEFT + 18 + i * 220, BOTTOM + 56,
                      i ? "↓" : "↑");
        xml_text(out, names[i], strlen(names[i]));
        buffer_text(out, "</text>\n");
    }
}

void plot_svg_write(struct buffer *out, const struct plot_svg *p)
{
    struct scale s = find_scale(p);
    put_head(out, p);
    put_grid(out, &s);
    put_area(out, p, &s, false);
    put_area(out, p, &s, true);
    put_grid_line(out, &s, 0);
    put_times(out, p);
    put_legend(out, p);
    buffer_text(out, "</svg>\n");
}
