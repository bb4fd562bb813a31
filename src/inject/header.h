/* Headers written through their protocols' tables, by the names of fields. For what is written once (ARP, a template)
 * there is header_put; for what is written with each packet a slot is looked up once and filled ever after.
 *
 * The names are peel's own: one that no table has is a mistake in this program, and ends it. */
#pragma once
#include "base/address.h"
#include "protocol/protocol.h"
#include "protocol/tlv.h"

struct header {
    const struct protocol *protocol;
    uint8_t *bytes;
    size_t length;
};

/* Where a field lies, in bits from the header's (or option's) start. */
struct slot {
    uint32_t bit, width;
};

/* A header of a protocol by Wireshark's name, its bytes set to 0. */
struct header header_begin(const char *protocol, uint8_t *bytes, size_t length);
/* Numbers, IPv4 addresses among them (host byte order). What a row's condition reads is to be written before it. */
void header_put(const struct header *header, const char *name, uint64_t value);
void header_put_bytes(const struct header *header, const char *name, const uint8_t *bytes, size_t n);
/* Reads it: what dissecting would show. False: absent, or beyond what is there. */
bool header_get(const struct header *header, const char *name, struct value *value);
struct slot header_slot(const struct header *header, const char *name);

/* Whole bytes, 1, 2 or 4 of them. */
void slot_put(uint8_t *header, struct slot slot, uint32_t value);
uint32_t slot_get(const uint8_t *header, struct slot slot);

/* An option of a protocol's, found by the name of a field of it: its kind, its head, and where values lie. */
struct option_form {
    const struct tlv_set *set;
    uint16_t kind;
    uint8_t head[4]; /* kind and length as they are written where the option is `length` bytes long */
    uint8_t head_size;
    uint8_t length;       /* with one turn of values; without, where they reach to the end */
    struct slot value[2]; /* of the rows of its own, as far as there are */
    uint8_t stride;
};

/* options: the name of the field that the run of options is (tcp.options). */
struct option_form option_find(const char *protocol, const char *options, const char *name);
/* Writes the head of an option of so many bytes; returns where the next one begins. */
uint8_t *option_put(const struct option_form *form, uint8_t *at, size_t length);
