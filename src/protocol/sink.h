/* The tree of a packet is not stored: it is a walk over its layers' tables into a sink. Text, JSON, fields, filters
 * and screens are sinks. Nesting of bits follows from value.bit and value.width: tcp.flags.syn lies within tcp.flags.
 */
#pragma once
#include "protocol/field.h"

struct sink {
    /* Any of these may be NULL. */
    void (*layer)(struct sink *sink, const struct packet *packet, const struct layer *layer);
    void (*field)(struct sink *sink, const struct field *field, const struct value *value);
    /* One option of a run; its rows come next. title: its name, bit and width in value. */
    void (*option)(struct sink *sink, const char *title, const struct value *value);
    void (*option_end)(struct sink *sink);
    void (*layer_end)(struct sink *sink, const struct packet *packet, const struct layer *layer);
};

/* All layers of a packet, or one. */
void walk_packet(const struct packet *packet, struct sink *sink);
void walk_layer(const struct packet *packet, const struct layer *layer, struct sink *sink);
/* Only the rows of a table over a header (which may be an option's). */
void walk_rows(const struct place *place, struct sink *sink);
