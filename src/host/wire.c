#include "host/wire.h"
#include "base/text.h"
#include "host/xdp.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ARENA = 4 * 65536,  /* where a batch is written */
    TAG = 4,            /* a VLAN tag, which the kernel takes out and is put back */
    SLOT = 65536 + 128, /* a received packet: the kernel joins segments to 64 KiB */
    BUFFER_BYTES = 8 << 20,
    PATIENCE_MS = 100,
    LINK_ETHERNET = 1,
    LINK_RAW = 101,
};

_Static_assert(sizeof(struct wire_instruction) == sizeof(struct sock_filter), "the layout is the kernel's");

struct wire {
    struct wire_info info;
    struct wire_counts counts;
    int fd;     /* AF_PACKET */
    int joined; /* AF_PACKET for sending, each packet behind a virtio header that tells how to cut it; -1: none */
    int own[2]; /* loopback without frames: raw sockets of IPv4 and IPv6, else -1 */
    bool receive, outgoing;
    struct xdp *xdp; /* NULL: not used */
    bool xdp_room;   /* the last room is a frame of it */
    uint64_t stuck;  /* of the refused ones: those that still lie in the ring */
    unsigned idle;   /* milliseconds since a packet was taken, while none is */
    int trouble;     /* errno of the first packet refused since the last flush */

    uint8_t *arena, *next; /* owned; where the next room begins */
    unsigned waiting;
    struct mmsghdr out[WIRE_BATCH];
    struct iovec pieces[WIRE_BATCH];
    struct iovec cuttings[WIRE_BATCH][2]; /* header and piece, for the joined socket */
    struct virtio_net_hdr cuts[WIRE_BATCH];
    union {
        struct sockaddr_ll link;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } to[WIRE_BATCH];

    uint8_t *slots; /* owned; WIRE_RECEIVED of them, TAG bytes free in front of each */
    struct mmsghdr in[WIRE_RECEIVED];
    struct iovec places[WIRE_RECEIVED];
    struct sockaddr_ll from[WIRE_RECEIVED];
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } notes[WIRE_RECEIVED];
};

/* ---- what there is */

static int no_such(struct error *error, const char *interface)
{
    if (errno == ENODEV || errno == ENXIO)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no such interface"), interface);
    return error_set(error, ERROR_SYSTEM, "%s: %s", interface, strerror(errno));
}

/* ARPHRD_ types whose packets begin with an IP header once the kernel has put its own in front of them. */
static bool carries_ip(unsigned type)
{
    return type == ARPHRD_NONE || type == ARPHRD_RAWIP || type == ARPHRD_PPP || type == ARPHRD_TUNNEL ||
           type == ARPHRD_TUNNEL6 || type == ARPHRD_SIT || type == ARPHRD_IPGRE || type == ARPHRD_IP6GRE;
}

static int look(int fd, struct wire_info *info, const char *interface, unsigned flags, struct error *error)
{
    struct ifreq request = { 0 };
    size_t length = strlen(interface);
    *info = (struct wire_info){ 0 };
    if (!length || length >= sizeof request.ifr_name) {
        errno = ENODEV;
        return no_such(error, interface);
    }
    memcpy(request.ifr_name, interface, length);
    memcpy(info->name, interface, length);
    if (ioctl(fd, SIOCGIFINDEX, &request))
        return no_such(error, interface);
    info->index = request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFMTU, &request))
        return no_such(error, interface);
    info->mtu = request.ifr_mtu > 0 ? (unsigned)request.ifr_mtu : 0;
    if (ioctl(fd, SIOCGIFHWADDR, &request))
        return no_such(error, interface);
    unsigned type = request.ifr_hwaddr.sa_family;
    memcpy(info->mac, request.ifr_hwaddr.sa_data, sizeof info->mac);
    info->loopback = type == ARPHRD_LOOPBACK;
    bool ip = carries_ip(type) || (info->loopback && !(flags & WIRE_FRAMES));
    info->link_type = ip ? LINK_RAW : LINK_ETHERNET;
    if (!ip && type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK)
        return error_set(error, ERROR_SYSTEM, _("%s: an interface of this kind (%u) cannot be sent on"), interface,
                         type);
    return 0;
}

int wire_look(struct wire_info *info, const char *interface, unsigned flags, struct error *error)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(error, ERROR_SYSTEM, "%s: %s", interface, strerror(errno));
    int code = look(fd, info, interface, flags, error);
    close(fd);
    return code;
}

/* ---- opening */

static int refused(struct error *error, const char *interface)
{
    if (errno == EPERM || errno == EACCES)
        return error_set(error, ERROR_PERMISSION,
                         _("%s: not permitted to send and receive packets: CAP_NET_RAW or CAP_NET_ADMIN is missing "
                           "(sudo setcap cap_net_raw,cap_net_admin+ep PATH/TO/peel grants both)"),
                         interface);
    return error_set(error, ERROR_SYSTEM, "%s: %s", interface, strerror(errno));
}

static void set(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

static void set_buffer(int fd, int option, int forced)
{
    int size = BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size)) /* beyond the limit takes CAP_NET_ADMIN */
        setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
}

/* Protocol 0 at first: nothing is received before filter and options are in place. */
static int open_packet_socket(struct wire *w, unsigned flags, const struct wire_instruction *filter, unsigned count,
                              struct error *error)
{
    w->fd = socket(AF_PACKET, (w->info.link_type == LINK_RAW ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return refused(error, w->info.name);
    set_buffer(w->fd, SO_SNDBUF, SO_SNDBUFFORCE);
    if (flags & (WIRE_BYPASS | WIRE_XDP))
        set(w->fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    if (w->receive) {
        set_buffer(w->fd, SO_RCVBUF, SO_RCVBUFFORCE);
        set(w->fd, SOL_PACKET, PACKET_AUXDATA, 1);
        set(w->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
        if (!w->outgoing)
            set(w->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
        struct sock_fprog program = { .len = (unsigned short)count, .filter = (struct sock_filter *)(uintptr_t)filter };
        if (filter && setsockopt(w->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
            return refused(error, w->info.name);
    }
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(w->receive ? ETH_P_ALL : 0),
                                   .sll_ifindex = w->info.index };
    if (bind(w->fd, (struct sockaddr *)&address, sizeof address))
        return refused(error, w->info.name);
    return 0;
}

/* The host's own IP refuses frames that come from its own addresses; packets have to begin their way there. */
static int open_own_sockets(struct wire *w, struct error *error)
{
    w->own[0] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (w->own[0] < 0)
        return refused(error, w->info.name);
    w->own[1] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); /* there may be no IPv6 */
    for (unsigned i = 0; i < 2 && w->own[i] >= 0; i++) {
        set_buffer(w->own[i], SO_SNDBUF, SO_SNDBUFFORCE);
    }
    set(w->own[1], IPPROTO_IPV6, IPV6_HDRINCL, 1);
    return 0;
}

/* Nothing is lost if it cannot be had: then nothing is joined. */
static void open_joined(struct wire *w)
{
    int one = 1;
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = w->info.index };
    w->joined = socket(AF_PACKET, (w->info.link_type == LINK_RAW ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);
    if (w->joined < 0)
        return;
    set_buffer(w->joined, SO_SNDBUF, SO_SNDBUFFORCE);
    if (!setsockopt(w->joined, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) &&
        !bind(w->joined, (struct sockaddr *)&address, sizeof address))
        return;
    close(w->joined);
    w->joined = -1;
}

static int make_room(struct wire *w, struct error *error)
{
    w->arena = malloc(ARENA);
    w->next = w->arena;
    if (w->receive)
        w->slots = malloc((size_t)WIRE_RECEIVED * SLOT);
    if (!w->arena || (w->receive && !w->slots))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    for (unsigned i = 0; i < WIRE_BATCH; i++) {
        w->out[i].msg_hdr.msg_iov = w->joined < 0 ? &w->pieces[i] : w->cuttings[i];
        w->out[i].msg_hdr.msg_iovlen = w->joined < 0 ? 1 : 2;
        w->cuttings[i][0] = (struct iovec){ &w->cuts[i], sizeof w->cuts[i] };
    }
    return 0;
}

static int start(struct wire *w, const char *interface, unsigned flags, const struct wire_instruction *filter,
                 unsigned count, struct error *error)
{
    int code = wire_look(&w->info, interface, flags, error);
    if (!code)
        code = open_packet_socket(w, flags, filter, count, error);
    if (!code && w->info.loopback && w->info.link_type == LINK_RAW)
        code = open_own_sockets(w, error);
    else if (!code && flags & WIRE_JOIN && !(flags & WIRE_XDP))
        open_joined(w);
    if (!code)
        code = make_room(w, error);
    if (!code && flags & WIRE_XDP && w->info.link_type == LINK_ETHERNET)
        w->xdp = xdp_open(w->info.index);
    w->info.xdp = w->xdp;
    return code;
}

int wire_open(struct wire **wire, const char *interface, unsigned flags, const struct wire_instruction *filter,
              unsigned count, struct error *error)
{
    *wire = NULL;
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    w->fd = w->joined = w->own[0] = w->own[1] = -1;
    w->receive = flags & WIRE_RECEIVE;
    w->outgoing = flags & WIRE_OUTGOING;
    int code = start(w, interface, flags, filter, count, error);
    if (code) {
        wire_close(w);
        return code;
    }
    *wire = w;
    return 0;
}

static void close_socket(int fd)
{
    if (fd >= 0)
        close(fd);
}

void wire_close(struct wire *w)
{
    if (!w)
        return;
    xdp_close(w->xdp);
    close_socket(w->fd);
    close_socket(w->joined);
    close_socket(w->own[0]);
    close_socket(w->own[1]);
    free(w->arena);
    free(w->slots);
    free(w);
}

const struct wire_info *wire_info(const struct wire *w)
{
    return &w->info;
}

int wire_fd(const struct wire *w)
{
    return w->receive ? w->fd : -1;
}

void wire_join(struct wire *w, const uint8_t mac[6])
{
    struct packet_mreq group = { .mr_ifindex = w->info.index, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6 };
    memcpy(group.mr_address, mac, 6);
    setsockopt(w->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof group);
}

const struct wire_counts *wire_counts(struct wire *w)
{
    struct tpacket_stats stats;
    socklen_t length = sizeof stats;
    if (w->receive && !getsockopt(w->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length))
        w->counts.lost += stats.tp_drops; /* reading sets the kernel's to 0 */
    return &w->counts;
}

/* ---- sending */

static bool is_ipv6(const struct iovec *piece)
{
    return piece->iov_len && *(const uint8_t *)piece->iov_base >> 4 == 6;
}

/* Where a packet goes that does not say so by a link header. */
static void address(struct wire *w, unsigned i)
{
    struct msghdr *m = &w->out[i].msg_hdr;
    const uint8_t *ip = w->pieces[i].iov_base;
    size_t length = w->pieces[i].iov_len;
    bool six = is_ipv6(&w->pieces[i]);
    m->msg_name = &w->to[i];
    if (w->own[0] < 0) {
        w->to[i].link = (struct sockaddr_ll){ .sll_family = AF_PACKET,
                                              .sll_protocol = htons(six ? ETH_P_IPV6 : ETH_P_IP),
                                              .sll_ifindex = w->info.index };
        m->msg_namelen = sizeof w->to[i].link;
    } else if (six) {
        w->to[i].in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
        if (length >= 40)
            memcpy(&w->to[i].in6.sin6_addr, ip + 24, 16);
        if (IN6_IS_ADDR_LINKLOCAL(&w->to[i].in6.sin6_addr))
            w->to[i].in6.sin6_scope_id = (uint32_t)w->info.index;
        m->msg_namelen = sizeof w->to[i].in6;
    } else {
        w->to[i].in = (struct sockaddr_in){ .sin_family = AF_INET };
        if (length >= 20)
            memcpy(&w->to[i].in.sin_addr, ip + 16, 4);
        m->msg_namelen = sizeof w->to[i].in;
    }
}

/* The socket for packet i, and how many from there on take the same one. */
static int socket_for(const struct wire *w, unsigned i, unsigned *run)
{
    *run = w->waiting - i;
    if (w->own[0] < 0)
        return w->joined < 0 ? w->fd : w->joined;
    bool six = is_ipv6(&w->pieces[i]);
    for (unsigned n = 1; n < *run; n++)
        if (is_ipv6(&w->pieces[i + n]) != six)
            *run = n;
    return w->own[six];
}

static void count_sent(struct wire *w, unsigned from, unsigned n)
{
    w->counts.sent += n;
    for (unsigned i = 0; i < n; i++)
        w->counts.bytes += w->pieces[from + i].iov_len;
}

static bool no_room(int why)
{
    return why == ENOBUFS || why == EAGAIN || why == EINTR;
}

/* A packet could not be sent. Whether it is to be offered again: once patience is at its end, none is until one has
 * been taken. */
static bool offer_again(struct wire *w, int why)
{
    if (!no_room(why) || w->idle == PATIENCE_MS)
        return false;
    w->counts.again++;
    if (w->idle++)
        poll(NULL, 0, 1);
    return true;
}

static void send_batch(struct wire *w)
{
    for (unsigned i = 0, run; i < w->waiting;) {
        int fd = socket_for(w, i, &run);
        int n = sendmmsg(fd, w->out + i, run, MSG_DONTWAIT);
        int why = n < 0 ? errno : 0;
        if (n > 0) {
            count_sent(w, i, (unsigned)n);
            i += (unsigned)n;
            w->idle = 0;
        } else if (!offer_again(w, why)) {
            w->counts.refused++;
            w->trouble = w->trouble ? w->trouble : why;
            i++;
        }
    }
    w->waiting = 0;
    w->next = w->arena;
}

static void take_counts(struct wire *w, const struct xdp_counts *counts)
{
    w->counts.sent += counts->sent;
    w->counts.bytes += counts->bytes;
    w->counts.refused += counts->refused;
    w->counts.again += counts->again;
}

uint8_t *wire_room(struct wire *w, size_t n)
{
    if (n > WIRE_LONGEST)
        return NULL;
    w->xdp_room = w->xdp && n <= XDP_FRAME;
    if (w->xdp_room) {
        struct xdp_counts counts = { 0 };
        uint8_t *room = xdp_room(w->xdp, &counts);
        take_counts(w, &counts);
        if (room)
            return room;
        w->xdp_room = false;
    }
    if (w->waiting == WIRE_BATCH || n > (size_t)(w->arena + ARENA - w->next))
        send_batch(w);
    return w->next;
}

void wire_put(struct wire *w, size_t n)
{
    if (w->xdp_room) {
        struct xdp_counts counts = { 0 };
        xdp_put(w->xdp, n, &counts);
        take_counts(w, &counts);
        return;
    }
    unsigned i = w->waiting++;
    w->pieces[i] = w->cuttings[i][1] = (struct iovec){ w->next, n };
    w->cuts[i] = (struct virtio_net_hdr){ 0 };
    if (w->info.link_type == LINK_RAW)
        address(w, i);
    w->next += (n + 15) & ~(size_t)15;
    if (w->next > w->arena + ARENA)
        w->next = w->arena + ARENA;
    if (w->waiting == WIRE_BATCH)
        send_batch(w);
}

uint8_t *wire_last(struct wire *w, size_t *length, size_t n)
{
    if (w->joined < 0 || !w->waiting)
        return NULL;
    const struct iovec *last = &w->pieces[w->waiting - 1];
    uint8_t *packet = last->iov_base;
    *length = last->iov_len;
    return n <= (size_t)(w->arena + ARENA - packet) - last->iov_len ? packet : NULL;
}

void wire_stretch(struct wire *w, size_t n, const struct wire_cut *cut)
{
    unsigned i = w->waiting - 1;
    w->pieces[i].iov_len += n;
    w->cuttings[i][1].iov_len += n;
    w->cuts[i] = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = cut->six ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = cut->headers,
        .gso_size = cut->piece,
        .csum_start = cut->transport,
        .csum_offset = cut->checksum,
    };
    size_t end = (w->pieces[i].iov_len + 15) & ~(size_t)15;
    w->next = (uint8_t *)w->pieces[i].iov_base + end;
    if (w->next > w->arena + ARENA)
        w->next = w->arena + ARENA;
}

int wire_flush(struct wire *w, struct error *error)
{
    if (w->xdp) {
        struct xdp_counts counts = { 0 };
        int why = xdp_flush(w->xdp, &counts);
        take_counts(w, &counts);
        w->counts.refused += xdp_left(w->xdp) - w->stuck;
        w->stuck = xdp_left(w->xdp);
        w->trouble = w->trouble ? w->trouble : why;
    }
    if (w->waiting)
        send_batch(w);
    int why = w->trouble;
    w->trouble = 0;
    if (why == ENOBUFS || why == EAGAIN)
        return error_set(error, ERROR_SYSTEM, _("%s: takes no packets; is it connected?"), w->info.name);
    return why ? error_set(error, ERROR_SYSTEM, "%s: %s", w->info.name, strerror(why)) : 0;
}

bool wire_send(struct wire *w, struct span packet)
{
    uint8_t *room = wire_room(w, packet.left);
    if (!room)
        return false;
    memcpy(room, packet.at, packet.left);
    wire_put(w, packet.left);
    return true;
}

/* ---- receiving */

static void ready_slots(struct wire *w)
{
    for (unsigned i = 0; i < WIRE_RECEIVED; i++) {
        w->places[i] = (struct iovec){ w->slots + (size_t)i * SLOT + TAG, SLOT - TAG };
        w->in[i].msg_hdr = (struct msghdr){ .msg_name = &w->from[i],
                                            .msg_namelen = sizeof w->from[i],
                                            .msg_iov = &w->places[i],
                                            .msg_iovlen = 1,
                                            .msg_control = w->notes[i].bytes,
                                            .msg_controllen = sizeof w->notes[i].bytes };
    }
}

/* The kernel took the VLAN tag out of an Ethernet header; here it goes back. */
static void put_tag_back(struct wire_packet *p, const struct tpacket_auxdata *aux)
{
    enum { ADDRESSES = 12 };
    if (p->bytes.left < ADDRESSES)
        return;
    uint8_t *at = (uint8_t *)(uintptr_t)p->bytes.at - TAG;
    memmove(at, at + TAG, ADDRESSES);
    store_be16(at + ADDRESSES, aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid : ETH_P_8021Q);
    store_be16(at + ADDRESSES + 2, aux->tp_vlan_tci);
    p->bytes = (struct span){ at, p->bytes.left + TAG };
    p->length += TAG;
}

static void read_notes(const struct wire *w, struct msghdr *m, struct wire_packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            p->time = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
        } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
            struct tpacket_auxdata aux;
            memcpy(&aux, CMSG_DATA(c), sizeof aux);
            p->length = aux.tp_len;
            p->unfinished = aux.tp_status & TP_STATUS_CSUMNOTREADY;
            if (aux.tp_status & TP_STATUS_VLAN_VALID && w->info.link_type == LINK_ETHERNET)
                put_tag_back(p, &aux);
        }
    }
}

int wire_receive(struct wire *w, struct wire_packet packets[WIRE_RECEIVED], struct error *error)
{
    if (!w->receive)
        return 0;
    ready_slots(w);
    int n = recvmmsg(w->fd, w->in, WIRE_RECEIVED, MSG_DONTWAIT, NULL);
    if (n < 0)
        return no_room(errno) ? 0 : error_set(error, ERROR_SYSTEM, "%s: %s", w->info.name, strerror(errno));
    for (int i = 0; i < n; i++) {
        struct wire_packet *p = &packets[i];
        *p = (struct wire_packet){ .bytes = { w->places[i].iov_base, w->in[i].msg_len }, .length = w->in[i].msg_len };
        p->outgoing = w->from[i].sll_pkttype == PACKET_OUTGOING;
        read_notes(w, &w->in[i].msg_hdr, p);
    }
    return n;
}
