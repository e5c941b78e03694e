/* SPDX-License-Identifier: MIT */
/* What a snapshot says of the host and of the lives of VMs, beside their values. */
#ifndef LOOK_SNAPSHOT_VMS_H
#define LOOK_SNAPSHOT_VMS_H

#include "look/snapshot_file.h"

/*
 * Older snapshots have none of it. 0, -ENOMEM, or -EINVAL: VM @ret_wrong, counted from 1, lacks a
 * member or has a wrong one; 0: the list itself is wrong.
 */
int snapshot_read_vms(struct snapshot_file *snapshot, size_t *ret_wrong);

#endif
