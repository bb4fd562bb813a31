/* Messages of application protocols over TCP: a segment's payload is cut into those that it holds, and one that goes on
 * in other segments is put together and dissected in the packet that completes it, as tshark (4.0) does it.
 *
 * Nothing is known of a conversation until a protocol claims it: by port, or, where none does or it will not, by the
 * looks of a segment. A message that lies whole in its segment is dissected where it lies, without a copy. Of one that
 * does not, an assembly keeps up to MESSAGE_KEPT bytes; of what lies behind them only how far it came: bodies of any
 * length cost no more. Each protocol's `frame` says where its messages end.
 *
 * Bytes are taken in the order captured: what is missing in a message is waited for (up to ASSEMBLIES of them in a
 * direction, each with up to HOLES pieces out of order), what was there before is left as data. Bounded by
 * MESSAGES_BYTES in all; beyond that the message that has waited the longest for its next byte is given up. */
#pragma once
#include "protocol/packet.h"
#include "protocol/protocol.h"

enum {
    MESSAGE_KEPT = 1 << 17,
    MESSAGES_BYTES = 32 << 20,
    ASSEMBLIES = 4,
    HOLES = 32,
    MESSAGE_GAPS = 4,
};

struct messages;

/* NULL: no memory. */
struct messages *messages_open(void);
void messages_close(struct messages *messages);
/* Holds at most so many bytes, in place of MESSAGES_BYTES. */
void messages_limit(struct messages *messages, size_t most);

/* Before the first segment of a packet: what was handed on with the last packet may go. */
void messages_begin(struct messages *messages);
/* A segment of the conversation in the flow table's entry `flow` that `end` sent; may add layers and buffers to the
 * packet, good until messages_begin. */
void messages_take(struct messages *messages, struct packet *packet, const struct layer *tcp, uint32_t flow,
                   unsigned end)
    __attribute__((noinline)); /* in the tracker's loop it would cost those who do not ask */
/* The conversation is about to be forgotten. */
void messages_drop(struct messages *messages, uint32_t flow);

/* Bytes kept. */
size_t messages_bytes(const struct messages *messages);
/* How many messages were given up because too much of them, or too many pieces, would have had to be kept. */
uint64_t messages_lost(const struct messages *messages);
