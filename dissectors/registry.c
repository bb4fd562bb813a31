/* The list of protocols. A new one is its file in this folder and its line here. */
#include "dissectors/registry.h"
#include <string.h>

/* clang-format off */
#define PROTOCOLS(P) \
    P(frame) \
    P(eth) \
    P(vlan) \
    P(ieee8021ad) \
    P(llc) \
    P(sll) \
    P(sll2) \
    P(null) \
    P(raw) \
    P(isl) \
    P(chdlc) \
    P(fddi) \
    P(pppoed) \
    P(pppoes) \
    P(ppp) \
    P(ppp_direction) \
    P(mpls) \
    P(pwethcw) \
    P(arp) \
    P(ip) \
    P(ipv6) \
    P(ipv6_hopopts) \
    P(ipv6_routing) \
    P(ipv6_fraghdr) \
    P(ipv6_dstopts) \
    P(ah) \
    P(icmp) \
    P(icmpv6) \
    P(igmp) \
    P(tcp) \
    P(udp) \
    P(gre) \
    P(erspan) \
    P(vxlan) \
    P(geneve) \
    P(gtp) \
    P(teredo) \
    P(ayiya) \
    P(dns) \
    P(mdns) \
    P(llmnr) \
    P(dhcp) \
    P(ntp) \
    P(http) \
    P(ssdp) \
    P(tls) \
    P(data)
/* clang-format on */

#define DECLARE(name) extern const struct protocol name##_protocol;
#define LIST(name)    &name##_protocol,
PROTOCOLS(DECLARE)
const struct protocol *const protocols[] = { PROTOCOLS(LIST) NULL };

/* All keys of all spaces in one open-addressed table, at most half full; an empty slot ends a search. */
enum { SLOT_BITS = 9, SLOTS = 1 << SLOT_BITS };

static struct slot {
    uint32_t key; /* space in the upper half, value in the lower */
    bool asked;   /* by registry_decode_as */
    const struct protocol *protocol;
} slots[SLOTS];

/* The multiplier was tried out: the keys of everyday find their slots at once. */
static inline const struct slot *find_slot(uint32_t key)
{
    unsigned at = key * 0x8c497c69u >> (32 - SLOT_BITS);
    while (slots[at].protocol && slots[at].key != key)
        at = (at + 1) % SLOTS;
    return &slots[at];
}

static inline const struct protocol *find(uint32_t key)
{
    return find_slot(key)->protocol;
}

/* Those that tell by a payload's looks that it is theirs: a bit each in registry_looks. */
enum { PROBES_MAX = 8 };
static const struct protocol *probes[PROBES_MAX];
uint8_t registry_looks[PROBES][256];

uint64_t registry_stream_ports[(UINT16_MAX + 1) / 64];

static unsigned taken;
static bool any_asked;

static struct slot *take(const struct protocol *protocol, struct key key)
{
    uint32_t whole = (uint32_t)key.space << 16 | key.value;
    unsigned at = whole * 0x8c497c69u >> (32 - SLOT_BITS);
    while (slots[at].protocol && slots[at].key != whole)
        at = (at + 1) % SLOTS;
    slots[at] = (struct slot){ whole, false, protocol };
    if (key.space == KEY_TCP_PORT)
        registry_stream_ports[key.value / 64] |= UINT64_C(1) << key.value % 64;
    return &slots[at];
}

static void take_looks(const struct protocol *protocol, unsigned index)
{
    probes[index] = protocol;
    for (unsigned how = PROBE_STREAM; how < PROBES; how++)
        for (unsigned byte = 0; byte < 256; byte++)
            if (protocol->known & 1u << how && (!protocol->first || (byte && strchr(protocol->first, (int)byte))))
                registry_looks[how][byte] |= (uint8_t)(1u << index);
}

void registry_open(void)
{
    unsigned probed = 0;
    taken = 0;
    for (const struct protocol *const *p = protocols; *p; p++) {
        for (const struct key *key = (*p)->keys; key && key->space && taken < SLOTS / 2; key++, taken++)
            take(*p, *key);
        if ((*p)->known && probed < PROBES_MAX)
            take_looks(*p, probed++);
    }
}

bool registry_decode_as(unsigned space, uint16_t port, const struct protocol *protocol)
{
    if (taken == SLOTS / 2)
        return false;
    taken++;
    take(protocol, (struct key){ (uint16_t)space, port, 0 })->asked = true;
    any_asked = true;
    return true;
}

const struct protocol *registry_probe(struct span payload, enum probe how)
{
    for (unsigned looks = registry_looks[how][payload.at[0]]; looks; looks &= looks - 1) {
        const struct protocol *protocol = probes[__builtin_ctz(looks)];
        if (protocol->probe(payload, how))
            return protocol;
    }
    return NULL;
}

static bool is_asked(uint16_t port)
{
    return find_slot((uint32_t)KEY_TCP_PORT << 16 | port)->asked;
}

bool registry_is_asked(uint16_t one, uint16_t other)
{
    return any_asked && (is_asked(one) || is_asked(other));
}

const struct protocol *registry_by_ports(uint16_t one, uint16_t other)
{
    uint16_t low = one < other ? one : other, high = one < other ? other : one;
    if (any_asked && is_asked(high))
        return registry_lookup(KEY_TCP_PORT, high, low);
    return registry_lookup(KEY_TCP_PORT, low, high);
}

const struct protocol *registry_stream_find(unsigned value, unsigned other, struct span segment)
{
    const struct protocol *protocol = registry_lookup(KEY_TCP_PORT, value, other);
    if (protocol && (!protocol->probe || protocol->probe(segment, PROBE_PORT)))
        return protocol;
    if (registry_is_asked((uint16_t)value, (uint16_t)other))
        return NULL;
    return registry_by_looks(segment, PROBE_STREAM);
}

const struct protocol *registry_lookup(unsigned space, unsigned value, unsigned other)
{
    if (space == KEY_ICMP_QUOTE)
        space = KEY_ETHERTYPE;
    const struct protocol *protocol = find(space << 16 | value);
    if (!protocol && (space == KEY_TCP_PORT || space == KEY_UDP_PORT))
        protocol = find(space << 16 | other);
    return protocol;
}

const struct protocol *registry_by_name(const char *name)
{
    for (const struct protocol *const *p = protocols; *p; p++)
        if (!strcmp((*p)->name, name))
            return *p;
    return NULL;
}
