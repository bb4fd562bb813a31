/* Arrays that grow by doubling. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Makes room for one element more than `count`. array: the address of the pointer to the elements, which may move;
 * *room: how many there is room for. False: no memory, and all as it was. */
static inline bool array_grow(void *array, size_t element, uint32_t count, uint32_t *room)
{
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 64;
    void **at = array;
    void *bigger = more > count ? realloc(*at, more * element) : NULL;
    if (!bigger)
        return false;
    *at = bigger;
    *room = more;
    return true;
}
