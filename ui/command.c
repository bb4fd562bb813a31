#include "ui/command.h"
#include "base/digits.h"
#include "base/text.h"
#include "ui/find.h"
#include "ui/help.h"
#include "ui/save.h"
#include "ui/sieve.h"
#include <curses.h>
#include <stdlib.h>

static struct {
    struct find *find;
    struct save *save;
    struct sieve *sieve; /* the filter that is in use */
    bool finding;
    char what[PROMPT_MAX];
    char path[PROMPT_MAX + 8]; /* with an ending */
} at_work;

/* --- display filter --- */

/* "tcp.stream == 5": quickly found without looking into packets. 0: it is something else. */
static unsigned is_stream(const char *text, uint32_t *stream)
{
    int used = 0;
    if (sscanf(text, "tcp.stream == %u%n", stream, &used) == 1 && !text[used])
        return 6;
    return sscanf(text, "udp.stream == %u%n", stream, &used) == 1 && !text[used] ? 17 : 0;
}

static bool filter_valid(void *context, const char *text, char *why)
{
    (void)context;
    struct sieve *sieve;
    struct error error;
    if (!*text)
        return true;
    if (sieve_open(&sieve, text, &error)) {
        snprintf(why, 256, "%.255s", error.text);
        return false;
    }
    sieve_close(sieve);
    return true;
}

static bool filter_complete(void *context, const char *word, unsigned n, char *whole)
{
    (void)context;
    return *word && sieve_complete(word, n, whole, PROMPT_MAX);
}

void app_filter(struct app *app, const char *text)
{
    struct error error;
    struct sieve *sieve = NULL;
    uint32_t stream;
    unsigned protocol = is_stream(text, &stream);
    if (!protocol && *text && sieve_open(&sieve, text, &error)) {
        app_say(app, PAINT_BAD, "%s", error.text);
        return;
    }
    if (protocol)
        view_stream(app->view, protocol, stream);
    else
        view_filter(app->view, sieve ? sieve_passes : NULL, sieve);
    sieve_close(at_work.sieve);
    at_work.sieve = sieve;
    memmove(app->filter, text, strlen(text) + 1);
    app->tail = false;
    app->dirty = true;
}

static void filter_done(void *context, const char *text)
{
    app_filter(context, text);
}

static const struct prompt_kind filter_prompt = {
    .sign = "/", .valid = filter_valid, .complete = filter_complete, .done = filter_done
};

/* --- finding --- */

static void find_from(struct app *app, bool forward)
{
    if (!at_work.find) {
        app_say(app, PAINT_WARN, "%s", _("find what? ^F asks"));
        return;
    }
    uint64_t place = view_place(app->view, app->selected) + 1; /* counted from 1 */
    bool here = view_shows(app->view, app->selected);
    find_begin(at_work.find, forward ? place + here : place - 1, forward);
    at_work.finding = true;
}

static void find_done(void *context, const char *text)
{
    struct app *app = context;
    struct error error;
    find_close(at_work.find);
    at_work.find = NULL;
    if (find_open(&at_work.find, app->store, text, app->style.ascii, &error)) {
        app_say(app, PAINT_BAD, "%s", error.text);
        return;
    }
    snprintf(at_work.what, sizeof at_work.what, "%s", text);
    find_from(app, true);
}

static bool find_valid(void *context, const char *text, char *why)
{
    struct app *app = context;
    struct find *find;
    struct error error;
    if (!*text)
        return true;
    if (find_open(&find, app->store, text, false, &error)) {
        snprintf(why, 256, "%.255s", error.text);
        return false;
    }
    find_close(find);
    return true;
}

static const struct prompt_kind find_prompt = { .sign = N_("find: "), .valid = find_valid, .done = find_done };

static bool step_find(struct app *app, int64_t deadline)
{
    if (!at_work.finding)
        return false;
    if (find_step(at_work.find, app->view, deadline)) {
        char number[32];
        app_say(app, PAINT_DIM, _("finding %s: at %s; ^C stops"), at_work.what, grouped(number, find_at(at_work.find)));
        return true;
    }
    at_work.finding = false;
    app->message[0] = 0;
    if (find_result(at_work.find))
        app_select(app, find_result(at_work.find), true);
    else
        app_say(app, PAINT_WARN, _("not found: %s"), at_work.what);
    app->dirty = true;
    return false;
}

/* --- writing --- */

static void write_done(void *context, const char *text)
{
    struct app *app = context;
    struct error error;
    if (!*text || at_work.save)
        return;
    snprintf(at_work.path, sizeof at_work.path, "%s%s", text, walls_takes(text) ? "" : ".pcapng");
    int fd = walls_open(&app->walls, at_work.path, &error);
    if (fd < 0 || save_open(&at_work.save, app->store, fd, at_work.path, &error))
        app_say(app, PAINT_BAD, "%s", error.text);
}

static const struct prompt_kind write_prompt = { .sign = N_("write what is shown to: "), .done = write_done };

static void end_save(struct app *app, bool stopped)
{
    struct error error;
    char number[32];
    grouped(number, save_count(at_work.save));
    int code = save_close(at_work.save, &error);
    at_work.save = NULL;
    if (code)
        app_say(app, PAINT_BAD, "%s", error.text);
    else
        app_say(app, PAINT_GOOD, stopped ? _("stopped: %s packets are in %s") : _("%s packets written to %s"), number,
                at_work.path);
}

static bool step_save(struct app *app, int64_t deadline)
{
    if (!at_work.save)
        return false;
    if (save_step(at_work.save, app->view, deadline)) {
        char number[32];
        app_say(app, PAINT_DIM, _("writing %s: %s packets; ^C stops"), at_work.path,
                grouped(number, save_count(at_work.save)));
        return true;
    }
    end_save(app, false);
    return false;
}

bool command_step(struct app *app, int64_t deadline)
{
    bool more = step_find(app, deadline);
    return step_save(app, deadline) || more;
}

/* --- commands --- */

static void go_to_packet(struct app *app, uint64_t number)
{
    char text[32], all[32];
    if (!number || number > store_count(app->store)) {
        app_say(app, PAINT_WARN, _("there is no packet %s; there are %s"), grouped(text, number),
                grouped(all, store_count(app->store)));
        return;
    }
    uint64_t shown = view_shows(app->view, number) ? number : view_nth(app->view, view_place(app->view, number));
    if (!shown)
        shown = view_nth(app->view, view_count(app->view) ? view_count(app->view) - 1 : 0);
    app_show(app, SCREEN_PACKETS);
    app_select(app, shown, true);
    if (shown != number)
        app_say(app, PAINT_WARN, _("packet %s is not shown; this is the next one that is"), grouped(text, number));
}

static void set_time(struct app *app, const char *word)
{
    int format = time_format_parse(word);
    if (format < 0)
        app_say(app, PAINT_WARN, "%s", _("times: one of r, a, ad, d, dd, e, u, ud"));
    else
        app->time_format = (enum time_format)format;
}

static void do_filter(struct app *app, const char *rest)
{
    app_filter(app, rest);
}

static void do_find(struct app *app, const char *rest)
{
    find_done(app, rest);
}

static void do_write(struct app *app, const char *rest)
{
    write_done(app, rest);
}

static void do_quit(struct app *app, const char *rest)
{
    (void)rest;
    app->quit = true;
}

static void do_help(struct app *app, const char *rest)
{
    (void)rest;
    app->help = true;
}

static const struct {
    const char *name;
    void (*run)(struct app *app, const char *rest);
} commands[] = {
    { "filter", do_filter }, { "find", do_find },  { "help", do_help },
    { "quit", do_quit },     { "time", set_time }, { "write", do_write },
};

static void command_done(void *context, const char *text)
{
    struct app *app = context;
    uint64_t number = strtoull(text, NULL, 10);
    bool relative = (*text == '+' || *text == '-') && text[1] >= '0' && text[1] <= '9';
    if (relative) {
        number = strtoull(text + 1, NULL, 10);
        uint64_t at = app->selected;
        go_to_packet(app, *text == '+' ? at + number : at > number ? at - number : 1);
        return;
    }
    if (*text >= '0' && *text <= '9') {
        go_to_packet(app, number);
        return;
    }
    size_t n = strcspn(text, " ");
    const char *rest = text + n + strspn(text + n, " ");
    for (size_t i = 0; n && i < sizeof commands / sizeof *commands; i++)
        if (!strncmp(commands[i].name, text, n)) {
            commands[i].run(app, rest);
            return;
        }
    if (n)
        app_say(app, PAINT_WARN, _("no command '%s': a packet's number, filter, find, help, quit, time or write"),
                text);
}

static bool complete_command(void *context, const char *word, unsigned n, char *whole)
{
    (void)context;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strncmp(commands[i].name, word, strlen(word)) && !n--) {
            snprintf(whole, PROMPT_MAX, "%s ", commands[i].name);
            return true;
        }
    return false;
}

static const struct prompt_kind command_prompt = { .sign = ":", .complete = complete_command, .done = command_done };

static void ask(struct app *app, const struct prompt_kind *kind, struct prompt_history *history, const char *text)
{
    prompt_open(&app->prompt, kind, app, history, text);
}

/* --- marks --- */

static void toggle_mark(struct app *app)
{
    size_t at = 0;
    while (at < app->mark_count && app->marks[at] < app->selected)
        at++;
    if (at < app->mark_count && app->marks[at] == app->selected) {
        memmove(app->marks + at, app->marks + at + 1, (--app->mark_count - at) * sizeof *app->marks);
        return;
    }
    if (app->mark_count == app->mark_room) {
        size_t room = app->mark_room ? app->mark_room * 2 : 64;
        uint64_t *more = realloc(app->marks, room * sizeof *more);
        if (!more)
            return;
        app->marks = more;
        app->mark_room = room;
    }
    memmove(app->marks + at + 1, app->marks + at, (app->mark_count++ - at) * sizeof *app->marks);
    app->marks[at] = app->selected;
}

static void go_to_mark(struct app *app)
{
    for (size_t i = 0; i < app->mark_count; i++)
        if (app->marks[i] > app->selected) {
            go_to_packet(app, app->marks[i]);
            return;
        }
    if (app->mark_count)
        go_to_packet(app, app->marks[0]);
    else
        app_say(app, PAINT_WARN, "%s", _("nothing is marked; Space marks"));
}

void command_bookmark(struct app *app, int32_t key)
{
    enum action action = app->waits_for;
    app->waits_for = ACT_NONE;
    if (action == ACT_BOOKMARK_GO && key == '\'') {
        go_to_packet(app, app->came_from ? app->came_from : 1);
        return;
    }
    if (key < 'a' || key > 'z') {
        app_say(app, PAINT_WARN, "%s", _("bookmarks are called a to z"));
        return;
    }
    if (action == ACT_BOOKMARK_SET) {
        app->bookmarks[key - 'a'] = app->selected;
        app_say(app, PAINT_GOOD, _("bookmark %c"), (char)key);
    } else if (app->bookmarks[key - 'a']) {
        go_to_packet(app, app->bookmarks[key - 'a']);
    } else {
        app_say(app, PAINT_WARN, _("there is no bookmark %c"), (char)key);
    }
}

/* --- what every screen knows --- */

static const char *const time_names[] = { "r", "a", "ad", "d", "dd", "e", "u", "ud" };

static void next_time_format(struct app *app)
{
    static const char *const words[] = {
        [FORMAT_RELATIVE] = N_("seconds since the first packet"),
        [FORMAT_ABSOLUTE] = N_("time of day"),
        [FORMAT_ABSOLUTE_DATE] = N_("date and time of day"),
        [FORMAT_DELTA] = N_("seconds since the packet before"),
        [FORMAT_DELTA_SHOWN] = N_("seconds since the packet shown before"),
        [FORMAT_EPOCH] = N_("seconds since 1970"),
        [FORMAT_UTC] = N_("UTC"),
        [FORMAT_UTC_DATE] = N_("UTC with date"),
    };
    app->time_format = (app->time_format + 1) % (FORMAT_UTC_DATE + 1);
    app_say(app, PAINT_DIM, _("times: %s (%s)"), _(words[app->time_format]), time_names[app->time_format]);
}

static void set_reference(struct app *app)
{
    const struct packet *p = app->selected ? app_packet(app, app->selected) : NULL;
    if (!p || !p->timed)
        return;
    app->referenced = !app->referenced || app->reference != p->time;
    app->reference = p->time;
    app->time_format = FORMAT_RELATIVE;
    app_say(app, PAINT_DIM,
            app->referenced ? _("times count from packet %llu") : _("times count from the first packet"),
            (unsigned long long)app->selected);
}

static void next_theme(struct app *app)
{
    static const char *const names[] = { N_("colours for a dark background"), N_("colours for a light background"),
                                         N_("no colours") };
    app->theme = (app->theme + 1) % THEMES;
    draw_open(app->style.ascii, app->theme);
    app_say(app, PAINT_DIM, "%s", _(names[app->theme]));
    clearok(stdscr, TRUE);
}

static void toggle_mouse(struct app *app)
{
    app->mouse = !app->mouse;
    mousemask(app->mouse ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
    app_say(app, PAINT_DIM, "%s", app->mouse ? _("the mouse selects here") : _("the mouse is the terminal's again"));
}

static void cancel(struct app *app)
{
    if (at_work.finding || at_work.save) {
        at_work.finding = false;
        if (at_work.save)
            end_save(app, true);
        else
            app_say(app, PAINT_WARN, "%s", _("stopped"));
    } else if (!view_is_all(app->view) && view_looked(app->view) < store_count(app->store)) {
        view_cancel(app->view);
        app_say(app, PAINT_WARN, "%s", _("filtering stopped: later packets were not asked"));
    } else if (store_state(app->store) < STORE_READY) {
        store_cancel(app->store, !store_cancelled(app->store));
        app_say(app, PAINT_WARN, "%s", store_cancelled(app->store) ? _("stopped; ^C again goes on") : _("going on"));
    } else {
        app_say(app, PAINT_DIM, "%s", _("nothing takes long; Q quits"));
    }
}

static void back(struct app *app, bool from_first)
{
    if (app->screen != SCREEN_PACKETS)
        app_show(app, SCREEN_PACKETS);
    else if (app->filter[0])
        app_filter(app, "");
    else if (from_first)
        app->quit = true;
}

static void pause_view(struct app *app)
{
    app->paused = !app->paused;
    app->frozen = store_count(app->store);
    app_say(app, PAINT_DIM, "%s", app->paused ? _("the view stands still; capturing goes on") : _("going on"));
}

static void act_anywhere(struct app *app, enum action action)
{
    switch (action) {
    case ACT_PACKETS:
    case ACT_SOCKETS:
    case ACT_CONVERSATION:
    case ACT_STATISTICS:
        app_show(app, action - ACT_PACKETS);
        break;
    case ACT_FILTER:
        ask(app, &filter_prompt, &app->filters, app->filter);
        break;
    case ACT_FIND:
        ask(app, &find_prompt, &app->finds, "");
        break;
    case ACT_FIND_NEXT:
    case ACT_FIND_PREVIOUS:
        find_from(app, action == ACT_FIND_NEXT);
        break;
    case ACT_COMMAND:
        ask(app, &command_prompt, &app->commands, "");
        break;
    case ACT_WRITE:
        ask(app, &write_prompt, &app->files, "");
        break;
    case ACT_MARK:
        toggle_mark(app);
        break;
    case ACT_MARK_NEXT:
        go_to_mark(app);
        break;
    case ACT_BOOKMARK_SET:
    case ACT_BOOKMARK_GO:
        app->waits_for = action;
        app_say(app, PAINT_DIM, "%s", _("which bookmark? a to z"));
        break;
    case ACT_PAUSE:
        pause_view(app);
        break;
    case ACT_TIME_FORMAT:
        next_time_format(app);
        break;
    case ACT_TIME_REFERENCE:
        set_reference(app);
        break;
    case ACT_MOUSE:
        toggle_mouse(app);
        break;
    case ACT_THEME:
        next_theme(app);
        break;
    case ACT_REDRAW:
        clearok(stdscr, TRUE);
        break;
    case ACT_HELP:
        app->help = !app->help;
        app->help_top = 0;
        break;
    case ACT_CANCEL:
        cancel(app);
        break;
    case ACT_BACK:
        back(app, true);
        break;
    case ACT_QUIT:
        app->quit = true;
        break;
    default:
        break;
    }
}

void command_act(struct app *app, enum action action)
{
    if (app->help && action != ACT_QUIT && action != ACT_REDRAW) {
        if (!help_act(app, action))
            app->help = false;
        return;
    }
    const struct screen *screen = app->screens[app->screen];
    if (!screen->act || !screen->act(app, app->states[app->screen], action))
        act_anywhere(app, action);
}

void command_click_tab(struct app *app, int x)
{
    int at = 1;
    bool brief = app_tabs_brief(app);
    for (unsigned i = 0; i < SCREENS; i++) {
        char text[64];
        if (!app->screens[i])
            continue;
        int width = app_tab(app, i, brief, text);
        if (x >= at && x < at + width) {
            app_show(app, i);
            return;
        }
        at += width + 2;
    }
}

void command_close(struct app *app)
{
    struct error error;
    find_close(at_work.find);
    if (at_work.save && save_close(at_work.save, &error))
        app_say(app, PAINT_BAD, "%s", error.text);
    sieve_close(at_work.sieve);
}

int command_read_keys(struct keys *keys, struct error *error)
{
    char path[4096];
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config)
        snprintf(path, sizeof path, "%s/peel/keys", config);
    else if (home && *home)
        snprintf(path, sizeof path, "%s/.config/peel/keys", home);
    else
        return 0;
    return keys_read(keys, path, error);
}
