/* Drawing on the terminal: what stands between the screens and curses. Texts are UTF-8; what would move the cursor
 * or is no character is drawn as '?', whatever its source promised. Nothing is drawn outside of the terminal. */
#pragma once
#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>

/* What a text is; how that looks depends on the theme and on what the terminal can do. */
enum paint {
    PAINT_PLAIN,
    PAINT_DIM,
    PAINT_BOLD,
    PAINT_BAR,      /* title and footer */
    PAINT_KEY,      /* a key in the footer */
    PAINT_HEADING,  /* of columns */
    PAINT_SELECTED, /* where the cursor is, in the pane that has the keys */
    PAINT_CHOSEN,   /* the same in a pane that has not */
    PAINT_BAD,
    PAINT_WARN,
    PAINT_GOOD,
    PAINT_CLIENT, /* one end of a conversation, and the other */
    PAINT_SERVER,
    PAINT_MARKED,
    PAINTS,
};

enum theme { THEME_DARK, THEME_LIGHT, THEME_NONE, THEMES };

struct area {
    int y, x, height, width;
};

/* After curses was begun. */
void draw_open(bool ascii, enum theme theme);
bool draw_ascii(void);
/* "…" or what stands for it in ASCII, and its like. */
const char *draw_sign(const char *utf8, const char *ascii);

/* Draws n bytes of text in at most `width` columns; what is longer ends in "…". Returns the columns used. */
int draw_text_part(int y, int x, int width, const char *text, size_t n, enum paint paint);
int draw_text(int y, int x, int width, const char *text, enum paint paint);
/* The same, elided in the middle, so that both ends can be read. */
int draw_middle(int y, int x, int width, const char *text, size_t n, enum paint paint);
/* The text in as many lines as it takes, the first one on line y; lines outside of the area are only counted. Returns
 * how many there are. */
int draw_paragraph(int y, struct area area, const char *text, enum paint paint);
/* At the right end of the width. */
void draw_right(int y, int x, int width, const char *text, enum paint paint);
/* Text, and spaces up to the width. */
void draw_line(int y, int x, int width, const char *text, enum paint paint);
void draw_fill(int y, int x, int width, enum paint paint);
/* A horizontal line with a title in it. */
void draw_rule(int y, int x, int width, const char *title, enum paint paint);
void draw_rule_down(int y, int x, int height);
/* 1.3 GB; room for 32 bytes. Returns text. */
const char *draw_bytes(char text[32], uint64_t bytes);
/* Of a bar of `width` columns the part that stands for share (0 to 1). */
void draw_share(int y, int x, int width, double share, enum paint paint);

/* A part of the screen as it was drawn last, to stand there until there is something new; false: it has another size
 * now, or nothing was kept. */
struct drawn;
void draw_keep(struct drawn **kept, struct area area);
bool draw_kept(const struct drawn *kept, struct area area);
void draw_forget(struct drawn **kept);
