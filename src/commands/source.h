/* Where a command's packets come from, whatever the command: the options that say so, the captures one after another,
 * what lets a packet pass, and its way through dissectors and tracker. One struct source is one reading. */
#pragma once
#include "capture/capture.h"
#include "commands/options.h"
#include "track/tracker.h"

enum { SOURCE_FILES_MAX = 4096 };

enum source_wants {
    SOURCE_RECORDS = 1, /* only records: packets are taken apart only where something that lets them pass needs it */
    SOURCE_PASSED = 8,  /* the tracker is shown only what passed the display filter, as if nothing else had happened */
};

struct bpf;
struct filter;

struct source {
    /* asked for: by options, and by the command before source_begin */
    const struct command *command; /* whose options these are */
    const char *files[SOURCE_FILES_MAX];
    unsigned file_count;
    char *filter; /* pcap-filter, or NULL; owned */
    const char *display_filter;
    unsigned long long most, snaplen;
    unsigned levels; /* enum track_level, besides fragments */
    unsigned wants;  /* enum source_wants */
    /* Asked for each record before anything else; false: not for us. NULL: all are. */
    bool (*wanted)(void *context, const struct record *record);
    void *context;
    /* at work */
    struct record record; /* the packet that source_next found, and taken apart: */
    struct packet packet;
    struct tracker tracker;
    uint64_t passed; /* how many source_next returned */
    /* its own */
    struct capture *capture;
    struct bpf *bpf;
    struct filter *display;
    struct tracker before; /* SOURCE_PASSED: the one that the display filter is asked with */
    bool explained;
    unsigned file; /* that is read, or comes next */
    int64_t first_time, last_time;
    bool begun;
};

/* What a command's option table has first. */
#define SOURCE_ROWS                                                                                                    \
    { 'r', "read", "FILE",                                                                                             \
      N_("read a capture (pcap, pcapng, gzip, zstd); - is standard input; again: one after another") },                \
    {                                                                                                                  \
        's', "snaplen", "N", N_("keep N bytes of each packet")                                                         \
    },                                                                                                                 \
    {                                                                                                                  \
        'Y', "display-filter", "FILTER", N_("only packets that match, in Wireshark's language: see peel-filter(5)")    \
    }

/* One of SOURCE_ROWS, or 'c': how many. Returns 1 if the letter was the source's, 0 if it is none of those, or
 * -1: wrong, and said so. */
int source_option(struct source *source, int letter, const char *argument);
/* Operands are a pcap-filter. Says what lacks; returns 0 or EXIT_USAGE. */
int source_operands(struct source *source, int argc, char **argv);

/* Opens the tracker, the first capture and what lets packets pass. Returns 0 or a negative error. */
int source_begin(struct source *source, struct error *error);
/* Nanoseconds in the times of the capture that is open. */
bool source_nanoseconds(const struct source *source);
/* The next packet that passes, in source->record and source->packet; valid until the next call. Returns 1, 0 behind the
 * last one, or a negative error. */
int source_next(struct source *source, struct error *error);
void source_close(struct source *source);
