/* HTTP bodies of both directions, as streams bring them: portions, gaps, chunks and packed data that lie. What comes
 * out is bounded by what goes in and by the limit of a body; and where nothing lies it is the same however
 * the bytes are portioned.
 * A first byte says which direction, what to do and how much: 1 to 64 bytes, or a gap. */
#include "output/unpack.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct seen {
    uint64_t n, hash, said;
};

static void on_bytes(void *context, struct span bytes, bool unpacked)
{
    struct seen *s = context;
    (void)unpacked;
    if (!bytes.left)
        abort();
    s->n += bytes.left;
    for (size_t i = 0; i < bytes.left; i++)
        s->hash = (s->hash ^ bytes.at[i]) * UINT64_C(0x100000001b3);
}

static void on_said(void *context, const char *sentence)
{
    if (!*sentence)
        abort();
    ((struct seen *)context)->said++;
}

static const struct unpack_sink sink = { on_bytes, on_said };

static void in_portions(struct unpack *u, struct span bytes, size_t portion)
{
    while (bytes.left) {
        struct span part = span_part(bytes, 0, portion);
        span_pull(&bytes, part.left);
        unpack_take(u, part);
    }
}

/* Everything as one direction, by portions of that size. */
static struct seen whole(const uint8_t *bytes, size_t n, size_t portion)
{
    struct seen seen = { 0 };
    struct unpack u;
    unpack_open(&u, &sink, &seen, NULL);
    in_portions(&u, (struct span){ bytes, n }, portion);
    unpack_end(&u);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct seen seen[2] = { 0 };
    struct unpack u[2];
    struct span rest = { bytes, n };
    const uint8_t *what;
    for (unsigned i = 0; i < 2; i++)
        unpack_open(&u[i], &sink, &seen[i], &u[!i]);
    while ((what = span_pull(&rest, 1))) {
        struct unpack *side = &u[*what >> 7];
        size_t length = (*what & 63) + 1u;
        if (*what & 64) {
            unpack_gap(side, length);
            continue;
        }
        struct span part = span_part(rest, 0, length);
        span_pull(&rest, part.left);
        unpack_take(side, part);
    }
    for (unsigned i = 0; i < 2; i++)
        unpack_end(&u[i]);
    struct seen once = whole(bytes, n, n ? n : 1), again = whole(bytes, n, 7);
    if (!once.said && (once.n != again.n || once.hash != again.hash || again.said))
        abort();
    return 0;
}
