/* The keys, over the screen: from their table. */
#pragma once
#include "ui/app.h"

void help_draw(struct app *app, struct area area);
/* Keys while it is shown; false: it is over. */
bool help_act(struct app *app, enum action action);
