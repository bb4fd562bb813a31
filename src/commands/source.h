/* Where a command's packets come from, whatever the command: the options that say so, the captures one after another
 * or an interface, what lets a packet pass, and its way through dissectors and tracker. One struct source is one
 * reading. */
#pragma once
#include "capture/live.h"
#include "commands/options.h"
#include "host/helper.h"
#include "track/tracker.h"

enum { SOURCE_FILES_MAX = 4096, SOURCE_DECODE_AS = 512 };

/* Options without a letter; those of the commands lie below. */
enum { SOURCE_NO_PROMISCUOUS = 900, SOURCE_NETNS };

enum source_wants {
    SOURCE_RECORDS = 1, /* only records: packets are taken apart only where something that lets them pass needs it */
    SOURCE_OWNERS = 2,  /* source_sockets will be asked for the owners of sockets */
    SOURCE_PASSED = 4,  /* the tracker is shown only what passed the display filter, as if nothing else had happened */
    SOURCE_AGAIN = 8,   /* source_again will be called */
    SOURCE_MAKES = 16,  /* source_make will be called */
    SOURCE_FREE = 32,   /* what is done with packets needs all rights: nothing is given up */
    /* Only the tracker looks at packets: what changes nothing there needs not be taken apart, nor be returned. */
    SOURCE_TRACKED = 128,
    SOURCE_SILENT = 64, /* of files: nothing is written to standard output before their end, or little */
};

struct bpf;
struct filter;
struct series;
struct statistics;

/* What source_live_ keeps in mind. */
struct live_watch {
    uint64_t dropped;       /* as last told */
    int64_t told;           /* when, on the monotonic clock */
    bool terminal;          /* standard error is one */
    struct live_batch rest; /* of what was read at once, not handed out yet */
};

struct source {
    /* asked for: by options, and by the command before source_begin */
    const struct command *command; /* whose options these are */
    const char *files[SOURCE_FILES_MAX];
    unsigned file_count;
    const char *interface, *netns; /* instead of files */
    bool no_promiscuous;
    char *filter; /* pcap-filter, or NULL; owned */
    const char *display_filter;
    unsigned long long most, snaplen;
    unsigned levels; /* enum track_level, besides fragments */
    unsigned wants;  /* enum source_wants */
    /* Asked for each record before anything else; false: not for us. NULL: all are. */
    bool (*wanted)(void *context, const struct record *record);
    /* Called on an interface when no packet is there right now, and at least ten times a second: the time to write out
     * what is held. false ends the reading. NULL: nothing to do. */
    bool (*tick)(void *context);
    void *context;
    /* Where packets are counted: those that statistics_predicts has counted are not returned. NULL: all are. The
     * caller's. */
    struct statistics *statistics;
    struct series *series; /* of a capture to disk, whose next file the helper opens; NULL: none */
    uint64_t *written;     /* with it: where writer_tell keeps how much is in it, shared with the helper */
    int folder;            /* SOURCE_MAKES: where files are made */
    /* at work */
    struct record record; /* the packet that source_next found, and taken apart: */
    struct packet packet;
    struct tracker tracker;
    uint64_t passed; /* how many there were */
    int64_t latest;  /* nanoseconds since 1970, of all records that were read; INT64_MIN: none had a time */
    /* its own */
    struct capture *capture;
    struct bpf *bpf;
    struct filter *display;
    struct tracker before; /* SOURCE_PASSED: the one that the display filter is asked with */
    bool predicts;         /* SOURCE_TRACKED, and nobody else asks for more */
    bool explained;
    unsigned file; /* that is read, or comes next */
    uint64_t size; /* bytes of all files, 0: not known */
    bool progress; /* may show */
    int64_t first_time, last_time;
    bool begun, confined;
    struct live_watch live;
    struct helper helper;
};

/* What a command's option table has first: what is read, ... */
#define SOURCE_FILE_ROWS                                                                                               \
    { 'r', "read", "FILE",                                                                                             \
      N_("read a capture (pcap, pcapng, gzip, zstd); - is standard input; again: one after another") },                \
    {                                                                                                                  \
        's', "snaplen", "N", N_("keep N bytes of each packet")                                                         \
    }
/* ... or listened to, ... */
#define SOURCE_LIVE_ROWS                                                                                               \
    { 'i', "interface", "IFACE", N_("packets from an interface, until interrupted; any: all of them") },               \
        { SOURCE_NO_PROMISCUOUS, "no-promisc", NULL, N_("only what the interface takes for this host") },              \
    {                                                                                                                  \
        SOURCE_NETNS, "netns", "NAME|PID", N_("the interface is in this network namespace")                            \
    }
/* ... and what of it passes, and how it is taken apart. */
#define SOURCE_FILTER_ROWS                                                                                             \
    { 'Y', "display-filter", "FILTER", N_("only packets that match, in Wireshark's language: see peel-filter(5)") },   \
    {                                                                                                                  \
        SOURCE_DECODE_AS, "decode-as", "PORT,PROTOCOL",                                                                \
            N_("take what goes over a port for a protocol: tcp.port==8081,http")                                       \
    }
#define SOURCE_ROWS SOURCE_FILE_ROWS, SOURCE_LIVE_ROWS, SOURCE_FILTER_ROWS

/* One of SOURCE_ROWS, or 'c': how many. Returns 1 if the letter was the source's, 0 if it is none of those, or
 * -1: wrong, and said so. */
int source_option(struct source *source, int letter, const char *argument);
/* Operands are a pcap-filter. Says what lacks; returns 0 or EXIT_USAGE. */
int source_operands(struct source *source, int argc, char **argv);

/* Opens the tracker, the first capture and what lets packets pass. Returns 0 or a negative error. */
int source_begin(struct source *source, struct error *error);
/* Many packets at once, of a source that source_has_batches: those that the kernel judged, and the others if they pass.
 * Returns as source_next; they count as passed, up to the number that was asked for. */
bool source_has_batches(const struct source *source);
int source_batch(struct source *source, struct live_batch *batch, struct error *error);
/* Nanoseconds in the times of the capture that is open. */
bool source_nanoseconds(const struct source *source);
/* Whether no packet to come has a time finer than a microsecond. */
bool source_is_coarse(const struct source *source);
/* The next packet that passes, in source->record and source->packet; valid until the next call. Returns 1, 0 behind the
 * last one, or a negative error. Those that SOURCE_TRACKED or statistics spare it do not come. */
int source_next(struct source *source, struct error *error);
/* Reads once more, as `asked` says, which differs only in what lets packets pass. Returns 0 or a negative error. */
int source_again(struct source *source, const struct source *asked, struct error *error);
void source_close(struct source *source);

/* Of an interface (source_live.c): */
bool source_is_live(const struct source *source);
int source_live_open(struct source *source, struct error *error);
/* After CAPTURE_NOTHING: looks for signals, what became of the interface, drops. False: the reading ends. */
bool source_live_tick(struct source *source);

/* Behind the first packet (source_confine.c): */

/* Gives up privileges and goes into the sandbox; a helper stays outside of it where something has to be opened later.
 * The first source_next does it: from then on there is nothing but descriptors that are open, and the functions here.
 */
int source_confine(struct source *source, struct error *error);
/* Opens the capture that comes next. Returns as capture_open. */
int source_open_capture(struct source *source, struct error *error);
/* The capture's next file, or the same again, as series_next: a descriptor or a negative error. */
int source_file(struct source *source, bool again, struct error *error);
/* A file in the folder, for writing, which is made if it is not there. Its name consists of letters, digits, dots, -
 * and
 * _. Returns a descriptor, or a negative errno. context is the source. */
int source_make(void *context, const char *name);
/* The kernel's sockets, struct kernel_socket one behind the other: asks for them without waiting; whether they are
 * there; and takes them, into answer->bytes, which the caller frees. */
void source_ask_sockets(struct source *source);
bool source_sockets_there(const struct source *source);
int source_sockets(struct source *source, struct helper_answer *answer);
/* One line on standard error: how much came and how much was lost. */
void source_live_report(struct source *source);
