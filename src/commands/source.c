#include "commands/source.h"
#include "base/nearest.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "commands/progress.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "filter/filter.h"
#include "track/statistics.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether messages of a protocol can go over a port of this kind at all. */
static bool goes_over(const struct protocol *protocol, unsigned space)
{
    if (space == KEY_TCP_PORT)
        return protocol->frame;
    for (const struct key *key = protocol->keys; key && key->space; key++)
        if (key->space == space)
            return true;
    return false;
}

static int no_such_protocol(const char *argument, const char *name, unsigned space)
{
    struct nearest nearest;
    nearest_begin(&nearest, name);
    for (const struct protocol *const *p = protocols; *p; p++)
        if (goes_over(*p, space))
            nearest_consider(&nearest, (*p)->name);
    usage_error(nearest.best ? _("--decode-as %s: no such protocol over a port; did you mean %s?")
                             : _("--decode-as %s: no such protocol over a port"),
                argument, nearest.best);
    return -1;
}

/* tcp.port==8081,http or udp.port==5300,dns */
static int decode_as(const char *argument)
{
    unsigned space = !strncmp(argument, "tcp.port==", 10)   ? KEY_TCP_PORT
                     : !strncmp(argument, "udp.port==", 10) ? KEY_UDP_PORT
                                                            : KEY_NONE;
    const char *comma = strchr(argument, ',');
    char digits[8] = "";
    unsigned long long port;
    if (space && comma && comma - argument - 10 < (ptrdiff_t)sizeof digits)
        memcpy(digits, argument + 10, (size_t)(comma - argument - 10));
    if (!parse_number(digits, 1, UINT16_MAX, &port)) {
        usage_error(_("--decode-as %s: not of the form tcp.port==8081,http"), argument);
        return -1;
    }
    const struct protocol *protocol = registry_by_name(comma + 1);
    if (!protocol || !goes_over(protocol, space))
        return no_such_protocol(argument, comma + 1, space);
    if (registry_decode_as(space, (uint16_t)port, protocol))
        return 1;
    usage_error(_("--decode-as %s: too many ports"), argument);
    return -1;
}

int source_option(struct source *s, int letter, const char *argument)
{
    switch (letter) {
    case 'r':
        if (s->file_count == SOURCE_FILES_MAX) {
            usage_error(_("%s: more than %d files"), s->command->name, SOURCE_FILES_MAX);
            return -1;
        }
        s->files[s->file_count++] = argument;
        return 1;
    case 'i':
        s->interface = argument;
        return 1;
    case SOURCE_NO_PROMISCUOUS:
        s->no_promiscuous = true;
        return 1;
    case SOURCE_NETNS:
        s->netns = argument;
        return 1;
    case 's':
        if (parse_number(argument, 0, UINT32_MAX, &s->snaplen))
            return 1;
        usage_error(_("%s: -s %s: not a number of bytes"), s->command->name, argument);
        return -1;
    case 'c':
        if (parse_number(argument, 1, UINT64_MAX, &s->most))
            return 1;
        usage_error(_("%s: -c %s: not a number from 1 on"), s->command->name, argument);
        return -1;
    case SOURCE_DECODE_AS:
        return decode_as(argument);
    case 'Y':
        s->display_filter = argument;
        return 1;
    }
    return 0;
}

int source_operands(struct source *s, int argc, char **argv)
{
    bool failed;
    s->filter = options_join(argc, argv, &failed);
    if (failed)
        return usage_error("%s", _("no memory"));
    if (!s->file_count && !s->interface)
        return usage_error(_("%s: nothing to read: say -r FILE or -i IFACE"), s->command->name);
    if (s->file_count && s->interface)
        return usage_error(_("%s: either -r or -i"), s->command->name);
    return 0;
}

static int open_next(struct source *s, struct error *error)
{
    int code = source_open_capture(s, error);
    if (code)
        return code;
    s->file++;
    int link_type =
        capture_link_type(s->capture); /* reads ahead: before, a pcapng hasn't said how fine its times are */
    return s->filter && !s->bpf ? bpf_open(&s->bpf, s->filter, (uint16_t)link_type, error) : 0;
}

/* Compiles the display filter and opens the trackers: one, that serves it and the command, or one each. */
static int open_trackers(struct source *s, struct error *error)
{
    int code = s->display_filter ? filter_open(&s->display, s->display_filter, error) : 0;
    if (code)
        return code;
    unsigned levels = TRACK_FRAGMENTS | (s->display ? tracker_levels(filter_notes(s->display)) : 0);
    if (!s->display || !(s->wants & SOURCE_PASSED))
        return tracker_open(&s->tracker, levels | s->levels, error);
    code = tracker_open(&s->before, levels, error);
    return code ? code : tracker_open(&s->tracker, s->levels, error);
}

int source_begin(struct source *s, struct error *error)
{
    s->latest = INT64_MIN;
    int code = open_trackers(s, error);
    s->predicts = s->wants & SOURCE_TRACKED && !s->display && s->tracker.levels == (TRACK_FRAGMENTS | TRACK_STATES);
    if (s->display)
        s->statistics = NULL;
    s->packet.streams |= ((s->tracker.levels | s->before.levels) & TRACK_MESSAGES) != 0;
    if (!code)
        code = s->interface ? source_live_open(s, error) : open_next(s, error);
    return code;
}

bool source_nanoseconds(const struct source *s)
{
    return capture_nanoseconds(s->capture);
}

bool source_is_coarse(const struct source *s)
{
    return s->file_count == 1 && capture_is_coarse(s->capture);
}

static inline void note_latest(struct source *s)
{
    if (s->record.time > s->latest)
        s->latest = s->record.time;
}

/* When the record came, beside those before it, which need not have passed. */
static inline void read_times(struct source *s)
{
    struct packet *p = &s->packet;
    int64_t time = s->record.time;
    if (!s->begun) {
        s->first_time = s->last_time = time;
        s->begun = true;
    }
    note_latest(s);
    p->time_relative = time - s->first_time;
    p->time_delta = time - s->last_time;
    s->last_time = time;
}

static inline void read_packet(struct source *s)
{
    struct packet *p = &s->packet;
    const struct record *record = &s->record;
    packet_reset(p, record->bytes);
    p->time = record->time;
    p->timed = record->timed;
    p->link_type = record->link_type;
    p->interface = record->interface;
    p->wire_length = record->wire_length;
    p->comment = record->comment;
    if (record->timed)
        read_times(s);
}

/* The packet as it was before a tracker wrote notes on it. */
static void forget_notes(struct packet *p)
{
    p->note_count = 0;
    for (unsigned i = 0; i < p->layer_count; i++)
        p->layers[i].note = 0;
}

static bool pass_display(struct source *s)
{
    if (!(s->wants & SOURCE_PASSED))
        return filter_passes(s->display, &s->packet);
    tracker_take(&s->before, &s->packet);
    if (!filter_passes(s->display, &s->packet))
        return false;
    forget_notes(&s->packet);
    tracker_take(&s->tracker, &s->packet);
    return true;
}

/* Says which part of the display filter is to blame when nothing passed it. */
static void explain(struct source *s)
{
    struct buffer out;
    if (!s->display || s->explained || s->passed || !s->packet.number || buffer_open(&out, -1, 256))
        return;
    s->explained = true;
    filter_explain(s->display, &out);
    if (buffer_used(&out))
        fprintf(stderr, "peel: -Y: %.*s\n", (int)buffer_used(&out), out.start);
    buffer_free(&out);
}

static inline void take_apart(struct source *s)
{
    dissect(&s->packet);
    if (!s->display || !(s->wants & SOURCE_PASSED))
        tracker_take(&s->tracker, &s->packet);
}

/* Whether the record passes what needs no dissecting. */
static inline bool admits(struct source *s)
{
    struct record *record = &s->record;
    if (s->snaplen && record->bytes.left > s->snaplen)
        record->bytes.left = s->snaplen;
    s->packet.number++;
    if (s->wanted && !s->wanted(s->context, record))
        return false;
    return !s->bpf || record->judged || bpf_passes(s->bpf, record);
}

/* Whether the record that was read passes; then it is taken apart as well. */
static inline bool pass(struct source *s)
{
    bool apart = !(s->wants & SOURCE_RECORDS) || s->display;
    if (!admits(s)) {
        if (apart && s->record.timed)
            read_times(s);
        return false;
    }
    if (!apart)
        return true;
    read_packet(s);
    take_apart(s);
    return !s->display || pass_display(s);
}

static inline bool tracker_predicts_it(struct source *s)
{
    const struct record *r = &s->record;
    return tracker_predicts(&s->tracker, r->bytes, r->link_type, r->wire_length, r->time);
}

static inline bool statistics_predict_it(struct source *s)
{
    const struct record *r = &s->record;
    return statistics_predicts(s->statistics, r->bytes, r->link_type, r->wire_length, r->time);
}

static void tell_progress(void *context)
{
    const struct source *s = context;
    progress_at(capture_bytes_read(s->capture));
}

/* The capture that was opened is about to be read. */
static void begin_file(struct source *s)
{
    capture_read_ahead(s->capture);
    if (s->progress)
        capture_tells(s->capture, tell_progress, s);
}

static void end_file(struct source *s)
{
    if (s->progress)
        progress_file(capture_bytes_read(s->capture));
    capture_close(s->capture);
    s->capture = NULL;
}

/* Bytes of all files; 0: one of them is none. */
static uint64_t whole_size(const struct source *s)
{
    uint64_t size = 0;
    struct stat about;
    for (unsigned i = 0; i < s->file_count; i++) {
        int failed = strcmp(s->files[i], "-") ? stat(s->files[i], &about) : fstat(STDIN_FILENO, &about);
        if (failed || !S_ISREG(about.st_mode))
            return 0;
        size += (uint64_t)about.st_size;
    }
    return size;
}

/* A thread that reads ahead has what the process may do when it begins. */
static int begin_reading(struct source *s, struct error *error)
{
    s->size = s->interface ? 0 : whole_size(s);
    int code = source_confine(s, error);
    if (code || s->interface)
        return code;
    s->progress = progress_begin(s->wants & SOURCE_SILENT, s->size);
    begin_file(s);
    return 0;
}

/* Reads on to the next record of this capture that passes. Returns as capture_next; CAPTURE_NOTHING: the reading ends.
 */
static int next_passing(struct source *s, struct error *error)
{
    int code;
    while ((code = capture_next(s->capture, &s->record, error)) > 0)
        if (code == CAPTURE_NOTHING ? !source_live_tick(s) : pass(s))
            break;
    s->passed += code == 1;
    return code;
}

/* The same to the next one that nobody predicts. */
__attribute__((always_inline)) static inline int next_unforeseen(struct source *s, struct error *error,
                                                                 bool (*predicts)(struct source *))
{
    int code;
    while ((code = capture_next(s->capture, &s->record, error)) > 0) {
        if (code == CAPTURE_NOTHING) {
            if (!source_live_tick(s))
                return code;
            continue;
        }
        if (s->record.timed)
            note_latest(s);
        if (!admits(s))
            continue;
        s->passed++;
        if (!s->record.timed || !predicts(s)) {
            read_packet(s);
            take_apart(s);
            return code;
        }
        if (s->passed == s->most)
            return CAPTURE_NOTHING;
    }
    return code;
}

/* One loop for each who predicts, so that nothing stands between reading and him. */
static int next_here(struct source *s, struct error *error)
{
    if (s->predicts)
        return next_unforeseen(s, error, tracker_predicts_it);
    return s->statistics ? next_unforeseen(s, error, statistics_predict_it) : next_passing(s, error);
}

int source_next(struct source *s, struct error *error)
{
    int begun = s->confined ? 0 : begin_reading(s, error);
    if (__builtin_expect(begun, 0))
        return begun;
    if (s->most && s->passed == s->most) {
        progress_end();
        return 0;
    }
    for (;;) {
        int code = next_here(s, error);
        if (code > 0)
            return code != CAPTURE_NOTHING;
        if (code || s->file == s->file_count) {
            progress_end();
            explain(s);
            return code;
        }
        end_file(s);
        if ((code = open_next(s, error)))
            return code;
        begin_file(s);
    }
}

/* How many connections there was no room to remember. */
static void tell_forgotten(const struct source *s)
{
    const struct tracker *t = s->tracker.forgotten ? &s->tracker : &s->before;
    if (t->forgotten)
        fprintf(stderr, _("peel: %s: more than %u connections: forgot %llu, %llu of them half open\n"),
                s->command->name, t->max_connections, (unsigned long long)t->forgotten,
                (unsigned long long)t->forgotten_half_open);
}

static void close_reading(struct source *s)
{
    capture_close(s->capture);
    bpf_close(s->bpf);
    filter_close(s->display);
    tracker_close(&s->before);
    tracker_close(&s->tracker);
    free(s->filter);
}

int source_again(struct source *s, const struct source *asked, struct error *error)
{
    struct helper helper = s->helper;
    bool confined = s->confined;
    uint64_t size = s->size;
    close_reading(s);
    *s = *asked;
    s->helper = helper;
    s->confined = confined;
    s->size = size;
    int code = source_begin(s, error);
    if (code || !confined)
        return code;
    s->progress = progress_begin(s->wants & SOURCE_SILENT, size);
    begin_file(s);
    return 0;
}

void source_close(struct source *s)
{
    progress_end();
    tell_forgotten(s);
    if (s->interface && s->capture && s->confined) /* else nothing was asked of it yet */
        source_live_report(s);
    if (s->confined)
        helper_stop(&s->helper);
    close_reading(s);
}
