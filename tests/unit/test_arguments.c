/* SPDX-License-Identifier: MIT */
/* Processes whose arguments never come, and what is still read of others. */
#define _GNU_SOURCE
#include "host/arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "host/process.h"

/* Processes from this number on are not there, and never answer: each is of the user by its thousands. */
enum { STUCK_PID = 1000000000, HONEST_UID = 7, HOSTILE_UID = 1000 };

static uint64_t later_ns; /* what has passed for the reader besides */
static bool is_stuck;     /* what is read now */
static int silent[2] = {-1, -1};
static int n_threads; /* before */

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
bool __wrap_process_user(pid_t pid, uid_t *ret_uid);
bool __wrap_process_thread_start(pid_t pid, pid_t tid, uint64_t *ret_ticks);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

uint64_t __wrap_clock_now_ns(void)
{
    return __real_clock_now_ns() + later_ns;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    (void)until;
    return is_stuck ? ETIMEDOUT : pthread_cond_wait(cond, mutex);
}

bool __wrap_process_user(pid_t pid, uid_t *ret_uid)
{
    *ret_uid = pid < STUCK_PID ? HONEST_UID : (uid_t)(HOSTILE_UID + (pid - STUCK_PID) / 1000);
    return true;
}

bool __wrap_process_thread_start(pid_t pid, pid_t tid, uint64_t *ret_ticks)
{
    (void)pid;
    (void)tid;
    *ret_ticks = 1;
    return true;
}

int __wrap_open64(const char *path, int flags, ...)
{
    long pid = 0;

    if (sscanf(path, "/proc/%ld/cmdline", &pid) == 1 && pid >= STUCK_PID)
        return dup(silent[0]);
    return __real_open64(path, flags);
}

static size_t read_of(pid_t pid)
{
    char text[ARGUMENTS_MAX + 1];

    is_stuck = pid >= STUCK_PID;
    later_ns += UINT64_C(1000000) * (ARGUMENTS_PENALTY_MS + 1); /* nobody is slow any more */
    return arguments_read(pid, text);
}

static void *end_at_once(void *opaque)
{
    return opaque;
}

/* The first thread may bring another one, of a sanitizer. */
static int set_up(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, end_at_once, NULL), 0);
    pthread_join(thread, NULL);
    n_threads = count_files("/proc/self/task");
    return pipe(silent);
}

static void wait_for_the_end_of_threads(void)
{
    for (int ms = 0; ms < 30000 && count_files("/proc/self/task") > n_threads; ms++)
        usleep(1000);
    assert_true(count_files("/proc/self/task") <= n_threads);
}

/* The threads end, which makes room. */
static int tear_down(void **state)
{
    (void)state;
    close(silent[1]);
    wait_for_the_end_of_threads();
    assert_true(read_of(getpid()) > 0);
    wait_for_the_end_of_threads();
    close(silent[0]);
    return 0;
}

static void threads_that_wait_for_ever_are_one_users_loss(void **state)
{
    (void)state;
    for (int i = 0; i < ARGUMENTS_STUCK_MAX; i++)
        assert_int_equal(read_of(STUCK_PID + i), 0);
    assert_true(read_of(getpid()) > 0);
}

static void threads_of_all_users_are_limited(void **state)
{
    (void)state;
    for (int user = 0; user < ARGUMENTS_STUCK_MAX / ARGUMENTS_STUCK_OF_USER; user++)
        for (int i = 0; i < ARGUMENTS_STUCK_OF_USER; i++) {
            assert_true(read_of(getpid()) > 0);
            assert_int_equal(read_of(STUCK_PID + 1000 * user + i), 0);
        }
    assert_int_equal(read_of(getpid()), 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(threads_that_wait_for_ever_are_one_users_loss),
        WITH(threads_of_all_users_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
