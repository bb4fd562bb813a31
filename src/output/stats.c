/* What stands above the tables of rows: the sum of it all, the tree of protocols, lengths, bytes over time. */
#include "output/stats.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/text.h"
#include "output/human.h"
#include "output/plot.h"
#include "output/plot_svg.h"
#include "output/ranking.h"
#include "output/table.h"
#include "protocol/protocol.h"
#include <stdlib.h>

enum { PIPE_COLUMNS = 80, PIPE_BAR = 20, BAR_LEAST = 6, BAR_MOST = 40, PLOT_MOST = 400, LABEL = 11 };

static unsigned columns_of(const struct style *style)
{
    return style->columns ? style->columns : PIPE_COLUMNS;
}

/* --- all of it --- */

static void put_title(struct buffer *out, const char *title)
{
    size_t mark = buffer_hold(out), wide = text_columns(title, strlen(title));
    buffer_text(out, title);
    buffer_pad(out, mark, strlen(title) + (wide < LABEL ? LABEL - wide : 1));
    buffer_release(out);
}

static void put_instant(struct buffer *out, const char *title, int64_t time)
{
    put_title(out, title);
    time_write_absolute(out, time, FORMAT_ABSOLUTE_DATE, 6);
    buffer_char(out, '\n');
}

static int64_t duration_of(const struct statistics *s)
{
    return (int64_t)((uint64_t)s->last - (uint64_t)s->first);
}

/* The length that so many hundredths of the packets do not exceed. */
static uint32_t percentile(const struct statistics *s, uint64_t packets, unsigned hundredths)
{
    uint64_t wanted = (packets * hundredths + 99) / 100, seen = 0;
    for (uint32_t length = 0; length < LENGTHS; length++)
        if ((seen += s->lengths[length]) >= wanted)
            return length < LENGTHS - 1 ? length : s->longest;
    return s->longest;
}

static uint32_t shortest(const struct statistics *s)
{
    uint32_t length = 0;
    while (length < LENGTHS - 1 && !s->lengths[length])
        length++;
    return length < LENGTHS - 1 ? length : s->longest;
}

void stats_summary(struct buffer *out, const struct stats_view *view)
{
    const struct statistics *s = view->statistics;
    uint64_t packets, bytes;
    statistics_totals(s, &packets, &bytes);
    double seconds = (double)duration_of(s) / 1e9;
    put_title(out, _("Packets"));
    human_count(out, packets);
    if (s->begun && seconds > 0) {
        buffer_text(out, view->style->ascii ? " * " : " · ");
        double rate = (double)packets / seconds;
        human_count(out, (uint64_t)(rate < 10 ? rate : rate + 0.5));
        if (rate < 10) {
            buffer_char(out, '.');
            buffer_char(out, (char)('0' + (unsigned)(rate * 10) % 10));
        }
        buffer_text(out, _(" a second"));
    }
    buffer_char(out, '\n');
    put_title(out, _("Bytes"));
    human_bytes(out, bytes);
    if (s->begun && seconds > 0) {
        buffer_text(out, view->style->ascii ? " * " : " · ");
        human_rate(out, (double)bytes / seconds);
    }
    if (packets) {
        buffer_text(out, view->style->ascii ? " * " : " · ");
        buffer_format(out, _("%llu a packet"), (unsigned long long)((bytes + packets / 2) / packets));
    }
    buffer_char(out, '\n');
    if (!s->begun)
        return;
    put_instant(out, _("First"), s->first);
    put_instant(out, _("Last"), s->last);
    put_title(out, _("Lasted"));
    human_duration(out, duration_of(s), view->style->ascii);
    buffer_char(out, '\n');
    if (s->untimed)
        buffer_format(out, _("%llu packets have no time\n"), (unsigned long long)s->untimed);
}

static void json_time(struct buffer *out, const char *key, int64_t ns)
{
    buffer_format(out, ",\"%s\":\"", key);
    time_write(out, ns, 9);
    buffer_char(out, '"');
}

void stats_summary_json(struct buffer *out, const struct stats_view *view)
{
    const struct statistics *s = view->statistics;
    uint64_t packets, bytes;
    statistics_totals(s, &packets, &bytes);
    buffer_format(out, "{\"section\":\"summary\",\"packets\":%llu,\"bytes\":%llu", (unsigned long long)packets,
                  (unsigned long long)bytes);
    if (s->begun) {
        json_time(out, "first_time", s->first);
        json_time(out, "last_time", s->last);
        json_time(out, "duration", duration_of(s));
    }
    buffer_format(out, ",\"untimed\":%llu}\n", (unsigned long long)s->untimed);
}

/* --- the tree of protocols --- */

struct tree {
    const struct stats_view *view;
    const struct statistics *s;
    struct tree_total *totals;
    uint32_t *order; /* nodes, the largest first */
    bool *shown;
    uint32_t count, hidden;
};

static int by_bytes(const void *context, uint32_t a, uint32_t b)
{
    const struct tree_total *totals = context;
    if (totals[a].bytes != totals[b].bytes)
        return totals[a].bytes > totals[b].bytes ? -1 : 1;
    return totals[a].packets > totals[b].packets ? -1 : totals[a].packets < totals[b].packets;
}

/* A parent is never smaller than its child and stands before it: the largest nodes are a tree, too. */
static bool tree_open(struct tree *t, const struct stats_view *view, unsigned most)
{
    const struct statistics *s = view->statistics;
    *t = (struct tree){ .view = view, .s = s, .totals = statistics_tree(s) };
    t->shown = calloc(s->node_count, sizeof *t->shown);
    if (t->totals)
        t->order = ranking(s->node_count, 0, by_bytes, t->totals, &t->count);
    if (!t->totals || !t->shown || !t->order)
        return false;
    for (uint32_t i = 0; i < t->count; i++)
        t->shown[t->order[i]] = !most || i <= most; /* the root is one of them */
    t->hidden = most && t->count > most + 1 ? t->count - most - 1 : 0;
    return true;
}

static void tree_close(struct tree *t)
{
    free(t->totals);
    free(t->order);
    free(t->shown);
}

static const char *node_name(const struct tree_node *node)
{
    return node->malformed ? N_("(malformed)") : node->protocol->name;
}

/* Below a parent, the largest first; `order` holds them in this order already. */
static void each_child(const struct tree *t, uint32_t parent, void (*call)(void *context, uint32_t node), void *context)
{
    uint32_t children = 0;
    for (uint32_t at = t->s->nodes[parent].child; at; at = t->s->nodes[at].sibling)
        children++;
    for (uint32_t i = 0; children && i < t->count; i++) {
        uint32_t at = t->order[i];
        if (!at || t->s->nodes[at].parent != parent)
            continue;
        children--;
        if (!t->shown[at])
            continue;
        call(context, at);
        each_child(t, at, call, context);
    }
}

struct tree_writing {
    const struct tree *tree;
    struct table table;
    unsigned bar;
};

static void put_node(void *context, uint32_t at)
{
    struct tree_writing *w = context;
    const struct tree *t = w->tree;
    const struct tree_node *node = &t->s->nodes[at];
    const struct tree_total *all = &t->totals[0], *here = &t->totals[at];
    struct buffer *cell = table_cell(&w->table);
    for (unsigned i = 1; i < node->depth; i++)
        buffer_put(cell, "  ", 2);
    buffer_text(cell, node->malformed ? _(node_name(node)) : node_name(node));
    human_count(table_cell(&w->table), here->packets);
    human_share(table_cell(&w->table), here->packets, all->packets);
    human_bytes(table_cell(&w->table), here->bytes);
    human_share(table_cell(&w->table), here->bytes, all->bytes);
    human_count(table_cell(&w->table), node->packets);
    plot_bar(table_cell(&w->table), here->bytes, all->bytes, w->bar, t->view->style);
    table_row(&w->table);
}

static unsigned bar_columns(const struct style *style, unsigned others)
{
    if (!style->columns)
        return PIPE_BAR;
    unsigned all = style->columns, left = all > others ? all - others : 0;
    return left < BAR_LEAST ? BAR_LEAST : left > BAR_MOST ? BAR_MOST : left;
}

void stats_tree(struct buffer *out, const struct stats_view *view, unsigned most)
{
    const struct table_column columns[] = {
        { .title = _("Protocol"), .left = true, .may_cut = true },
        { .title = _("Packets") },
        { .title = "%", .rank = 3 },
        { .title = _("Bytes") },
        { .title = "%" },
        { .title = _("End here"), .rank = 5 },
        { .title = "", .left = true, .rank = 4 },
        { 0 },
    };
    struct tree tree;
    struct tree_writing w = { .tree = &tree };
    bool any = tree_open(&tree, view, most) && view->statistics->node_count > 1;
    if (any && !table_open(&w.table, out, view->style, columns)) {
        unsigned deepest = 8;
        for (uint32_t i = 1; i < tree.s->node_count; i++) {
            const struct tree_node *node = &tree.s->nodes[i];
            unsigned wide = (unsigned)(strlen(node_name(node)) + 2u * (node->depth - 1u));
            deepest = tree.shown[i] && wide > deepest ? wide : deepest;
        }
        w.bar = bar_columns(view->style, deepest + 58);
        each_child(&tree, 0, put_node, &w);
    }
    if (any)
        table_close(&w.table);
    if (any && tree.hidden)
        buffer_format(out, _("  and %u smaller ones\n"), tree.hidden);
    tree_close(&tree);
}

/* "eth:ip:tcp", from the root. */
static void put_path(struct buffer *out, const struct statistics *s, uint32_t at)
{
    if (s->nodes[at].parent) {
        put_path(out, s, s->nodes[at].parent);
        buffer_char(out, ':');
    }
    buffer_text(out, s->nodes[at].malformed ? "_ws.malformed" : s->nodes[at].protocol->name);
}

struct tree_json {
    const struct tree *tree;
    struct buffer *out;
};

static void put_node_json(void *context, uint32_t at)
{
    struct tree_json *w = context;
    const struct statistics *s = w->tree->s;
    const struct tree_node *node = &s->nodes[at];
    const struct tree_total *total = &w->tree->totals[at];
    buffer_format(w->out, "{\"section\":\"hierarchy\",\"protocol\":\"%s\",\"path\":\"",
                  node->malformed ? "_ws.malformed" : node->protocol->name);
    put_path(w->out, s, at);
    buffer_format(w->out, "\",\"depth\":%u,\"packets\":%llu,\"bytes\":%llu,\"end_packets\":%llu,\"end_bytes\":%llu}\n",
                  node->depth, (unsigned long long)total->packets, (unsigned long long)total->bytes,
                  (unsigned long long)node->packets, (unsigned long long)node->bytes);
}

void stats_tree_json(struct buffer *out, const struct stats_view *view)
{
    struct tree tree;
    struct tree_json w = { &tree, out };
    if (tree_open(&tree, view, 0))
        each_child(&tree, 0, put_node_json, &w);
    tree_close(&tree);
}

/* --- lengths --- */

/* tshark's: -z plen,tree. Each ends where the next begins; 0: the last one. */
static const uint32_t size_classes[] = { 0, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 0 };

struct size_class {
    uint32_t from, to; /* to: the last length that belongs to it; UINT32_MAX: no end */
    uint64_t packets, bytes;
};

static struct size_class count_class(const struct statistics *s, unsigned i)
{
    bool open = !size_classes[i + 1];
    struct size_class c = { .from = size_classes[i], .to = open ? UINT32_MAX : size_classes[i + 1] - 1 };
    for (uint32_t length = c.from; length < LENGTHS - 1 && length <= c.to && length <= s->longest; length++) {
        c.packets += s->lengths[length];
        c.bytes += s->lengths[length] * length;
    }
    if (open) {
        c.packets += s->lengths[LENGTHS - 1];
        c.bytes += s->long_bytes;
    }
    return c;
}

void stats_sizes(struct buffer *out, const struct stats_view *view)
{
    const struct statistics *s = view->statistics;
    const struct table_column columns[] = {
        { .title = _("Length") },
        { .title = _("Packets") },
        { .title = "%" },
        { .title = _("Bytes") },
        { .title = "%" },
        { .title = _("Average"), .rank = 3 },
        { .title = "", .left = true, .rank = 2 },
        { 0 },
    };
    struct table table;
    uint64_t packets, bytes;
    statistics_totals(s, &packets, &bytes);
    if (!packets)
        return;
    bool good = !table_open(&table, out, view->style, columns);
    for (unsigned i = 0; good && (!i || size_classes[i]); i++) {
        struct size_class c = count_class(s, i);
        if (!c.packets)
            continue;
        if (c.to == UINT32_MAX)
            buffer_format(table_cell(&table), _("%u and more"), c.from);
        else
            buffer_format(table_cell(&table), view->style->ascii ? "%u-%u" : "%u–%u", c.from, c.to);
        human_count(table_cell(&table), c.packets);
        human_share(table_cell(&table), c.packets, packets);
        human_bytes(table_cell(&table), c.bytes);
        human_share(table_cell(&table), c.bytes, bytes);
        human_count(table_cell(&table), c.packets ? (c.bytes + c.packets / 2) / c.packets : 0);
        plot_bar(table_cell(&table), c.packets, packets, bar_columns(view->style, 60), view->style);
        table_row(&table);
    }
    table_close(&table);
    char text[4][32];
    buffer_format(out, _("shortest %s, half of them up to %s, 95 %% up to %s, longest %s\n"),
                  grouped(text[0], shortest(s)), grouped(text[1], percentile(s, packets, 50)),
                  grouped(text[2], percentile(s, packets, 95)), grouped(text[3], s->longest));
}

void stats_sizes_json(struct buffer *out, const struct stats_view *view)
{
    const struct statistics *s = view->statistics;
    uint64_t packets, bytes;
    statistics_totals(s, &packets, &bytes);
    for (unsigned i = 0; !i || size_classes[i]; i++) {
        struct size_class c = count_class(s, i);
        buffer_format(out, "{\"section\":\"sizes\",\"from\":%u,\"to\":", c.from);
        if (c.to == UINT32_MAX)
            buffer_text(out, "null");
        else
            buffer_decimal(out, c.to);
        buffer_format(out, ",\"packets\":%llu,\"bytes\":%llu}\n", (unsigned long long)c.packets,
                      (unsigned long long)c.bytes);
    }
    if (packets)
        buffer_format(out, "{\"section\":\"sizes\",\"shortest\":%u,\"median\":%u,\"p95\":%u,\"longest\":%u}\n",
                      shortest(s), percentile(s, packets, 50), percentile(s, packets, 95), s->longest);
}

/* --- bytes over time --- */

/* What the directions are called. */
static const char *direction_name(const struct statistics *s, unsigned direction)
{
    if (s->host)
        return direction ? _("to the host") : _("from the host");
    return direction ? _("from servers") : _("from clients");
}

static void put_label(struct buffer *out, const struct plot *p, unsigned line)
{
    size_t mark = buffer_hold(out);
    double value = line == 0                                                  ? p->up_most
                   : line + 1 == p->up_lines + p->down_lines && p->down_lines ? p->down_most
                                                                              : -1;
    char bytes[32] = "";
    struct buffer text = { .start = bytes, .at = bytes, .end = bytes + sizeof bytes, .fd = -1 };
    if (value >= 0)
        human_rate(&text, value);
    size_t n = buffer_used(&text);
    for (size_t i = n; i < LABEL - 1; i++)
        buffer_char(out, ' ');
    buffer_put(out, bytes, n);
    buffer_pad(out, mark, LABEL);
    buffer_release(out);
}

/* The axis' ends in time, below the graph. */
static void put_times(struct buffer *out, const struct statistics *s, unsigned columns, bool ascii)
{
    char bytes[64];
    struct buffer text = { .start = bytes, .at = bytes, .end = bytes + sizeof bytes, .fd = -1 };
    human_duration(&text, duration_of(s), ascii);
    size_t n = buffer_used(&text), wide = text_columns(bytes, n), mark = buffer_hold(out);
    buffer_pad(out, mark, LABEL);
    buffer_release(out);
    buffer_char(out, '0');
    for (size_t i = wide + 1; i < columns; i++)
        buffer_char(out, ' ');
    buffer_put(out, bytes, n);
    buffer_char(out, '\n');
}

void stats_plot(struct buffer *out, const struct stats_view *view, unsigned lines)
{
    const struct statistics *s = view->statistics;
    unsigned all = columns_of(view->style), columns = all > LABEL + 10 ? all - LABEL - 1 : 10;
    columns = columns > PLOT_MOST ? PLOT_MOST : columns;
    double samples[2][PLOT_MOST * 2];
    unsigned count = plot_samples(columns, view->style);
    if (!s->series.count)
        return;
    struct plot p = { .columns = columns, .up = samples[0], .down = samples[1] };
    statistics_sample(s, 1, false, samples[0], count); /* what comes in, or back, grows up */
    statistics_sample(s, 0, false, samples[1], count);
    plot_scale(&p, lines, view->style);
    for (unsigned line = 0; line < p.up_lines + p.down_lines; line++) {
        put_label(out, &p, line);
        buffer_text(out, view->style->ascii ? "|" : "│");
        plot_line(out, &p, line, view->style);
        buffer_char(out, '\n');
        if (line + 1 == p.up_lines) {
            put_title(out, "");
            buffer_text(out, view->style->ascii ? "+" : "┼");
            for (unsigned i = 0; i < columns; i++)
                buffer_text(out, view->style->ascii ? "-" : "─");
            buffer_char(out, '\n');
        }
    }
    put_times(out, s, columns, view->style->ascii);
    put_title(out, "");
    buffer_format(out, _("above: %s; below: %s\n"), direction_name(s, 1), direction_name(s, 0));
}

void stats_svg(struct buffer *out, const struct stats_view *view, const char *title)
{
    const struct statistics *s = view->statistics;
    double samples[2][SVG_SAMPLES] = { { 0 } };
    struct plot_svg p = { .title = title, .up = samples[0], .down = samples[1], .count = SVG_SAMPLES };
    p.up_name = direction_name(s, 1);
    p.down_name = direction_name(s, 0);
    p.duration = duration_of(s);
    if (s->series.count) {
        statistics_sample(s, 1, false, samples[0], SVG_SAMPLES);
        statistics_sample(s, 0, false, samples[1], SVG_SAMPLES);
    }
    plot_svg_write(out, &p);
}

void stats_series(struct buffer *out, const struct stats_view *view)
{
    const struct statistics *s = view->statistics;
    const struct series *t = &s->series;
    const struct table_column columns[] = {
        { .title = _("From") },
        { .title = _("Packets") },
        { .title = _("Bytes") },
        { .title = _("Rate") },
        { .title = _("Packets ↓"), .ascii = _("Packets <"), .rank = 3 },
        { .title = _("Packets ↑"), .ascii = _("Packets >"), .rank = 3 },
        { .title = _("Bytes ↓"), .ascii = _("Bytes <"), .rank = 2 },
        { .title = _("Bytes ↑"), .ascii = _("Bytes >"), .rank = 2 },
        { 0 },
    };
    struct table table;
    if (!t->count)
        return;
    bool good = !table_open(&table, out, view->style, columns);
    for (uint32_t i = 0; good && i < t->count; i++) {
        const struct series_bin *b = &t->bins[i];
        time_write(table_cell(&table), (int64_t)((uint64_t)t->start + i * t->width - (uint64_t)s->first), 6);
        human_count(table_cell(&table), b->packets[0] + b->packets[1]);
        human_bytes(table_cell(&table), b->bytes[0] + b->bytes[1]);
        human_rate(table_cell(&table), (double)(b->bytes[0] + b->bytes[1]) * 1e9 / (double)t->width);
        human_count(table_cell(&table), b->packets[1]);
        human_count(table_cell(&table), b->packets[0]);
        human_bytes(table_cell(&table), b->bytes[1]);
        human_bytes(table_cell(&table), b->bytes[0]);
        table_row(&table);
    }
    table_close(&table);
}

void stats_series_json(struct buffer *out, const struct stats_view *view)
{
    const struct series *t = &view->statistics->series;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct series_bin *b = &t->bins[i];
        buffer_text(out, "{\"section\":\"throughput\"");
        json_time(out, "time", (int64_t)((uint64_t)t->start + i * t->width));
        json_time(out, "interval", (int64_t)t->width);
        buffer_format(out,
                      ",\"client_packets\":%llu,\"server_packets\":%llu,\"client_bytes\":%llu,\"server_bytes\":%llu}\n",
                      (unsigned long long)b->packets[0], (unsigned long long)b->packets[1],
                      (unsigned long long)b->bytes[0], (unsigned long long)b->bytes[1]);
    }
}
