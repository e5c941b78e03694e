/* SPDX-License-Identifier: MIT */
/*
 * Where the members of KVM's structs are, from the kernel's own description. They are looked up here
 * and handed to the program as constants, since libbpf would have to ask the kernel for a module's
 * description by its number, which needs CAP_SYS_ADMIN; the files in /sys anybody may read.
 */
#ifndef BPF_LAYOUT_H
#define BPF_LAYOUT_H

#include "bpf/records.h"
#include "bpf/why.h"

/* Fills in all but row_size, which must be set: a row that is longer than its struct is refused. */
int bpf_layout_find(const char *root, struct bpf_why *why, struct kvm_layout *layout);

#endif
