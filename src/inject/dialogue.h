/* A TCP conversation from this host: an endpoint with all that it needs to be one. The route is looked up, the port
 * held silent, the next hop's link address asked for, segments go out by a wire and come in by it.
 *
 * Whoever holds one waits until its fd is readable or its deadline has come, and calls dialogue_step; between
 * steps the endpoint may be written to, read from and closed (then dialogue_flush). Several can live side by
 * side. */
#pragma once
#include "inject/endpoint.h"
#include "inject/segment.h"

struct dialogue;
struct packet;

struct dialogue_observer {
    /* Any of them may be NULL. A packet of this conversation that was sent or received, which is valid during the
     * call; ARP and ICMP that concern it, too. One that was received is told before what follows from it. time:
     * nanoseconds since 1970. */
    void (*packet)(void *context, struct span bytes, uint16_t link_type, int64_t time, bool sent);
    void (*changed)(void *context, enum tcp_state from, enum tcp_state to);
    void (*noticed)(void *context, enum endpoint_notice notice);
};

struct dialogue_settings {
    const char *interface;    /* NULL: the route's; for a listener the one that has the address */
    struct segment_ends ends; /* remote.size 0: listen. local.size 0: the route's; a listener's: any of the host's.
                                 local_port 0: any that is free */
    struct endpoint_settings endpoint; /* iss, ts_offset and mss are filled in; an mss above 0 is a limit */
};

/* Opens the wire and begins to ask for the next hop, or to listen. Returns 0, or a negative error with a sentence for
 * the user: no route, no such interface, port in use, rights missing. */
int dialogue_open(struct dialogue **dialogue, const struct dialogue_settings *settings,
                  const struct dialogue_observer *observer, void *context, struct error *error);
/* Frees the port; says nothing more (call endpoint_abort before to reset). */
void dialogue_close(struct dialogue *dialogue);

int dialogue_fd(const struct dialogue *dialogue);
/* By dialogue_now; INT64_MAX: none. */
int64_t dialogue_deadline(const struct dialogue *dialogue);
/* Nanoseconds of the clock that endpoints are told: steady. */
int64_t dialogue_now(void);
/* Takes what came, and does what time demands. Returns 0, or an error that ends the conversation: the interface went
 * down, nobody answers for the next hop. How the endpoint ended is the endpoint's to tell. */
int dialogue_step(struct dialogue *dialogue, struct error *error);
/* Sends what the endpoint has said since the last step. */
void dialogue_flush(struct dialogue *dialogue);

/* Of a listener whose endpoint has ended: it waits for the next caller, and the port stays held in between. A new
 * endpoint takes the place of the old one; after an error there is none, and the conversation can only be closed. */
int dialogue_listen_again(struct dialogue *dialogue, struct error *error);

struct endpoint *dialogue_endpoint(struct dialogue *dialogue);
const struct segment_ends *dialogue_ends(const struct dialogue *dialogue);
/* The endpoint's end as a sentence, "10.0.0.2 port 80: connection refused", and the error that belongs to it; 0 if it
 * ended in order or has not ended. */
int dialogue_verdict(const struct dialogue *dialogue, struct error *error);
