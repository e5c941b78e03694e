/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/count.h"
#include "bpf/kvm_files.h"
#include "host/follower.h"
#include "host/sched.h"
#include "host/state.h"
#include "host/table.h"
#include "kvm/schema.h"

enum { FORGETTING = 8 }; /* what was dear once is tried again after some passes */

struct records {
    const struct kvm_record **all;
    size_t n, cap;
};

/* Of a pass over all. */
enum step {
    READ_KERNEL,
    BEGIN_UPDATE,
    UPDATE,
    PUBLISH,
    END_UPDATE,
    READ_REGISTERED,
    BEGIN_THREADS,
    READ_THREADS,
    FINISH_VMS,
    STEPS, /* it is over */
};

struct pass {
    enum step step; /* that goes on */
    struct host_update update;
    bool is_updating;
    size_t next; /* VM of the step */
    bool are_registered_whole;
    int err;
};

struct host {
    struct bpf_kvm *kvm;      /* NULL: nothing is read from the kernel */
    struct host_sched *sched; /* NULL: can't be had */
    struct host_table table;
    struct host_statistics statistics[KVM_KINDS];
    struct follower follower;
    struct records records, records_of_one; /* of a pass over all, and of one over a process */
    struct host_vm **renewed;               /* by the latter */
    size_t renewed_cap;
    struct pass pass;
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

static struct host *new_host(void)
{
    struct host *host = calloc(1, sizeof(*host));

    if (host)
        host->pass.step = STEPS;
    return host;
}

int host_open(const char *root, struct bpf_why *why, struct host **ret_host)
{
    struct host *host = new_host();
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
    struct host *host = new_host();

    if (!host)
        return -ENOMEM;
    *ret_host = host;
    return 0;
}

void host_close(struct host *host)
{
    if (!host)
        return;
    host_end(host);
    follower_free(&host->follower);
    host_table_free(&host->table);
    host_sched_close(host->sched);
    for (size_t i = 0; i < KVM_KINDS; i++)
        host_statistics_free(&host->statistics[i]);
    if (host->kvm)
        bpf_kvm_close(host->kvm);
    free(host->records.all);
    free(host->records_of_one.all);
    free(host->renewed);
    free(host);
}

/* ---- a pass --------------------------------------------------------------------------------- */

static int add_record(struct records *records, const struct kvm_record *record)
{
    if (records->n == records->cap) {
        size_t cap = records->cap ? 2 * records->cap : 64;
        const struct kvm_record **all = reallocarray(records->all, cap, sizeof(*all));

        if (!all)
            return -ENOMEM;
        records->all = all;
        records->cap = cap;
    }
    records->all[records->n++] = record;
    return 0;
}

/* Of the pass that has just ended. */
static int add_records(const struct host *host, struct records *records)
{
    const struct kvm_record *record = NULL;
    int err = 0;

    records->n = 0;
    while (!err && (record = bpf_kvm_next(host->kvm, record)))
        err = add_record(records, record);
    return err;
}

/* Each step is called as long as it returns true: there is more of it. */

static bool read_kernel(struct host *host)
{
    struct pass *pass = &host->pass;
    int err = pass->err ? pass->err : bpf_kvm_more(host->kvm);

    if (err > 0)
        return true;
    pass->err = err ? err : add_records(host, &host->records);
    return false;
}

static bool begin_update(struct host *host)
{
    struct pass *pass = &host->pass;

    if (!pass->err)
        pass->err = host_update_begin(&pass->update, &host->table, host->records.all,
                                      host->records.n, host->time_ns);
    pass->is_updating = !pass->err;
    return false;
}

static bool update(struct host *host)
{
    return host->pass.is_updating && host_update_take(&host->pass.update);
}

static bool publish(struct host *host)
{
    return host->pass.is_updating && host_update_publish(&host->pass.update);
}

static bool end_update(struct host *host)
{
    if (host->pass.is_updating)
        host->pass.err = host_update_end(&host->pass.update);
    host->pass.is_updating = false;
    host->pass.next = 0;
    return false;
}

/* What has been removed meanwhile can't be read any more, and is no VM that is down. */
static bool read_registered(struct host *host)
{
    struct pass *pass = &host->pass;
    uint64_t begin = clock_now_ns();
    bool is_more = pass->next < host->table.n_registered;

    if (is_more)
        pass->are_registered_whole &= registered_read(host->table.registered[pass->next++]);
    else if (!pass->are_registered_whole)
        follower_read(&host->follower, host->statistics, &host->table);
    host->registered_ns += clock_now_ns() - begin;
    return is_more;
}

/* Without threads the VMs are still right. */
static bool has_threads(const struct host *host)
{
    return host->sched && !host->pass.err;
}

static bool begin_threads(struct host *host)
{
    host->pass.next = 0;
    if (has_threads(host))
        host_sched_begin(host->sched, host->table.vms, host->table.n, host->time_ns);
    return false;
}

static bool read_threads(struct host *host)
{
    return has_threads(host) && host_sched_more(host->sched, host->table.vms, host->table.n);
}

/* One that was read alone since the pass began has rows of a later time. */
static void finish(struct host *host, struct host_vm *vm)
{
    bool is_older = vm->read_ns <= host->time_ns;

    if (host->sched)
        host_sched_give(host->sched, vm, is_older);
    vm->taken_ns -= vm->taken_ns / FORGETTING;
    if (!is_older)
        return;
    vm->read_ns = host->time_ns;
    host_state_update(vm, host->time_ns);
}

static bool finish_vms(struct host *host)
{
    struct pass *pass = &host->pass;

    if (pass->err || pass->next == host->table.n)
        return false;
    finish(host, host->table.vms[pass->next++]);
    return true;
}

static bool (*const steps[])(struct host *host) = {
    [READ_KERNEL] = read_kernel,
    [BEGIN_UPDATE] = begin_update,
    [UPDATE] = update,
    [PUBLISH] = publish,
    [END_UPDATE] = end_update,
    [READ_REGISTERED] = read_registered,
    [BEGIN_THREADS] = begin_threads,
    [READ_THREADS] = read_threads,
    [FINISH_VMS] = finish_vms,
};
ASSERT_COUNT(steps, STEPS);

static bool is_under_way(const struct host *host)
{
    return host->pass.step < STEPS;
}

void host_begin(struct host *host)
{
    host_end(host);
    host->time_ns = clock_now_ns();
    follower_read(&host->follower, host->statistics, &host->table);
    host->pass = (struct pass){.are_registered_whole = true};
    host->registered_ns = 0;
    if (host->kvm)
        host->pass.err = bpf_kvm_begin(host->kvm);
    else
        host->pass.step = READ_REGISTERED;
}

bool host_go_on(struct host *host, uint64_t until_ns)
{
    struct pass *pass = &host->pass;

    while (is_under_way(host)) {
        if (!steps[pass->step](host))
            pass->step++;
        if (clock_now_ns() >= until_ns)
            break;
    }
    return is_under_way(host);
}

int host_end(struct host *host)
{
    host_go_on(host, UINT64_MAX);
    return host->pass.err;
}

int host_read(struct host *host)
{
    host_begin(host);
    return host_end(host);
}

/* ---- a pass over one process ---------------------------------------------------------------- */

bool host_reads_vms(const struct host *host)
{
    return !host->kvm || bpf_kvm_reads_one(host->kvm);
}

static int reserve_renewed(struct host *host, size_t n)
{
    struct host_vm **renewed;

    if (n <= host->renewed_cap)
        return 0;
    renewed = reallocarray(host->renewed, n, sizeof(*renewed));
    if (!renewed)
        return -ENOMEM;
    host->renewed = renewed;
    host->renewed_cap = n;
    return 0;
}

static int renew_vms(struct host *host, const struct host_vm *vm, uint64_t now_ns, size_t *ret_n)
{
    struct records *records = &host->records_of_one;
    int err = vm->process && vm->pid ? bpf_kvm_read_one(host->kvm, vm->pid) : -ENOENT;

    if (!err)
        err = add_records(host, records);
    if (!err)
        err = reserve_renewed(host, records->n);
    if (err)
        return err;
    *ret_n = host_table_renew(&host->table, records->all, records->n, now_ns, host->renewed);
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
    struct shared_file *file;
    int err;

    host_end(host); /* while a pass is under way, the table has to stay the same */
    err = check_owner(host, registration, fd, error);
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
    host_end(host);
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
