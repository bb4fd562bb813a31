/* Packets from layers and values: the tables that take packets apart put them together again.
 *
 * A layer is a protocol and what was set of its fields, by name. What was not set is filled in when the packet is
 * built: the table's presets, lengths, checksums, the number of the protocol on top. What was set is sent as it is,
 * right or wrong. A packet that was read from somewhere can be edited: its headers' bytes stay but for what is set, and
 * for those lengths, checksums and next protocols that were right: they follow.
 *
 * Names of fields are Wireshark's without the protocol: ttl is ip.ttl in a layer of IP. A name that is no field's own
 * stands for those that begin with it (window: tcp.window_size_value; dst in ARP: the address that the value is), or
 * else for those that end with it (identifier: icmpv6.echo.identifier). `_` may stand for `.`. `rest` are bytes of the
 * header behind the last one that a field describes. */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include "protocol/packet.h"
#include "protocol/protocol.h"

enum {
    CRAFT_LAYERS_MAX = 2 * LAYERS_MAX + 1, /* of a packet that was read: its layers, and what lies behind each end */
    CRAFT_PACKET_MAX = 65536 + 256,        /* bytes: the longest IP datagram and what lies below it */
};

#define CRAFT_REST "rest"

enum craft_kind {
    CRAFT_NUMBER,
    CRAFT_BOOLEAN, /* number is 0 or 1 */
    CRAFT_TEXT,    /* the field reads it: an address, a number, a value's name, letters of flags, hex for bytes */
    CRAFT_BYTES,
    CRAFT_LIST, /* options; values of a field that occurs more than once; names of flags */
};

struct craft_value {
    enum craft_kind kind;
    int64_t number;
    char *bytes; /* of CRAFT_TEXT and CRAFT_BYTES; a text's has a 0 behind it */
    size_t length;
    struct craft_entry *entries; /* of CRAFT_LIST */
    unsigned count;
};

struct craft_entry {
    char *name; /* NULL: by its place */
    struct craft_value value;
};

/* Of what craft_value_* made. */
void craft_value_free(struct craft_value *value);
/* Copies the text. False: no memory. */
bool craft_value_text(struct craft_value *value, const char *text);
bool craft_value_bytes(struct craft_value *value, const void *bytes, size_t n);
/* Adds to a CRAFT_LIST; takes over *added, whatever it returns. name is copied. */
bool craft_value_add(struct craft_value *list, const char *name, struct craft_value *added);

struct craft;

/* NULL: no memory. */
struct craft *craft_new(void);
void craft_free(struct craft *craft);
struct craft *craft_copy(const struct craft *craft);

unsigned craft_layer_count(const struct craft *craft);
/* NULL: bytes without a header. */
const struct protocol *craft_layer_protocol(const struct craft *craft, unsigned layer);

/* A layer on top of what is there. These return 0, ERROR_USAGE (too many layers) or ERROR_MEMORY. */
int craft_add(struct craft *craft, const struct protocol *protocol, struct error *error);
int craft_add_bytes(struct craft *craft, struct span bytes, struct error *error);
/* All layers of another packet on top. */
int craft_append(struct craft *craft, const struct craft *top, struct error *error);
/* A layer below all that there are. */
int craft_prepend(struct craft *craft, const struct protocol *protocol, struct error *error);
/* Layers 0 to layer stay, what they carry is gone. */
void craft_strip(struct craft *craft, unsigned layer);

/* Sets a field; one that was set before is set anew. Takes over *value, whatever it returns: 0, ERROR_NOT_FOUND (no
 * such field; with a suggestion), ERROR_USAGE (not a value for it) or ERROR_MEMORY. What depends on other fields is
 * found wrong when the packet is built. */
int craft_set(struct craft *craft, unsigned layer, const char *name, struct craft_value *value, struct error *error);

/* The rows that a name stands for in a table whose protocol has the name `protocol`, best first; only such that have a
 * place in the header if in_header. Returns how many, at most `most`. */
unsigned craft_match(const struct field *rows, const char *protocol, const char *name, bool in_header,
                     const struct field **matches, unsigned most);

/* How well a row answers to a name: 0 it is its own, 1 it begins with it, 2 it ends with it, or not. */
enum { CRAFT_UNLIKE = 3 };
unsigned craft_likeness(const struct field *field, const char *protocol, const char *name);

/* The packet as it was dissected: its layers in buffer 0, edited by craft_set and built again. Returns 0 or
 * ERROR_MEMORY. */
int craft_from_packet(struct craft **craft, const struct packet *packet, struct error *error);
/* Puts the packet together; *bytes are valid until the packet is changed or freed. Returns 0, ERROR_USAGE (a value does
 * not fit, a field cannot be there) or ERROR_MEMORY. */
int craft_build(struct craft *craft, struct span *bytes, struct error *error);
/* Whether a dissected packet has the layers that a pattern has, in their order, with what was set in them; bytes
 * without a header are what it must carry. Returns 1, 0 or a negative error. */
int craft_matches(const struct craft *pattern, const struct packet *packet, struct error *error);
/* Its layers as a packet that is dissected, whatever a dissector would make of their bytes: for reading fields. Valid
 * as long as the bytes; *packet is overwritten. Built packets only. */
void craft_view(const struct craft *craft, struct packet *packet);
/* The LINKTYPE_ of a packet that begins with its first layer; CRAFT_NO_LINK: nothing knows such a link. */
enum { CRAFT_NO_LINK = 0xffff };
uint16_t craft_link_type(const struct craft *craft);

/* Whether a field of a layer that ROLE_SOURCE or ROLE_DESTINATION names was left to us. Built packets only. */
bool craft_is_open(const struct craft *craft, unsigned layer, const struct field *field);
