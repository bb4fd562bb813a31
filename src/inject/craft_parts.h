/* What the files of craft share among themselves. */
#pragma once
#include "inject/craft.h"
#include "protocol/tlv.h"

/* A header in the making, a layer's or an option's: bytes, and which of their bits were decided by the user. */
struct region {
    const struct field *tables[2]; /* an option has rows of its own and those that all of its run have; NULL: none */
    const char *protocol;          /* what names are without */
    struct layer layer;            /* without flags: what the conditions of rows are asked with */
    uint8_t *header, *claimed;     /* owned; claimed has a bit for each bit of header */
    size_t length, room;
    size_t least;
    const struct span *base;     /* the bytes that an edited packet had; NULL: none, presets hold */
    const uint8_t *base_claimed; /* of them, what is kept whatever would be computed */
    struct forced *forced;       /* bits that a condition needs */
    unsigned forced_count;
};

struct forced {
    uint16_t bit, width;
    uint32_t value;
};

enum { FORCED_MAX = 16, MATCHES_MAX = 24 };

/* Puts presets and entries in; the header has then its length, but for what is computed. */
int region_fill(struct region *region, const struct craft_entry *entries, unsigned count, struct error *error);
void region_free(struct region *region);
struct place region_place(const struct region *region, const struct field *rows);
bool region_is_claimed(const struct region *region, uint32_t bit, uint32_t width);
void region_claim(struct region *region, uint32_t bit, uint32_t width);
/* Makes the header n bytes long; new ones are 0. Returns 0, ERROR_USAGE or ERROR_MEMORY. */
int region_resize(struct region *region, size_t n, struct error *error);
/* Writes a computed value unless the user did; whether it is there now. A row that hangs on its own bits is taken back
 * if it is not there with them. */
bool region_compute(struct region *region, const struct field *rows, const struct field *field, uint64_t value,
                    bool *fits);
/* What to a multiple of which the header's length is to be padded. */
size_t region_alignment(const struct region *region);

/* A run of options as bytes; *bytes is then the caller's to free. */
int options_build(const struct tlv_set *set, const char *protocol, const struct craft_value *list, uint8_t **bytes,
                  size_t *length, struct error *error);

/* DNS messages: names and records, which rows cannot put. */
enum { DNS_SECTIONS = 4 };
/* Whether a name stands for one of a message's sections, or a part of its question. */
bool dns_takes(const struct protocol *protocol, const char *name);
/* What stands behind the header, of those entries that dns_takes, and how many records each section has. *bytes is then
 * the caller's to free. Returns 0, ERROR_USAGE or ERROR_MEMORY. */
int dns_build(const struct protocol *protocol, const struct craft_entry *entries, unsigned count, uint8_t **bytes,
              size_t *length, uint16_t counts[DNS_SECTIONS], struct error *error);

/* A value as a row takes it. Its bytes lie in value or in scratch, which has CRAFT_PACKET_MAX of them, or 16 for a row
 * of numbers. Returns 0 or ERROR_USAGE. */
int craft_convert(const struct field *rows, const struct field *field, const struct craft_value *value,
                  struct value *out, uint8_t *scratch, struct error *error);
/* The name of a field as its layer calls it, without the protocol. */
const char *craft_short_name(const struct field *field, const char *protocol);
bool craft_copy_entries(struct craft_entry **copy, const struct craft_entry *entries, unsigned count);
bool craft_copy_value(struct craft_value *copy, const struct craft_value *value);
void craft_free_entries(struct craft_entry *entries, unsigned count);

/* What was set of a layer, for those who compare. */
struct craft_part {
    const struct protocol *protocol; /* NULL: bytes */
    struct span bytes;
    const struct craft_entry *entries;
    unsigned count;
};
struct craft_part craft_part(const struct craft *craft, unsigned layer);
