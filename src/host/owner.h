/* The kernel's own table of TCP and UDP sockets, by sock_diag(7), and the processes that they belong to, by /proc. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* Why there is no process. */
enum owner_why {
    OWNER_KNOWN,
    OWNER_GONE,      /* no process has the socket any more: the kernel finishes the conversation */
    OWNER_ELSEWHERE, /* no process that is visible here: in another namespace, or the kernel's own */
    OWNER_FORBIDDEN, /* some processes may not be looked into, and it is not one of the others */
    OWNER_UNASKED,
};

struct kernel_socket {
    uint8_t protocol; /* 6 or 17 */
    uint8_t size;     /* of the addresses: 4 or 16; IPv4 in an IPv6 socket is 4 */
    uint8_t state;    /* the kernel's number (enum in netinet/tcp.h: 1 ESTABLISHED, 10 LISTEN) */
    uint8_t why;      /* enum owner_why */
    uint16_t local_port, foreign_port;
    uint8_t local[16], foreign[16]; /* network byte order; all zeros: any */
    uint32_t recv_q, send_q;        /* bytes; of a listener: connections that wait, and how many may */
    uint32_t user, inode;
    int32_t pid;      /* of the first process that has it; 0: see why */
    char program[16]; /* as the kernel calls it; may hold any byte */
};

/* Appends a struct kernel_socket for each socket of this network namespace to `out` (a buffer in memory), with owners
 * where they are wanted. Returns 0, ERROR_SYSTEM or ERROR_MEMORY. */
int owner_sockets(struct buffer *out, bool owners, struct error *error);
