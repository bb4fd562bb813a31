/* A packet as a tree for people: layers, fields, bits within fields, options. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "protocol/packet.h"

void tree_write(struct buffer *out, const struct packet *packet, const struct style *style);
