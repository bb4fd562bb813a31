/* peel send --answers: what comes back for the packets that were sent, as hping3, nping and Scapy's sr show it. Each
 * packet is a question that is remembered; what answers one is handed over with a note that says which, and after how
 * long. While peel speaks from a port of this host's, the host's own stack stays silent there. */
#pragma once
#include "inject/held.h"
#include "inject/question.h"
#include "inject/sender.h"
#include <signal.h>

enum { INQUIRY_ASKED = 4096 }; /* questions remembered, the latest ones */

struct inquiry {
    void (*came)(void *context, struct packet *answer); /* its number, and times beside others, are still to be set */
    void *context;
    struct inquiry_question {
        struct question question;
        uint64_t number;
        int64_t time; /* nanoseconds since 1970 */
        bool answered;
    } * asked; /* owned; a ring */
    uint64_t questions, answered, answers;
    int64_t least, most, total; /* of the first answers, nanoseconds */
    bool to_all;                /* somebody else may answer, too */
    struct held_ports held;
    sigset_t waiting;
    struct packet packet;
};

/* The caller has called stop_watch. Returns 0 or ERROR_MEMORY. Signals wait for inquiry_wait from now on. */
int inquiry_open(struct inquiry *inquiry, struct error *error);
void inquiry_close(struct inquiry *inquiry);

/* Before a packet leaves: its port is held. */
void inquiry_prepare(struct inquiry *inquiry, const struct packet *packet);
/* It has left; packet->number and time say which it is and when. */
void inquiry_sent(struct inquiry *inquiry, const struct packet *packet);
/* Takes what comes in until `when` (CLOCK_MONOTONIC, nanoseconds), or a signal; until_done: or all are answered and
 * nobody else may. Returns 0 or a negative error. */
int inquiry_wait(struct inquiry *inquiry, struct sender *sender, int64_t when, bool until_done, struct error *error);
/* "; 2 of 3 answered; round trips 0.310, 0.402, 0.494 ms (least, mean, most)", without the line's end. */
void inquiry_tell(const struct inquiry *inquiry);
