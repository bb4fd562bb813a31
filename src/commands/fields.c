/* peel fields: every field peel knows. */
#include "base/text.h"
#include "commands/options.h"
#include "commands/terminal.h"
#include "output/fields_list.h"
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
    struct style style;
    terminal_style(&style, STDOUT_FILENO, "auto", false);
    struct error error;
    struct buffer out;
    if (buffer_open(&out, STDOUT_FILENO, 1 << 16))
        return report(error_set(&error, ERROR_MEMORY, "%s", _("no memory")), &error);
    int code = fields_list_write(&out, argc > options.operand ? argv[options.operand] : NULL, &style, &error);
    int status = terminal_finish(&out, code, &error);
    buffer_free(&out);
    return status;
}

const struct command fields_command = {
    .name = "fields",
    .summary = N_("every field peel knows: name, type, where it lies, what it means"),
    .usage = "[PROTO]",
    .options = rows,
    .run = run,
};
