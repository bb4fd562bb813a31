/* What the fields of a packet say, for tests. Included once by a test program. */
#pragma once
#include "output/value.h"
#include "protocol/sink.h"
#include <criterion/criterion.h>
#include <string.h>

/* A sink that gathers the values of one field, joined with commas. */
struct gather {
    struct sink sink;
    const char *name;
    struct buffer out;
};

static void gather_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct gather *g = (struct gather *)sink;
    if (strcmp(field->abbrev, g->name) != 0)
        return;
    if (buffer_used(&g->out))
        buffer_char(&g->out, ',');
    value_write(&g->out, field, value);
}

/* All values of the field that this name stands for; valid until the next call. */
static const char *gathered(const struct packet *p, const char *name)
{
    static char text[4096];
    struct gather g = { .sink = { .field = gather_field }, .name = name };
    buffer_open(&g.out, -1, 256);
    walk_packet(p, &g.sink);
    size_t n = buffer_used(&g.out);
    cr_assert_lt(n, sizeof text);
    memcpy(text, g.out.start, n);
    text[n] = 0;
    buffer_free(&g.out);
    return text;
}
