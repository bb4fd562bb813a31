/* peel listen: takes one TCP conversation with peel's own endpoint. */
#include "base/text.h"
#include "commands/exchange.h"
#include <stdlib.h>
#include <sys/socket.h>

static const struct option_row rows[] = {
    EXCHANGE_ROWS,
    { EXCHANGE_FROM, "from", "ADDR",
      N_("listen at this address, and answer ARP and NDP for it if the host does not; as ADDR:PORT does") },
    { 0 },
};

static int parse(struct exchange *x, int argc, char **argv)
{
    struct options options;
    char *host = NULL;
    unsigned port = 0;
    int status = options_read(&options, x->command, argc, argv, exchange_option, x);
    if (status)
        return status;
    struct segment_ends *ends = &x->settings.ends;
    if (options.operand < argc || !ends->local_port) {
        status = exchange_operands(x, argc - options.operand, argv + options.operand, true, &host, &port);
        ends->local_port = (uint16_t)port;
    }
    if (!status && host && !parse_ip(host, &ends->local))
        status = usage_error(_("%s: %s: not an address"), x->command->name, host);
    free(host);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct exchange x;
    struct error error;
    exchange_begin(&x, command);
    int status = parse(&x, argc, argv);
    if (!status) {
        int code = exchange_run(&x, &error);
        status = code && !error.text[0] ? EXIT_INPUT : report(code, &error);
    }
    exchange_end(&x);
    return status;
}

const struct command listen_command = {
    .name = "listen",
    .summary = N_("takes a TCP conversation with peel's own endpoint"),
    .usage = "[OPTIONS] [ADDR:]PORT",
    .options = rows,
    .run = run,
};
