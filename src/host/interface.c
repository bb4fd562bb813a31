#include "host/interface.h"
#include "base/text.h"
#include "host/netlink.h"
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INTERFACES_MAX = 1 << 20, /* of links and of addresses; the kernel has been seen with thousands */
    LINKTYPE_ETHERNET = 1,
    LINKTYPE_RAW = 101,
    LINKTYPE_IEEE802_11 = 105,
    LINKTYPE_LINUX_SLL = 113,
    LINKTYPE_IEEE802_11_PRISM = 119,
    LINKTYPE_IEEE802_11_RADIOTAP = 127,
    LINKTYPE_NETLINK = 253,
};

struct reading {
    struct interfaces *list;
    unsigned room, address_room;
    bool no_memory;
};

uint16_t interface_link_type(uint16_t hardware_type)
{
    switch (hardware_type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
        return LINKTYPE_ETHERNET;
    case ARPHRD_NONE:
    case ARPHRD_RAWIP:
        return LINKTYPE_RAW;
    case ARPHRD_IEEE80211:
        return LINKTYPE_IEEE802_11;
    case ARPHRD_IEEE80211_PRISM:
        return LINKTYPE_IEEE802_11_PRISM;
    case ARPHRD_IEEE80211_RADIOTAP:
        return LINKTYPE_IEEE802_11_RADIOTAP;
    case ARPHRD_NETLINK:
        return LINKTYPE_NETLINK;
    default:
        return LINKTYPE_LINUX_SLL;
    }
}

/* --- reading --- */

static void copy_text(char *to, size_t room, struct span value)
{
    size_t n = strnlen((const char *)value.at, value.left < room - 1 ? value.left : room - 1);
    memcpy(to, value.at, n);
    to[n] = 0;
}

static void read_counters(struct interface_counters *c, struct span value)
{
    struct rtnl_link_stats64 stats = { 0 };
    memcpy(&stats, value.at, value.left < sizeof stats ? value.left : sizeof stats);
    *c = (struct interface_counters){
        .received_packets = stats.rx_packets,
        .received_bytes = stats.rx_bytes,
        .received_errors = stats.rx_errors,
        .received_dropped = stats.rx_dropped,
        .sent_packets = stats.tx_packets,
        .sent_bytes = stats.tx_bytes,
        .sent_errors = stats.tx_errors,
        .sent_dropped = stats.tx_dropped,
    };
}

static void read_kind(struct interface *i, struct span value)
{
    struct netlink_attribute a;
    while (netlink_attribute(&value, &a))
        if (a.type == IFLA_INFO_KIND)
            copy_text(i->kind, sizeof i->kind, a.value);
}

static void read_link_attribute(struct interface *i, const struct netlink_attribute *a)
{
    switch (a->type) {
    case IFLA_IFNAME:
        copy_text(i->name, sizeof i->name, a->value);
        break;
    case IFLA_ADDRESS:
        i->hardware_size = (uint8_t)(a->value.left < sizeof i->hardware ? a->value.left : sizeof i->hardware);
        memcpy(i->hardware, a->value.at, i->hardware_size);
        break;
    case IFLA_MTU:
        i->mtu = netlink_u32(a->value);
        break;
    case IFLA_MASTER:
        i->master = netlink_u32(a->value);
        break;
    case IFLA_STATS64:
        read_counters(&i->counters, a->value);
        break;
    case IFLA_LINKINFO:
        read_kind(i, a->value);
        break;
    }
}

/* Room for one more of `size` bytes behind `count`; false, and remembered, if there is none. */
static bool make_room(struct reading *r, void **all, unsigned count, unsigned *room, size_t size)
{
    if (count < *room)
        return true;
    unsigned more = *room ? *room * 2 : 16;
    void *grown = more <= INTERFACES_MAX ? realloc(*all, more * size) : NULL;
    if (!grown) {
        r->no_memory = true;
        return false;
    }
    *all = grown;
    *room = more;
    return true;
}

static void take_link(void *context, uint16_t type, struct span body)
{
    struct reading *r = context;
    struct interfaces *list = r->list;
    struct ifinfomsg head;
    if (type != RTM_NEWLINK || body.left < sizeof head ||
        !make_room(r, (void **)&list->all, list->count, &r->room, sizeof *list->all))
        return;
    memcpy(&head, body.at, sizeof head);
    struct interface *i = &list->all[list->count++];
    *i = (struct interface){
        .index = (unsigned)head.ifi_index,
        .link_type = interface_link_type(head.ifi_type),
        .up = head.ifi_flags & IFF_UP,
        .running = (head.ifi_flags & IFF_UP) && (head.ifi_flags & IFF_LOWER_UP),
        .loopback = head.ifi_flags & IFF_LOOPBACK,
        .point_to_point = head.ifi_flags & IFF_POINTOPOINT,
        .broadcast = head.ifi_flags & IFF_BROADCAST,
    };
    struct span rest = span_part(body, NLMSG_ALIGN(sizeof head), body.left);
    struct netlink_attribute a;
    while (netlink_attribute(&rest, &a))
        read_link_attribute(i, &a);
}

static void take_address(void *context, uint16_t type, struct span body)
{
    struct reading *r = context;
    struct interfaces *list = r->list;
    struct ifaddrmsg head;
    if (type != RTM_NEWADDR || body.left < sizeof head)
        return;
    memcpy(&head, body.at, sizeof head);
    struct interface_address out = { .interface = head.ifa_index, .prefix = head.ifa_prefixlen };
    out.size = head.ifa_family == AF_INET ? 4 : head.ifa_family == AF_INET6 ? 16 : 0;
    out.global = head.ifa_scope == RT_SCOPE_UNIVERSE || head.ifa_scope == RT_SCOPE_SITE;
    struct span rest = span_part(body, NLMSG_ALIGN(sizeof head), body.left);
    struct netlink_attribute a;
    bool local = false, found = false;
    while (out.size && netlink_attribute(&rest, &a)) {
        /* On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours. */
        if ((a.type != IFA_LOCAL && (a.type != IFA_ADDRESS || local)) || a.value.left < out.size)
            continue;
        memcpy(out.bytes, a.value.at, out.size);
        local |= a.type == IFA_LOCAL;
        found = true;
    }
    if (found &&
        make_room(r, (void **)&list->addresses, list->address_count, &r->address_room, sizeof *list->addresses))
        list->addresses[list->address_count++] = out;
}

static int by_index(const void *a, const void *b)
{
    const struct interface *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Addresses of one interface next to each other, otherwise in the order that they came in. */
static void group_addresses(struct interfaces *list, struct interface_address *sorted)
{
    unsigned n = 0;
    for (unsigned i = 0; i < list->count; i++) {
        struct interface *one = &list->all[i];
        one->first_address = n;
        for (unsigned k = 0; k < list->address_count; k++)
            if (list->addresses[k].interface == one->index)
                sorted[n++] = list->addresses[k];
        one->address_count = n - one->first_address;
    }
    free(list->addresses);
    list->addresses = sorted;
    list->address_count = n;
}

static int read_both(struct reading *r, int fd, struct error *error)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } links = { .head.nlmsg_type = RTM_GETLINK };
    struct {
        struct nlmsghdr head;
        struct ifaddrmsg address;
    } addresses = { .head.nlmsg_type = RTM_GETADDR };
    int code = netlink_dump(fd, &links.head, sizeof links, take_link, r, error);
    return code ? code : netlink_dump(fd, &addresses.head, sizeof addresses, take_address, r, error);
}

static int held = -1;

int interfaces_hold(struct error *error)
{
    if (held < 0)
        held = netlink_open(NETLINK_ROUTE, error);
    return held;
}

void interfaces_forget(void)
{
    if (held >= 0)
        close(held);
    held = -1;
}

int interfaces_read(struct interfaces *list, struct error *error)
{
    *list = (struct interfaces){ 0 };
    struct reading r = { .list = list };
    int fd = held >= 0 ? held : netlink_open(NETLINK_ROUTE, error);
    if (fd < 0)
        return fd;
    int code = read_both(&r, fd, error);
    if (fd != held)
        close(fd);
    struct interface_address *sorted = calloc(list->address_count + 1, sizeof *sorted);
    if (code || r.no_memory || !sorted) {
        free(sorted);
        return code ? code : error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    }
    if (list->count)
        qsort(list->all, list->count, sizeof *list->all, by_index);
    group_addresses(list, sorted);
    return 0;
}

void interfaces_free(struct interfaces *list)
{
    free(list->all);
    free(list->addresses);
    *list = (struct interfaces){ 0 };
}

/* --- asking --- */

const struct interface *interfaces_find(const struct interfaces *list, const char *name)
{
    for (unsigned i = 0; i < list->count; i++)
        if (!strcmp(list->all[i].name, name))
            return &list->all[i];
    return NULL;
}

const struct interface *interfaces_at(const struct interfaces *list, unsigned index)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->all[i].index == index)
            return &list->all[i];
    return NULL;
}

const struct interface *interfaces_owner(const struct interfaces *list, const uint8_t *address, unsigned size)
{
    for (unsigned i = 0; i < list->address_count; i++)
        if (list->addresses[i].size == size && !memcmp(list->addresses[i].bytes, address, size))
            return interfaces_at(list, list->addresses[i].interface);
    return NULL;
}

static bool reaches_out(const struct interfaces *list, const struct interface *i)
{
    for (unsigned k = 0; k < i->address_count; k++)
        if (list->addresses[i->first_address + k].global)
            return true;
    return false;
}

const struct interface *interfaces_guess(const struct interfaces *list)
{
    const struct interface *best = NULL;
    uint64_t best_worth = 0;
    for (unsigned k = 0; k < list->count; k++) {
        const struct interface *i = &list->all[k];
        uint64_t traffic = i->counters.received_packets + i->counters.sent_packets;
        uint64_t worth = (uint64_t)i->up << 63 | (uint64_t)i->running << 62 | (uint64_t)reaches_out(list, i) << 61 |
                         (traffic < UINT64_C(1) << 60 ? traffic : (UINT64_C(1) << 60) - 1);
        if (!i->loopback && (!best || worth > best_worth)) {
            best = i;
            best_worth = worth;
        }
    }
    return best;
}
