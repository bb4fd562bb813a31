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
/* By Wireshark's name (tcp), or NULL. */
const struct protocol *registry_by_name(const char *name);

/* Those that others have to know by name. */
extern const struct protocol frame_protocol, data_protocol, eth_protocol, ip_protocol, tcp_protocol;
