/* A recursive descent over the grammar in syntax.h. */
#include "base/text.h"
#include "filter/lexer.h"
#include "filter/syntax.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct parser {
    struct syntax *syntax;
    struct lexer lexer;
    struct error *error;
    unsigned depth;
    int code; /* the first failure; all functions return NULL then */
};

static const char *const function_names[FUNCTIONS] = {
    "len", "count", "upper", "lower", "string", "min", "max", "abs"
};

int syntax_wrong(struct error *error, uint32_t column, const char *format, ...)
{
    char text[384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(error, ERROR_USAGE, _("filter: column %u: %s"), column + 1, text);
}

static struct node *fail(struct parser *p, uint32_t column, const char *sentence)
{
    if (!p->code)
        p->code = syntax_wrong(p->error, column, "%s", sentence);
    return NULL;
}

static struct node *no_memory(struct parser *p)
{
    if (!p->code)
        p->code = error_set(p->error, ERROR_MEMORY, "%s", _("filter: no memory"));
    return NULL;
}

static bool next(struct parser *p)
{
    if (!p->code)
        p->code = lexer_next(&p->lexer, p->error);
    return !p->code;
}

static bool is_next(const struct parser *p, enum token_type type)
{
    return !p->code && p->lexer.token.type == type;
}

static struct node *unexpected(struct parser *p)
{
    const struct token *t = &p->lexer.token;
    if (p->code)
        return NULL;
    if (t->type == TOKEN_END)
        return fail(p, t->column, _("the expression ends too early"));
    p->code = syntax_wrong(p->error, t->column, _("'%.*s' is out of place"), (int)(t->length < 64 ? t->length : 64),
                           p->lexer.expression + t->column);
    return NULL;
}

static bool expect(struct parser *p, enum token_type type)
{
    if (!is_next(p, type)) {
        unexpected(p);
        return false;
    }
    return next(p);
}

static struct node *new_node(struct parser *p, enum node_type type, uint32_t column)
{
    struct syntax *s = p->syntax;
    if (p->code)
        return NULL;
    if (s->node_count == s->node_room)
        return fail(p, column, _("the expression is too long"));
    struct node *n = &s->nodes[s->node_count++];
    *n = (struct node){ .type = (uint8_t)type, .column = column };
    return n;
}

static void end_node(const struct parser *p, struct node *n)
{
    uint32_t end = p->lexer.token.column;
    while (end > n->column && strchr(" \t\r\n", p->lexer.expression[end - 1]))
        end--;
    n->length = end - n->column;
}

static struct node *pair(struct parser *p, enum node_type type, struct node *a, struct node *b)
{
    struct node *n = a && b ? new_node(p, type, a->column) : NULL;
    if (!n)
        return NULL;
    n->a = a;
    n->b = b;
    end_node(p, n);
    return n;
}

static bool add_item(struct parser *p, struct node *n, struct node *item)
{
    if ((n->item_count & (n->item_count - 1)) == 0) { /* room is a power of two */
        unsigned room = n->item_count ? n->item_count * 2 : 1;
        struct node **more = realloc(n->items, room * sizeof *more);
        if (!more) {
            no_memory(p);
            return false;
        }
        n->items = more;
    }
    n->items[n->item_count++] = item;
    return true;
}

static struct node *parse_or(struct parser *p);
static struct node *parse_sum(struct parser *p);

/* --- slices and layers --- */

static bool read_number(const char **at, int32_t *number)
{
    char *end;
    if (!((**at >= '0' && **at <= '9') || **at == '-'))
        return false;
    long n = strtol(*at, &end, 0);
    if (end == *at || n > INT32_MAX || n < INT32_MIN)
        return false;
    *at = end;
    *number = (int32_t)n;
    return true;
}

static void skip_spaces(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

/* One of i:j, i-j, i, :j, i: */
static bool read_part(const char **at, struct part *part)
{
    *part = (struct part){ 0 };
    skip_spaces(at);
    bool begins = read_number(at, &part->from);
    skip_spaces(at);
    if (**at == ':') {
        ++*at;
        skip_spaces(at);
        part->counted = read_number(at, &part->to);
        part->open = !part->counted;
        skip_spaces(at);
        return begins || part->counted;
    }
    if (!begins)
        return false;
    part->to = part->from;
    if (**at == '-') {
        ++*at;
        skip_spaces(at);
        if (!read_number(at, &part->to))
            return false;
        skip_spaces(at);
        return part->from < part->to && (part->from < 0) == (part->to < 0); /* Wireshark's rule */
    }
    return true;
}

static bool read_parts(struct parser *p, struct node *n)
{
    const struct token *t = &p->lexer.token;
    const char *at = p->lexer.expression + t->column + 1, *last = at + t->length - 2;
    for (;; at++) {
        if (n->part_count == PARTS_MAX)
            return fail(p, t->column, _("too many parts in a bracket"));
        if (!read_part(&at, &n->parts[n->part_count++]) || (*at != ',' && at != last) ||
            (n->parts[n->part_count - 1].counted && n->parts[n->part_count - 1].to <= 0)) {
            fail(p, (uint32_t)(at - p->lexer.expression),
                 _("a bracket holds [i], [i:length], [i-j], [:length] or [i:]"));
            return false;
        }
        if (at == last)
            return next(p);
    }
}

static bool parse_layers(struct parser *p, struct node *n)
{
    const struct token *t = &p->lexer.token;
    const char *at = p->lexer.expression + t->column + 1;
    bool number = t->length > 1;
    if (n->type != NODE_LITERAL || n->quoted)
        return fail(p, t->column, _("'#' stands behind a field"));
    if (number && read_number(&at, &n->parts[0].from)) {
        n->parts[0].to = n->parts[0].from;
        n->part_count = 1;
        return next(p);
    }
    uint32_t column = t->column;
    if (number || !next(p) || !is_next(p, TOKEN_BRACKET))
        return fail(p, column, _("behind '#' comes the number of a layer, or several in a bracket"));
    return read_parts(p, n);
}

static struct node *parse_slice(struct parser *p, struct node *a)
{
    struct node *n = new_node(p, NODE_SLICE, a->column);
    if (!n || !read_parts(p, n))
        return NULL;
    n->a = a;
    end_node(p, n);
    return n;
}

/* --- values --- */

static struct node *parse_function(struct parser *p, struct node *name)
{
    const struct token *t = &p->lexer.token;
    struct node *n = new_node(p, NODE_FUNCTION, name->column);
    while (n && n->op < FUNCTIONS && strcmp(function_names[n->op], name->text) != 0)
        n->op++;
    if (!n || n->op == FUNCTIONS) {
        if (!p->code)
            p->code = syntax_wrong(p->error, name->column,
                                   _("no function '%.64s'; there are len, count, upper, lower, string, min, max, abs"),
                                   name->text);
        return NULL;
    }
    do {
        if (!next(p))
            return NULL;
        struct node *argument = parse_sum(p);
        if (!argument || !add_item(p, n, argument))
            return NULL;
    } while (t->type == TOKEN_COMMA);
    if (!expect(p, TOKEN_CLOSE))
        return NULL;
    if (n->item_count > 1 && n->op != FUNCTION_MIN && n->op != FUNCTION_MAX)
        return fail(p, n->items[1]->column, _("this function takes one field"));
    end_node(p, n);
    return n;
}

static struct node *parse_literal(struct parser *p)
{
    const struct token *t = &p->lexer.token;
    struct node *n = new_node(p, NODE_LITERAL, t->column);
    if (!n)
        return NULL;
    n->quoted = t->type == TOKEN_STRING;
    n->character = t->type == TOKEN_CHARACTER;
    const char *word = p->lexer.expression + t->column;
    bool is_word = t->type == TOKEN_WORD;
    /* ":ff" and ".tcp" say what they are. */
    n->forced = is_word && t->length > 1 &&
                ((*word == ':' && word[1] != ':') || (*word == '.' && (word[1] < '0' || word[1] > '9')));
    size_t skip = n->forced && *word == ':';
    n->text_length = is_word ? t->length - skip : p->lexer.text_length;
    n->text = malloc(n->text_length + 1);
    if (!n->text)
        return no_memory(p);
    memcpy(n->text, is_word ? word + skip : p->lexer.text, n->text_length);
    n->text[n->text_length] = 0;
    n->length = t->length;
    return next(p) ? n : NULL;
}

static struct node *parse_operand(struct parser *p)
{
    enum token_type type = p->lexer.token.type;
    if (p->code || (type != TOKEN_WORD && type != TOKEN_STRING && type != TOKEN_CHARACTER))
        return unexpected(p);
    struct node *n = parse_literal(p);
    if (n && type == TOKEN_WORD && is_next(p, TOKEN_OPEN))
        n = parse_function(p, n);
    if (n && is_next(p, TOKEN_LAYER)) {
        if (!parse_layers(p, n))
            return NULL;
        end_node(p, n);
    }
    while (n && is_next(p, TOKEN_BRACKET))
        n = parse_slice(p, n);
    return n;
}

static bool is_math(const struct parser *p, unsigned from, unsigned to)
{
    return is_next(p, TOKEN_MATH) && p->lexer.token.op >= from && p->lexer.token.op <= to;
}

static bool enter(struct parser *p)
{
    if (++p->depth > DEPTH_MAX)
        fail(p, p->lexer.token.column, _("too many things within each other"));
    return !p->code;
}

static struct node *parse_unary(struct parser *p)
{
    struct node *n;
    if (!enter(p))
        return NULL;
    uint32_t column = p->lexer.token.column;
    if (is_next(p, TOKEN_BRACE)) {
        n = next(p) ? parse_sum(p) : NULL;
        if (n && !expect(p, TOKEN_BRACE_END))
            n = NULL;
    } else if (is_math(p, MATH_PLUS, MATH_MINUS)) {
        bool negative = p->lexer.token.op == MATH_MINUS;
        n = next(p) ? parse_unary(p) : NULL;
        if (n && negative) {
            struct node *outer = new_node(p, NODE_MATH, column);
            if (outer) {
                outer->op = MATH_NEGATIVE;
                outer->a = n;
                end_node(p, outer);
            }
            n = outer;
        }
    } else {
        n = parse_operand(p);
    }
    p->depth--;
    return p->code ? NULL : n;
}

/* What binds tightest last: * / %, then + -, then &. */
static struct node *parse_math(struct parser *p, unsigned level)
{
    static const uint8_t from[] = { MATH_AND, MATH_PLUS, MATH_TIMES }, to[] = { MATH_AND, MATH_MINUS, MATH_MODULO };
    if (level == 3)
        return parse_unary(p);
    struct node *a = parse_math(p, level + 1);
    while (a && is_math(p, from[level], to[level])) {
        uint8_t op = p->lexer.token.op;
        a = next(p) ? pair(p, NODE_MATH, a, parse_math(p, level + 1)) : NULL;
        if (a)
            a->op = op;
    }
    return p->code ? NULL : a;
}

static struct node *parse_sum(struct parser *p)
{
    return parse_math(p, 0);
}

/* --- tests --- */

static struct node *parse_set(struct parser *p, struct node *a, bool not, bool every)
{
    struct node *n = new_node(p, NODE_IN, a->column);
    if (!n || !next(p))
        return NULL;
    n->a = a;
    n->every = every;
    if (!is_next(p, TOKEN_BRACE))
        return fail(p, p->lexer.token.column, _("a set stands in braces: {80, 443, 8000..8080}"));
    do {
        struct node *to = NULL, *from = next(p) ? parse_sum(p) : NULL;
        if (from && is_next(p, TOKEN_RANGE) && (!next(p) || !(to = parse_sum(p))))
            return NULL;
        if (!from || !add_item(p, n, from) || !add_item(p, n, to))
            return NULL;
    } while (is_next(p, TOKEN_COMMA));
    if (!expect(p, TOKEN_BRACE_END))
        return NULL;
    end_node(p, n);
    struct node *outer = not ? new_node(p, NODE_NOT, a->column) : NULL;
    if (!outer)
        return p->code ? NULL : n;
    outer->a = n;
    end_node(p, outer);
    return outer;
}

/* a < b < c is a < b and b < c. */
static struct node *parse_comparisons(struct parser *p, struct node *a, int quantifier)
{
    struct node *all = NULL;
    while (a && is_next(p, TOKEN_COMPARISON)) {
        struct token t = p->lexer.token;
        struct node *b = next(p) ? parse_sum(p) : NULL;
        struct node *n = pair(p, NODE_COMPARE, a, b);
        if (!n)
            return NULL;
        n->op = t.op;
        n->every = quantifier ? quantifier > 1 : t.every;
        all = all ? pair(p, NODE_AND, all, n) : n;
        a = b;
    }
    return p->code ? NULL : all;
}

static struct node *parse_test(struct parser *p)
{
    int quantifier = is_next(p, TOKEN_ANY) ? 1 : is_next(p, TOKEN_ALL) ? 2 : 0;
    uint32_t column = p->lexer.token.column;
    if (quantifier && !next(p))
        return NULL;
    struct node *a = parse_sum(p);
    if (!a)
        return NULL;
    if (is_next(p, TOKEN_COMPARISON))
        return parse_comparisons(p, a, quantifier);
    bool not = is_next(p, TOKEN_NOT) && p->lexer.token.length == 3;
    if (not &&!next(p))
        return NULL;
    if (is_next(p, TOKEN_IN))
        return parse_set(p, a, not, quantifier > 1);
    if (not )
        return unexpected(p);
    if (quantifier)
        return fail(p, column, _("'any' and 'all' stand before a comparison"));
    struct node *n = new_node(p, NODE_PRESENT, a->column);
    if (!n)
        return NULL;
    n->a = a;
    end_node(p, n);
    return n;
}

static struct node *parse_not(struct parser *p)
{
    struct node *n = NULL;
    if (!enter(p))
        return NULL;
    uint32_t column = p->lexer.token.column;
    if (is_next(p, TOKEN_NOT)) {
        struct node *a = next(p) ? parse_not(p) : NULL;
        n = a ? new_node(p, NODE_NOT, column) : NULL;
        if (n) {
            n->a = a;
            end_node(p, n);
        }
    } else if (is_next(p, TOKEN_OPEN)) {
        n = next(p) ? parse_or(p) : NULL;
        if (n && !expect(p, TOKEN_CLOSE))
            n = NULL;
    } else {
        n = parse_test(p);
    }
    p->depth--;
    return p->code ? NULL : n;
}

static struct node *parse_and(struct parser *p)
{
    struct node *a = parse_not(p);
    while (a && is_next(p, TOKEN_AND))
        a = next(p) ? pair(p, NODE_AND, a, parse_not(p)) : NULL;
    return p->code ? NULL : a;
}

static struct node *parse_or(struct parser *p)
{
    struct node *a = parse_and(p);
    while (a && is_next(p, TOKEN_OR))
        a = next(p) ? pair(p, NODE_OR, a, parse_and(p)) : NULL;
    return p->code ? NULL : a;
}

int syntax_parse(struct syntax *s, const char *expression, struct error *error)
{
    size_t n = strlen(expression);
    *s = (struct syntax){ .expression = expression };
    if (n > EXPRESSION_MAX)
        return syntax_wrong(error, EXPRESSION_MAX, "%s", _("the expression is too long"));
    s->node_room = n * 2 + 2 < NODES_MAX ? (unsigned)n * 2 + 2 : NODES_MAX;
    s->nodes = calloc(s->node_room, sizeof *s->nodes);
    struct parser p = { .syntax = s, .error = error, .lexer = { .expression = expression, .text = malloc(n + 4) } };
    if (!s->nodes || !p.lexer.text)
        no_memory(&p);
    if (next(&p))
        s->root = parse_or(&p);
    if (s->root && !is_next(&p, TOKEN_END))
        unexpected(&p);
    free(p.lexer.text);
    return p.code;
}

void syntax_close(struct syntax *s)
{
    for (unsigned i = 0; i < s->node_count; i++) {
        struct node *n = &s->nodes[i];
        free(n->text);
        free(n->items);
        free(n->refs);
        free(n->list.at);
        pcre2_code_free(n->pattern);
    }
    free(s->nodes);
    *s = (struct syntax){ 0 };
}
