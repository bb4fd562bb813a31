/* Which question a message answers, and how long that took: `turn` of its protocol says what it is; the conversation's
 * stream number (below TCP and UDP, the two addresses) and the question's own number (DNS's id, a ping's identifier and
 * sequence number; for HTTP, which has none, its turn) pair the two.
 *
 * One table of ANSWERS_ROOM questions in all, 32 bytes each; where it is full the one asked first of a few gives way,
 * and its answer has no question. A question that is asked again before its answer counts from the first time, as in
 * tshark, unless five seconds have gone. */
#pragma once
#include "protocol/packet.h"

enum { ANSWERS_ROOM = 1 << 15 };

struct answers;

struct answers *answers_open(void); /* NULL: no memory */
void answers_close(struct answers *answers);

/* A packet whose segments and datagrams have their notes: messages that answer get one, with NOTE_ANSWERS. */
void answers_take(struct answers *answers, struct packet *packet);
