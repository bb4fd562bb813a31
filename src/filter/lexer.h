/* The words of a filter's expression. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_type {
    TOKEN_END,
    TOKEN_WORD,      /* a name, a number, an address, bytes */
    TOKEN_STRING,    /* quoted; the lexer's text holds it without quotes and escapes */
    TOKEN_CHARACTER, /* '\n' */
    TOKEN_OPEN,      /* ( */
    TOKEN_CLOSE,
    TOKEN_BRACE, /* { */
    TOKEN_BRACE_END,
    TOKEN_BRACKET, /* from [ to ] */
    TOKEN_LAYER,   /* #1, or # before a bracket */
    TOKEN_COMMA,
    TOKEN_RANGE, /* .. */
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_IN,
    TOKEN_ANY,
    TOKEN_ALL,
    TOKEN_COMPARISON, /* op: enum comparison; every: of all values */
    TOKEN_MATH,       /* op: enum math */
};

struct token {
    uint8_t type, op;
    bool every;
    uint32_t column, length; /* in the expression, bytes */
};

struct lexer {
    const char *expression;
    uint32_t at;
    struct token token; /* the one that comes next */
    char *text;         /* of a string or character that comes next; room for all of the expression; the caller's */
    size_t text_length;
};

/* Reads the next token. Returns 0 or ERROR_USAGE. */
int lexer_next(struct lexer *lexer, struct error *error);
