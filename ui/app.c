/* The loop behind the screens: it waits for keys, for packets and for time, and works in slices between them. */
#include "ui/app.h"
#include "base/digits.h"
#include "base/text.h"
#include "host/stop.h"
#include "ui/command.h"
#include "ui/help.h"
#include "ui/start.h"
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <term.h>
#include <unistd.h>

enum {
    SLICE_NS = 4000000,        /* how long work keeps a key waiting */
    REDRAW_NS = 100000000,     /* how often what only grows is drawn */
    LOOK_AGAIN_NS = 500000000, /* whether the file has grown */
    READ_BLOCK = 128 << 10,
    TICK_NS = 999999999, /* what an interface is asked */
    DOUBLE_CLICK_NS = 400000000,
    BYE = 1,
};

static volatile sig_atomic_t leaving;

static void leave(int signal)
{
    (void)signal;
    leaving = BYE;
}

/* --- the terminal --- */

struct terminal {
    FILE *keys; /* /dev/tty, where standard input is the capture; NULL: standard input */
    SCREEN *screen;
    sigset_t waiting; /* the signals that poll lets through */
};

static int no_terminal(struct error *error, const char *why)
{
    return error_set(error, ERROR_SYSTEM, _("the screen: %s; 'peel dump' needs none"), why);
}

static int begin_curses(struct terminal *t, struct error *error)
{
    const char *term = getenv("TERM");
    if (!term || !*term)
        return no_terminal(error, _("TERM is not set"));
    if (!isatty(STDIN_FILENO) && !(t->keys = fopen("/dev/tty", "re")))
        return no_terminal(error, _("no terminal to take keys from"));
    int status;
    if (setupterm(term, STDOUT_FILENO, &status) != OK) {
        char why[128];
        snprintf(why, sizeof why, _("the terminal '%.32s' is not known"), term);
        return no_terminal(error, why);
    }
    char *move = tigetstr("cup"), *clear = tigetstr("clear");
    bool able = move && move != (char *)-1 && clear && clear != (char *)-1;
    del_curterm(cur_term);
    if (!able)
        return no_terminal(error, _("this terminal cannot place its cursor"));
    t->screen = newterm(term, stdout, t->keys ? t->keys : stdin);
    if (!t->screen)
        return no_terminal(error, _("curses does not want to begin"));
    return 0;
}

static void set_signals(struct terminal *t)
{
    static const int ends[] = { SIGHUP, SIGTERM };
    sigset_t blocked;
    sigemptyset(&blocked);
    struct sigaction action = { .sa_handler = leave };
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        sigaction(ends[i], &action, NULL);
        sigaddset(&blocked, ends[i]);
    }
    sigaddset(&blocked, SIGWINCH);
    sigaddset(&blocked, SIGTSTP);
    sigprocmask(SIG_BLOCK, &blocked, &t->waiting);
}

static void set_mouse(const struct app *app)
{
    mousemask(app->mouse ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
}

static void begin_terminal(struct app *app, struct terminal *t)
{
    const char *no_color = getenv("NO_COLOR"), *background = getenv("COLORFGBG");
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    mouseinterval(0);
    curs_set(0);
    const char *last = background ? strrchr(background, ';') : NULL; /* "15;0": front and back, as rxvt says it */
    bool light = last && (!strcmp(last, ";7") || !strcmp(last, ";15"));
    app->theme = no_color && *no_color ? THEME_NONE : light ? THEME_LIGHT : THEME_DARK;
    draw_open(app->style.ascii, app->theme);
    set_mouse(app);
    set_signals(t);
}

static void end_terminal(struct terminal *t)
{
    if (t->screen) {
        endwin();
        delscreen(t->screen);
    }
    if (t->keys)
        fclose(t->keys);
    sigprocmask(SIG_SETMASK, &t->waiting, NULL);
}

/* --- what the screens ask for --- */

void app_say(struct app *app, enum paint paint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(app->message, sizeof app->message, format, arguments);
    va_end(arguments);
    app->message_paint = paint;
    app->dirty = true;
}

void app_show(struct app *app, unsigned screen)
{
    struct error error;
    const struct screen *s = app->screens[screen];
    if (!s)
        return;
    if (!app->opened[screen] && s->open && s->open(app, &app->states[screen], &error)) {
        app_say(app, PAINT_BAD, "%s", error.text);
        return;
    }
    app->opened[screen] = true;
    app->screen = screen;
    app->dirty = true;
}

void app_select(struct app *app, uint64_t number, bool jump)
{
    if (!number || number > store_count(app->store))
        return;
    if (jump)
        app->came_from = app->selected;
    app->selected = number;
    app->tail = false;
    app->dirty = true;
}

const struct packet *app_packet(struct app *app, uint64_t number)
{
    return number ? store_packet(app->reader, number, NULL) : NULL;
}

void app_converse(struct app *app, unsigned protocol, uint32_t stream)
{
    app->protocol = protocol;
    app->stream = stream;
}

void app_follow(struct app *app, unsigned protocol, uint32_t stream)
{
    char text[64];
    snprintf(text, sizeof text, "%s.stream == %u", protocol == 6 ? "tcp" : "udp", stream);
    if (!strcmp(app->filter, text)) {
        app_filter(app, "");
        return;
    }
    snprintf(app->filter, sizeof app->filter, "%s", text);
    view_stream(app->view, protocol, stream);
    app->dirty = true;
}

bool app_is_marked(const struct app *app, uint64_t number)
{
    for (size_t low = 0, high = app->mark_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (app->marks[middle] == number)
            return true;
        if (app->marks[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void app_copy(struct app *app, const char *text, size_t n, const char *what)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { MOST = 74994 }; /* what terminals take: 100,000 characters of base64, tmux less of it */
    n = n < MOST ? n : MOST;
    char *coded = malloc(n / 3 * 4 + 16), *to = coded;
    if (!coded)
        return;
    to += snprintf(to, 8, "\033]52;c;");
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = 0;
        for (size_t k = 0; k < 3; k++)
            three = three << 8 | (i + k < n ? (uint8_t)text[i + k] : 0);
        for (unsigned k = 0; k < 4; k++)
            *to++ = i + k > n ? '=' : digits[three >> (18 - 6 * k) & 63];
    }
    *to++ = '\a';
    fwrite(coded, 1, (size_t)(to - coded), stdout);
    fflush(stdout);
    free(coded);
    app_say(app, PAINT_GOOD, _("copied: %s, %zu bytes"), what, n);
}

/* --- drawing --- */

static void write_state(const struct app *app, char *text, size_t size)
{
    char count[32], bytes[32];
    enum store_state state = store_state(app->store);
    int n = snprintf(text, size, _("%s packets · %s"), grouped(count, store_count(app->store)),
                     draw_bytes(bytes, store_bytes(app->store)));
    if (app->live)
        n += snprintf(text + n, size - (size_t)n, _(" · %s dropped"), grouped(count, live_drops(app->live)));
    size_t left = size - (size_t)n;
    char *to = text + n;
    int percent = (int)(store_progress(app->store) * 100);
    if (store_trouble(app->store))
        snprintf(to, left, "%s", _(" · damaged"));
    else if (store_cancelled(app->store))
        snprintf(to, left, "%s", _(" · stopped"));
    else if (state == STORE_INDEXING && store_progress(app->store) > 0)
        snprintf(to, left, _(" · indexing %d %%"), percent);
    else if (state == STORE_TRACKING)
        snprintf(to, left, _(" · tracking %d %%"), percent);
    else if (state == STORE_WAITING)
        snprintf(to, left, "%s", app->paused ? _(" · paused") : app->live ? _(" · live") : _(" · reading"));
    for (char *dot = text; app->style.ascii && (dot = strstr(dot, "·"));) {
        *dot = '-';
        memmove(dot + 1, dot + 2, strlen(dot + 2) + 1);
    }
}

static void draw_bar(struct app *app)
{
    char state[128];
    write_state(app, state, sizeof state);
    draw_fill(0, 0, COLS, PAINT_BAR);
    int width = (int)text_columns(state, strlen(state)), left = COLS - width - 2;
    draw_text(0, 0, 6, " peel ", PAINT_BAR);
    if (left > 12)
        draw_middle(0, 7, left - 8, store_name(app->store), strlen(store_name(app->store)), PAINT_BAR);
    if (left > 6)
        draw_text(0, left + 1, width, state, PAINT_BAR);
    double progress = store_progress(app->store);
    if (store_state(app->store) < STORE_READY && progress > 0 && !store_cancelled(app->store))
        draw_share(1, COLS - 22, 20, progress, PAINT_DIM);
}

int app_tab(const struct app *app, unsigned screen, bool brief, char text[64])
{
    if (brief && screen != app->screen)
        snprintf(text, 64, "%u", screen + 1);
    else
        snprintf(text, 64, "%u %s", screen + 1, _(app->screens[screen]->title));
    return (int)text_columns(text, strlen(text));
}

bool app_tabs_brief(const struct app *app)
{
    char text[64];
    int width = 1;
    for (unsigned i = 0; i < SCREENS; i++)
        width += app->screens[i] ? app_tab(app, i, false, text) + 2 : 0;
    return width - 2 > COLS;
}

static void draw_tabs(const struct app *app)
{
    int x = 1;
    bool brief = app_tabs_brief(app);
    for (unsigned i = 0; i < SCREENS; i++) {
        char text[64];
        if (!app->screens[i])
            continue;
        app_tab(app, i, brief, text);
        if (i == app->screen)
            draw_text(1, x - 1, 1, draw_sign("▌", ">"), PAINT_KEY);
        x += draw_text(1, x, COLS - x, text, i == app->screen ? PAINT_BOLD : PAINT_DIM) + 2;
    }
}

static bool has_filter_line(const struct app *app)
{
    return app->filter[0] && app->screen == SCREEN_PACKETS;
}

static void draw_filter_line(const struct app *app, int y)
{
    char text[128], count[32], all[32];
    snprintf(text, sizeof text, _("%s of %s shown"), grouped(count, view_count(app->view)),
             grouped(all, view_looked(app->view)));
    int width = (int)text_columns(text, strlen(text));
    draw_text(y, 1, 2, "/ ", PAINT_KEY);
    draw_text(y, 3, COLS - width - 5, app->filter, PAINT_GOOD);
    draw_right(y, COLS - width - 1, width, text, PAINT_DIM);
}

static void draw_footer(struct app *app, int y)
{
    draw_fill(y, 0, COLS, PAINT_PLAIN);
    if (app->message[0]) {
        draw_text(y, 1, COLS - 2, app->message, app->message_paint);
        return;
    }
    static const uint8_t of_help[] = { ACT_BACK, ACT_PAGE_UP, ACT_PAGE_DOWN, 0 };
    int x = 1;
    for (const uint8_t *action = app->help ? of_help : app->screens[app->screen]->footer; *action && x < COLS;
         action++) {
        char name[KEY_TEXT];
        const struct key_sequence *key = keys_first(&app->keys, *action);
        if (!key || !key_rows[*action].brief)
            continue;
        keys_name(key, name);
        const char *brief = _(key_rows[*action].brief);
        if (x + (int)(text_columns(name, strlen(name)) + 1 + text_columns(brief, strlen(brief))) >= COLS)
            break;
        x += draw_text(y, x, COLS - x, name, PAINT_KEY) + 1;
        x += draw_text(y, x, COLS - x, brief, PAINT_PLAIN) + 2;
    }
}

static void draw_all(struct app *app)
{
    erase();
    struct area area = { 0, 0, LINES - 1, COLS };
    const struct screen *screen = app->screens[app->screen];
    if (LINES > 3) {
        draw_bar(app);
        area.y++;
    }
    if (LINES >= 10) {
        draw_tabs(app);
        area.y++;
    }
    if (has_filter_line(app) && LINES >= 6)
        draw_filter_line(app, area.y++);
    area.height = LINES - 1 - area.y;
    if (app->help)
        help_draw(app, area);
    else
        screen->draw(app, app->states[app->screen], area);
    if (app->prompt.kind) {
        prompt_draw(&app->prompt, LINES - 1, 0, COLS);
        curs_set(1);
    } else {
        draw_footer(app, LINES - 1);
        curs_set(0);
    }
    refresh();
}

/* --- keys --- */

static void take_mouse(struct app *app)
{
    static struct {
        int64_t time;
        int y, x;
    } last;
    MEVENT event;
    if (getmouse(&event) != OK || app->help || app->prompt.kind)
        return;
    struct mouse mouse = { .y = event.y, .x = event.x, .what = MOUSE_CLICK };
    int64_t now = monotonic();
    if (event.bstate & BUTTON4_PRESSED)
        mouse.what = MOUSE_UP;
    else if (event.bstate & BUTTON5_PRESSED)
        mouse.what = MOUSE_DOWN;
    else if (now - last.time < DOUBLE_CLICK_NS && last.y == event.y && last.x == event.x)
        mouse.what = MOUSE_DOUBLE;
    last.time = mouse.what == MOUSE_CLICK ? now : 0;
    last.y = event.y;
    last.x = event.x;
    if (event.y == 1 && mouse.what == MOUSE_CLICK && LINES >= 10) {
        command_click_tab(app, event.x);
        return;
    }
    const struct screen *screen = app->screens[app->screen];
    if (screen->mouse)
        screen->mouse(app, app->states[app->screen], &mouse);
}

static void take_key(struct app *app, int32_t key)
{
    app->dirty = true;
    if (key == (KEY_NAMED | KEY_RESIZE))
        return;
    if (key == (KEY_NAMED | KEY_MOUSE)) {
        take_mouse(app);
        return;
    }
    if (app->prompt.kind) {
        prompt_take(&app->prompt, key);
        return;
    }
    app->message[0] = 0;
    if (app->waits_for) {
        command_bookmark(app, key);
        return;
    }
    if (key == ('Z' & 0x1f)) { /* the terminal does not say it itself: it hands on all keys */
        endwin();
        raise(SIGSTOP);
        refresh();
        return;
    }
    enum action action = keys_take(&app->keys, key);
    if (action)
        command_act(app, action);
}

/* All keys that have come. */
static void take_keys(struct app *app)
{
    wint_t key;
    int kind;
    while (!app->quit && (kind = get_wch(&key)) != ERR) {
        take_key(app, kind == KEY_CODE_YES ? (int32_t)key | KEY_NAMED : (int32_t)key);
        if (kind != KEY_CODE_YES && !key)
            break;
    }
}

/* --- the loop --- */

/* One slice of everybody's work; true: there is more of it. */
static bool work(struct app *app)
{
    int64_t deadline = monotonic() + SLICE_NS;
    bool more = store_step(app->store, deadline - SLICE_NS / 2);
    more |= view_step(app->view, deadline);
    more |= command_step(app, deadline);
    for (unsigned i = 0; i < SCREENS; i++)
        if (app->opened[i] && app->screens[i]->step)
            more |= app->screens[i]->step(app, app->states[i], deadline);
    return more;
}

/* The list shows the latest packet as long as nobody went elsewhere. */
static void go_with_tail(struct app *app)
{
    if (!app->selected && view_count(app->view))
        app->selected = view_nth(app->view, 0);
    if (app->tail && !app->paused && view_count(app->view))
        app->selected = view_nth(app->view, view_count(app->view) - 1);
}

/* How long to wait for something to happen, in nanoseconds; -1: until it does. */
static int64_t patience(const struct app *app, bool more, int64_t drawn)
{
    if (more)
        return 0;
    if (app->stale)
        return drawn + REDRAW_NS > monotonic() ? drawn + REDRAW_NS - monotonic() : 0;
    return app->live ? TICK_NS : store_feed(app->store) < 0 ? LOOK_AGAIN_NS : -1;
}

static void wait_for_something(struct app *app, struct terminal *t, int64_t most)
{
    struct pollfd fds[2] = { { .fd = t->keys ? fileno(t->keys) : STDIN_FILENO, .events = POLLIN },
                             { .fd = store_feed(app->store), .events = POLLIN } };
    struct timespec time = { .tv_nsec = most };
    int ready = stop_poll(fds, 2, most < 0 ? NULL : &time, &t->waiting);
    if (ready < 0)
        return;
    if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        app->quit = true; /* the terminal is gone */
    if (fds[1].revents) {
        store_fed(app->store);
        app->stale = true;
    }
    if (!ready && most == LOOK_AGAIN_NS) {
        uint64_t before = store_bytes(app->store);
        store_look_again(app->store);
        app->stale |= store_bytes(app->store) != before;
    }
}

static void tell_trouble(struct app *app)
{
    const char *trouble = store_trouble(app->store);
    if (trouble && !app->troubled)
        app_say(app, PAINT_BAD, "%s", trouble);
    app->troubled = trouble;
}

static void ask_interface(struct app *app)
{
    static int64_t asked;
    if (!app->live || monotonic() - asked < TICK_NS)
        return;
    asked = monotonic();
    const char *event = live_tick(app->live);
    if (event)
        app_say(app, PAINT_WARN, "%s: %s", live_name(app->live), event);
    app->stale = true;
}

static void loop(struct app *app, struct terminal *t)
{
    int64_t drawn = 0;
    bool worked = true;
    while (!app->quit && !leaving) {
        bool more = work(app);
        go_with_tail(app);
        tell_trouble(app);
        ask_interface(app);
        int64_t now = monotonic();
        app->stale |= more;
        bool asked = app->dirty;
        if (asked || (app->stale && now - drawn > REDRAW_NS) || (worked && !more)) {
            app->dirty = app->stale = false;
            draw_all(app);
            drawn = now;
        }
        worked = more;
        /* What is shown for the first time knows only now how wide it is to be: there may be work again. */
        wait_for_something(app, t, asked ? 0 : patience(app, more, drawn));
        take_keys(app);
    }
}

static int open_store(struct app *app, const struct app_options *options, struct error *error)
{
    int code;
    if (options->file) {
        code = store_open(&app->store, options->file, error);
        if (!code && strcmp(options->file, "-"))
            start_remember(options->file);
    } else {
        code = live_open(&app->live, &options->live, error);
        if (!code)
            code = store_open_live(&app->store, live_capture(app->live), live_name(app->live), error);
        app->tail = true;
    }
    if (!code)
        code = view_open(&app->view, app->store, error);
    return code ? code : store_reader_open(&app->reader, app->store, READ_BLOCK, error);
}

static void open_app(struct app *app)
{
    app->style.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    app->mouse = true;
    app->screens[SCREEN_PACKETS] = &packets_screen;
    app->screens[SCREEN_SOCKETS] = &sockets_screen;
    app->screens[SCREEN_CONVERSATION] = &conversation_screen;
    app->screens[SCREEN_STATISTICS] = &statistics_screen;
    keys_open(&app->keys);
    struct error why;
    if (command_read_keys(&app->keys, &why))
        app_say(app, PAINT_BAD, "%s", why.text);
}

static void close_store(struct app *app)
{
    store_reader_close(app->reader);
    view_close(app->view);
    store_close(app->store);
    live_close(app->live);
    app->reader = NULL;
    app->view = NULL;
    app->store = NULL;
    app->live = NULL;
}

static void close_app(struct app *app)
{
    for (unsigned i = 0; i < SCREENS; i++)
        if (app->opened[i] && app->screens[i]->close)
            app->screens[i]->close(app->states[i]);
    command_close(app);
    close_store(app);
    prompt_history_free(&app->filters);
    prompt_history_free(&app->finds);
    prompt_history_free(&app->commands);
    prompt_history_free(&app->files);
    free(app->marks);
}

static struct terminal terminal;

/* A key, 0 after so many milliseconds without one, -1: the end. */
static int32_t wait_for_key(int ms)
{
    struct pollfd fd = { .fd = terminal.keys ? fileno(terminal.keys) : STDIN_FILENO, .events = POLLIN };
    struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    wint_t key;
    int kind = get_wch(&key);
    if (kind == ERR) {
        if (stop_poll(&fd, 1, &time, &terminal.waiting) > 0 && fd.revents & (POLLHUP | POLLERR | POLLNVAL))
            return -1;
        kind = get_wch(&key);
    }
    if (leaving)
        return -1;
    return kind == ERR ? 0 : kind == KEY_CODE_YES ? (int32_t)key | KEY_NAMED : (int32_t)key;
}

/* The user chooses, until what was chosen can be opened. False: nothing was. */
static bool choose(struct app *app)
{
    static struct start_choice choice;
    struct error error;
    const char *say = app->message[0] ? app->message : NULL;
    while (start_run(app, &choice, say, wait_for_key)) {
        struct app_options options = { .file = choice.interface ? NULL : choice.name,
                                       .live = { .interface = choice.name } };
        if (!open_store(app, &options, &error))
            return true;
        close_store(app);
        say = error.text;
    }
    return false;
}

/* The screens, behind the walls: nothing was taken apart so far. */
static int look(struct app *app, const struct app_options *options, struct error *error)
{
    int code = walls_raise(&app->walls, app->live, error);
    if (code)
        return code;
    app_show(app, SCREEN_PACKETS);
    if (options->filter)
        app_filter(app, options->filter);
    loop(app, &terminal);
    return 0;
}

int app_run(const struct app_options *options, struct error *error)
{
    static struct app app;
    bool chosen = options->file || options->live.interface;
    open_app(&app);
    int code = walls_begin(&app.walls, error);
    if (!code && chosen)
        code = open_store(&app, options, error);
    if (!code)
        code = begin_curses(&terminal, error);
    if (!code) {
        begin_terminal(&app, &terminal);
        if (chosen || choose(&app))
            code = look(&app, options, error);
        end_terminal(&terminal);
    }
    close_app(&app);
    walls_end(&app.walls); /* last: the interface's helper holds its socket, too */
    return code;
}
