#include "output/ranking.h"
#include <stdbool.h>
#include <stdlib.h>

enum { FEW = 256 }; /* so many are kept in order while the rows go by */

struct ranked {
    ranking_compare *compare;
    const void *context;
};

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct ranked *r = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = r->compare(r->context, x, y);
    return order ? order : x < y ? -1 : x > y;
}

/* Puts a row into its place among those that are kept, if it has one. */
static uint32_t insert(uint32_t *rows, uint32_t n, uint32_t most, uint32_t row, ranking_compare *compare,
                       const void *context)
{
    if (n == most && compare(context, row, rows[n - 1]) >= 0)
        return n;
    uint32_t at = n < most ? n : n - 1;
    while (at > 0 && compare(context, row, rows[at - 1]) < 0) {
        rows[at] = rows[at - 1];
        at--;
    }
    rows[at] = row;
    return n < most ? n + 1 : n;
}

uint32_t *ranking(uint32_t count, uint32_t most, ranking_compare *compare, const void *context, uint32_t *found)
{
    bool few = most && most <= FEW && most < count;
    uint32_t *rows = malloc(((size_t)(few ? most : count) + 1) * sizeof *rows), n = 0;
    *found = 0;
    if (!rows)
        return NULL;
    if (few) {
        for (uint32_t i = 0; i < count; i++)
            n = insert(rows, n, most, i, compare, context);
    } else {
        for (; n < count; n++)
            rows[n] = n;
        qsort_r(rows, n, sizeof *rows, compare_rows, &(struct ranked){ compare, context });
    }
    *found = most && most < n ? most : n;
    return rows;
}
