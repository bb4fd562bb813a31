/* Ports of this host's that are held while peel speaks from them, so that its own stack stays silent there
 * (host/hush.h). */
#pragma once
#include "base/address.h"
#include "base/error.h"
#include "protocol/packet.h"

enum { HELD_MAX = 256 };

struct held_ports {
    struct held_port {
        struct hush *hush;
        uint8_t protocol;
        uint16_t port;
        struct ip_address address;
    } ports[HELD_MAX];
    unsigned count;
};

/* Holds one, unless it is held already. protocol: 6 or 17; address: size 0 stands for all of the host's. Returns 0 or a
 * negative error: the port is in use, more than HELD_MAX. */
int held_take(struct held_ports *held, uint8_t protocol, const struct ip_address *address, uint16_t port,
              struct error *error);
/* The port that a packet is sent from, if it is one of this host's; one that is in use is left alone. */
void held_take_source(struct held_ports *held, const struct packet *packet);
void held_release(struct held_ports *held);
