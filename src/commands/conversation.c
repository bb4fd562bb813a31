#include "commands/conversation.h"
#include "base/address.h"
#include "base/text.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"
#include "protocol/protocol.h"
#include "track/tcp_state.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    LINK_ETHERNET = 1,
    IP_ICMP = 1,
    IP_TCP = 6,
    IP_UDP = 17,
    IP_ICMPV6 = 58,
    DNS_PORT = 53,
};

/* So long before the first packet do companions matter. */
static const int64_t companions_before = INT64_C(5000000000);

/* --- what the user says --- */

/* "10.0.0.1:80" or "[2001:db8::1]:80" */
static bool parse_end(const char *text, struct conversation_end *end)
{
    char address[ADDRESS_TEXT];
    unsigned long long port;
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool wide = n > 2 && text[0] == '[' && colon[-1] == ']';
    uint32_t ipv4;
    if (!colon || !parse_number(colon + 1, 0, UINT16_MAX, &port) || n - 2 * wide >= sizeof address)
        return false;
    memcpy(address, text + wide, n - 2 * wide);
    address[n - 2 * wide] = 0;
    *end = (struct conversation_end){ .size = wide ? 16 : 4, .port = (uint16_t)port };
    if (wide)
        return parse_ipv6(address, end->address);
    if (!parse_ipv4(address, &ipv4))
        return false;
    store_be32(end->address, ipv4);
    return true;
}

/* "7", "tcp.stream==7", "udp.stream=7", "tcp.stream 7" and "tcp.stream == 7" in words of their own. */
static bool parse_stream(struct conversation *c, int argc, char **argv)
{
    char text[64];
    int n = 0;
    text[0] = 0;
    if (argc > 3)
        return false;
    for (int i = 0; i < argc; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, "%s", argv[i]);
        if ((size_t)n >= sizeof text)
            return false;
    }
    const char *at = text;
    c->protocol = strncmp(text, "udp", 3) ? IP_TCP : IP_UDP;
    if (!strncmp(text, "tcp.stream", 10) || !strncmp(text, "udp.stream", 10))
        at += 10;
    at += at > text ? strspn(at, "=") : 0;
    unsigned long long number;
    if (!parse_number(at, 0, UINT32_MAX - 1, &number))
        return false;
    c->stream = (uint32_t)number;
    return true;
}

int conversation_option(struct conversation *c, int letter, const char *argument)
{
    return naming_option(&c->naming, letter, argument) ? 1 : source_option(&c->source, letter, argument);
}

int conversation_operands(struct conversation *c, int argc, char **argv)
{
    if (!argc && c->source.display_filter) {
        c->choice = CHOOSE_FILTER;
    } else if (!argc) {
        c->choice = CHOOSE_FIRST;
        c->protocol = IP_TCP;
    } else if (parse_stream(c, argc, argv)) {
        c->choice = CHOOSE_STREAM;
    } else if (argc <= 2 && parse_end(argv[0], &c->end[0]) && (argc == 1 || parse_end(argv[1], &c->end[1]))) {
        c->choice = CHOOSE_ENDS;
        c->named = true;
        c->protocol = 0;
        c->ends = (unsigned)argc;
        if (argc == 2 && c->end[0].size != c->end[1].size)
            return usage_error(_("%s: %s and %s: addresses of two kinds"), c->source.command->name, argv[0], argv[1]);
    } else {
        c->choice = CHOOSE_FILTER;
        c->protocol = 0;
        return source_operands(&c->source, argc, argv);
    }
    if (argc && c->source.display_filter)
        return usage_error(_("%s: -Y names a conversation by itself: %s is one too many"), c->source.command->name,
                           argv[0]);
    return source_operands(&c->source, 0, argv);
}

/* --- the look --- */

/* Where a packet's first IP header lies, its size (4, 6), and whether it could be told. */
static unsigned find_network(const struct record *r, struct span *rest)
{
    struct span s = r->bytes;
    const uint8_t *at;
    unsigned type;
    switch (r->link_type) {
    case LINK_ETHERNET:
        if (!(at = span_pull(&s, 14)))
            return 0;
        type = load_be16(at + 12);
        while ((type == 0x8100 || type == 0x88a8) && (at = span_pull(&s, 4)))
            type = load_be16(at + 2);
        break;
    case 113: /* Linux cooked */
        if (!(at = span_pull(&s, 16)))
            return 0;
        type = load_be16(at + 14);
        break;
    case 276: /* its second version */
        if (!(at = span_pull(&s, 20)))
            return 0;
        type = load_be16(at);
        break;
    case 12: /* raw IP */
    case 14:
    case 101:
    case 228:
    case 229:
        type = s.left && s.at[0] >> 4 == 6 ? 0x86dd : 0x0800;
        break;
    default:
        return 0;
    }
    *rest = s;
    return type == 0x0800 ? 4 : type == 0x86dd ? 6 : 0;
}

enum look { LOOK_OTHER, LOOK_OURS, LOOK_UNSURE };

static inline bool is_pair(const struct conversation *c, const uint8_t *source, const uint8_t *destination, size_t size)
{
    const uint8_t *a = c->end[0].address, *b = c->end[1].address;
    return (!memcmp(source, a, size) && !memcmp(destination, b, size)) ||
           (!memcmp(source, b, size) && !memcmp(destination, a, size));
}

static inline bool are_ports(const struct conversation *c, uint16_t source, uint16_t destination)
{
    return (source == c->end[0].port && destination == c->end[1].port) ||
           (source == c->end[1].port && destination == c->end[0].port);
}

static enum look look_ipv4(const struct conversation *c, struct span s)
{
    const uint8_t *h = span_peek(&s, 20);
    if (!h)
        return LOOK_UNSURE;
    unsigned head = (h[0] & 15) * 4u;
    if (c->end[0].size != 4 || !is_pair(c, h + 12, h + 16, 4))
        return LOOK_OTHER;
    if (h[9] != c->protocol || load_be16(h + 6) & 0x3fff) /* fragments do not all have ports */
        return LOOK_UNSURE;
    s = span_part(s, head, 4);
    return s.left < 4 ? LOOK_UNSURE : are_ports(c, load_be16(s.at), load_be16(s.at + 2)) ? LOOK_OURS : LOOK_OTHER;
}

static enum look look_ipv6(const struct conversation *c, struct span s)
{
    const uint8_t *h = span_peek(&s, 44);
    if (!h || c->end[0].size != 16)
        return h ? LOOK_OTHER : LOOK_UNSURE;
    if (!is_pair(c, h + 8, h + 24, 16) || h[6] != c->protocol)
        return h[6] == IP_TCP || h[6] == IP_UDP ? LOOK_OTHER : LOOK_UNSURE; /* a routing header moves addresses */
    return are_ports(c, load_be16(h + 40), load_be16(h + 42)) ? LOOK_OURS : LOOK_OTHER;
}

static enum look look(const struct conversation *c, const struct record *r)
{
    struct span rest;
    unsigned version = find_network(r, &rest);
    if (!version)
        return LOOK_UNSURE;
    return version == 4 ? look_ipv4(c, rest) : look_ipv6(c, rest);
}

/* The UDP ports behind which there may be another packet. */
static void find_tunnels(struct conversation *c)
{
    static const char *const tunnels[] = { "vxlan", "geneve", "gtp", "gre", "mpls", "teredo", "ayiya" };
    for (unsigned port = 0; port <= UINT16_MAX; port++) {
        const struct protocol *protocol = registry_lookup(KEY_UDP_PORT, port, port);
        for (unsigned i = 0; protocol && i < sizeof tunnels / sizeof *tunnels; i++)
            if (!strcmp(protocol->name, tunnels[i]))
                c->tunnel_ports[port / 8] |= (uint8_t)(1u << port % 8);
    }
}

/* So may be any fragment. */
static bool may_be_tunnel(const struct conversation *c, const uint8_t *ip, unsigned version, struct span datagram)
{
    if (datagram.left < 4 || (version == 4 && load_be16(ip + 6) & 0x3fff))
        return true;
    unsigned from = load_be16(datagram.at), to = load_be16(datagram.at + 2);
    return (c->tunnel_ports[from / 8] >> from % 8 | c->tunnel_ports[to / 8] >> to % 8) & 1;
}

/* Whether a packet that is not the conversation's by its first IP header has to be taken apart all the same. Once both
 * directions were seen without a tunnel, none is looked into: that would be the same packets again. */
static bool may_matter(const struct conversation *c, const struct record *r)
{
    struct span rest;
    unsigned version = find_network(r, &rest), size = version == 4 ? 20 : 40;
    const uint8_t *h = version ? span_peek(&rest, size) : NULL;
    bool tunnels = c->plain != 3;
    if (!h)
        return tunnels || c->companions;
    size_t head = version == 4 ? (h[0] & 15) * 4u : size;
    switch (version == 4 ? h[9] : h[6]) {
    case IP_TCP:
        return false;
    case IP_UDP:
        return c->naming.names || c->companions & (COMPANION_DNS | COMPANION_UDP) ||
               (tunnels && may_be_tunnel(c, h, version, span_part(rest, head, rest.left)));
    case IP_ICMP:
    case IP_ICMPV6: /* errors end connections that are being opened */
        return c->companions || c->source.levels & TRACK_STATES;
    }
    return tunnels;
}

/* Before anything costly. Most packets are refused by a few loads: Ethernet, IPv4, other addresses, TCP. */
static bool wanted(void *context, const struct record *r)
{
    const struct conversation *c = context;
    if (!c->known)
        return true;
    const uint8_t *h = r->link_type == LINK_ETHERNET ? span_peek(&r->bytes, 14 + 20) : NULL;
    if (h && h[12] == 0x08 && !h[13] && h[14 + 9] == IP_TCP) {
        uint64_t pair;
        memcpy(&pair, h + 14 + 12, sizeof pair);
        if (pair != c->pair[0] && pair != c->pair[1])
            return false;
    }
    return look(c, r) != LOOK_OTHER || may_matter(c, r);
}

/* Both ends and the protocol are known: what packets are held against. */
static void set_known(struct conversation *c)
{
    c->known = true;
    c->ends = 2;
    for (unsigned i = 0; i < 2; i++) { /* IPv6 addresses leave pairs that no IPv4 header has: both 0 */
        uint8_t *pair = (uint8_t *)&c->pair[i];
        memset(pair, 0, sizeof c->pair[i]);
        if (c->end[0].size != 4)
            continue;
        memcpy(pair, c->end[i].address, 4);
        memcpy(pair + 4, c->end[!i].address, 4);
    }
}

/* --- which layer is the conversation's --- */

static uint8_t protocol_of(const struct conversation *c, const struct layer *l)
{
    return l->protocol == c->source.tracker.tcp ? IP_TCP : l->protocol == c->source.tracker.udp ? IP_UDP : 0;
}

static bool layer_ends(const struct packet *p, const struct layer *l, struct conversation_end end[2])
{
    const struct network *n = layer_network(p, l);
    struct span h = layer_header(p, l);
    if (!n || h.left < 4)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        end[i].size = n->size;
        end[i].port = load_be16(h.at + 2 * i);
        memcpy(end[i].address, i ? n->final : n->source, n->size);
    }
    return true;
}

static bool same_end(const struct conversation_end *a, const struct conversation_end *b)
{
    return a->size == b->size && a->port == b->port && !memcmp(a->address, b->address, a->size);
}

static bool has_ends(const struct conversation *c, const struct conversation_end end[2])
{
    bool straight = same_end(&c->end[0], &end[0]), crossed = same_end(&c->end[0], &end[1]);
    if (c->ends == 1)
        return straight || crossed;
    return (straight && same_end(&c->end[1], &end[1])) || (crossed && same_end(&c->end[1], &end[0]));
}

/* Counts the conversations that had these ports one after another, and remembers how the last one began. */
static uint32_t count_turn(struct conversation *c, const struct packet *p, const struct layer *l)
{
    const struct note *note = layer_note(p, l);
    struct conversation_end end[2];
    struct ends ends = { 0 };
    if (c->turns && note->stream == c->turn)
        return c->turns;
    c->turn = note->stream;
    c->since = p->timed ? p->time - companions_before : INT64_MIN;
    ends_learn(&ends, p, l);
    if (layer_ends(p, l, end))
        c->server_first = same_end(&c->end[0], &end[0]) == (ends_sender(&ends, p, l) == 1);
    return ++c->turns;
}

/* Whether this layer begins what was asked for. */
static bool chosen(struct conversation *c, const struct packet *p, const struct layer *l, uint8_t protocol)
{
    struct conversation_end end[2];
    if (c->protocol && protocol != c->protocol)
        return false;
    if (c->choice == CHOOSE_STREAM)
        return layer_note(p, l)->stream == c->stream;
    if (c->choice != CHOOSE_ENDS)
        return true;
    return layer_ends(p, l, end) && has_ends(c, end) && count_turn(c, p, l) > c->skip;
}

static bool learn(struct conversation *c, const struct packet *p, const struct layer *l, uint8_t protocol)
{
    if (!layer_ends(p, l, c->end))
        return false;
    c->protocol = protocol;
    c->stream = layer_note(p, l)->stream;
    c->found = true;
    set_known(c);
    return true;
}

/* --- companions --- */

static bool is_of_pair(const struct conversation *c, const uint8_t *address, unsigned size)
{
    return c->end[0].size == size &&
           (!memcmp(address, c->end[0].address, size) || !memcmp(address, c->end[1].address, size));
}

/* Who has one end's address? The other one asks. RFC 826 */
static bool is_arp_of_pair(const struct conversation *c, const struct packet *p, const struct layer *l)
{
    struct span s = layer_header(p, l);
    const uint8_t *h = span_peek(&s, 28);
    return h && h[4] == 6 && h[5] == 4 && is_of_pair(c, h + 14, 4) && is_of_pair(c, h + 24, 4);
}

/* Between the ends, about a packet of the conversation, or a question for the address of one (RFC 4861, 4.3). */
static bool is_icmp_of_pair(const struct conversation *c, const struct packet *p, const struct layer *l)
{
    const struct network *n = layer_network(p, l);
    if (!n)
        return false;
    if (is_of_pair(c, n->source, n->size) && is_of_pair(c, n->destination, n->size))
        return true;
    for (const struct layer *q = l + 1; q < p->layers + p->layer_count; q++) {
        const struct note *note = layer_note(p, q);
        if (q->flags & LAYER_QUOTED && note && protocol_of(c, q) == c->protocol && note->stream == c->stream)
            return true;
    }
    struct span s = layer_payload(p, l - (l > p->layers));
    return n->size == 16 && s.left >= 24 && (s.at[0] == 135 || s.at[0] == 136) && is_of_pair(c, s.at + 8, 16) &&
           is_of_pair(c, n->source, n->size);
}

static bool is_companion(const struct conversation *c, const struct packet *p)
{
    if (!c->companions || !c->known || c->over || (p->timed && p->time < c->since))
        return false;
    for (const struct layer *l = p->layers; l < p->layers + p->layer_count; l++) {
        const struct network *n = layer_network(p, l);
        const char *name = l->protocol->name;
        if (l->flags & LAYER_QUOTED)
            return false;
        if (!strcmp(name, "arp"))
            return c->companions & COMPANION_ARP && is_arp_of_pair(c, p, l);
        if (!strcmp(name, "icmp") || !strcmp(name, "icmpv6"))
            return c->companions & COMPANION_ICMP && is_icmp_of_pair(c, p, l);
        if (l->protocol != c->source.tracker.udp || !n)
            continue;
        uint16_t ports[2] = { p->udp_srcport, p->udp_dstport };
        bool from = is_of_pair(c, n->source, n->size), to = is_of_pair(c, n->destination, n->size);
        if (c->companions & COMPANION_DNS && (from || to) && (ports[0] == DNS_PORT || ports[1] == DNS_PORT))
            return true;
        return c->companions & COMPANION_UDP && from && to;
    }
    return false;
}

/* --- reading --- */

/* Remembers that this direction's packets come without a tunnel. */
static void note_plain(struct conversation *c, const struct packet *p, const struct layer *l)
{
    struct conversation_end end[2];
    if (c->plain != 3 && look(c, &c->source.record) == LOOK_OURS && layer_ends(p, l, end))
        c->plain |= same_end(&end[0], &c->end[0]) ? 1 : 2;
}

/* Whether the packet that the source found is one to return; then `layer` is set. */
static bool take(struct conversation *c)
{
    const struct packet *p = &c->source.packet;
    c->layer = NULL;
    for (const struct layer *l = p->layers; l < p->layers + p->layer_count; l++) {
        uint8_t protocol = protocol_of(c, l);
        const struct note *note = layer_note(p, l);
        if (!protocol || !note || l->flags & LAYER_QUOTED)
            continue;
        if (!c->found && !(chosen(c, p, l, protocol) && learn(c, p, l, protocol)))
            continue;
        if (protocol != c->protocol)
            continue;
        if (note->stream == c->stream) {
            c->layer = l;
            note_plain(c, p, l);
            c->over = note->have >> NOTE_STATES & 1 &&
                      (note->state[0] == TCP_CLOSED || note->state[0] == TCP_TIME_WAIT) &&
                      (note->state[1] == TCP_CLOSED || note->state[1] == TCP_TIME_WAIT);
            return true;
        }
        struct conversation_end end[2];
        if (note->stream > c->stream && note->stream != c->later && layer_ends(p, l, end) && has_ends(c, end)) {
            c->later = note->stream;
            c->more++;
        }
    }
    return is_companion(c, p);
}

/* A pipe can be read but once. */
static bool is_readable_again(const struct source *s)
{
    struct stat st;
    for (unsigned i = 0; i < s->file_count; i++)
        if (!strcmp(s->files[i], "-") || stat(s->files[i], &st) || !S_ISREG(st.st_mode))
            return false;
    return s->file_count > 0;
}

/* Begins anew, without what let packets pass. */
static int open_again(struct conversation *c, struct error *error)
{
    c->found = c->over = false;
    c->turns = 0;
    return source_again(&c->source, &c->asked, error);
}

static int read_next(struct conversation *c, struct error *error)
{
    int code = source_next(&c->source, error);
    if (code > 0 && c->naming.names)
        names_learn(c->naming.names, &c->source.packet);
    return code;
}

/* Reads up to the first packet of what was chosen. 1: found. */
static int locate(struct conversation *c, struct error *error)
{
    int code;
    while ((code = read_next(c, error)) > 0)
        if (take(c) && c->layer)
            return 1;
    return code;
}

/* How many conversations had the same ports before the one that packet `number` belongs to. */
static int count_turns(struct conversation *c, uint64_t number, struct error *error)
{
    int code = open_again(c, error);
    c->skip = UINT32_MAX; /* none is chosen: they are counted */
    while (!code && c->source.packet.number < number && (code = source_next(&c->source, error)) > 0) {
        take(c);
        code = 0;
    }
    c->skip = c->turns ? c->turns - 1 : 0;
    return code;
}

/* What the user named other than by its ends is looked for first, and then read from its beginning. */
static int find_ends(struct conversation *c, struct error *error)
{
    int code = locate(c, error);
    if (code <= 0)
        return code;
    uint64_t number = c->source.packet.number;
    c->choice = CHOOSE_ENDS;
    code = count_turns(c, number, error);
    return code < 0 ? code : open_again(c, error);
}

static int nothing_found(const struct conversation *c, struct error *error)
{
    const char *name = c->source.command->name;
    if (c->choice == CHOOSE_STREAM)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no %s.stream %u in the capture"), name,
                         c->protocol == IP_TCP ? "tcp" : "udp", c->stream);
    if (c->choice == CHOOSE_FILTER)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no TCP or UDP packet passes the filter"), name);
    if (c->choice == CHOOSE_ENDS)
        return error_set(error, ERROR_NOT_FOUND, _("%s: no conversation of these ends in the capture"), name);
    return error_set(error, ERROR_NOT_FOUND, _("%s: no TCP or UDP conversation in the capture"), name);
}

int conversation_begin(struct conversation *c, struct error *error)
{
    int code = naming_open(&c->naming, error);
    if (code)
        return code;
    c->most = c->source.most;
    c->source.most = 0;
    c->source.levels |= TRACK_STREAMS;
    c->source.wanted = wanted;
    c->source.context = c;
    c->source.wants |= SOURCE_SILENT;
    c->again = is_readable_again(&c->source);
    if (c->again && (c->choice == CHOOSE_FIRST || c->choice == CHOOSE_FILTER || c->companions))
        c->source.wants |= SOURCE_AGAIN;
    c->asked = c->source;
    c->asked.filter = NULL; /* the first reading's, as is what comes next */
    c->asked.display_filter = NULL;
    if (c->source.display_filter)
        c->source.packet.stop = KEY_NONE; /* it may ask for what TCP carries */
    find_tunnels(c);
    if (c->choice == CHOOSE_ENDS && c->ends == 2)
        set_known(c);
    code = source_begin(&c->source, error);
    if (!code && c->again && (c->choice == CHOOSE_FILTER || c->companions))
        code = find_ends(c, error);
    return code < 0 ? code : 0;
}

int conversation_next(struct conversation *c, struct error *error)
{
    int code;
    if (c->most && c->taken == c->most)
        return 0;
    while ((code = read_next(c, error)) > 0)
        if (take(c)) {
            c->taken++;
            return 1;
        }
    if (code < 0 || c->found)
        return code;
    if (c->choice == CHOOSE_FIRST && c->protocol == IP_TCP && c->again) {
        c->protocol = IP_UDP;
        if ((code = open_again(c, error)))
            return code;
        return conversation_next(c, error);
    }
    return nothing_found(c, error);
}

void conversation_leave(struct conversation *c)
{
    source_close(&c->source);
    naming_close(&c->naming);
}

int conversation_with(struct conversation *c, const char *words)
{
    static const struct {
        const char *word;
        unsigned companions;
    } known[] = {
        { "arp", COMPANION_ARP },
        { "icmp", COMPANION_ICMP },
        { "dns", COMPANION_DNS },
        { "udp", COMPANION_UDP },
        { "all", COMPANION_ARP | COMPANION_ICMP | COMPANION_DNS | COMPANION_UDP },
    };
    enum { KNOWN = sizeof known / sizeof *known };
    for (const char *at = words; *at;) {
        size_t n = strcspn(at, ","), i = 0;
        while (i < KNOWN && (strlen(known[i].word) != n || strncmp(known[i].word, at, n) != 0))
            i++;
        if (i == KNOWN)
            return usage_error(_("%s: --with %s: not some of arp, icmp, dns, udp, or all"), c->source.command->name,
                               words);
        c->companions |= known[i].companions;
        at += n + (at[n] == ',');
    }
    return 0;
}

void conversation_addresses(const struct conversation *c, struct ends *ends)
{
    if (c->known && c->ends == 2)
        ends_set(ends, c->protocol == IP_TCP, c->end[0].size, c->end[c->server_first].address,
                 c->end[c->server_first].port, c->end[!c->server_first].address, c->end[!c->server_first].port);
}

void conversation_more(const struct conversation *c)
{
    if (!c->more || !c->named)
        return;
    char name[2][64];
    for (unsigned i = 0; i < 2; i++)
        *address_write(name[i], c->end[i].address, c->end[i].size, true, c->end[i].port) = 0;
    fprintf(stderr,
            ngettext("peel: %s: %u more conversation of %s and %s follows in the capture\n",
                     "peel: %s: %u more conversations of %s and %s follow in the capture\n", c->more),
            c->source.command->name, c->more, name[0], name[1]);
}
