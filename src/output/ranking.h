/* The first of many rows by some order, without sorting them all where only a few are wanted. */
#pragma once
#include <stdint.h>

/* Below 0: row a comes before row b. Rows that are equal keep their order. */
typedef int ranking_compare(const void *context, uint32_t a, uint32_t b);

/* The indexes below count in order, the first `most` of them (0: all); *found: how many. The caller frees. NULL: no
 * memory. */
uint32_t *ranking(uint32_t count, uint32_t most, ranking_compare *compare, const void *context, uint32_t *found);
