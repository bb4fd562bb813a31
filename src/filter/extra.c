#include "filter/extra.h"
#include "dissectors/registry.h"
#include "track/tcp_state.h"
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

/* Anything that the analysis of TCP found remarkable. */
#define REMARKABLE ((UINT64_C(1) << (NOTE_REUSED_PORTS + 1)) - (UINT64_C(1) << NOTE_RETRANSMISSION))

static bool remarkable(const struct place *place, struct value *value)
{
    const struct note *note = layer_note(place->packet, place->layer);
    value->u = 1;
    return note && note->have & REMARKABLE;
}

/* The states of both ends after a segment, by RFC 9293's names; an end's state that the packets do not tell is absent.
 */
static bool state(const struct place *place, struct value *value, bool of_sender)
{
    const struct note *note = layer_note(place->packet, place->layer);
    if (!note || !(note->have >> NOTE_STATES & 1) || note->state[!of_sender] == TCP_UNKNOWN)
        return false;
    const char *name = tcp_state_name(note->state[!of_sender]);
    value->bytes = (struct span){ (const uint8_t *)name, strlen(name) };
    return true;
}

static bool is_from_client(const struct place *place)
{
    const struct note *note = layer_note(place->packet, place->layer);
    return note && note->from_client;
}

static bool sender(const struct place *place, struct value *value)
{
    return state(place, value, true);
}

static bool receiver(const struct place *place, struct value *value)
{
    return state(place, value, false);
}

static bool client(const struct place *place, struct value *value)
{
    return state(place, value, is_from_client(place));
}

static bool server(const struct place *place, struct value *value)
{
    return state(place, value, !is_from_client(place));
}

static const struct {
    const char *protocol;
    struct field field;
} rows[] = {
    { "frame", { "frame.time", "Arrival time", FIELD_TIME, .read = absolute_time } },
    { "tcp", { "tcp.payload", "TCP payload", FIELD_BYTES, .never = LAYER_QUOTED | LAYER_FRAGMENT, .read = payload } },
    { "tcp", { "tcp.analysis.flags", "TCP analysis flags", FIELD_NONE, .flags = FIELD_TRACKED, .read = remarkable } },
    { "tcp", { "tcp.state.client", "State of the client", FIELD_TEXT, .flags = FIELD_TRACKED, .read = client } },
    { "tcp", { "tcp.state.server", "State of the server", FIELD_TEXT, .flags = FIELD_TRACKED, .read = server } },
    { "tcp", { "tcp.state.sender", "State of the sender", FIELD_TEXT, .flags = FIELD_TRACKED, .read = sender } },
    { "tcp", { "tcp.state.receiver", "State of the receiver", FIELD_TEXT, .flags = FIELD_TRACKED, .read = receiver } },
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

uint64_t extra_notes(const struct field *field)
{
    bool states = field->read == client || field->read == server || field->read == sender || field->read == receiver;
    return field->read == remarkable ? REMARKABLE : states ? UINT64_C(1) << NOTE_STATES : 0;
}
