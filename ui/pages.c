#include "ui/pages.h"
#include "base/text.h"
#include <stdlib.h>

enum { LINES_AT_FIRST = 256, TEXTS_AT_FIRST = 1 << 14 };

int pages_open(struct pages *p)
{
    *p = (struct pages){ 0 };
    return buffer_open(&p->texts, -1, TEXTS_AT_FIRST);
}

void pages_close(struct pages *p)
{
    buffer_free(&p->texts);
    free(p->lines);
    *p = (struct pages){ 0 };
}

void pages_clear(struct pages *p)
{
    p->texts.at = p->texts.start;
    p->count = 0;
    p->open_line = p->full = false;
}

void pages_home(struct pages *p)
{
    p->cursor = p->top = 0;
}

bool pages_full(const struct pages *p)
{
    return p->full;
}

static bool add_line(struct pages *p, const char *text, size_t n, uint64_t number, enum paint paint)
{
    if (p->count == p->room) {
        uint32_t room = p->room ? p->room * 2 : LINES_AT_FIRST;
        struct page_line *more = realloc(p->lines, room * sizeof *more);
        if (!more)
            return false;
        p->lines = more;
        p->room = room;
    }
    p->lines[p->count++] = (struct page_line){ .text = (uint32_t)buffer_used(&p->texts),
                                               .length = (uint32_t)n,
                                               .number = (uint32_t)number,
                                               .paint = (uint8_t)paint };
    buffer_put(&p->texts, text, n);
    return true;
}

/* One line too many says that there are more. */
static bool has_room(struct pages *p)
{
    if (p->full)
        return false;
    if (p->count < PAGES_LINES && buffer_used(&p->texts) < PAGES_BYTES)
        return true;
    const char *words = _("there is more, which is not shown here");
    p->full = true;
    add_line(p, words, strlen(words), 0, PAINT_WARN);
    return false;
}

static void put(struct pages *p, const char *text, size_t n, uint64_t number, enum paint paint)
{
    while (n && has_room(p)) {
        const char *end = memchr(text, '\n', n);
        size_t length = end ? (size_t)(end - text) : n;
        if (p->open_line && p->count) {
            p->lines[p->count - 1].length += (uint32_t)length; /* its text is the last one in the buffer */
            buffer_put(&p->texts, text, length);
        } else if (!add_line(p, text, length, number, paint)) {
            return;
        }
        p->open_line = !end;
        length += end ? 1 : 0;
        text += length;
        n -= length;
    }
}

void pages_add(struct pages *p, const char *text, size_t n, uint64_t number, enum paint paint)
{
    p->open_line = false;
    put(p, text, n, number, paint);
    p->open_line = false;
}

void pages_append(struct pages *p, const char *text, size_t n, uint64_t number)
{
    put(p, text, n, number, PAINT_PLAIN);
}

static void go(struct pages *p, int64_t to)
{
    to = to >= p->count ? (int64_t)p->count - 1 : to;
    p->cursor = to < 0 ? 0 : (uint32_t)to;
}

void pages_move(struct pages *p, int64_t by)
{
    go(p, (int64_t)p->cursor + by);
}

void pages_click(struct pages *p, int row)
{
    if (row >= 0)
        go(p, (int64_t)p->top + row);
}

uint64_t pages_number(const struct pages *p)
{
    return p->cursor < p->count ? p->lines[p->cursor].number : 0;
}

bool pages_act(struct pages *p, enum action action)
{
    int page = p->height > 1 ? p->height - 1 : 1;
    switch (action) {
    case ACT_UP:
        pages_move(p, -1);
        return true;
    case ACT_DOWN:
        pages_move(p, 1);
        return true;
    case ACT_PAGE_UP:
        pages_move(p, -page);
        return true;
    case ACT_PAGE_DOWN:
        pages_move(p, page);
        return true;
    case ACT_TOP:
        go(p, 0);
        return true;
    case ACT_BOTTOM:
        go(p, p->count);
        return true;
    default:
        return false;
    }
}

void pages_draw(struct pages *p, struct area area)
{
    uint32_t height = area.height > 0 ? (uint32_t)area.height : 0, cursor = p->cursor < p->count ? p->cursor : 0;
    p->height = area.height;
    if (cursor < p->top)
        p->top = cursor;
    if (height && cursor >= p->top + height)
        p->top = cursor - height + 1;
    if (p->top + height > p->count)
        p->top = p->count > height ? p->count - height : 0;
    for (uint32_t i = 0; i < height && p->top + i < p->count; i++) {
        const struct page_line *line = &p->lines[p->top + i];
        enum paint paint = p->top + i == cursor ? PAINT_SELECTED : line->paint;
        int y = area.y + (int)i;
        draw_fill(y, area.x, area.width, paint);
        if (p->top + i == cursor)
            draw_text(y, area.x, 1, draw_sign("▌", ">"), paint);
        draw_text_part(y, area.x + 1, area.width - 1, p->texts.start + line->text, line->length, paint);
    }
}

void pages_copy(const struct pages *p, struct app *app)
{
    if (p->cursor < p->count)
        app_copy(app, p->texts.start + p->lines[p->cursor].text, p->lines[p->cursor].length, _("line"));
}
