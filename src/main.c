/* Picks the command. */
#include "base/text.h"
#include "commands/help.h"
#include "commands/options.h"
#include "dissectors/registry.h"
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &dump_command,    &capture_command,
    &netstat_command, &ladder_command,
    &follow_command,  &explain_command,
    &stats_command,   &send_command,
    &connect_command, &listen_command,
    &run_command,     &ifaces_command,
    &fields_command,  NULL,
};

static const struct command *find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

static int print_help(void)
{
    printf("%s", _("peel: take network traffic apart, layer by layer\n\n"));
    for (const struct command *const *c = commands; *c; c++)
        printf("  peel %-10s %s\n", (*c)->name, _((*c)->summary));
    printf("%s", _("\n'peel COMMAND --help' tells more; so does peel(1).\n"));
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    textdomain("peel");
    signal(SIGPIPE, SIG_IGN);
    registry_open();
    const char *word = argc >= 2 ? argv[1] : "";
    const struct command *command = find(word);
    if (command)
        return command->run(command, argc - 1, argv + 1);
    if (!strcmp(word, "help") && argc >= 3 && (command = find(argv[2]))) {
        help_print(command);
        return EXIT_DONE;
    }
    if (!strcmp(word, "help") && argc >= 3)
        return screen_refuse(argv[2], commands);
    if (!strcmp(word, "-h") || !strcmp(word, "--help") || !strcmp(word, "help"))
        return print_help();
    if (!strcmp(word, "--version")) {
        printf("peel %s\n", PEEL_VERSION);
        return EXIT_DONE;
    }
    int status = screen_run(argc, argv);
    if (status >= 0)
        return status;
    if (argc < 2)
        return print_help();
    return screen_refuse(argv[1], commands);
}
