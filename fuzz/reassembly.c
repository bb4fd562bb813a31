/* Stream reassembly on random segments of a known stream, with little memory: what it hands on is the stream, in
 * order, never a byte that no segment had, and what it keeps stays within its limits. Four bytes a step: what to do,
 * where (two), how long. */
#include "track/reassembly.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { STREAM = 1 << 16, START = 0xffff8000 };

static uint8_t stream[STREAM + 256];

struct model {
    uint64_t next;
    uint8_t given[(STREAM + 256) / 8];
    bool ended;
};

static void check(bool true_enough)
{
    if (!true_enough)
        abort();
}

static void on_bytes(void *context, uint64_t at, struct span bytes)
{
    struct model *m = context;
    check(!m->ended && at == m->next && bytes.left && at + bytes.left <= sizeof stream);
    check(!memcmp(bytes.at, stream + at, bytes.left));
    for (uint64_t i = at; i < at + bytes.left; i++)
        check(m->given[i / 8] >> (i % 8) & 1);
    m->next += bytes.left;
}

static void on_gap(void *context, uint64_t at, uint64_t length)
{
    struct model *m = context;
    check(!m->ended && at == m->next && length);
    m->next += length;
}

static void on_end(void *context, uint64_t at, enum reassembly_end how)
{
    struct model *m = context;
    (void)how;
    check(!m->ended && at == m->next);
    m->ended = true;
}

static const struct reassembly_consumer consumer = { on_bytes, on_gap, on_end };

static void step(struct reassembly *all, struct reassembly_half *half, const uint8_t *b)
{
    uint32_t at = load_be16(b + 1), length = b[3];
    switch (b[0] & 15) {
    case 0:
        reassembly_acknowledge(half, START + at);
        return;
    case 1:
        reassembly_take(all, half, START + at, (struct span){ stream + at, length / 2 }, length, b[0] & 16);
        return;
    case 2: /* far away, before the start */
        reassembly_take(all, half, START + at * 40000, (struct span){ stream, 0 }, length, false);
        return;
    default:
        reassembly_take(all, half, START + at, (struct span){ stream + at, length }, length, b[0] == 255);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct model m;
    struct reassembly all;
    struct reassembly_half half = { .context = &m };
    for (unsigned i = 0; i < sizeof stream; i++)
        stream[i] = (uint8_t)(i * 2654435761u >> 13);
    m = (struct model){ 0 };
    reassembly_open(&all, &consumer);
    all.half_most = n ? 64u + bytes[0] * 16u : 64;
    reassembly_begin(&half, START);
    for (size_t i = 0; i + 4 <= n; i += 4) {
        uint32_t at = load_be16(bytes + i + 1);
        for (uint32_t k = at; k < at + bytes[i + 3]; k++)
            m.given[k / 8] |= (uint8_t)(1 << (k % 8));
        step(&all, &half, bytes + i);
        check(all.held <= all.half_most && all.held == half.held);
    }
    reassembly_finish(&all, &half, REASSEMBLY_STOPPED);
    check(m.ended && !all.held && !half.first);
    return 0;
}
