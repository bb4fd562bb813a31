#include "host/ring.h"
#include "base/text.h"
#include "host/interface.h"
#include "host/privilege.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    VLAN_TAG = 4,
    ADDRESSES = 12,
    INSTRUCTIONS_MAX = 4000,
    AHEAD = 4,
    AHEAD_SMALL = 32,
    SMALL_STEP = 512,
    CACHE_LINE = 64,
    EVERYTHING = 0x40000
};

struct ring {
    /* on the way of a packet */
    uint8_t *packet;   /* the next packet's header in the block, if any are left */
    uint32_t left;     /* packets in the block that were not handed out */
    bool holding;      /* the block at `at` is ours */
    bool has_vlan_tag; /* Ethernet: tags are to be put back */
    unsigned at, blocks;
    uint8_t *map;
    /* the rest */
    int fd;
    unsigned index; /* the interface's */
    uint16_t link_type;
    bool promiscuous;
    enum ring_state state;
    struct ring_counts counts;
    char name[INTERFACE_NAME];
};

/* --- opening --- */

static int refuse(const struct ring *r, const char *what, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, "%s: %s: %s", r->name, what, strerror(errno));
}

static int open_socket(struct ring *r, struct error *error)
{
    r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: nothing comes before it is bound */
    if (r->fd >= 0)
        return 0;
    if (errno == EPERM || errno == EACCES)
        return privilege_missing(r->name, _("capturing"), "CAP_NET_RAW", error);
    return refuse(r, "socket", error);
}

static int map_ring(struct ring *r, size_t bytes, struct error *error)
{
    r->blocks = (unsigned)(bytes / RING_BLOCK);
    if (r->blocks < 2)
        r->blocks = 2;
    int version = TPACKET_V3;
    struct tpacket_req3 request = {
        .tp_block_size = RING_BLOCK,
        .tp_block_nr = r->blocks,
        .tp_frame_size = RING_BLOCK,
        .tp_frame_nr = r->blocks,
        .tp_retire_blk_tov = RING_WAIT_MS,
    };
    if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
        setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request))
        return refuse(r, "PACKET_RX_RING", error);
    void *map = mmap(NULL, (size_t)r->blocks * RING_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (map == MAP_FAILED)
        return refuse(r, "mmap", error);
    r->map = map;
    return 0;
}

int ring_bind(int fd, unsigned index, bool promiscuous)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)index };
    struct packet_mreq request = { .mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC };
    if (bind(fd, (struct sockaddr *)&address, sizeof address))
        return -1;
    if (promiscuous) /* what cannot (a tunnel) shows what it has anyway */
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request);
    return 0;
}

static int attach(struct ring *r, const struct interface *i)
{
    int yes = 1;
    r->index = i->index;
    /* What goes out by the loopback comes in by it as well. */
    if (i->loopback)
        setsockopt(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
    if (ring_bind(r->fd, r->index, r->promiscuous))
        return -1;
    r->state = i->up ? RING_UP : RING_DOWN;
    return 0;
}

static int open_on(struct ring *r, const struct interface *i, size_t bytes, struct error *error)
{
    r->link_type = i->link_type;
    r->has_vlan_tag = i->link_type == 1;
    int code = open_socket(r, error);
    if (!code)
        code = map_ring(r, bytes, error);
    if (!code && attach(r, i))
        code = refuse(r, "bind", error);
    return code;
}

int ring_open(struct ring **ring, const char *interface, size_t bytes, bool promiscuous, struct error *error)
{
    struct interfaces list;
    struct ring *r = calloc(1, sizeof *r);
    *ring = NULL;
    if (!r)
        return error_set(error, ERROR_MEMORY, "%s: %s", interface, strerror(ENOMEM));
    r->fd = -1;
    r->promiscuous = promiscuous;
    snprintf(r->name, sizeof r->name, "%s", interface);
    int code = interfaces_read(&list, error);
    const struct interface *i = code ? NULL : interfaces_find(&list, interface);
    if (i)
        code = open_on(r, i, bytes, error);
    else if (!code)
        code = error_set(error, ERROR_NOT_FOUND, _("%s: no such interface"), interface);
    interfaces_free(&list);
    if (code)
        ring_close(r);
    else
        *ring = r;
    return code;
}

void ring_close(struct ring *r)
{
    if (!r)
        return;
    if (r->map)
        munmap(r->map, (size_t)r->blocks * RING_BLOCK);
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

/* The kernel holds a packet's VLAN tag apart while a filter looks at it, and the filter is written for packets as they
 * are on the wire: what has a tag passes here and is judged afterwards. */
int ring_filter(struct ring *r, const struct ring_instruction *program, size_t count, struct error *error)
{
    static const struct sock_filter first[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, EVERYTHING),
    };
    enum { FIRST = sizeof first / sizeof *first };
    if (count > INSTRUCTIONS_MAX)
        return error_set(error, ERROR_USAGE, "%s", _("filter: too long for the kernel"));
    struct sock_filter *all = malloc((FIRST + count) * sizeof *all);
    if (!all)
        return error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    memcpy(all, first, sizeof first);
    for (size_t i = 0; i < count; i++)
        all[FIRST + i] = (struct sock_filter){ program[i].code, program[i].if_true, program[i].if_false, program[i].k };
    struct sock_fprog whole = { (unsigned short)(FIRST + count), all };
    int code = setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &whole, sizeof whole);
    if (code)
        code = refuse(r, "SO_ATTACH_FILTER", error);
    free(all);
    return code;
}

/* --- packets --- */

static struct tpacket_block_desc *block(const struct ring *r)
{
    return (struct tpacket_block_desc *)(r->map + (size_t)r->at * RING_BLOCK);
}

/* The block goes back to the kernel, and the next one is ours if the kernel is done with it. */
static bool next_block(struct ring *r)
{
    if (r->holding) {
        __atomic_store_n(&block(r)->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        r->holding = false;
        r->at = r->at + 1 == r->blocks ? 0 : r->at + 1;
    }
    struct tpacket_block_desc *b = block(r);
    if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
        return false;
    r->holding = true;
    r->left = b->hdr.bh1.num_pkts;
    r->packet = (uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
    return true;
}

/* Puts a tag back behind the two addresses, over the end of the sockaddr_ll that the kernel writes in front of a packet
 * and nobody reads. Room that was asked for (PACKET_RESERVE) would make the place of a short packet longer. */
static void put_tag_back(struct ring_packet *packet, const struct tpacket3_hdr *head, uint8_t *bytes)
{
    if (packet->bytes.left < ADDRESSES)
        return;
    memmove(bytes - VLAN_TAG, bytes, ADDRESSES);
    bytes -= VLAN_TAG;
    uint16_t type = head->tp_status & TP_STATUS_VLAN_TPID_VALID ? head->hv1.tp_vlan_tpid : ETH_P_8021Q;
    store_be16(bytes + ADDRESSES, type);
    store_be16(bytes + ADDRESSES + 2, (uint16_t)head->hv1.tp_vlan_tci);
    packet->bytes = (struct span){ bytes, packet->bytes.left + VLAN_TAG };
    packet->wire_length += VLAN_TAG;
    packet->unjudged = true;
}

/* The header of a packet says where the next one's is, and each lies in the cache of the processor that wrote it. Were
 * all packets as long as this one, the others would be here. */
static inline void fetch_ahead(const struct ring *r, uint32_t step)
{
    size_t ahead = step < SMALL_STEP ? AHEAD_SMALL : AHEAD;
    const uint8_t *end = (const uint8_t *)block(r) + RING_BLOCK, *at = r->packet + ahead * step;
    if (at + 2 * CACHE_LINE < end) {
        __builtin_prefetch(at);
        __builtin_prefetch(at + CACHE_LINE);
    }
}

static inline void take_packet(struct ring *r, struct ring_packet *packet)
{
    const struct tpacket3_hdr *head = (const struct tpacket3_hdr *)r->packet;
    uint8_t *bytes = r->packet + head->tp_mac;
    *packet = (struct ring_packet){
        .bytes = { bytes, head->tp_snaplen },
        .wire_length = head->tp_len,
        .time = (int64_t)head->tp_sec * 1000000000 + head->tp_nsec,
    };
    if (__builtin_expect(head->tp_status & TP_STATUS_VLAN_VALID, 0) && r->has_vlan_tag)
        put_tag_back(packet, head, bytes);
    r->left--;
    fetch_ahead(r, head->tp_next_offset);
    r->packet += head->tp_next_offset;
}

int ring_next(struct ring *r, struct ring_packet *packet)
{
    while (!r->left)
        if (!next_block(r))
            return 0;
    take_packet(r, packet);
    return 1;
}

unsigned ring_batch(struct ring *r, struct ring_packet *packets, unsigned room)
{
    while (!r->left)
        if (!next_block(r))
            return 0;
    unsigned n = r->left < room ? r->left : room;
    for (unsigned i = 0; i < n; i++)
        take_packet(r, &packets[i]);
    return n;
}

bool ring_at_edge(const struct ring *r)
{
    return !r->left;
}

/* --- waiting, and what becomes of the interface --- */

static void look_after(struct ring *r)
{
    int reason = 0;
    socklen_t size = sizeof reason;
    if (!getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &reason, &size) && reason)
        r->state = RING_DOWN;
}

void ring_wait(struct ring *r, int ms)
{
    struct pollfd ready = { .fd = r->fd, .events = POLLIN };
    if (poll(&ready, 1, ms) <= 0)
        return;
    if (ready.revents & POLLERR)
        look_after(r);
    else if (ready.revents & POLLIN)
        r->state = RING_UP;
}

enum ring_state ring_revive(struct ring *r)
{
    struct interfaces list;
    if (r->state == RING_UP || interfaces_read(&list, NULL))
        return r->state;
    const struct interface *i = interfaces_find(&list, r->name);
    if (!i || i->link_type != r->link_type)
        r->state = RING_GONE;
    else if (i->index != r->index)
        r->state = attach(r, i) ? RING_GONE : r->state;
    else
        r->state = i->up ? RING_UP : RING_DOWN;
    interfaces_free(&list);
    return r->state;
}

struct ring_standing ring_look(struct ring *r)
{
    r->state = RING_DOWN;
    enum ring_state state = ring_revive(r);
    return (struct ring_standing){ state, r->index };
}

enum ring_state ring_state(const struct ring *r)
{
    return r->state;
}

void ring_believe(struct ring *r, struct ring_standing standing)
{
    r->state = standing.state;
    r->index = standing.index;
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

uint16_t ring_link_type(const struct ring *r)
{
    return r->link_type;
}

/* The kernel's counters begin at 0 again with each question. */
struct ring_counts ring_counts(struct ring *r)
{
    struct tpacket_stats_v3 now = { 0 };
    socklen_t size = sizeof now;
    if (!getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &now, &size)) {
        r->counts.received += now.tp_packets;
        r->counts.dropped += now.tp_drops;
    }
    return r->counts;
}
