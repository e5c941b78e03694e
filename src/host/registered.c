/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/registered.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/process.h"
#include "kvm/meanings.h"
#include "kvm/schema.h"
#include "kvm/stats_fd.h"

/* ---- what files have ------------------------------------------------------------------------ */

void host_statistics_set(struct host_statistics *statistics, const struct kvm_stats_file *file,
                         struct stats_schema *schema)
{
    *statistics = (struct host_statistics){.schema = schema_ref(schema), .file = *file};
}

void host_statistics_free(struct host_statistics *statistics)
{
    schema_unref(statistics->schema);
    free(statistics->bytes);
    *statistics = (struct host_statistics){0};
}

static bool are_alike(const struct kvm_stats_file *a, const struct kvm_stats_file *b)
{
    return a->row_len == b->row_len && a->name_size == b->name_size &&
           a->descriptors_size == b->descriptors_size &&
           memcmp(a->descriptors, b->descriptors, a->descriptors_size) == 0;
}

/* Takes the bytes if it is the first file of its kind. */
static int learn(struct host_statistics *statistics, enum kvm_kind kind,
                 struct kvm_stats_file *file, uint8_t **bytes, struct error_text *error)
{
    struct error_text first;
    int err;

    if (statistics->schema)
        return are_alike(&statistics->file, file)
                   ? 0
                   : error_set(error, -EBADMSG, "it has other statistics than this host's kernel");
    err = kvm_schema_new(file, host_targets[kind], &first, error, &statistics->schema);
    if (err)
        return err;
    statistics->file = *file;
    statistics->bytes = *bytes;
    *bytes = NULL;
    return 0;
}

static int look_at(struct host_statistics statistics[KVM_KINDS], enum kvm_kind kind,
                   struct shared_file *shared, struct kvm_stats_file *ret_file,
                   struct error_text *error)
{
    uint8_t *bytes;
    size_t size;
    int err = kvm_stats_fd_load(shared_file_begin(shared), error, &bytes, &size);

    shared_file_end(shared);
    if (err)
        return err;
    err = kvm_stats_file_parse(bytes, size, error, ret_file);
    if (!err)
        err = learn(&statistics[kind], kind, ret_file, &bytes, error);
    free(bytes);
    return err;
}

static bool read_row(const struct host_vm *vm, enum kvm_kind kind, struct shared_file *file,
                     off_t offset, uint64_t *row)
{
    size_t size = vm->schemas[kind]->row_len * sizeof(*row);
    bool is_whole = pread(shared_file_begin(file), row, size, offset) == (ssize_t)size;

    shared_file_end(file);
    return is_whole;
}

/* ---- the VM --------------------------------------------------------------------------------- */

/* Before a first vCPU has told what vCPUs have. */
static struct stats_schema *empty_schema(void)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = KVM_PROVIDER,
                                         .target = host_targets[KVM_KIND_VCPU]};
    struct stats_schema *schema;
    struct error_text error;

    return schema_new(&ops, &error, &schema) ? NULL : schema;
}

static struct host_vm *alloc(struct host_statistics statistics[KVM_KINDS])
{
    struct stats_schema *vcpu = statistics[KVM_KIND_VCPU].schema;
    struct stats_schema *schemas[KVM_KINDS] = {statistics[KVM_KIND_VM].schema,
                                               vcpu ? schema_ref(vcpu) : empty_schema()};
    struct host_vm *vm = schemas[KVM_KIND_VCPU] ? host_vm_alloc(schemas) : NULL;

    schema_unref(schemas[KVM_KIND_VCPU]);
    return vm;
}

static void introduce(struct host_vm *vm, const struct registration *registration)
{
    struct identity *identity = &vm->identity;

    vm->is_registered = true;
    vm->key = registration->key;
    vm->pid = registration->pid;
    vm->uid = registration->uid;
    vm->start_time = process_start_ns(registration->pid);
    snprintf(identity->name, sizeof(identity->name), "%s", registration->name);
    snprintf(identity->uuid, sizeof(identity->uuid), "%s", registration->uuid);
    snprintf(identity->vmm, sizeof(identity->vmm), "%s", registration->vmm);
}

int registered_new(struct host_statistics statistics[KVM_KINDS],
                   const struct registration *registration, struct shared_file *shared,
                   struct error_text *error, struct host_vm **ret_vm)
{
    struct kvm_stats_file file;
    struct host_vm *vm;
    int err = look_at(statistics, KVM_KIND_VM, shared, &file, error);

    if (err)
        return err;
    vm = alloc(statistics);
    if (!vm)
        return error_set(error, -ENOMEM, "no memory for a VM");
    introduce(vm, registration);
    vm->file = shared_file_ref(shared);
    vm->data_offset = file.data_offset;
    registered_read(vm);
    *ret_vm = vm;
    return 0;
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static struct host_vcpu *find_path(const struct host_vm *vm, const char *path)
{
    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (strcmp(vm->vcpus[i].path, path) == 0)
            return &vm->vcpus[i];
    return NULL;
}

static const struct host_vcpu *find_id(const struct host_vm *vm, int64_t id)
{
    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].id == id)
            return &vm->vcpus[i];
    return NULL;
}

static int check_new(const struct host_vm *vm, const char *path, const struct kvm_stats_file *file,
                     struct error_text *error)
{
    if (file->vcpu_id < 0 || file->vcpu_id > UINT32_MAX)
        return error_set(error, -EBADMSG, "its statistics file does not say which vCPU it is");
    if (vm->n_vcpus >= REGISTERED_VCPUS_MAX)
        return error_set(error, -E2BIG, "a VM has at most %d vCPUs", REGISTERED_VCPUS_MAX);
    if (find_path(vm, path))
        return error_set(error, -EEXIST, "there is a vCPU of this path already");
    if (find_id(vm, file->vcpu_id))
        return error_set(error, -EEXIST, "vCPU %u has been registered already",
                         (unsigned)file->vcpu_id);
    return 0;
}

/* The first vCPU of a host may have come later than the VM. */
static void adopt_schema(struct host_vm *vm, struct stats_schema *schema)
{
    if (vm->schemas[KVM_KIND_VCPU] == schema)
        return;
    schema_unref(vm->schemas[KVM_KIND_VCPU]);
    vm->schemas[KVM_KIND_VCPU] = schema_ref(schema);
    vm->halted_stat = schema_find(schema, KVM_BLOCKING);
    registry_set_schema(vm->groups[KVM_KIND_VCPU], schema);
}

static void read_vcpu(const struct host_vm *vm, struct host_vcpu *vcpu)
{
    vcpu->has_row = read_row(vm, KVM_KIND_VCPU, vcpu->file, vcpu->data_offset, vcpu->row);
}

void registered_run_by(const struct host_vm *vm, struct host_vcpu *vcpu, pid_t thread)
{
    struct error_text error;

    if (vcpu->thread_here == (uint32_t)thread)
        return;
    vcpu->thread_here = (uint32_t)thread;
    objects_set_thread(&vm->ctx->objects, host_targets[KVM_KIND_VCPU], vcpu->path,
                       thread ? thread : -1, &error);
}

int registered_add_vcpu(struct host_statistics statistics[KVM_KINDS], struct host_vm *vm,
                        const char *path, pid_t thread, struct shared_file *shared,
                        struct error_text *error)
{
    struct kvm_stats_file file;
    struct host_vcpu *vcpu;
    int err = look_at(statistics, KVM_KIND_VCPU, shared, &file, error);

    if (!err)
        err = check_new(vm, path, &file, error);
    if (err)
        return err;
    adopt_schema(vm, statistics[KVM_KIND_VCPU].schema);
    if (host_vm_insert_vcpu(vm, (uint32_t)file.vcpu_id, strdup(path), &vcpu))
        return error_set(error, -ENOMEM, "no memory for a vCPU");
    vcpu->file = shared_file_ref(shared);
    vcpu->data_offset = file.data_offset;
    registered_run_by(vm, vcpu, thread);
    read_vcpu(vm, vcpu);
    return 0;
}

int registered_set_thread(struct host_vm *vm, const char *path, pid_t thread,
                          struct error_text *error)
{
    struct host_vcpu *vcpu = find_path(vm, path);

    if (!vcpu)
        return error_set(error, -ENOENT, "there is no vCPU of this path");
    registered_run_by(vm, vcpu, thread);
    return 0;
}

struct shared_file *registered_vcpu_file(const struct host_vm *vm, const char *path)
{
    const struct host_vcpu *vcpu = find_path(vm, path);

    return vcpu ? vcpu->file : NULL;
}

int registered_remove_vcpu(struct host_vm *vm, const char *path, struct error_text *error)
{
    struct host_vcpu *vcpu = find_path(vm, path);

    if (!vcpu)
        return error_set(error, -ENOENT, "there is no vCPU of this path");
    host_vm_remove_vcpu(vm, vcpu);
    return 0;
}

bool registered_read(struct host_vm *vm)
{
    bool is_whole = vm->has_row = read_row(vm, KVM_KIND_VM, vm->file, vm->data_offset, vm->row);

    for (size_t i = 0; i < vm->n_vcpus; i++) {
        read_vcpu(vm, &vm->vcpus[i]);
        is_whole &= vm->vcpus[i].has_row;
    }
    return is_whole;
}
