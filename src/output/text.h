/* The line a packet: number, time, source, destination, protocol, length, summary; aligned. */
#pragma once
#include "base/buffer.h"
#include "base/clock.h"
#include "output/style.h"
#include "protocol/packet.h"

enum { ENDS_KEPT = 256, END4_TEXT = 24, END6_TEXT = 64, WIDE_ENDS_KEPT = 64 };

/* Addresses and ports as text, spaces behind: packets in a row mostly lie between the same few. Half a cache line. */
struct end4_text {
    uint64_t key; /* address, port, whether there is one, and a bit that says the entry is used */
    char text[END4_TEXT];
};

struct end6_text {
    uint64_t high, low; /* the address */
    uint32_t tail;      /* port, whether there is one, and a bit that says the entry is used */
    uint32_t length;
    char text[END6_TEXT];
};

struct protocol;
struct names;

struct text {
    struct style style;
    const struct names *names; /* for ends, in place of addresses and ports; NULL: none. Set after text_open. */
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
    _Alignas(32) struct end4_text ends4[ENDS_KEPT];
    struct end6_text ends6[WIDE_ENDS_KEPT];
};

void text_open(struct text *text, const struct style *style, enum time_format format, unsigned digits);
/* The headings; for terminals. */
void text_header(struct text *text, struct buffer *out);
void text_write(struct text *text, struct buffer *out, const struct packet *packet);
/* Only what the line says behind its columns. */
void text_summary(const struct text *text, struct buffer *out, const struct packet *packet);
