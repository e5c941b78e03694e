/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine monitor as small as one can be on /dev/kvm: one memory slot, the interrupt
 * controllers of the kernel, a thread for each vCPU, and guest code that makes the kernel's
 * statistics move (guest.S).
 *
 *      demo_vmm_new() ──> demo_vmm_run() <──> demo_vmm_pause() ──> demo_vmm_free()
 *
 * It knows nothing of statistics: who wants them takes demo_vmm_fd() and demo_vmm_vcpu_fd() to
 * libvitals, before the first demo_vmm_run(). The calls below are for one thread at a time.
 */
#ifndef DEMO_VMM_H
#define DEMO_VMM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "demo/guest.h"

enum demo_guest {
    DEMO_GUEST_WORK,   /* halts, exits, interrupts, page faults: every vCPU its part */
    DEMO_GUEST_SPIN,   /* user code that never leaves the CPU by itself */
    DEMO_GUEST_HALTED, /* a halt that nothing ends */
    DEMO_GUEST_NONE,   /* vCPUs are created and never run */
};

#define DEMO_VCPUS_MAX         1024            /* with DEMO_GUEST_NONE */
#define DEMO_RUNNING_VCPUS_MAX GUEST_VCPUS_MAX /* with the others */
#define DEMO_ERROR_MAX         160
#define DEMO_PATH_MAX          40

struct demo_vmm;

struct demo_vmm_options {
    unsigned n_vcpus;
    enum demo_guest guest;
};

/*
 * Makes the VM and its vCPUs, which wait for demo_vmm_run(). Changes two things of the process: the
 * soft limit of open files, if it is too low for so many vCPUs, and the handler of SIGUSR2, with
 * which vCPUs are fetched out of the guest. Returns 0 or -errno, with a text in @error.
 */
int demo_vmm_new(const struct demo_vmm_options *options, struct demo_vmm **ret_vmm,
                 char error[DEMO_ERROR_MAX]);

/* Lets the vCPUs into the guest, at first or after a pause. Nothing happens if they are. */
void demo_vmm_run(struct demo_vmm *vmm);

/* Returns when no vCPU is in the guest any more. */
void demo_vmm_pause(struct demo_vmm *vmm);

/*
 * Fetches every vCPU out of the guest for a moment, and gives it a non-maskable interrupt. Moves
 * signal_exits and nmi_injections.
 */
void demo_vmm_kick(struct demo_vmm *vmm);

/* Asks what was written since the last call. KVM write-protects it again, so page faults follow. */
int demo_vmm_take_dirty(struct demo_vmm *vmm, size_t *ret_bytes);

/* Stops the vCPUs and frees all. NULL is allowed. */
void demo_vmm_free(struct demo_vmm *vmm);

int demo_vmm_fd(const struct demo_vmm *vmm);
unsigned demo_vmm_n_vcpus(const struct demo_vmm *vmm);
int demo_vmm_vcpu_fd(const struct demo_vmm *vmm, unsigned index);

/* The id of the thread that runs the vCPU; -1: it never runs. */
pid_t demo_vmm_vcpu_thread(const struct demo_vmm *vmm, unsigned index);

/* How often the vCPU left the guest because the VMM had something to do for it. From any thread. */
uint64_t demo_vmm_exits_handled(const struct demo_vmm *vmm, unsigned index);

/* Whether a vCPU can't go on; @error says which and why. */
int demo_vmm_failed(struct demo_vmm *vmm, char error[DEMO_ERROR_MAX]);

/* The QOM path by which queries name a vCPU. */
void demo_vcpu_path(unsigned index, char path[DEMO_PATH_MAX]);

#endif
