/* The capture reader on hostile bytes, in blocks so small that records lie across them. What it hands out is written
 * to a pcapng as well, and every byte looked at, so that a span that reaches too far is seen. */
#include "capture/file.h"
#include "capture/writer.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct writer *nowhere;

/* Enough of what a few hundred bytes of zstd can unfold to. */
enum { PACKETS_MAX = 20000 };

static void read_through(struct span bytes, size_t block, bool ask_first)
{
    struct capture *capture;
    struct error error;
    if (capture_open_memory(&capture, bytes, block, &error))
        return;
    if (ask_first)
        capture_link_type(capture);
    struct record record;
    unsigned packets = 0;
    uint64_t offset = 0;
    while (packets < PACKETS_MAX && capture_next(capture, &record, &error) == 1) {
        if (packets++ && record.offset < offset)
            abort();
        offset = record.offset;
        writer_put(nowhere, &record, NULL);
    }
    capture_link_type(capture);
    capture_close(capture);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!nowhere && writer_open(&nowhere, "/dev/null", NULL))
        abort();
    read_through((struct span){ bytes, n }, 64, true);
    read_through((struct span){ bytes, n }, 4096, false);
    return 0;
}
