#include "ui/sieve.h"
#include "base/text.h"
#include "dissectors/lookup.h"
#include "dissectors/registry.h"
#include "filter/filter.h"
#include <errno.h>
#include <stdlib.h>

int sieve_open(struct sieve **sieve, const char *text, struct error *error)
{
    return filter_open((struct filter **)sieve, text, error);
}

void sieve_close(struct sieve *sieve)
{
    if (sieve)
        filter_close((struct filter *)sieve);
}

bool sieve_passes(void *context, const struct packet *packet)
{
    return filter_passes(context, packet);
}

/* --- completion --- */

struct search {
    const char *word;
    const char *last; /* found before: rows of a name come one after another */
    size_t length;
    unsigned left;
    const char *found;
};

static bool consider(struct search *s, const char *name)
{
    if (strncmp(name, s->word, s->length) != 0 || (s->last && !strcmp(s->last, name)))
        return true;
    s->last = name;
    if (s->left--)
        return true;
    s->found = name;
    return false;
}

static bool consider_row(void *context, const struct field_ref *ref)
{
    return consider(context, ref->field->abbrev);
}

bool sieve_complete(const char *word, unsigned n, char *whole, size_t size)
{
    struct search s = { .word = word, .length = strlen(word), .left = n };
    bool more = true;
    for (const struct protocol *const *p = protocols; *p && more; p++)
        more = consider(&s, (*p)->name);
    if (more)
        lookup_each(consider_row, &s);
    if (s.found)
        snprintf(whole, size, "%s", s.found);
    return s.found;
}
