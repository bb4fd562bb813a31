/* Lines of text that can be paged through, each of which may lead to a packet. Bounded: what would be more is told in a
 * last line. */
#pragma once
#include "ui/app.h"

enum { PAGES_LINES = 200000, PAGES_BYTES = 24 << 20 };

struct page_line {
    uint32_t text, length; /* in texts */
    uint32_t number;       /* the packet that it is of, 0: none */
    uint8_t paint;         /* enum paint */
};

struct pages {
    struct buffer texts;     /* owned */
    struct page_line *lines; /* owned */
    uint32_t count, room;
    uint32_t cursor, top;
    int height;     /* as drawn last */
    bool open_line; /* the last line may go on */
    bool full;
};

int pages_open(struct pages *pages);
void pages_close(struct pages *pages);
/* No lines; the cursor stays where it is if there will be as many again; home: it does not. */
void pages_clear(struct pages *pages);
void pages_home(struct pages *pages);
/* Whole lines of a packet. */
void pages_add(struct pages *pages, const char *text, size_t n, uint64_t number, enum paint paint);
/* Text that goes on where the last one ended. */
void pages_append(struct pages *pages, const char *text, size_t n, uint64_t number);
bool pages_full(const struct pages *pages);
void pages_draw(struct pages *pages, struct area area);
bool pages_act(struct pages *pages, enum action action);
void pages_move(struct pages *pages, int64_t by);
void pages_click(struct pages *pages, int row);
/* The packet of the line that the cursor is on, 0: none. */
uint64_t pages_number(const struct pages *pages);
void pages_copy(const struct pages *pages, struct app *app);
