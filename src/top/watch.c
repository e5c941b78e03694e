/* SPDX-License-Identifier: MIT */
#include "top/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct watcher {
    struct watch *watch;
    const struct watch_vm *vm;
    pthread_t thread;
    struct watch_result result;
    bool has_result;
};

struct watch {
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    double interval;
    bool is_paused, is_ending;
    int fd;
    size_t n; /* threads that run */
    struct watcher watchers[];
};

/* ---- a thread ------------------------------------------------------------------------------- */

static double unix_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void watch_result_free(struct watch_result *result)
{
    for (size_t i = 0; i < WATCH_TARGETS; i++)
        client_snapshot_free(result->snapshots[i]);
    *result = (struct watch_result){0};
}

static void ask(const struct watch_vm *vm, struct watch_result *result)
{
    *result = (struct watch_result){.time = unix_time()};
    for (size_t i = 0; i < WATCH_TARGETS && !result->is_lost; i++)
        if (vm->requests[i].target)
            result->is_lost = client_query(vm->client, &vm->requests[i], &result->snapshots[i],
                                           &result->error) < 0;
}

static struct timespec after(struct timespec time, double seconds)
{
    long long ns = time.tv_nsec + (long long)(seconds * 1e9);

    time.tv_sec += (time_t)(ns / 1000000000);
    time.tv_nsec = (long)(ns % 1000000000);
    return time;
}

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/*
 * Waits for the next turn: an interval after @turn, or now if that has passed. A new interval counts
 * at once. False: the end.
 */
static bool wait_for_turn(struct watch *watch, struct timespec *turn)
{
    struct timespec now, next;

    for (;;) {
        next = after(*turn, watch->interval);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (watch->is_ending)
            return false;
        if (watch->is_paused)
            pthread_cond_wait(&watch->changed, &watch->mutex);
        else if (is_before(now, next))
            pthread_cond_timedwait(&watch->changed, &watch->mutex, &next);
        else
            break;
    }
    *turn = is_before(after(next, watch->interval), now) ? now : next;
    return true;
}

static void *run(void *opaque)
{
    struct watcher *watcher = opaque;
    struct watch *watch = watcher->watch;
    bool goes_on = true;
    struct timespec turn;

    clock_gettime(CLOCK_MONOTONIC, &turn);
    while (goes_on) {
        struct watch_result result;
        uint64_t one = 1;

        ask(watcher->vm, &result);
        goes_on = !result.is_lost;
        pthread_mutex_lock(&watch->mutex);
        watch_result_free(&watcher->result); /* was never taken */
        watcher->result = result;
        watcher->has_result = true;
        while (write(watch->fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
        goes_on = goes_on && wait_for_turn(watch, &turn);
        pthread_mutex_unlock(&watch->mutex);
    }
    return NULL;
}

/* ---- the watch ------------------------------------------------------------------------------ */

static int start_threads(struct watch *watch, const struct watch_vm *vms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct watcher *watcher = &watch->watchers[i];
        int err;

        watcher->watch = watch;
        watcher->vm = &vms[i];
        err = pthread_create(&watcher->thread, NULL, run, watcher);
        if (err)
            return -err;
        watch->n++;
    }
    return 0;
}

int watch_start(const struct watch_vm *vms, size_t n, double interval, struct watch **ret_watch)
{
    struct watch *watch = calloc(1, sizeof(*watch) + n * sizeof(watch->watchers[0]));
    pthread_condattr_t attributes;
    int err;

    if (!watch)
        return -ENOMEM;
    watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->fd < 0) {
        err = -errno;
        free(watch);
        return err;
    }
    watch->interval = interval;
    pthread_mutex_init(&watch->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    err = start_threads(watch, vms, n);
    if (err < 0)
        watch_stop(watch);
    else
        *ret_watch = watch;
    return err;
}

void watch_stop(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->is_ending = true;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    for (size_t i = 0; i < watch->n; i++)
        client_interrupt(watch->watchers[i].vm->client);
    for (size_t i = 0; i < watch->n; i++) {
        pthread_join(watch->watchers[i].thread, NULL);
        watch_result_free(&watch->watchers[i].result);
    }
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->mutex);
    close(watch->fd);
    free(watch);
}

void watch_set(struct watch *watch, double interval, bool is_paused)
{
    pthread_mutex_lock(&watch->mutex);
    watch->interval = interval;
    watch->is_paused = is_paused;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

void watch_clear(struct watch *watch)
{
    uint64_t count;

    while (read(watch->fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

bool watch_take(struct watch *watch, size_t vm, struct watch_result *ret_result)
{
    struct watcher *watcher = &watch->watchers[vm];
    bool has_result;

    pthread_mutex_lock(&watch->mutex);
    has_result = watcher->has_result;
    if (has_result) {
        *ret_result = watcher->result;
        watcher->result = (struct watch_result){0};
        watcher->has_result = false;
    }
    pthread_mutex_unlock(&watch->mutex);
    return has_result;
}
