/* TCP streams: how long answers took, and what is remarkable. */
#include "base/address.h"
#include "base/clock.h"
#include "base/digits.h"
#include "base/error.h"
#include "base/text.h"
#include "output/human.h"
#include "output/ranking.h"
#include "output/stats.h"
#include "output/stats_columns.h"
#include "output/table.h"
#include <stdlib.h>

enum { IP_TCP = 6 };

/* A stream as the tables show it: [0] is the client. */
struct stream_row {
    const struct stream_statistics *stream;
    const struct flow *flow;
    uint32_t number;
    unsigned client;
};

struct streams {
    const struct stats_view *view;
    struct stream_row *rows; /* owned */
    uint32_t count;
    uint32_t *order; /* owned */
    uint32_t found;
    enum stats_by by;
    bool backwards;
    struct table table;
};

static uint32_t trouble_of(const struct stream_row *row, enum trouble which)
{
    return row->stream->trouble[0][which] + row->stream->trouble[1][which];
}

static uint64_t all_trouble(const struct stream_row *row)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < TROUBLES; i++)
        sum += trouble_of(row, (enum trouble)i);
    return sum;
}

/* Both directions' round trips together. */
static struct rtt rtt_of(const struct stream_row *row)
{
    struct rtt a = row->stream->rtt[0];
    const struct rtt *b = &row->stream->rtt[1];
    if (!a.count || !b->count)
        return a.count ? a : *b;
    a.sum += b->sum;
    a.count += b->count;
    a.least = a.least < b->least ? a.least : b->least;
    a.most = a.most > b->most ? a.most : b->most;
    return a;
}

static int64_t average(const struct rtt *r)
{
    return r->count ? (int64_t)(r->sum / r->count) : 0;
}

static double stream_value(const struct stream_row *row, enum stats_by by)
{
    const struct flow *f = row->flow;
    struct rtt r = rtt_of(row);
    switch (by) {
    case BY_PACKETS:
        return (double)f->packets[0] + f->packets[1];
    case BY_BYTES:
        return (double)(f->bytes[0] + f->bytes[1]);
    case BY_START:
        return -(double)f->first;
    case BY_DURATION:
        return (double)(f->last - f->first);
    case BY_SLOWEST:
        return r.most;
    case BY_HANDSHAKE:
        return (double)row->stream->initial_rtt;
    case BY_SAMPLES:
        return r.count;
    case BY_RTT:
        return (double)average(&r);
    default:
        return by >= BY_TROUBLE ? trouble_of(row, (enum trouble)(by - BY_TROUBLE)) : (double)all_trouble(row);
    }
}

static int compare(const void *context, uint32_t a, uint32_t b)
{
    const struct streams *s = context;
    double x = stream_value(&s->rows[a], s->by), y = stream_value(&s->rows[b], s->by);
    int order = x > y ? -1 : x < y;
    return s->backwards ? -order : order;
}

/* The streams that `shown` says something of, in order. */
static int open_streams(struct streams *s, const struct stats_view *view, const struct stats_order *order,
                        enum stats_by by, bool (*shown)(const struct stream_row *row))
{
    const struct statistics *t = view->statistics;
    *s = (struct streams){ .view = view, .by = stats_by(order->sort, by), .backwards = order->backwards };
    s->rows = malloc(((size_t)t->stream_count + 1) * sizeof *s->rows);
    if (!s->rows)
        return ERROR_MEMORY;
    for (uint32_t i = 0; i < t->stream_count; i++) {
        const struct stream_statistics *stream = &t->streams[i];
        if (stream->flow == FLOW_NONE)
            continue;
        const struct flow *f = flow_at(&t->flows, stream->flow);
        struct stream_row row = { .stream = stream, .flow = f, .number = i, .client = flow_client(f) };
        if (shown(&row))
            s->rows[s->count++] = row;
    }
    s->order = ranking(s->count, order->most, compare, s, &s->found);
    return s->order ? 0 : ERROR_MEMORY;
}

static void close_streams(struct streams *s)
{
    table_close(&s->table);
    free(s->rows);
    free(s->order);
}

static void end_of(const struct streams *s, const struct stream_row *row, unsigned end, struct party *p)
{
    unsigned side = end ^ row->client;
    bool wide = row->flow->flags & FLOW_IPV6;
    *p = (struct party){ .size = wide ? 16 : 4, .has_port = true, .port = row->flow->port[side] };
    p->address = flow_address(&s->view->statistics->flows, row->flow, side, p->room);
}

/* The columns that rows of both tables begin with. */
static void put_ends(struct streams *s, const struct stream_row *row)
{
    buffer_decimal(table_cell(&s->table), row->number);
    for (unsigned end = 0; end < 2; end++) {
        struct party party;
        end_of(s, row, end, &party);
        stats_party(table_cell(&s->table), &party, IP_TCP, s->view->names);
    }
}

static void put_rest(struct buffer *out, const struct streams *s)
{
    if (s->count > s->found)
        buffer_format(out, _("  and %u more\n"), s->count - s->found);
}

/* --- round trips --- */

static bool has_rtt(const struct stream_row *row)
{
    return row->stream->rtt[0].count || row->stream->rtt[1].count || row->stream->initial_rtt > 0;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Least, median, 95 % and most of the handshakes; false: there were none. */
static bool handshakes(const struct streams *s, uint32_t *count, int64_t what[4])
{
    int64_t *times = malloc(((size_t)s->count + 1) * sizeof *times);
    *count = 0;
    for (uint32_t i = 0; times && i < s->count; i++)
        if (s->rows[i].stream->initial_rtt > 0)
            times[(*count)++] = s->rows[i].stream->initial_rtt;
    if (*count) {
        qsort(times, *count, sizeof *times, by_time);
        what[0] = times[0];
        what[1] = times[(*count - 1) / 2];
        what[2] = times[(uint32_t)(((uint64_t)*count * 95 + 99) / 100) - 1];
        what[3] = times[*count - 1];
    }
    free(times);
    return *count;
}

static void put_handshakes(struct buffer *out, const struct streams *s)
{
    uint32_t count;
    int64_t times[4];
    if (!handshakes(s, &count, times))
        return;
    char bytes[4][32];
    for (unsigned i = 0; i < 4; i++) {
        struct buffer text = { .start = bytes[i], .at = bytes[i], .end = bytes[i] + sizeof bytes[i], .fd = -1 };
        human_duration(&text, times[i], s->view->style->ascii);
        *text.at = 0;
    }
    char number[32];
    if (count == 1)
        buffer_format(out, _("1 handshake: %s\n"), bytes[0]);
    else
        buffer_format(out, _("%s handshakes: fastest %s, half of them within %s, 95 %% within %s, slowest %s\n"),
                      grouped(number, count), bytes[0], bytes[1], bytes[2], bytes[3]);
}

static void put_duration(struct buffer *cell, int64_t ns, bool known, const struct style *style)
{
    if (known)
        human_duration(cell, ns, style->ascii);
    else
        buffer_text(cell, style->ascii ? "-" : "–");
}

int stats_rtt(struct buffer *out, const struct stats_view *view, const struct stats_order *order)
{
    const struct table_column columns[] = {
        { .title = _("Stream"), .rank = 4 },
        { .title = _("Client"), .left = true, .may_cut = true },
        { .title = _("Server"), .left = true, .may_cut = true },
        { .title = _("Handshake") },
        { .title = _("Average") },
        { .title = _("Fastest"), .rank = 5 },
        { .title = _("Slowest") },
        { .title = _("Samples"), .rank = 6 },
        { .title = _("of client's"), .rank = 7 },
        { .title = _("of server's"), .rank = 7 },
        { 0 },
    };
    struct streams s;
    int code = open_streams(&s, view, order, BY_RTT, has_rtt);
    if (!code)
        put_handshakes(out, &s);
    if (!code && s.count)
        code = table_open(&s.table, out, view->style, columns);
    for (uint32_t i = 0; !code && i < s.found; i++) {
        const struct stream_row *row = &s.rows[s.order[i]];
        const struct rtt all = rtt_of(row), *sent = row->stream->rtt;
        put_ends(&s, row);
        put_duration(table_cell(&s.table), row->stream->initial_rtt, row->stream->initial_rtt > 0, view->style);
        put_duration(table_cell(&s.table), average(&all), all.count, view->style);
        put_duration(table_cell(&s.table), all.least * INT64_C(1000), all.count, view->style);
        put_duration(table_cell(&s.table), all.most * INT64_C(1000), all.count, view->style);
        human_count(table_cell(&s.table), all.count);
        for (unsigned end = 0; end < 2; end++) {
            const struct rtt *r = &sent[end ^ row->client];
            put_duration(table_cell(&s.table), average(r), r->count, view->style);
        }
        table_row(&s.table);
    }
    close_streams(&s);
    put_rest(out, &s);
    return code;
}

/* --- what is remarkable --- */

/* As Wireshark calls them: tcp.analysis.*. */
static const struct {
    const char *title, *key;
} troubles[TROUBLES] = {
    [TROUBLE_AGAIN] = { N_("Retransmissions"), "retransmissions" },
    [TROUBLE_FAST] = { N_("  of them fast"), "fast_retransmissions" },
    [TROUBLE_SPURIOUS] = { N_("  of them spurious"), "spurious_retransmissions" },
    [TROUBLE_OUT_OF_ORDER] = { N_("Out of order"), "out_of_order" },
    [TROUBLE_LOST] = { N_("Segment before was not captured"), "lost_segments" },
    [TROUBLE_DUPLICATE] = { N_("Duplicate acknowledgements"), "duplicate_acks" },
    [TROUBLE_ZERO_WINDOW] = { N_("Zero windows"), "zero_windows" },
    [TROUBLE_FULL_WINDOW] = { N_("Full windows"), "full_windows" },
};

static bool has_trouble(const struct stream_row *row)
{
    return all_trouble(row) > 0;
}

static uint64_t tcp_packets(const struct statistics *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->flows.count; i++) {
        const struct flow *f = flow_at(&s->flows, i);
        if (f->protocol == IP_TCP && !(f->flags & FLOW_FREE))
            sum += (uint64_t)f->packets[0] + f->packets[1];
    }
    return sum;
}

/* How often what was met, in all streams. */
static int put_totals(struct buffer *out, const struct streams *s)
{
    const struct table_column columns[] = {
        { .title = _("What"), .left = true },
        { .title = _("Segments") },
        { .title = "%" },
        { .title = _("Streams") },
        { 0 },
    };
    struct table table;
    uint64_t packets = tcp_packets(s->view->statistics);
    int code = table_open(&table, out, s->view->style, columns);
    for (unsigned i = 0; !code && i < TROUBLES; i++) {
        uint64_t segments = 0, streams = 0;
        for (uint32_t k = 0; k < s->count; k++) {
            uint32_t n = trouble_of(&s->rows[k], (enum trouble)i);
            segments += n;
            streams += n > 0;
        }
        buffer_text(table_cell(&table), _(troubles[i].title));
        human_count(table_cell(&table), segments);
        human_share(table_cell(&table), segments, packets);
        human_count(table_cell(&table), streams);
        table_row(&table);
    }
    table_close(&table);
    return code;
}

int stats_trouble(struct buffer *out, const struct stats_view *view, const struct stats_order *order)
{
    const struct table_column columns[] = {
        { .title = _("Stream"), .rank = 4 },
        { .title = _("Client"), .left = true, .may_cut = true },
        { .title = _("Server"), .left = true, .may_cut = true },
        { .title = _("Packets"), .rank = 3 },
        { .title = _("Again") },
        { .title = "%", .rank = 5 },
        { .title = _("Fast"), .rank = 8 },
        { .title = _("Spurious"), .rank = 8 },
        { .title = _("Disorder"), .rank = 6 },
        { .title = _("Missed"), .rank = 6 },
        { .title = _("Dup ACK") },
        { .title = _("Zero win") },
        { .title = _("Full win"), .rank = 7 },
        { 0 },
    };
    struct streams s;
    int code = open_streams(&s, view, order, BY_TROUBLE + TROUBLE_AGAIN, has_trouble);
    if (!code)
        code = put_totals(out, &s);
    if (!code && s.count) {
        buffer_char(out, '\n');
        code = table_open(&s.table, out, view->style, columns);
    }
    for (uint32_t i = 0; !code && i < s.found; i++) {
        const struct stream_row *row = &s.rows[s.order[i]];
        uint64_t packets = (uint64_t)row->flow->packets[0] + row->flow->packets[1];
        put_ends(&s, row);
        human_count(table_cell(&s.table), packets);
        for (unsigned k = 0; k < TROUBLES; k++) {
            human_count(table_cell(&s.table), trouble_of(row, (enum trouble)k));
            if (k == TROUBLE_AGAIN)
                human_share(table_cell(&s.table), trouble_of(row, TROUBLE_AGAIN), packets);
        }
        table_row(&s.table);
    }
    close_streams(&s);
    put_rest(out, &s);
    return code;
}

/* --- JSON --- */

static void json_begin(struct buffer *out, const struct streams *s, const struct stream_row *row, const char *section)
{
    buffer_format(out, "{\"section\":\"%s\",\"stream\":%u", section, row->number);
    for (unsigned end = 0; end < 2; end++) {
        struct party party;
        end_of(s, row, end, &party);
        stats_party_json(out, end ? "server" : "client", &party, IP_TCP, s->view->names);
    }
}

static void json_duration(struct buffer *out, const char *key, const char *who, int64_t ns, bool known)
{
    buffer_format(out, ",\"%s%s\":", who, key);
    if (!known) {
        buffer_text(out, "null");
        return;
    }
    buffer_char(out, '"');
    time_write(out, ns, 9);
    buffer_char(out, '"');
}

int stats_rtt_json(struct buffer *out, const struct stats_view *view, const struct stats_order *order)
{
    struct streams s;
    int code = open_streams(&s, view, order, BY_RTT, has_rtt);
    for (uint32_t i = 0; !code && i < s.found; i++) {
        const struct stream_row *row = &s.rows[s.order[i]];
        json_begin(out, &s, row, "rtt");
        json_duration(out, "handshake_rtt", "", row->stream->initial_rtt, row->stream->initial_rtt > 0);
        for (unsigned end = 0; end < 2; end++) {
            const struct rtt *r = &row->stream->rtt[end ^ row->client];
            const char *who = end ? "server_" : "client_";
            buffer_format(out, ",\"%srtt_samples\":%u", who, r->count);
            json_duration(out, "rtt_average", who, average(r), r->count);
            json_duration(out, "rtt_fastest", who, r->least * INT64_C(1000), r->count);
            json_duration(out, "rtt_slowest", who, r->most * INT64_C(1000), r->count);
        }
        buffer_text(out, "}\n");
    }
    close_streams(&s);
    return code;
}

int stats_trouble_json(struct buffer *out, const struct stats_view *view, const struct stats_order *order)
{
    struct streams s;
    int code = open_streams(&s, view, order, BY_TROUBLE + TROUBLE_AGAIN, has_trouble);
    for (uint32_t i = 0; !code && i < s.found; i++) {
        const struct stream_row *row = &s.rows[s.order[i]];
        json_begin(out, &s, row, "retransmissions");
        for (unsigned end = 0; end < 2; end++) {
            const char *who = end ? "server" : "client";
            buffer_format(out, ",\"%s_packets\":%u", who, row->flow->packets[end ^ row->client]);
            for (unsigned k = 0; k < TROUBLES; k++)
                buffer_format(out, ",\"%s_%s\":%u", who, troubles[k].key, row->stream->trouble[end ^ row->client][k]);
        }
        buffer_text(out, "}\n");
    }
    close_streams(&s);
    return code;
}
