/* How the screen Sockets looks: the slider, words about what is shown, the table. */
#include "base/digits.h"
#include "base/text.h"
#include "output/netstat.h"
#include "ui/sockets_parts.h"

enum { SLIDER_LEAST = 8 };
enum { END_SHORT = 11, END_LONG = 21 }; /* columns of an end: the least that tells something; 255.255.255.255:65535 */

static const int64_t second = 1000000000;

static const char *const order_names[ORDERS] = {
    N_("appearance"), N_("rate"),  N_("bytes"),  N_("packets"), N_("retransmissions"),
    N_("round trip"), N_("state"), N_("client"), N_("server"),
};

uint32_t socket_screen_rows(const struct socket_screen *s)
{
    return s->listener_count + s->shown.count;
}

static void draw_slider(struct app *app, struct socket_screen *s, struct area area)
{
    char words[128], number[32];
    struct buffer *out = &s->scratch;
    uint64_t all = store_tracked(app->store), at = s->in_past ? past_target(s->past) : all;
    bool busy = s->in_past && past_at(s->past) < past_target(s->past);
    out->at = out->start;
    int64_t time = socket_screen_time(app, at);
    if (at)
        time_write_absolute(out, time, FORMAT_ABSOLUTE_DATE, 3);
    int x = area.x + 1, end = area.x + area.width, tail = 14;
    int most = area.width - tail - 2;
    snprintf(words, sizeof words, _("as of %.*s, packet %s"), (int)buffer_used(out), out->start, grouped(number, at));
    if ((int)text_columns(words, strlen(words)) + SLIDER_LEAST + 2 > most)
        snprintf(words, sizeof words, _("as of packet %s"), grouped(number, at));
    x += draw_text(area.y, x, most, words, s->in_past ? PAINT_WARN : PAINT_PLAIN) + 2;
    const char *mode = s->in_past ? busy ? _("going there") : _("the past") : _("now");
    s->slider_x = x + 1;
    s->slider_width = end - x - tail - 2;
    if (s->slider_width >= SLIDER_LEAST) {
        draw_text(area.y, x, 1, draw_sign("◀", "<"), PAINT_KEY);
        for (int i = 0; i < s->slider_width; i++)
            draw_text(area.y, x + 1 + i, 1, draw_sign("─", "-"), PAINT_DIM);
        int knob = all > 1 ? (int)((double)(at ? at - 1 : 0) / (double)(all - 1) * (s->slider_width - 1)) : 0;
        draw_text(area.y, x + 1 + knob, 1, draw_sign("●", "O"), PAINT_BOLD);
        draw_text(area.y, x + 1 + s->slider_width, 1, draw_sign("▶", ">"), PAINT_KEY);
    }
    draw_text(area.y, end - tail + 1, tail - 1, mode, s->in_past ? PAINT_WARN : PAINT_GOOD);
}

static void draw_words(struct app *app, struct socket_screen *s, struct area area)
{
    char words[160], count[32], all[32];
    const char *show = s->show == SHOW_ALL    ? _("all connections")
                       : s->show == SHOW_OPEN ? _("open ones")
                                              : tcp_state_name(s->show - SHOW_STATE);
    if (s->before)
        snprintf(words, sizeof words, "%s: %s", show, draw_sign("…", "..."));
    else
        snprintf(words, sizeof words, _("%s: %s of %s"), show, grouped(count, socket_screen_rows(s)),
                 grouped(all, socket_screen_tracker(app, s)->flows.live));
    int x = area.x + 1;
    x += draw_text(area.y, x, area.width - 2, words, PAINT_PLAIN) + 3;
    if (s->host_view) {
        char *end = netstat_end(words, s->host, s->host_size, 0);
        size_t n = (size_t)(end - words);
        while (n && words[n - 1] != ':')
            n--;
        n -= n > 0;
        x += draw_text(area.y, x, area.x + area.width - x, _("as seen by "), PAINT_DIM);
        x += draw_text_part(area.y, x, area.x + area.width - x, words, n, PAINT_BOLD);
    }
    snprintf(words, sizeof words, _("sort: %s%s"), _(order_names[s->order]), s->reverse ? _(", reversed") : "");
    int width = (int)text_columns(words, strlen(words));
    if (area.x + area.width - width - 1 > x)
        draw_text(area.y, area.x + area.width - width - 1, width, words, PAINT_DIM);
}

/* Widths; 0: not shown. */
struct columns {
    int end, state, state2, queue, rate, spark, bytes, packets, rtt, again, program;
};

/* What has no column has its place in the line about the selected row. */
static struct columns choose_columns(const struct socket_screen *s, int width, bool live)
{
    struct columns c = { .state = 12, .state2 = s->host_view ? 0 : 12 };
    int left = width - 2 - 4 - c.state - 1 - (c.state2 ? c.state2 + 1 : 0) - 2; /* proto, two gaps behind the ends */
    if (left < 2 * END_SHORT && c.state2) { /* who it is tells more than the other one's state */
        left += c.state2 + 1;
        c.state2 = 0;
    }
    c.end = left < 2 * s->widest ? left / 2 : s->widest;
    left -= 2 * c.end;
    int *wish[] = { s->host_view ? &c.queue : NULL,
                    &c.program,
                    live ? &c.rate : &c.bytes,
                    live ? &c.bytes : &c.rate,
                    s->host_view ? NULL : &c.packets,
                    &c.rtt,
                    &c.again,
                    &c.spark };
    const int size[] = { 7, live ? 16 : 0, 7, 7, 7, 8, 5, 2 * RATE_SECONDS + 1 };
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++) {
        bool twice = wish[i] == &c.rate || wish[i] == &c.bytes || wish[i] == &c.queue;
        int both = twice ? 2 : 1;
        bool lonely = wish[i] == &c.again && !c.bytes;
        if (!wish[i] || !size[i] || lonely || both * (size[i] + 1) > left)
            continue;
        *wish[i] = size[i];
        left -= both * (size[i] + 1);
    }
    c.end += left / 2 < 26 ? left / 2 : 26;
    return c;
}

static int heading(int y, int x, int width, const char *text, bool right)
{
    if (!width)
        return x;
    if (right)
        draw_right(y, x, width, text, PAINT_HEADING);
    else
        draw_text(y, x, width, text, PAINT_HEADING);
    return x + width + 1;
}

static void draw_headings(const struct socket_screen *s, struct columns c, struct area area)
{
    int x = area.x + 2, y = area.y;
    const char *up = draw_sign("↑", "out"), *down = draw_sign("↓", "in");
    char text[32];
    x = heading(y, x, 3, _("Pro"), false);
    x = heading(y, x, c.end, s->host_view ? _("Local") : _("Client"), false);
    x = heading(y, x, c.end, s->host_view ? _("Foreign") : _("Server"), false);
    x = heading(y, x, c.state, s->host_view ? _("State") : _("Client state"), false);
    x = heading(y, x, c.state2, _("Server state"), false);
    x = heading(y, x, c.queue, _("Recv-Q"), true);
    x = heading(y, x, c.queue, _("Send-Q"), true);
    x = heading(y, x, c.packets, _("Packets"), true);
    for (unsigned i = 0; i < 2 && c.bytes; i++) {
        snprintf(text, sizeof text, _("Bytes %s"), i ? down : up);
        x = heading(y, x, c.bytes, text, true);
    }
    for (unsigned i = 0; i < 2 && c.rate; i++) {
        snprintf(text, sizeof text, _("Rate %s"), i ? down : up);
        x = heading(y, x, c.rate, text, true);
    }
    x = heading(y, x, c.rtt, _("RTT"), true);
    x = heading(y, x, c.again, _("Again"), true);
    x = heading(y, x, c.program, _("Program"), false);
    heading(y, x, c.spark, _("last seconds"), false);
}

static void write_rate(char text[32], double bytes)
{
    text[0] = 0;
    if (bytes <= 0)
        return;
    draw_bytes(text, (uint64_t)bytes);
    char *blank = strchr(text, ' ');
    if (blank)
        memmove(blank, blank + 1, strlen(blank));
    snprintf(text + strlen(text), 32 - strlen(text), "/s");
}

static void write_wait(char text[32], int64_t ns)
{
    if (ns <= 0)
        snprintf(text, 32, "%s", draw_sign("–", "-"));
    else
        snprintf(text, 32,
                 ns < 10000000 ? "%.2f ms"
                 : ns < second ? "%.0f ms"
                               : "%.1f s",
                 ns < second ? (double)ns / 1e6 : (double)ns / 1e9);
}

static void draw_spark(int y, int x, const uint32_t bytes[RATE_SECONDS], uint32_t most, enum paint paint)
{
    static const char *const signs[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const plain[] = { ".", ".", ":", ":", "+", "+", "#", "#" };
    for (unsigned i = 0; i < RATE_SECONDS; i++) {
        unsigned level = most && bytes[i] ? (unsigned)((uint64_t)bytes[i] * 7 / most) : 0;
        if (bytes[i])
            draw_text(y, x + (int)i, 1, draw_sign(signs[level], plain[level]), paint);
        else
            draw_text(y, x + (int)i, 1, draw_ascii() ? "_" : "▁", paint == PAINT_PLAIN ? PAINT_DIM : paint);
    }
}

static int cell(int y, int x, int width, const char *text, bool right, enum paint paint)
{
    if (!width)
        return x;
    if (right)
        draw_right(y, x, width, text, paint);
    else
        draw_middle(y, x, width, text, strlen(text), paint);
    return x + width + 1;
}

static void end_text(const struct flow_table *flows, const struct flow *f, unsigned end, char text[80])
{
    uint8_t room[4];
    char *to = netstat_end(text, flow_address(flows, f, end, room), f->flags & FLOW_IPV6 ? 16 : 4, f->port[end]);
    *to = 0;
}

/* The end that is local in the view of a host. */
static unsigned local_end(const struct socket_screen *s, const struct flow_table *flows, const struct both *b)
{
    uint8_t room[4];
    if (!s->host_view)
        return b->client;
    return memcmp(flow_address(flows, b->flow, 0, room), s->host, s->host_size) ? 1 : 0;
}

static enum paint state_paint(enum tcp_state state)
{
    return state == TCP_ESTABLISHED                                                        ? PAINT_GOOD
           : state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED || state == TCP_CLOSE_WAIT ? PAINT_WARN
           : state <= TCP_CLOSED                                                           ? PAINT_DIM
                                                                                           : PAINT_PLAIN;
}

/* What the kernel of this host says of an end, if it is one of its own; nothing of the past. */
static const struct kernel_socket *kernel_of(struct app *app, const struct socket_screen *s,
                                             const struct flow_table *flows, const struct flow *f, unsigned end)
{
    uint8_t here[4], there[4];
    if (!app->live || s->in_past)
        return NULL;
    return live_socket(app->live, f->protocol, f->flags & FLOW_IPV6 ? 16 : 4, flow_address(flows, f, end, here),
                       f->port[end], flow_address(flows, f, !end, there), f->port[!end]);
}

static void write_owner(const struct kernel_socket *kernel, char text[80])
{
    text[0] = 0;
    if (kernel && kernel->pid)
        snprintf(text, 80, "%.16s %d", kernel->program, kernel->pid);
    else if (kernel)
        snprintf(text, 80, "%s", kernel->why == OWNER_FORBIDDEN ? _("not ours to see") : "-");
}

/* A connection that is drawn, and from where: `a` is the end in front. */
struct shown {
    struct both both;
    const struct kernel_socket *kernel[2]; /* of this host's sockets: the end's in front, the other one's */
    unsigned a;
    bool rated;
    struct rate rate;
};

static struct shown shown_at(struct app *app, struct socket_screen *s, uint32_t index, int64_t now)
{
    const struct flow_table *flows = &socket_screen_tracker(app, s)->flows;
    struct shown w = { .both = socket_screen_look(flows, index, now) };
    w.a = local_end(s, flows, &w.both);
    w.kernel[0] = kernel_of(app, s, flows, w.both.flow, w.a);
    w.kernel[1] = kernel_of(app, s, flows, w.both.flow, !w.a);
    w.rated = rates_get(s->rates, w.both.flow, &w.rate);
    return w;
}

static unsigned again_of(const struct flow *f)
{
    return f->retransmits[0] + f->retransmits[1];
}

/* Bytes a second of the last two. */
static double rate_of(const struct shown *w, unsigned end)
{
    const uint32_t *bytes = w->rate.bytes[end];
    return w->rated ? ((double)bytes[RATE_SECONDS - 2] + bytes[RATE_SECONDS - 1]) / 2 : 0;
}

static int draw_ends(struct socket_screen *s, const struct flow_table *flows, const struct shown *w, struct columns c,
                     int y, int x, enum paint paint)
{
    char text[80];
    for (unsigned i = 0; i < 2; i++) {
        end_text(flows, w->both.flow, i ? !w->a : w->a, text);
        int wide = (int)strlen(text);
        if (wide > s->widest)
            s->widest = wide < END_LONG ? wide : END_LONG;
        x = cell(y, x, c.end, text, false, paint);
    }
    return x;
}

static int draw_states(const struct shown *w, struct columns c, int y, int x, bool cursor)
{
    bool tcp = w->both.flow->protocol == IP_TCP, turned = w->a != w->both.client;
    int width[2] = { c.state, c.state2 };
    for (unsigned i = 0; i < 2 && width[i]; i++) {
        enum tcp_state state = w->both.state[turned ? !i : i];
        x = cell(y, x, width[i], tcp ? tcp_state_name(state) : "-", false,
                 cursor ? PAINT_SELECTED : state_paint(state));
    }
    return x;
}

static int draw_numbers(const struct shown *w, struct columns c, int y, int x, enum paint paint)
{
    const struct flow *f = w->both.flow;
    const struct kernel_socket *kernel = w->kernel[0];
    char small[32];
    if (c.queue) { /* packets do not tell what a process has not read yet */
        snprintf(small, sizeof small, "%u", kernel ? kernel->recv_q : 0);
        x = cell(y, x, c.queue, kernel ? small : "-", true, paint);
        snprintf(small, sizeof small, "%u",
                 kernel                  ? kernel->send_q
                 : f->protocol == IP_TCP ? tcp_unacknowledged(f, w->a)
                                         : 0);
        x = cell(y, x, c.queue, small, true, paint);
    }
    if (c.packets) {
        snprintf(small, sizeof small, "%llu", (unsigned long long)f->packets[0] + f->packets[1]);
        x = cell(y, x, c.packets, small, true, paint);
    }
    for (unsigned i = 0; i < 2 && c.bytes; i++)
        x = cell(y, x, c.bytes, draw_bytes(small, f->bytes[i ? !w->a : w->a]), true, paint);
    for (unsigned i = 0; i < 2 && c.rate; i++) {
        write_rate(small, rate_of(w, i ? !w->a : w->a));
        x = cell(y, x, c.rate, small, true, paint);
    }
    if (c.rtt) {
        write_wait(small, w->both.handshake);
        x = cell(y, x, c.rtt, small, true, paint);
    }
    return x;
}

static void draw_sparks(const struct shown *w, int y, int x, bool cursor)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < RATE_SECONDS; i++) {
        most = w->rate.bytes[0][i] > most ? w->rate.bytes[0][i] : most;
        most = w->rate.bytes[1][i] > most ? w->rate.bytes[1][i] : most;
    }
    draw_spark(y, x, w->rate.bytes[w->a], most, cursor ? PAINT_SELECTED : PAINT_CLIENT);
    draw_spark(y, x + RATE_SECONDS + 1, w->rate.bytes[!w->a], most, cursor ? PAINT_SELECTED : PAINT_SERVER);
}

static bool is_there(const struct flow_table *flows, uint32_t index)
{
    return index < flows->count && !(flow_at(flows, index)->flags & FLOW_FREE);
}

static void draw_connection(struct app *app, struct socket_screen *s, uint32_t index, struct columns c, int y,
                            struct area area, bool cursor, int64_t now)
{
    const struct flow_table *flows = &socket_screen_tracker(app, s)->flows;
    if (!is_there(flows, index))
        return;
    struct shown w = shown_at(app, s, index, now);
    const struct flow *f = w.both.flow;
    enum paint paint = cursor ? PAINT_SELECTED : PAINT_PLAIN;
    unsigned again = again_of(f);
    char text[80], small[32];
    draw_fill(y, area.x, area.width, paint);
    int x = area.x;
    draw_text(y, x, 1, cursor ? draw_sign("▌", ">") : " ", paint);
    draw_text(y, x + 1, 1, again ? "!" : " ", cursor ? paint : PAINT_WARN);
    draw_text(y, x + 2, 3, f->protocol == IP_TCP ? "tcp" : "udp", paint);
    x = draw_ends(s, flows, &w, c, y, x + 6, paint);
    x = draw_states(&w, c, y, x, cursor);
    x = draw_numbers(&w, c, y, x, paint);
    if (c.again) {
        snprintf(small, sizeof small, "%u", again);
        x = cell(y, x, c.again, again ? small : "", true, cursor ? paint : PAINT_WARN);
    }
    if (c.program) {
        write_owner(w.kernel[0] ? w.kernel[0] : w.kernel[1], text);
        x = cell(y, x, c.program, text, false, paint);
    }
    if (c.spark && w.rated)
        draw_sparks(&w, y, x, cursor);
}

/* Whether there is no room for a column that a wider terminal has. */
static bool is_narrow(const struct socket_screen *s, struct columns c)
{
    return !c.bytes || !c.rate || !c.rtt || !c.again || !(s->host_view ? c.queue : c.packets);
}

/* The line below the table: what the selected row has no column for. */
static void draw_rest(struct app *app, struct socket_screen *s, struct columns c, int y, struct area area, int64_t now)
{
    const struct flow_table *flows = &socket_screen_tracker(app, s)->flows;
    uint32_t row = s->cursor - s->listener_count;
    if (s->cursor < s->listener_count || row >= s->shown.count || !is_there(flows, s->shown.rows[row].flow))
        return;
    struct shown w = shown_at(app, s, s->shown.rows[row].flow, now);
    const struct flow *f = w.both.flow;
    const char *up = draw_sign("↑", "out"), *down = draw_sign("↓", "in"), *gap = draw_sign(" · ", ", ");
    char there[32], back[32], number[32], text[160];
    int x = area.x + 1, end = area.x + area.width - 1;
    x += draw_text(y, x, end - x, grouped(number, f->packets[0] + (uint64_t)f->packets[1]), PAINT_PLAIN);
    x += draw_text(y, x, end - x, ngettext(" packet", " packets", f->packets[0] + f->packets[1]), PAINT_DIM);
    if (!c.bytes) {
        snprintf(text, sizeof text, "%s%s %s  %s %s", gap, draw_bytes(there, f->bytes[w.a]), up,
                 draw_bytes(back, f->bytes[!w.a]), down);
        x += draw_text(y, x, end - x, text, PAINT_PLAIN);
    }
    if (!c.rate && (rate_of(&w, 0) > 0 || rate_of(&w, 1) > 0)) {
        write_rate(there, rate_of(&w, w.a));
        write_rate(back, rate_of(&w, !w.a));
        snprintf(text, sizeof text, "%s%s %s  %s %s", gap, *there ? there : "0", up, *back ? back : "0", down);
        x += draw_text(y, x, end - x, text, PAINT_PLAIN);
    }
    if (!c.rtt && w.both.handshake) {
        write_wait(there, w.both.handshake);
        snprintf(text, sizeof text, _("%sRTT %s"), gap, there);
        x += draw_text(y, x, end - x, text, PAINT_PLAIN);
    }
    if (!c.again && again_of(f)) {
        snprintf(text, sizeof text, _("%s%s sent again"), gap, grouped(there, again_of(f)));
        x += draw_text(y, x, end - x, text, PAINT_WARN);
    }
    if (!c.program && (w.kernel[0] || w.kernel[1])) {
        char owner[80];
        write_owner(w.kernel[0] ? w.kernel[0] : w.kernel[1], owner);
        snprintf(text, sizeof text, "%s%s", gap, owner);
        draw_text(y, x, end - x, text, PAINT_PLAIN);
    }
}

static void draw_listener(const struct socket *socket, struct columns c, int y, struct area area, bool cursor)
{
    enum paint paint = cursor ? PAINT_SELECTED : PAINT_PLAIN;
    char text[80];
    draw_fill(y, area.x, area.width, paint);
    draw_text(y, area.x, 1, cursor ? draw_sign("▌", ">") : " ", paint);
    int x = area.x + 2;
    draw_text(y, x, 3, "tcp", paint);
    x += 4;
    *netstat_end(text, socket->local, socket->size, socket->local_port) = 0;
    x = cell(y, x, c.end, text, false, paint);
    x = cell(y, x, c.end, "*", false, paint);
    cell(y, x, c.state, "LISTEN", false, cursor ? paint : PAINT_CLIENT);
}

void socket_screen_draw(struct app *app, void *state, struct area area)
{
    struct socket_screen *s = state;
    for (int i = 0; i < area.height; i++)
        draw_fill(area.y + i, area.x, area.width, PAINT_PLAIN);
    draw_slider(app, s, area);
    draw_words(app, s, (struct area){ area.y + 1, area.x, 1, area.width });
    struct columns c = choose_columns(s, area.width, app->live);
    draw_headings(s, c, (struct area){ area.y + 2, area.x, 1, area.width });
    int64_t now = socket_screen_time(app, socket_screen_packet(app, s));
    bool rest = is_narrow(s, c) && area.height > 6;
    s->body = (struct area){ area.y + 3, area.x, area.height - 3 - rest, area.width };
    uint32_t height = s->body.height > 0 ? (uint32_t)s->body.height : 0, count = socket_screen_rows(s);
    if (s->cursor < s->top)
        s->top = s->cursor;
    if (height && s->cursor >= s->top + height)
        s->top = s->cursor - height + 1;
    if (s->top + height > count)
        s->top = count > height ? count - height : 0;
    if (draw_kept(s->before, s->body))
        return;
    if (rest)
        draw_rest(app, s, c, area.y + area.height - 1, area, now);
    for (uint32_t i = 0; i < height && s->top + i < count; i++) {
        uint32_t row = s->top + i;
        int y = s->body.y + (int)i;
        if (row < s->listener_count)
            draw_listener(&s->listeners[row], c, y, area, row == s->cursor);
        else
            draw_connection(app, s, s->shown.rows[row - s->listener_count].flow, c, y, area, row == s->cursor, now);
    }
    if (!count && height)
        draw_text(s->body.y + 1, area.x + 4, area.width - 4,
                  s->phase || (s->in_past && past_at(s->past) < past_target(s->past)) ? _("looking ...")
                                                                                      : _("no connection"),
                  PAINT_DIM);
}
