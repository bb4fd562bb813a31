#include "host/xdp.h"
#include <errno.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAMES = 2048, BATCH = 64, PATIENCE_MS = 100, TX_BUDGET = 9 /* XDP_MAX_TX_SKB_BUDGET, since Linux 6.17 */ };

struct ring {
    uint32_t *producer, *consumer;
    void *entries;
    void *map;
    size_t size;
};

struct xdp {
    int fd;
    uint8_t *frames; /* the shared memory */
    struct ring send, fill, done;
    uint32_t free[FRAMES]; /* frames that nobody uses */
    uint32_t free_count;
    uint32_t room;          /* the frame that was handed out */
    uint32_t queued, taken; /* places of the send ring: put so far, taken by the kernel so far as we counted */
    unsigned waiting;       /* put and not yet shown to the kernel */
};

static bool map_ring(struct xdp *x, struct ring *r, const struct xdp_ring_offset *at, size_t entry, off_t where)
{
    r->size = at->desc + FRAMES * entry;
    r->map = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->fd, where);
    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return false;
    }
    char *base = r->map;
    r->producer = (uint32_t *)(void *)(base + at->producer);
    r->consumer = (uint32_t *)(void *)(base + at->consumer);
    r->entries = base + at->desc;
    return true;
}

/* The kernel wants a fill ring even where nothing is received. */
static bool set_up(struct xdp *x, int interface)
{
    size_t size = (size_t)FRAMES * XDP_FRAME;
    void *frames = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (frames == MAP_FAILED)
        return false;
    x->frames = frames;
    struct xdp_umem_reg memory = { .addr = (uintptr_t)frames, .len = size, .chunk_size = XDP_FRAME };
    int entries = FRAMES, budget = 4 * BATCH;
    if (setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) ||
        setsockopt(x->fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof entries) ||
        setsockopt(x->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof entries) ||
        setsockopt(x->fd, SOL_XDP, XDP_TX_RING, &entries, sizeof entries))
        return false;
    setsockopt(x->fd, SOL_XDP, TX_BUDGET, &budget, sizeof budget); /* older kernels take 32 a call */
    struct xdp_mmap_offsets at;
    socklen_t length = sizeof at;
    if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) || length != sizeof at)
        return false;
    if (!map_ring(x, &x->send, &at.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING) ||
        !map_ring(x, &x->fill, &at.fr, sizeof(uint64_t), (off_t)XDP_UMEM_PGOFF_FILL_RING) ||
        !map_ring(x, &x->done, &at.cr, sizeof(uint64_t), (off_t)XDP_UMEM_PGOFF_COMPLETION_RING))
        return false;
    struct sockaddr_xdp address = { .sxdp_family = AF_XDP,
                                    .sxdp_flags = XDP_COPY,
                                    .sxdp_ifindex = (uint32_t)interface };
    return !bind(x->fd, (struct sockaddr *)&address, sizeof address);
}

struct xdp *xdp_open(int interface)
{
    struct xdp *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    for (uint32_t i = 0; i < FRAMES; i++)
        x->free[x->free_count++] = FRAMES - 1 - i;
    x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (x->fd < 0 || !set_up(x, interface)) {
        xdp_close(x);
        return NULL;
    }
    return x;
}

static void unmap(struct ring *r)
{
    if (r->map)
        munmap(r->map, r->size);
}

void xdp_close(struct xdp *x)
{
    if (!x)
        return;
    unmap(&x->send);
    unmap(&x->fill);
    unmap(&x->done);
    if (x->fd >= 0)
        close(x->fd);
    if (x->frames)
        munmap(x->frames, (size_t)FRAMES * XDP_FRAME);
    free(x);
}

/* Frames that were sent are free again. */
static void reap(struct xdp *x)
{
    uint32_t at = *x->done.consumer, end = __atomic_load_n(x->done.producer, __ATOMIC_ACQUIRE);
    const uint64_t *entries = x->done.entries;
    for (; at != end && x->free_count < FRAMES; at++)
        x->free[x->free_count++] = (uint32_t)(entries[at & (FRAMES - 1)] / XDP_FRAME) & (FRAMES - 1);
    __atomic_store_n(x->done.consumer, at, __ATOMIC_RELEASE);
}

static void count_taken(struct xdp *x, struct xdp_counts *counts)
{
    uint32_t taken = __atomic_load_n(x->send.consumer, __ATOMIC_ACQUIRE);
    const struct xdp_desc *entries = x->send.entries;
    counts->sent += taken - x->taken;
    for (; x->taken != taken; x->taken++)
        counts->bytes += entries[x->taken & (FRAMES - 1)].len;
}

/* One call to the kernel, which takes as many as it likes. Returns 0, EAGAIN (it could not take all) or why not. */
static int kick(struct xdp *x, struct xdp_counts *counts)
{
    int why = sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
    count_taken(x, counts);
    if (why == EBUSY) { /* the interface dropped the last one that was taken */
        counts->sent--;
        counts->refused++;
    }
    reap(x);
    return why == EBUSY || why == ENOBUFS || why == EINTR ? EAGAIN : why;
}

static void show(struct xdp *x)
{
    __atomic_store_n(x->send.producer, x->queued, __ATOMIC_RELEASE);
    x->waiting = 0;
}

uint32_t xdp_left(const struct xdp *x)
{
    return x->queued - x->taken;
}

int xdp_flush(struct xdp *x, struct xdp_counts *counts)
{
    show(x);
    for (unsigned idle = 0; x->taken != x->queued;) {
        uint32_t before = x->taken;
        int why = kick(x, counts);
        if (why && why != EAGAIN)
            return why;
        if (x->taken != before) {
            idle = 0;
            continue;
        }
        if (++idle > PATIENCE_MS)
            return ENOBUFS;
        counts->again++;
        poll(NULL, 0, 1);
    }
    return 0;
}

uint8_t *xdp_room(struct xdp *x, struct xdp_counts *counts)
{
    for (unsigned idle = 0; !x->free_count; idle++) {
        reap(x);
        if (x->free_count)
            break;
        if (xdp_flush(x, counts) || idle > PATIENCE_MS)
            return NULL;
        if (!x->free_count)
            poll(NULL, 0, 1);
    }
    x->room = x->free[x->free_count - 1];
    return x->frames + (size_t)x->room * XDP_FRAME;
}

void xdp_put(struct xdp *x, size_t n, struct xdp_counts *counts)
{
    x->free_count--;
    struct xdp_desc *entries = x->send.entries;
    entries[x->queued++ & (FRAMES - 1)] =
        (struct xdp_desc){ .addr = (uint64_t)x->room * XDP_FRAME, .len = (uint32_t)n };
    if (++x->waiting < BATCH)
        return;
    show(x);
    kick(x, counts);
}
