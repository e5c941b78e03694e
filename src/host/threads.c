/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- finding -------------------------------------------------------------------------------- */

static int compare_threads(const void *a, const void *b)
{
    const struct host_thread *x = a, *y = b;

    return (x->thread > y->thread) - (x->thread < y->thread);
}

static int compare_processes(const void *a, const void *b)
{
    const struct host_process *x = a, *y = b;

    return (x->process > y->process) - (x->process < y->process);
}

static struct host_thread *find_thread(const struct host_threads *threads, pid_t thread)
{
    const struct host_thread key = {.thread = thread};

    return threads->n_threads
               ? bsearch(&key, threads->threads, threads->n_threads, sizeof(key), compare_threads)
               : NULL;
}

static struct host_process *find_process(const struct host_threads *threads, pid_t process)
{
    const struct host_process key = {.process = process};

    return threads->n_processes ? bsearch(&key, threads->processes, threads->n_processes,
                                          sizeof(key), compare_processes)
                                : NULL;
}

/* ---- user and system time ------------------------------------------------------------------- */

/* @part of @whole, as large as the same share of @scale. */
static uint64_t share(uint64_t part, uint64_t whole, uint64_t scale)
{
    return (uint64_t)((unsigned __int128)part * scale / whole);
}

/*
 * The kernel counts run time exactly, and user and system time by what it meets at each tick. As its
 * cputime_adjust() does for /proc, the run time is divided as the ticks say, and neither part falls.
 */
static void divide_run_time(struct host_thread *thread)
{
    uint64_t *user = &thread->row[SCHED_USER], *system = &thread->row[SCHED_SYSTEM];
    uint64_t run = thread->record->run_time;
    uint64_t ticks = thread->record->user_time + thread->record->system_time;
    uint64_t new_system = 0;

    if (*user + *system >= run)
        return;
    if (ticks)
        new_system = share(thread->record->system_time, ticks, run);
    if (new_system < *system)
        new_system = *system;
    if (run - new_system < *user)
        new_system = run - *user;
    *system = new_system;
    *user = run - new_system;
}

/* ---- taking a pass -------------------------------------------------------------------------- */

static int reserve(struct host_threads *threads, size_t n)
{
    struct host_thread *of_threads;
    struct host_process *of_processes;

    if (n <= threads->cap)
        return 0;
    of_threads = realloc(threads->threads, n * sizeof(*of_threads));
    if (of_threads)
        threads->threads = of_threads;
    of_processes = realloc(threads->processes, n * sizeof(*of_processes));
    if (of_processes)
        threads->processes = of_processes;
    if (!of_threads || !of_processes)
        return -ENOMEM;
    threads->cap = n;
    return 0;
}

#define SWAP(a, b)                                                                                 \
    do {                                                                                           \
        __typeof__(a) swapped_ = (a);                                                              \
        (a) = (b);                                                                                 \
        (b) = swapped_;                                                                            \
    } while (0)

/* The pass before is kept, and the memory of the one before that is used again. */
static void turn(struct host_threads *threads)
{
    SWAP(threads->threads, threads->threads_before);
    SWAP(threads->processes, threads->processes_before);
    SWAP(threads->cap, threads->cap_before);
    SWAP(threads->n_threads, threads->n_threads_before);
    SWAP(threads->n_processes, threads->n_processes_before);
    threads->n_threads = threads->n_processes = 0;
}

static uint64_t known(uint64_t value)
{
    return value == BPF_UNKNOWN ? 0 : value;
}

/* The threads that have ended are told by each record: as the first one has it, none is twice. */
static struct host_process first_of(const struct thread_record *record)
{
    return (struct host_process){
        .process = (pid_t)record->process,
        .resident_pages = known(record->resident_pages),
        .run_ns = record->exited.run_time,
        .minor_faults = record->exited.minor_faults,
        .major_faults = record->exited.major_faults,
        .read_bytes = known(record->exited.read_bytes),
        .written_bytes = known(record->exited.written_bytes),
    };
}

static void add_record(struct host_process *process, const struct thread_record *record)
{
    process->n_threads++;
    process->run_ns += record->run_time;
    process->minor_faults += record->minor_faults;
    process->major_faults += record->major_faults;
    process->read_bytes += known(record->read_bytes);
    process->written_bytes += known(record->written_bytes);
    if (record->thread == record->process)
        process->start_time = record->start_time;
}

static int compare_by_process(const void *a, const void *b)
{
    const struct host_thread *x = a, *y = b;

    return x->process != y->process ? (x->process > y->process) - (x->process < y->process)
                                    : compare_threads(a, b);
}

static void add_up_processes(struct host_threads *threads)
{
    qsort(threads->threads, threads->n_threads, sizeof(*threads->threads), compare_by_process);
    for (size_t i = 0; i < threads->n_threads; i++) {
        const struct thread_record *record = threads->threads[i].record;
        size_t n = threads->n_processes;

        if (!n || threads->processes[n - 1].process != threads->threads[i].process)
            threads->processes[threads->n_processes++] = first_of(record);
        add_record(&threads->processes[threads->n_processes - 1], record);
    }
    qsort(threads->threads, threads->n_threads, sizeof(*threads->threads), compare_threads);
}

static void add_thread(struct host_threads *threads, const struct thread_record *record)
{
    threads->threads[threads->n_threads++] = (struct host_thread){
        .record = record,
        .thread = (pid_t)record->thread,
        .process = (pid_t)record->process,
        .start_time = record->start_time,
        .row = {[SCHED_RUN] = record->run_time,
                [SCHED_STEAL] = record->run_delay,
                [SCHED_TIMESLICES] = record->timeslices,
                [SCHED_VOLUNTARY_SWITCHES] = record->voluntary_switches,
                [SCHED_INVOLUNTARY_SWITCHES] = record->involuntary_switches,
                [SCHED_LAST_CPU] = record->cpu},
    };
    if (record->resident_pages == BPF_UNKNOWN)
        threads->left_out |= SCHED_BIT(SCHED_RESIDENT);
    if (record->read_bytes == BPF_UNKNOWN)
        threads->left_out |= SCHED_BIT(SCHED_READ) | SCHED_BIT(SCHED_WRITTEN);
}

/* ---- what goes on from the pass before ------------------------------------------------------ */

static void not_below(uint64_t *value, uint64_t before)
{
    if (*value < before)
        *value = before;
}

/* A thread may be missed that ends during the pass; the next one has it among those that ended. */
static void continue_process(struct host_process *now, const struct host_process *before)
{
    not_below(&now->minor_faults, before->minor_faults);
    not_below(&now->major_faults, before->major_faults);
    not_below(&now->read_bytes, before->read_bytes);
    not_below(&now->written_bytes, before->written_bytes);
    now->ended_vcpus_ns = before->ended_vcpus_ns;
    now->other_threads_ns = before->other_threads_ns;
}

static void continue_processes(struct host_threads *threads)
{
    for (size_t i = 0; i < threads->n_processes_before; i++) {
        const struct host_process *before = &threads->processes_before[i];
        struct host_process *now = find_process(threads, before->process);

        if (now && now->start_time == before->start_time)
            continue_process(now, before);
    }
}

/* What a vCPU did stays that of a vCPU. */
static void end_thread(struct host_threads *threads, const struct host_thread *before)
{
    struct host_process *process = before->is_vcpu ? find_process(threads, before->process) : NULL;

    if (process && process->start_time <= before->start_time)
        process->ended_vcpus_ns += before->row[SCHED_RUN];
}

static void continue_threads(struct host_threads *threads)
{
    for (size_t i = 0; i < threads->n_threads_before; i++) {
        const struct host_thread *before = &threads->threads_before[i];
        struct host_thread *now = find_thread(threads, before->thread);

        if (!now || now->start_time != before->start_time) {
            end_thread(threads, before);
            continue;
        }
        now->row[SCHED_USER] = before->row[SCHED_USER];
        now->row[SCHED_SYSTEM] = before->row[SCHED_SYSTEM];
        if (before->is_vcpu)
            host_threads_mark_vcpu(threads, now->thread);
    }
}

int host_threads_take(struct host_threads *threads, const struct thread_record *records, size_t n)
{
    turn(threads);
    if (reserve(threads, n)) {
        turn(threads);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        add_thread(threads, &records[i]);
    add_up_processes(threads);
    continue_processes(threads);
    continue_threads(threads);
    for (size_t i = 0; i < n; i++)
        divide_run_time(&threads->threads[i]);
    return 0;
}

void host_threads_mark_vcpu(struct host_threads *threads, pid_t thread)
{
    struct host_thread *found = find_thread(threads, thread);
    struct host_process *process = found ? find_process(threads, found->process) : NULL;

    if (!process || found->is_vcpu)
        return;
    found->is_vcpu = true;
    process->vcpus_ns += found->row[SCHED_RUN];
}

void host_threads_free(struct host_threads *threads)
{
    free(threads->threads);
    free(threads->threads_before);
    free(threads->processes);
    free(threads->processes_before);
    *threads = (struct host_threads){0};
}

/* ---- rows ----------------------------------------------------------------------------------- */

bool host_threads_vcpu_row(const struct host_threads *threads, pid_t thread, uint64_t *row)
{
    const struct host_thread *found = find_thread(threads, thread);

    if (!found)
        return false;
    memcpy(row, found->row, sizeof(found->row));
    return true;
}

static uint64_t other_threads_ns(struct host_process *process)
{
    uint64_t vcpus = process->vcpus_ns + process->ended_vcpus_ns;

    if (process->run_ns > vcpus)
        not_below(&process->other_threads_ns, process->run_ns - vcpus);
    return process->other_threads_ns;
}

bool host_threads_vm_row(struct host_threads *threads, pid_t process, uint64_t *row)
{
    struct host_process *found = find_process(threads, process);

    if (!found)
        return false;
    row[SCHED_RESIDENT] = found->resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    row[SCHED_THREADS] = found->n_threads;
    row[SCHED_MINOR_FAULTS] = found->minor_faults;
    row[SCHED_MAJOR_FAULTS] = found->major_faults;
    row[SCHED_READ] = found->read_bytes;
    row[SCHED_WRITTEN] = found->written_bytes;
    row[SCHED_OTHER_THREADS] = other_threads_ns(found);
    return true;
}

uint32_t host_threads_left_out(const struct host_threads *threads)
{
    return threads->left_out;
}

/* ---- quotas --------------------------------------------------------------------------------- */

static int look_at_cgroups(struct vm_cgroups *vm, struct cgroups *cgroups, int proc, pid_t process,
                           const pid_t *vcpus, size_t n_vcpus)
{
    pid_t *all = malloc((n_vcpus + 1) * sizeof(*all));
    char name[16];
    int directory, err;

    if (!all)
        return -ENOMEM;
    all[0] = process;
    if (n_vcpus)
        memcpy(all + 1, vcpus, n_vcpus * sizeof(*all));
    snprintf(name, sizeof(name), "%d", (int)process);
    directory = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    err = vm_cgroups_look(vm, cgroups, directory, all, directory < 0 ? 0 : n_vcpus + 1);
    if (directory >= 0)
        close(directory);
    free(all);
    return err;
}

int host_threads_throttled_ns(struct vm_cgroups *vm, struct cgroups *cgroups, int proc,
                              pid_t process, const pid_t *vcpus, size_t n_vcpus, uint64_t *ret_ns)
{
    int err = 0;

    if (vm_cgroups_are_due(vm, cgroups))
        err = look_at_cgroups(vm, cgroups, proc, process, vcpus, n_vcpus);
    if (!err)
        *ret_ns = vm_cgroups_throttled_ns(vm, cgroups);
    return err;
}
