/* -T fields: the values of named fields, a line a packet, in tshark's shape. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "protocol/packet.h"
#include <stdbool.h>

enum occurrence { OCCURRENCE_ALL, OCCURRENCE_FIRST, OCCURRENCE_LAST };

struct fields_options {
    char separator, aggregator; /* tab and comma */
    char quote;                 /* 0: none */
    bool header;
    enum occurrence occurrence;
};

struct fields;

/* names: n fields, by abbreviation or shared name (ip.addr). Returns 0, ERROR_NOT_FOUND with the nearest name in the
 * sentence, ERROR_MEMORY. The caller frees with fields_close. */
int fields_open(struct fields **fields, const char *const *names, unsigned n, const struct fields_options *options,
                struct error *error);
/* Which of the tracker's notes the columns read: 1 << enum note_bit. */
uint64_t fields_notes(const struct fields *fields);
void fields_header(struct fields *fields, struct buffer *out);
void fields_write(struct fields *fields, struct buffer *out, const struct packet *packet);
void fields_close(struct fields *fields);
