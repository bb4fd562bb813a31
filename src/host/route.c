#include "host/route.h"
#include "base/text.h"
#include "host/netlink.h"
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr head;
    struct rtmsg route;
    uint8_t attributes[64];
};

union answer {
    struct nlmsghdr head;
    uint8_t bytes[4096];
};

static void add(struct request *q, unsigned short type, const void *value, size_t n)
{
    struct rtattr *a = (struct rtattr *)(void *)((uint8_t *)q + NLMSG_ALIGN(q->head.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(n);
    memcpy(RTA_DATA(a), value, n);
    q->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* One question, one answer. Returns the answer's length, or minus the errno that the kernel answered with. */
static int ask(const struct ip_address *destination, int index, union answer *answer)
{
    struct request q = {
        .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                  .nlmsg_type = RTM_GETROUTE,
                  .nlmsg_flags = NLM_F_REQUEST },
        .route = { .rtm_family = destination->size == 4 ? AF_INET : AF_INET6,
                   .rtm_dst_len = (unsigned char)(destination->size * 8) },
    };
    add(&q, RTA_DST, destination->bytes, destination->size);
    if (index)
        add(&q, RTA_OIF, &index, sizeof index);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), result = -EIO;
    if (fd < 0)
        return -errno;
    ssize_t n = send(fd, &q, q.head.nlmsg_len, 0);
    if (n >= 0)
        n = recv(fd, answer, sizeof *answer, 0);
    if (n < 0)
        result = -errno;
    else if (NLMSG_OK(&answer->head, (size_t)n))
        result = (int)n;
    close(fd);
    if (result > 0 && answer->head.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *e = NLMSG_DATA(&answer->head);
        return answer->head.nlmsg_len >= NLMSG_LENGTH(sizeof *e) && e->error < 0 ? e->error : -EIO;
    }
    return result;
}

static void take_address(struct ip_address *address, struct span value)
{
    if (value.left != 4 && value.left != 16)
        return;
    address->size = (uint8_t)value.left;
    memcpy(address->bytes, value.at, value.left);
}

/* RTA_VIA: a gateway of the other family. */
static void take_via(struct ip_address *address, struct span value)
{
    struct rtvia via;
    const uint8_t *head = span_pull(&value, sizeof via);
    if (!head)
        return;
    memcpy(&via, head, sizeof via);
    take_address(address, span_part(value, 0, via.rtvia_family == AF_INET ? 4 : 16));
}

static void take_metrics(struct route *route, struct span all)
{
    struct netlink_attribute a;
    while (netlink_attribute(&all, &a))
        if (a.type == RTAX_MTU)
            route->mtu = netlink_u32(a.value);
}

static unsigned char read_answer(struct route *route, const union answer *answer)
{
    const struct rtmsg *m = NLMSG_DATA(&answer->head);
    struct span rest =
        span_part((struct span){ answer->bytes, answer->head.nlmsg_len }, NLMSG_SPACE(sizeof *m), SIZE_MAX);
    struct netlink_attribute a;
    while (netlink_attribute(&rest, &a)) {
        switch (a.type) {
        case RTA_OIF:
            route->index = (int)netlink_u32(a.value);
            break;
        case RTA_PREFSRC:
            take_address(&route->source, a.value);
            break;
        case RTA_GATEWAY:
            take_address(&route->next_hop, a.value);
            route->gateway = true;
            break;
        case RTA_VIA:
            take_via(&route->next_hop, a.value);
            route->gateway = true;
            break;
        case RTA_METRICS:
            take_metrics(route, a.value);
            break;
        }
    }
    return m->rtm_type;
}

static int take_interface(struct route *route, struct error *error)
{
    struct ifreq request = { 0 };
    if (!if_indextoname((unsigned)route->index, request.ifr_name))
        return error_set(error, ERROR_SYSTEM, _("interface %d: %s"), route->index, strerror(errno));
    memcpy(route->interface, request.ifr_name, sizeof route->interface);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned mtu = 0;
    if (fd >= 0 && !ioctl(fd, SIOCGIFMTU, &request) && request.ifr_mtu > 0)
        mtu = (unsigned)request.ifr_mtu;
    if (fd >= 0)
        close(fd);
    if (!route->mtu || route->mtu > mtu)
        route->mtu = mtu;
    return 0;
}

int route_find(struct route *route, const struct ip_address *destination, const char *interface, struct error *error)
{
    char text[ADDRESS_TEXT];
    union answer answer;
    int index = interface ? (int)if_nametoindex(interface) : 0;
    *write_ip(text, destination) = 0;
    *route = (struct route){ .next_hop = *destination };
    if (interface && !index)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no such interface"), interface);
    int n = ask(destination, index, &answer);
    if (n == -ENETUNREACH || n == -EHOSTUNREACH || n == -EINVAL || n == -EACCES)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no route to it"), text);
    if (n < 0)
        return error_set(error, ERROR_SYSTEM, _("%s: route: %s"), text, strerror(-n));
    unsigned char type = read_answer(route, &answer);
    if (type == RTN_UNREACHABLE || type == RTN_BLACKHOLE || type == RTN_PROHIBIT || type == RTN_THROW || !route->index)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no route to it"), text);
    route->local = type == RTN_LOCAL;
    return take_interface(route, error);
}

bool route_is_own(const struct ip_address *address)
{
    struct route route = { 0 };
    union answer answer;
    return ask(address, 0, &answer) > 0 && read_answer(&route, &answer) == RTN_LOCAL;
}

static bool has_address(const struct sockaddr *a, const struct ip_address *address)
{
    if (!a || a->sa_family != (address->size == 4 ? AF_INET : AF_INET6))
        return false;
    const void *bytes = address->size == 4 ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
                                           : (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return !memcmp(bytes, address->bytes, address->size);
}

bool route_owner(const struct ip_address *address, char name[16])
{
    struct ifaddrs *all;
    bool found = false;
    if (getifaddrs(&all))
        return false;
    for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next)
        if (has_address(a->ifa_addr, address)) {
            found = true;
            size_t n = strlen(a->ifa_name);
            memset(name, 0, 16);
            memcpy(name, a->ifa_name, n < 15 ? n : 15);
        }
    freeifaddrs(all);
    return found;
}
