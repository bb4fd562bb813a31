#include "ui/help.h"
#include "base/text.h"
#include <limits.h>

enum { NAME_WIDTH = 14, TEXT_AT = 16, WIDE = 100, CONFIGURED = 23 };

/* A key's row from line y on; lines outside of the area are only counted. Returns how many there are. */
static int draw_row(struct app *app, enum action action, struct buffer *keys, struct area area, int y)
{
    int x = area.x + TEXT_AT;
    bool name = area.width >= WIDE, seen = y >= area.y && y < area.y + area.height;
    keys->at = keys->start;
    keys_write(&app->keys, action, keys);
    if (seen) {
        draw_text_part(y, area.x + 1, NAME_WIDTH, keys->start, buffer_used(keys), PAINT_KEY);
        if (name)
            draw_text(y, x, CONFIGURED - 1, key_rows[action].name, PAINT_DIM);
    }
    x += name ? CONFIGURED : 0;
    struct area text = { area.y, x, area.height, area.x + area.width - x };
    return draw_paragraph(y, text, _(key_rows[action].help), PAINT_PLAIN);
}

/* Draws all rows, the first one on line y; where the last one ends. */
static int draw_rows(struct app *app, struct buffer *keys, struct area area, int y)
{
    for (enum action action = ACT_NONE + 1; action < ACTIONS; action++)
        y += draw_row(app, action, keys, area, y);
    return y;
}

void help_draw(struct app *app, struct area area)
{
    struct buffer keys;
    if (area.height < 2 || buffer_open(&keys, -1, 256))
        return;
    draw_rule(area.y, area.x, area.width, _("keys; they can be changed in ~/.config/peel/keys"), PAINT_KEY);
    struct area body = { area.y + 1, area.x, area.height - 1, area.width }, nowhere = { 0, area.x, 0, area.width };
    int all = draw_rows(app, &keys, nowhere, 0), most = all > body.height ? all - body.height : 0;
    app->help_top = app->help_top > most ? most : app->help_top < 0 ? 0 : app->help_top;
    draw_rows(app, &keys, body, body.y - app->help_top);
    char more[64];
    if (most) {
        snprintf(more, sizeof more, " %d-%d/%d ", app->help_top + 1, app->help_top + body.height, all);
        int width = (int)text_columns(more, strlen(more));
        draw_text(area.y, area.x + area.width - width - 1, width, more, PAINT_DIM);
    }
    buffer_free(&keys);
}

bool help_act(struct app *app, enum action action)
{
    switch (action) {
    case ACT_UP:
        app->help_top--;
        return true;
    case ACT_DOWN:
        app->help_top++;
        return true;
    case ACT_PAGE_UP:
        app->help_top -= 10;
        return true;
    case ACT_PAGE_DOWN:
        app->help_top += 10;
        return true;
    case ACT_TOP:
        app->help_top = 0;
        return true;
    case ACT_BOTTOM:
        app->help_top = INT_MAX / 2;
        return true;
    default:
        return false;
    }
}
