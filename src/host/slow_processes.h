/* SPDX-License-Identifier: MIT */
/*
 * Processes that have kept a reader waiting, and may not again for a while. They pay one by one, as a
 * manager runs the VMs of all tenants as one user; only where several of a user were slow, all of that
 * user's pay, as a new process costs nothing.
 */
#ifndef HOST_SLOW_PROCESSES_H
#define HOST_SLOW_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SLOW_PROCESSES_MAX = 16, /* of all users: where so many were waited for, nobody is any more */
    SLOW_PROCESSES_OF_USER = 4, /* the same of one user */
};

struct slow_process {
    pid_t pid;
    uint64_t start; /* a number may be another's later */
    uid_t uid;
    uint64_t until_ns;
};

/* All zeros at first. */
struct slow_processes {
    struct slow_process all[SLOW_PROCESSES_MAX];
    unsigned next; /* the oldest one */
};

void slow_processes_add(struct slow_processes *processes, const struct slow_process *process);

/* Whether it must not be waited for at @now_ns. */
bool slow_processes_have(const struct slow_processes *processes, const struct slow_process *process,
                         uint64_t now_ns);

#endif
