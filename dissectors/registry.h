/* Which protocols there are, and whose payload is whose. */
#pragma once
#include "protocol/protocol.h"

/* All of them, NULL at the end; frame first, data last. */
extern const struct protocol *const protocols[];

/* Where keys are looked up; call once before anything is dissected. */
void registry_open(void);

/* Who takes a payload with this key, or NULL. */
const struct protocol *registry_lookup(unsigned space, unsigned value, unsigned other);

/* A dissector has just written the key, half-word by half-word: taken whole, it would have to wait for all of them. */
static inline const struct protocol *registry_find(struct key key)
{
    return registry_lookup(key.space, key.value, key.other);
}
/* From now on what goes to or from a port (KEY_TCP_PORT, KEY_UDP_PORT) is taken by this protocol, whatever its keys
 * say. False: there is no room for more such ports. */
bool registry_decode_as(unsigned space, uint16_t port, const struct protocol *protocol);

/* Whether one of them is a port of registry_decode_as: then looks do not matter. */
bool registry_is_asked(uint16_t one, uint16_t other);
/* Whose messages the ports carry, the lower one first; NULL: nobody's. */
const struct protocol *registry_by_ports(uint16_t one, uint16_t other);
/* Who may take a payload by its looks: bit by first byte, for each of enum probe. */
extern uint8_t registry_looks[PROBES][256];
const struct protocol *registry_probe(struct span payload, enum probe how);
/* Who would take a payload by its looks, or NULL. */
static inline const struct protocol *registry_by_looks(struct span payload, enum probe how)
{
    return payload.left && registry_looks[how][payload.at[0]] ? registry_probe(payload, how) : NULL;
}

/* A bit for each port of TCP that is a protocol's. */
extern uint64_t registry_stream_ports[(UINT16_MAX + 1) / 64];
const struct protocol *registry_stream_find(unsigned value, unsigned other, struct span segment);
/* Who takes a segment's payload where no message of its stream is known: by port if one can begin here, else by its
 * looks. NULL: nobody, which is nearly always seen at once. */
static inline const struct protocol *registry_stream(unsigned value, unsigned other, struct span segment)
{
    uint64_t port = registry_stream_ports[value / 64] >> value % 64 | registry_stream_ports[other / 64] >> other % 64;
    bool looks = segment.left && registry_looks[PROBE_STREAM][segment.at[0]];
    return port & 1 || looks ? registry_stream_find(value, other, segment) : NULL;
}

/* By Wireshark's name (tcp), or NULL. */
const struct protocol *registry_by_name(const char *name);

/* Those that others have to know by name. */
extern const struct protocol frame_protocol, data_protocol, eth_protocol, ip_protocol, tcp_protocol, udp_protocol;
