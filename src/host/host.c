/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bpf/kvm_files.h"
#include "host/follower.h"
#include "host/sched.h"
#include "host/state.h"
#include "host/table.h"
#include "kvm/schema.h"

enum { FORGETTING = 8 }; /* what was dear once is tried again after some passes */

struct host {
    struct bpf_kvm *kvm;      /* NULL: nothing is read from the kernel */
    struct host_sched *sched; /* NULL: can't be had */
    struct host_table table;
    struct host_statistics statistics[KVM_KINDS];
    struct follower follower;
    const struct kvm_record **records; /* of the pass under way */
    struct host_vm **renewed;          /* by a pass over one process; as much room as for records */
    size_t records_cap;
    uint64_t time_ns, registered_ns;
};

static int new_schema(struct host *host, enum kvm_kind kind, struct bpf_why *why,
                      struct stats_schema **ret_schema)
{
    struct kvm_stats_file file = *bpf_kvm_statistics(host->kvm, kind);
    struct error_text error = {0}, first;
    int err = kvm_schema_new(&file, host_targets[kind], &first, &error, ret_schema);

    if (err)
        return bpf_why_set(why, err, BPF_MISSING_KVM, "", "%s", error.text);
    host_statistics_set(&host->statistics[kind], &file, *ret_schema);
    return 0;
}

static int init_table(struct host *host, struct bpf_why *why)
{
    struct stats_schema *schemas[KVM_KINDS] = {NULL};
    int err = 0;

    for (size_t i = 0; i < KVM_KINDS && !err; i++)
        err = new_schema(host, i, why, &schemas[i]);
    if (!err)
        host_table_init(&host->table, schemas);
    for (size_t i = 0; i < KVM_KINDS; i++)
        schema_unref(schemas[i]);
    return err;
}

int host_open(const char *root, struct bpf_why *why, struct host **ret_host)
{
    struct host *host = calloc(1, sizeof(*host));
    int err;

    if (!host)
        return bpf_why_set(why, -ENOMEM, BPF_MISSING_KVM, "", "out of memory");
    err = bpf_kvm_open(root, why, &host->kvm);
    if (!err)
        err = init_table(host, why);
    if (err) {
        host_close(host);
        return err;
    }
    host->sched = host_sched_open(root);
    *ret_host = host;
    return 0;
}

int host_open_empty(struct host **ret_host)
{
    struct host *host = calloc(1, sizeof(*host));

    if (!host)
        return -ENOMEM;
    *ret_host = host;
    return 0;
}

void host_close(struct host *host)
{
    if (!host)
        return;
    follower_free(&host->follower);
    host_table_free(&host->table);
    host_sched_close(host->sched);
    for (size_t i = 0; i < KVM_KINDS; i++)
        host_statistics_free(&host->statistics[i]);
    if (host->kvm)
        bpf_kvm_close(host->kvm);
    free(host->records);
    free(host->renewed);
    free(host);
}

/* ---- a pass --------------------------------------------------------------------------------- */

static int add_record(struct host *host, size_t n, const struct kvm_record *record)
{
    if (n == host->records_cap) {
        size_t cap = host->records_cap ? 2 * host->records_cap : 64;
        const struct kvm_record **records = reallocarray(host->records, cap, sizeof(*records));
        struct host_vm **renewed;

        if (!records)
            return -ENOMEM;
        host->records = records;
        renewed = reallocarray(host->renewed, cap, sizeof(*renewed));
        if (!renewed)
            return -ENOMEM;
        host->renewed = renewed;
        host->records_cap = cap;
    }
    host->records[n] = record;
    return 0;
}

static int add_records(struct host *host, size_t *ret_n)
{
    const struct kvm_record *record = NULL;
    size_t n = 0;
    int err = 0;

    while (!err && (record = bpf_kvm_next(host->kvm, record)))
        err = add_record(host, n++, record);
    *ret_n = n;
    return err;
}

static int read_kernel(struct host *host)
{
    size_t n;
    int err;

    if (!host->kvm)
        return 0;
    err = bpf_kvm_read(host->kvm, 0);
    if (!err)
        err = add_records(host, &n);
    if (!err)
        err = host_table_update(&host->table, host->records, n);
    return err;
}

/* What has been removed meanwhile can't be read any more, and is no VM that is down. */
static void read_registered(struct host *host)
{
    uint64_t begin = clock_now_ns();
    bool are_whole = true;

    for (size_t i = 0; i < host->table.n_registered; i++)
        are_whole &= registered_read(host->table.registered[i]);
    if (!are_whole)
        follower_read(&host->follower, host->statistics, &host->table);
    host->registered_ns = clock_now_ns() - begin;
}

int host_read(struct host *host)
{
    int err;

    host->time_ns = clock_now_ns();
    follower_read(&host->follower, host->statistics, &host->table);
    err = read_kernel(host);
    read_registered(host);
    /* Without threads the VMs are still right. */
    if (!err && host->sched)
        host_sched_read(host->sched, host->table.vms, host->table.n, host->time_ns);
    for (size_t i = 0; i < host->table.n && !err; i++) {
        host->table.vms[i]->read_ns = host->time_ns;
        host->table.vms[i]->taken_ns -= host->table.vms[i]->taken_ns / FORGETTING;
        host_state_update(host->table.vms[i], host->time_ns);
    }
    return err;
}

/* ---- a pass over one process ---------------------------------------------------------------- */

bool host_reads_vms(const struct host *host)
{
    return !host->kvm || bpf_kvm_reads_one(host->kvm);
}

static int renew_vms(struct host *host, const struct host_vm *vm, uint64_t now_ns, size_t *ret_n)
{
    size_t n;
    int err = vm->process && vm->pid ? bpf_kvm_read_one(host->kvm, vm->pid) : -ENOENT;

    if (!err)
        err = add_records(host, &n);
    if (err)
        return err;
    *ret_n = host_table_renew(&host->table, host->records, n, host->renewed);
    return host->sched && *ret_n
               ? host_sched_read_process(host->sched, host->renewed, *ret_n, now_ns)
               : 0;
}

static void finish_vm(struct host_vm *vm, uint64_t now_ns)
{
    if (vm->is_registered)
        registered_read(vm);
    host_state_update(vm, now_ns);
    vm->read_ns = now_ns;
}

static void finish_renewed(struct host *host, size_t n, uint64_t now_ns, uint64_t begin_cpu_ns)
{
    uint64_t taken_ns;

    for (size_t i = 0; i < n; i++)
        finish_vm(host->renewed[i], now_ns);
    taken_ns = clock_thread_cpu_ns() - begin_cpu_ns;
    for (size_t i = 0; i < n; i++)
        host->renewed[i]->taken_ns = taken_ns;
}

int host_read_vm(struct host *host, struct host_vm *vm)
{
    uint64_t now_ns = clock_now_ns(), cpu_ns = clock_thread_cpu_ns();
    size_t n;
    int err;

    if (host->kvm) {
        err = renew_vms(host, vm, now_ns, &n);
        if (!err)
            finish_renewed(host, n, now_ns, cpu_ns);
        vm->taken_ns = clock_thread_cpu_ns() - cpu_ns; /* also where it was in vain */
        if (err)
            return err;
        return vm->read_ns == now_ns ? 0 : -ENOENT;
    }
    finish_vm(vm, now_ns);
    return 0;
}

uint64_t host_registered_ns(const struct host *host)
{
    return host->registered_ns;
}

const uint64_t *host_time_ns(const struct host *host)
{
    return &host->time_ns;
}

struct host_vm *const *host_vms(const struct host *host, size_t *ret_n)
{
    *ret_n = host->table.n;
    return host->table.vms;
}

/* ---- those that register -------------------------------------------------------------------- */

/* Which VM a file is of, and whether it may be registered by its user. */
static int check_owner(struct host *host, struct registration *registration, int fd,
                       struct error_text *error)
{
    const struct stats_file_record *record = NULL;
    const struct host_vm *vm;

    registration->key = 0;
    if (host->kvm && bpf_kvm_read_stats_files(host->kvm) == 0)
        record = bpf_kvm_find_stats_file(host->kvm, fd);
    if (!record)
        return 0;
    registration->key = record->vm;
    vm = host_table_find(&host->table, record->vm);
    if (vm && vm->is_registered)
        return error_set(error, -EEXIST, "this VM has been registered already");
    if (vm && registration->uid != 0 && vm->uid != registration->uid)
        return error_set(error, -EACCES, "this VM is another user's");
    return 0;
}

/* Who has opened it keeps it if nobody else could take it. */
static void end_sharing(struct shared_file *file, int err)
{
    if (err)
        shared_file_give_back(file);
    else
        shared_file_unref(file);
}

static int add_registered(struct host *host, const struct registration *registration,
                          struct shared_file *file, struct error_text *error,
                          struct host_vm **ret_vm)
{
    struct host_vm *vm;
    int err = registered_new(host->statistics, registration, file, error, &vm);

    if (err)
        return err;
    err = host_table_add_registered(&host->table, vm);
    if (err) {
        host_vm_unref(vm);
        return error_set(error, err, "no memory for a VM");
    }
    *ret_vm = vm;
    return 0;
}

int host_register(struct host *host, struct registration *registration, int fd,
                  struct error_text *error, struct host_vm **ret_vm)
{
    int err = check_owner(host, registration, fd, error);
    struct shared_file *file;

    if (err)
        return err;
    file = shared_file_new(fd);
    if (!file)
        return error_set(error, -ENOMEM, "no memory for a VM");
    err = add_registered(host, registration, file, error, ret_vm);
    end_sharing(file, err);
    return err;
}

void host_follow(struct host *host, struct roster *roster)
{
    host->follower.roster = roster;
}

void host_unregister(struct host *host, struct host_vm *vm)
{
    host_table_remove_registered(&host->table, vm);
}

static int check_vm(struct host *host, const struct host_vm *vm, int fd, bool is_first,
                    struct error_text *error)
{
    const struct stats_file_record *record;

    if (!vm->key || (is_first && bpf_kvm_read_stats_files(host->kvm)))
        return 0;
    record = bpf_kvm_find_stats_file(host->kvm, fd);
    return record && record->vm != vm->key ? error_set(error, -EINVAL, "it is a vCPU of another VM")
                                           : 0;
}

int host_register_vcpu(struct host *host, struct host_vm *vm, const char *path, pid_t thread,
                       int fd, bool is_first, struct error_text *error)
{
    int err = check_vm(host, vm, fd, is_first, error);
    struct shared_file *file;

    if (err)
        return err;
    file = shared_file_new(fd);
    if (!file)
        return error_set(error, -ENOMEM, "no memory for a vCPU");
    err = registered_add_vcpu(host->statistics, vm, path, thread, file, error);
    end_sharing(file, err);
    return err;
}
