/* Gives names their fields and literals their values, and says what does not fit. */
#include "base/nearest.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "filter/extra.h"
#include "filter/literal.h"
#include "filter/syntax.h"
#include <ctype.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { REFS_MAX = 64 };

static const char *kind_name(enum kind kind)
{
    static const char *const names[] = {
        N_("a literal"),  N_("a number"), N_("true or false"), N_("an IPv4 address"), N_("a time"),
        N_("a duration"), N_("bytes"),    N_("a MAC address"), N_("an IPv6 address"), N_("text")
    };
    return _(names[kind]);
}

static enum kind field_kind(const struct field *f)
{
    switch (f->type) {
    case FIELD_UINT:
    case FIELD_UINT_LE:
    case FIELD_INT:
        return KIND_NUMBER;
    case FIELD_BOOL:
        return KIND_BOOL;
    case FIELD_MAC:
        return KIND_MAC;
    case FIELD_IPV4:
        return KIND_IPV4;
    case FIELD_IPV6:
        return KIND_IPV6;
    case FIELD_TEXT:
        return KIND_TEXT;
    case FIELD_TIME:
        return KIND_TIME;
    case FIELD_DURATION:
        return KIND_DURATION;
    default:
        return KIND_BYTES;
    }
}

/* --- names --- */

static bool consider(void *context, const struct field_ref *ref)
{
    nearest_consider(context, ref->field->abbrev);
    if (ref->field->also)
        nearest_consider(context, ref->field->also);
    return true;
}

static void consider_name(void *context, const char *name)
{
    nearest_consider(context, name);
}

static int unknown(const struct node *n, struct error *error)
{
    struct nearest nearest;
    const char *name = n->text + (n->forced && *n->text == '.');
    if (n->quoted || n->character || isdigit((unsigned char)*name) || strlen(name) > 60)
        return syntax_wrong(error, n->column, _("'%.64s' is neither a field nor a protocol"), n->text);
    if (!strncmp(name, "_ws.col.", 8))
        return syntax_wrong(
            error, n->column,
            _("'%.64s' is a column of Wireshark's list, no field: ask for the fields that it is made of"), name);
    nearest_begin(&nearest, name);
    for (const struct protocol *const *p = protocols; *p; p++)
        nearest_consider(&nearest, (*p)->name);
    lookup_each(consider, &nearest);
    extra_each(consider_name, &nearest);
    if (nearest.best)
        return syntax_wrong(error, n->column, _("no field '%.64s'; did you mean %s?"), name, nearest.best);
    return syntax_wrong(error, n->column, _("no field '%.64s'; 'peel fields' lists them"), name);
}

/* Wireshark counts what these carry as theirs; of the others the header. */
static bool spans_payload(const struct protocol *protocol)
{
    static const char *const names[] = { "tcp", "icmp", "icmpv6" };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(protocol->name, names[i]))
            return true;
    return false;
}

/* What Wireshark called dhcp and tls before: filters that people kept say so still. */
static const char *present_name(const char *name, char *room, size_t size)
{
    static const char *const names[][2] = { { "bootp", "dhcp" }, { "ssl", "tls" } };
    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(names[i][0]);
        if (strncmp(name, names[i][0], n) != 0 || (name[n] && name[n] != '.'))
            continue;
        int length = snprintf(room, size, "%s%s", names[i][1], name + n);
        return length > 0 && (size_t)length < size ? room : name;
    }
    return name;
}

/* Makes a field of a literal whose text is a name. 1: it is one now, 0: it is none, or a negative error. */
static int resolve(struct node *n, struct error *error)
{
    if (n->type != NODE_LITERAL)
        return n->type == NODE_FIELD;
    const char *name = n->text;
    if (n->quoted || n->character || (n->forced && *name != '.'))
        return 0;
    char room[128];
    name = present_name(name + n->forced, room, sizeof room);
    struct field_ref refs[REFS_MAX];
    const struct protocol *protocol = registry_by_name(name);
    unsigned count = protocol ? 0 : lookup_field(name, refs, REFS_MAX);
    if (!protocol && !count)
        count = extra_field(name, refs, REFS_MAX);
    if (!protocol && !count)
        return n->forced ? unknown(n, error) : 0;
    if (count > REFS_MAX)
        count = REFS_MAX;
    if (count && !(n->refs = calloc(count, sizeof *refs)))
        return error_set(error, ERROR_MEMORY, "%s", _("filter: no memory"));
    n->type = NODE_FIELD;
    n->protocol = protocol;
    n->whole = protocol && spans_payload(protocol);
    n->kind = protocol ? KIND_BYTES : (uint8_t)field_kind(refs[0].field);
    for (unsigned i = 0; i < count; i++) /* a name may stand for rows of several types: those like the first count */
        if (field_kind(refs[i].field) == (enum kind)n->kind)
            n->refs[n->ref_count++] = refs[i];
    n->field = count ? n->refs[0].field : NULL;
    return 1;
}

/* --- values --- */

static int check_value(struct node *n, struct error *error);

static bool is_bytes(enum kind kind)
{
    return kind == KIND_BYTES || kind == KIND_MAC || kind == KIND_IPV6;
}

static bool is_counted(enum kind kind)
{
    return kind == KIND_NUMBER || kind == KIND_BOOL;
}

static bool fits(enum kind a, enum kind b)
{
    if (a == b || (is_counted(a) && is_counted(b)))
        return true;
    if ((is_bytes(a) || a == KIND_TEXT) && (is_bytes(b) || b == KIND_TEXT))
        return a == KIND_BYTES || b == KIND_BYTES;
    return (a == KIND_TIME || a == KIND_DURATION) && (b == KIND_TIME || b == KIND_DURATION);
}

/* The field whose value names a literal beside n may use. */
static const struct node *named(const struct node *n)
{
    return n->type == NODE_FIELD && !n->protocol ? n : NULL;
}

/* A literal, or a calculation with nothing but such: its kind comes from the other side. */
static bool is_literal(const struct node *n)
{
    return n->type == NODE_LITERAL || (n->type == NODE_MATH && n->kind == KIND_UNKNOWN);
}

static int settle(struct node *n, const struct node *other, struct error *error)
{
    if (n->type == NODE_LITERAL)
        return literal_read(n, other->kind, named(other), error);
    enum kind kind = other->kind == KIND_BOOL ? KIND_NUMBER : other->kind;
    bool adds = n->op == MATH_PLUS || n->op == MATH_MINUS || n->op == MATH_NEGATIVE;
    if (kind != KIND_NUMBER && !((kind == KIND_DURATION || kind == KIND_TIME) && adds))
        return syntax_wrong(error, n->column, _("%s cannot be calculated with like this"), kind_name(kind));
    int code = settle(n->a, other, error);
    if (!code && n->b)
        code = settle(n->b, other, error);
    n->kind = (uint8_t)kind;
    return code;
}

static int no_field(const struct node *n, struct error *error)
{
    while (n->type != NODE_LITERAL)
        n = n->a;
    return unknown(n, error);
}

/* Both sides of an operator, checked already; one of them must be more than a literal. */
static int join(struct node *a, struct node *b, struct error *error)
{
    bool clash = a->type == NODE_FIELD && !a->protocol && b->type == NODE_FIELD && b->protocol && !b->part_count;
    if (clash && !fits(a->kind, b->kind) && !b->forced) {
        /* A value's name that a protocol has, too: ip.proto == tcp */
        b->type = NODE_LITERAL;
        b->kind = KIND_UNKNOWN;
    }
    if (is_literal(a) && is_literal(b))
        return no_field(a, error);
    if (is_literal(b))
        return settle(b, a, error);
    if (is_literal(a))
        return settle(a, b, error);
    if (!fits(a->kind, b->kind))
        return syntax_wrong(error, b->column, _("%s cannot be compared with %s"), kind_name(a->kind),
                            kind_name(b->kind));
    return 0;
}

static int check_pair(struct node *a, struct node *b, struct error *error)
{
    int code = check_value(a, error);
    if (!code)
        code = check_value(b, error);
    return code ? code : join(a, b, error);
}

static int check_slice(struct node *n, struct error *error)
{
    int code = check_value(n->a, error);
    if (code)
        return code;
    enum kind kind = n->a->kind;
    if (is_literal(n->a))
        return no_field(n->a, error);
    if (!is_bytes(kind) && kind != KIND_TEXT && kind != KIND_IPV4)
        return syntax_wrong(error, n->column, _("%s has no bytes to take a slice of"), kind_name(kind));
    n->kind = KIND_BYTES;
    return 0;
}

/* Of all of a packet's bytes one compares or searches parts; calculating with them tells nothing. */
static bool is_protocol(const struct node *n)
{
    return n->type == NODE_FIELD && n->protocol;
}

static int check_math(struct node *n, struct error *error)
{
    bool scales = n->op == MATH_TIMES || n->op == MATH_OVER || n->op == MATH_MODULO;
    int code = check_value(n->a, error);
    if (!code && n->b)
        code = check_value(n->b, error);
    if (code)
        return code;
    n->kind = KIND_UNKNOWN;
    if (is_literal(n->a) && (!n->b || is_literal(n->b)))
        return 0;
    if (n->b && (code = join(n->a, n->b, error)))
        return code;
    n->kind = n->a->kind;
    enum kind kind = n->kind;
    if (kind == KIND_BOOL)
        n->kind = kind = KIND_NUMBER;
    bool good = kind == KIND_NUMBER || (kind == KIND_IPV4 && n->op == MATH_AND) ||
                (is_bytes(kind) && n->op == MATH_AND && !is_protocol(n->a) && !is_protocol(n->b)) ||
                ((kind == KIND_DURATION || kind == KIND_TIME) && !scales && n->op != MATH_AND);
    if (!good)
        return syntax_wrong(error, n->column, _("%s cannot be calculated with like this"), kind_name(kind));
    if (kind == KIND_TIME && n->op == MATH_MINUS && n->b->type != NODE_LITERAL && n->b->kind == KIND_TIME)
        n->kind = KIND_DURATION;
    return 0;
}

static int check_function(struct node *n, struct error *error)
{
    for (unsigned i = 0; i < n->item_count; i++) {
        struct node *item = n->items[i];
        int code = check_value(item, error);
        if (code)
            return code;
        if (is_literal(item) && (i == 0 || (n->op != FUNCTION_MIN && n->op != FUNCTION_MAX)))
            return no_field(item, error);
        if (is_literal(item) && (code = settle(item, n->items[0], error)))
            return code;
        if (!fits(n->items[0]->kind, item->kind))
            return syntax_wrong(error, item->column, _("%s does not fit %s"), kind_name(item->kind),
                                kind_name(n->items[0]->kind));
    }
    enum kind kind = n->items[0]->kind;
    bool good = true;
    n->kind = (uint8_t)kind;
    switch ((enum function)n->op) {
    case FUNCTION_LEN:
        good = is_bytes(kind) || kind == KIND_TEXT || kind == KIND_IPV4;
        n->kind = KIND_NUMBER;
        break;
    case FUNCTION_COUNT:
        n->kind = KIND_NUMBER;
        break;
    case FUNCTION_UPPER:
    case FUNCTION_LOWER:
        good = kind == KIND_TEXT;
        break;
    case FUNCTION_STRING:
        good = kind == KIND_NUMBER || kind == KIND_IPV4 || kind == KIND_IPV6 || kind == KIND_MAC;
        n->kind = KIND_TEXT;
        break;
    case FUNCTION_ABS:
        good = kind == KIND_NUMBER || kind == KIND_DURATION;
        break;
    default:
        good = kind != KIND_BOOL;
    }
    if (!good)
        return syntax_wrong(error, n->items[0]->column, _("this function does not take %s"), kind_name(kind));
    return 0;
}

static int check_value(struct node *n, struct error *error)
{
    int code = resolve(n, error);
    if (code < 0)
        return code;
    switch (n->type) {
    case NODE_SLICE:
        return check_slice(n, error);
    case NODE_MATH:
        return check_math(n, error);
    case NODE_FUNCTION:
        return check_function(n, error);
    case NODE_LITERAL:
        if (n->part_count)
            return unknown(n, error);
    }
    return 0;
}

/* --- tests --- */

static int compile_pattern(struct node *b, struct error *error)
{
    enum { PATTERN_MAX = 8192 };
    int number;
    PCRE2_SIZE at;
    if (b->type != NODE_LITERAL || !b->quoted)
        return syntax_wrong(error, b->column, "%s", _("'matches' needs a regular expression in double quotes"));
    if (b->text_length > PATTERN_MAX)
        return syntax_wrong(error, b->column, "%s", _("the regular expression is too long"));
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)b->text, b->text_length, PCRE2_CASELESS | PCRE2_NEVER_UTF, &number, &at, NULL);
    if (!code) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(number, why, sizeof why);
        return syntax_wrong(error, b->column + 1 + (uint32_t)at, _("regular expression: %s"), (char *)why);
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it it goes, slower */
    b->pattern = code;
    return 0;
}

static int check_search(struct node *n, struct error *error)
{
    struct node *a = n->a, *b = n->b;
    int code = check_value(a, error);
    if (code)
        return code;
    if (is_literal(a))
        return no_field(a, error);
    a->whole |= a->type == NODE_FIELD && a->protocol;
    if (!is_bytes(a->kind) && a->kind != KIND_TEXT)
        return syntax_wrong(error, a->column,
                            n->op == CONTAINS ? _("%s contains nothing; string() makes text of it")
                                              : _("%s matches nothing; string() makes text of it"),
                            kind_name(a->kind));
    if (n->op == MATCHES) {
        if (b->type == NODE_LITERAL)
            b->kind = KIND_TEXT;
        return compile_pattern(b, error);
    }
    if ((code = check_value(b, error)))
        return code;
    if (b->type == NODE_LITERAL)
        return literal_read(b, a->kind == KIND_TEXT ? KIND_TEXT : KIND_BYTES, NULL, error);
    if (!is_bytes(b->kind) && b->kind != KIND_TEXT)
        return syntax_wrong(error, b->column, _("%s cannot be contained in anything"), kind_name(b->kind));
    return 0;
}

static int check_set(struct node *n, struct error *error)
{
    int code = check_value(n->a, error);
    if (!code && is_literal(n->a))
        code = no_field(n->a, error);
    for (unsigned i = 0; i < n->item_count && !code; i++)
        if (n->items[i])
            code = check_pair(n->a, n->items[i], error);
    return code;
}

static int check_present(struct node *n, struct error *error)
{
    struct node *a = n->a;
    int code = check_value(a, error);
    if (code)
        return code;
    if (is_literal(a))
        return no_field(a, error);
    if (a->type == NODE_FUNCTION)
        return syntax_wrong(error, a->column, "%s",
                            _("a function's value is there or not as its field is: compare it"));
    return 0;
}

static int check_test(struct node *n, struct error *error)
{
    int code;
    switch (n->type) {
    case NODE_OR:
    case NODE_AND:
        code = check_test(n->a, error);
        return code ? code : check_test(n->b, error);
    case NODE_NOT:
        return check_test(n->a, error);
    case NODE_IN:
        return check_set(n, error);
    case NODE_PRESENT:
        return check_present(n, error);
    default:
        return n->op == CONTAINS || n->op == MATCHES ? check_search(n, error) : check_pair(n->a, n->b, error);
    }
}

int syntax_check(struct syntax *s, struct error *error)
{
    return check_test(s->root, error);
}
