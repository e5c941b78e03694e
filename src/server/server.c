/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/library_thread.h"
#include "base/sized.h"

/* ---- making and freeing --------------------------------------------------------------------- */

static int copy_options(struct vitals_server *server, const struct vitals_server_options *given)
{
    static const struct sized sized =
        SIZED("vitals_server_new", struct vitals_server_options, size);
    int err = given ? sized_take(&sized, given, &server->options, NULL) : 0;

    if (err)
        return err;
    if (!server->options.clients_max)
        server->options.clients_max = VITALS_CLIENTS_MAX;
    if (!server->options.memory_max)
        server->options.memory_max = VITALS_MEMORY_MAX;
    return 0;
}

static int open_fds(struct vitals_server *server)
{
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->epoll_fd < 0 || server->wake_fd < 0)
        return -errno;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* A thread that comes back for a lock it holds is told so, instead of waiting for itself. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

static int init(struct vitals_server *server, const struct vitals_server_options *options)
{
    uint32_t slot;
    int err;

    err = copy_options(server, options);
    if (!err)
        err = open_fds(server);
    if (!err)
        err = timers_init(&server->timers);
    if (!err)
        err = qmp_workbench_init(&server->bench);
    server->closer = closer_new();
    if (!err && !server->closer)
        err = -ENOMEM;
    transports_init(server);
    if (!err)
        err = slot_add(server, SLOT_WAKE, server, server->wake_fd, EPOLLIN, &slot);
    if (!err)
        err = slot_add(server, SLOT_TIMER, server, server->timers.fd, EPOLLIN, &slot);
    return err;
}

int vitals_server_new(const struct vitals_server_options *options,
                      struct vitals_server **ret_server)
{
    struct vitals_server *server = calloc(1, sizeof(*server));
    int err;

    if (!server)
        return -ENOMEM;
    server->process = getpid();
    server->epoll_fd = server->wake_fd = server->timers.fd = server->spare_fd = -1;
    init_lock(&server->lock);
    err = init(server, options);
    if (err) {
        vitals_server_free(server);
        return err;
    }
    *ret_server = server;
    return 0;
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
    free(server->slots);
    close_fd(server->epoll_fd);
    close_fd(server->wake_fd);
    timers_free(&server->timers);
    close_fd(server->spare_fd);
    closer_free(server->closer);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* ---- after fork() --------------------------------------------------------------------------- */

int server_check_process(const struct vitals_server *server)
{
    return server->process == getpid() ? 0 : -ECHILD;
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

/* Under the lock. */
static int take_over(struct vitals_server *server)
{
    int err = closer_take_over(server->closer);

    if (!err)
        server->process = getpid();
    return err;
}

int vitals_server_take_over(struct vitals_server *server)
{
    int err;

    if (!server_check_process(server))
        return 0;
    if (server->has_thread || pthread_mutex_trylock(&server->lock))
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
        listener_event(slot->owner);
        break;
    case SLOT_TRANSPORT:
        transport_event(slot->owner, events);
        break;
    case SLOT_WAKE:
        server->woken = true;
        break;
    case SLOT_FREE:
        break;
    }
}

static int handle_event(struct vitals_server *server, const struct epoll_event *event)
{
    struct slot *slot;

    if (pthread_mutex_lock(&server->lock))
        return -EBUSY;
    slot = slot_of_event(server, event->data.u64);
    if (slot)
        handle_slot(server, slot, event->events);
    pthread_mutex_unlock(&server->lock);
    return 0;
}

/* The wake fd stays readable while there are ready clients, so that the host's loop comes back. */
static int serve_ready(struct vitals_server *server)
{
    eventfd_t value;

    if (pthread_mutex_lock(&server->lock))
        return -EBUSY;
    transports_serve_ready(server);
    if (server->woken && !server->n_ready) {
        eventfd_read(server->wake_fd, &value);
        server->woken = false;
    }
    pthread_mutex_unlock(&server->lock);
    return 0;
}

static int process(struct vitals_server *server, int timeout)
{
    struct epoll_event events[SERVER_EVENTS];
    int n, i, err = 0;

    n = epoll_wait(server->epoll_fd, events, SERVER_EVENTS, timeout);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (i = 0; i < n && !err; i++)
        err = handle_event(server, &events[i]);
    return err ? err : serve_ready(server);
}

int vitals_server_fd(const struct vitals_server *server)
{
    return server->epoll_fd;
}

int vitals_server_process(struct vitals_server *server)
{
    int err = server_check_process(server);

    if (!err && server->has_thread)
        err = -EBUSY;
    return err ? err : process(server, 0);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void *run(void *opaque)
{
    struct vitals_server *server = opaque;

    while (!server->stopping)
        process(server, -1);
    return NULL;
}

int vitals_server_start(struct vitals_server *server)
{
    int err = server_check_process(server);

    if (!err && server->has_thread)
        err = -EBUSY;
    if (err)
        return err;
    server->stopping = false;
    err = library_thread_create(&server->thread, NULL, run, server);
    if (err)
        return -err;
    pthread_setname_np(server->thread, "vitals-qmp");
    server->has_thread = true;
    return 0;
}

int vitals_server_stop(struct vitals_server *server)
{
    eventfd_t value;
    int err = server_check_process(server);

    if (err || !server->has_thread)
        return err;
    if (pthread_equal(server->thread, pthread_self()))
        return -EBUSY;
    server->stopping = true;
    eventfd_write(server->wake_fd, 1);
    pthread_join(server->thread, NULL);
    server->has_thread = false;
    server->stopping = false;
    /* Others may add clients meanwhile. */
    if (pthread_mutex_lock(&server->lock))
        return -EBUSY;
    eventfd_read(server->wake_fd, &value);
    if (server->n_ready)
        eventfd_write(server->wake_fd, 1);
    pthread_mutex_unlock(&server->lock);
    return 0;
}
