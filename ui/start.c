#include "ui/start.h"
#include "base/text.h"
#include "host/interface.h"
#include "output/endpoints.h"
#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECENT = 12, SAMPLES = 16, KNOWN = 64, TICK_MS = 1000 };

/* How much went over an interface in each of the last seconds. */
struct history {
    unsigned index; /* of the interface, 0: an empty place */
    uint64_t last[2];
    bool begun;
    uint32_t bytes[2][SAMPLES]; /* received, sent; the latest one last */
};

struct start {
    struct interfaces interfaces;
    struct history known[KNOWN];
    char *recent[RECENT];
    unsigned recent_count, cursor;
    int top;
    int64_t sampled;
    struct error trouble;
    bool troubled, help;
};

/* --- files of before --- */

static bool recent_path(char *path, size_t size, bool make)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char folder[START_NAME];
    int n;
    if (state && *state)
        n = snprintf(folder, sizeof folder, "%s/peel", state);
    else if (home && *home)
        n = snprintf(folder, sizeof folder, "%s/.local/state/peel", home);
    else
        return false;
    for (char *slash = folder; make && (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(folder, 0700);
        *slash = '/';
    }
    if (make)
        mkdir(folder, 0700);
    return n > 0 && (size_t)n < sizeof folder && (size_t)snprintf(path, size, "%s/recent", folder) < size;
}

/* The files there still are, the latest first. */
static void read_recent(struct start *s)
{
    char path[START_NAME + 16], line[START_NAME];
    FILE *file = recent_path(path, sizeof path, false) ? fopen(path, "re") : NULL;
    while (file && s->recent_count < RECENT && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (*line == '/' && !access(line, R_OK) && (s->recent[s->recent_count] = strdup(line)))
            s->recent_count++;
    }
    if (file)
        fclose(file);
}

void start_remember(const char *name)
{
    struct start old = { 0 };
    char path[START_NAME + 16], *whole = realpath(name, NULL);
    read_recent(&old);
    FILE *file = whole && !strchr(whole, '\n') && recent_path(path, sizeof path, true) ? fopen(path, "we") : NULL;
    if (file)
        fprintf(file, "%s\n", whole);
    for (unsigned i = 0; i < old.recent_count; i++) {
        if (file && strcmp(old.recent[i], whole) != 0)
            fprintf(file, "%s\n", old.recent[i]);
        free(old.recent[i]);
    }
    if (file)
        fclose(file);
    free(whole);
}

/* --- interfaces --- */

static struct history *history_of(struct start *s, unsigned index)
{
    struct history *empty = NULL;
    for (unsigned i = 0; i < KNOWN; i++) {
        if (s->known[i].index == index)
            return &s->known[i];
        if (!s->known[i].index && !empty)
            empty = &s->known[i];
    }
    if (empty)
        empty->index = index;
    return empty;
}

static void sample(struct start *s)
{
    struct interfaces fresh;
    int64_t now = monotonic();
    if (s->sampled && now - s->sampled < TICK_MS * INT64_C(900000))
        return;
    s->sampled = now;
    s->troubled = interfaces_read(&fresh, &s->trouble) != 0;
    if (s->troubled) {
        interfaces_free(&fresh);
        return;
    }
    interfaces_free(&s->interfaces);
    s->interfaces = fresh;
    for (unsigned i = 0; i < fresh.count; i++) {
        const struct interface *f = &fresh.all[i];
        struct history *h = history_of(s, f->index);
        uint64_t bytes[2] = { f->counters.received_bytes, f->counters.sent_bytes };
        for (unsigned way = 0; h && way < 2; way++) {
            uint64_t more = h->begun && bytes[way] >= h->last[way] ? bytes[way] - h->last[way] : 0;
            memmove(h->bytes[way], h->bytes[way] + 1, (SAMPLES - 1) * sizeof(uint32_t));
            h->bytes[way][SAMPLES - 1] = more < UINT32_MAX ? (uint32_t)more : UINT32_MAX;
            h->last[way] = bytes[way];
        }
        if (h)
            h->begun = true;
    }
}

/* --- drawing --- */

static void write_addresses(const struct start *s, const struct interface *f, char *text, size_t size)
{
    size_t n = 0;
    *text = 0;
    for (unsigned i = 0; i < f->address_count && n + 64 < size; i++) {
        const struct interface_address *a = &s->interfaces.addresses[f->first_address + i];
        char one[64];
        *address_write(one, a->bytes, a->size, false, 0) = 0;
        n += (size_t)snprintf(text + n, size - n, "%s%s/%u", n ? " " : "", one, a->prefix);
    }
}

static void draw_sparks(int y, int x, const uint32_t bytes[SAMPLES], int width, enum paint paint)
{
    static const char *const signs[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char plain[] = ".:-=+*#@";
    uint32_t most = 0;
    for (int i = 0; i < SAMPLES; i++)
        most = bytes[i] > most ? bytes[i] : most;
    for (int i = 0; i < width; i++) {
        uint32_t value = bytes[SAMPLES - width + i];
        unsigned level = most ? (unsigned)((uint64_t)value * 7 / most) : 0;
        char ascii[2] = { value ? plain[level] : '_', 0 };
        draw_text(y, x + i, 1, draw_sign(signs[level], ascii), value ? paint : PAINT_DIM);
    }
}

static void draw_interface(struct start *s, const struct interface *f, int y, bool cursor)
{
    enum paint paint = cursor ? PAINT_SELECTED : PAINT_PLAIN;
    const struct history *h = history_of(s, f->index);
    const char *state = !f->up ? _("down") : f->running ? _("up") : _("no carrier");
    char text[512], rate[40], number[32];
    int x = 1, sparks = COLS >= 110 ? SAMPLES : 6, words = COLS >= 110 ? 13 : 12;
    draw_fill(y, 0, COLS, paint);
    draw_text(y, 0, 1, cursor ? draw_sign("▌", ">") : " ", paint);
    draw_text(y, x, INTERFACE_NAME, f->name, paint);
    x += INTERFACE_NAME;
    draw_text(y, x, 10, state, cursor ? paint : f->up && f->running ? PAINT_GOOD : PAINT_DIM);
    x += 11;
    for (unsigned way = 0; h && way < 2; way++) {
        snprintf(rate, sizeof rate, "%s %s/s", way ? draw_sign("↑", "out") : draw_sign("↓", "in"),
                 draw_bytes(number, h->bytes[way][SAMPLES - 1]));
        draw_text(y, x, words, rate, paint);
        x += words;
        draw_sparks(y, x, h->bytes[way], sparks, cursor ? paint : way ? PAINT_SERVER : PAINT_CLIENT);
        x += sparks + 1;
    }
    write_addresses(s, f, text, sizeof text);
    if (COLS - x > 8)
        draw_text(y, x, COLS - x - 1, text, cursor ? paint : PAINT_DIM);
}

static unsigned row_count(const struct start *s)
{
    return s->interfaces.count + s->recent_count;
}

static void draw_rows(struct start *s, int y, int height)
{
    unsigned count = row_count(s);
    s->cursor = s->cursor >= count ? (count ? count - 1 : 0) : s->cursor;
    int at = (int)s->cursor + 1 + (s->cursor >= s->interfaces.count ? 2 : 0); /* with the headings */
    s->top = at < s->top + 1 ? at - 1 : at >= s->top + height ? at - height + 1 : s->top;
    int row = -s->top;
    for (unsigned i = 0; i <= count; i++) {
        if (i == 0 || i == s->interfaces.count) {
            if (i == s->interfaces.count && i && s->recent_count)
                row++;
            const char *title =
                i == s->interfaces.count && (i || !s->interfaces.count) ? _("files of before") : _("interfaces");
            if (row >= 0 && row < height && (i == 0 || s->recent_count))
                draw_rule(y + row, 0, COLS, title, PAINT_KEY);
            row += i == 0 || s->recent_count;
        }
        if (i == count)
            break;
        if (row >= 0 && row < height && i < s->interfaces.count) {
            draw_interface(s, &s->interfaces.all[i], y + row, i == s->cursor);
        } else if (row >= 0 && row < height) {
            const char *path = s->recent[i - s->interfaces.count];
            enum paint paint = i == s->cursor ? PAINT_SELECTED : PAINT_PLAIN;
            draw_fill(y + row, 0, COLS, paint);
            draw_text(y + row, 0, 1, i == s->cursor ? draw_sign("▌", ">") : " ", paint);
            draw_middle(y + row, 1, COLS - 2, path, strlen(path), paint);
        }
        row++;
    }
}

static void draw(struct start *s, const char *say)
{
    erase();
    draw_line(0, 0, COLS, _(" peel  what to look at?"), PAINT_BAR);
    draw_rows(s, 2, LINES - 3);
    if (say || s->troubled)
        draw_text(LINES - 1, 1, COLS - 2, say ? say : s->trouble.text, PAINT_BAD);
    else
        draw_text(LINES - 1, 1, COLS - 2,
                  _("Enter open   q quit   peel FILE opens any file, 'man peel' tells the rest"), PAINT_DIM);
    refresh();
}

/* --- choosing --- */

static bool take(const struct start *s, struct start_choice *choice)
{
    if (s->cursor >= row_count(s))
        return false;
    choice->interface = s->cursor < s->interfaces.count;
    snprintf(choice->name, sizeof choice->name, "%s",
             choice->interface ? s->interfaces.all[s->cursor].name : s->recent[s->cursor - s->interfaces.count]);
    return true;
}

static void move_by(struct start *s, int by)
{
    int64_t to = (int64_t)s->cursor + by, count = row_count(s);
    to = to >= count ? count - 1 : to;
    s->cursor = to < 0 ? 0 : (unsigned)to;
}

static void begin(struct start *s)
{
    read_recent(s);
    sample(s);
    const struct interface *guess = interfaces_guess(&s->interfaces);
    if (guess)
        s->cursor = (unsigned)(guess - s->interfaces.all);
}

static void end(struct start *s)
{
    interfaces_free(&s->interfaces);
    for (unsigned i = 0; i < s->recent_count; i++)
        free(s->recent[i]);
}

bool start_run(struct app *app, struct start_choice *choice, const char *say, int32_t (*wait)(int ms))
{
    struct start s = { 0 };
    bool over = false, chosen = false;
    begin(&s);
    while (!over) {
        sample(&s);
        draw(&s, say);
        int32_t key = wait(TICK_MS);
        if (key < 0)
            break;
        if (key)
            say = NULL;
        enum action action = key ? keys_take(&app->keys, key) : ACT_NONE;
        if (action == ACT_UP || action == ACT_DOWN)
            move_by(&s, action == ACT_UP ? -1 : 1);
        else if (action == ACT_TOP || action == ACT_BOTTOM)
            move_by(&s, action == ACT_TOP ? -1000 : 1000);
        else if (action == ACT_OPEN)
            over = chosen = take(&s, choice);
        else if (action == ACT_BACK || action == ACT_QUIT || action == ACT_CANCEL)
            over = true;
        else if (action == ACT_REDRAW)
            clearok(stdscr, TRUE);
    }
    end(&s);
    return chosen;
}
