/* What keys do on every screen, and the commands that are typed behind ':'. */
#pragma once
#include "ui/app.h"

/* Does it: the screen first, then what every screen knows. */
void command_act(struct app *app, enum action action);
/* The letter behind m or '. */
void command_bookmark(struct app *app, int32_t key);
void command_click_tab(struct app *app, int x);
/* What goes on behind the screens: finding, writing. As store_step. */
bool command_step(struct app *app, int64_t deadline);
void command_close(struct app *app);
/* ~/.config/peel/keys, or where XDG_CONFIG_HOME says. */
int command_read_keys(struct keys *keys, struct error *error);
