/* peel netstat: sockets rebuilt from packets. */
#include "output/netstat.h"
#include "base/address.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include "commands/naming.h"
#include "commands/netstat_kernel.h"
#include "commands/source.h"
#include "host/interface.h"
#include "protocol/protocol.h"
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    AT = 256,
    TIME,
    STYLE,
    DIFF,
    MOST,
    BOTH,
    MERGE,
    OWNERS_EVERY_MS = 1000,
    LIVE_SNAP = 2048,
    OUTPUT_BYTES = 256 << 10
};
enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_ZEEK };

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 'a', "all", NULL, N_("listening sockets, too: known by their answers") },
    { 'l', "listening", NULL, N_("only listening sockets") },
    { 't', "tcp", NULL, N_("TCP") },
    { 'u', "udp", NULL, N_("UDP") },
    NAMING_ROWS,
    { 'o', NULL, NULL, N_("the owning process, where it is known") },
    { 'p', "program", NULL, N_("the same") },
    { 'e', "extend", NULL, N_("the long form: repetitions, segment sizes, windows, goodput") },
    { 'c', "continuous", "SECONDS", N_("with -i: the table again every so many seconds; otherwise once, at the end") },
    { BOTH, "both", NULL, N_("with -i: both ends of all connections, not the sockets of this host") },
    { MERGE, "merge", NULL, N_("with -i: also what the kernel has and no packet showed, and where the two differ") },
    { AT, "at", "ADDRESS", N_("the table that netstat on this host would have printed") },
    { TIME, "time", "TIME", N_("as of then: epoch seconds, RFC 3339, +SECONDS, HH:MM[:SS]") },
    { STYLE, "style", "linux|windows|macos", N_("columns and words of that system's netstat") },
    { 'T', "format", "text|json|zeek", N_("how a row is printed") },
    { DIFF, "diff", "T1 T2", N_("what changed between two instants, and the packets that did it") },
    { MOST, "max-connections", "N", N_("remember so many connections; half-open ones are forgotten first") },
    { 0 },
};

/* An instant as the user gave it. */
struct instant {
    const char *text; /* NULL: not given */
    bool known;
    int64_t time; /* nanoseconds since 1970 */
};

struct change {
    int64_t time;
    uint64_t packet;
    uint32_t index;
    uint8_t end, from, to;
};

struct netstat {
    /* asked for */
    struct source source;
    char **argv; /* --diff takes two of them */
    enum format format;
    const struct netstat_style *netstat_style;
    struct sockets_query query;
    struct instant at, diff[2];
    bool all, only_listeners, owners, long_form, at_host, this_host, both, merge;
    unsigned long long most, every; /* seconds, 0: once */
    /* at work */
    struct style style;
    struct buffer out;
    struct sockets sockets;
    struct naming naming;
    struct tcp_watch watch;
    struct change *changes; /* owned */
    uint32_t change_count, change_room;
    struct socket *found; /* owned */
    uint32_t found_count, found_room;
    bool begun, failed;
    struct interfaces interfaces; /* of this host, on an interface */
    int64_t next_table;           /* on the monotonic clock */
    int64_t next_question;        /* to the kernel */
    int64_t asked_at;             /* nanoseconds since 1970 */
    bool asked, due;              /* a question is under way; a table waits for its answer */
    struct kernel_table kernel;
};

/* --- instants --- */

/* Digits and a fraction as nanoseconds; *end behind them. False: no digit. */
static bool parse_decimal(const char *text, int64_t *ns, const char **end)
{
    int64_t whole = 0, part = 0, unit = 100000000;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (whole > INT64_MAX / 10000000000 - 10)
            return false;
        whole = whole * 10 + (*text - '0');
    }
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
            part += (*text - '0') * unit;
    *ns = whole * 1000000000 + part;
    *end = text;
    return true;
}

/* HH:MM[:SS[.f]] from text on; nanoseconds since midnight. */
static bool parse_clock(const char *text, int64_t *ns, const char **end)
{
    int64_t seconds = 0;
    unsigned hour, minute;
    int used = 0;
    if (sscanf(text, "%2u:%2u%n", &hour, &minute, &used) < 2 || !used || hour > 23 || minute > 59)
        return false;
    text += used;
    if (*text == ':' && (!parse_decimal(text + 1, &seconds, &text) || seconds >= INT64_C(61000000000)))
        return false;
    *ns = (hour * INT64_C(3600) + minute * INT64_C(60)) * 1000000000 + seconds;
    *end = text;
    return true;
}

/* RFC 3339: 2026-07-26T12:03:07.5Z, or with +02:00; a space or t in place of T; without a zone: the local one. */
static bool parse_date(const char *text, int64_t *ns)
{
    struct tm tm = { .tm_isdst = -1 };
    int used = 0, sign;
    int64_t clock = 0, zone = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) < 3 || used != 10)
        return false;
    text += used;
    if (*text && (!strchr("Tt ", *text) || !parse_clock(text + 1, &clock, &text)))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    if (!*text) {
        tm.tm_hour = (int)(clock / INT64_C(3600000000000));
        tm.tm_min = (int)(clock / INT64_C(60000000000) % 60);
        *ns = time_bounded((__int128)mktime(&tm) * 1000000000 + clock % INT64_C(60000000000));
        return true;
    }
    sign = *text == '-' ? -1 : 1;
    if (*text == '+' || *text == '-') {
        if (!parse_clock(text + 1, &zone, &text))
            return false;
    } else if (*text == 'Z' || *text == 'z') {
        text++;
    } else {
        return false;
    }
    *ns = time_bounded((__int128)timegm(&tm) * 1000000000 + clock - sign * zone);
    return !*text;
}

/* The first instant from `first` on at which local clocks show this time of day. */
static int64_t next_clock(int64_t first, int64_t of_day)
{
    time_t begin = (time_t)(first / 1000000000);
    struct tm tm;
    localtime_r(&begin, &tm);
    tm.tm_hour = (int)(of_day / INT64_C(3600000000000));
    tm.tm_min = (int)(of_day / INT64_C(60000000000) % 60);
    tm.tm_sec = 0;
    tm.tm_isdst = -1;
    struct tm next = tm;
    next.tm_mday++;
    int64_t rest = of_day % INT64_C(60000000000), time = (int64_t)mktime(&tm) * 1000000000 + rest;
    return time >= first ? time : (int64_t)mktime(&next) * 1000000000 + rest;
}

/* What can be said before the first packet; false: no instant at all. */
static bool instant_check(struct instant *i)
{
    const char *end;
    int64_t ns;
    if (i->text[0] == '+')
        return parse_decimal(i->text + 1, &ns, &end) && !*end;
    if (parse_date(i->text, &i->time) || (parse_decimal(i->text, &i->time, &end) && !*end)) {
        i->time = time_bounded(i->time);
        return i->known = true;
    }
    return parse_clock(i->text, &ns, &end) && !*end;
}

static void instant_settle(struct instant *i, int64_t first)
{
    const char *end;
    int64_t ns = 0;
    if (!i->text || i->known)
        return;
    if (i->text[0] == '+')
        i->time = parse_decimal(i->text + 1, &ns, &end) ? time_bounded((__int128)first + ns) : first;
    else
        i->time = parse_clock(i->text, &ns, &end) ? next_clock(first, ns) : first;
    i->known = true;
}

/* --- command line --- */

static int take_instant(struct instant *i, const char *option, const char *text)
{
    i->text = text;
    if (!instant_check(i))
        return usage_error(_("netstat: %s %s: not a time: epoch seconds, RFC 3339, +SECONDS or HH:MM[:SS]"), option,
                           text);
    return 0;
}

static int take_host(struct netstat *n, const char *text)
{
    uint32_t ipv4;
    n->at_host = true;
    if (parse_ipv4(text, &ipv4)) {
        for (unsigned i = 0; i < 4; i++)
            n->query.host[i] = (uint8_t)(ipv4 >> (24 - 8 * i));
        n->query.size = 4;
    } else if (parse_ipv6(text, n->query.host)) {
        n->query.size = 16;
    } else {
        return usage_error(_("netstat: --at %s: not an IPv4 or IPv6 address"), text);
    }
    return 0;
}

static int take_diff(struct netstat *n, const char *first)
{
    if (!n->argv[optind])
        return usage_error("%s", _("netstat: --diff needs two times"));
    int status = take_instant(&n->diff[0], "--diff", first);
    return status ? status : take_instant(&n->diff[1], "--diff", n->argv[optind++]);
}

static int take_format(struct netstat *n, const char *word)
{
    static const char *const words[] = { "text", "json", "zeek" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], word)) {
            n->format = (enum format)i;
            return 0;
        }
    return usage_error(_("netstat: -T %s: not one of text, json, zeek"), word);
}

static int parse_option(void *context, int letter, char *argument)
{
    struct netstat *n = context;
    if (naming_option(&n->naming, letter, argument))
        return 0;
    int taken = letter == 'c' ? 0 : source_option(&n->source, letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case 'a':
        n->all = true;
        return 0;
    case 'l':
        n->only_listeners = true;
        return 0;
    case 't':
        n->query.tcp = true;
        return 0;
    case 'u':
        n->query.udp = true;
        return 0;
    case 'o':
    case 'p':
        n->owners = true;
        return 0;
    case 'e':
        n->long_form = true;
        return 0;
    case 'T':
        return take_format(n, argument);
    case 'c':
        if (!parse_number(argument, 1, 1000000, &n->every))
            return usage_error(_("netstat: -c %s: not a number of seconds from 1 on"), argument);
        return 0;
    case BOTH:
        n->both = true;
        return 0;
    case MERGE:
        n->merge = true;
        return 0;
    case AT:
        return take_host(n, argument);
    case TIME:
        return take_instant(&n->at, "--time", argument);
    case STYLE:
        n->netstat_style = netstat_style(argument);
        return n->netstat_style ? 0 : usage_error(_("netstat: --style %s: not one of linux, windows, macos"), argument);
    case DIFF:
        return take_diff(n, argument);
    case MOST:
        if (!parse_number(argument, 1, UINT32_MAX, &n->most))
            return usage_error(_("netstat: --max-connections %s: not a number from 1 on"), argument);
    }
    return 0;
}

/* Which rows show more than both ends and their states. */
static bool long_rows(const struct netstat *n)
{
    return !n->netstat_style && !n->diff[0].text && (n->long_form || n->format != FORMAT_TEXT);
}

static int parse(struct netstat *n, const struct command *command, int argc, char **argv)
{
    struct options options;
    n->argv = argv;
    int status = options_read(&options, command, argc, argv, parse_option, n);
    if (status)
        return status;
    if ((status = source_operands(&n->source, argc - options.operand, argv + options.operand)))
        return status;
    if (!n->query.tcp && !n->query.udp)
        n->query.tcp = n->query.udp = true;
    n->query.listeners = n->all || n->only_listeners;
    if (n->format == FORMAT_ZEEK && (n->at_host || n->netstat_style || n->diff[0].text))
        return usage_error("%s", _("netstat: -T zeek shows connections: not with --at, --style or --diff"));
    if (n->long_form && (n->at_host || n->netstat_style || n->diff[0].text))
        return usage_error("%s", _("netstat: -e shows connections: not with --at, --style or --diff"));
    if (!source_is_live(&n->source) && (n->every || n->both || n->merge))
        return usage_error("%s", _("netstat: -c, --both and --merge need -i"));
    if (source_is_live(&n->source) && (n->at.text || n->diff[0].text))
        return usage_error("%s", _("netstat: --time and --diff look back: not with -i"));
    if (source_is_live(&n->source) && !n->both && !n->long_form && !n->at_host && n->format != FORMAT_ZEEK)
        n->at_host = n->this_host = true;
    if (n->merge && !n->this_host)
        return usage_error("%s", _("netstat: --merge is of this host's sockets: not with --at, --both or -T zeek"));
    if (n->naming.asked && (n->format == FORMAT_ZEEK || n->at_host || n->netstat_style || n->diff[0].text))
        return usage_error("%s",
                           _("netstat: -N names the ends of connections: not with --at, --style, --diff or -T zeek"));
    if (n->at_host && !n->netstat_style)
        n->netstat_style = netstat_style("linux");
    return 0;
}

/* --- reading --- */

static void remember_change(struct tcp_watch *watch, struct flow *f, unsigned end, enum tcp_state from,
                            enum tcp_state to)
{
    struct netstat *n = (struct netstat *)((char *)watch - offsetof(struct netstat, watch));
    const struct flow_table *t = &n->source.tracker.flows;
    if (n->source.packet.time <= n->diff[0].time)
        return;
    if (!array_grow(&n->changes, sizeof *n->changes, n->change_count, &n->change_room)) {
        n->failed = true;
        return;
    }
    uint32_t index = n->source.tracker.current;
    if (flow_at(t, index) == f)
        n->changes[n->change_count++] = (struct change){ n->source.packet.time, n->source.packet.number, index,
                                                         (uint8_t)end,          (uint8_t)from,           (uint8_t)to };
}

/* Whether it came before the table's instant. */
static bool wanted(void *context, const struct record *record)
{
    struct netstat *n = context;
    const struct instant *until = n->diff[1].text ? &n->diff[1] : &n->at;
    if (!record->timed)
        return true;
    if (!n->begun) {
        n->begun = true;
        instant_settle(&n->at, record->time);
        instant_settle(&n->diff[0], record->time);
        instant_settle(&n->diff[1], record->time);
    }
    return record->time <= until->time;
}

static int read_all(struct netstat *n, struct error *error)
{
    int code;
    while ((code = source_next(&n->source, error)) > 0)
        if (n->naming.names)
            names_learn(n->naming.names, &n->source.packet);
    return code;
}

/* --- printing --- */

static int64_t as_of(const struct netstat *n)
{
    struct timespec now;
    if (source_is_live(&n->source) && !clock_gettime(CLOCK_REALTIME, &now))
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    int64_t latest = n->source.latest != INT64_MIN ? n->source.latest : 0;
    return n->diff[1].text ? n->diff[1].time : n->at.text ? n->at.time : latest;
}

static void keep_socket(void *context, const struct socket *socket)
{
    struct netstat *n = context;
    if (n->only_listeners && !socket->bound)
        return;
    if (!array_grow(&n->found, sizeof *n->found, n->found_count, &n->found_room)) {
        n->failed = true;
        return;
    }
    n->found[n->found_count++] = *socket;
}

static int by_ends(const struct socket *x, const struct socket *y)
{
    if (x->size != y->size)
        return x->size - y->size;
    if (x->local_port != y->local_port)
        return x->local_port - y->local_port;
    if (x->foreign_port != y->foreign_port)
        return x->foreign_port - y->foreign_port;
    int order = memcmp(x->local, y->local, x->size);
    return order ? order : memcmp(x->foreign, y->foreign, x->size);
}

/* Listeners and UDP sockets that answer anybody first by port, and each only once; connections in order of appearance.
 */
static int by_place(const void *a, const void *b)
{
    const struct socket *x = a, *y = b;
    int kind_x = x->protocol != 6 ? 2 + !x->bound : !x->bound, kind_y = y->protocol != 6 ? 2 + !y->bound : !y->bound;
    if (kind_x != kind_y)
        return kind_x - kind_y;
    if (!x->bound && (!x->flow || !y->flow)) /* what no packet showed comes last */
        return x->flow ? -1 : y->flow ? 1 : by_ends(x, y);
    if (!x->bound) /* of one protocol: streams count up */
        return x->flow->stream != y->flow->stream ? x->flow->stream < y->flow->stream ? -1 : 1
                                                  : (int)x->end - (int)y->end;
    if (x->size != y->size)
        return x->size - y->size;
    if (x->local_port != y->local_port)
        return x->local_port - y->local_port;
    return memcmp(x->local, y->local, x->size);
}

static bool asks_kernel(const struct netstat *n)
{
    return n->this_host && (n->merge || n->owners);
}

/* As netstat does: what waits for others is shown with -a or -l. */
static void keep_unseen(void *context, const struct socket *socket)
{
    struct netstat *n = context;
    bool wanted = socket->protocol == 6 ? n->query.tcp : n->query.udp;
    if (wanted && (n->query.listeners || !socket->bound))
        keep_socket(n, socket);
}

static void print_sockets(struct netstat *n)
{
    n->query.time = as_of(n);
    n->found_count = 0;
    n->failed |= sockets_list(&n->sockets, &n->query, keep_socket, n) != 0;
    for (size_t i = 0, seen = n->found_count; n->merge && i < seen; i++)
        kernel_table_facts(&n->kernel, &n->found[i]); /* which are then not among the rest */
    if (n->merge)
        kernel_table_rest(&n->kernel, keep_unseen, n);
    if (n->found_count)
        qsort(n->found, n->found_count, sizeof *n->found, by_place);
    unsigned columns = (n->owners ? NETSTAT_OWNERS : 0) | (n->merge ? NETSTAT_KERNEL : 0);
    if (n->format == FORMAT_TEXT)
        n->netstat_style->header(&n->out, n->query.listeners, columns);
    for (size_t i = 0; i < n->found_count; i++) {
        const struct socket *s = &n->found[i];
        if (i && s->bound && s[-1].bound && !by_place(s - 1, s))
            continue;
        struct netstat_facts facts = { 0 };
        bool known = asks_kernel(n);
        if (known)
            facts = kernel_table_facts(&n->kernel, s);
        if (n->format == FORMAT_JSON)
            netstat_socket_json(&n->out, s, known ? &facts : NULL);
        else
            n->netstat_style->row(&n->out, s, columns, known ? &facts : NULL);
    }
}

/* With an instant only what stood then. */
static bool stood(const struct netstat *n, const struct flow *f, int64_t now)
{
    if (!n->at.text)
        return true;
    int64_t ms = (now - f->first) / 1000000;
    int32_t age = ms > INT32_MAX ? INT32_MAX : ms < 0 ? 0 : (int32_t)ms;
    if (f->protocol != 6)
        return now - f->last < UDP_PATIENCE_MS * INT64_C(1000000);
    return !(f->flags & FLOW_MOVED) && (tcp_state_at(f, 0, age) > TCP_CLOSED || tcp_state_at(f, 1, age) > TCP_CLOSED);
}

static void print_listener(void *context, const struct socket *socket)
{
    struct netstat *n = context;
    if (socket->state == TCP_LISTEN && n->format == FORMAT_JSON)
        netstat_socket_json(&n->out, socket, NULL);
    else if (socket->state == TCP_LISTEN)
        netstat_listener(&n->out, socket);
}

static void print_connections(struct netstat *n)
{
    struct connection_view view = { .flows = &n->source.tracker.flows, .now = as_of(n), .names = n->naming.names };
    if (n->format == FORMAT_TEXT)
        netstat_connection_header(&n->out, &n->style, n->long_form);
    if (n->format == FORMAT_ZEEK)
        netstat_zeek_header(&n->out);
    for (view.index = 0; view.index < n->source.tracker.flows.count && !n->only_listeners; view.index++) {
        const struct flow *f = flow_at(&n->source.tracker.flows, view.index);
        if (f->flags & FLOW_FREE || !(f->protocol == 6 ? n->query.tcp : n->query.udp) || !stood(n, f, view.now))
            continue;
        if (f->packets[0] + f->packets[1] == 0) /* known from an ICMP error alone */
            continue;
        if (n->format == FORMAT_JSON)
            netstat_connection_json(&n->out, &view);
        else if (n->format == FORMAT_ZEEK)
            netstat_zeek(&n->out, &view);
        else
            netstat_connection(&n->out, &view, n->long_form);
    }
    if (n->query.listeners && n->format != FORMAT_ZEEK) {
        struct sockets_query query = { .time = view.now, .listeners = true, .tcp = n->query.tcp };
        n->failed |= sockets_list(&n->sockets, &query, print_listener, n) != 0;
    }
}

static void print_changes(struct netstat *n);

/* What was asked for, as of now. */
static void print_table(struct netstat *n)
{
    if (n->diff[0].text)
        print_changes(n);
    else if (n->netstat_style)
        print_sockets(n);
    else
        print_connections(n);
}

/* --- this host, now and again --- */

static bool is_this_host(void *context, const uint8_t *address, unsigned size)
{
    const struct netstat *n = context;
    return interfaces_owner(&n->interfaces, address, size) != NULL;
}

/* The kernel's table is asked for a helper process, which takes its time: meanwhile packets go on. */
static void ask_kernel(struct netstat *n, int64_t now)
{
    if (n->asked)
        return;
    source_ask_sockets(&n->source);
    n->asked_at = clock_ns(CLOCK_REALTIME);
    n->asked = true;
    n->next_question = now + OWNERS_EVERY_MS * INT64_C(1000000);
}

static void take_answer(struct netstat *n)
{
    struct helper_answer answer;
    if (!source_sockets(&n->source, &answer))
        n->failed |= kernel_table_take(&n->kernel, &answer.bytes, n->asked_at) != 0;
    buffer_free(&answer.bytes);
    n->asked = false;
}

static bool print_again(struct netstat *n)
{
    n->due = false;
    interfaces_free(&n->interfaces);
    if (interfaces_read(&n->interfaces, NULL)) /* addresses come and go */
        return true;
    print_table(n);
    if (n->format == FORMAT_TEXT)
        buffer_char(&n->out, '\n');
    buffer_flush(&n->out);
    return !n->out.failed;
}

/* On an interface, several times a second. */
static bool tick(void *context)
{
    struct netstat *n = context;
    struct pollfd reader = { .fd = STDOUT_FILENO };
    int64_t now = clock_ns(CLOCK_MONOTONIC), step = (int64_t)n->every * 1000000000;
    if (n->asked && source_sockets_there(&n->source)) {
        take_answer(n);
        if (n->due)
            return print_again(n);
    }
    /* Whose a socket is has to be asked while it is somebody's. */
    if (n->owners && asks_kernel(n) && now >= n->next_question)
        ask_kernel(n, now);
    if (!n->next_table)
        n->next_table = now + step;
    if (n->every && now >= n->next_table) {
        n->next_table += step * ((now - n->next_table) / step + 1);
        n->due = true;
        if (!asks_kernel(n))
            return print_again(n);
        ask_kernel(n, now);
    }
    return !(poll(&reader, 1, 0) > 0 && reader.revents & POLLERR);
}

/* The last table: with the kernel's word of now. */
static void print_last(struct netstat *n)
{
    if (asks_kernel(n) && n->source.confined) {
        if (n->asked)
            take_answer(n);
        ask_kernel(n, 0);
        take_answer(n);
    }
    print_table(n);
}

static bool concerns(const struct netstat *n, const struct flow *f, unsigned end)
{
    uint8_t room[4];
    if (!n->query.size)
        return true;
    return n->query.size == (f->flags & FLOW_IPV6 ? 16 : 4) &&
           !memcmp(flow_address(&n->source.tracker.flows, f, end, room), n->query.host, n->query.size);
}

/* Ends that time alone closed between the two instants. */
static void add_expired(struct netstat *n)
{
    const struct flow_table *t = &n->source.tracker.flows;
    for (uint32_t i = 0; i < t->count; i++) {
        struct flow *f = flow_at(t, i);
        if (f->flags & (FLOW_FREE | FLOW_MOVED) || f->protocol != 6)
            continue;
        for (unsigned end = 0; end < 2; end++) {
            enum tcp_state state = f->end[end].state;
            int64_t until = state == TCP_TIME_WAIT ? TIME_WAIT_MS : SYN_PATIENCE_MS;
            n->source.packet.time = f->first + (f->changed[end] + until) * 1000000;
            int64_t ms = (n->diff[1].time - f->first) / 1000000;
            if (n->source.packet.time > n->diff[1].time || ms > INT32_MAX || ms < 0 ||
                tcp_state_at(f, end, (int32_t)ms) == state)
                continue;
            n->source.packet.number = 0;
            n->source.tracker.current = i;
            remember_change(&n->watch, f, end, state, TCP_CLOSED);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->packet != y->packet ? x->packet < y->packet ? -1 : 1 : a < b ? -1 : a > b;
}

static void print_changes(struct netstat *n)
{
    add_expired(n);
    if (n->change_count)
        qsort(n->changes, n->change_count, sizeof *n->changes, by_time);
    for (size_t i = 0; i < n->change_count; i++) {
        const struct change *c = &n->changes[i];
        const struct flow *f = flow_at(&n->source.tracker.flows, c->index);
        if (f->flags & FLOW_FREE || !concerns(n, f, c->end))
            continue;
        struct change_view view = { &n->source.tracker.flows, c->index, c->end, c->from, c->to, c->time, c->packet };
        if (n->format == FORMAT_JSON)
            netstat_change_json(&n->out, &view);
        else
            netstat_change(&n->out, &n->style, &view);
    }
}

static int open_all(struct netstat *n, struct error *error)
{
    int code;
    if (buffer_open(&n->out, STDOUT_FILENO, OUTPUT_BYTES))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    if ((code = naming_open(&n->naming, error)))
        return code;
    n->source.levels = TRACK_STATES;
    if (long_rows(n))
        n->source.levels |= TRACK_DETAILS | (n->format == FORMAT_ZEEK ? 0 : TRACK_STREAMS | TRACK_ANALYSIS);
    n->source.wanted = n->at.text || n->diff[0].text ? wanted : NULL;
    n->source.context = n;
    /* Headers tell all that is asked for; whole are only the fragments of a datagram, and not what a card or a driver
     * put together to 64 KiB. */
    if (source_is_live(&n->source) && !n->source.snaplen)
        n->source.snaplen = LIVE_SNAP;
    n->source.tick = tick;
    n->source.wants =
        SOURCE_PASSED | SOURCE_SILENT | (n->owners ? SOURCE_OWNERS : 0u) | (n->naming.asked ? 0u : SOURCE_TRACKED);
    code = source_begin(&n->source, error);
    if (!code && n->this_host) {
        n->query.is_local = is_this_host;
        n->query.context = n;
        code = interfaces_read(&n->interfaces, error);
    }
    if (n->most)
        n->source.tracker.max_connections = (uint32_t)n->most;
    sockets_open(&n->sockets, &n->source.tracker);
    n->watch.changed = remember_change;
    if (n->diff[0].text)
        n->sockets.next = &n->watch;
    if (!n->naming.names)
        n->source.packet.stop = KEY_TCP_PORT; /* nothing that TCP carries matters here */
    n->style.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    return code;
}

static int finish(struct netstat *n, int code, struct error *error)
{
    buffer_flush(&n->out);
    int status = report(code, error);
    const struct tracker *t = &n->source.tracker;
    if (t->out_of_memory || n->failed)
        status = report(error_set(error, ERROR_MEMORY, "%s", _("netstat: no memory for all of it")), error);
    if (n->out.failed && n->out.failed != EPIPE)
        status = report(error_set(error, ERROR_SYSTEM, _("standard output: %s"), strerror(n->out.failed)), error);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct netstat n;
    n.source.command = command;
    struct error error;
    int status = parse(&n, command, argc, argv);
    if (status)
        return status;
    int code = open_all(&n, &error);
    bool begun = !code;
    if (begun)
        code = read_all(&n, &error);
    if (begun && code != ERROR_USAGE && code != ERROR_MEMORY) /* what came before the damage is good */
        print_last(&n);
    status = finish(&n, code, &error);
    sockets_close(&n.sockets);
    interfaces_free(&n.interfaces);
    kernel_table_free(&n.kernel);
    naming_close(&n.naming);
    source_close(&n.source);
    buffer_free(&n.out);
    free(n.changes);
    free(n.found);
    return status;
}

const struct command netstat_command = {
    .name = "netstat",
    .summary = N_("sockets rebuilt from packets: the states of both ends, at any moment"),
    .usage = "-r FILE | -i IFACE [--at ADDRESS] [--time TIME] [OPTIONS] [FILTER...]",
    .options = rows,
    .run = run,
};
