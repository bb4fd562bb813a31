#include "track/statistics.h"
#include "base/error.h"
#include "dissectors/everyday.h"
#include "dissectors/registry.h"
#include "track/tcp_state.h"
#include <stdlib.h>
#include <string.h>

enum {
    IP_TCP = 6,
    IP_UDP = 17,
    TCP_HEADER = 20,
    UDP_HEADER = 8,
    MAC_BYTES = 6,
    NODES_FEW = 64,
    SERIES_FEW = 256,
    SERIES_WIDTH = 1000000, /* nanoseconds, to begin with */
    FOLD = 10,
};

/* --- the tree of protocols --- */

static uint32_t find_child(const struct statistics *s, uint32_t parent, const struct protocol *protocol, bool malformed)
{
    uint32_t at = s->nodes[parent].child;
    while (at && (s->nodes[at].protocol != protocol || s->nodes[at].malformed != malformed))
        at = s->nodes[at].sibling;
    return at;
}

/* Room for another node. */
static bool more_nodes(struct statistics *s)
{
    if (s->node_count >= NODES_MOST)
        return false;
    if (s->node_count & (s->node_count - 1) || s->node_count < NODES_FEW)
        return true;
    struct tree_node *more = realloc(s->nodes, sizeof *more * s->node_count * 2);
    if (!more)
        return false;
    s->nodes = more;
    return true;
}

/* The child that a protocol has below a parent, made if need be, behind those that are there; the parent itself where
 * there is no room for it. */
static uint32_t take_child(struct statistics *s, uint32_t parent, const struct protocol *protocol, bool malformed)
{
    uint32_t at = find_child(s, parent, protocol, malformed);
    if (at || !more_nodes(s))
        return at ? at : parent;
    at = s->node_count++;
    s->nodes[at] = (struct tree_node){
        .protocol = protocol, .parent = parent, .depth = (uint16_t)(s->nodes[parent].depth + 1), .malformed = malformed
    };
    uint32_t *link = &s->nodes[parent].child;
    while (*link)
        link = &s->nodes[*link].sibling;
    *link = at;
    return at;
}

/* Whether a layer has a place of its own in the tree. Not what an ICMP error quotes, for it is on its way to nobody;
 * not IPv6's extension headers (ipv6.hopopts), which belong to their header; not the bytes of a fragment whose datagram
 * is whole now and follows. */
static bool has_place(const struct packet *p, unsigned i)
{
    const struct layer *l = &p->layers[i];
    if (l->flags & LAYER_QUOTED)
        return false;
    if (l->protocol == &data_protocol)
        return i + 1 == p->layer_count || p->layers[i + 1].buffer == l->buffer;
    return !strchr(l->protocol->name, '.');
}

static uint32_t descend(struct statistics *s, const struct packet *p, bool malformed)
{
    uint32_t at = 0;
    for (unsigned i = 0; i < p->layer_count; i++)
        if (has_place(p, i))
            at = take_child(s, at, p->layers[i].protocol, false);
    return malformed ? take_child(s, at, s->nodes[at].protocol, true) : at;
}

/* Whether the layers are those of everyday, with data behind them or without: they are found again without a look at
 * each. */
static bool is_everyday(const struct statistics *s, const struct packet *p)
{
    const struct layer *l = p->layers;
    return (p->layer_count == 3 || (p->layer_count == 4 && l[3].protocol == &data_protocol)) &&
           l[0].protocol == s->eth && l[1].protocol == s->ip && l[2].protocol == s->tcp;
}

/* The layers' protocols as a number: each times an odd number of its place, so that the products need not wait for one
 * another. 64 bits of numbers that have nothing to do with each other: two chains of a capture do not meet. */
static inline uint64_t sum_layers(const struct statistics *s, const struct packet *p)
{
    uint64_t sum = 1;
    for (unsigned i = 0; i < p->layer_count; i++)
        sum += (uint64_t)(uintptr_t)p->layers[i].protocol * s->times[i];
    return sum;
}

/* SplitMix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number generators". */
static void fill_times(uint64_t times[LAYERS_MAX])
{
    uint64_t state = 0;
    for (unsigned i = 0; i < LAYERS_MAX; i++) {
        uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        times[i] = (z ^ z >> 31) | 1;
    }
}

static inline void count_node(struct statistics *s, uint32_t node, uint32_t length)
{
    s->nodes[node].packets++;
    s->nodes[node].bytes += length;
}

static inline void count_tree(struct statistics *s, const struct packet *p)
{
    bool malformed = p->layer_count && p->layers[p->layer_count - 1].verdict == VERDICT_BROKEN;
    uint64_t sum = sum_layers(s, p) + malformed;
    unsigned slot = (unsigned)(sum >> (64 - NODE_CACHE_BITS));
    if (s->cache[slot].sum != sum) {
        s->cache[slot].node = descend(s, p, malformed);
        s->cache[slot].sum = sum;
        if (!malformed && is_everyday(s, p))
            s->everyday[p->layer_count - 3] = s->cache[slot].node;
    }
    count_node(s, s->cache[slot].node, p->wire_length);
}

struct tree_total *statistics_tree(const struct statistics *s)
{
    struct tree_total *totals = calloc(s->node_count, sizeof *totals);
    for (uint32_t i = s->node_count; totals && i-- > 0;) {
        const struct tree_node *node = &s->nodes[i];
        totals[i].packets += node->packets;
        totals[i].bytes += node->bytes;
        if (i) {
            totals[node->parent].packets += totals[i].packets;
            totals[node->parent].bytes += totals[i].bytes;
        }
    }
    return totals;
}

/* --- bytes over time --- */

/* Bins ten times as wide. Ten, so that a width stays a number that people say: 0.1 s, 1 s. */
static void fold_series(struct series *t)
{
    uint32_t n = (t->count + FOLD - 1) / FOLD;
    for (uint32_t i = 0; i < t->count; i++) {
        struct series_bin *to = &t->bins[i / FOLD], bin = t->bins[i];
        if (i % FOLD == 0)
            *to = (struct series_bin){ 0 };
        for (unsigned d = 0; d < 2; d++) {
            to->packets[d] += bin.packets[d];
            to->bytes[d] += bin.bytes[d];
        }
    }
    t->count = n;
    t->width *= FOLD;
}

/* Room for `count` bins, the new ones empty. */
static bool widen_series(struct series *t, uint32_t count)
{
    if (count > t->room) {
        uint32_t room = t->room ? t->room : SERIES_FEW;
        while (room < count)
            room *= 2;
        struct series_bin *more = realloc(t->bins, room * sizeof *more);
        if (!more)
            return false;
        t->bins = more;
        t->room = room;
    }
    if (count > t->count)
        memset(t->bins + t->count, 0, (count - t->count) * sizeof *t->bins);
    t->count = count > t->count ? count : t->count;
    return true;
}

/* Bins in front, for a time before the first one. */
static bool extend_back(struct series *t, int64_t time)
{
    uint64_t before = (uint64_t)t->start - (uint64_t)time;
    while (t->count + (before / t->width + 1) > t->most)
        fold_series(t);
    uint32_t old = t->count, bins = (uint32_t)(before / t->width + 1);
    if (!widen_series(t, old + bins))
        return false;
    memmove(t->bins + bins, t->bins, old * sizeof *t->bins);
    memset(t->bins, 0, bins * sizeof *t->bins);
    t->start = (int64_t)((uint64_t)t->start - bins * t->width);
    return true;
}

/* The bin of a time that is not in the last one's. NULL: no memory. */
static struct series_bin *find_bin(struct series *t, int64_t time)
{
    if (!t->count) {
        t->start = time;
        t->width = t->width ? t->width : SERIES_WIDTH;
    }
    if (time < t->start && !extend_back(t, time))
        return NULL;
    uint64_t since = (uint64_t)time - (uint64_t)t->start;
    while (since / t->width >= t->most)
        fold_series(t);
    uint32_t bin = (uint32_t)(since / t->width);
    if (!widen_series(t, bin + 1))
        return NULL;
    t->bin = bin;
    t->bin_start = (int64_t)((uint64_t)t->start + bin * t->width);
    return &t->bins[bin];
}

static inline void count_time(struct statistics *s, int64_t time, uint32_t length, unsigned direction)
{
    struct series *t = &s->series;
    bool here = t->count && (uint64_t)time - (uint64_t)t->bin_start < t->width;
    struct series_bin *bin = here ? &t->bins[t->bin] : find_bin(t, time);
    if (!bin) {
        s->out_of_memory = true;
        return;
    }
    bin->packets[direction]++;
    bin->bytes[direction] += length;
}

/* The innermost ports of a packet that has several, or headers cut short. */
static unsigned inner_direction(const struct statistics *s, const struct packet *p)
{
    for (unsigned i = p->layer_count; i-- > 0;) {
        const struct layer *l = &p->layers[i];
        struct span header = layer_header(p, l);
        const uint8_t *h = l->protocol == s->tcp || l->protocol == s->udp ? span_peek(&header, 4) : NULL;
        if (h && !(l->flags & LAYER_QUOTED))
            return load_be16(h) < load_be16(h + 2);
    }
    return 0;
}

static unsigned host_direction(const struct statistics *s, const struct packet *p)
{
    for (unsigned i = 0; i < p->network_count; i++)
        if (p->networks[i].size == s->host_size && !memcmp(p->networks[i].source, s->host, s->host_size))
            return 0;
    return 1;
}

/* The lower port is a server's more likely than the other, which was picked at random. */
static inline unsigned direction_of(const struct statistics *s, const struct packet *p)
{
    if (s->host)
        return host_direction(s, p);
    uint8_t hot = p->have & (HOT_TCP | HOT_UDP);
    if (p->again & (HOT_TCP | HOT_UDP) || hot == (HOT_TCP | HOT_UDP))
        return inner_direction(s, p);
    return hot == HOT_TCP ? p->tcp_srcport < p->tcp_dstport : hot == HOT_UDP && p->udp_srcport < p->udp_dstport;
}

/* Where a bin lies between the first and the last time, in samples. */
struct placing {
    double begin, end;
};

static struct placing place_bin(const struct statistics *s, uint32_t bin, unsigned count)
{
    const struct series *t = &s->series;
    double all = (double)((uint64_t)s->last - (uint64_t)s->first), width = (double)t->width;
    double from = (double)bin * width - (double)((uint64_t)s->first - (uint64_t)t->start), to = from + width;
    from = from < 0 ? 0 : from;
    to = to > all ? all : to;
    if (all <= 0)
        return (struct placing){ 0, count };
    struct placing p = { from / all * count, to / all * count };
    if (p.begin > count - 1e-3) /* the very last instant */
        p.begin = count - 1e-3;
    p.end = p.end > p.begin ? p.end : p.begin + 1e-3;
    return p;
}

void statistics_sample(const struct statistics *s, unsigned direction, bool packets, double *samples, unsigned count)
{
    const struct series *t = &s->series;
    double seconds = (double)((uint64_t)s->last - (uint64_t)s->first) / 1e9 / count;
    for (unsigned i = 0; i < count; i++)
        samples[i] = 0;
    for (uint32_t bin = 0; bin < t->count && count; bin++) {
        const struct series_bin *b = &t->bins[bin];
        double value = (double)(packets ? b->packets[direction] : b->bytes[direction]);
        if (value <= 0)
            continue;
        struct placing p = place_bin(s, bin, count);
        for (unsigned i = (unsigned)p.begin; i < count && i < p.end; i++) {
            double from = p.begin > i ? p.begin : i, to = p.end < i + 1 ? p.end : i + 1;
            samples[i] += value * (to - from) / (p.end - p.begin) / (seconds > 0 ? seconds : 1);
        }
    }
}

/* --- conversations --- */

/* Nine packets of ten belong to the conversation of the packet before. So packets are gathered in runs: one after
 * another of one conversation, in either direction. A run looks its conversation up only when it is the oldest of a
 * few; when it began, what the look-up will read was asked for from memory. */

static void run_key(struct flow_run *r, struct flow_key *key, unsigned *end)
{
    *end = flow_key_set(key, r->address[0], r->address[1], r->size, r->port[0], r->port[1], r->protocol);
}

static uint32_t add_flow(struct statistics *s, const struct flow_run *r, const struct flow_key *key, unsigned end)
{
    if (s->flows.live >= s->flows_most)
        return FLOW_NONE;
    uint32_t index = flow_add(&s->flows, key);
    if (index == FLOW_NONE) {
        s->out_of_memory = true;
        return index;
    }
    struct flow *f = flow_at(&s->flows, index);
    f->first = f->last = r->first;
    f->flags |= (uint16_t)((r->timed ? 0 : FLOW_UNTIMED) | (end ? FLOW_CLIENT_1 : 0));
    return index;
}

/* A segment's conversation by the tracker's rules: a SYN that counts from elsewhere than what is known of its end
 * begins a new one on the same ports. `index`: the newest one. */
static uint32_t place_segment(struct statistics *s, const struct flow_run *r, const struct flow_key *key, unsigned end,
                              uint32_t index)
{
    struct flow *f = flow_at(&s->flows, index);
    bool syn = r->flags & TCP_SYN;
    if (syn && !(f->flags & FLOW_CLIENT_SEEN)) {
        bool one = r->flags & TCP_ACK ? !end : end;
        f->flags = (uint16_t)((f->flags & ~FLOW_CLIENT_1) | (one ? FLOW_CLIENT_1 : 0) | FLOW_CLIENT_SEEN);
    }
    if (syn && f->end[end].flags & END_BASE && f->end[end].base != r->seq) {
        if (!(r->flags & TCP_ACK) && (index = add_flow(s, r, key, end)) == FLOW_NONE)
            return index;
        f = flow_at(&s->flows, index);
        f->flags |= FLOW_CLIENT_SEEN;
        f->end[end].flags = 0;
    }
    if (!(f->end[end].flags & END_BASE)) {
        f->end[end].base = syn ? r->seq : r->seq - 1;
        f->end[end].flags = END_BASE;
    }
    if (!(f->end[!end].flags & END_BASE) && r->flags & TCP_ACK) {
        f->end[!end].base = r->ack - 1;
        f->end[!end].flags = END_BASE;
    }
    return index;
}

/* The conversation of a run, made if need be; FLOW_NONE: there is no room. */
static uint32_t place_run(struct statistics *s, struct flow_run *r, unsigned *end)
{
    struct flow_key key;
    run_key(r, &key, end);
    uint32_t index = flow_found(&s->flows, &key, r->hash);
    if (index == FLOW_NONE)
        index = add_flow(s, r, &key, *end);
    return index != FLOW_NONE && r->protocol == IP_TCP ? place_segment(s, r, &key, *end, index) : index;
}

static void count_flow(struct flow *f, const struct flow_run *r, unsigned end)
{
    for (unsigned i = 0; i < 2; i++) {
        f->packets[end ^ i] += r->packets[i];
        f->bytes[end ^ i] += r->bytes[i];
    }
    if (!r->timed)
        return;
    if (f->flags & FLOW_UNTIMED) {
        f->flags &= (uint16_t)~FLOW_UNTIMED;
        f->first = r->first;
    }
    f->last = r->last;
}

/* Counts a run's packets where they belong, and lets go of it. */
static void settle_run(struct statistics *s, struct flow_run *r)
{
    unsigned end;
    if (!r->size)
        return;
    uint32_t index = place_run(s, r, &end);
    s->settled = index;
    if (index == FLOW_NONE) {
        bool twice = r->protocol == PROTOCOL_PAIR && s->parts & STATISTICS_FLOWS;
        s->unplaced += twice ? 0 : (uint64_t)r->packets[0] + r->packets[1];
    } else {
        count_flow(flow_at(&s->flows, index), r, end);
    }
    r->size = 0;
}

void statistics_settle(struct statistics *s)
{
    for (unsigned i = 1; i <= FLOW_RUNS; i++)
        settle_run(s, &s->runs[(s->run + i) % FLOW_RUNS]);
}

/* One packet's part in a conversation. */
struct step {
    const struct network *network;
    uint64_t both; /* IPv4: addresses_of the network */
    int64_t time;
    uint32_t length; /* of the packet on the wire */
    uint32_t ports;  /* the source's in the upper half */
    uint32_t seq, ack;
    uint16_t flags; /* TCP's; else 0 */
    uint8_t protocol;
    bool timed;
};

/* The source's in the lower half, the destination's in the upper one. */
static inline uint64_t addresses_of(const uint8_t *source, const uint8_t *destination)
{
    return load_le32(source) | (uint64_t)load_le32(destination) << 32;
}

static inline struct step step_of(const struct packet *p, const struct network *network, uint8_t protocol)
{
    return (struct step){
        .network = network,
        .both = network->size == 4 ? addresses_of(network->source, network->destination) : 0,
        .time = p->time,
        .length = p->wire_length,
        .protocol = protocol,
        .timed = p->timed,
    };
}

__attribute__((noinline)) static void begin_run(struct statistics *s, const struct step *step)
{
    s->run = (s->run + 1) % FLOW_RUNS;
    struct flow_run *r = &s->runs[s->run];
    settle_run(s, r);
    r->size = step->network->size;
    memcpy(r->address[0], step->network->source, r->size);
    memcpy(r->address[1], step->network->destination, r->size);
    r->protocol = step->protocol;
    r->ports = step->ports;
    r->both = step->both;
    r->port[0] = (uint16_t)(step->ports >> 16);
    r->port[1] = (uint16_t)step->ports;
    r->seq = step->seq;
    r->ack = step->ack;
    r->flags = step->flags;
    r->timed = step->timed;
    r->first = r->last = step->time;
    r->packets[0] = 1;
    r->packets[1] = 0;
    r->bytes[0] = step->length;
    r->bytes[1] = 0;
    /* A segment that acknowledges nothing does not tell both ends' numbers. */
    r->open = r->timed && (r->protocol != IP_TCP || r->flags & TCP_ACK);
    struct flow_key key;
    unsigned end;
    run_key(r, &key, &end);
    r->hash = flow_seek(&s->flows, &key);
}

/* Which end of a run the packet comes from: 0 or 1; 2: it belongs to another conversation. */
static inline unsigned run_end(const struct flow_run *r, const struct step *step)
{
    uint32_t there = step->ports, back = there << 16 | there >> 16;
    const struct network *n = step->network;
    if (n->size == 4) {
        if (step->both == r->both && there == r->ports)
            return 0;
        return (step->both << 32 | step->both >> 32) == r->both && back == r->ports ? 1 : 2;
    }
    if (there == r->ports && !memcmp(n->source, r->address[0], 16) && !memcmp(n->destination, r->address[1], 16))
        return 0;
    bool other =
        back == r->ports && !memcmp(n->source, r->address[1], 16) && !memcmp(n->destination, r->address[0], 16);
    return other ? 1 : 2;
}

static inline void count_step(struct statistics *s, const struct step *step)
{
    struct flow_run *r = &s->runs[s->run];
    unsigned end = 2;
    if (r->open && r->protocol == step->protocol && r->size == step->network->size && step->timed &&
        !(step->flags & TCP_SYN))
        end = run_end(r, step);
    if (end == 2) {
        begin_run(s, step);
        return;
    }
    r->packets[end]++;
    r->bytes[end] += step->length;
    r->last = step->time;
}

static void count_stream(struct statistics *s, const struct packet *p, const struct layer *l);

/* TCP or UDP over a network layer; false: too short to have ports. */
static bool transport_step(const struct statistics *s, const struct packet *p, const struct layer *l, struct step *step)
{
    bool tcp = l->protocol == s->tcp;
    struct span header = layer_header(p, l);
    const uint8_t *h = span_peek(&header, tcp ? TCP_HEADER : UDP_HEADER);
    if (!h)
        return false;
    step->protocol = tcp ? IP_TCP : IP_UDP;
    step->ports = load_be32(h);
    if (tcp) {
        step->seq = load_be32(h + 4);
        step->ack = load_be32(h + 8);
        step->flags = load_be16(h + 12) & 0xfff;
    }
    return true;
}

static bool is_network(const struct statistics *s, const struct layer *l)
{
    return (l->protocol == s->ip || l->protocol == s->ipv6) && l->network && !(l->flags & LAYER_QUOTED);
}

/* The TCP or UDP layer over layer i, nothing between but extensions of that; or NULL. */
static const struct layer *transport_over(const struct statistics *s, const struct packet *p, unsigned i)
{
    for (unsigned k = i + 1; k < p->layer_count && p->layers[k].network == p->layers[i].network; k++)
        if (p->layers[k].protocol == s->tcp || p->layers[k].protocol == s->udp)
            return &p->layers[k];
    return NULL;
}

/* Each network layer that is on its way to somebody is one step of a conversation. */
static void count_layers(struct statistics *s, const struct packet *p)
{
    for (unsigned i = 0; i < p->layer_count; i++) {
        if (!is_network(s, &p->layers[i]))
            continue;
        const struct network *network = layer_network(p, &p->layers[i]);
        struct step step = step_of(p, network, PROTOCOL_PAIR);
        if (s->parts & STATISTICS_PAIRS)
            count_step(s, &step);
        if (!(s->parts & STATISTICS_FLOWS))
            continue;
        const struct layer *transport = transport_over(s, p, i);
        step.protocol = PROTOCOL_OTHER;
        bool ports = transport && transport_step(s, p, transport, &step);
        count_step(s, &step);
        if (ports && s->parts & STATISTICS_TCP && transport->protocol == s->tcp)
            count_stream(s, p, transport);
    }
}

/* Mostly there is one network layer, and TCP or UDP on it. */
static inline void count_conversations(struct statistics *s, const struct packet *p)
{
    uint8_t hot = p->have & (HOT_TCP | HOT_UDP);
    bool tcp = hot == HOT_TCP, udp = hot == HOT_UDP;
    bool simple = p->network_count == 1 && !(p->again & (HOT_TCP | HOT_UDP)) && !(s->parts & STATISTICS_TCP);
    if (!simple || !(tcp || udp) || (tcp && p->layers[p->subject].verdict != VERDICT_WHOLE)) {
        count_layers(s, p);
        return;
    }
    struct step step = step_of(p, &p->networks[0], PROTOCOL_PAIR);
    if (s->parts & STATISTICS_PAIRS)
        count_step(s, &step);
    if (!(s->parts & STATISTICS_FLOWS))
        return;
    step.protocol = tcp ? IP_TCP : IP_UDP;
    step.ports =
        tcp ? (uint32_t)p->tcp_srcport << 16 | p->tcp_dstport : (uint32_t)p->udp_srcport << 16 | p->udp_dstport;
    if (tcp) {
        step.seq = p->tcp_seq;
        step.ack = p->tcp_ack;
        step.flags = p->tcp_flags;
    }
    count_step(s, &step);
}

/* MAC addresses as the last bytes of sixteen. */
static void count_links(struct statistics *s, const struct packet *p)
{
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        struct span header = layer_header(p, l);
        const uint8_t *h = l->protocol == s->eth && !(l->flags & LAYER_QUOTED) ? span_peek(&header, 12) : NULL;
        if (!h)
            continue;
        uint8_t ends[2][16] = { { 0 } };
        memcpy(ends[0] + 16 - MAC_BYTES, h + MAC_BYTES, MAC_BYTES);
        memcpy(ends[1] + 16 - MAC_BYTES, h, MAC_BYTES);
        const struct network pair = { .source = ends[0], .destination = ends[1], .size = 16 };
        struct step step = step_of(p, &pair, PROTOCOL_LINK);
        count_step(s, &step);
    }
}

/* --- TCP: round trips and what is remarkable --- */

static struct stream_statistics *take_stream(struct statistics *s, uint32_t number)
{
    if (number >= STREAMS_MOST)
        return NULL;
    if (number >= s->stream_room) {
        uint32_t room = s->stream_room ? s->stream_room : 64;
        while (room <= number)
            room *= 2;
        struct stream_statistics *more = realloc(s->streams, room * sizeof *more);
        s->out_of_memory |= !more;
        if (!more)
            return NULL;
        s->streams = more;
        s->stream_room = room;
    }
    for (; s->stream_count <= number; s->stream_count++)
        s->streams[s->stream_count] = (struct stream_statistics){ .flow = FLOW_NONE };
    return &s->streams[number];
}

static void take_rtt(struct rtt *r, int64_t ns)
{
    uint64_t us = (uint64_t)ns / 1000;
    uint32_t micro = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    r->least = r->count && r->least < micro ? r->least : micro;
    r->most = r->most > micro ? r->most : micro;
    r->sum += (uint64_t)ns;
    r->count++;
}

static void count_stream(struct statistics *s, const struct packet *p, const struct layer *l)
{
    static const uint8_t bits[TROUBLES] = {
        [TROUBLE_AGAIN] = NOTE_RETRANSMISSION,
        [TROUBLE_FAST] = NOTE_FAST_RETRANSMISSION,
        [TROUBLE_SPURIOUS] = NOTE_SPURIOUS_RETRANSMISSION,
        [TROUBLE_OUT_OF_ORDER] = NOTE_OUT_OF_ORDER,
        [TROUBLE_LOST] = NOTE_LOST_SEGMENT,
        [TROUBLE_DUPLICATE] = NOTE_DUPLICATE_ACK,
        [TROUBLE_ZERO_WINDOW] = NOTE_ZERO_WINDOW,
        [TROUBLE_FULL_WINDOW] = NOTE_WINDOW_FULL,
    };
    const struct note *note = layer_note(p, l);
    if (!note || !(note->have >> NOTE_STREAM & 1))
        return;
    struct stream_statistics *t = take_stream(s, note->stream);
    if (!t)
        return;
    const struct network *n = layer_network(p, l);
    struct span header = layer_header(p, l);
    struct flow_key key;
    unsigned end =
        flow_key_set(&key, n->source, n->destination, n->size, load_be16(header.at), load_be16(header.at + 2), IP_TCP);
    if (t->flow == FLOW_NONE) { /* the last run is the packet's */
        statistics_settle(s);
        t->flow = s->settled;
    }
    for (unsigned i = 0; i < TROUBLES; i++)
        t->trouble[end][i] += (uint32_t)(note->have >> bits[i] & 1);
    if (note->have >> NOTE_ACK_RTT & 1 && note->ack_rtt >= 0)
        take_rtt(&t->rtt[!end], note->ack_rtt);
    if (note->have >> NOTE_INITIAL_RTT & 1 && !t->initial_rtt)
        t->initial_rtt = note->initial_rtt;
}

/* --- the packet --- */

static inline void count_length(struct statistics *s, uint32_t length)
{
    if (length > s->longest)
        s->longest = length;
    if (length < LENGTHS - 1) {
        s->lengths[length]++;
        return;
    }
    s->lengths[LENGTHS - 1]++;
    s->long_bytes += length;
}

static inline void count_instant(struct statistics *s, int64_t time)
{
    if (!s->begun) {
        s->begun = true;
        s->first = s->last = time;
    }
    if (time > s->last)
        s->last = time;
    if (time < s->first)
        s->first = time;
}

void statistics_take(struct statistics *s, const struct packet *p)
{
    count_length(s, p->wire_length);
    if (s->parts & STATISTICS_TREE)
        count_tree(s, p);
    if (s->parts & STATISTICS_LINKS)
        count_links(s, p);
    if (s->parts & (STATISTICS_FLOWS | STATISTICS_PAIRS) && p->network_count)
        count_conversations(s, p);
    if (!p->timed) {
        s->untimed++;
        return;
    }
    count_instant(s, p->time);
    if (s->parts & STATISTICS_SERIES)
        count_time(s, p->time, p->wire_length, direction_of(s, p));
}

/* The conversation of a segment of everyday. */
static inline void count_segment(struct statistics *s, const uint8_t *h, uint32_t length, int64_t time)
{
    struct network network = {
        .source = h + AT_IP_SOURCE, .destination = h + AT_IP_DESTINATION, .final = h + AT_IP_DESTINATION, .size = 4
    };
    struct step step = {
        .network = &network,
        .both = addresses_of(network.source, network.destination),
        .time = time,
        .length = length,
        .protocol = PROTOCOL_PAIR,
        .timed = true,
    };
    if (s->parts & STATISTICS_PAIRS)
        count_step(s, &step);
    if (!(s->parts & STATISTICS_FLOWS))
        return;
    step.protocol = IP_TCP;
    step.ports = load_be32(h + AT_TCP_SOURCE);
    step.seq = load_be32(h + AT_TCP_SEQ);
    step.ack = load_be32(h + AT_TCP_ACK);
    step.flags = load_be16(h + AT_TCP_OFFSET) & 0xfff;
    count_step(s, &step);
}

bool statistics_predicts(struct statistics *s, struct span packet, uint16_t link_type, uint32_t wire_length,
                         int64_t time)
{
    enum { HERE = STATISTICS_TREE | STATISTICS_FLOWS | STATISTICS_PAIRS | STATISTICS_SERIES };
    struct everyday e = everyday_look(packet, link_type, wire_length);
    if (!e.bytes || s->parts & ~(unsigned)HERE || s->host)
        return false;
    uint16_t source = load_be16(e.bytes + AT_TCP_SOURCE), destination = load_be16(e.bytes + AT_TCP_DESTINATION);
    if (s->parts & STATISTICS_TREE) {
        bool carries = e.payload != e.end;
        struct span payload = span_part(packet, e.payload, e.end - e.payload);
        if (!s->everyday[carries] || (carries && registry_stream(destination, source, payload)))
            return false;
        count_node(s, s->everyday[carries], wire_length);
    }
    count_length(s, wire_length);
    if (s->parts & (STATISTICS_FLOWS | STATISTICS_PAIRS))
        count_segment(s, e.bytes, wire_length, time);
    count_instant(s, time);
    if (s->parts & STATISTICS_SERIES)
        count_time(s, time, wire_length, source < destination);
    return true;
}

void statistics_totals(const struct statistics *s, uint64_t *packets, uint64_t *bytes)
{
    *packets = s->lengths[LENGTHS - 1];
    *bytes = s->long_bytes;
    for (uint32_t length = 0; length < LENGTHS - 1 && length <= s->longest; length++) {
        *packets += s->lengths[length];
        *bytes += s->lengths[length] * length;
    }
}

int statistics_open(struct statistics *s, unsigned parts, uint64_t interval)
{
    *s = (struct statistics){
        .parts = parts,
        .flows_most = UINT32_MAX,
        .node_count = 1,
        .series = { .width = interval, .most = interval ? SERIES_BINS_ASKED : SERIES_BINS },
        .ip = registry_by_name("ip"),
        .ipv6 = registry_by_name("ipv6"),
        .tcp = registry_by_name("tcp"),
        .udp = registry_by_name("udp"),
        .eth = registry_by_name("eth"),
    };
    fill_times(s->times);
    s->lengths = calloc(LENGTHS, sizeof *s->lengths);
    s->nodes = calloc(NODES_FEW, sizeof *s->nodes);
    int code = flow_table_open(&s->flows, 0);
    return code ? code : s->lengths && s->nodes ? 0 : ERROR_MEMORY;
}

void statistics_close(struct statistics *s)
{
    flow_table_close(&s->flows);
    free(s->lengths);
    free(s->nodes);
    free(s->series.bins);
    free(s->streams);
    *s = (struct statistics){ 0 };
}
