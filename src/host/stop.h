/* The user's wish to end: SIGINT, SIGTERM and SIGHUP are remembered, so that what was read is shown and what was
 * written is whole. The second one ends the process at once. */
#pragma once
#include <stdbool.h>

void stop_watch(void);
/* Whether a signal came since stop_watch. */
bool stop_asked(void);
