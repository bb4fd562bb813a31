/* What it costs to take an application's messages apart: nanoseconds for each of a capture's packets that have one,
 * over those of the same packets taken apart as far as UDP or TCP. */
#include "dissectors/registry.h"
#include "kept.h"

enum { PACKETS = 4096, TURNS = 9, LEAST = 200000 };

static struct kept kept[PACKETS];
static struct packet packet;

/* Keeps those that have a layer of the protocol; how many. */
static unsigned choose(unsigned n, const struct protocol *protocol)
{
    unsigned chosen = 0;
    for (unsigned i = 0; i < n; i++) {
        bool has = false;
        kept_dissect(&kept[i], &packet);
        for (unsigned k = 1; k < packet.layer_count; k++)
            has |= packet.layers[k].protocol == protocol;
        if (has)
            kept[chosen++] = kept[i];
    }
    return chosen;
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
                kept_dissect(&kept[i], &packet);
        double took = (now() - start) / rounds / n;
        least = took < least ? took : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    registry_open();
    const struct protocol *protocol = argc > 3 ? registry_by_name(argv[2]) : NULL;
    unsigned n = protocol ? choose(kept_load(kept, PACKETS, argv[1]), protocol) : 0;
    if (!n) {
        fprintf(stderr, "application CAPTURE PROTOCOL udp|tcp\n");
        return 2;
    }
    double with = best(n, 0), without = best(n, !strcmp(argv[3], "tcp") ? KEY_TCP_PORT : KEY_UDP_PORT);
    printf("%7.1f ns more than %.1f, %u packets\n", with - without, without, n);
    return 0;
}
