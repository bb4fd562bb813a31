/* Suggestions for misspelt names: the candidate that the fewest insertions, deletions, changes and swaps of neighbours
 * turn into the word, if it is near enough to be meant. */
#pragma once

struct nearest {
    const char *word;
    const char *best; /* NULL: nothing near enough so far */
    unsigned distance;
};

void nearest_begin(struct nearest *nearest, const char *word);
/* candidate must stay valid as long as best is used. */
void nearest_consider(struct nearest *nearest, const char *candidate);
