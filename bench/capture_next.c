/* What the capture reader costs: every packet of a file through capture_next, and nothing done with it. To be held
 * against read_loop, which prints the same line. */
#include "capture/capture.h"
#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct capture *capture;
    struct error error;
    int result = capture_open(&capture, argc > 1 ? argv[1] : "-", &error);
    uint64_t packets = 0, bytes = 0;
    if (!result) {
        for (struct record record; (result = capture_next(capture, &record, &error)) == 1; packets++)
            bytes += record.bytes.left;
        capture_close(capture);
    }
    printf("%" PRIu64 " packets, %" PRIu64 " bytes\n", packets, bytes);
    if (result < 0)
        fprintf(stderr, "capture_next: %s\n", error.text);
    return result < 0;
}
