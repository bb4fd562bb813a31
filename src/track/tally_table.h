/* Conversations and endpoints as tables list them, counted together from what statistics keep of each conversation. */
#pragma once
#include "track/statistics.h"

enum statistics_kind {
    KIND_ETH,
    KIND_IP, /* IPv4 */
    KIND_IPV6,
    KIND_TCP,
    KIND_UDP,
    KIND_HOSTS, /* IPv4 and IPv6 */
    KIND_ANY,   /* TCP, UDP, and addresses that exchange something else */
    KINDS,
};

/* One end: an address of 4, 6 or 16 bytes, network byte order, and its port. */
struct party {
    const uint8_t *address;
    uint8_t room[4];
    uint8_t size;
    bool has_port;
    uint16_t port;
};

/* A conversation: [0] is the end that began it and what it sent. Or an endpoint: what it sent and what it got. */
struct tally_row {
    uint32_t flow; /* in the table's flows; of an endpoint: one that it has a part in */
    uint32_t
        flows; /* how many conversations it is made of; of an endpoint without ports: how many others it spoke to */
    uint64_t packets[2], bytes[2];
    int64_t first, last;
    uint8_t protocol; /* flow.protocol */
    bool flip, timed; /* flip: end 1 of the flow began, or is the endpoint */
};

struct tally_table {
    enum statistics_kind kind;
    bool endpoints;
    const struct flow_table *flows; /* where ends stand */
    struct tally_row *rows;         /* owned */
    uint32_t count;
    uint64_t *slots; /* owned; of endpoints: where their rows are found */
    unsigned bits;   /* 2^bits slots; 0: none */
};

/* Conversations or endpoints of a kind, in order of appearance. The statistics must outlive the table. Returns 0 or
 * ERROR_MEMORY; the caller closes in any case. */
int tally_table_open(struct tally_table *table, const struct statistics *statistics, enum statistics_kind kind,
                     bool endpoints);
void tally_table_close(struct tally_table *table);
/* An end of a row's; of an endpoint only end 0. */
void tally_party(const struct tally_table *table, const struct tally_row *row, unsigned end, struct party *party);
