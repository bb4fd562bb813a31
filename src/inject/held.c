#include "inject/held.h"
#include "base/text.h"
#include "host/hush.h"
#include "host/route.h"
#include "inject/question.h"
#include <string.h>

int held_take(struct held_ports *held, uint8_t protocol, const struct ip_address *address, uint16_t port,
              struct error *error)
{
    for (unsigned i = 0; i < held->count; i++) {
        const struct held_port *h = &held->ports[i];
        if (h->protocol == protocol && h->port == port && ip_same(&h->address, address))
            return 0;
    }
    if (held->count == HELD_MAX)
        return error_set(error, ERROR_USAGE, _("more than %d ports held"), HELD_MAX);
    struct held_port *new = &held->ports[held->count];
    int code = hush_open(&new->hush, protocol, address, 0, port, error);
    if (code)
        return code;
    new->protocol = protocol;
    new->port = port;
    new->address = *address;
    held->count++;
    return 0;
}

void held_take_source(struct held_ports *held, const struct packet *packet)
{
    struct question q;
    struct error unused;
    if (!question_read(&q, packet) || !q.ported || !q.source_port)
        return;
    struct ip_address address = { .size = q.size };
    memcpy(address.bytes, q.source, q.size);
    if (route_is_own(&address))
        held_take(held, q.protocol, &address, q.source_port, &unused);
}

void held_release(struct held_ports *held)
{
    for (unsigned i = 0; i < held->count; i++)
        hush_close(held->ports[i].hush);
    held->count = 0;
}
