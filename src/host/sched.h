/* SPDX-License-Identifier: MIT */
/*
 * Provider 'sched' of all VMs of the host: what the scheduler, memory and storage gave to their
 * threads, from a second pass of the kernel that follows the one over the VMs.
 */
#ifndef HOST_SCHED_H
#define HOST_SCHED_H

#include "host/vm.h"

struct host_sched;

/*
 * Needs what bpf_threads_open() needs, and no capability afterwards. @root as there. NULL: it can't be
 * had, and the VMs are shown without it.
 */
struct host_sched *host_sched_open(const char *root);
void host_sched_close(struct host_sched *sched); /* no VM is left; NULL is allowed */

/*
 * One pass: gives each of the VMs its rows, and the provider to those that lack it. A thread that is
 * gone has no row. @now_ns is the time of the pass. -errno: the VMs keep no row.
 */
int host_sched_read(struct host_sched *sched, struct host_vm *const *vms, size_t n,
                    uint64_t now_ns);

/*
 * The same of some VMs of one process, of which the last pass knew, over its threads alone. -errno, as
 * of host_threads_take_process(): all must be read.
 */
int host_sched_read_process(struct host_sched *sched, struct host_vm *const *vms, size_t n,
                            uint64_t now_ns);

#endif
