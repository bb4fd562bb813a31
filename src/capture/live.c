#include "capture/live.h"
#include "base/clock.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "capture/file.h"
#include "host/interface.h"
#include "host/privilege.h"
#include "host/ring.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LINKTYPE_ETHERNET = 1,
    SNAP_MAX = 262144,
    PATIENCE_MS = 100,
    BATCH = 64,                      /* packets */
    LAST_WAIT_MS = 3 * RING_WAIT_MS, /* a block that is not full is handed over by then */
    LOOK_EVERY = 1024,               /* packets of libpcap between two looks at the clock */
    FAILURES = 8,                    /* of libpcap, without a packet */
};

struct live {
    struct ring *ring;
    struct pcap *pcap; /* instead of the ring; then also: */
    struct {
        enum ring_state state;
        unsigned index;     /* the interface's; 0: any */
        uint16_t link_type; /* as the list of interfaces has it */
        bool promiscuous;
        unsigned failures; /* since there was a packet */
    } odd;
    void (*give_back)(void *context); /* see capture_keeps */
    void *context;
    bool (*ask)(void *context, struct live_standing *standing); /* see capture_looks_by */
    void *ask_context;
    int patience;
    bool waited;             /* CAPTURE_NOTHING was the last answer: now it may wait */
    unsigned until_look;     /* packets */
    int64_t next_nothing;    /* on the monotonic clock */
    bool stopping;           /* until a packet comes that is later than `last`, or none for LAST_WAIT_MS */
    int64_t last;            /* nanoseconds since 1970 */
    enum ring_state known;   /* what capture_live_event last told */
    uint64_t dropped_before; /* by the interface, when it was opened */
    char name[64];
    struct ring_packet batch[BATCH];
};

/* --- opening --- */

static uint64_t interface_drops(const struct live *l)
{
    struct interfaces list;
    uint64_t dropped = 0;
    if (!interfaces_read(&list, NULL)) {
        const struct interface *i = interfaces_find(&list, l->name);
        dropped = i ? i->counters.received_dropped + i->counters.received_errors : 0;
    }
    interfaces_free(&list);
    return dropped;
}

/* The filter and the snap length, in the kernel. */
static int set_ring_filter(const struct capture *c, const struct live_options *o, struct error *error)
{
    struct live *l = c->live;
    struct bpf_program program;
    uint32_t snap = o->snap_length && o->snap_length < SNAP_MAX ? o->snap_length : SNAP_MAX;
    if (!o->filter && snap == SNAP_MAX)
        return 0;
    int dlt = capture_dlt(c->first_link_type);
    int code = bpf_compile(&program, o->filter ? o->filter : "", (uint16_t)dlt, snap, error);
    if (code)
        return code;
    struct ring_instruction *copy = calloc(program.bf_len + 1, sizeof *copy);
    code = copy ? 0 : error_set(error, ERROR_MEMORY, "%s", strerror(ENOMEM));
    for (unsigned i = 0; copy && i < program.bf_len; i++) {
        const struct bpf_insn *from = &program.bf_insns[i];
        copy[i] = (struct ring_instruction){ from->code, from->jt, from->jf, from->k };
    }
    if (!code)
        code = ring_filter(l->ring, copy, program.bf_len, error);
    pcap_freecode(&program);
    free(copy);
    return code;
}

static int open_ring(struct capture *c, const struct live_options *o, struct error *error)
{
    int code = ring_open(&c->live->ring, o->interface, LIVE_RING_BYTES, o->promiscuous, error);
    if (code)
        return code;
    c->first_link_type = ring_link_type(c->live->ring);
    return set_ring_filter(c, o, error);
}

static int pcap_refusal(const struct live *l, int why, struct error *error)
{
    const char *text = pcap_geterr(l->pcap);
    if (why == PCAP_ERROR_PERM_DENIED || why == PCAP_ERROR_PROMISC_PERM_DENIED)
        return privilege_missing(l->name, _("capturing"), "CAP_NET_RAW", error);
    if (why == PCAP_ERROR_NO_SUCH_DEVICE)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no such interface"), l->name);
    return error_set(error, ERROR_SYSTEM, "%s: %s", l->name, text && *text ? text : pcap_statustostr(why));
}

static int set_pcap_filter(struct live *l, const struct live_options *o, struct error *error)
{
    struct bpf_program program;
    if (!o->filter)
        return 0;
    if (pcap_compile(l->pcap, &program, o->filter, 1, PCAP_NETMASK_UNKNOWN))
        return error_set(error, ERROR_USAGE, _("filter: '%s': %s"), o->filter, pcap_geterr(l->pcap));
    int code = pcap_setfilter(l->pcap, &program);
    pcap_freecode(&program);
    return code ? error_set(error, ERROR_SYSTEM, _("filter: '%s': %s"), o->filter, pcap_geterr(l->pcap)) : 0;
}

static int open_pcap(struct capture *c, const struct live_options *o, struct error *error)
{
    struct live *l = c->live;
    char why[PCAP_ERRBUF_SIZE] = "";
    l->pcap = pcap_create(o->interface, why);
    if (!l->pcap)
        return error_set(error, ERROR_SYSTEM, "%s: %s", o->interface, why);
    pcap_set_snaplen(l->pcap, o->snap_length && o->snap_length < SNAP_MAX ? (int)o->snap_length : SNAP_MAX);
    pcap_set_promisc(l->pcap, o->promiscuous);
    pcap_set_timeout(l->pcap, RING_WAIT_MS);
    pcap_set_buffer_size(l->pcap, LIVE_RING_BYTES);
    pcap_set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO);
    int result = pcap_activate(l->pcap);
    if (result < 0)
        return pcap_refusal(l, result, error);
    if (pcap_datalink(l->pcap) == DLT_LINUX_SLL && !strcmp(o->interface, "any"))
        pcap_set_datalink(l->pcap, DLT_LINUX_SLL2); /* which says which interface it was */
    if (pcap_setnonblock(l->pcap, 1, why))
        return error_set(error, ERROR_SYSTEM, "%s: %s", o->interface, why);
    c->first_link_type = capture_link_type_of(pcap_datalink(l->pcap));
    return set_pcap_filter(l, o, error);
}

/* Whether our own ring does: a network interface whose packets need no header of libpcap's making. */
static int choose(struct capture *c, const struct live_options *o, bool *ring, struct error *error)
{
    struct interfaces list;
    *ring = false;
    if (!strcmp(o->interface, "any"))
        return 0;
    int code = interfaces_read(&list, error);
    if (!code) {
        const struct interface *i = interfaces_find(&list, o->interface);
        *ring = i && (i->link_type == LINKTYPE_ETHERNET || i->link_type == LINKTYPE_RAW);
        c->live->odd.index = i ? i->index : 0;
        c->live->odd.link_type = i ? i->link_type : 0;
        c->live->odd.promiscuous = o->promiscuous;
        if (i && !i->up)
            code = error_set(error, ERROR_SYSTEM, _("%s: is down (ip link set %s up)"), c->path, c->path);
    }
    interfaces_free(&list);
    return code;
}

static int next_ring(struct capture *c, struct record *record, struct error *error);
static int next_pcap(struct capture *c, struct record *record, struct error *error);
static void finish(struct capture *c);

static const struct capture_format from_ring = { .next = next_ring, .close = finish };
static const struct capture_format from_pcap = { .next = next_pcap, .close = finish };

static int open_either(struct capture *c, const struct live_options *o, struct error *error)
{
    bool ring;
    if (!c->live || !c->path)
        return error_set(error, ERROR_MEMORY, "%s: %s", o->interface, strerror(ENOMEM));
    c->live->patience = PATIENCE_MS;
    snprintf(c->live->name, sizeof c->live->name, "%s", o->interface);
    int code = choose(c, o, &ring, error);
    if (code)
        return code;
    c->format = ring ? &from_ring : &from_pcap;
    c->next = c->format->next;
    c->first_known = c->nanoseconds = true;
    code = ring ? open_ring(c, o, error) : open_pcap(c, o, error);
    c->live->dropped_before = code ? 0 : interface_drops(c->live);
    return code;
}

int capture_open_live(struct capture **capture, const struct live_options *options, struct error *error)
{
    *capture = NULL;
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(error, ERROR_MEMORY, "%s: %s", options->interface, strerror(ENOMEM));
    c->fd = -1;
    c->path = strdup(options->interface);
    c->live = calloc(1, sizeof *c->live);
    int code = open_either(c, options, error);
    if (code)
        capture_close(c);
    else
        *capture = c;
    return code;
}

static void finish(struct capture *c)
{
    ring_close(c->live->ring);
    if (c->live->pcap)
        pcap_close(c->live->pcap);
    free(c->live);
}

/* --- reading --- */

/* The time to tell the caller that it may look after other things. */
static int nothing(struct live *l)
{
    l->waited = true;
    l->next_nothing = clock_ns(CLOCK_MONOTONIC) + (int64_t)l->patience * 1000000;
    return CAPTURE_NOTHING;
}

static int fill(struct capture *c, struct record *record, const struct ring_packet *packet)
{
    *record = (struct record){
        .bytes = packet->bytes,
        .wire_length = packet->wire_length,
        .time = packet->time,
        .timed = true,
        .judged = !packet->unjudged,
        .link_type = c->first_link_type,
    };
    c->live->waited = false;
    c->packets++;
    if (c->live->stopping && packet->time > c->live->last)
        return capture_end(c);
    return 1;
}

static int next_ring(struct capture *c, struct record *record, struct error *error)
{
    struct live *l = c->live;
    struct ring_packet packet;
    (void)error;
    if (ring_at_edge(l->ring)) {
        if (l->give_back)
            l->give_back(l->context);
        if (!l->waited && l->patience && clock_ns(CLOCK_MONOTONIC) >= l->next_nothing)
            return nothing(l);
    }
    if (ring_next(l->ring, &packet))
        return fill(c, record, &packet);
    if (!l->waited && !l->stopping)
        return nothing(l);
    ring_wait(l->ring, l->stopping ? LAST_WAIT_MS : l->patience);
    if (ring_next(l->ring, &packet))
        return fill(c, record, &packet);
    return l->stopping ? capture_end(c) : nothing(l);
}

bool capture_has_batches(const struct capture *c)
{
    return c->live && c->live->ring;
}

/* Packets that came after the end was asked for do not count. */
static int fill_batch(struct capture *c, struct live_batch *batch, unsigned count)
{
    struct live *l = c->live;
    l->waited = false;
    if (l->stopping)
        while (count && l->batch[count - 1].time > l->last)
            count--;
    *batch = (struct live_batch){ l->batch, count };
    c->packets += count;
    return count ? 1 : capture_end(c);
}

int capture_batch(struct capture *c, struct live_batch *batch, struct error *error)
{
    struct live *l = c->live;
    if (c->next != next_ring) /* it has ended */
        return capture_next(c, NULL, error);
    if (ring_at_edge(l->ring)) {
        if (l->give_back)
            l->give_back(l->context);
        if (!l->waited && l->patience && clock_ns(CLOCK_MONOTONIC) >= l->next_nothing)
            return nothing(l);
    }
    unsigned count = ring_batch(l->ring, l->batch, BATCH);
    if (count)
        return fill_batch(c, batch, count);
    if (!l->waited && !l->stopping)
        return nothing(l);
    ring_wait(l->ring, l->stopping ? LAST_WAIT_MS : l->patience);
    count = ring_batch(l->ring, l->batch, BATCH);
    if (count)
        return fill_batch(c, batch, count);
    return l->stopping ? capture_end(c) : nothing(l);
}

static bool look_at_clock(struct live *l)
{
    if (l->until_look--)
        return false;
    l->until_look = LOOK_EVERY;
    return clock_ns(CLOCK_MONOTONIC) >= l->next_nothing;
}

static int pcap_packet(struct live *l, struct ring_packet *packet)
{
    struct pcap_pkthdr *header;
    const uint8_t *bytes;
    int result = pcap_next_ex(l->pcap, &header, &bytes);
    if (result == 1)
        *packet = (struct ring_packet){
            .bytes = { bytes, header->caplen },
            .wire_length = header->len,
            .time = (int64_t)header->ts.tv_sec * 1000000000 + header->ts.tv_usec, /* nanoseconds, as asked for */
        };
    return result;
}

static int pcap_ended(struct capture *c, struct error *error)
{
    error_set(&c->sentence, ERROR_SYSTEM, "%s: %s", c->path, pcap_geterr(c->live->pcap));
    capture_end(c);
    c->over = ERROR_SYSTEM;
    return error_set(error, ERROR_SYSTEM, "%s", c->sentence.text);
}

/* libpcap reads no more: perhaps only as long as the interface is gone or down, which capture_live_event finds out.
 * What fails again and again on an interface that is up is something else. */
static int pcap_failed(struct capture *c, struct error *error)
{
    struct live *l = c->live;
    if (!l->odd.index || l->stopping || l->odd.failures++ >= FAILURES)
        return pcap_ended(c, error);
    l->odd.state = RING_DOWN;
    return nothing(l);
}

static int next_pcap(struct capture *c, struct record *record, struct error *error)
{
    struct live *l = c->live;
    struct ring_packet packet;
    if (l->odd.state != RING_UP && !l->stopping) {
        poll(NULL, 0, l->patience); /* the descriptor would be ready all the time */
        return nothing(l);
    }
    if (!l->waited && look_at_clock(l))
        return nothing(l);
    int result = pcap_packet(l, &packet);
    if (result == 0 && (l->waited || l->stopping)) {
        struct pollfd ready = { .fd = pcap_get_selectable_fd(l->pcap), .events = POLLIN };
        poll(&ready, 1, l->stopping ? LAST_WAIT_MS : l->patience);
        result = pcap_packet(l, &packet);
    }
    if (result < 0)
        return pcap_failed(c, error);
    if (result) {
        l->odd.failures = 0;
        return fill(c, record, &packet);
    }
    return l->stopping ? capture_end(c) : nothing(l);
}

/* --- the rest --- */

bool capture_is_live(const struct capture *c)
{
    return c->live != NULL;
}

void capture_patience(struct capture *c, int ms)
{
    if (c->live)
        c->live->patience = ms;
}

bool capture_keeps(struct capture *c, void (*give_back)(void *context), void *context)
{
    if (!c->live || !c->live->ring)
        return false;
    c->live->give_back = give_back;
    c->live->context = context;
    return true;
}

int capture_fd(const struct capture *c)
{
    if (!c->live)
        return -1;
    return c->live->ring ? ring_fd(c->live->ring) : pcap_get_selectable_fd(c->live->pcap);
}

void capture_stop(struct capture *c)
{
    if (!c->live || c->live->stopping)
        return;
    c->live->stopping = true;
    c->live->last = clock_ns(CLOCK_REALTIME);
}

struct live_counts capture_live_counts(struct capture *c)
{
    struct live_counts counts = { 0 };
    struct live *l = c->live;
    if (l->ring) {
        struct ring_counts now = ring_counts(l->ring);
        counts.received = now.received;
        counts.dropped = now.dropped;
    } else {
        struct pcap_stat now = { 0 };
        pcap_stats(l->pcap, &now);
        counts.received = now.ps_recv;
        counts.dropped = now.ps_drop;
    }
    uint64_t dropped = interface_drops(l);
    counts.interface_dropped = dropped > l->dropped_before ? dropped - l->dropped_before : 0;
    return counts;
}

uint16_t capture_live_link_type(const struct capture *c)
{
    return c->first_link_type;
}

void capture_looks_by(struct capture *c, bool (*ask)(void *context, struct live_standing *standing), void *context)
{
    c->live->ask = ask;
    c->live->ask_context = context;
}

/* Where an interface stands that libpcap reads; its socket is bound to the new one of its name. */
static struct live_standing look_at_odd(struct live *l)
{
    struct interfaces list;
    struct live_standing standing = { RING_GONE, l->odd.index };
    if (interfaces_read(&list, NULL))
        return standing;
    const struct interface *i = interfaces_find(&list, l->name);
    bool ours = i && i->link_type == l->odd.link_type;
    if (ours && i->index != l->odd.index)
        ours = !ring_bind(pcap_fileno(l->pcap), i->index, l->odd.promiscuous);
    if (ours)
        standing = (struct live_standing){ i->up ? RING_UP : RING_DOWN, i->index };
    l->odd.index = standing.index;
    interfaces_free(&list);
    return standing;
}

struct live_standing capture_look(struct capture *c)
{
    if (!c->live->ring)
        return look_at_odd(c->live);
    struct ring_standing now = ring_look(c->live->ring);
    return (struct live_standing){ now.state, now.index };
}

/* Where the interface stands now; where it was up, nothing is asked. */
static enum ring_state standing(struct capture *c)
{
    struct live *l = c->live;
    enum ring_state before = l->ring ? ring_state(l->ring) : l->odd.state;
    struct live_standing now;
    if (before == RING_UP)
        return before;
    if (!l->ask)
        now = capture_look(c);
    else if (!l->ask(l->ask_context, &now))
        return before;
    if (l->ring)
        ring_believe(l->ring, (struct ring_standing){ (enum ring_state)now.state, now.index });
    l->odd.state = (enum ring_state)now.state;
    return l->odd.state;
}

enum live_event capture_live_event(struct capture *c)
{
    struct live *l = c->live;
    enum ring_state now = standing(c), before = l->known;
    l->known = now;
    if (now == before)
        return LIVE_NOTHING;
    return now == RING_UP ? LIVE_CAME_BACK : now == RING_GONE ? LIVE_VANISHED : LIVE_WENT_DOWN;
}

const char *capture_link_type_name(uint16_t link_type)
{
    const char *name = pcap_datalink_val_to_description(capture_dlt(link_type));
    return name ? name : "?";
}
