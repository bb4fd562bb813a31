/* Two endpoints and a wire in memory, which loses, doubles, overtakes and delays; time is what the wire says. */
#include "inject/endpoint.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { A, B, FLYING = 8192, LONGEST = 2048, NOTICES = NOTICE_UNREACHABLE + 1 };

static const int64_t ms = 1000000, sec = 1000000000;

struct flight {
    int64_t arrives;
    uint64_t order;
    unsigned to;
    struct endpoint_segment segment;
    uint8_t payload[LONGEST];
};

struct world;

struct side {
    struct world *world;
    unsigned which;
    struct endpoint *endpoint;
    uint64_t written, to_write, read; /* of a pattern */
    bool closes_first;                /* when all is written; else when the other end did */
    bool closed, slow;
    char states[256]; /* all that it went through */
    unsigned notices[NOTICES], resets, sent;
    struct endpoint_segment last;
};

struct world {
    int64_t now;
    unsigned loss, twice, overtaking; /* of a thousand */
    int64_t delay, extra;
    uint64_t seed, order;
    struct flight *flights; /* a heap would be quicker */
    unsigned flying;
    struct side side[2];
    bool (*drop)(struct world *, unsigned from, const struct endpoint_segment *);
    unsigned dropped;
};

static unsigned chance(struct world *w)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % 1000;
}

static uint8_t pattern(unsigned which, uint64_t at)
{
    return (uint8_t)((at * 2654435761u) >> 13 ^ at ^ which);
}

static void launch(struct world *w, unsigned to, const struct endpoint_segment *g, int64_t delay)
{
    cr_assert_lt(w->flying, FLYING);
    struct flight *f = &w->flights[w->flying++];
    f->arrives = w->now + delay;
    f->order = w->order++;
    f->to = to;
    f->segment = *g;
    size_t n = g->payload.left + g->more.left;
    cr_assert_leq(n, LONGEST);
    if (g->payload.left)
        memcpy(f->payload, g->payload.at, g->payload.left);
    if (g->more.left)
        memcpy(f->payload + g->payload.left, g->more.at, g->more.left);
    f->segment.payload.left = n;
    f->segment.more.left = 0;
}

static void on_send(void *context, const struct endpoint_segment *g)
{
    struct side *s = context;
    struct world *w = s->world;
    s->sent++;
    s->last = *g;
    s->resets += !!(g->flags & TCP_RST);
    if ((w->drop && w->drop(w, s->which, g)) || chance(w) < w->loss) {
        w->dropped++;
        return;
    }
    unsigned times = chance(w) < w->twice ? 2 : 1;
    while (times--)
        launch(w, !s->which, g, w->delay + (chance(w) < w->overtaking ? w->extra : 0));
}

/* RFC 9293, figure 5: an endpoint knows what happened, and takes nothing back as the tracker has to. */
static bool arrow(enum tcp_state from, enum tcp_state to)
{
#define TO(state) (1u << TCP_##state)
    static const unsigned arrows[TCP_STATES] = {
        [TCP_CLOSED] = TO(LISTEN) | TO(SYN_SENT),
        [TCP_LISTEN] = TO(SYN_RECEIVED),
        [TCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED),
        [TCP_SYN_RECEIVED] = TO(ESTABLISHED),
        [TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT),
        [TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING),
        [TCP_FIN_WAIT_2] = TO(TIME_WAIT),
        [TCP_CLOSE_WAIT] = TO(LAST_ACK),
        [TCP_CLOSING] = TO(TIME_WAIT),
    };
#undef TO
    return (to == TCP_CLOSED && from != TCP_CLOSED) || arrows[from] >> to & 1;
}

static void on_change(void *context, enum tcp_state from, enum tcp_state to)
{
    struct side *s = context;
    cr_assert(arrow(from, to), "%s to %s", tcp_state_name(from), tcp_state_name(to));
    size_t n = strlen(s->states);
    snprintf(s->states + n, sizeof s->states - n, "%s%s", n ? " " : "", tcp_state_name(to));
}

static void on_notice(void *context, enum endpoint_notice notice)
{
    struct side *s = context;
    s->notices[notice]++;
}

static const struct endpoint_sink sink = { on_send, on_change, on_notice };

static struct endpoint_settings usual(void)
{
    struct endpoint_settings s = endpoint_defaults();
    s.mss = 1460;
    return s;
}

static struct world *world_of(const struct endpoint_settings *a, const struct endpoint_settings *b)
{
    struct world *w = calloc(1, sizeof *w);
    w->flights = calloc(FLYING, sizeof *w->flights);
    w->now = sec;
    w->delay = 10 * ms;
    w->extra = 10 * ms;
    w->seed = 42;
    for (unsigned i = 0; i < 2; i++) {
        struct endpoint_settings s = *(i ? b : a);
        w->side[i].world = w;
        w->side[i].which = i;
        s.iss = i ? 0xfffff000 : 1000; /* one of them wraps */
        cr_assert_eq(endpoint_open(&w->side[i].endpoint, &s, &sink, &w->side[i], NULL), 0);
    }
    return w;
}

static struct world *world(void)
{
    struct endpoint_settings s = usual();
    return world_of(&s, &s);
}

static void world_end(struct world *w)
{
    for (unsigned i = 0; i < 2; i++)
        endpoint_free(w->side[i].endpoint);
    free(w->flights);
    free(w);
}

/* What the user of an endpoint does whenever something may have changed. */
static void use(struct side *s, int64_t now)
{
    struct endpoint *e = s->endpoint;
    struct span got;
    while (!s->slow && (got = endpoint_readable(e)).left) {
        for (size_t i = 0; i < got.left; i++)
            cr_assert_eq(got.at[i], pattern(!s->which, s->read + i), "byte %llu", (unsigned long long)s->read + i);
        s->read += got.left;
        endpoint_consume(e, got.left, now);
    }
    if (endpoint_state(e) < TCP_ESTABLISHED)
        return;
    uint8_t piece[4096];
    for (;;) {
        size_t n = endpoint_room(e);
        if (n > s->to_write - s->written)
            n = (size_t)(s->to_write - s->written);
        if (n > sizeof piece)
            n = sizeof piece;
        if (!n)
            break;
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern(s->which, s->written + i);
        s->written += endpoint_put(e, piece, n, now);
    }
    if (!s->closed && s->written == s->to_write && (s->closes_first || endpoint_at_end(e))) {
        s->closed = true;
        endpoint_shutdown(e, now);
    }
}

static struct flight *next_flight(struct world *w)
{
    struct flight *best = NULL;
    for (unsigned i = 0; i < w->flying; i++) {
        struct flight *f = &w->flights[i];
        if (!best || f->arrives < best->arrives || (f->arrives == best->arrives && f->order < best->order))
            best = f;
    }
    return best;
}

static void arrive(struct world *w, struct flight *f)
{
    static struct flight landed;
    landed = *f;
    *f = w->flights[--w->flying];
    landed.segment.payload.at = landed.payload;
    endpoint_take(w->side[landed.to].endpoint, &landed.segment, w->now);
}

/* One thing happens; false: nothing would before `until`. */
static bool step(struct world *w, int64_t until)
{
    for (unsigned i = 0; i < 2; i++)
        use(&w->side[i], w->now);
    struct flight *f = next_flight(w);
    int64_t a = endpoint_deadline(w->side[A].endpoint), b = endpoint_deadline(w->side[B].endpoint);
    int64_t next = a < b ? a : b;
    bool lands = f && f->arrives <= next;
    if (lands)
        next = f->arrives;
    if (next > until)
        return false;
    if (next > w->now)
        w->now = next;
    if (lands)
        arrive(w, f);
    else
        endpoint_tick(w->side[a <= b ? A : B].endpoint, w->now);
    return true;
}

static void run(struct world *w, int64_t duration)
{
    int64_t until = w->now + duration;
    for (unsigned long steps = 0; step(w, until); steps++)
        cr_assert_lt(steps, 40000000, "they keep each other busy");
    w->now = until;
}

static void open_both(struct world *w)
{
    endpoint_listen(w->side[B].endpoint);
    endpoint_connect(w->side[A].endpoint, w->now);
}

static void went(const struct side *s, const char *states)
{
    cr_assert_str_eq(s->states, states);
}

static void in_order(const struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct side *s = &w->side[i], *other = &w->side[!i];
        cr_assert_eq(endpoint_end(s->endpoint), ENDPOINT_IN_ORDER, "end %u: %d in %s", i, endpoint_end(s->endpoint),
                     s->states);
        cr_assert_eq(s->read, other->to_write, "end %u read %llu", i, (unsigned long long)s->read);
        cr_assert_eq(s->resets, 0);
    }
}

/* ---- opening and closing */

Test(endpoint, a_connection_is_opened_used_and_closed_by_the_one_that_called)
{
    struct world *w = world();
    w->side[A].to_write = 100000;
    w->side[B].to_write = 50000;
    w->side[A].closes_first = true;
    open_both(w);
    run(w, 100 * sec);
    in_order(w);
    went(&w->side[A], "SYN_SENT ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED");
    went(&w->side[B], "LISTEN SYN_RECEIVED ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED");
    cr_assert_eq(endpoint_counts(w->side[A].endpoint)->again, 0);
    world_end(w);
}

Test(endpoint, the_one_that_was_called_may_close_first)
{
    struct world *w = world();
    w->side[A].to_write = w->side[B].to_write = 3000;
    w->side[B].closes_first = true;
    open_both(w);
    run(w, 100 * sec);
    in_order(w);
    went(&w->side[A], "SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED");
    went(&w->side[B], "LISTEN SYN_RECEIVED ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED");
    world_end(w);
}

Test(endpoint, both_may_close_at_once)
{
    struct world *w = world();
    w->side[A].closes_first = w->side[B].closes_first = true;
    open_both(w);
    run(w, 25 * ms); /* the handshake's last ACK is on its way */
    for (unsigned i = 0; i < 2; i++)
        w->side[i].closed = false;
    run(w, 100 * sec);
    in_order(w);
    cr_assert(strstr(w->side[A].states, "FIN_WAIT_1") && strstr(w->side[B].states, "FIN_WAIT_1"));
    world_end(w);
}

Test(endpoint, fins_that_cross_lead_through_closing)
{
    struct world *w = world();
    open_both(w);
    run(w, sec);
    w->side[A].closes_first = w->side[B].closes_first = true;
    run(w, 100 * sec);
    in_order(w);
    went(&w->side[A], "SYN_SENT ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT CLOSED");
    went(&w->side[B], "LISTEN SYN_RECEIVED ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT CLOSED");
    world_end(w);
}

Test(endpoint, both_may_call_at_once)
{
    struct world *w = world();
    w->side[A].to_write = w->side[B].to_write = 20000;
    w->side[A].closes_first = true;
    endpoint_connect(w->side[A].endpoint, w->now);
    endpoint_connect(w->side[B].endpoint, w->now);
    run(w, 100 * sec);
    in_order(w);
    went(&w->side[A], "SYN_SENT SYN_RECEIVED ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED");
    went(&w->side[B], "SYN_SENT SYN_RECEIVED ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED");
    world_end(w);
}

Test(endpoint, time_wait_lasts_three_timeouts_but_a_second_at_least)
{
    struct world *w = world();
    w->side[A].closes_first = true;
    open_both(w);
    while (endpoint_state(w->side[A].endpoint) != TCP_TIME_WAIT)
        cr_assert(step(w, INT64_MAX - 1));
    int64_t begun = w->now;
    while (endpoint_state(w->side[A].endpoint) != TCP_CLOSED)
        cr_assert(step(w, INT64_MAX - 1));
    cr_assert_eq(w->now - begun, sec);
    world_end(w);
}

static bool drop_first_final_ack(struct world *w, unsigned from, const struct endpoint_segment *g)
{
    (void)g;
    return from == A && endpoint_state(w->side[A].endpoint) == TCP_TIME_WAIT && !w->dropped;
}

Test(endpoint, a_fin_that_comes_again_is_answered_and_time_wait_begins_anew)
{
    struct world *w = world();
    w->side[A].closes_first = true;
    w->drop = drop_first_final_ack;
    open_both(w);
    run(w, 100 * sec);
    in_order(w);
    cr_assert_eq(w->dropped, 1);
    world_end(w);
}

Test(endpoint, what_is_written_before_the_answer_waits_for_it)
{
    struct world *w = world();
    open_both(w);
    uint8_t text[3] = { pattern(A, 0), pattern(A, 1), pattern(A, 2) };
    w->side[A].to_write = 3;
    w->side[A].written = endpoint_put(w->side[A].endpoint, text, 3, w->now);
    endpoint_shutdown(w->side[A].endpoint, w->now);
    w->side[A].closed = true;
    run(w, 10 * sec);
    in_order(w);
    world_end(w);
}

/* ---- loss */

static void lossy(struct world *w, unsigned loss, uint64_t bytes)
{
    w->loss = loss;
    w->twice = 20;
    w->overtaking = 50;
    w->side[A].to_write = bytes;
    w->side[B].to_write = bytes / 2;
    w->side[A].closes_first = true;
    open_both(w);
    run(w, 3000 * sec);
    in_order(w);
}

static struct endpoint_settings kept_long(void)
{
    struct endpoint_settings s = usual();
    s.linger = 60 * sec;
    return s;
}

Test(endpoint, all_bytes_arrive_over_a_wire_that_loses_doubles_and_overtakes)
{
    struct endpoint_settings s = kept_long();
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *w = world_of(&s, &s);
        w->seed = seed;
        lossy(w, 50, 400000);
        world_end(w);
    }
}

Test(endpoint, all_bytes_arrive_when_a_fifth_is_lost)
{
    struct endpoint_settings s = kept_long();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = world_of(&s, &s);
        w->seed = seed;
        lossy(w, 200, 60000);
        world_end(w);
    }
}

Test(endpoint, all_bytes_arrive_without_any_option)
{
    struct endpoint_settings s = kept_long();
    s.sack = s.timestamps = s.scale = false;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = world_of(&s, &s);
        w->seed = seed;
        lossy(w, 50, 200000);
        world_end(w);
    }
}

Test(endpoint, all_bytes_arrive_between_ends_that_want_different_options)
{
    struct endpoint_settings s = kept_long();
    for (unsigned which = 0; which < 8; which++) {
        struct endpoint_settings other = s;
        other.sack = which & 1;
        other.timestamps = which & 2;
        other.scale = which & 4;
        other.mss = 536;
        other.receive_buffer = 20000;
        struct world *w = world_of(which & 1 ? &s : &other, which & 1 ? &other : &s);
        w->seed = which;
        lossy(w, 30, 100000);
        world_end(w);
    }
}

static bool drop_one_of_many(struct world *w, unsigned from, const struct endpoint_segment *g)
{
    return from == A && g->payload.left && !w->dropped && w->side[A].sent == 6;
}

Test(endpoint, a_lost_segment_is_sent_again_before_the_timer_runs_out)
{
    struct world *w = world();
    w->side[A].to_write = 14600;
    w->drop = drop_one_of_many;
    open_both(w);
    run(w, 100 * ms);
    const struct endpoint_counts *counts = endpoint_counts(w->side[A].endpoint);
    cr_assert_eq(w->side[B].read, 14600, "%llu", (unsigned long long)w->side[B].read);
    cr_assert_eq(counts->again, 1);
    cr_assert_eq(counts->timeouts, 0);
    cr_assert_eq(counts->recoveries, 1);
    world_end(w);
}

Test(endpoint, without_sack_three_duplicate_acks_do)
{
    struct endpoint_settings s = usual();
    s.sack = false;
    struct world *w = world_of(&s, &s);
    w->side[A].to_write = 14600;
    w->drop = drop_one_of_many;
    open_both(w);
    run(w, 150 * ms);
    cr_assert_eq(w->side[B].read, 14600);
    cr_assert_eq(endpoint_counts(w->side[A].endpoint)->again, 1);
    cr_assert_eq(endpoint_counts(w->side[A].endpoint)->timeouts, 0);
    world_end(w);
}

static bool drop_first_three_copies(struct world *w, unsigned from, const struct endpoint_segment *g)
{
    return from == A && g->payload.left && g->seq == 1001 && w->dropped < 3;
}

Test(endpoint, what_was_sent_again_and_lost_again_is_noticed_by_what_was_sent_later)
{
    struct world *w = world();
    w->side[A].to_write = 400000;
    w->drop = drop_first_three_copies;
    open_both(w);
    run(w, 2 * sec);
    cr_assert_eq(w->side[B].read, 400000);
    cr_assert_eq(endpoint_counts(w->side[A].endpoint)->timeouts, 0);
    world_end(w);
}

static int64_t dropped_at[16];

static bool drop_from_a(struct world *w, unsigned from, const struct endpoint_segment *g)
{
    if (from != A || !g->payload.left)
        return false;
    if (w->dropped < 16)
        dropped_at[w->dropped] = w->now;
    return true;
}

/* A window that halves at each loss and grows by a segment a round trip holds sqrt(1.5 / p) segments on average, which
 * are 5.5 here. */
Test(endpoint, of_a_wire_that_goes_on_losing_no_more_is_taken_than_reno_takes)
{
    for (unsigned seed = 1; seed <= 8; seed++) {
        struct world *w = world();
        w->seed = seed;
        w->loss = 50;
        w->twice = 20;
        w->overtaking = 50;
        w->side[A].to_write = UINT64_MAX;
        open_both(w);
        run(w, 60 * sec);
        uint64_t segments = w->side[B].read / 1448, rounds = (uint64_t)(60 * sec / (2 * w->delay));
        cr_assert(segments > 4 * rounds && segments < 6 * rounds, "%llu segments in %llu round trips",
                  (unsigned long long)segments, (unsigned long long)rounds);
        world_end(w);
    }
}

Test(endpoint, timeouts_double_and_it_is_given_up_in_the_end)
{
    struct endpoint_settings s = usual();
    s.retries = 5;
    struct world *w = world_of(&s, &s);
    w->side[A].to_write = 100;
    w->drop = drop_from_a;
    open_both(w);
    while (!endpoint_end(w->side[A].endpoint))
        cr_assert(step(w, 200 * sec));
    cr_assert_eq(endpoint_end(w->side[A].endpoint), ENDPOINT_TIMED_OUT);
    cr_assert_eq(w->dropped, 6);
    cr_assert_eq(dropped_at[1] - dropped_at[0], 200 * ms);
    for (unsigned i = 2; i < 6; i++)
        cr_assert_eq(dropped_at[i] - dropped_at[i - 1], 2 * (dropped_at[i - 1] - dropped_at[i - 2]));
    world_end(w);
}

static bool drop_all(struct world *w, unsigned from, const struct endpoint_segment *g)
{
    (void)w;
    (void)from;
    (void)g;
    return true;
}

Test(endpoint, a_syn_is_sent_seven_times_from_a_second_on)
{
    struct world *w = world();
    w->drop = drop_all;
    endpoint_connect(w->side[A].endpoint, w->now);
    int64_t begun = w->now;
    while (!endpoint_end(w->side[A].endpoint))
        cr_assert(step(w, INT64_MAX - 1));
    cr_assert_eq(endpoint_end(w->side[A].endpoint), ENDPOINT_TIMED_OUT);
    cr_assert_eq(w->side[A].sent, 7);
    cr_assert_eq(w->now - begun, (1 + 2 + 4 + 8 + 16 + 32 + 60) * sec); /* the last one would be 64 */
    world_end(w);
}

/* ---- windows */

Test(endpoint, a_closed_window_is_probed_and_its_opening_told)
{
    struct endpoint_settings s = usual();
    s.receive_buffer = 16384;
    struct world *w = world_of(&s, &s);
    w->side[A].to_write = 100000;
    w->side[B].slow = true;
    open_both(w);
    run(w, 20 * sec);
    cr_assert_eq(w->side[B].read, 0);
    cr_assert_geq(w->side[A].notices[NOTICE_PROBE], 4);
    cr_assert_leq(w->side[A].notices[NOTICE_PROBE], 8);
    cr_assert_eq(endpoint_counts(w->side[A].endpoint)->timeouts, 0);
    cr_assert_eq(endpoint_readable(w->side[B].endpoint).left, 16384);
    w->side[B].slow = false;
    run(w, sec);
    cr_assert_eq(w->side[B].read, 100000);
    world_end(w);
}

Test(endpoint, a_window_stays_closed_for_an_hour_and_the_connection_lives)
{
    struct endpoint_settings s = usual();
    s.receive_buffer = 8192;
    struct world *w = world_of(&s, &s);
    w->side[A].to_write = 50000;
    w->side[B].slow = true;
    w->loss = 100;
    open_both(w);
    run(w, 3600 * sec);
    cr_assert_eq(endpoint_state(w->side[A].endpoint), TCP_ESTABLISHED);
    w->side[B].slow = false;
    run(w, 600 * sec);
    cr_assert_eq(w->side[B].read, 50000);
    world_end(w);
}

Test(endpoint, a_small_write_waits_for_the_ack_of_the_one_before_unless_told_not_to)
{
    for (unsigned no_delay = 0; no_delay < 2; no_delay++) {
        struct endpoint_settings s = usual();
        s.no_delay = no_delay;
        struct world *w = world_of(&s, &s);
        open_both(w);
        run(w, sec);
        unsigned before = w->side[A].sent;
        for (unsigned i = 0; i < 5; i++) {
            w->side[A].to_write++;
            use(&w->side[A], w->now);
        }
        cr_assert_eq(w->side[A].sent - before, no_delay ? 5 : 1);
        run(w, sec);
        cr_assert_eq(w->side[B].read, 5);
        world_end(w);
    }
}

Test(endpoint, a_silly_window_is_not_offered)
{
    struct endpoint_settings s = usual();
    s.receive_buffer = 16384;
    struct world *w = world_of(&s, &s);
    w->side[A].to_write = 100000;
    w->side[B].slow = true;
    open_both(w);
    run(w, 2 * sec);
    unsigned before = w->side[B].sent;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t at = w->side[B].read++;
        cr_assert_eq(endpoint_readable(w->side[B].endpoint).at[0], pattern(A, at));
        endpoint_consume(w->side[B].endpoint, 1, w->now);
    }
    cr_assert_eq(w->side[B].sent, before);
    world_end(w);
}

/* ---- what is not acceptable: RFC 5961 */

static struct world *established(void)
{
    struct world *w = world();
    w->side[A].to_write = 10;
    open_both(w);
    run(w, sec);
    cr_assert_eq(endpoint_state(w->side[B].endpoint), TCP_ESTABLISHED);
    return w;
}

/* To B, as if from A. */
static void forge(struct world *w, uint16_t flags, int32_t ahead, uint32_t ack)
{
    struct endpoint_segment g = { .flags = flags,
                                  .seq = w->side[A].last.seq + (uint32_t)ahead,
                                  .ack = ack,
                                  .window = 1000,
                                  .timestamps = true,
                                  .ts_value = w->side[A].last.ts_value + 1000 };
    endpoint_take(w->side[B].endpoint, &g, w->now);
}

static uint32_t next_of_a(const struct world *w)
{
    return 1001 + (uint32_t)w->side[A].to_write;
}

Test(endpoint, only_the_exact_number_resets_and_others_in_the_window_are_challenged)
{
    struct world *w = established();
    struct side *b = &w->side[B];
    w->side[A].last.seq = next_of_a(w);
    unsigned before = b->sent;
    forge(w, TCP_RST, 1, 0);
    cr_assert_eq(b->notices[NOTICE_CHALLENGE], 1);
    cr_assert_eq(b->sent, before + 1);
    cr_assert_eq(b->last.flags, TCP_ACK);
    forge(w, TCP_RST, -1, 0);
    forge(w, TCP_RST, 1 << 24, 0);
    cr_assert_eq(b->sent, before + 1);
    cr_assert_eq(endpoint_state(b->endpoint), TCP_ESTABLISHED);
    forge(w, TCP_RST, 0, 0);
    cr_assert_eq(endpoint_end(b->endpoint), ENDPOINT_RESET);
    world_end(w);
}

Test(endpoint, a_syn_in_a_connection_is_challenged_wherever_it_lies)
{
    struct world *w = established();
    struct side *b = &w->side[B];
    w->side[A].last.seq = next_of_a(w);
    static const int32_t where[] = { 0, 500, -500, 1 << 28 };
    for (unsigned i = 0; i < 4; i++) {
        unsigned before = b->sent;
        forge(w, TCP_SYN, where[i], 0);
        cr_assert_eq(b->sent, before + 1);
        cr_assert_eq(b->last.flags, TCP_ACK);
        cr_assert_eq(b->last.ack, next_of_a(w));
    }
    cr_assert_eq(endpoint_state(b->endpoint), TCP_ESTABLISHED);
    world_end(w);
}

Test(endpoint, an_ack_of_what_was_never_sent_is_challenged)
{
    struct world *w = established();
    struct side *b = &w->side[B];
    w->side[A].last.seq = next_of_a(w);
    unsigned before = b->sent;
    forge(w, TCP_ACK, 0, b->last.seq + 1000);
    forge(w, TCP_ACK, 0, b->last.seq - (1u << 30));
    cr_assert_eq(b->sent, before + 2);
    cr_assert_eq(b->notices[NOTICE_CHALLENGE], 2);
    world_end(w);
}

Test(endpoint, challenges_have_a_limit)
{
    struct world *w = established();
    struct side *b = &w->side[B];
    w->side[A].last.seq = next_of_a(w);
    unsigned before = b->sent;
    for (unsigned i = 0; i < 1000; i++)
        forge(w, TCP_RST, 1, 0);
    cr_assert_leq(b->sent - before, 10);
    world_end(w);
}

Test(endpoint, a_segment_with_an_old_timestamp_is_dropped)
{
    struct world *w = established();
    struct side *b = &w->side[B];
    uint8_t byte = 'x';
    struct endpoint_segment g = { .flags = TCP_ACK,
                                  .seq = next_of_a(w),
                                  .ack = b->last.seq,
                                  .payload = { &byte, 1 },
                                  .timestamps = true,
                                  .ts_value = w->side[A].last.ts_value - 5000 };
    endpoint_take(b->endpoint, &g, w->now);
    cr_assert_eq(b->notices[NOTICE_OLD], 1);
    cr_assert_eq(endpoint_readable(b->endpoint).left, 0);
    world_end(w);
}

Test(endpoint, a_syn_that_is_refused_says_so)
{
    struct world *w = world();
    w->drop = drop_all;
    endpoint_connect(w->side[A].endpoint, w->now);
    struct endpoint_segment g = { .flags = TCP_RST | TCP_ACK, .ack = 999 };
    endpoint_take(w->side[A].endpoint, &g, w->now);
    cr_assert_eq(endpoint_state(w->side[A].endpoint), TCP_SYN_SENT);
    g.ack = 1001;
    endpoint_take(w->side[A].endpoint, &g, w->now);
    cr_assert_eq(endpoint_end(w->side[A].endpoint), ENDPOINT_REFUSED);
    world_end(w);
}

Test(endpoint, an_answer_to_another_syn_is_reset)
{
    struct world *w = world();
    w->drop = drop_all;
    endpoint_connect(w->side[A].endpoint, w->now);
    struct endpoint_segment g = { .flags = TCP_SYN | TCP_ACK, .seq = 5, .ack = 77 };
    endpoint_take(w->side[A].endpoint, &g, w->now);
    cr_assert_eq(w->side[A].last.flags, TCP_RST);
    cr_assert_eq(w->side[A].last.seq, 77);
    cr_assert_eq(endpoint_state(w->side[A].endpoint), TCP_SYN_SENT);
    world_end(w);
}

Test(endpoint, abort_resets_the_other_end)
{
    struct world *w = established();
    endpoint_abort(w->side[A].endpoint, w->now);
    cr_assert_eq(w->side[A].last.flags & TCP_RST, TCP_RST);
    run(w, sec);
    cr_assert_eq(endpoint_end(w->side[B].endpoint), ENDPOINT_RESET);
    world_end(w);
}

Test(endpoint, an_icmp_error_ends_a_syn_and_nothing_later)
{
    struct world *w = established();
    uint32_t seq = w->side[A].last.seq;
    w->side[A].to_write += 10;
    use(&w->side[A], w->now);
    endpoint_unreachable(w->side[A].endpoint, seq, true, w->now);
    cr_assert_eq(endpoint_state(w->side[A].endpoint), TCP_ESTABLISHED);
    world_end(w);
    w = world();
    endpoint_connect(w->side[A].endpoint, w->now);
    endpoint_unreachable(w->side[A].endpoint, 5, true, w->now); /* about something else */
    cr_assert_eq(endpoint_state(w->side[A].endpoint), TCP_SYN_SENT);
    endpoint_unreachable(w->side[A].endpoint, 1000, true, w->now);
    cr_assert_eq(endpoint_end(w->side[A].endpoint), ENDPOINT_UNREACHABLE);
    world_end(w);
}

static unsigned narrow;

/* An endpoint must not be called back while it sends; so what is too long is remembered, and told a step later. */
static uint32_t too_long;
static bool told;

static bool remember_long_ones(struct world *w, unsigned from, const struct endpoint_segment *g)
{
    (void)w;
    if (from != A || g->payload.left + g->more.left <= narrow)
        return false;
    too_long = g->seq;
    told = true;
    return true;
}

Test(endpoint, segments_become_shorter_when_the_path_is_narrower)
{
    struct world *w = world();
    narrow = 500;
    w->drop = remember_long_ones;
    w->side[A].to_write = 50000;
    w->side[A].closes_first = true;
    open_both(w);
    while (step(w, w->now + 10 * sec) && !endpoint_end(w->side[A].endpoint))
        if (told) {
            told = false;
            endpoint_limit(w->side[A].endpoint, too_long, (uint16_t)(narrow + 12), w->now);
        }
    in_order(w);
    cr_assert_eq(endpoint_counts(w->side[A].endpoint)->timeouts, 0);
    world_end(w);
}

/* ---- acknowledging */

Test(endpoint, every_second_full_segment_is_acknowledged)
{
    struct world *w = world();
    w->side[A].to_write = 2000000;
    open_both(w);
    run(w, 20 * sec);
    cr_assert_eq(w->side[B].read, 2000000);
    unsigned data = w->side[A].sent, acks = w->side[B].sent;
    cr_assert_lt(acks, data * 6 / 10, "%u for %u", acks, data);
    cr_assert_gt(acks, data * 4 / 10, "%u for %u", acks, data);
    world_end(w);
}

Test(endpoint, a_small_segment_is_acknowledged_within_a_twentieth_of_a_second)
{
    struct world *w = world();
    w->side[A].to_write = 2000000;
    open_both(w);
    run(w, 20 * sec); /* the first ones are not delayed */
    w->side[A].to_write++;
    unsigned before = w->side[B].sent;
    run(w, 11 * ms);
    cr_assert_eq(w->side[B].sent, before);
    run(w, 50 * ms);
    cr_assert_eq(w->side[B].sent, before + 1);
    world_end(w);
}

Test(endpoint, blocks_tell_of_what_came_ahead_the_latest_first)
{
    struct world *w = established();
    struct side *b = &w->side[B];
    uint8_t text[100] = { 0 };
    struct endpoint_segment g = { .flags = TCP_ACK,
                                  .ack = b->last.seq,
                                  .payload = { text, 100 },
                                  .timestamps = true,
                                  .ts_value = w->side[A].last.ts_value,
                                  .window = 1000 };
    uint32_t next = next_of_a(w);
    static const uint32_t at[] = { 200, 600, 400, 1000 };
    for (unsigned i = 0; i < 4; i++) {
        g.seq = next + at[i];
        endpoint_take(b->endpoint, &g, w->now);
    }
    cr_assert_eq(b->last.sack_count, 3);
    cr_assert_eq(b->last.sacks[0].left, next + 1000);
    cr_assert_eq(b->last.sacks[1].left, next + 400);
    cr_assert_eq(b->last.sacks[2].left, next + 600);
    g.seq = next + 600; /* again: RFC 2883 */
    endpoint_take(b->endpoint, &g, w->now);
    cr_assert_eq(b->last.sacks[0].left, next + 600);
    cr_assert_eq(b->last.sacks[0].right, next + 700);
    world_end(w);
}
