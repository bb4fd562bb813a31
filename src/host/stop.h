/* The user's wish to end: SIGINT, SIGTERM and SIGHUP are remembered, so that what was read is shown and what was
 * written is whole. The second one ends the process at once. */
#pragma once
#include <poll.h>
#include <signal.h>
#include <stdbool.h>

void stop_watch(void);
/* Whether a signal came since stop_watch. */
bool stop_asked(void);

/* From now on the signals wait for stop_poll, which gets what *before is set to. */
void stop_block(sigset_t *before);

/* ppoll(2) that signals cannot be kept from: the kernel lets in those of `waiting` only when no descriptor is ready, so
 * that a busy loop would never hear of them. Returns what ppoll returns; their handlers have run by then. */
int stop_poll(struct pollfd *fds, unsigned count, const struct timespec *most, const sigset_t *waiting);
