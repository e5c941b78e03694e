/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "sched/other_threads.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time))
        return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* 0: it has ended. The clock is the one that pthread_getcpuclockid() gives of a thread. */
static uint64_t thread_ns(pid_t thread)
{
    enum { OF_A_THREAD = 4, ALL_ITS_TIME = 2 };

    return clock_ns((clockid_t)(~(uint32_t)thread << 3 | OF_A_THREAD | ALL_ITS_TIME));
}

static int compare_threads(const void *a, const void *b)
{
    const struct vcpu_thread *x = a, *y = b;

    return (x->thread > y->thread) - (x->thread < y->thread);
}

static int reserve(struct other_threads *others, size_t n)
{
    struct vcpu_thread *vcpus;

    if (n <= others->cap)
        return 0;
    vcpus = realloc(others->vcpus, n * sizeof(*vcpus));
    if (!vcpus)
        return -ENOMEM;
    others->vcpus = vcpus;
    others->cap = n;
    return 0;
}

int other_threads_add_vcpus(struct other_threads *others, const struct object_list *vcpus)
{
    size_t n_known = others->n;

    if (reserve(others, n_known + vcpus->n))
        return -ENOMEM;
    for (size_t i = 0; i < vcpus->n; i++) {
        struct vcpu_thread added = {.thread = (pid_t)vcpus->objects[i].thread};

        if (added.thread > 0 &&
            (!n_known || !bsearch(&added, others->vcpus, n_known, sizeof(added), compare_threads)))
            others->vcpus[others->n++] = added;
    }
    if (others->n > n_known)
        qsort(others->vcpus, others->n, sizeof(*others->vcpus), compare_threads);
    return 0;
}

/* Those of all vCPUs that there are and were. A thread that runs several is there several times. */
static uint64_t add_up_vcpus(struct other_threads *others)
{
    size_t n = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < others->n; i++) {
        struct vcpu_thread vcpu = others->vcpus[i];
        uint64_t now = thread_ns(vcpu.thread);

        if (n && others->vcpus[n - 1].thread == vcpu.thread)
            continue;
        if (now < vcpu.ns)
            others->ended_vcpus_ns += vcpu.ns;
        vcpu.ns = now;
        if (now)
            others->vcpus[n++] = vcpu;
        sum += now;
    }
    others->n = n;
    return sum + others->ended_vcpus_ns;
}

/*
 * The vCPUs are read before the whole process, and run on in between: it is a little too much rather
 * than too little, and must not fall when it is less too much the next time.
 */
uint64_t other_threads_ns(struct other_threads *others)
{
    uint64_t vcpus = add_up_vcpus(others), process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    if (process > vcpus && process - vcpus > others->ns)
        others->ns = process - vcpus;
    return others->ns;
}

void other_threads_free(struct other_threads *others)
{
    free(others->vcpus);
    *others = (struct other_threads){0};
}
