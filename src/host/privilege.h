/* What the process may do, and how it gives that up. */
#pragma once
#include "base/error.h"

/* "WHAT: permission denied: DOING needs CAPABILITY. Once: sudo setcap ... PATH". Returns ERROR_PERMISSION. */
int privilege_missing(const char *what, const char *doing, const char *capability, struct error *error);
