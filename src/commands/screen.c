/* peel FILE, peel IFACE, peel: the screen; where there is no terminal, what peel dump prints. */
#include "base/nearest.h"
#include "base/text.h"
#include "commands/source.h"
#include "filter/filter.h"
#include "host/interface.h"
#include "ui/app.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option_row rows[] = {
    SOURCE_ROWS,
    { 0 },
};

static int run(const struct command *command, int argc, char **argv)
{
    (void)command;
    return screen_run(argc, argv);
}

static const struct command screen_command = {
    .name = "screen",
    .summary = N_("a capture or an interface on the whole terminal"),
    .usage = "[-r] FILE | [-i] IFACE [FILTER...]",
    .options = rows,
    .run = run,
};

static bool is_file(const char *name)
{
    struct stat status;
    return !strcmp(name, "-") || strchr(name, '/') || (!stat(name, &status) && !S_ISDIR(status.st_mode));
}

static bool is_interface(const char *name)
{
    struct interfaces list;
    bool found = !interfaces_read(&list, NULL) && interfaces_find(&list, name);
    interfaces_free(&list);
    return found || !strcmp(name, "any");
}

/* The same words for peel dump: a name alone gets its option. */
static int dump(int argc, char **argv, const char *option)
{
    char **words = calloc((size_t)argc + 3, sizeof *words), name[] = "dump", letter[3];
    int n = 0;
    if (!words)
        return usage_error("%s", _("no memory"));
    snprintf(letter, sizeof letter, "%s", option ? option : "");
    words[n++] = name;
    if (option)
        words[n++] = letter;
    for (int i = 1; i < argc; i++)
        words[n++] = argv[i];
    int status = dump_command.run(&dump_command, n, words);
    free(words);
    return status;
}

static int parse(struct source *s, int argc, char **argv)
{
    struct options options;
    int letter;
    options_begin(&options, &screen_command, argc, argv);
    while ((letter = options_next(&options)) > 0)
        if (source_option(s, letter, options.argument) < 0)
            return EXIT_USAGE;
    if (letter < 0)
        return EXIT_USAGE;
    if (s->file_count > 1)
        return usage_error("%s", _("the screen shows one file; 'peel dump' reads several as one"));
    struct filter *filter = NULL;
    struct error error;
    if (s->display_filter && filter_open(&filter, s->display_filter, &error))
        return report(ERROR_USAGE, &error);
    if (filter)
        filter_close(filter);
    int status = source_operands(s, argc - options.operand, argv + options.operand);
    if (!status && s->file_count && (s->filter || s->snaplen))
        status = usage_error("%s", _("the screen shows all of a file; its filter line begins with /"));
    return status;
}

/* Words that begin with an option. */
static int show(int argc, char **argv)
{
    static struct source s;
    struct error error;
    s.command = &screen_command;
    int status = parse(&s, argc, argv);
    if (status)
        return status;
    struct app_options options = {
        .filter = s.display_filter,
        .file = s.file_count ? s.files[0] : NULL,
        .live = { .interface = s.interface,
                  .netns = s.netns,
                  .filter = s.filter,
                  .snap_length = s.snaplen > UINT32_MAX ? 0 : (uint32_t)s.snaplen,
                  .no_promiscuous = s.no_promiscuous },
    };
    status = report(app_run(&options, &error), &error);
    free(s.filter);
    return status;
}

int screen_run(int argc, char **argv)
{
    bool terminal = isatty(STDOUT_FILENO);
    struct error error;
    if (argc < 2)
        return terminal ? report(app_run(&(struct app_options){ 0 }, &error), &error) : -1;
    const char *word = argv[1];
    if (word[0] == '-' && word[1])
        return terminal ? show(argc, argv) : dump(argc, argv, NULL);
    const char *option = is_file(word) ? "-r" : is_interface(word) ? "-i" : strchr(word, '.') ? "-r" : NULL;
    if (!option)
        return -1;
    if (!terminal)
        return dump(argc, argv, option);
    char **words = calloc((size_t)argc + 2, sizeof *words), letter[3];
    if (!words)
        return usage_error("%s", _("no memory"));
    snprintf(letter, sizeof letter, "%s", option);
    words[0] = argv[0];
    words[1] = letter;
    memcpy(words + 2, argv + 1, (size_t)(argc - 1) * sizeof *words);
    int status = show(argc + 1, words);
    free(words);
    return status;
}

int screen_refuse(const char *word, const struct command *const *commands)
{
    struct nearest nearest;
    struct interfaces list;
    nearest_begin(&nearest, word);
    for (const struct command *const *c = commands; *c; c++)
        nearest_consider(&nearest, (*c)->name);
    if (!interfaces_read(&list, NULL))
        for (size_t i = 0; i < list.count; i++)
            nearest_consider(&nearest, list.all[i].name);
    int status = nearest.best
                     ? usage_error(_("%s: no such command, file or interface; did you mean %s?"), word, nearest.best)
                     : usage_error(_("%s: no such command, file or interface; see 'peel --help'"), word);
    interfaces_free(&list);
    return status;
}
