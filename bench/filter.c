/* What a display filter costs: nanoseconds a packet, on packets that were dissected before the clock starts. */
#include "filter/filter.h"
#include "capture/capture.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PACKETS = 256, ROUNDS = 40000 };

static struct packet packets[PACKETS];

static unsigned load(const char *path)
{
    struct capture *capture;
    struct record record;
    struct error error;
    unsigned n = 0;
    if (capture_open(&capture, path, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (; n < PACKETS && capture_next(capture, &record, &error) > 0; n++) {
        uint8_t *copy = malloc(record.bytes.left + 1);
        if (!copy)
            exit(1);
        memcpy(copy, record.bytes.at, record.bytes.left);
        packet_reset(&packets[n], (struct span){ copy, record.bytes.left });
        packets[n].number = n + 1;
        packets[n].link_type = record.link_type;
        packets[n].wire_length = record.wire_length;
        dissect(&packets[n]);
    }
    capture_close(capture);
    return n;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    registry_open();
    unsigned n = argc > 2 ? load(argv[1]) : 0;
    if (!n) {
        fprintf(stderr, "filter CAPTURE EXPRESSION...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct filter *filter;
        struct error error;
        if (filter_open(&filter, argv[i], &error)) {
            fprintf(stderr, "%s\n", error.text);
            return 2;
        }
        unsigned long passed = 0;
        unsigned rounds = ROUNDS * 4 / n;
        double best = 1e18;
        for (unsigned turn = 0; turn < 7; turn++) {
            double start = now();
            for (unsigned k = 0; k < rounds; k++)
                for (unsigned m = 0; m < n; m++)
                    passed += filter_passes(filter, &packets[m]);
            double took = (now() - start) / rounds / n;
            best = took < best ? took : best;
        }
        printf("%7.2f ns a packet  %3lu %% pass  %s\n", best, passed * 100 / (7UL * rounds * n), argv[i]);
        filter_close(filter);
    }
    return 0;
}
