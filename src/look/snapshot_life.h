/* SPDX-License-Identifier: MIT */
/* Which counts of a snapshot began anew since another one. */
#ifndef LOOK_SNAPSHOT_LIFE_H
#define LOOK_SNAPSHOT_LIFE_H

#include "look/snapshot_file.h"

enum snapshot_hosts {
    SNAPSHOT_ONE_BOOT, /* as far as is known */
    SNAPSHOT_TWO_BOOTS,
    SNAPSHOT_TWO_HOSTS,
};

enum snapshot_hosts snapshot_compare_hosts(const struct snapshot_file *before,
                                           const struct snapshot_file *after);

/*
 * For each row of @after, from malloc(): whether its VM, its vCPU or the host is another one than in
 * @before, or began anew. Where one count of a VM has gone down, all of that VM did. NULL: no memory.
 */
bool *snapshot_find_resets(const struct snapshot_file *before, const struct snapshot_file *after);

#endif
