/* Which way a packet takes from this host: asked of the kernel by rtnetlink. */
#pragma once
#include "base/address.h"
#include "base/error.h"

struct route {
    int index; /* of the interface */
    char interface[16];
    struct ip_address source;   /* which the host would speak from; size 0: the interface has none */
    struct ip_address next_hop; /* whose link address is wanted: a gateway, or the destination itself */
    bool gateway;
    bool local; /* an address of this host's own: the interface is loopback */
    unsigned mtu;
};

/* interface: NULL, or the one to leave by. Returns 0, ERROR_NOT_FOUND (no route, no such interface) or ERROR_SYSTEM. */
int route_find(struct route *route, const struct ip_address *destination, const char *interface, struct error *error);
/* Whether the address is one of this host's. */
bool route_is_own(const struct ip_address *address);
/* The interface that has the address, into name; false: none. */
bool route_owner(const struct ip_address *address, char name[16]);
