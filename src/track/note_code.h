/* Notes in few bytes, for the journal. Whole: what is there, then each member as a number of seven bits a byte, the
 * lowest first. Short: of what the packet itself, the journal's word and the conversation's constants (where its
 * numbers begin, scales, first time, round trip of the handshake) tell only that they tell it; which members are there,
 * and which of them are told, is a shape, and shapes have numbers. An ordinary segment takes about ten bytes.
 *
 * Memory: 32 bytes a conversation, of at most NOTE_CODE_CONVERSATIONS of each protocol; later ones are written out. */
#pragma once
#include "protocol/packet.h"
#include "track/journal.h"

enum {
    NOTE_CODE_CONVERSATIONS = 1 << 20,
    NOTE_CODE_ROOM = 256, /* the most that a note takes, bytes */
    NOTE_CODE_SHAPES = 4096,
};

struct note_code;

struct note_code *note_code_open(void); /* NULL: no memory */
void note_code_close(struct note_code *code);

uint8_t *number_put(uint8_t *to, uint64_t value);
uint64_t number_pull(struct span *from);

/* The whole of a note on packet number `packet`. */
uint8_t *note_put(uint8_t *to, const struct note *note, uint64_t packet);
void note_pull(struct span *from, struct note *note, uint64_t packet);

/* The only note of a packet, on p->layers[layer], short: its shape's number and then what is left to say. At most
 * NOTE_CODE_ROOM bytes; first: what is added to the number. NULL: it has to be written whole. */
uint8_t *note_put_short(struct note_code *code, uint8_t *to, unsigned first, const struct packet *p, unsigned layer,
                        const struct journal_word *word);
/* p, dissected as it was then, gets the note; NULL: it is passed over. False: it breaks off, or there is no such
 * shape. */
bool note_pull_short(const struct note_code *code, struct span *from, uint64_t shape, struct packet *p,
                     const struct journal_word *word);
