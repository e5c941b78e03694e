/* SPDX-License-Identifier: MIT */
/*
 * How long CPU quotas held threads back. A quota is a control group's, and holds for all that is
 * below it; the time is counted where the quota is. So the time of a VM is the sum over the groups
 * in which its threads are and all groups above them, each once: those of systemd's units and slices,
 * and those that libvirt makes for each vCPU.
 *
 * One thread at a time.
 */
#ifndef SCHED_CGROUP_H
#define SCHED_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sched/proc.h"

/*
 * Threads rarely move, and quotas rarely change: both are looked at again after this time, but for the
 * second time after a part of it, so that those that came together are not all looked at together. A
 * group without a quota is not read in between, which is most of them. Where the kernel has told of each
 * thread which group it is in, one that has moved is seen at once, and what is looked at are groups.
 */
#define CGROUP_LOOK_NS 5000000000u

struct cgroup;  /* a group, and whoever uses it */
struct cgroups; /* all groups that are used, by their paths */

/*
 * @root is "", or a directory that stands for "/". -ENOENT: no hierarchy of groups that divides CPU
 * time is mounted; -errno; -ENOMEM.
 */
int cgroups_new(const char *root, struct cgroups **ret_cgroups);
void cgroups_free(struct cgroups *cgroups); /* no group is used any more; NULL is allowed */

/*
 * The group of a thread whose file /proc/PID/task/T/cgroup has this text. -ENOENT: it is outside of
 * what is mounted here, as a neighbour's can be in a container; -EBADMSG; -ENAMETOOLONG; -ENOMEM.
 */
int cgroups_get(struct cgroups *cgroups, struct proc_text text, struct cgroup **ret_cgroup);
void cgroups_put(struct cgroups *cgroups, struct cgroup *cgroup);

/* What is asked for from here on is as of @now_ns: each group is read once for it. Never 0. */
void cgroups_set_time(struct cgroups *cgroups, uint64_t now_ns);

/* ---- the groups of one VM ------------------------------------------------------------------- */

/* The groups of a thread: the inodes of their directories. 0: not known. */
struct cgroup_inodes {
    uint64_t unified, cpu; /* in the unified hierarchy, and in that of the controller of CPU time */
};

struct cgroup_thread {
    pid_t thread;
    struct cgroup_inodes in;
};

/* All zeros at first. */
struct vm_cgroups {
    struct cgroup **used; /* one for each group that threads are in */
    size_t n, cap;
    uint64_t looked_at;
    uint64_t sum_of_inodes; /* of the threads at that time */
};

/*
 * Finds out where the threads are, if that was long ago, or if their inodes are others. @directory: of the
 * process in /proc. Threads that are gone, or whose group can't be seen, count for nothing. -ENOMEM.
 */
int vm_cgroups_look(struct vm_cgroups *vm, struct cgroups *cgroups, int directory,
                    const struct cgroup_thread *threads, size_t n);

/* Whether vm_cgroups_look() would do anything. */
bool vm_cgroups_are_due(const struct vm_cgroups *vm, const struct cgroups *cgroups,
                        const struct cgroup_thread *threads, size_t n);

uint64_t vm_cgroups_throttled_ns(const struct vm_cgroups *vm, struct cgroups *cgroups);
void vm_cgroups_free(struct vm_cgroups *vm, struct cgroups *cgroups);

#endif
