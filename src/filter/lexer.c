#include "filter/lexer.h"
#include "base/text.h"
#include "filter/syntax.h"
#include <ctype.h>
#include <string.h>

static const struct word {
    const char *text;
    uint8_t type, op;
    bool every;
} words[] = {
    { "and", TOKEN_AND, 0, false },
    { "or", TOKEN_OR, 0, false },
    { "not", TOKEN_NOT, 0, false },
    { "in", TOKEN_IN, 0, false },
    { "any", TOKEN_ANY, 0, false },
    { "all", TOKEN_ALL, 0, false },
    { "eq", TOKEN_COMPARISON, SAME, false },
    { "any_eq", TOKEN_COMPARISON, SAME, false },
    { "all_eq", TOKEN_COMPARISON, SAME, true },
    { "ne", TOKEN_COMPARISON, OTHER, true },
    { "all_ne", TOKEN_COMPARISON, OTHER, true },
    { "any_ne", TOKEN_COMPARISON, OTHER, false },
    { "gt", TOKEN_COMPARISON, MORE, false },
    { "ge", TOKEN_COMPARISON, MORE_SAME, false },
    { "lt", TOKEN_COMPARISON, LESS, false },
    { "le", TOKEN_COMPARISON, LESS_SAME, false },
    { "contains", TOKEN_COMPARISON, CONTAINS, false },
    { "matches", TOKEN_COMPARISON, MATCHES, false },
    { "bitwise_and", TOKEN_MATH, MATH_AND, false },
};

/* Longer ones before those that they begin with. */
static const struct word signs[] = {
    { "===", TOKEN_COMPARISON, SAME, true },
    { "!==", TOKEN_COMPARISON, OTHER, false },
    { "==", TOKEN_COMPARISON, SAME, false },
    { "!=", TOKEN_COMPARISON, OTHER, true },
    { "~=", TOKEN_COMPARISON, OTHER, false },
    { ">=", TOKEN_COMPARISON, MORE_SAME, false },
    { "<=", TOKEN_COMPARISON, LESS_SAME, false },
    { "&&", TOKEN_AND, 0, false },
    { "||", TOKEN_OR, 0, false },
    { "..", TOKEN_RANGE, 0, false },
    { ">", TOKEN_COMPARISON, MORE, false },
    { "<", TOKEN_COMPARISON, LESS, false },
    { "~", TOKEN_COMPARISON, MATCHES, false },
    { "!", TOKEN_NOT, 0, false },
    { "(", TOKEN_OPEN, 0, false },
    { ")", TOKEN_CLOSE, 0, false },
    { "{", TOKEN_BRACE, 0, false },
    { "}", TOKEN_BRACE_END, 0, false },
    { ",", TOKEN_COMMA, 0, false },
    { "&", TOKEN_MATH, MATH_AND, false },
    { "+", TOKEN_MATH, MATH_PLUS, false },
    { "-", TOKEN_MATH, MATH_MINUS, false },
    { "*", TOKEN_MATH, MATH_TIMES, false },
    { "/", TOKEN_MATH, MATH_OVER, false },
    { "%", TOKEN_MATH, MATH_MODULO, false },
};

static int digit_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Up to `most` digits of a base at *at; false if there are fewer than `least`. */
static bool read_digits(const char **at, int base, unsigned least, unsigned most, uint32_t *value)
{
    unsigned n = 0;
    for (*value = 0; n < most; n++, ++*at) {
        int digit = digit_value(**at);
        if (digit < 0 || digit >= base)
            break;
        *value = *value * (uint32_t)base + (uint32_t)digit;
    }
    return n >= least;
}

static void put_utf8(struct lexer *l, uint32_t code)
{
    char *out = l->text + l->text_length;
    unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t first[] = { 0, 0xc0, 0xe0, 0xf0 };
    out[0] = (char)(first[more] | code >> (6 * more));
    for (unsigned i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
    l->text_length += more + 1;
}

/* What follows a backslash. False if it is no escape. */
static bool read_escape(struct lexer *l, const char **at)
{
    static const char names[] = "'\"\\abfnrtv", codes[] = "'\"\\\a\b\f\n\r\t\v";
    uint32_t value;
    char c = *(*at)++;
    const char *name = c ? strchr(names, c) : NULL;
    if (name) {
        l->text[l->text_length++] = codes[name - names];
    } else if (c == 'x') {
        if (!read_digits(at, 16, 1, 2, &value))
            return false;
        l->text[l->text_length++] = (char)value;
    } else if (c >= '0' && c <= '7') {
        --*at;
        read_digits(at, 8, 1, 3, &value);
        if (value > 255)
            return false;
        l->text[l->text_length++] = (char)value;
    } else if (c == 'u' || c == 'U') {
        unsigned n = c == 'u' ? 4 : 8;
        if (!read_digits(at, 16, n, n, &value) || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return false;
        put_utf8(l, value);
    } else {
        return false;
    }
    return true;
}

/* From the quote on. A raw string keeps its backslashes, also the one before a quote. */
static int read_string(struct lexer *l, char quote, bool raw, struct error *error)
{
    const char *start = l->expression + l->at, *at = start + 1 + raw;
    l->text_length = 0;
    while (*at != quote) {
        if (!*at)
            return syntax_wrong(error, l->at, "%s", _("the quote is not closed"));
        char c = *at++;
        if (c != '\\') {
            l->text[l->text_length++] = c;
        } else if (raw) {
            l->text[l->text_length++] = c;
            if (*at == quote)
                l->text[l->text_length++] = *at++;
        } else {
            const char *escape = at - 1;
            if (!read_escape(l, &at))
                return syntax_wrong(error, (uint32_t)(escape - l->expression), "%s", _("no such escape in a string"));
        }
    }
    if (quote == '\'' && l->text_length != 1)
        return syntax_wrong(error, l->at, "%s",
                            _("between single quotes stands one character; strings stand in double ones"));
    l->text[l->text_length] = 0;
    l->token.type = quote == '"' ? TOKEN_STRING : TOKEN_CHARACTER;
    l->token.length = (uint32_t)(at + 1 - start);
    return 0;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == ':';
}

/* Letters, digits and what stands within names, addresses and bytes. A minus belongs to a word when one stands right
 * behind it (00-11-22); a slash when digits follow what can be an address (10.0.0.0/8). */
static uint32_t word_length(const char *word)
{
    uint32_t n = 0;
    bool address = true;
    while (word[n]) {
        if (word[n] == '.' && word[n + 1] == '.')
            break;
        if (word[n] == '-' && n && isalnum((unsigned char)word[n + 1])) {
            n++;
        } else if (word[n] == '/' && n && address && memchr(word, word[0] == ':' ? ':' : '.', n + 1)) {
            n++;
            while (isdigit((unsigned char)word[n]))
                n++;
            break;
        } else if (word[n] == '/' && n && address && memchr(word, ':', n)) {
            n++;
            while (isdigit((unsigned char)word[n]))
                n++;
            break;
        } else if (!is_word(word[n])) {
            break;
        } else {
            address &= digit_value(word[n]) >= 0 || word[n] == '.' || word[n] == ':';
            n++;
        }
    }
    return n;
}

static const struct word *find_sign(const char *at)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (!strncmp(at, signs[i].text, strlen(signs[i].text)))
            return &signs[i];
    return NULL;
}

static void take(struct lexer *l, const struct word *word)
{
    l->token.type = word->type;
    l->token.op = word->op;
    l->token.every = word->every;
    l->token.length = (uint32_t)strlen(word->text);
}

static void take_word(struct lexer *l, uint32_t length)
{
    const char *at = l->expression + l->at;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].text) == length && !strncmp(at, words[i].text, length)) {
            take(l, &words[i]);
            return;
        }
    l->token.type = TOKEN_WORD;
    l->token.length = length;
}

int lexer_next(struct lexer *l, struct error *error)
{
    l->at = l->token.column + l->token.length;
    while (l->expression[l->at] && strchr(" \t\r\n", l->expression[l->at]))
        l->at++;
    l->token = (struct token){ .column = l->at };
    const char *at = l->expression + l->at;
    if (!*at)
        return 0;
    if (*at == '"' || *at == '\'')
        return read_string(l, *at, false, error);
    if ((*at == 'r' || *at == 'R') && at[1] == '"')
        return read_string(l, '"', true, error);
    if (*at == '[') {
        const char *end = strchr(at, ']');
        if (!end)
            return syntax_wrong(error, l->at, "%s", _("the bracket is not closed"));
        l->token.type = TOKEN_BRACKET;
        l->token.length = (uint32_t)(end + 1 - at);
        return 0;
    }
    if (*at == '#') {
        l->token.type = TOKEN_LAYER;
        l->token.length = 1;
        while (isdigit((unsigned char)at[l->token.length]))
            l->token.length++;
        return 0;
    }
    const struct word *sign = find_sign(at);
    uint32_t length = sign && sign->type != TOKEN_RANGE ? 0 : word_length(at);
    if (length) {
        take_word(l, length);
        return 0;
    }
    if (sign) {
        take(l, sign);
        return 0;
    }
    if (*at == '=')
        return syntax_wrong(error, l->at, "%s", _("'=' is no comparison; equal is '=='"));
    if (*at == '|' || *at == '^')
        return syntax_wrong(error, l->at, _("'%c' is no operator here; or is '||'"), *at);
    if (*at == '$')
        return syntax_wrong(error, l->at, "%s",
                            _("'${...}' stands for a value of the packet selected in Wireshark's window, or for one of "
                              "its macros; here is neither"));
    if (*at == '@')
        return syntax_wrong(error, l->at, _("'%c' is not known here"), *at);
    return syntax_wrong(error, l->at, "%s", _("nothing begins like this"));
}
