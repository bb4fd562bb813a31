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
    KEY_ICMP_QUOTE, /* value: the ethertype of the datagram that an ICMP error quotes; other: so many bytes of it at
                       most, 0: all that there are */
};

struct key {
    uint16_t space; /* enum key_space */
    uint16_t value, other;
};

/* A message in a stream of bytes, as far as it was looked at: what the stream layer (track/messages) keeps of one that
 * is not whole yet. `frame` writes it. */
struct message {
    uint64_t at;     /* so many of its bytes need no second look: the next one begins there */
    uint64_t length; /* FRAME_WHOLE: all of it; FRAME_MORE: so many bytes are needed at least, if that is known */
    uint64_t size;   /* the protocol's own, as state is; 0 at first */
    uint32_t state;
    bool last;        /* told: no byte comes behind those that are there */
    bool farewell;    /* FRAME_WHOLE: what follows it in both directions is of another protocol (HTTP's 101) */
    uint8_t flags;    /* for its layer: LAYER_TOLD_ bits */
    uint32_t told;    /* for its layer, with LAYER_TOLD_NUMBER */
    uint8_t end;      /* told: which end of the conversation sends it, 0 or 1 */
    uint64_t *memory; /* of the conversation, the protocol's own; 0 at first */
};

enum frame {
    FRAME_NONE,   /* no message of this protocol begins here */
    FRAME_WHOLE,  /* there to its end */
    FRAME_MORE,   /* not whole yet */
    FRAME_TO_END, /* it goes on until its sender closes */
};

enum probe {
    PROBE_PORT,     /* a stream's segment that the port speaks for */
    PROBE_STREAM,   /* where no port does: only what can hardly be anything else is recognised */
    PROBE_DATAGRAM, /* the same of a UDP payload */
    PROBES,
};

/* Which part of an exchange a message is. */
enum turn { TURN_NONE, TURN_QUESTION, TURN_ANSWER };

enum { TURN_IN_ORDER = -1 }; /* questions have no numbers: they are answered in their order */

struct protocol {
    const char *name;           /* Wireshark's: tcp */
    const char *label;          /* for the protocol column: TCP */
    const char *title;          /* Transmission Control Protocol */
    const char *rfc;            /* where it is described: "RFC 9293" */
    const struct field *fields; /* the table; a row without abbrev ends it */
    const struct key *keys;     /* whose payload it is; KEY_NONE ends the list; NULL: nobody's */
    uint16_t least;             /* the shortest header there is, bytes: what the table-driven dissect takes */
    uint16_t carries;           /* the key space of the ROLE_NEXT row's value, for the table-driven dissect */

    bool leaf; /* it carries nothing that is taken apart */

    uint8_t hot; /* enum hot_bit: set in packet.have when its hot copies were made */

    /* Takes the header off `in` (what was captured of it and of what follows, never beyond the wire's lengths), sets
     * self->length, shrinks self->end where the header has a length, copies hot values and says what comes next.
     * Neither prints nor allocates, remembers nothing. NULL: the table alone. */
    enum verdict (*dissect)(struct packet *packet, struct layer *self, struct span *in, struct key *next);
    /* What no row can say (DNS names, HTTP lines): called after the table's rows. */
    void (*walk)(const struct packet *packet, const struct layer *layer, struct sink *sink);
    /* For a protocol over TCP: finds the end of the message that begins a span, which holds message->at bytes less.
     * Called again when more is there. NULL: none that goes over streams. */
    enum frame (*frame)(struct message *message, struct span rest);
    uint8_t head; /* bytes of a message in front of what dissect takes: DNS's length */
    /* Whether a payload begins with a message, told from a look at its first bytes. NULL: never asked, and taken for
     * one where the port is one of keys. */
    bool (*probe)(struct span payload, enum probe how);
    uint8_t known;     /* 1 << enum probe: where it is recognised off its ports */
    const char *first; /* the bytes that those recognised by probe begin with; NULL: any */
    /* Which part of an exchange with the other end a message is; a question and what answers it have the same number,
     * of 32 bits, or over TCP TURN_IN_ORDER. NULL: no exchanges. */
    enum turn (*turn)(const struct packet *packet, const struct layer *layer, int64_t *number);
    /* The line's summary. Must escape what it takes from the packet. NULL: the title. */
    void (*summary)(const struct packet *packet, const struct layer *layer, struct buffer *out);
};
