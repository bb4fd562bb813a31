/* The interfaces of this host (or of the network namespace that the process is in): names, addresses, state, counters,
 * as the kernel tells them by rtnetlink(7). Needs no privilege. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

enum { INTERFACE_NAME = 16, INTERFACE_HARDWARE = 32 };

struct interface_address {
    unsigned interface; /* its index */
    uint8_t bytes[16];  /* network byte order */
    uint8_t size;       /* 4 or 16 */
    uint8_t prefix;     /* bits */
    bool global;        /* of use beyond this link and this host */
};

struct interface_counters {
    uint64_t received_packets, received_bytes, received_errors, received_dropped;
    uint64_t sent_packets, sent_bytes, sent_errors, sent_dropped;
};

struct interface {
    unsigned index;            /* from 1; another one after it vanished and came back */
    char name[INTERFACE_NAME]; /* may hold any byte but '/' and spaces: escape it */
    char kind[16];             /* the driver's word for a virtual one (veth, bridge, tun); "" for hardware */
    uint16_t link_type;        /* LINKTYPE_ of what capturing on it gives */
    uint8_t hardware_size;     /* bytes of hardware: 6 for a MAC address, 0: none */
    uint8_t hardware[INTERFACE_HARDWARE];
    uint32_t mtu;
    unsigned master; /* index of the bridge or bond that it belongs to, 0: none */
    bool up;         /* switched on */
    bool running;    /* and able to send: there is a carrier */
    bool loopback, point_to_point, broadcast;
    struct interface_counters counters;
    unsigned first_address, address_count; /* in struct interfaces */
};

struct interfaces {
    struct interface *all; /* owned; by index */
    unsigned count;
    struct interface_address *addresses; /* owned; by interface, in the kernel's order */
    unsigned address_count;
};

/* Returns 0, ERROR_SYSTEM or ERROR_MEMORY. interfaces_free in either case. */
int interfaces_read(struct interfaces *list, struct error *error);
void interfaces_free(struct interfaces *list);

/* Opens a netlink socket that every later reading of this process asks, so that it needs to open none. Returns it, or a
 * negative error. interfaces_forget closes it, in a child that has to have its own. */
int interfaces_hold(struct error *error);
void interfaces_forget(void);

/* NULL: there is none. */
const struct interface *interfaces_find(const struct interfaces *list, const char *name);
const struct interface *interfaces_at(const struct interfaces *list, unsigned index);
/* The one whose address this is (size 4 or 16), or NULL. */
const struct interface *interfaces_owner(const struct interfaces *list, const uint8_t *address, unsigned size);
/* The one that someone who does not know probably means: up, with a carrier and an address of use beyond the link, and
 * the most traffic. NULL: nothing but loopback. */
const struct interface *interfaces_guess(const struct interfaces *list);

/* The LINKTYPE_ that packets of a hardware type (ARPHRD_ of linux/if_arp.h) are captured with; what has none of its own
 * is captured as LINKTYPE_LINUX_SLL. */
uint16_t interface_link_type(uint16_t hardware_type);
