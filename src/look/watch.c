/* SPDX-License-Identifier: MIT */
#include "look/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* Not more often is a VM tried that is lost. */
#define RETRY_SECONDS 1.0

/*
 * A connection to a VM, and what is wanted of it. What came of it is looked at even when the thread
 * has another one, and needs the descriptions of its statistics.
 */
struct session {
    atomic_uint n_users;
    struct client *client;
    bool *wanted;
};

struct watcher {
    struct watch *watch;
    char *path;
    unsigned timeout_ms;
    bool wants_vm, wants_vcpus, wants_others;
    pthread_t thread;
    bool is_lost; /* only the thread knows */
    bool had_statistics;

    /* Under the mutex: */
    struct session *session; /* of the thread, which replaces it */
    struct watch_result result;
    struct session *answered; /* the one that the result is of; NULL: no result */
    struct session *taken;    /* the one that the result before it was of */
    struct session *previous; /* the one before that; some of it may be still looked at */
};

struct watch {
    struct watch_choice choice;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    double interval;
    bool is_paused, is_ending;
    int fd;
    size_t n, n_threads;
    struct watcher watchers[];
};

/* ---- sessions ------------------------------------------------------------------------------- */

static struct session *share(struct session *session)
{
    atomic_fetch_add(&session->n_users, 1);
    return session;
}

/* NULL is fine. */
static void drop(struct session *session)
{
    if (!session || atomic_fetch_sub(&session->n_users, 1) > 1)
        return;
    client_free(session->client);
    free(session->wanted);
    free(session);
}

/* Takes over @client and @wanted, also without memory: NULL. */
static struct session *make_session(struct client *client, bool *wanted)
{
    struct session *session = calloc(1, sizeof(*session));

    if (!session) {
        client_free(client);
        free(wanted);
        return NULL;
    }
    atomic_init(&session->n_users, 1);
    session->client = client;
    session->wanted = wanted;
    return session;
}

/* One that had statistics is not back without them: it may not have begun to run. */
static bool is_back(const struct watcher *watcher, const struct client *client)
{
    return client_has_statistics(client) || !watcher->had_statistics;
}

/* From now on watch_stop() can end what the thread waits for. False: it has been called. */
static bool use(struct watcher *watcher, struct session *session)
{
    struct watch *watch = watcher->watch;
    struct session *old = session;
    bool goes_on;

    pthread_mutex_lock(&watch->mutex);
    goes_on = !watch->is_ending;
    if (goes_on) {
        old = watcher->session;
        watcher->session = session;
    }
    pthread_mutex_unlock(&watch->mutex);
    drop(old);
    return goes_on;
}

static bool reconnect(struct watcher *watcher)
{
    const struct watch_choice *choice = &watcher->watch->choice;
    struct client_error error; /* what has been said of its end counts */
    struct client *client;
    struct session *session;

    if (client_connect(watcher->path, watcher->timeout_ms, &client, &error) < 0)
        return false;
    session = make_session(client, NULL);
    if (!session || !use(watcher, session))
        return false;
    if (client_introduce(client, &error) == 0 && is_back(watcher, client))
        session->wanted = choice->want(choice->opaque, client);
    return session->wanted;
}

/* ---- samples -------------------------------------------------------------------------------- */

void watch_result_free(struct watch_result *result)
{
    sample_free(&result->sample);
    *result = (struct watch_result){0};
}

static void ask(const struct watcher *watcher, struct watch_result *result)
{
    const struct source source = {
        .client = watcher->session->client,
        .wanted = watcher->session->wanted,
        .wants_vm = watcher->wants_vm,
        .wants_vcpus = watcher->wants_vcpus,
        .wants_others = watcher->wants_others,
    };

    *result =
        (struct watch_result){.time = clock_unix_time(), .vm_name = client_vm_name(source.client)};
    result->is_lost = source_sample(&source, &result->sample, &result->error) < 0;
    result->has_sample = !result->is_lost;
}

/* What is there was never taken. */
static void replace_result(struct watcher *watcher, struct watch_result *result)
{
    if (result->is_lost && watcher->answered == watcher->session) {
        watcher->result.is_lost = true; /* it had answered before */
        watcher->result.error = result->error;
        watch_result_free(result);
        return;
    }
    watch_result_free(&watcher->result);
    drop(watcher->answered);
    watcher->result = *result;
    watcher->answered = share(watcher->session);
}

static void publish(struct watcher *watcher, struct watch_result *result)
{
    struct watch *watch = watcher->watch;
    uint64_t one = 1;

    pthread_mutex_lock(&watch->mutex);
    replace_result(watcher, result);
    while (write(watch->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_mutex_unlock(&watch->mutex);
}

/* That a VM is lost is told once. A server that has only one client at a time must see us go. */
static void sample(struct watcher *watcher)
{
    bool was_lost = watcher->is_lost;
    struct watch_result result = {.is_lost = true};

    if (!was_lost || reconnect(watcher))
        ask(watcher, &result);
    watcher->is_lost = result.is_lost;
    if (result.is_lost)
        client_interrupt(watcher->session->client);
    if (result.is_lost && was_lost)
        watch_result_free(&result);
    else
        publish(watcher, &result);
}

/* ---- a thread ------------------------------------------------------------------------------- */

static double choose_interval(const struct watcher *watcher)
{
    double interval = watcher->watch->interval;

    return watcher->is_lost && interval < RETRY_SECONDS ? RETRY_SECONDS : interval;
}

static uint64_t after(uint64_t ns, double seconds)
{
    return ns + (uint64_t)(seconds * 1e9);
}

/*
 * Waits for the next turn: an interval after @turn, or now if that has passed. A new interval counts
 * at once. False: the end.
 */
static bool wait_for_turn(const struct watcher *watcher, uint64_t *turn)
{
    struct watch *watch = watcher->watch;
    uint64_t now, next;

    for (;;) {
        next = after(*turn, choose_interval(watcher));
        now = clock_now_ns();
        if (watch->is_ending)
            return false;
        if (watch->is_paused)
            pthread_cond_wait(&watch->changed, &watch->mutex);
        else if (now < next)
            clock_wait_until(&watch->changed, &watch->mutex, next);
        else
            break;
    }
    /* Turns that were missed are not made up for. */
    *turn = watcher->is_lost || after(next, watch->interval) < now ? now : next;
    return true;
}

static void *run(void *opaque)
{
    struct watcher *watcher = opaque;
    struct watch *watch = watcher->watch;
    bool goes_on = true;
    uint64_t turn = clock_now_ns();

    while (goes_on) {
        sample(watcher);
        pthread_mutex_lock(&watch->mutex);
        goes_on = wait_for_turn(watcher, &turn);
        pthread_mutex_unlock(&watch->mutex);
    }
    return NULL;
}

/* ---- the watch ------------------------------------------------------------------------------ */

static int start_threads(struct watch *watch)
{
    for (; watch->n_threads < watch->n; watch->n_threads++) {
        struct watcher *watcher = &watch->watchers[watch->n_threads];
        int err = pthread_create(&watcher->thread, NULL, run, watcher);

        if (err)
            return -err;
    }
    return 0;
}

/* Takes over the client. */
static int fill_in(struct watcher *watcher, struct watch *watch, const struct watch_vm *vm)
{
    watcher->watch = watch;
    watcher->path = strdup(vm->path);
    watcher->timeout_ms = vm->timeout_ms;
    watcher->had_statistics = client_has_statistics(vm->client);
    watcher->wants_vm = vm->wants_vm;
    watcher->wants_vcpus = vm->wants_vcpus;
    watcher->wants_others = vm->wants_others;
    watcher->session = make_session(vm->client, vm->wanted);
    return watcher->path && watcher->session ? 0 : -ENOMEM;
}

/* All clients are taken over, whatever happens. */
static int fill_in_all(struct watch *watch, const struct watch_vm *vms)
{
    int err = 0;

    for (size_t i = 0; i < watch->n; i++) {
        if (fill_in(&watch->watchers[i], watch, &vms[i]) < 0)
            err = -ENOMEM;
    }
    return err;
}

static void free_clients(const struct watch_vm *vms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        client_free(vms[i].client);
        free(vms[i].wanted);
    }
}

static struct watch *make_watch(size_t n)
{
    struct watch *watch = calloc(1, sizeof(*watch) + n * sizeof(watch->watchers[0]));

    if (!watch)
        return NULL;
    watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->fd < 0) {
        free(watch);
        return NULL;
    }
    watch->n = n;
    pthread_mutex_init(&watch->mutex, NULL);
    clock_init_condition(&watch->changed);
    return watch;
}

int watch_start(const struct watch_vm *vms, size_t n, const struct watch_choice *choice,
                double interval, struct watch **ret_watch)
{
    struct watch *watch = make_watch(n);
    int err;

    if (!watch) {
        err = -errno;
        free_clients(vms, n);
        return err;
    }
    watch->choice = *choice;
    watch->interval = interval;
    err = fill_in_all(watch, vms);
    if (err == 0)
        err = start_threads(watch);
    if (err < 0)
        watch_stop(watch);
    else
        *ret_watch = watch;
    return err;
}

static void end_threads(struct watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->is_ending = true;
    pthread_cond_broadcast(&watch->changed);
    for (size_t i = 0; i < watch->n_threads; i++)
        client_interrupt(watch->watchers[i].session->client);
    pthread_mutex_unlock(&watch->mutex);
    for (size_t i = 0; i < watch->n_threads; i++)
        pthread_join(watch->watchers[i].thread, NULL);
}

void watch_stop(struct watch *watch)
{
    end_threads(watch);
    for (size_t i = 0; i < watch->n; i++) {
        struct watcher *watcher = &watch->watchers[i];

        free(watcher->path);
        watch_result_free(&watcher->result);
        drop(watcher->session);
        drop(watcher->answered);
        drop(watcher->taken);
        drop(watcher->previous);
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

/* ---- results -------------------------------------------------------------------------------- */

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

/* There is one. */
static void take(struct watcher *watcher, struct watch_result *ret_result)
{
    *ret_result = watcher->result;
    ret_result->is_back = watcher->taken && watcher->taken != watcher->answered;
    drop(watcher->previous);
    watcher->previous = watcher->taken;
    watcher->taken = watcher->answered;
    watcher->answered = NULL;
    watcher->result = (struct watch_result){0};
}

bool watch_take(struct watch *watch, size_t vm, struct watch_result *ret_result)
{
    struct watcher *watcher = &watch->watchers[vm];
    bool has_result;

    pthread_mutex_lock(&watch->mutex);
    has_result = watcher->answered;
    if (has_result)
        take(watcher, ret_result);
    pthread_mutex_unlock(&watch->mutex);
    return has_result;
}
