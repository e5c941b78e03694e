/* SPDX-License-Identifier: MIT */
#include "host/follower.h"

#include <stdlib.h>

#include "host/vm_own.h"

void follower_free(struct follower *follower)
{
    for (size_t i = 0; i < follower->list.n; i++)
        host_vm_unref(follower->vms[i]);
    roster_list_free(&follower->list);
    free(follower->vms);
    *follower = (struct follower){0};
}

/* ---- one VM --------------------------------------------------------------------------------- */

struct change {
    struct host_statistics *statistics;
    struct host_table *table;
    bool has_failed;
};

static struct host_vm *add_vm(struct change *change, const struct roster_vm *told)
{
    const struct registration registration = {.name = told->name,
                                              .uuid = told->identity.uuid,
                                              .vmm = told->identity.vmm,
                                              .pid = told->pid,
                                              .uid = told->uid,
                                              .key = told->key};
    struct error_text error;
    struct host_vm *vm;
    int err = registered_new(change->statistics, &registration, told->file, &error, &vm);

    if (!err) {
        err = host_table_add_registered(change->table, vm);
        if (err)
            host_vm_unref(vm);
    }
    change->has_failed |= err != 0;
    return err ? NULL : host_vm_ref(vm);
}

static void remove_vm(struct change *change, struct host_vm **vm)
{
    if (*vm && !(*vm)->is_gone)
        host_table_remove_registered(change->table, *vm);
    host_vm_unref(*vm);
    *vm = NULL;
}

static void add_vcpu(struct change *change, struct host_vm *vm, const struct roster_vcpu *told)
{
    struct error_text error;

    if (registered_add_vcpu(change->statistics, vm, told->path, told->thread, told->file, &error))
        change->has_failed = true;
}

static int compare_id(const void *key, const void *vcpu)
{
    uint32_t a = *(const uint32_t *)key, b = ((const struct roster_vcpu *)vcpu)->id;

    return (a > b) - (a < b);
}

static const struct roster_vcpu *find_told(const struct roster_vm *told, uint32_t id)
{
    return told->n_vcpus
               ? bsearch(&id, told->vcpus, told->n_vcpus, sizeof(*told->vcpus), compare_id)
               : NULL;
}

/* What was removed first, since another vCPU may have its path by now. */
static void update_vcpus(struct change *change, struct host_vm *vm, const struct roster_vm *told)
{
    size_t next = 0;

    for (size_t i = vm->n_vcpus; i-- > 0;) {
        const struct roster_vcpu *vcpu = find_told(told, vm->vcpus[i].id);

        if (!vcpu || vcpu->file != vm->vcpus[i].file)
            host_vm_remove_vcpu(vm, &vm->vcpus[i]);
    }
    for (size_t i = 0; i < told->n_vcpus; i++) {
        while (next < vm->n_vcpus && vm->vcpus[next].id < told->vcpus[i].id)
            next++;
        if (next == vm->n_vcpus || vm->vcpus[next].id != told->vcpus[i].id)
            add_vcpu(change, vm, &told->vcpus[i]);
        else
            registered_run_by(vm, &vm->vcpus[next], told->vcpus[i].thread);
    }
}

static bool is_told(const struct roster_vm *told, const struct own_stats *own)
{
    const struct stats_schema *schema = own->schema;
    size_t i = 0;

    while (i < told->n_own && told->own[i]->schema != schema)
        i++;
    return i < told->n_own;
}

static void update_own(struct change *change, struct host_vm *vm, const struct roster_vm *told)
{
    struct error_text error;

    for (size_t i = vm->n_own; i-- > 0;) {
        const struct own_stats *own = vm_own_at(vm, i);

        if (!is_told(told, own))
            vm_own_remove(vm, own->schema->provider, own->schema->target);
    }
    for (size_t i = 0; i < told->n_own; i++)
        if (vm_own_put(vm, told->own[i], &error))
            change->has_failed = true;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* A pass takes away what turns out to be another user's. */
static struct host_vm *take_back(struct host_vm **vm)
{
    struct host_vm *still = *vm && !(*vm)->is_gone ? *vm : NULL;

    if (!still)
        host_vm_unref(*vm);
    *vm = NULL;
    return still;
}

static void update_vm(struct change *change, struct host_vm *vm, const struct roster_vm *told)
{
    update_vcpus(change, vm, told);
    update_own(change, vm, told);
}

/* Both lists are by serial. What a VM in them has been told of does not change: it is another copy then. */
static void take_list(struct follower *follower, struct change *change, struct roster_list *list,
                      struct host_vm **vms)
{
    const struct roster_list *old = &follower->list;
    size_t next = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct roster_vm *told = list->vms[i];
        bool is_as_before = false;

        while (next < old->n && old->vms[next]->serial < told->serial)
            remove_vm(change, &follower->vms[next++]);
        if (next < old->n && old->vms[next]->serial == told->serial) {
            is_as_before = old->version && old->vms[next] == told;
            vms[i] = take_back(&follower->vms[next++]);
        }
        if (vms[i] && is_as_before)
            continue;
        if (!vms[i])
            vms[i] = add_vm(change, told);
        if (vms[i])
            update_vm(change, vms[i], told);
    }
    while (next < old->n)
        remove_vm(change, &follower->vms[next++]);
}

static void update(struct follower *follower, struct change *change)
{
    struct roster_list list;
    struct host_vm **vms;

    if (roster_read(follower->roster, follower->list.version, &list) <= 0)
        return;
    vms = calloc(list.n + 1, sizeof(*vms));
    if (!vms) {
        roster_list_free(&list);
        return;
    }
    take_list(follower, change, &list, vms);
    roster_list_free(&follower->list);
    free(follower->vms);
    follower->list = list;
    follower->vms = vms;
    if (change->has_failed) /* it is tried again */
        follower->list.version = 0;
}

void follower_read(struct follower *follower, struct host_statistics statistics[KVM_KINDS],
                   struct host_table *table)
{
    struct change change = {.statistics = statistics, .table = table};

    update(follower, &change);
    for (size_t i = 0; i < follower->list.n; i++) {
        struct roster_vm *told = follower->list.vms[i];

        if (follower->vms[i] && shared_file_is_ready(told->process))
            remove_vm(&change, &follower->vms[i]);
        else if (follower->vms[i])
            follower->vms[i]->is_said_to_pause = atomic_load(&told->is_said_to_pause);
    }
}
