/* The walls around everything that touches packets: a seccomp filter of the system calls that are left, and Landlock,
 * which closes the file system but for what is named here. Both hold for the process until its end.
 *
 * What has to be looked up once (messages, time zone) is looked up on entering. PEEL_SANDBOX=off in the environment
 * leaves the walls out, for tracing and profiling tools; the privileges go all the same. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct sandbox {
    const char *const *readable; /* paths of files that may be opened for reading later; others than these may not */
    unsigned readable_count;
    int route;  /* a netlink socket that may be asked, or -1 */
    int helper; /* the socket to the helper, or -1 */
};

/* Returns 0, or ERROR_SYSTEM where the kernel has seccomp and refuses; a kernel without Landlock is no error. */
int sandbox_enter(const struct sandbox *sandbox, struct error *error);
