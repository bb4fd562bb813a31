#include "output/json_text.h"
#include <stdlib.h>

static uint64_t make_four(unsigned number)
{
    uint32_t text = 0;
    unsigned count = number < 10 ? 1 : number < 100 ? 2 : number < 1000 ? 3 : 4;
    for (unsigned i = 0; i < 4; i++, number /= 10)
        text = text << 8 | ('0' + number % 10);
    return text >> (32 - 8 * count) | (uint64_t)text << 32 | (uint64_t)(count - 1) << 62;
}

bool digits_open(struct digits *d)
{
    static const char hex[] = "0123456789abcdef";
    *d = (struct digits){ .fours = malloc(FOUR * sizeof *d->fours) };
    if (!d->fours)
        return false;
    for (unsigned i = 0; i < FOUR; i++)
        d->fours[i] = make_four(i);
    for (unsigned i = 0; i < 256; i++)
        memcpy(&d->pairs[i], (char[]){ hex[i >> 4], hex[i & 15], ':', 0 }, sizeof d->pairs[i]);
#ifdef __x86_64__
    d->avx2 = __builtin_cpu_supports("avx2");
#endif
    return true;
}

void digits_close(struct digits *d)
{
    free(d->fours);
}
