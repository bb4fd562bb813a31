#include "ui/help.h"
#include "base/text.h"

void help_draw(struct app *app, struct area area)
{
    struct buffer keys;
    if (area.height < 2 || buffer_open(&keys, -1, 256))
        return;
    int rows = area.height - 1, most = ACTIONS - 1 - rows;
    app->help_top = app->help_top > most ? most : app->help_top;
    app->help_top = app->help_top < 0 ? 0 : app->help_top;
    draw_rule(area.y, area.x, area.width, _("keys; they can be changed in ~/.config/peel/keys"), PAINT_KEY);
    for (int i = 0; i < rows && app->help_top + i + 1 < ACTIONS; i++) {
        enum action action = (enum action)(app->help_top + i + 1);
        int y = area.y + 1 + i;
        keys.at = keys.start;
        keys_write(&app->keys, action, &keys);
        draw_text_part(y, area.x + 1, 14, keys.start, buffer_used(&keys), PAINT_KEY);
        int x = area.x + 16;
        if (area.width >= 100) {
            draw_text(y, x, 22, key_rows[action].name, PAINT_DIM);
            x += 23;
        }
        draw_text(y, x, area.x + area.width - x, _(key_rows[action].help), PAINT_PLAIN);
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
        app->help_top = ACTIONS;
        return true;
    default:
        return false;
    }
}
