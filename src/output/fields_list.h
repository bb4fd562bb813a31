/* The list of every field there is, from the tables: name, type, where it lies, title. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "output/style.h"

/* protocol NULL: all of them; else that one's, with the names that values have. Returns 0, ERROR_NOT_FOUND (with the
 * nearest name in the sentence) or ERROR_MEMORY. */
int fields_list_write(struct buffer *out, const char *protocol, const struct style *style, struct error *error);
