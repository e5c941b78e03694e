/* SPDX-License-Identifier: MIT */
/* Work that waits: all of it together, but for a limit. */
#include "base/at_once.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "check.h"

enum { DEADLINE_S = 60 };

/* ---- threads that can't be made ------------------------------------------------------------- */

static unsigned n_threads_left = UINT_MAX;

int __real_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *opaque);
int __wrap_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *opaque);
int __wrap_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *opaque)
{
    if (!n_threads_left)
        return EAGAIN;
    n_threads_left--;
    return __real_pthread_create(ret_thread, attr, run, opaque);
}

/* ---- work ----------------------------------------------------------------------------------- */

/* Each waits until @n_wanted are there at a time, or have been. */
struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t n_wanted, n_here, n_most;
    unsigned *times; /* that each was called */
    bool is_late;
};

static void meet(void *opaque, size_t i)
{
    struct meeting *meeting = opaque;
    uint64_t deadline = clock_now_ns() + DEADLINE_S * UINT64_C(1000000000);

    pthread_mutex_lock(&meeting->mutex);
    meeting->times[i]++;
    if (++meeting->n_here > meeting->n_most)
        meeting->n_most = meeting->n_here;
    pthread_cond_broadcast(&meeting->changed);
    while (meeting->n_most < meeting->n_wanted && !meeting->is_late)
        meeting->is_late = clock_wait_until(&meeting->changed, &meeting->mutex, deadline);
    meeting->n_here--;
    pthread_mutex_unlock(&meeting->mutex);
}

/* @n things, of which @n_wanted have to be at work at a time. */
static struct meeting hold(size_t n, size_t n_wanted)
{
    struct meeting meeting = {.mutex = PTHREAD_MUTEX_INITIALIZER, .n_wanted = n_wanted};

    meeting.times = calloc(n + 1, sizeof(*meeting.times));
    if (!meeting.times)
        abort();
    clock_init_condition(&meeting.changed);
    at_once(n, meet, &meeting);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(meeting.times[i], 1);
    assert_false(meeting.is_late);
    free(meeting.times);
    pthread_cond_destroy(&meeting.changed);
    return meeting;
}

static void nothing_is_done_for_none(void **state)
{
    (void)state;
    assert_int_equal(hold(0, 0).n_most, 0);
}

static void one_is_done_by_the_caller(void **state)
{
    (void)state;
    n_threads_left = 0;
    assert_int_equal(hold(1, 1).n_most, 1);
    n_threads_left = UINT_MAX;
}

static void those_that_wait_do_so_together(void **state)
{
    static const size_t numbers[] = {2, AT_ONCE_FEW, AT_ONCE_FEW + 1, 100, AT_ONCE_MAX};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        assert_int_equal(hold(numbers[i], numbers[i]).n_most, numbers[i]);
}

static void there_are_no_more_threads_than_the_limit(void **state)
{
    (void)state;
    assert_int_equal(hold(AT_ONCE_MAX + 1, AT_ONCE_MAX).n_most, AT_ONCE_MAX);
}

static void few_threads_do_what_does_not_wait(void **state)
{
    (void)state;
    n_threads_left = AT_ONCE_FEW;
    assert_true(hold(10000, 0).n_most <= AT_ONCE_FEW);
    n_threads_left = UINT_MAX;
}

static void all_is_done_where_threads_are_scarce(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= AT_ONCE_FEW + 1; n++) {
        n_threads_left = n;
        assert_true(hold(50, n < 2 ? 1 : n).n_most <= (n ? n : 1));
    }
    n_threads_left = UINT_MAX;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_done_for_none),
        cmocka_unit_test(one_is_done_by_the_caller),
        cmocka_unit_test(those_that_wait_do_so_together),
        cmocka_unit_test(there_are_no_more_threads_than_the_limit),
        cmocka_unit_test(few_threads_do_what_does_not_wait),
        cmocka_unit_test(all_is_done_where_threads_are_scarce),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
