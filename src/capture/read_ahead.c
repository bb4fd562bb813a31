#include "capture/read_ahead.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
    BLOCKS = 8,
    HELD = 2, /* by who takes: the block in use and the one before it, whose end is being carried */
    PAGE = 4096,
};

struct read_ahead {
    block_source *source;
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled, freed;
    uint32_t read, taken; /* blocks so far; the mutex guards these two and stop */
    bool stop;
    uint8_t *room; /* BLOCKS times AHEAD_FRONT and AHEAD_BLOCK */
    struct {
        ssize_t bytes; /* 0: the end, negative: an error */
        const char *why;
    } blocks[BLOCKS];
};

static uint8_t *block_at(const struct read_ahead *a, uint32_t number)
{
    return a->room + (size_t)(number % BLOCKS) * (AHEAD_FRONT + AHEAD_BLOCK) + AHEAD_FRONT;
}

/* Waits until a good part of the blocks may be read anew: one by one would be a wake-up each. */
static bool await_room(struct read_ahead *a)
{
    pthread_mutex_lock(&a->mutex);
    if (a->read - a->taken >= BLOCKS - HELD)
        while (!a->stop && a->read - a->taken > (BLOCKS - HELD) / 2)
            pthread_cond_wait(&a->freed, &a->mutex);
    bool go_on = !a->stop;
    pthread_mutex_unlock(&a->mutex);
    return go_on;
}

static void *read_on(void *context)
{
    struct read_ahead *a = context;
    ssize_t n = 1;
    while (n > 0 && await_room(a)) {
        uint32_t number = a->read;
        const char *why = NULL;
        n = a->source(a->context, block_at(a, number), AHEAD_BLOCK, &why);
        a->blocks[number % BLOCKS].bytes = n;
        a->blocks[number % BLOCKS].why = why;
        pthread_mutex_lock(&a->mutex);
        a->read++;
        pthread_cond_signal(&a->filled);
        pthread_mutex_unlock(&a->mutex);
    }
    return NULL;
}

/* A thread that signals leave alone. */
static bool start(struct read_ahead *a)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&a->thread, NULL, read_on, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !code;
}

struct read_ahead *read_ahead_open(block_source *source, void *context)
{
    struct read_ahead *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->source = source;
    a->context = context;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->filled, NULL);
    pthread_cond_init(&a->freed, NULL);
    a->room = aligned_alloc(PAGE, (size_t)BLOCKS * (AHEAD_FRONT + AHEAD_BLOCK));
    if (a->room && start(a))
        return a;
    free(a->room);
    free(a);
    return NULL;
}

ssize_t read_ahead_take(struct read_ahead *a, uint8_t **block, const char **why)
{
    pthread_mutex_lock(&a->mutex);
    while (a->read == a->taken)
        pthread_cond_wait(&a->filled, &a->mutex);
    uint32_t number = a->taken;
    ssize_t n = a->blocks[number % BLOCKS].bytes;
    if (n > 0) {
        a->taken++;
        pthread_cond_signal(&a->freed);
    }
    pthread_mutex_unlock(&a->mutex);
    *block = block_at(a, number);
    *why = a->blocks[number % BLOCKS].why;
    return n;
}

void read_ahead_close(struct read_ahead *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stop = true;
    pthread_cond_signal(&a->freed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
    pthread_mutex_destroy(&a->mutex);
    pthread_cond_destroy(&a->filled);
    pthread_cond_destroy(&a->freed);
    free(a->room);
    free(a);
}
