/* SPDX-License-Identifier: MIT */
/* Gives up what is not needed once the host can be read. */
#ifndef HOST_PRIVILEGES_H
#define HOST_PRIVILEGES_H

#include <stdbool.h>

struct privileges {
    bool
        opens_files; /* files and sockets that were named are still to be opened: CAP_DAC_OVERRIDE */
    bool loads_bpf;  /* each pass needs CAP_BPF: bpf_passes_need_capability() */
};

/*
 * Gives up all capabilities of this thread, and of those that it starts, but for the @kept ones that
 * it has; nothing can bring them back. -errno.
 */
int privileges_drop(const struct privileges *kept);

#endif
