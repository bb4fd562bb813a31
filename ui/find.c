#include "ui/find.h"
#include "base/text.h"
#include "output/text.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { SLICE = 32, PATTERN_MAX = 512, READ_BLOCK = 1 << 18 };

struct find {
    struct store *store;
    struct store_reader *reader;
    struct text text;
    struct buffer line;
    uint8_t pattern[PATTERN_MAX]; /* text in lower case, or bytes */
    size_t length;
    bool bytes;
    pcre2_code *regex; /* NULL: none */
    pcre2_match_data *match;
    uint64_t at, result; /* at: the place in the view that comes next, from 1; 0: over */
    bool forward;
};

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "0x" and digits, or pairs of digits with spaces or colons between them. False: it is neither. */
static bool take_bytes(struct find *f, const char *what)
{
    bool prefix = what[0] == '0' && (what[1] == 'x' || what[1] == 'X');
    size_t n = 0;
    const char *at = what + (prefix ? 2 : 0);
    bool parted = false;
    while (*at) {
        if (*at == ' ' || *at == ':') {
            parted = true;
            at++;
            continue;
        }
        if (digit(at[0]) < 0 || digit(at[1]) < 0 || n == PATTERN_MAX)
            return false;
        f->pattern[n++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
        at += 2;
    }
    f->length = n;
    f->bytes = n && (prefix || parted);
    return f->bytes;
}

static int take_regex(struct find *f, const char *what, size_t n, struct error *error)
{
    int code;
    PCRE2_SIZE offset;
    f->regex = pcre2_compile((PCRE2_SPTR)what, n, PCRE2_DOTALL, &code, &offset, NULL);
    if (!f->regex) {
        char why[128];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return error_set(error, ERROR_USAGE, _("regular expression, column %zu: %s"), offset + 1, why);
    }
    pcre2_jit_compile(f->regex, PCRE2_JIT_COMPLETE);
    f->match = pcre2_match_data_create_from_pattern(f->regex, NULL);
    return f->match ? 0 : error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
}

static int take_pattern(struct find *f, const char *what, struct error *error)
{
    size_t n = strlen(what);
    if (n >= 2 && what[0] == '/')
        return take_regex(f, what + 1, n - 1 - (what[n - 1] == '/' && n > 2), error);
    if (!n || take_bytes(f, what))
        return n ? 0 : error_set(error, ERROR_USAGE, "%s", _("find what?"));
    f->length = n < PATTERN_MAX ? n : PATTERN_MAX;
    for (size_t i = 0; i < f->length; i++)
        f->pattern[i] = (uint8_t)tolower((uint8_t)what[i]);
    return 0;
}

int find_open(struct find **find, struct store *store, const char *what, bool ascii, struct error *error)
{
    struct find *f = calloc(1, sizeof *f);
    *find = NULL;
    if (!f || buffer_open(&f->line, -1, 4096)) {
        free(f);
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    }
    f->store = store;
    text_open(&f->text, &(struct style){ .ascii = ascii }, FORMAT_RELATIVE, 6);
    int code = take_pattern(f, what, error);
    if (!code)
        code = store_reader_open(&f->reader, store, READ_BLOCK, error);
    if (code)
        find_close(f);
    else
        *find = f;
    return code;
}

void find_close(struct find *f)
{
    if (!f)
        return;
    store_reader_close(f->reader);
    buffer_free(&f->line);
    pcre2_match_data_free(f->match);
    pcre2_code_free(f->regex);
    free(f);
}

void find_begin(struct find *f, uint64_t from, bool forward)
{
    f->forward = forward;
    f->result = 0;
    f->at = from;
}

/* Case counts only for bytes. */
static bool holds_text(const struct find *f, struct span in)
{
    if (f->length > in.left)
        return false;
    const uint8_t *last = in.at + in.left - f->length;
    for (const uint8_t *p = in.at; p <= last; p++) {
        size_t i = 0;
        while (i < f->length && tolower(p[i]) == f->pattern[i])
            i++;
        if (i == f->length)
            return true;
    }
    return false;
}

static bool holds(const struct find *f, struct span in)
{
    if (f->regex)
        return pcre2_match(f->regex, in.at, in.left, 0, 0, f->match, NULL) >= 0;
    return f->bytes ? memmem(in.at, in.left, f->pattern, f->length) != NULL : holds_text(f, in);
}

static bool is_found(struct find *f, const struct packet *p)
{
    for (unsigned i = 0; i < p->buffer_count; i++)
        if (holds(f, p->buffers[i]))
            return true;
    if (f->bytes)
        return false;
    f->line.at = f->line.start;
    text_write(&f->text, &f->line, p);
    return holds(f, (struct span){ (const uint8_t *)f->line.start, buffer_used(&f->line) });
}

bool find_step(struct find *f, const struct view *view, int64_t deadline)
{
    uint64_t count = view_count(view);
    while (f->at && f->at <= count) {
        for (unsigned i = 0; i < SLICE && f->at && f->at <= count; i++) {
            uint64_t number = view_nth(view, f->at - 1);
            const struct packet *p = store_packet(f->reader, number, NULL);
            if (p && is_found(f, p)) {
                f->result = number;
                f->at = 0;
                return false;
            }
            f->at += f->forward ? 1 : UINT64_MAX;
        }
        if (monotonic() >= deadline)
            return f->at && f->at <= count;
    }
    f->at = 0;
    return false;
}

uint64_t find_result(const struct find *f)
{
    return f->result;
}

uint64_t find_at(const struct find *f)
{
    return f->at;
}
