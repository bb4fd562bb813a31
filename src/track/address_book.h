/* Names of addresses, learnt from DNS answers in the capture itself or told by somebody who read them elsewhere. Nobody
 * is asked over the network.
 *
 * An answer's addresses get the name that was asked for, also where aliases (CNAME, RFC 1034, 3.6.2) lie between; what
 * a PTR record says counts less, what was told more. Of equals the latest counts. Packets may lie: these are names for
 * people, not proofs. Bounded: BOOK_MOST addresses; what comes then is not remembered. */
#pragma once
#include "protocol/packet.h"

enum {
    BOOK_MOST = 1 << 16,
    BOOK_NAME = 255, /* bytes of a name: RFC 1035, 2.3.4 */
};

enum book_source {
    BOOK_POINTER, /* a PTR record */
    BOOK_ANSWER,  /* an A or AAAA record */
    BOOK_TOLD,    /* a hosts file */
};

struct address_book;

/* NULL: no memory. */
struct address_book *address_book_open(void);
void address_book_close(struct address_book *book);

/* A packet that was dissected. */
void address_book_learn(struct address_book *book, const struct packet *packet);
/* An address of 4 or 16 bytes; the name is copied, as far as BOOK_NAME bytes. */
void address_book_tell(struct address_book *book, const uint8_t *address, unsigned size, const char *name, size_t n,
                       enum book_source source);
/* NULL: none is known. Whatever a packet held: escape it on the way out. Valid until the next name is learnt. */
const char *address_book_find(const struct address_book *book, const uint8_t *address, unsigned size);
