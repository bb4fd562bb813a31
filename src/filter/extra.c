#include "filter/extra.h"
#include "dissectors/registry.h"
#include <string.h>

/* What a segment or datagram carries; absent where it carries nothing, or only a fragment of it is here. */
static bool payload(const struct place *place, struct value *value)
{
    const struct layer *layer = place->layer;
    value->bytes = layer_payload(place->packet, layer);
    return value->bytes.left && layer->verdict != VERDICT_BROKEN;
}

static bool absolute_time(const struct place *place, struct value *value)
{
    value->i = place->packet->time;
    return place->packet->timed;
}

static const struct {
    const char *protocol;
    struct field field;
} rows[] = {
    { "frame", { "frame.time", "Arrival time", FIELD_TIME, .read = absolute_time } },
    { "tcp", { "tcp.payload", "TCP payload", FIELD_BYTES, .never = LAYER_QUOTED | LAYER_FRAGMENT, .read = payload } },
    { "udp", { "udp.payload", "UDP payload", FIELD_BYTES, .never = LAYER_FRAGMENT, .read = payload } },
};
enum { ROWS = sizeof rows / sizeof *rows };

unsigned extra_field(const char *name, struct field_ref *refs, unsigned most)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].field.abbrev, name) != 0)
            continue;
        const struct protocol *protocol = registry_by_name(rows[i].protocol);
        if (protocol && n < most)
            refs[n++] = (struct field_ref){ .protocol = protocol, .rows = protocol->fields, .field = &rows[i].field };
    }
    return n;
}

void extra_each(void (*each)(void *context, const char *name), void *context)
{
    for (unsigned i = 0; i < ROWS; i++)
        each(context, rows[i].field.abbrev);
}
