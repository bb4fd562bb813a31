/* Picks the command. */
#include "base/text.h"
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
    if (argc >= 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")))
        return print_help();
    if (argc >= 2 && !strcmp(argv[1], "--version")) {
        printf("peel %s\n", PEEL_VERSION);
        return EXIT_DONE;
    }
    for (const struct command *const *c = commands; argc >= 2 && *c; c++)
        if (!strcmp((*c)->name, argv[1]))
            return (*c)->run(*c, argc - 1, argv + 1);
    int status = screen_run(argc, argv);
    if (status >= 0)
        return status;
    if (argc < 2)
        return print_help();
    return usage_error(_("no command '%s'; see 'peel --help'"), argv[1]);
}
