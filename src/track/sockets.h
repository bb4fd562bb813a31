/* Tables of sockets: what netstat on a host would have printed at an instant, from packets alone.
 *
 * Listeners are known by their answers: a SYN ACK from an end that has not called itself; a refusal ends them. UDP
 * sockets are known by their datagrams, for a while. */
#pragma once
#include "track/tcp_state.h"
#include "track/tracker.h"

enum {
    UDP_PATIENCE_MS = 60000, /* a UDP socket goes without a word: so long after its last datagram it counts as open */
};

struct listener {
    uint8_t address[16];
    uint32_t number; /* in order of appearance */
    uint16_t port;
    uint8_t size; /* of the address: 4 or 16; 0: an empty place */
    bool open;    /* its last answer was none of refusal */
};

struct sockets {
    struct tcp_watch watch; /* first: give it to the tracker */
    struct tcp_watch *next; /* told of every change, too; NULL: nobody. The caller's */
    const struct flow_table *flows;
    struct listener *listeners; /* owned; open addressing, at most half full */
    uint32_t room, count;
};

struct socket {
    uint8_t protocol;     /* 6 or 17 */
    uint8_t size;         /* of addresses: 4 or 16 */
    enum tcp_state state; /* TCP_UNKNOWN for UDP */
    uint8_t local[16];
    uint16_t local_port;
    bool bound; /* no foreign end: a listener, or a UDP socket that answers anybody */
    uint8_t foreign[16];
    uint16_t foreign_port;
    uint32_t send_q;         /* sent and not acknowledged, as far as the capture tells */
    const struct flow *flow; /* NULL for listeners */
    unsigned end;            /* of flow that is local */
};

struct sockets_query {
    int64_t time; /* nanoseconds since 1970; the tracker has taken everything up to it */
    uint8_t host[16];
    uint8_t size; /* of host: 4 or 16; 0: any host */
    /* Instead of host: asked whether an address (size 4 or 16) is one of the host's. NULL: host says it. */
    bool (*is_local)(void *context, const uint8_t *address, unsigned size);
    void *context;
    bool listeners, tcp, udp;
};

void sockets_open(struct sockets *sockets, struct tracker *tracker);
void sockets_close(struct sockets *sockets);

/* Calls `each` for every socket there was: listeners, TCP, then UDP, in order of appearance each. Returns 0 or
 * ERROR_MEMORY. */
int sockets_list(const struct sockets *sockets, const struct sockets_query *query,
                 void (*each)(void *context, const struct socket *socket), void *context);
