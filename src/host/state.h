/* SPDX-License-Identifier: MIT */
/* What a vCPU does, as far as passes over the kernel show. */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include "host/vm.h"

enum host_state {
    HOST_NEVER_RAN, /* no thread has entered it yet */
    HOST_RUNNING,   /* in its guest, also where that takes no exits for minutes */
    HOST_HALTED,    /* waits in the kernel for an interrupt */
    HOST_OUTSIDE,   /* its VMM is at work for it, or at rest */
    HOST_PAUSED,    /* outside for long, and without CPU time */
};

/* So long outside and without CPU time, and a vCPU is called paused. */
#define HOST_PAUSED_AFTER_NS 1000000000u

/* After each pass: what the vCPUs of a VM did since the one before. */
void host_state_update(struct host_vm *vm, uint64_t now_ns);

/* As of the last pass. */
enum host_state host_vcpu_state(const struct host_vm *vm, const struct host_vcpu *vcpu);

/*
 * Of the VM: what its busiest vCPU does; halted vCPUs wait for work, so the VM runs. One that has
 * registered is paused while its VMM says so, and where the kernel does not show it, else runs.
 */
enum host_state host_vm_state(const struct host_vm *vm);

#endif
