/* peel run: scripts that send, ask, listen and expect. */
#include "base/text.h"
#include "capture/writer.h"
#include "commands/live_ladder.h"
#include "commands/options.h"
#include "dissectors/dissect.h"
#include "inject/script_parts.h"
#include "output/diagram.h"
#include "output/hex.h"
#include "output/text.h"
#include "output/tree.h"
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEPT = 64, COLUMNS_MOST = 65536 };

static const struct option_row rows[] = {
    { 'i', "interface", "IFACE", N_("send and listen by this interface; the default is each packet's route's") },
    { 'w', "write", "FILE", N_("write all that is sent and comes in to FILE") },
    { 0 },
};

/* A packet that a script sent or that came in: the last ones are shown when an expectation fails. */
struct kept {
    uint8_t *bytes; /* owned */
    size_t length;
    uint16_t link_type;
    int64_t time;
    bool sent;
};

struct run {
    struct script_settings settings;
    struct script *script;
    const char *write_path;
    struct writer *writer;
    int write_failed;
    struct error write_error;
    struct kept kept[KEPT];
    uint64_t count;
    struct style style;
    struct packet shown;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static void keep(struct run *r, struct span bytes, uint16_t link_type, int64_t time, bool sent)
{
    struct kept *k = &r->kept[r->count++ % KEPT];
    free(k->bytes);
    *k = (struct kept){ malloc(bytes.left + 1), bytes.left, link_type, time, sent };
    if (k->bytes && bytes.left)
        memcpy(k->bytes, bytes.at, bytes.left);
}

static void on_packet(void *context, struct span bytes, uint16_t link_type, int64_t time, bool sent)
{
    struct run *r = context;
    keep(r, bytes, link_type, time, sent);
    struct record record = { .bytes = bytes, .wire_length = (uint32_t)bytes.left, .time = time, .timed = true };
    record.link_type = link_type;
    if (r->writer && !r->write_failed)
        r->write_failed = writer_put(r->writer, &record, &r->write_error);
}

static void dissect_kept(struct run *r, const struct kept *k, uint64_t number, int64_t first)
{
    struct packet *p = &r->shown;
    packet_reset(p, (struct span){ k->bytes, k->length });
    p->number = number;
    p->time = k->time;
    p->time_relative = k->time - first;
    p->timed = true;
    p->link_type = k->link_type;
    p->wire_length = (uint32_t)k->length;
    dissect(p);
}

/* They were told in the order in which they were fetched. */
static int by_time(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

/* Whether the packet travels between the two ends. */
static bool is_between(const struct packet *p, const uint8_t ends[2][16], uint8_t size)
{
    for (unsigned i = 0; i < p->network_count; i++) {
        const struct network *n = &p->networks[i];
        bool there = n->size == size && !memcmp(n->source, ends[0], size) && !memcmp(n->destination, ends[1], size);
        bool back = n->size == size && !memcmp(n->source, ends[1], size) && !memcmp(n->destination, ends[0], size);
        if (there || back)
            return true;
    }
    return false;
}

/* The ends of the last packet of TCP that was sent: what is expected is of them. 0: there is none. */
static uint8_t find_ends(struct run *r, size_t n, uint8_t ends[2][16])
{
    for (size_t i = n; i-- > 0;) {
        const struct kept *k = &r->kept[i];
        if (!k->sent || !k->bytes)
            continue;
        dissect_kept(r, k, i + 1, r->kept[0].time);
        if (!r->shown.network_count || !(r->shown.have & HOT_TCP))
            continue;
        const struct network *network = &r->shown.networks[0];
        memcpy(ends[0], network->source, network->size);
        memcpy(ends[1], network->destination, network->size);
        return network->size;
    }
    return 0;
}

/* What was sent and what came instead of what was expected, on standard error: a ladder of TCP's two ends, and a
 * line for each packet of others. */
static void show_kept(struct run *r)
{
    struct buffer out;
    struct text text;
    struct error error;
    struct live_ladder *ladder = NULL;
    uint8_t ends[2][16];
    size_t n = r->count < KEPT ? (size_t)r->count : KEPT;
    if (!n || buffer_open(&out, STDERR_FILENO, COLUMNS_MOST))
        return;
    qsort(r->kept, n, sizeof *r->kept, by_time);
    uint8_t size = find_ends(r, n, ends);
    if (size && live_ladder_open(&ladder, &error)) {
        live_ladder_close(ladder);
        ladder = NULL;
    }
    text_open(&text, &r->style, FORMAT_RELATIVE, 6);
    for (size_t i = 0; i < n; i++) {
        const struct kept *k = &r->kept[i];
        if (!k->bytes)
            continue;
        dissect_kept(r, k, i + 1, r->kept[0].time);
        if (ladder && is_between(&r->shown, ends, size)) {
            live_ladder_take(ladder, (struct span){ k->bytes, k->length }, k->link_type, k->time);
            continue;
        }
        buffer_text(&out, k->sent ? "sent " : "came ");
        text_write(&text, &out, &r->shown);
    }
    live_ladder_close(ladder);
    buffer_flush(&out);
    buffer_free(&out);
}

/* ---- what scripts get from the outputs: p:tree(), p:line(), p:dump(), p:diagram() */

enum look { LOOK_TREE, LOOK_LINE, LOOK_HEX, LOOK_DIAGRAM };

static int look(lua_State *L, enum look how)
{
    struct script_packet *p = script_check_packet(L, 1);
    const struct style style = { .ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0 };
    struct packet *view = lua_newuserdatauv(L, sizeof *view, 0);
    struct buffer out;
    struct text text;
    memset(view, 0, sizeof *view);
    script_view(L, p, view);
    view->number = 1;
    if (buffer_open(&out, -1, 4096))
        return luaL_error(L, "no memory");
    text_open(&text, &style, FORMAT_RELATIVE, 6);
    if (how == LOOK_TREE)
        tree_write(&out, view, &style);
    else if (how == LOOK_LINE)
        text_write(&text, &out, view);
    else if (how == LOOK_HEX)
        hex_write(&out, view, true, &style);
    else
        diagram_write(&out, view, &style);
    size_t n = buffer_used(&out);
    lua_pushlstring(L, out.start, n && out.start[n - 1] == '\n' ? n - 1 : n);
    buffer_free(&out);
    return 1;
}

static int look_tree(lua_State *L)
{
    return look(L, LOOK_TREE);
}

static int look_line(lua_State *L)
{
    return look(L, LOOK_LINE);
}

static int look_hex(lua_State *L)
{
    return look(L, LOOK_HEX);
}

static int look_diagram(lua_State *L)
{
    return look(L, LOOK_DIAGRAM);
}

static const luaL_Reg looks[] = {
    { "tree", look_tree }, { "line", look_line }, { "dump", look_hex }, { "diagram", look_diagram }, { NULL, NULL },
};

/* ---- the command */

static int open_all(struct run *r, struct error *error)
{
    r->settings.packet = on_packet;
    r->settings.context = r;
    r->settings.interrupted = &interrupted;
    int code = r->write_path ? writer_open(&r->writer, r->write_path, error) : 0;
    if (!code)
        code = script_open(&r->script, &r->settings, error);
    if (code)
        return code;
    script_add_methods(r->script, looks);
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

static void close_all(struct run *r)
{
    script_close(r->script);
    for (unsigned i = 0; i < KEPT; i++)
        free(r->kept[i].bytes);
}

static int run_script(const struct command *command, int argc, char **argv)
{
    static struct run r;
    struct options options;
    struct error error;
    int letter;
    options_begin(&options, command, argc, argv);
    while ((letter = options_next(&options)) > 0) {
        if (letter == 'i')
            r.settings.interface = options.argument;
        else
            r.write_path = options.argument;
    }
    if (letter < 0)
        return EXIT_USAGE;
    int first = options.operand;
    if (first >= argc)
        return usage_error("%s", _("run: which script? see 'peel run --help'"));
    r.style.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    int code = open_all(&r, &error);
    if (!code)
        code = script_run(r.script, argv[first], argc - first - 1, argv + first + 1, &error);
    fflush(stdout);
    int status = report(code, &error);
    if (code && r.script && script_expectation_failed(r.script))
        show_kept(&r);
    close_all(&r);
    int written = r.writer ? writer_close(r.writer, &error) : 0;
    if (r.write_failed)
        return report(r.write_failed, &r.write_error);
    return written && !code ? report(written, &error) : status;
}

const struct command run_command = {
    .name = "run",
    .summary = N_("run a script in Lua: packets sent, asked for, expected; whole conversations"),
    .usage = "[OPTIONS] SCRIPT.lua [ARGUMENTS]",
    .options = rows,
    .passes_on = true,
    .run = run_script,
};
