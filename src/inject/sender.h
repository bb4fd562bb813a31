/* Crafted packets onto the wire: what was left open of them is filled in (the interface of the route, its address, the
 * next hop's link address, an Ethernet header where the interface has them), whatever was set is left as it is. */
#pragma once
#include "base/address.h"
#include "host/wire.h"
#include "inject/craft.h"

struct sender;

enum { SENDER_LANES = 16 };

/* An interface that packets leave by. */
struct sender_lane {
    char name[16];
    struct wire *wire;
    struct neighbours *neighbours; /* NULL: it has no link addresses */
    struct wire *asking;           /* hears only what may be their answers; opened when first needed */
    bool frames;
};

/* interface: NULL, each packet's route tells. flags: enum wire_flag. Opens the interface if it is named. Returns 0 or a
 * negative error. */
int sender_open(struct sender **sender, const char *interface, unsigned flags, struct error *error);
void sender_close(struct sender *sender);

/* Fills in what the packet leaves open and finds the interface that it leaves by; may ask for the next hop and wait up
 * to three seconds for the answer. Returns 0, ERROR_USAGE (no destination and no interface, a header that the interface
 * does not take), ERROR_NOT_FOUND (no route, nobody answers) or ERROR_SYSTEM. */
int sender_complete(struct sender *sender, struct craft *craft, struct sender_lane **lane, struct error *error);
/* The lane of packets of this link type that are sent as they are. */
int sender_lane_for(struct sender *sender, uint16_t link_type, struct sender_lane **lane, struct error *error);
/* By the interface's name; NULL: the one that was named at the beginning. */
int sender_lane_named(struct sender *sender, const char *name, struct sender_lane **lane, struct error *error);
/* Sends what waits on all interfaces. */
int sender_flush(struct sender *sender, struct error *error);
/* All interfaces' together. */
struct wire_counts sender_counts(struct sender *sender);
unsigned sender_lane_count(const struct sender *sender);
struct sender_lane *sender_lane(struct sender *sender, unsigned index);
/* The destination that the packet's outermost network header names. False: none. */
bool sender_destination(struct craft *craft, struct ip_address *destination);
