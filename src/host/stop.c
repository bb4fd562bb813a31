#include "host/stop.h"
#include <signal.h>
#include <stddef.h>

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t asked;

static void remember(int number)
{
    (void)number;
    asked = 1;
}

void stop_watch(void)
{
    struct sigaction action = { .sa_handler = remember,
                                .sa_flags = (int)SA_RESETHAND }; /* no SA_RESTART: waiting ends */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        /* nohup(1) means it; a shell that starts a job in the background has SIGINT ignored and does not. */
        if (numbers[i] != SIGHUP || (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN))
            sigaction(numbers[i], &action, NULL);
    }
}

bool stop_asked(void)
{
    return asked;
}

void stop_block(sigset_t *before)
{
    sigset_t ours;
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&ours, numbers[i]);
    sigprocmask(SIG_BLOCK, &ours, before);
}

int stop_poll(struct pollfd *fds, unsigned count, const struct timespec *most, const sigset_t *waiting)
{
    int ready = ppoll(fds, count, most, waiting);
    if (ready > 0) {
        sigset_t ours;
        sigprocmask(SIG_SETMASK, waiting, &ours);
        sigprocmask(SIG_SETMASK, &ours, NULL);
    }
    return ready;
}
