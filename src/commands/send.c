/* peel send: packets crafted from expressions, or read from captures, onto the wire, into a capture, or shown. */
#include "base/clock.h"
#include "base/text.h"
#include "capture/writer.h"
#include "commands/inquiry.h"
#include "commands/source.h"
#include "commands/terminal.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "host/stop.h"
#include "inject/script.h"
#include "inject/sender.h"
#include "output/diagram.h"
#include "output/hex.h"
#include "output/text.h"
#include "output/tree.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    VIA = 512,
    QUIET = 'q',
    RATE = 256,
    FLOOD,
    INTERVAL,
    SPEED,
    SET,
    DRY_RUN,
    WAIT,
    PACKETS_MAX = 256,
    SETS_MAX = 64,
    OUTPUT_BYTES = 64 << 10
};
enum { SECOND = 1000000000, LINK_RAW = 101, LINK_IPV4 = 228, LINK_IPV6 = 229 };

static const struct option_row rows[] = {
    { 'i', "interface", "IFACE", N_("send by this interface; the default is the route's") },
    { 'w', "write", "FILE", N_("into a capture instead of onto the wire: pcapng, or pcap if it ends in .pcap") },
    { DRY_RUN, "dry-run", NULL, N_("only show what would be sent") },
    { 'c', "count", "N", N_("so many packets in all, the given ones over and over; 0: without an end") },
    { 'a', "answers", NULL, N_("show each packet and what answers it; status 1 where nothing does") },
    { WAIT, "wait", "SECONDS", N_("with -a: for answers to the last packet; the default is 1") },
    { RATE, "rate", "N", N_("so many packets a second; with k or M: thousands, millions") },
    { INTERVAL, "interval", "SECONDS", N_("so long between two packets; the default is 1") },
    { FLOOD, "flood", NULL, N_("as fast as it goes") },
    { VIA, "via", "auto|socket|xdp", N_("with --flood: by AF_XDP where it can be had, or not, or only so") },
    { SPEED, "speed", "X", N_("with -r: X times as fast as they were captured") },
    { SET, "set", "FIELD=VALUE",
      N_("set a field in each packet that has its layer; checksums follow; again for more") },
    SOURCE_FILE_ROWS,
    SOURCE_FILTER_ROWS,
    { 'v', "tree", NULL, N_("with --dry-run or -a: each packet's layers and fields as a tree") },
    { 'x', "hex", NULL, N_("with --dry-run or -a: hex and ASCII; -xx with the link header") },
    { 'd', "diagram", NULL, N_("with --dry-run or -a: each header drawn as a bit diagram") },
    { QUIET, "quiet", NULL, N_("no line about what was sent") },
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
    const char *write_path, *interface, *via;
    struct setting settings[SETS_MAX];
    unsigned setting_count, hex;
    unsigned long long most;
    int64_t interval; /* nanoseconds between two packets; 0: as fast as it goes; -1: not said */
    int64_t wait;     /* nanoseconds; -1: not said */
    double speed;
    bool counted, dry_run, tree, diagram, replay, flood, quiet, answers;
    char **expressions;
    int expression_count;
    /* at work */
    struct script *script;
    struct craft *crafts[PACKETS_MAX];
    int counting[PACKETS_MAX]; /* layers whose ports or numbers count what is asked; -1: none */
    uint32_t first_port;
    struct sender_lane *lanes[PACKETS_MAX]; /* by which they leave; NULL: not onto a wire */
    struct sender *sender;
    struct writer *writer;
    struct style style;
    struct text text;
    struct buffer out;
    struct inquiry inquiry;
    struct packet shown;
    int64_t first_shown, last_shown; /* times, nanoseconds since 1970 */
    uint64_t sent, lines;
    int64_t start;        /* the time of the first one, nanoseconds since 1970 */
    int64_t steady_start; /* and by the steady clock */
    int refused;          /* the code of the first packet that the interface did not take */
    struct error refusal;
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

static int parse_option(void *context, int letter, char *argument)
{
    struct send *s = context;
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
    case 'a':
        s->answers = true;
        return 0;
    case WAIT:
        if (!parse_seconds(argument, &s->wait))
            return usage_error(_("send: --wait %s: not a number of seconds"), argument);
        return 0;
    case INTERVAL:
        if (!parse_seconds(argument, &s->interval))
            return usage_error(_("send: --interval %s: not a number of seconds"), argument);
        return 0;
    case FLOOD:
        s->interval = 0;
        s->flood = true;
        return 0;
    case VIA:
        if (strcmp(argument, "auto") && strcmp(argument, "socket") && strcmp(argument, "xdp"))
            return usage_error(_("send: --via %s: not one of auto, socket, xdp"), argument);
        s->via = argument;
        return 0;
    case 'i':
        s->interface = argument;
        return 0;
    case QUIET:
        s->quiet = true;
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
    int status = options_read(&options, command, argc, argv, parse_option, s);
    if (status)
        return status;
    if ((status = check(s, argc - options.operand, argv + options.operand)))
        return status;
    if ((s->tree || s->diagram || s->hex) && !s->dry_run && !s->answers)
        return usage_error("%s", _("send: -v, -d and -x need --dry-run or -a"));
    if (s->answers && (s->dry_run || s->write_path || s->flood))
        return usage_error("%s", _("send: -a goes with none of --dry-run, -w and --flood"));
    if (s->wait >= 0 && !s->answers)
        return usage_error("%s", _("send: --wait needs -a"));
    if (s->replay && !s->interface && !s->write_path && !s->dry_run)
        return usage_error("%s", _("send: -r needs -i IFACE, -w FILE or --dry-run"));
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

static struct packet *take_apart(struct send *s, const struct record *r)
{
    struct packet *p = &s->shown;
    packet_reset(p, r->bytes);
    p->time = r->time;
    p->timed = true;
    p->link_type = r->link_type;
    p->wire_length = r->wire_length;
    dissect(p);
    return p;
}

/* Numbers the packet among those shown. */
static void show(struct send *s, struct packet *p)
{
    if (!s->lines++)
        s->first_shown = s->last_shown = p->time;
    p->number = s->lines;
    p->time_delta = p->time - s->last_shown;
    p->time_relative = p->time - s->first_shown;
    s->last_shown = p->time;
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

/* What the interface does not take is counted; the rest goes on. */
static void flush(struct send *s)
{
    struct error error;
    int code = sender_flush(s->sender, &error);
    if (code && !s->refused) {
        s->refused = code;
        s->refusal = error;
    }
}

/* By the steady clock. */
static int64_t when_due(const struct send *s, int64_t time)
{
    return s->steady_start + (time - s->start);
}

/* Until it is time for the packet: a little too late, and several at once, where they are close to each other. */
static void wait_until(struct send *s, int64_t time)
{
    int64_t when = when_due(s, time);
    if (when <= clock_ns(CLOCK_MONOTONIC))
        return;
    flush(s);
    struct timespec until = { when / SECOND, when % SECOND };
    while (!stop_asked() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void show_answer(void *context, struct packet *p)
{
    struct send *s = context;
    show(s, p);
    buffer_flush(&s->out);
}

/* What came back since the last one is shown, and then this one. */
static int ask(struct send *s, const struct record *r, struct sender_lane *lane, struct error *error)
{
    int code = inquiry_wait(&s->inquiry, s->sender, when_due(s, r->time), false, error);
    if (code || stop_asked())
        return code;
    struct packet *p = take_apart(s, r);
    inquiry_prepare(&s->inquiry, p);
    p->time = clock_ns(CLOCK_REALTIME);
    if (!wire_send(lane->wire, r->bytes))
        return error_set(error, ERROR_USAGE, _("a packet of %zu bytes is too long"), r->bytes.left);
    flush(s);
    show(s, p);
    inquiry_sent(&s->inquiry, p);
    buffer_flush(&s->out);
    s->sent++;
    return 0;
}

/* One packet to where they go. */
static int put(struct send *s, const struct record *r, struct sender_lane *lane, struct error *error)
{
    int code = 0;
    if (s->answers)
        return ask(s, r, lane, error);
    if (s->dry_run)
        show(s, take_apart(s, r));
    if (s->write_path)
        code = writer_put(s->writer, r, error);
    if (!s->dry_run && !s->write_path) {
        if (!s->flood)
            wait_until(s, r->time);
        if (!stop_asked() && !wire_send(lane->wire, r->bytes))
            code = error_set(error, ERROR_USAGE, _("a packet of %zu bytes is too long"), r->bytes.left);
    }
    s->sent++;
    return code;
}

/* The layer whose counter was left to us; -1: there is none. Built packets only. */
static int counting_layer(const struct craft *craft)
{
    for (unsigned k = 0; k < craft_layer_count(craft); k++) {
        const struct protocol *protocol = craft_layer_protocol(craft, k);
        const char *name = question_counter(protocol);
        const struct field *row;
        if (name)
            return craft_match(protocol->fields, protocol->name, name, true, &row, 1) && craft_is_open(craft, k, row)
                       ? (int)k
                       : -1;
    }
    return -1;
}

/* A port or number of its own for each question, so that its answer is told from the others'. */
static int tell_apart(struct send *s, unsigned index, struct error *error)
{
    int layer = s->counting[index];
    if (!s->answers || layer < 0)
        return 0;
    const char *name = question_counter(craft_layer_protocol(s->crafts[index], (unsigned)layer));
    bool port = !strcmp(name, "srcport");
    struct craft_value value = { .kind = CRAFT_NUMBER };
    value.number = port ? 49152 + (int64_t)((s->first_port + s->sent) % 16384) : (int64_t)(s->sent + 1) & 0xffff;
    return craft_set(s->crafts[index], (unsigned)layer, name, &value, error);
}

static int put_crafted(struct send *s, unsigned index, struct error *error)
{
    struct record r = { .timed = true, .link_type = craft_link_type(s->crafts[index]) };
    int code = tell_apart(s, index, error);
    if (!code)
        code = craft_build(s->crafts[index], &r.bytes, error);
    if (code)
        return code;
    if (r.link_type == CRAFT_NO_LINK)
        r.link_type = LINK_RAW;
    r.wire_length = (uint32_t)r.bytes.left;
    r.time = s->start + (int64_t)s->sent * s->interval;
    return put(s, &r, s->lanes[index], error);
}

static int craft_all(struct send *s, struct error *error)
{
    int code = script_open(&s->script, NULL, error);
    for (int i = 0; i < s->expression_count && !code; i++) {
        code = script_packet(s->script, s->expressions[i], &s->crafts[i], error);
        if (!code && (code = apply(s, s->crafts[i], error)) > 0)
            code = 0;
        if (!code && s->sender)
            code = sender_complete(s->sender, s->crafts[i], &s->lanes[i], error);
        if (!code && s->answers)
            s->counting[i] = counting_layer(s->crafts[i]);
    }
    return code;
}

static int send_crafted(struct send *s, struct error *error)
{
    int code = craft_all(s, error);
    unsigned long long most = s->counted ? s->most ? s->most : UINT64_MAX : (unsigned long long)s->expression_count;
    if (s->interval < 0)
        s->interval = SECOND;
    s->steady_start = clock_ns(CLOCK_MONOTONIC); /* neighbours were asked for before */
    while (!code && s->sent < most && !stop_asked())
        code = put_crafted(s, (unsigned)(s->sent % (unsigned)s->expression_count), error);
    return code;
}

/* Whether the interface takes packets of this link type as they are. */
static bool fits_wire(const struct sender_lane *lane, uint16_t link_type)
{
    bool ip = link_type == LINK_RAW || link_type == LINK_IPV4 || link_type == LINK_IPV6;
    uint16_t wire = wire_info(lane->wire)->link_type;
    return wire == link_type || (wire == LINK_RAW && ip);
}

/* A packet of a capture, edited, or with the link header that it needs here. */
static int put_edited(struct send *s, struct record *r, struct error *error)
{
    struct craft *craft = NULL;
    struct sender_lane *lane = NULL;
    int code = craft_from_packet(&craft, &s->source.packet, error);
    if (!code && (code = apply(s, craft, error)) > 0) {
        code = craft_build(craft, &r->bytes, error);
        r->wire_length = r->wire_length > r->bytes.left ? r->wire_length : (uint32_t)r->bytes.left;
    }
    if (!code && s->sender) {
        code = sender_complete(s->sender, craft, &lane, error);
        if (!code)
            code = craft_build(craft, &r->bytes, error);
    }
    if (!code)
        code = put(s, r, lane, error);
    craft_free(craft);
    return code;
}

/* A packet of a capture, as it is if that can be. */
static int put_replayed(struct send *s, struct record *r, struct error *error)
{
    struct sender_lane *lane = NULL;
    int code = s->sender ? sender_lane_for(s->sender, r->link_type, &lane, error) : 0;
    if (code)
        return code;
    if (!s->setting_count && (!lane || fits_wire(lane, r->link_type)))
        return put(s, r, lane, error);
    return put_edited(s, r, error);
}

static int send_replayed(struct send *s, struct error *error)
{
    int64_t first = 0;
    s->source.wants = SOURCE_FREE | (s->setting_count || s->sender ? 0u : SOURCE_RECORDS);
    s->steady_start = clock_ns(CLOCK_MONOTONIC);
    s->source.most = s->most;
    int code = source_begin(&s->source, error);
    while (!code && (code = source_next(&s->source, error)) > 0) {
        struct record r = s->source.record;
        if (!s->sent)
            first = r.time;
        if (s->interval >= 0)
            r.time = s->start + (int64_t)s->sent * s->interval;
        else if (s->speed > 0 || s->sender)
            r.time = s->start + (int64_t)((double)(r.time - first) / (s->speed > 0 ? s->speed : 1));
        code = put_replayed(s, &r, error);
        if (stop_asked())
            break;
    }
    return code < 0 ? code : 0;
}

/* What the packets' times begin with: now, or what a reproducible build says is now. */
static int64_t start_time(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    unsigned long long seconds;
    if (epoch && parse_number(epoch, 0, INT64_MAX / SECOND, &seconds))
        return (int64_t)seconds * SECOND;
    return clock_ns(CLOCK_REALTIME);
}

static int open_wires(struct send *s, struct error *error)
{
    unsigned flags = s->answers ? WIRE_RECEIVE : 0;
    stop_watch();
    if (s->flood)
        flags = !strcmp(s->via, "socket") ? WIRE_BYPASS : WIRE_XDP;
    return sender_open(&s->sender, s->interface, flags, error);
}

/* "sent 1000 packets, 60000 bytes in 1.001 s: 999.0 packets/s" */
static void tell_counts(struct send *s)
{
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - s->steady_start) / SECOND;
    struct wire_counts n = sender_counts(s->sender);
    fprintf(stderr,
            ngettext("sent %llu packet, %llu bytes in %.3f s", "sent %llu packets, %llu bytes in %.3f s", n.sent),
            (unsigned long long)n.sent, (unsigned long long)n.bytes, seconds);
    if (n.sent > 1 && seconds > 0)
        fprintf(stderr, _(": %.1f packets/s"), (double)n.sent / seconds);
    if (n.refused)
        fprintf(stderr, _("; refused %llu"), (unsigned long long)n.refused);
    if (sender_lane_count(s->sender) && wire_info(sender_lane(s->sender, 0)->wire)->xdp)
        fprintf(stderr, " (AF_XDP)");
    if (s->answers)
        inquiry_tell(&s->inquiry);
    fputc('\n', stderr);
}

/* Sends what waits, and says how many went. */
static int finish_wires(struct send *s, struct error *error)
{
    flush(s);
    if (s->sent && !s->quiet)
        tell_counts(s);
    if (s->flood && !strcmp(s->via, "xdp") && sender_lane_count(s->sender) &&
        !wire_info(sender_lane(s->sender, 0)->wire)->xdp)
        return error_set(error, ERROR_SYSTEM, _("%s: AF_XDP cannot be had here"), sender_lane(s->sender, 0)->name);
    *error = s->refusal;
    return s->refused;
}

static int open_inquiry(struct send *s, struct error *error)
{
    if (s->wait < 0)
        s->wait = SECOND;
    s->first_port = (uint32_t)clock_ns(CLOCK_REALTIME) / 1024; /* another one each time */
    s->inquiry.came = show_answer;
    s->inquiry.context = s;
    return inquiry_open(&s->inquiry, error);
}

static int open_outputs(struct send *s, struct error *error)
{
    if (buffer_open(&s->out, STDOUT_FILENO, OUTPUT_BYTES))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    terminal_style(&s->style, STDOUT_FILENO, "auto", false);
    s->style.columns = 0; /* lines are not cut */
    text_open(&s->text, &s->style, FORMAT_RELATIVE, 6);
    int code = s->write_path ? writer_open(&s->writer, s->write_path, error) : 0;
    if (code)
        return code;
    /* What is only shown or written is filled in from this host only if an interface of its is named. */
    code = s->interface || (!s->dry_run && !s->write_path) ? open_wires(s, error) : 0;
    if (!code && s->answers)
        code = open_inquiry(s, error);
    return code;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct send s = { .interval = -1, .wait = -1, .via = "auto" };
    struct error error, late;
    s.source.command = command;
    int status = parse(&s, command, argc, argv);
    if (status)
        return status;
    s.start = start_time();
    int code = open_outputs(&s, &error);
    if (!code)
        code = s.replay ? send_replayed(&s, &error) : send_crafted(&s, &error);
    if (!code && s.answers)
        code = inquiry_wait(&s.inquiry, s.sender, clock_ns(CLOCK_MONOTONIC) + s.wait, true, &error);
    buffer_flush(&s.out);
    if (s.sender && !s.dry_run && !s.write_path) {
        int finished = finish_wires(&s, code ? &late : &error);
        code = code ? code : finished;
    }
    int written = s.writer ? writer_close(s.writer, &late) : 0;
    status = report(code, &error);
    if (!status && s.answers && !s.inquiry.answered)
        status = EXIT_FAILURE;
    if (written && code >= 0)
        status = report(written, &late);
    for (int i = 0; i < s.expression_count; i++)
        craft_free(s.crafts[i]);
    inquiry_close(&s.inquiry);
    sender_close(s.sender);
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
