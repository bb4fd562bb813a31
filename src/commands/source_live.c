/* Packets from an interface, for every command: opening, what happens meanwhile, and the count of what was lost. */
#include "base/clock.h"
#include "base/nearest.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "capture/live.h"
#include "commands/source.h"
#include "host/interface.h"
#include "host/netns.h"
#include "host/stop.h"
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { HASTE = -10 /* see setpriority(2) */ };

static const int64_t second = 1000000000;

bool source_is_live(const struct source *s)
{
    return s->interface != NULL;
}

/* The sentence that there is no such interface, with one that was perhaps meant. */
static int not_found(const char *name, struct error *error)
{
    struct interfaces list;
    struct nearest nearest;
    nearest_begin(&nearest, name);
    if (!interfaces_read(&list, NULL))
        for (unsigned i = 0; i < list.count; i++)
            nearest_consider(&nearest, list.all[i].name);
    if (nearest.best)
        error_set(error, ERROR_NOT_FOUND, _("%s: no such interface; did you mean %s? ('peel ifaces' lists them)"), name,
                  nearest.best);
    else
        error_set(error, ERROR_NOT_FOUND, _("%s: no such interface ('peel ifaces' lists them)"), name);
    interfaces_free(&list);
    return ERROR_NOT_FOUND;
}

int source_live_open(struct source *s, struct error *error)
{
    int code = s->netns ? netns_enter(s->netns, error) : 0;
    if (code)
        return code;
    struct live_options options = {
        .interface = s->interface,
        .filter = s->filter,
        .snap_length = s->snaplen > UINT32_MAX ? 0 : (uint32_t)s->snaplen,
        .promiscuous = !s->no_promiscuous,
    };
    /* Who listens too late has lost packets: before others, if we may. */
    setpriority(PRIO_PROCESS, 0, HASTE);
    code = capture_open_live(&s->capture, &options, error);
    if (code == ERROR_NOT_FOUND)
        return not_found(s->interface, error);
    if (!code && s->filter) /* for what the kernel leaves to us */
        code = bpf_open(&s->bpf, s->filter, (uint16_t)capture_link_type(s->capture), error);
    s->live.terminal = isatty(STDERR_FILENO);
    s->live.told = clock_ns(CLOCK_MONOTONIC);
    if (!code)
        stop_watch();
    return code;
}

static void tell_event(const struct source *s, enum live_event event)
{
    static const char *const sentences[] = {
        [LIVE_WENT_DOWN] = N_("went down; waiting for it"),
        [LIVE_VANISHED] = N_("vanished; waiting for one of that name"),
        [LIVE_CAME_BACK] = N_("is back"),
    };
    struct error line;
    error_set(&line, 0, "%s: %s", s->interface, _(sentences[event]));
    fprintf(stderr, "peel: %s\n", line.text);
}

/* On a terminal, at most once a second, and only when there are new ones. */
static void tell_drops(struct source *s)
{
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (!s->live.terminal || now - s->live.told < second)
        return;
    s->live.told = now;
    struct live_counts counts = capture_live_counts(s->capture);
    if (counts.dropped == s->live.dropped)
        return;
    fprintf(stderr, _("peel: %s: %llu packets dropped by the kernel, %llu more than before\n"), s->interface,
            (unsigned long long)counts.dropped, (unsigned long long)(counts.dropped - s->live.dropped));
    s->live.dropped = counts.dropped;
}

/* --- what happens meanwhile --- */

bool source_live_tick(struct source *s)
{
    if (stop_asked())
        capture_stop(s->capture);
    enum live_event event = capture_live_event(s->capture);
    if (event != LIVE_NOTHING)
        tell_event(s, event);
    tell_drops(s);
    return !s->tick || s->tick(s->context);
}

/* --- batches --- */

bool source_has_batches(const struct source *s)
{
    return s->interface && s->wants & SOURCE_RECORDS && !s->wanted && !s->display_filter &&
           capture_has_batches(s->capture);
}

/* What the kernel left to us to judge, and to cut. One packet at a time. */
static bool passes(struct source *s, struct live_batch *one)
{
    static struct ring_packet cut;
    cut = *one->packets;
    struct record record = {
        .bytes = cut.bytes,
        .wire_length = cut.wire_length,
        .link_type = capture_live_link_type(s->capture),
    };
    if (s->bpf && !bpf_passes(s->bpf, &record))
        return false;
    if (s->snaplen && cut.bytes.left > s->snaplen)
        cut.bytes.left = s->snaplen;
    one->packets = &cut;
    return true;
}

/* The first packets of the rest of what was read that can be handed out together. False: none is left. */
static bool next_part(struct source *s, struct live_batch *part)
{
    struct live_batch *rest = &s->live.rest;
    while (rest->count) {
        unsigned n = 0;
        while (n < rest->count && !rest->packets[n].unjudged)
            n++;
        *part = (struct live_batch){ rest->packets, n ? n : 1 };
        rest->packets += part->count;
        rest->count -= part->count;
        if (n || passes(s, part))
            return true;
    }
    return false;
}

int source_batch(struct source *s, struct live_batch *batch, struct error *error)
{
    int code = s->confined ? 0 : source_confine(s, error);
    if (code || (s->most && s->passed == s->most))
        return code;
    while (!next_part(s, batch)) {
        code = capture_batch(s->capture, &s->live.rest, error);
        if (code == CAPTURE_NOTHING && !source_live_tick(s))
            return 0;
        if (code <= 0)
            return code;
        if (code == CAPTURE_NOTHING)
            s->live.rest.count = 0;
    }
    if (s->most && batch->count > s->most - s->passed)
        batch->count = (unsigned)(s->most - s->passed);
    s->passed += batch->count;
    return 1;
}

void source_live_report(struct source *s)
{
    struct live_counts counts = capture_live_counts(s->capture);
    struct error line;
    error_set(&line, 0, _("%s: %llu packets received, %llu dropped by the kernel, %llu by the interface"), s->interface,
              (unsigned long long)counts.received, (unsigned long long)counts.dropped,
              (unsigned long long)counts.interface_dropped);
    fprintf(stderr, "peel: %s\n", line.text);
}
