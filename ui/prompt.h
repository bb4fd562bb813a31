/* A line that is being typed: filters, what to find, commands, file names. With history and completion. */
#pragma once
#include "base/buffer.h"
#include "ui/draw.h"

enum { PROMPT_MAX = 512, PROMPT_HISTORY = 32 };

struct prompt;

struct prompt_kind {
    const char *sign; /* in front of the line: "/" */
    /* Whether the text is valid so far, and why not, in `why` (room for 256 bytes). NULL: anything is. */
    bool (*valid)(void *context, const char *text, char *why);
    /* Something that could stand in place of the word before the cursor, the n-th one; false: there are no more. */
    bool (*complete)(void *context, const char *word, unsigned n, char *whole);
    void (*done)(void *context, const char *text);
};

/* What was typed before, one for each kind. */
struct prompt_history {
    char *lines[PROMPT_HISTORY]; /* owned, the latest first */
};

struct prompt {
    const struct prompt_kind *kind; /* NULL: nothing is being typed */
    void *context;
    struct prompt_history *history;
    char text[PROMPT_MAX];
    size_t length, cursor;  /* bytes */
    int past;               /* which line of the history is shown, -1: none */
    char fresh[PROMPT_MAX]; /* what was typed before going there */
    char word[PROMPT_MAX];  /* what completion began with */
    unsigned completion;    /* which one is shown, from 1; 0: none */
    bool valid;
    char why[256];
};

void prompt_open(struct prompt *prompt, const struct prompt_kind *kind, void *context, struct prompt_history *history,
                 const char *text);
/* A key; the prompt may be over afterwards. */
void prompt_take(struct prompt *prompt, int32_t key);
/* Draws it in one line, and puts the cursor into it. */
void prompt_draw(struct prompt *prompt, int y, int x, int width);
void prompt_history_free(struct prompt_history *history);
