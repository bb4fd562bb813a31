/* Sending by AF_XDP in copy mode: frames in memory shared with the kernel, and two rings of places in it. Nothing but
 * linux/if_xdp.h is needed. Used by wire.c alone. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XDP_FRAME = 2048 }; /* the longest packet */

struct xdp;

struct xdp_counts {
    uint64_t sent, bytes, refused, again;
};

/* NULL: not to be had here, for whatever reason. */
struct xdp *xdp_open(int interface);
void xdp_close(struct xdp *xdp);
/* A free frame; waits for one. NULL: none came free within a tenth of a second. */
uint8_t *xdp_room(struct xdp *xdp, struct xdp_counts *counts);
/* The frame that xdp_room gave, filled with n bytes. */
void xdp_put(struct xdp *xdp, size_t n, struct xdp_counts *counts);
/* Has the kernel take all that was put. Returns 0 or the errno for which it did not. */
int xdp_flush(struct xdp *xdp, struct xdp_counts *counts);
/* How many were put that the kernel has not taken. */
uint32_t xdp_left(const struct xdp *xdp);
