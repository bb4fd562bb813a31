#include "inject/sender.h"
#include "base/clock.h"
#include "base/text.h"
#include "capture/bpf.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "host/route.h"
#include "inject/neighbour.h"
#include <poll.h>
#include <stdlib.h>
#include <time.h>

enum { LINK_ETHERNET = 1, MAC_BYTES = 6, SECOND = 1000000000, MILLISECOND = 1000000 };

struct sender {
    char interface[16]; /* "": the route's */
    unsigned flags;
    struct sender_lane lanes[SENDER_LANES];
    unsigned count;
    struct packet *packet;     /* scratch */
    struct sender_lane *asker; /* while a neighbour is asked for */
};

int sender_open(struct sender **sender, const char *interface, unsigned flags, struct error *error)
{
    struct sender *s = calloc(1, sizeof *s);
    *sender = s;
    if (!s || !(s->packet = calloc(1, sizeof *s->packet))) {
        free(s);
        *sender = NULL;
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    }
    s->flags = flags;
    if (!interface)
        return 0;
    struct wire_info info;
    int code = wire_look(&info, interface, flags, error);
    memcpy(s->interface, info.name, sizeof s->interface);
    if (code) {
        sender_close(s);
        *sender = NULL;
    }
    return code;
}

void sender_close(struct sender *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->count; i++) {
        neighbours_close(s->lanes[i].neighbours);
        wire_close(s->lanes[i].asking);
        wire_close(s->lanes[i].wire);
    }
    free(s->packet);
    free(s);
}

static void send_question(void *context, struct span frame)
{
    struct sender *s = context;
    if (s->asker) {
        wire_send(s->asker->asking, frame);
        wire_flush(s->asker->asking, NULL);
    }
}

static int open_lane(struct sender *s, const char *name, bool frames, struct sender_lane **lane, struct error *error)
{
    for (unsigned i = 0; i < s->count; i++)
        if (!strcmp(s->lanes[i].name, name) && s->lanes[i].frames == frames) {
            *lane = &s->lanes[i];
            return 0;
        }
    if (s->count == SENDER_LANES)
        return error_set(error, ERROR_USAGE, _("more than %d interfaces"), SENDER_LANES);
    struct sender_lane *l = *lane = &s->lanes[s->count];
    *l = (struct sender_lane){ .frames = frames };
    int code = wire_open(&l->wire, name, s->flags | (frames ? WIRE_FRAMES : 0), NULL, 0, error);
    if (code)
        return code;
    memcpy(l->name, wire_info(l->wire)->name, sizeof l->name);
    if (wire_info(l->wire)->link_type == LINK_ETHERNET && !wire_info(l->wire)->loopback)
        code = neighbours_open(&l->neighbours, wire_info(l->wire)->mac, send_question, s, error);
    if (code)
        wire_close(l->wire);
    else
        s->count++;
    return code;
}

static struct ip_address address_of(const struct field *f, const struct value *v)
{
    struct ip_address a = { .size = f->type == FIELD_IPV4 ? 4 : 16 };
    memcpy(a.bytes, v->bytes.at, a.size);
    return a;
}

static bool is_address(const struct field *f, unsigned role)
{
    return (f->type == FIELD_IPV4 || f->type == FIELD_IPV6) && f->role == role;
}

/* The destination that a layer's header holds; one that was not set is none. */
static bool read_destination(const struct craft *craft, const struct packet *view, unsigned layer,
                             struct ip_address *address)
{
    const struct layer *l = &view->layers[layer];
    struct place place = { .packet = view, .layer = l, .rows = l->protocol->fields, .bytes = layer_header(view, l) };
    struct value value;
    for (const struct field *f = place.rows; f->abbrev; f++)
        if (is_address(f, ROLE_DESTINATION) && field_read(f, &place, 0, &value) &&
            !(craft_layer_protocol(craft, layer) && craft_is_open(craft, layer, f))) {
            *address = address_of(f, &value);
            return true;
        }
    return false;
}

static bool find_destination(struct craft *craft, struct packet *view, struct ip_address *destination)
{
    struct span bytes;
    struct error ignored;
    destination->size = 0;
    if (craft_build(craft, &bytes, &ignored))
        return false;
    craft_view(craft, view);
    for (unsigned i = 0; i < view->layer_count; i++)
        if (read_destination(craft, view, i, destination))
            return true;
    return false;
}

bool sender_destination(struct craft *craft, struct ip_address *destination)
{
    struct packet *view = calloc(1, sizeof *view);
    bool found = view && find_destination(craft, view, destination);
    free(view);
    return found;
}

static bool begins_with_ethernet(const struct craft *craft)
{
    return craft_link_type(craft) == LINK_ETHERNET;
}

/* Waits for answers to what neighbours_find asked. */
static enum neighbour_state wait_for_answer(struct sender *s, struct sender_lane *l, const struct ip_address *from,
                                            const struct ip_address *hop, uint8_t mac[6])
{
    struct wire_packet got[WIRE_RECEIVED];
    enum neighbour_state state;
    while ((state = neighbours_find(l->neighbours, from, hop, mac, clock_ns(CLOCK_MONOTONIC))) == NEIGHBOUR_ASKED) {
        int64_t left = neighbours_deadline(l->neighbours) - clock_ns(CLOCK_MONOTONIC);
        struct pollfd fd = { .fd = wire_fd(l->asking), .events = POLLIN };
        poll(&fd, 1, left > 0 ? (int)(left / MILLISECOND + 1) : 0);
        int n = wire_receive(l->asking, got, NULL);
        for (int i = 0; i < n; i++) {
            packet_reset(s->packet, got[i].bytes);
            s->packet->link_type = LINK_ETHERNET;
            s->packet->wire_length = got[i].length;
            dissect(s->packet);
            neighbours_take(l->neighbours, s->packet, clock_ns(CLOCK_MONOTONIC));
        }
        if (n < 0)
            break;
        neighbours_tick(l->neighbours, clock_ns(CLOCK_MONOTONIC));
    }
    return state;
}

static int open_asking(struct sender_lane *l, struct error *error)
{
    struct bpf *bpf = NULL;
    unsigned count;
    if (l->asking)
        return 0;
    int code = bpf_open(&bpf, "arp or icmp6", LINK_ETHERNET, error);
    if (!code) {
        const struct wire_instruction *program = bpf_program_of(bpf, &count);
        code = wire_open(&l->asking, l->name, WIRE_RECEIVE, program, count, error);
        bpf_close(bpf);
    }
    return code;
}

/* The next hop's link address. */
static int find_neighbour(struct sender *s, struct sender_lane *l, const struct ip_address *from,
                          const struct ip_address *hop, uint8_t mac[6], struct error *error)
{
    int code = open_asking(l, error);
    if (code)
        return code;
    s->asker = l;
    enum neighbour_state state = wait_for_answer(s, l, from, hop, mac);
    s->asker = NULL;
    if (state == NEIGHBOUR_KNOWN)
        return 0;
    char text[ADDRESS_TEXT];
    *write_ip(text, hop) = 0;
    return error_set(error, ERROR_NOT_FOUND,
                     hop->size == 4 ? _("%s: no answer to three ARP requests on %s")
                                    : _("%s: no answer to three neighbor solicitations on %s"),
                     text, l->name);
}

/* What is known of a packet's way, found out when it is first asked for. */
struct way {
    struct ip_address destination;
    struct route route;
    bool routed; /* route is it */
};

static int find_way(struct way *way, const char *interface, struct error *error)
{
    if (way->routed)
        return 0;
    int code = way->destination.size ? route_find(&way->route, &way->destination, interface, error)
                                     : error_set(error, ERROR_USAGE, "%s", _("the packet has no destination"));
    way->routed = !code;
    return code;
}

static int set_bytes(struct craft *craft, unsigned layer, const struct field *f, const uint8_t *bytes, size_t n,
                     struct error *error)
{
    struct craft_value value;
    if (!craft_value_bytes(&value, bytes, n))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    return craft_set(craft, layer, f->abbrev, &value, error);
}

/* The link address that the packet goes to: everyone, if no network address is in it. */
static int set_next_hop(struct sender *s, struct sender_lane *l, struct way *way, struct craft *craft, unsigned layer,
                        const struct field *f, struct error *error)
{
    uint8_t mac[MAC_BYTES];
    memset(mac, 0xff, sizeof mac);
    const struct protocol *above = craft_layer_protocol(craft, layer + 1);
    bool asks = above && !strcmp(above->name, "arp"); /* itself a question to everyone */
    if (l->neighbours && way->destination.size && !asks) {
        struct error ignored;
        /* Without a route, on an interface that was named, the destination is taken for a neighbour. */
        bool routed = !find_way(way, l->name, &ignored);
        const struct ip_address *hop = routed ? &way->route.next_hop : &way->destination;
        struct ip_address nobody = { .size = hop->size }, *from = routed ? &way->route.source : &nobody;
        int code = find_neighbour(s, l, from->size == hop->size ? from : &nobody, hop, mac, error);
        if (code)
            return code;
    } else if (wire_info(l->wire)->loopback) {
        memset(mac, 0, sizeof mac);
    }
    return set_bytes(craft, layer, f, mac, sizeof mac, error);
}

static int set_source(struct sender_lane *l, struct way *way, struct craft *craft, unsigned layer,
                      const struct field *f, struct error *error)
{
    if (f->type == FIELD_MAC)
        return set_bytes(craft, layer, f, wire_info(l->wire)->mac, MAC_BYTES, error);
    if (!way->destination.size)
        return 0;
    int code = find_way(way, l->name, error);
    size_t size = f->type == FIELD_IPV4 ? 4 : 16;
    if (code || way->route.source.size != size)
        return code;
    return set_bytes(craft, layer, f, way->route.source.bytes, size, error);
}

static int fill_in(struct sender *s, struct sender_lane *l, struct way *way, struct craft *craft, struct error *error)
{
    struct span bytes;
    int code = craft_build(craft, &bytes, error);
    for (unsigned i = 0; i < craft_layer_count(craft) && !code; i++) {
        const struct protocol *protocol = craft_layer_protocol(craft, i);
        for (const struct field *f = protocol ? protocol->fields : NULL; f && f->abbrev && !code; f++) {
            bool source = f->role == ROLE_SOURCE, hop = f->role == ROLE_DESTINATION && f->type == FIELD_MAC;
            if ((!source && !hop) || !craft_is_open(craft, i, f))
                continue;
            code = source ? set_source(l, way, craft, i, f, error) : set_next_hop(s, l, way, craft, i, f, error);
            if (!code)
                code = craft_build(craft, &bytes, error);
        }
    }
    return code;
}

int sender_complete(struct sender *s, struct craft *craft, struct sender_lane **lane, struct error *error)
{
    struct way way = { 0 };
    struct span bytes;
    int code = craft_build(craft, &bytes, error);
    if (code)
        return code;
    find_destination(craft, s->packet, &way.destination);
    const char *name = s->interface;
    if (!*name) {
        if (!way.destination.size)
            return error_set(error, ERROR_USAGE, "%s", _("no destination in the packet, and no interface: give -i"));
        if ((code = find_way(&way, NULL, error)))
            return code;
        name = way.route.interface;
    }
    bool ethernet = begins_with_ethernet(craft);
    struct wire_info info;
    code = wire_look(&info, name, s->flags, error);
    if (!code)
        code = open_lane(s, name, ethernet && info.loopback, lane, error);
    if (code)
        return code;
    uint16_t link_type = wire_info((*lane)->wire)->link_type;
    if (ethernet && link_type != LINK_ETHERNET)
        return error_set(error, ERROR_USAGE, _("%s: takes packets from the IP header on, no Ethernet header"), name);
    if (!ethernet && link_type == LINK_ETHERNET)
        code = craft_prepend(craft, registry_by_name("eth"), error);
    return code ? code : fill_in(s, *lane, &way, craft, error);
}

int sender_lane_for(struct sender *s, uint16_t link_type, struct sender_lane **lane, struct error *error)
{
    struct wire_info info;
    if (!*s->interface)
        return error_set(error, ERROR_USAGE, "%s", _("no interface: give -i"));
    int code = wire_look(&info, s->interface, s->flags, error);
    if (!code)
        code = open_lane(s, s->interface, link_type == LINK_ETHERNET && info.loopback, lane, error);
    return code;
}

int sender_lane_named(struct sender *s, const char *name, struct sender_lane **lane, struct error *error)
{
    name = name ? name : s->interface;
    if (!*name)
        return error_set(error, ERROR_USAGE, "%s", _("no interface is named"));
    return open_lane(s, name, false, lane, error);
}

int sender_flush(struct sender *s, struct error *error)
{
    int code = 0;
    for (unsigned i = 0; i < s->count; i++) {
        int one = wire_flush(s->lanes[i].wire, code ? NULL : error);
        code = code ? code : one;
    }
    return code;
}

struct wire_counts sender_counts(struct sender *s)
{
    struct wire_counts all = { 0 };
    for (unsigned i = 0; i < s->count; i++) {
        const struct wire_counts *one = wire_counts(s->lanes[i].wire);
        all.sent += one->sent;
        all.bytes += one->bytes;
        all.refused += one->refused;
        all.again += one->again;
        all.lost += one->lost;
    }
    return all;
}

unsigned sender_lane_count(const struct sender *s)
{
    return s->count;
}

struct sender_lane *sender_lane(struct sender *s, unsigned index)
{
    return &s->lanes[index];
}
