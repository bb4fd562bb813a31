#include "commands/live_ladder.h"
#include "base/text.h"
#include "commands/terminal.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "output/ladder.h"
#include "track/tracker.h"
#include <stdlib.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 16 << 10 };

static const int64_t rest =
    300 * INT64_C(1000000); /* longer than a round trip: then nothing more belongs to a transfer */

struct live_ladder {
    struct tracker tracker;
    struct ladder ladder;
    struct buffer out;
    struct style style;
    const struct protocol *tcp;
    int64_t first, last; /* times of packets */
    int64_t kept_since;  /* by the dialogue's clock; INT64_MAX: nothing is kept */
    struct packet packet;
};

int live_ladder_open(struct live_ladder **ladder, struct error *error)
{
    struct live_ladder *l = *ladder = calloc(1, sizeof *l);
    if (!l)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    terminal_style(&l->style, STDERR_FILENO, "auto", false);
    l->tcp = registry_by_name("tcp");
    l->kept_since = INT64_MAX;
    int code = tracker_open(&l->tracker, TRACK_FRAGMENTS | TRACK_STREAMS | TRACK_STATES | TRACK_ANALYSIS, error);
    if (!code &&
        (buffer_open(&l->out, STDERR_FILENO, OUTPUT_BYTES) || ladder_open(&l->ladder, &l->style, l->style.columns)))
        code = error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    l->ladder.fold = true;
    return code;
}

void live_ladder_ends(struct live_ladder *l, const struct segment_ends *e, bool we_called)
{
    if (we_called)
        ends_set(&l->ladder.ends, true, e->local.size, e->local.bytes, e->local_port, e->remote.bytes, e->remote_port);
    else
        ends_set(&l->ladder.ends, true, e->local.size, e->remote.bytes, e->remote_port, e->local.bytes, e->local_port);
}

static const struct layer *tcp_layer(const struct live_ladder *l)
{
    for (unsigned i = 0; i < l->packet.layer_count; i++)
        if (l->packet.layers[i].protocol == l->tcp && !(l->packet.layers[i].flags & LAYER_QUOTED))
            return &l->packet.layers[i];
    return NULL;
}

void live_ladder_take(struct live_ladder *l, struct span bytes, uint16_t link_type, int64_t time)
{
    struct packet *p = &l->packet;
    if (time < l->last) /* what came in was stamped before we looked: the order is that in which it was taken */
        time = l->last;
    packet_reset(p, bytes);
    p->number++;
    p->time = time;
    p->timed = true;
    p->link_type = link_type;
    p->wire_length = (uint32_t)bytes.left;
    if (!l->first)
        l->first = l->last = time;
    p->time_relative = time - l->first;
    p->time_delta = time - l->last;
    l->last = time;
    dissect(p);
    tracker_take(&l->tracker, p);
    ladder_take(&l->ladder, &l->out, p, tcp_layer(l));
    buffer_flush(&l->out);
    if (l->kept_since == INT64_MAX)
        l->kept_since = dialogue_now();
}

int64_t live_ladder_deadline(const struct live_ladder *l)
{
    return l->kept_since == INT64_MAX ? INT64_MAX : l->kept_since + rest;
}

void live_ladder_rest(struct live_ladder *l, int64_t now)
{
    if (now < live_ladder_deadline(l))
        return;
    l->kept_since = INT64_MAX;
    ladder_settle(&l->ladder, &l->out);
    buffer_flush(&l->out);
}

void live_ladder_close(struct live_ladder *l)
{
    if (!l)
        return;
    ladder_finish(&l->ladder, &l->out);
    buffer_flush(&l->out);
    ladder_close(&l->ladder);
    buffer_free(&l->out);
    tracker_close(&l->tracker);
    free(l);
}
