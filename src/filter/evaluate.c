#include "filter/evaluate.h"
#include "base/address.h"
#include "base/digits.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include <ctype.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    CHUNK_BYTES = 1 << 16,
    MATCH_LIMIT = 100000, /* steps of a regular expression: one packet must not hold up the others */
    MATCH_DEPTH = 10000,
    MATCH_HEAP = 4096, /* KiB */
};

/* --- memory for what is computed --- */

struct chunk {
    struct chunk *next;
    size_t used, room;
    uint8_t bytes[];
};

static uint8_t *take(struct evaluation *e, size_t n)
{
    struct chunk *c = e->chunks;
    if (!c || c->room - c->used < n) {
        size_t room = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        c = malloc(sizeof *c + room);
        if (!c)
            return NULL;
        *c = (struct chunk){ .next = e->chunks, .room = room };
        e->chunks = c;
    }
    c->used += n;
    return c->bytes + c->used - n;
}

/* One chunk stays for the next packet. */
static void give_back(struct evaluation *e)
{
    while (e->chunks && e->chunks->next) {
        struct chunk *c = e->chunks;
        e->chunks = c->next;
        free(c);
    }
    if (e->chunks)
        e->chunks->used = 0;
}

int evaluation_open(struct evaluation *e, struct error *error)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    *e = (struct evaluation){ .matches = pcre2_match_data_create(1, NULL), .limits = limits };
    if (!limits || !e->matches)
        return error_set(error, ERROR_MEMORY, "%s", _("filter: no memory"));
    pcre2_set_match_limit(limits, MATCH_LIMIT);
    pcre2_set_depth_limit(limits, MATCH_DEPTH);
    pcre2_set_heap_limit(limits, MATCH_HEAP);
    return 0;
}

void evaluation_close(struct evaluation *e)
{
    give_back(e);
    free(e->chunks);
    pcre2_match_data_free(e->matches);
    pcre2_match_context_free(e->limits);
}

/* What finds no room is left out. */
static void add(struct list *list, struct datum datum)
{
    if (list->count == list->room) {
        unsigned room = list->room ? list->room * 2 : 8;
        struct datum *more = room <= VALUES_MAX ? realloc(list->at, room * sizeof *more) : NULL;
        if (!more)
            return;
        list->at = more;
        list->room = room;
    }
    list->at[list->count++] = datum;
}

/* --- values --- */

static const struct list *values(struct evaluation *e, struct node *n);

struct collecting {
    struct evaluation *evaluation;
    struct node *node;
};

static void found(void *context, const struct field *field, const struct value *value)
{
    struct collecting *c = context;
    struct datum datum = { .mask = UINT32_MAX };
    switch (c->node->kind) {
    case KIND_NUMBER:
    case KIND_BOOL:
    case KIND_IPV4:
        datum.i = field->type != FIELD_INT && value->u > INT64_MAX ? INT64_MAX : value->i;
        break;
    case KIND_TIME:
    case KIND_DURATION:
        datum.i = value->i;
        break;
    default:
        datum.bytes = value->bytes;
        datum.mask = 128;
    }
    if (field->type == FIELD_TEXT && value->bytes.left) { /* may lie in scratch that the next value is made in */
        uint8_t *copy = take(c->evaluation, value->bytes.left);
        if (!copy)
            return;
        memcpy(copy, value->bytes.at, value->bytes.left);
        datum.bytes.at = copy;
    }
    add(&c->node->list, datum);
}

/* Whether the turn-th layer of its protocol, of `all`, is one of those asked for. */
static bool in_layers(const struct node *n, int32_t turn, int32_t all)
{
    for (unsigned i = 0; i < n->part_count; i++) {
        const struct part *part = &n->parts[i];
        int32_t from = part->from < 0 ? part->from + all + 1 : part->from;
        int32_t to = part->open      ? all
                     : part->counted ? from + part->to - 1
                     : part->to < 0  ? part->to + all + 1
                                     : part->to;
        if (turn >= from && turn <= to)
            return true;
    }
    return !n->part_count;
}

static int32_t count_layers(const struct packet *p, const struct protocol *protocol)
{
    int32_t n = 0;
    for (unsigned i = 0; i < p->layer_count; i++)
        n += p->layers[i].protocol == protocol;
    return n;
}

/* A protocol's value: its header; what is searched is all of it, with what it carries. */
static struct span protocol_bytes(const struct node *n, const struct packet *p, const struct layer *layer)
{
    struct span buffer = p->buffers[layer->buffer];
    return n->whole ? span_part(buffer, layer->offset, layer->end - layer->offset) : layer_header(p, layer);
}

static void collect_layer(struct collecting *c, const struct protocol *protocol, const struct layer *layer)
{
    struct node *n = c->node;
    const struct packet *p = c->evaluation->packet;
    if (n->protocol) {
        add(&n->list, (struct datum){ .mask = 128, .bytes = protocol_bytes(n, p, layer) });
        return;
    }
    for (unsigned i = 0; i < n->ref_count; i++)
        if (n->refs[i].protocol == protocol)
            lookup_read(&n->refs[i], p, layer, found, c);
}

static void collect(struct evaluation *e, struct node *n)
{
    static const struct layer frame = { .protocol = &frame_protocol };
    struct collecting c = { e, n };
    const struct packet *p = e->packet;
    const struct protocol *first = n->protocol ? n->protocol : n->refs[0].protocol;
    if (first == &frame_protocol) {
        if (!in_layers(n, 1, 1))
            return;
        if (n->protocol)
            add(&n->list, (struct datum){ .mask = 128, .bytes = p->buffers[0] });
        else
            lookup_read(&n->refs[0], p, &frame, found, &c);
        return;
    }
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *layer = &p->layers[i];
        bool ours = n->protocol == layer->protocol;
        for (unsigned k = 0; k < n->ref_count && !ours; k++)
            ours = n->refs[k].protocol == layer->protocol;
        if (!ours)
            continue;
        if (n->part_count) {
            int32_t turn = 0;
            for (unsigned k = 0; k <= i; k++)
                turn += p->layers[k].protocol == layer->protocol;
            if (!in_layers(n, turn, count_layers(p, layer->protocol)))
                continue;
        }
        collect_layer(&c, layer->protocol, layer);
    }
}

/* --- slices --- */

/* Where a part begins and how long it is; false where not all of it is there. */
static bool locate(const struct part *part, size_t size, size_t *from, size_t *length)
{
    int64_t all = (int64_t)size, start = part->from < 0 ? part->from + all : part->from;
    int64_t to = part->to < 0 && !part->counted ? part->to + all : part->to;
    int64_t n = part->open ? all - start : part->counted ? part->to : to - start + 1;
    if (start < 0 || n <= 0 || start + n > all)
        return false;
    *from = (size_t)start;
    *length = (size_t)n;
    return true;
}

/* A part that is not there ends the slice: what is there of it counts, which may be nothing. */
static void add_slice(struct evaluation *e, struct node *n, struct span bytes)
{
    size_t from, length, all = 0;
    unsigned parts = 0;
    for (; parts < n->part_count && locate(&n->parts[parts], bytes.left, &from, &length); parts++)
        all += length;
    struct datum datum = { .mask = 128 };
    if (parts == 1 && all) {
        datum.bytes = span_part(bytes, locate(&n->parts[0], bytes.left, &from, &length) ? from : 0, all);
    } else if (all) {
        uint8_t *copy = take(e, all);
        if (!copy)
            return;
        datum.bytes = (struct span){ copy, all };
        for (unsigned i = 0; i < parts && locate(&n->parts[i], bytes.left, &from, &length); i++) {
            memcpy(copy, bytes.at + from, length);
            copy += length;
        }
    }
    add(&n->list, datum);
}

static void slice(struct evaluation *e, struct node *n)
{
    const struct list *list = values(e, n->a);
    for (unsigned i = 0; i < list->count; i++) {
        struct span bytes = list->at[i].bytes;
        if (n->a->kind == KIND_IPV4) {
            uint8_t *copy = take(e, 4);
            if (!copy)
                return;
            store_be32(copy, (uint32_t)list->at[i].i);
            bytes = (struct span){ copy, 4 };
        }
        add_slice(e, n, bytes);
    }
}

/* --- calculation --- */

static int64_t calculate(enum math op, int64_t a, int64_t b, bool *defined)
{
    int64_t r = 0;
    switch (op) {
    case MATH_AND:
        return a & b;
    case MATH_PLUS:
        *defined = !__builtin_add_overflow(a, b, &r);
        return r;
    case MATH_MINUS:
        *defined = !__builtin_sub_overflow(a, b, &r);
        return r;
    case MATH_TIMES:
        *defined = !__builtin_mul_overflow(a, b, &r);
        return r;
    case MATH_NEGATIVE:
        *defined = !__builtin_sub_overflow((int64_t)0, a, &r);
        return r;
    case MATH_OVER:
    case MATH_MODULO:
        *defined = b != 0 && !(a == INT64_MIN && b == -1);
        return !*defined ? 0 : op == MATH_OVER ? a / b : a % b;
    }
    return r;
}

static bool is_bytes(enum kind kind)
{
    return kind == KIND_BYTES || kind == KIND_MAC || kind == KIND_IPV6;
}

/* Bytes that both have, one by one; lengths must be the same. */
static bool and_bytes(struct evaluation *e, struct span a, struct span b, struct span *result)
{
    uint8_t *copy = a.left == b.left ? take(e, a.left) : NULL;
    for (size_t i = 0; copy && i < a.left; i++)
        copy[i] = a.at[i] & b.at[i];
    *result = (struct span){ copy, a.left };
    return copy;
}

static void calculate_all(struct evaluation *e, struct node *n)
{
    static const struct datum zero;
    const struct list *a = values(e, n->a), *b = n->b ? values(e, n->b) : NULL;
    for (unsigned i = 0; i < a->count; i++)
        for (unsigned k = 0; k < (b ? b->count : 1) && n->list.count < VALUES_MAX; k++) {
            const struct datum *x = &a->at[i], *y = b ? &b->at[k] : &zero;
            struct datum result = { .mask = UINT32_MAX };
            bool defined = true;
            if (is_bytes(n->kind))
                defined = and_bytes(e, x->bytes, y->bytes, &result.bytes);
            else
                result.i = calculate(n->op, x->i, y->i, &defined);
            if (defined)
                add(&n->list, result);
        }
}

/* --- functions --- */

static bool less(enum kind kind, const struct datum *a, const struct datum *b);

static void best_of(struct evaluation *e, struct node *n)
{
    for (unsigned i = 0; i < n->item_count; i++) {
        const struct list *list = values(e, n->items[i]);
        for (unsigned k = 0; k < list->count; k++) {
            const struct datum *d = &list->at[k];
            if (!n->list.count)
                add(&n->list, *d);
            else if (n->op == FUNCTION_MAX ? less(n->kind, &n->list.at[0], d) : less(n->kind, d, &n->list.at[0]))
                n->list.at[0] = *d;
        }
    }
}

static size_t write_text(char *out, enum kind kind, const struct datum *d)
{
    char *at = out;
    if (kind == KIND_IPV4) {
        at = write_ipv4(at, (uint32_t)d->i);
    } else if (kind == KIND_IPV6) {
        at = d->bytes.left == 16 ? write_ipv6(at, d->bytes.at) : at;
    } else if (kind == KIND_MAC) {
        at = d->bytes.left == 6 ? write_mac(at, d->bytes.at) : at;
    } else {
        if (d->i < 0)
            *at++ = '-';
        at = write_decimal(at, d->i < 0 ? 0 - (uint64_t)d->i : (uint64_t)d->i);
    }
    return (size_t)(at - out);
}

static bool apply(struct evaluation *e, const struct node *n, const struct datum *d, struct datum *result)
{
    enum kind kind = n->items[0]->kind;
    *result = (struct datum){ .mask = UINT32_MAX };
    if (n->op == FUNCTION_LEN) {
        result->i = kind == KIND_IPV4 ? 4 : (int64_t)d->bytes.left;
        return true;
    }
    if (n->op == FUNCTION_ABS) {
        result->i = d->i == INT64_MIN ? INT64_MAX : d->i < 0 ? -d->i : d->i;
        return true;
    }
    uint8_t *text = take(e, n->op == FUNCTION_STRING ? ADDRESS_TEXT : d->bytes.left);
    if (!text)
        return false;
    if (n->op == FUNCTION_STRING) {
        result->bytes = (struct span){ text, write_text((char *)text, kind, d) };
        return true;
    }
    for (size_t i = 0; i < d->bytes.left; i++)
        text[i] = (uint8_t)(n->op == FUNCTION_UPPER ? toupper(d->bytes.at[i]) : tolower(d->bytes.at[i]));
    result->bytes = (struct span){ text, d->bytes.left };
    return true;
}

static void call(struct evaluation *e, struct node *n)
{
    if (n->op == FUNCTION_MIN || n->op == FUNCTION_MAX) {
        best_of(e, n);
        return;
    }
    const struct list *list = values(e, n->items[0]);
    if (n->op == FUNCTION_COUNT) {
        if (list->count) /* what is not there is not counted either: Wireshark's way */
            add(&n->list, (struct datum){ .i = list->count, .mask = UINT32_MAX });
        return;
    }
    struct datum result;
    for (unsigned i = 0; i < list->count; i++)
        if (apply(e, n, &list->at[i], &result))
            add(&n->list, result);
}

static const struct list *values(struct evaluation *e, struct node *n)
{
    n->list.count = 0;
    switch (n->type) {
    case NODE_FIELD:
        collect(e, n);
        break;
    case NODE_LITERAL:
        add(&n->list, n->value);
        break;
    case NODE_SLICE:
        slice(e, n);
        break;
    case NODE_MATH:
        calculate_all(e, n);
        break;
    case NODE_FUNCTION:
        call(e, n);
        break;
    }
    return &n->list;
}

/* --- comparisons --- */

static int compare_bytes(struct span a, struct span b)
{
    size_t n = a.left < b.left ? a.left : b.left;
    int order = n ? memcmp(a.at, b.at, n) : 0;
    return order ? order : (a.left > b.left) - (a.left < b.left);
}

/* The first bits of two addresses. */
static int compare_prefix(struct span a, struct span b, uint32_t bits)
{
    if (a.left != 16 || b.left != 16 || bits >= 128)
        return compare_bytes(a, b);
    int order = memcmp(a.at, b.at, bits / 8);
    if (order || bits % 8 == 0)
        return order;
    int mask = 0xff00 >> bits % 8 & 0xff;
    return (a.at[bits / 8] & mask) - (b.at[bits / 8] & mask);
}

static int compare(enum kind kind, const struct datum *a, const struct datum *b)
{
    int64_t x = a->i, y = b->i;
    switch (kind) {
    case KIND_BYTES:
    case KIND_MAC:
    case KIND_TEXT:
        return compare_bytes(a->bytes, b->bytes);
    case KIND_IPV6:
        return compare_prefix(a->bytes, b->bytes, a->mask < b->mask ? a->mask : b->mask);
    case KIND_IPV4:
        x &= a->mask & b->mask;
        y &= a->mask & b->mask;
        break;
    case KIND_BOOL:
        x = !!x;
        y = !!y;
        break;
    default:
        break;
    }
    return (x > y) - (x < y);
}

static bool less(enum kind kind, const struct datum *a, const struct datum *b)
{
    return compare(kind, a, b) < 0;
}

/* A search that stops at its limits found nothing. */
static bool matches(struct evaluation *e, const struct node *pattern, struct span text)
{
    static const uint8_t nothing;
    return pcre2_match(pattern->pattern, text.at ? text.at : &nothing, text.left, 0, 0, e->matches, e->limits) >= 0;
}

static bool holds(struct evaluation *e, const struct node *n, const struct datum *a, const struct datum *b)
{
    if (n->op == MATCHES)
        return matches(e, n->b, a->bytes);
    if (n->op == CONTAINS)
        return !b->bytes.left || (a->bytes.left && memmem(a->bytes.at, a->bytes.left, b->bytes.at, b->bytes.left));
    /* Bytes beside an address are compared as bytes. */
    enum kind kind = n->a->kind == n->b->kind || n->a->kind < KIND_BYTES ? n->a->kind : KIND_BYTES;
    if (n->a->kind == KIND_NUMBER && n->b->kind == KIND_BOOL)
        kind = KIND_BOOL;
    int order = compare(kind, a, b);
    switch ((enum comparison)n->op) {
    case SAME:
        return order == 0;
    case OTHER:
        return order != 0;
    case LESS:
        return order < 0;
    case LESS_SAME:
        return order <= 0;
    case MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool compare_all(struct evaluation *e, struct node *n)
{
    const struct list *a = values(e, n->a);
    if (!a->count)
        return false;
    const struct list *b = values(e, n->b);
    if (!b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        for (unsigned k = 0; k < b->count; k++)
            if (holds(e, n, &a->at[i], &b->at[k]) != n->every)
                return !n->every;
    return n->every;
}

/* Whether a value lies between any from and any to. */
static bool is_member(struct evaluation *e, const struct node *n, const struct datum *value)
{
    enum kind kind = n->a->kind;
    (void)e;
    for (unsigned i = 0; i < n->item_count; i += 2) {
        const struct list *from = &n->items[i]->list, *to = n->items[i + 1] ? &n->items[i + 1]->list : NULL;
        for (unsigned k = 0; k < from->count; k++) {
            int order = compare(kind, value, &from->at[k]);
            bool within = to ? order >= 0 : order == 0;
            for (unsigned m = 0; to && within && m < to->count; m++)
                within = compare(kind, value, &to->at[m]) <= 0;
            if (within && (!to || to->count))
                return true;
        }
    }
    return false;
}

static bool in_set(struct evaluation *e, struct node *n)
{
    const struct list *list = values(e, n->a);
    if (!list->count)
        return false;
    for (unsigned i = 0; i < n->item_count; i++)
        if (n->items[i])
            values(e, n->items[i]);
    for (unsigned i = 0; i < list->count; i++)
        if (is_member(e, n, &list->at[i]) != n->every)
            return !n->every;
    return n->every;
}

/* Of a slice and a calculation something must be left. */
static bool is_present(struct evaluation *e, struct node *n)
{
    const struct list *list = values(e, n->a);
    if (n->a->type == NODE_FIELD)
        return list->count;
    for (unsigned i = 0; i < list->count; i++) {
        const struct datum *d = &list->at[i];
        if (n->a->type == NODE_SLICE ? d->bytes.left > 0 : !is_bytes(n->a->kind) && d->i != 0)
            return true;
        for (size_t k = 0; n->a->type == NODE_MATH && is_bytes(n->a->kind) && k < d->bytes.left; k++)
            if (d->bytes.at[k])
                return true;
    }
    return false;
}

bool evaluate(struct evaluation *e, struct node *n, const struct packet *packet)
{
    e->packet = packet;
    bool result = n->type == NODE_PRESENT ? is_present(e, n) : n->type == NODE_IN ? in_set(e, n) : compare_all(e, n);
    if (e->chunks)
        give_back(e);
    return result;
}
