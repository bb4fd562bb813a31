/* Where a command's text goes: a terminal or a pipe, and what that means for colours, signs and width. */
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "commands/command.h"
#include "output/style.h"

/* Whether the word is auto, always or never, which it then becomes; else says so. Returns 0 or EXIT_USAGE. */
int terminal_when(const char **when, const struct command *command, const char *option, const char *word);
/* How to write to fd: colours by the word (auto, always, never), the terminal and NO_COLOR; ASCII where it is asked for
 * or the locale has no more; the terminal's columns, 0 where it is none. */
void terminal_style(struct style *style, int fd, const char *color, bool ascii);
/* Writes out what is left, and says what went wrong, with code or with the output. Returns the exit status. */
int terminal_finish(struct buffer *out, int code, struct error *error);
