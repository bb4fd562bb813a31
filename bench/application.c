/* What it costs to take an application's messages apart: nanoseconds for each of a capture's packets that have one,
 * over those of the same packets taken apart as far as UDP or TCP. */
#include "capture/capture.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PACKETS = 4096, TURNS = 9, LEAST = 200000 };

struct kept {
    struct span bytes;
    uint32_t wire_length;
    uint16_t link_type;
};

static struct kept kept[PACKETS];
static struct packet packet;

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
        kept[n] = (struct kept){ { copy, record.bytes.left }, record.wire_length, (uint16_t)record.link_type };
    }
    capture_close(capture);
    return n;
}

static void take(unsigned i)
{
    packet_reset(&packet, kept[i].bytes);
    packet.link_type = kept[i].link_type;
    packet.wire_length = kept[i].wire_length;
    dissect(&packet);
}

/* Keeps those that have a layer of the protocol; how many. */
static unsigned choose(unsigned n, const struct protocol *protocol)
{
    unsigned chosen = 0;
    for (unsigned i = 0; i < n; i++) {
        bool has = false;
        take(i);
        for (unsigned k = 1; k < packet.layer_count; k++)
            has |= packet.layers[k].protocol == protocol;
        if (has)
            kept[chosen++] = kept[i];
    }
    return chosen;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double best(unsigned n, uint8_t stop)
{
    packet.stop = stop;
    unsigned rounds = LEAST / n + 1;
    double least = 1e18;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        double start = now();
        for (unsigned k = 0; k < rounds; k++)
            for (unsigned i = 0; i < n; i++)
                take(i);
        double took = (now() - start) / rounds / n;
        least = took < least ? took : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    registry_open();
    const struct protocol *protocol = argc > 3 ? registry_by_name(argv[2]) : NULL;
    unsigned n = protocol ? choose(load(argv[1]), protocol) : 0;
    if (!n) {
        fprintf(stderr, "application CAPTURE PROTOCOL udp|tcp\n");
        return 2;
    }
    double with = best(n, 0), without = best(n, !strcmp(argv[3], "tcp") ? KEY_TCP_PORT : KEY_UDP_PORT);
    printf("%7.1f ns more than %.1f, %u packets\n", with - without, without, n);
    return 0;
}
