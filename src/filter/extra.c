#include "filter/extra.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "track/tcp_state.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a segment or datagram carries, also what is there of it in a fragment or behind the header that an ICMP error
 * quotes; absent where it carries nothing. What a reset carries is no data: RFC 9293, 3.5.3 */
static bool payload(const struct place *place, struct value *value)
{
    const struct layer *layer = place->layer;
    value->bytes = layer_payload(place->packet, layer);
    bool reset = layer->protocol == &tcp_protocol && place->bytes.left > 13 && place->bytes.at[13] & TCP_RST;
    return value->bytes.left && layer->verdict != VERDICT_BROKEN && !reset;
}

static bool absolute_time(const struct place *place, struct value *value)
{
    value->i = place->packet->time;
    return place->packet->timed;
}

/* The layers' names, outermost first. Wireshark names an ethertype, too, where one is looked up. */
static bool names_of_layers(const struct place *place, struct value *value)
{
    static _Thread_local char text[LAYERS_MAX * 24];
    const struct packet *p = place->packet;
    size_t n = 0;
    for (unsigned i = 0; i < p->layer_count; i++) {
        const char *name = p->layers[i].protocol->name,
                   *next = i + 1 < p->layer_count ? p->layers[i + 1].protocol->name : "";
        bool by_type = (!strcmp(name, "eth") || !strcmp(name, "vlan")) && *next && strcmp(next, "llc") != 0;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s", n ? ":" : "", name, by_type ? ":ethertype" : "");
        if (n >= sizeof text)
            n = sizeof text - 1;
    }
    value->bytes = (struct span){ (const uint8_t *)text, n };
    return n;
}

static void keep_value(void *context, const struct field *field, const struct value *value)
{
    struct span *kept = context;
    (void)field;
    if (!kept->at)
        *kept = value->bytes;
}

static struct span text_of(const struct place *place, const char *name)
{
    struct field_ref ref = { 0 };
    struct span text = { 0 };
    if (lookup_field(name, &ref, 1))
        lookup_read(&ref, place->packet, place->layer, keep_value, &text);
    return text;
}

/* What is asked for, with the host that is to have it: RFC 9112, 3.3 */
static bool full_uri(const struct place *place, struct value *value)
{
    enum { MOST = 4096 };
    static _Thread_local uint8_t text[MOST];
    struct span uri = text_of(place, "http.request.uri"), method = text_of(place, "http.request.method");
    struct span host = text_of(place, "http.host");
    bool absolute = uri.left >= 8 && (!strncasecmp((const char *)uri.at, "http://", 7) ||
                                      !strncasecmp((const char *)uri.at, "https://", 8));
    bool tunnel = method.left == 7 && !memcmp(method.at, "CONNECT", 7);
    value->bytes = uri;
    if (!method.left || absolute || tunnel)
        return uri.left;
    if (!host.left || host.left + uri.left > MOST - 7)
        return false;
    memcpy(text, "http://", 7);
    memcpy(text + 7, host.at, host.left);
    memcpy(text + 7 + host.left, uri.at, uri.left);
    value->bytes = (struct span){ text, 7 + host.left + uri.left };
    return true;
}

/* An option of TCP: its kind, its length and what it holds; the first of a kind. RFC 9293, 3.1 */
static bool tcp_option(const struct place *place, struct value *value, unsigned wanted)
{
    enum { HEADER = 20, END = 0, NOTHING = 1 };
    struct span rest = span_part(place->bytes, HEADER, place->bytes.left);
    while (rest.left && rest.at[0] != END) {
        const uint8_t *option = span_peek(&rest, 2);
        size_t length = rest.at[0] == NOTHING ? 1 : option ? option[1] : 0;
        if (!length || length > rest.left || (rest.at[0] != NOTHING && length < 2))
            return false;
        value->bytes = span_part(rest, 0, length);
        if (rest.at[0] == wanted)
            return true;
        span_pull(&rest, length);
    }
    return false;
}

#define TCP_OPTION(name, kind)                                                                                         \
    static bool name(const struct place *place, struct value *value)                                                   \
    {                                                                                                                  \
        return tcp_option(place, value, kind);                                                                         \
    }
TCP_OPTION(option_mss, 2)
TCP_OPTION(option_wscale, 3)
TCP_OPTION(option_sack, 5)
TCP_OPTION(option_timestamp, 8)

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
    { "frame", { "frame.time", "Arrival time", FIELD_TIME, .base = BASE_DATE, .read = absolute_time } },
    { "frame", { "frame.protocols", "Protocols in the frame", FIELD_TEXT, .read = names_of_layers } },
    { "http", { "http.request.full_uri", "Full request URI", FIELD_TEXT, .read = full_uri } },
    { "ssdp", { "http.request.full_uri", "Full request URI", FIELD_TEXT, .read = full_uri } },
    { "tcp", { "tcp.payload", "TCP payload", FIELD_BYTES, .read = payload } },
    { "tcp", { "tcp.analysis.flags", "TCP analysis flags", FIELD_NONE, .flags = FIELD_TRACKED, .read = remarkable } },
    { "tcp", { "tcp.state.client", "State of the client", FIELD_TEXT, .flags = FIELD_TRACKED, .read = client } },
    { "tcp", { "tcp.state.server", "State of the server", FIELD_TEXT, .flags = FIELD_TRACKED, .read = server } },
    { "tcp", { "tcp.state.sender", "State of the sender", FIELD_TEXT, .flags = FIELD_TRACKED, .read = sender } },
    { "tcp", { "tcp.state.receiver", "State of the receiver", FIELD_TEXT, .flags = FIELD_TRACKED, .read = receiver } },
    { "udp", { "udp.payload", "UDP payload", FIELD_BYTES, .never = LAYER_FRAGMENT, .read = payload } },
    { "tcp", { "tcp.options.mss", "Maximum segment size option", FIELD_BYTES, .read = option_mss } },
    { "tcp", { "tcp.options.wscale", "Window scale option", FIELD_BYTES, .read = option_wscale } },
    { "tcp", { "tcp.options.sack", "Selective acknowledgement option", FIELD_BYTES, .read = option_sack } },
    { "tcp", { "tcp.options.timestamp", "Timestamps option", FIELD_BYTES, .read = option_timestamp } },
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
    if (field->read == names_of_layers)
        return UINT64_C(1) << NOTE_MESSAGES;
    return field->read == remarkable ? REMARKABLE : states ? UINT64_C(1) << NOTE_STATES : 0;
}
