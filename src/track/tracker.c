#include "track/tracker.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "protocol/tlv.h"
#include "track/answers.h"
#include "track/fragments.h"
#include "track/messages.h"
#include "track/tcp_state.h"
#include <unistd.h>

enum {
    TCP_HEADER = 20,
    TCP_TO_WINDOW = 16,
    UDP_HEADER = 8,
    IP_TCP = 6,
    IP_UDP = 17,
    OPTION_MSS = 2,
    OPTION_SCALE = 3,
    OPTION_SACK = 5
};

static uint64_t bit(enum note_bit which)
{
    return UINT64_C(1) << which;
}

/* Where what is known of a layer goes; where nobody asked for it, or there is no room, to a place that nobody reads. */
static struct note *add_note(const struct tracker *t, struct packet *p, struct layer *l)
{
    static struct note nowhere;
    nowhere.have = 0;
    if (!(t->levels & TRACK_STREAMS) || p->note_count == NOTES_MAX)
        return &nowhere;
    struct note *note = &p->notes[p->note_count++];
    note->have = 0;
    l->note = p->note_count;
    return note;
}

/* --- conversations --- */

/* As many as a quarter of the machine's memory holds. */
static uint32_t affordable(unsigned levels)
{
    enum { PLAIN = 256, WITH_MORE = 512 }; /* bytes a conversation, all in */
    uint64_t each = levels & (TRACK_ANALYSIS | TRACK_MESSAGES | TRACK_DETAILS) ? WITH_MORE : PLAIN;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t most = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 4 / each : 0;
    return most < 1 << 20 ? 1 << 20 : most < UINT32_MAX ? (uint32_t)most : UINT32_MAX - 1;
}

/* Forgets a conversation that is worth least among the next few. Half open: nobody but the one who began spoke, which
 * only states tell. */
static void forget_one(struct tracker *t)
{
    enum { NEAR = 64 };
    uint32_t best = FLOW_NONE;
    bool half_open = false;
    for (unsigned seen = 0, turns = 0; seen < NEAR && turns < t->flows.count && !half_open; turns++) {
        t->hand = t->hand + 1 < t->flows.count ? t->hand + 1 : 0;
        const struct flow *f = flow_at(&t->flows, t->hand);
        if (f->flags & FLOW_FREE)
            continue;
        seen++;
        half_open =
            t->levels & TRACK_STATES && f->protocol == IP_TCP && !((f->end[0].flags | f->end[1].flags) & END_SPOKE);
        if (half_open || best == FLOW_NONE || f->last < flow_at(&t->flows, best)->last)
            best = t->hand;
    }
    if (best == FLOW_NONE)
        return;
    analysis_drop(&t->analysis, flow_at(&t->flows, best));
    if (t->messages)
        messages_drop(t->messages, best);
    if (t->flows.details)
        tally_drop(&t->tally, flow_detail_at(&t->flows, best));
    flow_drop(&t->flows, best);
    t->forgotten++;
    t->forgotten_half_open += half_open;
}

static uint32_t new_stream(struct tracker *t, const struct packet *p, const struct flow_key *key, unsigned end)
{
    if (t->flows.live >= t->max_connections)
        forget_one(t);
    uint32_t index = flow_add(&t->flows, key);
    if (index == FLOW_NONE) {
        t->out_of_memory = true;
        return index;
    }
    struct flow *f = flow_at(&t->flows, index);
    f->stream = key->protocol == IP_TCP ? t->tcp_streams++ : t->udp_streams++;
    f->first = f->last = p->time;
    if (!p->timed)
        f->flags |= FLOW_UNTIMED;
    if (end)
        f->flags |= FLOW_CLIENT_1;
    return index;
}

/* False: the packet has no time. */
static bool begin_time(struct flow *f, const struct packet *p)
{
    if (p->timed && f->flags & FLOW_UNTIMED) {
        f->flags &= (uint16_t)~FLOW_UNTIMED;
        f->first = f->last = p->time;
    }
    return p->timed;
}

static void note_times(const struct flow *f, const struct packet *p, struct note *note)
{
    note->time_relative = p->time - f->first;
    note->time_delta = p->time - f->last;
    note->have |= bit(NOTE_TIME_RELATIVE) | bit(NOTE_TIME_DELTA);
}

/* --- TCP --- */

static void read_segment(struct segment *s, const struct layer *l, const uint8_t *header)
{
    s->seq = load_be32(header + 4);
    s->ack = load_be32(header + 8);
    s->flags = load_be16(header + 12) & 0xfff;
    s->window = load_be16(header + 14);
    uint32_t head = (header[12] >> 4) * 4u, wire = l->end > l->offset ? l->end - l->offset : 0;
    s->measured = !(l->flags & (LAYER_QUOTED | LAYER_FRAGMENT)) && head <= wire;
    s->length = head <= wire ? wire - head : 0;
    s->sound = head >= TCP_HEADER;
    s->quoted = l->flags & LAYER_QUOTED;
    s->anew = s->copy = s->again = s->analysed = false;
    s->mss = 0;
}

/* A SYN's options: the maximum segment size, and the window's shift, or SCALE_UNKNOWN. RFC 7323, 2.2 and 2.3 */
static uint8_t read_options(const struct tracker *t, struct segment *s, struct span header)
{
    struct option option;
    uint8_t scale = SCALE_UNKNOWN;
    struct span run = span_part(header, TCP_HEADER, header.left);
    while (tlv_next(t->tcp_options, &run, &option)) {
        if (option.broken)
            continue;
        if (option.tlv->kind == OPTION_SCALE && option.bytes.left == 3 && scale == SCALE_UNKNOWN)
            scale = option.bytes.at[2] < SCALE_MOST ? option.bytes.at[2] : SCALE_MOST;
        else if (option.tlv->kind == OPTION_MSS && option.bytes.left == 4)
            s->mss = load_be16(option.bytes.at + 2);
    }
    return scale;
}

/* A SYN without the option says for both that nothing is scaled, unless one with it came before; so does a SYN that
 * had none for the SYN ACK that has one. */
static void take_scale(const struct segment *s, uint8_t scale, struct flow_end *from, struct flow_end *to)
{
    if (scale != SCALE_UNKNOWN)
        from->scale = scale;
    if (from->scale == SCALE_UNKNOWN)
        from->scale = to->scale = SCALE_NONE;
    else if (s->flags & TCP_ACK && to->scale == SCALE_NONE)
        from->scale = SCALE_NONE;
}

/* Where relative numbers count from: the SYN; else one before the first number seen, so that data begin at 1; for the
 * other end, until it is heard, one before what is acknowledged. */
static void take_bases(const struct segment *s, struct flow_end *from, struct flow_end *to)
{
    if (!(from->flags & END_BASE)) {
        from->base = s->flags & TCP_SYN ? s->seq : s->seq - 1;
        from->flags |= END_BASE;
    }
    if (!(to->flags & END_BASE) && s->flags & TCP_ACK) {
        to->base = s->ack - 1;
        to->flags |= END_BASE;
    }
}

/* The conversation of a segment. A SYN that counts from elsewhere than what is known of its end begins a new one on
 * the same ports; a SYN ACK that does makes its end count anew. */
static uint32_t find_stream(struct tracker *t, const struct packet *p, const struct flow_key *key, unsigned end,
                            struct segment *s)
{
    uint32_t index = flow_find(&t->flows, key);
    if (index == FLOW_NONE)
        return new_stream(t, p, key, end);
    if (!(s->flags & TCP_SYN))
        return index;
    struct flow_end *from = &flow_at(&t->flows, index)->end[end];
    if (!(from->flags & END_BASE) || from->base == s->seq)
        return index;
    s->anew = true;
    if (s->flags & TCP_ACK) {
        from->base = s->seq;
        return index;
    }
    uint32_t newer = new_stream(t, p, key, end);
    if (newer == FLOW_NONE)
        return newer;
    struct flow *f = flow_at(&t->flows, newer);
    f->flags |= FLOW_REUSED;
    index = flow_previous(&t->flows, newer); /* it may have been the one that was forgotten to make room */
    t->current = newer;
    if (t->levels & TRACK_STATES && index != FLOW_NONE) {
        flow_at(&t->flows, index)->flags |= FLOW_MOVED;
        tcp_state_reuse(f, flow_at(&t->flows, index), end, s, t->watch);
    }
    return newer;
}

static void note_numbers(const struct segment *s, const struct flow_end *from, const struct flow_end *to,
                         struct note *note)
{
    uint32_t next = s->length + (s->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    note->seq = s->measured ? s->seq - from->base : s->seq;
    note->next_seq = note->seq + next;
    if (!s->quoted)
        note->have |= bit(NOTE_SEQ);
    if (!s->sound) { /* nothing is said of a segment whose header has no length */
        note->have &= ~bit(NOTE_REUSED_PORTS);
        return;
    }
    note->ack = s->measured && s->flags & TCP_ACK ? s->ack - to->base : s->ack;
    note->window = s->window;
    note->have |= bit(NOTE_ACK) | bit(NOTE_WINDOW);
    if (s->flags & TCP_SYN)
        return;
    if (s->measured && from->scale <= SCALE_MOST)
        note->window = (uint32_t)s->window << from->scale;
    note->scale = from->scale == SCALE_UNKNOWN ? -1 : from->scale == SCALE_NONE ? -2 : 1 << from->scale;
    note->have |= bit(NOTE_WINDOW_SCALE);
}

/* Milliseconds since the conversation's first packet. */
static int32_t age_ms(const struct flow *f, int64_t time)
{
    int64_t ms = (time - f->first) / 1000000;
    return ms > INT32_MAX ? INT32_MAX : ms < INT32_MIN ? INT32_MIN : (int32_t)ms;
}

/* Errors that end a connection being opened: unreachable (but for too big a packet), time exceeded, parameter problem.
 * RFC 792; RFC 4443 */
static bool is_hard_error(const struct packet *p, const struct layer *quoted)
{
    const struct layer *l = quoted;
    while (l > p->layers && l->flags & LAYER_QUOTED)
        l--;
    const struct network *network = layer_network(p, l);
    struct span header = layer_header(p, l);
    if (!network || header.left < 2 || l->buffer != quoted->buffer)
        return false;
    uint8_t type = header.at[0], code = header.at[1];
    if (network->size == 16)
        return type == 1 || type == 3 || type == 4;
    return (type == 3 && code != 4) || type == 11 || type == 12;
}

/* What an error message quotes at least: ports and sequence number (RFC 792). */
static void take_quote(struct tracker *t, struct packet *p, struct layer *l, uint8_t protocol)
{
    const struct network *network = layer_network(p, l);
    struct span header = layer_header(p, l);
    const uint8_t *h = span_peek(&header, 8);
    if (!h || !network || !is_hard_error(p, l))
        return;
    struct flow_key key;
    unsigned end =
        flow_key_set(&key, network->source, network->final, network->size, load_be16(h), load_be16(h + 2), protocol);
    uint32_t index = flow_find(&t->flows, &key);
    if (index == FLOW_NONE)
        return;
    struct flow *f = flow_at(&t->flows, index);
    t->current = index;
    if (protocol == IP_TCP) {
        tcp_state_unreachable(f, end, load_be32(h + 4), age_ms(f, p->time), t->watch);
    } else {
        f->end[!end].flags |= END_RESET;
        f->changed[!end] = age_ms(f, p->time);
    }
}

/* Bytes of the datagram that a TCP or UDP header came in, as its own header says. */
static uint32_t datagram_length(const struct tracker *t, const struct packet *p, const struct layer *l)
{
    const struct layer *ip = l;
    while (ip > p->layers && ip->protocol != t->ip && ip->protocol != t->ipv6)
        ip--;
    if (ip->buffer == l->buffer)
        return l->end > ip->offset ? l->end - ip->offset : 0;
    return l->end + ip->length; /* put together from fragments */
}

static struct tally_place place_of(struct tracker *t, const struct packet *p, const struct layer *l, uint32_t index,
                                   unsigned end)
{
    struct tally_place place = { flow_at(&t->flows, index), flow_handshake_at(&t->flows, index), NULL, end };
    if (t->flows.details) {
        place.detail = flow_detail_at(&t->flows, index);
        place.detail->wire[end] += p->wire_length;
        place.detail->network[end] += datagram_length(t, p, l);
    }
    return place;
}

static void take_states(struct tracker *t, struct packet *p, const struct layer *l, uint32_t index, unsigned end,
                        struct segment *s, struct note *note)
{
    struct flow *f = flow_at(&t->flows, index);
    t->current = index;
    s->copy = tcp_is_copy(f, end, s, p->have & HOT_IP && !(p->again & HOT_IP) ? p->ip_id : 0);
    struct tally_place place = place_of(t, p, l, index, end);
    tally_tcp(&t->tally, &place, s);
    if (!s->anew || s->flags & TCP_ACK) /* else the entry is new, and tcp_state_reuse has taken the SYN */
        tcp_state_take(f, end, s, age_ms(f, p->time), t->watch);
    note->state[0] = f->end[end].state;
    note->state[1] = f->end[!end].state;
    note->from_client = flow_client(f) == end;
    note->have |= bit(NOTE_STATES);
}

/* What the blocks of a segment's SACK option say has arrived. The fourth block, for which there is room only without
 * timestamps, tshark does not count. */
static uint32_t sacked_bytes(const struct tracker *t, const struct layer *l, struct span header)
{
    enum { BLOCK = 8, COUNTED = 2 + 3 * BLOCK, TIMESTAMPS_ALONE = 12, TWO_NOPS_TIMESTAMPS = 0x0101080a };
    struct option option;
    uint32_t bytes = 0;
    struct span run = span_part(header, TCP_HEADER, header.left);
    if (run.left == TIMESTAMPS_ALONE && load_be32(run.at) == TWO_NOPS_TIMESTAMPS) /* nearly always: RFC 7323, A */
        return 0;
    while (tlv_next(t->tcp_options, &run, &option)) {
        if (option.tlv->kind != OPTION_SACK || (option.broken && l->verdict == VERDICT_WHOLE))
            continue;
        for (size_t i = 2; i + BLOCK <= option.bytes.left && i < COUNTED; i += BLOCK)
            bytes += load_be32(option.bytes.at + i + 4) - load_be32(option.bytes.at + i);
    }
    return bytes;
}

static void take_analysis(struct tracker *t, const struct layer *l, uint32_t index, unsigned end,
                          const struct segment *s, struct note *note)
{
    struct flow *f = flow_at(&t->flows, index);
    uint32_t older = f->side ? FLOW_NONE : flow_previous(&t->flows, index);
    if (older != FLOW_NONE) /* no segment will belong to it any more */
        analysis_drop(&t->analysis, flow_at(&t->flows, older));
    analysis_take(&t->analysis, f, end, s, note);
    if (l->verdict == VERDICT_CUT || !s->sound) /* nothing behind a header that is cut short: tshark's way */
        note->have &= ~NOTES_ANALYSIS;
}

static void take_tcp(struct tracker *t, struct packet *p, struct layer *l)
{
    const struct network *network = layer_network(p, l);
    struct span header = layer_header(p, l);
    if (l->verdict == VERDICT_BROKEN) /* of one whose length is none the layer has only the first bytes */
        header = span_part(p->buffers[l->buffer], l->offset, l->length < TCP_HEADER ? TCP_HEADER : l->length);
    const uint8_t *h = span_peek(&header, TCP_TO_WINDOW);
    if (!h || !network)
        return;
    struct segment s;
    struct flow_key key;
    read_segment(&s, l, h);
    unsigned end =
        flow_key_set(&key, network->source, network->final, network->size, load_be16(h), load_be16(h + 2), IP_TCP);
    uint32_t index = find_stream(t, p, &key, end, &s);
    if (index == FLOW_NONE)
        return;
    struct flow *f = flow_at(&t->flows, index);
    struct flow_end *from = &f->end[end], *to = &f->end[!end];
    bool timed = begin_time(f, p);
    s.time = p->time;
    s.since = p->time - f->last;
    if (s.measured)
        take_bases(&s, from, to);
    struct note *note = add_note(t, p, l);
    note->stream = f->stream;
    if (t->levels & TRACK_STREAMS) {
        note->have |= bit(NOTE_STREAM) | (s.anew && s.measured ? bit(NOTE_REUSED_PORTS) : 0);
        note_numbers(&s, from, to, note);
        if (timed)
            note_times(f, p, note);
    }
    if (timed)
        f->last = p->time;
    if (s.flags & TCP_SYN) {
        uint8_t scale = read_options(t, &s, header);
        if (scale != SCALE_UNKNOWN || l->verdict == VERDICT_WHOLE) /* else it may have been cut off */
            take_scale(&s, scale, from, to);
    }
    if (t->levels & TRACK_ANALYSIS && !(l->flags & (LAYER_QUOTED | LAYER_FRAGMENT))) {
        s.frame = (uint32_t)p->number;
        s.sacked = header.left > TCP_HEADER ? sacked_bytes(t, l, header) : 0;
        take_analysis(t, l, index, end, &s, note);
        s.analysed = s.measured && s.sound;
        s.again = note->have & bit(NOTE_RETRANSMISSION);
    }
    if (t->levels & TRACK_STATES && !(l->flags & LAYER_QUOTED))
        take_states(t, p, l, index, end, &s, note);
    if (t->messages)
        messages_take(t->messages, p, l, index, end);
}

static void take_udp(struct tracker *t, struct packet *p, struct layer *l)
{
    const struct network *network = layer_network(p, l);
    struct span header = layer_header(p, l);
    const uint8_t *h = span_peek(&header, UDP_HEADER);
    if (!h || !network)
        return;
    struct flow_key key;
    unsigned end =
        flow_key_set(&key, network->source, network->final, network->size, load_be16(h), load_be16(h + 2), IP_UDP);
    uint32_t index = flow_find(&t->flows, &key);
    if (index == FLOW_NONE)
        index = new_stream(t, p, &key, end);
    if (index == FLOW_NONE)
        return;
    struct flow *f = flow_at(&t->flows, index);
    struct note *note = add_note(t, p, l);
    note->stream = f->stream;
    note->have |= bit(NOTE_STREAM);
    if (begin_time(f, p)) {
        note_times(f, p, note);
        f->last = p->time;
    }
    if (!(t->levels & TRACK_STATES) || l->flags & (LAYER_QUOTED | LAYER_FRAGMENT))
        return;
    struct tally_place place = place_of(t, p, l, index, end);
    tally_udp(&place, layer_payload_length(l), p->time);
}

/* --- the packet --- */

/* A datagram that became whole may itself carry a fragment: of a tunnel's inner datagrams. */
static void take_fragments(struct tracker *t, struct packet *p)
{
    struct span whole;
    uint8_t protocol;
    fragments_begin(t->fragments);
    while (p->fragment.present && fragments_take(t->fragments, p, &whole, &protocol)) {
        uint8_t network = p->layers[p->fragment.layer].network;
        p->fragment.present = false;
        dissect_buffer(p, whole, (struct key){ KEY_IP, protocol, 0 }, network);
    }
}

static void take_segments(struct tracker *t, struct packet *p)
{
    if (!(t->levels & (TRACK_STREAMS | TRACK_STATES | TRACK_MESSAGES)))
        return;
    if (!((p->have | p->again) & (HOT_TCP | HOT_UDP)) &&
        !(t->levels & TRACK_STATES)) /* errors quote cut headers, too */
        return;
    struct layer *subject = &p->layers[p->subject]; /* never one that an error quotes */
    if (!(p->again & HOT_TCP) && !(p->have & HOT_UDP) && subject->protocol == t->tcp) {
        /* nearly always: there is one, and the packet is about it */
        if (t->levels != (TRACK_FRAGMENTS | TRACK_STREAMS) || !tracker_predicts_note(t, p, subject))
            take_tcp(t, p, subject);
        return;
    }
    for (unsigned i = 0; i < p->layer_count; i++) {
        struct layer *l = &p->layers[i];
        if (l->protocol != t->tcp && l->protocol != t->udp)
            continue;
        if (l->protocol == t->tcp)
            take_tcp(t, p, l);
        else
            take_udp(t, p, l);
        if (t->levels & TRACK_STATES && l->flags & LAYER_QUOTED)
            take_quote(t, p, l, l->protocol == t->tcp ? IP_TCP : IP_UDP);
    }
}

void tracker_take(struct tracker *t, struct packet *p)
{
    if (p->fragment.present && t->fragments)
        take_fragments(t, p);
    if (t->messages)
        messages_begin(t->messages);
    take_segments(t, p);
    if (t->answers)
        answers_take(t->answers, p);
}

unsigned tracker_levels(uint64_t notes)
{
    unsigned levels = notes ? TRACK_STREAMS : 0;
    if (notes & NOTES_ANALYSIS & ~bit(NOTE_REUSED_PORTS))
        levels |= TRACK_ANALYSIS;
    if (notes & bit(NOTE_STATES))
        levels |= TRACK_STATES;
    if (notes & bit(NOTE_MESSAGES))
        levels |= TRACK_MESSAGES;
    if (notes & bit(NOTE_ANSWERS))
        levels |= TRACK_ANSWERS;
    return levels;
}

int tracker_open(struct tracker *t, unsigned levels, struct error *error)
{
    *t = (struct tracker){
        .levels = levels,
        .max_connections = affordable(levels),
        .tcp = registry_by_name("tcp"),
        .udp = registry_by_name("udp"),
        .ip = registry_by_name("ip"),
        .ipv6 = registry_by_name("ipv6"),
    };
    for (const struct field *f = t->tcp->fields; f->abbrev; f++)
        if (f->type == FIELD_TLVS)
            t->tcp_options = f->tlvs;
    unsigned beside = levels & TRACK_STATES ? FLOW_HANDSHAKES | (levels & TRACK_DETAILS ? FLOW_DETAILS : 0) : 0;
    int code = flow_table_open(&t->flows, beside);
    if (!code && levels & TRACK_FRAGMENTS && !(t->fragments = fragments_open()))
        code = ERROR_MEMORY;
    if (!code && levels & TRACK_MESSAGES && !(t->messages = messages_open()))
        code = ERROR_MEMORY;
    if (!code && levels & TRACK_ANSWERS && !(t->answers = answers_open()))
        code = ERROR_MEMORY;
    if (!code)
        return 0;
    tracker_close(t);
    return error_set(error, code, "%s", _("no memory to track connections"));
}

void tracker_close(struct tracker *t)
{
    flow_table_close(&t->flows);
    analysis_close(&t->analysis);
    tally_close(&t->tally);
    fragments_close(t->fragments);
    answers_close(t->answers);
    messages_close(t->messages);
    t->fragments = NULL;
    t->answers = NULL;
    t->messages = NULL;
}
