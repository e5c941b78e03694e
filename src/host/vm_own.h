/* SPDX-License-Identifier: MIT */
/* The VMM's own statistics of a VM that has registered: groups of its context beside the host's. */
#ifndef HOST_VM_OWN_H
#define HOST_VM_OWN_H

#include "host/own_stats.h"
#include "host/vm.h"

/* NULL: it has none of these. */
struct own_stats *vm_own_find(const struct host_vm *vm, const char *provider, const char *target);

struct own_stats *vm_own_at(const struct host_vm *vm, size_t i); /* of vm->n_own */

/*
 * Takes a reference. It comes in the place of what has its provider and target, which must have the same
 * schema. -EEXIST: they are another's; -E2BIG: there are HOST_OWN_MAX; -ENOMEM.
 */
int vm_own_put(struct host_vm *vm, struct own_stats *own, struct error_text *error);
void vm_own_remove(struct host_vm *vm, const char *provider, const char *target);

#endif
