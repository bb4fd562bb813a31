/* peel ifaces: the interfaces there are, what goes over them right now, and which one is probably meant. */
#include "base/address.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/span.h"
#include "base/text.h"
#include "capture/live.h"
#include "commands/options.h"
#include "host/interface.h"
#include "host/netns.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { NETNS = 256, MEASURE_MS = 500, NAME_WIDTH = 12, OUTPUT_BYTES = 64 << 10 };

static const struct option_row rows[] = {
    { 'T', "format", "text|json", N_("how an interface is printed") },
    { NETNS, "netns", "NAME|PID", N_("the interfaces of this network namespace") },
    { 0 },
};

struct ifaces {
    bool json;
    const char *netns;
    struct buffer out;
    struct interfaces before, now;
    int64_t elapsed; /* nanoseconds between the two */
};

struct rate {
    uint64_t packets, bytes; /* a second, both ways */
};

static int parse(struct ifaces *f, const struct command *command, int argc, char **argv)
{
    struct options options;
    options_begin(&options, command, argc, argv);
    int letter;
    while ((letter = options_next(&options)) > 0) {
        if (letter == NETNS)
            f->netns = options.argument;
        else if (!strcmp(options.argument, "json") || !strcmp(options.argument, "text"))
            f->json = *options.argument == 'j';
        else
            return usage_error(_("ifaces: -T %s: not one of text, json"), options.argument);
    }
    if (letter < 0)
        return EXIT_USAGE;
    if (options.operand < argc)
        return usage_error(_("ifaces: '%s': takes no operands"), argv[options.operand]);
    return 0;
}

static int measure(struct ifaces *f, struct error *error)
{
    struct timespec wait = { .tv_nsec = MEASURE_MS * 1000000L };
    int code = f->netns ? netns_enter(f->netns, error) : 0;
    int64_t begun = clock_ns(CLOCK_MONOTONIC);
    if (!code)
        code = interfaces_read(&f->before, error);
    if (code)
        return code;
    nanosleep(&wait, NULL);
    code = interfaces_read(&f->now, error);
    f->elapsed = clock_ns(CLOCK_MONOTONIC) - begun;
    return code;
}

/* Loopback counts each packet as sent and as received: once is enough. */
static struct rate rate_of(const struct ifaces *f, const struct interface *i)
{
    const struct interface *was = interfaces_at(&f->before, i->index);
    if (!was || f->elapsed <= 0)
        return (struct rate){ 0 };
    const struct interface_counters *a = &was->counters, *b = &i->counters;
    uint64_t packets = b->received_packets - a->received_packets, bytes = b->received_bytes - a->received_bytes;
    if (!i->loopback) {
        packets += b->sent_packets - a->sent_packets;
        bytes += b->sent_bytes - a->sent_bytes;
    }
    double per_second = 1e9 / (double)f->elapsed;
    return (struct rate){ (uint64_t)((double)packets * per_second + 0.5),
                          (uint64_t)((double)bytes * per_second + 0.5) };
}

static const char *state_of(const struct interface *i)
{
    return !i->up ? N_("down") : i->running ? N_("up") : N_("no carrier");
}

static size_t mac_of(char text[INTERFACE_HARDWARE * 3], const struct interface *i)
{
    char *at = text;
    for (unsigned k = 0; k < i->hardware_size; k++) {
        if (k)
            *at++ = ':';
        at = write_hex(at, i->hardware[k], 2);
    }
    return (size_t)(at - text);
}

static void put_address(struct buffer *out, const struct interface_address *a)
{
    char text[ADDRESS_TEXT];
    char *end = a->size == 4 ? write_ipv4(text, load_be32(a->bytes)) : write_ipv6(text, a->bytes);
    buffer_put(out, text, (size_t)(end - text));
}

/* --- text --- */

static void put_column(struct buffer *out, const char *text, size_t width)
{
    size_t columns = text_columns(text, strlen(text));
    buffer_text(out, text);
    for (; columns < width; columns++)
        buffer_char(out, ' ');
    buffer_put(out, "  ", 2);
}

static void put_bytes(struct buffer *out, uint64_t bytes)
{
    static const char units[] = " kMGTP";
    unsigned unit = 0;
    double value = (double)bytes;
    for (; value >= 999.5 && units[unit + 1]; unit++)
        value /= 1000;
    buffer_format(out, unit && value < 99.95 ? "%6.1f %cB/s  " : "%6.0f %cB/s  ", value, units[unit]);
}

static void print_text(struct ifaces *f, const struct interface *i)
{
    char mac[INTERFACE_HARDWARE * 3] = "";
    struct buffer *out = &f->out;
    struct rate rate = rate_of(f, i);
    size_t mark = buffer_hold(out);
    mac[mac_of(mac, i)] = 0;
    buffer_escaped(out, (const uint8_t *)i->name, strlen(i->name));
    buffer_pad(out, mark, NAME_WIDTH);
    buffer_release(out);
    buffer_put(out, "  ", 2);
    put_column(out, _(state_of(i)), 10);
    put_column(out, i->loopback ? "loopback" : *i->kind ? i->kind : "-", 9);
    put_column(out, capture_link_type_name(i->link_type), 14);
    put_column(out, *mac ? mac : "-", 17);
    buffer_format(out, "%9llu  ", (unsigned long long)rate.packets);
    put_bytes(out, rate.bytes);
    for (unsigned k = 0; k < i->address_count; k++) {
        const struct interface_address *a = &f->now.addresses[i->first_address + k];
        if (k)
            buffer_char(out, ' ');
        put_address(out, a);
        buffer_format(out, "/%u", a->prefix);
    }
    buffer_text(out, i->address_count ? "\n" : "-\n");
}

static void print_all_text(struct ifaces *f)
{
    struct buffer *out = &f->out;
    buffer_text(out, "Name          State       Kind       Link            MAC                Packets/s"
                     "      Rate    Addresses\n");
    for (unsigned i = 0; i < f->now.count; i++)
        print_text(f, &f->now.all[i]);
    const struct interface *guess = interfaces_guess(&f->now);
    buffer_char(out, '\n');
    if (guess && guess->running) {
        struct buffer name;
        if (buffer_open(&name, -1, 64))
            return;
        buffer_escaped(&name, (const uint8_t *)guess->name, strlen(guess->name));
        buffer_char(&name, 0);
        buffer_format(out, _("Probably the one: peel dump -i %s\n"), name.start);
        buffer_free(&name);
    } else {
        buffer_text(out, _("None leads out of this host; all that there is: peel dump -i any\n"));
    }
}

/* --- JSON --- */

static void print_json(struct ifaces *f, const struct interface *i)
{
    char mac[INTERFACE_HARDWARE * 3];
    struct buffer *out = &f->out;
    struct rate rate = rate_of(f, i);
    mac[mac_of(mac, i)] = 0;
    buffer_text(out, "{\"name\":\"");
    buffer_json_escaped(out, (const uint8_t *)i->name, strlen(i->name));
    buffer_format(out, "\",\"index\":%u,\"state\":\"%s\",\"kind\":\"", i->index, state_of(i));
    buffer_json_escaped(out, (const uint8_t *)i->kind, strlen(i->kind));
    buffer_format(out, "\",\"loopback\":%s,\"link_type\":%u,\"link_type_name\":\"%s\",\"mtu\":%u,\"mac\":",
                  i->loopback ? "true" : "false", i->link_type, capture_link_type_name(i->link_type), i->mtu);
    buffer_format(out, *mac ? "\"%s\"" : "null", mac);
    buffer_format(out, ",\"packets_per_second\":%llu,\"bytes_per_second\":%llu,\"received_packets\":%llu",
                  (unsigned long long)rate.packets, (unsigned long long)rate.bytes,
                  (unsigned long long)i->counters.received_packets);
    buffer_format(out, ",\"sent_packets\":%llu,\"dropped\":%llu,\"likely\":%s,\"addresses\":[",
                  (unsigned long long)i->counters.sent_packets,
                  (unsigned long long)(i->counters.received_dropped + i->counters.sent_dropped),
                  i == interfaces_guess(&f->now) ? "true" : "false");
    for (unsigned k = 0; k < i->address_count; k++) {
        const struct interface_address *a = &f->now.addresses[i->first_address + k];
        buffer_text(out, k ? ",\"" : "\"");
        put_address(out, a);
        buffer_format(out, "/%u\"", a->prefix);
    }
    buffer_text(out, "]}\n");
}

static int run(const struct command *command, int argc, char **argv)
{
    struct ifaces f = { 0 };
    struct error error;
    int status = parse(&f, command, argc, argv);
    if (status)
        return status;
    if (buffer_open(&f.out, STDOUT_FILENO, OUTPUT_BYTES))
        return report(error_set(&error, ERROR_MEMORY, "%s", _("no memory")), &error);
    int code = measure(&f, &error);
    for (unsigned i = 0; !code && f.json && i < f.now.count; i++)
        print_json(&f, &f.now.all[i]);
    if (!code && !f.json)
        print_all_text(&f);
    buffer_flush(&f.out);
    if (!code && f.out.failed && f.out.failed != EPIPE)
        code = error_set(&error, ERROR_SYSTEM, _("standard output: %s"), strerror(f.out.failed));
    interfaces_free(&f.before);
    interfaces_free(&f.now);
    buffer_free(&f.out);
    return report(code, &error);
}

const struct command ifaces_command = {
    .name = "ifaces",
    .summary = N_("interfaces: addresses, state, what goes over them now, and which one to take"),
    .usage = "[OPTIONS]",
    .options = rows,
    .run = run,
};
