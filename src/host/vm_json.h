/* SPDX-License-Identifier: MIT */
/* What a VM is, as members of a JSON object: the same in host.sock and over HTTP. */
#ifndef HOST_VM_JSON_H
#define HOST_VM_JSON_H

#include "base/buf.h"
#include "host/vm.h"

/* `name`, `uuid`, `pid`, `uid`, `vmm`, `vcpus`, `state`, `way`, without what is not known. @state: its word. */
void host_vm_put_identity(struct buf *out, const struct host_vm *vm, const char *state);

#endif
