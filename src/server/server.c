/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library_thread.h"
#include "base/sized.h"

/* ---- options and files ---------------------------------------------------------------------- */

static const struct sized sized_options =
    SIZED("vitals_server_new", struct vitals_server_options, size);

static int copy_options(struct vitals_server *server, const struct vitals_server_options *given,
                        struct error_text *error)
{
    int err = given ? sized_take(&sized_options, given, &server->options, error) : 0;

    if (err)
        return err;
    if (server->options.reserved)
        return error_set(error, -EINVAL, "reserved is %u, must be 0", server->options.reserved);
    if (!server->options.clients_max)
        server->options.clients_max = VITALS_CLIENTS_MAX;
    if (!server->options.memory_max)
        server->options.memory_max = VITALS_MEMORY_MAX;
    if (!server->options.budget_us)
        server->options.budget_us = VITALS_BUDGET_US;
    return 0;
}

/* Another number for a file that is open, as a sandbox may let nothing be opened. */
int server_open_spare(const struct vitals_server *server)
{
    return fcntl(server->wake_fd, F_DUPFD_CLOEXEC, 0);
}

static int open_fds(struct vitals_server *server)
{
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll_fd < 0 || server->wake_fd < 0)
        return -errno;
    server->spare_fd = server_open_spare(server);
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static const char inside_text[] = "this can't be done from inside collect()";

/* ---- the lock ------------------------------------------------------------------------------- */

/* A thread that comes back for a lock it holds is told so, instead of waiting for itself. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

int server_lock(struct vitals_server *server)
{
    int err = server_check_process(server);

    if (err)
        return err;
    server->n_visitors++;
    err = pthread_mutex_lock(&server->lock);
    server->n_visitors--;
    return err ? server_fail(server, -EBUSY, "%s", inside_text) : 0;
}

void server_unlock(struct vitals_server *server)
{
    pthread_cond_signal(&server->visited);
    pthread_mutex_unlock(&server->lock);
}

/* A mutex on its own goes to whoever is quicker, and that is the thread that runs. */
static void let_visitors_in(struct vitals_server *server)
{
    if (server->n_visitors)
        pthread_cond_wait(&server->visited, &server->lock);
}

/* ---- waking ---------------------------------------------------------------------------------- */

/* Under the lock. Readable is what has the thread, or the caller's loop, come back. */
void server_wake(struct vitals_server *server)
{
    if (!server->awake)
        eventfd_write(server->wake_fd, 1);
    server->awake = true;
}

static void wake_or_sleep(struct vitals_server *server)
{
    eventfd_t value;

    if (server->turns.n_waiting) {
        server_wake(server);
        return;
    }
    if (server->awake)
        eventfd_read(server->wake_fd, &value);
    server->awake = false;
}

/* ---- making and freeing --------------------------------------------------------------------- */

static int init_parts(struct vitals_server *server)
{
    uint32_t slot;
    int err;

    err = open_fds(server);
    if (!err)
        err = timers_init(&server->timers);
    if (!err)
        err = qmp_workbench_init(&server->bench);
    server->bench.hook =
        (struct thread_hook){server->options.on_thread, server->options.on_thread_opaque};
    server->closer = closer_new();
    if (!err && !server->closer)
        err = -ENOMEM;
    if (!err)
        err = slot_add(server, SLOT_WAKE, server, server->wake_fd, EPOLLIN, &slot);
    if (!err)
        err = slot_add(server, SLOT_TIMER, server, server->timers.fd, EPOLLIN, &slot);
    return err;
}

static int init(struct vitals_server *server, const struct vitals_server_options *options,
                struct error_text *error)
{
    int err = copy_options(server, options, error);

    if (err)
        return err;
    err = init_parts(server);
    return err ? error_set(error, err, "a server can't be made: %s", strerror(-err)) : 0;
}

static int make(const struct vitals_server_options *options, struct error_text *error,
                struct vitals_server **ret_server)
{
    struct vitals_server *server = calloc(1, sizeof(*server));
    int err;

    if (!server)
        return error_set(error, -ENOMEM, "no memory for a server");
    server->process = getpid();
    server->copy_error = "";
    server->epoll_fd = server->wake_fd = server->timers.fd = server->spare_fd = -1;
    LIST_INIT(&server->accounts);
    turns_init(&server->turns);
    init_lock(&server->lock);
    pthread_mutex_init(&server->error_lock, NULL);
    pthread_cond_init(&server->visited, NULL);
    err = init(server, options, error);
    if (err) {
        vitals_server_free(server);
        return err;
    }
    *ret_server = server;
    return 0;
}

int vitals_server_new(const struct vitals_server_options *options,
                      struct vitals_server **ret_server)
{
    size_t end = SIZED_END(struct vitals_server_options, error_size);
    struct error_text error;
    int err = make(options, &error, ret_server);

    if (err && options && sized_has(&sized_options, options->size, end))
        error_tell(&error, options->error, options->error_size);
    return err;
}

static void close_all(struct vitals_server *server)
{
    uint32_t i;

    for (i = 0; i < server->n_slots; i++)
        if (server->slots[i].kind == SLOT_TRANSPORT)
            transport_close(server->slots[i].owner);
    for (i = 0; i < server->n_slots; i++)
        if (server->slots[i].kind == SLOT_LISTENER)
            listener_free(server->slots[i].owner);
}

static void free_all(struct vitals_server *server)
{
    close_all(server);
    qmp_workbench_free(&server->bench);
    buf_free(&server->reply);
    turns_free(&server->turns);
    free(server->slots);
    close_fd(server->epoll_fd);
    close_fd(server->wake_fd);
    timers_free(&server->timers);
    close_fd(server->spare_fd);
    closer_free(server->closer);
    if (!server->is_copy) /* where a thread waits for it that has not been copied */
        pthread_cond_destroy(&server->visited);
    pthread_mutex_destroy(&server->lock);
    pthread_mutex_destroy(&server->error_lock);
    free(server);
}

/* ---- after fork() --------------------------------------------------------------------------- */

int server_check_process(struct vitals_server *server)
{
    if (server->process == getpid())
        return 0;
    server->copy_error = "the server is another process's: fork() made this copy";
    return -ECHILD;
}

/*
 * The sockets, the epoll set and the socket's file are the parent's, too, so all that happens to them
 * is that the child's copies are closed. What a thread of the parent was changing when it was copied
 * is in no order, and stays.
 */
static void free_copy(struct vitals_server *server)
{
    server->is_copy = true;
    closer_free_copy(server->closer);
    server->closer = NULL;
    if (pthread_mutex_trylock(&server->lock) == 0) {
        pthread_mutex_unlock(&server->lock);
        free_all(server);
        return;
    }
    close_fd(server->epoll_fd);
    close_fd(server->wake_fd);
    timers_free(&server->timers);
    close_fd(server->spare_fd);
}

void vitals_server_free(struct vitals_server *server)
{
    if (!server)
        return;
    if (server_check_process(server)) {
        free_copy(server);
        return;
    }
    vitals_server_stop(server);
    free_all(server);
}

/* NULL: it has none. */
static struct vitals_ctx *ctx_of_slot(const struct slot *slot)
{
    if (slot->kind == SLOT_LISTENER)
        return ((struct vitals_listener *)slot->owner)->ctx;
    if (slot->kind == SLOT_TRANSPORT)
        return ((struct transport *)slot->owner)->protocol->ctx;
    return NULL;
}

/* Before a thread serves with them. Those that are taken over stay so on an error: it is no harm. */
static int take_contexts_over(struct vitals_server *server)
{
    struct vitals_ctx *ctx;
    uint32_t i;
    int err = 0;

    for (i = 0; !err && i < server->n_slots; i++) {
        ctx = ctx_of_slot(&server->slots[i]);
        if (ctx)
            err = ctx_take_over(ctx);
    }
    return err;
}

/* Under the lock. */
static int take_over(struct vitals_server *server)
{
    int err = take_contexts_over(server);

    if (!err)
        err = closer_take_over(server->closer);
    if (err)
        return err;
    server->process = getpid();
    pthread_mutex_init(&server->error_lock, NULL);
    server->n_visitors = 0;
    pthread_cond_init(&server->visited, NULL);
    server->serving = false;
    server->awake = !server->turns.n_waiting; /* either way, the file is made to fit */
    wake_or_sleep(server);
    return 0;
}

int vitals_server_take_over(struct vitals_server *server)
{
    int err;

    if (!server_check_process(server))
        return 0;
    server->copy_error =
        "the server has a thread, which stays in the parent process: stop it before";
    if (server->has_thread)
        return -EBUSY;
    server->copy_error = "a thread of the parent process was inside a call when it forked";
    if (pthread_mutex_trylock(&server->lock))
        return -EBUSY;
    err = take_over(server);
    pthread_mutex_unlock(&server->lock);
    return err;
}

/* ---- events --------------------------------------------------------------------------------- */

/* Under the lock. */
static void handle_slot(struct vitals_server *server, struct slot *slot, uint32_t events)
{
    switch (slot->kind) {
    case SLOT_TIMER:
        timers_event(&server->timers);
        break;
    case SLOT_LISTENER:
        listener_event(slot->owner, events);
        break;
    case SLOT_TRANSPORT:
        transport_event(slot->owner, events);
        break;
    case SLOT_WAKE: /* whoever waits for a turn has one */
    case SLOT_FREE:
        break;
    }
}

/* All that has come, if there is time: the last one to come may be the next one to be served. */
static void handle_events(struct vitals_server *server, struct epoll_event *events, int n,
                          uint64_t end_ns)
{
    struct slot *slot;
    int i;

    while (n > 0) {
        for (i = 0; i < n; i++) {
            slot = slot_of_event(server, events[i].data.u64);
            if (slot)
                handle_slot(server, slot, events[i].events);
        }
        if (n < SERVER_EVENTS || clock_now_ns() >= end_ns)
            break;
        n = epoll_wait(server->epoll_fd, events, SERVER_EVENTS, 0);
    }
}

/* Others have the lock between two turns. At least one is served, or there would be no end to it. */
static void serve_turns(struct vitals_server *server, uint64_t end_ns)
{
    uint64_t start = clock_now_ns(), now;

    while (transports_serve_one(server)) {
        now = clock_now_ns();
        turns_end(&server->turns, now - start);
        if (now >= end_ns)
            break;
        let_visitors_in(server);
        start = clock_now_ns(); /* the time of others is on no client's account */
    }
}

/* Under the lock. */
static void serve_events(struct vitals_server *server, struct epoll_event *events, int n)
{
    uint64_t end_ns = clock_now_ns() + (uint64_t)server->options.budget_us * 1000;

    server->serving = true;
    handle_events(server, events, n, end_ns);
    serve_turns(server, end_ns);
    server->serving = false;
    wake_or_sleep(server);
}

static int process(struct vitals_server *server, int timeout)
{
    struct epoll_event events[SERVER_EVENTS];
    int n = epoll_wait(server->epoll_fd, events, SERVER_EVENTS, timeout);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if (pthread_mutex_lock(&server->lock))
        return -EBUSY;
    let_visitors_in(server);
    serve_events(server, events, n);
    n += (int)server->turns.n_waiting;
    pthread_mutex_unlock(&server->lock);
    return n > 0;
}

void server_ask_again(struct vitals_server *server)
{
    if (server_lock(server))
        return;
    for (uint32_t i = 0; i < server->n_slots; i++)
        if (server->slots[i].kind == SLOT_TRANSPORT)
            transport_ask_again(server->slots[i].owner);
    server_unlock(server);
}

uint32_t server_n_waiting(const struct vitals_server *server)
{
    return server->turns.n_waiting;
}

int vitals_server_fd(const struct vitals_server *server)
{
    return server->epoll_fd;
}

int vitals_server_process(struct vitals_server *server)
{
    int result = server_check_process(server);

    if (result)
        return result;
    if (server->has_thread)
        return server_fail(server, -EBUSY, "the server has a thread of its own");
    result = process(server, 0);
    if (result >= 0)
        return result;
    return server_fail(server, result, "%s", result == -EBUSY ? inside_text : strerror(-result));
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void *run(void *opaque)
{
    struct vitals_server *server = opaque;

    prctl(PR_SET_NAME, "vitals-qmp");
    if (server->options.on_thread)
        server->options.on_thread(server->options.on_thread_opaque);
    while (!server->stopping)
        process(server, -1);
    return NULL;
}

int vitals_server_start(struct vitals_server *server)
{
    int err = server_check_process(server);

    if (err)
        return err;
    if (server->has_thread)
        return server_fail(server, -EBUSY, "the server has a thread already");
    server->stopping = false;
    err = library_thread_create(&server->thread, NULL, run, server);
    if (err)
        return server_fail(server, -err, "no thread can be made: %s", strerror(err));
    server->has_thread = true;
    return 0;
}

int vitals_server_stop(struct vitals_server *server)
{
    int err = server_check_process(server);

    if (err || !server->has_thread)
        return err;
    if (pthread_equal(server->thread, pthread_self()))
        return server_fail(server, -EBUSY, "%s", inside_text);
    server->stopping = true;
    eventfd_write(server->wake_fd, 1);
    pthread_join(server->thread, NULL);
    server->has_thread = false;
    server->stopping = false;
    /* Others may add clients meanwhile. */
    err = server_lock(server);
    if (err)
        return err;
    server->awake = true;
    wake_or_sleep(server);
    server_unlock(server);
    return 0;
}
