/* What a plan's ops do (json_plan.h). Each writes its text and then goes on with the next one as its last call, so that
 * a layer is a chain of jumps that keeps where it stands in registers. */
#pragma once
#include "output/json_plan.h"

extern op_code *const json_op_codes[OP_KINDS];

/* The rows of the layer at work, one by one: for a header that ends within what the ops want. */
char *json_short_rows(struct json *j, char *at);
