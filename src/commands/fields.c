/* peel fields: every field peel knows. */
#include "base/text.h"
#include "commands/options.h"
#include "output/fields_list.h"
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_row rows[] = {
    { 0 },
};

static int run(const struct command *command, int argc, char **argv)
{
    struct options options;
    options_begin(&options, command, argc, argv);
    if (options_next(&options) < 0)
        return EXIT_USAGE;
    if (argc - options.operand > 1)
        return usage_error("%s", _("fields: more than one protocol"));
    const char *no_color = getenv("NO_COLOR");
    struct style style = { .color = isatty(STDOUT_FILENO) && !(no_color && *no_color),
                           .ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0 };
    struct error error;
    struct buffer out;
    if (buffer_open(&out, STDOUT_FILENO, 1 << 16))
        return report(error_set(&error, ERROR_MEMORY, "%s", _("no memory")), &error);
    int code = fields_list_write(&out, argc > options.operand ? argv[options.operand] : NULL, &style, &error);
    buffer_flush(&out);
    if (!code && out.failed && out.failed != EPIPE)
        code = error_set(&error, ERROR_SYSTEM, _("standard output: %s"), strerror(out.failed));
    buffer_free(&out);
    return report(code, &error);
}

const struct command fields_command = {
    .name = "fields",
    .summary = N_("every field peel knows: name, type, where it lies, what it means"),
    .usage = "[PROTO]",
    .options = rows,
    .run = run,
};
