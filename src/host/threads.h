/* SPDX-License-Identifier: MIT */
/*
 * Rows of provider 'sched', of all VMs of the host, from one pass over the threads of their processes
 * (bpf/threads.h). However many VMs a process has, its threads are added up once.
 *
 *      host_threads_take() ──> host_threads_mark_vcpu()* ──> rows
 *
 * It remembers the pass before: what has ended in between is not lost, and what is cumulative does
 * not fall. One thread at a time.
 */
#ifndef HOST_THREADS_H
#define HOST_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/records.h"
#include "sched/cgroup.h"
#include "sched/schema.h"

/* What is remembered of a thread. */
struct host_thread {
    pid_t thread, process;
    uint64_t start_time;
    bool is_seen; /* while a pass over one process is taken */
    bool is_vcpu; /* of any VM, now or before */
    struct cgroup_inodes in;
    uint64_t row[SCHED_VCPU_STATS];
};

/* What is remembered of a process. */
struct host_process {
    const struct thread_record *first; /* while a pass is taken */
    pid_t process;
    uint64_t
        read_ns; /* when the pass over it alone began that it is of; 0: it is of one over all */
    uint64_t start_time; /* of its first thread; 0: that was not seen */
    uint64_t n_threads, resident_pages;
    uint64_t run_ns, minor_faults, major_faults, read_bytes, written_bytes;
    uint64_t vcpus_ns, ended_vcpus_ns;
    uint64_t other_threads_ns; /* what was said last */
};

/* All zeros at first. */
struct host_threads {
    struct host_thread *threads, *threads_before; /* by the thread */
    size_t n_threads, n_threads_before;
    size_t last_found; /* of the threads: the next one is mostly beside it */
    struct host_process *processes, *processes_before; /* by the process */
    size_t n_processes, n_processes_before;
    size_t cap, cap_before;
    uint64_t begin_ns; /* of the pass that is taken */
    size_t n_newer;    /* threads of processes that were read alone since then */
    uint32_t left_out;
};

/*
 * Takes the records of a pass that began at @begin_ns, in the order of the threads' numbers. A process
 * that was read alone since then stays as it is. -ENOMEM: nothing has changed.
 */
int host_threads_take(struct host_threads *threads, const struct thread_record *records, size_t n,
                      uint64_t begin_ns);

/*
 * Takes those of one process alone, in any order, of a pass that began at @begin_ns. -ENOENT: it, or a
 * thread of a vCPU, is not as the last pass over all had it; -ENOMEM. Then nothing has changed.
 */
int host_threads_take_process(struct host_threads *threads, pid_t process,
                              const struct thread_record *records, size_t n, uint64_t begin_ns);
void host_threads_free(struct host_threads *threads);

/* This thread runs a vCPU: for each one of each VM, before rows of their processes are asked for. */
void host_threads_mark_vcpu(struct host_threads *threads, pid_t thread);

/* Fills a row of target "vcpu"; false: the last pass had no such thread. */
bool host_threads_vcpu_row(struct host_threads *threads, pid_t thread, uint64_t *row);

/* Fills a row of target "vm", but for the time of quotas; false: no such process. */
bool host_threads_vm_row(struct host_threads *threads, pid_t process, uint64_t *row);

/* What this kernel does not count, as bits of target "vm". Known from the first record on. */
uint32_t host_threads_left_out(const struct host_threads *threads);

/* Which groups the kernel had it in; unknown if the last pass had no such thread. */
struct cgroup_inodes host_threads_inodes(struct host_threads *threads, pid_t thread);

/*
 * How long quotas held these threads of a process back, at the time that was told to @cgroups. @proc is
 * /proc, open; the numbers are those there. -ENOMEM.
 */
int host_threads_throttled_ns(struct vm_cgroups *vm, struct cgroups *cgroups, int proc,
                              pid_t process, const struct cgroup_thread *threads, size_t n,
                              uint64_t *ret_ns);

#endif
