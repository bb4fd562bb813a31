/* peel send: packets crafted from expressions, or read from captures, onto the wire, into a capture, or shown. */
#include "base/text.h"
#include "capture/writer.h"
#include "commands/source.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "inject/script.h"
#include "output/diagram.h"
#include "output/hex.h"
#include "output/text.h"
#include "output/tree.h"
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RATE = 256, FLOOD, INTERVAL, SPEED, SET, DRY_RUN, PACKETS_MAX = 256, SETS_MAX = 64, OUTPUT_BYTES = 64 << 10 };
enum { SECOND = 1000000000, LINK_RAW = 101 };

static const struct option_row rows[] = {
    { 'w', "write", "FILE", N_("into a capture instead of onto the wire: pcapng, or pcap if it ends in .pcap") },
    { DRY_RUN, "dry-run", NULL, N_("only show what would be sent") },
    { 'c', "count", "N", N_("so many packets in all, the given ones over and over; 0: without an end") },
    { RATE, "rate", "N", N_("so many packets a second; with k or M: thousands, millions") },
    { INTERVAL, "interval", "SECONDS", N_("so long between two packets; the default is 1") },
    { FLOOD, "flood", NULL, N_("as fast as it goes") },
    { SPEED, "speed", "X", N_("with -r: X times as fast as they were captured") },
    { SET, "set", "FIELD=VALUE",
      N_("set a field in each packet that has its layer; checksums follow; again for more") },
    SOURCE_ROWS,
    { 'v', "tree", NULL, N_("with --dry-run: each packet's layers and fields as a tree") },
    { 'x', "hex", NULL, N_("with --dry-run: hex and ASCII; -xx with the link header") },
    { 'd', "diagram", NULL, N_("with --dry-run: each header drawn as a bit diagram") },
    { 0 },
};

/* A field to be set in every packet. */
struct setting {
    const struct protocol *protocol;
    const char *name;  /* of the field within it */
    const char *value; /* as text */
};

struct send {
    /* asked for */
    struct source source;
    const char *write_path;
    struct setting settings[SETS_MAX];
    unsigned setting_count, hex;
    unsigned long long most;
    int64_t interval; /* nanoseconds between two packets; 0: as fast as it goes; -1: not said */
    double speed;
    bool counted, dry_run, tree, diagram, replay;
    char **expressions;
    int expression_count;
    /* at work */
    struct script *script;
    struct craft *crafts[PACKETS_MAX];
    struct writer *writer;
    struct style style;
    struct text text;
    struct buffer out;
    struct packet shown;
    uint64_t sent;
    int64_t start; /* the time of the first one, nanoseconds since 1970 */
};

/* "500k", "1.5M" */
static bool parse_rate(const char *text, double *rate)
{
    char *end;
    errno = 0;
    *rate = strtod(text, &end);
    if (*end == 'k' || *end == 'M') {
        *rate *= *end == 'k' ? 1e3 : 1e6;
        end++;
    }
    return end != text && !*end && !errno && *rate > 0 && *rate <= 1e9;
}

static bool parse_seconds(const char *text, int64_t *nanoseconds)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    *nanoseconds = (int64_t)(seconds * SECOND + 0.5);
    return end != text && !*end && !errno && seconds >= 0 && seconds <= 1e9;
}

/* "ip.dst=10.0.0.1": the protocol is the longest that the name begins with. */
static int parse_setting(struct send *s, char *argument)
{
    char *equals = strchr(argument, '=');
    if (!equals || equals == argument)
        return usage_error(_("send: --set %s: not FIELD=VALUE"), argument);
    if (s->setting_count == SETS_MAX)
        return usage_error(_("send: more than %d fields to set"), SETS_MAX);
    *equals = 0;
    struct setting set = { .value = equals + 1 };
    size_t longest = 0;
    for (const struct protocol *const *p = protocols; *p; p++) {
        size_t n = strlen((*p)->name);
        if (n > longest && !strncmp((*p)->name, argument, n) && argument[n] == '.') {
            longest = n;
            set.protocol = *p;
            set.name = argument + n + 1;
        }
    }
    if (!set.protocol)
        return usage_error(_("send: --set %s: no protocol of that name"), argument);
    s->settings[s->setting_count++] = set;
    return 0;
}

static int parse_option(struct send *s, int letter, char *argument)
{
    double rate;
    switch (letter) {
    case 'w':
        s->write_path = argument;
        return 0;
    case DRY_RUN:
        s->dry_run = true;
        return 0;
    case 'c':
        s->counted = true;
        if (!parse_number(argument, 0, UINT64_MAX, &s->most))
            return usage_error(_("send: -c %s: not a number of packets"), argument);
        return 0;
    case RATE:
        if (!parse_rate(argument, &rate))
            return usage_error(_("send: --rate %s: not a number of packets a second"), argument);
        s->interval = (int64_t)(SECOND / rate + 0.5);
        return 0;
    case INTERVAL:
        if (!parse_seconds(argument, &s->interval))
            return usage_error(_("send: --interval %s: not a number of seconds"), argument);
        return 0;
    case FLOOD:
        s->interval = 0;
        return 0;
    case SPEED:
        if (!parse_rate(argument, &s->speed))
            return usage_error(_("send: --speed %s: not a number above 0"), argument);
        return 0;
    case SET:
        return parse_setting(s, argument);
    case 'v':
        s->tree = true;
        return 0;
    case 'x':
        s->hex++;
        return 0;
    case 'd':
        s->diagram = true;
        return 0;
    }
    return source_option(&s->source, letter, argument) < 0 ? EXIT_USAGE : 0;
}

static int check(struct send *s, int argc, char **argv)
{
    s->replay = s->source.file_count > 0;
    if (s->replay)
        return source_operands(&s->source, argc, argv);
    if (!argc)
        return usage_error("%s", _("send: no packet: give one, as 'eth{}/ip{dst=\"10.0.0.1\"}/udp{}', or -r FILE"));
    if (argc > PACKETS_MAX)
        return usage_error(_("send: more than %d packets"), PACKETS_MAX);
    if (s->speed > 0)
        return usage_error("%s", _("send: --speed needs -r FILE"));
    s->expressions = argv;
    s->expression_count = argc;
    return 0;
}

static int parse(struct send *s, const struct command *command, int argc, char **argv)
{
    struct options options;
    options_begin(&options, command, argc, argv);
    int letter, status = 0;
    while ((letter = options_next(&options)) > 0 && !status)
        status = parse_option(s, letter, (char *)(uintptr_t)options.argument);
    if (letter < 0 || status)
        return EXIT_USAGE;
    if ((status = check(s, argc - options.operand, argv + options.operand)))
        return status;
    if ((s->tree || s->diagram || s->hex) && !s->dry_run)
        return usage_error("%s", _("send: -v, -d and -x need --dry-run"));
    if (!s->write_path && !s->dry_run)
        return usage_error("%s", _("send: where to? -w FILE or --dry-run"));
    return 0;
}

/* Sets what --set asks for; returns whether the packet has such a layer, or a negative error. */
static int apply(const struct send *s, struct craft *craft, struct error *error)
{
    int changed = 0;
    for (unsigned i = 0; i < s->setting_count; i++) {
        const struct setting *set = &s->settings[i];
        for (unsigned k = 0; k < craft_layer_count(craft); k++) {
            struct craft_value value;
            if (craft_layer_protocol(craft, k) != set->protocol)
                continue;
            if (!craft_value_text(&value, set->value))
                return error_set(error, ERROR_MEMORY, _("no memory"));
            int code = craft_set(craft, k, set->name, &value, error);
            if (code)
                return code;
            changed = 1;
        }
    }
    return changed;
}

static void show(struct send *s, const struct record *r)
{
    struct packet *p = &s->shown;
    packet_reset(p, r->bytes);
    p->time_delta = p->number ? r->time - p->time : 0;
    p->number = s->sent + 1;
    p->time = r->time;
    p->time_relative = r->time - s->start;
    p->timed = true;
    p->link_type = r->link_type;
    p->wire_length = r->wire_length;
    dissect(p);
    text_write(&s->text, &s->out, p);
    if (s->tree)
        tree_write(&s->out, p, &s->style);
    if (s->diagram)
        diagram_write(&s->out, p, &s->style);
    if (s->hex)
        hex_write(&s->out, p, s->hex > 1, &s->style);
    if (s->tree | s->diagram | (s->hex > 0))
        buffer_char(&s->out, '\n');
}

/* One packet to where they go. */
static int put(struct send *s, const struct record *r, struct error *error)
{
    int code = 0;
    if (s->dry_run)
        show(s, r);
    if (s->write_path)
        code = writer_put(s->writer, r, error);
    s->sent++;
    return code;
}

static int put_crafted(struct send *s, struct craft *craft, struct error *error)
{
    struct record r = { .timed = true, .link_type = craft_link_type(craft) };
    int code = craft_build(craft, &r.bytes, error);
    if (code)
        return code;
    if (r.link_type == CRAFT_NO_LINK)
        r.link_type = LINK_RAW;
    r.wire_length = (uint32_t)r.bytes.left;
    r.time = s->start + (int64_t)s->sent * s->interval;
    return put(s, &r, error);
}

static int craft_all(struct send *s, struct error *error)
{
    int code = script_open(&s->script, error);
    for (int i = 0; i < s->expression_count && !code; i++) {
        code = script_packet(s->script, s->expressions[i], &s->crafts[i], error);
        if (!code && (code = apply(s, s->crafts[i], error)) > 0)
            code = 0;
    }
    return code;
}

static int send_crafted(struct send *s, struct error *error)
{
    int code = craft_all(s, error);
    unsigned long long most = s->counted ? s->most ? s->most : UINT64_MAX : (unsigned long long)s->expression_count;
    if (s->interval < 0)
        s->interval = SECOND;
    while (!code && s->sent < most)
        code = put_crafted(s, s->crafts[s->sent % (unsigned)s->expression_count], error);
    return code;
}

/* A packet of a capture, edited. */
static int put_edited(struct send *s, struct record *r, struct error *error)
{
    struct craft *craft = NULL;
    int code = craft_from_packet(&craft, &s->source.packet, error);
    if (!code && (code = apply(s, craft, error)) > 0) {
        code = craft_build(craft, &r->bytes, error);
        r->wire_length = r->wire_length > r->bytes.left ? r->wire_length : (uint32_t)r->bytes.left;
    }
    if (!code)
        code = put(s, r, error);
    craft_free(craft);
    return code;
}

static int send_replayed(struct send *s, struct error *error)
{
    int64_t first = 0;
    s->source.wants = s->setting_count ? 0 : SOURCE_RECORDS;
    s->source.most = s->most;
    int code = source_begin(&s->source, error);
    while (!code && (code = source_next(&s->source, error)) > 0) {
        struct record r = s->source.record;
        if (!s->sent)
            first = r.time;
        if (s->interval >= 0)
            r.time = s->start + (int64_t)s->sent * s->interval;
        else if (s->speed > 0)
            r.time = s->start + (int64_t)((double)(r.time - first) / s->speed);
        code = s->setting_count ? put_edited(s, &r, error) : put(s, &r, error);
    }
    return code;
}

static void choose_style(struct send *s)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    s->style.color = isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
    s->style.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

/* What the packets' times begin with: now, or what a reproducible build says is now. */
static int64_t start_time(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    unsigned long long seconds;
    struct timespec now;
    if (epoch && parse_number(epoch, 0, INT64_MAX / SECOND, &seconds))
        return (int64_t)seconds * SECOND;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

static int open_outputs(struct send *s, struct error *error)
{
    if (buffer_open(&s->out, STDOUT_FILENO, OUTPUT_BYTES))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    choose_style(s);
    text_open(&s->text, &s->style, FORMAT_RELATIVE, 6);
    return s->write_path ? writer_open(&s->writer, s->write_path, error) : 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct send s = { .interval = -1 };
    struct error error, late;
    s.source.command = command;
    int status = parse(&s, command, argc, argv);
    if (status)
        return status;
    s.start = start_time();
    int code = open_outputs(&s, &error);
    if (!code)
        code = s.replay ? send_replayed(&s, &error) : send_crafted(&s, &error);
    buffer_flush(&s.out);
    int written = s.writer ? writer_close(s.writer, &late) : 0;
    status = report(code, &error);
    if (written && code >= 0)
        status = report(written, &late);
    for (int i = 0; i < s.expression_count; i++)
        craft_free(s.crafts[i]);
    script_close(s.script);
    source_close(&s.source);
    buffer_free(&s.out);
    return status;
}

const struct command send_command = {
    .name = "send",
    .summary = N_("craft packets, or read them from a capture, and send them"),
    .usage = "[OPTIONS] PACKET... | -r FILE [OPTIONS] [FILTER...]",
    .options = rows,
    .run = run,
};
