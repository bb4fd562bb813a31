/* What stands in a cell of a bit diagram: as much of a field's title, value and value's name as there is room for. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"
#include "protocol/field.h"

struct cell {
    const struct field *field;
    struct value value;
    uint32_t bit, width; /* from the header's start */
    const char *kind;    /* the name of the option that begins here, or NULL */
    const char *remark;  /* on the value: of a checksum, whether it is correct; or NULL */
    bool unnamed;        /* bits that no row names: what they are called is in field->title */
    bool told;           /* its text says all there is to say */
};

/* Writes the cell's text in at most `columns` columns; scratch is overwritten. Returns the columns written. */
size_t cell_write(struct buffer *out, struct cell *cell, size_t columns, struct buffer *scratch,
                  const struct style *style);
/* Whether the text of a wide cell of bytes has to be spread over its rows to be shown whole. */
bool cell_is_spread(const struct cell *cell, size_t columns);
/* The text of one row of such a cell: its n bytes from `from` on, with the title in the first one. */
size_t cell_write_part(struct buffer *out, const struct cell *cell, size_t from, size_t n, size_t columns,
                       struct buffer *scratch, const struct style *style);
/* Title, value and name in full, for the legend. */
void cell_write_legend(struct buffer *out, const struct cell *cell);
