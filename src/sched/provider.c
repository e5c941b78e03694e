/* SPDX-License-Identifier: MIT */
/*
 * The provider 'sched' of a VMM that asks for it: one group for the VM, one for its vCPUs, read from
 * /proc. Each group is collected by one thread at a time and has its own memory, so there is no lock.
 */
#define _GNU_SOURCE
#include "vitals/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/cgroup.h"
#include "sched/other_threads.h"
#include "sched/proc.h"
#include "sched/schema.h"
#include "stats/collect.h"
#include "stats/report.h"

/* The others are directories: of the process, and of its control groups. */
enum { SCHEDSTATS_MAX = VITALS_SCHED_FILES_MAX - 2, PATH_SIZE = 64 };

/* A file that stays open: a pread() costs a seventh of opening it each time. */
struct kept_file {
    int64_t thread; /* 0: none */
    int fd;
};

struct sched_vcpus {
    struct vitals_group *group;
    struct object_list objects;
    struct kept_file schedstats[SCHEDSTATS_MAX]; /* by the place in the list */
    char text[PROC_TEXT_MAX];
};

struct sched_vm {
    struct vitals_group *group;
    struct object_list objects;
    uint32_t left_out;

    struct other_threads others;
    struct cgroup_thread *threads; /* the process's first one, and those of vCPUs */
    size_t threads_cap;
    struct cgroups *cgroups; /* NULL: none can be read */
    struct vm_cgroups in_cgroups;
    char text[PROC_TEXT_MAX];
};

struct vitals_sched {
    struct vitals_ctx *ctx;
    int directory; /* /proc/self */
    uint64_t tick_ns, page_size;
    struct sched_vm vm;
    struct sched_vcpus vcpus;
};

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static void forget(struct kept_file *kept)
{
    if (kept->thread)
        close(kept->fd);
    kept->thread = 0;
}

static int keep(const struct vitals_sched *sched, struct kept_file *kept, int64_t thread)
{
    char path[PATH_SIZE];

    if (kept->thread == thread)
        return 0;
    forget(kept);
    snprintf(path, sizeof(path), "task/%lld/schedstat", (long long)thread);
    kept->fd = openat(sched->directory, path, O_RDONLY | O_CLOEXEC);
    if (kept->fd < 0)
        return -errno;
    kept->thread = thread;
    return 0;
}

static int read_kept(struct vitals_sched *sched, struct kept_file *kept, int64_t thread,
                     struct proc_text *ret_text)
{
    struct sched_vcpus *vcpus = &sched->vcpus;
    int err = keep(sched, kept, thread);
    ssize_t n;

    if (err)
        return err;
    n = pread(kept->fd, vcpus->text, sizeof(vcpus->text), 0);
    if (n < 0) {
        err = -errno;
        forget(kept);
        return err;
    }
    *ret_text = (struct proc_text){vcpus->text, (size_t)n};
    return 0;
}

static int read_of_thread(struct vitals_sched *sched, int64_t thread, const char *file,
                          struct proc_text *ret_text)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "task/%lld/%s", (long long)thread, file);
    return proc_read(sched->directory, path, sched->vcpus.text, sizeof(sched->vcpus.text),
                     ret_text);
}

/* Another thread may have the number of one that ended: the file is opened once more. */
static int read_schedstat(struct vitals_sched *sched, size_t place, int64_t thread, uint64_t *row)
{
    struct kept_file *kept = place < SCHEDSTATS_MAX ? &sched->vcpus.schedstats[place] : NULL;
    bool was_open = kept && kept->thread == thread;
    struct proc_schedstat schedstat;
    struct proc_text text;
    int err;

    err = kept ? read_kept(sched, kept, thread, &text)
               : read_of_thread(sched, thread, "schedstat", &text);
    if (err == -ESRCH && was_open)
        err = read_kept(sched, kept, thread, &text);
    if (!err)
        err = proc_parse_schedstat(text, &schedstat);
    if (err)
        return err;
    row[SCHED_RUN] = schedstat.run_ns;
    row[SCHED_STEAL] = schedstat.wait_ns;
    row[SCHED_TIMESLICES] = schedstat.timeslices;
    return 0;
}

static int read_stat(struct vitals_sched *sched, int64_t thread, uint64_t *row)
{
    struct proc_stat stat;
    struct proc_text text;
    int err = read_of_thread(sched, thread, "stat", &text);

    if (!err)
        err = proc_parse_stat(text, &stat);
    if (err)
        return err;
    row[SCHED_USER] = stat.user_ticks * sched->tick_ns;
    row[SCHED_SYSTEM] = stat.system_ticks * sched->tick_ns;
    row[SCHED_LAST_CPU] = stat.last_cpu;
    return 0;
}

static int read_switches(struct vitals_sched *sched, int64_t thread, uint64_t *row)
{
    struct proc_text text;
    int err = read_of_thread(sched, thread, "status", &text);

    if (!err)
        err = proc_parse_line(text, "voluntary_ctxt_switches", &row[SCHED_VOLUNTARY_SWITCHES]);
    if (!err)
        err = proc_parse_line(text, "nonvoluntary_ctxt_switches", &row[SCHED_INVOLUNTARY_SWITCHES]);
    return err;
}

enum {
    OF_SCHEDSTAT = SCHED_BIT(SCHED_RUN) | SCHED_BIT(SCHED_STEAL) | SCHED_BIT(SCHED_TIMESLICES),
    OF_STAT = SCHED_BIT(SCHED_USER) | SCHED_BIT(SCHED_SYSTEM) | SCHED_BIT(SCHED_LAST_CPU),
    OF_STATUS = SCHED_BIT(SCHED_VOLUNTARY_SWITCHES) | SCHED_BIT(SCHED_INVOLUNTARY_SWITCHES),
};

static int read_vcpu(struct vitals_sched *sched, size_t place, uint32_t wanted, uint64_t *row)
{
    int64_t thread = sched->vcpus.objects.objects[place].thread;
    int err = 0;

    if (wanted & OF_SCHEDSTAT)
        err = read_schedstat(sched, place, thread, row);
    if (!err && (wanted & OF_STAT))
        err = read_stat(sched, thread, row);
    if (!err && (wanted & OF_STATUS))
        err = read_switches(sched, thread, row);
    return err;
}

/* Of vCPUs that are gone. */
static void forget_from(struct sched_vcpus *vcpus, size_t place)
{
    for (; place < SCHEDSTATS_MAX; place++)
        forget(&vcpus->schedstats[place]);
}

static int collect_vcpus(void *opaque, struct vitals_sink *sink)
{
    struct vitals_sched *sched = opaque;
    struct sched_vcpus *vcpus = &sched->vcpus;
    uint32_t wanted = sched_wanted(sink, SCHED_VCPU, 0);
    int err = objects_list(&sched->ctx->objects, "vcpu", &vcpus->objects);

    if (err)
        return err;
    for (size_t i = 0; i < vcpus->objects.n; i++) {
        const struct stats_object *object = &vcpus->objects.objects[i];
        uint64_t *row = object->thread > 0 ? vitals_row(sink, object->path) : NULL;

        err = row ? read_vcpu(sched, i, wanted, row) : 0;
        if (err)
            vitals_row_fail(sink, err);
    }
    forget_from(vcpus, vcpus->objects.n);
    return 0;
}

/* ---- the VM --------------------------------------------------------------------------------- */

static int read_of_process(struct vitals_sched *sched, const char *file, struct proc_text *ret_text)
{
    return proc_read(sched->directory, file, sched->vm.text, sizeof(sched->vm.text), ret_text);
}

static int read_memory(struct vitals_sched *sched, uint64_t *row)
{
    struct proc_text text;
    uint64_t pages;
    int err = read_of_process(sched, "statm", &text);

    if (!err)
        err = proc_parse_statm(text, &pages);
    if (!err)
        row[SCHED_RESIDENT] = pages * sched->page_size;
    return err;
}

static int read_process_stat(struct vitals_sched *sched, uint64_t *row)
{
    struct proc_text text;
    struct proc_stat stat;
    int err = read_of_process(sched, "stat", &text);

    if (!err)
        err = proc_parse_stat(text, &stat);
    if (err)
        return err;
    row[SCHED_THREADS] = stat.threads;
    row[SCHED_MINOR_FAULTS] = stat.minor_faults;
    row[SCHED_MAJOR_FAULTS] = stat.major_faults;
    return 0;
}

static int read_storage(struct vitals_sched *sched, uint64_t *row)
{
    struct proc_text text;
    int err = read_of_process(sched, "io", &text);

    if (!err)
        err = proc_parse_line(text, "read_bytes", &row[SCHED_READ]);
    if (!err)
        err = proc_parse_line(text, "write_bytes", &row[SCHED_WRITTEN]);
    return err;
}

/* ---- quotas --------------------------------------------------------------------------------- */

static int list_threads(struct sched_vm *vm)
{
    size_t n = vm->others.n + 1;
    struct cgroup_thread *threads;

    if (n > vm->threads_cap) {
        threads = realloc(vm->threads, n * sizeof(*threads));
        if (!threads)
            return -ENOMEM;
        vm->threads = threads;
        vm->threads_cap = n;
    }
    vm->threads[0] = (struct cgroup_thread){.thread = getpid()};
    for (size_t i = 1; i < n; i++)
        vm->threads[i] = (struct cgroup_thread){.thread = vm->others.vcpus[i - 1].thread};
    return 0;
}

static int look_at_cgroups(struct vitals_sched *sched)
{
    struct sched_vm *vm = &sched->vm;
    int err = list_threads(vm);

    if (err)
        return err;
    cgroups_set_time(vm->cgroups, clock_now_ns());
    return vm_cgroups_look(&vm->in_cgroups, vm->cgroups, sched->directory, vm->threads,
                           vm->others.n + 1);
}

static int read_throttled(struct vitals_sched *sched, uint64_t *row)
{
    int err = look_at_cgroups(sched);

    if (!err)
        row[SCHED_THROTTLED] = vm_cgroups_throttled_ns(&sched->vm.in_cgroups, sched->vm.cgroups);
    return err;
}

/* ---- the VM --------------------------------------------------------------------------------- */

enum {
    OF_PROCESS_STAT =
        SCHED_BIT(SCHED_THREADS) | SCHED_BIT(SCHED_MINOR_FAULTS) | SCHED_BIT(SCHED_MAJOR_FAULTS),
    OF_IO = SCHED_BIT(SCHED_READ) | SCHED_BIT(SCHED_WRITTEN),
    OF_VCPUS = SCHED_BIT(SCHED_OTHER_THREADS) | SCHED_BIT(SCHED_THROTTLED),
};

static int read_process(struct vitals_sched *sched, uint32_t wanted, uint64_t *row)
{
    int err = 0;

    if (wanted & SCHED_BIT(SCHED_RESIDENT))
        err = read_memory(sched, row);
    if (!err && (wanted & OF_PROCESS_STAT))
        err = read_process_stat(sched, row);
    if (!err && (wanted & OF_IO))
        err = read_storage(sched, row);
    return err;
}

static int read_threads(struct vitals_sched *sched, uint32_t wanted, uint64_t *row)
{
    struct sched_vm *vm = &sched->vm;
    int err = objects_list(&sched->ctx->objects, "vcpu", &vm->objects);

    if (!err)
        err = other_threads_add_vcpus(&vm->others, &vm->objects);
    if (!err && (wanted & SCHED_BIT(SCHED_OTHER_THREADS)))
        row[SCHED_OTHER_THREADS] = other_threads_ns(&vm->others);
    if (!err && (wanted & SCHED_BIT(SCHED_THROTTLED)))
        err = read_throttled(sched, row);
    return err;
}

static int collect_vm(void *opaque, struct vitals_sink *sink)
{
    struct vitals_sched *sched = opaque;
    uint32_t wanted = sched_wanted(sink, SCHED_VM, sched->vm.left_out);
    uint64_t *row = vitals_row(sink, NULL);
    int err;

    if (!row)
        return 0;
    err = read_process(sched, wanted, row);
    if (!err && (wanted & OF_VCPUS))
        err = read_threads(sched, wanted, row);
    if (err)
        vitals_row_fail(sink, err);
    return 0;
}

/* ---- what this host has --------------------------------------------------------------------- */

/* Some kernels have the file and count nothing. This thread has had a CPU at least once. */
static int check_schedstat(struct vitals_sched *sched)
{
    struct proc_schedstat schedstat;
    struct proc_text text;
    int err = read_of_thread(sched, gettid(), "schedstat", &text);

    if (!err)
        err = proc_parse_schedstat(text, &schedstat);
    if (!err && schedstat.timeslices)
        return 0;
    if (!err || err == -ENOENT)
        err = read_of_thread(sched, gettid(), "stat", &text) ? -ENOENT : -EOPNOTSUPP;
    if (err == -EOPNOTSUPP)
        return ctx_fail(sched->ctx, err,
                        "this kernel does not count how long threads wait for a CPU: it needs "
                        "CONFIG_SCHED_INFO, and CONFIG_SCHEDSTATS or delay accounting");
    return ctx_fail(sched->ctx, err,
                    "/proc/self/task/%d/schedstat can't be read: provider 'sched' needs a /proc "
                    "that has this process",
                    (int)gettid());
}

static int open_process(struct vitals_sched *sched)
{
    sched->directory = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sched->directory < 0)
        return ctx_fail(sched->ctx, -errno,
                        "/proc/self can't be opened: provider 'sched' needs /proc");
    sched->tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    sched->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    return check_schedstat(sched);
}

static void find_what_is_left_out(struct vitals_sched *sched)
{
    uint64_t row[SCHED_VM_STATS];
    struct sched_vm *vm = &sched->vm;

    if (read_storage(sched, row))
        vm->left_out |= OF_IO;
    if (cgroups_new("", &vm->cgroups) || look_at_cgroups(sched) || !vm->in_cgroups.n)
        vm->left_out |= SCHED_BIT(SCHED_THROTTLED);
}

/* ---- the provider --------------------------------------------------------------------------- */

static int add_group(struct vitals_sched *sched, enum sched_target target, uint32_t left_out,
                     int (*collect)(void *, struct vitals_sink *), struct vitals_group **ret_group)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .collect = collect,
                                         .opaque = sched};
    struct stats_schema *schema;
    struct error_text error;
    int err = sched_schema_new(target, left_out, &error, &schema);

    if (err)
        return ctx_fail(sched->ctx, err, "%s", error.text);
    err = registry_add(sched->ctx, &ops, schema, ret_group);
    schema_unref(schema);
    return err;
}

int vitals_sched_new(struct vitals_ctx *ctx, struct vitals_sched **ret_sched)
{
    struct vitals_sched *sched;
    int err;

    /* What fails half-way is unregistered again, which can't be done there. */
    if (registry_is_collecting(ctx))
        return ctx_fail(ctx, -EBUSY, "a provider can't be made from inside collect()");
    sched = calloc(1, sizeof(*sched));
    if (!sched)
        return ctx_fail(ctx, -ENOMEM, "no memory for provider 'sched'");
    sched->ctx = ctx;
    ctx_use(ctx);
    err = open_process(sched);
    if (!err) {
        find_what_is_left_out(sched);
        err = add_group(sched, SCHED_VM, sched->vm.left_out, collect_vm, &sched->vm.group);
    }
    if (!err)
        err = add_group(sched, SCHED_VCPU, 0, collect_vcpus, &sched->vcpus.group);
    if (err) {
        vitals_sched_free(sched);
        return err;
    }
    *ret_sched = sched;
    return 0;
}

static void free_vm(struct sched_vm *vm)
{
    object_list_free(&vm->objects);
    other_threads_free(&vm->others);
    free(vm->threads);
    if (vm->cgroups)
        vm_cgroups_free(&vm->in_cgroups, vm->cgroups);
    cgroups_free(vm->cgroups);
}

static int unregister(struct vitals_group **group)
{
    int err = vitals_unregister(*group);

    if (!err)
        *group = NULL;
    return err;
}

int vitals_sched_free(struct vitals_sched *sched)
{
    int err;

    if (!sched)
        return 0;
    err = ctx_check_copy(sched->ctx);
    if (err)
        return err;
    if (registry_is_collecting(sched->ctx))
        return ctx_fail(sched->ctx, -EBUSY, "a provider can't be freed from inside collect()");
    err = unregister(&sched->vcpus.group);
    if (!err)
        err = unregister(&sched->vm.group);
    if (err)
        return err;
    forget_from(&sched->vcpus, 0);
    object_list_free(&sched->vcpus.objects);
    free_vm(&sched->vm);
    if (sched->directory >= 0)
        close(sched->directory);
    ctx_leave(sched->ctx);
    free(sched);
    return 0;
}
