/* peel FILE: the screen; where there is no terminal, what peel dump prints. */
#include "base/text.h"
#include "commands/options.h"
#include "ui/app.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DUMP_ARGUMENTS = 4 };

static int show(const char *file)
{
    struct error error;
    if (!isatty(STDOUT_FILENO)) {
        char dump[] = "dump", read[] = "-r", *argv[DUMP_ARGUMENTS] = { dump, read, (char *)file, NULL };
        return dump_command.run(&dump_command, DUMP_ARGUMENTS - 1, argv);
    }
    return report(app_run(&(struct app_options){ .file = file }, &error), &error);
}

static bool is_file(const char *name)
{
    struct stat status;
    return strchr(name, '/') || (!stat(name, &status) && !S_ISDIR(status.st_mode));
}

int screen_run(int argc, char **argv)
{
    if (argc < 2)
        return -1;
    bool read = !strcmp(argv[1], "-r") || !strcmp(argv[1], "--read");
    if (read && argc == 3)
        return show(argv[2]);
    if (!strncmp(argv[1], "-r", 2) && argv[1][2] && argc == 2)
        return show(argv[1] + 2);
    if (read)
        return usage_error(_("%s FILE: one file, and nothing behind it; 'peel dump' has options"), argv[1]);
    if (argc == 2 && (!strcmp(argv[1], "-") || (argv[1][0] != '-' && is_file(argv[1]))))
        return show(argv[1]);
    return -1;
}
