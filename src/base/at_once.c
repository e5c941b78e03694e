/* SPDX-License-Identifier: MIT */
#include "base/at_once.h"

#include <pthread.h>
#include <stdatomic.h>

struct job {
    size_t n;
    atomic_size_t next;
    void (*work)(void *opaque, size_t i);
    void *opaque;
};

static void *work_on(void *opaque)
{
    struct job *job = opaque;
    size_t i;

    while ((i = atomic_fetch_add(&job->next, 1)) < job->n)
        job->work(job->opaque, i);
    return NULL;
}

/* The caller works, too: where no thread can be made, it does all. */
void at_once(size_t n, void (*work)(void *opaque, size_t i), void *opaque)
{
    struct job job = {.n = n, .work = work, .opaque = opaque};
    pthread_t threads[AT_ONCE_MAX - 1];
    size_t n_threads = 0;

    while (n_threads + 1 < n && n_threads < AT_ONCE_MAX - 1 &&
           pthread_create(&threads[n_threads], NULL, work_on, &job) == 0)
        n_threads++;
    work_on(&job);
    while (n_threads)
        pthread_join(threads[--n_threads], NULL);
}
