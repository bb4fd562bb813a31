/* Where packets come from: a capture file, a pipe, an interface (live.h); always the same struct record.
 *
 * Formats: pcap (draft-ietf-opsawg-pcap: microseconds and nanoseconds, both byte orders) and pcapng
 * (draft-ietf-opsawg-pcapng: both byte orders, several sections and interfaces), either one gzip- or zstd-compressed.
 * What is neither goes to libpcap. Blocks of pcapng that hold no packet (custom ones and journals too, which Wireshark
 * numbers as if they were packets) are passed over. Memory is bounded whatever the input says of its own lengths. */
#pragma once
#include "base/error.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    CAPTURE_BLOCK = 256 << 10,    /* bytes asked from read(2) at once: they stay in the second-level cache */
    CAPTURE_LARGER = 1 << 20,     /* the same where files are read much faster so */
    CAPTURE_NO_PACKET = 0xffff,   /* link type of a record that is none: a pcapng custom block, untimed */
    CAPTURE_PACKET_MAX = 1 << 24, /* a record that claims more captured bytes than this is damage */
    CAPTURE_NOTHING = 2,          /* what capture_next returns on an interface where no packet came for a while */
};

struct record {
    struct span bytes;    /* what was captured; valid until the next capture_next */
    uint32_t wire_length; /* how long the packet was on the wire; may be less than bytes.left in odd captures */
    uint32_t interface;   /* which interface of the capture, from 0, counted over all sections */
    int64_t time;         /* nanoseconds since 1970-01-01 UTC, from time_least to time_most; 0 if not timed */
    bool timed;           /* false: pcapng's simple packet block, which has no time */
    bool judged;          /* the kernel applied the capture's filter already */
    uint16_t link_type;   /* LINKTYPE_ number (tcpdump.org/linktypes.html), without the high bits of pcap's word */
    uint64_t offset;      /* of the record in the uncompressed input, bytes */
    struct span comment;  /* pcapng opt_comment of this packet, the first one; left 0: none */
};

struct capture;

/* Opens path ("-": standard input, which stays open at close). On success *capture is owned by the caller.
 * Returns 0, ERROR_SYSTEM (no such file, no permission, a directory), ERROR_FORMAT (no capture, also an empty file),
 * ERROR_MEMORY. The sentence in error begins with the path. */
int capture_open(struct capture **capture, const char *path, struct error *error);

/* The same for a file that somebody else opened: the descriptor is the capture's, also after an error. */
int capture_open_descriptor(struct capture **capture, int fd, const char *path, struct error *error);
/* How a file is opened for that. Returns a descriptor or ERROR_SYSTEM, with the sentence of capture_open. */
int capture_open_file(const char *path, struct error *error);

/* The next packet. Returns 1 (a packet), 0 (the end, in order) or a negative error: ERROR_DAMAGED or ERROR_SYSTEM,
 * with a sentence that says behind which packet and at which byte. After 0 or an error it returns the same again.
 * Only an interface also gives CAPTURE_NOTHING. */
int capture_next(struct capture *capture, struct record *record, struct error *error);

/* What libpcap would call the link type of the packets (its DLT_ number), for compiling a filter: that of the first
 * interface (0, LINKTYPE_NULL, if there is none yet). May read up to the first packet, which is not lost by it. */
int capture_link_type(struct capture *capture);
/* Has it told, once a block (a megabyte, or what a pipe gave), that the reading goes on. */
void capture_tells(struct capture *capture, void (*told)(void *context), void *context);
/* How many bytes of the file were read so far, as they lie there, compressed or not. */
uint64_t capture_bytes_read(const struct capture *capture);
/* Nanosecond resolution in the input (pcap's magic or if_tsresol beyond 6), as far as read. */
bool capture_nanoseconds(const struct capture *capture);
/* From now on a thread decompresses a big compressed file ahead of who reads it, where there is a processor for it. A
 * thread has what the process may do when it begins: rights are dropped before. */
void capture_read_ahead(struct capture *capture);
/* Whether no time in it is finer than a microsecond, however far it is read: a pcap that says so. */
bool capture_is_coarse(const struct capture *capture);
void capture_close(struct capture *capture);
