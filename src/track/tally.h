/* What is counted of each conversation: packets, bytes, repetitions, the handshake's time, Zeek's history. */
#pragma once
#include "track/tcp_state.h"

/* Call before the states take the segment. */
void tally_tcp(struct flow *flow, struct flow_detail *detail, unsigned end, const struct segment *segment);
void tally_udp(struct flow *flow, struct flow_detail *detail, unsigned end, uint32_t length);

/* Zeek's conn_state (base/protocols/conn): SF, S0, REJ ... */
const char *tally_conn_state(const struct flow *flow, const struct flow_detail *detail);
/* Zeek's history as it writes it, upper case the client's; room for sizeof detail->history bytes. */
void tally_history(const struct flow *flow, const struct flow_detail *detail, char *out);
