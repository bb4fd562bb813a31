/* Sockets and connections as rows: the way netstat prints them on Linux, Windows and macOS, as JSON, as Zeek's
 * conn.log, and peel's own table that shows both ends. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "track/sockets.h"

struct names;

/* The columns and words of a system's netstat. */
struct netstat_style {
    const char *name;
    void (*header)(struct buffer *out, bool listeners, bool owners);
    void (*row)(struct buffer *out, const struct socket *socket, bool owners);
};

/* linux, windows, macos; NULL: no such. */
const struct netstat_style *netstat_style(const char *name);

void netstat_socket_json(struct buffer *out, const struct socket *socket);

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
