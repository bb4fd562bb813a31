/* Many TCP conversations on one port: whoever calls gets an endpoint of its own; the wire, the neighbours and the port
 * that is held silent are shared. What belongs to no conversation is answered with a reset, as RFC 9293, 3.10.7.1 has
 * it: the host's own stack says nothing there.
 *
 * Memory is bounded: at most `most` conversations that are being opened, used or closed, and as many again that are in
 * TIME_WAIT; a call beyond that is not answered (the caller asks again), unless one that is half open for a second can
 * make room. The conversation that is longest in TIME_WAIT is forgotten first. */
#pragma once
#include "inject/dialogue.h"

struct switchboard;

struct switchboard_settings {
    struct dialogue_settings dialogue; /* ends.remote.size is 0 */
    struct dialogue_observer observer; /* of each; its context is what `called` returned. packet is not called */
    unsigned most;                     /* at least 1 */
    size_t talk_size;                  /* bytes that the caller wants beside each conversation, zeroed */
    /* A conversation was made for who calls, before anything else is told of it. talk: the bytes beside it. */
    void (*called)(void *context, struct dialogue *dialogue, void *talk);
    void *context;
};

/* Returns 0, or a negative error as dialogue_open does. */
int switchboard_open(struct switchboard **switchboard, const struct switchboard_settings *settings,
                     struct error *error);
void switchboard_close(struct switchboard *switchboard);

int switchboard_fd(const struct switchboard *switchboard);
int64_t switchboard_deadline(const struct switchboard *switchboard);
/* Takes what came, and does what time demands. Returns 0, or ERROR_SYSTEM: the interface went down. */
int switchboard_step(struct switchboard *switchboard, struct error *error);
void switchboard_flush(struct switchboard *switchboard);

/* The conversations, the latest caller first; NULL behind the last one. */
struct dialogue *switchboard_first(const struct switchboard *switchboard);
struct dialogue *switchboard_next(const struct dialogue *dialogue);
/* The bytes beside a conversation. */
void *switchboard_talk(struct dialogue *dialogue);
/* Forgets a conversation. */
void switchboard_drop(struct switchboard *switchboard, struct dialogue *dialogue);
