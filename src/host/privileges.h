/* SPDX-License-Identifier: MIT */
/* Gives up what is not needed once the host can be read. */
#ifndef HOST_PRIVILEGES_H
#define HOST_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

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

/*
 * Root becomes another user, in this group alone, for all threads; its capabilities stay until they are
 * dropped, but no program that is started can have any. Anybody else stays who he is. -errno.
 */
int privileges_become(uid_t uid, gid_t gid);

#endif
