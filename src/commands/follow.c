/* peel follow: the bytes of a conversation, reassembled; or of all of them, into files. */
#include "output/follow.h"
#include "base/text.h"
#include "commands/conversation.h"
#include "commands/terminal.h"
#include "host/privilege.h"
#include "output/split.h"
#include "protocol/protocol.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLOR = 256, ASCII, UNPACK, SPLIT, ONLY, OUTPUT_BYTES = 256 << 10 };

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 'c', "max", "N", N_("stop after N packets of the conversation") },
    { 'T', "format", "ascii|hex|raw|json", N_("text, hex, the bytes themselves, or a JSON object a piece") },
    { ONLY, "only", "client|server", N_("what one end sent, not the other") },
    { UNPACK, "unpack", NULL, N_("HTTP bodies as they were: chunks joined, gzip, deflate and zstd unpacked") },
    { SPLIT, "split", "DIR", N_("every conversation: what each end sent into a file of its own in DIR") },
    { ASCII, "ascii", NULL, N_("signs and text in ASCII alone") },
    NAMING_ROWS,
    { COLOR, "color", "auto|always|never", N_("colours; NO_COLOR in the environment turns auto off") },
    { 0 },
};

struct command_follow {
    struct conversation talk;
    enum follow_format format;
    const char *color, *split_path;
    bool ascii, unpack, hidden[2], formatted;
    struct style style;
    struct follow follow;
    struct buffer out;
};

static int parse_format(struct command_follow *c, const char *word)
{
    static const char *const words[] = { "ascii", "hex", "raw", "json" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], word)) {
            c->format = (enum follow_format)i;
            c->formatted = true;
            return 0;
        }
    return usage_error(_("follow: -T %s: not one of ascii, hex, raw, json"), word);
}

static int parse_option(void *context, int letter, char *argument)
{
    struct command_follow *c = context;
    int taken = conversation_option(&c->talk, letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case 'T':
        return parse_format(c, argument);
    case ONLY:
        if (strcmp(argument, "client") && strcmp(argument, "server"))
            return usage_error(_("follow: --only %s: not one of client, server"), argument);
        c->hidden[argument[0] == 'c'] = true;
        c->hidden[argument[0] != 'c'] = false;
        return 0;
    case UNPACK:
        c->unpack = true;
        return 0;
    case SPLIT:
        c->split_path = argument;
        return 0;
    case ASCII:
        c->ascii = true;
        return 0;
    case COLOR:
        return terminal_when(&c->color, c->talk.source.command, "color", argument);
    }
    return 0;
}

static int parse(struct command_follow *c, const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, command, argc, argv, parse_option, c);
    if (status)
        return status;
    argc -= options.operand;
    argv += options.operand;
    if (!c->split_path)
        return conversation_operands(&c->talk, argc, argv);
    if (c->unpack || c->formatted || c->hidden[0] || c->hidden[1])
        return usage_error("%s", _("follow: --split writes raw bytes: -T, --only and --unpack do not go with it"));
    if (c->talk.naming.asked)
        return usage_error("%s", _("follow: -N names the ends of one conversation: not with --split"));
    return source_operands(&c->talk.source, argc, argv);
}

/* --- one conversation --- */

static int follow_one(struct command_follow *c, struct error *error)
{
    if (!c->talk.naming.asked) /* names may come over UDP; what TCP carries is shown as bytes */
        c->talk.source.packet.stop = KEY_TCP_PORT;
    int code = conversation_begin(&c->talk, error);
    if (code)
        return code;
    c->follow.names = c->talk.naming.names;
    while ((code = conversation_next(&c->talk, error)) > 0 && !c->out.failed)
        if (c->talk.layer)
            follow_take(&c->follow, &c->out, &c->talk.source.packet, c->talk.layer);
    follow_finish(&c->follow, &c->out);
    return code < 0 ? code : 0;
}

static int run_one(struct command_follow *c)
{
    struct error error;
    terminal_style(&c->style, STDOUT_FILENO, c->color, c->ascii);
    if (buffer_open(&c->out, STDOUT_FILENO, OUTPUT_BYTES))
        return report(error_set(&error, ERROR_MEMORY, "%s", _("no memory")), &error);
    follow_open(&c->follow, &c->style, c->format);
    c->follow.unpack = c->unpack;
    memcpy(c->follow.hidden, c->hidden, sizeof c->hidden);
    int code = follow_one(c, &error);
    int status = terminal_finish(&c->out, code, &error);
    uint64_t missing = follow_missing(&c->follow);
    if (c->format == FOLLOW_RAW && missing && status == EXIT_DONE)
        status = report(error_set(&error, ERROR_NOT_FOUND,
                                  _("follow: %llu bytes of the conversation are missing in the capture"),
                                  (unsigned long long)missing),
                        &error);
    conversation_more(&c->talk);
    conversation_leave(&c->talk);
    buffer_free(&c->out);
    return status;
}

/* --- all of them --- */

/* The folder belongs to who called, as what is made in it. */
static int open_split(struct command_follow *c, struct split **split, struct error *error)
{
    struct source *s = &c->talk.source;
    uid_t owner;
    gid_t group;
    int code = split_open(split, c->split_path, error);
    if (code)
        return code;
    s->wants |= SOURCE_MAKES | SOURCE_SILENT;
    s->folder = split_folder(*split);
    split_makes(*split, source_make, s);
    if (split_is_new(*split) && privilege_caller(&owner, &group) && fchown(s->folder, owner, group))
        return error_set(error, ERROR_SYSTEM, "%s: %s", c->split_path, strerror(errno));
    return 0;
}

static int run_split(struct command_follow *c)
{
    struct error error, second;
    struct split *split = NULL;
    struct source *s = &c->talk.source;
    s->levels = TRACK_STREAMS;
    s->packet.stop = s->display_filter ? KEY_NONE : KEY_TCP_PORT;
    int code = open_split(c, &split, &error), taken = 0, finished = 0;
    if (!code)
        code = source_begin(s, &error);
    if (!code) {
        while ((code = source_next(s, &error)) > 0 && !(taken = split_take(split, &s->packet, &error)))
            ;
        finished = split_finish(split, &second);
    }
    int status = report(taken ? taken : code, &error);
    if (finished && status == EXIT_DONE)
        status = report(finished, &second);
    if (split && split_left_out(split))
        fprintf(stderr, _("peel: follow: more than %d conversations: %llu have no files\n"), SPLIT_STREAMS,
                (unsigned long long)split_left_out(split));
    split_close(split);
    source_close(s);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct command_follow c = { .color = "auto" };
    c.talk.source.command = command;
    int status = parse(&c, command, argc, argv);
    if (status)
        return status;
    return c.split_path ? run_split(&c) : run_one(&c);
}

const struct command follow_command = {
    .name = "follow",
    .summary = N_("the bytes of a conversation, reassembled"),
    .usage = CONVERSATION_USAGE,
    .options = rows,
    .run = run,
};
