/* peel listen: takes TCP conversations with peel's own endpoint. */
#include "base/text.h"
#include "commands/exchange.h"
#include "commands/serve.h"
#include <stdlib.h>
#include <sys/socket.h>

enum { MOST_CONNECTIONS = 100 };

struct listen {
    struct exchange exchange;
    bool keep_open;
    unsigned long long most; /* conversations at once; 0: not given */
};

static const struct option_row rows[] = {
    EXCHANGE_ROWS,
    { EXCHANGE_FROM, "from", "ADDR",
      N_("listen at this address, and answer ARP and NDP for it if the host does not; as ADDR:PORT does") },
    { 'k', "keep-open", NULL, N_("go on listening, and talk to all who call, until an interrupt") },
    { 'm', "max-conns", "N", N_("with -k: to so many at once; 100") },
    { 0 },
};

static int option(void *context, int letter, char *argument)
{
    struct listen *l = context;
    switch (letter) {
    case 'k':
        l->keep_open = true;
        return 0;
    case 'm':
        if (!parse_number(argument, 1, 100000, &l->most))
            return usage_error(_("listen: --max-conns %s: not a number from 1 to 100000"), argument);
        return 0;
    }
    return exchange_option(&l->exchange, letter, argument);
}

static int parse(struct listen *l, int argc, char **argv)
{
    struct exchange *x = &l->exchange;
    struct options options;
    char *host = NULL;
    unsigned port = 0;
    int status = options_read(&options, x->command, argc, argv, option, l);
    if (status)
        return status;
    if (l->most && !l->keep_open)
        return usage_error("%s", _("listen: --max-conns goes with --keep-open"));
    if (x->draw && l->keep_open)
        return usage_error("%s", _("listen: --ladder draws one conversation: not with --keep-open"));
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
    static struct listen l;
    struct error error;
    exchange_begin(&l.exchange, command);
    int status = parse(&l, argc, argv);
    if (!status) {
        unsigned most = l.most ? (unsigned)l.most : MOST_CONNECTIONS;
        int code = l.keep_open ? serve(&l.exchange, most, &error) : exchange_run(&l.exchange, &error);
        status = code && !error.text[0] ? EXIT_INPUT : report(code, &error);
    }
    exchange_end(&l.exchange);
    return status;
}

const struct command listen_command = {
    .name = "listen",
    .summary = N_("takes a TCP conversation, or many, with peel's own endpoint"),
    .usage = "[OPTIONS] [ADDR:]PORT",
    .options = rows,
    .run = run,
};
