#include "host/sandbox.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights that the kernel's first Landlock had, and what the later ones added (landlock(7)); the header may be older. */
enum {
    FILES_FIRST = (1 << 13) - 1,
    FILES_REFER = 1 << 13,
    FILES_TRUNCATE = 1 << 14,
    FILES_IOCTL = 1 << 15,
    NET_ALL = 3,
    SCOPE_ALL = 3,
};

struct ruleset {
    uint64_t files, net, scoped;
};

/* --- Landlock --- */

static int allow_reading(int rules, const char *path)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return 0; /* is not there: opening it will say so */
    int code = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return code;
}

static int close_files(const struct sandbox *s, struct error *error)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return 0; /* an old kernel, or one that has it switched off */
    struct ruleset all = { .files = FILES_FIRST };
    all.files |= version >= 2 ? FILES_REFER : 0;
    all.files |= version >= 3 ? FILES_TRUNCATE : 0;
    all.files |= version >= 5 ? FILES_IOCTL : 0;
    all.net = version >= 4 ? NET_ALL : 0;
    all.scoped = version >= 6 ? SCOPE_ALL : 0;
    size_t size = version >= 6 ? sizeof all : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
    int code = rules < 0;
    for (unsigned i = 0; !code && i < s->readable_count; i++)
        code = allow_reading(rules, s->readable[i]);
    if (!code)
        code = (int)syscall(SYS_landlock_restrict_self, rules, 0);
    if (code)
        code = error_set(error, ERROR_SYSTEM, _("sandbox: Landlock: %s"), strerror(errno));
    if (rules >= 0)
        close(rules);
    return code;
}

/* --- seccomp --- */

/* On what descriptor or memory it happens does not matter for these. */
static const int allowed[] = {
    SCMP_SYS(read),         SCMP_SYS(readv),          SCMP_SYS(pread64),         SCMP_SYS(write),
    SCMP_SYS(writev),       SCMP_SYS(lseek),          SCMP_SYS(ftruncate),       SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),    SCMP_SYS(close),          SCMP_SYS(fstat),           SCMP_SYS(newfstatat),
    SCMP_SYS(statx),        SCMP_SYS(poll),           SCMP_SYS(ppoll),           SCMP_SYS(brk),
    SCMP_SYS(munmap),       SCMP_SYS(mremap),         SCMP_SYS(madvise),         SCMP_SYS(futex),
    SCMP_SYS(getrandom),    SCMP_SYS(clock_gettime),  SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time),           SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sched_yield),     SCMP_SYS(getpid),
    SCMP_SYS(gettid),       SCMP_SYS(tgkill), /* abort(3), to itself: see below */
    SCMP_SYS(wait4),        SCMP_SYS(getsockopt),     SCMP_SYS(getsockname),     SCMP_SYS(exit),
    SCMP_SYS(exit_group),   SCMP_SYS(rseq),           SCMP_SYS(set_robust_list),
};

/* Nothing of ours does these, ever: whoever tries has taken the process over. */
static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(mount),
    SCMP_SYS(bpf),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(keyctl),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(userfaultfd),
};

/* Sending and receiving on this descriptor alone. */
static int allow_talking(scmp_filter_ctx filter, int fd)
{
    static const int calls[] = { SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg) };
    int code = 0;
    for (size_t i = 0; fd >= 0 && !code && i < sizeof calls / sizeof *calls; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)fd));
    return code;
}

/* Threads, which have all that confines their maker; no processes. What clone3 asks lies in memory, where no filter
 * sees it: libc then uses clone. */
static int allow_threads(scmp_filter_ctx filter)
{
    enum {
        THREAD = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND,
        PROCESS = CLONE_VFORK | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                  CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PTRACE,
    };
    int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD | PROCESS, THREAD));
    return code ? code : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int add_rules(scmp_filter_ctx filter, const struct sandbox *s)
{
    int code = 0;
    for (size_t i = 0; !code && i < sizeof deadly / sizeof *deadly; i++)
        code = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    for (size_t i = 0; !code && i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i] != SCMP_SYS(tgkill))
            code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (!code)
        code =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    /* Memory for data alone. */
    if (!code)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!code)
        code =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* Is it a terminal, and how wide. */
    if (!code)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, TCGETS));
    if (!code)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ));
    if (!code && s->readable_count)
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
    if (!code)
        code = allow_threads(filter);
    if (!code)
        code = allow_talking(filter, s->route);
    return code ? code : allow_talking(filter, s->helper);
}

static int filter_calls(const struct sandbox *s, struct error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list, where it is known */
    int code = add_rules(filter, s);
    if (!code)
        code = seccomp_load(filter);
    seccomp_release(filter);
    /* A kernel built without it (or an emulator) has EINVAL or ENOSYS. */
    if (code && code != -EINVAL && code != -ENOSYS)
        return error_set(error, ERROR_SYSTEM, _("sandbox: seccomp: %s"), strerror(-code));
    return 0;
}

int sandbox_enter(const struct sandbox *s, struct error *error)
{
    const char *wish = getenv("PEEL_SANDBOX");
#ifdef __SANITIZE_ADDRESS__ /* its leak check forks, traces and reads /proc at the end */
    wish = "off";
#endif
    if (wish && !strcmp(wish, "off"))
        return 0;
    tzset();
    (void)_("no memory");
    (void)strerror(ENOSPC);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return error_set(error, ERROR_SYSTEM, _("sandbox: no_new_privs: %s"), strerror(errno));
    int code = close_files(s, error);
    return code ? code : filter_calls(s, error);
}
