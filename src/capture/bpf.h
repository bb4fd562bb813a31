/* pcap-filter expressions, compiled by libpcap. A capture may hold several link types; the expression is compiled for
 * each when its first packet comes. */
#pragma once
#include "capture/capture.h"

struct bpf;
struct bpf_program; /* libpcap's */

/* An expression to a program that answers snap_length for what passes. Returns 0 (pcap_freecode it), ERROR_USAGE with
 * libpcap's message or ERROR_MEMORY. */
int bpf_compile(struct bpf_program *program, const char *expression, uint16_t link_type, uint32_t snap_length,
                struct error *error);

/* link_type: LINKTYPE_ of the first packets, so that an expression that does not compile is refused before the first of
 * them. Returns 0 or ERROR_USAGE with libpcap's message. */
int bpf_open(struct bpf **bpf, const char *expression, uint16_t link_type, struct error *error);
/* Whether the packet passes. On a link type for which the expression means nothing nothing passes. */
bool bpf_passes(struct bpf *bpf, const struct record *record);
/* The program for the first link type, for a socket of the kernel's: struct bpf_insn, *count of them. */
const void *bpf_program_of(const struct bpf *bpf, unsigned *count);
void bpf_close(struct bpf *bpf);
