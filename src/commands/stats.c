/* peel stats: what a capture holds, in numbers. */
#include "output/stats.h"
#include "base/address.h"
#include "base/nearest.h"
#include "base/text.h"
#include "commands/naming.h"
#include "commands/source.h"
#include "commands/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COLOR = 256, SORT, TOP, INTERVAL, AT, SVG, OUTPUT_BYTES = 256 << 10 };
enum { SECTIONS_MAX = 32, OVERVIEW_TOP = 10, OVERVIEW_TREE = 24, PLOT_LINES = 8, FLOW_BYTES = 256 };
enum format { FORMAT_TEXT, FORMAT_JSON };

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 'c', "max", "N", N_("stop after N packets that pass") },
    { 'z', "section", "SECTION[,KIND]",
      N_("only this one of summary, throughput, hierarchy, sizes, talkers, endpoints, conversations, rtt, "
         "retransmissions; again for more") },
    { SORT, "sort", "COLUMN", N_("the column that rows are sorted by; -COLUMN the other way round") },
    { TOP, "top", "N", N_("print N rows of each table; 0: all") },
    { INTERVAL, "interval", "SECONDS", N_("packets and bytes of each interval, as a table") },
    { AT, "at", "ADDRESS", N_("throughput to and from this host") },
    { SVG, "svg", "FILE", N_("the graph of throughput as an SVG file, too; - is standard output, and nothing else") },
    { 'T', "format", "text|json", N_("what is printed; json: an object a row") },
    NAMING_ROWS,
    { COLOR, "color", "auto|always|never", N_("colours; NO_COLOR in the environment turns auto off") },
    { 0 },
};

enum section_id { SUMMARY, THROUGHPUT, TREE, SIZES, TALKERS, ENDPOINTS, CONVERSATIONS, RTT, TROUBLE };

struct section {
    enum section_id id;
    enum statistics_kind kind; /* of endpoints and conversations */
};

/* What -z understands, tshark's spellings beside ours. */
static const struct section_word {
    const char *word;
    enum section_id id;
    bool takes_kind;
} section_words[] = {
    { "summary", SUMMARY, false },
    { "throughput", THROUGHPUT, false },
    { "io,stat", THROUGHPUT, false },
    { "hierarchy", TREE, false },
    { "io,phs", TREE, false },
    { "sizes", SIZES, false },
    { "plen,tree", SIZES, false },
    { "talkers", TALKERS, false },
    { "endpoints", ENDPOINTS, true },
    { "conversations", CONVERSATIONS, true },
    { "conv", CONVERSATIONS, true },
    { "rtt", RTT, false },
    { "retransmissions", TROUBLE, false },
};
enum { SECTION_WORDS = sizeof section_words / sizeof *section_words };

static const struct kind_word {
    const char *word;
    enum statistics_kind kind;
    const char *endpoints, *conversations; /* headings */
} kind_words[] = {
    { "all", KIND_ANY, N_("Endpoints"), N_("Conversations") },
    { "hosts", KIND_HOSTS, N_("Hosts"), N_("Conversations of hosts") },
    { "eth", KIND_ETH, N_("Ethernet endpoints"), N_("Ethernet conversations") },
    { "ip", KIND_IP, N_("IPv4 endpoints"), N_("IPv4 conversations") },
    { "ipv6", KIND_IPV6, N_("IPv6 endpoints"), N_("IPv6 conversations") },
    { "tcp", KIND_TCP, N_("TCP endpoints"), N_("TCP conversations") },
    { "udp", KIND_UDP, N_("UDP endpoints"), N_("UDP conversations") },
};
enum { KIND_WORDS = sizeof kind_words / sizeof *kind_words };

struct stats {
    /* asked for */
    struct source source;
    struct section sections[SECTIONS_MAX];
    unsigned section_count;
    enum format format;
    struct stats_order order;
    bool top_given, overview;
    uint64_t interval; /* nanoseconds; 0: not given */
    uint8_t host[16], host_size;
    const char *color, *svg;
    int svg_fd; /* -1: svg could not be opened */
    /* at work */
    struct style style;
    struct buffer out;
    struct statistics statistics;
    struct naming naming;
};

/* --- command line --- */

static int wrong_section(const char *argument, const char *word, size_t n)
{
    struct nearest near;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)n, word);
    nearest_begin(&near, text);
    for (unsigned i = 0; i < SECTION_WORDS; i++)
        nearest_consider(&near, section_words[i].word);
    for (unsigned i = 0; i < KIND_WORDS; i++)
        nearest_consider(&near, kind_words[i].word);
    if (near.best)
        return usage_error(_("stats: -z %s: no such section; did you mean %s?"), argument, near.best);
    return usage_error(_("stats: -z %s: not one of summary, throughput, hierarchy, sizes, talkers, endpoints, "
                         "conversations, rtt, retransmissions"),
                       argument);
}

static bool starts_with(const char *text, const char *word, const char **rest)
{
    size_t n = strlen(word);
    if (strncmp(text, word, n) != 0 || (text[n] && text[n] != ','))
        return false;
    *rest = text[n] ? text + n + 1 : NULL;
    return true;
}

/* Seconds with a fraction, whatever the locale's decimal point; nanoseconds, 0: that is none. */
static uint64_t parse_seconds(const char *text)
{
    uint64_t ns = 0, unit = 1000000000;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && at - text < 10; at++)
        ns = ns * 10 + (uint64_t)(*at - '0') * 1000000000;
    if (at == text)
        return 0;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            ns += (uint64_t)(*at - '0') * (unit /= 10);
    return *at ? 0 : ns;
}

static int take_interval(struct stats *s, const char *option, const char *text)
{
    enum { LEAST = 1000 }; /* nanoseconds */
    s->interval = parse_seconds(text);
    if (s->interval < LEAST)
        return usage_error(_("stats: %s %s: not a number of seconds from 0.000001 on"), option, text);
    return 0;
}

static int add_section(struct stats *s, enum section_id id, enum statistics_kind kind)
{
    if (s->section_count == SECTIONS_MAX)
        return usage_error(_("stats: more than %d sections"), SECTIONS_MAX);
    s->sections[s->section_count++] = (struct section){ id, kind };
    return 0;
}

static int take_section(struct stats *s, const char *argument)
{
    const char *rest = NULL;
    unsigned i = 0, k = 0;
    while (i < SECTION_WORDS && !starts_with(argument, section_words[i].word, &rest))
        i++;
    if (i == SECTION_WORDS)
        return wrong_section(argument, argument, strcspn(argument, ","));
    const struct section_word *word = &section_words[i];
    if (word->id == THROUGHPUT && rest) /* -z io,stat,1 */
        return take_interval(s, "-z io,stat", rest) ? EXIT_USAGE : add_section(s, word->id, KIND_ANY);
    if (rest && word->takes_kind)
        while (k < KIND_WORDS && strcmp(kind_words[k].word, rest) != 0)
            k++;
    if (k == KIND_WORDS || (rest && !word->takes_kind))
        return wrong_section(argument, rest, strlen(rest));
    return add_section(s, word->id, rest ? kind_words[k].kind : word->id == CONVERSATIONS ? KIND_ANY : KIND_HOSTS);
}

static int take_sort(struct stats *s, const char *argument)
{
    const char *nearest;
    s->order.backwards = *argument == '-';
    s->order.sort = stats_find_column(argument + s->order.backwards, &nearest);
    if (s->order.sort)
        return 0;
    if (nearest)
        return usage_error(_("stats: --sort %s: no such column; did you mean %s?"), argument, nearest);
    return usage_error(_("stats: --sort %s: no such column; see peel(1)"), argument);
}

static int take_host(struct stats *s, const char *text)
{
    uint32_t ipv4;
    if (parse_ipv4(text, &ipv4)) {
        store_be32(s->host, ipv4);
        s->host_size = 4;
    } else if (parse_ipv6(text, s->host)) {
        s->host_size = 16;
    } else {
        return usage_error(_("stats: --at %s: not an IPv4 or IPv6 address"), text);
    }
    return 0;
}

static int take_format(struct stats *s, const char *word)
{
    if (strcmp(word, "text") != 0 && strcmp(word, "json") != 0)
        return usage_error(_("stats: -T %s: not one of text, json"), word);
    s->format = *word == 'j' ? FORMAT_JSON : FORMAT_TEXT;
    return 0;
}

static int parse_option(void *context, int letter, char *argument)
{
    struct stats *s = context;
    unsigned long long number;
    int taken = naming_option(&s->naming, letter, argument) ? 1 : source_option(&s->source, letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case 'z':
        return take_section(s, argument);
    case 'T':
        return take_format(s, argument);
    case SORT:
        return take_sort(s, argument);
    case TOP:
        if (!parse_number(argument, 0, UINT32_MAX, &number))
            return usage_error(_("stats: --top %s: not a number"), argument);
        s->order.most = (unsigned)number;
        s->top_given = true;
        return 0;
    case INTERVAL:
        return take_interval(s, "--interval", argument);
    case SVG:
        s->svg = argument;
        return 0;
    case AT:
        return take_host(s, argument);
    case COLOR:
        return terminal_when(&s->color, s->source.command, "color", argument);
    }
    return 0;
}

/* What is shown where nothing was asked for: what costs little. */
static void choose_overview(struct stats *s)
{
    static const struct section sections[] = { { SUMMARY, 0 }, { THROUGHPUT, 0 },       { TREE, 0 },
                                               { SIZES, 0 },   { TALKERS, KIND_HOSTS }, { CONVERSATIONS, KIND_HOSTS } };
    s->overview = true;
    s->section_count = sizeof sections / sizeof *sections;
    memcpy(s->sections, sections, sizeof sections);
}

static int parse(struct stats *s, const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, command, argc, argv, parse_option, s);
    if (status)
        return status;
    if (!s->section_count && s->interval)
        add_section(s, THROUGHPUT, KIND_ANY);
    if (!s->section_count)
        choose_overview(s);
    return source_operands(&s->source, argc - options.operand, argv + options.operand);
}

/* --- printing --- */

static const char *heading_of(const struct section *section)
{
    const struct kind_word *k = kind_words;
    while (k->kind != section->kind)
        k++;
    switch (section->id) {
    case SUMMARY:
        return _("Capture");
    case THROUGHPUT:
        return _("Throughput");
    case TREE:
        return _("Protocols");
    case SIZES:
        return _("Packet sizes");
    case TALKERS:
        return _("Top talkers");
    case ENDPOINTS:
        return _(k->endpoints);
    case CONVERSATIONS:
        return _(k->conversations);
    case RTT:
        return _("Round trips");
    case TROUBLE:
        return _("Retransmissions and other trouble");
    }
    return "";
}

static void put_heading(struct stats *s, const struct section *section, bool first)
{
    if (s->section_count == 1)
        return;
    if (!first)
        buffer_char(&s->out, '\n');
    buffer_text(&s->out, s->style.color ? "\033[1m" : "");
    buffer_text(&s->out, heading_of(section));
    buffer_text(&s->out, s->style.color ? "\033[0m\n" : "\n");
}

static struct stats_order order_of(const struct stats *s, const struct section *section)
{
    struct stats_order order = s->order;
    if (!s->top_given && (s->overview || section->id == TALKERS))
        order.most = OVERVIEW_TOP;
    return order;
}

static int print_section(struct stats *s, const struct section *section)
{
    struct stats_view view = { .statistics = &s->statistics, .style = &s->style, .names = s->naming.names };
    struct stats_order order = order_of(s, section);
    bool ends = section->id != CONVERSATIONS;
    switch (section->id) {
    case SUMMARY:
        stats_summary(&s->out, &view);
        return 0;
    case THROUGHPUT:
        if (s->interval)
            stats_series(&s->out, &view);
        else
            stats_plot(&s->out, &view, PLOT_LINES);
        return 0;
    case TREE:
        stats_tree(&s->out, &view, s->top_given ? s->order.most : s->overview ? OVERVIEW_TREE : 0);
        return 0;
    case SIZES:
        stats_sizes(&s->out, &view);
        return 0;
    case RTT:
        return stats_rtt(&s->out, &view, &order);
    case TROUBLE:
        return stats_trouble(&s->out, &view, &order);
    default:
        return stats_table(&s->out, &view, section->kind, ends, &order);
    }
}

static int print_section_json(struct stats *s, const struct section *section)
{
    struct stats_view view = { .statistics = &s->statistics, .style = &s->style, .names = s->naming.names };
    struct stats_order order = order_of(s, section);
    switch (section->id) {
    case SUMMARY:
        stats_summary_json(&s->out, &view);
        return 0;
    case THROUGHPUT:
        stats_series_json(&s->out, &view);
        return 0;
    case TREE:
        stats_tree_json(&s->out, &view);
        return 0;
    case SIZES:
        stats_sizes_json(&s->out, &view);
        return 0;
    case RTT:
        return stats_rtt_json(&s->out, &view, &order);
    case TROUBLE:
        return stats_trouble_json(&s->out, &view, &order);
    default:
        return stats_table_json(&s->out, &view, section->kind, section->id != CONVERSATIONS, &order);
    }
}

static int print_all(struct stats *s)
{
    int code = 0;
    for (unsigned i = 0; i < s->section_count && !code; i++) {
        const struct section *section = &s->sections[i];
        if (s->format == FORMAT_JSON) {
            code = print_section_json(s, section);
            continue;
        }
        put_heading(s, section, !i);
        code = print_section(s, section);
    }
    return code;
}

/* The file's name without its folders, as the graph's title. */
static const char *title_of(const struct stats *s)
{
    const char *path = s->source.file_count ? s->source.files[0] : "peel", *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int write_svg(struct stats *s, struct error *error)
{
    struct stats_view view = { .statistics = &s->statistics, .style = &s->style };
    struct buffer file;
    if (!strcmp(s->svg, "-")) {
        stats_svg(&s->out, &view, title_of(s));
        return 0;
    }
    if (buffer_open(&file, s->svg_fd, OUTPUT_BYTES)) {
        close(s->svg_fd);
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    }
    stats_svg(&file, &view, title_of(s));
    buffer_flush(&file);
    int failed = file.failed;
    buffer_free(&file);
    if (close(s->svg_fd) && !failed)
        failed = errno;
    return failed ? error_set(error, ERROR_SYSTEM, "%s: %s", s->svg, strerror(failed)) : 0;
}

/* --- reading --- */

static unsigned part_of(enum statistics_kind kind)
{
    bool pairs = kind == KIND_HOSTS || kind == KIND_IP || kind == KIND_IPV6;
    return kind == KIND_ETH ? STATISTICS_LINKS : pairs ? STATISTICS_PAIRS : STATISTICS_FLOWS;
}

static unsigned wanted_parts(const struct stats *s)
{
    unsigned parts = 0;
    for (unsigned i = 0; i < s->section_count; i++) {
        const struct section *section = &s->sections[i];
        if (section->id == TREE)
            parts |= STATISTICS_TREE;
        else if (section->id == THROUGHPUT)
            parts |= STATISTICS_SERIES;
        else if (section->id == RTT || section->id == TROUBLE)
            parts |= STATISTICS_TCP | STATISTICS_FLOWS;
        else if (section->id != SUMMARY && section->id != SIZES)
            parts |= part_of(section->kind);
    }
    return s->svg ? parts | STATISTICS_SERIES : parts;
}

/* Conversations that a quarter of the machine's memory holds. */
static uint32_t affordable(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    unsigned long long most =
        pages > 0 && page > 0 ? (unsigned long long)pages * (unsigned long long)page / 4 / FLOW_BYTES : 0;
    return most < 1 << 20 ? 1 << 20 : most > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)most;
}

static int read_all(struct stats *s, struct error *error)
{
    unsigned parts = wanted_parts(s);
    if (buffer_open(&s->out, STDOUT_FILENO, OUTPUT_BYTES) || statistics_open(&s->statistics, parts, s->interval))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    int named = naming_open(&s->naming, error);
    if (named)
        return named;
    s->statistics.flows_most = affordable();
    s->statistics.host = s->host_size ? s->host : NULL;
    s->statistics.host_size = s->host_size;
    s->source.levels = parts & STATISTICS_TCP ? TRACK_STREAMS | TRACK_ANALYSIS : 0;
    s->source.wants |= SOURCE_SILENT;
    s->source.statistics = s->naming.names ? NULL : &s->statistics; /* names are learnt from packets */
    int code = source_begin(&s->source, error);
    /* Before the first packet: afterwards there is no right to. */
    if (!code && s->svg && strcmp(s->svg, "-") != 0) {
        s->svg_fd = open(s->svg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (s->svg_fd < 0)
            code = error_set(error, ERROR_SYSTEM, "%s: %s", s->svg, strerror(errno));
    }
    if (code)
        return code;
    while ((code = source_next(&s->source, error)) > 0) {
        statistics_take(&s->statistics, &s->source.packet);
        if (s->naming.names)
            names_learn(s->naming.names, &s->source.packet);
    }
    statistics_settle(&s->statistics);
    return code;
}

/* Everything that was asked for. Returns the code of reading, or what went wrong here. */
static int show(struct stats *s, int code, struct error *error)
{
    bool only_svg = s->svg && !strcmp(s->svg, "-");
    if (!only_svg && print_all(s))
        return error_set(error, ERROR_MEMORY, "%s", _("stats: no memory for all of it"));
    struct error svg_error;
    int written = s->svg ? write_svg(s, &svg_error) : 0;
    if (written && code >= 0)
        *error = svg_error;
    return written && code >= 0 ? written : code;
}

static int finish(struct stats *s, int code, struct error *error)
{
    const struct statistics *t = &s->statistics;
    buffer_flush(&s->out);
    int status = report(code, error);
    if (t->unplaced)
        fprintf(stderr, _("peel: stats: more than %u conversations: %llu packets belong to none that is listed\n"),
                t->flows_most, (unsigned long long)t->unplaced);
    if (t->out_of_memory)
        status = report(error_set(error, ERROR_MEMORY, "%s", _("stats: no memory for all of it")), error);
    if (s->out.failed && s->out.failed != EPIPE)
        status = report(error_set(error, ERROR_SYSTEM, _("standard output: %s"), strerror(s->out.failed)), error);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct stats s = { .color = "auto" };
    s.source.command = command;
    struct error error;
    int status = parse(&s, command, argc, argv);
    if (status)
        return status;
    terminal_style(&s.style, STDOUT_FILENO, s.color, false);
    int code = read_all(&s, &error);
    bool begun = s.source.capture && s.svg_fd >= 0;
    if (begun && code != ERROR_MEMORY) /* what came before damage is good */
        code = show(&s, code, &error);
    status = finish(&s, code, &error);
    statistics_close(&s.statistics);
    naming_close(&s.naming);
    source_close(&s.source);
    buffer_free(&s.out);
    return status;
}

const struct command stats_command = {
    .name = "stats",
    .summary = N_("protocol hierarchy, endpoints, conversations, sizes, throughput and round trips"),
    .usage = "-r FILE [-z SECTION[,KIND]] [OPTIONS] [FILTER...]",
    .options = rows,
    .run = run,
};
