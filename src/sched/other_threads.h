/* SPDX-License-Identifier: MIT */
/* The CPU time of the threads of this process that are no vCPU. */
#ifndef SCHED_OTHER_THREADS_H
#define SCHED_OTHER_THREADS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stats/objects.h"

/* A thread that ran a vCPU, and the time that it had when it was looked at last. */
struct vcpu_thread {
    pid_t thread;
    uint64_t ns;
};

/* All zeros at first. */
struct other_threads {
    struct vcpu_thread *vcpus; /* by the thread */
    size_t n, cap;
    uint64_t ended_vcpus_ns;
    uint64_t ns; /* what was said last */
};

/*
 * The threads of these vCPUs are no others, and stay that until they end, so that what they did does
 * not become another's. -ENOMEM.
 */
int other_threads_add_vcpus(struct other_threads *others, const struct object_list *vcpus);

/* Never falls. */
uint64_t other_threads_ns(struct other_threads *others);
void other_threads_free(struct other_threads *others);

#endif
