/* Options: type, length, value, one after another. One walker serves TCP and IPv4 (RFC 9293, 3.1; RFC 791, 3.1), IPv6
 * (RFC 8200, 4.2), NDP (RFC 4861, 4.6) and their like; each turn of it advances or stops. */
#pragma once
#include "protocol/field.h"
#include "protocol/packet.h"

struct tlv {
    uint16_t kind;
    const char *title;          /* NULL ends the array; this last row stands for kinds that are not known */
    const struct field *fields; /* rows over the whole option, kind and length included; see head below */
    bool alone;                 /* no length and no value: NOP */
    bool stop;                  /* the last option: what follows is padding */
    uint8_t exact;    /* its rows are read only if its length (a byte, behind a kind of one) says so; 0: always */
    const char *name; /* in crafting; NULL: its title's words, in small letters and joined with _ */
};

struct tlv_set {
    uint8_t kind_size, length_size; /* bytes, 1 or 2 each */
    uint8_t unit;                   /* the length counts units of so many bytes */
    uint8_t included;               /* so many bytes in front of the value does the length count */
    /* For records that hold counts instead of a length (IGMPv3 and MLDv2 group records): how long the first one of
     * the run is, 0 if it is broken. NULL: the length is where length_size says. */
    size_t (*measure)(struct span run);
    /* For records whose kind stands behind something of its own length (DNS: a name): tells the kind of one that is
     * whole, and how many of its bytes come before those that the rows of its kind count from. */
    size_t (*head)(struct span record, size_t *kind);
    const struct field *common; /* rows that every option has: kind, length. alone ones are cut off there. */
    const struct tlv *kinds;
};

struct option {
    const struct tlv *tlv; /* never NULL */
    struct span bytes;     /* the whole option; never empty */
    size_t head;           /* so many bytes in front of what the rows of its kind count from: 0 without set->head */
    bool broken;           /* its length is less than its own head or reaches beyond the run; it is the last then */
};

/* Whether the rows of its kind are read: of a broken one if the capture cut it off, or if its header reaches beyond
 * what encloses it and the option's own length is right. */
static inline bool option_has_rows(const struct option *option, const struct layer *layer)
{
    uint8_t exact = option->tlv->exact;
    if (!option->tlv->fields || (exact && option->bytes.left > 1 && option->bytes.at[1] != exact))
        return false;
    return !option->broken || layer->verdict == VERDICT_CUT || (exact && layer->verdict == VERDICT_BROKEN);
}

/* Takes the next option off the run. False when the run is empty. After a broken or a last option the run is empty. */
bool tlv_next(const struct tlv_set *set, struct span *run, struct option *option);
