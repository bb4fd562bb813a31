/* TCP streams: round trips and what is remarkable. */
#include "output/stats.h"
int stats_rtt(struct buffer *out, const struct stats_view *view, const struct stats_order *order) { (void)out; (void)view; (void)order; return 0; }
int stats_rtt_json(struct buffer *out, const struct stats_view *view, const struct stats_order *order) { (void)out; (void)view; (void)order; return 0; }
int stats_trouble(struct buffer *out, const struct stats_view *view, const struct stats_order *order) { (void)out; (void)view; (void)order; return 0; }
int stats_trouble_json(struct buffer *out, const struct stats_view *view, const struct stats_order *order) { (void)out; (void)view; (void)order; return 0; }
