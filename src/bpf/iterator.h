/* SPDX-License-Identifier: MIT */
/* One pass of a program in the kernel over what it walks: all that it writes. */
#ifndef BPF_ITERATOR_H
#define BPF_ITERATOR_H

#include "base/buf.h"

enum {
    PASS_SIZE_MAX = 1 << 29, /* bytes; 100 000 VMs of 4 vCPUs have less */
    LOAD_LOG_SIZE = 1 << 18, /* of what the kernel says to a program that it refuses */
};

/*
 * Replaces what is in @buf. -EPERM: this kernel wants CAP_BPF for each pass. -E2BIG: more than
 * PASS_SIZE_MAX.
 */
int iterator_read(int link_fd, struct buf *buf);

/* libbpf writes to stderr, unless it is told not to: for the whole program. */
void iterator_silence(void);

#endif
