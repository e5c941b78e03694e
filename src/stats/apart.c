/* SPDX-License-Identifier: MIT */
#include "stats/apart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/library_thread.h"

struct apart {
    uint64_t deadline_ns;
    pthread_mutex_t lock; /* all below; never held while collect() runs */
    pthread_cond_t hooked;
    bool is_running, is_hooked;
    uint64_t started_ns;            /* what runs, or ran last */
    struct stats_collection result; /* of the last one that came back */
    uint64_t result_ns;             /* when that was started; 0: there is none */
    int result_err;
};

/* What a thread is given. */
struct job {
    struct apart *apart;
    struct group_pin pin;
    struct thread_hook hook;
};

struct apart *apart_new(uint32_t deadline_ms)
{
    struct apart *apart = calloc(1, sizeof(*apart));

    if (!apart)
        return NULL;
    apart->deadline_ns = (uint64_t)(deadline_ms ? deadline_ms : VITALS_DEADLINE_MS) * 1000000;
    pthread_mutex_init(&apart->lock, NULL);
    pthread_cond_init(&apart->hooked, NULL);
    return apart;
}

void apart_free(struct apart *apart)
{
    if (!apart)
        return;
    stats_collection_free(&apart->result);
    pthread_cond_destroy(&apart->hooked);
    pthread_mutex_destroy(&apart->lock);
    free(apart);
}

/* A result that a thread was changing stays where it is. */
void apart_forget(struct apart *apart)
{
    *apart = (struct apart){.deadline_ns = apart->deadline_ns};
    pthread_mutex_init(&apart->lock, NULL);
    pthread_cond_init(&apart->hooked, NULL);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void run_hook(struct job *job)
{
    struct apart *apart = job->apart;

    if (job->hook.run)
        job->hook.run(job->hook.opaque);
    pthread_mutex_lock(&apart->lock);
    apart->is_hooked = true;
    pthread_cond_broadcast(&apart->hooked); /* of each server that shows the context */
    pthread_mutex_unlock(&apart->lock);
}

/* Nothing of the group is touched behind registry_unpin(): it may be freed then. */
static void *run(void *opaque)
{
    struct job *job = opaque;
    struct apart *apart = job->apart;
    struct stats_collection result = {0}, old;
    int err;

    run_hook(job);
    err = stats_collect_group(&result, &job->pin);
    pthread_mutex_lock(&apart->lock);
    old = apart->result;
    apart->result = result;
    apart->result_ns = apart->started_ns;
    apart->result_err = err;
    apart->is_running = false;
    pthread_mutex_unlock(&apart->lock);
    stats_collection_free(&old);
    registry_unpin(&job->pin);
    free(job);
    return NULL;
}

static int start_thread(struct job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    int err;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    err = library_thread_create(&thread, &attr, run, job);
    pthread_attr_destroy(&attr);
    return err;
}

static struct job *new_job(struct vitals_group *group, const struct thread_hook *hook)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->apart = group->apart;
    job->hook = *hook;
    if (registry_pin(group, &job->pin))
        return job;
    free(job);
    return NULL;
}

/* Under the lock. Where no thread can be had there will be no rows. */
static void start(struct vitals_group *group, const struct thread_hook *hook)
{
    struct apart *apart = group->apart;
    struct job *job = new_job(group, hook);

    if (!job)
        return;
    apart->started_ns = clock_now_ns();
    apart->is_hooked = false;
    if (start_thread(job)) {
        registry_unpin(&job->pin);
        free(job);
        return;
    }
    apart->is_running = true;
    while (!apart->is_hooked)
        pthread_cond_wait(&apart->hooked, &apart->lock);
}

/* ---- who asks ------------------------------------------------------------------------------- */

bool apart_look(struct vitals_group *group, uint64_t since_ns, const struct thread_hook *hook)
{
    struct apart *apart = group->apart;
    uint64_t now;
    bool is_done;

    pthread_mutex_lock(&apart->lock);
    now = clock_now_ns(); /* not before what another server has begun */
    is_done = (apart->result_ns && apart->result_ns >= since_ns) ||
              now - since_ns >= apart->deadline_ns ||
              (apart->is_running && now - apart->started_ns >= apart->deadline_ns);
    if (!is_done && !apart->is_running)
        start(group, hook);
    pthread_mutex_unlock(&apart->lock);
    return is_done;
}

/* Under the lock. */
static void give_rows(const struct apart *apart, struct vitals_sink *sink)
{
    const struct stats_part *part = &apart->result.parts[0];
    const struct path_table *objects = &apart->result.objects;
    bool is_vm = !strcmp(part->schema->target, "vm");
    size_t i;

    for (i = 0; i < objects->count; i++) {
        const uint64_t *from = stats_part_row(part, i);
        uint64_t *to = from ? vitals_row(sink, is_vm ? NULL : objects->paths[i]) : NULL;

        if (to)
            memcpy(to, from, part->schema->row_len * sizeof(*to));
    }
}

int apart_give(const struct group_pin *pin, uint64_t since_ns, struct vitals_sink *sink)
{
    struct apart *apart = pin->group->apart;
    int err = -ETIMEDOUT;

    pthread_mutex_lock(&apart->lock);
    if (apart->result_ns && apart->result_ns >= since_ns)
        err = apart->result_err;
    if (!err && apart->result.n_parts && apart->result.parts[0].schema == pin->schema)
        give_rows(apart, sink);
    pthread_mutex_unlock(&apart->lock);
    if (err == -ETIMEDOUT) /* its collect() has no result to tell of yet */
        atomic_store_explicit(&pin->group->result, err, memory_order_relaxed);
    return err;
}
