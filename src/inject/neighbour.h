/* Link addresses of neighbours: asked for by ARP (RFC 826) and Neighbor Discovery (RFC 4861), answers kept, and
 * questions for addresses that peel speaks from answered. It sends through a callback and takes what the wire brought;
 * the times are the caller's, as for an endpoint. */
#pragma once
#include "base/address.h"
#include "base/error.h"
#include "protocol/packet.h"

enum { NEIGHBOURS_MOST = 256, OWN_MOST = 16, NEIGHBOUR_FRAME = 96 };

enum neighbour_state {
    NEIGHBOUR_UNKNOWN, /* was not asked for */
    NEIGHBOUR_ASKED,   /* the answer is awaited */
    NEIGHBOUR_KNOWN,
    NEIGHBOUR_SILENT, /* three questions were not answered */
};

struct neighbours;

/* mac: of the interface. send: takes an Ethernet frame. */
int neighbours_open(struct neighbours **neighbours, const uint8_t mac[6],
                    void (*send)(void *context, struct span frame), void *context, struct error *error);
void neighbours_close(struct neighbours *neighbours);

/* Answers for this address from now on, if the host's own stack does not. False: there are OWN_MOST already. */
bool neighbours_speak_for(struct neighbours *neighbours, const struct ip_address *address);
/* The link address of `address`, asked for by `from` where it is not known (or was not confirmed for a minute).
 * Multicast and broadcast addresses are known without asking. NEIGHBOUR_KNOWN: *mac is it. */
enum neighbour_state neighbours_find(struct neighbours *neighbours, const struct ip_address *from,
                                     const struct ip_address *address, uint8_t mac[6], int64_t now);
/* A dissected packet, whatever it is: learns from answers, answers questions. Whether it did either. */
bool neighbours_take(struct neighbours *neighbours, const struct packet *packet, int64_t now);
/* When a question is asked again; INT64_MAX: none is open. */
int64_t neighbours_deadline(const struct neighbours *neighbours);
void neighbours_tick(struct neighbours *neighbours, int64_t now);
/* Where questions about an IPv6 address arrive: ff02::1:ffXX:XXXX and its link address (RFC 4291, 2.7.1). */
void neighbours_solicited(const struct ip_address *address, struct ip_address *group, uint8_t mac[6]);
