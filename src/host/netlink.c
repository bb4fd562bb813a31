#include "host/netlink.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER = 64 << 10 };

int netlink_open(int family, struct error *error)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    struct sockaddr_nl any = { .nl_family = AF_NETLINK };
    if (fd >= 0 && !bind(fd, (struct sockaddr *)&any, sizeof any))
        return fd;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    return error_set(error, ERROR_SYSTEM, _("netlink: %s"), strerror(reason));
}

static ssize_t receive(int fd, uint8_t *to, size_t room)
{
    for (;;) {
        struct sockaddr_nl from = { 0 };
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(fd, to, room, 0, (struct sockaddr *)&from, &size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n >= 0 && from.nl_pid != 0) /* only the kernel is believed */
            continue;
        return n;
    }
}

/* What one datagram holds. Returns 1 (the end of the dump), 0 (more to come) or an errno, negative. */
static int take(struct span datagram, uint32_t sequence, void (*each)(void *, uint16_t, struct span), void *context)
{
    struct nlmsghdr head;
    while (datagram.left >= sizeof head) {
        memcpy(&head, datagram.at, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > datagram.left)
            return -EBADMSG;
        struct span body = span_part(datagram, sizeof head, head.nlmsg_len - sizeof head);
        datagram = span_part(datagram, NLMSG_ALIGN(head.nlmsg_len), datagram.left);
        if (head.nlmsg_seq != sequence)
            continue;
        if (head.nlmsg_type == NLMSG_DONE)
            return 1;
        if (head.nlmsg_type == NLMSG_ERROR) {
            int code = (int)netlink_u32(body);
            return code < 0 ? code : 1;
        }
        each(context, head.nlmsg_type, body);
    }
    return 0;
}

int netlink_dump(int fd, struct nlmsghdr *request, size_t size, void (*each)(void *, uint16_t, struct span),
                 void *context, struct error *error)
{
    static uint32_t sequence;
    uint8_t *answer = malloc(ANSWER);
    if (!answer)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    request->nlmsg_len = (uint32_t)size;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = ++sequence;
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    int result = 0;
    if (sendto(fd, request, size, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        result = -errno;
    while (result == 0) {
        ssize_t n = receive(fd, answer, ANSWER);
        result = n < 0 ? -errno : take((struct span){ answer, (size_t)n }, sequence, each, context);
    }
    free(answer);
    return result < 0 ? error_set(error, ERROR_SYSTEM, _("netlink: %s"), strerror(-result)) : 0;
}

bool netlink_attribute(struct span *rest, struct netlink_attribute *attribute)
{
    struct nlattr head;
    if (rest->left < sizeof head)
        return false;
    memcpy(&head, rest->at, sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > rest->left)
        return false;
    attribute->type = (uint16_t)(head.nla_type & (unsigned)NLA_TYPE_MASK);
    attribute->value = span_part(*rest, sizeof head, head.nla_len - sizeof head);
    *rest = span_part(*rest, NLA_ALIGN(head.nla_len), rest->left);
    return true;
}

uint32_t netlink_u32(struct span value)
{
    const uint8_t *p = span_peek(&value, 4);
    return p ? load_le32(p) : 0;
}

uint64_t netlink_u64(struct span value)
{
    const uint8_t *p = span_peek(&value, 8);
    return p ? load_le64(p) : 0;
}
