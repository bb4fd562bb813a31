/* Sockets and connections as rows: the way netstat prints them on Linux, Windows and macOS, as JSON, as Zeek's
 * conn.log, and peel's own table that shows both ends. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "track/sockets.h"

struct names;

enum netstat_columns {
    NETSTAT_OWNERS = 1,
    NETSTAT_KERNEL = 2, /* what the kernel says of the state */
};

enum netstat_agreement {
    NETSTAT_SAME,
    NETSTAT_DIFFERENT,
    NETSTAT_MOVING, /* different, but packets came just now */
    NETSTAT_UNSEEN, /* the kernel has the socket, and no packet showed it */
};

/* What the kernel of this host knows of a socket. */
struct netstat_facts {
    bool there;     /* the kernel was asked */
    bool in_kernel; /* and has it */
    uint8_t why;    /* there is no owner: enum owner_why */
    enum netstat_agreement agreement;
    enum tcp_state kernel;
    uint32_t recv_q;
    int32_t pid;         /* 0: not known */
    const char *program; /* any bytes */
};

/* The columns and words of a system's netstat. columns: of enum netstat_columns. facts: NULL, nobody was asked. */
struct netstat_style {
    const char *name;
    void (*header)(struct buffer *out, bool listeners, unsigned columns);
    void (*row)(struct buffer *out, const struct socket *socket, unsigned columns, const struct netstat_facts *facts);
};

/* linux, windows, macos; NULL: no such. */
const struct netstat_style *netstat_style(const char *name);

void netstat_socket_json(struct buffer *out, const struct socket *socket, const struct netstat_facts *facts);

/* A connection's row, `now` being the instant that it is shown as of (nanoseconds since 1970). */
struct connection_view {
    const struct flow_table *flows;
    uint32_t index;
    int64_t now;
    const struct names *names; /* for ends; NULL: none were asked for */
};

void netstat_connection_header(struct buffer *out, const struct style *style, bool long_form);
void netstat_connection(struct buffer *out, const struct connection_view *view, bool long_form);
/* A listener in the same table. */
void netstat_listener(struct buffer *out, const struct socket *socket);
void netstat_connection_json(struct buffer *out, const struct connection_view *view);
void netstat_zeek_header(struct buffer *out);
void netstat_zeek(struct buffer *out, const struct connection_view *view);

/* A change of an end's state. packet: its number, 0: time passed. */
struct change_view {
    const struct flow_table *flows;
    uint32_t index;
    unsigned end;
    enum tcp_state from, to;
    int64_t time;
    uint64_t packet;
};

void netstat_change(struct buffer *out, const struct style *style, const struct change_view *view);
void netstat_change_json(struct buffer *out, const struct change_view *view);

/* Address and port as text, "10.0.0.1:80" or "[2001:db8::1]:80"; room for 64 bytes. Returns the end. */
char *netstat_end(char *at, const uint8_t *address, unsigned size, uint16_t port);
