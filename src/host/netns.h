/* Network namespaces: the process moves into another one, in which everything is that it opens from then on. */
#pragma once
#include "base/error.h"

/* name: of one made by ip-netns(8), or the number of a process that is in it. Returns 0, ERROR_NOT_FOUND,
 * ERROR_PERMISSION or ERROR_SYSTEM. */
int netns_enter(const char *name, struct error *error);
