/* What follow, ladder and explain share about where their text goes: a terminal or a pipe. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "output/style.h"

/* auto, always, never. */
bool terminal_is_when(const char *word);
/* Colours by the word, the terminal and NO_COLOR; ASCII where it is asked for or the locale has no more. */
void terminal_style(struct style *style, const char *color, bool ascii);
/* Writes out what is left, and says what went wrong, with code or with the output. Returns the exit status. */
int terminal_finish(struct buffer *out, int code, struct error *error);
