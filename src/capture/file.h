/* What the parts of the file reader share, and nobody else: struct capture, the formats, and how reading ends. A
 * format's `next` sits behind capture_next through a pointer; when the end is reached the pointer changes. */
#pragma once
#include "capture/block_reader.h"
#include "capture/capture.h"

struct decompress;
struct live;
struct pcap;

enum {
    CAPTURE_INTERFACES_MAX = 1 << 16, /* over all sections of a pcapng; more is damage */
    LINKTYPE_RAW = 101,
};

/* One interface of the section that is being read. Nanoseconds = ticks * multiplier / divisor >> shift + offset. */
struct pcapng_interface {
    uint64_t multiplier, divisor;
    int64_t offset; /* seconds */
    uint32_t snap_length;
    uint16_t link_type;
    uint8_t shift;
    bool plain; /* no division, shift or offset: the usual case */
};

enum pcap_lengths { PCAP_LENGTHS_PLAIN, PCAP_LENGTHS_SWAPPED, PCAP_LENGTHS_ORDERED };

struct capture {
    int (*next)(struct capture *, struct record *, struct error *);
    struct block_reader reader; /* the capture's bytes, decompressed */
    uint64_t packets;           /* handed out so far */
    bool swapped;               /* the file's (or section's) byte order is not ours */

    struct {
        uint16_t link_type;
        uint32_t fraction;         /* nanoseconds in a unit of the time's second word */
        enum pcap_lengths lengths; /* what old writers did to a record's two lengths */
    } pcap;
    struct {
        struct pcapng_interface *interfaces; /* of this section; owned */
        uint32_t count, room;
        uint32_t before; /* how many interfaces the sections before had */
    } pcapng;
    struct pcap *libpcap; /* libpcap's reader; owned */
    struct live *live;    /* an interface; owned. NULL: a file */

    bool poured; /* capture_pour was called */
    bool nanoseconds;
    bool first_known; /* first_link_type is known */
    uint16_t first_link_type;

    const struct capture_format *format;
    struct decompress *decompress; /* NULL: not compressed */
    struct block_reader raw;       /* the compressed bytes, if so */
    int fd;                        /* -1: memory, or a file that is the caller's */
    struct block_place place;      /* fd -1: where in the caller's file; its fd -1: memory */
    struct span memory;
    char *path; /* as error sentences call it; owned */

    int (*held_next)(struct capture *, struct record *, struct error *); /* see capture_link_type */
    struct record held;
    int over; /* what capture_next returned at the end, and the sentence with it */
    struct error sentence;
};

struct capture_format {
    bool (*knows)(struct span beginning); /* the first bytes, as many as there are, up to four */
    int (*start)(struct capture *, struct error *);
    int (*next)(struct capture *, struct record *, struct error *);
    void (*close)(struct capture *); /* may be NULL */
};

extern const struct capture_format capture_pcap, capture_pcapng, capture_libpcap;

/* As capture_open, from bytes in memory that stay the caller's and are read in blocks of the given size: for tests and
 * fuzzing. */
int capture_open_memory(struct capture **capture, struct span bytes, size_t block, struct error *error);

/* As capture_open, from a file descriptor that stays the caller's and is read by place from its beginning on, so that
 * several may read it. name: as error sentences call it. */
int capture_open_place(struct capture **capture, int fd, const char *name, size_t block, struct error *error);
/* Whether its records can be found again by their offset: a pcap or pcapng that is not compressed. */
bool capture_is_plain(const struct capture *capture);
/* Hands on what a capture that nothing was read from yet is made of, decompressed: the next piece of it, valid until
 * the next call. Returns 1, 0 behind the last one or a negative error. */
int capture_pour(struct capture *capture, struct span *piece, struct error *error);

/* The ends of a reading. All remember what they return, so that capture_next will return it again. */
int capture_end(struct capture *c);
/* Damage in the record at `offset`: "PATH: damaged after packet N (byte OFFSET): WHY". */
int capture_damaged(struct capture *c, uint64_t offset, struct error *error, const char *why, ...)
    __attribute__((format(printf, 4, 5)));
/* After block_reader_fill or _skip came back with `result`, not 1, within the record at `offset`: the source's error,
 * or the damage that the input ends there. */
int capture_cut_short(struct capture *c, int result, uint64_t offset, struct error *error);
/* No memory for what stands at `offset`. */
int capture_no_memory(struct capture *c, uint64_t offset, struct error *error);
/* A fill's failure while opening, where no packet can have come: result 0 is a file shorter than its header. */
int capture_no_start(struct capture *c, int result, struct error *error);

/* libpcap's number (DLT_) of a link type in files (LINKTYPE_): a few differ, and between systems. */
int capture_dlt(uint16_t link_type);
/* And back. */
uint16_t capture_link_type_of(int dlt);

/* The numbers that link types have in files: some are written with what are DLT numbers of some system. */
static inline uint16_t capture_plain_link_type(uint32_t link_type)
{
    link_type &= 0xffff;
    return link_type == 12 || link_type == 14 ? LINKTYPE_RAW : (uint16_t)link_type;
}

static inline uint16_t capture_load16(const uint8_t *p, bool swapped)
{
    return swapped ? load_be16(p) : load_le16(p);
}

static inline uint32_t capture_load32(const uint8_t *p, bool swapped)
{
    return swapped ? load_be32(p) : load_le32(p);
}

static inline uint64_t capture_load64(const uint8_t *p, bool swapped)
{
    return swapped ? load_be64(p) : load_le64(p);
}
