#include "inject/neighbour.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "inject/header.h"
#include "protocol/checksum.h"
#include <stdlib.h>

enum {
    ETHERNET = 14,
    ARP = 28,
    IPV6 = 40,
    SOLICITATION = 24, /* without options; an advertisement is as long */
    LINK_OPTION = 8,
    REQUEST = 1,
    REPLY = 2,
    ICMPV6 = 58,
    NEIGHBOR_SOLICITATION = 135,
    NEIGHBOR_ADVERTISEMENT = 136,
    HOPS = 255, /* RFC 4861, 7.1: nobody has forwarded it */
    QUESTIONS = 3,
};

static const int64_t retrans = INT64_C(1000000000), /* RFC 4861, 10 */
    fresh = 60 * INT64_C(1000000000);
static const uint8_t everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

struct neighbour {
    struct ip_address address, from;
    uint8_t mac[6];
    uint8_t state; /* enum neighbour_state */
    unsigned asked;
    int64_t when; /* confirmed, or to be asked again */
};

struct neighbours {
    uint8_t mac[6];
    void (*send)(void *context, struct span frame);
    void *context;
    struct ip_address own[OWN_MOST];
    unsigned own_count;
    struct neighbour all[NEIGHBOURS_MOST];
    unsigned count, oldest;
    const struct protocol *arp, *ipv6, *icmpv6;
    struct option_form source_link, target_link;
};

int neighbours_open(struct neighbours **neighbours, const uint8_t mac[6],
                    void (*send)(void *context, struct span frame), void *context, struct error *error)
{
    struct neighbours *n = *neighbours = calloc(1, sizeof *n);
    if (!n)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    memcpy(n->mac, mac, 6);
    n->send = send;
    n->context = context;
    n->arp = registry_by_name("arp");
    n->ipv6 = registry_by_name("ipv6");
    n->icmpv6 = registry_by_name("icmpv6");
    n->source_link = option_find("icmpv6", "icmpv6.options", "icmpv6.opt.src_linkaddr");
    n->target_link = option_find("icmpv6", "icmpv6.options", "icmpv6.opt.target_linkaddr");
    return 0;
}

void neighbours_close(struct neighbours *n)
{
    free(n);
}

bool neighbours_speak_for(struct neighbours *n, const struct ip_address *address)
{
    if (n->own_count == OWN_MOST)
        return false;
    n->own[n->own_count++] = *address;
    return true;
}

static bool is_own(const struct neighbours *n, const struct ip_address *address)
{
    for (unsigned i = 0; i < n->own_count; i++)
        if (ip_same(&n->own[i], address))
            return true;
    return false;
}

/* ---- what is said */

static uint8_t *begin_frame(const struct neighbours *n, uint8_t *frame, const uint8_t *to, uint16_t type)
{
    struct header h = header_begin("eth", frame, ETHERNET);
    header_put_bytes(&h, "eth.dst", to, 6);
    header_put_bytes(&h, "eth.src", n->mac, 6);
    header_put(&h, "eth.type", type);
    return frame + ETHERNET;
}

static void say_arp(struct neighbours *n, unsigned opcode, const struct ip_address *from, const uint8_t *to_mac,
                    const struct ip_address *to)
{
    static const uint8_t unknown[6];
    uint8_t frame[ETHERNET + ARP];
    struct header h = header_begin("arp", begin_frame(n, frame, to_mac, 0x0806), ARP);
    header_put(&h, "arp.hw.type", 1);
    header_put(&h, "arp.proto.type", 0x0800);
    header_put(&h, "arp.hw.size", 6);
    header_put(&h, "arp.proto.size", 4);
    header_put(&h, "arp.opcode", opcode);
    header_put_bytes(&h, "arp.src.hw_mac", n->mac, 6);
    header_put(&h, "arp.src.proto_ipv4", load_be32(from->bytes));
    header_put_bytes(&h, "arp.dst.hw_mac", opcode == REQUEST ? unknown : to_mac, 6);
    header_put(&h, "arp.dst.proto_ipv4", load_be32(to->bytes));
    n->send(n->context, (struct span){ frame, sizeof frame });
}

/* An IPv6 header, and behind it an ICMPv6 message with the option for our link address. */
struct discovery {
    uint8_t frame[ETHERNET + IPV6 + SOLICITATION + LINK_OPTION];
    struct ip_address from, to;
};

static void say_discovery(struct neighbours *n, struct discovery *d, const uint8_t *to_mac, unsigned type,
                          const struct ip_address *target, bool solicited)
{
    struct header ip = header_begin("ipv6", begin_frame(n, d->frame, to_mac, 0x86dd), IPV6);
    header_put(&ip, "ipv6.version", 6);
    header_put(&ip, "ipv6.plen", SOLICITATION + LINK_OPTION);
    header_put(&ip, "ipv6.nxt", ICMPV6);
    header_put(&ip, "ipv6.hlim", HOPS);
    header_put_bytes(&ip, "ipv6.src", d->from.bytes, 16);
    header_put_bytes(&ip, "ipv6.dst", d->to.bytes, 16);
    bool asks = type == NEIGHBOR_SOLICITATION;
    struct header icmp = header_begin("icmpv6", ip.bytes + IPV6, SOLICITATION + LINK_OPTION);
    header_put(&icmp, "icmpv6.type", type);
    if (!asks) {
        header_put(&icmp, "icmpv6.nd.na.flag.s", solicited);
        header_put(&icmp, "icmpv6.nd.na.flag.o", 1);
    }
    header_put_bytes(&icmp, asks ? "icmpv6.nd.ns.target_address" : "icmpv6.nd.na.target_address", target->bytes, 16);
    const struct option_form *form = asks ? &n->source_link : &n->target_link;
    memcpy(icmp.bytes + SOLICITATION + form->value[0].bit / 8, n->mac, 6);
    option_put(form, icmp.bytes + SOLICITATION, LINK_OPTION);
    struct network network = { .source = d->from.bytes, .destination = d->to.bytes, .final = d->to.bytes, .size = 16 };
    uint32_t sum = checksum_pseudo(&network, ICMPV6, SOLICITATION + LINK_OPTION);
    header_put(&icmp, "icmpv6.checksum", checksum_finish(checksum_add(sum, icmp.bytes, icmp.length)));
    n->send(n->context, (struct span){ d->frame, sizeof d->frame });
}

void neighbours_solicited(const struct ip_address *address, struct ip_address *group, uint8_t mac[6])
{
    static const uint8_t prefix[13] = { 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff };
    group->size = 16;
    memcpy(group->bytes, prefix, 13);
    memcpy(group->bytes + 13, address->bytes + 13, 3);
    mac[0] = mac[1] = 0x33; /* RFC 2464, 7 */
    memcpy(mac + 2, group->bytes + 12, 4);
}

static void ask(struct neighbours *n, struct neighbour *b, int64_t now)
{
    b->state = NEIGHBOUR_ASKED;
    b->asked++;
    b->when = now + retrans;
    if (b->address.size == 4) {
        say_arp(n, REQUEST, &b->from, everyone, &b->address);
        return;
    }
    uint8_t mac[6];
    struct discovery d = { .from = b->from };
    neighbours_solicited(&b->address, &d.to, mac);
    say_discovery(n, &d, mac, NEIGHBOR_SOLICITATION, &b->address, false);
}

/* ---- what is known */

static struct neighbour *known(struct neighbours *n, const struct ip_address *address)
{
    for (unsigned i = 0; i < n->count; i++)
        if (ip_same(&n->all[i].address, address))
            return &n->all[i];
    return NULL;
}

static struct neighbour *add(struct neighbours *n, const struct ip_address *address)
{
    struct neighbour *b;
    if (n->count < NEIGHBOURS_MOST)
        b = &n->all[n->count++];
    else
        b = &n->all[n->oldest++ % NEIGHBOURS_MOST];
    *b = (struct neighbour){ .address = *address };
    return b;
}

/* RFC 1112, 6.4; RFC 2464, 7. */
static bool for_many(const struct ip_address *a, uint8_t mac[6])
{
    if (a->size == 16 && a->bytes[0] == 0xff) {
        mac[0] = mac[1] = 0x33;
        memcpy(mac + 2, a->bytes + 12, 4);
        return true;
    }
    if (a->size == 4 && a->bytes[0] >> 4 == 14) {
        memcpy(mac, (const uint8_t[]){ 0x01, 0x00, 0x5e, (uint8_t)(a->bytes[1] & 0x7f), a->bytes[2], a->bytes[3] }, 6);
        return true;
    }
    if (a->size == 4 && load_be32(a->bytes) == UINT32_MAX) {
        memcpy(mac, everyone, 6);
        return true;
    }
    return false;
}

enum neighbour_state neighbours_find(struct neighbours *n, const struct ip_address *from,
                                     const struct ip_address *address, uint8_t mac[6], int64_t now)
{
    if (for_many(address, mac))
        return NEIGHBOUR_KNOWN;
    struct neighbour *b = known(n, address);
    if (!b)
        b = add(n, address);
    if (b->state == NEIGHBOUR_UNKNOWN || (b->state == NEIGHBOUR_KNOWN && now - b->when > fresh)) {
        b->from = *from;
        b->asked = 0;
        ask(n, b, now);
    }
    if (b->state == NEIGHBOUR_KNOWN)
        memcpy(mac, b->mac, 6);
    return b->state;
}

/* Only of those that were asked for: nobody fills the table with what nobody wants to know. */
static bool learn(struct neighbours *n, const struct ip_address *address, const uint8_t *mac, int64_t now)
{
    struct neighbour *b = known(n, address);
    if (!b)
        return false;
    b->state = NEIGHBOUR_KNOWN;
    b->when = now;
    memcpy(b->mac, mac, 6);
    return true;
}

int64_t neighbours_deadline(const struct neighbours *n)
{
    int64_t when = INT64_MAX;
    for (unsigned i = 0; i < n->count; i++)
        if (n->all[i].state == NEIGHBOUR_ASKED && n->all[i].when < when)
            when = n->all[i].when;
    return when;
}

void neighbours_tick(struct neighbours *n, int64_t now)
{
    for (unsigned i = 0; i < n->count; i++) {
        struct neighbour *b = &n->all[i];
        if (b->state != NEIGHBOUR_ASKED || b->when > now)
            continue;
        if (b->asked == QUESTIONS)
            b->state = NEIGHBOUR_SILENT;
        else
            ask(n, b, now);
    }
}

/* ---- what others say */

static bool get_ipv4(const struct header *h, const char *name, struct ip_address *address)
{
    struct value v;
    if (!header_get(h, name, &v))
        return false;
    address->size = 4;
    store_be32(address->bytes, (uint32_t)v.u);
    return true;
}

static struct header header_of(const struct packet *p, const struct layer *l)
{
    struct span h = layer_header(p, l);
    return (struct header){ l->protocol, (uint8_t *)(uintptr_t)h.at, h.left };
}

static bool take_arp(struct neighbours *n, const struct packet *p, const struct layer *l, int64_t now)
{
    struct header h = header_of(p, l);
    struct ip_address sender, target;
    struct value mac, opcode;
    if (!get_ipv4(&h, "arp.src.proto_ipv4", &sender) || !get_ipv4(&h, "arp.dst.proto_ipv4", &target) ||
        !header_get(&h, "arp.src.hw_mac", &mac) || !header_get(&h, "arp.opcode", &opcode))
        return false;
    bool learnt = learn(n, &sender, mac.bytes.at, now);
    if (opcode.u != REQUEST || !is_own(n, &target) || is_own(n, &sender))
        return learnt;
    say_arp(n, REPLY, &target, mac.bytes.at, &sender);
    return true;
}

/* The link address in the message's options, or NULL. */
static const uint8_t *link_address(const struct option_form *form, struct span header)
{
    struct span run = span_part(header, SOLICITATION, SIZE_MAX);
    struct option o;
    while (tlv_next(form->set, &run, &o))
        if (!o.broken && o.tlv->kind == form->kind && o.bytes.left == LINK_OPTION)
            return o.bytes.at + form->value[0].bit / 8;
    return NULL;
}

static void answer_solicitation(struct neighbours *n, const struct network *network, const struct ip_address *target,
                                const uint8_t *asker_mac)
{
    static const uint8_t nobody[16];
    struct discovery d = { .from = *target, .to = { .size = 16 } };
    uint8_t mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    bool unspecified = !memcmp(network->source, nobody, 16); /* looks whether anyone has the address: RFC 4862, 5.4 */
    if (unspecified)
        memcpy(d.to.bytes, (const uint8_t[16]){ 0xff, 2, [15] = 1 }, 16);
    else
        memcpy(d.to.bytes, network->source, 16);
    if (!unspecified && asker_mac)
        memcpy(mac, asker_mac, 6);
    say_discovery(n, &d, mac, NEIGHBOR_ADVERTISEMENT, target, !unspecified);
}

static bool take_discovery(struct neighbours *n, const struct packet *p, const struct layer *l, int64_t now)
{
    struct header h = header_of(p, l);
    const struct network *network = layer_network(p, l);
    struct value type, target;
    struct ip_address address = { .size = 16 };
    if (!network || network->size != 16 || !header_get(&h, "icmpv6.type", &type) ||
        (type.u != NEIGHBOR_SOLICITATION && type.u != NEIGHBOR_ADVERTISEMENT) ||
        checksum_verify(p, l, ICMPV6) != CHECKSUM_GOOD)
        return false;
    bool asks = type.u == NEIGHBOR_SOLICITATION;
    if (!header_get(&h, asks ? "icmpv6.nd.ns.target_address" : "icmpv6.nd.na.target_address", &target))
        return false;
    memcpy(address.bytes, target.bytes.at, 16);
    const uint8_t *mac = link_address(asks ? &n->source_link : &n->target_link, (struct span){ h.bytes, h.length });
    if (!asks)
        return mac && learn(n, &address, mac, now);
    if (!is_own(n, &address))
        return false;
    answer_solicitation(n, network, &address, mac);
    return true;
}

static bool from_this_link(const struct packet *p, const struct layer *ip)
{
    struct header h = header_of(p, ip);
    struct value hops;
    return header_get(&h, "ipv6.hlim", &hops) && hops.u == HOPS;
}

bool neighbours_take(struct neighbours *n, const struct packet *p, int64_t now)
{
    const struct layer *ip = NULL;
    bool concerned = false;
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        if (l->verdict != VERDICT_WHOLE || l->flags & (LAYER_QUOTED | LAYER_FRAGMENT))
            continue;
        if (l->protocol == n->ipv6 && !ip)
            ip = l;
        if (l->protocol == n->arp)
            concerned |= take_arp(n, p, l, now);
        else if (l->protocol == n->icmpv6 && ip && l->network == 1 && from_this_link(p, ip))
            concerned |= take_discovery(n, p, l, now);
    }
    return concerned;
}
