/* SPDX-License-Identifier: MIT */
#include "base/at_once.h"

#include <pthread.h>

#include "base/clock.h"

struct job {
    void (*work)(void *opaque, size_t i);
    void *opaque;
    size_t n;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t taken;  /* the last one is */
    size_t next;
    pthread_t threads[AT_ONCE_MAX];
    size_t n_threads;
};

static void *work_on(void *opaque)
{
    struct job *job = opaque;
    size_t i;

    pthread_mutex_lock(&job->mutex);
    while ((i = job->next) < job->n) {
        job->next++;
        pthread_mutex_unlock(&job->mutex);
        job->work(job->opaque, i);
        pthread_mutex_lock(&job->mutex);
    }
    pthread_cond_signal(&job->taken);
    pthread_mutex_unlock(&job->mutex);
    return NULL;
}

/* Under the mutex. Returns how many there are more; fewer than @n where there is nothing for them. */
static size_t add_threads(struct job *job, size_t n)
{
    size_t before = job->n_threads;

    if (n > job->n - job->next)
        n = job->n - job->next;
    if (n > AT_ONCE_MAX - before)
        n = AT_ONCE_MAX - before;
    while (job->n_threads < before + n &&
           pthread_create(&job->threads[job->n_threads], NULL, work_on, job) == 0)
        job->n_threads++;
    return job->n_threads - before;
}

/* Fewer than half of the threads took something in that time. Under the mutex. */
static bool do_most_wait(struct job *job)
{
    uint64_t until = clock_now_ns() + AT_ONCE_PATIENCE_MS * UINT64_C(1000000);
    size_t before = job->next;

    while (job->next < job->n)
        if (clock_wait_until(&job->taken, &job->mutex, until))
            return job->next < job->n && job->next - before < (job->n_threads + 1) / 2;
    return false;
}

static void add_threads_as_needed(struct job *job)
{
    pthread_mutex_lock(&job->mutex);
    add_threads(job, AT_ONCE_FEW);
    while (job->n_threads && job->next < job->n)
        if (do_most_wait(job) && !add_threads(job, job->n_threads))
            break;
    pthread_mutex_unlock(&job->mutex);
}

void at_once(size_t n, void (*work)(void *opaque, size_t i), void *opaque)
{
    struct job job = {.n = n, .work = work, .opaque = opaque, .mutex = PTHREAD_MUTEX_INITIALIZER};

    clock_init_condition(&job.taken);
    if (n > 1)
        add_threads_as_needed(&job);
    if (!job.n_threads) /* there is one thing to do, or no thread can be made */
        work_on(&job);
    while (job.n_threads)
        pthread_join(job.threads[--job.n_threads], NULL);
    pthread_cond_destroy(&job.taken);
    pthread_mutex_destroy(&job.mutex);
}
