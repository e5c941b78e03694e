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

/* Those of a VM are mostly beside each other, and in each pass where they were in the one before. */
static struct host_thread *find_near(const struct host_threads *threads, pid_t thread)
{
    size_t first = threads->last_found ? threads->last_found - 1 : 0;

    for (size_t i = first; i < first + 3 && i < threads->n_threads; i++)
        if (threads->threads[i].thread == thread)
            return &threads->threads[i];
    return NULL;
}

/* By hand, since calls of a function that compares would cost most of all that is done here. */
static struct host_thread *search_thread(const struct host_threads *threads, pid_t thread)
{
    size_t low = 0, high = threads->n_threads;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (threads->threads[middle].thread < thread)
            low = middle + 1;
        else
            high = middle;
    }
    return low < threads->n_threads && threads->threads[low].thread == thread
               ? &threads->threads[low]
               : NULL;
}

static struct host_thread *find_thread(struct host_threads *threads, pid_t thread)
{
    struct host_thread *found = find_near(threads, thread);

    if (!found)
        found = search_thread(threads, thread);
    if (found)
        threads->last_found = (size_t)(found - threads->threads);
    return found;
}

static struct host_process *find_among(struct host_process *processes, size_t n, pid_t process)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (processes[middle].process < process)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && processes[low].process == process ? &processes[low] : NULL;
}

static struct host_process *find_process(const struct host_threads *threads, pid_t process)
{
    return find_among(threads->processes, threads->n_processes, process);
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

/* It was read alone since the pass began, so what the pass has of it is older. */
static bool is_newer(const struct host_threads *threads, pid_t process)
{
    const struct host_process *before =
        threads->n_newer
            ? find_among(threads->processes_before, threads->n_processes_before, process)
            : NULL;

    return before && before->read_ns > threads->begin_ns;
}

static void begin_pass(struct host_threads *threads, uint64_t begin_ns)
{
    threads->begin_ns = begin_ns;
    threads->n_newer = 0;
    for (size_t i = 0; i < threads->n_processes_before; i++)
        if (threads->processes_before[i].read_ns > begin_ns)
            threads->n_newer += threads->processes_before[i].n_threads;
}

static uint64_t known(uint64_t value)
{
    return value == BPF_UNKNOWN ? 0 : value;
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

/*
 * The threads that have ended are told by each record: as the first one has it, none is twice. What goes
 * on as it was has no record.
 */
static void add_ended(struct host_process *process)
{
    const struct thread_record *first = process->first;

    if (!first)
        return;
    process->resident_pages = known(first->resident_pages);
    process->run_ns += first->exited.run_time;
    process->minor_faults += first->exited.minor_faults;
    process->major_faults += first->exited.major_faults;
    process->read_bytes += known(first->exited.read_bytes);
    process->written_bytes += known(first->exited.written_bytes);
}

static void add_process(struct host_process *process, const struct host_process *more)
{
    process->n_threads += more->n_threads;
    process->run_ns += more->run_ns;
    process->minor_faults += more->minor_faults;
    process->major_faults += more->major_faults;
    process->read_bytes += more->read_bytes;
    process->written_bytes += more->written_bytes;
    process->start_time += more->start_time;
}

static int compare_processes(const void *a, const void *b)
{
    const struct host_process *x = a, *y = b;

    if (x->process != y->process)
        return x->process > y->process ? 1 : -1;
    return (x->first->thread > y->first->thread) - (x->first->thread < y->first->thread);
}

/* Those of one process mostly follow one another: what does is added up before it is sorted. */
static void add_up_runs(struct host_threads *threads, const struct thread_record *records, size_t n)
{
    struct host_process *last = NULL;

    for (size_t i = 0; i < n; i++) {
        if (is_newer(threads, (pid_t)records[i].process))
            continue;
        if (!last || last->process != (pid_t)records[i].process) {
            last = &threads->processes[threads->n_processes++];
            *last =
                (struct host_process){.process = (pid_t)records[i].process, .first = &records[i]};
        }
        add_record(last, &records[i]);
    }
}

static void add_newer_processes(struct host_threads *threads)
{
    for (size_t i = 0; i < threads->n_processes_before && threads->n_newer; i++) {
        struct host_process *process = &threads->processes_before[i];

        if (process->read_ns <= threads->begin_ns)
            continue;
        process->first = NULL;
        threads->processes[threads->n_processes++] = *process;
    }
}

static void add_up_processes(struct host_threads *threads, const struct thread_record *records,
                             size_t n_records)
{
    struct host_process *all = threads->processes;
    size_t n = 0;

    add_up_runs(threads, records, n_records);
    add_newer_processes(threads);
    if (threads->n_processes)
        qsort(all, threads->n_processes, sizeof(*all), compare_processes);
    for (size_t i = 0; i < threads->n_processes; i++) {
        if (n && all[n - 1].process == all[i].process)
            add_process(&all[n - 1], &all[i]);
        else
            all[n++] = all[i];
    }
    threads->n_processes = n;
    for (size_t i = 0; i < n; i++)
        add_ended(&all[i]);
}

/*
 * User and system time are what the kernel met at its ticks. /proc stretches them to the exact run time,
 * by a division that would fall now and then between two programs that do it.
 */
static struct host_thread thread_of(const struct thread_record *record)
{
    return (struct host_thread){
        .thread = (pid_t)record->thread,
        .process = (pid_t)record->process,
        .start_time = record->start_time,
        .in = {.unified = record->cgroup_unified, .cpu = record->cgroup_cpu},
        .row = {[SCHED_RUN] = record->run_time,
                [SCHED_STEAL] = record->run_delay,
                [SCHED_TIMESLICES] = record->timeslices,
                [SCHED_USER] = record->user_time,
                [SCHED_SYSTEM] = record->system_time,
                [SCHED_VOLUNTARY_SWITCHES] = record->voluntary_switches,
                [SCHED_INVOLUNTARY_SWITCHES] = record->involuntary_switches,
                [SCHED_LAST_CPU] = record->cpu},
    };
}

static void add_thread(struct host_threads *threads, const struct thread_record *record)
{
    threads->threads[threads->n_threads++] = thread_of(record);
    if (record->resident_pages == BPF_UNKNOWN)
        threads->left_out |= SCHED_BIT(SCHED_RESIDENT);
    if (record->read_bytes == BPF_UNKNOWN)
        threads->left_out |= SCHED_BIT(SCHED_READ) | SCHED_BIT(SCHED_WRITTEN);
}

/* Up to @thread, from the one before that has the index @next. Returns the index of the next one. */
static size_t add_newer_threads(struct host_threads *threads, size_t next, pid_t thread)
{
    for (; next < threads->n_threads_before; next++) {
        const struct host_thread *before = &threads->threads_before[next];

        if (before->thread > thread)
            break;
        if (is_newer(threads, before->process))
            threads->threads[threads->n_threads++] = *before;
    }
    return next;
}

/* Both are in the order of the threads. */
static void add_threads(struct host_threads *threads, const struct thread_record *records, size_t n)
{
    size_t next = 0;

    for (size_t i = 0; i < n; i++) {
        if (threads->n_newer)
            next = add_newer_threads(threads, next, (pid_t)records[i].thread);
        if (!is_newer(threads, (pid_t)records[i].process))
            add_thread(threads, &records[i]);
    }
    if (threads->n_newer)
        add_newer_threads(threads, next, BPF_PROCESS_LIMIT);
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
        if (before->is_vcpu)
            host_threads_mark_vcpu(threads, now->thread);
    }
}

int host_threads_take(struct host_threads *threads, const struct thread_record *records, size_t n,
                      uint64_t begin_ns)
{
    turn(threads);
    begin_pass(threads, begin_ns);
    if (reserve(threads, n + threads->n_newer)) {
        turn(threads);
        return -ENOMEM;
    }
    add_threads(threads, records, n);
    add_up_processes(threads, records, n);
    continue_processes(threads);
    continue_threads(threads);
    return 0;
}

/* ---- one process alone ---------------------------------------------------------------------- */

static struct host_thread *find_same(struct host_threads *threads,
                                     const struct thread_record *record)
{
    struct host_thread *found = find_thread(threads, (pid_t)record->thread);

    return found && found->process == (pid_t)record->process &&
                   found->start_time == record->start_time
               ? found
               : NULL;
}

/* How many were there before. */
static size_t mark_seen(struct host_threads *threads, const struct thread_record *records, size_t n,
                        bool is_seen)
{
    size_t n_seen = 0;

    for (size_t i = 0; i < n; i++) {
        struct host_thread *found = find_same(threads, &records[i]);

        n_seen += found != NULL;
        if (found)
            found->is_seen = is_seen;
    }
    return n_seen;
}

static bool lacks_vcpu(const struct host_threads *threads, pid_t process)
{
    for (size_t i = 0; i < threads->n_threads; i++) {
        const struct host_thread *thread = &threads->threads[i];

        if (thread->process == process && thread->is_vcpu && !thread->is_seen)
            return true;
    }
    return false;
}

static void leave_out_ended(struct host_threads *threads, pid_t process)
{
    size_t n = 0;

    for (size_t i = 0; i < threads->n_threads; i++)
        if (threads->threads[i].process != process || threads->threads[i].is_seen)
            threads->threads[n++] = threads->threads[i];
    threads->n_threads = n;
}

/* There is room for it. */
static void insert_thread(struct host_threads *threads, const struct thread_record *record)
{
    size_t i = threads->n_threads++;

    for (; i > 0 && threads->threads[i - 1].thread > (pid_t)record->thread; i--)
        threads->threads[i] = threads->threads[i - 1];
    threads->threads[i] = thread_of(record);
}

static void renew_threads(struct host_threads *threads, struct host_process *process,
                          const struct thread_record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct host_thread *found = find_same(threads, &records[i]);
        bool is_vcpu = found && found->is_vcpu;

        if (!found) {
            insert_thread(threads, &records[i]);
            continue;
        }
        *found = thread_of(&records[i]);
        found->is_vcpu = is_vcpu;
        process->vcpus_ns += is_vcpu ? records[i].run_time : 0;
    }
}

static struct host_process add_up(pid_t process, const struct thread_record *records, size_t n)
{
    struct host_process sum = {.process = process, .first = records};

    for (size_t i = 0; i < n; i++)
        add_record(&sum, &records[i]);
    if (n)
        add_ended(&sum);
    return sum;
}

int host_threads_take_process(struct host_threads *threads, pid_t process,
                              const struct thread_record *records, size_t n, uint64_t begin_ns)
{
    struct host_process now = add_up(process, records, n), *former;
    size_t n_seen;

    if (reserve(threads, threads->n_threads + n))
        return -ENOMEM;
    former = find_process(threads, process);
    if (!former || !n || former->start_time != now.start_time)
        return -ENOENT;
    n_seen = mark_seen(threads, records, n, true);
    if (n_seen < former->n_threads) {
        if (lacks_vcpu(threads, process)) {
            mark_seen(threads, records, n, false);
            return -ENOENT;
        }
        leave_out_ended(threads, process);
    }
    now.read_ns = begin_ns;
    continue_process(&now, former);
    renew_threads(threads, &now, records, n);
    *former = now;
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

bool host_threads_vcpu_row(struct host_threads *threads, pid_t thread, uint64_t *row)
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

struct cgroup_inodes host_threads_inodes(struct host_threads *threads, pid_t thread)
{
    const struct host_thread *found = find_thread(threads, thread);

    return found ? found->in : (struct cgroup_inodes){0};
}

static int look_at_cgroups(struct vm_cgroups *vm, struct cgroups *cgroups, int proc, pid_t process,
                           const struct cgroup_thread *threads, size_t n)
{
    char name[16];
    int directory, err;

    snprintf(name, sizeof(name), "%d", (int)process);
    directory = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    err = vm_cgroups_look(vm, cgroups, directory, threads, directory < 0 ? 0 : n);
    if (directory >= 0)
        close(directory);
    return err;
}

int host_threads_throttled_ns(struct vm_cgroups *vm, struct cgroups *cgroups, int proc,
                              pid_t process, const struct cgroup_thread *threads, size_t n,
                              uint64_t *ret_ns)
{
    int err = 0;

    if (vm_cgroups_are_due(vm, cgroups, threads, n))
        err = look_at_cgroups(vm, cgroups, proc, process, threads, n);
    if (!err)
        *ret_ns = vm_cgroups_throttled_ns(vm, cgroups);
    return err;
}
