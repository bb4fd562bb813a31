#include "output/human.h"
#include "base/digits.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

void human_count(struct buffer *out, uint64_t n)
{
    char text[32];
    buffer_text(out, grouped(text, n));
}

/* Three digits at least, where there are so many: a decimal below a hundred. tenths: what is written, times ten. */
static void put_tenths(struct buffer *out, uint64_t tenths)
{
    buffer_decimal(out, tenths / 10);
    buffer_char(out, '.');
    buffer_decimal(out, tenths % 10);
}

void human_bytes(struct buffer *out, uint64_t bytes)
{
    static const char units[][4] = { " B", " kB", " MB", " GB", " TB", " PB", " EB" };
    unsigned unit = 0;
    uint64_t whole = bytes, rest = 0; /* rest: thousandths */
    for (; whole >= 1000 && unit < 6; unit++) {
        rest = whole % 1000;
        whole /= 1000;
    }
    uint64_t tenths = whole * 10 + (rest + 50) / 100;
    if (tenths >= 10000 && unit < 6) {
        tenths = 10;
        unit++;
    }
    if (unit)
        put_tenths(out, tenths);
    else
        buffer_decimal(out, whole);
    buffer_text(out, units[unit]);
}

void human_rate(struct buffer *out, double rate)
{
    human_bytes(out, rate < 0 ? 0 : rate > 9e18 ? UINT64_C(9000000000000000000) : (uint64_t)(rate + 0.5));
    buffer_put(out, "/s", 2);
}

void human_share(struct buffer *out, uint64_t part, uint64_t whole)
{
    double share = whole ? (double)part * 100 / (double)whole : 0;
    if (part && share < 0.05)
        buffer_put(out, "<0.1", 4);
    else
        put_tenths(out, (uint64_t)(share * 10 + 0.5));
}

static void put_two(struct buffer *out, uint64_t first, const char *unit, uint64_t second, const char *other)
{
    buffer_decimal(out, first);
    buffer_text(out, unit);
    if (!second)
        return;
    buffer_char(out, ' ');
    buffer_decimal(out, second);
    buffer_text(out, other);
}

void human_duration(struct buffer *out, int64_t nanoseconds, bool ascii)
{
    uint64_t ns = nanoseconds < 0 ? 0 : (uint64_t)nanoseconds, seconds = ns / 1000000000;
    if (seconds >= DAY) {
        put_two(out, seconds / DAY, " d", seconds % DAY / HOUR, " h");
    } else if (seconds >= HOUR) {
        put_two(out, seconds / HOUR, " h", seconds % HOUR / MINUTE, " min");
    } else if (seconds >= MINUTE) {
        put_two(out, seconds / MINUTE, " min", seconds % MINUTE, " s");
    } else if (seconds >= 1) {
        put_tenths(out, (ns + 50000000) / 100000000);
        buffer_put(out, " s", 2);
    } else if (ns >= 1000000) {
        put_tenths(out, (ns + 50000) / 100000);
        buffer_put(out, " ms", 3);
    } else {
        buffer_decimal(out, ns / 1000);
        buffer_text(out, ascii ? " us" : " µs");
    }
}
