/* SPDX-License-Identifier: MIT */
/*
 * Reads the VMs of this host through src/bpf as it is told to by the lines of its input, and prints
 * lines of JSON: one for each record, and {} behind the last.
 *
 *      bpf-reader [ROOT]
 *
 *      kvm PID       the VMs and vCPUs of a process, or of all with 0
 *      begin PID     begins a pass over all, takes a part of it, and reads this process alone
 *      rest PID      what that pass then has, after each further part of which PID is read alone
 *      threads PID   its threads, too; of all processes that were named so far
 *      drop          becomes nobody, and has no capability left
 *      time N PID    the fastest of N passes, in ns, and the number of records
 *      time-all N    the same of all VMs, and of the threads of processes that were named so far
 *
 * Its first line is {"missing": 0}, or what is missing, and then it ends.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bpf/kvm_files.h"
#include "bpf/threads.h"

enum { NOBODY = 65534, LINE_SIZE = 128 };

static struct bpf_kvm *kvm;
static struct bpf_threads *threads;

static void end(void)
{
    puts("{}");
    fflush(stdout);
}

static void print_error(int err)
{
    printf("{\"error\": \"%s\"}\n", strerror(-err));
}

static void print_missing(const struct bpf_why *why)
{
    printf("{\"missing\": %d, \"text\": \"%s\", \"hint\": \"%s\"}\n", why->missing, why->text,
           why->hint);
    fflush(stdout);
}

/* ---- records -------------------------------------------------------------------------------- */

static void print_record(const struct kvm_record *record)
{
    uint32_t len = bpf_kvm_statistics(kvm, record->kind)->row_len;

    printf("{\"kind\": \"%s\", \"process\": %u, \"fd\": %u, \"uid\": %u, \"start_time\": %" PRIu64
           ", \"vm\": %" PRIu64 ", \"is_owner\": %u, \"creator\": %d, \"row_error\": %d, "
           "\"vcpu_id\": %u, \"thread\": %u, \"in_kvm_run\": %u, \"row\": [",
           record->kind == KVM_KIND_VM ? "vm" : "vcpu", record->process, record->fd, record->uid,
           (uint64_t)record->start_time, (uint64_t)record->vm, record->is_owner, record->creator,
           record->row_error, record->vcpu_id, record->thread, record->in_kvm_run);
    for (uint32_t i = 0; i < len; i++)
        printf("%s%" PRIu64, i ? ", " : "", (uint64_t)record->row[i]);
    puts("]}");
}

static void print_thread(const struct thread_record *record)
{
    const struct {
        const char *name;
        uint64_t value;
    } values[] = {
        {"process", record->process},
        {"thread", record->thread},
        {"cpu", record->cpu},
        {"start_time", record->start_time},
        {"run_time", record->run_time},
        {"run_delay", record->run_delay},
        {"timeslices", record->timeslices},
        {"user_time", record->user_time},
        {"system_time", record->system_time},
        {"guest_time", record->guest_time},
        {"voluntary_switches", record->voluntary_switches},
        {"involuntary_switches", record->involuntary_switches},
        {"minor_faults", record->minor_faults},
        {"major_faults", record->major_faults},
        {"read_bytes", record->read_bytes},
        {"written_bytes", record->written_bytes},
        {"cgroup_unified", record->cgroup_unified},
        {"cgroup_cpu", record->cgroup_cpu},
        {"resident_pages", record->resident_pages},
        {"exited_run_time", record->exited.run_time},
        {"exited_minor_faults", record->exited.minor_faults},
        {"exited_written_bytes", record->exited.written_bytes},
    };

    printf("{\"name\": \"%.*s\"", BPF_NAME_SIZE, record->name);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        printf(", \"%s\": %" PRIu64, values[i].name, values[i].value);
    puts("}");
}

/* ---- commands ------------------------------------------------------------------------------- */

static void read_kvm(pid_t process)
{
    int err = bpf_kvm_read(kvm, process);

    if (err)
        print_error(err);
    for (const struct kvm_record *record = NULL; !err && (record = bpf_kvm_next(kvm, record));)
        print_record(record);
}

/* True: there is more. */
static bool read_part(pid_t process, int *ret_err)
{
    *ret_err = bpf_kvm_more(kvm);
    if (*ret_err > 0)
        bpf_kvm_read_one(kvm, process);
    return *ret_err > 0;
}

static void begin_parts(pid_t process)
{
    int err = bpf_kvm_begin(kvm);

    if (!err)
        printf("{\"is_more\": %d}\n", read_part(process, &err));
    if (err < 0)
        print_error(err);
}

static void read_rest(pid_t process)
{
    int err;

    while (read_part(process, &err))
        ;
    if (err)
        print_error(err);
    for (const struct kvm_record *record = NULL; !err && (record = bpf_kvm_next(kvm, record));)
        print_record(record);
}

static void read_threads(pid_t process)
{
    const struct thread_record *records;
    size_t n;
    int err;

    bpf_threads_want(threads, process, true);
    err = bpf_threads_read(threads);
    if (err)
        print_error(err);
    records = bpf_threads_records(threads, &n);
    for (size_t i = 0; !err && i < n; i++)
        print_thread(&records[i]);
}

/* Changing from root to another user drops the capabilities; one that is no root has to do it. */
static void drop(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        perror("bpf-reader: becoming nobody");
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) < 0)
        perror("bpf-reader: capset");
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* sanitizers look at their own process at its end */
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void measure(unsigned n, pid_t process, bool with_threads)
{
    uint64_t best = UINT64_MAX;
    size_t records = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t start = now(), duration;

        if (bpf_kvm_read(kvm, process) < 0 || (with_threads && bpf_threads_read(threads) < 0))
            break;
        duration = now() - start;
        best = duration < best ? duration : best;
    }
    for (const struct kvm_record *record = NULL; (record = bpf_kvm_next(kvm, record));)
        records++;
    printf("{\"ns\": %" PRIu64 ", \"records\": %zu}\n", best, records);
}

static void run(const char *line)
{
    unsigned n;
    pid_t process;

    if (sscanf(line, "kvm %d", &process) == 1)
        read_kvm(process);
    else if (sscanf(line, "begin %d", &process) == 1)
        begin_parts(process);
    else if (sscanf(line, "rest %d", &process) == 1)
        read_rest(process);
    else if (sscanf(line, "threads %d", &process) == 1)
        read_threads(process);
    else if (sscanf(line, "time %u %d", &n, &process) == 2)
        measure(n, process, false);
    else if (sscanf(line, "time-all %u", &n) == 1)
        measure(n, 0, true);
    else if (!strcmp(line, "drop\n"))
        drop();
    else
        printf("{\"error\": \"which command?\"}\n");
    end();
}

int main(int argc, char **argv)
{
    const char *root = argc > 1 ? argv[1] : "";
    struct bpf_why why = {0};
    char line[LINE_SIZE];

    if (bpf_kvm_open(root, &why, &kvm) < 0 || bpf_threads_open(root, &why, &threads) < 0) {
        print_missing(&why);
        bpf_kvm_close(kvm);
        return 1;
    }
    print_missing(&why);
    while (fgets(line, sizeof(line), stdin))
        run(line);
    bpf_threads_close(threads);
    bpf_kvm_close(kvm);
    return 0;
}
