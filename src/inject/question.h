/* Who answers whom: what of a packet that is sent its answer must have. An answer is the same conversation from the
 * other end (addresses, ports, the numbers of a ping), or an ICMP error about it, which quotes the question. */
#pragma once
#include "protocol/packet.h"

struct question {
    bool addressed, ported, numbered, is_arp;
    uint8_t size, source[16], destination[16];
    uint8_t protocol; /* of the ports or the numbers: the layer's first key in IP's space */
    uint16_t source_port, destination_port;
    uint16_t ident, seq;
    uint16_t kind; /* of a ping, of ARP: what asks and what answers differ in it */
    const struct protocol *top;
};

/* What a packet that came in says, and what the packet asked that it quotes, if it is an error. */
struct answer {
    struct question said, quoted;
};

/* False: it has no addresses, so that nobody answers it. */
bool question_read(struct question *question, const struct packet *packet);
/* More than one may answer: it goes to a multicast or broadcast address. */
bool question_to_all(const struct question *question);
/* Of a layer, the field that tells one question from the next, in crafting's words; NULL: it has none. */
const char *question_counter(const struct protocol *protocol);

void answer_read(struct answer *answer, const struct packet *packet);
bool answer_fits(const struct answer *answer, const struct question *question);
