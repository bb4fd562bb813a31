/* The sections of a DNS message. Their records have no fixed places, and names are no numbers or bytes that a row could
 * put: they are written here, uncompressed, as RFC 1035, 3.1, 4.1.2 and 4.1.3 have them. What types and classes are
 * called stands in the table. */
#include "base/address.h"
#include "base/text.h"
#include "inject/craft_parts.h"
#include <stdlib.h>

enum { LABEL_MOST = 63, NAME_MOST = 255, STRING_MOST = 255, CLASS_IN = 1, TTL = 300 };

struct dns_writer {
    const struct protocol *protocol;
    uint8_t *bytes; /* CRAFT_PACKET_MAX of them */
    size_t length;
    struct error *error;
};

static const char *const sections[DNS_SECTIONS] = { "questions", "answers", "authorities", "additionals" };
static const char *const asked[] = { "qry_name", "qry_type", "qry_class" };

/* How data may be given, and the type that they are then of, by its name in the table; what kind of data each is. */
static const struct data_form {
    const char *name, *type;
    enum { DATA_ADDRESS, DATA_NAME, DATA_STRINGS, DATA_EXCHANGE, DATA_SERVICE, DATA_BYTES } kind;
    uint8_t size; /* of an address */
} forms[] = {
    { "a", "A", DATA_ADDRESS, 4 },     { "ns", "NS", DATA_NAME, 0 },         { "cname", "CNAME", DATA_NAME, 0 },
    { "ptr", "PTR", DATA_NAME, 0 },    { "mx", "MX", DATA_EXCHANGE, 0 },     { "txt", "TXT", DATA_STRINGS, 0 },
    { "srv", "SRV", DATA_SERVICE, 0 }, { "aaaa", "AAAA", DATA_ADDRESS, 16 }, { "data", NULL, DATA_BYTES, 0 },
};

/* `_` may stand for `.`. */
static bool is_called(const char *name, const char *wanted)
{
    size_t i = 0;
    while (name[i] && (name[i] == wanted[i] || (name[i] == '.' && wanted[i] == '_')))
        i++;
    return !name[i] && !wanted[i];
}

static const struct field *row(const struct protocol *protocol, const char *abbrev)
{
    for (const struct field *f = protocol->fields; f->abbrev; f++)
        if (!strcmp(f->abbrev, "dns.questions"))
            for (const struct field *q = f->tlvs->common; q->abbrev; q++)
                if (!strcmp(q->abbrev, abbrev))
                    return q;
    return NULL;
}

bool dns_takes(const struct protocol *protocol, const char *name)
{
    bool known = false;
    for (unsigned i = 0; i < DNS_SECTIONS; i++)
        known |= is_called(name, sections[i]);
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++)
        known |= is_called(name, asked[i]);
    return known && row(protocol, "dns.qry.type");
}

/* --- pieces --- */

static int put(struct dns_writer *m, const void *bytes, size_t n)
{
    if (n > CRAFT_PACKET_MAX - m->length)
        return error_set(m->error, ERROR_USAGE, "%s", _("a DNS message that no packet holds"));
    if (n)
        memcpy(m->bytes + m->length, bytes, n);
    m->length += n;
    return 0;
}

static int put_number(struct dns_writer *m, uint64_t number, unsigned bytes)
{
    uint8_t at[8];
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
    return put(m, at, bytes);
}

/* RFC 1035, 3.1. The root is "." or nothing. */
static int put_name(struct dns_writer *m, const struct craft_value *v)
{
    size_t before = m->length;
    if (v->kind != CRAFT_TEXT && v->kind != CRAFT_BYTES)
        return error_set(m->error, ERROR_USAGE, "%s", _("a name is a text"));
    const char *at = v->bytes, *end = at + v->length;
    if (v->length == 1 && *at == '.')
        at = end;
    while (at < end) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t n = (size_t)((dot ? dot : end) - at);
        if (!n || n > LABEL_MOST)
            return error_set(m->error, ERROR_USAGE, _("%.*s: a label has 1 to 63 bytes"), (int)v->length, v->bytes);
        int code = put_number(m, n, 1);
        if (code || (code = put(m, at, n)))
            return code;
        at += n + (dot ? 1 : 0);
    }
    int code = put_number(m, 0, 1);
    if (!code && m->length - before > NAME_MOST)
        return error_set(m->error, ERROR_USAGE, "%s", _("a name of more than 255 bytes"));
    return code;
}

/* A type or a class, by number or by name as the table has it. */
static int to_number(struct dns_writer *m, const char *abbrev, const struct craft_value *v, uint64_t *number)
{
    uint8_t scratch[16];
    struct value out;
    const struct field *f = row(m->protocol, abbrev);
    if (!v)
        return 0;
    int code = craft_convert(f, f, v, &out, scratch, m->error);
    *number = out.u;
    return code;
}

static const struct craft_value *find(const struct craft_value *list, const char *name)
{
    for (unsigned i = 0; list && i < list->count; i++)
        if (list->entries[i].name && is_called(list->entries[i].name, name))
            return &list->entries[i].value;
    return NULL;
}

static const struct craft_value *place(const struct craft_value *list, unsigned i)
{
    return list->kind == CRAFT_LIST && i < list->count ? &list->entries[i].value : NULL;
}

static int put_question(struct dns_writer *m, const struct craft_value *name, const struct craft_value *type,
                        const struct craft_value *class)
{
    static const struct craft_value root = { .kind = CRAFT_TEXT };
    uint64_t kind = 1, network = CLASS_IN;
    int code = put_name(m, name ? name : &root);
    if (!code)
        code = to_number(m, "dns.qry.type", type, &kind);
    if (!code)
        code = to_number(m, "dns.qry.class", class, &network);
    return code ? code : put_number(m, kind << 16 | network, 4);
}

/* --- data --- */

static int put_address(struct dns_writer *m, const struct craft_value *v, unsigned size)
{
    struct ip_address address;
    if (v->kind != CRAFT_TEXT || !parse_ip(v->bytes, &address) || address.size != size)
        return error_set(m->error, ERROR_USAGE,
                         size == 4 ? _("a: not an IPv4 address") : _("aaaa: not an IPv6 address"));
    return put(m, address.bytes, size);
}

/* RFC 1035, 3.3: strings of at most 255 bytes; a longer one is cut into several. */
static int put_string(struct dns_writer *m, const struct craft_value *v)
{
    int code = v->kind == CRAFT_TEXT || v->kind == CRAFT_BYTES
                   ? 0
                   : error_set(m->error, ERROR_USAGE, "%s", _("txt: not a text, nor a list of texts"));
    size_t at = 0;
    do {
        size_t n = code || v->length - at < STRING_MOST ? v->length - at : STRING_MOST;
        if (!code)
            code = put_number(m, n, 1);
        if (!code)
            code = put(m, v->bytes + at, n);
        at += n;
    } while (!code && at < v->length);
    return code;
}

/* Numbers and a name behind them, as {10, "mail.example.org"}. */
static int put_numbered(struct dns_writer *m, const struct data_form *form, const struct craft_value *v,
                        unsigned numbers)
{
    int code = 0;
    for (unsigned i = 0; i < numbers && !code; i++) {
        const struct craft_value *n = place(v, i);
        if (!n || n->kind != CRAFT_NUMBER || n->number < 0 || n->number > UINT16_MAX)
            return error_set(m->error, ERROR_USAGE, _("%s: numbers up to 65535 and a name in braces"), form->name);
        code = put_number(m, (uint64_t)n->number, 2);
    }
    const struct craft_value *name = place(v, numbers);
    if (!code && !name)
        return error_set(m->error, ERROR_USAGE, _("%s: numbers up to 65535 and a name in braces"), form->name);
    return code ? code : put_name(m, name);
}

static int put_data(struct dns_writer *m, const struct data_form *form, const struct craft_value *v)
{
    int code = 0;
    switch (form->kind) {
    case DATA_ADDRESS:
        return put_address(m, v, form->size);
    case DATA_NAME:
        return put_name(m, v);
    case DATA_EXCHANGE:
        return put_numbered(m, form, v, 1);
    case DATA_SERVICE:
        return put_numbered(m, form, v, 3);
    case DATA_STRINGS:
        if (v->kind != CRAFT_LIST)
            return put_string(m, v);
        for (unsigned i = 0; i < v->count && !code; i++)
            code = put_string(m, &v->entries[i].value);
        return code;
    case DATA_BYTES:
        break;
    }
    if (v->kind != CRAFT_TEXT && v->kind != CRAFT_BYTES)
        return error_set(m->error, ERROR_USAGE, "%s", _("data: not bytes"));
    return put(m, v->bytes, v->length);
}

/* --- records and sections --- */

static int check_names(struct dns_writer *m, const struct craft_value *record)
{
    static const char *const own[] = { "name", "type", "class", "ttl" };
    for (unsigned i = 0; i < record->count; i++) {
        const char *name = record->entries[i].name;
        bool known = false;
        for (unsigned j = 0; name && j < sizeof own / sizeof *own; j++)
            known |= !strcmp(name, own[j]);
        for (unsigned j = 0; name && j < sizeof forms / sizeof *forms; j++)
            known |= !strcmp(name, forms[j].name);
        if (!known)
            return error_set(m->error, ERROR_USAGE, _("a DNS record has no '%s'"), name ? name : "?");
    }
    return 0;
}

static int put_record(struct dns_writer *m, const struct craft_value *record)
{
    const struct data_form *form = NULL;
    const struct craft_value *data = NULL, *ttl = find(record, "ttl");
    int code = check_names(m, record);
    for (unsigned i = 0; i < sizeof forms / sizeof *forms && !data; i++)
        if ((data = find(record, forms[i].name)))
            form = &forms[i];
    const char *named = form ? form->type : "A";
    struct craft_value type = { .kind = CRAFT_NUMBER }; /* of bytes that nobody knows the meaning of */
    if (named)
        type = (struct craft_value){ .kind = CRAFT_TEXT, .bytes = (char *)(uintptr_t)named, .length = strlen(named) };
    if (!code && ttl && (ttl->kind != CRAFT_NUMBER || ttl->number < 0 || ttl->number > UINT32_MAX))
        return error_set(m->error, ERROR_USAGE, "%s", _("ttl: not a number up to 4294967295"));
    if (!code)
        code = put_question(m, find(record, "name"), find(record, "type") ? find(record, "type") : &type,
                            find(record, "class"));
    if (!code)
        code = put_number(m, ttl ? (uint64_t)ttl->number : TTL, 4);
    size_t length = m->length;
    if (!code)
        code = put_number(m, 0, 2);
    if (!code && data)
        code = put_data(m, form, data);
    if (!code && m->length - length - 2 > UINT16_MAX)
        return error_set(m->error, ERROR_USAGE, "%s", _("a DNS message that no packet holds"));
    if (!code)
        store_be16(m->bytes + length, (uint16_t)(m->length - length - 2));
    return code;
}

static int put_entry(struct dns_writer *m, unsigned section, const struct craft_value *v)
{
    if (section == 0 && v->kind != CRAFT_LIST)
        return put_question(m, v, NULL, NULL);
    if (v->kind != CRAFT_LIST)
        return error_set(m->error, ERROR_USAGE, _("%s: records in braces, as {name=\"example.org\", a=\"192.0.2.1\"}"),
                         sections[section]);
    return section ? put_record(m, v) : put_question(m, find(v, "name"), find(v, "type"), find(v, "class"));
}

/* A list of them, or one alone. */
static int put_section(struct dns_writer *m, unsigned section, const struct craft_value *v, uint16_t *count)
{
    bool alone = v->kind != CRAFT_LIST || (v->count && v->entries[0].name);
    int code = 0;
    if (alone) {
        ++*count;
        return put_entry(m, section, v);
    }
    for (unsigned i = 0; i < v->count && !code; i++, ++*count)
        code = put_entry(m, section, &v->entries[i].value);
    return code;
}

int dns_build(const struct protocol *protocol, const struct craft_entry *entries, unsigned count, uint8_t **bytes,
              size_t *length, uint16_t counts[DNS_SECTIONS], struct error *error)
{
    const struct craft_value all = { .kind = CRAFT_LIST,
                                     .entries = (struct craft_entry *)(uintptr_t)entries,
                                     .count = count };
    struct dns_writer m = { .protocol = protocol, .bytes = malloc(CRAFT_PACKET_MAX), .error = error };
    int code = 0;
    memset(counts, 0, DNS_SECTIONS * sizeof *counts);
    if (!m.bytes)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    if (find(&all, asked[0]) || find(&all, asked[1]) || find(&all, asked[2])) {
        code = put_question(&m, find(&all, asked[0]), find(&all, asked[1]), find(&all, asked[2]));
        counts[0]++;
    }
    for (unsigned i = 0; i < DNS_SECTIONS && !code; i++) {
        const struct craft_value *v = find(&all, sections[i]);
        if (v)
            code = put_section(&m, i, v, &counts[i]);
    }
    if (code)
        free(m.bytes);
    *bytes = code ? NULL : m.bytes;
    *length = code ? 0 : m.length;
    return code;
}
