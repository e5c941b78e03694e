/* SPDX-License-Identifier: MIT */
/* Work that is one piece leaves its CPU to others now and then. */
#define _GNU_SOURCE
#include "http/rests.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/library_thread.h"
#include "check.h"

enum { RESTS = 10 };
#define CPU_MAX_NS 10000000000u /* for which the longest stall of a machine is nothing */

/* How often this thread has waited for something. */
static long count_waits(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

/* Never waits by itself. False: it has not rested so often. */
static bool work(void)
{
    long before = count_waits();
    uint64_t begin = clock_thread_cpu_ns();

    while (count_waits() - before < RESTS)
        if (clock_thread_cpu_ns() - begin > CPU_MAX_NS)
            return false;
    return true;
}

/* As long as one with rests takes for many. */
static bool work_without(void)
{
    long before = count_waits();
    uint64_t begin = clock_thread_cpu_ns();

    while (clock_thread_cpu_ns() - begin < (uint64_t)RESTS * RESTS_AFTER_NS)
        if (count_waits() != before)
            return false;
    return true;
}

static void *work_in_a_thread(void *opaque)
{
    bool *has_rested = opaque;

    rests_begin();
    *has_rested = work();
    rests_end();
    return NULL;
}

static void a_thread_whose_signals_are_blocked_rests(void **state)
{
    bool has_rested = false;
    pthread_t thread;

    (void)state;
    assert_int_equal(library_thread_create(&thread, NULL, work_in_a_thread, &has_rested), 0);
    pthread_join(thread, NULL);
    assert_true(has_rested);
}

static void it_rests_no_longer_than_it_shall(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        rests_begin();
        assert_true(work());
        rests_end();
        assert_true(work_without());
    }
}

/* Anybody of the user, or an older timer, may send it. */
static void a_signal_without_a_timer_does_nothing(void **state)
{
    sigset_t mask;

    (void)state;
    rests_begin();
    rests_end();
    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    assert_int_equal(raise(SIGRTMIN), 0);
    assert_true(work_without());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_whose_signals_are_blocked_rests),
        cmocka_unit_test(it_rests_no_longer_than_it_shall),
        cmocka_unit_test(a_signal_without_a_timer_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
