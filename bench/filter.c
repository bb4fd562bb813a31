/* What a display filter costs: nanoseconds a packet, on packets that were dissected before the clock starts. */
#include "filter/filter.h"
#include "dissectors/registry.h"
#include "kept.h"

enum { PACKETS = 256, ROUNDS = 40000 };

static struct packet packets[PACKETS];

static unsigned load(const char *path)
{
    static struct kept kept[PACKETS];
    unsigned n = kept_load(kept, PACKETS, path);
    for (unsigned i = 0; i < n; i++) {
        packets[i].number = i + 1;
        kept_dissect(&kept[i], &packets[i]);
    }
    return n;
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
