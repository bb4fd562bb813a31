/* What the screens share: the store, what is selected, and the loop that waits for keys, packets and time. */
#pragma once
#include "output/text.h"
#include "ui/draw.h"
#include "ui/keys.h"
#include "ui/live.h"
#include "ui/prompt.h"
#include "ui/store.h"
#include "ui/view.h"
#include "ui/walls.h"

struct app;

struct mouse {
    int y, x; /* in the screen's area */
    enum { MOUSE_CLICK, MOUSE_DOUBLE, MOUSE_UP, MOUSE_DOWN } what;
};

/* A screen: a file in ui/ each, ending in one of these. All functions but draw may be NULL. */
struct screen {
    const char *title;                                               /* N_() */
    const uint8_t *footer;                                           /* actions that the footer shows, 0 ends them */
    int (*open)(struct app *app, void **state, struct error *error); /* before it is shown for the first time */
    void (*close)(void *state);
    void (*draw)(struct app *app, void *state, struct area area);
    /* What to do; false: it means nothing here. */
    bool (*act)(struct app *app, void *state, enum action action);
    void (*mouse)(struct app *app, void *state, const struct mouse *mouse);
    /* Works in slices as store_step does, also while another screen is shown; true: there is more. */
    bool (*step)(struct app *app, void *state, int64_t deadline);
};

enum { SCREENS = 4, SCREEN_PACKETS = 0, SCREEN_SOCKETS, SCREEN_CONVERSATION, SCREEN_STATISTICS };

extern const struct screen packets_screen, sockets_screen, conversation_screen, statistics_screen;

struct app {
    struct walls walls;
    struct live *live; /* NULL: a file */
    struct store *store;
    struct view *view; /* what Packets shows */
    struct store_reader *reader;
    struct keys keys;
    struct prompt prompt;
    struct prompt_history filters, finds, commands, files;
    struct style style;
    enum theme theme;
    enum time_format time_format;
    bool color, mouse, paused, help, quit, tail;
    int help_top;
    int64_t reference; /* what relative times count from */
    bool referenced;
    unsigned screen;
    const struct screen *screens[SCREENS];
    void *states[SCREENS];
    bool opened[SCREENS];
    char message[512];
    enum paint message_paint;
    uint64_t selected; /* packet, from 1; 0: there is none yet */
    uint64_t came_from;
    char filter[PROMPT_MAX]; /* as typed; "" none */
    bool dirty;              /* something is to be drawn at once */
    bool stale;              /* what is drawn is no longer the newest: soon */
    bool troubled;           /* the store's trouble was said */
    enum action waits_for;   /* a bookmark's letter */
    uint64_t bookmarks[26];
    uint64_t *marks; /* owned: marked packets, in order */
    size_t mark_count, mark_room;
    unsigned protocol; /* of the conversation that is looked at, 0: none */
    uint32_t stream;
    uint64_t frozen; /* paused: packets from here on are not shown */
};

/* One line at the bottom, until the next key. */
void app_say(struct app *app, enum paint paint, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Goes to a screen, and opens it if it was not open. */
void app_show(struct app *app, unsigned screen);
/* Selects a packet; jump: where one was is kept for ''. */
void app_select(struct app *app, uint64_t number, bool jump);
/* Shows only a conversation's packets. */
void app_follow(struct app *app, unsigned protocol, uint32_t stream);
/* The conversation that the screen of that name shows from now on. */
void app_converse(struct app *app, unsigned protocol, uint32_t stream);
/* Shows what a display filter lets pass; "": everything. */
void app_filter(struct app *app, const char *text);
/* What stands on a screen's tab; how many columns it takes. brief: where all of them have no room, only the number but
 * for the screen that is shown. */
int app_tab(const struct app *app, unsigned screen, bool brief, char text[64]);
bool app_tabs_brief(const struct app *app);
bool app_is_marked(const struct app *app, uint64_t number);
/* To the clipboard of the terminal, by OSC 52. */
void app_copy(struct app *app, const char *text, size_t n, const char *what);
/* A packet of the store; NULL: it is no longer there. */
const struct packet *app_packet(struct app *app, uint64_t number);

struct app_options {
    const char *file; /* "-": standard input; NULL: an interface, or, if that is NULL, too, the user chooses */
    struct live_request live;
    const char *filter; /* display filter to begin with, NULL: none */
};

/* Shows it all until the user quits. Returns the exit status's error: 0 or negative, with a sentence. */
int app_run(const struct app_options *options, struct error *error);
