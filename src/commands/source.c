#include "commands/source.h"
#include "base/nearest.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include <stdlib.h>

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
    int code = capture_open(&s->capture, s->files[s->file], error);
    if (code)
        return code;
    s->file++;
    int link_type =
        capture_link_type(s->capture); /* reads ahead: before, a pcapng hasn't said how fine its times are */
    return s->filter && !s->bpf ? bpf_open(&s->bpf, s->filter, (uint16_t)link_type, error) : 0;
}

int source_begin(struct source *s, struct error *error)
{
    s->packet.streams |= (s->levels & TRACK_MESSAGES) != 0;
    int code = tracker_open(&s->tracker, TRACK_FRAGMENTS | s->levels, error);
    if (!code)
        code = s->interface ? source_live_open(s, error) : open_next(s, error);
    return code;
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

/* Whether the record that was read passes; then it is taken apart as well. */
static inline bool pass(struct source *s)
{
    struct record *record = &s->record;
    if (s->snaplen && record->bytes.left > s->snaplen)
        record->bytes.left = s->snaplen;
    s->packet.number++;
    if (!(s->wants & SOURCE_RECORDS))
        read_packet(s);
    if (s->wanted && !s->wanted(s->context, record))
        return false;
    if (s->bpf && !record->judged && !bpf_passes(s->bpf, record))
        return false;
    if (!(s->wants & SOURCE_RECORDS)) {
        dissect(&s->packet);
        tracker_take(&s->tracker, &s->packet);
    }
    return true;
}

int source_next(struct source *s, struct error *error)
{
    int confined = s->confined ? 0 : source_confine(s, error);
    if (__builtin_expect(confined, 0))
        return confined;
    if (s->most && s->passed == s->most)
        return 0;
    for (;;) {
        int code;
        while ((code = capture_next(s->capture, &s->record, error)) > 0)
            if (code == CAPTURE_NOTHING) {
                if (!source_live_tick(s))
                    return 0;
            } else if (pass(s)) {
                s->passed++;
                return 1;
            }
        if (code || s->file == s->file_count)
            return code;
        capture_close(s->capture);
        s->capture = NULL;
        if ((code = open_next(s, error)))
            return code;
    }
}

void source_close(struct source *s)
{
    if (s->interface && s->capture)
        source_live_report(s);
    if (s->confined)
        helper_stop(&s->helper);
    capture_close(s->capture);
    bpf_close(s->bpf);
    tracker_close(&s->tracker);
    free(s->filter);
}
