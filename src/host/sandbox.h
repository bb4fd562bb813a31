/* The walls around everything that touches packets: a seccomp filter of the system calls that are left, and Landlock,
 * which closes the file system. Both hold for the process until its end. Nothing is opened behind them: descriptors
 * come from before, or from a helper (helper.h).
 *
 * What has to be looked up once (messages, time zone) is looked up on entering. PEEL_SANDBOX=off in the environment
 * leaves the walls out, for tracing and profiling tools; the privileges go all the same. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

enum { SANDBOX_TALKING = 3 };

struct sandbox {
    int talking[SANDBOX_TALKING]; /* sockets that may be sent to and received from: to helpers, netlink; or -1 */
    bool terminal;                /* may set the modes of its terminal */
};

/* Returns 0, or ERROR_SYSTEM where the kernel has seccomp and refuses; a kernel without Landlock is no error. */
int sandbox_enter(const struct sandbox *sandbox, struct error *error);
