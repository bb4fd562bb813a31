/* Packets into a file: pcapng, or pcap where the file's name ends in .pcap, with nanoseconds. Interfaces are written as
 * they are met, link type and resolution with them. A pcap holds one link type: a packet of another is an error.
 *
 * What a format cannot say: pcap has no comments, and its times end at 1970 and 2106 (others become the nearest one);
 * pcapng has no times before 1970. A packet without a time goes into a simple packet block if that can hold it (the
 * first interface written, whole, no comment) and otherwise gets time 0. Records that are no packets are left out. */
#pragma once
#include "capture/capture.h"
#include "host/ring.h"

struct writer;

/* path "-": standard output (pcapng). Overwrites path. Returns 0 or a negative error with a sentence. */
int writer_open(struct writer **writer, const char *path, struct error *error);
/* The same on a descriptor, which is the writer's after success; path is its name and says what is written. */
int writer_open_descriptor(struct writer **writer, int fd, const char *path, struct error *error);

/* What the records' first interface is called in the file; the texts stay the caller's. */
struct writer_description {
    const char *interface, *filter; /* filter: a pcap-filter, NULL: none */
    uint32_t snap_length;           /* 0: whole packets */
    uint16_t link_type;
};

/* Before the first packet: writes the description, so that a file without packets has it, too. */
int writer_describe(struct writer *writer, const struct writer_description *description, struct error *error);

/* Before the first packet: no time is finer than a microsecond, so a pcap is written as everybody reads it. */
void writer_microseconds(struct writer *writer);

/* How the capture went until now, which is what a pcapng's statistics block says of the first interface; a pcap has
 * none. Times are nanoseconds since 1970. */
struct writer_statistics {
    int64_t begun, time;
    uint64_t received, dropped, interface_dropped, delivered;
};

int writer_statistics(struct writer *writer, const struct writer_statistics *statistics, struct error *error);

/* Packets of the interface that writer_describe named. Returns as writer_put, having written those before. */
int writer_put_many(struct writer *writer, const struct ring_packet *packets, size_t count, struct error *error);

/* From now on the bytes of a record that writer_put gets stay where they are until writer_return or writer_flush, so
 * that longer ones are written without having been copied. */
void writer_lend(struct writer *writer);
/* Writes what stands in bytes that were lent, which are free then. */
int writer_return(struct writer *writer, struct error *error);

/* Keeps at *place how many bytes of whole records are in the file, for who has to tidy up after us. */
void writer_tell(struct writer *writer, uint64_t *place);
/* Cuts a file of ours, whose writer was killed, behind its last whole record. from: where one begins, as writer_tell
 * kept it. Leaves alone what is no regular file. */
void writer_tidy(int fd, bool pcap, uint64_t from);

/* Bytes in the file, with what is held. */
uint64_t writer_size(const struct writer *writer);

/* Returns 0, or ERROR_SYSTEM (disk full: what was written before ends at a whole packet), ERROR_CLOSED (a pipe that
 * nobody reads any more) or ERROR_FORMAT. */
int writer_put(struct writer *writer, const struct record *record, struct error *error);
/* Whether a file of this name becomes a pcap. */
bool writer_is_pcap(const char *path);

/* Writes what is held out at once, for who reads the other end of a pipe or watches the file grow. Returns as
 * writer_put. */
int writer_flush(struct writer *writer, struct error *error);
/* Writes what is still held and closes. Returns 0 or ERROR_SYSTEM. The writer is gone either way. */
int writer_close(struct writer *writer, struct error *error);
