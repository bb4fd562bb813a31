#include "host/hush.h"
#include "base/text.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct hush {
    int fd;
    uint16_t port;
};

union place {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t make_place(union place *p, const struct ip_address *address, int interface, uint16_t port)
{
    memset(p, 0, sizeof *p);
    if (address->size == 4) {
        p->in.sin_family = AF_INET;
        p->in.sin_port = htons(port);
        memcpy(&p->in.sin_addr, address->bytes, 4);
        return sizeof p->in;
    }
    p->in6.sin6_family = AF_INET6;
    p->in6.sin6_port = htons(port);
    memcpy(&p->in6.sin6_addr, address->bytes, 16); /* zeroes where there is none */
    if (IN6_IS_ADDR_LINKLOCAL(&p->in6.sin6_addr))
        p->in6.sin6_scope_id = (uint32_t)interface;
    return sizeof p->in6;
}

/* The filter comes before the port is bound: nothing ever gets in. */
static int hold(struct hush *h, uint8_t protocol, const struct ip_address *address, int interface, uint16_t port)
{
    struct sock_filter drop = { .code = BPF_RET | BPF_K, .k = 0 };
    struct sock_fprog program = { .len = 1, .filter = &drop };
    union place place;
    int only = address->size == 16;
    h->fd = socket(address->size == 4 ? AF_INET : AF_INET6,
                   (protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (h->fd < 0 || setsockopt(h->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
        return errno;
    if (address->size != 4)
        setsockopt(h->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    socklen_t length = make_place(&place, address, interface, port);
    if (bind(h->fd, &place.any, length) || (protocol == IPPROTO_TCP && listen(h->fd, 1)))
        return errno;
    length = sizeof place;
    if (getsockname(h->fd, &place.any, &length))
        return errno;
    h->port = ntohs(address->size == 4 ? place.in.sin_port : place.in6.sin6_port);
    return 0;
}

int hush_open(struct hush **hush, uint8_t protocol, const struct ip_address *address, int interface, uint16_t port,
              struct error *error)
{
    struct hush *h = calloc(1, sizeof *h);
    *hush = NULL;
    if (!h)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    int why = hold(h, protocol, address, interface, port);
    if (!why) {
        *hush = h;
        return 0;
    }
    hush_close(h);
    char text[ADDRESS_TEXT] = "*";
    if (address->size)
        *write_ip(text, address) = 0;
    if (why == EPERM || why == EACCES) /* socket filters are for CAP_NET_ADMIN alone on some kernels */
        return error_set(error, ERROR_PERMISSION,
                         _("%s: not permitted to keep a port silent: CAP_NET_ADMIN is missing (sudo setcap "
                           "cap_net_raw,cap_net_admin+ep PATH/TO/peel grants it and CAP_NET_RAW)"),
                         text);
    return error_set(error, ERROR_SYSTEM, _("%s port %u cannot be held: %s"), text, port, strerror(why));
}

uint16_t hush_port(const struct hush *h)
{
    return h->port;
}

void hush_close(struct hush *h)
{
    if (!h)
        return;
    if (h->fd >= 0)
        close(h->fd);
    free(h);
}
