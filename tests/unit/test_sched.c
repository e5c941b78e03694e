/* SPDX-License-Identifier: MIT */
/* Provider 'sched' of this process, whose threads play vCPUs. */
#define _GNU_SOURCE
#include "vitals/sched.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "check.h"
#include "fake.h"
#include "files.h"
#include "peer.h"

/* A thread that does nothing until it is told to end. */
struct sleeper {
    pthread_t thread;
    pid_t tid;
    sem_t is_there, end;
};

static void *sleep_until_told(void *opaque)
{
    struct sleeper *sleeper = opaque;

    sleeper->tid = gettid();
    sem_post(&sleeper->is_there);
    sem_wait(&sleeper->end);
    return NULL;
}

static void start(struct sleeper *sleeper)
{
    sem_init(&sleeper->is_there, 0, 0);
    sem_init(&sleeper->end, 0, 0);
    assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_until_told, sleeper), 0);
    sem_wait(&sleeper->is_there);
}

static bool is_in_proc(pid_t thread)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%d", (int)thread);
    return access(path, F_OK) == 0;
}

/* A thread that was joined is in /proc for a moment more. */
static void end(struct sleeper *sleeper)
{
    sem_post(&sleeper->end);
    pthread_join(sleeper->thread, NULL);
    while (is_in_proc(sleeper->tid))
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    sem_destroy(&sleeper->is_there);
    sem_destroy(&sleeper->end);
}

struct machine {
    struct vitals_ctx *ctx;
    struct vitals_group *vcpus; /* has the objects, and no statistics of them */
    struct vitals_sched *sched;
    struct log_book book;
    struct fake fake;
};

static int make_machine(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    machine->ctx = ctx_with_log(&machine->book);
    machine->fake = (struct fake){.provider = "x", .target = "vcpu", .names = {"y"}};
    check_ok(fake_register(machine->ctx, &machine->fake, &machine->vcpus));
    check_ok(vitals_sched_new(machine->ctx, &machine->sched));
    *state = machine;
    return 0;
}

static int free_machine(void **state)
{
    struct machine *machine = *state;

    check_ok(vitals_sched_free(machine->sched));
    check_ok(vitals_ctx_free(machine->ctx));
    free(machine);
    return 0;
}

static void add_vcpu(struct machine *machine, const char *path, pid_t thread)
{
    check_ok(vitals_object_add(machine->vcpus, path, VITALS_NUMBER_ANY));
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", path, thread));
}

static char *ask_for(struct machine *machine, const char *target, const char *const *names)
{
    const struct ask question = {.target = target, .filters = FILTERS({"sched", names})};

    return ask(machine->ctx, &question);
}

static uint64_t value_of(struct machine *machine, const char *target, const char *name)
{
    char *answer = ask_for(machine, target, LIST(name));
    char *value = strchr(answer, '=');
    uint64_t number;

    assert_non_null(value);
    number = strtoull(value + 1, NULL, 10);
    free(answer);
    return number;
}

/* ---- values --------------------------------------------------------------------------------- */

static void a_vcpu_has_what_proc_says_of_its_thread(void **state)
{
    struct machine *machine = *state;
    unsigned long long run, wait, slices;
    struct sleeper sleeper;
    char path[64], expected[200], *answer;
    FILE *file;

    start(&sleeper);
    add_vcpu(machine, "cpu/0", sleeper.tid);
    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)sleeper.tid);
    while (value_of(machine, "vcpu", "voluntary_switches") == 0)
        ; /* it is on its way to sleep */
    do {
        answer = ask_for(machine, "vcpu", LIST("run_ns", "steal_ns", "timeslices"));
        file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%llu %llu %llu", &run, &wait, &slices), 3);
        fclose(file);
        snprintf(expected, sizeof(expected),
                 "cpu/0 sched:run_ns=%llu,steal_ns=%llu,timeslices=%llu", run, wait, slices);
    } while (strcmp(answer, expected) && (free(answer), true));
    free(answer);
    end(&sleeper);
}

static void all_statistics_have_their_names(void **state)
{
    static const char *const of_vm[] = {
        "resident_bytes=", "threads=", "minor_faults=", "major_faults=", "other_threads_ns="};
    static const char *const of_vcpu[] = {
        "run_ns=",    "steal_ns=",           "timeslices=", "user_ns=",
        "system_ns=", "voluntary_switches=", "last_cpu=",   "involuntary_switches="};
    struct machine *machine = *state;
    char *vm, *vcpus;

    add_vcpu(machine, "cpu/0", gettid());
    vm = ask_all(machine->ctx, "vm");
    vcpus = ask_all(machine->ctx, "vcpu");
    for (size_t i = 0; i < N_ELEMENTS(of_vm); i++)
        assert_contains(vm, of_vm[i]);
    for (size_t i = 0; i < N_ELEMENTS(of_vcpu); i++)
        assert_contains(vcpus, of_vcpu[i]);
    free(vm);
    free(vcpus);
}

static void memory_and_threads_are_those_of_the_process(void **state)
{
    enum { SIZE = 32 << 20 };
    struct machine *machine = *state;
    uint64_t bytes = value_of(machine, "vm", "resident_bytes");
    uint64_t threads = value_of(machine, "vm", "threads");
    uint64_t faults = value_of(machine, "vm", "minor_faults");
    struct sleeper sleeper;
    char *memory = malloc(SIZE);

    for (size_t i = 0; i < SIZE; i += 4096)
        ((volatile char *)memory)[i] = 1;
    assert_true(value_of(machine, "vm", "resident_bytes") > bytes + SIZE / 2);
    assert_true(value_of(machine, "vm", "minor_faults") > faults);
    start(&sleeper);
    assert_int_equal(value_of(machine, "vm", "threads"), threads + 1);
    end(&sleeper);
    free(memory);
}

/* ---- threads that are no vCPU --------------------------------------------------------------- */

static uint64_t own_time_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *work(void *opaque)
{
    uint64_t until = own_time_ns() + *(uint64_t *)opaque;

    while (own_time_ns() < until)
        ;
    return NULL;
}

static void *work_as_a_vcpu(void *opaque)
{
    struct sleeper *sleeper = opaque;
    uint64_t ns = 500000000;

    sleeper->tid = gettid();
    work(&ns);
    sem_post(&sleeper->is_there);
    sem_wait(&sleeper->end);
    return NULL;
}

static void what_vcpus_do_is_no_others(void **state)
{
    struct machine *machine = *state;
    struct sleeper vcpu;
    uint64_t others, ns = 20000000;
    pthread_t other;

    sem_init(&vcpu.is_there, 0, 0);
    sem_init(&vcpu.end, 0, 0);
    others = value_of(machine, "vm", "other_threads_ns");
    assert_int_equal(pthread_create(&vcpu.thread, NULL, work_as_a_vcpu, &vcpu), 0);
    sem_wait(&vcpu.is_there);
    add_vcpu(machine, "cpu/0", vcpu.tid);
    assert_true(value_of(machine, "vm", "other_threads_ns") < others + 250000000);
    end(&vcpu);
    assert_true(value_of(machine, "vm", "other_threads_ns") < others + 250000000);
    assert_int_equal(pthread_create(&other, NULL, work, &ns), 0);
    pthread_join(other, NULL);
    others += ns;
    assert_true(value_of(machine, "vm", "other_threads_ns") >= others);
}

/* ---- vCPUs without a row -------------------------------------------------------------------- */

static void a_vcpu_whose_thread_is_not_known_has_no_row(void **state)
{
    struct machine *machine = *state;
    char *answer;

    add_vcpu(machine, "cpu/0", gettid());
    add_vcpu(machine, "cpu/1", -1);
    add_vcpu(machine, "cpu/2", getppid());
    answer = ask_for(machine, "vcpu", LIST("run_ns"));
    assert_int_equal(strncmp(answer, "cpu/0 sched:run_ns=", 19), 0);
    assert_null(strchr(answer, ';'));
    free(answer);
}

static void a_thread_that_ends_costs_only_its_row(void **state)
{
    struct machine *machine = *state;
    struct sleeper sleepers[3];
    char *answer;

    for (int i = 0; i < 3; i++) {
        start(&sleepers[i]);
        add_vcpu(machine, (const char *[]){"cpu/0", "cpu/1", "cpu/2"}[i], sleepers[i].tid);
    }
    free(ask_for(machine, "vcpu", LIST("run_ns")));
    end(&sleepers[1]);
    answer = ask_for(machine, "vcpu", LIST("run_ns"));
    assert_contains(answer, "cpu/0 sched:");
    assert_null(strstr(answer, "cpu/1"));
    assert_contains(answer, "cpu/2 sched:");
    free(answer);
    answer = ask_for(machine, "vcpu", LIST("last_cpu", "voluntary_switches"));
    assert_null(strstr(answer, "cpu/1"));
    assert_contains(answer, "cpu/2 sched:");
    free(answer);
    end(&sleepers[0]);
    end(&sleepers[2]);
}

static void another_thread_takes_over(void **state)
{
    struct machine *machine = *state;
    struct sleeper sleeper;

    start(&sleeper);
    add_vcpu(machine, "cpu/0", sleeper.tid);
    value_of(machine, "vcpu", "run_ns");
    end(&sleeper);
    check_ok(vitals_object_set_thread(machine->ctx, "vcpu", "cpu/0", gettid()));
    assert_true(value_of(machine, "vcpu", "run_ns") > 0);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void only_so_many_files_stay_open(void **state)
{
    enum { VCPUS = VITALS_SCHED_FILES_MAX + 20 };
    struct machine *machine = *state;
    int before = count_open_files();
    char path[16], *answer;
    size_t rows = 1;

    for (int i = 0; i < VCPUS; i++) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        add_vcpu(machine, path, gettid());
    }
    answer = ask_for(machine, "vcpu", LIST("run_ns"));
    for (const char *at = answer; (at = strchr(at, ';')); at++)
        rows++;
    free(answer);
    assert_int_equal(rows, VCPUS);
    assert_in_range(count_open_files() - before, 1, VITALS_SCHED_FILES_MAX);
    for (int i = 1; i < VCPUS; i++) {
        snprintf(path, sizeof(path), "cpu/%d", i);
        check_ok(vitals_object_remove(machine->vcpus, path));
    }
    value_of(machine, "vcpu", "run_ns");
    assert_int_equal(count_open_files() - before, 1);
}

static void what_is_not_asked_for_is_not_opened(void **state)
{
    struct machine *machine = *state;
    int before = count_open_files();

    add_vcpu(machine, "cpu/0", gettid());
    value_of(machine, "vcpu", "last_cpu");
    assert_int_equal(count_open_files(), before);
    value_of(machine, "vcpu", "steal_ns");
    assert_int_equal(count_open_files(), before + 1);
}

/* Runs @fn in a process with another root, where no /proc is. */
static int in_an_empty_root(int (*fn)(struct vitals_ctx *ctx))
{
    struct vitals_ctx *ctx = new_ctx();
    pid_t pid;
    int status;

    check_ok(make_dir(NULL));
    pid = fork();
    if (pid == 0)
        _exit(fn(ctx));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    vitals_ctx_free(ctx);
    check_ok(remove_dir(NULL));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool change_root(void)
{
    return chroot(in_dir(".")) == 0 && chdir("/") == 0;
}

static int make_without_proc(struct vitals_ctx *ctx)
{
    struct vitals_sched *sched;
    char text[200];

    if (!change_root() || vitals_sched_new(ctx, &sched) != -ENOENT)
        return 1;
    vitals_error_text(ctx, text, sizeof(text));
    return strstr(text, "/proc") ? 0 : 2;
}

static int make_and_confine(struct vitals_ctx *ctx)
{
    struct vitals_sched *sched;
    struct fake fake = {.provider = "x", .target = "vcpu", .names = {"y"}};
    struct vitals_group *group;
    char *answer;
    bool is_there;

    if (fake_register(ctx, &fake, &group) || vitals_sched_new(ctx, &sched) || !change_root() ||
        vitals_object_add(group, "cpu/0", 0) ||
        vitals_object_set_thread(ctx, "vcpu", "cpu/0", gettid()))
        return 1;
    answer = ask_all(ctx, "vcpu");
    is_there = strstr(answer, "run_ns=") && strstr(answer, "last_cpu=");
    free(answer);
    answer = ask_all(ctx, "vm");
    is_there = is_there && strstr(answer, "resident_bytes=");
    free(answer);
    vitals_sched_free(sched);
    vitals_ctx_free(ctx);
    return is_there ? 0 : 2;
}

static void it_needs_proc_when_it_is_made(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can change the root */
    assert_int_equal(in_an_empty_root(make_without_proc), 0);
}

static void it_goes_on_behind_a_chroot(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_an_empty_root(make_and_confine), 0);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void there_is_one_in_a_context(void **state)
{
    struct machine *machine = *state;
    struct vitals_sched *other;

    check_error(vitals_sched_new(machine->ctx, &other), EEXIST);
    check_ok(vitals_sched_free(machine->sched));
    check_ok(vitals_sched_new(machine->ctx, &machine->sched));
    check_ok(vitals_sched_free(NULL));
}

static void try_to_free(struct fake *fake, struct vitals_sink *sink)
{
    struct machine *machine = fake->opaque;
    struct vitals_sched *other;

    (void)sink;
    check_error(vitals_sched_free(machine->sched), EBUSY);
    check_error(vitals_sched_new(machine->ctx, &other), EBUSY);
}

static void it_can_not_be_freed_from_inside_collect(void **state)
{
    struct machine *machine = *state;

    machine->fake.inside = try_to_free;
    machine->fake.opaque = machine;
    free(ask_all(machine->ctx, "vcpu"));
    assert_true(machine->fake.collects > 0);
}

/* ---- at the same time ----------------------------------------------------------------------- */

struct crowd {
    struct machine *machine;
    atomic_bool over;
    atomic_uint queries;
};

static void *ask_often(void *opaque)
{
    struct crowd *crowd = opaque;

    while (!crowd->over) {
        free(ask_all(crowd->machine->ctx, "vcpu"));
        free(ask_all(crowd->machine->ctx, "vm"));
        crowd->queries++;
    }
    return NULL;
}

static void threads_end_while_queries_run(void **state)
{
    enum { ASKING = 2, ROUNDS = 100, VCPUS = 3 };
    static const char *const paths[VCPUS] = {"cpu/0", "cpu/1", "cpu/2"};
    struct crowd crowd = {.machine = *state};
    struct sleeper sleepers[VCPUS];
    pthread_t asking[ASKING];

    for (int i = 0; i < ASKING; i++)
        assert_int_equal(pthread_create(&asking[i], NULL, ask_often, &crowd), 0);
    for (int round = 0; round < ROUNDS || crowd.queries < ROUNDS; round++) {
        for (int i = 0; i < VCPUS; i++) {
            start(&sleepers[i]);
            add_vcpu(*state, paths[i], sleepers[i].tid);
        }
        for (int i = 0; i < VCPUS; i++) {
            end(&sleepers[i]);
            check_ok(vitals_object_remove(crowd.machine->vcpus, paths[i]));
        }
    }
    crowd.over = true;
    for (int i = 0; i < ASKING; i++)
        pthread_join(asking[i], NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_machine, free_machine)
    const struct CMUnitTest tests[] = {
        TEST(a_vcpu_has_what_proc_says_of_its_thread),
        TEST(all_statistics_have_their_names),
        TEST(memory_and_threads_are_those_of_the_process),
        TEST(what_vcpus_do_is_no_others),
        TEST(a_vcpu_whose_thread_is_not_known_has_no_row),
        TEST(a_thread_that_ends_costs_only_its_row),
        TEST(another_thread_takes_over),
        TEST(only_so_many_files_stay_open),
        TEST(what_is_not_asked_for_is_not_opened),
        cmocka_unit_test(it_needs_proc_when_it_is_made),
        cmocka_unit_test(it_goes_on_behind_a_chroot),
        TEST(there_is_one_in_a_context),
        TEST(it_can_not_be_freed_from_inside_collect),
        TEST(threads_end_while_queries_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
