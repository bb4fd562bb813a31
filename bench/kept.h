/* What programs that measure have in common: a capture's first packets, kept in memory, and a clock. */
#pragma once
#include "capture/capture.h"
#include "dissectors/dissect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct kept {
    struct span bytes;
    uint32_t wire_length;
    uint16_t link_type;
};

/* How many there are, at most `most`. Ends the program where the capture cannot be opened. */
static inline unsigned kept_load(struct kept *kept, unsigned most, const char *path)
{
    struct capture *capture;
    struct record record;
    struct error error;
    unsigned n = 0;
    if (capture_open(&capture, path, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (; n < most && capture_next(capture, &record, &error) > 0; n++) {
        uint8_t *copy = malloc(record.bytes.left + 1);
        if (!copy)
            exit(1);
        memcpy(copy, record.bytes.at, record.bytes.left);
        kept[n] = (struct kept){ { copy, record.bytes.left }, record.wire_length, (uint16_t)record.link_type };
    }
    capture_close(capture);
    return n;
}

static inline void kept_dissect(const struct kept *kept, struct packet *packet)
{
    packet_reset(packet, kept->bytes);
    packet->link_type = kept->link_type;
    packet->wire_length = kept->wire_length;
    dissect(packet);
}

/* Nanoseconds. */
static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
