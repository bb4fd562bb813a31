/* What a user wrote, as a value of the kind that it is compared with. */
#pragma once
#include "filter/syntax.h"

/* Sets node->value and kind of a literal. field: for the names of its values and its width; NULL: none. Returns 0 or
 * ERROR_USAGE. Bytes of the value lie in node->text, which may be rewritten. */
int literal_read(struct node *node, enum kind kind, const struct node *field, struct error *error);
