/* peel capture: packets from an interface into files, as many as come and as cheaply as can be. */
#include "base/clock.h"
#include "base/digits.h"
#include "base/text.h"
#include "capture/live.h"
#include "capture/series.h"
#include "capture/writer.h"
#include "commands/source.h"
#include "host/privilege.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RING = 256, ROTATE, DURATION, SYNC, PROGRESS_MS = 250, LOOK_MS = 1000 };

static const struct option_row rows[] = {
    { 'i', "interface", "IFACE", N_("packets from this interface, until interrupted; any: all of them") },
    { 'w', "write", "FILE", N_("write to FILE: pcapng, or pcap if it ends in .pcap; - is standard output") },
    { 's', "snaplen", "N", N_("keep N bytes of each packet") },
    { 'c', "max", "N", N_("stop after N packets that pass") },
    { DURATION, "duration", "TIME", N_("stop after TIME: 90s, 15m, 1h, 1d") },
    { RING, "ring", "[N]xSIZE",
      N_("change files when one has SIZE (100M, 2G), and keep the newest N; without N: all") },
    { ROTATE, "rotate", "TIME", N_("change files after TIME: 30s, 15m, 1h, 1d") },
    { SYNC, "sync", NULL, N_("have each file on the disk (fsync) before it counts as written") },
    { 'p', NULL, NULL, N_("the same as --no-promisc") },
    { SOURCE_NO_PROMISCUOUS, "no-promisc", NULL, N_("only what the interface takes for this host") },
    { SOURCE_NETNS, "netns", "NAME|PID", N_("the interface is in this network namespace") },
    { 'q', "quiet", NULL, N_("no progress on the terminal") },
    { 0 },
};

struct taking {
    /* asked for */
    struct source source;
    struct series series;
    unsigned long long most_bytes, rotate, duration; /* seconds; 0: not asked for */
    bool sync, quiet, standard;
    /* at work */
    struct writer *writer;
    int fd;                                  /* the writer's */
    int64_t begun, file_begun, told, looked; /* on the monotonic clock */
    int64_t begun_real;
    uint64_t bytes, files; /* of the files before */
    uint64_t reported_drops;
    bool terminal;
    bool keeps; /* the source's bytes stay valid until give_back */
    int failed;
    struct error error;
};

/* --- command line --- */

/* A number and one of `units`, each of which stands for `factors`; no unit: the first factor. */
static bool parse_unit(const char *text, const char *units, const unsigned long long *factors,
                       unsigned long long *value)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    unsigned long long factor = *factors;
    if (*end) {
        const char *unit = strchr(units, *end);
        if (!unit || end[1])
            return false;
        factor = factors[unit - units];
    }
    if (errno || !*value || *value > INT64_MAX / factor)
        return false;
    *value *= factor;
    return true;
}

static int take_time(const char *option, const char *text, unsigned long long *seconds)
{
    static const unsigned long long factors[] = { 1, 60, 3600, 86400 };
    if (parse_unit(text, "smhd", factors, seconds) && *seconds < 1000000000)
        return 0;
    return usage_error(_("capture: --%s %s: not a time as 30s, 15m, 1h or 1d"), option, text);
}

static int take_ring(struct taking *t, const char *text)
{
    static const unsigned long long factors[] = { 1, 1000, 1000000, 1000000000 };
    unsigned long long keep = 0;
    char number[24];
    const char *x = strchr(text, 'x');
    size_t n = x ? (size_t)(x - text) : 0;
    bool good = n < sizeof number;
    if (good && n) {
        memcpy(number, text, n);
        number[n] = 0;
        good = parse_number(number, 1, SERIES_KEEP_MAX, &keep);
    }
    if (!good || !parse_unit(x ? x + 1 : text, "BkMG", factors, &t->most_bytes))
        return usage_error(_("capture: --ring %s: not as 10x100M, nor a size as 100M"), text);
    t->series.keep = (unsigned)keep;
    t->series.changes = true;
    return 0;
}

static int parse_option(void *context, int letter, char *argument)
{
    struct taking *t = context;
    int taken = source_option(&t->source, letter == 'p' ? SOURCE_NO_PROMISCUOUS : letter, argument);
    if (taken)
        return taken < 0 ? EXIT_USAGE : 0;
    switch (letter) {
    case 'w':
        t->series.path = argument;
        return 0;
    case RING:
        return take_ring(t, argument);
    case ROTATE:
        t->series.changes = true;
        return take_time("rotate", argument, &t->rotate);
    case DURATION:
        return take_time("duration", argument, &t->duration);
    case SYNC:
        t->sync = true;
        return 0;
    case 'q':
        t->quiet = true;
    }
    return 0;
}

static int parse(struct taking *t, const struct command *command, int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, command, argc, argv, parse_option, t);
    if (status)
        return status;
    if (!t->source.interface)
        return usage_error("%s", _("capture: from where? Say -i IFACE ('peel ifaces' lists them)"));
    if (!t->series.path || !*t->series.path)
        return usage_error("%s", _("capture: where to? Say -w FILE"));
    t->standard = !strcmp(t->series.path, "-");
    if (t->standard && (t->series.changes || t->sync))
        return usage_error("%s", _("capture: standard output is no file: not with --ring, --rotate or --sync"));
    return source_operands(&t->source, argc - options.operand, argv + options.operand);
}

/* --- files --- */

static int open_file(struct taking *t, bool again, struct error *error)
{
    struct source *s = &t->source;
    int fd = STDOUT_FILENO;
    if (!t->standard)
        fd = source_file(s, again, error);
    int code = fd < 0 ? fd : writer_open_descriptor(&t->writer, fd, t->standard ? "-" : t->series.current, error);
    if (code)
        return code;
    t->fd = fd;
    t->file_begun = clock_ns(CLOCK_MONOTONIC);
    t->files++;
    struct writer_description description = {
        .interface = s->interface,
        .filter = s->filter,
        .snap_length = s->snaplen > UINT32_MAX ? 0 : (uint32_t)s->snaplen,
        .link_type = capture_live_link_type(s->capture),
    };
    if (t->keeps)
        writer_lend(t->writer);
    if (s->series)
        writer_tell(t->writer, s->written);
    return writer_describe(t->writer, &description, error);
}

static int put_statistics(struct taking *t, struct error *error)
{
    struct live_counts counts = capture_live_counts(t->source.capture);
    struct writer_statistics statistics = {
        .begun = t->begun_real,
        .time = clock_ns(CLOCK_REALTIME),
        .received = counts.received,
        .dropped = counts.dropped,
        .interface_dropped = counts.interface_dropped,
        .delivered = t->source.passed,
    };
    t->reported_drops = counts.dropped;
    return writer_statistics(t->writer, &statistics, error);
}

/* Ends the file in order: how the capture went until then, everything out, and on the disk if that was asked for. */
static int end_file(struct taking *t, struct error *error)
{
    int code = put_statistics(t, error);
    if (!code)
        code = writer_flush(t->writer, error);
    if (!code && t->sync && fsync(t->fd))
        code = error_set(error, ERROR_SYSTEM, "%s: %s", t->series.current, strerror(errno));
    t->bytes += writer_size(t->writer);
    int closed = writer_close(t->writer, code ? NULL : error);
    t->writer = NULL;
    return code ? code : closed;
}

static int change_file(struct taking *t, struct error *error)
{
    int code = end_file(t, error);
    return code ? code : open_file(t, false, error);
}

/* --- at work --- */

static void show_progress(struct taking *t, int64_t now)
{
    char packets[32], drops[32];
    if (!t->terminal || now - t->told < PROGRESS_MS * INT64_C(1000000))
        return;
    t->told = now;
    struct live_counts counts = capture_live_counts(t->source.capture);
    double megabytes = (double)(t->bytes + writer_size(t->writer)) / 1e6;
    fputs("\r\033[K", stderr);
    fprintf(stderr, _("%s packets, %.1f MB, %s dropped, %lld s"), grouped(packets, t->source.passed), megabytes,
            grouped(drops, counts.dropped), (long long)((now - t->begun) / 1000000000));
    fflush(stderr);
}

/* Whether somebody removed the file that is being written: then what follows goes into a new one of its name. */
static int look_at_file(struct taking *t, struct error *error)
{
    struct stat status;
    if (t->standard || fstat(t->fd, &status) || status.st_nlink || !S_ISREG(status.st_mode))
        return 0;
    struct error line;
    error_set(&line, 0, _("%s: was removed while it was written: what follows goes into a new file"),
              t->series.current);
    fprintf(stderr, "peel: %s\n", line.text);
    writer_close(t->writer, NULL);
    t->writer = NULL;
    return open_file(t, true, error);
}

/* What is to be done once a second. */
static int look_after(struct taking *t, int64_t now, struct error *error)
{
    if (now - t->looked < LOOK_MS * INT64_C(1000000))
        return 0;
    t->looked = now;
    struct live_counts counts = capture_live_counts(t->source.capture);
    int code = counts.dropped != t->reported_drops ? put_statistics(t, error) : 0;
    return code ? code : look_at_file(t, error);
}

static bool tick(void *context)
{
    struct taking *t = context;
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    show_progress(t, now);
    t->failed = look_after(t, now, &t->error);
    if (!t->failed && t->rotate && now - t->file_begun >= (int64_t)t->rotate * 1000000000)
        t->failed = change_file(t, &t->error);
    if (!t->failed)
        t->failed = writer_flush(t->writer, &t->error);
    if (t->duration && now - t->begun >= (int64_t)t->duration * 1000000000)
        capture_stop(t->source.capture);
    return !t->failed;
}

/* The bytes of packets that were not copied are about to go. */
static void give_back(void *context)
{
    struct taking *t = context;
    if (!t->failed && t->writer)
        t->failed = writer_return(t->writer, &t->error);
}

/* Packets that came together; where files change with their size, it is looked at after each. */
static int put_batch(struct taking *t, const struct live_batch *batch)
{
    unsigned step = t->most_bytes ? 1 : batch->count;
    int code = 0;
    for (unsigned i = 0; !code && i < batch->count; i += step) {
        code = writer_put_many(t->writer, batch->packets + i, step, &t->error);
        if (!code && t->most_bytes && writer_size(t->writer) >= t->most_bytes)
            code = change_file(t, &t->error);
    }
    return code;
}

static int take_batches(struct taking *t)
{
    struct live_batch batch;
    int code = 0;
    while (!t->failed && (code = source_batch(&t->source, &batch, &t->error)) > 0)
        t->failed = put_batch(t, &batch);
    return t->failed ? t->failed : code;
}

static int take_all(struct taking *t)
{
    struct source *s = &t->source;
    int code = 0;
    while (!t->failed && (code = source_next(s, &t->error)) > 0) {
        t->failed = writer_put(t->writer, &s->record, &t->error);
        if (t->most_bytes && writer_size(t->writer) >= t->most_bytes && !t->failed)
            t->failed = change_file(t, &t->error);
    }
    return t->failed ? t->failed : code;
}

static void say_what_is_written(const struct taking *t)
{
    char packets[32], bytes[32];
    if (t->standard)
        return;
    struct error line;
    error_set(&line, 0, _("%s: %s packets, %s bytes, %llu files"), t->series.current,
              grouped(packets, t->source.passed), grouped(bytes, t->bytes), (unsigned long long)t->files);
    fprintf(stderr, "peel: %s\n", line.text);
}

/* What the helper has to know to leave no half packet behind if we are killed. */
static int share(struct taking *t, struct error *error)
{
    void *page = mmap(NULL, sizeof *t->source.written, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return error_set(error, ERROR_MEMORY, "%s", strerror(errno));
    t->source.written = page;
    t->source.series = &t->series;
    if (!privilege_caller(&t->series.owner, &t->series.group))
        t->series.owner = (uid_t)-1;
    return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct taking t = { .series = { .owner = (uid_t)-1, .group = (gid_t)-1 } };
    struct source *s = &t.source;
    s->command = command;
    s->wants = SOURCE_RECORDS;
    s->tick = tick;
    s->context = &t;
    int status = parse(&t, command, argc, argv);
    if (status)
        return status;
    t.terminal = isatty(STDERR_FILENO) && !t.quiet;
    int code = source_begin(s, &t.error);
    if (!code && !t.standard)
        code = share(&t, &t.error);
    if (!code) {
        t.keeps = capture_keeps(s->capture, give_back, &t);
        code = open_file(&t, false, &t.error);
    }
    t.begun = t.looked = clock_ns(CLOCK_MONOTONIC);
    t.begun_real = clock_ns(CLOCK_REALTIME);
    if (!code)
        code = source_has_batches(s) ? take_batches(&t) : take_all(&t);
    if (t.terminal && t.told)
        fputs("\r\033[K", stderr);
    if (t.writer) {
        int ended = end_file(&t, code < 0 ? NULL : &t.error);
        code = code < 0 ? code : ended;
        say_what_is_written(&t);
    }
    status = report(code, &t.error);
    source_close(s);
    series_close(&t.series);
    return status;
}

const struct command capture_command = {
    .name = "capture",
    .summary = N_("packets from an interface to disk: pcapng or pcap, rings of files, no loss"),
    .usage = "-i IFACE -w FILE [OPTIONS] [FILTER...]",
    .options = rows,
    .run = run,
};
