/* peel ladder: one conversation as a sequence diagram. */
#include "output/ladder.h"
#include "base/text.h"
#include "commands/conversation.h"
#include "commands/terminal.h"
#include "output/ladder_svg.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLOR = 256, ASCII, WIDTH, WITH, EACH, SVG, OUTPUT_BYTES = 64 << 10 };

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 'c', "max", "N", N_("stop after N packets of the conversation") },
    { EACH, "each", NULL, N_("an arrow a segment: long transfers are not folded") },
    { WITH, "with", "arp,icmp,dns,udp|all", N_("what else the two ends exchange: ARP, ICMP, name lookups, other UDP") },
    { WIDTH, "width", "COLUMNS", N_("lines as long as that; else as wide as the terminal, or 80") },
    { SVG, "svg", "FILE", N_("a picture into FILE, for a page or a slide; - is standard output") },
    { ASCII, "ascii", NULL, N_("draw with ASCII alone") },
    NAMING_ROWS,
    { COLOR, "color", "auto|always|never", N_("colours; NO_COLOR in the environment turns auto off") },
    { 0 },
};

struct command_ladder {
    struct conversation talk;
    const char *color, *svg_path;
    unsigned long long width;
    bool ascii, each;
    struct style style;
    struct ladder ladder;
    struct ladder_svg svg;
    struct buffer out;
};

static int parse_option(void *context, int letter, char *argument)
{
    struct command_ladder *c = context;
    int taken = conversation_option(&c->talk, letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case EACH:
        c->each = true;
        return 0;
    case SVG:
        c->svg_path = argument;
        return 0;
    case ASCII:
        c->ascii = true;
        return 0;
    case WITH:
        return conversation_with(&c->talk, argument);
    case WIDTH:
        if (parse_number(argument, LADDER_COLUMNS_LEAST, 1000, &c->width))
            return 0;
        return usage_error(_("ladder: --width %s: not a number from %d to 1000"), argument, LADDER_COLUMNS_LEAST);
    case COLOR:
        return terminal_when(&c->color, c->talk.source.command, "color", argument);
    }
    return 0;
}

static int parse(struct command_ladder *c, const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, command, argc, argv, parse_option, c);
    if (status)
        return status;
    return conversation_operands(&c->talk, argc - options.operand, argv + options.operand);
}

static int draw_all(struct command_ladder *c, struct error *error)
{
    c->talk.source.levels = TRACK_STREAMS | TRACK_STATES | TRACK_ANALYSIS;
    int code = conversation_begin(&c->talk, error);
    if (code)
        return code;
    if (c->talk.companions)
        conversation_addresses(&c->talk, &c->ladder.ends);
    c->ladder.names = c->talk.naming.names;
    while ((code = conversation_next(&c->talk, error)) > 0 && !c->out.failed)
        ladder_take(&c->ladder, &c->out, &c->talk.source.packet, c->talk.layer);
    ladder_finish(&c->ladder, &c->out);
    return code < 0 ? code : 0;
}

/* Where the picture or the lines go. */
static int open_outputs(struct command_ladder *c, struct error *error)
{
    int fd = STDOUT_FILENO;
    terminal_style(&c->style, STDOUT_FILENO, c->color, c->ascii);
    unsigned columns = c->width ? (unsigned)c->width : c->style.columns;
    if (ladder_open(&c->ladder, &c->style, columns) || (c->svg_path && ladder_svg_open(&c->svg, &c->ladder)))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    c->ladder.fold = !c->each;
    if (c->svg_path && strcmp(c->svg_path, "-") != 0)
        fd = open(c->svg_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_set(error, ERROR_SYSTEM, "%s: %s", c->svg_path, strerror(errno));
    return buffer_open(&c->out, fd, OUTPUT_BYTES) ? error_set(error, ERROR_MEMORY, "%s", _("no memory")) : 0;
}

static int finish(struct command_ladder *c, int code, struct error *error)
{
    bool file = c->out.start && c->out.fd != STDOUT_FILENO;
    if (c->svg_path && c->talk.found)
        ladder_svg_write(&c->svg, &c->ladder, &c->out);
    if (!file)
        return terminal_finish(&c->out, code, error);
    buffer_flush(&c->out);
    int status = report(code, error);
    if (close(c->out.fd) && !c->out.failed)
        c->out.failed = errno;
    if (c->out.failed)
        status = report(error_set(error, ERROR_SYSTEM, "%s: %s", c->svg_path, strerror(c->out.failed)), error);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct command_ladder c = { .color = "auto" };
    struct error error;
    c.talk.source.command = command;
    int status = parse(&c, command, argc, argv);
    if (status)
        return status;
    int code = open_outputs(&c, &error);
    if (code)
        return report(code, &error);
    code = draw_all(&c, &error);
    status = finish(&c, code, &error);
    conversation_more(&c.talk);
    conversation_leave(&c.talk);
    ladder_close(&c.ladder);
    ladder_svg_close(&c.svg);
    buffer_free(&c.out);
    return status;
}

const struct command ladder_command = {
    .name = "ladder",
    .summary = N_("one conversation as a sequence diagram, the states of both ends beside each arrow"),
    .usage = CONVERSATION_USAGE,
    .options = rows,
    .run = run,
};
