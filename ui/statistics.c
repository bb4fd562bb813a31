/* The screen Statistics: throughput over time, the tree of protocols, who talks most, which conversations do worst.
 * Rows open the packets behind them. */
#include "base/digits.h"
#include "base/text.h"
#include "output/endpoints.h"
#include "output/netstat.h"
#include "output/plot.h"
#include "output/ranking.h"
#include "output/stats.h"
#include "protocol/protocol.h"
#include "ui/app.h"
#include <stdlib.h>

enum { SIDE_TREE, SIDE_RIGHT, SIDES };
enum { LIST_TALKERS, LIST_WORST, LIST_LENGTHS, LISTS };
enum { SLICE = 128, READ_BLOCK = 1 << 20, ROWS_MOST = 200, IP_TCP = 6 };

static const int64_t renewal = INT64_C(2000000000);

static const char *const list_names[LISTS] = { N_("talkers"), N_("worst"), N_("lengths") };

struct talker {
    char address[64], filter[96];
    uint64_t packets, bytes[2];
};

struct branch {
    const struct protocol *protocol;
    uint16_t depth;
    bool malformed;
    uint64_t packets, bytes;
};

struct worst {
    uint32_t stream;
    char ends[2][72];
    uint32_t again, lost, zero;
    int64_t rtt;
};

struct counting {
    struct store_reader *reader;
    struct statistics statistics;
    bool open;
    uint64_t counted;
    uint64_t drawn_of; /* packets that the rows are made of */
    int64_t made;
    /* rows, owned */
    struct branch *branches;
    unsigned branch_count;
    struct talker *talkers;
    unsigned talker_count;
    struct worst *worst;
    unsigned worst_count;
    struct buffer plot, lengths;
    int plot_width, plot_lines;
    int side, list;
    unsigned cursor[SIDES], top[SIDES];
    struct area tree, right;
};

static int open_state(struct app *app, void **state, struct error *error)
{
    struct counting *c = calloc(1, sizeof *c);
    *state = c;
    if (c) {
        c->branches = calloc(ROWS_MOST, sizeof *c->branches);
        c->talkers = calloc(ROWS_MOST, sizeof *c->talkers);
        c->worst = calloc(ROWS_MOST, sizeof *c->worst);
    }
    if (!c || !c->branches || !c->talkers || !c->worst || buffer_open(&c->plot, -1, 4096) ||
        buffer_open(&c->lengths, -1, 4096))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    unsigned parts = STATISTICS_TREE | STATISTICS_FLOWS | STATISTICS_PAIRS | STATISTICS_SERIES | STATISTICS_TCP;
    c->open = true;
    c->statistics.flows_most = UINT32_MAX;
    if (statistics_open(&c->statistics, parts, 0))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    return store_reader_open(&c->reader, app->store, READ_BLOCK, error);
}

static void close_state(void *state)
{
    struct counting *c = state;
    if (!c)
        return;
    if (c->open)
        statistics_close(&c->statistics);
    store_reader_close(c->reader);
    buffer_free(&c->plot);
    buffer_free(&c->lengths);
    free(c->branches);
    free(c->talkers);
    free(c->worst);
    free(c);
}

static bool step(struct app *app, void *state, int64_t deadline)
{
    struct counting *c = state;
    uint64_t last = store_tracked(app->store);
    while (c->open && c->counted < last) {
        for (unsigned i = 0; i < SLICE && c->counted < last; i++) {
            const struct packet *p = store_packet(c->reader, c->counted + 1, NULL);
            if (!p)
                return false;
            statistics_take(&c->statistics, p);
            c->counted++;
        }
        if (monotonic() >= deadline)
            return c->counted < last;
    }
    return false;
}

/* --- rows --- */

static void make_branch(struct counting *c, const struct tree_total *totals, uint32_t node)
{
    const struct tree_node *nodes = c->statistics.nodes;
    if (node && c->branch_count < ROWS_MOST)
        c->branches[c->branch_count++] =
            (struct branch){ nodes[node].protocol, nodes[node].depth, nodes[node].malformed, totals[node].packets,
                             totals[node].bytes };
    uint64_t limit = UINT64_MAX; /* children by their bytes, the largest first; equal ones in order */
    uint32_t limit_node = 0;
    for (;;) {
        uint32_t best = 0;
        for (uint32_t child = nodes[node].child; child; child = nodes[child].sibling) {
            bool after = totals[child].bytes < limit || (totals[child].bytes == limit && child > limit_node);
            bool better = !best || totals[child].bytes > totals[best].bytes ||
                          (totals[child].bytes == totals[best].bytes && child < best);
            if (after && better)
                best = child;
        }
        if (!best || c->branch_count >= ROWS_MOST)
            return;
        make_branch(c, totals, best);
        limit = totals[best].bytes;
        limit_node = best;
    }
}

static void make_tree(struct counting *c)
{
    struct tree_total *totals = statistics_tree(&c->statistics);
    c->branch_count = 0;
    if (totals)
        make_branch(c, totals, 0);
    free(totals);
}

static int more_bytes(const void *context, uint32_t a, uint32_t b)
{
    const struct tally_row *rows = context;
    uint64_t one = rows[a].bytes[0] + rows[a].bytes[1], other = rows[b].bytes[0] + rows[b].bytes[1];
    return one > other ? -1 : one < other;
}

static void make_talkers(struct counting *c)
{
    struct tally_table table;
    uint32_t found = 0, *order = NULL;
    c->talker_count = 0;
    if (!tally_table_open(&table, &c->statistics, KIND_HOSTS, true))
        order = ranking(table.count, ROWS_MOST, more_bytes, table.rows, &found);
    for (uint32_t i = 0; order && i < found; i++) {
        const struct tally_row *row = &table.rows[order[i]];
        struct talker *t = &c->talkers[c->talker_count++];
        struct party party;
        tally_party(&table, row, 0, &party);
        char *end = address_write(t->address, party.address, party.size, false, 0);
        *end = 0;
        snprintf(t->filter, sizeof t->filter, "%s.addr == %s", party.size == 4 ? "ip" : "ipv6", t->address);
        t->packets = row->packets[0] + row->packets[1];
        t->bytes[0] = row->bytes[0];
        t->bytes[1] = row->bytes[1];
    }
    free(order);
    tally_table_close(&table);
}

static uint64_t badness(const struct stream_statistics *s)
{
    uint64_t all = 0;
    for (unsigned end = 0; end < 2; end++)
        all += 4ull * s->trouble[end][TROUBLE_AGAIN] + 4ull * s->trouble[end][TROUBLE_ZERO_WINDOW] +
               2ull * s->trouble[end][TROUBLE_LOST] + s->trouble[end][TROUBLE_OUT_OF_ORDER];
    return all;
}

static int worse(const void *context, uint32_t a, uint32_t b)
{
    const struct stream_statistics *streams = context;
    uint64_t one = badness(&streams[a]), other = badness(&streams[b]);
    return one > other ? -1 : one < other;
}

static void make_worst(struct counting *c)
{
    const struct stream_statistics *streams = c->statistics.streams;
    uint32_t found = 0, *order = ranking(c->statistics.stream_count, ROWS_MOST, worse, streams, &found);
    c->worst_count = 0;
    for (uint32_t i = 0; order && i < found; i++) {
        const struct stream_statistics *s = &streams[order[i]];
        if (!badness(s) || s->flow == FLOW_NONE)
            break;
        const struct flow *f = flow_at(&c->statistics.flows, s->flow);
        struct worst *w = &c->worst[c->worst_count++];
        *w = (struct worst){ .stream = order[i], .rtt = s->initial_rtt };
        for (unsigned end = 0; end < 2; end++) {
            uint8_t room[4];
            unsigned which = end ? !flow_client(f) : flow_client(f);
            *netstat_end(w->ends[end], flow_address(&c->statistics.flows, f, which, room),
                         f->flags & FLOW_IPV6 ? 16 : 4, f->port[which]) = 0;
            w->again += s->trouble[end][TROUBLE_AGAIN];
            w->lost += s->trouble[end][TROUBLE_LOST];
            w->zero += s->trouble[end][TROUBLE_ZERO_WINDOW];
        }
    }
    free(order);
}

static void make_texts(struct app *app, struct counting *c)
{
    struct style style = { .ascii = app->style.ascii, .columns = (unsigned)c->plot_width };
    struct stats_view view = { .statistics = &c->statistics, .style = &style };
    c->plot.at = c->plot.start;
    stats_plot(&c->plot, &view, (unsigned)c->plot_lines);
    style.columns = (unsigned)(c->right.width > 20 ? c->right.width : 20);
    c->lengths.at = c->lengths.start;
    stats_sizes(&c->lengths, &view);
}

static void make_rows(struct app *app, struct counting *c, int plot_width, int plot_lines)
{
    bool other_size = plot_width != c->plot_width || plot_lines != c->plot_lines;
    bool late = c->counted >= store_tracked(app->store) || monotonic() - c->made > renewal || !c->made;
    c->plot_width = plot_width;
    c->plot_lines = plot_lines;
    bool news = c->drawn_of != c->counted && late;
    if (!news && !other_size)
        return;
    statistics_settle(&c->statistics);
    make_texts(app, c);
    if (!news)
        return;
    make_tree(c);
    make_talkers(c);
    make_worst(c);
    c->made = monotonic();
    c->drawn_of = c->counted;
}

/* --- drawing --- */

static int draw_lines(const struct buffer *text, struct area area, enum paint paint)
{
    const char *at = text->start, *end = text->at;
    int y = 0;
    while (at < end && y < area.height) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = newline ? (size_t)(newline - at) : (size_t)(end - at);
        draw_text_part(area.y + y++, area.x, area.width, at, n, paint);
        at += n + 1;
    }
    return y;
}

static unsigned list_count(const struct counting *c)
{
    return c->list == LIST_TALKERS ? c->talker_count : c->list == LIST_WORST ? c->worst_count : 0;
}

static unsigned side_count(const struct counting *c, int side)
{
    return side == SIDE_TREE ? c->branch_count : list_count(c);
}

static void keep_in_sight(struct counting *c, int side, int height)
{
    unsigned count = side_count(c, side), rows = height > 0 ? (unsigned)height : 0;
    if (c->cursor[side] >= count)
        c->cursor[side] = count ? count - 1 : 0;
    if (c->cursor[side] < c->top[side])
        c->top[side] = c->cursor[side];
    if (rows && c->cursor[side] >= c->top[side] + rows)
        c->top[side] = c->cursor[side] - rows + 1;
    if (c->top[side] + rows > count)
        c->top[side] = count > rows ? count - rows : 0;
}

static enum paint row_paint(const struct counting *c, int side, unsigned row)
{
    return row != c->cursor[side] ? PAINT_PLAIN : c->side == side ? PAINT_SELECTED : PAINT_CHOSEN;
}

static void draw_sign_of(const struct counting *c, int side, unsigned row, int y, int x, int width, enum paint paint)
{
    draw_fill(y, x, width, paint);
    if (row == c->cursor[side])
        draw_text(y, x, 1, draw_sign("▌", ">"), paint);
}

static void draw_tree(struct counting *c, struct area area)
{
    int bar = area.width > 60 ? area.width - 48 : 0, name = area.width - 19 - (bar ? bar + 1 : 0);
    char text[32];
    draw_text(area.y, area.x + 1, name, _("Protocol"), PAINT_HEADING);
    draw_right(area.y, area.x + name, 10, _("Packets"), PAINT_HEADING);
    draw_right(area.y, area.x + name + 10, 9, _("Bytes"), PAINT_HEADING);
    c->tree = (struct area){ area.y + 1, area.x, area.height - 1, area.width };
    keep_in_sight(c, SIDE_TREE, c->tree.height);
    uint64_t packets, bytes;
    statistics_totals(&c->statistics, &packets, &bytes);
    for (int i = 0; i < c->tree.height && c->top[SIDE_TREE] + (unsigned)i < c->branch_count; i++) {
        unsigned row = c->top[SIDE_TREE] + (unsigned)i;
        const struct branch *b = &c->branches[row];
        int y = c->tree.y + i, indent = 1 + (b->depth > 1 ? (b->depth - 1) * 2 : 0);
        enum paint paint = row_paint(c, SIDE_TREE, row);
        draw_sign_of(c, SIDE_TREE, row, y, area.x, area.width, paint);
        indent = indent < name - 8 ? indent : name - 8;
        draw_text(y, area.x + indent, name - indent, b->malformed ? _("malformed") : b->protocol->label, paint);
        draw_right(y, area.x + name, 10, grouped(text, b->packets), paint);
        draw_right(y, area.x + name + 10, 9, draw_bytes(text, b->bytes), paint);
        if (bar && bytes)
            draw_share(y, area.x + name + 20, bar, (double)b->bytes / (double)bytes, PAINT_CLIENT);
    }
}

static void draw_talkers(struct counting *c, struct area area)
{
    char text[32];
    int name = area.width - 32;
    draw_text(area.y, area.x + 1, name, _("Host"), PAINT_HEADING);
    draw_right(area.y, area.x + name, 11, _("Packets"), PAINT_HEADING);
    draw_right(area.y, area.x + name + 11, 10, _("Sent"), PAINT_HEADING);
    draw_right(area.y, area.x + name + 21, 10, _("Received"), PAINT_HEADING);
    for (int i = 0; i < c->right.height && c->top[SIDE_RIGHT] + (unsigned)i < c->talker_count; i++) {
        unsigned row = c->top[SIDE_RIGHT] + (unsigned)i;
        const struct talker *t = &c->talkers[row];
        int y = c->right.y + i;
        enum paint paint = row_paint(c, SIDE_RIGHT, row);
        draw_sign_of(c, SIDE_RIGHT, row, y, area.x, area.width, paint);
        draw_middle(y, area.x + 1, name - 1, t->address, strlen(t->address), paint);
        draw_right(y, area.x + name, 11, grouped(text, t->packets), paint);
        draw_right(y, area.x + name + 11, 10, draw_bytes(text, t->bytes[0]), paint);
        draw_right(y, area.x + name + 21, 10, draw_bytes(text, t->bytes[1]), paint);
    }
}

static void draw_worst(struct counting *c, struct area area)
{
    char text[32];
    int ends = (area.width - 1 - 24) / 2;
    draw_text(area.y, area.x + 1, ends, _("Client"), PAINT_HEADING);
    draw_text(area.y, area.x + 1 + ends, ends, _("Server"), PAINT_HEADING);
    int x = area.x + 1 + 2 * ends;
    draw_right(area.y, x, 7, _("Again"), PAINT_HEADING);
    draw_right(area.y, x + 7, 7, _("Lost"), PAINT_HEADING);
    draw_right(area.y, x + 14, 9, _("Zero win"), PAINT_HEADING);
    for (int i = 0; i < c->right.height && c->top[SIDE_RIGHT] + (unsigned)i < c->worst_count; i++) {
        unsigned row = c->top[SIDE_RIGHT] + (unsigned)i;
        const struct worst *w = &c->worst[row];
        int y = c->right.y + i;
        enum paint paint = row_paint(c, SIDE_RIGHT, row);
        draw_sign_of(c, SIDE_RIGHT, row, y, area.x, area.width, paint);
        draw_middle(y, area.x + 1, ends - 1, w->ends[0], strlen(w->ends[0]), paint);
        draw_middle(y, area.x + 1 + ends, ends - 1, w->ends[1], strlen(w->ends[1]), paint);
        draw_right(y, x, 7, grouped(text, w->again), paint);
        draw_right(y, x + 7, 7, grouped(text, w->lost), paint);
        draw_right(y, x + 14, 9, grouped(text, w->zero), paint);
    }
    if (!c->worst_count)
        draw_text(c->right.y + 1, area.x + 2, area.width - 2, _("no conversation had trouble"), PAINT_DIM);
}

static void draw_right_side(struct counting *c, struct area area)
{
    c->right = (struct area){ area.y + 1, area.x, area.height - 1, area.width };
    keep_in_sight(c, SIDE_RIGHT, c->right.height);
    if (c->list == LIST_TALKERS)
        draw_talkers(c, area);
    else if (c->list == LIST_WORST)
        draw_worst(c, area);
    else
        draw_lines(&c->lengths, area, PAINT_PLAIN);
}

static void draw_titles(const struct counting *c, int y, struct area left, struct area right, bool both)
{
    char text[64];
    if (both || c->side == SIDE_TREE)
        draw_rule(y, left.x, left.width, _("protocols"), c->side == SIDE_TREE ? PAINT_KEY : PAINT_DIM);
    if (!both && c->side == SIDE_TREE)
        return;
    draw_rule(y, right.x, right.width, NULL, PAINT_DIM);
    int x = right.x + 1;
    for (int i = 0; i < LISTS; i++) {
        snprintf(text, sizeof text, i == c->list ? "[%s]" : " %s ", _(list_names[i]));
        enum paint paint = i != c->list ? PAINT_DIM : c->side == SIDE_RIGHT ? PAINT_KEY : PAINT_BOLD;
        x += draw_text(y, x, right.x + right.width - x, text, paint);
    }
    if (both)
        draw_text(y, right.x - 1, 1, draw_sign("┬", "+"), PAINT_DIM);
}

static void draw(struct app *app, void *state, struct area area)
{
    struct counting *c = state;
    for (int i = 0; i < area.height; i++)
        draw_fill(area.y + i, area.x, area.width, PAINT_PLAIN);
    int lines = area.height >= 14 ? area.height / 3 : 0;
    bool both = area.width >= 100;
    struct area left = { area.y, area.x, area.height, area.width }, right = left;
    if (both) {
        left.width = area.width / 2;
        right.x = left.x + left.width + 1;
        right.width = area.width - left.width - 1;
    }
    c->right.width = right.width;
    make_rows(app, c, area.width, lines);
    int used = lines ? draw_lines(&c->plot, (struct area){ area.y, area.x, lines + 3, area.width }, PAINT_CLIENT) : 0;
    int y = area.y + used;
    left.y = right.y = y + 1;
    left.height = right.height = area.y + area.height - y - 1;
    draw_titles(c, y, left, right, both);
    if (both)
        draw_rule_down(left.y, right.x - 1, left.height);
    if (both || c->side == SIDE_TREE)
        draw_tree(c, left);
    if (both || c->side == SIDE_RIGHT)
        draw_right_side(c, right);
    if (c->counted < store_tracked(app->store)) {
        char text[64];
        snprintf(text, sizeof text, _(" counting %d %% "),
                 (int)((double)c->counted * 100 / (double)store_tracked(app->store)));
        draw_right(y, area.x, area.width - 1, text, PAINT_WARN);
    }
}

/* --- keys --- */

static void open_row(struct app *app, struct counting *c)
{
    unsigned row = c->cursor[c->side];
    if (row >= side_count(c, c->side))
        return;
    if (c->side == SIDE_RIGHT && c->list == LIST_WORST) {
        app_converse(app, IP_TCP, c->worst[row].stream);
        app_show(app, SCREEN_CONVERSATION);
        return;
    }
    app_filter(app, c->side == SIDE_TREE ? c->branches[row].protocol->name : c->talkers[row].filter);
    app_show(app, SCREEN_PACKETS);
}

static void move_by(struct counting *c, int by)
{
    int64_t to = (int64_t)c->cursor[c->side] + by, count = side_count(c, c->side);
    to = to >= count ? count - 1 : to;
    c->cursor[c->side] = to < 0 ? 0 : (unsigned)to;
}

static bool act(struct app *app, void *state, enum action action)
{
    struct counting *c = state;
    int page = c->tree.height > 1 ? c->tree.height - 1 : 1;
    switch (action) {
    case ACT_UP:
        move_by(c, -1);
        return true;
    case ACT_DOWN:
        move_by(c, 1);
        return true;
    case ACT_PAGE_UP:
        move_by(c, -page);
        return true;
    case ACT_PAGE_DOWN:
        move_by(c, page);
        return true;
    case ACT_TOP:
        move_by(c, -ROWS_MOST);
        return true;
    case ACT_BOTTOM:
        move_by(c, ROWS_MOST);
        return true;
    case ACT_NEXT_PANE:
    case ACT_PREVIOUS_PANE:
    case ACT_LEFT:
    case ACT_RIGHT:
        c->side = !c->side;
        return true;
    case ACT_SORT:
        c->list = (c->list + 1) % LISTS;
        c->side = SIDE_RIGHT;
        c->cursor[SIDE_RIGHT] = 0;
        return true;
    case ACT_OPEN:
        open_row(app, c);
        return true;
    default:
        return false;
    }
}

static bool within(struct area area, const struct mouse *mouse)
{
    return mouse->y >= area.y && mouse->y < area.y + area.height && mouse->x >= area.x &&
           mouse->x < area.x + area.width;
}

static void on_mouse(struct app *app, void *state, const struct mouse *mouse)
{
    struct counting *c = state;
    bool wheel = mouse->what == MOUSE_UP || mouse->what == MOUSE_DOWN;
    int side = within(c->tree, mouse) ? SIDE_TREE : within(c->right, mouse) ? SIDE_RIGHT : -1;
    if (side < 0)
        return;
    c->side = side;
    if (wheel) {
        move_by(c, mouse->what == MOUSE_UP ? -3 : 3);
        return;
    }
    struct area area = side == SIDE_TREE ? c->tree : c->right;
    c->cursor[side] = c->top[side] + (unsigned)(mouse->y - area.y);
    move_by(c, 0);
    if (mouse->what == MOUSE_DOUBLE)
        open_row(app, c);
}

const struct screen statistics_screen = {
    .title = N_("Statistics"),
    .footer = (const uint8_t[]){ ACT_OPEN, ACT_NEXT_PANE, ACT_SORT, ACT_HELP, ACT_QUIT, 0 },
    .open = open_state,
    .close = close_state,
    .draw = draw,
    .act = act,
    .mouse = on_mouse,
    .step = step,
};
