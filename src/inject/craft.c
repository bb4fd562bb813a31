/* A packet: its layers, and what ties them together: the number of the protocol on top, lengths, checksums. */
#include "inject/craft.h"
#include "base/nearest.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "inject/craft_parts.h"
#include "protocol/checksum.h"
#include <stdlib.h>

struct craft_layer {
    const struct protocol *protocol; /* NULL: bytes */
    struct craft_entry *entries;     /* owned */
    unsigned count;
    bool based;       /* base are the header's own bytes, of an edited packet */
    unsigned deep;    /* bytes: how many layers, from the first, count them as theirs; the rest ended before */
    uint8_t *base;    /* owned: those, or bytes without a header */
    uint8_t *claimed; /* owned: of base, what stays whatever would be computed */
    size_t base_length;
    /* as it was built */
    struct region region;
    size_t offset, end;
};

struct craft {
    struct craft_layer layers[CRAFT_LAYERS_MAX];
    unsigned count;
    uint8_t *bytes;
    size_t length;
    bool built;
};

struct craft *craft_new(void)
{
    return calloc(1, sizeof(struct craft));
}

static void free_layer(struct craft_layer *l)
{
    craft_free_entries(l->entries, l->count);
    free(l->base);
    free(l->claimed);
    region_free(&l->region);
    *l = (struct craft_layer){ 0 };
}

void craft_free(struct craft *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->count; i++)
        free_layer(&c->layers[i]);
    free(c->bytes);
    free(c);
}

static uint8_t *copy_bytes(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n + 1);
    if (copy && n)
        memcpy(copy, bytes, n);
    return copy;
}

static bool copy_layer(struct craft_layer *to, const struct craft_layer *from)
{
    *to = (struct craft_layer){
        .protocol = from->protocol, .based = from->based, .deep = from->deep, .base_length = from->base_length
    };
    bool good = craft_copy_entries(&to->entries, from->entries, from->count);
    to->count = good ? from->count : 0;
    to->base = from->base ? copy_bytes(from->base, from->base_length) : NULL;
    to->claimed = from->claimed ? copy_bytes(from->claimed, from->base_length) : NULL;
    if (good && !(from->base && !to->base) && !(from->claimed && !to->claimed))
        return true;
    free_layer(to);
    return false;
}

struct craft *craft_copy(const struct craft *from)
{
    struct craft *c = craft_new();
    if (c && craft_append(c, from, NULL)) {
        craft_free(c);
        c = NULL;
    }
    return c;
}

unsigned craft_layer_count(const struct craft *c)
{
    return c->count;
}

const struct protocol *craft_layer_protocol(const struct craft *c, unsigned layer)
{
    return layer < c->count ? c->layers[layer].protocol : NULL;
}

struct craft_part craft_part(const struct craft *c, unsigned layer)
{
    const struct craft_layer *l = &c->layers[layer];
    return (struct craft_part){ l->protocol, { l->base, l->base_length }, l->entries, l->count };
}

static int no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, _("no memory"));
}

static int new_layer(struct craft *c, struct craft_layer **layer, struct error *error)
{
    if (c->count == CRAFT_LAYERS_MAX)
        return error_set(error, ERROR_USAGE, _("a packet of more than %d layers"), CRAFT_LAYERS_MAX);
    c->built = false;
    *layer = &c->layers[c->count++];
    **layer = (struct craft_layer){ .deep = CRAFT_LAYERS_MAX };
    return 0;
}

int craft_add(struct craft *c, const struct protocol *protocol, struct error *error)
{
    struct craft_layer *l;
    int code = new_layer(c, &l, error);
    if (!code)
        l->protocol = protocol;
    return code;
}

int craft_add_bytes(struct craft *c, struct span bytes, struct error *error)
{
    struct craft_layer *l;
    int code = new_layer(c, &l, error);
    if (code)
        return code;
    l->base = copy_bytes(bytes.at, bytes.left);
    l->base_length = bytes.left;
    return l->base ? 0 : no_memory(error);
}

int craft_append(struct craft *c, const struct craft *top, struct error *error)
{
    unsigned count = top->count, below = c->count;
    for (unsigned i = 0; i < count; i++) {
        struct craft_layer *l;
        int code = new_layer(c, &l, error);
        if (code)
            return code;
        if (!copy_layer(l, &top->layers[i])) {
            c->count--;
            return no_memory(error);
        }
        if (l->deep < CRAFT_LAYERS_MAX)
            l->deep += below;
    }
    return 0;
}

int craft_prepend(struct craft *c, const struct protocol *protocol, struct error *error)
{
    struct craft_layer *l;
    int code = new_layer(c, &l, error);
    if (code)
        return code;
    memmove(c->layers + 1, c->layers, (c->count - 1) * sizeof *c->layers);
    c->layers[0] = (struct craft_layer){ .protocol = protocol, .deep = CRAFT_LAYERS_MAX };
    for (unsigned i = 1; i < c->count; i++)
        if (c->layers[i].deep < CRAFT_LAYERS_MAX)
            c->layers[i].deep++;
    return 0;
}

void craft_strip(struct craft *c, unsigned layer)
{
    while (c->count > layer + 1)
        free_layer(&c->layers[--c->count]);
    c->built = false;
}

static int no_such_field(const struct protocol *protocol, const char *name, struct error *error)
{
    const struct field *found[1];
    struct nearest nearest;
    nearest_begin(&nearest, name);
    for (const struct field *f = protocol->fields; f->abbrev; f++)
        if (craft_match(protocol->fields, protocol->name, f->abbrev, true, found, 1))
            nearest_consider(&nearest, craft_short_name(f, protocol->name));
    if (craft_match(protocol->fields, protocol->name, name, false, found, 1))
        return error_set(error, ERROR_NOT_FOUND, _("%s is computed: it has no place in the header"), found[0]->abbrev);
    if (nearest.best)
        return error_set(error, ERROR_NOT_FOUND, _("%s has no field '%s'; did you mean '%s'?"), protocol->name, name,
                         nearest.best);
    return error_set(error, ERROR_NOT_FOUND, _("%s has no field '%s'"), protocol->name, name);
}

/* Of one of the rows that the name stands for at least the value must be one. */
static int check_value(const struct protocol *protocol, const char *name, const struct craft_value *value,
                       struct error *error)
{
    const struct field *found[MATCHES_MAX];
    unsigned n = craft_match(protocol->fields, protocol->name, name, true, found, MATCHES_MAX);
    if (dns_takes(protocol, name)) {
        struct craft_entry entry = { (char *)(uintptr_t)name, *value };
        uint16_t counts[DNS_SECTIONS];
        uint8_t *bytes;
        size_t length;
        int wrong = dns_build(protocol, &entry, 1, &bytes, &length, counts, error);
        free(bytes);
        return wrong;
    }
    if (!n && !strcmp(name, CRAFT_REST) && (value->kind == CRAFT_BYTES || value->kind == CRAFT_TEXT))
        return 0;
    if (!n)
        return no_such_field(protocol, name, error);
    uint8_t *scratch = malloc(CRAFT_PACKET_MAX);
    if (!scratch)
        return no_memory(error);
    int code = ERROR_USAGE;
    for (unsigned i = n; i-- > 0 && code;) {
        struct value ignored;
        bool later = found[i]->type == FIELD_TLVS || (value->kind == CRAFT_LIST && found[i]->stride);
        code = later ? 0 : craft_convert(protocol->fields, found[i], value, &ignored, scratch, error);
    }
    free(scratch);
    return code;
}

int craft_set(struct craft *c, unsigned layer, const char *name, struct craft_value *value, struct error *error)
{
    struct craft_layer *l = &c->layers[layer];
    int code = l->protocol ? check_value(l->protocol, name, value, error)
                           : error_set(error, ERROR_NOT_FOUND, _("bytes have no field '%s'"), name);
    if (code) {
        craft_value_free(value);
        return code;
    }
    c->built = false;
    for (unsigned i = 0; i < l->count; i++)
        if (!strcmp(l->entries[i].name, name)) {
            craft_value_free(&l->entries[i].value);
            l->entries[i].value = *value;
            return 0;
        }
    struct craft_value list = { .kind = CRAFT_LIST, .entries = l->entries, .count = l->count };
    bool added = craft_value_add(&list, name, value);
    l->entries = list.entries;
    l->count = list.count;
    return added ? 0 : no_memory(error);
}

static bool has_sections(const struct craft_layer *l)
{
    for (unsigned i = 0; i < l->count; i++)
        if (dns_takes(l->protocol, l->entries[i].name))
            return true;
    return false;
}

/* A DNS message: its header by the table, its sections behind it, counted where the user did not. */
static int fill_sections(struct craft_layer *l, struct error *error)
{
    static const char *const rows[DNS_SECTIONS] = { "dns.count.queries", "dns.count.answers", "dns.count.auth_rr",
                                                    "dns.count.add_rr" };
    uint16_t counts[DNS_SECTIONS];
    uint8_t *bytes = NULL;
    size_t length = 0;
    unsigned own = 0;
    struct region *r = &l->region;
    if (l->based)
        return error_set(error, ERROR_USAGE, "%s", _("the sections of a message that was read stay as they are"));
    struct craft_entry *entries = calloc(l->count, sizeof *entries); /* a view: what they hold is the layer's */
    if (!entries)
        return no_memory(error);
    for (unsigned i = 0; i < l->count; i++)
        if (!dns_takes(l->protocol, l->entries[i].name))
            entries[own++] = l->entries[i];
    int code = region_fill(r, entries, own, error);
    free(entries);
    if (!code)
        code = dns_build(l->protocol, l->entries, l->count, &bytes, &length, counts, error);
    size_t before = r->length;
    if (!code && !(code = region_resize(r, before + length, error)))
        memcpy(r->header + before, bytes, length);
    for (unsigned i = 0; i < DNS_SECTIONS && !code; i++)
        for (const struct field *f = l->protocol->fields; f->abbrev; f++) {
            bool fits;
            if (!strcmp(f->abbrev, rows[i]))
                region_compute(r, l->protocol->fields, f, counts[i], &fits);
        }
    free(bytes);
    return code;
}

static int fill_layer(struct craft_layer *l, struct error *error)
{
    struct region *r = &l->region;
    struct span base = { l->base, l->base_length };
    region_free(r);
    if (!l->protocol) {
        *r = (struct region){ .protocol = "data", .base = &base };
        int code = region_resize(r, base.left, error);
        if (!code && base.left)
            memcpy(r->header, base.at, base.left);
        r->base = NULL;
        return code;
    }
    *r = (struct region){ .tables = { l->protocol->fields },
                          .protocol = l->protocol->name,
                          .layer = { .protocol = l->protocol },
                          .least = l->protocol->least,
                          .base = l->based ? &base : NULL,
                          .base_claimed = l->claimed };
    int code = has_sections(l) ? fill_sections(l, error) : region_fill(r, l->entries, l->count, error);
    size_t unit = region_alignment(r), over = r->length % unit;
    /* A header that was too short for its own table stays so. */
    if (!code && over && !(l->based && r->length == l->base_length))
        code = region_resize(r, r->length + unit - over, error);
    return code;
}

/* The number by which a layer says what is on top of it. False: it has none for it. */
static bool number_on_top(const struct protocol *below, const struct protocol *top, uint16_t *number)
{
    if (!top || !below->carries)
        return false;
    for (const struct key *key = top->keys; key && key->space; key++)
        if (key->space == below->carries) {
            *number = key->value;
            return true;
        }
    return false;
}

/* Rows of a base are read with the base alive. */
static bool compute(struct craft_layer *l, const struct field *f, uint64_t number, bool *fits)
{
    struct span base = { l->base, l->base_length };
    l->region.base = l->based ? &base : NULL;
    bool is_there = region_compute(&l->region, l->protocol->fields, f, number, fits);
    l->region.base = NULL;
    return is_there;
}

static void tell_next(struct craft_layer *l, const struct protocol *top)
{
    uint16_t number;
    bool fits;
    if (!number_on_top(l->protocol, top, &number))
        return;
    for (const struct field *f = l->protocol->fields; f->abbrev; f++)
        if (f->role == ROLE_NEXT && compute(l, f, number, &fits)) {
            struct place place = region_place(&l->region, l->protocol->fields);
            uint32_t bit, wide;
            if (field_locate(f, &place, 0, &bit, &wide))
                region_claim(&l->region, bit, wide); /* or a length would stand there */
            return;
        }
}

static size_t counted(const struct craft_layer *l, const struct field *f)
{
    size_t header = l->region.length, all = l->end - l->offset;
    size_t n = f->counts == COUNTS_HEADER ? header : f->counts == COUNTS_PAYLOAD ? all - header : all;
    n = n > f->less ? n - f->less : 0;
    return f->step ? n / f->step : n;
}

static int tell_lengths(struct craft_layer *l, struct error *error)
{
    for (const struct field *f = l->protocol->fields; f->abbrev; f++) {
        bool fits = true;
        if (f->role != ROLE_LENGTH || f->counts == COUNTS_VALUES)
            continue;
        size_t n = counted(l, f);
        compute(l, f, n, &fits);
        if (!fits && !l->based) /* what was read stays as it was */
            return error_set(error, ERROR_USAGE, _("%s: %zu bytes are more than it can say"), f->abbrev, n);
    }
    return 0;
}

/* Where each layer begins and ends. */
static int lay_out(struct craft *c, struct error *error)
{
    size_t at = 0;
    for (unsigned i = 0; i < c->count; i++) {
        c->layers[i].offset = at;
        at += c->layers[i].region.length;
    }
    if (at > CRAFT_PACKET_MAX)
        return error_set(error, ERROR_USAGE, _("a packet of more than %d bytes"), CRAFT_PACKET_MAX);
    for (unsigned i = 0; i < c->count; i++) {
        size_t end = at;
        for (unsigned k = c->count; k-- > i + 1 && c->layers[k].deep <= i;)
            end = c->layers[k].offset;
        c->layers[i].end = end;
    }
    uint8_t *bytes = realloc(c->bytes, at + 1);
    if (!bytes)
        return no_memory(error);
    c->bytes = bytes;
    c->length = at;
    return 0;
}

static void copy_headers(struct craft *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->layers[i].region.length)
            memcpy(c->bytes + c->layers[i].offset, c->layers[i].region.header, c->layers[i].region.length);
}

/* The addresses of a layer whose own dissector did not tell them, since it contradicts itself on purpose. */
static void add_network(struct packet *p, const struct layer *l, const struct protocol *protocol)
{
    const uint8_t *ends[2] = { NULL, NULL };
    unsigned size = 0;
    for (const struct field *f = protocol->fields; f->abbrev; f++) {
        size_t n = f->type == FIELD_IPV4 ? 4 : f->type == FIELD_IPV6 ? 16 : 0;
        bool address = n && !f->after && !f->only && (f->role == ROLE_SOURCE || f->role == ROLE_DESTINATION);
        if (!address || f->bit / 8 + n > l->length)
            continue;
        ends[f->role == ROLE_DESTINATION] = p->buffers[0].at + l->offset + f->bit / 8;
        size = (unsigned)n;
    }
    if (ends[0] && ends[1] && p->network_count < NETWORKS_MAX)
        p->networks[p->network_count++] = (struct network){ ends[0], ends[1], ends[1], (uint8_t)size, 0 };
}

/* Each layer's own dissector says which addresses count for the checksums above it (routing headers move them). */
void craft_view(const struct craft *c, struct packet *p)
{
    memset(p, 0, offsetof(struct packet, notes));
    p->link_type = craft_link_type(c);
    p->buffers[0] = (struct span){ c->bytes, c->length };
    p->buffer_count = 1;
    p->wire_length = (uint32_t)c->length;
    for (unsigned i = 0; i < c->count && i < LAYERS_MAX; i++) {
        const struct craft_layer *l = &c->layers[i];
        struct layer *self = &p->layers[i];
        unsigned before = p->network_count;
        *self = (struct layer){ .protocol = l->protocol ? l->protocol : &data_protocol,
                                .offset = (uint32_t)l->offset,
                                .end = (uint32_t)l->end,
                                .network = (uint8_t)before };
        struct span in = span_part(p->buffers[0], l->offset, l->end - l->offset);
        struct key next = { 0 };
        if (self->protocol->dissect)
            self->protocol->dissect(p, self, &in, &next);
        self->length = (uint32_t)l->region.length;
        self->end = (uint32_t)l->end;
        p->layer_count = (uint8_t)(i + 1);
        if (l->protocol)
            p->subject = (uint8_t)i;
        if (p->network_count == before && l->protocol)
            add_network(p, self, l->protocol);
        self->network = (uint8_t)(p->network_count > before ? p->network_count : before);
    }
}

static uint16_t own_number(const struct protocol *protocol)
{
    for (const struct key *key = protocol->keys; key && key->space; key++)
        if (key->space == KEY_IP)
            return key->value;
    return 0;
}

static uint16_t checksum_of(const struct craft *c, const struct packet *p, unsigned i, const struct field *f)
{
    const struct craft_layer *l = &c->layers[i];
    size_t n = f->counts == COUNTS_HEADER ? l->region.length : l->end - l->offset;
    uint32_t sum = 0;
    const struct network *network = layer_network(p, &p->layers[i]);
    if (f->counts == COUNTS_PSEUDO && network)
        sum = checksum_pseudo(network, (uint8_t)own_number(l->protocol), (uint32_t)n);
    uint16_t checksum = checksum_finish(checksum_add(sum, c->bytes + l->offset, n));
    return checksum ? checksum : f->counts == COUNTS_PSEUDO ? f->preset : 0;
}

/* From the innermost out: an outer one may count an inner one. */
static void tell_checksums(struct craft *c, struct packet *p)
{
    for (unsigned i = c->count < LAYERS_MAX ? c->count : LAYERS_MAX; i-- > 0;) {
        struct craft_layer *l = &c->layers[i];
        for (const struct field *f = l->protocol ? l->protocol->fields : NULL; f && f->abbrev; f++) {
            bool fits;
            if (f->role != ROLE_CHECKSUM || !compute(l, f, 0, &fits))
                continue;
            memcpy(c->bytes + l->offset, l->region.header, l->region.length);
            compute(l, f, checksum_of(c, p, i, f), &fits);
            memcpy(c->bytes + l->offset, l->region.header, l->region.length);
        }
    }
}

static bool needs_checksums(const struct craft *c)
{
    for (unsigned i = 0; i < c->count; i++)
        for (const struct field *f = c->layers[i].protocol ? c->layers[i].protocol->fields : NULL; f && f->abbrev; f++)
            if (f->role == ROLE_CHECKSUM)
                return true;
    return false;
}

static int build(struct craft *c, struct error *error)
{
    int code = 0;
    for (unsigned i = 0; i < c->count && !code; i++)
        code = fill_layer(&c->layers[i], error);
    if (!code)
        code = lay_out(c, error);
    for (unsigned i = 0; i < c->count && !code; i++) {
        struct craft_layer *l = &c->layers[i];
        if (!l->protocol)
            continue;
        tell_next(l, i + 1 < c->count && c->layers[i + 1].deep > i ? c->layers[i + 1].protocol : NULL);
        code = tell_lengths(l, error);
    }
    if (code)
        return code;
    copy_headers(c);
    if (!needs_checksums(c))
        return 0;
    struct packet *p = malloc(sizeof *p);
    if (!p)
        return no_memory(error);
    craft_view(c, p);
    tell_checksums(c, p);
    free(p);
    return 0;
}

int craft_build(struct craft *c, struct span *bytes, struct error *error)
{
    int code = c->built ? 0 : build(c, error);
    c->built = !code;
    if (!code)
        *bytes = (struct span){ c->bytes, c->length };
    return code;
}

uint16_t craft_link_type(const struct craft *c)
{
    const struct protocol *first = craft_layer_protocol(c, 0);
    for (const struct key *key = first ? first->keys : NULL; key && key->space; key++)
        if (key->space == KEY_LINK)
            return key->value;
    return CRAFT_NO_LINK;
}

bool craft_is_open(const struct craft *c, unsigned layer, const struct field *f)
{
    const struct craft_layer *l = &c->layers[layer];
    struct place place = region_place(&l->region, l->protocol->fields);
    uint32_t bit, wide;
    return !l->based && field_locate(f, &place, 0, &bit, &wide) && wide && !region_is_claimed(&l->region, bit, wide);
}

/* All bits of a header are kept but for those of roles. */
static int claim_all(struct craft_layer *l, struct error *error)
{
    l->claimed = calloc(1, l->base_length + 1);
    return l->claimed ? 0 : no_memory(error);
}

static int add_header(struct craft *c, const struct packet *p, const struct layer *from, struct error *error)
{
    struct span header = layer_header(p, from);
    if (from->protocol == &data_protocol || !header.left)
        return header.left ? craft_add_bytes(c, header, error) : 0;
    int code = craft_add_bytes(c, header, error);
    if (code)
        return code;
    struct craft_layer *l = &c->layers[c->count - 1];
    l->protocol = from->protocol;
    l->based = true;
    return claim_all(l, error);
}

/* What lies between the end of the last header and the end of the packet: each piece belongs to the layers that end
 * behind it. */
static int add_rest(struct craft *c, const struct packet *p, const uint32_t *ends, size_t at, struct error *error)
{
    size_t all = p->buffers[0].left;
    for (unsigned i = c->count; at < all;) {
        while (i > 0 && ends[i - 1] <= at)
            i--;
        size_t end = i && ends[i - 1] < all ? ends[i - 1] : all;
        int code = craft_add_bytes(c, span_part(p->buffers[0], at, end - at), error);
        if (code)
            return code;
        c->layers[c->count - 1].deep = i;
        at = end;
    }
    return 0;
}

/* Marks those computed bits that are not what was read: they are kept as they are. */
static void keep_what_differs(struct craft *c, unsigned role)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct craft_layer *l = &c->layers[i];
        for (const struct field *f = l->based ? l->protocol->fields : NULL; f && f->abbrev; f++) {
            struct place place = region_place(&l->region, l->protocol->fields);
            uint32_t bit, wide;
            if (f->role != role || !field_locate(f, &place, 0, &bit, &wide) || bit + wide > l->region.length * 8)
                continue;
            for (uint32_t b = bit; b < bit + wide; b++) {
                size_t at = l->offset + b / 8;
                bool same = b / 8 >= l->base_length || !((c->bytes[at] ^ l->base[b / 8]) & (0x80 >> b % 8));
                if (same)
                    continue;
                for (uint32_t k = bit; k < bit + wide; k++)
                    l->claimed[k / 8] |= (uint8_t)(0x80 >> k % 8);
                break;
            }
        }
    }
    c->built = false;
}

static int take_layers(struct craft *c, const struct packet *p, struct error *error)
{
    uint32_t ends[CRAFT_LAYERS_MAX];
    size_t at = 0;
    for (unsigned i = 0; i < p->layer_count && p->layers[i].buffer == 0; i++) {
        const struct layer *from = &p->layers[i];
        if (from->offset != at || from->length > p->buffers[0].left - at)
            break;
        unsigned before = c->count;
        int code = add_header(c, p, from, error);
        if (code)
            return code;
        if (c->count > before)
            ends[before] = from->end;
        at += from->length;
    }
    return add_rest(c, p, ends, at, error);
}

int craft_from_packet(struct craft **craft, const struct packet *p, struct error *error)
{
    struct craft *c = craft_new();
    struct span bytes;
    int code = c ? take_layers(c, p, error) : no_memory(error);
    /* Checksums twice: an outer one counts an inner one that may be kept wrong. */
    static const unsigned order[] = { ROLE_NEXT, ROLE_LENGTH, ROLE_CHECKSUM, ROLE_CHECKSUM };
    for (unsigned i = 0; i < sizeof order / sizeof *order && !code; i++) {
        code = craft_build(c, &bytes, error);
        if (!code)
            keep_what_differs(c, order[i]);
    }
    if (code) {
        craft_free(c);
        c = NULL;
    }
    *craft = c;
    return code;
}
