#include "track/tracker.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "protocol/tlv.h"
#include "track/fragments.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { TCP_HEADER = 20, UDP_HEADER = 8, IP_TCP = 6, IP_UDP = 17, OPTION_SCALE = 3 };

/* A TCP header's words, host byte order. */
struct segment {
    const uint8_t *header;
    uint32_t seq, ack, length; /* length: of the payload on the wire */
    uint16_t flags, window;
    bool measured; /* length is known: no quote, no single fragment, header within the datagram */
    bool sound;    /* the header is as long as one must be */
};

static uint64_t bit(enum note_bit which)
{
    return UINT64_C(1) << which;
}

static struct note *add_note(struct packet *p, struct layer *l)
{
    if (p->note_count == NOTES_MAX)
        return NULL;
    struct note *note = &p->notes[p->note_count++];
    note->have = 0;
    l->note = p->note_count;
    return note;
}

/* --- conversations --- */

static uint32_t new_stream(struct tracker *t, const struct packet *p, const struct flow_key *key)
{
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
    return index;
}

static void note_times(struct flow *f, const struct packet *p, struct note *note)
{
    if (!p->timed)
        return;
    if (f->flags & FLOW_UNTIMED) {
        f->flags &= (uint8_t)~FLOW_UNTIMED;
        f->first = f->last = p->time;
    }
    note->time_relative = p->time - f->first;
    note->time_delta = p->time - f->last;
    note->have |= bit(NOTE_TIME_RELATIVE) | bit(NOTE_TIME_DELTA);
    f->last = p->time;
}

/* --- TCP --- */

static void read_segment(struct segment *s, const struct layer *l, const uint8_t *header)
{
    s->header = header;
    s->seq = load_be32(header + 4);
    s->ack = load_be32(header + 8);
    s->flags = load_be16(header + 12) & 0xfff;
    s->window = load_be16(header + 14);
    uint32_t head = (header[12] >> 4) * 4u, wire = l->end > l->offset ? l->end - l->offset : 0;
    s->measured = !(l->flags & (LAYER_QUOTED | LAYER_FRAGMENT)) && head <= wire;
    s->length = head <= wire ? wire - head : 0;
    s->sound = head >= TCP_HEADER;
}

/* The shift of a SYN's window scale option, or SCALE_UNKNOWN. RFC 7323, 2.2 and 2.3 */
static uint8_t scale_option(const struct tracker *t, struct span header)
{
    struct option option;
    struct span run = span_part(header, TCP_HEADER, header.left);
    while (tlv_next(t->tcp_options, &run, &option))
        if (option.tlv->kind == OPTION_SCALE && option.bytes.left == 3 && !option.broken)
            return option.bytes.at[2] < SCALE_MOST ? option.bytes.at[2] : SCALE_MOST;
    return SCALE_UNKNOWN;
}

/* A SYN without the option says for both that nothing is scaled, unless one with it came before; so does a SYN that
 * had none for the SYN ACK that has one. */
static void take_scale(const struct tracker *t, const struct segment *s, struct span header, struct flow_end *from,
                       struct flow_end *to)
{
    uint8_t scale = scale_option(t, header);
    if (scale != SCALE_UNKNOWN)
        from->scale = scale;
    if (from->scale == SCALE_UNKNOWN)
        from->scale = to->scale = SCALE_NONE;
    else if (s->flags & ACK && to->scale == SCALE_NONE)
        from->scale = SCALE_NONE;
}

/* Where relative numbers count from: the SYN; else one before the first number seen, so that data begin at 1; for the
 * other end, until it is heard, one before what is acknowledged. */
static void take_bases(const struct segment *s, struct flow_end *from, struct flow_end *to)
{
    if (!(from->flags & END_BASE)) {
        from->base = s->flags & SYN ? s->seq : s->seq - 1;
        from->flags |= END_BASE;
    }
    if (!(to->flags & END_BASE) && s->flags & ACK) {
        to->base = s->ack - 1;
        to->flags |= END_BASE;
    }
}

/* The conversation of a segment. A SYN that counts from elsewhere than what is known of its end begins a new one on
 * the same ports; a SYN ACK that does makes its end count anew. */
static uint32_t find_stream(struct tracker *t, const struct packet *p, const struct flow_key *key, unsigned end,
                            const struct segment *s, bool *reused)
{
    uint32_t index = flow_find(&t->flows, key);
    if (index == FLOW_NONE)
        return new_stream(t, p, key);
    if (!(s->flags & SYN))
        return index;
    struct flow_end *from = &flow_at(&t->flows, index)->end[end];
    if (!(from->flags & END_BASE) || from->base == s->seq)
        return index;
    *reused = true;
    if (s->flags & ACK) {
        from->base = s->seq;
        return index;
    }
    index = new_stream(t, p, key);
    if (index != FLOW_NONE)
        flow_at(&t->flows, index)->flags |= FLOW_REUSED;
    return index;
}

static void note_numbers(const struct segment *s, const struct flow_end *from, const struct flow_end *to,
                         struct note *note)
{
    uint32_t next = s->length + (s->flags & (SYN | FIN) ? 1 : 0);
    note->seq = s->measured ? s->seq - from->base : s->seq;
    note->next_seq = note->seq + next;
    note->have |= bit(NOTE_SEQ);
    if (!s->sound)
        return;
    note->ack = s->measured && s->flags & ACK ? s->ack - to->base : s->ack;
    note->window = s->window;
    note->have |= bit(NOTE_ACK) | bit(NOTE_WINDOW);
    if (s->flags & SYN)
        return;
    if (s->measured && from->scale <= SCALE_MOST)
        note->window = (uint32_t)s->window << from->scale;
    note->scale = from->scale == SCALE_UNKNOWN ? -1 : from->scale == SCALE_NONE ? -2 : 1 << from->scale;
    note->have |= bit(NOTE_WINDOW_SCALE);
}

static void take_tcp(struct tracker *t, struct packet *p, struct layer *l)
{
    const struct network *network = layer_network(p, l);
    struct span header = layer_header(p, l);
    const uint8_t *h = span_peek(&header, TCP_HEADER);
    struct note *note = h && network ? add_note(p, l) : NULL;
    if (!note)
        return;
    struct segment s;
    struct flow_key key;
    bool reused = false;
    read_segment(&s, l, h);
    unsigned end = flow_key_set(&t->flows, &key, network->source, network->final, network->size, load_be16(h),
                                load_be16(h + 2), IP_TCP);
    uint32_t index = find_stream(t, p, &key, end, &s, &reused);
    if (index == FLOW_NONE)
        return;
    struct flow *f = flow_at(&t->flows, index);
    struct flow_end *from = &f->end[end], *to = &f->end[!end];
    note->stream = f->stream;
    note->have |= bit(NOTE_STREAM) | (reused ? bit(NOTE_REUSED_PORTS) : 0);
    note_times(f, p, note);
    if (s.measured)
        take_bases(&s, from, to);
    note_numbers(&s, from, to, note);
    if (s.flags & SYN)
        take_scale(t, &s, header, from, to);
}

static void take_udp(struct tracker *t, struct packet *p, struct layer *l)
{
    const struct network *network = layer_network(p, l);
    struct span header = layer_header(p, l);
    const uint8_t *h = span_peek(&header, UDP_HEADER);
    struct note *note = h && network ? add_note(p, l) : NULL;
    if (!note)
        return;
    struct flow_key key;
    flow_key_set(&t->flows, &key, network->source, network->final, network->size, load_be16(h), load_be16(h + 2),
                 IP_UDP);
    uint32_t index = flow_find(&t->flows, &key);
    if (index == FLOW_NONE)
        index = new_stream(t, p, &key);
    if (index == FLOW_NONE)
        return;
    struct flow *f = flow_at(&t->flows, index);
    note->stream = f->stream;
    note->have |= bit(NOTE_STREAM);
    note_times(f, p, note);
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

void tracker_take(struct tracker *t, struct packet *p)
{
    if (p->fragment.present && t->fragments)
        take_fragments(t, p);
    if (!(t->levels & TRACK_STREAMS) || !(p->have & (HOT_TCP | HOT_UDP)))
        return;
    struct layer *subject = &p->layers[p->subject];
    if (!(p->again & HOT_TCP) && !(p->have & HOT_UDP) && subject->protocol == t->tcp) {
        take_tcp(t, p, subject); /* nearly always: there is one, and the packet is about it */
        return;
    }
    for (unsigned i = 0; i < p->layer_count; i++) {
        if (p->layers[i].protocol == t->tcp)
            take_tcp(t, p, &p->layers[i]);
        else if (p->layers[i].protocol == t->udp)
            take_udp(t, p, &p->layers[i]);
    }
}

int tracker_open(struct tracker *t, unsigned levels, struct error *error)
{
    *t = (struct tracker){ .levels = levels, .tcp = registry_by_name("tcp"), .udp = registry_by_name("udp") };
    for (const struct field *f = t->tcp->fields; f->abbrev; f++)
        if (f->type == FIELD_TLVS)
            t->tcp_options = f->tlvs;
    int code = flow_table_open(&t->flows);
    if (!code && levels & TRACK_FRAGMENTS && !(t->fragments = fragments_open()))
        code = ERROR_MEMORY;
    if (!code)
        return 0;
    tracker_close(t);
    return error_set(error, code, "%s", _("no memory to track connections"));
}

void tracker_close(struct tracker *t)
{
    flow_table_close(&t->flows);
    fragments_close(t->fragments);
    t->fragments = NULL;
}
