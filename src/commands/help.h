/* What --help says of a command, from its option table. */
#pragma once
#include "commands/command.h"

/* On standard output: as wide as the terminal, from 60 to 120 columns; 80 where it is none. */
void help_print(const struct command *command);
