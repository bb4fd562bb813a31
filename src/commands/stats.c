#include "base/text.h"
#include "commands/source.h"
#include "track/statistics.h"
#include <stdio.h>
#include <stdlib.h>
static const struct option_row rows[] = { SOURCE_ROWS, { 0 } };
static int run(const struct command *command, int argc, char **argv)
{
    static struct source s;
    static struct statistics st;
    struct error error;
    s.command = command;
    s.files[0] = argv[1];
    s.file_count = 1;
    int code = source_begin(&s, &error);
    statistics_open(&st, argc > 2 ? (unsigned)atoi(argv[2]) : 15, 0);
    while ((code = source_next(&s, &error)) > 0)
        if (argc <= 3)
            statistics_take(&st, &s.packet);
    uint64_t p, b;
    statistics_totals(&st, &p, &b);
    printf("%lu %lu nodes %u flows %u bins %u width %lu\n", p, b, st.node_count, st.flows.live, st.series.count, st.series.width);
    return report(code, &error);
}
const struct command stats_command = { .name = "stats", .summary = "x", .usage = "", .options = rows, .run = run };
