#include "host/netns.h"
#include "base/text.h"
#include "host/privilege.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <unistd.h>

static int open_one(const char *name)
{
    char path[PATH_MAX];
    if (strchr(name, '/')) {
        errno = ENOENT;
        return -1;
    }
    snprintf(path, sizeof path, "/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT || !*name || name[strspn(name, "0123456789")])
        return fd;
    snprintf(path, sizeof path, "/proc/%s/ns/net", name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int netns_enter(const char *name, struct error *error)
{
    int fd = open_one(name);
    if (fd < 0 && errno == ENOENT)
        return error_set(error, ERROR_NOT_FOUND,
                         _("--netns %s: neither a network namespace of 'ip netns list' nor a process"), name);
    if (fd < 0 && errno == EACCES)
        return privilege_missing(name, _("looking into another's network namespace"), "CAP_SYS_PTRACE", error);
    if (fd < 0)
        return error_set(error, ERROR_SYSTEM, "--netns %s: %s", name, strerror(errno));
    int code = 0;
    if (setns(fd, CLONE_NEWNET))
        code = errno == EPERM ? privilege_missing(name, _("entering a network namespace"), "CAP_SYS_ADMIN", error)
                              : error_set(error, ERROR_SYSTEM, "--netns %s: %s", name, strerror(errno));
    close(fd);
    return code;
}
