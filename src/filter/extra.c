#include "filter/extra.h"
#include "base/address.h"
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

/* --- other faces of fields --- */

static bool text_value(struct value *value, const char *text, size_t n)
{
    value->bytes = (struct span){ (const uint8_t *)text, n };
    return true;
}

/* The twelve flags as letters, a middle dot (U+00B7) for each that is not set. */
static bool flag_letters(const struct place *place, struct value *value)
{
    static const char letters[] = "RRRNCEUAPRSF";
    static _Thread_local char text[2 * (sizeof letters - 1)];
    if (place->bytes.left < 14)
        return false;
    unsigned flags = load_be16(place->bytes.at + 12);
    size_t n = 0;
    for (unsigned i = 0; letters[i]; i++) {
        if (flags & 0x800u >> i) {
            text[n++] = letters[i];
        } else {
            text[n++] = '\xc2';
            text[n++] = '\xb7';
        }
    }
    return text_value(value, text, n);
}

static unsigned flags_of(const struct place *place)
{
    return place->bytes.left > 13 ? place->bytes.at[13] : 0;
}

static bool is_syn(const struct place *place, struct value *value)
{
    value->u = 1;
    return (flags_of(place) & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static bool is_syn_ack(const struct place *place, struct value *value)
{
    value->u = 1;
    return (flags_of(place) & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

static bool is_fin(const struct place *place, struct value *value)
{
    value->u = 1;
    return flags_of(place) & TCP_FIN;
}

static bool is_rst(const struct place *place, struct value *value)
{
    value->u = 1;
    return flags_of(place) & TCP_RST;
}

/* An address as text: what Wireshark has there where names are not looked up. */
static bool address_text(const struct place *place, struct value *value, uint32_t at, unsigned size)
{
    static _Thread_local char texts[2][ADDRESS_TEXT];
    static _Thread_local unsigned turn;
    char *text = texts[turn++ % 2];
    if (place->bytes.left < at + size)
        return false;
    const uint8_t *address = place->bytes.at + at;
    char *end = size == 6   ? write_mac(text, address)
                : size == 4 ? write_ipv4(text, load_be32(address))
                            : write_ipv6(text, address);
    return text_value(value, text, (size_t)(end - text));
}

#define ADDRESS(name, at, size)                                                                                        \
    static bool name(const struct place *place, struct value *value)                                                   \
    {                                                                                                                  \
        return address_text(place, value, at, size);                                                                   \
    }
ADDRESS(mac_destination, 0, 6)
ADDRESS(mac_source, 6, 6)
ADDRESS(ip_source, 12, 4)
ADDRESS(ip_destination, 16, 4)
ADDRESS(ipv6_source, 8, 16)
ADDRESS(ipv6_destination, 24, 16)

/* Marks of Wireshark's window, which nobody sets here. */
static bool never_set(const struct place *place, struct value *value)
{
    (void)place;
    value->u = 0;
    return true;
}

/* Whether something in the packet contradicts itself. */
static bool is_malformed(const struct place *place, struct value *value)
{
    const struct packet *p = place->packet;
    value->u = 1;
    for (unsigned i = 0; i < p->layer_count; i++)
        if (p->layers[i].verdict == VERDICT_BROKEN)
            return true;
    return false;
}

/* Whether a header goes on behind what was captured. */
static bool is_short(const struct place *place, struct value *value)
{
    const struct packet *p = place->packet;
    value->u = 1;
    if (p->buffers[0].left >= p->wire_length)
        return false;
    for (unsigned i = 0; i < p->layer_count; i++)
        if (p->layers[i].verdict == VERDICT_CUT && !(p->layers[i].flags & LAYER_QUOTED))
            return true;
    return false;
}

#define BIT_OF_MAC(name, title, first, bit)                                                                            \
    {                                                                                                                  \
        "eth",                                                                                                         \
        {                                                                                                              \
            name, title, FIELD_BOOL, BITS(8 * (first) + (bit), 1)                                                      \
        }                                                                                                              \
    }
#define TEXT_OF(protocol, name, title, how)                                                                            \
    {                                                                                                                  \
        protocol,                                                                                                      \
        {                                                                                                              \
            name, title, FIELD_TEXT, .read = how                                                                       \
        }                                                                                                              \
    }

static const struct {
    const char *protocol;
    struct field field;
} rows[] = {
    { "frame", { "_ws.malformed", "Malformed packet", FIELD_NONE, .read = is_malformed } },
    { "frame", { "_ws.short", "Packet size limited during capture", FIELD_NONE, .read = is_short } },
    { "frame", { "frame.marked", "Frame is marked", FIELD_BOOL, .read = never_set } },
    { "frame", { "frame.ignored", "Frame is ignored", FIELD_BOOL, .read = never_set } },
    BIT_OF_MAC("eth.dst.lg", "Locally administered destination", 0, 6),
    BIT_OF_MAC("eth.dst.ig", "Group destination", 0, 7),
    BIT_OF_MAC("eth.src.lg", "Locally administered source", 6, 6),
    BIT_OF_MAC("eth.src.ig", "Group source", 6, 7),
    BIT_OF_MAC("eth.lg", "Locally administered destination", 0, 6),
    BIT_OF_MAC("eth.lg", "Locally administered source", 6, 6),
    BIT_OF_MAC("eth.ig", "Group destination", 0, 7),
    BIT_OF_MAC("eth.ig", "Group source", 6, 7),
    { "eth", { "eth.dst.oui", "Destination's OUI", FIELD_UINT, BYTE(0, 3) } },
    { "eth", { "eth.addr.oui", "Destination's OUI", FIELD_UINT, BYTE(0, 3) } },
    { "eth", { "eth.src.oui", "Source's OUI", FIELD_UINT, BYTE(6, 3) } },
    { "eth", { "eth.addr.oui", "Source's OUI", FIELD_UINT, BYTE(6, 3) } },
    TEXT_OF("eth", "eth.dst_resolved", "Destination as text", mac_destination),
    TEXT_OF("eth", "eth.addr_resolved", "Destination as text", mac_destination),
    TEXT_OF("eth", "eth.src_resolved", "Source as text", mac_source),
    TEXT_OF("eth", "eth.addr_resolved", "Source as text", mac_source),
    TEXT_OF("ip", "ip.src_host", "Source as text", ip_source),
    TEXT_OF("ip", "ip.host", "Source as text", ip_source),
    TEXT_OF("ip", "ip.dst_host", "Destination as text", ip_destination),
    TEXT_OF("ip", "ip.host", "Destination as text", ip_destination),
    TEXT_OF("ipv6", "ipv6.src_host", "Source as text", ipv6_source),
    TEXT_OF("ipv6", "ipv6.host", "Source as text", ipv6_source),
    TEXT_OF("ipv6", "ipv6.dst_host", "Destination as text", ipv6_destination),
    TEXT_OF("ipv6", "ipv6.host", "Destination as text", ipv6_destination),
    TEXT_OF("tcp", "tcp.flags.str", "Flags as letters", flag_letters),
    { "tcp", { "tcp.connection.syn", "Connection asked for (SYN)", FIELD_NONE, .read = is_syn } },
    { "tcp", { "tcp.connection.synack", "Connection accepted (SYN ACK)", FIELD_NONE, .read = is_syn_ack } },
    { "tcp", { "tcp.connection.fin", "Connection ends (FIN)", FIELD_NONE, .read = is_fin } },
    { "tcp", { "tcp.connection.rst", "Connection reset (RST)", FIELD_NONE, .read = is_rst } },
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
