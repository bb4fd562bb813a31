/* Each header of a packet drawn as its RFC draws it, 32 bits a row, with the values that it has. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "protocol/packet.h"

void diagram_write(struct buffer *out, const struct packet *packet, const struct style *style);
