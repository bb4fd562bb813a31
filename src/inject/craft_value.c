/* What users give for fields: its kinds, the rows that names stand for, and values as rows take them. */
#include "base/address.h"
#include "base/text.h"
#include "inject/craft_parts.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { ADDRESS6 = 16, ADDRESS_MAC = 6, WORD_MAX = 64 };

void craft_free_entries(struct craft_entry *entries, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free(entries[i].name);
        craft_value_free(&entries[i].value);
    }
    free(entries);
}

void craft_value_free(struct craft_value *value)
{
    free(value->bytes);
    craft_free_entries(value->entries, value->count);
    *value = (struct craft_value){ 0 };
}

bool craft_value_bytes(struct craft_value *value, const void *bytes, size_t n)
{
    char *copy = malloc(n + 1);
    if (!copy)
        return false;
    if (n)
        memcpy(copy, bytes, n);
    copy[n] = 0;
    *value = (struct craft_value){ .kind = CRAFT_BYTES, .bytes = copy, .length = n };
    return true;
}

bool craft_value_text(struct craft_value *value, const char *text)
{
    bool made = craft_value_bytes(value, text, strlen(text));
    value->kind = CRAFT_TEXT;
    return made;
}

bool craft_value_add(struct craft_value *list, const char *name, struct craft_value *added)
{
    struct craft_entry *entries = realloc(list->entries, (list->count + 1) * sizeof *entries);
    char *copy = name ? strdup(name) : NULL;
    if (entries)
        list->entries = entries;
    if (!entries || (name && !copy)) {
        free(copy);
        craft_value_free(added);
        return false;
    }
    list->kind = CRAFT_LIST;
    entries[list->count++] = (struct craft_entry){ copy, *added };
    *added = (struct craft_value){ 0 };
    return true;
}

bool craft_copy_value(struct craft_value *copy, const struct craft_value *value)
{
    *copy = (struct craft_value){ .kind = value->kind, .number = value->number };
    if (value->bytes) {
        if (!craft_value_bytes(copy, value->bytes, value->length))
            return false;
        copy->kind = value->kind;
    }
    if (!craft_copy_entries(&copy->entries, value->entries, value->count)) {
        craft_value_free(copy);
        return false;
    }
    copy->count = value->count;
    return true;
}

bool craft_copy_entries(struct craft_entry **copy, const struct craft_entry *entries, unsigned count)
{
    *copy = NULL;
    if (!count)
        return true;
    struct craft_entry *made = calloc(count, sizeof *made);
    if (!made)
        return false;
    for (unsigned i = 0; i < count; i++) {
        made[i].name = entries[i].name ? strdup(entries[i].name) : NULL;
        if ((entries[i].name && !made[i].name) || !craft_copy_value(&made[i].value, &entries[i].value)) {
            craft_free_entries(made, count);
            return false;
        }
    }
    *copy = made;
    return true;
}

const char *craft_short_name(const struct field *f, const char *protocol)
{
    size_t n = strlen(protocol);
    if (!strncmp(f->abbrev, protocol, n) && f->abbrev[n] == '.')
        return f->abbrev + n + 1;
    const char *dot = strchr(f->abbrev, '.');
    return dot ? dot + 1 : f->abbrev;
}

static bool is_joint(char c)
{
    return c == '.' || c == '_';
}

/* n characters, with _ for . and the other way round. */
static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && !(is_joint(a[i]) && is_joint(b[i])))
            return false;
    return true;
}

/* How well a row's name answers to a name: 0 exactly, 1 begins with it, 2 ends with it. */
static unsigned likeness(const char *row, const char *name)
{
    size_t r = strlen(row), n = strlen(name);
    if (r < n)
        return CRAFT_UNLIKE;
    if (same_name(row, name, n))
        return r == n ? 0 : is_joint(row[n]) ? 1 : CRAFT_UNLIKE;
    return r > n && is_joint(row[r - n - 1]) && same_name(row + r - n, name, n) ? 2 : CRAFT_UNLIKE;
}

unsigned craft_likeness(const struct field *f, const char *protocol, const char *name)
{
    return !strcmp(f->abbrev, name) ? 0 : likeness(craft_short_name(f, protocol), name);
}

static bool has_place(const struct field *f)
{
    return !f->note_bit && (!f->read || f->bit || f->width) && !f->only && f->type != FIELD_DURATION;
}

unsigned craft_match(const struct field *rows, const char *protocol, const char *name, bool in_header,
                     const struct field **matches, unsigned most)
{
    unsigned count = 0;
    bool exact = false;
    for (unsigned like = 0; like < CRAFT_UNLIKE && !count && !(exact && like > 1); like++) {
        for (const struct field *f = rows; f->abbrev; f++) {
            unsigned best = craft_likeness(f, protocol, name);
            exact |= !best;
            if (best == like && (!in_header || has_place(f)) && count < most)
                matches[count++] = f;
        }
    }
    return count;
}

static int not_for(const struct field *f, const struct craft_value *v, const char *wanted, struct error *error)
{
    if (v->kind == CRAFT_TEXT)
        return error_set(error, ERROR_USAGE, _("%s: '%s' is not %s"), f->abbrev, v->bytes, wanted);
    if (v->kind == CRAFT_NUMBER)
        return error_set(error, ERROR_USAGE, _("%s: %lld is not %s"), f->abbrev, (long long)v->number, wanted);
    return error_set(error, ERROR_USAGE, _("%s: this is not %s"), f->abbrev, wanted);
}

/* A whole number, decimal or with 0x. */
static bool text_to_number(const char *text, uint64_t *number)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    *number = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
    return !*end && !errno;
}

/* Whether inner is a flag within outer. */
static bool lies_within(const struct field *inner, const struct field *outer)
{
    return inner->type == FIELD_BOOL && inner->width == 1 && inner->after == outer->after && has_place(inner) &&
           inner->bit >= outer->bit && inner->bit < outer->bit + outer->width;
}

static uint64_t flag_value(const struct field *inner, const struct field *outer)
{
    return UINT64_C(1) << (outer->bit + outer->width - 1 - inner->bit);
}

/* One flag by its name ("syn"). */
static bool add_flag(const struct field *rows, const struct field *f, const char *word, size_t n, uint64_t *number)
{
    for (const struct field *row = rows; row->abbrev; row++) {
        const char *last = strrchr(row->abbrev, '.');
        if (!last || !lies_within(row, f) || strlen(last + 1) != n || strncasecmp(last + 1, word, n) != 0)
            continue;
        *number |= flag_value(row, f);
        return true;
    }
    return false;
}

/* Letters of flags ("SA"). */
static bool add_letters(const struct field *rows, const struct field *f, const char *text, uint64_t *number)
{
    for (; *text; text++) {
        const struct field *row = rows;
        while (row->abbrev && !(row->letter && toupper((unsigned char)*text) == row->letter && lies_within(row, f)))
            row++;
        if (!row->abbrev)
            return false;
        *number |= flag_value(row, f);
    }
    return true;
}

/* "SA", "syn,ack". */
static bool text_to_flags(const struct field *rows, const struct field *f, const char *text, uint64_t *number)
{
    *number = 0;
    if (f->width > 63)
        return false;
    if (add_letters(rows, f, text, number))
        return true;
    *number = 0;
    for (;;) {
        size_t n = strcspn(text, ",+| ");
        if (!add_flag(rows, f, text, n, number))
            return false;
        if (!text[n])
            return true;
        text += n + 1;
    }
}

static bool text_to_name(const struct field *f, const char *text, uint64_t *number)
{
    for (const struct value_name *n = f->names; n && n->name; n++)
        if (!strcasecmp(n->name, text)) {
            *number = n->value;
            return true;
        }
    return false;
}

static bool list_to_flags(const struct field *rows, const struct field *f, const struct craft_value *list,
                          uint64_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < list->count; i++) {
        const struct craft_entry *e = &list->entries[i];
        const char *word = e->name ? e->name : e->value.kind == CRAFT_TEXT ? e->value.bytes : "";
        uint64_t ignored = 0, *into = e->name && !e->value.number ? &ignored : number;
        if (f->width > 63 || (e->name && e->value.kind != CRAFT_BOOLEAN) ||
            !add_flag(rows, f, word, strlen(word), into))
            return false;
    }
    return true;
}

static int to_number(const struct field *rows, const struct field *f, const struct craft_value *v, uint64_t *number,
                     struct error *error)
{
    switch (v->kind) {
    case CRAFT_BOOLEAN:
        *number = (uint64_t)v->number;
        return 0;
    case CRAFT_NUMBER:
        *number = (uint64_t)v->number;
        if (v->number < 0 && f->width < 64)
            return not_for(f, v, _("0 or more"), error);
        return 0;
    case CRAFT_TEXT:
        if (text_to_number(v->bytes, number) || text_to_name(f, v->bytes, number) ||
            text_to_flags(rows, f, v->bytes, number))
            return 0;
        return not_for(f, v, f->names ? _("a number or a name that it has") : _("a number"), error);
    case CRAFT_LIST:
        if (list_to_flags(rows, f, v, number))
            return 0;
        return not_for(f, v, _("a list of flags"), error);
    case CRAFT_BYTES:
        break;
    }
    return not_for(f, v, _("a number"), error);
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1;
}

/* Pairs of hex digits, with or without : or spaces between them. */
static bool text_to_bytes(const char *text, uint8_t *bytes, size_t room, size_t *n)
{
    *n = 0;
    while (*text) {
        if (*n && (*text == ':' || *text == ' ' || *text == '-'))
            text++;
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || *n == room)
            return false;
        bytes[(*n)++] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return true;
}

/* An address, as text or as its bytes. */
static int to_address(const struct field *f, const struct craft_value *v, struct value *out, uint8_t *scratch,
                      struct error *error)
{
    bool good = false, text = v->kind == CRAFT_TEXT;
    size_t size = f->type == FIELD_IPV4 ? 4 : f->type == FIELD_IPV6 ? ADDRESS6 : ADDRESS_MAC;
    uint32_t address = 0;
    if (text && f->type == FIELD_IPV4)
        good = parse_ipv4(v->bytes, &address);
    else if (text && f->type == FIELD_IPV6)
        good = parse_ipv6(v->bytes, scratch);
    else if (text)
        good = parse_mac(v->bytes, scratch);
    else if (v->kind == CRAFT_BYTES && v->length == size)
        good = memcpy(scratch, v->bytes, size);
    else if (v->kind == CRAFT_NUMBER && f->type == FIELD_IPV4 && v->number >= 0 && v->number <= UINT32_MAX)
        good = true, address = (uint32_t)v->number;
    if (!good)
        return not_for(f, v,
                       f->type == FIELD_IPV4   ? _("an IPv4 address")
                       : f->type == FIELD_IPV6 ? _("an IPv6 address")
                                               : _("a MAC address"),
                       error);
    if (f->type == FIELD_IPV4)
        out->u = v->kind == CRAFT_BYTES ? load_be32(scratch) : address;
    else
        out->bytes = (struct span){ scratch, size };
    return 0;
}

int craft_convert(const struct field *rows, const struct field *f, const struct craft_value *v, struct value *out,
                  uint8_t *scratch, struct error *error)
{
    *out = (struct value){ 0 };
    switch (f->type) {
    case FIELD_IPV4:
    case FIELD_IPV6:
    case FIELD_MAC:
        return to_address(f, v, out, scratch, error);
    case FIELD_TEXT:
        if (v->kind != CRAFT_TEXT && v->kind != CRAFT_BYTES)
            return not_for(f, v, _("a text"), error);
        out->bytes = (struct span){ (const uint8_t *)v->bytes, v->length };
        return 0;
    case FIELD_TIME: /* as it stands on the wire */
    case FIELD_BYTES:
        out->bytes = (struct span){ (const uint8_t *)v->bytes, v->length };
        if (v->kind == CRAFT_BYTES)
            return 0;
        out->bytes.at = scratch;
        if (v->kind == CRAFT_TEXT && text_to_bytes(v->bytes, scratch, CRAFT_PACKET_MAX, &out->bytes.left))
            return 0;
        return not_for(f, v, _("a text of hexadecimal digits"), error);
    case FIELD_NONE:
        return 0;
    }
    if (f->type == FIELD_BOOL && v->kind == CRAFT_TEXT && (!strcmp(v->bytes, "true") || !strcmp(v->bytes, "false"))) {
        out->u = v->bytes[0] == 't';
        return 0;
    }
    return to_number(rows, f, v, &out->u, error);
}
