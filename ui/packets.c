/* The screen Packets: a list of packets, the tree of the selected one, and its bytes. */
#include "base/text.h"
#include "output/endpoints.h"
#include "protocol/protocol.h"
#include "ui/app.h"
#include "ui/command.h"
#include "ui/tree.h"
#include <stdlib.h>

enum { PANE_LIST, PANE_TREE, PANE_HEX, PANES };
enum { ROWS_MAX = 512, LINE_TEXT = 512, NARROW = 100, LEAST_HEIGHT = 12 };

/* What a row of the list says. */
struct row {
    uint64_t number;
    char time[40], source[72], destination[72], label[24], length[12], summary[LINE_TEXT];
    enum paint paint;
    char sign;
};

struct packets {
    uint64_t top; /* place in the view of the first row */
    int pane;
    bool maximised;
    struct tree_pane tree;
    uint64_t shown;      /* the packet that tree and bytes are of, 0: none */
    bool noted;          /* with what the tracker says of it */
    struct buffer bytes; /* owned: of all buffers, one after another */
    size_t buffer_at[BUFFERS_MAX + 1];
    unsigned buffers;
    size_t hex_cursor, hex_top; /* bytes of the buffer that is shown; lines */
    unsigned hex_buffer;
    int hex_per_line;
    struct area list, tree_area, hex; /* as drawn last */
    int source_width, destination_width;
    int width;        /* of the terminal when these were found */
    struct row *rows; /* owned, ROWS_MAX */
    struct buffer scratch;
    struct text text;
};

static int open_state(struct app *app, void **state, struct error *error)
{
    struct packets *s = calloc(1, sizeof *s);
    *state = s;
    if (s)
        s->rows = calloc(ROWS_MAX, sizeof *s->rows);
    if (!s || !s->rows || tree_pane_open(&s->tree) || buffer_open(&s->bytes, -1, 1 << 16) ||
        buffer_open(&s->scratch, -1, 4096))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    text_open(&s->text, &(struct style){ .ascii = app->style.ascii }, FORMAT_RELATIVE, 6);
    return 0;
}

static void close_state(void *state)
{
    struct packets *s = state;
    if (!s)
        return;
    tree_pane_close(&s->tree);
    buffer_free(&s->bytes);
    buffer_free(&s->scratch);
    free(s->rows);
    free(s);
}

/* --- the list --- */

static void take_text(struct buffer *scratch, char *to, size_t size)
{
    size_t n = buffer_used(scratch);
    while (n >= size || (n && n < buffer_used(scratch) && (scratch->start[n] & 0xc0) == 0x80))
        n--;
    memcpy(to, scratch->start, n);
    to[n] = 0;
    scratch->at = scratch->start;
}

static void write_time(const struct app *app, const struct packets *s, struct row *row, const struct packet *p,
                       int64_t before, struct buffer *out)
{
    unsigned digits = store_nanoseconds(app->store) && s->width >= NARROW ? 9 : 6;
    if (!p->timed) {
        row->time[0] = 0;
        return;
    }
    switch (app->time_format) {
    case FORMAT_RELATIVE:
        time_write(out, app->referenced ? p->time - app->reference : p->time_relative, digits);
        break;
    case FORMAT_DELTA:
        time_write(out, p->time_delta, digits);
        break;
    case FORMAT_DELTA_SHOWN:
        time_write(out, p->time - before, digits);
        break;
    case FORMAT_EPOCH:
        time_write(out, p->time, digits);
        break;
    default:
        time_write_absolute(out, p->time, app->time_format, digits);
    }
    take_text(out, row->time, sizeof row->time);
}

static void look_of(const struct app *app, struct row *row, const struct packet *p, const struct layer *subject)
{
    const struct note *note = packet_note(p);
    bool remark = note && note->have & NOTES_ANALYSIS &
                              ((UINT64_C(1) << (NOTE_WINDOW_FULL + 1)) - (UINT64_C(1) << NOTE_RETRANSMISSION));
    bool broken = subject && subject->verdict == VERDICT_BROKEN;
    bool tcp = p->have & HOT_TCP;
    row->paint = broken || (tcp && p->tcp_flags & 4)   ? PAINT_BAD
                 : remark || (tcp && p->tcp_flags & 3) ? PAINT_WARN
                                                       : PAINT_PLAIN;
    row->sign = broken ? 'x' : remark ? '!' : ' ';
    if (app_is_marked(app, row->number)) {
        row->sign = '*';
        row->paint = PAINT_MARKED;
    }
    for (unsigned i = 0; i < 26; i++)
        if (app->bookmarks[i] == row->number)
            row->sign = (char)('a' + i);
}

static void fill_row(struct app *app, struct packets *s, struct row *row, const struct packet *p, int64_t before)
{
    struct buffer *out = &s->scratch;
    const struct layer *subject = packet_subject(p);
    out->at = out->start;
    write_time(app, s, row, p, before, out);
    endpoint_write(out, p, subject, true);
    take_text(out, row->source, sizeof row->source);
    endpoint_write(out, p, subject, false);
    take_text(out, row->destination, sizeof row->destination);
    snprintf(row->label, sizeof row->label, "%s", subject ? subject->protocol->label : "-");
    snprintf(row->length, sizeof row->length, "%u", p->wire_length);
    text_summary(&s->text, out, p);
    take_text(out, row->summary, sizeof row->summary);
    look_of(app, row, p, subject);
}

/* Fills the rows from place `top` on; how many there are. */
static int fill_rows(struct app *app, struct packets *s, int most)
{
    int64_t before = 0;
    if (app->time_format == FORMAT_DELTA_SHOWN && s->top) {
        const struct packet *p = app_packet(app, view_nth(app->view, s->top - 1));
        before = p ? p->time : 0;
    }
    int count = 0;
    for (; count < most && count < ROWS_MAX; count++) {
        struct row *row = &s->rows[count];
        *row = (struct row){ .number = view_nth(app->view, s->top + (uint64_t)count) };
        if (!row->number || (app->paused && row->number > app->frozen))
            break;
        const struct packet *p = app_packet(app, row->number);
        if (!p) {
            snprintf(row->summary, sizeof row->summary, "%s", _("no longer in the file"));
            row->paint = PAINT_BAD;
            row->sign = 'x';
            continue;
        }
        if (app->time_format == FORMAT_DELTA_SHOWN && !s->top && !count)
            before = p->time;
        fill_row(app, s, row, p, before);
        before = p->time;
    }
    return count;
}

struct columns {
    int number, time, source, destination, label, length, summary; /* widths; 0: not shown */
};

static int longest(const struct packets *s, int count, size_t offset)
{
    size_t most = 0;
    for (int i = 0; i < count; i++) {
        size_t n = strlen((const char *)&s->rows[i] + offset);
        most = n > most ? n : most;
    }
    return (int)most;
}

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

/* What happened tells more than how long it is, than long addresses, than when, and than who it was for. */
static void make_room_for_summary(struct columns *c)
{
    enum { LEAST_SUMMARY = 12, SHORT_END = 11 };
    int *leave[] = { &c->length, NULL, &c->time, &c->destination };
    for (unsigned i = 0; i < sizeof leave / sizeof *leave && c->summary < LEAST_SUMMARY; i++) {
        if (leave[i] && *leave[i]) {
            c->summary += *leave[i] + 1;
            *leave[i] = 0;
        } else if (!leave[i]) {
            int source = c->source < SHORT_END ? c->source : SHORT_END;
            int destination = c->destination < SHORT_END ? c->destination : SHORT_END;
            c->summary += c->source - source + c->destination - destination;
            c->source = source;
            c->destination = destination;
        }
    }
}

/* Widths follow what is there and only ever widen, so that columns stand still while one pages through. */
static struct columns choose_columns(struct app *app, struct packets *s, int count, int width)
{
    struct columns c = { 0 };
    char digits[32];
    c.number = clamp(snprintf(digits, sizeof digits, "%llu", (unsigned long long)store_count(app->store)), 4, 12);
    c.time = clamp(longest(s, count, offsetof(struct row, time)), 8, width / 3);
    int most = width < NARROW ? width / 4 : width < 140 ? 28 : 48;
    s->source_width = clamp(longest(s, count, offsetof(struct row, source)), s->source_width, most);
    s->destination_width = clamp(longest(s, count, offsetof(struct row, destination)), s->destination_width, most);
    c.source = clamp(s->source_width, 6, most);
    c.destination = clamp(s->destination_width, 11 < most ? 11 : most, most);
    c.label = clamp(longest(s, count, offsetof(struct row, label)), 5, 8);
    c.length = width >= 90 ? 5 : 0;
    c.summary = width - 2 - c.number - 1 - c.time - 1 - c.source - 1 - c.destination - 1 - c.label - 1 - c.length -
                (c.length > 0);
    make_room_for_summary(&c);
    return c;
}

static void draw_headings(struct columns c, int y, int x)
{
    x += 2;
    draw_right(y, x, c.number, _("No"), PAINT_HEADING);
    x += c.number + 1;
    if (c.time) {
        draw_right(y, x, c.time, _("Time"), PAINT_HEADING);
        x += c.time + 1;
    }
    draw_text(y, x, c.source, _("Source"), PAINT_HEADING);
    x += c.source + 1;
    if (c.destination) {
        draw_text(y, x, c.destination, _("Destination"), PAINT_HEADING);
        x += c.destination + 1;
    }
    draw_text(y, x, c.label, _("Proto"), PAINT_HEADING);
    x += c.label + 1;
    if (c.length) {
        draw_right(y, x, c.length, _("Len"), PAINT_HEADING);
        x += c.length + 1;
    }
    draw_text(y, x, c.summary, _("Summary"), PAINT_HEADING);
}

static void draw_row(const struct row *row, struct columns c, int y, struct area area, enum paint paint, bool cursor)
{
    int x = area.x;
    char number[24], sign[2] = { row->sign, 0 };
    draw_fill(y, x, area.width, paint);
    if (cursor)
        draw_text(y, x, 1, draw_sign("▌", ">"), paint);
    draw_text(y, x + 1, 1, sign, paint);
    x += 2;
    snprintf(number, sizeof number, "%llu", (unsigned long long)row->number);
    draw_right(y, x, c.number, number, paint);
    x += c.number + 1;
    if (c.time) {
        draw_right(y, x, c.time, row->time, paint);
        x += c.time + 1;
    }
    draw_middle(y, x, c.source, row->source, strlen(row->source), paint);
    x += c.source + 1;
    if (c.destination) {
        draw_middle(y, x, c.destination, row->destination, strlen(row->destination), paint);
        x += c.destination + 1;
    }
    draw_text(y, x, c.label, row->label, paint);
    x += c.label + 1;
    if (c.length) {
        draw_right(y, x, c.length, row->length, paint);
        x += c.length + 1;
    }
    draw_text(y, x, c.summary, row->summary, paint);
}

/* Moves the window over the list so that the selected packet is in it. */
static void keep_in_sight(struct app *app, struct packets *s, int height)
{
    uint64_t place = view_place(app->view, app->selected), count = view_count(app->view);
    uint64_t rows = height > 0 ? (uint64_t)height : 1;
    if (place >= count)
        place = count ? count - 1 : 0;
    if (place < s->top)
        s->top = place;
    if (place >= s->top + rows)
        s->top = place - rows + 1;
    if (s->top + rows > count)
        s->top = count > rows ? count - rows : 0;
}

static void draw_empty(struct app *app, struct area area)
{
    const char *words = !view_is_all(app->view) && view_looked(app->view) < store_count(app->store) ? _("looking ...")
                        : !view_is_all(app->view)                  ? _("no packet passes the filter; Esc takes it away")
                        : store_state(app->store) == STORE_WAITING ? _("no packet yet")
                                                                   : _("no packets");
    struct area within = { area.y, area.x + 4, area.height, area.width - 8 };
    draw_paragraph(area.y + area.height / 3, within, words, PAINT_DIM);
}

static void draw_list(struct app *app, struct packets *s, struct area area)
{
    for (int i = 0; i < area.height; i++)
        draw_fill(area.y + i, area.x, area.width, PAINT_PLAIN);
    struct area body = { area.y + 1, area.x, area.height - 1, area.width };
    s->list = body;
    keep_in_sight(app, s, body.height);
    int count = fill_rows(app, s, body.height);
    struct columns c = choose_columns(app, s, count, area.width);
    draw_headings(c, area.y, area.x);
    for (int i = 0; i < count; i++) {
        bool cursor = s->rows[i].number == app->selected;
        enum paint paint = !cursor ? s->rows[i].paint : s->pane == PANE_LIST ? PAINT_SELECTED : PAINT_CHOSEN;
        draw_row(&s->rows[i], c, body.y + i, body, paint, cursor);
    }
    if (!count)
        draw_empty(app, body);
}

/* --- bytes --- */

static struct span shown_bytes(const struct packets *s)
{
    if (s->hex_buffer >= s->buffers)
        return (struct span){ 0 };
    size_t from = s->buffer_at[s->hex_buffer];
    return (struct span){ (const uint8_t *)s->bytes.start + from, s->buffer_at[s->hex_buffer + 1] - from };
}

/* The bytes that the selected row of the tree says something about. */
static bool chosen_bytes(const struct packets *s, size_t *from, size_t *to)
{
    const struct tree_line *line = tree_pane_line(&s->tree);
    if (!line || !line->width || line->buffer != s->hex_buffer)
        return false;
    *from = line->bit / 8;
    *to = ((size_t)line->bit + line->width + 7) / 8;
    return true;
}

static int hex_columns(int per_line)
{
    return 4 + 2 + per_line * 3 + (per_line > 8) + 1 + per_line;
}

static void draw_hex_line(const struct packets *s, struct span bytes, size_t line, int y, struct area area,
                          bool focused)
{
    size_t per = (size_t)s->hex_per_line, from = 0, to = 0, start = line * per;
    bool chosen = chosen_bytes(s, &from, &to);
    char text[16];
    draw_fill(y, area.x, area.width, PAINT_PLAIN);
    if (start >= bytes.left)
        return;
    snprintf(text, sizeof text, "%04zx", start & 0xffffff);
    draw_text(y, area.x, 5, text, PAINT_DIM);
    for (size_t i = 0; i < per && start + i < bytes.left; i++) {
        size_t at = start + i;
        bool inside = chosen && at >= from && at < to;
        enum paint paint = focused && at == s->hex_cursor ? PAINT_SELECTED : inside ? PAINT_CHOSEN : PAINT_PLAIN;
        int x = area.x + 6 + (int)i * 3 + (per > 8 && i >= per / 2);
        snprintf(text, sizeof text, "%02x", bytes.at[at]);
        draw_text(y, x, 2, text, paint);
        if (inside && (at == from || i == 0)) /* a sign besides the looks */
            draw_text(y, x - 1, 1, "[", PAINT_BOLD);
        else if (inside && at > from && i)
            draw_text(y, x - 1, 1, " ", PAINT_CHOSEN);
        if (inside && (at + 1 == to || i + 1 == per || at + 1 == bytes.left))
            draw_text(y, x + 2, 1, "]", PAINT_BOLD);
        text[0] = bytes.at[at] >= 0x20 && bytes.at[at] < 0x7f ? (char)bytes.at[at] : '.';
        text[1] = 0;
        draw_text(y, area.x + 6 + (int)per * 3 + (per > 8) + 1 + (int)i, 1, text, paint);
    }
}

static void draw_hex(struct packets *s, struct area area, bool focused)
{
    s->hex_per_line = area.width >= hex_columns(16) ? 16 : area.width >= hex_columns(8) ? 8 : 4;
    struct span bytes = shown_bytes(s);
    size_t per = (size_t)s->hex_per_line, height = area.height > 0 ? (size_t)area.height : 0;
    size_t from = 0, to = 0, lines = (bytes.left + per - 1) / per;
    size_t want = focused ? s->hex_cursor / per : chosen_bytes(s, &from, &to) ? from / per : s->hex_top;
    size_t last = !focused && to > from ? (to - 1) / per : want;
    if (last >= s->hex_top + height)
        s->hex_top = last - height + 1;
    if (want < s->hex_top)
        s->hex_top = want;
    if (s->hex_top + height > lines)
        s->hex_top = lines > height ? lines - height : 0;
    for (size_t i = 0; i < height; i++)
        draw_hex_line(s, bytes, s->hex_top + i, area.y + (int)i, area, focused);
}

/* --- all of it --- */

/* Tree and bytes of the selected packet, if they are not there yet. */
static void take_selected(struct app *app, struct packets *s)
{
    bool noted = app->selected <= store_tracked(app->store);
    if (s->shown == app->selected && s->noted == noted)
        return;
    if (s->shown != app->selected)
        s->hex_cursor = s->hex_top = 0;
    const struct packet *p = app->selected ? app_packet(app, app->selected) : NULL;
    tree_pane_set(&s->tree, p, &app->style);
    s->bytes.at = s->bytes.start;
    s->buffers = 0;
    for (unsigned i = 0; p && i < p->buffer_count; i++) {
        s->buffer_at[s->buffers++] = buffer_used(&s->bytes);
        buffer_put(&s->bytes, p->buffers[i].at, p->buffers[i].left);
    }
    s->buffer_at[s->buffers] = buffer_used(&s->bytes);
    s->hex_buffer = s->hex_buffer < s->buffers ? s->hex_buffer : 0;
    s->shown = p ? app->selected : 0;
    s->noted = noted;
}

static void draw_pane_titles(const struct packets *s, struct area tree, struct area hex, int y, bool both)
{
    char title[64];
    size_t n = shown_bytes(s).left;
    if (s->hex_buffer)
        snprintf(title, sizeof title, _("reassembled, %zu bytes"), n);
    else
        snprintf(title, sizeof title, _("%zu bytes"), n);
    if (both || s->pane == PANE_TREE)
        draw_rule(y, tree.x, tree.width, _("tree"), s->pane == PANE_TREE ? PAINT_KEY : PAINT_DIM);
    if (both || s->pane == PANE_HEX)
        draw_rule(y, hex.x, hex.width, title, s->pane == PANE_HEX ? PAINT_KEY : PAINT_DIM);
    if (both)
        draw_text(y, hex.x - 1, 1, draw_sign("┬", "+"), PAINT_DIM);
}

static void draw_details(struct packets *s, struct area area)
{
    struct area body = { area.y + 1, area.x, area.height - 1, area.width }, tree = body, hex = body;
    int right = area.width >= 2 * hex_columns(16) ? hex_columns(16) : hex_columns(8);
    bool both = !s->maximised && area.width >= right + 30;
    if (both) {
        tree.width = area.width - right - 1;
        hex.x = tree.x + tree.width + 1;
        hex.width = right;
        draw_rule_down(body.y, hex.x - 1, body.height);
    }
    draw_pane_titles(s, tree, hex, area.y, both);
    s->tree_area = s->hex = (struct area){ 0 };
    const struct tree_line *line = tree_pane_line(&s->tree);
    if (s->pane != PANE_HEX)
        s->hex_buffer = line && line->buffer < s->buffers ? line->buffer : 0;
    if (both || s->pane != PANE_HEX) {
        s->tree_area = tree;
        tree_pane_draw(&s->tree, tree, s->pane == PANE_TREE);
    }
    if (both || s->pane == PANE_HEX) {
        s->hex = hex;
        draw_hex(s, hex, s->pane == PANE_HEX);
    }
}

static void draw(struct app *app, void *state, struct area area)
{
    struct packets *s = state;
    if (s->width != area.width)
        s->source_width = s->destination_width = 0;
    s->width = area.width;
    take_selected(app, s);
    bool alone = s->maximised || area.height < LEAST_HEIGHT;
    s->list = s->tree_area = s->hex = (struct area){ 0 };
    if (alone) {
        if (s->pane == PANE_LIST)
            draw_list(app, s, area);
        else
            draw_details(s, area);
        return;
    }
    int height = area.height * 55 / 100;
    draw_list(app, s, (struct area){ area.y, area.x, height, area.width });
    draw_details(s, (struct area){ area.y + height, area.x, area.height - height, area.width });
}

/* --- what keys do --- */

static void move_by(struct app *app, int64_t by)
{
    uint64_t count = view_count(app->view), place = view_place(app->view, app->selected);
    if (!count)
        return;
    if (app->paused) {
        uint64_t frozen = view_place(app->view, app->frozen + 1);
        count = frozen && frozen < count ? frozen : count;
    }
    int64_t to = (int64_t)place + by;
    to = to < 0 ? 0 : to >= (int64_t)count ? (int64_t)count - 1 : to;
    app_select(app, view_nth(app->view, (uint64_t)to), by > 1000 || by < -1000);
}

static bool act_list(struct app *app, struct packets *s, enum action action)
{
    int page = s->list.height > 1 ? s->list.height - 1 : 1;
    switch (action) {
    case ACT_UP:
        move_by(app, -1);
        return true;
    case ACT_DOWN:
        move_by(app, 1);
        return true;
    case ACT_PAGE_UP:
        move_by(app, -page);
        return true;
    case ACT_PAGE_DOWN:
        move_by(app, page);
        return true;
    case ACT_TOP:
        move_by(app, INT64_MIN / 4);
        return true;
    case ACT_BOTTOM:
        move_by(app, INT64_MAX / 4);
        app->tail = true;
        return true;
    case ACT_RIGHT:
    case ACT_OPEN:
        s->pane = PANE_TREE;
        take_selected(app, s);
        if (app->selected && app_packet(app, app->selected))
            tree_pane_enter(&s->tree, app_packet(app, app->selected));
        return true;
    default:
        return false;
    }
}

static void move_hex(struct packets *s, int64_t by)
{
    int64_t to = (int64_t)s->hex_cursor + by, n = (int64_t)shown_bytes(s).left;
    to = to >= n ? n - 1 : to;
    s->hex_cursor = to < 0 ? 0 : (size_t)to;
    tree_pane_find(&s->tree, s->hex_buffer, (uint32_t)s->hex_cursor * 8);
}

static bool act_hex(struct packets *s, enum action action)
{
    int per = s->hex_per_line, page = per * (s->hex.height > 1 ? s->hex.height - 1 : 1);
    switch (action) {
    case ACT_UP:
        move_hex(s, -per);
        return true;
    case ACT_DOWN:
        move_hex(s, per);
        return true;
    case ACT_LEFT:
        move_hex(s, -1);
        return true;
    case ACT_RIGHT:
        move_hex(s, 1);
        return true;
    case ACT_PAGE_UP:
        move_hex(s, -page);
        return true;
    case ACT_PAGE_DOWN:
        move_hex(s, page);
        return true;
    case ACT_TOP:
        move_hex(s, INT64_MIN / 4);
        return true;
    case ACT_BOTTOM:
        move_hex(s, INT64_MAX / 4);
        return true;
    case ACT_OPEN:
        s->pane = PANE_TREE;
        return true;
    default:
        return false;
    }
}

static void go_to_pane(struct packets *s, int pane)
{
    s->pane = (pane + PANES) % PANES;
    size_t from, to;
    if (s->pane == PANE_HEX && chosen_bytes(s, &from, &to))
        s->hex_cursor = from;
}

static void copy(struct app *app, struct packets *s)
{
    const struct tree_line *line = tree_pane_line(&s->tree);
    size_t from = 0, to = 0;
    struct buffer *out = &s->scratch;
    out->at = out->start;
    if (s->pane == PANE_HEX) {
        struct span bytes = shown_bytes(s);
        if (!chosen_bytes(s, &from, &to))
            to = bytes.left;
        bytes = span_part(bytes, from, to - from);
        buffer_bytes(out, bytes.at, bytes.left, 0);
        app_copy(app, out->start, buffer_used(out), _("bytes"));
    } else if (s->pane == PANE_TREE && line) {
        app_copy(app, tree_pane_text(&s->tree, line), line->length, _("field"));
    } else if (app->selected) {
        const struct packet *p = app_packet(app, app->selected);
        if (!p)
            return;
        struct text text;
        text_open(&text, &(struct style){ .ascii = app->style.ascii }, app->time_format,
                  store_nanoseconds(app->store) ? 9 : 6);
        text_write(&text, out, p);
        app_copy(app, out->start, buffer_used(out) - 1, _("line"));
    }
}

static void follow(struct app *app)
{
    const struct packet *p = app->selected ? app_packet(app, app->selected) : NULL;
    const struct note *note = p ? packet_note(p) : NULL;
    if (note && note->have >> NOTE_STREAM & 1)
        app_follow(app, p->have & HOT_TCP ? 6 : 17, note->stream);
    else
        app_say(app, PAINT_WARN, "%s", _("this packet belongs to no conversation"));
}

/* The next packet of the selected one's conversation, by the journal's words. */
static void go_along(struct app *app, bool forward)
{
    enum { AT_ONCE = 4096 };
    static struct journal_word words[AT_ONCE];
    struct journal *j = store_journal(app->store);
    struct journal_word own;
    if (!journal_words(j, app->selected, &own, 1) || !(own.bits & (JOURNAL_TCP | JOURNAL_UDP)))
        return;
    uint64_t at = app->selected;
    uint16_t bit = own.bits & (JOURNAL_TCP | JOURNAL_UDP);
    for (;;) {
        uint64_t first = forward ? at + 1 : at > AT_ONCE ? at - AT_ONCE : 1;
        size_t most = forward ? AT_ONCE : (size_t)(at - first), n = journal_words(j, first, words, most);
        for (size_t i = 0; i < n; i++) {
            size_t k = forward ? i : n - 1 - i;
            if (words[k].stream == own.stream && words[k].bits & bit && view_shows(app->view, first + k)) {
                app_select(app, first + k, false);
                return;
            }
        }
        if (!n || (!forward && first == 1))
            break;
        at = forward ? at + n : first;
    }
    app_say(app, PAINT_DIM, "%s", forward ? _("that was its last packet") : _("that was its first packet"));
}

static bool act(struct app *app, void *state, enum action action)
{
    struct packets *s = state;
    switch (action) {
    case ACT_NEXT_PANE:
        go_to_pane(s, s->pane + 1);
        return true;
    case ACT_PREVIOUS_PANE:
        go_to_pane(s, s->pane - 1);
        return true;
    case ACT_MAXIMISE:
        s->maximised = !s->maximised;
        return true;
    case ACT_BACK:
        if (!s->maximised && s->pane == PANE_LIST)
            return false;
        if (s->maximised)
            s->maximised = false;
        else
            s->pane = PANE_LIST;
        return true;
    case ACT_COPY:
        copy(app, s);
        return true;
    case ACT_FOLLOW:
        follow(app);
        return true;
    case ACT_AS_OF:
        app_show(app, SCREEN_SOCKETS);
        command_act(app, action);
        return true;
    case ACT_STREAM_NEXT:
    case ACT_STREAM_PREVIOUS:
        go_along(app, action == ACT_STREAM_NEXT);
        return true;
    case ACT_EXPAND_ALL:
    case ACT_COLLAPSE_ALL:
        return tree_pane_act(&s->tree, action, 0);
    default:
        break;
    }
    return s->pane == PANE_LIST ? act_list(app, s, action)
           : s->pane == PANE_TREE
               ? tree_pane_act(&s->tree, action, s->tree_area.height > 1 ? s->tree_area.height - 1 : 1)
               : act_hex(s, action);
}

static bool within(struct area area, const struct mouse *mouse)
{
    return mouse->y >= area.y && mouse->y < area.y + area.height && mouse->x >= area.x &&
           mouse->x < area.x + area.width;
}

static void click_hex(struct packets *s, const struct mouse *mouse)
{
    int x = mouse->x - s->hex.x - 6, per = s->hex_per_line;
    if (per > 8 && x > per / 2 * 3)
        x--;
    int column = x < per * 3 ? x / 3 : x - per * 3 - 1;
    if (x < 0 || column < 0 || column >= per)
        return;
    size_t at = (s->hex_top + (size_t)(mouse->y - s->hex.y)) * (size_t)per + (size_t)column;
    if (at < shown_bytes(s).left) {
        s->hex_cursor = at;
        move_hex(s, 0);
    }
}

static void on_mouse(struct app *app, void *state, const struct mouse *mouse)
{
    struct packets *s = state;
    bool wheel = mouse->what == MOUSE_UP || mouse->what == MOUSE_DOWN;
    int by = mouse->what == MOUSE_UP ? -3 : 3;
    if (within(s->list, mouse)) {
        if (wheel) {
            move_by(app, by);
            return;
        }
        s->pane = PANE_LIST;
        uint64_t number = view_nth(app->view, s->top + (uint64_t)(mouse->y - s->list.y));
        if (number)
            app_select(app, number, false);
        if (mouse->what == MOUSE_DOUBLE)
            act_list(app, s, ACT_OPEN);
    } else if (within(s->tree_area, mouse)) {
        if (wheel)
            for (int i = 0; i < 3; i++)
                tree_pane_act(&s->tree, by < 0 ? ACT_UP : ACT_DOWN, 1);
        else {
            s->pane = PANE_TREE;
            tree_pane_click(&s->tree, mouse->y - s->tree_area.y, mouse->what == MOUSE_DOUBLE);
        }
    } else if (within(s->hex, mouse) && !wheel) {
        s->pane = PANE_HEX;
        click_hex(s, mouse);
    } else if (within(s->hex, mouse)) {
        move_hex(s, by < 0 ? -s->hex_per_line : s->hex_per_line);
    }
}

const struct screen packets_screen = {
    .title = N_("Packets"),
    .footer = (const uint8_t[]){ ACT_OPEN, ACT_FILTER, ACT_FIND, ACT_FOLLOW, ACT_HELP, ACT_TIME_FORMAT, ACT_COPY,
                                 ACT_WRITE, ACT_PAUSE, ACT_QUIT, 0 },
    .open = open_state,
    .close = close_state,
    .draw = draw,
    .act = act,
    .mouse = on_mouse,
};
