/* SPDX-License-Identifier: MIT */
#include "base/closer.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/library_thread.h"

enum { STACK_SIZE = 256 * 1024 };

struct closing {
    int fd;
    STAILQ_ENTRY(closing) link;
};

/* Its threads may outlive whoever made it, so they share it. */
struct closer {
    pthread_mutex_t lock; /* all below, but for reading n_pending */
    STAILQ_HEAD(, closing) waiting;
    uint32_t n_threads;
    atomic_uint n_pending;
    bool freed;
};

struct closer *closer_new(void)
{
    struct closer *closer = calloc(1, sizeof(*closer));

    if (!closer)
        return NULL;
    pthread_mutex_init(&closer->lock, NULL);
    STAILQ_INIT(&closer->waiting);
    return closer;
}

/* Under the lock, which goes with it. */
static void unlock_and_destroy_unused(struct closer *closer)
{
    bool unused = closer->freed && !closer->n_threads;

    pthread_mutex_unlock(&closer->lock);
    if (!unused)
        return;
    pthread_mutex_destroy(&closer->lock);
    free(closer);
}

static struct closing *take_first(struct closer *closer)
{
    struct closing *closing = STAILQ_FIRST(&closer->waiting);

    if (closing)
        STAILQ_REMOVE_HEAD(&closer->waiting, link);
    return closing;
}

static void *run(void *opaque)
{
    struct closer *closer = opaque;
    struct closing *closing;

    pthread_mutex_lock(&closer->lock);
    while ((closing = take_first(closer))) {
        pthread_mutex_unlock(&closer->lock);
        close(closing->fd);
        free(closing);
        pthread_mutex_lock(&closer->lock);
        closer->n_pending--;
    }
    closer->n_threads--;
    unlock_and_destroy_unused(closer);
    return NULL;
}

static int start_thread(struct closer *closer)
{
    pthread_attr_t attr;
    pthread_t thread;
    int err;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    err = library_thread_create(&thread, &attr, run, closer);
    pthread_attr_destroy(&attr);
    return err;
}

/* Under the lock. */
static void add_thread(struct closer *closer)
{
    if (closer->n_threads < CLOSER_THREADS_MAX && !start_thread(closer))
        closer->n_threads++;
}

void closer_take(struct closer *closer, int fd)
{
    struct closing *closing = malloc(sizeof(*closing));

    if (!closing) /* it stays open for good: closing it here would be worse */
        return;
    closing->fd = fd;
    pthread_mutex_lock(&closer->lock);
    STAILQ_INSERT_TAIL(&closer->waiting, closing, link);
    closer->n_pending++;
    add_thread(closer);
    pthread_mutex_unlock(&closer->lock);
}

uint32_t closer_pending(const struct closer *closer)
{
    return closer->n_pending;
}

/* Under the lock. */
static void forget_waiting(struct closer *closer)
{
    struct closing *closing;

    while ((closing = take_first(closer)))
        free(closing);
}

void closer_free(struct closer *closer)
{
    if (!closer)
        return;
    pthread_mutex_lock(&closer->lock);
    closer->freed = true;
    if (!closer->n_threads) /* none could be made: these stay open */
        forget_waiting(closer);
    unlock_and_destroy_unused(closer);
}

/* ---- after fork() --------------------------------------------------------------------------- */

void closer_free_copy(struct closer *closer)
{
    if (!closer || pthread_mutex_trylock(&closer->lock))
        return;
    closer->freed = true;
    closer->n_threads = 0;
    forget_waiting(closer);
    unlock_and_destroy_unused(closer);
}

int closer_take_over(struct closer *closer)
{
    struct closing *closing;

    if (pthread_mutex_trylock(&closer->lock))
        return -EBUSY;
    closer->n_threads = 0;
    closer->n_pending = 0; /* what one of its threads had in hand is the parent's */
    STAILQ_FOREACH(closing, &closer->waiting, link)
    {
        closer->n_pending++;
    }
    if (closer->n_pending)
        add_thread(closer);
    pthread_mutex_unlock(&closer->lock);
    return 0;
}
