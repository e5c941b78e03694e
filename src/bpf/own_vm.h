/* SPDX-License-Identifier: MIT */
/*
 * A VM of our own with one vCPU: what its statistics files describe is what the kernel counts for
 * every VM, and it shows whether VMs are read rightly.
 */
#ifndef BPF_OWN_VM_H
#define BPF_OWN_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/records.h"
#include "bpf/why.h"
#include "kvm/stats_file.h"

/* A whole statistics file in memory. */
struct own_statistics {
    uint8_t *bytes;
    size_t size;
    struct kvm_stats_file file; /* points into bytes */
};

struct own_vm {
    int kvm_fd;
    int fds[KVM_KINDS], stats_fds[KVM_KINDS];
    uint32_t vcpu_id;
    bool has_run; /* on this thread */
    void *memory;
};

/* Makes both, and lets the guest run a little, so that there is something to count. */
int own_vm_open(const char *root, struct bpf_why *why, struct own_vm *ret_vm);
void own_vm_close(struct own_vm *vm);

int own_vm_read(const struct own_vm *vm, enum kvm_kind kind, struct bpf_why *why,
                struct own_statistics *ret_statistics);
void own_statistics_free(struct own_statistics *statistics);

#endif
