/* peel connect: what netcat would be with a stack of its own. */
#include "base/text.h"
#include "commands/exchange.h"
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct option_row rows[] = {
    EXCHANGE_ROWS,
    { '4', NULL, NULL, N_("only IPv4 addresses of a name") },
    { '6', NULL, NULL, N_("only IPv6 addresses of a name") },
    { EXCHANGE_FROM, "from", "ADDR",
      N_("speak from this address, and answer ARP and NDP for it if the host does not") },
    { 0 },
};

static int parse(struct exchange *x, int argc, char **argv, char **host, unsigned *port)
{
    struct options options;
    int status = options_read(&options, x->command, argc, argv, exchange_option, x);
    if (status)
        return status;
    return exchange_operands(x, argc - options.operand, argv + options.operand, false, host, port);
}

/* An address of the name's. A link-local one names its interface. False: of another family than --from. */
static bool take_address(struct exchange *x, const struct sockaddr *a, unsigned port, char *zone)
{
    struct segment_ends *ends = &x->settings.ends;
    ends->remote_port = (uint16_t)port;
    if (a->sa_family == AF_INET) {
        ends->remote.size = 4;
        memcpy(ends->remote.bytes, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
        ends->remote.size = 16;
        memcpy(ends->remote.bytes, &six->sin6_addr, 16);
        if (six->sin6_scope_id && !x->settings.interface && if_indextoname(six->sin6_scope_id, zone))
            x->settings.interface = zone;
    }
    return !x->from || ends->local.size == ends->remote.size;
}

/* One address after another, as programs do, until one answers. */
static int call(struct exchange *x, const char *host, unsigned port, struct error *error)
{
    struct addrinfo hints = { .ai_family = x->family, .ai_socktype = SOCK_STREAM }, *all;
    char zone[IF_NAMESIZE];
    int why = getaddrinfo(host, NULL, &hints, &all);
    if (why)
        return error_set(error, ERROR_NOT_FOUND, "%s: %s", host,
                         why == EAI_SYSTEM ? strerror(errno) : gai_strerror(why));
    int code = error_set(error, ERROR_NOT_FOUND, _("%s: no address of the family of --from"), host);
    for (const struct addrinfo *a = all; a && code && !x->established; a = a->ai_next)
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) && take_address(x, a->ai_addr, port, zone))
            code = exchange_run(x, error);
    freeaddrinfo(all);
    return code;
}

static int run(const struct command *command, int argc, char **argv)
{
    static struct exchange x;
    char *host = NULL;
    unsigned port;
    struct error error;
    exchange_begin(&x, command);
    int status = parse(&x, argc, argv, &host, &port);
    if (!status) {
        int code = call(&x, host, port, &error);
        status = code && !error.text[0] ? EXIT_INPUT : report(code, &error);
    }
    exchange_end(&x);
    free(host);
    return status;
}

const struct command connect_command = {
    .name = "connect",
    .summary =
        N_("a TCP conversation from peel's own endpoint: standard input to the peer, the peer to standard output"),
    .usage = "[OPTIONS] HOST:PORT",
    .options = rows,
    .run = run,
};
