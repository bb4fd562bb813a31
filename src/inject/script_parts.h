/* What the files of script share among themselves. */
#pragma once
#include "inject/script.h"
#include <lauxlib.h>
#include <lua.h>

/* A packet as a Lua value. Crafted ones have craft; those that came from elsewhere have bytes until they are edited. */
struct script_packet {
    struct craft *craft; /* owned, or NULL */
    uint8_t *bytes;      /* owned, or NULL: as it came */
    size_t length;
    uint32_t wire_length;
    uint16_t link_type; /* of what came */
    int64_t time;       /* nanoseconds since 1970; 0: it has none */
};

/* The packet at an index, or a Lua error. */
struct script_packet *script_check_packet(lua_State *L, int index);
/* NULL if it is none. */
struct script_packet *script_to_packet(lua_State *L, int index);
/* Pushes a new, empty one. */
struct script_packet *script_new_packet(lua_State *L);
/* Pushes one that came from elsewhere; bytes are copied. */
void script_push_bytes(lua_State *L, struct span bytes, uint32_t wire_length, uint16_t link_type, int64_t time);
/* Makes it one that can be edited. */
struct craft *script_craft(lua_State *L, struct script_packet *p);
/* Its bytes, built if need be; valid until it is changed. */
struct span script_bytes(lua_State *L, struct script_packet *p);
/* Its layers, for reading. */
void script_view(lua_State *L, struct script_packet *p, struct packet *view);
/* Ends with a Lua error that holds the sentence, and the line of the script that called. */
int script_fail(lua_State *L, const struct error *error) __attribute__((noreturn));
/* The Lua value at an index as a craft_value, which is then the caller's. A Lua error if it is none. */
void script_value(lua_State *L, int index, struct craft_value *value);

void script_packets_open(lua_State *L); /* script_packet.c */
