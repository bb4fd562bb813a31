/* Packets as patterns: what is set in them is what another one must have. */
#include "base/text.h"
#include "dissectors/registry.h"
#include "inject/craft_parts.h"
#include <stdlib.h>

static bool is_number(const struct field *f)
{
    return f->type == FIELD_UINT || f->type == FIELD_UINT_LE || f->type == FIELD_BOOL || f->type == FIELD_IPV4;
}

static bool same_value(const struct field *f, const struct value *wanted, const struct value *got)
{
    if (is_number(f))
        return wanted->u == got->u;
    if (f->type == FIELD_NONE)
        return true;
    return wanted->bytes.left == got->bytes.left && !memcmp(wanted->bytes.at, got->bytes.at, wanted->bytes.left);
}

/* Whether each option that is wanted occurs in the run as it would be written. */
static bool has_options(const struct field *f, const char *protocol, const struct craft_value *wanted, struct span run)
{
    for (unsigned i = 0; i < wanted->count; i++) {
        struct craft_value one = { .kind = CRAFT_LIST, .entries = &wanted->entries[i], .count = 1 };
        struct span rest = run;
        struct option option;
        uint8_t *bytes;
        size_t n;
        bool found = false;
        if (options_build(f->tlvs, protocol, &one, &bytes, &n, NULL))
            return false;
        while (!found && tlv_next(f->tlvs, &rest, &option))
            found = option.bytes.left == n && !memcmp(option.bytes.at, bytes, n);
        free(bytes);
        if (!found)
            return false;
    }
    return true;
}

/* Whether one of the rows that the name stands for has the value. */
static bool has_value(const struct place *place, const char *protocol, const struct craft_entry *e, uint8_t *scratch)
{
    const struct field *found[MATCHES_MAX];
    unsigned n = craft_match(place->rows, protocol, e->name, true, found, MATCHES_MAX);
    for (unsigned i = 0; i < n; i++) {
        struct value wanted, got;
        struct field plain = *found[i];
        plain.adjust = NULL;
        bool listed = plain.type == FIELD_TLVS && e->value.kind == CRAFT_LIST;
        if (!listed && craft_convert(place->rows, found[i], &e->value, &wanted, scratch, NULL))
            continue;
        for (unsigned turn = 0; field_read(&plain, place, turn, &got); turn++) {
            if (listed ? has_options(&plain, protocol, &e->value, got.bytes) : same_value(&plain, &wanted, &got))
                return true;
            if (!plain.stride)
                break;
        }
    }
    return false;
}

/* Whether a message holds the records as they would be written. */
static bool has_section(const struct protocol *protocol, const struct craft_entry *entry, struct span message)
{
    uint16_t counts[DNS_SECTIONS];
    uint8_t *bytes;
    size_t n;
    if (dns_build(protocol, entry, 1, &bytes, &n, counts, NULL))
        return false;
    bool found = !n || memmem(message.at, message.left, bytes, n);
    free(bytes);
    return found;
}

static bool has_all(const struct packet *p, const struct layer *l, const struct craft_entry *entries, unsigned count,
                    uint8_t *scratch)
{
    struct place place = { .packet = p, .layer = l, .rows = l->protocol->fields, .bytes = layer_header(p, l) };
    for (unsigned i = 0; i < count; i++)
        if (dns_takes(l->protocol, entries[i].name) ? !has_section(l->protocol, &entries[i], place.bytes)
                                                    : !has_value(&place, l->protocol->name, &entries[i], scratch))
            return false;
    return true;
}

static bool carries(const struct packet *p, unsigned layer, struct span wanted)
{
    if (!layer)
        return false;
    struct span got = layer_payload(p, &p->layers[layer - 1]);
    return got.left >= wanted.left && !memcmp(got.at, wanted.at, wanted.left);
}

int craft_matches(const struct craft *pattern, const struct packet *p, struct error *error)
{
    uint8_t *scratch = malloc(CRAFT_PACKET_MAX);
    unsigned at = 0;
    bool good = true;
    if (!scratch)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    for (unsigned i = 0; i < craft_layer_count(pattern) && good; i++) {
        struct craft_part part = craft_part(pattern, i);
        if (!part.protocol) {
            good = carries(p, at, part.bytes);
            continue;
        }
        while (at < p->layer_count && !(p->layers[at].protocol == part.protocol &&
                                        has_all(p, &p->layers[at], part.entries, part.count, scratch)))
            at++;
        good = at < p->layer_count;
        at++;
    }
    free(scratch);
    return good;
}
