/* peel dump: a line a packet, fields, JSON, trees, hex and diagrams; or the packets themselves into a file. */
#include "base/clock.h"
#include "base/text.h"
#include "capture/writer.h"
#include "commands/naming.h"
#include "commands/source.h"
#include "commands/terminal.h"
#include "output/diagram.h"
#include "output/fields.h"
#include "output/hex.h"
#include "output/json.h"
#include "output/text.h"
#include "output/tree.h"
#include "track/messages.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 256, COLOR, ANALYSIS, FIELDS_MAX = 256, OUTPUT_BYTES = 256 << 10 };
enum format { FORMAT_TEXT, FORMAT_FIELDS, FORMAT_JSON };

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 'p', NULL, NULL, N_("the same as --no-promisc") },
    { 'w', "write", "FILE",
      N_("write the packets that pass to FILE: pcapng, or pcap if it ends in .pcap; - is standard output") },
    { 'c', "max", "N", N_("stop after N packets that pass") },
    { 'T', "format", "text|fields|json", N_("what a packet is printed as") },
    { 'e', "field", "FIELD", N_("a field for -T fields; again for more") },
    { 'E', "layout", "KEY=VALUE",
      N_("of -T fields: header=y, separator=CHAR|/t|/s, aggregator=CHAR, occurrence=f|l|a, quote=d|s|n") },
    { 't', "time", "r|a|ad|d|dd|e|u|ud", N_("time format; -tt to -ttttt mean what they mean in tcpdump") },
    { 'v', "tree", NULL, N_("each packet's layers and fields as a tree") },
    { 'x', "hex", NULL, N_("hex and ASCII from the network layer on; -xx with the link header") },
    { 'd', "diagram", NULL, N_("each header drawn as a bit diagram") },
    NAMING_ROWS,
    { 'l', "line-buffered", NULL, N_("write each line at once") },
    { 'q', "quiet", NULL, N_("print no packets") },
    { COUNT, "count", NULL, N_("print only how many packets pass") },
    { COLOR, "color", "auto|always|never", N_("colours; NO_COLOR in the environment turns auto off") },
    { ANALYSIS, "analysis", "auto|always|never",
      N_("retransmissions, lost segments, windows in text lines; auto: on a terminal only") },
    { 0 },
};

struct dump {
    /* asked for */
    struct source source;
    const char *names[FIELDS_MAX];
    unsigned name_count;
    const char *write_path, *color, *analysis;
    enum format format;
    enum time_format time_format;
    struct fields_options layout;
    unsigned hex;
    bool tree, diagram, quiet, count_only, line_buffered, terminal;
    /* at work */
    struct style style;
    struct buffer out;
    struct text text;
    struct fields *fields;
    struct json *json;
    struct writer *writer;
    struct naming naming; /* of ends */
};

static int parse_layout(struct fields_options *layout, const char *argument)
{
    const char *value = strchr(argument, '=');
    size_t key = value ? (size_t)(value - argument) : 0;
    if (value)
        value++;
    if (key == 6 && !strncmp(argument, "header", key) && (*value == 'y' || *value == 'n'))
        layout->header = *value == 'y';
    else if (key == 9 && !strncmp(argument, "separator", key) && *value)
        layout->separator = !strcmp(value, "/t") ? '\t' : !strcmp(value, "/s") ? ' ' : *value;
    else if (key == 10 && !strncmp(argument, "aggregator", key) && *value)
        layout->aggregator = !strcmp(value, "/s") ? ' ' : *value;
    else if (key == 10 && !strncmp(argument, "occurrence", key) && *value && strchr("fla", *value))
        layout->occurrence = *value == 'f' ? OCCURRENCE_FIRST : *value == 'l' ? OCCURRENCE_LAST : OCCURRENCE_ALL;
    else if (key == 5 && !strncmp(argument, "quote", key) && *value && strchr("dsn", *value))
        layout->quote = *value == 'd' ? '"' : *value == 's' ? '\'' : 0;
    else
        return usage_error(_("dump: -E %s: not one of header=, separator=, aggregator=, occurrence=, quote="),
                           argument);
    return 0;
}

static int parse_format(struct dump *d, const char *word)
{
    static const char *const words[] = { "text", "fields", "json" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], word)) {
            d->format = (enum format)i;
            return 0;
        }
    return usage_error(_("dump: -T %s: not one of text, fields, json"), word);
}

static int parse_time(struct dump *d, const char *word)
{
    int format = time_format_parse(word);
    if (format < 0)
        return usage_error(_("dump: -t %s: not one of r, a, ad, d, dd, e, u, ud"), word);
    d->time_format = (enum time_format)format;
    return 0;
}

static int parse_option(void *context, int letter, char *argument)
{
    struct dump *d = context;
    if (naming_option(&d->naming, letter, argument))
        return 0;
    int taken = source_option(&d->source, letter == 'p' ? SOURCE_NO_PROMISCUOUS : letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case 'w':
        d->write_path = argument;
        return 0;
    case 'T':
        return parse_format(d, argument);
    case 'e':
        if (d->name_count == FIELDS_MAX)
            return usage_error(_("dump: more than %d fields"), FIELDS_MAX);
        d->names[d->name_count++] = argument;
        return 0;
    case 'E':
        return parse_layout(&d->layout, argument);
    case 't':
        return parse_time(d, argument);
    case COLOR:
        return terminal_when(&d->color, d->source.command, "color", argument);
    case ANALYSIS:
        return terminal_when(&d->analysis, d->source.command, "analysis", argument);
    case 'v':
        d->tree = true;
        return 0;
    case 'x':
        d->hex++;
        return 0;
    case 'd':
        d->diagram = true;
        return 0;
    case 'q':
        d->quiet = true;
        return 0;
    case 'l':
        d->line_buffered = true;
        return 0;
    case COUNT:
        d->count_only = true;
        return 0;
    }
    return 0;
}

static int parse(struct dump *d, const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, command, argc, argv, parse_option, d);
    if (status)
        return status;
    if ((status = source_operands(&d->source, argc - options.operand, argv + options.operand)))
        return status;
    if (d->format == FORMAT_FIELDS && !d->name_count)
        return usage_error("%s", _("dump: -T fields needs at least one -e FIELD"));
    if (d->format != FORMAT_FIELDS && d->name_count)
        return usage_error("%s", _("dump: -e needs -T fields"));
    if (d->format != FORMAT_TEXT && (d->tree || d->diagram || d->hex))
        return usage_error("%s", _("dump: -v, -d and -x need -T text"));
    return 0;
}

/* What was asked for besides the line; a line without text between it and the next packet's. */
static void print_details(struct dump *d)
{
    if (d->tree)
        tree_write(&d->out, &d->source.packet, &d->style);
    if (d->diagram)
        diagram_write(&d->out, &d->source.packet, &d->style);
    if (d->hex)
        hex_write(&d->out, &d->source.packet, d->hex > 1, &d->style);
    buffer_char(&d->out, '\n');
}

/* A name is known from the answer on that tells it. */
static void print_line(struct dump *d, const struct packet *p)
{
    if (d->naming.names)
        names_learn(d->naming.names, p);
    text_write(&d->text, &d->out, p);
}

static void print_packet(struct dump *d)
{
    const struct packet *p = &d->source.packet;
    if (d->format == FORMAT_FIELDS)
        fields_write(d->fields, &d->out, p);
    else if (d->format == FORMAT_JSON)
        json_write(d->json, &d->out, p);
    else
        print_line(d, p);
    if (d->tree | d->diagram | (d->hex > 0))
        print_details(d);
    if (d->line_buffered)
        buffer_flush(&d->out);
}

/* On an interface, when no packet is there right now: what is held goes out. */
static bool write_out(void *context)
{
    struct dump *d = context;
    struct pollfd reader = { .fd = STDOUT_FILENO };
    if (d->writer && writer_flush(d->writer, NULL))
        return false;
    if (!d->write_path)
        buffer_flush(&d->out);
    /* Who read a pipe and left is not noticed by writing before there is something to write. */
    return !d->out.failed && !(poll(&reader, 1, 0) > 0 && reader.revents & POLLERR);
}

static int open_outputs(struct dump *d, struct error *error)
{
    if (d->write_path) {
        int code = writer_open(&d->writer, d->write_path, error);
        if (!code && source_is_coarse(&d->source))
            writer_microseconds(d->writer);
        return code;
    }
    if (d->quiet || d->count_only)
        return 0;
    if (d->format == FORMAT_JSON)
        return json_open(&d->json, error);
    if (d->format == FORMAT_FIELDS) {
        fields_header(d->fields, &d->out);
        return 0;
    }
    text_open(&d->text, &d->style, d->time_format, source_nanoseconds(&d->source) ? 9 : 6);
    d->text.names = d->naming.names;
    if (d->style.columns)
        text_header(&d->text, &d->out);
    return 0;
}

/* All packets that pass. Returns 0 or a negative error. */
static int print_all(struct dump *d, struct error *error)
{
    struct source *s = &d->source;
    int code = source_begin(s, error), written = 0;
    if (!code)
        code = open_outputs(d, error);
    if (code)
        return code;
    if (d->writer)
        while (!written && (code = source_next(s, error)) > 0)
            written = writer_put(d->writer, &s->record, error);
    else if (d->quiet || d->count_only)
        while ((code = source_next(s, error)) > 0)
            ;
    else
        while ((code = source_next(s, error)) > 0 && !d->out.failed)
            print_packet(d);
    return written ? written : code < 0 ? code : 0;
}

static int finish(struct dump *d, int code, struct error *error)
{
    struct error write_error;
    int written = 0;
    if (d->count_only)
        buffer_format(&d->out, "%llu\n", (unsigned long long)d->source.passed);
    if (d->writer)
        written = writer_close(d->writer, &write_error);
    buffer_flush(&d->out);
    int status = report(code, error);
    if (written && code >= 0)
        status = report(written, &write_error);
    const struct messages *messages = d->source.tracker.messages;
    if (messages && messages_lost(messages))
        fprintf(stderr, _("peel: dump: too much would have had to be kept: %llu messages over TCP are not shown\n"),
                (unsigned long long)messages_lost(messages));
    if (d->out.failed && d->out.failed != EPIPE) {
        error_set(error, ERROR_SYSTEM, _("standard output: %s"), strerror(d->out.failed));
        status = report(ERROR_SYSTEM, error);
    }
    return status;
}

/* Lines on a pipe go without analysis: it takes a seventh of their time again, and programs ask for fields. */
static unsigned wanted_levels(const struct dump *d)
{
    bool lines = d->format == FORMAT_TEXT && !d->tree;
    bool analysis = !strcmp(d->analysis, "always") || (!strcmp(d->analysis, "auto") && (!lines || d->terminal));
    return TRACK_STREAMS | (analysis ? TRACK_ANALYSIS | TRACK_ANSWERS : 0) |
           (lines ? 0 : TRACK_MESSAGES | TRACK_ANSWERS);
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct dump d = { .color = "auto", .analysis = "auto", .layout = { .separator = '\t', .aggregator = ',' } };
    d.source.command = command;
    int status = parse(&d, command, argc, argv);
    if (status)
        return status;
    terminal_style(&d.style, STDOUT_FILENO, d.color, false);
    d.terminal = isatty(STDOUT_FILENO);
    d.line_buffered |= d.terminal;
    d.source.tick = write_out;
    d.source.context = &d;
    struct error error;
    if (buffer_open(&d.out, STDOUT_FILENO, OUTPUT_BYTES))
        return report(error_set(&error, ERROR_MEMORY, "%s", _("no memory")), &error);
    int code = d.name_count ? fields_open(&d.fields, d.names, d.name_count, &d.layout, &error) : 0;
    if (!code && d.format == FORMAT_TEXT)
        code = naming_open(&d.naming, &error);
    if (!code) {
        bool records = d.write_path || d.quiet || d.count_only;
        d.source.wants = records ? SOURCE_RECORDS | SOURCE_SILENT : 0;
        d.source.levels = d.fields ? tracker_levels(fields_notes(d.fields)) : wanted_levels(&d);
        d.source.packet.streams = d.fields != NULL; /* what is over TCP either asks for messages, or is not asked for */
        code = print_all(&d, &error);
    }
    status = finish(&d, code, &error);
    fields_close(d.fields);
    json_close(d.json);
    naming_close(&d.naming);
    source_close(&d.source);
    buffer_free(&d.out);
    return status;
}

const struct command dump_command = {
    .name = "dump",
    .summary = N_("a line a packet; trees, hex, header diagrams, fields, JSON"),
    .usage = "-r FILE | -i IFACE [OPTIONS] [FILTER...]",
    .options = rows,
    .run = run,
};
