/* A command of peel's: one file each, ending in one of these. Its option table feeds the parser, --help and the manual.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct option_row {
    int letter;           /* 'r'; from 256 on: only a long name. 0 ends the table. */
    const char *name;     /* long name, or NULL */
    const char *argument; /* what --help calls it, or NULL: takes none */
    const char *help;     /* N_() */
};

struct command {
    const char *name;
    const char *summary; /* N_(): one line of peel --help */
    const char *usage;   /* what follows "peel NAME" */
    const struct option_row *options;
    bool passes_on; /* options end with the first operand: what follows is for others */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command dump_command, capture_command, netstat_command, ladder_command, follow_command,
    explain_command, stats_command, send_command, connect_command, listen_command, run_command, ifaces_command,
    fields_command;

/* "peel", "peel FILE", "peel -r FILE": argv[0] is the program's name. -1: what stands there is none of these. */
int screen_run(int argc, char **argv);
/* Says that the word is neither a command (NULL ends them) nor an interface nor a file, and what was perhaps meant.
 * Returns EXIT_USAGE. */
int screen_refuse(const char *word, const struct command *const *commands);

enum { EXIT_DONE = 0, EXIT_INPUT = 1, EXIT_USAGE = 2 };
