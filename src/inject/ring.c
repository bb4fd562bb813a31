/* The ring of bytes that the endpoint's buffers are. */
#include "inject/endpoint_parts.h"
#include <stdlib.h>

bool bytes_open(struct bytes *b, uint32_t size)
{
    uint32_t room = 4096;
    while (room < size && room < 1u << 30)
        room *= 2;
    *b = (struct bytes){ .at = malloc(room), .size = room };
    return b->at;
}

void bytes_put(struct bytes *b, uint32_t offset, const uint8_t *from, uint32_t n)
{
    uint32_t at = (uint32_t)(b->begin + offset) & (b->size - 1), first = b->size - at;
    if (first > n)
        first = n;
    if (first)
        memcpy(b->at + at, from, first);
    if (n > first)
        memcpy(b->at, from + first, n - first);
}

void bytes_get(const struct bytes *b, uint32_t offset, uint32_t n, struct span *piece, struct span *more)
{
    uint32_t at = (uint32_t)(b->begin + offset) & (b->size - 1), first = b->size - at;
    if (first > n)
        first = n;
    *piece = (struct span){ b->at + at, first };
    *more = (struct span){ b->at, n - first };
}

void bytes_drop(struct bytes *b, uint32_t n)
{
    b->begin += n;
    b->used -= n;
}
