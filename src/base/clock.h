/* SPDX-License-Identifier: MIT */
/* How much time passes, and what time it is. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* From a begin that nobody knows; never set back. */
uint64_t clock_now_ns(void);

/* How long this thread has had a CPU. */
uint64_t clock_thread_cpu_ns(void);

/* The time of day: seconds since 1970. */
double clock_unix_time(void);

/* When the host started, by the time of day: another answer means that somebody has set the clock. */
double clock_boot_time(void);

/* For poll(): how many ms it is until then, rounded up, or 0. */
int clock_ms_until(uint64_t ns);

/* Until clock_now_ns() is @ns. */
void clock_sleep_until(uint64_t ns);

/* For clock_wait_until(). */
void clock_init_condition(pthread_cond_t *condition);

/* True: it is that late. False: @condition has been signalled, maybe. */
bool clock_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t ns);

#endif
