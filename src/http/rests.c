/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "http/rests.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef sigev_notify_thread_id /* before glibc 2.39 */
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Of this thread. A signal may still come when the timer is gone. */
static __thread struct {
    timer_t timer;
    uint64_t since_ns; /* what it had of a CPU at the end of the last rest */
    volatile sig_atomic_t is_on;
} rests;

/* Once: in a rest nobody is woken for nothing. */
static void arm(void)
{
    const struct itimerspec once = {.it_value = {.tv_nsec = RESTS_AFTER_NS}};

    timer_settime(rests.timer, 0, &once, NULL);
}

/* Who had no CPU meanwhile needs no rest. All that is called here may be called in a handler. */
static void rest(int signal)
{
    int err = errno;

    (void)signal;
    if (!rests.is_on)
        return;
    if (clock_thread_cpu_ns() - rests.since_ns >= RESTS_AFTER_NS / 2) {
        poll(NULL, 0, RESTS_MS);
        rests.since_ns = clock_thread_cpu_ns();
    }
    arm();
    errno = err;
}

static void change_mask(int how)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN);
    pthread_sigmask(how, &mask, NULL);
}

void rests_begin(void)
{
    struct sigaction action = {.sa_handler = rest, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};

    event.sigev_notify_thread_id = gettid();
    if (sigaction(SIGRTMIN, &action, NULL) != 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &rests.timer) != 0)
        return;
    rests.since_ns = clock_thread_cpu_ns();
    rests.is_on = true;
    change_mask(SIG_UNBLOCK);
    arm();
}

void rests_end(void)
{
    if (!rests.is_on)
        return;
    rests.is_on = false;
    timer_delete(rests.timer);
    change_mask(SIG_BLOCK);
}
