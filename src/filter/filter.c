/* The tree of an expression becomes a list of steps, each of which goes on at one step or another: true or false are
 * two places behind its end. Steps about fields that have a hot copy are answered from it, without a walk; all others
 * ask the tree. */
#include "filter/filter.h"
#include "base/text.h"
#include "dissectors/registry.h"
#include "filter/evaluate.h"
#include "filter/extra.h"
#include <stdlib.h>

enum { PASS = -1, FAIL = -2, CLAUSES_MAX = 64, COPIES_MAX = 2 };

enum step_type {
    STEP_TEST,  /* asks the tree */
    STEP_LAYER, /* a protocol that has hot copies */
    STEP_RANGE, /* one copy, one range */
    STEP_PAIR,  /* two copies (tcp.port, ip.addr), one range */
    STEP_HOT,   /* whatever can be said by ranges of numbers */
};

struct range {
    uint32_t low, width; /* from low to low + width, both included */
};

struct step {
    uint8_t type; /* enum step_type */
    uint8_t bit;  /* enum hot_bit: the copies are there, and the only occurrence, by packet.have and again */
    uint8_t shift, copies;
    bool not ;  /* true outside the ranges */
    bool every; /* of all copies; else of any */
    int32_t yes, no;
    uint16_t at[COPIES_MAX]; /* in struct packet */
    uint32_t mask;
    struct range range;
    struct range *ranges; /* owned; all of them, the first in range as well */
    unsigned range_count;
    struct node *node;
};

/* What is joined by "and" at the expression's top. */
struct clause {
    int32_t start;
    bool matched; /* some packet */
    const struct node *node;
};

struct filter {
    struct syntax syntax;
    char *expression; /* owned */
    struct evaluation evaluation;
    struct step *steps; /* owned */
    int32_t start;
    unsigned step_count, clause_count;
    bool passed; /* some packet: then nobody asks about the clauses */
    struct clause clauses[CLAUSES_MAX];
};

/* --- which fields have a copy --- */

struct copy {
    uint16_t at;
    uint8_t size, shift, bit;
    uint32_t mask;
};

static bool is_plain(const struct field *f)
{
    return !f->adjust && !f->read && !f->measure && !f->note_bit && !f->after && !f->sized && !f->unit && !f->stride &&
           f->width;
}

/* A field's copy, or the bits of the copy of a field around it. */
static bool find_copy(const struct field_ref *ref, struct copy *copy)
{
    const struct field *f = ref->field;
    if (ref->run || !ref->protocol->hot)
        return false;
    for (const struct field *whole = ref->rows; whole->abbrev; whole++) {
        if (!whole->hot || whole->width > 32)
            continue;
        bool around = is_plain(f) && is_plain(whole) && f->bit >= whole->bit &&
                      f->bit + f->width <= whole->bit + whole->width && f->when == whole->when &&
                      f->only == whole->only && f->never == whole->never && f->needs == whole->needs &&
                      (f->type == FIELD_UINT || f->type == FIELD_BOOL);
        if (whole != f && !around)
            continue;
        unsigned shift = whole == f ? 0 : (unsigned)(whole->bit + whole->width - f->bit - f->width);
        *copy = (struct copy){ .at = whole->hot,
                               .size = whole->width <= 8    ? 1
                                       : whole->width <= 16 ? 2
                                                            : 4,
                               .shift = (uint8_t)shift,
                               .bit = ref->protocol->hot,
                               .mask = f->width == 32 ? UINT32_MAX : (UINT32_C(1) << f->width) - 1 };
        return true;
    }
    return false;
}

static bool set_copies(struct step *step, const struct node *field)
{
    if (field->type != NODE_FIELD || field->protocol || field->part_count || !field->ref_count ||
        field->ref_count > COPIES_MAX)
        return false;
    if (field->kind != KIND_NUMBER && field->kind != KIND_BOOL && field->kind != KIND_IPV4)
        return false;
    for (unsigned i = 0; i < field->ref_count; i++) {
        struct copy copy;
        if (!find_copy(&field->refs[i], &copy) || (i && (copy.bit != step->bit || copy.mask != step->mask)) ||
            (i && copy.shift != step->shift))
            return false;
        step->at[i] = copy.at;
        step->shift = copy.shift;
        step->bit = copy.bit;
        step->mask = copy.mask;
    }
    step->copies = (uint8_t)field->ref_count;
    return true;
}

/* --- which tests are ranges --- */

static bool add_range(struct step *step, uint64_t low, uint64_t high)
{
    if (low > high || high > UINT32_MAX)
        return false;
    struct range *more = realloc(step->ranges, (step->range_count + 1) * sizeof *more);
    if (!more)
        return false;
    step->ranges = more;
    step->ranges[step->range_count++] = (struct range){ (uint32_t)low, (uint32_t)(high - low) };
    return true;
}

/* The least and the greatest number that are the same as a literal. */
static bool bounds(const struct node *literal, enum kind kind, uint64_t *low, uint64_t *high)
{
    if (literal->type != NODE_LITERAL || literal->value.i < 0 || literal->value.i > UINT32_MAX)
        return false;
    uint32_t value = (uint32_t)literal->value.i, mask = kind == KIND_IPV4 ? literal->value.mask : UINT32_MAX;
    *low = value & mask;
    *high = value | ~mask;
    return true;
}

static bool compare_ranges(struct step *step, const struct node *n)
{
    enum kind kind = n->a->kind;
    uint64_t low, high;
    if (kind == KIND_BOOL) {
        if ((n->op != SAME && n->op != OTHER) || n->b->type != NODE_LITERAL)
            return false;
        step->not = n->op == OTHER;
        return n->b->value.i ? add_range(step, 1, UINT32_MAX) : add_range(step, 0, 0);
    }
    if (!bounds(n->b, kind, &low, &high))
        return false;
    switch ((enum comparison)n->op) {
    case OTHER:
    case SAME:
        step->not = n->op == OTHER;
        return add_range(step, low, high);
    case LESS:
        return low && add_range(step, 0, low - 1);
    case LESS_SAME:
        return add_range(step, 0, high);
    case MORE:
        return high < UINT32_MAX && add_range(step, high + 1, UINT32_MAX);
    case MORE_SAME:
        return add_range(step, low, UINT32_MAX);
    default:
        return false;
    }
}

static bool member_ranges(struct step *step, const struct node *n)
{
    enum kind kind = n->a->kind;
    if (kind == KIND_BOOL)
        return false;
    for (unsigned i = 0; i < n->item_count; i += 2) {
        uint64_t low, high, ignored;
        if (!bounds(n->items[i], kind, &low, &high))
            return false;
        if (n->items[i + 1] && !bounds(n->items[i + 1], kind, &ignored, &high))
            return false;
        if (low <= high && !add_range(step, low, high)) /* one from above to below has no members */
            return false;
    }
    return true;
}

static bool present_range(struct step *step, const struct node *n)
{
    (void)n;
    return add_range(step, 0, UINT32_MAX);
}

/* A step that needs no walk, if the test is of that sort. */
static bool make_hot(struct step *step, const struct node *n)
{
    if (n->type == NODE_PRESENT && n->a->type == NODE_FIELD && n->a->protocol && !n->a->part_count) {
        step->type = STEP_LAYER;
        step->bit = n->a->protocol->hot;
        return step->bit;
    }
    if (!set_copies(step, n->a))
        return false;
    bool good = n->type == NODE_PRESENT ? present_range(step, n)
                : n->type == NODE_IN    ? member_ranges(step, n)
                                        : compare_ranges(step, n);
    if (!good || !step->range_count)
        return false;
    step->range = step->ranges[0];
    step->type = step->range_count > 1 ? STEP_HOT : step->copies == 1 ? STEP_RANGE : STEP_PAIR;
    return true;
}

/* --- steps --- */

static int32_t add_step(struct filter *f, struct node *n, int32_t yes, int32_t no)
{
    struct step *step = &f->steps[f->step_count];
    *step = (struct step){ .every = n->every };
    if (!make_hot(step, n)) {
        free(step->ranges);
        *step = (struct step){ .type = STEP_TEST };
    }
    step->node = n;
    step->yes = yes;
    step->no = no;
    return (int32_t)f->step_count++;
}

/* From the end to the beginning, so that each knows where it goes on. Returns where the test begins. */
static int32_t compile(struct filter *f, struct node *n, int32_t yes, int32_t no)
{
    int32_t b;
    switch (n->type) {
    case NODE_AND:
        b = compile(f, n->b, yes, no);
        return compile(f, n->a, b, no);
    case NODE_OR:
        b = compile(f, n->b, yes, no);
        return compile(f, n->a, yes, b);
    case NODE_NOT:
        return compile(f, n->a, no, yes);
    default:
        return add_step(f, n, yes, no);
    }
}

/* The clauses are compiled once more, each for itself. */
static void compile_clauses(struct filter *f, struct node *n)
{
    if (n->type == NODE_AND) {
        compile_clauses(f, n->a);
        compile_clauses(f, n->b);
        return;
    }
    if (f->clause_count < CLAUSES_MAX)
        f->clauses[f->clause_count++] = (struct clause){ .start = compile(f, n, PASS, FAIL), .node = n };
}

static int build(struct filter *f, struct error *error)
{
    int code = syntax_parse(&f->syntax, f->expression, error);
    if (!code)
        code = syntax_check(&f->syntax, error);
    if (!code)
        code = evaluation_open(&f->evaluation, error);
    if (code)
        return code;
    f->steps = calloc((size_t)f->syntax.node_count * 2, sizeof *f->steps);
    if (!f->steps)
        return error_set(error, ERROR_MEMORY, "%s", _("filter: no memory"));
    f->start = compile(f, f->syntax.root, PASS, FAIL);
    compile_clauses(f, f->syntax.root);
    if (f->clause_count == CLAUSES_MAX) /* perhaps not all of them: nobody reads so many */
        f->clause_count = 0;
    return 0;
}

int filter_open(struct filter **filter, const char *expression, struct error *error)
{
    struct filter *f = calloc(1, sizeof *f);
    if (!f)
        return error_set(error, ERROR_MEMORY, "%s", _("filter: no memory"));
    f->expression = strdup(expression);
    int code = f->expression ? build(f, error) : error_set(error, ERROR_MEMORY, "%s", _("filter: no memory"));
    if (code) {
        filter_close(f);
        return code;
    }
    *filter = f;
    return 0;
}

void filter_close(struct filter *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->step_count; i++)
        free(f->steps[i].ranges);
    free(f->steps);
    evaluation_close(&f->evaluation);
    syntax_close(&f->syntax);
    free(f->expression);
    free(f);
}

/* What a name in the filter asks of the tracker. What TCP carries is a message or data only once streams are put
 * together. */
static uint64_t node_notes(const struct node *n)
{
    uint64_t notes =
        n->protocol && (n->protocol->frame || n->protocol == &data_protocol) ? UINT64_C(1) << NOTE_MESSAGES : 0;
    for (unsigned k = 0; k < n->ref_count; k++) {
        const struct field *field = n->refs[k].field;
        notes |= lookup_notes(&n->refs[k]);
        notes |= extra_notes(field);
    }
    return notes;
}

uint64_t filter_notes(const struct filter *f)
{
    uint64_t notes = 0;
    for (unsigned i = 0; i < f->syntax.node_count; i++)
        if (f->syntax.nodes[i].type == NODE_FIELD)
            notes |= node_notes(&f->syntax.nodes[i]);
    return notes;
}

/* --- a packet --- */

static inline uint32_t load_copy(const struct step *s, const struct packet *p, unsigned i)
{
    uint32_t value;
    memcpy(&value, (const char *)p + s->at[i], sizeof value); /* what lies behind a shorter one is masked away */
    return value >> s->shift & s->mask;
}

static inline bool in_range(struct range range, uint32_t value)
{
    return value - range.low <= range.width;
}

static bool in_ranges(const struct step *s, uint32_t value)
{
    for (unsigned i = 0; i < s->range_count; i++)
        if (in_range(s->ranges[i], value))
            return true;
    return false;
}

static inline bool run_pair(const struct step *s, const struct packet *p)
{
    bool a = in_range(s->range, load_copy(s, p, 0)) != s->not, b = in_range(s->range, load_copy(s, p, 1)) != s->not ;
    return s->every ? a & b : a | b;
}

static bool run_hot(const struct step *s, const struct packet *p)
{
    for (unsigned i = 0; i < s->copies; i++)
        if ((in_ranges(s, load_copy(s, p, i)) != s->not ) != s->every)
            return !s->every;
    return s->every;
}

static bool run(struct filter *f, int32_t at, const struct packet *p)
{
    unsigned once = p->have & ~p->again, never = ~(unsigned)(p->have | p->again);
    while (at >= 0) {
        const struct step *s = &f->steps[at];
        bool result;
        if (s->bit & never)
            result = false;
        else if (!(s->bit & once))
            result = evaluate(&f->evaluation, s->node, p);
        else if (s->type == STEP_RANGE)
            result = in_range(s->range, load_copy(s, p, 0)) != s->not ;
        else if (s->type == STEP_PAIR)
            result = run_pair(s, p);
        else
            result = s->type == STEP_LAYER || run_hot(s, p);
        at = result ? s->yes : s->no;
    }
    return at == PASS;
}

/* The same clause by clause: behind one that fails, those are asked that nothing matched so far. */
static bool run_clauses(struct filter *f, const struct packet *p)
{
    bool passes = true;
    for (unsigned i = 0; i < f->clause_count; i++) {
        struct clause *clause = &f->clauses[i];
        if (!passes && clause->matched)
            continue;
        bool holds = run(f, clause->start, p);
        clause->matched |= holds;
        passes &= holds;
    }
    return passes;
}

bool filter_passes(struct filter *f, const struct packet *p)
{
    if (f->passed || f->clause_count < 2)
        return run(f, f->start, p);
    f->passed = run_clauses(f, p);
    return f->passed;
}

/* --- when nothing passed --- */

static void put_clause(const struct filter *f, const struct node *n, struct buffer *out)
{
    buffer_char(out, '\'');
    buffer_escaped(out, (const uint8_t *)f->expression + n->column, n->length);
    buffer_char(out, '\'');
}

void filter_explain(const struct filter *f, struct buffer *out)
{
    unsigned alone = 0;
    for (unsigned i = 0; i < f->clause_count; i++)
        alone += !f->clauses[i].matched;
    if (f->passed || f->clause_count < 2)
        return;
    if (!alone) {
        buffer_text(out, _("each part of the filter matched packets, but none matched all of them"));
        return;
    }
    bool first = true;
    for (unsigned i = 0; i < f->clause_count; i++) {
        if (f->clauses[i].matched)
            continue;
        if (!first)
            buffer_text(out, ", ");
        put_clause(f, f->clauses[i].node, out);
        first = false;
    }
    buffer_text(out, alone == 1 ? _(" alone already matched no packet") : _(": each alone already matched no packet"));
}
