/* The two ends of a conversation, the client first, as ladders, streams and stories show them. */
#pragma once
#include "protocol/packet.h"

enum { ENDS_NAME = 64, ENDS_SHOWN = 128 };

struct names;

struct ends {
    bool known, tcp;
    uint8_t size;           /* of addresses: 4 or 16 */
    uint8_t address[2][16]; /* network byte order */
    uint16_t port[2];
    char name[2][ENDS_NAME];   /* "10.0.0.1:80", "[2001:db8::1]:80" */
    char shown[2][ENDS_SHOWN]; /* the same, until ends_call */
};

void ends_set(struct ends *ends, bool tcp, uint8_t size, const uint8_t *client, uint16_t client_port,
              const uint8_t *server, uint16_t server_port);
/* Shows the names of both ends, "www.example.org:https", escaped, where there are some that have room. */
void ends_call(struct ends *ends, const struct names *names);
/* From a TCP or UDP layer, unless they are known. The client is who sends a SYN, or who does not send a SYN ACK, or
 * else whoever speaks first. */
void ends_learn(struct ends *ends, const struct packet *packet, const struct layer *layer);
/* Which end an address is; -1: none of them. */
int ends_address(const struct ends *ends, const uint8_t *address, unsigned size);
/* Who sent the layer: 0 the client, 1 the server. */
unsigned ends_sender(const struct ends *ends, const struct packet *packet, const struct layer *layer);
