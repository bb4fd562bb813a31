/* Bytes in hex and as ASCII, sixteen a line, their offsets in the packet in front. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "protocol/packet.h"

/* From the network layer on, or with the link header; then what was reassembled, each headed by a line. */
void hex_write(struct buffer *out, const struct packet *packet, bool link, const struct style *style);
