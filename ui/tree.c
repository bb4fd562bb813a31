#include "ui/tree.h"
#include "base/error.h"
#include "protocol/protocol.h"
#include <stdlib.h>

enum { TEXTS = 8192, LINES_AT_FIRST = 128, LINES_MAX = 1 << 16 };

int tree_pane_open(struct tree_pane *t)
{
    *t = (struct tree_pane){ .room = LINES_AT_FIRST };
    t->lines = calloc(t->room, sizeof *t->lines);
    t->shown = calloc(t->room, sizeof *t->shown);
    bool failed = !t->lines || !t->shown || buffer_open(&t->texts, -1, TEXTS);
    return failed || buffer_open(&t->scratch, -1, TEXTS) ? ERROR_MEMORY : 0;
}

void tree_pane_close(struct tree_pane *t)
{
    free(t->lines);
    free(t->shown);
    buffer_free(&t->texts);
    buffer_free(&t->scratch);
}

/* --- filling --- */

static bool make_room(struct tree_pane *t)
{
    if (t->count < t->room)
        return true;
    if (t->room >= LINES_MAX)
        return false;
    struct tree_line *lines = realloc(t->lines, t->room * 2 * sizeof *lines);
    t->lines = lines ? lines : t->lines;
    unsigned *shown = lines ? realloc(t->shown, t->room * 2 * sizeof *shown) : NULL;
    t->shown = shown ? shown : t->shown;
    t->room *= shown ? 2 : 1;
    return shown;
}

static uint64_t mix(uint64_t key, const void *what)
{
    return (key ^ (uintptr_t)what) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* Options have no row of their own: what they are called tells them apart. */
static uint64_t key_of(const struct tree_row *row)
{
    uint64_t key = mix(row->depth, row->layer->protocol);
    if (row->field)
        return mix(key, row->field);
    for (size_t i = 0; row->depth && i < row->length; i++)
        key = (key ^ (uint8_t)row->text[i]) * UINT64_C(0x100000001b3);
    return key;
}

static void add(void *context, const struct tree_row *row)
{
    struct tree_pane *t = context;
    if (!make_room(t))
        return;
    t->lines[t->count++] = (struct tree_line){
        .text = (uint32_t)buffer_used(&t->texts),
        .length = (uint32_t)row->length,
        .bit = row->layer->offset * 8 + (row->depth ? row->bit : 0),
        .width = row->depth ? row->width : row->layer->length * 8,
        .key = key_of(row),
        .field = row->field,
        .buffer = row->layer->buffer,
        .depth = (uint8_t)(row->depth < 32 ? row->depth : 32),
        .bad = row->bad,
    };
    buffer_put(&t->texts, row->text, row->length);
}

static bool is_open(const struct tree_pane *t, uint64_t key)
{
    for (unsigned i = 0; i < t->open_count; i++)
        if (t->open[i] == key)
            return true;
    return false;
}

static void set_open(struct tree_pane *t, uint64_t key, bool open)
{
    unsigned i = 0;
    while (i < t->open_count && t->open[i] != key)
        i++;
    if (!open && i < t->open_count)
        t->open[i] = t->open[--t->open_count];
    if (!open || i < t->open_count)
        return;
    if (t->open_count == TREE_OPEN_MAX) /* the oldest goes */
        memmove(t->open, t->open + 1, (--t->open_count) * sizeof *t->open);
    t->open[t->open_count++] = key;
}

/* Which lines are to be seen; the cursor stays on the field that it was on, or stays near. */
static void choose_shown(struct tree_pane *t)
{
    unsigned closed = UINT32_MAX; /* the depth of the closed line that holds what comes */
    t->shown_count = 0;
    bool found = false;
    for (unsigned i = 0; i < t->count; i++) {
        struct tree_line *line = &t->lines[i];
        if (line->depth > closed)
            continue;
        closed = line->holds && !is_open(t, line->key) ? line->depth : UINT32_MAX;
        if (!found && line->key == t->cursor_key) {
            t->cursor = t->shown_count;
            found = true;
        }
        t->shown[t->shown_count++] = i;
    }
    if (t->cursor >= t->shown_count)
        t->cursor = t->shown_count ? t->shown_count - 1 : 0;
}

void tree_pane_set(struct tree_pane *t, const struct packet *packet, const struct style *style)
{
    t->count = 0;
    t->texts.at = t->texts.start;
    if (packet) {
        struct style plain = { .ascii = style->ascii };
        tree_rows(&t->scratch, packet, &plain, add, t);
    }
    for (unsigned i = 0; i + 1 < t->count; i++)
        t->lines[i].holds = t->lines[i + 1].depth > t->lines[i].depth;
    choose_shown(t);
}

/* --- using --- */

const struct tree_line *tree_pane_line(const struct tree_pane *t)
{
    return t->cursor < t->shown_count ? &t->lines[t->shown[t->cursor]] : NULL;
}

const char *tree_pane_text(const struct tree_pane *t, const struct tree_line *line)
{
    return t->texts.start + line->text;
}

static void go(struct tree_pane *t, int64_t to)
{
    if (to >= (int64_t)t->shown_count)
        to = (int64_t)t->shown_count - 1;
    t->cursor = to < 0 ? 0 : (unsigned)to;
    if (t->cursor < t->shown_count)
        t->cursor_key = t->lines[t->shown[t->cursor]].key;
}

static void toggle(struct tree_pane *t, bool open)
{
    const struct tree_line *line = tree_pane_line(t);
    if (!line || !line->holds)
        return;
    t->cursor_key = line->key;
    set_open(t, line->key, open);
    choose_shown(t);
}

static void go_out(struct tree_pane *t)
{
    const struct tree_line *line = tree_pane_line(t);
    if (!line)
        return;
    if (line->holds && is_open(t, line->key)) {
        toggle(t, false);
        return;
    }
    unsigned at = t->cursor;
    while (at && t->lines[t->shown[at]].depth >= line->depth)
        at--;
    go(t, at);
}

static void open_all(struct tree_pane *t, bool open)
{
    t->open_count = 0;
    for (unsigned i = 0; open && i < t->count; i++)
        if (t->lines[i].holds && t->open_count < TREE_OPEN_MAX)
            set_open(t, t->lines[i].key, true);
    if (!open && tree_pane_line(t)) /* the cursor goes to the layer that it was in */
        for (unsigned i = t->shown[t->cursor] + 1; i-- > 0;)
            if (!t->lines[i].depth) {
                t->cursor_key = t->lines[i].key;
                break;
            }
    choose_shown(t);
}

bool tree_pane_act(struct tree_pane *t, enum action action, int page)
{
    const struct tree_line *line = tree_pane_line(t);
    switch (action) {
    case ACT_UP:
        go(t, (int64_t)t->cursor - 1);
        return true;
    case ACT_DOWN:
        go(t, (int64_t)t->cursor + 1);
        return true;
    case ACT_PAGE_UP:
        go(t, (int64_t)t->cursor - page);
        return true;
    case ACT_PAGE_DOWN:
        go(t, (int64_t)t->cursor + page);
        return true;
    case ACT_TOP:
        go(t, 0);
        return true;
    case ACT_BOTTOM:
        go(t, t->shown_count);
        return true;
    case ACT_LEFT:
        go_out(t);
        return true;
    case ACT_RIGHT:
        toggle(t, true);
        return true;
    case ACT_OPEN:
        if (line)
            toggle(t, !is_open(t, line->key));
        return true;
    case ACT_EXPAND_ALL:
    case ACT_COLLAPSE_ALL:
        open_all(t, action == ACT_EXPAND_ALL);
        return true;
    default:
        return false;
    }
}

/* Opens all that holds a line, and goes to it. */
static void reveal(struct tree_pane *t, unsigned at)
{
    unsigned depth = t->lines[at].depth;
    for (unsigned i = at; i-- > 0 && depth;)
        if (t->lines[i].depth < depth) {
            depth = t->lines[i].depth;
            set_open(t, t->lines[i].key, true);
        }
    t->cursor_key = 0;
    choose_shown(t);
    for (unsigned i = 0; i < t->shown_count; i++)
        if (t->shown[i] == at)
            go(t, i);
}

void tree_pane_find(struct tree_pane *t, unsigned buffer, uint32_t bit)
{
    unsigned best = t->count;
    for (unsigned i = 0; i < t->count; i++) {
        const struct tree_line *line = &t->lines[i];
        bool holds = line->width && line->buffer == buffer && bit >= line->bit && bit - line->bit < line->width;
        if (holds && (best == t->count || line->width <= t->lines[best].width))
            best = i;
    }
    if (best < t->count)
        reveal(t, best);
}

void tree_pane_enter(struct tree_pane *t, const struct packet *packet)
{
    if (!packet->layer_count || t->cursor_key)
        return;
    unsigned layer = 0;
    for (unsigned i = 0; i < t->count; i++)
        if (!t->lines[i].depth && layer++ == packet->subject + 1u) {
            set_open(t, t->lines[i].key, true);
            reveal(t, i);
            return;
        }
}

void tree_pane_click(struct tree_pane *t, int row, bool twice)
{
    unsigned at = t->top + (unsigned)row;
    if (row < 0 || at >= t->shown_count)
        return;
    go(t, at);
    if (twice)
        tree_pane_act(t, ACT_OPEN, 0);
}

/* --- drawing --- */

static void draw_line_of(const struct tree_pane *t, const struct tree_line *line, int y, struct area area,
                         enum paint paint)
{
    int indent = line->depth * 2;
    indent = indent < area.width / 2 ? indent : area.width / 2;
    draw_fill(y, area.x, area.width, paint);
    const char *sign = !line->holds ? " " : is_open(t, line->key) ? draw_sign("▾", "-") : draw_sign("▸", "+");
    if (line == tree_pane_line(t))
        draw_text(y, area.x, 1, draw_sign("▌", ">"), paint);
    draw_text(y, area.x + 1 + indent, 1, sign, paint);
    if (paint == PAINT_PLAIN)
        paint = line->bad ? PAINT_BAD : !line->depth ? PAINT_BOLD : !line->width && line->field ? PAINT_DIM : paint;
    draw_text_part(y, area.x + indent + 3, area.width - indent - 3, t->texts.start + line->text, line->length, paint);
}

void tree_pane_draw(struct tree_pane *t, struct area area, bool focused)
{
    unsigned height = area.height > 0 ? (unsigned)area.height : 0;
    if (t->cursor < t->top)
        t->top = t->cursor;
    if (height && t->cursor >= t->top + height)
        t->top = t->cursor - height + 1;
    if (t->top + height > t->shown_count)
        t->top = t->shown_count > height ? t->shown_count - height : 0;
    for (unsigned row = 0; row < height; row++) {
        unsigned at = t->top + row;
        if (at >= t->shown_count) {
            draw_fill(area.y + (int)row, area.x, area.width, PAINT_PLAIN);
            continue;
        }
        enum paint paint = at != t->cursor ? PAINT_PLAIN : focused ? PAINT_SELECTED : PAINT_CHOSEN;
        draw_line_of(t, &t->lines[t->shown[at]], area.y + (int)row, area, paint);
    }
}
