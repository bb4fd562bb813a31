/* A port of this host's that is held, so that its own stack says nothing there while peel speaks in its name: a
 * listening TCP socket, or a bound UDP socket, whose socket filter drops everything. The kernel looks the socket up,
 * the filter drops the packet, and neither a reset nor an ICMP error goes out. No firewall rule is touched,
 * and the port is free when the process ends, however it ends. Some kernels let only CAP_NET_ADMIN have socket
 * filters. */
#pragma once
#include "base/address.h"
#include "base/error.h"

struct hush;

/* protocol: 6 or 17. address: size 0 stands for all of the host's. port: in host byte order, 0 for any that is free.
 * interface: its index, for link-local IPv6 addresses. Returns 0, ERROR_SYSTEM (the port is in use, the address is not
 * this host's) or ERROR_MEMORY. */
int hush_open(struct hush **hush, uint8_t protocol, const struct ip_address *address, int interface, uint16_t port,
              struct error *error);
uint16_t hush_port(const struct hush *hush);
void hush_close(struct hush *hush);
