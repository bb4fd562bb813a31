/* The system's clocks, and packets' times as text. The one place that asks for the time zone; an answer is kept for the
 * quarter of an hour that it holds for, so that a line a packet does not ask again. */
#pragma once
#include "base/buffer.h"
#include <stdint.h>
#include <time.h>

enum time_format {
    FORMAT_RELATIVE,      /* r: seconds since the first packet */
    FORMAT_ABSOLUTE,      /* a: local time of day */
    FORMAT_ABSOLUTE_DATE, /* ad */
    FORMAT_DELTA,         /* d: seconds since the packet before */
    FORMAT_DELTA_SHOWN,   /* dd: since the one that was printed before */
    FORMAT_EPOCH,         /* e */
    FORMAT_UTC,           /* u */
    FORMAT_UTC_DATE,      /* ud */
};

/* tshark's words r a ad d dd e u ud, and tcpdump's -tt (t) to -ttttt (tttt). -1: none of them. */
int time_format_parse(const char *word);
/* An instant in one of the absolute formats, `digits` decimals (0 to 9). */
void time_write_absolute(struct buffer *out, int64_t nanoseconds, enum time_format format, unsigned digits);
/* Nanoseconds as seconds with `digits` decimals. */
void time_write(struct buffer *out, int64_t nanoseconds, unsigned digits);

/* Packets' times lie between these (years 1896 to 2116; a classic pcap ends in 2106), so that no difference of two of
 * them overflows, nor its sum with decades. */
static const int64_t time_least = -(INT64_MAX / 4), time_most = INT64_MAX / 2;

/* The nearest time that a packet may have. */
static inline int64_t time_bounded(__int128 nanoseconds)
{
    return nanoseconds > time_most ? time_most : nanoseconds < time_least ? time_least : (int64_t)nanoseconds;
}

/* What one of the system's clocks says, nanoseconds. */
static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
