/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file_limit.h"
#include "base/passed_files.h"
#include "base/sized.h"
#include "qmp/dialect.h"
#include "stats/report.h"

enum {
    ACCEPTS_AT_A_TIME = 16,
    INTEREST = EPOLLIN | EPOLLRDHUP,
    SHUT_DOWN = EPOLLHUP | EPOLLRDHUP,
};

/* ---- clients -------------------------------------------------------------------------------- */

/*
 * No fd is left: gives up the spare one, so that the client is told by a close, and does not wait. Any
 * other thread may take it before, and then there is none until there are files again.
 */
static int refuse_one(struct vitals_listener *listener)
{
    struct vitals_server *server = listener->server;
    int fd, err;

    if (server->spare_fd >= 0)
        close(server->spare_fd);
    fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    err = fd < 0 ? -errno : 0;
    if (fd >= 0)
        hang_up(server, fd, listener->passes_files);
    server->spare_fd = server_open_spare(server);
    return err;
}

/* What lasts longer than a call: nothing is asked of the socket meanwhile. */
static void pause_accepting(struct vitals_listener *listener)
{
    slot_set_interest(listener->server, listener->slot, listener->fd, 0);
    timer_set(&listener->server->timers, TIMER_ACCEPT_PAUSE, &listener->pause);
}

void listener_resume(void *opaque)
{
    struct vitals_listener *listener = opaque;

    slot_set_interest(listener->server, listener->slot, listener->fd, INTEREST);
}

/* The files of a process belong to its VM first. */
uint32_t server_files_left(void)
{
    uint32_t left = file_limit_part(SERVER_FILES_SHARE);

    return left < SERVER_FILES_LEFT_MAX ? left : SERVER_FILES_LEFT_MAX;
}

static int serve(struct vitals_listener *listener, int fd)
{
    struct protocol *protocol;
    int err;

    if (!file_limit_leaves(fd, server_files_left()))
        return -EMFILE;
    protocol =
        qmp_protocol_new(listener->server, listener->ctx, listener->dialect, listener->providers);
    if (!protocol)
        return -ENOMEM;
    qmp_protocol_set_gate(protocol, listener->gate);
    err = listener->speech ? qmp_protocol_speak(protocol, listener->speech, fd) : 0;
    if (!err)
        err = transport_open(listener->server, fd, protocol, listener);
    if (err)
        protocol->ops->free(protocol);
    return err;
}

void listener_speak(struct vitals_listener *listener, const struct listener_speech *speech)
{
    listener->speech = speech;
    if (!speech->open)
        return;
    passed_files_allow(listener->fd);
    listener->passes_files = true;
}

void listener_set_gate(struct vitals_listener *listener, const struct qmp_gate *gate)
{
    listener->gate = gate;
}

/* @start_ns: of its accept(). It is no turn, but it is done for a user all the same. */
static void accepted(struct vitals_listener *listener, int fd, uint64_t start_ns)
{
    struct vitals_server *server = listener->server;
    uid_t user = account_user(fd);
    int err = serve(listener, fd);

    if (err) {
        qmp_protocol_refuse(server, fd, err);
        hang_up(server, fd, listener->passes_files);
    }
    turns_charge(&server->turns, user, clock_now_ns() - start_ns);
}

/* 0: there may be more clients. */
static int accept_one(struct vitals_listener *listener)
{
    uint64_t start_ns = clock_now_ns();
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        return refuse_one(listener);
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR ? 0 : -errno;
    accepted(listener, fd, start_ns);
    return 0;
}

/*
 * By a process that shares it, or by this one: for ever. The socket would be readable all the time, and
 * says that it has hung up whatever is asked of it.
 */
static void stop_accepting(struct vitals_listener *listener)
{
    if (listener->is_shut_down)
        return;
    listener->is_shut_down = true;
    timer_cancel(&listener->server->timers, TIMER_ACCEPT_PAUSE, &listener->pause);
    slot_silence(listener->server, listener->fd);
    ctx_log(listener->ctx, VITALS_LOG_WARNING,
            "a listening socket was shut down, and takes no more clients");
}

void listener_event(struct vitals_listener *listener, uint32_t events)
{
    int i, err = 0;

    for (i = 0; i < ACCEPTS_AT_A_TIME && !err; i++)
        err = accept_one(listener);
    if (err && events & SHUT_DOWN)
        stop_accepting(listener);
    else if (err && err != -EAGAIN)
        pause_accepting(listener);
}

void listener_free(struct vitals_listener *listener)
{
    slot_remove(listener->server, listener->slot, listener->fd);
    timer_cancel(&listener->server->timers, TIMER_ACCEPT_PAUSE, &listener->pause);
    hang_up_listening(listener);
    ctx_leave(listener->ctx);
    providers_unref(listener->providers);
    free(listener);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Returns the listening socket, or -errno. */
static const char *explain(int err)
{
    switch (err) {
    case -EPERM:
        return "anyone may write to the directory, and put another socket there";
    case -EINVAL:
        return "that is no file's: it is empty, or begins with '@'; './@...' would be one's";
    case -EADDRINUSE:
        return "a server listens there, or makes its socket at this moment";
    case -EEXIST:
        return "there is another file, or what another user has left";
    case -ENOSYS:
        return "neither unshare() nor /proc can be used here";
    default:
        return strerror(-err);
    }
}

static int open_socket(const struct vitals_listen_options *options, struct error_text *error,
                       struct socket_file *ret_file)
{
    int err;

    ret_file->directory = -1;
    if (!options->path) {
        err = socket_check_listening(options->fd, error);
        return err ? err : options->fd;
    }
    err = socket_file_make(options->path, options->mode, ret_file);
    if (err < 0)
        error_set(error, err, "path '%s': %s", options->path, explain(err));
    return err;
}

/* Under the lock. */
static int add_listener(const struct vitals_listener *wanted, struct vitals_listener **ret_listener)
{
    struct vitals_listener *listener = malloc(sizeof(*listener));
    int err;

    if (!listener)
        return -ENOMEM;
    *listener = *wanted;
    listener->pause.owner = listener;
    listener->passes_files = !passed_files_refuse(listener->fd);
    err = slot_add(listener->server, SLOT_LISTENER, listener, listener->fd, INTEREST,
                   &listener->slot);
    if (err) {
        free(listener);
        return err;
    }
    ctx_use(listener->ctx);
    providers_ref(listener->providers);
    *ret_listener = listener;
    return 0;
}

static int check_options(struct vitals_listen_options *options, struct error_text *error)
{
    if (!qmp_dialect(options->dialect))
        return error_set(error, -EINVAL, "dialect %u is unknown", options->dialect);
    if (options->mode & ~(mode_t)0777)
        return error_set(error, -EINVAL, "mode 0%o has more than nine bits", options->mode);
    if (!options->mode)
        options->mode = 0600;
    if (!options->path && options->fd < 0)
        return error_set(error, -EINVAL, "there is neither a path nor an fd");
    return 0;
}

/* @ret_providers: a reference, or NULL. */
static int take_options(const struct vitals_listen_options *given,
                        struct vitals_listen_options *options, struct error_text *error,
                        struct providers **ret_providers)
{
    static const struct sized sized =
        SIZED("vitals_server_listen", struct vitals_listen_options, fd);
    int err = sized_take(&sized, given, options, error);

    if (!err)
        err = check_options(options, error);
    return err ? err : providers_parse(options->providers, error, ret_providers);
}

/* @wanted: what the listener begins with, but for the socket. */
static int open_listener(struct vitals_listener *wanted,
                         const struct vitals_listen_options *options, struct error_text *error,
                         struct vitals_listener **ret_listener)
{
    struct vitals_server *server = wanted->server;
    int err;

    wanted->fd = open_socket(options, error, &wanted->file);
    if (wanted->fd < 0)
        return wanted->fd;
    err = server_lock(server);
    if (err)
        error_set(error, err, "a listener can't be made from inside collect()");
    if (!err) {
        err = add_listener(wanted, ret_listener);
        server_unlock(server);
        if (err)
            error_set(error, err, "the socket can't be served: %s", strerror(-err));
    }
    if (err && options->path) {
        socket_file_remove(&wanted->file);
        close(wanted->fd);
    }
    return err;
}

int vitals_server_listen(struct vitals_server *server, struct vitals_ctx *ctx,
                         const struct vitals_listen_options *given,
                         struct vitals_listener **ret_listener)
{
    struct vitals_listen_options options;
    struct vitals_listener wanted = {.server = server, .ctx = ctx}, *listener;
    struct error_text error;
    int err = server_check_process(server);

    if (err)
        return err;
    err = take_options(given, &options, &error, &wanted.providers);
    if (err)
        return server_report(server, ctx, err, &error);
    wanted.dialect = options.dialect;
    err = open_listener(&wanted, &options, &error, &listener);
    server_report(server, ctx, err, &error);
    providers_unref(wanted.providers);
    if (!err && ret_listener)
        *ret_listener = listener;
    return err;
}

/* ---- closing -------------------------------------------------------------------------------- */

static void close_clients(struct vitals_listener *listener)
{
    struct vitals_server *server = listener->server;
    uint32_t i;

    for (i = 0; i < server->n_slots && listener->n_clients; i++) {
        struct transport *transport = server->slots[i].owner;

        if (server->slots[i].kind == SLOT_TRANSPORT && transport->listener == listener)
            transport_close(transport);
    }
}

int vitals_listener_close(struct vitals_listener *listener)
{
    struct vitals_server *server;
    int err;

    if (!listener)
        return 0;
    server = listener->server;
    err = server_lock(server);
    if (err)
        return err;
    close_clients(listener);
    listener_free(listener);
    server_unlock(server);
    return 0;
}
