/* A protocol: its table, and what no table can say. One file in dissectors/ each, ending in one of these.
 *
 * Dissectors know nothing of each other: each hands back a key (ethertype 0x0800, TCP port 80), and the registry knows
 * whose it is. */
#pragma once
#include "base/buffer.h"
#include "protocol/field.h"
#include "protocol/packet.h"
#include "protocol/sink.h"

enum key_space {
    KEY_NONE, /* nothing follows, or nothing that anybody but `data` could show */
    KEY_LINK, /* LINKTYPE_ number */
    KEY_ETHERTYPE,
    KEY_LLC_SAP,  /* 802.2 destination service access point */
    KEY_IP,       /* IP protocol number */
    KEY_TCP_PORT, /* value, else other */
    KEY_UDP_PORT,
    KEY_PPP,        /* PPP protocol number; where it was compressed, with its first byte 0 */
    KEY_ISL,        /* 0: a frame of Cisco's trunks in place of Ethernet's */
    KEY_PSEUDOWIRE, /* below an MPLS label stack; 0: a control word */
    KEY_ICMP_QUOTE, /* value: the ethertype of the datagram that an ICMP error quotes */
};

struct key {
    uint16_t space; /* enum key_space */
    uint16_t value, other;
};

struct protocol {
    const char *name;           /* Wireshark's: tcp */
    const char *label;          /* for the protocol column: TCP */
    const char *title;          /* Transmission Control Protocol */
    const char *rfc;            /* where it is described: "RFC 9293" */
    const struct field *fields; /* the table; a row without abbrev ends it */
    const struct key *keys;     /* whose payload it is; KEY_NONE ends the list; NULL: nobody's */
    uint16_t least;             /* the shortest header there is, bytes: what the table-driven dissect takes */
    uint16_t carries;           /* the key space of the ROLE_NEXT row's value, for the table-driven dissect */

    uint8_t hot; /* enum hot_bit: set in packet.have when its hot copies were made */

    /* Takes the header off `in` (what was captured of it and of what follows, never beyond the wire's lengths), sets
     * self->length, shrinks self->end where the header has a length, copies hot values and says what comes next.
     * Neither prints nor allocates, remembers nothing. NULL: the table alone. */
    enum verdict (*dissect)(struct packet *packet, struct layer *self, struct span *in, struct key *next);
    /* What no row can say (DNS names, HTTP lines): called after the table's rows. */
    void (*walk)(const struct packet *packet, const struct layer *layer, struct sink *sink);
    /* The line's summary. Must escape what it takes from the packet. NULL: the title. */
    void (*summary)(const struct packet *packet, const struct layer *layer, struct buffer *out);
};
