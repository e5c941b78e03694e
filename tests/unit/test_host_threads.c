/* SPDX-License-Identifier: MIT */
/* Rows of provider 'sched' from the records of passes over threads. */
#define _GNU_SOURCE
#include "host/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "peer.h"

enum { PROCESS = 100, VCPU = 101, IO_THREAD = 102, OTHER_PROCESS = 200 };

static struct thread_record record_of(uint32_t process, uint32_t thread, uint64_t run_time)
{
    return (struct thread_record){
        .process = process, .thread = thread, .start_time = thread, .run_time = run_time};
}

/* Of a pass that began at @begin_ns. */
static void take_of(struct host_threads *threads, const struct thread_record *records, size_t n,
                    uint64_t begin_ns)
{
    struct thread_record *copy = calloc(n + 1, sizeof(*copy));

    if (n)
        memcpy(copy, records, n * sizeof(*copy));
    check_ok(host_threads_take(threads, copy, n, begin_ns));
    free(copy); /* nothing of it is used any more */
}

static void take(struct host_threads *threads, const struct thread_record *records, size_t n)
{
    take_of(threads, records, n, 0);
}

static int take_process_of(struct host_threads *threads, const struct thread_record *records,
                           size_t n, uint64_t begin_ns)
{
    struct thread_record *copy = calloc(n + 1, sizeof(*copy));
    int err;

    memcpy(copy, records, n * sizeof(*copy));
    err = host_threads_take_process(threads, PROCESS, copy, n, begin_ns);
    free(copy);
    return err;
}

static int take_process(struct host_threads *threads, const struct thread_record *records, size_t n)
{
    return take_process_of(threads, records, n, 0);
}

static uint64_t vm_value(struct host_threads *threads, pid_t process, enum sched_vm_stat stat)
{
    uint64_t row[SCHED_VM_STATS] = {0};

    assert_true(host_threads_vm_row(threads, process, row));
    return row[stat];
}

static uint64_t vcpu_value(struct host_threads *threads, pid_t thread, enum sched_vcpu_stat stat)
{
    uint64_t row[SCHED_VCPU_STATS];

    assert_true(host_threads_vcpu_row(threads, thread, row));
    return row[stat];
}

/* ---- one pass ------------------------------------------------------------------------------- */

static void a_row_of_a_vcpu(void **state)
{
    struct host_threads threads = {0};
    struct thread_record record = record_of(PROCESS, VCPU, 1000);
    uint64_t row[SCHED_VCPU_STATS];

    (void)state;
    record.run_delay = 2;
    record.timeslices = 3;
    record.user_time = 300;
    record.system_time = 100;
    record.voluntary_switches = 4;
    record.involuntary_switches = 5;
    record.cpu = 6;
    take(&threads, &record, 1);
    assert_true(host_threads_vcpu_row(&threads, VCPU, row));
    assert_memory_equal(row, ((const uint64_t[]){1000, 2, 3, 300, 100, 4, 5, 6}), sizeof(row));
    assert_false(host_threads_vcpu_row(&threads, PROCESS, row));
    host_threads_free(&threads);
}

static void a_row_of_a_vm_is_of_its_whole_process(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {
        record_of(PROCESS, PROCESS, 10), record_of(PROCESS, VCPU, 100),
        record_of(PROCESS, IO_THREAD, 1000), record_of(OTHER_PROCESS, OTHER_PROCESS, 5)};
    uint64_t row[SCHED_VM_STATS] = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        records[i].resident_pages = 7;
        records[i].minor_faults = i + 1;
        records[i].major_faults = 10 * (i + 1);
        records[i].read_bytes = 100 * (i + 1);
        records[i].written_bytes = 1000 * (i + 1);
        records[i].exited.run_time = 10000;
        records[i].exited.minor_faults = 20;
        records[i].exited.major_faults = 200;
        records[i].exited.read_bytes = 2000;
        records[i].exited.written_bytes = 20000;
    }
    take(&threads, records, N_ELEMENTS(records));
    host_threads_mark_vcpu(&threads, VCPU);
    host_threads_mark_vcpu(&threads, VCPU);
    host_threads_mark_vcpu(&threads, 7777); /* it ended before the pass came to it */
    assert_true(host_threads_vm_row(&threads, PROCESS, row));
    assert_int_equal(row[SCHED_RESIDENT], 7 * sysconf(_SC_PAGESIZE));
    assert_int_equal(row[SCHED_THREADS], 3);
    assert_int_equal(row[SCHED_MINOR_FAULTS], 26);
    assert_int_equal(row[SCHED_MAJOR_FAULTS], 260);
    assert_int_equal(row[SCHED_READ], 2600);
    assert_int_equal(row[SCHED_WRITTEN], 26000);
    assert_int_equal(row[SCHED_OTHER_THREADS], 11010);
    assert_int_equal(row[SCHED_THROTTLED], 0);
    assert_int_equal(vm_value(&threads, OTHER_PROCESS, SCHED_OTHER_THREADS), 5);
    assert_false(host_threads_vm_row(&threads, VCPU, row));
    host_threads_free(&threads);
}

static void a_pass_may_be_empty(void **state)
{
    struct host_threads threads = {0};
    const struct thread_record record = record_of(PROCESS, PROCESS, 10);
    uint64_t row[SCHED_STATS_MAX];

    (void)state;
    take(&threads, NULL, 0);
    assert_false(host_threads_vcpu_row(&threads, PROCESS, row));
    take(&threads, &record, 1);
    take(&threads, NULL, 0);
    host_threads_mark_vcpu(&threads, PROCESS);
    assert_false(host_threads_vcpu_row(&threads, PROCESS, row));
    assert_false(host_threads_vm_row(&threads, PROCESS, row));
    host_threads_free(&threads);
}

static void what_the_kernel_does_not_count_is_left_out(void **state)
{
    struct host_threads threads = {0};
    struct thread_record record = record_of(PROCESS, PROCESS, 10);

    (void)state;
    take(&threads, &record, 1);
    assert_int_equal(host_threads_left_out(&threads), 0);
    record.read_bytes = record.written_bytes = BPF_UNKNOWN;
    record.exited.read_bytes = record.exited.written_bytes = BPF_UNKNOWN;
    take(&threads, &record, 1);
    assert_int_equal(host_threads_left_out(&threads),
                     SCHED_BIT(SCHED_READ) | SCHED_BIT(SCHED_WRITTEN));
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_READ), 0);
    record.resident_pages = BPF_UNKNOWN;
    take(&threads, &record, 1);
    assert_true(host_threads_left_out(&threads) & SCHED_BIT(SCHED_RESIDENT));
    host_threads_free(&threads);
}

/* Numbers are given in turn to the threads of all processes that start some. */
static void threads_of_processes_may_alternate(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {
        record_of(PROCESS, PROCESS, 1), record_of(OTHER_PROCESS, 201, 10),
        record_of(PROCESS, 202, 100),   record_of(OTHER_PROCESS, 203, 1000),
        record_of(PROCESS, 204, 10000),
    };

    (void)state;
    records[0].exited.run_time = 100000;
    records[1].exited.run_time = 1000000;
    for (size_t i = 2; i < N_ELEMENTS(records); i++)
        records[i].exited.run_time = 10000000; /* later, when more had ended */
    take(&threads, records, N_ELEMENTS(records));
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_THREADS), 3);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 110101);
    assert_int_equal(vm_value(&threads, OTHER_PROCESS, SCHED_THREADS), 2);
    assert_int_equal(vm_value(&threads, OTHER_PROCESS, SCHED_OTHER_THREADS), 1001010);
    host_threads_free(&threads);
}

/* 1000 VMs of 2 vCPUs in one process, which has a thread of its own for each VM. */
static void many_vms_in_one_process(void **state)
{
    enum { VMS = 1000, EACH = 3 };
    struct host_threads threads = {0};
    struct thread_record *records = calloc(VMS * EACH, sizeof(*records));

    (void)state;
    for (uint32_t i = 0; i < VMS * EACH; i++)
        records[i] = record_of(PROCESS, PROCESS + i, i % EACH ? 100 : 1);
    for (int pass = 0; pass < 2; pass++) {
        take(&threads, records, VMS * EACH);
        for (pid_t i = 0; i < VMS * EACH; i++)
            if (i % EACH)
                host_threads_mark_vcpu(&threads, PROCESS + i);
        for (int vm = 0; vm < VMS; vm++)
            assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), VMS);
        assert_int_equal(vm_value(&threads, PROCESS, SCHED_THREADS), VMS * EACH);
    }
    free(records);
    host_threads_free(&threads);
}

/* ---- from pass to pass ---------------------------------------------------------------------- */

static void what_a_vcpu_did_stays_its_own(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 10),
                                      record_of(PROCESS, VCPU, 1000)};

    (void)state;
    take(&threads, records, 2);
    host_threads_mark_vcpu(&threads, VCPU);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 10);
    records[0].run_time = 11;
    take(&threads, records, 2); /* its VM was closed, it is no vCPU's any more */
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 11);
    records[0].exited.run_time = 1005; /* it ran on a little, and has ended */
    take(&threads, records, 1);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 16);
    records[0].exited.run_time = 1007;
    take(&threads, records, 1);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 18);
    host_threads_free(&threads);
}

static void another_thread_of_the_same_number_is_another(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 10),
                                      record_of(PROCESS, VCPU, 1000)};

    (void)state;
    take(&threads, records, 2);
    host_threads_mark_vcpu(&threads, VCPU);
    records[0].exited.run_time = records[1].exited.run_time = 1000;
    records[1].start_time = 5000;
    records[1].run_time = 3;
    take(&threads, records, 2);
    assert_int_equal(vcpu_value(&threads, VCPU, SCHED_RUN), 3);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 13);
    host_threads_free(&threads);
}

/* It ended when the pass had read the sums of those that ended, and had not yet come to it. */
static void what_is_cumulative_does_not_fall(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 10),
                                      record_of(PROCESS, IO_THREAD, 1000)};

    (void)state;
    records[1].minor_faults = records[1].major_faults = 5;
    records[1].read_bytes = records[1].written_bytes = 6;
    take(&threads, records, 2);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 1010);
    take(&threads, records, 1);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_THREADS), 1);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 1010);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_MINOR_FAULTS), 5);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_MAJOR_FAULTS), 5);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_READ), 6);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_WRITTEN), 6);
    records[0].exited.run_time = 1001;
    take(&threads, records, 1);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 1011);
    host_threads_free(&threads);
}

static void another_process_of_the_same_number_begins_anew(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 1000),
                                      record_of(PROCESS, VCPU, 1000)};

    (void)state;
    records[0].minor_faults = 50;
    take(&threads, records, 2);
    host_threads_mark_vcpu(&threads, VCPU);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 1000);
    records[0] = record_of(PROCESS, PROCESS, 7);
    records[0].start_time = 5000;
    take(&threads, records, 1);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 7);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_MINOR_FAULTS), 0);
    assert_int_equal(vcpu_value(&threads, PROCESS, SCHED_RUN), 7);
    host_threads_free(&threads);
}

/* ---- quotas --------------------------------------------------------------------------------- */

static void shell(const char *commands)
{
    char command[1024];

    snprintf(command, sizeof(command), "cd '%s' && %s", in_dir("."), commands);
    assert_int_equal(system(command), 0);
}

static void quotas_of_a_process_and_its_vcpus(void **state)
{
    static const struct cgroup_thread all[] = {
        {.thread = PROCESS}, {.thread = VCPU}, {.thread = IO_THREAD}};
    struct cgroups *cgroups;
    struct vm_cgroups vm = {0};
    uint64_t ns;
    int proc;

    (void)state;
    shell("mkdir -p proc/self proc/100/task/100 proc/100/task/101 cg/a cg/b &&"
          "echo '1 2 0:1 / /cg rw - cgroup2 cgroup2 rw' >proc/self/mountinfo &&"
          "echo 0::/a >proc/100/task/100/cgroup && echo 0::/b >proc/100/task/101/cgroup &&"
          "echo throttled_usec 1 >cg/a/cpu.stat && echo throttled_usec 10 >cg/b/cpu.stat");
    check_ok(cgroups_new(in_dir("."), &cgroups));
    proc = open(in_dir("proc"), O_PATH | O_DIRECTORY);
    cgroups_set_time(cgroups, 1);
    check_ok(host_threads_throttled_ns(&vm, cgroups, proc, PROCESS, all, 3, &ns));
    assert_int_equal(ns, 11000);
    vm_cgroups_free(&vm, cgroups);
    check_ok(host_threads_throttled_ns(&vm, cgroups, proc, PROCESS, all, 1, &ns));
    assert_int_equal(ns, 1000);
    vm_cgroups_free(&vm, cgroups);
    check_ok(host_threads_throttled_ns(&vm, cgroups, proc, OTHER_PROCESS, all, 3, &ns));
    assert_int_equal(ns, 0);
    vm_cgroups_free(&vm, cgroups);
    close(proc);
    cgroups_free(cgroups);
    shell("rm -r proc cg");
}

/* ---- one process alone ---------------------------------------------------------------------- */

static void one_process_is_renewed(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 10),
                                      record_of(PROCESS, VCPU, 100),
                                      record_of(OTHER_PROCESS, OTHER_PROCESS, 5)};

    (void)state;
    take(&threads, records, 3);
    host_threads_mark_vcpu(&threads, VCPU);
    records[0].run_time = 20;
    records[0].minor_faults = 3;
    records[1].run_time = 300;
    check_ok(take_process(&threads, records, 2));
    host_threads_mark_vcpu(&threads, VCPU);
    assert_int_equal(vcpu_value(&threads, VCPU, SCHED_RUN), 300);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 20);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_MINOR_FAULTS), 3);
    assert_int_equal(vm_value(&threads, OTHER_PROCESS, SCHED_OTHER_THREADS), 5);
    host_threads_free(&threads);
}

/* In any order of their numbers. */
static void its_threads_begin_and_end(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 10), record_of(PROCESS, 103, 7),
                                      record_of(OTHER_PROCESS, OTHER_PROCESS, 5),
                                      record_of(PROCESS, 300, 50)};
    const struct thread_record later[] = {record_of(PROCESS, PROCESS, 11),
                                          record_of(PROCESS, 301, 1), record_of(PROCESS, 300, 60),
                                          record_of(PROCESS, 99, 2), record_of(PROCESS, 200000, 3)};
    uint64_t row[SCHED_VCPU_STATS];

    (void)state;
    take(&threads, records, 4);
    host_threads_mark_vcpu(&threads, 300);
    check_ok(take_process(&threads, later, 5));
    assert_false(host_threads_vcpu_row(&threads, 103, row));
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_THREADS), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(vcpu_value(&threads, (pid_t)later[i].thread, SCHED_RUN),
                         later[i].run_time);
    assert_int_equal(vcpu_value(&threads, OTHER_PROCESS, SCHED_RUN), 5);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 17);
    assert_int_equal(threads.n_threads, 6);
    take(&threads, later, 1); /* a pass over all follows it: the vCPU's time stays a vCPU's */
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 17);
    host_threads_free(&threads);
}

static void what_differs_is_for_a_pass_over_all(void **state)
{
    struct host_threads threads = {0};
    struct thread_record records[] = {record_of(PROCESS, PROCESS, 10),
                                      record_of(PROCESS, VCPU, 100)};

    (void)state;
    assert_int_equal(take_process(&threads, records, 2), -ENOENT);
    take(&threads, records, 2);
    host_threads_mark_vcpu(&threads, VCPU);
    records[0].run_time = 20;
    assert_int_equal(take_process(&threads, records, 0), -ENOENT);
    assert_int_equal(take_process(&threads, records, 1), -ENOENT); /* without the vCPU */
    records[1].start_time++;                                       /* another thread */
    assert_int_equal(take_process(&threads, records, 2), -ENOENT);
    records[1].start_time--;
    records[0].start_time++; /* another process */
    assert_int_equal(take_process(&threads, records, 2), -ENOENT);
    assert_int_equal(vcpu_value(&threads, PROCESS, SCHED_RUN), 10);
    records[0].start_time--;
    check_ok(take_process(&threads, records, 2));
    assert_int_equal(vcpu_value(&threads, PROCESS, SCHED_RUN), 20);
    host_threads_free(&threads);
}

/* A pass over all is made in parts, and the process was read alone after the pass had come by. */
static void what_was_read_alone_meanwhile_is_newer(void **state)
{
    struct host_threads threads = {0};
    struct thread_record of_pass[] = {
        record_of(PROCESS, PROCESS, 10), record_of(PROCESS, VCPU, 100), record_of(PROCESS, 103, 7),
        record_of(150, 150, 1), record_of(OTHER_PROCESS, OTHER_PROCESS, 5)};
    const struct thread_record alone[] = {
        record_of(PROCESS, PROCESS, 12), record_of(PROCESS, VCPU, 120), record_of(PROCESS, 180, 3)};
    uint64_t row[SCHED_VCPU_STATS];

    (void)state;
    take_of(&threads, of_pass, N_ELEMENTS(of_pass), 1);
    host_threads_mark_vcpu(&threads, VCPU);
    check_ok(take_process_of(&threads, alone, N_ELEMENTS(alone), 20));
    of_pass[4].run_time = 6;
    take_of(&threads, of_pass, N_ELEMENTS(of_pass), 10);
    assert_int_equal(vcpu_value(&threads, VCPU, SCHED_RUN), 120);
    assert_int_equal(vcpu_value(&threads, 180, SCHED_RUN), 3);
    assert_false(host_threads_vcpu_row(&threads, 103, row));
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_THREADS), 3);
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 15);
    assert_int_equal(vm_value(&threads, OTHER_PROCESS, SCHED_OTHER_THREADS), 6);
    assert_int_equal(threads.n_threads, 5);

    of_pass[0].run_time = 14; /* the next one begins later: what it has not is gone */
    of_pass[1].run_time = 140;
    take_of(&threads, of_pass, 2, 30);
    assert_int_equal(vcpu_value(&threads, VCPU, SCHED_RUN), 140);
    assert_false(host_threads_vcpu_row(&threads, 180, row));
    assert_int_equal(vm_value(&threads, PROCESS, SCHED_OTHER_THREADS), 15);
    assert_int_equal(threads.n_threads, 2);
    host_threads_free(&threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_a_vcpu),
        cmocka_unit_test(a_row_of_a_vm_is_of_its_whole_process),
        cmocka_unit_test(a_pass_may_be_empty),
        cmocka_unit_test(what_the_kernel_does_not_count_is_left_out),
        cmocka_unit_test(threads_of_processes_may_alternate),
        cmocka_unit_test(many_vms_in_one_process),
        cmocka_unit_test(what_a_vcpu_did_stays_its_own),
        cmocka_unit_test(another_thread_of_the_same_number_is_another),
        cmocka_unit_test(what_is_cumulative_does_not_fall),
        cmocka_unit_test(another_process_of_the_same_number_begins_anew),
        cmocka_unit_test(one_process_is_renewed),
        cmocka_unit_test(its_threads_begin_and_end),
        cmocka_unit_test(what_differs_is_for_a_pass_over_all),
        cmocka_unit_test(what_was_read_alone_meanwhile_is_newer),
        cmocka_unit_test(quotas_of_a_process_and_its_vcpus),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
