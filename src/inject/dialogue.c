#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "dissectors/dissect.h"
#include "inject/dialogue_parts.h"
#include "inject/header.h"
#include <stdlib.h>
#include <time.h>

enum { PROTOCOL_TCP = 6, TCP_HEADER = 20, MSS_MOST = 65495, LINK_ETHERNET = 1 };

int64_t dialogue_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void dialogue_name_remote(struct dialogue *c)
{
    char address[ADDRESS_TEXT];
    *write_ip(address, &c->ends.remote) = 0;
    snprintf(c->said, sizeof c->said, "%s port %u", address, c->ends.remote_port);
}

/* ---- what goes out */

static void told(struct dialogue *c, struct span bytes, int64_t time, bool sent)
{
    if (c->observer.packet)
        c->observer.packet(c->context, bytes, wire_info(c->line->wire)->link_type, time, sent);
}

/* What arrived is told before what follows from it. */
static void tell_arrival(struct dialogue *c)
{
    const struct wire_packet *p = c->line->arrived;
    c->line->arrived = NULL;
    if (p)
        told(c, p->bytes, p->time, false);
}

/* Data that continues the packet before it leaves with it in one piece, as the kernel's own does: it is cut by the
 * interface, or never. Not where each packet is told of. */
static bool join(struct dialogue *c, const struct endpoint_segment *g)
{
    size_t length, transport, checksum;
    if (c->line->talker != c)
        return false;
    uint8_t *last = wire_last(c->line->wire, &length, g->payload.left + g->more.left);
    if (!last || !segment_continues(&c->writer, &c->last, length, g))
        return false;
    size_t head = segment_headers(&c->writer, &c->last, &transport, &checksum);
    struct wire_cut cut = {
        .headers = (uint16_t)head,
        .transport = (uint16_t)transport,
        .checksum = (uint16_t)checksum,
        .piece = (uint16_t)(c->last.payload.left + c->last.more.left),
        .six = c->ends.local.size == 16,
    };
    wire_stretch(c->line->wire, segment_append(&c->writer, last, length, g), &cut);
    return true;
}

static void send_segment(void *context, const struct endpoint_segment *g)
{
    struct dialogue *c = context;
    tell_arrival(c);
    if (!c->observer.packet && join(c, g))
        return;
    uint8_t *room = wire_room(c->line->wire, segment_length(&c->writer, g));
    if (!room)
        return;
    size_t n = segment_write(&c->writer, room, g);
    c->last = *g; /* its payload is only counted later, never read */
    c->line->talker = c;
    told(c, (struct span){ room, n }, c->observer.packet ? clock_ns(CLOCK_REALTIME) : 0, true);
    wire_put(c->line->wire, n);
}

static void send_frame(void *context, struct span frame)
{
    struct line *l = context;
    if (l->only) {
        tell_arrival(l->only);
        told(l->only, frame, clock_ns(CLOCK_REALTIME), true);
    }
    l->talker = NULL;
    wire_send(l->wire, frame);
}

static void changed(void *context, enum tcp_state from, enum tcp_state to)
{
    struct dialogue *c = context;
    tell_arrival(c);
    if (c->observer.changed)
        c->observer.changed(c->context, from, to);
}

static void noticed(void *context, enum endpoint_notice notice)
{
    struct dialogue *c = context;
    tell_arrival(c);
    if (c->observer.noticed)
        c->observer.noticed(c->context, notice);
}

/* What the interface has no room for is lost, and sent again as what is lost elsewhere. That it went down is told when
 * it is read from. */
void dialogue_flush(struct dialogue *c)
{
    wire_flush(c->line->wire, NULL);
}

/* ---- opening */

static int find_way(struct dialogue *c, struct error *error)
{
    const struct dialogue_settings *s = &c->settings;
    struct route *r = &c->line->route;
    c->ends = s->ends;
    c->listening = !s->ends.remote.size;
    if (!c->listening) {
        int code = route_find(r, &s->ends.remote, s->interface, error);
        if (code)
            return code;
        if (!c->ends.local.size)
            c->ends.local = r->source;
        if (c->ends.local.size != c->ends.remote.size)
            return error_set(error, ERROR_NOT_FOUND, _("%s has no address to speak from"), r->interface);
        dialogue_name_remote(c);
        return 0;
    }
    if (s->interface) {
        size_t n = strlen(s->interface);
        memcpy(r->interface, s->interface, n < sizeof r->interface ? n : sizeof r->interface - 1);
        return 0;
    }
    if (c->ends.local.size && route_owner(&c->ends.local, r->interface))
        return 0;
    return error_set(error, ERROR_NOT_FOUND, "%s",
                     c->ends.local.size ? _("no interface has that address: say which one with -i")
                                        : _("where to listen? Say an address, or an interface with -i"));
}

static void add_host(struct buffer *b, const char *what, const struct ip_address *address)
{
    char text[ADDRESS_TEXT];
    if (!address->size)
        return;
    *write_ip(text, address) = 0;
    buffer_format(b, "%s %s", what, text);
}

/* The kernel shows us only what may be for us. */
static int open_wire(struct dialogue *c, struct error *error)
{
    struct wire_info info;
    struct buffer text;
    struct bpf *bpf = NULL;
    unsigned count;
    int code = wire_look(&info, c->line->route.interface, 0, error);
    if (!code)
        code = buffer_open(&text, -1, 256);
    if (code)
        return code;
    buffer_format(&text, "arp or icmp or icmp6 or (tcp dst port %u", c->ends.local_port);
    add_host(&text, " and dst host", &c->ends.local);
    add_host(&text, " and src host", &c->ends.remote);
    buffer_put(&text, ")", 2);
    code = text.failed ? ERROR_MEMORY : bpf_open(&bpf, text.start, info.link_type, error);
    if (!code) {
        const struct wire_instruction *program = bpf_program_of(bpf, &count);
        code = wire_open(&c->line->wire, c->line->route.interface, WIRE_RECEIVE | WIRE_JOIN, program, count, error);
        bpf_close(bpf);
    }
    buffer_free(&text);
    return code;
}

/* An address that is not this host's has no stack that would have to be silent; but somebody has to answer for it. */
static int hold_port(struct dialogue *c, struct error *error)
{
    const struct ip_address *local = &c->ends.local;
    if (local->size && !route_is_own(local)) {
        if (!c->ends.local_port)
            c->ends.local_port = (uint16_t)(32768 + dialogue_now() / 1000 % 28000);
        return 0;
    }
    int code = hush_open(&c->line->hush, PROTOCOL_TCP, local, c->line->route.index, c->ends.local_port, error);
    if (!code)
        c->ends.local_port = hush_port(c->line->hush);
    return code;
}

static int open_neighbours(struct dialogue *c, struct error *error)
{
    if (wire_info(c->line->wire)->link_type != LINK_ETHERNET)
        return 0;
    int code = neighbours_open(&c->line->neighbours, wire_info(c->line->wire)->mac, send_frame, c->line, error);
    if (code || c->line->hush)
        return code;
    neighbours_speak_for(c->line->neighbours, &c->ends.local);
    if (c->ends.local.size == 16) {
        struct ip_address group;
        uint8_t mac[6];
        neighbours_solicited(&c->ends.local, &group, mac);
        wire_join(c->line->wire, mac);
    }
    return 0;
}

static uint16_t mss_of(const struct dialogue *c, unsigned size)
{
    unsigned mtu = wire_info(c->line->wire)->mtu, head = (size == 4 ? 20u : 40u) + TCP_HEADER;
    if (c->line->route.mtu && c->line->route.mtu < mtu)
        mtu = c->line->route.mtu;
    unsigned mss = mtu > head ? mtu - head : 0, limit = c->settings.endpoint.mss;
    if (limit && mss > limit)
        mss = limit;
    return (uint16_t)(mss < MSS_MOST ? mss : MSS_MOST);
}

int dialogue_open_endpoint(struct dialogue *c, struct error *error)
{
    static const struct endpoint_sink sink = { send_segment, changed, noticed };
    struct endpoint_settings s = c->settings.endpoint;
    s.mss = mss_of(c, c->ends.local.size);
    return endpoint_open(&c->endpoint, &s, &sink, c, error);
}

void dialogue_meet(struct dialogue *c, int64_t now)
{
    uint32_t ts_offset, iss = isn_make(&c->line->secret, &c->ends.local, c->ends.local_port, &c->ends.remote,
                                       c->ends.remote_port, now, &ts_offset);
    memcpy(c->macs + 6, wire_info(c->line->wire)->mac, 6);
    segment_writer_begin(&c->writer, c->line->neighbours ? c->macs : NULL, &c->ends);
    endpoint_set_iss(c->endpoint, iss, ts_offset);
}

/* Nobody answers for it: three questions, a second each. */
static int silent(const struct dialogue *c, struct error *error)
{
    char address[ADDRESS_TEXT];
    *write_ip(address, &c->line->route.next_hop) = 0;
    return error_set(error, ERROR_NOT_FOUND,
                     c->line->route.next_hop.size == 4 ? _("%s: no answer to three ARP requests on %s")
                                                       : _("%s: no answer to three neighbor solicitations on %s"),
                     address, c->line->route.interface);
}

static int resolve(struct dialogue *c, int64_t now, struct error *error)
{
    if (c->line->neighbours) {
        enum neighbour_state state =
            neighbours_find(c->line->neighbours, &c->ends.local, &c->line->route.next_hop, c->macs, now);
        if (state == NEIGHBOUR_SILENT)
            return silent(c, error);
        if (state != NEIGHBOUR_KNOWN)
            return 0;
    }
    c->resolving = false;
    dialogue_meet(c, now);
    endpoint_connect(c->endpoint, now);
    return 0;
}

static int start(struct dialogue *c, struct error *error)
{
    if (!isn_begin(&c->line->secret))
        return error_set(error, ERROR_SYSTEM, "%s", _("no random numbers"));
    int code = find_way(c, error);
    if (!code)
        code = hold_port(c, error);
    if (!code)
        code = open_wire(c, error);
    if (!code)
        code = open_neighbours(c, error);
    if (!code)
        code = dialogue_open_endpoint(c, error);
    if (code)
        return code;
    if (c->listening) {
        endpoint_listen(c->endpoint);
    } else {
        c->resolving = true;
        code = resolve(c, dialogue_now(), error);
    }
    dialogue_flush(c);
    return code;
}

int dialogue_open(struct dialogue **dialogue, const struct dialogue_settings *settings,
                  const struct dialogue_observer *observer, void *context, struct error *error)
{
    struct dialogue *c = calloc(1, sizeof *c);
    *dialogue = NULL;
    if (!c)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    c->line = &c->own;
    c->own.only = c;
    c->settings = *settings;
    c->observer = *observer;
    c->context = context;
    int code = start(c, error);
    if (code)
        dialogue_close(c);
    else
        *dialogue = c;
    return code;
}

void dialogue_close(struct dialogue *c)
{
    if (!c)
        return;
    if (c->line->wire)
        dialogue_flush(c);
    endpoint_free(c->endpoint);
    if (c->line->talker == c)
        c->line->talker = NULL;
    neighbours_close(c->own.neighbours);
    wire_close(c->own.wire);
    hush_close(c->own.hush);
    free(c);
}

/* ---- what comes in */

bool dialogue_sender(const struct packet *p, uint8_t mac[6])
{
    for (unsigned i = 0; i < p->layer_count; i++) {
        struct span h = layer_header(p, &p->layers[i]);
        struct header header = { p->layers[i].protocol, (uint8_t *)(uintptr_t)h.at, h.left };
        struct value source;
        if (header_get(&header, "eth.src", &source)) {
            memcpy(mac, source.bytes.at, 6);
            return true;
        }
    }
    return false;
}

static void forget_caller(struct dialogue *c)
{
    c->ends.local = c->settings.ends.local;
    c->ends.remote = c->settings.ends.remote;
    c->listening = true;
}

/* Somebody calls: what depends on who it is. Answers go to where the call came from. */
static bool take_call(struct dialogue *c, int64_t now)
{
    if (!c->settings.ends.local.size && !route_is_own(&c->ends.local)) {
        forget_caller(c);
        return false;
    }
    if (c->line->neighbours && !dialogue_sender(&c->line->packet, c->macs)) {
        forget_caller(c);
        return false;
    }
    dialogue_name_remote(c);
    dialogue_meet(c, now);
    c->listening = false;
    return true;
}

static void too_long(struct dialogue *c, uint32_t seq, unsigned mtu, int64_t now)
{
    unsigned head = (c->ends.local.size == 16 ? 40u : 20u) + TCP_HEADER;
    unsigned least = c->ends.local.size == 16 ? 1280 : 576; /* RFC 8201, 4; RFC 1191, 5 */
    if (mtu < least)
        mtu = least;
    endpoint_limit(c->endpoint, seq, (uint16_t)(mtu - head < MSS_MOST ? mtu - head : MSS_MOST), now);
}

void dialogue_read(struct line *l, const struct wire_packet *w)
{
    struct packet *p = &l->packet;
    packet_reset(p, w->bytes);
    p->link_type = wire_info(l->wire)->link_type;
    p->wire_length = w->length;
    dissect(p);
}

bool dialogue_take(struct dialogue *c, const struct wire_packet *w, int64_t now)
{
    struct endpoint_segment g;
    unsigned mtu = 0;
    enum segment_kind kind = segment_read(&c->line->packet, w->unfinished, &c->ends, &g, &mtu);
    if (kind == SEGMENT_HERE && c->listening && !take_call(c, now))
        kind = SEGMENT_NONE;
    if (kind != SEGMENT_NONE)
        tell_arrival(c);
    c->line->arrived = NULL; /* else it is not for us */
    if (kind == SEGMENT_HERE)
        endpoint_take(c->endpoint, &g, now);
    else if (kind == SEGMENT_REFUSED || kind == SEGMENT_UNREACHABLE)
        endpoint_unreachable(c->endpoint, g.seq, kind == SEGMENT_REFUSED, now);
    else if (kind == SEGMENT_TOO_LONG)
        too_long(c, g.seq, mtu, now);
    return kind != SEGMENT_NONE;
}

static void take_packet(struct dialogue *c, const struct wire_packet *w, int64_t now)
{
    struct line *l = c->line;
    dialogue_read(l, w);
    l->arrived = w;
    if (l->neighbours && neighbours_take(l->neighbours, &l->packet, now))
        tell_arrival(c);
    dialogue_take(c, w, now);
}

int dialogue_step(struct dialogue *c, struct error *error)
{
    struct wire_packet packets[WIRE_RECEIVED];
    int n, code = 0;
    unsigned rounds = 0;
    int64_t now = dialogue_now();
    do {
        n = wire_receive(c->line->wire, packets, error);
        for (int i = 0; i < n; i++)
            take_packet(c, &packets[i], now);
    } while (n == WIRE_RECEIVED && ++rounds < 4);
    if (n < 0)
        return n;
    if (c->line->neighbours && neighbours_deadline(c->line->neighbours) <= now)
        neighbours_tick(c->line->neighbours, now);
    if (c->resolving)
        code = resolve(c, now, error);
    if (endpoint_deadline(c->endpoint) <= now)
        endpoint_tick(c->endpoint, now);
    dialogue_flush(c);
    return code;
}

int64_t dialogue_deadline(const struct dialogue *c)
{
    int64_t a = endpoint_deadline(c->endpoint),
            b = c->line->neighbours ? neighbours_deadline(c->line->neighbours) : INT64_MAX;
    return a < b ? a : b;
}

int dialogue_fd(const struct dialogue *c)
{
    return wire_fd(c->line->wire);
}

struct endpoint *dialogue_endpoint(struct dialogue *c)
{
    return c->endpoint;
}

const struct segment_ends *dialogue_ends(const struct dialogue *c)
{
    return &c->ends;
}

int dialogue_listen_again(struct dialogue *c, struct error *error)
{
    endpoint_free(c->endpoint);
    c->endpoint = NULL;
    forget_caller(c);
    int code = dialogue_open_endpoint(c, error);
    if (!code)
        endpoint_listen(c->endpoint);
    return code;
}

int dialogue_verdict(const struct dialogue *c, struct error *error)
{
    switch (endpoint_end(c->endpoint)) {
    case ENDPOINT_OPEN:
    case ENDPOINT_IN_ORDER:
        return 0;
    case ENDPOINT_REFUSED:
        return error_set(error, ERROR_SYSTEM, _("%s: connection refused"), c->said);
    case ENDPOINT_RESET:
        return error_set(error, ERROR_SYSTEM, _("%s: connection reset by the peer"), c->said);
    case ENDPOINT_TIMED_OUT:
        return error_set(error, ERROR_SYSTEM, _("%s: no answer"), c->said);
    case ENDPOINT_UNREACHABLE:
        return error_set(error, ERROR_SYSTEM, _("%s: unreachable, says an ICMP message"), c->said);
    case ENDPOINT_ABORTED:
        break;
    }
    return error_set(error, ERROR_SYSTEM, _("%s: given up, and the connection reset"), c->said);
}
