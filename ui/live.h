/* An interface under the screens: opened, then everything is given up that only opening it needed; what needs more
 * later (the interface that came back, whose sockets are) a helper does that sees no packet. */
#pragma once
#include "capture/live.h"
#include "host/owner.h"

struct live;

struct live_request {
    const char *interface, *netns, *filter; /* netns, filter (pcap-filter): NULL: none */
    uint32_t snap_length;
    bool no_promiscuous;
};

/* Returns 0 or a negative error. */
int live_open(struct live **live, const struct live_request *request, struct error *error);
void live_close(struct live *live);
struct capture *live_capture(struct live *live);
const char *live_name(const struct live *live);
/* The two sockets that are sent to and received from. */
void live_talks(const struct live *live, int talking[2]);

/* About once a second: what happened to the interface, in words, or NULL; asks for this host's sockets. */
const char *live_tick(struct live *live);
uint64_t live_drops(const struct live *live);
/* A socket of this host's, with these ends; NULL: the kernel told of none. Valid until the next tick. */
const struct kernel_socket *live_socket(const struct live *live, uint8_t protocol, unsigned size, const uint8_t *local,
                                        uint16_t local_port, const uint8_t *foreign, uint16_t foreign_port);
