#include "host/privilege.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534 };

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

static bool parse_id(const char *name, unsigned *id)
{
    const char *text = getenv(name);
    char *end;
    if (!text || !isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *id = (unsigned)value;
    return !*end && !errno && value && value < UINT_MAX;
}

bool privilege_caller(uid_t *user, gid_t *group)
{
    return geteuid() == 0 && parse_id("SUDO_UID", user) && parse_id("SUDO_GID", group);
}

bool privilege_successor(uid_t *user, gid_t *group)
{
    if (geteuid() != 0)
        return false;
    if (!privilege_caller(user, group)) {
        *user = NOBODY;
        *group = NOBODY;
    }
    return true;
}

/* Takes from the process's capabilities all but those of the mask. */
static int limit_capabilities(uint64_t mask)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data))
        return -1;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t keep = (uint32_t)(mask >> (32 * i));
        data[i].permitted &= keep;
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* what an old kernel has not, it does not keep */
    return (int)syscall(SYS_capset, &head, data);
}

static int refuse(const char *what, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, _("cannot give up privileges: %s: %s"), what, strerror(errno));
}

int privilege_keep(unsigned capabilities, struct error *error)
{
    uint64_t mask = 0;
    if (capabilities & CAPABILITIES_FILES)
        mask |= UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_FOWNER | UINT64_C(1) << CAP_CHOWN;
    if (capabilities & CAPABILITIES_OWNERS)
        mask |= UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH;
    if (capabilities & CAPABILITIES_READING)
        mask |= UINT64_C(1) << CAP_DAC_READ_SEARCH;
    if (limit_capabilities(mask))
        return refuse("capset", error);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? refuse("no_new_privs", error) : 0;
}

int privilege_drop(struct error *error)
{
    uid_t user;
    gid_t group;
    bool root = privilege_successor(&user, &group);
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0); /* needs a capability itself; without it there is nothing to lose */
    /* EINVAL: a user namespace that does not know this user; then root is nobody in particular outside of it. */
    if (root && setgroups(0, NULL) && errno != EPERM)
        return refuse("setgroups", error);
    if (root && setresgid(group, group, group) && errno != EINVAL)
        return refuse("setresgid", error);
    if (root && setresuid(user, user, user) && errno != EINVAL)
        return refuse("setresuid", error);
    if (limit_capabilities(0))
        return refuse("capset", error);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return refuse("no_new_privs", error);
#ifdef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* its leak check traces the process */
#endif
    return 0;
}
