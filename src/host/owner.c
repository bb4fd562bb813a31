#include "host/owner.h"
#include "base/text.h"
#include "host/netlink.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- sockets --- */

struct diag_request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 diag;
};

struct listing {
    struct buffer *out;
    uint8_t protocol;
};

static void take_addresses(struct kernel_socket *s, const struct inet_diag_msg *m)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    const uint8_t *local = (const uint8_t *)m->id.idiag_src, *foreign = (const uint8_t *)m->id.idiag_dst;
    bool four = m->idiag_family == AF_INET;
    size_t from = 0;
    if (!four && !memcmp(local, mapped, sizeof mapped)) {
        four = true;
        from = sizeof mapped;
    }
    s->size = four ? 4 : 16;
    memcpy(s->local, local + from, s->size);
    memcpy(s->foreign, foreign + from, s->size);
}

static void take_socket(void *context, uint16_t type, struct span body)
{
    struct listing *l = context;
    struct inet_diag_msg m;
    if (type != SOCK_DIAG_BY_FAMILY || body.left < sizeof m)
        return;
    memcpy(&m, body.at, sizeof m);
    if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
        return;
    struct kernel_socket s = {
        .protocol = l->protocol,
        .state = m.idiag_state,
        .why = OWNER_UNASKED,
        .local_port = ntohs(m.id.idiag_sport),
        .foreign_port = ntohs(m.id.idiag_dport),
        .recv_q = m.idiag_rqueue,
        .send_q = m.idiag_wqueue,
        .user = m.idiag_uid,
        .inode = m.idiag_inode,
    };
    take_addresses(&s, &m);
    buffer_put(l->out, &s, sizeof s);
}

static int list_sockets(int fd, struct buffer *out, struct error *error)
{
    static const struct {
        uint8_t family, protocol;
    } kinds[] = {
        { AF_INET, IPPROTO_TCP }, { AF_INET6, IPPROTO_TCP }, { AF_INET, IPPROTO_UDP }, { AF_INET6, IPPROTO_UDP }
    };
    int code = 0;
    for (unsigned i = 0; !code && i < sizeof kinds / sizeof *kinds; i++) {
        struct listing l = { out, kinds[i].protocol };
        struct diag_request request = {
            .head.nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .diag = { .sdiag_family = kinds[i].family,
                      .sdiag_protocol = kinds[i].protocol,
                      .idiag_states = UINT32_MAX },
        };
        code = netlink_dump(fd, &request.head, sizeof request, take_socket, &l, error);
    }
    return code;
}

/* --- processes --- */

/* Sockets by their inode, to be found while all processes are gone through. */
struct finding {
    struct kernel_socket **by_inode;
    size_t count;
    bool forbidden; /* a process could not be looked into */
};

static int inode_order(const void *a, const void *b)
{
    const struct kernel_socket *const *x = a, *const *y = b;
    return (*x)->inode < (*y)->inode ? -1 : (*x)->inode > (*y)->inode;
}

static void read_program(int process, char program[16])
{
    int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, program, 15);
    if (fd >= 0)
        close(fd);
    n = n < 0 ? 0 : n;
    program[n && program[n - 1] == '\n' ? n - 1 : n] = 0;
}

static void found(struct finding *f, uint32_t inode, int32_t pid, int process)
{
    struct kernel_socket key = { .inode = inode }, *pointer = &key;
    struct kernel_socket **at = bsearch(&pointer, f->by_inode, f->count, sizeof pointer, inode_order);
    if (!at || (*at)->pid)
        return;
    (*at)->pid = pid;
    (*at)->why = OWNER_KNOWN;
    read_program(process, (*at)->program);
}

static void look_into(struct finding *f, int process, int32_t pid)
{
    int fds = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fds < 0 ? NULL : fdopendir(fds);
    if (!folder) {
        f->forbidden |= errno == EACCES || errno == EPERM;
        if (fds >= 0)
            close(fds);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char link[64];
        unsigned inode;
        ssize_t n = *entry->d_name == '.' ? -1 : readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        if (n < 0) {
            f->forbidden |= *entry->d_name != '.' && (errno == EACCES || errno == EPERM);
            continue;
        }
        link[n] = 0;
        if (sscanf(link, "socket:[%u]", &inode) == 1)
            found(f, inode, pid, process);
    }
    closedir(folder);
}

static void look_at_all(struct finding *f)
{
    DIR *proc = opendir("/proc");
    if (!proc) {
        f->forbidden = true;
        return;
    }
    for (struct dirent *entry; (entry = readdir(proc));) {
        if (!isdigit((unsigned char)*entry->d_name))
            continue;
        int process = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
            continue;
        look_into(f, process, (int32_t)strtol(entry->d_name, NULL, 10));
        close(process);
    }
    closedir(proc);
}

static int find_owners(struct kernel_socket *all, size_t count, struct error *error)
{
    struct finding f = { .by_inode = calloc(count + 1, sizeof *f.by_inode) };
    if (!f.by_inode)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    for (size_t i = 0; i < count; i++) {
        all[i].why = OWNER_GONE;
        if (all[i].inode)
            f.by_inode[f.count++] = &all[i];
    }
    qsort(f.by_inode, f.count, sizeof *f.by_inode, inode_order);
    look_at_all(&f);
    for (size_t i = 0; i < f.count; i++)
        if (!f.by_inode[i]->pid)
            f.by_inode[i]->why = f.forbidden ? OWNER_FORBIDDEN : OWNER_ELSEWHERE;
    free(f.by_inode);
    return 0;
}

int owner_sockets(struct buffer *out, bool owners, struct error *error)
{
    size_t before = buffer_used(out);
    int fd = netlink_open(NETLINK_SOCK_DIAG, error);
    if (fd < 0)
        return fd;
    int code = list_sockets(fd, out, error);
    close(fd);
    if (!code && out->failed)
        code = error_set(error, ERROR_MEMORY, "%s", strerror(out->failed));
    if (!code && owners)
        code = find_owners((struct kernel_socket *)(void *)(out->start + before),
                           (buffer_used(out) - before) / sizeof(struct kernel_socket), error);
    return code;
}
