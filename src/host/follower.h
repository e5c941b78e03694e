/* SPDX-License-Identifier: MIT */
/*
 * Keeps the registered VMs of one host as a roster tells them. The files are read by this host, and the
 * process of a VM is looked at here, too: one that was killed is gone before anybody has told.
 */
#ifndef HOST_FOLLOWER_H
#define HOST_FOLLOWER_H

#include "host/registered.h"
#include "host/roster.h"
#include "host/table.h"

/* All zeros: it follows nobody. */
struct follower {
    struct roster *roster;
    struct roster_list list;
    struct host_vm **vms; /* references, one for each; NULL: it is gone, or could not be made */
};

void follower_free(struct follower *follower); /* before the table */

/* Before a pass. Where there is no memory, some are as they were until the next one. */
void follower_read(struct follower *follower, struct host_statistics statistics[KVM_KINDS],
                   struct host_table *table);

#endif
