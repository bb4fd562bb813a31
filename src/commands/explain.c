/* peel explain: one conversation told in plain words. */
#include "output/explain.h"
#include "base/text.h"
#include "commands/conversation.h"
#include "commands/terminal.h"
#include <unistd.h>

enum { COLOR = 256, ASCII, WIDTH, OUTPUT_BYTES = 64 << 10, WIDTH_MOST = 1000 };

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 'c', "max", "N", N_("stop after N packets of the conversation") },
    { WIDTH, "width", "COLUMNS", N_("lines no longer than that; else than the terminal, and 100 at most") },
    { ASCII, "ascii", NULL, N_("ASCII alone, as far as the language can") },
    NAMING_ROWS,
    { COLOR, "color", "auto|always|never", N_("colours; NO_COLOR in the environment turns auto off") },
    { 0 },
};

struct command_explain {
    struct conversation talk;
    const char *color;
    unsigned long long width;
    bool ascii;
    struct style style;
    struct explain explain;
    struct buffer out;
};

static int parse_option(void *context, int letter, char *argument)
{
    struct command_explain *c = context;
    int taken = conversation_option(&c->talk, letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case ASCII:
        c->ascii = true;
        return 0;
    case WIDTH:
        if (parse_number(argument, EXPLAIN_COLUMNS_LEAST, WIDTH_MOST, &c->width))
            return 0;
        return usage_error(_("explain: --width %s: not a number from %d to %d"), argument, EXPLAIN_COLUMNS_LEAST,
                           WIDTH_MOST);
    case COLOR:
        return terminal_when(&c->color, c->talk.source.command, "color", argument);
    }
    return 0;
}

static int parse(struct command_explain *c, const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, command, argc, argv, parse_option, c);
    if (status)
        return status;
    return conversation_operands(&c->talk, argc - options.operand, argv + options.operand);
}

static int tell_all(struct command_explain *c, struct error *error)
{
    c->talk.source.levels = TRACK_STREAMS | TRACK_STATES | TRACK_ANALYSIS;
    int code = conversation_begin(&c->talk, error);
    if (code)
        return code;
    c->explain.ladder.names = c->talk.naming.names;
    while ((code = conversation_next(&c->talk, error)) > 0 && !c->out.failed)
        if (c->talk.layer)
            explain_take(&c->explain, &c->out, &c->talk.source.packet, c->talk.layer);
    explain_finish(&c->explain, &c->out);
    return code < 0 ? code : 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct command_explain c = { .color = "auto" };
    struct error error;
    c.talk.source.command = command;
    int status = parse(&c, command, argc, argv);
    if (status)
        return status;
    terminal_style(&c.style, STDOUT_FILENO, c.color, c.ascii);
    unsigned columns = c.width ? (unsigned)c.width : c.style.columns;
    if (buffer_open(&c.out, STDOUT_FILENO, OUTPUT_BYTES) || explain_open(&c.explain, &c.style, columns))
        return report(error_set(&error, ERROR_MEMORY, "%s", _("no memory")), &error);
    int code = tell_all(&c, &error);
    status = terminal_finish(&c.out, code, &error);
    conversation_more(&c.talk);
    conversation_leave(&c.talk);
    explain_close(&c.explain);
    buffer_free(&c.out);
    return status;
}

const struct command explain_command = {
    .name = "explain",
    .summary = N_("one conversation told in plain words, for people who learn"),
    .usage = CONVERSATION_USAGE,
    .options = rows,
    .run = run,
};
