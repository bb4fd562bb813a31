#include "host/privilege.h"
#include "base/text.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

int privilege_missing(const char *what, const char *doing, const char *capability, struct error *error)
{
    char path[PATH_MAX] = "", lower[64];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        n = snprintf(path, sizeof path, "peel");
    path[n] = 0;
    size_t i = 0;
    for (; capability[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)capability[i]);
    lower[i] = 0;
    return error_set(error, ERROR_PERMISSION,
                     _("%s: permission denied: %s needs %s. Once: sudo setcap %s+ep %s (or run it with sudo)"), what,
                     doing, capability, lower, path);
}
