/* SPDX-License-Identifier: MIT */
#include "host/state.h"

/* KVM's own word for a vCPU that is halted. */
static bool is_halted(const struct host_vm *vm, const struct host_vcpu *vcpu)
{
    const struct stats_schema *schema = vm->schemas[KVM_KIND_VCPU];

    return vcpu->has_row && vm->halted_stat >= 0 &&
           vcpu->row[schema->stats[vm->halted_stat].slot] != 0;
}

static bool is_outside(const struct host_vm *vm, const struct host_vcpu *vcpu)
{
    return vcpu->thread && !vcpu->is_running && !is_halted(vm, vcpu);
}

void host_state_update(struct host_vm *vm, uint64_t now_ns)
{
    for (size_t i = 0; i < vm->n_vcpus; i++) {
        struct host_vcpu *vcpu = &vm->vcpus[i];
        uint64_t run_ns = vcpu->has_sched_row ? vcpu->sched_row[SCHED_RUN] : 0;

        if (!is_outside(vm, vcpu))
            vcpu->outside_since_ns = 0;
        else if (!vcpu->outside_since_ns || vcpu->outside_run_ns != run_ns)
            vcpu->outside_since_ns = now_ns;
        vcpu->outside_run_ns = run_ns;
        vcpu->is_paused = vcpu->outside_since_ns && vcpu->has_sched_row &&
                          now_ns - vcpu->outside_since_ns >= HOST_PAUSED_AFTER_NS;
    }
}

enum host_state host_vcpu_state(const struct host_vm *vm, const struct host_vcpu *vcpu)
{
    if (!vcpu->thread)
        return HOST_NEVER_RAN;
    if (is_halted(vm, vcpu))
        return HOST_HALTED;
    if (vcpu->is_running)
        return HOST_RUNNING;
    return vcpu->is_paused ? HOST_PAUSED : HOST_OUTSIDE;
}

enum host_state host_vm_state(const struct host_vm *vm)
{
    size_t n[HOST_PAUSED + 1] = {0};

    if (vm->is_said_to_pause)
        return HOST_PAUSED;
    if (vm->is_registered && !vm->is_in_records)
        return HOST_RUNNING;
    for (size_t i = 0; i < vm->n_vcpus; i++)
        n[host_vcpu_state(vm, &vm->vcpus[i])]++;
    if (n[HOST_RUNNING] || n[HOST_HALTED])
        return HOST_RUNNING;
    if (n[HOST_OUTSIDE])
        return HOST_OUTSIDE;
    return n[HOST_PAUSED] ? HOST_PAUSED : HOST_NEVER_RAN;
}
