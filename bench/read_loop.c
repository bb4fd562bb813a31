/* The base line of every ratio: the least that reading a capture can be. 1 MiB read(2) into an aligned buffer, the
 * unfinished tail carried in front of it, a step over each record's header; no format but little-endian pcap, no
 * checks beyond the file's end. Prints packets and bytes captured. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, FRONT = 1 << 19, HEADER = 24, RECORD = 16 };

int main(int argc, char **argv)
{
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : STDIN_FILENO;
    uint8_t *block = (uint8_t *)aligned_alloc(4096, FRONT + BLOCK) + FRONT;
    uint64_t packets = 0, bytes = 0;
    size_t tail = 0, skip = HEADER;
    ssize_t n;
    while ((n = read(fd, block, BLOCK)) > 0) {
        const uint8_t *at = block - tail + skip, *end = block + n;
        skip = 0;
        for (uint32_t captured; end - at >= RECORD; at += RECORD + captured) {
            memcpy(&captured, at + 8, 4);
            if (end - at - RECORD < (ssize_t)captured)
                break;
            packets++;
            bytes += captured;
        }
        tail = (size_t)(end - at);
        if (tail > FRONT)
            break;
        memcpy(block - tail, at, tail);
    }
    printf("%" PRIu64 " packets, %" PRIu64 " bytes\n", packets, bytes);
    return n != 0 || tail != 0;
}
