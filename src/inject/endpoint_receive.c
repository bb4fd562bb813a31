/* What came: bytes in order and ahead of gaps, the window, which ACKs are due and which blocks they tell of. */
#include "inject/endpoint_parts.h"

void receiver_begin(struct endpoint *e, const struct endpoint_segment *syn, int64_t now)
{
    struct receiver *r = &e->rcv;
    r->irs = syn->seq;
    r->nxt = r->last_ack = syn->seq + 1;
    r->data.begin = 0;
    r->data.used = 0;
    r->ahead_count = r->recent_count = 0;
    r->edge = r->nxt;
    r->ts_recent = syn->ts_value;
    r->ts_recent_at = now;
    r->quick = 16;
}

uint32_t receiver_space(const struct endpoint *e)
{
    return e->rcv.data.size - e->rcv.data.used;
}

/* The right edge moves only by as much as is worth a segment: RFC 9293, 3.8.6.2.2. It never moves back. */
uint32_t receiver_window(struct endpoint *e)
{
    struct receiver *r = &e->rcv;
    uint32_t most = (uint32_t)UINT16_MAX << r->scale, space = receiver_space(e);
    uint32_t target = r->nxt + (space < most ? space : most), grain = r->data.size / 2;
    if (grain > e->snd.mss)
        grain = e->snd.mss;
    if (seq_diff(target, r->edge) >= (int32_t)grain)
        r->edge = target;
    return seq_before(r->nxt, r->edge) ? r->edge - r->nxt : 0;
}

void receiver_acked(struct endpoint *e)
{
    struct receiver *r = &e->rcv;
    r->last_ack = r->nxt;
    r->unacked = 0;
    r->ack_now = r->tell_twice = false;
    r->ack_timer = NEVER;
    if (r->quick)
        r->quick--;
}

/* ---- what is ahead */

static void remember(struct receiver *r, uint32_t seq)
{
    unsigned n = r->recent_count < ENDPOINT_SACKS ? r->recent_count : ENDPOINT_SACKS - 1;
    memmove(r->recent + 1, r->recent, n * sizeof *r->recent);
    r->recent[0] = seq;
    r->recent_count = n + 1;
}

/* The piece that holds seq, or NULL. */
static const struct endpoint_range *piece_with(const struct receiver *r, uint32_t seq)
{
    for (unsigned i = 0; i < r->ahead_count; i++)
        if (!seq_before(seq, r->ahead[i].left) && seq_before(seq, r->ahead[i].right))
            return &r->ahead[i];
    return NULL;
}

/* Adds to the pieces, which join where they touch. False: there are too many. */
static bool add_piece(struct receiver *r, uint32_t left, uint32_t right)
{
    unsigned from = 0, to;
    while (from < r->ahead_count && seq_before(r->ahead[from].right, left))
        from++;
    for (to = from; to < r->ahead_count && !seq_before(right, r->ahead[to].left); to++) {
        if (seq_before(r->ahead[to].left, left))
            left = r->ahead[to].left;
        if (seq_before(right, r->ahead[to].right))
            right = r->ahead[to].right;
    }
    if (from == to && r->ahead_count == RANGES_MOST)
        return false;
    memmove(r->ahead + from + 1, r->ahead + to, (r->ahead_count - to) * sizeof *r->ahead);
    r->ahead_count = r->ahead_count + 1 - (to - from);
    r->ahead[from] = (struct endpoint_range){ left, right };
    return true;
}

/* What was ahead and now follows. */
static void join(struct endpoint *e)
{
    struct receiver *r = &e->rcv;
    while (r->ahead_count && !seq_before(r->nxt, r->ahead[0].left)) {
        if (seq_before(r->nxt, r->ahead[0].right)) {
            uint32_t n = r->ahead[0].right - r->nxt;
            r->nxt += n;
            r->data.used += n;
            e->counts.bytes_received += n;
        }
        r->ahead_count--;
        memmove(r->ahead, r->ahead + 1, r->ahead_count * sizeof *r->ahead);
    }
}

static void put_block(struct endpoint_segment *g, uint32_t left, uint32_t right)
{
    g->sacks[g->sack_count++] = (struct endpoint_range){ left, right };
}

/* RFC 2018, 4: the piece that grew last first; RFC 2883, 4: in front of it what came twice. */
void receiver_sacks(struct endpoint *e, struct endpoint_segment *g, unsigned most)
{
    struct receiver *r = &e->rcv;
    if (!e->sack || !most)
        return;
    if (r->tell_twice)
        put_block(g, r->twice.left, r->twice.right);
    unsigned first = g->sack_count;
    for (unsigned i = 0; i < r->recent_count && g->sack_count < most; i++) {
        const struct endpoint_range *piece = piece_with(r, r->recent[i]);
        bool told = !piece;
        for (unsigned k = first; k < g->sack_count; k++)
            told |= piece && g->sacks[k].left == piece->left;
        if (!told)
            put_block(g, piece->left, piece->right);
    }
    for (unsigned i = r->ahead_count; i-- > 0 && g->sack_count < most;) {
        bool told = false;
        for (unsigned k = first; k < g->sack_count; k++)
            told |= g->sacks[k].left == r->ahead[i].left;
        if (!told)
            put_block(g, r->ahead[i].left, r->ahead[i].right);
    }
}

/* ---- what came */

static void came_twice(struct endpoint *e, uint32_t left, uint32_t right)
{
    struct receiver *r = &e->rcv;
    r->twice = (struct endpoint_range){ left, right };
    r->tell_twice = r->ack_now = true;
    endpoint_notice(e, NOTICE_DUPLICATE);
}

/* Bytes that begin at or beyond nxt, within the window. */
static void keep(struct endpoint *e, uint32_t seq, struct span payload)
{
    struct receiver *r = &e->rcv;
    uint32_t n = (uint32_t)payload.left, offset = r->data.used + (seq - r->nxt);
    const struct endpoint_range *there = piece_with(r, seq);
    if (there && !seq_before(there->right, seq + n)) {
        came_twice(e, seq, seq + n);
        return;
    }
    if (seq != r->nxt) {
        if (add_piece(r, seq, seq + n)) {
            bytes_put(&r->data, offset, payload.at, n);
            remember(r, seq);
            endpoint_notice(e, NOTICE_AHEAD);
        }
        r->ack_now = true; /* RFC 5681, 4.2 */
        return;
    }
    bytes_put(&r->data, offset, payload.at, n);
    r->nxt += n;
    r->data.used += n;
    r->unacked += n;
    e->counts.bytes_received += n;
    if (r->ahead_count) {
        join(e);
        r->ack_now = true;
    }
}

static void take_fin(struct endpoint *e)
{
    struct receiver *r = &e->rcv;
    if (!r->fin_known || r->fin_taken || r->nxt != r->fin)
        return;
    r->nxt++;
    r->fin_taken = r->ack_now = true;
}

/* RFC 5681, 4.2: for every second full segment, else within ack_delay. */
static void plan_ack(struct endpoint *e, int64_t now)
{
    struct receiver *r = &e->rcv;
    if (r->unacked >= 2u * e->snd.mss - TIMESTAMP_BYTES * 2u || r->quick)
        r->ack_now = true;
    else if (r->ack_timer == NEVER)
        r->ack_timer = now + ack_delay;
}

void receiver_take(struct endpoint *e, const struct endpoint_segment *g, int64_t now)
{
    struct receiver *r = &e->rcv;
    uint32_t seq = g->seq + !!(g->flags & TCP_SYN), end = seq + (uint32_t)g->payload.left;
    struct span payload = g->payload;
    if (r->fin_taken) {
        r->ack_now |= payload.left || g->flags & TCP_FIN;
        return;
    }
    if (payload.left && seq_before(seq, r->nxt)) { /* its beginning is here already */
        uint32_t known = r->nxt - seq;
        if (known >= payload.left)
            known = (uint32_t)payload.left;
        came_twice(e, seq, seq + known);
        payload = span_part(payload, known, SIZE_MAX);
        seq += known;
    }
    uint32_t limit = r->nxt + receiver_space(e);
    if (r->fin_known && seq_before(r->fin, limit))
        limit = r->fin;
    bool whole = !seq_before(limit, end);
    if (payload.left && !whole) {
        payload.left = seq_before(seq, limit) ? limit - seq : 0;
        r->ack_now = true;
    }
    if (g->flags & TCP_FIN && whole && !r->fin_known && !seq_before(end, r->nxt)) {
        r->fin_known = true;
        r->fin = end;
        r->ack_now = true;
    }
    if (payload.left) {
        keep(e, seq, payload);
        plan_ack(e, now);
    }
    take_fin(e);
}
