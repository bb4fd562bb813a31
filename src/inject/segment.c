#include "inject/segment.h"
#include "dissectors/registry.h"
#include "inject/header.h"
#include "protocol/checksum.h"

enum { ETHERNET = 14, IPV4 = 20, IPV6 = 40, TCP = 20, PROTOCOL_TCP = 6, HOPS = 64 };

/* Where things lie, from the tables; looked up once. */
static struct forms {
    bool ready;
    const struct protocol *tcp, *icmp, *icmpv6;
    struct slot seq, ack, header_length, flags, window, checksum, ip_length, ip_id, ip_checksum, ipv6_length;
    struct slot source_port, destination_port, icmp_type, icmp_code, icmp_mtu, icmpv6_mtu;
    struct option_form mss, scale, sack_permitted, sack, timestamps;
} forms;

static const uint8_t no_operation = 1; /* the kinds that stand alone have no rows: RFC 9293, 3.1 */

static struct option_form option(const char *name)
{
    return option_find("tcp", "tcp.options", name);
}

static void look_up(void)
{
    uint8_t room[64];
    struct header h = header_begin("tcp", room, TCP);
    forms.tcp = h.protocol;
    forms.seq = header_slot(&h, "tcp.seq_raw");
    forms.ack = header_slot(&h, "tcp.ack_raw");
    forms.flags = header_slot(&h, "tcp.flags");
    forms.header_length = header_slot(&h, "tcp.hdr_len");
    forms.window = header_slot(&h, "tcp.window_size_value");
    forms.checksum = header_slot(&h, "tcp.checksum");
    forms.source_port = header_slot(&h, "tcp.srcport");
    forms.destination_port = header_slot(&h, "tcp.dstport");
    h = header_begin("ip", room, IPV4);
    forms.ip_length = header_slot(&h, "ip.len");
    forms.ip_id = header_slot(&h, "ip.id");
    forms.ip_checksum = header_slot(&h, "ip.checksum");
    h = header_begin("ipv6", room, IPV6);
    forms.ipv6_length = header_slot(&h, "ipv6.plen");
    h = header_begin("icmp", room, 8);
    forms.icmp = h.protocol;
    forms.icmp_type = header_slot(&h, "icmp.type");
    forms.icmp_code = header_slot(&h, "icmp.code");
    header_put(&h, "icmp.type", 3);
    header_put(&h, "icmp.code", 4);
    forms.icmp_mtu = header_slot(&h, "icmp.mtu");
    h = header_begin("icmpv6", room, 8);
    forms.icmpv6 = h.protocol;
    header_put(&h, "icmpv6.type", 2);
    forms.icmpv6_mtu = header_slot(&h, "icmpv6.mtu");
    forms.mss = option("tcp.options.mss_val");
    forms.scale = option("tcp.options.wscale.shift");
    forms.sack_permitted = option("tcp.options.sack_perm");
    forms.sack = option("tcp.options.sack_le");
    forms.timestamps = option("tcp.options.timestamp.tsval");
    forms.ready = true;
}

/* ---- writing */

static void begin_ipv4(struct segment_writer *w, const struct segment_ends *ends)
{
    struct header h = header_begin("ip", w->head + w->link, IPV4);
    header_put(&h, "ip.version", 4);
    header_put(&h, "ip.hdr_len", IPV4);
    header_put(&h, "ip.flags.df", 1);
    header_put(&h, "ip.ttl", HOPS);
    header_put(&h, "ip.proto", PROTOCOL_TCP);
    header_put(&h, "ip.src", load_be32(ends->local.bytes));
    header_put(&h, "ip.dst", load_be32(ends->remote.bytes));
    w->network = IPV4;
}

static void begin_ipv6(struct segment_writer *w, const struct segment_ends *ends)
{
    struct header h = header_begin("ipv6", w->head + w->link, IPV6);
    header_put(&h, "ipv6.version", 6);
    header_put(&h, "ipv6.nxt", PROTOCOL_TCP);
    header_put(&h, "ipv6.hlim", HOPS);
    header_put_bytes(&h, "ipv6.src", ends->local.bytes, 16);
    header_put_bytes(&h, "ipv6.dst", ends->remote.bytes, 16);
    w->network = IPV6;
}

void segment_writer_begin(struct segment_writer *w, const uint8_t *macs, const struct segment_ends *ends)
{
    if (!forms.ready)
        look_up();
    *w = (struct segment_writer){ .six = ends->local.size == 16 };
    if (macs) {
        w->link = ETHERNET;
        struct header h = header_begin("eth", w->head, ETHERNET);
        header_put_bytes(&h, "eth.dst", macs, 6);
        header_put_bytes(&h, "eth.src", macs + 6, 6);
        header_put(&h, "eth.type", w->six ? 0x86dd : 0x0800);
    }
    if (w->six)
        begin_ipv6(w, ends);
    else
        begin_ipv4(w, ends);
    struct header h = header_begin("tcp", w->head + w->link + w->network, TCP);
    header_put(&h, "tcp.srcport", ends->local_port);
    header_put(&h, "tcp.dstport", ends->remote_port);
    struct network network = { .source = ends->local.bytes,
                               .destination = ends->remote.bytes,
                               .final = ends->remote.bytes,
                               .size = ends->local.size };
    w->pseudo = checksum_pseudo(&network, PROTOCOL_TCP, 0);
}

static size_t options_length(const struct endpoint_segment *g)
{
    size_t n = (g->mss ? forms.mss.length : 0u) + (g->sack_permitted ? forms.sack_permitted.length : 0u);
    n += g->timestamps ? 10u + (g->sack_permitted ? 0u : 2u) : 0u;
    n += g->has_scale ? 1u + forms.scale.length : 0u;
    n += g->sack_count ? 4u + 8u * g->sack_count : 0u;
    return (n + 3) / 4 * 4;
}

size_t segment_length(const struct segment_writer *w, const struct endpoint_segment *g)
{
    return w->link + w->network + TCP + options_length(g) + g->payload.left + g->more.left;
}

static uint8_t *put_padding(uint8_t *at, unsigned n)
{
    memset(at, no_operation, n);
    return at + n;
}

/* In Linux's order and with its padding: everything begins at a multiple of four where that costs nothing. */
static uint8_t *put_options(uint8_t *at, const struct endpoint_segment *g)
{
    uint8_t *start = at;
    if (g->mss) {
        slot_put(at, forms.mss.value[0], g->mss);
        at = option_put(&forms.mss, at, forms.mss.length);
    }
    if (g->sack_permitted)
        at = option_put(&forms.sack_permitted, at, forms.sack_permitted.length);
    if (g->timestamps) {
        if (!g->sack_permitted)
            at = put_padding(at, 2);
        slot_put(at, forms.timestamps.value[0], g->ts_value);
        slot_put(at, forms.timestamps.value[1], g->ts_echo);
        at = option_put(&forms.timestamps, at, forms.timestamps.length);
    }
    if (g->has_scale) {
        at = put_padding(at, 1);
        slot_put(at, forms.scale.value[0], g->scale);
        at = option_put(&forms.scale, at, forms.scale.length);
    }
    if (g->sack_count) {
        at = put_padding(at, 2);
        for (unsigned i = 0; i < g->sack_count; i++) {
            struct slot left = forms.sack.value[0], right = forms.sack.value[1];
            left.bit += 8u * forms.sack.stride * i;
            right.bit += 8u * forms.sack.stride * i;
            slot_put(at, left, g->sacks[i].left);
            slot_put(at, right, g->sacks[i].right);
        }
        at = option_put(&forms.sack, at, 2u + 8u * g->sack_count);
    }
    return put_padding(at, (unsigned)((4 - (at - start) % 4) % 4));
}

static void finish_network(struct segment_writer *w, uint8_t *ip, size_t length)
{
    if (w->six) {
        slot_put(ip, forms.ipv6_length, (uint32_t)(length - IPV6));
        return;
    }
    slot_put(ip, forms.ip_length, (uint32_t)length);
    slot_put(ip, forms.ip_id, w->ident++);
    slot_put(ip, forms.ip_checksum, checksum_finish(checksum_add(0, ip, IPV4)));
}

size_t segment_write(struct segment_writer *w, uint8_t *at, const struct endpoint_segment *g)
{
    size_t before = w->link + w->network;
    memcpy(at, w->head, before + TCP);
    uint8_t *tcp = at + before;
    slot_put(tcp, forms.seq, g->seq);
    slot_put(tcp, forms.ack, g->ack);
    slot_put(tcp, forms.window, g->window);
    uint8_t *end = put_options(tcp + TCP, g);
    /* the length of the header, in words, shares its two bytes with the flags */
    uint32_t words = (uint32_t)(end - tcp) / 4;
    store_be16(tcp + forms.header_length.bit / 8, (uint16_t)(words << forms.flags.width | g->flags));
    if (g->payload.left)
        memcpy(end, g->payload.at, g->payload.left);
    end += g->payload.left;
    if (g->more.left)
        memcpy(end, g->more.at, g->more.left);
    end += g->more.left;
    size_t length = (size_t)(end - tcp);
    uint32_t sum = checksum_add(w->pseudo + (uint32_t)length, tcp, length);
    slot_put(tcp, forms.checksum, checksum_finish(sum));
    finish_network(w, at + w->link, w->network + length);
    return before + length;
}

size_t segment_headers(const struct segment_writer *w, const struct endpoint_segment *g, size_t *transport,
                       size_t *checksum)
{
    *transport = w->link + w->network;
    *checksum = forms.checksum.bit / 8;
    return *transport + TCP + options_length(g);
}

static size_t payload_of(const struct endpoint_segment *g)
{
    return g->payload.left + g->more.left;
}

bool segment_continues(const struct segment_writer *w, const struct endpoint_segment *before, size_t length,
                       const struct endpoint_segment *g)
{
    size_t transport, checksum, head = segment_headers(w, before, &transport, &checksum), piece = payload_of(before);
    if (!piece || length <= head || before->flags != TCP_ACK || g->flags & (TCP_SYN | TCP_RST | TCP_FIN))
        return false;
    size_t there = length - head;
    return g->seq == before->seq + (uint32_t)there && there % piece == 0 && payload_of(g) && payload_of(g) <= piece &&
           length + payload_of(g) - w->link <= UINT16_MAX && g->ack == before->ack && g->window == before->window &&
           g->timestamps == before->timestamps && g->ts_value == before->ts_value && g->ts_echo == before->ts_echo &&
           !before->sack_count && !g->sack_count;
}

size_t segment_append(struct segment_writer *w, uint8_t *at, size_t length, const struct endpoint_segment *g)
{
    size_t n = payload_of(g), before = w->link + w->network;
    uint8_t *tcp = at + before;
    if (g->payload.left)
        memcpy(at + length, g->payload.at, g->payload.left);
    if (g->more.left)
        memcpy(at + length + g->payload.left, g->more.at, g->more.left);
    uint8_t *flags = tcp + forms.header_length.bit / 8;
    store_be16(flags, (uint16_t)(load_be16(flags) | g->flags));
    uint32_t sum = w->pseudo + (uint32_t)(length + n - before);
    slot_put(tcp, forms.checksum, (uint16_t)~checksum_finish(checksum_add(sum, tcp, 0)));
    if (w->six)
        slot_put(at + w->link, forms.ipv6_length, (uint32_t)(length + n - before));
    else {
        slot_put(at + w->link, forms.ip_length, (uint32_t)(length + n - w->link));
        slot_put(at + w->link, forms.ip_checksum, 0);
        slot_put(at + w->link, forms.ip_checksum, checksum_finish(checksum_add(0, at + w->link, IPV4)));
    }
    return n;
}

/* ---- reading */

static void read_option(const struct option *o, struct endpoint_segment *g)
{
    const uint8_t *at = o->bytes.at;
    size_t n = o->bytes.left;
    uint16_t kind = o->tlv->kind;
    if (kind == forms.mss.kind && n == forms.mss.length) {
        g->mss = (uint16_t)slot_get(at, forms.mss.value[0]);
    } else if (kind == forms.scale.kind && n == forms.scale.length) {
        g->has_scale = true;
        g->scale = (uint8_t)slot_get(at, forms.scale.value[0]);
    } else if (kind == forms.sack_permitted.kind) {
        g->sack_permitted = true;
    } else if (kind == forms.timestamps.kind && n == forms.timestamps.length) {
        g->timestamps = true;
        g->ts_value = slot_get(at, forms.timestamps.value[0]);
        g->ts_echo = slot_get(at, forms.timestamps.value[1]);
    } else if (kind == forms.sack.kind) {
        for (size_t i = 0; (i + 1) * forms.sack.stride + 2 <= n && g->sack_count < ENDPOINT_SACKS; i++) {
            struct slot left = forms.sack.value[0], right = forms.sack.value[1];
            left.bit += (uint32_t)(8 * forms.sack.stride * i);
            right.bit += (uint32_t)(8 * forms.sack.stride * i);
            g->sacks[g->sack_count++] = (struct endpoint_range){ slot_get(at, left), slot_get(at, right) };
        }
    }
}

static void read_segment(const struct packet *p, const struct layer *l, struct endpoint_segment *g)
{
    struct span header = layer_header(p, l), run = span_part(header, TCP, SIZE_MAX);
    g->seq = slot_get(header.at, forms.seq);
    g->ack = slot_get(header.at, forms.ack);
    g->flags = (uint16_t)(slot_get(header.at, forms.flags) & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | ENDPOINT_PSH));
    g->window = (uint16_t)slot_get(header.at, forms.window);
    g->payload = layer_payload(p, l);
    struct option o;
    while (tlv_next(forms.mss.set, &run, &o))
        if (!o.broken)
            read_option(&o, g);
}

static bool same_address(const struct ip_address *a, const uint8_t *b, unsigned size)
{
    return a->size == size && !memcmp(a->bytes, b, size);
}

/* Whether it comes from the remote end, or is a call from anyone while there is none. */
static bool from_remote(const struct network *n, const uint8_t *tcp, struct segment_ends *ends, bool is_call)
{
    uint16_t from = (uint16_t)slot_get(tcp, forms.source_port), to = (uint16_t)slot_get(tcp, forms.destination_port);
    bool anywhere = !ends->local.size;
    if (to != ends->local_port || !(anywhere || same_address(&ends->local, n->final, n->size)))
        return false;
    if (ends->remote.size)
        return from == ends->remote_port && same_address(&ends->remote, n->source, n->size);
    if (!is_call)
        return false;
    ends->remote.size = ends->local.size = n->size;
    memcpy(ends->remote.bytes, n->source, n->size);
    memcpy(ends->local.bytes, n->final, n->size);
    ends->remote_port = from;
    return true;
}

static bool is_sound(const struct packet *p, const struct layer *l, bool unfinished)
{
    if (l->verdict != VERDICT_WHOLE || l->flags & (LAYER_FRAGMENT | LAYER_QUOTED) || l->length < TCP ||
        !layer_captured(p, l))
        return false;
    return unfinished || checksum_verify(p, l, PROTOCOL_TCP) == CHECKSUM_GOOD;
}

/* RFC 9293, 3.9.2.2: protocol and port unreachable end an attempt, as do the prohibitions (RFC 1122, 3.2.2.1); a net
 * or host that is unreachable ends it as well, as programs that wait would have it. */
static enum segment_kind read_error(const struct packet *p, const struct layer *error, unsigned *mtu)
{
    struct span h = layer_header(p, error);
    bool six = error->protocol == forms.icmpv6;
    if (h.left < 8 || error->verdict == VERDICT_BROKEN)
        return SEGMENT_NONE;
    uint32_t type = slot_get(h.at, forms.icmp_type), code = slot_get(h.at, forms.icmp_code);
    if (six ? type == 2 : type == 3 && code == 4) {
        *mtu = slot_get(h.at, six ? forms.icmpv6_mtu : forms.icmp_mtu);
        return SEGMENT_TOO_LONG;
    }
    if (type == (six ? 1u : 3u))
        return SEGMENT_REFUSED;
    return SEGMENT_UNREACHABLE; /* time exceeded, a parameter problem */
}

/* Quoted: our own segment, as far as it is there. */
static bool quotes_ours(const struct packet *p, const struct layer *l, const struct segment_ends *ends, uint32_t *seq)
{
    const struct network *n = layer_network(p, l);
    struct span h = layer_header(p, l);
    if (!n || h.left < 8 || !same_address(&ends->local, n->source, n->size) ||
        !same_address(&ends->remote, n->final, n->size))
        return false;
    *seq = slot_get(h.at, forms.seq);
    return slot_get(h.at, forms.source_port) == ends->local_port &&
           slot_get(h.at, forms.destination_port) == ends->remote_port;
}

enum segment_kind segment_read(const struct packet *p, bool unfinished, struct segment_ends *ends,
                               struct endpoint_segment *g, unsigned *mtu)
{
    const struct layer *error = NULL;
    if (!forms.ready)
        look_up();
    *g = (struct endpoint_segment){ 0 };
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        if (l->protocol == forms.icmp || l->protocol == forms.icmpv6)
            error = l;
        if (l->protocol != forms.tcp)
            continue;
        if (l->flags & LAYER_QUOTED)
            return error && ends->remote.size && quotes_ours(p, l, ends, &g->seq) ? read_error(p, error, mtu)
                                                                                  : SEGMENT_NONE;
        const struct network *n = layer_network(p, l);
        if (!n || l->network != 1 || !is_sound(p, l, unfinished)) /* not what a tunnel carries */
            return SEGMENT_NONE;
        read_segment(p, l, g);
        bool is_call = (g->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
        return from_remote(n, layer_header(p, l).at, ends, is_call) ? SEGMENT_HERE : SEGMENT_NONE;
    }
    return SEGMENT_NONE;
}
