/* The tables of peel stats as text and as JSON Lines. The text is for a given width (style->columns; 0: nothing is cut)
 * and goes into a buffer line by line, so that the screen may show it, too. Each begins with its titles, without a
 * heading; none writes anything where there is nothing to show. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "track/tally_table.h"

struct names;

struct stats_view {
    const struct statistics *statistics;
    const struct style *style;
    const struct names *names; /* NULL: none were asked for */
};

/* Packets, bytes, first and last time, rates. */
void stats_summary(struct buffer *out, const struct stats_view *view);
void stats_summary_json(struct buffer *out, const struct stats_view *view);

/* The tree of protocols with bars; at most `most` places, the largest ones (0: all). */
void stats_tree(struct buffer *out, const struct stats_view *view, unsigned most);
void stats_tree_json(struct buffer *out, const struct stats_view *view);

/* How many packets are how long, with bars. */
void stats_sizes(struct buffer *out, const struct stats_view *view);
void stats_sizes_json(struct buffer *out, const struct stats_view *view);

/* Bytes a second over time: so many lines of graph, and its axis below. Needs a width; 0 is taken as 80. */
void stats_plot(struct buffer *out, const struct stats_view *view, unsigned lines);
/* The same as an SVG file of its own. */
void stats_svg(struct buffer *out, const struct stats_view *view, const char *title);
/* The same as a table, a row a bin of the series. */
void stats_series(struct buffer *out, const struct stats_view *view);
void stats_series_json(struct buffer *out, const struct stats_view *view);

/* How a table of conversations, endpoints or streams is sorted and cut. */
struct stats_order {
    const char *sort; /* a column's name, from stats_find_column; NULL: bytes */
    bool backwards;   /* numbers lowest first, names last first */
    unsigned most;    /* rows; 0: all */
};

/* The name as the tables know it, or NULL; *nearest: one that may have been meant, or NULL. */
const char *stats_find_column(const char *name, const char **nearest);

/* Conversations or endpoints of a kind. Return 0 or a negative error. */
int stats_table(struct buffer *out, const struct stats_view *view, enum statistics_kind kind, bool endpoints,
                const struct stats_order *order);
int stats_table_json(struct buffer *out, const struct stats_view *view, enum statistics_kind kind, bool endpoints,
                     const struct stats_order *order);

/* Round trips of TCP streams, the slowest first; what is remarkable in them, those with most retransmissions first.
 * They need STATISTICS_TCP. */
int stats_rtt(struct buffer *out, const struct stats_view *view, const struct stats_order *order);
int stats_rtt_json(struct buffer *out, const struct stats_view *view, const struct stats_order *order);
int stats_trouble(struct buffer *out, const struct stats_view *view, const struct stats_order *order);
int stats_trouble_json(struct buffer *out, const struct stats_view *view, const struct stats_order *order);

/* An address with its port and, where known, names in their place. */
void stats_party(struct buffer *out, const struct party *party, uint8_t protocol, const struct names *names);
/* The same as members of an object: ,"client_addr":"...","client_port":... and, where known, names. who may be empty.
 */
void stats_party_json(struct buffer *out, const char *who, const struct party *party, uint8_t protocol,
                      const struct names *names);
