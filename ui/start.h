/* The screen that peel begins with when nobody said what to look at: interfaces with what goes over them, and the files
 * that were looked at last. */
#pragma once
#include "ui/app.h"

enum { START_NAME = 4096 };

struct start_choice {
    bool interface; /* else a file */
    char name[START_NAME];
};

/* Shows it; wait: until a key or so many milliseconds, and returns the key or 0. False: nobody chose anything.
 * say: why the last choice could not be opened, or NULL. */
bool start_run(struct app *app, struct start_choice *choice, const char *say, int32_t (*wait)(int ms));
/* Keeps a file among those of the next start. */
void start_remember(const char *path);
