/* What earlier packets tell of a TCP segment or an answer, as the end of a line says it: " · retransmission of 15,
 * 204 ms later", " · answers 12, 23 ms later". */
#pragma once
#include "base/buffer.h"
#include "protocol/packet.h"

/* Notes that make a remark: 1 << enum note_bit. */
extern const uint64_t remarks_notes;

void remarks_write(struct buffer *out, const struct note *note, bool ascii);
