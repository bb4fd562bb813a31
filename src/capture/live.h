/* Packets from an interface, as another kind of struct capture: capture_next gives records, or CAPTURE_NOTHING. An
 * Ethernet interface (or what looks like one) and a tunnel that carries IP alone are read from our own ring
 * (host/ring.h); everything else, `any` among it, by libpcap, which knows what is neither. */
#pragma once
#include "capture/capture.h"
#include "host/ring.h"

enum { LIVE_RING_BYTES = 8 << 20 };

struct live_options {
    const char *interface; /* `any`: all of them */
    const char *filter;    /* pcap-filter, NULL: everything passes */
    uint32_t snap_length;  /* 0: whole packets */
    bool promiscuous;
};

struct live_counts {
    uint64_t received;          /* that the filter let pass, dropped ones among them */
    uint64_t dropped;           /* by the kernel, because the ring was full */
    uint64_t interface_dropped; /* by the interface and its driver since the opening, whoever they were for */
};

/* On success *capture is the caller's, and what is on the interface from now on is in it. A capture on an interface
 * never ends by itself: capture_stop ends it. Returns 0, ERROR_PERMISSION, ERROR_NOT_FOUND, ERROR_USAGE (the filter
 * does not compile), ERROR_SYSTEM or ERROR_MEMORY. */
int capture_open_live(struct capture **capture, const struct live_options *options, struct error *error);
bool capture_is_live(const struct capture *capture);

/* How long capture_next waits for a packet before it returns CAPTURE_NOTHING; 100 ms at first, 0: not at all. It comes
 * at least as often while packets come, and once at the end of each batch before any waiting, which is the time to
 * write out what is held. */
void capture_patience(struct capture *capture, int ms);
/* A descriptor that poll(2) says to be readable when there are packets; -1: a file. */
int capture_fd(const struct capture *capture);

/* Many at once, for who does the same to all of them: as capture_next, 1 for a batch. */
struct live_batch {
    const struct ring_packet *packets; /* until the next call */
    unsigned count;
};
bool capture_has_batches(const struct capture *capture);
int capture_batch(struct capture *capture, struct live_batch *batch, struct error *error);

/* Called whenever the bytes of the records so far are about to become invalid, which are valid until then and not only
 * until the next capture_next. Returns false where the capture cannot do that: each record is valid on its own. */
bool capture_keeps(struct capture *capture, void (*give_back)(void *context), void *context);

/* What came until now is still handed out, then capture_next returns 0. Nothing on a file. */
void capture_stop(struct capture *capture);

/* Of a live capture, as of now. */
struct live_counts capture_live_counts(struct capture *capture);

/* LINKTYPE_ of all its packets. */
uint16_t capture_live_link_type(const struct capture *capture);

/* A process that may not bind its ring again has another one do it, which forked off it: `ask` makes that one call
 * capture_look, and tells what came out. */
struct live_standing {
    unsigned state, index;
};
void capture_looks_by(struct capture *capture, bool (*ask)(void *context, struct live_standing *standing),
                      void *context);
struct live_standing capture_look(struct capture *capture);

/* What happened to the interface since the last question, once each. */
enum live_event { LIVE_NOTHING, LIVE_WENT_DOWN, LIVE_VANISHED, LIVE_CAME_BACK };
enum live_event capture_live_event(struct capture *capture);

/* A link type as people call it ("Ethernet", "Raw IP"). */
const char *capture_link_type_name(uint16_t link_type);
