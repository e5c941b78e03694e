/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch.h"
#include "kvm/meanings.h"

enum { ROWS_FETCHED = 4 };

const char *const host_targets[KVM_KINDS] = {[KVM_KIND_VM] = "vm", [KVM_KIND_VCPU] = "vcpu"};

static size_t row_size(const struct host_vm *vm, enum kvm_kind kind)
{
    return vm->schemas[kind]->row_len * sizeof(uint64_t);
}

/* ---- one life ------------------------------------------------------------------------------- */

struct host_vm *host_vm_alloc(struct stats_schema *const schemas[KVM_KINDS])
{
    struct host_vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    atomic_init(&vm->users, 1);
    for (size_t i = 0; i < KVM_KINDS; i++)
        vm->schemas[i] = schema_ref(schemas[i]);
    vm->halted_stat = schema_find(schemas[KVM_KIND_VCPU], KVM_BLOCKING);
    vm->row = malloc(row_size(vm, KVM_KIND_VM));
    if (!vm->row) {
        host_vm_unref(vm);
        return NULL;
    }
    return vm;
}

struct host_vm *host_vm_new(const struct host_records *records,
                            struct stats_schema *const schemas[KVM_KINDS])
{
    const struct kvm_record *first = records->records[0];
    struct host_vm *vm = host_vm_alloc(schemas);

    if (!vm)
        return NULL;
    vm->key = first->vm;
    vm->pid = (pid_t)first->process_here;
    vm->process = (pid_t)first->process;
    vm->uid = first->uid;
    vm->creator = first->creator;
    vm->fd = first->fd;
    vm->start_time = first->start_time;
    return vm;
}

struct host_vm *host_vm_ref(struct host_vm *vm)
{
    atomic_fetch_add(&vm->users, 1);
    return vm;
}

static void free_vcpu(struct host_vcpu *vcpu)
{
    shared_file_unref(vcpu->file);
    free(vcpu->path);
    free(vcpu->row);
}

void host_vm_unref(struct host_vm *vm)
{
    if (!vm || atomic_fetch_sub(&vm->users, 1) > 1)
        return;
    vitals_ctx_free(vm->ctx);
    if (vm->cgroups_of)
        vm_cgroups_free(&vm->cgroups, vm->cgroups_of);
    for (size_t i = 0; i < KVM_KINDS; i++)
        schema_unref(vm->schemas[i]);
    for (size_t i = 0; i < SCHED_TARGETS; i++)
        schema_unref(vm->sched_schemas[i]);
    for (size_t i = 0; i < vm->n_vcpus; i++)
        free_vcpu(&vm->vcpus[i]);
    shared_file_unref(vm->file);
    free(vm->vcpus);
    free(vm->row);
    free(vm);
}

/* What only grows is smaller than it was. @row: where there is one, the former values. */
static bool has_fallen(const struct stats_schema *schema, const uint64_t *row,
                       const struct kvm_record *record)
{
    for (uint32_t i = 0; row && !record->row_error && i < schema->n_counters; i++)
        if (record->row[schema->counter_slots[i]] < row[schema->counter_slots[i]])
            return true;
    return false;
}

bool host_vm_is_same_life(const struct host_vm *vm, const struct kvm_record *record)
{
    return vm->process == (pid_t)record->process && vm->start_time == record->start_time &&
           vm->creator == record->creator;
}

bool host_vm_goes_on(const struct host_vm *vm, const struct host_records *records)
{
    const struct kvm_record *first = records->records[0];
    size_t next = 0;

    if (!host_vm_is_same_life(vm, first))
        return false;
    for (size_t i = 0; i < records->n; i++) {
        const struct kvm_record *record = records->records[i];

        if (record->kind == KVM_KIND_VM) {
            if (has_fallen(vm->schemas[KVM_KIND_VM], vm->has_row ? vm->row : NULL, record))
                return false;
            continue;
        }
        while (next < vm->n_vcpus && vm->vcpus[next].id < record->vcpu_id)
            next++;
        if (next < vm->n_vcpus && vm->vcpus[next].id == record->vcpu_id &&
            has_fallen(vm->schemas[KVM_KIND_VCPU],
                       vm->vcpus[next].has_row ? vm->vcpus[next].row : NULL, record))
            return false;
    }
    return true;
}

/* ---- values --------------------------------------------------------------------------------- */

static int64_t known_thread(uint32_t thread_here)
{
    return thread_here ? (int64_t)thread_here : -1;
}

static void take_threads(const struct host_vm *vm, struct host_vcpu *vcpu,
                         const struct kvm_record *record)
{
    struct error_text error;

    if (vm->ctx && vcpu->thread_here != record->thread_here)
        objects_set_thread(&vm->ctx->objects, host_targets[KVM_KIND_VCPU], vcpu->path,
                           known_thread(record->thread_here), &error);
    vcpu->thread = record->thread;
    vcpu->thread_here = record->thread_here;
    vcpu->is_running = record->in_kvm_run;
}

static void take_vcpu(const struct host_vm *vm, struct host_vcpu *vcpu,
                      const struct kvm_record *record)
{
    take_threads(vm, vcpu, record);
    vcpu->has_row = !record->row_error;
    if (vcpu->has_row)
        memcpy(vcpu->row, record->row, row_size(vm, KVM_KIND_VCPU));
}

static int add_object(const struct host_vm *vm, const struct host_vcpu *vcpu)
{
    const struct object_claim claim = {.owner = vm,
                                       .target = host_targets[KVM_KIND_VCPU],
                                       .path = vcpu->path,
                                       .number = vcpu->id,
                                       .thread = known_thread(vcpu->thread_here)};
    struct error_text error;

    return objects_add(&vm->ctx->objects, &claim, &error);
}

static int reserve_vcpu(struct host_vm *vm)
{
    size_t cap = vm->vcpus_cap ? vm->vcpus_cap * 2 : 2;
    struct host_vcpu *vcpus;

    if (vm->n_vcpus < vm->vcpus_cap)
        return 0;
    vcpus = reallocarray(vm->vcpus, cap, sizeof(*vcpus));
    if (!vcpus)
        return -ENOMEM;
    vm->vcpus = vcpus;
    vm->vcpus_cap = cap;
    return 0;
}

/* At its place, before the vCPU @index. Takes the path. */
static int insert_at(struct host_vm *vm, size_t index, uint32_t id, char *path)
{
    struct host_vcpu vcpu = {
        .id = id, .path = path, .row = malloc(row_size(vm, KVM_KIND_VCPU) + 1)};

    if (!path || !vcpu.row || reserve_vcpu(vm)) {
        free_vcpu(&vcpu);
        return -ENOMEM;
    }
    memmove(&vm->vcpus[index + 1], &vm->vcpus[index], (vm->n_vcpus - index) * sizeof(vm->vcpus[0]));
    vm->vcpus[index] = vcpu;
    vm->n_vcpus++;
    if (vm->ctx)
        add_object(vm, &vm->vcpus[index]);
    return 0;
}

static int insert_vcpu(struct host_vm *vm, size_t index, uint32_t id)
{
    char *path;

    if (asprintf(&path, "/kvm/vcpu[%u]", id) < 0)
        return -ENOMEM;
    return insert_at(vm, index, id, path);
}

static void remove_vcpu(struct host_vm *vm, size_t index)
{
    struct error_text error;

    if (vm->ctx)
        objects_remove(&vm->ctx->objects, vm, host_targets[KVM_KIND_VCPU], vm->vcpus[index].path,
                       &error);
    free_vcpu(&vm->vcpus[index]);
    vm->n_vcpus--;
    memmove(&vm->vcpus[index], &vm->vcpus[index + 1], (vm->n_vcpus - index) * sizeof(vm->vcpus[0]));
}

int host_vm_insert_vcpu(struct host_vm *vm, uint32_t id, char *path, struct host_vcpu **ret_vcpu)
{
    size_t index = 0;
    int err;

    while (index < vm->n_vcpus && vm->vcpus[index].id < id)
        index++;
    err = insert_at(vm, index, id, path);
    if (!err)
        *ret_vcpu = &vm->vcpus[index];
    return err;
}

void host_vm_remove_vcpu(struct host_vm *vm, struct host_vcpu *vcpu)
{
    remove_vcpu(vm, (size_t)(vcpu - vm->vcpus));
}

void host_vm_fetch_rows(const struct host_vm *vm)
{
    for (size_t i = 0; i < vm->n_vcpus && i < ROWS_FETCHED; i++)
        fetch(vm->vcpus[i].row, row_size(vm, KVM_KIND_VCPU));
}

static void take_vm(struct host_vm *vm, const struct kvm_record *record)
{
    vm->has_row = !record->row_error;
    if (vm->has_row)
        memcpy(vm->row, record->row, row_size(vm, KVM_KIND_VM));
}

/* Both sides are by id: what stands only here is gone, what stands only there is new. */
int host_vm_take(struct host_vm *vm, const struct host_records *records)
{
    size_t next = 0;
    int err = 0;

    vm->has_row = false; /* its own file may be closed while vCPUs are open */
    for (size_t i = 0; i < records->n; i++) {
        const struct kvm_record *record = records->records[i];

        if (record->kind == KVM_KIND_VM) {
            take_vm(vm, record);
            continue;
        }
        while (next < vm->n_vcpus && vm->vcpus[next].id < record->vcpu_id)
            remove_vcpu(vm, next);
        if (next == vm->n_vcpus || vm->vcpus[next].id != record->vcpu_id)
            err = insert_vcpu(vm, next, record->vcpu_id);
        if (err)
            break;
        take_vcpu(vm, &vm->vcpus[next++], record);
    }
    while (next < vm->n_vcpus)
        remove_vcpu(vm, vm->n_vcpus - 1);
    return err;
}

void host_vm_meet(struct host_vm *vm, const struct host_records *records)
{
    const struct kvm_record *first = records->records[0];
    size_t next = 0;

    vm->is_in_records = true;
    vm->process = (pid_t)first->process;
    vm->creator = first->creator;
    vm->start_time = first->start_time;
    for (size_t i = 0; i < records->n; i++) {
        const struct kvm_record *record = records->records[i];

        if (record->kind == KVM_KIND_VM)
            continue;
        while (next < vm->n_vcpus && vm->vcpus[next].id < record->vcpu_id)
            next++;
        if (next < vm->n_vcpus && vm->vcpus[next].id == record->vcpu_id)
            take_threads(vm, &vm->vcpus[next], record);
    }
}

/* ---- the provider --------------------------------------------------------------------------- */

static void give_row(const struct host_vm *vm, enum kvm_kind kind, struct vitals_sink *sink,
                     const char *path, const uint64_t *values)
{
    uint64_t *row = vitals_row(sink, path);

    if (row)
        memcpy(row, values, row_size(vm, kind));
}

static int collect_vm(void *opaque, struct vitals_sink *sink)
{
    const struct host_vm *vm = opaque;

    if (vm->has_row)
        give_row(vm, KVM_KIND_VM, sink, NULL, vm->row);
    return 0;
}

static int collect_vcpus(void *opaque, struct vitals_sink *sink)
{
    const struct host_vm *vm = opaque;

    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].has_row)
            give_row(vm, KVM_KIND_VCPU, sink, vm->vcpus[i].path, vm->vcpus[i].row);
    return 0;
}

static int add_groups(struct host_vm *vm)
{
    static int (*const collects[KVM_KINDS])(void *, struct vitals_sink *) = {
        [KVM_KIND_VM] = collect_vm, [KVM_KIND_VCPU] = collect_vcpus};
    int err = 0;

    for (size_t i = 0; i < KVM_KINDS && !err; i++) {
        const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .collect = collects[i],
                                             .opaque = vm};

        err = registry_add(vm->ctx, &ops, vm->schemas[i], &vm->groups[i]);
    }
    for (size_t i = 0; i < vm->n_vcpus && !err; i++)
        err = add_object(vm, &vm->vcpus[i]);
    return err;
}

/* ---- provider 'sched' ----------------------------------------------------------------------- */

static void give_sched_row(struct vitals_sink *sink, const char *path, const uint64_t *values,
                           size_t n)
{
    uint64_t *row = vitals_row(sink, path);

    if (row)
        memcpy(row, values, n * sizeof(*row));
}

static int collect_sched_of_vm(void *opaque, struct vitals_sink *sink)
{
    const struct host_vm *vm = opaque;

    if (vm->has_sched_row)
        give_sched_row(sink, NULL, vm->sched_row, SCHED_VM_STATS);
    return 0;
}

static int collect_sched_of_vcpus(void *opaque, struct vitals_sink *sink)
{
    const struct host_vm *vm = opaque;

    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].has_sched_row)
            give_sched_row(sink, vm->vcpus[i].path, vm->vcpus[i].sched_row, SCHED_VCPU_STATS);
    return 0;
}

int host_vm_provide_sched(struct host_vm *vm, struct stats_schema *const schemas[SCHED_TARGETS])
{
    static int (*const collects[SCHED_TARGETS])(void *, struct vitals_sink *) = {
        [SCHED_VM] = collect_sched_of_vm, [SCHED_VCPU] = collect_sched_of_vcpus};
    int err = 0;

    for (size_t i = 0; i < SCHED_TARGETS && !err; i++) {
        const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .collect = collects[i],
                                             .opaque = vm};

        err = registry_add(vm->ctx, &ops, schemas[i], NULL);
    }
    vm->has_sched = !err;
    for (size_t i = 0; i < SCHED_TARGETS && !err; i++)
        vm->sched_schemas[i] = schema_ref(schemas[i]);
    return err;
}

int host_vm_publish(struct host_vm *vm, const char *name, const struct host_vm *share_schemas_with)
{
    struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = vm->name,
                                         .uuid = vm->identity.uuid[0] ? vm->identity.uuid : NULL,
                                         .share_schemas_with =
                                             share_schemas_with ? share_schemas_with->ctx : NULL};
    int err;

    snprintf(vm->name, sizeof(vm->name), "%s", name);
    err = vitals_ctx_new(&options, &vm->ctx);
    return err ? err : add_groups(vm);
}
