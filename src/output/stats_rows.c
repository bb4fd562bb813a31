/* Conversations, endpoints, TCP streams: tables with a row each, sorted by any of their columns. */
#include "base/address.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/text.h"
#include "output/endpoints.h"
#include "output/human.h"
#include "output/names.h"
#include "output/ranking.h"
#include "output/stats.h"
#include "output/stats_columns.h"
#include "output/table.h"
#include <stdlib.h>

enum { IP_TCP = 6, IP_UDP = 17 };

/* Two names for some: as the tables of conversations and of endpoints call them. */
static const struct {
    const char *name;
    enum stats_by by;
} words[] = {
    { "bytes", BY_BYTES },
    { "packets", BY_PACKETS },
    { "client-bytes", BY_BYTES_SENT },
    { "server-bytes", BY_BYTES_GOT },
    { "client-packets", BY_PACKETS_SENT },
    { "server-packets", BY_PACKETS_GOT },
    { "sent-bytes", BY_BYTES_SENT },
    { "received-bytes", BY_BYTES_GOT },
    { "sent-packets", BY_PACKETS_SENT },
    { "received-packets", BY_PACKETS_GOT },
    { "start", BY_START },
    { "duration", BY_DURATION },
    { "rate", BY_RATE },
    { "conversations", BY_FLOWS },
    { "address", BY_ADDRESS },
    { "client", BY_ADDRESS },
    { "server", BY_PEER },
    { "rtt", BY_RTT },
    { "slowest", BY_SLOWEST },
    { "handshake", BY_HANDSHAKE },
    { "samples", BY_SAMPLES },
    { "retransmissions", BY_TROUBLE + TROUBLE_AGAIN },
    { "fast", BY_TROUBLE + TROUBLE_FAST },
    { "spurious", BY_TROUBLE + TROUBLE_SPURIOUS },
    { "out-of-order", BY_TROUBLE + TROUBLE_OUT_OF_ORDER },
    { "lost", BY_TROUBLE + TROUBLE_LOST },
    { "duplicates", BY_TROUBLE + TROUBLE_DUPLICATE },
    { "zero-windows", BY_TROUBLE + TROUBLE_ZERO_WINDOW },
    { "full-windows", BY_TROUBLE + TROUBLE_FULL_WINDOW },
};

const char *stats_find_column(const char *name, const char **nearest)
{
    struct nearest n;
    nearest_begin(&n, name);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i].name, name))
            return words[i].name;
        nearest_consider(&n, words[i].name);
    }
    *nearest = n.best;
    return NULL;
}

enum stats_by stats_by(const char *name, enum stats_by otherwise)
{
    for (unsigned i = 0; name && i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].name, name))
            return words[i].by;
    return otherwise;
}

/* --- rows --- */

static int64_t lasted(const struct tally_row *row)
{
    return row->timed ? row->last - row->first : 0;
}

static double rate_of(const struct tally_row *row)
{
    int64_t ns = lasted(row);
    return ns > 0 ? (double)(row->bytes[0] + row->bytes[1]) * 1e9 / (double)ns : 0;
}

static double row_value(const struct tally_row *row, enum stats_by by)
{
    switch (by) {
    case BY_PACKETS:
        return (double)(row->packets[0] + row->packets[1]);
    case BY_PACKETS_SENT:
        return (double)row->packets[0];
    case BY_PACKETS_GOT:
        return (double)row->packets[1];
    case BY_BYTES_SENT:
        return (double)row->bytes[0];
    case BY_BYTES_GOT:
        return (double)row->bytes[1];
    case BY_START:
        return -(double)row->first;
    case BY_DURATION:
        return (double)lasted(row);
    case BY_RATE:
        return rate_of(row);
    case BY_FLOWS:
        return row->flows;
    default:
        return (double)(row->bytes[0] + row->bytes[1]);
    }
}

struct sorting {
    const struct tally_table *table;
    enum stats_by by;
    bool backwards;
};

static int compare_parties(const struct tally_table *t, const struct tally_row *a, const struct tally_row *b,
                           unsigned end)
{
    struct party x, y;
    tally_party(t, a, end, &x);
    tally_party(t, b, end, &y);
    if (x.size != y.size)
        return x.size - y.size;
    int order = memcmp(x.address, y.address, x.size);
    return order ? order : (int)x.port - (int)y.port;
}

static int compare_rows(const void *context, uint32_t a, uint32_t b)
{
    const struct sorting *s = context;
    const struct tally_row *x = &s->table->rows[a], *y = &s->table->rows[b];
    int order;
    if (s->by == BY_ADDRESS || s->by == BY_PEER) {
        order = compare_parties(s->table, x, y, s->by == BY_PEER);
    } else {
        double u = row_value(x, s->by), v = row_value(y, s->by);
        order = u > v ? -1 : u < v;
    }
    return s->backwards ? -order : order;
}

/* --- ends --- */

void stats_party(struct buffer *out, const struct party *p, uint8_t protocol, const struct names *names)
{
    if (p->size == 6)
        names_write_mac(out, names, p->address);
    else
        names_write_end(out, names, p->address, p->size, p->has_port, p->port, protocol);
}

static const char *protocol_name(uint8_t protocol)
{
    return protocol == IP_TCP          ? "tcp"
           : protocol == IP_UDP        ? "udp"
           : protocol == PROTOCOL_LINK ? "eth"
                                       : "ip"; /* whatever it is */
}

static const char *kind_name(enum statistics_kind kind)
{
    static const char *const names[KINDS] = { "eth", "ip", "ipv6", "tcp", "udp", "hosts", "all" };
    return names[kind];
}

/* --- conversations and endpoints as text --- */

struct writing {
    const struct stats_view *view;
    struct tally_table tally;
    struct table table;
    uint32_t *order;
    uint32_t count;
    uint64_t bytes; /* of all rows */
};

static int open_rows(struct writing *w, const struct stats_view *view, enum statistics_kind kind, bool endpoints,
                     const struct stats_order *order)
{
    *w = (struct writing){ .view = view };
    int code = tally_table_open(&w->tally, view->statistics, kind, endpoints);
    if (code)
        return code;
    struct sorting sorting = { .table = &w->tally,
                               .by = stats_by(order->sort, BY_BYTES),
                               .backwards = order->backwards };
    for (uint32_t i = 0; i < w->tally.count; i++)
        w->bytes += w->tally.rows[i].bytes[0] + w->tally.rows[i].bytes[1];
    w->order = ranking(w->tally.count, order->most, compare_rows, &sorting, &w->count);
    return w->order ? 0 : ERROR_MEMORY;
}

static void close_rows(struct writing *w)
{
    table_close(&w->table);
    tally_table_close(&w->tally);
    free(w->order);
}

static void put_start(struct buffer *out, const struct statistics *s, const struct tally_row *row)
{
    if (row->timed)
        time_write(out, row->first - s->first, 6);
}

static void put_conversation(struct writing *w, const struct tally_row *row)
{
    const struct stats_view *v = w->view;
    if (w->tally.kind == KIND_ANY)
        buffer_text(table_cell(&w->table), protocol_name(row->protocol));
    for (unsigned end = 0; end < 2; end++) {
        struct party party;
        tally_party(&w->tally, row, end, &party);
        stats_party(table_cell(&w->table), &party, row->protocol, v->names);
    }
    human_count(table_cell(&w->table), row->packets[0] + row->packets[1]);
    human_bytes(table_cell(&w->table), row->bytes[0] + row->bytes[1]);
    human_bytes(table_cell(&w->table), row->bytes[0]);
    human_bytes(table_cell(&w->table), row->bytes[1]);
    human_count(table_cell(&w->table), row->packets[0]);
    human_count(table_cell(&w->table), row->packets[1]);
    put_start(table_cell(&w->table), v->statistics, row);
    struct buffer *cell = table_cell(&w->table);
    if (row->timed)
        human_duration(cell, lasted(row), v->style->ascii);
    cell = table_cell(&w->table);
    if (lasted(row) > 0)
        human_rate(cell, rate_of(row));
    table_row(&w->table);
}

static void put_endpoint(struct writing *w, const struct tally_row *row)
{
    struct party party;
    tally_party(&w->tally, row, 0, &party);
    stats_party(table_cell(&w->table), &party, row->protocol, w->view->names);
    human_count(table_cell(&w->table), row->packets[0] + row->packets[1]);
    human_bytes(table_cell(&w->table), row->bytes[0] + row->bytes[1]);
    human_share(table_cell(&w->table), row->bytes[0] + row->bytes[1], w->bytes / 2);
    human_bytes(table_cell(&w->table), row->bytes[0]);
    human_bytes(table_cell(&w->table), row->bytes[1]);
    human_count(table_cell(&w->table), row->packets[0]);
    human_count(table_cell(&w->table), row->packets[1]);
    human_count(table_cell(&w->table), row->flows);
    table_row(&w->table);
}

int stats_table(struct buffer *out, const struct stats_view *view, enum statistics_kind kind, bool endpoints,
                const struct stats_order *order)
{
    bool ports = kind == KIND_ANY || kind == KIND_TCP || kind == KIND_UDP;
    const struct table_column both[] = {
        { .title = _("Proto"), .left = true, .rank = 4 },
        { .title = ports ? _("Client") : _("Host"), .left = true, .may_cut = true },
        { .title = ports ? _("Server") : _("Other host"), .left = true, .may_cut = true },
        { .title = _("Packets") },
        { .title = _("Bytes") },
        { .title = _("Bytes ↑"), .ascii = _("Bytes >"), .rank = 6 },
        { .title = _("Bytes ↓"), .ascii = _("Bytes <"), .rank = 6 },
        { .title = _("Packets ↑"), .ascii = _("Packets >"), .rank = 8 },
        { .title = _("Packets ↓"), .ascii = _("Packets <"), .rank = 8 },
        { .title = _("Start"), .rank = 9 },
        { .title = _("Duration"), .rank = 7 },
        { .title = _("Rate"), .rank = 10 },
        { 0 },
    };
    const struct table_column one[] = {
        { .title = _("Address"), .left = true, .may_cut = true },
        { .title = _("Packets") },
        { .title = _("Bytes") },
        { .title = "%", .rank = 6 },
        { .title = _("Sent"), .rank = 3 },
        { .title = _("Received"), .rank = 3 },
        { .title = _("Packets sent"), .rank = 9 },
        { .title = _("Packets received"), .rank = 9 },
        { .title = _("Conversations"), .rank = 10 },
        { 0 },
    };
    struct writing w;
    int code = open_rows(&w, view, kind, endpoints, order);
    if (!code)
        code = table_open(&w.table, out, view->style, endpoints ? one : kind == KIND_ANY ? both : both + 1);
    for (uint32_t i = 0; !code && i < w.count; i++) {
        const struct tally_row *row = &w.tally.rows[w.order[i]];
        if (endpoints)
            put_endpoint(&w, row);
        else
            put_conversation(&w, row);
    }
    uint32_t rest = code ? 0 : w.tally.count - w.count;
    close_rows(&w);
    if (rest)
        buffer_format(out, _("  and %u more\n"), rest);
    return code;
}

/* --- the same as JSON --- */

void stats_party_json(struct buffer *out, const char *who, const struct party *party, uint8_t protocol,
                      const struct names *names)
{
    char *at;
    buffer_format(out, ",\"%s%saddr\":\"", who, *who ? "_" : "");
    at = buffer_room(out, 64);
    out->at =
        party->size == 6 ? write_mac(at, party->address) : address_write(at, party->address, party->size, false, 0);
    buffer_char(out, '"');
    if (party->has_port)
        buffer_format(out, ",\"%s%sport\":%u", who, *who ? "_" : "", party->port);
    if (party->size != 6)
        names_write_json(out, names, who, party->address, party->size, party->port, party->has_port ? protocol : 0);
}

static void json_time(struct buffer *out, const char *key, int64_t ns)
{
    buffer_format(out, ",\"%s\":\"", key);
    time_write(out, ns, 9);
    buffer_char(out, '"');
}

static void json_numbers(struct buffer *out, const struct tally_row *row, const char *first, const char *second)
{
    buffer_format(out, ",\"%s_packets\":%llu,\"%s_packets\":%llu,\"%s_bytes\":%llu,\"%s_bytes\":%llu", first,
                  (unsigned long long)row->packets[0], second, (unsigned long long)row->packets[1], first,
                  (unsigned long long)row->bytes[0], second, (unsigned long long)row->bytes[1]);
    if (row->timed) {
        json_time(out, "first_time", row->first);
        json_time(out, "last_time", row->last);
    }
}

int stats_table_json(struct buffer *out, const struct stats_view *view, enum statistics_kind kind, bool endpoints,
                     const struct stats_order *order)
{
    struct writing w;
    int code = open_rows(&w, view, kind, endpoints, order);
    for (uint32_t i = 0; !code && i < w.count; i++) {
        const struct tally_row *row = &w.tally.rows[w.order[i]];
        buffer_format(out, "{\"section\":\"%s\",\"kind\":\"%s\"", endpoints ? "endpoints" : "conversations",
                      kind_name(kind));
        if (!endpoints)
            buffer_format(out, ",\"proto\":\"%s\"", protocol_name(row->protocol));
        for (unsigned end = 0; end < (endpoints ? 1 : 2); end++) {
            struct party party;
            tally_party(&w.tally, row, end, &party);
            stats_party_json(out, endpoints ? "" : end ? "server" : "client", &party, row->protocol, view->names);
        }
        json_numbers(out, row, endpoints ? "sent" : "client", endpoints ? "received" : "server");
        buffer_format(out, ",\"conversations\":%u}\n", row->flows);
    }
    close_rows(&w);
    return code;
}
