#include "commands/exchange.h"
#include "base/text.h"
#include "host/stop.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_PIECE = 4096 }; /* what a pipe that is writable takes without blocking: POSIX, PIPE_BUF */

static const int64_t second = 1000000000;
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

int exchange_interrupted(void)
{
    return interrupted;
}

/* ---- what was asked for */

void exchange_begin(struct exchange *x, const struct command *command)
{
    *x = (struct exchange){ .command = command, .out = -1 };
    x->settings.endpoint = endpoint_defaults();
    x->settings.endpoint.mss = 0;
}

void exchange_end(struct exchange *x)
{
    dialogue_close(x->dialogue);
    live_ladder_close(x->ladder);
    if (x->out > STDERR_FILENO)
        close(x->out);
    free(x->text);
    free(x->room);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One character of --send, which may be written as an escape; NULL: it is none. */
static const char *unescape(const char *at, uint8_t *byte)
{
    static const char letters[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
    if (*at != '\\') {
        *byte = (uint8_t)*at;
        return at + 1;
    }
    const char *letter = at[1] ? strchr(letters, at[1]) : NULL;
    if (letter) {
        *byte = (uint8_t)bytes[letter - letters];
        return at + 2;
    }
    if (at[1] != 'x' || hex_digit(at[2]) < 0 || hex_digit(at[3]) < 0)
        return NULL;
    *byte = (uint8_t)(hex_digit(at[2]) << 4 | hex_digit(at[3]));
    return at + 4;
}

static int take_text(struct exchange *x, const char *text)
{
    free(x->text);
    x->text_length = 0;
    x->text = malloc(strlen(text) + 1);
    if (!x->text)
        return usage_error("%s", _("no memory"));
    while (*text) {
        const char *next = unescape(text, &x->text[x->text_length++]);
        if (!next)
            return usage_error(_("%s: --send: no such escape: %.4s"), x->command->name, text);
        text = next;
    }
    return 0;
}

static int take_number(const struct exchange *x, const char *name, const char *text, unsigned long long least,
                       unsigned long long most, unsigned long long *number)
{
    if (parse_number(text, least, most, number))
        return 0;
    return usage_error(_("%s: %s %s: not a number from %llu to %llu"), x->command->name, name, text, least, most);
}

int exchange_option(void *exchange, int letter, char *argument)
{
    struct exchange *x = exchange;
    unsigned long long n = 0;
    int status = 0;
    switch (letter) {
    case 'i':
        x->settings.interface = argument;
        break;
    case 'p':
        status = take_number(x, "-p", argument, 1, UINT16_MAX, &n);
        x->settings.ends.local_port = (uint16_t)n;
        break;
    case '4':
    case '6':
        x->family = letter == '4' ? AF_INET : AF_INET6;
        break;
    case 'v':
        x->verbose = true;
        break;
    case EXCHANGE_LADDER:
        x->draw = true;
        break;
    case EXCHANGE_FROM:
        x->from = argument;
        if (!parse_ip(argument, &x->settings.ends.local))
            return usage_error(_("%s: --from %s: not an address"), x->command->name, argument);
        break;
    case EXCHANGE_SEND:
        return take_text(x, argument);
    case EXCHANGE_LINGER:
        status = take_number(x, "--linger", argument, 0, 86400, &n);
        x->settings.endpoint.linger = (int64_t)n * second;
        break;
    case EXCHANGE_TIMEOUT:
        return take_number(x, "--timeout", argument, 1, 86400, &x->timeout);
    case EXCHANGE_MSS:
        status = take_number(x, "--mss", argument, 88, 65495, &n);
        x->settings.endpoint.mss = (uint16_t)n;
        break;
    case EXCHANGE_WINDOW:
        status = take_number(x, "--window", argument, 1, 1 << 30, &n);
        x->settings.endpoint.receive_buffer = (uint32_t)n;
        break;
    }
    return status;
}

static int wrong_place(const struct exchange *x, const char *text)
{
    return usage_error(_("%s: %s: not HOST:PORT (an IPv6 address stands in brackets: [fd00::1]:80)"), x->command->name,
                       text);
}

int exchange_operands(const struct exchange *x, int argc, char **argv, bool lone_port, char **host, unsigned *port)
{
    *host = NULL;
    if (argc < 1 || argc > 2)
        return usage_error(_("%s: who? Say %s; see 'peel %s --help'"), x->command->name,
                           lone_port ? "[HOST:]PORT" : "HOST:PORT", x->command->name);
    const char *name = argv[0], *end = name + strlen(name), *digits = argc == 2 ? argv[1] : NULL;
    unsigned long long n;
    if (!digits && lone_port && !strchr(name, ':')) {
        digits = name;
        end = name;
    } else if (!digits) {
        end = strrchr(name, ':');
        if (!end)
            return wrong_place(x, name);
        digits = end + 1;
        if (*name != '[' && memchr(name, ':', (size_t)(end - name)))
            return wrong_place(x, name);
    }
    if (*name == '[' && end > name + 1 && end[-1] == ']') {
        name++;
        end--;
    }
    if (!parse_number(digits, 1, UINT16_MAX, &n))
        return usage_error(_("%s: %s: not a port from 1 to 65535"), x->command->name, digits);
    *port = (unsigned)n;
    if (end == name)
        return lone_port ? 0 : wrong_place(x, argv[0]);
    *host = strndup(name, (size_t)(end - name));
    return *host ? 0 : usage_error("%s", _("no memory"));
}

/* ---- telling */

void exchange_tell_time(const struct exchange *x)
{
    fprintf(stderr, "%10.6f  ", (double)(dialogue_now() - x->begun) / 1e9);
}

static void on_change(void *context, enum tcp_state from, enum tcp_state to)
{
    struct exchange *x = context;
    if (to == TCP_ESTABLISHED)
        x->established = true;
    if (!x->verbose)
        return;
    exchange_tell_time(x);
    fprintf(stderr, "%s -> %s\n", tcp_state_name(from), tcp_state_name(to));
}

const char *exchange_notice(enum endpoint_notice notice)
{
    static const char *const texts[] = {
        [NOTICE_TIMER] = N_("the retransmission timer ran out"),
        [NOTICE_FAST] = N_("a segment is taken for lost"),
        [NOTICE_PROBE] = N_("probing a closed window"),
        [NOTICE_CHALLENGE] = N_("challenged what may be forged"),
        [NOTICE_OUTSIDE] = N_("a segment out of the window"),
        [NOTICE_OLD] = N_("a segment with an old timestamp"),
        [NOTICE_UNREACHABLE] = N_("an ICMP error, which the connection outlives"),
    };
    return notice < sizeof texts / sizeof *texts && texts[notice] ? _(texts[notice]) : NULL;
}

static void on_notice(void *context, enum endpoint_notice notice)
{
    struct exchange *x = context;
    const char *text = exchange_notice(notice);
    if (!x->verbose || !text)
        return;
    exchange_tell_time(x);
    fprintf(stderr, "%s\n", text);
}

static void on_packet(void *context, struct span bytes, uint16_t link_type, int64_t time, bool sent)
{
    struct exchange *x = context;
    (void)sent;
    live_ladder_take(x->ladder, bytes, link_type, time);
}

void exchange_tell_counts(const struct exchange *x, struct dialogue *dialogue)
{
    struct endpoint *e = dialogue_endpoint(dialogue);
    const struct endpoint_counts *n = endpoint_counts(e);
    exchange_tell_time(x);
    fprintf(stderr,
            _("sent %llu bytes in %llu segments (%llu again, %llu timeouts, %llu recoveries), received %llu bytes in "
              "%llu segments, round trip %.3f ms\n"),
            (unsigned long long)n->bytes_sent, (unsigned long long)n->sent, (unsigned long long)n->again,
            (unsigned long long)n->timeouts, (unsigned long long)n->recoveries, (unsigned long long)n->bytes_received,
            (unsigned long long)n->received, (double)endpoint_rtt(e) / 1e6);
}

/* ---- in and out */

/* A pipe gets an open file of our own that does not block, so that whoever else writes there is left alone. */
void exchange_open_output(struct exchange *x)
{
    struct stat s;
    x->out = STDOUT_FILENO;
    x->piece = PIPE_PIECE;
    if (fstat(STDOUT_FILENO, &s))
        return;
    if (S_ISREG(s.st_mode) || (S_ISCHR(s.st_mode) && !isatty(STDOUT_FILENO))) {
        x->piece = EXCHANGE_PIECE;
    } else if (S_ISFIFO(s.st_mode)) {
        int own = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (own < 0)
            return;
        close(STDOUT_FILENO);
        x->out = own;
        x->piece = EXCHANGE_PIECE;
    }
}

/* Behind the peer's last byte nothing will come: whoever reads our output need not wait for TIME_WAIT. */
static int close_output(struct exchange *x, struct error *error)
{
    x->output_over = true;
    int failed = close(x->out) ? errno : 0;
    x->out = -1;
    return failed ? error_set(error, ERROR_SYSTEM, _("standard output: %s"), strerror(failed)) : 0;
}

int exchange_drain(struct exchange *x, struct endpoint *e, struct error *error)
{
    x->blocked = false;
    for (struct span got; (got = endpoint_readable(e)).left;) {
        ssize_t n = write(x->out, got.at, got.left < x->piece ? got.left : x->piece);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            x->blocked = true;
            return 0;
        }
        if (n < 0 && errno == EPIPE) {
            error->text[0] = 0;
            return ERROR_SYSTEM;
        }
        if (n < 0)
            return error_set(error, ERROR_SYSTEM, _("standard output: %s"), strerror(errno));
        endpoint_consume(e, (size_t)n, dialogue_now());
        if (x->piece == PIPE_PIECE) {
            x->blocked = endpoint_readable(e).left; /* looks first whether the next piece would block */
            return 0;
        }
    }
    return 0;
}

static int drain(struct exchange *x, struct error *error)
{
    struct endpoint *e = dialogue_endpoint(x->dialogue);
    int code = exchange_drain(x, e, error);
    bool over = !code && !x->blocked && !x->output_over && endpoint_at_end(e);
    return over ? close_output(x, error) : code;
}

static void feed_text(struct exchange *x)
{
    struct endpoint *e = dialogue_endpoint(x->dialogue);
    x->text_sent += endpoint_put(e, x->text + x->text_sent, x->text_length - x->text_sent, dialogue_now());
    x->said_all = x->text_sent == x->text_length;
}

/* Standard input was found readable. */
static int feed(struct exchange *x, struct error *error)
{
    struct endpoint *e = dialogue_endpoint(x->dialogue);
    size_t room = endpoint_room(e);
    ssize_t n = read(STDIN_FILENO, x->room, room < EXCHANGE_PIECE ? room : EXCHANGE_PIECE);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0)
        return error_set(error, ERROR_SYSTEM, _("standard input: %s"), strerror(errno));
    if (n > 0)
        endpoint_put(e, x->room, (size_t)n, dialogue_now());
    else
        x->said_all = true;
    return 0;
}

static bool wants_input(const struct exchange *x)
{
    enum tcp_state state = endpoint_state(dialogue_endpoint(x->dialogue));
    return !x->text && !x->said_all && (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) &&
           endpoint_room(dialogue_endpoint(x->dialogue));
}

/* ---- the exchange */

static int64_t wake_at(const struct exchange *x)
{
    int64_t when = dialogue_deadline(x->dialogue);
    int64_t give_up = x->timeout && !x->established ? x->begun + (int64_t)x->timeout * second : INT64_MAX;
    int64_t rest = x->ladder ? live_ladder_deadline(x->ladder) : INT64_MAX;
    when = when < rest ? when : rest;
    return when < give_up ? when : give_up;
}

/* Waits for something to do. Whether standard input is readable. */
static bool wait_for(struct exchange *x, const sigset_t *waiting)
{
    struct pollfd fds[3] = {
        { .fd = dialogue_fd(x->dialogue), .events = POLLIN },
        { .fd = wants_input(x) ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = x->blocked ? x->out : -1, .events = POLLOUT },
    };
    int64_t when = wake_at(x), left = when - dialogue_now();
    struct timespec time = { .tv_sec = left > 0 ? left / second : 0, .tv_nsec = left > 0 ? left % second : 0 };
    int n = stop_poll(fds, 3, when == INT64_MAX ? NULL : &time, waiting);
    return n > 0 && fds[1].revents && !interrupted;
}

static void move_on(struct exchange *x)
{
    struct endpoint *e = dialogue_endpoint(x->dialogue);
    enum tcp_state state = endpoint_state(e);
    if (state < TCP_ESTABLISHED)
        return;
    if (x->text && !x->said_all)
        feed_text(x);
    if (x->said_all && !x->shut) {
        x->shut = true;
        endpoint_shutdown(e, dialogue_now());
    }
}

static int give_up(struct exchange *x, struct error *error)
{
    struct endpoint *e = dialogue_endpoint(x->dialogue);
    bool called = endpoint_state(e) > TCP_LISTEN;
    endpoint_abort(e, dialogue_now());
    dialogue_flush(x->dialogue);
    if (!interrupted)
        return error_set(error, ERROR_SYSTEM,
                         x->settings.ends.remote.size ? _("not connected after %llu s")
                                                      : _("nobody called within %llu s"),
                         x->timeout);
    return called ? dialogue_verdict(x->dialogue, error) : error_set(error, ERROR_SYSTEM, _("interrupted"));
}

static bool too_late(const struct exchange *x)
{
    return x->timeout && !x->established && dialogue_now() >= x->begun + (int64_t)x->timeout * second;
}

/* Who called gave up before there was a connection; another one may call. */
static bool went_away(const struct exchange *x)
{
    return !x->settings.ends.remote.size && !x->established && !interrupted;
}

static int exchange_all(struct exchange *x, const sigset_t *waiting, struct error *error)
{
    struct endpoint *e = dialogue_endpoint(x->dialogue);
    int code = 0;
    while (!code) {
        move_on(x);
        code = drain(x, error);
        dialogue_flush(x->dialogue);
        if (!code && endpoint_end(e) && went_away(x)) {
            code = dialogue_listen_again(x->dialogue, error);
            if (code)
                return code;
            e = dialogue_endpoint(x->dialogue);
            continue;
        }
        if (code || (endpoint_end(e) && !endpoint_readable(e).left))
            break;
        if (interrupted && endpoint_state(e) == TCP_TIME_WAIT)
            return 0;
        if (interrupted || too_late(x))
            return give_up(x, error);
        bool readable = wait_for(x, waiting);
        if (x->ladder)
            live_ladder_rest(x->ladder, dialogue_now());
        if (readable)
            code = feed(x, error);
        if (!code)
            code = dialogue_step(x->dialogue, error);
    }
    if (code && !endpoint_end(e)) { /* the trouble is ours: the peer is told */
        endpoint_abort(e, dialogue_now());
        dialogue_flush(x->dialogue);
    }
    return code ? code : dialogue_verdict(x->dialogue, error);
}

void exchange_catch_signals(sigset_t *before)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t ours;
    sigemptyset(&ours);
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old; /* nohup(1) means it; a shell that starts a job in the background does not */
        if (numbers[i] == SIGHUP && !sigaction(SIGHUP, NULL, &old) && old.sa_handler == SIG_IGN)
            continue;
        sigaction(numbers[i], &action, NULL);
        sigaddset(&ours, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &ours, before);
}

int exchange_run(struct exchange *x, struct error *error)
{
    struct dialogue_observer observer = { .changed = on_change, .noticed = on_notice };
    sigset_t before;
    x->begun = dialogue_now();
    if (!x->room && !(x->room = malloc(EXCHANGE_PIECE)))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    if (x->draw) {
        int drawn = live_ladder_open(&x->ladder, error);
        if (drawn)
            return drawn;
        observer.packet = on_packet;
    }
    int code = dialogue_open(&x->dialogue, &x->settings, &observer, x, error);
    if (code)
        return code;
    if (x->out < 0)
        exchange_open_output(x);
    exchange_catch_signals(&before);
    code = exchange_all(x, &before, error);
    sigprocmask(SIG_SETMASK, &before, NULL);
    live_ladder_close(x->ladder);
    x->ladder = NULL;
    if (x->verbose)
        exchange_tell_counts(x, x->dialogue);
    dialogue_close(x->dialogue);
    x->dialogue = NULL;
    return code;
}
