/* Runs of options, put together by the table that they are taken apart by. */
#include "base/nearest.h"
#include "base/text.h"
#include "inject/craft_parts.h"
#include <ctype.h>
#include <stdlib.h>

enum { NAME_MAX_TLV = 64 };

/* What an option is called where its table has no short name for it. */
static const char *tlv_name(const struct tlv *tlv, char name[NAME_MAX_TLV])
{
    if (tlv->name)
        return tlv->name;
    size_t n = 0;
    for (const char *c = tlv->title; *c && n < NAME_MAX_TLV - 1; c++) {
        if (isalnum((unsigned char)*c))
            name[n++] = (char)tolower((unsigned char)*c);
        else if (n && name[n - 1] != '_')
            name[n++] = '_';
    }
    while (n && name[n - 1] == '_')
        n--;
    name[n] = 0;
    return name;
}

static const struct tlv *by_name(const struct tlv_set *set, const char *name)
{
    char scratch[NAME_MAX_TLV];
    for (const struct tlv *t = set->kinds; t->title; t++)
        if (t[1].title && !strcmp(tlv_name(t, scratch), name))
            return t;
    return NULL;
}

static const struct tlv *by_kind(const struct tlv_set *set, uint64_t kind)
{
    const struct tlv *t = set->kinds;
    while (t->kind != kind && t[1].title)
        t++;
    return t;
}

static int no_such_option(const struct tlv_set *set, const char *protocol, const char *name, struct error *error)
{
    struct nearest nearest;
    static _Thread_local char names[64][NAME_MAX_TLV];
    unsigned i = 0;
    nearest_begin(&nearest, name);
    for (const struct tlv *t = set->kinds; t->title && t[1].title && i < 64; t++, i++)
        nearest_consider(&nearest, tlv_name(t, names[i]));
    if (nearest.best)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no option '%s'; did you mean '%s'?"), protocol, name,
                         nearest.best);
    return error_set(error, ERROR_NOT_FOUND, _("%s: no option '%s'"), protocol, name);
}

/* Whether a row is the number that says which option it is. */
static bool is_kind(const struct tlv_set *set, const struct field *f)
{
    return !f->bit && !f->after && f->width == set->kind_size * 8 && f->type == FIELD_UINT;
}

static const struct field *own_rows(const struct tlv_set *set, const struct tlv *tlv)
{
    return tlv->fields ? tlv->fields : set->common;
}

/* The first option that has fields of all these names. */
static const struct tlv *with_all(const struct tlv_set *set, const char *protocol, const struct craft_value *fields)
{
    for (const struct tlv *t = set->kinds; t->title; t++) {
        const struct field *found[1];
        unsigned i = 0;
        while (i < fields->count && fields->entries[i].name && t->fields &&
               craft_match(t->fields, protocol, fields->entries[i].name, true, found, 1))
            i++;
        if (i == fields->count && i)
            return t;
    }
    return NULL;
}

/* The option that a list of fields names by its kind, if it does: what rows its other fields are rows of. */
static const struct tlv *by_fields(const struct tlv_set *set, const char *protocol, const struct craft_value *fields)
{
    const struct field *rows = set->common ? set->common : set->kinds->fields;
    const struct tlv *any = by_kind(set, SIZE_MAX);
    if (set->head || !rows)
        return NULL;
    for (unsigned i = 0; i < fields->count; i++) {
        const struct craft_entry *e = &fields->entries[i];
        const struct field *found[MATCHES_MAX];
        if (!e->name)
            continue;
        unsigned n = craft_match(rows, protocol, e->name, true, found, MATCHES_MAX);
        for (unsigned k = 0; k < n; k++)
            if (is_kind(set, found[k]) && e->value.kind == CRAFT_NUMBER && e->value.number >= 0)
                return by_kind(set, (uint64_t)e->value.number);
        if (n && any == set->kinds)
            return any; /* all are of one kind */
    }
    return set->kinds[1].title ? with_all(set, protocol, fields) : set->kinds;
}

static int pad(struct region *r, size_t unit, size_t from, struct error *error)
{
    size_t over = r->length > from ? (r->length - from) % unit : 0;
    return over ? region_resize(r, r->length + unit - over, error) : 0;
}

static void put_head(struct region *r, size_t at, size_t size, uint64_t value)
{
    const struct field row = { .type = FIELD_UINT, .bit = (uint16_t)(at * 8), .width = (uint16_t)(size * 8) };
    struct place place = region_place(r, NULL);
    if (!region_is_claimed(r, row.bit, row.width))
        field_put(&row, &place, 0, r->header, &(struct value){ .u = value });
}

/* The length that a record's own row tells, for sets that have none in front of each option. */
static void tell_length(struct region *r)
{
    for (unsigned t = 0; t < 2 && r->tables[t]; t++)
        for (const struct field *f = r->tables[t]; f->abbrev; f++) {
            bool fits;
            if (f->role == ROLE_LENGTH && f->counts == COUNTS_ALL)
                region_compute(r, r->tables[t], f, r->length - f->less, &fits);
        }
}

static size_t unit_of_record(const struct region *r)
{
    for (unsigned t = 0; t < 2 && r->tables[t]; t++)
        for (const struct field *f = r->tables[t]; f->abbrev; f++)
            if (f->role == ROLE_LENGTH && f->counts == COUNTS_ALL && f->unit)
                return f->unit;
    return 1;
}

/* Kind and length of an option whose fields are in. */
static int finish(struct region *r, const struct tlv_set *set, const struct tlv *tlv, struct error *error)
{
    size_t head = (size_t)set->kind_size + set->length_size;
    bool known = tlv[1].title;
    if (known && !set->head)
        put_head(r, 0, set->kind_size, tlv->kind);
    if (set->measure) {
        int code = pad(r, unit_of_record(r), 0, error);
        tell_length(r);
        return code;
    }
    if (tlv->alone)
        return 0;
    int code = pad(r, set->unit, head - set->included, error);
    if (code)
        return code;
    size_t length = (r->length - (head - set->included)) / set->unit;
    if (length >> 8 * set->length_size && !region_is_claimed(r, set->kind_size * 8u, set->length_size * 8u))
        return error_set(error, ERROR_USAGE, _("%s: an option of %zu bytes is too long"), r->protocol, r->length);
    put_head(r, set->kind_size, set->length_size, length);
    return 0;
}

static int build_one(const struct tlv_set *set, const struct tlv *tlv, const char *protocol,
                     const struct craft_value *value, struct region *r, struct error *error)
{
    struct craft_entry alone = { NULL, *value }; /* a single value: the option's first field */
    const struct craft_entry *entries = &alone;
    unsigned count = value->kind != CRAFT_BOOLEAN;
    if (value->kind == CRAFT_LIST) {
        entries = value->entries;
        count = value->count;
    }
    size_t head = (size_t)set->kind_size + set->length_size;
    *r = (struct region){ .tables = { set->common ? set->common : own_rows(set, tlv), NULL },
                          .protocol = protocol,
                          .least = set->measure ? 0
                                   : tlv->alone ? set->kind_size
                                                : head };
    if (set->common)
        r->tables[1] = tlv->fields;
    int code = region_fill(r, entries, count, error);
    if (!code && tlv->alone && r->length > set->kind_size)
        code = region_resize(r, set->kind_size, error);
    return code ? code : finish(r, set, tlv, error);
}

static int add(const struct tlv_set *set, const struct tlv *tlv, const char *protocol, const struct craft_value *value,
               uint8_t **bytes, size_t *length, struct error *error)
{
    struct region r = { 0 };
    struct span made = { (const uint8_t *)value->bytes, value->length };
    int code = 0;
    if (tlv) {
        code = build_one(set, tlv, protocol, value, &r, error);
        made = (struct span){ r.header, r.length };
    }
    if (!code && *length + made.left > CRAFT_PACKET_MAX)
        code = error_set(error, ERROR_USAGE, _("%s: more options than a packet holds"), protocol);
    if (!code && made.left) {
        memcpy(*bytes + *length, made.at, made.left);
        *length += made.left;
    }
    region_free(&r);
    return code;
}

/* { mss = 1460 } among others that are told by their place. */
static const struct tlv *wrapped(const struct tlv_set *set, const struct craft_value *value)
{
    bool single = value->kind == CRAFT_LIST && value->count == 1 && value->entries[0].name;
    return single ? by_name(set, value->entries[0].name) : NULL;
}

static int add_entry(const struct tlv_set *set, const char *protocol, const struct craft_entry *e, uint8_t **bytes,
                     size_t *length, struct error *error)
{
    const struct craft_value none = { .kind = CRAFT_BOOLEAN, .number = 1 }, *value = &e->value;
    const struct tlv *tlv = NULL;
    if (e->name) {
        if (!(tlv = by_name(set, e->name)))
            return no_such_option(set, protocol, e->name, error);
        if (value->kind == CRAFT_BOOLEAN && !value->number)
            return 0; /* sack_perm=false */
    } else if (value->kind == CRAFT_TEXT) {
        if (!(tlv = by_name(set, value->bytes)))
            return no_such_option(set, protocol, value->bytes, error);
        value = &none;
    } else if ((tlv = wrapped(set, value))) {
        value = &value->entries[0].value;
    } else if (value->kind == CRAFT_LIST) {
        tlv = by_fields(set, protocol, value);
        if (!tlv)
            return error_set(error, ERROR_USAGE, _("%s: an option without its kind"), protocol);
    } else if (value->kind != CRAFT_BYTES) {
        return error_set(error, ERROR_USAGE, _("%s: this is not an option"), protocol);
    }
    return add(set, tlv, protocol, value, bytes, length, error);
}

/* Named ones come in the order of the table, whatever the order they were named in; the others in their own, first. */
int options_build(const struct tlv_set *set, const char *protocol, const struct craft_value *list, uint8_t **bytes,
                  size_t *length, struct error *error)
{
    char scratch[NAME_MAX_TLV];
    int code = 0;
    *length = 0;
    *bytes = malloc(CRAFT_PACKET_MAX);
    if (!*bytes)
        return error_set(error, ERROR_MEMORY, _("no memory"));
    for (unsigned i = 0; i < list->count && !code; i++)
        if (!list->entries[i].name || !by_name(set, list->entries[i].name))
            code = add_entry(set, protocol, &list->entries[i], bytes, length, error);
    for (const struct tlv *t = set->kinds; t->title && !code; t++)
        for (unsigned i = 0; i < list->count && !code; i++)
            if (list->entries[i].name && !strcmp(list->entries[i].name, tlv_name(t, scratch)) && t[1].title)
                code = add_entry(set, protocol, &list->entries[i], bytes, length, error);
    if (code) {
        free(*bytes);
        *bytes = NULL;
    }
    return code;
}
