/* One interface as a wire: packets made here go out by it as they are, and what comes in by it is handed over.
 *
 * Out: packets are written into rooms of the wire's own and leave in batches of 64 (sendmmsg on an AF_PACKET socket),
 * or through an AF_XDP socket in copy mode. In: an AF_PACKET socket, up to 32 packets a call; not a ring, whose blocks
 * are handed over no sooner than the kernel's tick (4 ms) after their first packet: as long as forty handshakes take.
 *
 * What a packet begins with depends on the interface: an Ethernet header, or (tunnels, and loopback unless asked
 * otherwise) an IP header. On loopback such packets go through the host's own IP, which refuses frames for its own
 * addresses; it writes IPv4's total length and header checksum itself. */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include <stdbool.h>

enum { WIRE_BATCH = 64, WIRE_RECEIVED = 32, WIRE_LONGEST = 65536 + 64 };

enum wire_flag {
    WIRE_RECEIVE = 1,  /* hand over what comes in, too */
    WIRE_OUTGOING = 2, /* and what this host sends there */
    WIRE_BYPASS = 4,   /* past the queue in front of the interface: quicker, but captures on this host don't see it */
    WIRE_XDP = 8,      /* by AF_XDP if kernel and interface let us (implies WIRE_BYPASS); else as without */
    WIRE_JOIN = 32,    /* segments of a TCP stream may leave in one piece: wire_stretch */
    WIRE_FRAMES = 16,  /* loopback: Ethernet frames, which captures see and the host's own sockets do not */
};

struct wire_info {
    char name[16];
    int index;
    unsigned mtu;       /* bytes from the IP header on */
    uint16_t link_type; /* LINKTYPE_: 1 packets begin with an Ethernet header, 101 with an IP header */
    uint8_t mac[6];     /* zero where there is none */
    bool loopback;
    bool xdp; /* packets go out by AF_XDP */
};

struct wire_counts {
    uint64_t sent, bytes; /* taken by the interface */
    uint64_t refused;     /* not taken, for whatever reason */
    uint64_t again;       /* offered again since there was no room */
    uint64_t lost;        /* came in and were not fetched in time */
};

struct wire_packet {
    struct span bytes; /* valid until the next wire_receive */
    int64_t time;      /* nanoseconds since 1970, by the kernel */
    uint32_t length;   /* on the wire */
    bool outgoing;     /* this host sent it */
    bool unfinished;   /* its checksum was left to the interface, and it may be longer than the MTU */
};

/* A classic BPF instruction, as libpcap's struct bpf_insn is laid out. */
struct wire_instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};

struct wire;

/* flags: enum wire_flag. filter: count instructions that the kernel runs on each packet before it is kept, written for
 * the link type that the wire is going to have (wire_look tells); NULL: all are. Returns 0, ERROR_NOT_FOUND (no such
 * interface), ERROR_PERMISSION, ERROR_SYSTEM or ERROR_MEMORY. */
int wire_open(struct wire **wire, const char *interface, unsigned flags, const struct wire_instruction *filter,
              unsigned count, struct error *error);
void wire_close(struct wire *wire);
/* What wire_open would find, without any rights. Returns 0, ERROR_NOT_FOUND or ERROR_SYSTEM. */
int wire_look(struct wire_info *info, const char *interface, unsigned flags, struct error *error);

const struct wire_info *wire_info(const struct wire *wire);
const struct wire_counts *wire_counts(struct wire *wire);
/* Frames to this group's link address are received, too. */
void wire_join(struct wire *wire, const uint8_t mac[6]);
/* Readable when there is something to receive; -1 for a wire that only sends. */
int wire_fd(const struct wire *wire);

/* Where the next packet, of at most n bytes, may be written; may first send those before it. NULL: n is more than
 * WIRE_LONGEST. */
uint8_t *wire_room(struct wire *wire, size_t n);
/* The packet that was written into the last room: its first n bytes. It leaves at the latest when 64 wait. */
void wire_put(struct wire *wire, size_t n);
/* The packet that was put last, if it still waits and there is room for n more bytes behind it; NULL: not so, or the
 * wire was opened without WIRE_JOIN, or does not know how. *length: its own. */
uint8_t *wire_last(struct wire *wire, size_t *length, size_t n);
/* How a packet is cut again by the kernel or the interface. */
struct wire_cut {
    uint16_t headers;   /* bytes in front of the payload */
    uint16_t transport; /* where the TCP header begins; its checksum is only that of the pseudo-header */
    uint16_t checksum;  /* where in the TCP header the checksum lies */
    uint16_t piece;     /* bytes of payload in each packet but the last */
    bool six;
};
/* n bytes of payload were written behind wire_last's packet. */
void wire_stretch(struct wire *wire, size_t n, const struct wire_cut *cut);
/* Sends what waits. What the interface has no room for is offered again for a tenth of a second, then it is refused.
 * Returns 0, or ERROR_SYSTEM for the first packet that was refused since the last flush (those after it were sent all
 * the same). */
int wire_flush(struct wire *wire, struct error *error);
/* A packet from elsewhere, copied into a room. False: too long. */
bool wire_send(struct wire *wire, struct span packet);

/* What came in, up to WIRE_RECEIVED packets; does not wait. Returns how many, or ERROR_SYSTEM (the interface went
 * down). */
int wire_receive(struct wire *wire, struct wire_packet packets[WIRE_RECEIVED], struct error *error);
