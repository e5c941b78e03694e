/* SPDX-License-Identifier: MIT */
/*
 * Provider "kvm": the kernel's own statistics of a VM and its vCPUs.
 *
 * The source is the binary statistics file that KVM_GET_STATS_FD opens (Linux 5.14 and later,
 * Documentation/virt/kvm/api.rst 4.133). Reading one is a pread() of memory that the kernel keeps
 * anyway: no vCPU is interrupted, and no permission is needed but to hold the file.
 *
 * A VMM's whole part is:
 *
 *      vitals_kvm_new(ctx, vm_fd, &kvm);
 *      for each vCPU, before its first KVM_RUN:
 *          vitals_kvm_add_vcpu(kvm, path, vcpu_fd);
 *          vitals_object_set_thread(ctx, "vcpu", path, thread);
 *
 * The last line is for a VMM that creates vCPUs on another thread than the one that runs them.
 *
 * A file descriptor passed in stays the caller's, who may close it at once: the library opens the
 * statistics file, or duplicates the one it is given. An open statistics file keeps kernel memory
 * of its VM, so free the provider, or remove the vCPU, when the VM or vCPU is gone.
 */
#ifndef VITALS_KVM_H
#define VITALS_KVM_H

#include "vitals/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vitals_kvm; /* the provider 'kvm' of one context */

/*
 * /proc is used where it is to be seen, and not needed.
 *
 * @fd: the VM's fd, or its statistics file, or -1: this VM has no statistics of its own target.
 * -EINVAL: @fd is none of these; -ENOTTY: this kernel has no binary statistics; -EIO: the VM belongs
 * to another process (only the VMM itself can open a statistics file); -EBADMSG: the file is not as
 * the kernel's documentation says; -EEXIST: as vitals_register(); -EBUSY: from inside collect();
 * -E2BIG: a limit of vitals_register(); -EMFILE; -ENOMEM.
 */
int vitals_kvm_new(struct vitals_ctx *ctx, int fd, struct vitals_kvm **ret_kvm);

/*
 * Removes all vCPUs and the provider. Before vitals_ctx_free(). -EBUSY from inside collect().
 * NULL is allowed.
 */
int vitals_kvm_free(struct vitals_kvm *kvm);

/*
 * @path: the vCPU's name in queries, a QOM path. @fd: the vCPU's fd, or its statistics file.
 * With a vCPU's fd, call this before the vCPU's first KVM_RUN, or on the vCPU's own thread:
 * the kernel takes the vCPU's mutex, so the call would wait for as long as the vCPU runs.
 * Queries that run at the same time see the vCPU or do not. Its number (see vitals_object_add()) is
 * the id with which it was created, or the next free one if another has that. -EEXIST: the path is in
 * use; others as above.
 */
int vitals_kvm_add_vcpu(struct vitals_kvm *kvm, const char *path, int fd);

/* Closes the vCPU's statistics file; no query reads it when this returns. -ENOENT: no such path. */
int vitals_kvm_remove_vcpu(struct vitals_kvm *kvm, const char *path);

#ifdef __cplusplus
}
#endif
#endif
