/* What the three files of the screen Sockets share: sockets.c (its moment, keys and time), sockets_list.c (which
 * connections, in what order) and sockets_draw.c. Nobody else includes this. */
#pragma once
#include "ui/app.h"
#include "ui/past.h"
#include "ui/rates.h"

enum { IP_TCP = 6, IP_UDP = 17 };

enum order { BY_APPEARANCE, BY_RATE, BY_BYTES, BY_PACKETS, BY_AGAIN, BY_RTT, BY_STATE, BY_CLIENT, BY_SERVER, ORDERS };

/* Which rows are shown. 0: all; 1: open ones; from 2 on: those with an end in that state. */
enum { SHOW_ALL, SHOW_OPEN, SHOW_STATE, SHOWS = SHOW_STATE + TCP_STATES };

/* A row to be sorted: numbers that are sorted as unsigned ones. */
struct sortable {
    uint32_t key, flow;
};

struct listed {
    struct sortable *rows; /* owned */
    uint32_t count, room;
};

struct socket_screen {
    struct past *past; /* NULL until somebody goes back in time */
    struct rates *rates;
    bool in_past;
    bool unprepared; /* past could not be made ready before it was asked for: that is not tried again */
    enum order order;
    bool reverse, host_view;
    unsigned show;
    uint8_t host[16], host_size; /* of host_view */
    struct listed shown, made, spare;
    unsigned phase;    /* of making: 0 nothing to do, 1 gathering, from 2 on sorting */
    uint32_t gathered; /* flows looked at */
    uint64_t made_of;  /* packets the tracker had taken when making began */
    uint64_t turn;     /* of rates */
    int64_t last_made;
    bool wanted;              /* make it anew */
    uint32_t cursor_flow;     /* FLOW_NONE: the first row */
    uint32_t cursor, top;     /* rows; listeners come first */
    struct socket *listeners; /* owned */
    uint32_t listener_count, listener_room;
    struct area body;
    struct drawn *before; /* the table that stood there when one went elsewhere, until the next one is made */
    int slider_x, slider_width;
    int widest; /* columns of the longest end that was drawn so far, within bounds */
    struct buffer scratch;
};

/* A connection as of a moment. */
struct both {
    const struct flow *flow;
    const struct flow_detail *detail;
    int64_t handshake;
    unsigned client;
    enum tcp_state state[2]; /* client, server */
};

/* As of the screen's moment: now, or a packet before. */
struct tracker *socket_screen_tracker(struct app *app, struct socket_screen *screen);
struct sockets *socket_screen_sockets(struct app *app, struct socket_screen *screen);
uint64_t socket_screen_packet(struct app *app, const struct socket_screen *screen);
/* A packet's time, nanoseconds since 1970; 0: there is none. */
int64_t socket_screen_time(struct app *app, uint64_t number);

/* sockets_list.c */

struct both socket_screen_look(const struct flow_table *flows, uint32_t index, int64_t now);
/* Makes the list anew, a slice at a time, if somebody asked or a second went by with news. Whether there is more to do.
 */
bool socket_screen_make(struct app *app, struct socket_screen *screen);

/* sockets_draw.c */

uint32_t socket_screen_rows(const struct socket_screen *screen);
void socket_screen_draw(struct app *app, void *state, struct area area);
