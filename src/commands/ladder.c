/* peel ladder: one conversation as a sequence diagram. */
#include "output/ladder.h"
#include "base/text.h"
#include "commands/source.h"
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct option_row rows[] = { SOURCE_ROWS, { 0 } };

static int run(const struct command *command, int argc, char **argv)
{
    static struct source source;
    static struct ladder ladder;
    struct style style = { 0 };
    struct buffer out;
    struct error error;
    source.command = command;
    struct options options;
    options_begin(&options, command, argc, argv);
    int letter;
    while ((letter = options_next(&options)) > 0)
        if (source_option(&source, letter, options.argument) < 0)
            return EXIT_USAGE;
    if (source_operands(&source, argc - options.operand, argv + options.operand))
        return EXIT_USAGE;
    source.levels = TRACK_STREAMS | TRACK_STATES | TRACK_ANALYSIS;
    buffer_open(&out, 1, 65536);
    int code = source_begin(&source, &error);
    ladder_open(&ladder, &style, getenv("COLUMNS") ? (unsigned)atoi(getenv("COLUMNS")) : 0);
    while (!code && (code = source_next(&source, &error)) > 0) {
        struct packet *p = &source.packet;
        const struct layer *l = NULL;
        for (unsigned i = 0; i < p->layer_count; i++)
            if (p->layers[i].note)
                l = &p->layers[i];
        ladder_take(&ladder, &out, p, l);
        code = 0;
    }
    ladder_finish(&ladder, &out);
    buffer_flush(&out);
    return report(code, &error);
}

const struct command ladder_command = {
    .name = "ladder",
    .summary = N_("one conversation as a sequence diagram, with the states of both ends"),
    .usage = "-r FILE [OPTIONS] [CONVERSATION]",
    .options = rows,
    .run = run,
};
