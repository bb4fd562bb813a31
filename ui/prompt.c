#include "ui/prompt.h"
#include "base/text.h"
#include "ui/keys.h"
#include <curses.h>
#include <stdlib.h>

static void look(struct prompt *p)
{
    p->why[0] = 0;
    p->valid = !p->kind->valid || p->kind->valid(p->context, p->text, p->why);
}

static void set_text(struct prompt *p, const char *text)
{
    snprintf(p->text, sizeof p->text, "%s", text);
    p->length = p->cursor = strlen(p->text);
    look(p);
}

void prompt_open(struct prompt *p, const struct prompt_kind *kind, void *context, struct prompt_history *history,
                 const char *text)
{
    *p = (struct prompt){ .kind = kind, .context = context, .history = history, .past = -1 };
    set_text(p, text);
}

/* --- history --- */

static void remember(struct prompt *p)
{
    struct prompt_history *h = p->history;
    if (!h || !p->length)
        return;
    unsigned at = 0;
    while (at < PROMPT_HISTORY - 1 && h->lines[at] && strcmp(h->lines[at], p->text) != 0)
        at++;
    char *line = strdup(p->text);
    if (!line)
        return;
    free(h->lines[at]);
    memmove(h->lines + 1, h->lines, at * sizeof *h->lines);
    h->lines[0] = line;
}

static void go_past(struct prompt *p, int by)
{
    int to = p->past + by;
    if (!p->history || to < -1 || to >= PROMPT_HISTORY || (to >= 0 && !p->history->lines[to]))
        return;
    if (p->past < 0)
        memcpy(p->fresh, p->text, sizeof p->fresh);
    p->past = to;
    set_text(p, to < 0 ? p->fresh : p->history->lines[to]);
}

void prompt_history_free(struct prompt_history *h)
{
    for (unsigned i = 0; i < PROMPT_HISTORY; i++)
        free(h->lines[i]);
    *h = (struct prompt_history){ 0 };
}

/* --- editing --- */

static size_t before(const struct prompt *p)
{
    size_t at = p->cursor;
    if (at)
        do
            at--;
        while (at && (p->text[at] & 0xc0) == 0x80);
    return at;
}

static size_t behind(const struct prompt *p)
{
    size_t at = p->cursor;
    if (at < p->length)
        do
            at++;
        while (at < p->length && (p->text[at] & 0xc0) == 0x80);
    return at;
}

static void cut(struct prompt *p, size_t from, size_t to)
{
    memmove(p->text + from, p->text + to, p->length - to + 1);
    p->length -= to - from;
    p->cursor = from;
    look(p);
}

static void insert(struct prompt *p, const char *text, size_t n)
{
    if (p->length + n >= sizeof p->text)
        return;
    memmove(p->text + p->cursor + n, p->text + p->cursor, p->length - p->cursor + 1);
    memcpy(p->text + p->cursor, text, n);
    p->length += n;
    p->cursor += n;
    look(p);
}

static void insert_character(struct prompt *p, int32_t key)
{
    struct key_sequence sequence = { { key } };
    char text[KEY_TEXT] = " ";
    if (key != ' ')
        keys_name(&sequence, text);
    insert(p, text, strlen(text));
}

/* Where the word begins that ends at the cursor. */
static size_t word_start(const struct prompt *p)
{
    size_t at = p->cursor;
    while (at && !strchr(" \t()!&|=<>{},", p->text[at - 1]))
        at--;
    return at;
}

static void complete(struct prompt *p)
{
    char whole[PROMPT_MAX];
    if (!p->kind->complete)
        return;
    size_t start = word_start(p);
    if (!p->completion)
        snprintf(p->word, sizeof p->word, "%.*s", (int)(p->cursor - start), p->text + start);
    if (!p->kind->complete(p->context, p->word, p->completion, whole)) {
        if (!p->completion)
            return;
        p->completion = 0; /* round again, from what was typed */
        cut(p, start, p->cursor);
        insert(p, p->word, strlen(p->word));
        return;
    }
    p->completion++;
    cut(p, start, p->cursor);
    insert(p, whole, strlen(whole));
}

static void finish(struct prompt *p)
{
    if (!p->valid)
        return;
    struct prompt over = *p; /* what is done with it may begin another one */
    remember(p);
    p->kind = NULL;
    over.kind->done(over.context, over.text);
}

void prompt_take(struct prompt *p, int32_t key)
{
    if (key != '\t')
        p->completion = 0;
    switch (key) {
    case 27:
    case 'C' & 0x1f:
        p->kind = NULL;
        return;
    case '\r':
    case '\n':
    case KEY_NAMED | KEY_ENTER:
        finish(p);
        return;
    case '\t':
        complete(p);
        return;
    case KEY_NAMED | KEY_BACKSPACE:
    case 127:
    case 8:
        if (!p->length)
            p->kind = NULL;
        else
            cut(p, before(p), p->cursor);
        return;
    case KEY_NAMED | KEY_DC:
        cut(p, p->cursor, behind(p));
        return;
    case 'U' & 0x1f:
        cut(p, 0, p->cursor);
        return;
    case 'W' & 0x1f:
        cut(p, word_start(p) < p->cursor ? word_start(p) : before(p), p->cursor);
        return;
    case KEY_NAMED | KEY_LEFT:
        p->cursor = before(p);
        return;
    case KEY_NAMED | KEY_RIGHT:
        p->cursor = behind(p);
        return;
    case KEY_NAMED | KEY_HOME:
    case 'A' & 0x1f:
        p->cursor = 0;
        return;
    case KEY_NAMED | KEY_END:
    case 'E' & 0x1f:
        p->cursor = p->length;
        return;
    case KEY_NAMED | KEY_UP:
        go_past(p, 1);
        return;
    case KEY_NAMED | KEY_DOWN:
        go_past(p, -1);
        return;
    }
    if (key >= ' ' && !(key & KEY_NAMED))
        insert_character(p, key);
}

void prompt_draw(struct prompt *p, int y, int x, int width)
{
    draw_fill(y, x, width, PAINT_PLAIN);
    int used = draw_text(y, x, width, _(p->kind->sign), PAINT_KEY);
    int room = width - used - 1;
    size_t from = 0;
    while (from < p->cursor && room > 0 && text_columns(p->text + from, p->cursor - from) >= (size_t)room)
        from++;
    enum paint paint = !p->kind->valid || !p->length ? PAINT_PLAIN : p->valid ? PAINT_GOOD : PAINT_BAD;
    int text = draw_text(y, x + used, room, p->text + from, paint);
    if (!p->valid && p->why[0] && room - text > 8)
        draw_text(y, x + used + text + 2, room - text - 2, p->why, PAINT_BAD);
    move(y, x + used + (int)text_columns(p->text + from, p->cursor - from));
}
