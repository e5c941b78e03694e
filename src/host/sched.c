/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/own_numbers.h"
#include "bpf/threads.h"
#include "host/threads.h"

struct host_sched {
    struct bpf_threads *kernel;
    struct host_threads threads;
    struct cgroups *cgroups;                     /* NULL: quotas are not counted here */
    int proc;                                    /* a directory, or -1 */
    struct stats_schema *schemas[SCHED_TARGETS]; /* from the first pass on that saw a thread */
    pid_t *wanted;                               /* the processes of the last pass */
    size_t n_wanted, wanted_cap;
    struct cgroup_thread *listed; /* the threads of one VM */
    size_t listed_cap;
    uint64_t now_ns;   /* as told to the control groups */
    uint64_t begin_ns; /* of the last pass over all, */
    int err;           /* and what it has come to */
};

static void open_quotas(struct host_sched *sched, const char *root)
{
    struct own_numbers own;

    if (!own_numbers_read(&own) || cgroups_new(root, &sched->cgroups))
        return;
    sched->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct host_sched *host_sched_open(const char *root)
{
    struct host_sched *sched = calloc(1, sizeof(*sched));
    struct bpf_why why;

    if (!sched)
        return NULL;
    sched->proc = -1;
    if (bpf_threads_open(root, &why, &sched->kernel)) {
        free(sched);
        return NULL;
    }
    open_quotas(sched, root);
    return sched;
}

void host_sched_close(struct host_sched *sched)
{
    if (!sched)
        return;
    bpf_threads_close(sched->kernel);
    host_threads_free(&sched->threads);
    cgroups_free(sched->cgroups);
    if (sched->proc >= 0)
        close(sched->proc);
    for (size_t i = 0; i < SCHED_TARGETS; i++)
        schema_unref(sched->schemas[i]);
    free(sched->wanted);
    free(sched->listed);
    free(sched);
}

/* ---- a pass --------------------------------------------------------------------------------- */

static int reserve_wanted(struct host_sched *sched, size_t n)
{
    pid_t *grown;

    if (n <= sched->wanted_cap)
        return 0;
    grown = reallocarray(sched->wanted, 2 * n, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    sched->wanted = grown;
    sched->wanted_cap = 2 * n;
    return 0;
}

/* The processes of these VMs, and no others any more. */
static int want(struct host_sched *sched, struct host_vm *const *vms, size_t n)
{
    for (size_t i = 0; i < sched->n_wanted; i++)
        bpf_threads_want(sched->kernel, sched->wanted[i], false);
    sched->n_wanted = 0;
    if (reserve_wanted(sched, n))
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        sched->wanted[sched->n_wanted++] = vms[i]->process;
        bpf_threads_want(sched->kernel, vms[i]->process, true);
    }
    return 0;
}

static void mark_vcpus(struct host_sched *sched, const struct host_vm *vm)
{
    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].thread)
            host_threads_mark_vcpu(&sched->threads, (pid_t)vm->vcpus[i].thread);
}

static int take_pass(struct host_sched *sched, struct host_vm *const *vms, size_t n)
{
    size_t n_records;
    const struct thread_record *records = bpf_threads_records(sched->kernel, &n_records);
    int err = host_threads_take(&sched->threads, records, n_records, sched->begin_ns);

    for (size_t i = 0; i < n && !err; i++)
        mark_vcpus(sched, vms[i]);
    return err;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int reserve_listed(struct host_sched *sched, size_t n)
{
    struct cgroup_thread *grown;

    if (n <= sched->listed_cap)
        return 0;
    grown = reallocarray(sched->listed, 2 * n, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    sched->listed = grown;
    sched->listed_cap = 2 * n;
    return 0;
}

/* @number is its number here. */
static void list_thread(struct host_sched *sched, size_t i, pid_t number, pid_t thread)
{
    sched->listed[i] = (struct cgroup_thread){.thread = number,
                                              .in = host_threads_inodes(&sched->threads, thread)};
}

/* The process's first one, and those of vCPUs. Returns how many there are; 0: no memory. */
static size_t list_threads(struct host_sched *sched, const struct host_vm *vm)
{
    size_t n = 0;

    if (reserve_listed(sched, vm->n_vcpus + 1))
        return 0;
    list_thread(sched, n++, vm->pid, vm->process);
    for (size_t i = 0; i < vm->n_vcpus; i++)
        if (vm->vcpus[i].thread_here)
            list_thread(sched, n++, (pid_t)vm->vcpus[i].thread_here, (pid_t)vm->vcpus[i].thread);
    return n;
}

static uint64_t throttled_ns(struct host_sched *sched, struct host_vm *vm)
{
    size_t n = sched->proc < 0 ? 0 : list_threads(sched, vm);
    uint64_t ns = 0;

    if (!n)
        return 0;
    vm->cgroups_of = sched->cgroups;
    if (host_threads_throttled_ns(&vm->cgroups, sched->cgroups, sched->proc, vm->pid, sched->listed,
                                  n, &ns))
        return 0;
    return ns;
}

static void fill_rows(struct host_sched *sched, struct host_vm *vm)
{
    vm->has_sched_row = host_threads_vm_row(&sched->threads, vm->process, vm->sched_row);
    if (vm->has_sched_row)
        vm->sched_row[SCHED_THROTTLED] = throttled_ns(sched, vm);
    for (size_t i = 0; i < vm->n_vcpus; i++) {
        struct host_vcpu *vcpu = &vm->vcpus[i];

        vcpu->has_sched_row =
            vcpu->thread &&
            host_threads_vcpu_row(&sched->threads, (pid_t)vcpu->thread, vcpu->sched_row);
    }
}

static void drop_rows(struct host_vm *vm)
{
    vm->has_sched_row = false;
    for (size_t i = 0; i < vm->n_vcpus; i++)
        vm->vcpus[i].has_sched_row = false;
}

/* What this kernel does not count is known from the first thread on. */
static int make_schemas(struct host_sched *sched)
{
    uint32_t left_out[SCHED_TARGETS] = {[SCHED_VM] = host_threads_left_out(&sched->threads)};
    struct error_text error;
    int err = 0;

    if (sched->proc < 0)
        left_out[SCHED_VM] |= SCHED_BIT(SCHED_THROTTLED);
    for (size_t i = 0; i < SCHED_TARGETS && !err; i++)
        err = sched_schema_new(i, left_out[i], &error, &sched->schemas[i]);
    return err;
}

static int provide(struct host_sched *sched, struct host_vm *vm)
{
    int err = 0;

    if (vm->has_sched || !vm->has_sched_row)
        return 0;
    if (!sched->schemas[0])
        err = make_schemas(sched);
    return err ? err : host_vm_provide_sched(vm, sched->schemas);
}

/* Passes and those over one process come in between each other: it never goes back. */
static void set_time(struct host_sched *sched, uint64_t now_ns)
{
    if (now_ns <= sched->now_ns)
        return;
    sched->now_ns = now_ns;
    if (sched->cgroups)
        cgroups_set_time(sched->cgroups, now_ns);
}

void host_sched_begin(struct host_sched *sched, struct host_vm *const *vms, size_t n,
                      uint64_t now_ns)
{
    sched->begin_ns = now_ns;
    sched->err = want(sched, vms, n);
    if (!sched->err)
        sched->err = bpf_threads_begin(sched->kernel);
    set_time(sched, now_ns);
}

bool host_sched_more(struct host_sched *sched, struct host_vm *const *vms, size_t n)
{
    int err = sched->err ? sched->err : bpf_threads_more(sched->kernel);

    if (err > 0)
        return true;
    sched->err = err ? err : take_pass(sched, vms, n);
    return false;
}

void host_sched_give(struct host_sched *sched, struct host_vm *vm, bool lacks_rows)
{
    if (lacks_rows)
        drop_rows(vm);
    if (lacks_rows && !sched->err)
        fill_rows(sched, vm);
    if (!sched->err)
        sched->err = provide(sched, vm);
}

/* ---- one process alone ---------------------------------------------------------------------- */

int host_sched_read_process(struct host_sched *sched, struct host_vm *const *vms, size_t n,
                            uint64_t now_ns)
{
    const struct thread_record *records;
    size_t n_records;
    int err = n ? bpf_threads_read_one(sched->kernel, vms[0]->pid) : -ENOENT;

    if (err)
        return err;
    records = bpf_threads_records(sched->kernel, &n_records);
    err = host_threads_take_process(&sched->threads, vms[0]->process, records, n_records, now_ns);
    for (size_t i = 0; i < n && !err; i++)
        mark_vcpus(sched, vms[i]);
    set_time(sched, now_ns);
    for (size_t i = 0; i < n && !err; i++)
        fill_rows(sched, vms[i]);
    return err;
}
