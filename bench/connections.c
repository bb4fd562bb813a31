/* connections N: a capture with N TCP connections, each of other ends: handshake, 100 bytes, and the close. A thousand
 * are open at a time. connections N flood: N times a SYN, each from another source. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16, DATA = 100, HEADERS = 54, AT_ONCE = 1000 };

static const struct step {
    uint8_t from_server, flags, data;
    uint32_t sequence, acknowledged; /* as seen from either end, its own SYN being 0 */
} steps[] = {
    { 0, SYN, 0, 0, 0 },
    { 1, SYN | ACK, 0, 0, 1 },
    { 0, ACK, 0, 1, 1 },
    { 0, PSH | ACK, DATA, 1, 1 },
    { 1, ACK, 0, 1, 1 + DATA },
    { 0, FIN | ACK, 0, 1 + DATA, 1 },
    { 1, FIN | ACK, 0, 1, 2 + DATA },
    { 0, ACK, 0, 2 + DATA, 2 },
};

static void put(uint8_t *at, unsigned size, uint64_t value)
{
    while (size--) {
        at[size] = (uint8_t)value;
        value >>= 8;
    }
}

static uint32_t sum(const uint8_t *at, unsigned size)
{
    uint32_t total = 0;
    for (unsigned i = 0; i < size; i += 2)
        total += (uint32_t)at[i] << 8 | at[i + 1];
    return total;
}

static uint16_t folded(uint32_t total)
{
    while (total >> 16)
        total = (total >> 16) + (total & 0xffff);
    return (uint16_t)~total;
}

static void packet(uint32_t connection, const struct step *step, uint64_t number)
{
    static uint8_t bytes[HEADERS + DATA];
    uint32_t head[4] = { (uint32_t)(1700000000 + number / 50000), (uint32_t)(number % 50000 * 20),
                         HEADERS + (uint32_t)step->data, HEADERS + (uint32_t)step->data };
    uint8_t *ip = bytes + 14, *tcp = ip + 20;
    uint32_t address[2] = { 0x0a000001 + connection, 0xc0a80001 };
    uint16_t port[2] = { (uint16_t)(10000 + connection % 50000), 443 };
    unsigned from = step->from_server;
    memset(bytes, 0, HEADERS);
    put(bytes, 6, 0x020000000001 + (uint64_t)!from);
    put(bytes + 6, 6, 0x020000000001 + (uint64_t)from);
    put(bytes + 12, 2, 0x0800);
    put(ip, 4, 0x45000000 + 40 + (uint32_t)step->data);
    put(ip + 8, 2, 64 << 8 | 6);
    put(ip + 12, 4, address[from]);
    put(ip + 16, 4, address[!from]);
    put(ip + 10, 2, folded(sum(ip, 20)));
    put(tcp, 2, port[from]);
    put(tcp + 2, 2, port[!from]);
    put(tcp + 4, 4, connection * 2654435761u + from * 77777 + step->sequence);
    put(tcp + 8, 4, step->flags & ACK ? connection * 2654435761u + (1 - from) * 77777 + step->acknowledged : 0);
    put(tcp + 12, 4, 0x50000000 | (uint32_t)step->flags << 16 | 64240);
    put(tcp + 16, 2, folded(sum(ip + 12, 8) + 6 + 20 + step->data + sum(tcp, 20 + (unsigned)step->data)));
    fwrite(head, sizeof head, 1, stdout);
    fwrite(bytes, head[2], 1, stdout);
}

int main(int argc, char **argv)
{
    static const uint32_t file[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1 };
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
    unsigned length = argc > 2 ? 1 : sizeof steps / sizeof *steps;
    uint64_t number = 0;
    fwrite(file, sizeof file, 1, stdout);
    for (uint32_t first = 0; first < count; first += AT_ONCE)
        for (unsigned i = 0; i < length; i++)
            for (uint32_t c = first; c < count && c < first + AT_ONCE; c++)
                packet(c, steps + i, number++);
    return fflush(stdout) || ferror(stdout);
}
