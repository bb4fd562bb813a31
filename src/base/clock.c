#include "base/clock.h"
#include <string.h>
#include <time.h>

enum { BILLION = 1000000000, QUARTER = 900 };

static const uint32_t parts[] = { 1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1 };

int time_format_parse(const char *word)
{
    static const struct {
        const char *word;
        enum time_format format;
    } words[] = {
        { "r", FORMAT_RELATIVE },     { "a", FORMAT_ABSOLUTE },        { "ad", FORMAT_ABSOLUTE_DATE },
        { "d", FORMAT_DELTA },        { "dd", FORMAT_DELTA_SHOWN },    { "e", FORMAT_EPOCH },
        { "u", FORMAT_UTC },          { "ud", FORMAT_UTC_DATE },       { "t", FORMAT_EPOCH },
        { "tt", FORMAT_DELTA_SHOWN }, { "ttt", FORMAT_ABSOLUTE_DATE }, { "tttt", FORMAT_RELATIVE },
    };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].word, word))
            return (int)words[i].format;
    return -1;
}

/* A point and 1 to 9 decimals of a number of nanoseconds below a second. */
static inline char *write_fraction(char *at, uint32_t nanoseconds, unsigned digits)
{
    *at++ = '.';
    if (digits < 9)
        return write_few_digits(at, nanoseconds / parts[digits], digits);
    *at++ = (char)('0' + nanoseconds / 100000000);
    return write_few_digits(at, nanoseconds % 100000000, 8);
}

void time_write(struct buffer *out, int64_t nanoseconds, unsigned digits)
{
    uint64_t n = nanoseconds < 0 ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    char *at = buffer_room(out, 40);
    if (nanoseconds < 0)
        *at++ = '-';
    at = write_decimal(at, n / BILLION);
    out->at = digits ? write_fraction(at, (uint32_t)(n % BILLION), digits) : at;
}

/* The calendar of the quarter of an hour that an instant lies in; offsets of time zones are multiples of it. */
static const struct tm *calendar(int64_t seconds, bool utc)
{
    static struct {
        int64_t quarter;
        struct tm tm;
        bool known;
    } kept[2];
    int64_t quarter = seconds / QUARTER - (seconds % QUARTER < 0);
    if (!kept[utc].known || kept[utc].quarter != quarter) {
        time_t start = (time_t)(quarter * QUARTER);
        memset(&kept[utc].tm, 0, sizeof kept[utc].tm);
        if (utc)
            gmtime_r(&start, &kept[utc].tm);
        else
            localtime_r(&start, &kept[utc].tm);
        kept[utc].quarter = quarter;
        kept[utc].known = true;
    }
    return &kept[utc].tm;
}

void time_write_absolute(struct buffer *out, int64_t nanoseconds, enum time_format format, unsigned digits)
{
    int64_t seconds = nanoseconds / BILLION - (nanoseconds % BILLION < 0);
    uint64_t fraction = (uint64_t)(nanoseconds - seconds * BILLION);
    bool utc = format == FORMAT_UTC || format == FORMAT_UTC_DATE;
    const struct tm *tm = calendar(seconds, utc);
    /* Within the quarter only minutes and seconds move, and the quarter starts at a full minute. */
    unsigned into = (unsigned)((seconds % QUARTER + QUARTER) % QUARTER);
    unsigned second = (unsigned)tm->tm_sec + into, minute = (unsigned)tm->tm_min + second / 60;
    unsigned hour = (unsigned)tm->tm_hour + minute / 60;
    char *at = buffer_room(out, 64);
    if (format == FORMAT_ABSOLUTE_DATE || format == FORMAT_UTC_DATE) {
        at = write_digits(at, (uint64_t)(tm->tm_year + 1900), 4);
        *at++ = '-';
        at = write_digits(at, (uint64_t)(tm->tm_mon + 1), 2);
        *at++ = '-';
        at = write_digits(at, (uint64_t)tm->tm_mday, 2);
        *at++ = ' ';
    }
    at = write_digits(at, hour, 2);
    *at++ = ':';
    at = write_digits(at, minute % 60, 2);
    *at++ = ':';
    at = write_digits(at, second % 60, 2);
    out->at = digits ? write_fraction(at, (uint32_t)fraction, digits) : at;
}
