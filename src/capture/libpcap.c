/* What is neither pcap nor pcapng by its magic number goes to libpcap, which knows the odd relatives (modified pcap
 * headers of old Linux kits and the like). It reads through a FILE that takes its bytes from our block reader. */
#include "base/clock.h"
#include "base/text.h"
#include "capture/file.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

static bool knows(struct span beginning)
{
    (void)beginning;
    return true;
}

static ssize_t read_cookie(void *context, char *to, size_t n)
{
    struct block_reader *r = context;
    if (block_reader_fill(r, 1) < 0)
        return -1;
    if (n > block_reader_left(r))
        n = block_reader_left(r);
    if (n)
        memcpy(to, r->at, n);
    r->at += n;
    return (ssize_t)n;
}

static int start(struct capture *c, struct error *error)
{
    FILE *file = fopencookie(&c->reader, "r", (cookie_io_functions_t){ .read = read_cookie });
    if (!file)
        return error_set(error, ERROR_MEMORY, "%s: %s", c->path, strerror(ENOMEM));
    setvbuf(file, NULL, _IONBF, 0); /* so that the reader's place is libpcap's, too */
    char reason[PCAP_ERRBUF_SIZE] = "";
    c->libpcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, reason);
    if (!c->libpcap) {
        fclose(file);
        if (c->reader.failed)
            return capture_no_start(c, c->reader.failed, error);
        return error_set(error, ERROR_FORMAT, _("%s: not a capture: neither pcap nor pcapng (libpcap: %s)"), c->path,
                         reason);
    }
    c->pcap.link_type = c->first_link_type = capture_link_type_of(pcap_datalink(c->libpcap));
    c->first_known = true;
    return 0;
}

static int next(struct capture *c, struct record *record, struct error *error)
{
    struct pcap_pkthdr *header;
    const uint8_t *bytes;
    uint64_t offset = block_reader_offset(&c->reader, c->reader.at);
    int result = pcap_next_ex(c->libpcap, &header, &bytes);
    if (result == PCAP_ERROR_BREAK)
        return capture_end(c);
    if (result != 1 && c->reader.failed)
        return capture_cut_short(c, c->reader.failed, offset, error);
    if (result != 1)
        return capture_damaged(c, offset, error, "%s", pcap_geterr(c->libpcap));
    *record = (struct record){
        .bytes = { bytes, header->caplen },
        .wire_length = header->len,
        .time = time_bounded((__int128)header->ts.tv_sec * 1000000000 + header->ts.tv_usec), /* ns, as asked for */
        .timed = true,
        .link_type = c->pcap.link_type,
        .offset = offset,
    };
    c->packets++;
    return 1;
}

static void finish(struct capture *c)
{
    if (c->libpcap)
        pcap_close(c->libpcap);
}

const struct capture_format capture_libpcap = { .knows = knows, .start = start, .next = next, .close = finish };
