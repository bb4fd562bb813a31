/* What peel connect and peel listen share: their options, and the exchange itself: standard input to the peer, the peer
 * to standard output, until both have said all. */
#pragma once
#include "commands/live_ladder.h"
#include "commands/options.h"
#include "inject/dialogue.h"
#include <signal.h>

enum {
    EXCHANGE_FROM = 300,
    EXCHANGE_SEND,
    EXCHANGE_LINGER,
    EXCHANGE_TIMEOUT,
    EXCHANGE_MSS,
    EXCHANGE_WINDOW,
    EXCHANGE_LADDER
};

#define EXCHANGE_ROWS                                                                                                  \
    { 'i', "interface", "IFACE", N_("the interface to speak on; else the one the route leads to") },                   \
        { 'p', "local-port", "PORT", N_("speak from this port; else from any that is free") },                         \
        { EXCHANGE_SEND, "send", "TEXT",                                                                               \
          N_("send TEXT instead of standard input; \\r \\n \\t \\0 \\xHH and \\\\ mean what they mean in C") },        \
        { EXCHANGE_LINGER, "linger", "SECONDS",                                                                        \
          N_("stay in TIME_WAIT for so long; else three retransmission timeouts, at least 1; 60 keeps it whole") },    \
        { EXCHANGE_TIMEOUT, "timeout", "SECONDS", N_("give up what is not connected after so long") },                 \
        { EXCHANGE_MSS, "mss", "BYTES", N_("no longer segments than this, either way") },                              \
        { EXCHANGE_WINDOW, "window", "BYTES", N_("receive so many bytes ahead; 4194304") },                            \
        { EXCHANGE_LADDER, "ladder", NULL,                                                                             \
          N_("draw the conversation on standard error as it happens, the states of both ends beside each arrow") },    \
    {                                                                                                                  \
        'v', "verbose", NULL, N_("tell on standard error what happens, and what it took")                              \
    }

struct exchange {
    const struct command *command;
    struct dialogue_settings settings;
    const char *from;
    uint8_t *text; /* of --send, NULL: standard input; owned */
    size_t text_length;
    unsigned long long timeout; /* seconds; 0: none but the endpoint's own */
    int family;                 /* AF_UNSPEC, or of -4 and -6 */
    bool verbose, draw;
    /* at work */
    struct dialogue *dialogue;
    struct live_ladder *ladder; /* NULL: is not drawn; owned */
    int64_t begun;
    bool said_all, shut, output_over, established;
    uint64_t text_sent;
    uint8_t *room; /* for what is read; owned */
    int out;       /* where the peer's bytes go */
    size_t piece;  /* as many at once as never block */
    bool blocked;  /* the last write took no more */
};

void exchange_begin(struct exchange *exchange, const struct command *command);
void exchange_end(struct exchange *exchange);
/* An option of EXCHANGE_ROWS. Returns 0, or EXIT_USAGE and said so. */
int exchange_option(void *exchange, int letter, char *argument);
/* HOST:PORT, [HOST]:PORT, or HOST and PORT as two operands; *host is owned by the caller, NULL where a lone PORT is
 * allowed and was given. Returns 0 or EXIT_USAGE. */
int exchange_operands(const struct exchange *exchange, int argc, char **argv, bool lone_port, char **host,
                      unsigned *port);
/* Opens the conversation that settings describe and exchanges until it is over. Returns 0, or a negative error;
 * established tells whether it ever was a connection. */
int exchange_run(struct exchange *exchange, struct error *error);

/* For whoever goes round by himself (serve.c). */

enum { EXCHANGE_PIECE = 256 << 10 }; /* bytes at once, in or out */

/* SIGINT, SIGTERM and SIGHUP come from now on only in ppoll with *before: none is missed between looking and waiting.
 */
void exchange_catch_signals(sigset_t *before);
/* The one that came, 0: none. */
int exchange_interrupted(void);
/* Seconds since it began, in front of a sentence on standard error. */
void exchange_tell_time(const struct exchange *exchange);
/* A notice's sentence; NULL: not worth one. */
const char *exchange_notice(enum endpoint_notice notice);
void exchange_tell_counts(const struct exchange *exchange, struct dialogue *dialogue);
/* Looks what standard output is. */
void exchange_open_output(struct exchange *exchange);
/* Writes what the endpoint has received. Returns 0, or ERROR_SYSTEM; with an empty sentence when it is only that nobody
 * reads any more. */
int exchange_drain(struct exchange *exchange, struct endpoint *endpoint, struct error *error);
