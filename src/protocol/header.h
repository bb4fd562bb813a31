/* What many dissectors do with a header, whatever it is. */
#pragma once
#include "base/text.h"
#include "protocol/protocol.h"

/* Takes a header of n bytes. NULL: it is cut short, and the layer is what there is of it. */
static inline const uint8_t *header_take(struct layer *self, struct span *in, size_t n)
{
    self->length = (uint32_t)(in->left < n ? in->left : n);
    return span_pull(in, n);
}

/* For a summary: the layer's header if it has n bytes; else NULL, and the summary says so. */
static inline const uint8_t *header_shown(const struct packet *packet, const struct layer *layer, size_t n,
                                          struct buffer *out)
{
    struct span h = layer_header(packet, layer);
    if (h.left >= n)
        return h.at;
    buffer_text(out, "cut short");
    return NULL;
}

/* Whose the bytes are where a header says IPv4: some say so of both versions. */
static inline struct key header_ip_key(const struct span *in)
{
    return (struct key){ KEY_ETHERTYPE, in->left && in->at[0] >> 4 == 6 ? 0x86dd : 0x0800, 0 };
}

/* Whether what Cisco's serial lines write as a type is an ethertype of Ethernet's. Others have numbers of their own
 * there (SLARP 8035), and ARP and tags are nobody's. */
static inline bool header_is_serial_type(uint16_t type)
{
    return type == 0x0800 || type == 0x86dd || type == 0x8847 || type == 0x8848 || type == 0x6558;
}

/* For a summary: what an ICMP error's code means, by those rows that name codes of some types; without a name its
 * number, unless that is 0. */
static inline void header_write_code(const struct packet *packet, const struct layer *layer, const struct field *rows,
                                     unsigned count, struct buffer *out)
{
    struct place place = { .packet = packet, .layer = layer, .bytes = layer_header(packet, layer) };
    struct value value;
    for (unsigned i = 0; i < count; i++) {
        const char *name = field_read(&rows[i], &place, 0, &value) ? field_value_name(&rows[i], value.u) : NULL;
        if (!name)
            continue;
        buffer_text(out, " (");
        buffer_text(out, name);
        buffer_char(out, ')');
        return;
    }
    if (place.bytes.left < 2 || !place.bytes.at[1])
        return;
    buffer_text(out, ", code ");
    buffer_decimal(out, place.bytes.at[1]);
}

/* Whether a message of ICMP is a ping or what comes back, by their types: identifier and sequence number lie in the
 * same place. RFC 792; RFC 4443, 4.1 */
static inline enum turn header_ping(const struct packet *packet, const struct layer *layer, uint8_t request,
                                    uint8_t reply, int64_t *number)
{
    struct span header = layer_header(packet, layer);
    if (header.left < 8 || (header.at[0] != request && header.at[0] != reply))
        return TURN_NONE;
    *number = load_be32(header.at + 4);
    return header.at[0] == request ? TURN_QUESTION : TURN_ANSWER;
}
