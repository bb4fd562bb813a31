#include "ui/keys.h"
#include "base/text.h"
#include <curses.h>
#include <errno.h>
#include <stdlib.h>

/* Where the habits of others collide: s sorts (htop) and does not save (Wireshark's ^S stops terminals); n is the next
 * find (less, vim) and not the next packet; q goes back before it quits (tig); t is for times (tcpdump's -t), and f
 * follows (Wireshark's "Follow stream") while find has ^F (Wireshark), so pages go by PgDn, Space marks (mutt). */
const struct key_row key_rows[ACTIONS] = {
    [ACT_UP] = { "up", "Up k", N_("up"), NULL },
    [ACT_DOWN] = { "down", "Down j", N_("down"), NULL },
    [ACT_LEFT] = { "left", "Left h", N_("left; in a tree: close"), NULL },
    [ACT_RIGHT] = { "right", "Right l", N_("right; in a tree: open"), NULL },
    [ACT_PAGE_UP] = { "page-up", "PgUp ^B", N_("a page up"), N_("page up") },
    [ACT_PAGE_DOWN] = { "page-down", "PgDn ^D", N_("a page down"), N_("page down") },
    [ACT_TOP] = { "top", "gg Home", N_("to the first one"), NULL },
    [ACT_BOTTOM] = { "bottom", "G End", N_("to the last one; live: stay there"), NULL },
    [ACT_OPEN] = { "open", "Enter", N_("open: a packet's tree, a layer, the conversation of a socket"), N_("open") },
    [ACT_BACK] = { "back", "Esc q", N_("back: out of a pane, a filter, a screen; q on the first one quits"),
                   N_("back") },
    [ACT_NEXT_PANE] = { "next-pane", "Tab", N_("next pane, next view"), N_("pane") },
    [ACT_PREVIOUS_PANE] = { "previous-pane", "BackTab", N_("pane before"), NULL },
    [ACT_MAXIMISE] = { "maximise", "\\", N_("this pane alone, and back"), NULL },
    [ACT_EXPAND_ALL] = { "expand-all", "+", N_("open all of the tree"), NULL },
    [ACT_COLLAPSE_ALL] = { "collapse-all", "-", N_("close all of the tree"), NULL },
    [ACT_PACKETS] = { "packets", "1 F5", N_("screen Packets"), NULL },
    [ACT_SOCKETS] = { "sockets", "2 F6", N_("screen Sockets"), NULL },
    [ACT_CONVERSATION] = { "conversation", "3 F7", N_("screen Conversation"), NULL },
    [ACT_STATISTICS] = { "statistics", "4 F8", N_("screen Statistics"), NULL },
    [ACT_FILTER] = { "filter", "/", N_("display filter: only packets that it lets pass are shown"), N_("filter") },
    [ACT_FIND] = { "find", "^F", N_("find text, 0x and hex digits, or /a regular expression/ in packets"), N_("find") },
    [ACT_FIND_NEXT] = { "find-next", "n", N_("the next one found"), NULL },
    [ACT_FIND_PREVIOUS] = { "find-previous", "N", N_("the one found before"), NULL },
    [ACT_COMMAND] = { "command", ":", N_("a command; a number goes to that packet"), NULL },
    [ACT_FOLLOW] = { "follow", "f", N_("follow: show only this conversation, and back"), N_("follow") },
    [ACT_STREAM_NEXT] = { "conversation-next", ")",
                          N_("the next packet of this conversation; on its screen: the next conversation"),
                          N_("next") },
    [ACT_STREAM_PREVIOUS] = { "conversation-previous", "(",
                              N_("the packet of this conversation before; the conversation before"), N_("before") },
    [ACT_EARLIER] = { "earlier", "[", N_("Sockets: as of an earlier moment"), N_("earlier") },
    [ACT_LATER] = { "later", "]", N_("Sockets: as of a later moment"), N_("later") },
    [ACT_AS_OF] = { "as-of", ".", N_("Sockets as of the selected packet, and as of now again"), NULL },
    [ACT_HOST] = { "host", "v", N_("Sockets: as one end sees them, as the other end, both"), N_("host") },
    [ACT_SORT] = { "sort", "s", N_("sort by the next column; elsewhere the next list, text or hex, the other end"),
                   N_("sort") },
    [ACT_SORT_REVERSE] = { "sort-reverse", "S", N_("the other way round"), NULL },
    [ACT_STATE] = { "state", "a", N_("Sockets: only those in a state, the next one"), N_("state") },
    [ACT_MARK] = { "mark", "Space", N_("mark, and take the mark away"), NULL },
    [ACT_MARK_NEXT] = { "mark-next", "*", N_("the next marked packet"), NULL },
    [ACT_BOOKMARK_SET] = { "bookmark", "m", N_("and a letter: a bookmark here"), NULL },
    [ACT_BOOKMARK_GO] = { "go-bookmark", "'", N_("and a letter: to that bookmark; ' again: to where you came from"),
                          NULL },
    [ACT_PAUSE] = { "pause", "p", N_("let the view stand still; capturing goes on"), N_("pause") },
    [ACT_TIME_FORMAT] = { "time", "t", N_("the next format of times"), N_("time") },
    [ACT_TIME_REFERENCE] = { "time-reference", "T", N_("count times from this packet, and back"), NULL },
    [ACT_COPY] = { "copy", "c", N_("copy: the line, the field or the bytes, whatever is selected"), N_("copy") },
    [ACT_WRITE] = { "write", "w", N_("write the packets that are shown into a file"), N_("write") },
    [ACT_MOUSE] = { "mouse", "M", N_("the mouse is ours, or the terminal's again"), NULL },
    [ACT_THEME] = { "theme", "F9", N_("colours for dark, for light backgrounds, or none"), NULL },
    [ACT_REDRAW] = { "redraw", "^L", N_("draw the screen anew"), NULL },
    [ACT_HELP] = { "help", "? F1", N_("this help, and back"), N_("help") },
    [ACT_CANCEL] = { "cancel", "^C", N_("stop what takes long: indexing, filtering, finding"), NULL },
    [ACT_QUIT] = { "quit", "Q F10", N_("quit"), N_("quit") },
};

static const struct {
    const char *name;
    int32_t key;
} named[] = {
    { "Up", KEY_NAMED | KEY_UP },
    { "Down", KEY_NAMED | KEY_DOWN },
    { "Left", KEY_NAMED | KEY_LEFT },
    { "Right", KEY_NAMED | KEY_RIGHT },
    { "PgUp", KEY_NAMED | KEY_PPAGE },
    { "PgDn", KEY_NAMED | KEY_NPAGE },
    { "Home", KEY_NAMED | KEY_HOME },
    { "End", KEY_NAMED | KEY_END },
    { "Enter", '\r' },
    { "Esc", 27 },
    { "Tab", '\t' },
    { "BackTab", KEY_NAMED | KEY_BTAB },
    { "Space", ' ' },
    { "Del", KEY_NAMED | KEY_DC },
    { "Ins", KEY_NAMED | KEY_IC },
    { "Backspace", KEY_NAMED | KEY_BACKSPACE },
};

/* The key whose name begins at *at, which then stands behind it; 0: none. */
static int32_t parse_one(const char **at)
{
    const char *name = *at;
    size_t n = strlen(name);
    for (unsigned i = 0; i < sizeof named / sizeof *named; i++)
        if (!strcmp(named[i].name, name)) {
            *at += n;
            return named[i].key;
        }
    if (name[0] == 'F' && name[1] >= '1' && name[1] <= '9') {
        char *end;
        unsigned long number = strtoul(name + 1, &end, 10);
        if (!*end && number <= 24) {
            *at = end;
            return KEY_NAMED | KEY_F((int32_t)number);
        }
    }
    if (name[0] == '^' && name[1] >= '@' && name[1] <= '_') {
        *at += 2;
        return name[1] == '@' ? 0 : name[1] & 0x1f;
    }
    uint32_t code;
    unsigned length = utf8_length((const uint8_t *)name, n, &code);
    *at += length;
    return length && code > ' ' ? (int32_t)code : 0;
}

bool keys_parse(const char *name, struct key_sequence *sequence)
{
    *sequence = (struct key_sequence){ 0 };
    for (unsigned i = 0; i < KEY_SEQUENCE && *name; i++)
        if (!(sequence->keys[i] = parse_one(&name)))
            return false;
    return sequence->keys[0] && !*name;
}

static char *name_one(int32_t key, char *to, char *end)
{
    for (unsigned i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i].key == key)
            return to + snprintf(to, (size_t)(end - to), "%s", named[i].name);
    if (key & KEY_NAMED && key >= (KEY_NAMED | KEY_F(1)) && key <= (KEY_NAMED | KEY_F(24)))
        return to + snprintf(to, (size_t)(end - to), "F%d", (key & ~KEY_NAMED) - KEY_F0);
    if (key < ' ')
        return to + snprintf(to, (size_t)(end - to), "^%c", (char)(key + 64));
    char text[8];
    unsigned n = 0;
    if (key < 0x80)
        text[n++] = (char)key;
    else if (key < 0x800) {
        text[n++] = (char)(0xc0 | key >> 6);
        text[n++] = (char)(0x80 | (key & 0x3f));
    } else {
        text[n++] = (char)(0xe0 | (key >> 12 & 15));
        text[n++] = (char)(0x80 | (key >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (key & 0x3f));
    }
    return to + snprintf(to, (size_t)(end - to), "%.*s", (int)n, text);
}

void keys_name(const struct key_sequence *sequence, char *name)
{
    char *to = name, *end = name + KEY_TEXT;
    *to = 0;
    for (unsigned i = 0; i < KEY_SEQUENCE && sequence->keys[i]; i++)
        to = name_one(sequence->keys[i], to, end);
}

/* Words of `text` become an action's keys. False: one of them, *wrong, is no key. */
static bool set_keys(struct keys *keys, enum action action, char *text, const char **wrong)
{
    struct key_sequence fresh[KEYS_PER_ACTION] = { 0 };
    unsigned count = 0;
    for (char *rest = text, *word; (word = strsep(&rest, " \t")) != NULL;) {
        if (!*word)
            continue;
        if (count == KEYS_PER_ACTION || !keys_parse(word, &fresh[count])) {
            *wrong = word;
            return false;
        }
        count++;
    }
    memcpy(keys->of[action], fresh, sizeof fresh);
    return true;
}

void keys_open(struct keys *keys)
{
    *keys = (struct keys){ 0 };
    for (unsigned action = 1; action < ACTIONS; action++) {
        char text[64];
        const char *wrong;
        snprintf(text, sizeof text, "%s", key_rows[action].keys);
        set_keys(keys, action, text, &wrong);
    }
}

/* One of them is the other, or its beginning. */
static bool collide(const struct key_sequence *a, const struct key_sequence *b)
{
    if (!a->keys[0] || a->keys[0] != b->keys[0])
        return false;
    return !a->keys[1] || !b->keys[1] || a->keys[1] == b->keys[1];
}

/* A key that got a new meaning loses its old one, also as the first one of two. */
static void take_away(struct keys *keys, unsigned action)
{
    for (unsigned other = 1; other < ACTIONS; other++)
        for (unsigned i = 0; i < KEYS_PER_ACTION && other != action; i++)
            for (unsigned k = 0; k < KEYS_PER_ACTION; k++)
                if (collide(&keys->of[other][i], &keys->of[action][k]))
                    keys->of[other][i] = (struct key_sequence){ 0 };
}

static int read_line(struct keys *keys, char *line, const char *path, unsigned number, struct error *error)
{
    line[strcspn(line, "\n")] = 0;
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return 0;
    size_t n = strcspn(line, " \t");
    unsigned action = 1;
    while (action < ACTIONS && (strncmp(key_rows[action].name, line, n) || key_rows[action].name[n]))
        action++;
    if (action == ACTIONS)
        return error_set(error, ERROR_USAGE, _("%s, line %u: nothing is called '%.*s'"), path, number, (int)n, line);
    const char *wrong;
    if (!set_keys(keys, action, line + n, &wrong))
        return error_set(error, ERROR_USAGE, _("%s, line %u: '%s' is no key"), path, number, wrong);
    take_away(keys, action);
    return 0;
}

int keys_read(struct keys *keys, const char *path, struct error *error)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT || errno == ENOTDIR ? 0
                                                   : error_set(error, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    char line[512];
    int code = 0;
    for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
        int result = read_line(keys, line, path, number, code ? NULL : error);
        code = code ? code : result;
    }
    fclose(file);
    return code;
}

enum action keys_take(struct keys *keys, int32_t key)
{
    if (key == '\n' || key == (KEY_NAMED | KEY_ENTER))
        key = '\r';
    int32_t first = keys->pending;
    bool begins = false;
    keys->pending = 0;
    for (unsigned action = 1; action < ACTIONS; action++)
        for (unsigned i = 0; i < KEYS_PER_ACTION; i++) {
            const int32_t *k = keys->of[action][i].keys;
            if (first ? k[0] == first && k[1] == key : k[0] == key && !k[1])
                return action;
            begins |= !first && k[0] == key && k[1];
        }
    if (begins)
        keys->pending = key;
    else if (first)
        return keys_take(keys, key); /* what began was none: the second key counts for itself */
    return ACT_NONE;
}

const struct key_sequence *keys_first(const struct keys *keys, enum action action)
{
    for (unsigned i = 0; i < KEYS_PER_ACTION; i++)
        if (keys->of[action][i].keys[0])
            return &keys->of[action][i];
    return NULL;
}

void keys_write(const struct keys *keys, enum action action, struct buffer *out)
{
    bool some = false;
    for (unsigned i = 0; i < KEYS_PER_ACTION; i++) {
        char name[KEY_TEXT];
        if (!keys->of[action][i].keys[0])
            continue;
        keys_name(&keys->of[action][i], name);
        if (some)
            buffer_text(out, ", ");
        buffer_text(out, name);
        some = true;
    }
}

void keys_manual(struct buffer *out)
{
    struct keys keys;
    keys_open(&keys);
    for (unsigned action = 1; action < ACTIONS; action++) {
        buffer_text(out, ".It Ic ");
        bool some = false;
        for (unsigned i = 0; i < KEYS_PER_ACTION; i++) {
            char name[KEY_TEXT];
            if (!keys.of[action][i].keys[0])
                continue;
            keys_name(&keys.of[action][i], name);
            if (some)
                buffer_text(out, " , ");
            if (strlen(name) == 1 && strchr(".,:;()[]?!|'\\", *name))
                buffer_text(out, *name == '\\' ? "\\e" : *name == '\'' ? "\\(aq" : "\\&");
            if (*name != '\\' && *name != '\'')
                buffer_text(out, name);
            some = true;
        }
        buffer_format(out, "\n.Pq Cm %s\n%s.\n", key_rows[action].name, key_rows[action].help);
    }
}
