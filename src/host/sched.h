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
 * One pass over the threads of these VMs, which stay the same meanwhile:
 *
 *      host_sched_begin() ──> host_sched_more()* ──> host_sched_give() for each
 *
 * host_sched_more() takes a part of it: true says that there may be more. host_sched_give() gives a VM its
 * rows, if it @lacks_rows of this pass or of a later time, and the provider, if it has that not yet. A
 * thread that is gone has no row; where the pass has failed, no VM has one.
 */
void host_sched_begin(struct host_sched *sched, struct host_vm *const *vms, size_t n,
                      uint64_t now_ns);
bool host_sched_more(struct host_sched *sched, struct host_vm *const *vms, size_t n);
void host_sched_give(struct host_sched *sched, struct host_vm *vm, bool lacks_rows);

/*
 * The same of some VMs of one process, of which the last pass knew, over its threads alone: it may come in
 * between. -errno, as of host_threads_take_process(): all must be read.
 */
int host_sched_read_process(struct host_sched *sched, struct host_vm *const *vms, size_t n,
                            uint64_t now_ns);

#endif
