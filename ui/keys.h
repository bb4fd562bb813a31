/* The keys: one table that feeds handler, help, footer, the manual page and ~/.config/peel/keys. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

enum action {
    ACT_NONE,
    ACT_UP,
    ACT_DOWN,
    ACT_LEFT,
    ACT_RIGHT,
    ACT_PAGE_UP,
    ACT_PAGE_DOWN,
    ACT_TOP,
    ACT_BOTTOM,
    ACT_OPEN,
    ACT_BACK,
    ACT_NEXT_PANE,
    ACT_PREVIOUS_PANE,
    ACT_MAXIMISE,
    ACT_EXPAND_ALL,
    ACT_COLLAPSE_ALL,
    ACT_PACKETS,
    ACT_SOCKETS,
    ACT_CONVERSATION,
    ACT_STATISTICS,
    ACT_FILTER,
    ACT_FIND,
    ACT_FIND_NEXT,
    ACT_FIND_PREVIOUS,
    ACT_COMMAND,
    ACT_FOLLOW,
    ACT_STREAM_NEXT,
    ACT_STREAM_PREVIOUS,
    ACT_EARLIER,
    ACT_LATER,
    ACT_AS_OF,
    ACT_HOST,
    ACT_SORT,
    ACT_SORT_REVERSE,
    ACT_STATE,
    ACT_MARK,
    ACT_MARK_NEXT,
    ACT_BOOKMARK_SET,
    ACT_BOOKMARK_GO,
    ACT_PAUSE,
    ACT_TIME_FORMAT,
    ACT_TIME_REFERENCE,
    ACT_COPY,
    ACT_WRITE,
    ACT_MOUSE,
    ACT_THEME,
    ACT_REDRAW,
    ACT_HELP,
    ACT_CANCEL,
    ACT_QUIT,
    ACTIONS,
};

/* A key as the terminal gave it: a character's code, or one of curses' KEY_ numbers with this bit. */
enum { KEY_NAMED = 1 << 24, KEYS_PER_ACTION = 6, KEY_SEQUENCE = 2, KEY_TEXT = 24 };

struct key_sequence {
    int32_t keys[KEY_SEQUENCE]; /* the second 0: one key */
};

struct key_row {
    const char *name;  /* in ~/.config/peel/keys */
    const char *keys;  /* by default, a space between two */
    const char *help;  /* N_() */
    const char *brief; /* N_(), in the footer; NULL: not there */
};

/* By action; [ACT_NONE] is empty. */
extern const struct key_row key_rows[ACTIONS];

struct keys {
    struct key_sequence of[ACTIONS][KEYS_PER_ACTION];
    int32_t pending; /* the first key of a sequence, 0: none */
};

void keys_open(struct keys *keys);
/* Takes over what a file says: a line an action, its name and the keys it is to have instead; # begins a comment.
 * Returns 0, also if there is no such file, or ERROR_USAGE for the first line that is wrong ("PATH, line 3: ..."). The
 * others are taken over. */
int keys_read(struct keys *keys, const char *path, struct error *error);
/* What a key does now; ACT_NONE: nothing, or it begins a sequence. */
enum action keys_take(struct keys *keys, int32_t key);
/* A key by its name: "a", "^F", "gg", "PgDn", "F1", "Space"; false if it is none. */
bool keys_parse(const char *name, struct key_sequence *sequence);
/* Its name; room for KEY_TEXT bytes. */
void keys_name(const struct key_sequence *sequence, char *name);
/* The first key of an action; NULL: it has none any more. */
const struct key_sequence *keys_first(const struct keys *keys, enum action action);
/* All keys of an action, as help tells them: "j, Down". */
void keys_write(const struct keys *keys, enum action action, struct buffer *out);
/* The rows of the manual page, mdoc. */
void keys_manual(struct buffer *out);
