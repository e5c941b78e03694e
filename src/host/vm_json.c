/* SPDX-License-Identifier: MIT */
#include "host/vm_json.h"

#include "base/json_write.h"

void host_vm_put_identity(struct buf *out, const struct host_vm *vm, const char *state)
{
    buf_puts(out, "\"name\": ");
    json_put_string(out, vm->name);
    json_put_text_member(out, "uuid", vm->identity.uuid);
    if (vm->pid > 0)
        buf_printf(out, ", \"pid\": %d", (int)vm->pid);
    buf_printf(out, ", \"uid\": %u", vm->uid);
    json_put_text_member(out, "vmm", vm->identity.vmm);
    buf_printf(out, ", \"vcpus\": %zu, \"state\": \"%s\", \"way\": \"%s\"", vm->n_vcpus, state,
               vm->is_registered ? "registered" : "kernel");
}
