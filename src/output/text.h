/* The line a packet: number, time, source, destination, protocol, length, summary; aligned. */
#pragma once
#include "base/buffer.h"
#include "base/clock.h"
#include "output/style.h"
#include "protocol/packet.h"

struct text {
    struct style style;
    enum time_format time_format;
    unsigned digits;    /* decimals of times: 6, or 9 where the capture has nanoseconds */
    int64_t last_shown; /* for FORMAT_DELTA_SHOWN */
    bool shown;
    /* Columns only ever widen, so that lines stay aligned with those before as far as they can. */
    unsigned number_width, time_width, source_width, destination_width, protocol_width, length_width;
};

void text_open(struct text *text, const struct style *style, enum time_format format, unsigned digits);
/* The headings; for terminals. */
void text_header(struct text *text, struct buffer *out);
void text_write(struct text *text, struct buffer *out, const struct packet *packet);
