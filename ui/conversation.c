/* The screen Conversation: one conversation as a ladder, as the bytes that both ends read, and as a plot of its
 * sequence numbers over time. */
#include "base/array.h"
#include "base/digits.h"
#include "base/text.h"
#include "output/follow.h"
#include "output/ladder.h"
#include "output/netstat.h"
#include "protocol/protocol.h"
#include "ui/app.h"
#include "ui/pages.h"
#include <stdlib.h>

enum { VIEW_LADDER, VIEW_STREAM, VIEW_PLOT, VIEWS };
enum { WORDS = 4096, PACKETS_SLICE = 64, POINTS_MAX = 1 << 18, READ_BLOCK = 256 << 10, IP_TCP = 6 };

static const char *const view_names[VIEWS] = { N_("ladder"), N_("stream"), N_("plot") };

/* A segment, for the plot. */
struct point {
    int64_t time;      /* since the first one */
    uint64_t from, to; /* bytes of the stream; TCP: relative numbers */
    uint64_t ack;      /* 0: none */
    uint8_t end;       /* who sent it: 0 the client */
    bool again;
};

struct talk {
    /* what it is made of */
    unsigned protocol;
    uint32_t stream;
    int width;
    bool hex, begun, finished, ladder_open, follow_open;
    struct store_reader *reader;
    uint64_t looked; /* packets whose words were looked at */
    uint64_t packets;
    uint32_t *found; /* owned: packets of it that wait to be read */
    uint32_t found_count, found_at;
    struct ladder ladder;
    struct follow follow;
    uint64_t number; /* the packet that is being told */
    /* what was made */
    struct pages ladder_page, stream_page;
    struct point *points; /* owned */
    uint32_t point_count, point_room;
    uint64_t sent[2]; /* UDP: bytes so far */
    int64_t first_time;
    uint32_t flow; /* its entry, FLOW_NONE: not looked up */
    /* how it is shown */
    int view;
    unsigned direction; /* of the plot */
    struct area body;
    struct buffer scratch, line;
};

static int open_state(struct app *app, void **state, struct error *error)
{
    struct talk *t = calloc(1, sizeof *t);
    *state = t;
    if (t)
        t->found = calloc(WORDS, sizeof *t->found);
    if (!t || !t->found || pages_open(&t->ladder_page) || pages_open(&t->stream_page) ||
        buffer_open(&t->scratch, -1, 4096) || buffer_open(&t->line, -1, 4096))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    t->flow = FLOW_NONE;
    return store_reader_open(&t->reader, app->store, READ_BLOCK, error);
}

static void end_making(struct talk *t)
{
    struct buffer *out = &t->scratch;
    out->at = out->start;
    if (t->ladder_open)
        ladder_close(&t->ladder);
    if (t->follow_open)
        follow_finish(&t->follow, out);
    t->ladder_open = t->follow_open = false;
    out->at = out->start;
}

static void close_state(void *state)
{
    struct talk *t = state;
    if (!t)
        return;
    end_making(t);
    store_reader_close(t->reader);
    pages_close(&t->ladder_page);
    pages_close(&t->stream_page);
    buffer_free(&t->scratch);
    buffer_free(&t->line);
    free(t->found);
    free(t->points);
    free(t);
}

/* --- making --- */

static enum paint step_paint(const struct ladder_step *step)
{
    return step->mood == LADDER_WRONG     ? PAINT_BAD
           : step->mood == LADDER_NOTABLE ? PAINT_WARN
           : step->look == LADDER_PAUSE   ? PAINT_DIM
                                          : PAINT_PLAIN;
}

/* A step's lines go onto the page, with the packet that they are of. */
static void draw_step(struct ladder *ladder, struct buffer *out, const struct ladder_step *step)
{
    struct talk *t = ladder->context;
    out->at = out->start;
    ladder_draw_lines(ladder, out, step);
    pages_add(&t->ladder_page, out->start, buffer_used(out), step->number, step_paint(step));
    out->at = out->start;
}

static bool begin_making(struct app *app, struct talk *t, int width)
{
    end_making(t);
    pages_clear(&t->ladder_page);
    pages_clear(&t->stream_page);
    struct style plain = { .ascii = app->style.ascii };
    t->begun = true;
    t->finished = false;
    t->width = width;
    if (t->protocol != app->protocol || t->stream != app->stream) {
        pages_home(&t->ladder_page);
        pages_home(&t->stream_page);
        t->flow = FLOW_NONE;
    }
    t->protocol = app->protocol;
    t->stream = app->stream;
    t->looked = t->packets = 0;
    t->found_count = t->found_at = t->point_count = 0;
    t->sent[0] = t->sent[1] = 0;
    width--; /* a sign stands in front */
    if (ladder_open(&t->ladder, &plain, (unsigned)(width < LADDER_COLUMNS_LEAST ? LADDER_COLUMNS_LEAST : width)))
        return false;
    t->ladder_open = true;
    t->ladder.fold = true;
    t->ladder.draw = draw_step;
    t->ladder.context = t;
    follow_open(&t->follow, &plain, t->hex ? FOLLOW_HEX : FOLLOW_ASCII);
    t->follow.unpack = !t->hex;
    t->follow_open = true;
    return true;
}

static bool is_of(const struct talk *t, const struct journal_word *word)
{
    return word->stream == t->stream && word->bits & (t->protocol == IP_TCP ? JOURNAL_TCP : JOURNAL_UDP);
}

/* The next packets that belong to it, if any. */
static bool look_for_more(struct app *app, struct talk *t)
{
    static struct journal_word words[WORDS];
    if (t->found_at < t->found_count)
        return true;
    t->found_at = t->found_count = 0;
    size_t n = journal_words(store_journal(app->store), t->looked + 1, words, WORDS);
    for (size_t i = 0; i < n; i++)
        if (is_of(t, &words[i]))
            t->found[t->found_count++] = (uint32_t)(t->looked + 1 + i);
    t->looked += n;
    return n;
}

/* The layer that is the conversation's. */
static const struct layer *layer_of(const struct talk *t, const struct packet *p)
{
    for (unsigned i = p->layer_count; i-- > 0;) {
        const struct layer *l = &p->layers[i];
        const struct note *note = layer_note(p, l);
        bool tcp = l->protocol->hot == HOT_TCP;
        if (note && !(l->flags & LAYER_QUOTED) && note->have >> NOTE_STREAM & 1 && note->stream == t->stream &&
            tcp == (t->protocol == IP_TCP))
            return l;
    }
    return NULL;
}

static void add_point(struct talk *t, const struct packet *p, const struct layer *l)
{
    const struct note *note = layer_note(p, l);
    if (t->point_count == POINTS_MAX || !p->timed)
        return;
    if (!array_grow(&t->points, sizeof *t->points, t->point_count, &t->point_room))
        return;
    if (!t->point_count)
        t->first_time = p->time;
    struct point *point = &t->points[t->point_count++];
    unsigned end = ends_sender(&t->follow.ends, p, l);
    uint32_t length = layer_payload_length(l);
    bool tcp = t->protocol == IP_TCP;
    *point = (struct point){ .time = p->time - t->first_time, .end = (uint8_t)end };
    point->from = tcp ? note->seq : t->sent[end];
    point->to = point->from + length;
    point->ack = tcp && note->have >> NOTE_ACK & 1 ? note->ack : 0;
    point->again = note->have & (UINT64_C(1) << NOTE_RETRANSMISSION | UINT64_C(1) << NOTE_FAST_RETRANSMISSION |
                                 UINT64_C(1) << NOTE_SPURIOUS_RETRANSMISSION);
    t->sent[end] += length;
}

static void tell(struct talk *t, uint64_t number)
{
    const struct packet *p = store_packet(t->reader, number, NULL);
    const struct layer *l = p ? layer_of(t, p) : NULL;
    if (!l)
        return;
    t->packets++;
    t->number = number;
    struct buffer *out = &t->scratch;
    out->at = out->start;
    if (!pages_full(&t->ladder_page))
        ladder_take(&t->ladder, out, p, l);
    ends_learn(&t->follow.ends, p, l);
    out->at = out->start;
    if (!pages_full(&t->stream_page)) {
        follow_take(&t->follow, out, p, l);
        pages_append(&t->stream_page, out->start, buffer_used(out), number);
    }
    out->at = out->start;
    add_point(t, p, l);
}

/* What the ladder still keeps, and, if nothing can come any more, what the stream does. */
static void settle(struct app *app, struct talk *t)
{
    struct buffer *out = &t->scratch;
    out->at = out->start;
    bool over = store_state(app->store) == STORE_READY;
    if (over)
        ladder_finish(&t->ladder, out);
    else
        ladder_settle(&t->ladder, out);
    if (buffer_used(out))
        pages_add(&t->ladder_page, out->start, buffer_used(out), 0, PAINT_PLAIN);
    out->at = out->start;
    if (over && t->follow_open) {
        follow_finish(&t->follow, out);
        t->follow_open = false;
        pages_append(&t->stream_page, out->start, buffer_used(out), 0);
        out->at = out->start;
    }
    t->finished = over;
    app->dirty = true;
}

static bool step(struct app *app, void *state, int64_t deadline)
{
    struct talk *t = state;
    if (app->screen != SCREEN_CONVERSATION || !t->begun || !t->protocol)
        return false;
    if (t->finished) {
        if (t->looked < store_tracked(app->store))
            t->begun = false; /* a file that grew: from the beginning */
        return false;
    }
    bool some = false;
    while (look_for_more(app, t)) {
        some = true;
        for (unsigned i = 0; i < PACKETS_SLICE && t->found_at < t->found_count; i++)
            tell(t, t->found[t->found_at++]);
        if (monotonic() >= deadline)
            return true;
    }
    if (some || store_state(app->store) == STORE_READY)
        settle(app, t);
    return false;
}

/* --- the plot: time to the right, numbers up --- */

struct canvas {
    uint8_t *cells; /* owned: the dots of a braille character */
    uint8_t *looks; /* owned: 1 data, 2 acknowledged, 4 sent again */
    int width, height;
};

static void dot(struct canvas *c, int64_t x, int64_t y, uint8_t look)
{
    static const uint8_t dots[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    if (x < 0 || y < 0 || x >= c->width * 2 || y >= c->height * 4)
        return;
    int64_t row = c->height * 4 - 1 - y;
    size_t at = (size_t)(row / 4 * c->width + x / 2);
    c->cells[at] |= dots[row % 4][x % 2];
    c->looks[at] |= look;
}

static void draw_canvas(const struct canvas *c, int y, int x)
{
    for (int row = 0; row < c->height; row++)
        for (int column = 0; column < c->width; column++) {
            size_t at = (size_t)(row * c->width + column);
            uint8_t look = c->looks[at], cell = c->cells[at];
            if (!cell)
                continue;
            char text[4] = { (char)0xe2, (char)(0xa0 | cell >> 6), (char)(0x80 | (cell & 0x3f)), 0 };
            const char *ascii = look & 4 ? "R" : look & 1 ? "#" : ".";
            enum paint paint = look & 4 ? PAINT_BAD : look & 1 ? PAINT_CLIENT : PAINT_SERVER;
            draw_text(y + row, x + column, 1, draw_sign(text, ascii), paint);
        }
}

static void plot_points(const struct talk *t, struct canvas *c, int64_t last, uint64_t low, uint64_t high)
{
    double across = (double)(c->width * 2 - 1) / (double)(last ? last : 1);
    double up = (double)(c->height * 4 - 1) / (double)(high > low ? high - low : 1);
    for (uint32_t i = 0; i < t->point_count; i++) {
        const struct point *p = &t->points[i];
        int64_t x = (int64_t)((double)p->time * across);
        if (p->end == t->direction && p->to > p->from && p->from >= low && p->to <= high)
            for (int64_t y = (int64_t)((double)(p->from - low) * up); y <= (int64_t)((double)(p->to - low) * up); y++)
                dot(c, x, y, p->again ? 5 : 1);
        else if (p->end != t->direction && p->ack >= low && p->ack <= high)
            dot(c, x, (int64_t)((double)(p->ack - low) * up), 2);
    }
}

static void draw_axes(const struct talk *t, struct area area, int64_t last, uint64_t low, uint64_t high)
{
    char text[64], number[32];
    int bottom = area.y + area.height - 2, left = 10;
    for (int i = 0; i < area.height - 2; i++)
        draw_text(area.y + i, area.x + left, 1, draw_sign("│", "|"), PAINT_DIM);
    draw_rule(bottom, area.x + left, area.width - left, NULL, PAINT_DIM);
    draw_text(bottom, area.x + left, 1, draw_sign("└", "+"), PAINT_DIM);
    draw_right(area.y, area.x, left - 1, grouped(number, high), PAINT_DIM);
    draw_right(bottom - 1, area.x, left - 1, grouped(number, low), PAINT_DIM);
    draw_text(bottom + 1, area.x + left, 4, "0 s", PAINT_DIM);
    snprintf(text, sizeof text, "%.6g s", (double)last / 1e9);
    draw_right(bottom + 1, area.x + left, area.width - left, text, PAINT_DIM);
    snprintf(text, sizeof text, _("%s sent %s, acknowledged %s, again %s"), t->direction ? _("server") : _("client"),
             draw_sign("⣿", "#"), draw_sign("⠂", "."), draw_sign("⣿", "R"));
    draw_text(bottom + 1, area.x + left + 6, area.width - left - 20, text, PAINT_DIM);
}

static void draw_plot(const struct talk *t, struct area area)
{
    struct canvas c = { .width = area.width - 11, .height = area.height - 2 };
    int64_t last = 0;
    uint64_t low = UINT64_MAX, high = 0;
    for (uint32_t i = 0; i < t->point_count; i++) {
        const struct point *p = &t->points[i];
        last = p->time > last ? p->time : last;
        if (p->end != t->direction || p->to == p->from)
            continue;
        low = p->from < low ? p->from : low;
        high = p->to > high ? p->to : high;
    }
    if (c.width < 4 || c.height < 2)
        return;
    if (high <= low) {
        draw_paragraph(area.y + 1, (struct area){ area.y, area.x + 4, area.height, area.width - 8 },
                       _("this end sent no data; s shows the other one"), PAINT_DIM);
        return;
    }
    c.cells = calloc((size_t)c.width * (size_t)c.height, 1);
    c.looks = calloc((size_t)c.width * (size_t)c.height, 1);
    if (c.cells && c.looks) {
        plot_points(t, &c, last, low, high);
        draw_axes(t, area, last, low, high);
        draw_canvas(&c, area.y, area.x + 11);
    }
    free(c.cells);
    free(c.looks);
}

/* --- drawing --- */

/* The conversation's entry in the tracker's table; it may have been forgotten. */
static const struct flow *flow_of(struct app *app, struct talk *t)
{
    const struct flow_table *flows = &store_tracker(app->store)->flows;
    if (t->flow == FLOW_NONE)
        t->flow = flow_by_stream(flows, (uint8_t)t->protocol, t->stream);
    const struct flow *f = t->flow != FLOW_NONE ? flow_at(flows, t->flow) : NULL;
    return f && !(f->flags & FLOW_FREE) && f->stream == t->stream && f->protocol == t->protocol ? f : NULL;
}

static void draw_title(struct app *app, struct talk *t, struct area area)
{
    char text[256], number[32], bytes[32];
    const struct flow *f = flow_of(app, t);
    const char *dot_sign = draw_sign(" · ", " - ");
    int x = area.x + 1, end = area.x + area.width;
    snprintf(text, sizeof text, "%s %u%s", t->protocol == IP_TCP ? "tcp" : "udp", t->stream, dot_sign);
    x += draw_text(area.y, x, end - x, text, PAINT_BOLD);
    if (f) {
        const struct flow_table *flows = &store_tracker(app->store)->flows;
        unsigned client = flow_client(f);
        int widest = (area.width - 38) / 2; /* what follows tells something, too */
        widest = widest < 21 ? 21 : widest;
        for (unsigned i = 0; i < 2; i++) {
            uint8_t room[4];
            unsigned which = i ? !client : client;
            char *to =
                netstat_end(text, flow_address(flows, f, which, room), f->flags & FLOW_IPV6 ? 16 : 4, f->port[which]);
            int most = end - x < widest ? end - x : widest;
            x += draw_middle(area.y, x, most, text, (size_t)(to - text), i ? PAINT_SERVER : PAINT_CLIENT);
            if (!i)
                x += draw_text(area.y, x, end - x, draw_sign(" ⇄ ", " <> "), PAINT_DIM);
        }
        snprintf(text, sizeof text, _("%s%s packets%s%s"), dot_sign,
                 grouped(number, (uint64_t)f->packets[0] + f->packets[1]), dot_sign,
                 draw_bytes(bytes, f->bytes[0] + f->bytes[1]));
        x += draw_text(area.y, x, end - x, text, PAINT_PLAIN);
        if (t->protocol == IP_TCP && end - x > 14) {
            snprintf(text, sizeof text, "%s%s / %s", dot_sign, tcp_state_name(f->end[client].state),
                     tcp_state_name(f->end[!client].state));
            draw_text(area.y, x, end - x, text, PAINT_DIM);
        }
    }
    draw_rule(area.y + 1, area.x, area.width, NULL, PAINT_DIM);
    x = area.x + 1;
    for (int i = 0; i < VIEWS; i++) {
        snprintf(text, sizeof text, i == t->view ? "[%s]" : " %s ", _(view_names[i]));
        x += draw_text(area.y + 1, x, end - x, text, i == t->view ? PAINT_KEY : PAINT_DIM);
    }
    if (t->view == VIEW_STREAM && t->hex)
        draw_text(area.y + 1, x + 1, end - x, _(" hex "), PAINT_DIM);
}

/* The conversation of the selected packet, where nobody chose one. */
static void choose(struct app *app)
{
    struct journal_word word;
    if (app->protocol || !journal_words(store_journal(app->store), app->selected, &word, 1))
        return;
    if (word.bits & (JOURNAL_TCP | JOURNAL_UDP))
        app_converse(app, word.bits & JOURNAL_TCP ? IP_TCP : 17, word.stream);
}

static void draw(struct app *app, void *state, struct area area)
{
    struct talk *t = state;
    choose(app);
    for (int i = 0; i < area.height; i++)
        draw_fill(area.y + i, area.x, area.width, PAINT_PLAIN);
    if (!app->protocol) {
        draw_paragraph(area.y + 1, (struct area){ area.y, area.x + 4, area.height, area.width - 8 },
                       _("no conversation: choose one on screen Sockets, or a packet of one on screen Packets"),
                       PAINT_DIM);
        return;
    }
    if (!t->begun || t->protocol != app->protocol || t->stream != app->stream || t->width != area.width)
        begin_making(app, t, area.width);
    draw_title(app, t, area);
    t->body = (struct area){ area.y + 2, area.x, area.height - 2, area.width };
    if (t->view == VIEW_LADDER)
        pages_draw(&t->ladder_page, t->body);
    else if (t->view == VIEW_STREAM)
        pages_draw(&t->stream_page, t->body);
    else
        draw_plot(t, t->body);
}

/* --- keys --- */

static struct pages *page_of(struct talk *t)
{
    return t->view == VIEW_LADDER ? &t->ladder_page : t->view == VIEW_STREAM ? &t->stream_page : NULL;
}

static void open_packet(struct app *app, struct talk *t)
{
    struct pages *page = page_of(t);
    uint64_t number = page ? pages_number(page) : 0;
    if (!number)
        return;
    app_show(app, SCREEN_PACKETS);
    app_select(app, number, true);
}

static void go_to_conversation(struct app *app, struct talk *t, int by)
{
    const struct tracker *tracker = store_tracker(app->store);
    uint32_t count = t->protocol == IP_TCP ? tracker->tcp_streams : tracker->udp_streams;
    if ((by < 0 && !app->stream) || (by > 0 && app->stream + 1 >= count)) {
        app_say(app, PAINT_DIM, "%s", _("there are no more"));
        return;
    }
    app_converse(app, app->protocol, app->stream + (uint32_t)by);
    app->dirty = true;
}

static void switch_look(struct talk *t)
{
    if (t->view == VIEW_PLOT)
        t->direction = !t->direction;
    if (t->view != VIEW_STREAM)
        return;
    t->hex = !t->hex;
    t->begun = false;
}

static bool act(struct app *app, void *state, enum action action)
{
    struct talk *t = state;
    struct pages *page = page_of(t);
    switch (action) {
    case ACT_NEXT_PANE:
    case ACT_RIGHT:
        t->view = (t->view + 1) % VIEWS;
        return true;
    case ACT_PREVIOUS_PANE:
    case ACT_LEFT:
        t->view = (t->view + VIEWS - 1) % VIEWS;
        return true;
    case ACT_OPEN:
        open_packet(app, t);
        return true;
    case ACT_FOLLOW:
        app_follow(app, app->protocol, app->stream);
        app_show(app, SCREEN_PACKETS);
        return true;
    case ACT_STREAM_NEXT:
    case ACT_STREAM_PREVIOUS:
        go_to_conversation(app, t, action == ACT_STREAM_NEXT ? 1 : -1);
        return true;
    case ACT_SORT:
        switch_look(t);
        return true;
    case ACT_COPY:
        if (page)
            pages_copy(page, app);
        return true;
    default:
        return page && pages_act(page, action);
    }
}

static void on_mouse(struct app *app, void *state, const struct mouse *mouse)
{
    struct talk *t = state;
    struct pages *page = page_of(t);
    if (mouse->y == t->body.y - 1) {
        t->view = mouse->x < 9 ? VIEW_LADDER : mouse->x < 17 ? VIEW_STREAM : VIEW_PLOT;
        return;
    }
    if (!page)
        return;
    if (mouse->what == MOUSE_UP || mouse->what == MOUSE_DOWN)
        pages_move(page, mouse->what == MOUSE_UP ? -3 : 3);
    else if (mouse->y >= t->body.y)
        pages_click(page, mouse->y - t->body.y);
    if (mouse->what == MOUSE_DOUBLE)
        open_packet(app, t);
}

const struct screen conversation_screen = {
    .title = N_("Conversation"),
    .footer = (const uint8_t[]){ ACT_NEXT_PANE, ACT_OPEN, ACT_STREAM_PREVIOUS, ACT_STREAM_NEXT, ACT_FOLLOW, ACT_SORT,
                                 ACT_HELP, ACT_COPY, ACT_QUIT, 0 },
    .open = open_state,
    .close = close_state,
    .draw = draw,
    .act = act,
    .mouse = on_mouse,
    .step = step,
};
