/* What the files of script share among themselves. */
#pragma once
#include "inject/held.h"
#include "inject/question.h"
#include "inject/script.h"
#include "inject/sender.h"
#include <lauxlib.h>
#include <lua.h>

enum { TASKS_MAX = 1024, ARRIVED_MAX = 4096, STREAMS_MAX = 1024 };

/* A packet that came in by one of the script's wires. */
struct arrived {
    uint8_t *bytes; /* owned */
    size_t length;
    uint32_t wire_length;
    uint16_t link_type;
    int64_t time; /* nanoseconds since 1970 */
};

/* What a script waits for: the first member of a Lua userdata, which lies on the stack of who waits. */
struct script_wait {
    /* Whether it has come; called after each thing that happened. May read packets from `cursor` on. */
    bool (*ready)(struct script *script, struct script_wait *wait);
    /* Pushes what the waiting function returns, and says how many; may end with a Lua error. */
    int (*finish)(lua_State *L, struct script_wait *wait);
    int64_t deadline; /* by the steady clock; INT64_MAX: none */
    bool late;        /* it has passed */
    uint64_t cursor;  /* number of the next packet to be looked at */
};

/* A function that runs beside the script, as a coroutine. */
struct task {
    lua_State *L;
    int reference; /* that keeps it from being collected */
    struct script_wait *wait;
    bool running, done;
};

struct stream; /* script_stream.c */

struct script {
    lua_State *L;
    struct script_settings settings;
    struct sender *sender;               /* opened when first needed */
    struct arrived arrived[ARRIVED_MAX]; /* a ring */
    uint64_t arrived_count, cursor;      /* of all; the first one that no expect or ask has gone past */
    struct task tasks[TASKS_MAX];
    unsigned task_count;
    struct stream *streams[STREAMS_MAX];
    unsigned stream_count;
    struct held_ports held;
    struct packet view; /* scratch */
    bool expectation_failed;
};

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

/* Methods of packets besides those that they have here. */
void script_add_methods(struct script *script, const luaL_Reg *methods);

void script_packets_open(lua_State *L); /* script_packet.c */
void script_net_open(lua_State *L);     /* script_net.c */
void script_tasks_open(lua_State *L);   /* script_tasks.c */
void script_streams_open(lua_State *L); /* script_stream.c */
void script_files_open(lua_State *L);   /* script_files.c */

static inline struct script *script_of(lua_State *L)
{
    return *(struct script **)lua_getextraspace(L);
}

/* Nanoseconds of a steady clock. */
int64_t script_now(void);
/* The sender, opened; a Lua error if that fails. */
struct sender *script_sender(lua_State *L);
/* Waits for what lies on top of the stack; to be called as `return script_wait(L, wait)`. */
int script_wait(lua_State *L, struct script_wait *wait);
/* Runs what can run until all tasks have ended. A Lua error if one of them failed. */
void script_finish_tasks(lua_State *L);
/* A number of seconds in a table's field, as a deadline from now on. */
int64_t script_deadline(lua_State *L, int table, const char *name, double otherwise);
/* A packet that came in; NULL: it is no longer kept. */
const struct arrived *script_arrived(const struct script *script, uint64_t number);
void script_push_arrived(lua_State *L, const struct arrived *arrived);
/* Dissects one into view. */
void script_dissect(const struct arrived *arrived, struct packet *view);
void script_tell(struct script *script, struct span bytes, uint16_t link_type, int64_t time, bool sent);

/* script_stream.c */
int stream_fd(const struct stream *stream);
int64_t stream_deadline(const struct stream *stream);
void stream_step(struct stream *stream);
void stream_abort(struct stream *stream);
