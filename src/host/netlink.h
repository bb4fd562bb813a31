/* Asking the kernel for lists by netlink (RFC 3549): a request goes out, its answers come one by one. */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink_attribute {
    uint16_t type; /* without the flags in its high bits */
    struct span value;
};

/* Opens a socket of this netlink family (NETLINK_ROUTE, NETLINK_SOCK_DIAG), which is the caller's to close, or returns
 * ERROR_SYSTEM. */
int netlink_open(int family, struct error *error);

/* Sends `request`, whole with its struct nlmsghdr in front (length, sequence number and flags are filled in here), and
 * calls `each` with every message of the dump that answers it: its type and what stands behind its header. The span is
 * valid within the call. Returns 0 or ERROR_SYSTEM. */
int netlink_dump(int fd, struct nlmsghdr *request, size_t size,
                 void (*each)(void *context, uint16_t type, struct span body), void *context, struct error *error);

/* The next attribute of a message's rest; false at its end, also where the rest makes no sense. */
bool netlink_attribute(struct span *rest, struct netlink_attribute *attribute);

/* An attribute's value in the machine's byte order, 0 if it is shorter. */
uint32_t netlink_u32(struct span value);
uint64_t netlink_u64(struct span value);
