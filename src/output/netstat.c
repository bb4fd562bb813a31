#include "output/netstat.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/text.h"
#include "output/names.h"
#include "track/tally.h"

enum { IP_TCP = 6, END_TEXT = 64 };

/* --- pieces --- */

static char *write_address(char *at, const uint8_t *address, unsigned size)
{
    return size == 4 ? write_ipv4(at, load_be32(address)) : write_ipv6(at, address);
}

char *netstat_end(char *at, const uint8_t *address, unsigned size, uint16_t port)
{
    if (size == 16)
        *at++ = '[';
    at = write_address(at, address, size);
    if (size == 16)
        *at++ = ']';
    *at++ = ':';
    return write_decimal(at, port);
}

/* No column is wider than PAD: so many spaces at once are quicker than counting them. */
enum { PAD = 32 };

static void put_padded(struct buffer *out, const char *text, size_t n, size_t width)
{
    char *at = buffer_room(out, n + PAD);
    memcpy(at, text, n);
    memset(at + n, ' ', PAD);
    out->at += n < width ? width : n;
}

static void put_right_of(struct buffer *out, const char *text, size_t n, size_t width)
{
    char *at = buffer_room(out, n + PAD);
    memset(at, ' ', PAD);
    memcpy(n < width ? at + width - n : at, text, n);
    out->at += n < width ? width : n;
}

static void put_right(struct buffer *out, const char *text, size_t width)
{
    put_right_of(out, text, strlen(text), width);
}

/* The same for a word in ASCII. */
static void put_word(struct buffer *out, const char *word, size_t width)
{
    put_padded(out, word, strlen(word), width);
}

static const char *protocol_name(uint8_t protocol)
{
    return protocol == IP_TCP ? "tcp" : "udp";
}

/* --- the systems' own styles --- */

struct ends_text {
    char local[END_TEXT], foreign[END_TEXT];
};

/* net-tools: IPv6 addresses stand without brackets. */
static void linux_ends(const struct socket *s, struct ends_text *t)
{
    char *at = write_address(t->local, s->local, s->size);
    *at++ = ':';
    *write_decimal(at, s->local_port) = 0;
    if (s->bound) {
        memcpy(t->foreign, s->size == 4 ? "0.0.0.0:*" : ":::*", s->size == 4 ? 10 : 5);
        return;
    }
    at = write_address(t->foreign, s->foreign, s->size);
    *at++ = ':';
    *write_decimal(at, s->foreign_port) = 0;
}

static void linux_header(struct buffer *out, bool listeners, unsigned columns)
{
    buffer_text(out, "Active Internet connections ");
    buffer_text(out, listeners ? "(servers and established)\n" : "(w/o servers)\n");
    buffer_text(out, "Proto Recv-Q Send-Q Local Address           Foreign Address         State      ");
    buffer_text(out, columns & NETSTAT_KERNEL ? " Kernel        " : "");
    buffer_text(out, columns & NETSTAT_OWNERS ? " PID/Program name\n" : "\n");
}

/* What the kernel has for a state, beside the wire's. */
static void put_kernel(struct buffer *out, const struct netstat_facts *facts)
{
    static const char *const signs[] = { "=", "≠ ", "~ ", "" };
    size_t mark = buffer_hold(out), more = 0;
    if (!facts || !facts->there) {
        buffer_char(out, '?');
    } else {
        buffer_text(out, signs[facts->agreement]);
        more = facts->agreement == NETSTAT_DIFFERENT ? 2 : 0; /* bytes that are no columns */
        if (facts->agreement != NETSTAT_SAME)
            buffer_text(out, !facts->in_kernel              ? _("none")
                             : facts->kernel == TCP_UNKNOWN ? "-"
                                                            : tcp_state_name(facts->kernel));
    }
    buffer_pad(out, mark, 14 + more);
    buffer_release(out);
}

/* Why nobody is known to have it. */
static const char *why_nobody(const struct netstat_facts *facts)
{
    static const char *const words[] = { "-", N_("- (gone)"), N_("- (elsewhere)"), N_("- (not permitted)"), "-" };
    return facts && facts->there ? _(words[facts->why]) : "-";
}

static void put_owner(struct buffer *out, const struct netstat_facts *facts, bool program)
{
    if (!facts || !facts->pid) {
        buffer_text(out, why_nobody(facts));
        return;
    }
    buffer_decimal(out, (uint64_t)facts->pid);
    if (program) {
        buffer_char(out, '/');
        buffer_escaped(out, (const uint8_t *)facts->program, strlen(facts->program));
    }
}

static void put_last_columns(struct buffer *out, unsigned columns, const struct netstat_facts *facts, bool program)
{
    if (columns & NETSTAT_KERNEL) {
        buffer_char(out, ' ');
        put_kernel(out, facts);
    }
    if (columns & NETSTAT_OWNERS) {
        buffer_char(out, ' ');
        put_owner(out, facts, program);
    }
    buffer_char(out, '\n');
}

/* What a host received and its process has not read yet is on no wire: "-". */
static void put_queues(struct buffer *out, const struct socket *s, const struct netstat_facts *facts)
{
    char text[24] = "-";
    if (facts && facts->in_kernel)
        *write_decimal(text, facts->recv_q) = 0;
    put_right(out, s->protocol == IP_TCP && s->state == TCP_LISTEN ? "0" : text, 6);
    buffer_char(out, ' ');
    *write_decimal(text, s->send_q) = 0;
    put_right(out, text, 6);
}

static void linux_row(struct buffer *out, const struct socket *s, unsigned columns, const struct netstat_facts *facts)
{
    static const char *const states[TCP_STATES] = {
        "",          "CLOSE",     "LISTEN",     "SYN_SENT", "SYN_RECV", "ESTABLISHED",
        "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT", "CLOSING",  "LAST_ACK", "TIME_WAIT",
    };
    struct ends_text t;
    linux_ends(s, &t);
    char protocol[] = { s->protocol == IP_TCP ? 't' : 'u', s->protocol == IP_TCP ? 'c' : 'd', 'p', '6', 0 };
    protocol[s->size == 4 ? 3 : 4] = 0;
    if (s->protocol != IP_TCP)
        memcpy(protocol, "udp", 3);
    put_word(out, protocol, 4);
    buffer_put(out, "  ", 2);
    put_queues(out, s, facts);
    buffer_char(out, ' ');
    put_word(out, t.local, 23);
    buffer_char(out, ' ');
    put_word(out, t.foreign, 23);
    buffer_char(out, ' ');
    if (!s->flow && s->state != TCP_LISTEN)
        put_word(out, "-", 11);
    else
        put_word(out, s->protocol != IP_TCP && !s->bound ? "ESTABLISHED" : states[s->state], 11);
    put_last_columns(out, columns, facts, true);
}

static void windows_header(struct buffer *out, bool listeners, unsigned columns)
{
    (void)listeners;
    buffer_text(out, "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State");
    buffer_text(out, columns ? "          " : "");
    buffer_text(out, columns & NETSTAT_KERNEL ? " Kernel        " : "");
    buffer_text(out, columns & NETSTAT_OWNERS ? " PID\n" : "\n");
}

static void windows_row(struct buffer *out, const struct socket *s, unsigned columns, const struct netstat_facts *facts)
{
    char local[END_TEXT], foreign[END_TEXT];
    *netstat_end(local, s->local, s->size, s->local_port) = 0;
    *netstat_end(foreign, s->foreign, s->size, s->foreign_port) = 0;
    bool tcp = s->protocol == IP_TCP;
    const char *other = foreign;
    if (!tcp)
        other = "*:*";
    else if (s->bound)
        other = s->size == 4 ? "0.0.0.0:0" : "[::]:0";
    buffer_text(out, tcp ? "  TCP    " : "  UDP    ");
    put_word(out, local, 22);
    buffer_char(out, ' ');
    put_word(out, other, 22);
    buffer_char(out, ' ');
    const char *state = !tcp ? "" : s->state == TCP_LISTEN ? "LISTENING" : tcp_state_name(s->state);
    if (tcp && !s->flow && s->state != TCP_LISTEN)
        state = "-";
    put_word(out, state, columns ? 15 : 0);
    put_last_columns(out, columns, facts, false);
}

static void macos_header(struct buffer *out, bool listeners, unsigned columns)
{
    buffer_text(out, "Active Internet connections");
    buffer_text(out, listeners ? " (including servers)\n" : "\n");
    buffer_text(out, "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)    ");
    buffer_text(out, columns & NETSTAT_KERNEL ? " Kernel        " : "");
    buffer_text(out, columns & NETSTAT_OWNERS ? "    pid\n" : "\n");
}

static void macos_end(char *at, const uint8_t *address, unsigned size, uint16_t port)
{
    at = write_address(at, address, size);
    *at++ = '.';
    *write_decimal(at, port) = 0;
}

static void macos_row(struct buffer *out, const struct socket *s, unsigned columns, const struct netstat_facts *facts)
{
    static const char *const states[TCP_STATES] = {
        "",           "CLOSED",     "LISTEN",     "SYN_SENT", "SYN_RCVD", "ESTABLISHED",
        "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",  "LAST_ACK", "TIME_WAIT",
    };
    char local[END_TEXT], foreign[END_TEXT] = "*.*";
    macos_end(local, s->local, s->size, s->local_port);
    if (!s->bound)
        macos_end(foreign, s->foreign, s->size, s->foreign_port);
    buffer_text(out, protocol_name(s->protocol));
    buffer_text(out, s->size == 4 ? "4  " : "6  ");
    put_queues(out, s, facts);
    buffer_put(out, "  ", 2);
    put_word(out, local, 22);
    buffer_char(out, ' ');
    put_word(out, foreign, 22);
    buffer_char(out, ' ');
    put_word(out, s->protocol == IP_TCP && !s->flow && s->state != TCP_LISTEN ? "-" : states[s->state], 11);
    buffer_text(out, columns & NETSTAT_OWNERS && !(columns & NETSTAT_KERNEL) ? "     " : "");
    put_last_columns(out, columns, facts, false);
}

static const struct netstat_style styles[] = {
    { "linux", linux_header, linux_row },
    { "windows", windows_header, windows_row },
    { "macos", macos_header, macos_row },
};

const struct netstat_style *netstat_style(const char *name)
{
    for (unsigned i = 0; i < sizeof styles / sizeof *styles; i++)
        if (!strcmp(styles[i].name, name))
            return &styles[i];
    return NULL;
}

/* --- JSON --- */

static void json_text(struct buffer *out, const char *key, const char *value)
{
    buffer_format(out, "\"%s\":\"%s\"", key, value);
}

static void json_end(struct buffer *out, const char *who, const uint8_t *address, unsigned size, uint16_t port)
{
    char text[END_TEXT];
    *write_address(text, address, size) = 0;
    buffer_format(out, "\"%s_addr\":\"%s\",\"%s_port\":%u", who, text, who, port);
}

/* What was asked of the kernel, behind the rest. */
static void json_facts(struct buffer *out, const struct netstat_facts *facts)
{
    static const char *const words[] = { "known", "gone", "elsewhere", "not permitted", "unknown" };
    static const char *const agreements[] = { "same", "different", "moving", "unseen" };
    if (!facts->in_kernel)
        buffer_text(out, ",\"kernel_state\":null");
    else if (facts->kernel == TCP_UNKNOWN)
        buffer_text(out, ",\"kernel_state\":\"\"");
    else
        buffer_format(out, ",\"kernel_state\":\"%s\"", tcp_state_name(facts->kernel));
    buffer_format(out, ",\"kernel_is\":\"%s\"", agreements[facts->agreement]);
    if (!facts->pid) {
        buffer_format(out, ",\"pid\":null,\"program\":null,\"owner\":\"%s\"", words[facts->why]);
        return;
    }
    buffer_format(out, ",\"pid\":%d,\"program\":\"", facts->pid);
    buffer_json_escaped(out, (const uint8_t *)facts->program, strlen(facts->program));
    buffer_format(out, "\",\"owner\":\"%s\"", words[facts->why]);
}

void netstat_socket_json(struct buffer *out, const struct socket *s, const struct netstat_facts *facts)
{
    buffer_char(out, '{');
    json_text(out, "proto", protocol_name(s->protocol));
    buffer_char(out, ',');
    json_end(out, "local", s->local, s->size, s->local_port);
    buffer_char(out, ',');
    if (s->bound)
        buffer_text(out, "\"foreign_addr\":\"*\",\"foreign_port\":\"*\"");
    else
        json_end(out, "foreign", s->foreign, s->size, s->foreign_port);
    buffer_char(out, ',');
    if (s->protocol == IP_TCP && s->state != TCP_UNKNOWN)
        json_text(out, "state", tcp_state_name(s->state));
    else
        buffer_text(out, "\"state\":null");
    if (facts && facts->in_kernel)
        buffer_format(out, ",\"recv_q\":%u", facts->recv_q);
    else
        buffer_text(out, ",\"recv_q\":null");
    if (s->protocol == IP_TCP && s->state != TCP_LISTEN)
        buffer_format(out, ",\"send_q\":%u", s->send_q);
    else
        buffer_text(out, ",\"send_q\":null");
    if (facts && facts->there)
        json_facts(out, facts);
    buffer_text(out, "}\n");
}

/* --- both ends --- */

struct both {
    const struct flow *flow;
    const struct flow_detail *detail; /* NULL: none are kept */
    int64_t handshake;                /* nanoseconds, 0: not known */
    unsigned client, size;
    int32_t now;
    uint8_t room[2][4];
    const uint8_t *address[2]; /* [0] the client's, as everything below */
    uint16_t port[2];
    enum tcp_state state[2];
};

static void look(struct both *b, const struct connection_view *view)
{
    const struct flow *f = flow_at(view->flows, view->index);
    b->flow = f;
    b->detail = view->flows->details ? flow_detail_at(view->flows, view->index) : NULL;
    b->handshake = *flow_handshake_at(view->flows, view->index);
    b->client = flow_client(f);
    b->size = f->flags & FLOW_IPV6 ? 16 : 4;
    int64_t ms = (view->now - f->first) / 1000000;
    b->now = ms > INT32_MAX ? INT32_MAX : ms < 0 ? 0 : (int32_t)ms;
    for (unsigned i = 0; i < 2; i++) {
        unsigned end = i ^ b->client;
        b->address[i] = flow_address(view->flows, f, end, b->room[i]);
        b->port[i] = f->port[end];
        b->state[i] = f->flags & FLOW_MOVED ? TCP_CLOSED : tcp_state_at(f, end, b->now);
    }
}

/* Returns the end, where a zero byte stands. */
static char *human_bytes(char text[24], uint64_t bytes)
{
    static const char units[][4] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    unsigned unit = 0;
    uint64_t tenths = bytes * 10;
    for (; tenths >= 10000 && unit < 6; unit++)
        tenths = (tenths + 500) / 1000;
    char *at = write_decimal(text, tenths / 10);
    if (unit) {
        *at++ = '.';
        at = write_decimal(at, tenths % 10);
    }
    *at++ = ' ';
    memcpy(at, units[unit], sizeof units[unit]);
    return at + (unit ? 2 : 1);
}

/* Nanoseconds as milliseconds: two decimals below one, one below a hundred. */
static void human_time(char text[32], int64_t ns, const char *unknown)
{
    if (ns <= 0) {
        memcpy(text, unknown, strlen(unknown) + 1);
        return;
    }
    char *at = write_decimal(text, (uint64_t)ns / 1000000);
    if (ns < 100000000)
        *at++ = '.';
    if (ns < 1000000)
        at = write_digits(at, (uint64_t)ns / 10000, 2);
    else if (ns < 100000000)
        at = write_decimal(at, (uint64_t)ns / 100000 % 10);
    memcpy(at, " ms", 4);
}

void netstat_connection_header(struct buffer *out, const struct style *style, bool long_form)
{
    buffer_text(out, "Proto Client                 Server                 Client state   Server state    Packets");
    buffer_text(out, style->ascii ? "    Bytes >    Bytes <       RTT" : "    Bytes ↑    Bytes ↓       RTT");
    if (long_form)
        buffer_text(out, style->ascii ? "   Again > <        MSS > <     Window > <     Goodput > <"
                                      : "   Again ↑ ↓        MSS ↑ ↓     Window ↑ ↓     Goodput ↑ ↓");
    buffer_char(out, '\n');
}

static void put_pair(struct buffer *out, uint64_t there, uint64_t back, size_t width)
{
    char text[48], *at = write_decimal(text, there);
    *at++ = ' ';
    *write_decimal(at, back) = 0;
    put_right(out, text, width);
}

static void put_rate(struct buffer *out, uint64_t bytes, int64_t ns, size_t width)
{
    char text[32];
    if (ns <= 0) {
        put_right(out, "-", width);
        return;
    }
    human_bytes(text, (uint64_t)((double)bytes * 1e9 / (double)ns));
    memcpy(text + strlen(text), "/s", 3);
    put_right(out, text, width);
}

static uint32_t scaled_window(const struct both *b, unsigned end)
{
    uint8_t scale = b->flow->end[end].scale;
    return (uint32_t)b->detail->window[end] << (scale <= SCALE_MOST ? scale : 0);
}

static void put_long(struct buffer *out, const struct both *b)
{
    unsigned c = b->client, s = !c;
    const struct flow *f = b->flow;
    int64_t lasted = f->last - f->first;
    put_pair(out, f->retransmits[c], f->retransmits[s], 12);
    put_pair(out, b->detail->mss[c], b->detail->mss[s], 15);
    put_pair(out, scaled_window(b, c), scaled_window(b, s), 15);
    put_rate(out, f->bytes[c], lasted, 12);
    put_rate(out, f->bytes[s], lasted, 12);
}

static void put_end(struct buffer *out, const struct connection_view *view, const struct both *b, unsigned i)
{
    char text[END_TEXT];
    if (view->names) {
        size_t mark = buffer_hold(out);
        names_write_end(out, view->names, b->address[i], b->size, true, b->port[i], b->flow->protocol);
        buffer_pad(out, mark, 22);
        buffer_release(out);
        return;
    }
    char *end = netstat_end(text, b->address[i], b->size, b->port[i]);
    put_padded(out, text, (size_t)(end - text), 22);
}

void netstat_connection(struct buffer *out, const struct connection_view *view, bool long_form)
{
    struct both b;
    char text[END_TEXT];
    look(&b, view);
    const struct flow *f = b.flow;
    bool tcp = f->protocol == IP_TCP;
    put_word(out, protocol_name(f->protocol), 6);
    for (unsigned i = 0; i < 2; i++) {
        put_end(out, view, &b, i);
        buffer_char(out, ' ');
    }
    for (unsigned i = 0; i < 2; i++)
        put_word(out, tcp ? tcp_state_name(b.state[i]) : "", 15);
    char *end = write_decimal(text, (uint64_t)f->packets[0] + f->packets[1]);
    put_right_of(out, text, (size_t)(end - text), 8);
    for (unsigned i = 0; i < 2; i++) {
        end = human_bytes(text, f->bytes[i ^ b.client]);
        put_right_of(out, text, (size_t)(end - text), 11);
    }
    human_time(text, b.handshake, "-");
    put_right(out, text, 10);
    if (long_form)
        put_long(out, &b);
    buffer_char(out, '\n');
}

void netstat_listener(struct buffer *out, const struct socket *s)
{
    char text[END_TEXT], *end = netstat_end(text, s->local, s->size, s->local_port);
    put_word(out, "tcp", 6);
    put_word(out, "*", 23);
    put_padded(out, text, (size_t)(end - text), 22);
    buffer_put(out, "                LISTEN\n", 23);
}

static void json_time(struct buffer *out, const char *key, int64_t ns)
{
    buffer_format(out, ",\"%s\":\"", key);
    time_write(out, ns, 9);
    buffer_char(out, '"');
}

void netstat_connection_json(struct buffer *out, const struct connection_view *view)
{
    struct both b;
    char history[sizeof b.detail->history];
    look(&b, view);
    const struct flow *f = b.flow;
    unsigned c = b.client, s = !c;
    bool tcp = f->protocol == IP_TCP;
    buffer_char(out, '{');
    json_text(out, "proto", protocol_name(f->protocol));
    buffer_char(out, ',');
    json_end(out, "client", b.address[0], b.size, b.port[0]);
    buffer_char(out, ',');
    json_end(out, "server", b.address[1], b.size, b.port[1]);
    if (tcp)
        buffer_format(out, ",\"client_state\":\"%s\",\"server_state\":\"%s\"", tcp_state_name(b.state[0]),
                      tcp_state_name(b.state[1]));
    else
        buffer_text(out, ",\"client_state\":null,\"server_state\":null");
    json_time(out, "first_time", f->first);
    json_time(out, "last_time", f->last);
    buffer_format(out, ",\"client_packets\":%u,\"server_packets\":%u", f->packets[c], f->packets[s]);
    buffer_format(out, ",\"client_bytes\":%llu,\"server_bytes\":%llu", (unsigned long long)f->bytes[c],
                  (unsigned long long)f->bytes[s]);
    buffer_format(out, ",\"client_wire_bytes\":%llu,\"server_wire_bytes\":%llu", (unsigned long long)b.detail->wire[c],
                  (unsigned long long)b.detail->wire[s]);
    buffer_format(out, ",\"client_retransmits\":%u,\"server_retransmits\":%u", f->retransmits[c], f->retransmits[s]);
    if (b.handshake > 0)
        json_time(out, "handshake_rtt", b.handshake);
    else
        buffer_text(out, ",\"handshake_rtt\":null");
    for (unsigned i = 0; i < 2; i++)
        names_write_json(out, view->names, i ? "server" : "client", b.address[i], b.size, b.port[i], f->protocol);
    tally_history(f, b.detail, history);
    buffer_format(out, ",\"history\":\"%s\",\"stream\":%u}\n", history, f->stream);
}

/* --- Zeek: docs.zeek.org, conn.log --- */

void netstat_zeek_header(struct buffer *out)
{
    buffer_text(out, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
                     "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\t"
                     "orig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\t"
                     "orig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n"
                     "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\t"
                     "bool\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]\n");
}

/* The same for the same connection in every run: from its ends and its first packet's time. */
static void put_uid(struct buffer *out, const struct both *b)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t h[2] = { (uint64_t)b->flow->first, UINT64_C(0x9e3779b97f4a7c15) };
    for (unsigned i = 0; i < 2; i++)
        for (unsigned at = 0; at < b->size; at += 4) {
            h[0] = (h[0] ^ load_be32(b->address[i] + at) ^ (uint64_t)b->port[i] << 32) * UINT64_C(0xff51afd7ed558ccd);
            h[1] = (h[1] ^ h[0] >> 29) * UINT64_C(0xc4ceb9fe1a85ec53);
        }
    buffer_char(out, 'C');
    for (unsigned i = 0; i < 17; i++) {
        uint64_t *from = &h[i % 2];
        buffer_char(out, digits[*from % 62]);
        *from /= 62;
    }
}

static void put_zeek_end(struct buffer *out, const struct both *b, unsigned i)
{
    char text[END_TEXT];
    buffer_char(out, '\t');
    buffer_put(out, text, (size_t)(write_address(text, b->address[i], b->size) - text));
    buffer_format(out, "\t%u", b->port[i]);
}

void netstat_zeek(struct buffer *out, const struct connection_view *view)
{
    struct both b;
    char history[sizeof b.detail->history];
    look(&b, view);
    const struct flow *f = b.flow;
    unsigned c = b.client, s = !c;
    tally_history(f, b.detail, history);
    time_write(out, f->first, 6);
    buffer_char(out, '\t');
    put_uid(out, &b);
    put_zeek_end(out, &b, 0);
    put_zeek_end(out, &b, 1);
    buffer_format(out, "\t%s\t-\t", protocol_name(f->protocol));
    if (b.detail->productive > f->first) { /* without a duration no bytes */
        time_write(out, b.detail->productive - f->first, 6);
        buffer_format(out, "\t%llu\t%llu", (unsigned long long)f->bytes[c], (unsigned long long)f->bytes[s]);
    } else {
        buffer_text(out, "-\t-\t-");
    }
    buffer_format(out, "\t%s\t-\t-\t%llu\t%s\t%u\t%llu\t%u\t%llu\t-\n", tally_conn_state(f, b.detail),
                  (unsigned long long)b.detail->missed, *history ? history : "-", f->packets[c],
                  (unsigned long long)b.detail->network[c], f->packets[s], (unsigned long long)b.detail->network[s]);
}

/* --- changes --- */

void netstat_change(struct buffer *out, const struct style *style, const struct change_view *v)
{
    const struct flow *f = flow_at(v->flows, v->index);
    unsigned size = f->flags & FLOW_IPV6 ? 16 : 4;
    char text[END_TEXT];
    uint8_t room[4];
    /* What time alone changed is known to the millisecond. */
    time_write_absolute(out, v->time, FORMAT_ABSOLUTE, v->packet ? 6 : 3);
    if (!v->packet)
        buffer_text(out, "   ");
    buffer_put(out, "  ", 2);
    if (v->packet)
        buffer_format(out, "%8llu", (unsigned long long)v->packet);
    else
        buffer_text(out, "    time");
    buffer_put(out, "  ", 2);
    for (unsigned i = 0; i < 2; i++) {
        unsigned end = i ? !v->end : v->end;
        char *stop = netstat_end(text, flow_address(v->flows, f, end, room), size, f->port[end]);
        put_padded(out, text, (size_t)(stop - text), 22);
        buffer_char(out, ' ');
    }
    put_word(out, tcp_state_name(v->from), 12);
    buffer_text(out, style->ascii ? " -> " : " → ");
    buffer_text(out, tcp_state_name(v->to));
    buffer_char(out, '\n');
}

void netstat_change_json(struct buffer *out, const struct change_view *v)
{
    const struct flow *f = flow_at(v->flows, v->index);
    unsigned size = f->flags & FLOW_IPV6 ? 16 : 4;
    uint8_t room[4];
    buffer_text(out, "{\"proto\":\"tcp\"");
    json_time(out, "time", v->time);
    if (v->packet)
        buffer_format(out, ",\"packet\":%llu,", (unsigned long long)v->packet);
    else
        buffer_text(out, ",\"packet\":null,");
    json_end(out, "local", flow_address(v->flows, f, v->end, room), size, f->port[v->end]);
    buffer_char(out, ',');
    json_end(out, "foreign", flow_address(v->flows, f, !v->end, room), size, f->port[!v->end]);
    buffer_format(out, ",\"from\":\"%s\",\"to\":\"%s\"}\n", tcp_state_name(v->from), tcp_state_name(v->to));
}
