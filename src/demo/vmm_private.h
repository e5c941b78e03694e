/* SPDX-License-Identifier: MIT */
/*
 * The inside of the VMM: vmm.c has the whole, vcpu.c one vCPU, memory.c the guest's memory, error.c
 * what went wrong.
 */
#ifndef DEMO_VMM_PRIVATE_H
#define DEMO_VMM_PRIVATE_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "demo/vmm.h"

#define KICK_SIGNAL SIGUSR2

enum vmm_state { VMM_PAUSED, VMM_RUNNING, VMM_STOPPING };

struct demo_vcpu {
    struct demo_vmm *vmm;
    unsigned index;
    int fd;              /* -1: not created */
    struct kvm_run *run; /* NULL: never runs */
    pthread_t thread;
    bool has_thread;
    bool created; /* these four under vmm->lock */
    pid_t thread_id;
    int create_err;
    bool failed;
    atomic_bool nmi_wanted;
    _Atomic uint64_t exits_handled;
};

struct demo_vmm {
    enum demo_guest guest;
    int kvm_fd;
    int fd;
    size_t run_size;
    struct kvm_cpuid2 *cpuid; /* what this host can give to a guest */
    unsigned char *memory;
    uint64_t *dirty_bitmap;
    pthread_mutex_t lock;
    pthread_cond_t changed;       /* of what is under the lock */
    _Atomic enum vmm_state state; /* written under the lock */
    unsigned n_in_guest;          /* vCPU threads that are in the guest, or on the way in or out */
    char error[DEMO_ERROR_MAX];   /* the first */
    unsigned n_vcpus;
    struct demo_vcpu vcpus[];
};

/* Notes "@what: text of @err", unless there was an error before, and returns @err. */
int vmm_error(struct demo_vmm *vmm, int err, const char *what);

int memory_new(struct demo_vmm *vmm);
void memory_free(struct demo_vmm *vmm);

int cpuid_new(struct demo_vmm *vmm);

/* Creates the vCPU, on a thread of its own unless it never runs. */
int vcpu_new(struct demo_vcpu *vcpu);

/* Makes the vCPU's thread leave the guest and look at vmm->state. With vmm->lock held. */
void vcpu_fetch(struct demo_vcpu *vcpu);

/* vmm->state is VMM_STOPPING. */
void vcpu_free(struct demo_vcpu *vcpu);

#endif
