/* SPDX-License-Identifier: MIT */
#include "server/timers.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/internal.h"

static const struct {
    uint32_t ms;
    void (*come)(void *owner); /* may set and cancel any timer */
} kinds[TIMER_KINDS] = {
    [TIMER_NOISE_PAUSE] = {NOISE_PAUSE_MS, transport_resume},
    [TIMER_ACCEPT_PAUSE] = {ACCEPT_PAUSE_MS, listener_resume},
    [TIMER_PART] = {PART_PAUSE_MS, transport_look_again},
    [TIMER_STALL] = {STALL_MS, transport_stalled},
};

static uint64_t now_ms(void)
{
    return clock_now_ns() / 1000000;
}

int timers_init(struct timers *timers)
{
    int kind;

    timers->at_ms = 0;
    for (kind = 0; kind < TIMER_KINDS; kind++)
        TAILQ_INIT(&timers->lists[kind]);
    timers->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return timers->fd < 0 ? -errno : 0;
}

void timers_free(struct timers *timers)
{
    if (timers->fd >= 0)
        close(timers->fd);
}

/* A timer that is cancelled leaves the fd as it is: it is readable once for nothing. */
static void set_fd(struct timers *timers, uint64_t at_ms)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000}};

    if (timers->at_ms && timers->at_ms <= at_ms)
        return;
    timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &when, NULL);
    timers->at_ms = at_ms;
}

void timer_cancel(struct timers *timers, enum timer_kind kind, struct timer *timer)
{
    if (timer->at_ms)
        TAILQ_REMOVE(&timers->lists[kind], timer, link);
    timer->at_ms = 0;
}

void timer_set(struct timers *timers, enum timer_kind kind, struct timer *timer)
{
    timer_cancel(timers, kind, timer);
    timer->at_ms = now_ms() + kinds[kind].ms;
    TAILQ_INSERT_TAIL(&timers->lists[kind], timer, link);
    set_fd(timers, timer->at_ms);
}

static void expire(struct timers *timers, enum timer_kind kind, uint64_t now)
{
    struct timer *timer;

    while ((timer = TAILQ_FIRST(&timers->lists[kind])) && timer->at_ms <= now) {
        timer_cancel(timers, kind, timer);
        kinds[kind].come(timer->owner);
    }
    if (timer)
        set_fd(timers, timer->at_ms);
}

void timers_event(struct timers *timers)
{
    uint64_t expirations, now;
    int kind;

    if (read(timers->fd, &expirations, sizeof(expirations)) <= 0)
        return;
    timers->at_ms = 0;
    now = now_ms();
    for (kind = 0; kind < TIMER_KINDS; kind++)
        expire(timers, (enum timer_kind)kind, now);
}
