/* Lua for packets: the layers as functions, `/` between them, packets as values that can be read, edited and built.
 *
 * One struct script is one Lua state. Errors of the user's come back as sentences with the line they happened in. */
#pragma once
#include "inject/craft.h"

struct script;
struct lua_State;

struct script_settings {
    const char *interface; /* packets leave by it; NULL: by their routes' */
    /* Told of each packet that was sent or came in, valid during the call; may be NULL. time: nanoseconds since 1970.
     */
    void (*packet)(void *context, struct span bytes, uint16_t link_type, int64_t time, bool sent);
    void *context;
    /* Set by a signal: what waits ends then. May be NULL. */
    const volatile int *interrupted;
};

/* settings may be NULL. Returns 0 or ERROR_MEMORY. */
int script_open(struct script **script, const struct script_settings *settings, struct error *error);
void script_close(struct script *script);
/* For those who add functions of their own. */
struct lua_State *script_state(struct script *script);

/* An expression that is a packet, or text for the bytes of one. *craft is then the caller's. Returns 0, ERROR_USAGE or
 * ERROR_MEMORY. */
int script_packet(struct script *script, const char *expression, struct craft **craft, struct error *error);
/* Runs a file ("-": standard input) with words as its arguments. Returns 0, ERROR_USAGE (it does not compile),
 * ERROR_SYSTEM (cannot be read) or ERROR_FORMAT (it failed while it ran). */
int script_run(struct script *script, const char *path, int argc, char **argv, struct error *error);
/* Whether it was an expect that failed. */
bool script_expectation_failed(const struct script *script);
