#include "ui/draw.h"
#include <curses.h>
#include <stdlib.h>
#include <wchar.h>

static struct {
    bool ascii;
    attr_t attributes[PAINTS];
    short pairs[PAINTS];
} d;

/* Of a paint: colour on a dark and on a light background (-1: the terminal's own), and what says it without. */
static const struct {
    short dark, light, background_dark, background_light;
    attr_t attributes, alone; /* besides colour; in its place */
} looks[PAINTS] = {
    [PAINT_PLAIN] = { -1, -1, -1, -1, A_NORMAL, A_NORMAL },
    [PAINT_DIM] = { -1, -1, -1, -1, A_DIM, A_DIM },
    [PAINT_BOLD] = { -1, -1, -1, -1, A_BOLD, A_BOLD },
    [PAINT_BAR] = { -1, -1, -1, -1, A_REVERSE, A_REVERSE },
    [PAINT_KEY] = { COLOR_CYAN, COLOR_BLUE, -1, -1, A_BOLD, A_BOLD },
    [PAINT_HEADING] = { COLOR_CYAN, COLOR_BLUE, -1, -1, A_NORMAL, A_UNDERLINE },
    [PAINT_SELECTED] = { COLOR_BLACK, COLOR_WHITE, COLOR_CYAN, COLOR_BLUE, A_NORMAL, A_REVERSE },
    [PAINT_CHOSEN] = { -1, -1, -1, -1, A_BOLD | A_UNDERLINE, A_BOLD | A_UNDERLINE },
    [PAINT_BAD] = { COLOR_RED, COLOR_RED, -1, -1, A_BOLD, A_BOLD },
    [PAINT_WARN] = { COLOR_YELLOW, COLOR_MAGENTA, -1, -1, A_NORMAL, A_NORMAL },
    [PAINT_GOOD] = { COLOR_GREEN, COLOR_GREEN, -1, -1, A_NORMAL, A_BOLD },
    [PAINT_CLIENT] = { COLOR_CYAN, COLOR_BLUE, -1, -1, A_NORMAL, A_NORMAL },
    [PAINT_SERVER] = { COLOR_GREEN, COLOR_GREEN, -1, -1, A_NORMAL, A_NORMAL },
    [PAINT_MARKED] = { COLOR_MAGENTA, COLOR_MAGENTA, -1, -1, A_BOLD, A_BOLD },
};

void draw_open(bool ascii, enum theme theme)
{
    d.ascii = ascii;
    bool color = theme != THEME_NONE && has_colors();
    if (color && start_color() == OK)
        use_default_colors();
    for (unsigned i = 0; i < PAINTS; i++) {
        short front = theme == THEME_LIGHT ? looks[i].light : looks[i].dark;
        short back = theme == THEME_LIGHT ? looks[i].background_light : looks[i].background_dark;
        d.pairs[i] = 0;
        d.attributes[i] = color ? looks[i].attributes : looks[i].alone;
        if (color && (front >= 0 || back >= 0)) {
            d.pairs[i] = (short)(i + 1);
            init_pair(d.pairs[i], front, back);
        }
    }
}

bool draw_ascii(void)
{
    return d.ascii;
}

const char *draw_sign(const char *utf8, const char *ascii)
{
    return d.ascii ? ascii : utf8;
}

static void paint_on(enum paint paint)
{
    attr_set(d.attributes[paint], d.pairs[paint], NULL);
}

/* One character: its bytes, and how many columns it takes; *drawn: what goes to the terminal. */
static unsigned next_character(const char *text, size_t n, wchar_t *drawn, int *columns)
{
    uint32_t code = 0;
    unsigned length = utf8_length((const uint8_t *)text, n, &code);
    if (!length || code < ' ' || (code >= 0x7f && (code < 0xa0 || d.ascii))) {
        *drawn = '?';
        *columns = 1;
        return length ? length : 1;
    }
    *drawn = (wchar_t)code;
    *columns = code < 0x7f ? 1 : wcwidth((wchar_t)code);
    if (*columns < 0) {
        *drawn = '?';
        *columns = 1;
    }
    return length;
}

static int columns_of(const char *text, size_t n)
{
    int all = 0;
    for (size_t i = 0; i < n;) {
        wchar_t drawn;
        int columns;
        i += next_character(text + i, n - i, &drawn, &columns);
        all += columns || all ? columns : 1; /* as put does */
    }
    return all;
}

/* Puts characters until `width` columns are full. Returns the columns used. */
static int put(int y, int x, int width, const char *text, size_t n)
{
    enum { AT_ONCE = 128 };
    wchar_t line[AT_ONCE];
    int used = 0, held = 0, from = 0;
    for (size_t i = 0; i < n;) {
        wchar_t drawn;
        int columns;
        unsigned length = next_character(text + i, n - i, &drawn, &columns);
        if (!columns && !used) { /* nothing of this text stands before it that it could be put on */
            drawn = '?';
            columns = 1;
        }
        if (used + columns > width)
            break;
        if (held == AT_ONCE) {
            mvaddnwstr(y, x + from, line, held);
            held = 0;
            from = used;
        }
        line[held++] = drawn;
        used += columns;
        i += length;
    }
    if (held)
        mvaddnwstr(y, x + from, line, held);
    return used;
}

static int clip(int y, int x, int width)
{
    if (y < 0 || y >= LINES || x < 0 || x >= COLS)
        return 0;
    return width < COLS - x ? width : COLS - x;
}

int draw_text_part(int y, int x, int width, const char *text, size_t n, enum paint paint)
{
    width = clip(y, x, width);
    if (width <= 0)
        return 0;
    paint_on(paint);
    if (columns_of(text, n) <= width)
        return put(y, x, width, text, n);
    int used = put(y, x, width - 1, text, n);
    return used + put(y, x + used, 1, draw_sign("…", ">"), strlen(draw_sign("…", ">")));
}

int draw_text(int y, int x, int width, const char *text, enum paint paint)
{
    return draw_text_part(y, x, width, text, strlen(text), paint);
}

int draw_middle(int y, int x, int width, const char *text, size_t n, enum paint paint)
{
    width = clip(y, x, width);
    int all = columns_of(text, n);
    if (all <= width || width < 5)
        return draw_text_part(y, x, width, text, n, paint);
    paint_on(paint);
    int right = width / 2, left = width - 1 - right, gone = 0;
    size_t i = 0;
    int used = put(y, x, left, text, n);
    used += put(y, x + used, 1, draw_sign("…", "~"), strlen(draw_sign("…", "~")));
    while (i < n) { /* and what is put on the last character that is left out */
        wchar_t drawn;
        int columns;
        unsigned length = next_character(text + i, n - i, &drawn, &columns);
        if (all - gone <= right && columns)
            break;
        i += length;
        gone += columns;
    }
    return used + put(y, x + used, width - used, text + i, n - i);
}

/* Where a text breaks that is to fit into `width` columns: bytes of its first line. */
static size_t first_line(const char *text, int width)
{
    size_t all = strlen(text), end = all;
    while (end && columns_of(text, end) > width) {
        size_t blank = end - 1;
        while (blank && text[blank] != ' ')
            blank--;
        if (!blank)
            return all; /* one long word: cut where it is drawn */
        end = blank;
    }
    return end;
}

int draw_paragraph(int y, struct area area, const char *text, enum paint paint)
{
    int lines = 0;
    do {
        size_t n = first_line(text, area.width > 1 ? area.width : 1);
        if (y + lines >= area.y && y + lines < area.y + area.height)
            draw_text_part(y + lines, area.x, area.width, text, n, paint);
        text += n + strspn(text + n, " ");
        lines++;
    } while (*text);
    return lines;
}

void draw_right(int y, int x, int width, const char *text, enum paint paint)
{
    int columns = columns_of(text, strlen(text));
    if (columns <= width)
        draw_text(y, x + width - columns, columns, text, paint);
    else
        draw_text(y, x, width, text, paint);
}

void draw_fill(int y, int x, int width, enum paint paint)
{
    width = clip(y, x, width);
    if (width <= 0)
        return;
    paint_on(paint);
    mvhline(y, x, ' ' | d.attributes[paint] | (chtype)COLOR_PAIR(d.pairs[paint]), width);
}

void draw_line(int y, int x, int width, const char *text, enum paint paint)
{
    draw_fill(y, x, width, paint);
    draw_text(y, x, width, text, paint);
}

void draw_rule(int y, int x, int width, const char *title, enum paint paint)
{
    width = clip(y, x, width);
    if (width <= 0)
        return;
    paint_on(PAINT_DIM);
    const char *sign = draw_sign("─", "-");
    for (int i = 0; i < width; i++)
        put(y, x + i, 1, sign, strlen(sign));
    if (title && width > 6) {
        char text[128];
        snprintf(text, sizeof text, " %s ", title);
        draw_text(y, x + 1, width - 2, text, paint);
    }
}

void draw_rule_down(int y, int x, int height)
{
    const char *sign = draw_sign("│", "|");
    for (int i = 0; i < height; i++)
        draw_text(y + i, x, 1, sign, PAINT_DIM);
}

struct drawn {
    WINDOW *window;
};

void draw_keep(struct drawn **kept, struct area area)
{
    draw_forget(kept);
    if (area.height <= 0 || area.width <= 0 || area.y + area.height > LINES || area.x + area.width > COLS)
        return;
    struct drawn *k = malloc(sizeof *k);
    if (k)
        k->window = newwin(area.height, area.width, area.y, area.x);
    if (!k || !k->window) {
        free(k);
        return;
    }
    copywin(stdscr, k->window, area.y, area.x, 0, 0, area.height - 1, area.width - 1, FALSE);
    *kept = k;
}

bool draw_kept(const struct drawn *kept, struct area area)
{
    if (!kept)
        return false;
    int height, width, y, x;
    getmaxyx(kept->window, height, width);
    getbegyx(kept->window, y, x);
    if (height != area.height || width != area.width || y != area.y || x != area.x)
        return false;
    copywin(kept->window, stdscr, 0, 0, y, x, y + height - 1, x + width - 1, FALSE);
    return true;
}

void draw_forget(struct drawn **kept)
{
    if (*kept)
        delwin((*kept)->window);
    free(*kept);
    *kept = NULL;
}

const char *draw_bytes(char text[32], uint64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    unsigned unit = 0;
    double value = (double)bytes;
    for (; value >= 999.5 && unit < 6; unit++)
        value /= 1000;
    snprintf(text, 32, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

void draw_share(int y, int x, int width, double share, enum paint paint)
{
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    int parts = (int)(share * width * 8 + 0.5);
    parts = parts < 0 ? 0 : parts > width * 8 ? width * 8 : parts;
    for (int i = 0; i < parts / 8; i++)
        draw_text(y, x + i, 1, draw_sign("█", "#"), paint);
    if (!d.ascii && parts % 8)
        draw_text(y, x + parts / 8, 1, eighths[parts % 8], paint);
}
