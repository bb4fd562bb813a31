#include "output/ends.h"
#include "dissectors/registry.h"
#include "output/endpoints.h"
#include "output/names.h"
#include "track/tcp_state.h"

enum { TCP_HEADER = 20, IP_TCP = 6, IP_UDP = 17 };

void ends_set(struct ends *e, bool tcp, uint8_t size, const uint8_t *client, uint16_t client_port,
              const uint8_t *server, uint16_t server_port)
{
    e->known = true;
    e->tcp = tcp;
    e->size = size;
    memcpy(e->address[0], client, size);
    memcpy(e->address[1], server, size);
    e->port[0] = client_port;
    e->port[1] = server_port;
    for (unsigned i = 0; i < 2; i++) {
        *address_write(e->name[i], e->address[i], size, true, e->port[i]) = 0;
        memcpy(e->shown[i], e->name[i], sizeof e->name[i]);
    }
}

void ends_call(struct ends *e, const struct names *names)
{
    struct buffer text;
    if (!e->known || buffer_open(&text, -1, 1024))
        return;
    for (unsigned i = 0; i < 2; i++) {
        text.at = text.start;
        names_write_end(&text, names, e->address[i], e->size, true, e->port[i], e->tcp ? IP_TCP : IP_UDP);
        size_t n = buffer_used(&text);
        if (n && n < sizeof e->shown[i] && text_columns(text.start, n) == n) {
            memcpy(e->shown[i], text.start, n);
            e->shown[i][n] = 0;
        }
    }
    buffer_free(&text);
}

void ends_learn(struct ends *e, const struct packet *p, const struct layer *layer)
{
    const struct network *n = layer_network(p, layer);
    struct span h = layer_header(p, layer);
    if (e->known || !n || h.left < 4)
        return;
    bool tcp = layer->protocol == registry_by_name("tcp");
    bool answer = tcp && h.left >= TCP_HEADER && (h.at[13] & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
    uint16_t from = load_be16(h.at), to = load_be16(h.at + 2);
    if (answer)
        ends_set(e, tcp, n->size, n->final, to, n->source, from);
    else
        ends_set(e, tcp, n->size, n->source, from, n->final, to);
}

int ends_address(const struct ends *e, const uint8_t *address, unsigned size)
{
    if (!e->known || e->size != size)
        return -1;
    return !memcmp(e->address[0], address, size) ? 0 : !memcmp(e->address[1], address, size) ? 1 : -1;
}

unsigned ends_sender(const struct ends *e, const struct packet *p, const struct layer *layer)
{
    const struct network *n = layer_network(p, layer);
    struct span h = layer_header(p, layer);
    if (!n || h.left < 2)
        return 0;
    /* both ends may have the same address: the port tells as well */
    return !(ends_address(e, n->source, n->size) == 0 && load_be16(h.at) == e->port[0]);
}
