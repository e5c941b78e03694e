/* SPDX-License-Identifier: MIT */
/* Who is not waited for again, and whose process it is. */
#define _GNU_SOURCE
#include "host/slow_processes.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "host/process.h"

enum { UID = 1000, PENALTY = 60 };

static void add(struct slow_processes *processes, pid_t pid, uid_t uid, uint64_t now)
{
    slow_processes_add(
        processes,
        &(struct slow_process){.pid = pid, .start = 7, .uid = uid, .until_ns = now + PENALTY});
}

static bool have(const struct slow_processes *processes, pid_t pid, uid_t uid, uint64_t now)
{
    return slow_processes_have(processes,
                               &(struct slow_process){.pid = pid, .start = 7, .uid = uid}, now);
}

static void a_slow_process_pays_alone(void **state)
{
    struct slow_processes processes = {0};

    (void)state;
    add(&processes, 1, UID, 1);
    assert_true(have(&processes, 1, UID, PENALTY));
    assert_false(have(&processes, 1, UID, PENALTY + 1));
    assert_false(have(&processes, 2, UID, PENALTY));
}

static void a_number_that_came_back_is_another_process(void **state)
{
    struct slow_processes processes = {0};

    (void)state;
    add(&processes, 1, UID, 1);
    assert_false(slow_processes_have(&processes,
                                     &(struct slow_process){.pid = 1, .start = 8, .uid = UID}, 2));
}

static void a_user_of_several_pays(void **state)
{
    struct slow_processes processes = {0};

    (void)state;
    for (pid_t i = 1; i < SLOW_PROCESSES_OF_USER; i++)
        add(&processes, i, UID, 1);
    assert_false(have(&processes, 99, UID, 2));
    add(&processes, SLOW_PROCESSES_OF_USER, UID, 1);
    assert_true(have(&processes, 99, UID, 2));
    assert_false(have(&processes, 99, UID + 1, 2));
    assert_false(have(&processes, 99, UID, PENALTY + 1));
}

/* Whoever has many users would have all wait for each of them. */
static void where_many_were_slow_nobody_is_waited_for(void **state)
{
    struct slow_processes processes = {0};

    (void)state;
    for (pid_t i = 1; i < SLOW_PROCESSES_MAX; i++)
        add(&processes, i, UID + (uid_t)i, (uint64_t)i);
    assert_false(have(&processes, 99, UID, PENALTY));
    add(&processes, 50, UID + 50, 50);
    assert_true(have(&processes, 99, UID, PENALTY));
    assert_false(have(&processes, 99, UID, PENALTY + 1)); /* the oldest one counts no more */
}

static void wait_undumpable(uid_t uid, int ready)
{
    char byte = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (geteuid() == 0 && setresuid(uid, uid, uid) < 0)
        _exit(1);
    prctl(PR_SET_DUMPABLE, 0);
    if (write(ready, &byte, 1) == 1)
        pause();
    _exit(1);
}

/* Else those who hide would have all VMs of root pay for them. */
static void a_process_is_its_users_also_undumpable(void **state)
{
    uid_t expected = geteuid() == 0 ? 65534 : geteuid(), uid = 0, uid_of_file = 1;
    char path[32], byte;
    bool found;
    int pipes[2];
    struct stat st;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        wait_undumpable(expected, pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    found = process_user(pid, &uid);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (stat(path, &st) == 0)
        uid_of_file = st.st_uid;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
    assert_true(found);
    assert_int_equal(uid, expected);
    assert_int_equal(uid_of_file, 0); /* or this shows nothing */
    assert_false(process_user(pid, &uid));
}

/* ---- threads -------------------------------------------------------------------------------- */

/* A number that no thread has: all of them are looked at, as far as one may. */
static void looks_have_a_budget(void **state)
{
    unsigned looks = 1;

    (void)state;
    assert_int_equal(process_find_thread(getpid(), INT32_MAX, &looks), 0);
    assert_int_equal(looks, 0); /* "." was the first */
    assert_int_equal(process_find_thread(getpid(), INT32_MAX, &looks), 0);
    assert_int_equal(looks, 0);
    looks = 10;
    assert_int_equal(process_find_thread(getpid(), INT32_MAX, &looks), 0);
    assert_in_range(looks, 1, 9);
    assert_int_equal(process_find_thread(getpid(), getpid(), &looks), getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_process_pays_alone),
        cmocka_unit_test(a_number_that_came_back_is_another_process),
        cmocka_unit_test(a_user_of_several_pays),
        cmocka_unit_test(where_many_were_slow_nobody_is_waited_for),
        cmocka_unit_test(a_process_is_its_users_also_undumpable),
        cmocka_unit_test(looks_have_a_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
