/* SPDX-License-Identifier: MIT */
/* From what a VMM hands over to an open statistics file. */
#ifndef KVM_STATS_FD_H
#define KVM_STATS_FD_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Headers older than Linux 5.14 lack them. */
#ifndef KVM_CAP_BINARY_STATS_FD
#define KVM_CAP_BINARY_STATS_FD 203
#endif
#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD _IO(KVMIO, 0xce)
#endif

/*
 * A statistics file of our own, for a VM's or vCPU's fd or for a statistics file, which may be an
 * ordinary file that holds a recorded one. @fd stays the caller's. Returns the new fd or -errno.
 */
int kvm_stats_fd_open(int fd, struct error_text *error);

/*
 * Whether it is the kernel's own, of a VM or of a vCPU, by its link in /proc: the kernel names its files
 * so, and a path begins with "/". Nothing else is asked of a file that a stranger has sent: the answer
 * could be up to the stranger, for ever.
 */
bool kvm_stats_fd_is_kernels(int fd, bool is_of_vm);

/* Reads the whole file into memory, to be freed by free(). */
int kvm_stats_fd_load(int fd, struct error_text *error, uint8_t **ret_bytes, size_t *ret_size);

#endif
