#include "base/nearest.h"
#include <string.h>

enum { WORD_MAX = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Damerau's distance, neighbours swapped counting as one. */
static unsigned distance(const char *a, const char *b)
{
    unsigned m = (unsigned)strlen(a), n = (unsigned)strlen(b);
    if (m > WORD_MAX || n > WORD_MAX)
        return WORD_MAX;
    unsigned rows[3][WORD_MAX + 1];
    unsigned *two_back = rows[0], *back = rows[1], *now = rows[2];
    for (unsigned k = 0; k <= n; k++)
        back[k] = k;
    for (unsigned i = 1; i <= m; i++) {
        now[0] = i;
        for (unsigned k = 1; k <= n; k++) {
            unsigned change = back[k - 1] + (a[i - 1] != b[k - 1]);
            now[k] = least(change, least(back[k], now[k - 1]) + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = least(now[k], two_back[k - 2] + 1);
        }
        unsigned *spare = two_back;
        two_back = back;
        back = now;
        now = spare;
    }
    return back[n];
}

void nearest_begin(struct nearest *nearest, const char *word)
{
    unsigned length = (unsigned)strlen(word);
    *nearest = (struct nearest){ .word = word, .distance = length / 3 + 2 };
}

void nearest_consider(struct nearest *nearest, const char *candidate)
{
    unsigned d = distance(nearest->word, candidate);
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->best = candidate;
    }
}
