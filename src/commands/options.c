#include "commands/options.h"
#include "base/nearest.h"
#include "base/text.h"
#include "commands/help.h"
#include "commands/progress.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { HELP = 1000, VERSION };

void options_begin(struct options *o, const struct command *command, int argc, char **argv)
{
    *o = (struct options){ .command = command, .argc = argc, .argv = argv };
    char *letters = o->letters;
    if (command->passes_on)
        *letters++ = '+';
    *letters++ = ':';
    unsigned rows = 0;
    for (const struct option_row *row = command->options; row->letter; row++) {
        if (row->letter < 256) {
            *letters++ = (char)row->letter;
            if (row->argument)
                *letters++ = ':';
        }
        if (row->name && rows < OPTIONS_MAX)
            o->rows[rows++] =
                (struct option){ row->name, row->argument ? required_argument : no_argument, NULL, row->letter };
    }
    *letters++ = 'h';
    *letters = 0;
    o->rows[rows++] = (struct option){ "help", no_argument, NULL, HELP };
    o->rows[rows] = (struct option){ "version", no_argument, NULL, VERSION };
    optind = 0;
    opterr = 0;
}

/* What getopt did not know: its letter, or its word up to the equals sign. */
static void unknown_option(const struct options *o, const char *word)
{
    struct nearest nearest;
    const char *name = o->command->name;
    char text[64];
    if (optopt && strncmp(word, "--", 2) != 0) {
        usage_error(_("%s: no option -%c; see 'peel %s --help'"), name, optopt, name);
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)strcspn(word, "="), word);
    if (optopt) {
        usage_error(_("%s: option %s takes no argument"), name, text);
        return;
    }
    nearest_begin(&nearest, text + strspn(text, "-"));
    for (const struct option *row = o->rows; row->name; row++)
        nearest_consider(&nearest, row->name);
    if (nearest.best)
        usage_error(_("%s: no option %s; did you mean --%s?"), name, text, nearest.best);
    else
        usage_error(_("%s: no option %s; see 'peel %s --help'"), name, text, name);
}

int options_next(struct options *o)
{
    int letter = getopt_long(o->argc, o->argv, o->letters, o->rows, NULL);
    o->argument = optarg;
    const char *word = o->argv[optind > 0 ? optind - 1 : 0];
    switch (letter) {
    case -1:
        o->operand = optind;
        return 0;
    case 'h':
    case HELP:
        help_print(o->command);
        exit(EXIT_DONE);
    case VERSION:
        printf("peel %s\n", PEEL_VERSION);
        exit(EXIT_DONE);
    case ':':
        usage_error(_("%s: option %s needs an argument; see 'peel %s --help'"), o->command->name, word,
                    o->command->name);
        return -1;
    case '?':
        unknown_option(o, word);
        return -1;
    }
    return letter;
}

int options_read(struct options *o, const struct command *command, int argc, char **argv,
                 int (*take)(void *context, int letter, char *argument), void *context)
{
    options_begin(o, command, argc, argv);
    int letter, status = 0;
    while (!status && (letter = options_next(o)) != 0)
        status = letter < 0 ? EXIT_USAGE : take(context, letter, o->argument);
    return status ? EXIT_USAGE : 0;
}

char *options_join(int argc, char **argv, bool *failed)
{
    size_t n = 0;
    *failed = false;
    for (int i = 0; i < argc; i++)
        n += strlen(argv[i]) + 1;
    if (!n)
        return NULL;
    char *joined = malloc(n), *at = joined;
    *failed = !joined;
    for (int i = 0; joined && i < argc; i++) {
        size_t length = strlen(argv[i]);
        memcpy(at, argv[i], length);
        at += length;
        *at++ = i + 1 < argc ? ' ' : 0;
    }
    return joined;
}

int report(int code, const struct error *error)
{
    progress_end();
    if (code == ERROR_CLOSED)
        return EXIT_DONE;
    if (code < 0)
        fprintf(stderr, "peel: %s\n", error->text);
    return code >= 0 ? EXIT_DONE : code == ERROR_USAGE ? EXIT_USAGE : EXIT_INPUT;
}

int usage_error(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct error error;
    error_set(&error, ERROR_USAGE, "%s", text);
    return report(ERROR_USAGE, &error);
}

bool parse_number(const char *text, unsigned long long least, unsigned long long most, unsigned long long *number)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !*end && !errno && *number >= least && *number <= most;
}
