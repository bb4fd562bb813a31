/* Rows and columns, aligned. Cells are written into a buffer one after another; a table lets go of what it holds every
 * TABLE_ROWS rows, so that it stays small however long it gets: columns then only widen.
 *
 * Where the terminal is too narrow, whole columns are left out, those with the highest rank first; what is too wide
 * even so is cut in its middle, in the columns that may be. */
#pragma once
#include "base/buffer.h"
#include "output/style.h"

enum { TABLE_COLUMNS = 24, TABLE_ROWS = 2048, TABLE_GAP = 2 };

struct table_column {
    const char *title; /* translated; NULL ends an array of these */
    const char *ascii; /* the title in ASCII, where it differs; or NULL */
    bool left;         /* aligned to the left */
    bool may_cut;      /* text that may be cut where there is no room */
    uint8_t rank;      /* 0: never left out; columns of a rank go together */
};

struct table {
    struct buffer *out; /* the caller's */
    const struct style *style;
    const struct table_column *columns;
    unsigned column_count;
    struct buffer cells; /* owned */
    uint32_t *ends;      /* owned; where each cell ends */
    unsigned cell_count;
    unsigned widths[TABLE_COLUMNS];
    bool hidden[TABLE_COLUMNS], begun;
};

/* Returns 0 or ERROR_MEMORY. The caller closes in any case, which writes what is left. */
int table_open(struct table *table, struct buffer *out, const struct style *style, const struct table_column *columns);
/* The next cell's text is what the caller puts into the buffer until the next call of these. */
struct buffer *table_cell(struct table *table);
void table_row(struct table *table); /* the row is complete; cells that lack are empty */
void table_close(struct table *table);
