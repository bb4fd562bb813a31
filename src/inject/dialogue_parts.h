/* What dialogue.c and switchboard.c share. */
#pragma once
#include "host/hush.h"
#include "host/route.h"
#include "host/wire.h"
#include "inject/dialogue.h"
#include "inject/isn.h"
#include "inject/neighbour.h"
#include "protocol/packet.h"

/* What the conversations of one port have in common. */
struct line {
    struct route route;
    struct wire *wire;
    struct neighbours *neighbours; /* NULL: the link has no addresses */
    struct hush *hush;             /* NULL: the address is not this host's */
    struct isn_secret secret;
    const struct wire_packet *arrived; /* and not told of yet */
    struct dialogue *only;             /* who is told of ARP and NDP; NULL: nobody */
    struct dialogue *talker;           /* who put the last packet; NULL: none of them */
    struct packet packet;              /* scratch: the one that arrived, dissected */
};

struct dialogue {
    struct line *line; /* its own, or the switchboard's */
    struct dialogue_settings settings;
    struct dialogue_observer observer;
    void *context;
    struct segment_ends ends;
    struct endpoint *endpoint;
    struct segment_writer writer;
    struct endpoint_segment last; /* of which the packet put last was made */
    bool resolving;               /* the next hop's link address is awaited */
    bool listening;               /* nobody has called yet */
    uint8_t macs[12];
    char said[ADDRESS_TEXT + 16];  /* how the remote end is called in sentences */
    struct dialogue *next, *older; /* switchboard: in its bucket; the one that called before */
    int64_t called;
    struct line own;
};

/* An endpoint that is CLOSED, for the MTU of the line. Returns 0 or an error. */
int dialogue_open_endpoint(struct dialogue *dialogue, struct error *error);
/* Ends and link addresses are known: what goes out is prepared, the endpoint gets its initial number. */
void dialogue_meet(struct dialogue *dialogue, int64_t now);
void dialogue_name_remote(struct dialogue *dialogue);
/* Dissects what arrived into line->packet. */
void dialogue_read(struct line *line, const struct wire_packet *packet);
/* Takes the packet that was read. Whether it was for this conversation. */
bool dialogue_take(struct dialogue *dialogue, const struct wire_packet *packet, int64_t now);
/* The link address that a frame came from. */
bool dialogue_sender(const struct packet *packet, uint8_t mac[6]);
