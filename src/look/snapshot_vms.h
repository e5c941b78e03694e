/* SPDX-License-Identifier: MIT */
/* What a snapshot says of the host and of the lives of VMs, beside their values. */
#ifndef LOOK_SNAPSHOT_VMS_H
#define LOOK_SNAPSHOT_VMS_H

#include "look/snapshot_file.h"
#include "show/record.h"

/*
 * Older snapshots have none of it. 0, -ENOMEM, or -EINVAL: VM @ret_wrong, counted from 1, lacks a
 * member or has a wrong one; 0: the list itself is wrong.
 */
int snapshot_read_vms(struct snapshot_file *snapshot, size_t *ret_wrong);

/* NULL: the snapshot does not say anything of the row's VM. */
const struct snapshot_vm *snapshot_find_vm(const struct snapshot_file *snapshot,
                                           const struct row *row);

/* Of JSON: a list of the VMs, and whose they are. */
void snapshot_put_vms(struct record_writer *to, const struct snapshot_file *snapshot);

#endif
