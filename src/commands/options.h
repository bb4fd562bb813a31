/* Options of a command, read by its table with getopt_long, and what several commands share about them. */
#pragma once
#include "commands/command.h"
#include <getopt.h>
#include <stdbool.h>

enum { OPTIONS_MAX = 64 };

struct options {
    const struct command *command;
    int argc;
    char **argv;
    char *argument; /* of the option that options_next returned */
    int operand;    /* index of the first operand, once options_next has returned 0 */
    char letters[160];
    struct option rows[OPTIONS_MAX + 3]; /* for getopt_long */
};

void options_begin(struct options *options, const struct command *command, int argc, char **argv);
/* The next option's letter; 0 behind the last one; -1: wrong, and said so on standard error. -h, --help and --version
 * are answered here, and end the program with status 0. */
int options_next(struct options *options);

/* All of a command's options: take gets each, and returns 0 or an exit status. The first operand is then
 * options->operand. Returns 0, or EXIT_USAGE: something was wrong, and said so. */
int options_read(struct options *options, const struct command *command, int argc, char **argv,
                 int (*take)(void *context, int letter, char *argument), void *context);

/* The operands from argv[0] on, joined with spaces, as a pcap-filter expression; the caller frees it. NULL: there are
 * none, or (*failed) no memory. */
char *options_join(int argc, char **argv, bool *failed);

/* One line on standard error, "peel: SENTENCE", and the exit status that belongs to the code. */
int report(int code, const struct error *error);
/* The same with a sentence of its own; returns EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole number from least to most; false if the text is none. */
bool parse_number(const char *text, unsigned long long least, unsigned long long most, unsigned long long *number);
