/* SPDX-License-Identifier: MIT */
/* What a provider 'kvm' has, for those who hand its files on. */
#ifndef KVM_VCPUS_H
#define KVM_VCPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vitals/kvm.h"

struct kvm_listed_vcpu {
    uint64_t serial; /* no other vCPU of the provider ever has it; one that comes later has more */
    const char *path;
    int fd; /* its statistics file */
};

struct vitals_ctx *kvm_ctx(const struct vitals_kvm *kvm);
int kvm_vm_fd(const struct vitals_kvm *kvm); /* the VM's statistics file; -1: it has none */

/* As long as they are listed, none comes or goes; whoever adds or removes one waits. */
void kvm_list_vcpus(struct vitals_kvm *kvm, size_t *ret_n);
struct kvm_listed_vcpu kvm_vcpu_at(const struct vitals_kvm *kvm, size_t index); /* by serial */
void kvm_unlist_vcpus(struct vitals_kvm *kvm);

/* Keeps vitals_kvm_free() from freeing it: -EBUSY. */
void kvm_use(struct vitals_kvm *kvm);
void kvm_leave(struct vitals_kvm *kvm);

#endif
