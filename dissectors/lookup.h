/* Fields by name: which rows of which tables a name stands for. A name may stand for several (ip.addr, ip.version). */
#pragma once
#include "protocol/protocol.h"

enum { RUNS_MAX = 4 }; /* runs of options within each other: records, messages, extensions, their lists */

struct field_ref {
    const struct protocol *protocol;
    const struct field *run; /* the options' row when the field is an option's, else NULL */
    const struct tlv *tlv;   /* the option; NULL with run set: one of the rows that every option has */
    struct {
        const struct field *run;
        const struct tlv *tlv;
    } outer[RUNS_MAX - 1];    /* where that run is itself in an option of another one: the runs around it, */
    unsigned depth;           /* so many of them, the outermost first */
    const struct field *rows; /* the table that field is a row of */
    const struct field *field;
};

/* Fills refs with up to `most` of them and returns how many there are. */
unsigned lookup_field(const char *name, struct field_ref *refs, unsigned most);
/* Calls back for every row there is, in the order of the tables; stops when the callback returns false. */
void lookup_each(bool (*each)(void *context, const struct field_ref *ref), void *context);
/* Calls back for each occurrence of what ref stands for in one layer of ref->protocol. */
void lookup_read(const struct field_ref *ref, const struct packet *packet, const struct layer *layer,
                 void (*found)(void *context, const struct field *field, const struct value *value), void *context);
/* What the tracker has to do so that ref can be read: bits 1 << enum note_bit, for tracker_levels(). */
uint64_t lookup_notes(const struct field_ref *ref);
