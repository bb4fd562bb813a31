/* The line a packet: number, time, source, destination, protocol, length, summary; aligned. */
#pragma once
#include "base/buffer.h"
#include "base/clock.h"
#include "output/style.h"
#include "protocol/packet.h"

enum { ENDPOINTS_KEPT = 256, KEPT_TEXT = 64 };

/* An address and port as text, spaces behind: packets in a row mostly lie between the same few. */
struct endpoint_text {
    uint64_t high, low; /* the address; IPv4 in the lower half of low */
    uint32_t tail;      /* its size, whether there is a port, and the port; 0: unused */
    uint32_t length;
    char text[KEPT_TEXT];
};

struct protocol;

struct text {
    struct style style;
    enum time_format time_format;
    unsigned digits;    /* decimals of times: 6, or 9 where the capture has nanoseconds */
    int64_t last_shown; /* for FORMAT_DELTA_SHOWN */
    bool shown;
    /* Columns only ever widen, so that lines stay aligned with those before as far as they can. */
    unsigned number_width, time_width, source_width, destination_width, protocol_width, length_width;
    uint64_t last_number; /* as it stands in number_text: the next one is mostly one more */
    uint64_t last_second; /* as it stands in second_text */
    uint64_t number_text; /* eight characters, the first one in the lowest byte */
    char second_text[8];
    const struct protocol *labelled; /* whose label stands in label_text, spaces behind */
    char label_text[16];
    uint32_t label_length;
    struct endpoint_text kept[ENDPOINTS_KEPT];
};

void text_open(struct text *text, const struct style *style, enum time_format format, unsigned digits);
/* The headings; for terminals. */
void text_header(struct text *text, struct buffer *out);
void text_write(struct text *text, struct buffer *out, const struct packet *packet);
