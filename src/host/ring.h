/* Packets from an interface without a copy: an AF_PACKET socket whose ring of blocks (TPACKET_V3, packet(7) and the
 * kernel's packet_mmap.rst) is shared with the kernel. The kernel fills a block and hands it over when it is full or
 * when its time is up; a packet stays where it is until the block goes back.
 *
 * Measured beside libpcap's reader of the same ring: half to two thirds of the CPU time. What takes it is to get the
 * packets out of the other processor's cache: hence the batches, and the fetching ahead. */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    RING_BLOCK = 512 << 10, /* bytes; twice as much loses more where processors are scarce, half wakes us more often */
    RING_WAIT_MS = 10,      /* a block that is not full goes to the reader after that */
};

struct ring;

struct ring_packet {
    struct span bytes; /* until the ring_next that leaves its block */
    uint32_t wire_length;
    int64_t time;  /* nanoseconds since 1970 */
    bool unjudged; /* came past the filter: its VLAN tag, which the kernel keeps apart, was put back after it */
};

/* An instruction of the classic BPF, as struct bpf_insn of libpcap and struct sock_filter of the kernel. */
struct ring_instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t k;
};

struct ring_counts {
    uint64_t received, dropped; /* by the kernel for this socket, after the filter; received holds what was dropped */
};

enum ring_state { RING_UP, RING_DOWN, RING_GONE };

/* Opens a ring of `bytes` on the interface. Only what comes from then on is in it. Returns 0, ERROR_PERMISSION (naming
 * what is missing), ERROR_NOT_FOUND, ERROR_SYSTEM or ERROR_MEMORY; the sentence begins with the interface's name. */
int ring_open(struct ring **ring, const char *interface, size_t bytes, bool promiscuous, struct error *error);
void ring_close(struct ring *ring);
/* Lets only what the program returns other than 0 for, and as many bytes of it, into the ring. count: up to 4000. */
int ring_filter(struct ring *ring, const struct ring_instruction *program, size_t count, struct error *error);

/* The next packet that is there: 1, or 0 where none is, without waiting. */
int ring_next(struct ring *ring, struct ring_packet *packet);
/* The same for up to `room` packets, of one block: how many. They stay until the call that leaves their block. */
unsigned ring_batch(struct ring *ring, struct ring_packet *packets, unsigned room);
/* Whether the packets before this call's have all been handed out, and their block could go back. */
bool ring_at_edge(const struct ring *ring);
/* Waits until there may be packets, a signal came or `ms` have passed. */
void ring_wait(struct ring *ring, int ms);
/* What became of the interface, as far as ring_wait noticed; where it is not up, looks again, and if there is a new one
 * of its name (and its link type), binds the ring to that. Needs no privilege. */
enum ring_state ring_revive(struct ring *ring);
/* The same for a process that may not do it: another one, which has the ring from before a fork, looks whatever it
 * believes (ring_look), and what came out is told here. */
struct ring_standing {
    enum ring_state state;
    unsigned index;
};
struct ring_standing ring_look(struct ring *ring);
enum ring_state ring_state(const struct ring *ring);
void ring_believe(struct ring *ring, struct ring_standing standing);

/* For a packet socket of somebody else's, whose interface vanished: takes packets of the one of that number. Returns 0
 * or -1. */
int ring_bind(int fd, unsigned index, bool promiscuous);

int ring_fd(const struct ring *ring); /* for poll(2) */
uint16_t ring_link_type(const struct ring *ring);
struct ring_counts ring_counts(struct ring *ring);
