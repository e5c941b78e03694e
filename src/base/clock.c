/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#define NS 1000000000

uint64_t clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

uint64_t clock_thread_cpu_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * NS + (uint64_t)spent.tv_nsec;
}

double clock_unix_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / NS;
}

double clock_boot_time(void)
{
    struct timespec since;

    clock_gettime(CLOCK_BOOTTIME, &since);
    return clock_unix_time() - ((double)since.tv_sec + (double)since.tv_nsec / NS);
}

/* For calls that want it so. */
static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS)};
}

int clock_ms_until(uint64_t ns)
{
    uint64_t now = clock_now_ns(), ms = ns <= now ? 0 : (ns - now) / 1000000 + 1;

    return ms < INT_MAX ? (int)ms : INT_MAX;
}

void clock_sleep_until(uint64_t ns)
{
    struct timespec until = timespec_of(ns);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

void clock_init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool clock_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t ns)
{
    const struct timespec until = timespec_of(ns);

    return pthread_cond_timedwait(condition, mutex, &until) == ETIMEDOUT;
}
