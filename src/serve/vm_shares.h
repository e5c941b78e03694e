/* SPDX-License-Identifier: MIT */
/*
 * Whose VMs have sockets where there are not files for all: a user who has fewer of them than another is next, and
 * takes those of the other's newest VM where no file is left. So who makes very many VMs takes nothing from who has
 * fewer, now or later, and what nobody else wants is theirs.
 */
#ifndef SERVE_VM_SHARES_H
#define SERVE_VM_SHARES_H

#include "serve/vm_sockets.h"

/* What is done to the sockets of a VM. */
struct vm_shares_ops {
    bool (*are_files_left)(const struct vm_sockets *sockets); /* for one more */
    void (*open)(struct vm_sockets *sockets, struct vm_entry *entry);
    void (*shut)(struct vm_sockets *sockets, struct vm_entry *entry); /* it waits for files */
};

/*
 * Of those that wait for files: as many as there are files for. Without memory: none, this time. True: it is later
 * than @until_ns, and there may be more; to find who is next has its time besides.
 */
bool vm_shares_give(struct vm_sockets *sockets, const struct vm_shares_ops *ops, uint64_t until_ns);

#endif
