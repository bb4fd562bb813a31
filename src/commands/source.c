#include "commands/source.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "dissectors/dissect.h"
#include "filter/filter.h"
#include <stdio.h>
#include <stdlib.h>

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
    if (!s->file_count)
        return usage_error(_("%s: nothing to read: say -r FILE"), s->command->name);
    return 0;
}

static int open_next(struct source *s, struct error *error)
{
    int code = capture_open(&s->capture, s->files[s->file], error);
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
    int code = open_trackers(s, error);
    return code ? code : open_next(s, error);
}

bool source_nanoseconds(const struct source *s)
{
    return capture_nanoseconds(s->capture);
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
    if (!record->timed)
        return;
    if (!s->begun) {
        s->first_time = s->last_time = record->time;
        s->begun = true;
    }
    p->time_relative = record->time - s->first_time;
    p->time_delta = record->time - s->last_time;
    s->last_time = record->time;
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

/* Whether the record that was read passes; then it is taken apart as well. */
static inline bool pass(struct source *s)
{
    struct record *record = &s->record;
    if (s->snaplen && record->bytes.left > s->snaplen)
        record->bytes.left = s->snaplen;
    s->packet.number++;
    bool apart = !(s->wants & SOURCE_RECORDS) || s->display;
    if (apart)
        read_packet(s);
    if (s->wanted && !s->wanted(s->context, record))
        return false;
    if (s->bpf && !bpf_passes(s->bpf, record))
        return false;
    if (!apart)
        return true;
    dissect(&s->packet);
    if (!s->display || !(s->wants & SOURCE_PASSED))
        tracker_take(&s->tracker, &s->packet);
    return !s->display || pass_display(s);
}

int source_next(struct source *s, struct error *error)
{
    if (s->most && s->passed == s->most)
        return 0;
    for (;;) {
        int code;
        while ((code = capture_next(s->capture, &s->record, error)) > 0)
            if (pass(s)) {
                s->passed++;
                return 1;
            }
        if (code || s->file == s->file_count) {
            explain(s);
            return code;
        }
        capture_close(s->capture);
        s->capture = NULL;
        if ((code = open_next(s, error)))
            return code;
    }
}

void source_close(struct source *s)
{
    capture_close(s->capture);
    bpf_close(s->bpf);
    filter_close(s->display);
    tracker_close(&s->before);
    tracker_close(&s->tracker);
    free(s->filter);
}
