/* The list of protocols. A new one is its file in this folder and its line here. */
#include "dissectors/registry.h"
#include <string.h>

#define PROTOCOLS(P)                                                                                                   \
    P(frame)                                                                                                           \
    P(eth)                                                                                                             \
    P(vlan)                                                                                                            \
    P(ieee8021ad)                                                                                                      \
    P(llc)                                                                                                             \
    P(sll)                                                                                                             \
    P(sll2)                                                                                                            \
    P(null)                                                                                                            \
    P(raw)                                                                                                             \
    P(arp) P(ip) P(ipv6) P(ipv6_hopopts) P(ipv6_routing) P(ipv6_fraghdr) P(ipv6_dstopts) P(ah) P(icmp) P(icmpv6)       \
        P(igmp) P(tcp) P(udp) P(data)

#define DECLARE(name) extern const struct protocol name##_protocol;
#define LIST(name)    &name##_protocol,
PROTOCOLS(DECLARE)
const struct protocol *const protocols[] = { PROTOCOLS(LIST) NULL };

enum { ETHERTYPES = 64 }; /* slots; a power of two, at most half full */

static const struct protocol *by_link[512], *by_sap[256], *by_ip[256];
static struct {
    uint16_t type;
    const struct protocol *protocol;
} by_ethertype[ETHERTYPES];
static uint8_t tcp_ports[65536 / 8], udp_ports[65536 / 8]; /* a bit: somebody has this port */

static unsigned ethertype_slot(uint16_t type)
{
    unsigned slot = (type ^ type >> 8) % ETHERTYPES;
    while (by_ethertype[slot].protocol && by_ethertype[slot].type != type)
        slot = (slot + 1) % ETHERTYPES;
    return slot;
}

static void take(const struct protocol *protocol, struct key key)
{
    unsigned slot;
    switch (key.space) {
    case KEY_LINK:
        if (key.value < sizeof by_link / sizeof *by_link)
            by_link[key.value] = protocol;
        break;
    case KEY_ETHERTYPE:
        slot = ethertype_slot(key.value);
        by_ethertype[slot].type = key.value;
        by_ethertype[slot].protocol = protocol;
        break;
    case KEY_LLC_SAP:
        by_sap[key.value & 255] = protocol;
        break;
    case KEY_IP:
        by_ip[key.value & 255] = protocol;
        break;
    case KEY_TCP_PORT:
        tcp_ports[key.value / 8] |= (uint8_t)(1 << key.value % 8);
        break;
    case KEY_UDP_PORT:
        udp_ports[key.value / 8] |= (uint8_t)(1 << key.value % 8);
        break;
    }
}

void registry_open(void)
{
    for (const struct protocol *const *p = protocols; *p; p++)
        for (const struct key *key = (*p)->keys; key && key->space; key++)
            take(*p, *key);
}

static const struct protocol *search(uint16_t space, uint16_t value)
{
    for (const struct protocol *const *p = protocols; *p; p++)
        for (const struct key *key = (*p)->keys; key && key->space; key++)
            if (key->space == space && key->value == value)
                return *p;
    return NULL;
}

static const struct protocol *find_port(const uint8_t *ports, struct key key)
{
    if (ports[key.value / 8] >> key.value % 8 & 1)
        return search(key.space, key.value);
    if (ports[key.other / 8] >> key.other % 8 & 1)
        return search(key.space, key.other);
    return NULL;
}

const struct protocol *registry_find(struct key key)
{
    switch (key.space) {
    case KEY_LINK:
        return key.value < sizeof by_link / sizeof *by_link ? by_link[key.value] : NULL;
    case KEY_ETHERTYPE:
    case KEY_ICMP_QUOTE:
        return by_ethertype[ethertype_slot(key.value)].protocol;
    case KEY_LLC_SAP:
        return by_sap[key.value & 255];
    case KEY_IP:
        return by_ip[key.value & 255];
    case KEY_TCP_PORT:
        return find_port(tcp_ports, key);
    case KEY_UDP_PORT:
        return find_port(udp_ports, key);
    }
    return NULL;
}

const struct protocol *registry_by_name(const char *name)
{
    for (const struct protocol *const *p = protocols; *p; p++)
        if (!strcmp((*p)->name, name))
            return *p;
    return NULL;
}
