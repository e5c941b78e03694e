/* SPDX-License-Identifier: MIT */
/*
 * The QMP server: answers query-stats and query-stats-schemas on unix sockets.
 *
 * One server holds any number of sockets, each bound to one context (one VM) and one dialect, and
 * any number of clients. It is read-only: no command changes a VM. A client that does not read its
 * replies is not read from either, so a client costs at most one request and one reply in memory. One
 * that takes nothing of a reply for a minute is closed.
 *
 * Files that a client sends along are refused by Linux 6.16 and later. An older kernel takes them, and
 * only the end of the client lets go of them; as closing a file may take any time, the server makes a
 * thread then, which does nothing else.
 *
 * A server runs in one of two ways:
 *  - in the VMM's own event loop: poll vitals_server_fd() for POLLIN and call
 *    vitals_server_process(), from one thread at a time;
 *  - in a thread of its own: vitals_server_start().
 *
 * A long reply of query-stats or query-stats-schemas is written in parts of 64 KiB, each when its client
 * has taken the one before: its length has no bound, and what is written costs no more memory than a part. The values of
 * one object are collected together, in dialect 'flat' for each entry of `providers`, and so are those
 * of as many objects as have rows and paths of 4 MiB together: 1500 vCPUs of KVM, or 128 objects of 4000 numbers.
 * The rows wait for the client. When they are written, the next objects are asked for their values,
 * which are then as much later as the client took to read. An object that comes meanwhile may be
 * missing, and one that goes, too.
 *
 * Clients have turns. A turn is one request, or a part of a long one: 16 KiB of it that are received, a
 * part of a reply that is written, or what a socket takes of it at once. The users behind the clients
 * (SO_PEERCRED) share the time: who has had least of it is next, however many clients others have. Of a
 * user's clients, half of the time it is the one whose request has taken least so far, else the one
 * that waits longest.
 * What a turn takes is also what collect() takes: one that is slow keeps all waiting, unless its group
 * says that it may block (VITALS_GROUP_MAY_BLOCK).
 *
 * A server is one process's. A child made by fork() has a copy that shares sockets and clients with its
 * parent: there vitals_server_free() frees memory and closes the child's files, and the parent goes on
 * serving; all other calls are -ECHILD, and do nothing. Where the child is to serve in the parent's
 * place, as behind daemon(3), it calls vitals_server_take_over().
 *
 * Each call that fails leaves its text in the server (vitals_server_error_text()), and in the context,
 * too, if one is passed. -E2BIG: a member of a newer header is not 0; the text says which.
 */
#ifndef VITALS_QMP_H
#define VITALS_QMP_H

#include <sys/types.h>

#include "vitals/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VITALS_MESSAGE_MAX   (1 << 20)         /* bytes of one request */
#define VITALS_NESTING_MAX   1024              /* brackets open at a time in one request */
#define VITALS_CLIENTS_MAX   4096              /* clients of a server, by default */
#define VITALS_MEMORY_MAX    (256 * (1 << 20)) /* bytes held for slow clients, by default */
#define VITALS_PROVIDERS_MAX 16                /* providers that can be chosen for a listener */
#define VITALS_BUDGET_US     1000              /* microseconds of a call, by default */

struct vitals_server;
struct vitals_listener; /* one listening socket of a server */

enum vitals_dialect {
    VITALS_DIALECT_GROUPED, /* the form of the 2022 proposal */
    VITALS_DIALECT_FLAT,    /* the form of QEMU 7.1 and later: for clients written for QEMU */
};

struct vitals_server_options {
    size_t size; /* VITALS_SERVER_OPTIONS_INIT */
    /*
     * A further client gets an error and is closed. So does one that a listener would accept where
     * the process has less than a quarter of RLIMIT_NOFILE left (and less than 256 files): those are
     * the VM's. 0: VITALS_CLIENTS_MAX.
     */
    uint32_t clients_max;
    /*
     * Bytes of half-received requests and half-sent replies of all clients together, and of the rows and
     * the JSON of those that are answered in parts. Beyond it, of the VM whose clients hold most, and there of the user who holds most, the client is closed that holds
     * most for longest. 0: VITALS_MEMORY_MAX.
     *
     * Beside it a server takes, for all clients together, what one request takes that is being
     * answered: up to 12 MiB for its JSON, 4 MiB of rows (or those of one object, if they are more),
     * and of its reply a part, or all where it is none of query-stats: up to 64 MiB, or memory_max if
     * that is less, which counts as soon as it waits for its client. And for each client a few KiB. When
     * all clients have left, it keeps rows of 4 MiB, a reply of 1 MiB, and what the heap makes of the
     * JSON; all else has gone back to the system.
     */
    size_t memory_max;
    /*
     * A call of vitals_server_process() that has taken so many microseconds begins no further turn.
     * 0: VITALS_BUDGET_US.
     */
    uint32_t budget_us;
    uint32_t reserved; /* must be 0 */
    /*
     * Called first in the thread of vitals_server_start(), in that thread: for its CPUs, its priority,
     * its seccomp filter. The same in each thread of a group that may block; a turn of the server waits
     * for it then, so it must wait for no lock that is held over calls of the server. Which system calls
     * are made from then on is in vitals(3). NULL: nothing is called.
     */
    void (*on_thread)(void *on_thread_opaque);
    void *on_thread_opaque; /* borrowed until the server is freed */
    /* Where the text goes if vitals_server_new() fails, as those of struct vitals_ctx_options. */
    char *error;
    size_t error_size;
};
#define VITALS_SERVER_OPTIONS_INIT .size = sizeof(struct vitals_server_options)

/* @options may be NULL. -EINVAL, -E2BIG, -ENOMEM, -EMFILE. */
int vitals_server_new(const struct vitals_server_options *options,
                      struct vitals_server **ret_server);

/* Stops its thread, closes all clients and sockets. Not from inside collect(). NULL is allowed. */
void vitals_server_free(struct vitals_server *server);

/*
 * The text of the last error of any thread of the calls below, or "", as vitals_error_text(). Closing a
 * listener leaves it in the listener's server. In a child made by fork() the copy has its own.
 */
size_t vitals_server_error_text(struct vitals_server *server, char *buf, size_t size);

/*
 * An fd that is readable as long as vitals_server_process() has something to do. Don't read or close
 * it. A loop may be told of it in either way:
 *  - level-triggered (poll(), GLib, epoll by default): call vitals_server_process() once whenever the
 *    fd is readable. What a call leaves undone keeps it readable.
 *  - edge-triggered (EPOLLET, mio, tokio): call it until it returns 0, at once or, to get something
 *    else done in between, in the next turns of the loop, which does not sleep meanwhile.
 */
int vitals_server_fd(const struct vitals_server *server);

/*
 * Does what can be done without waiting, for budget_us microseconds and the rest of the turn that is
 * under way then. 1: there may be more to do; 0: there is not, until the fd is readable again.
 * Below 0 is an error, on which the loop may go on: -EBUSY: the server has a thread of its own, or the
 * call is from inside collect(); -ECHILD: it is another process's.
 */
int vitals_server_process(struct vitals_server *server);

/*
 * Runs the server in a thread of its own, with all signals blocked, until vitals_server_stop() or
 * vitals_server_free(). -EBUSY: it runs already; -EAGAIN: no thread to be had.
 */
int vitals_server_start(struct vitals_server *server);
int vitals_server_stop(struct vitals_server *server);

/*
 * In a child made by fork(): the server is this process's from now on. The parent must not use it any
 * more, and end without freeing it, by _exit(), as daemon(3) does. A server with a thread can't be
 * taken over, since the thread stays behind: stop it before the fork, and start it again. The contexts
 * that it serves come along. -EBUSY: it had a thread, or another thread of the parent was inside a call.
 */
int vitals_server_take_over(struct vitals_server *server);

struct vitals_listen_options {
    size_t size; /* VITALS_LISTEN_OPTIONS_INIT */
    /*
     * Path of the socket to make. A socket file that nobody listens on any more is replaced; one
     * that is live, or that another server is replacing, is -EADDRINUSE; one whose mode does not let
     * this user connect is -EACCES; any other file is -EEXIST, and so is a stale socket of another
     * user in a directory where others may write. Removed when the listener is closed. A path that
     * begins with '@' is -EINVAL: abstract sockets have neither owner nor mode.
     */
    const char *path;
    /*
     * Where path is NULL: a listening unix socket to take over, of type SOCK_STREAM. If somebody who
     * has it, too, shuts it down, the log says so once, and the clients that came before stay.
     */
    int fd;
    mode_t mode;                 /* permissions of the socket file, whatever the umask; 0: 0600 */
    enum vitals_dialect dialect; /* the form of the two commands on this socket */
    uint32_t reserved;           /* was padding: never read, and never given a meaning */
    /*
     * The providers that are shown: names joined by commas, such as "kvm,sched"; NULL: all. To the
     * clients of this socket it is as if there were no others: query-stats and query-stats-schemas
     * have nothing of them, query-qmp-schema does not name them, and to ask for one is the error of a
     * provider that does not exist. What other commands say of the VM stays the same. A provider may be
     * named here before it is registered. -EINVAL: an entry is empty, no name, or there twice; -E2BIG:
     * a name is too long, or there are more than VITALS_PROVIDERS_MAX.
     *
     * A VM that has providers beside 'kvm' shows "kvm" alone to clients that were written for QEMU:
     * libvirt drops all values of the VM where two providers have some, and a program whose list of
     * providers is fixed, as with qapi-rs, refuses the whole reply.
     */
    const char *providers;
};
#define VITALS_LISTEN_OPTIONS_INIT .size = sizeof(struct vitals_listen_options)

/*
 * Serves @ctx, which must outlive the listener. @ret_listener may be NULL: it lives as long as the
 * server. @options->fd belongs to the library if the call succeeds.
 *
 * The socket of a path is made by a thread that lives as long as the call: it takes a current
 * directory and a umask of its own with unshare(CLONE_FS). Where that is not allowed, /proc is used.
 * A sandbox that kills for it comes after this call, or is spared it by @options->fd. The directory
 * gets a directory of another name for a moment, and a lock file where a stale socket is replaced; it
 * stays open as long as the listener.
 *
 * -EINVAL, -E2BIG, -ENAMETOOLONG, -EADDRINUSE, -EACCES, -EEXIST, -EBUSY from inside collect(), and what
 * socket(), bind(), listen() and mkdir() say. -EPERM: anyone may write to the directory, which has no
 * sticky bit. -ENOSYS: neither unshare() nor /proc.
 */
int vitals_server_listen(struct vitals_server *server, struct vitals_ctx *ctx,
                         const struct vitals_listen_options *options,
                         struct vitals_listener **ret_listener);

/*
 * Closes the socket and all of its clients; the context is not used any more when this returns.
 * -EBUSY from inside collect(). NULL is allowed.
 */
int vitals_listener_close(struct vitals_listener *listener);

struct vitals_client_options {
    size_t size;                 /* VITALS_CLIENT_OPTIONS_INIT */
    enum vitals_dialect dialect; /* the form of the two commands for this client */
    uint32_t reserved;           /* must be 0 */
    const char *providers;       /* that are shown to it, as those of a listener */
};
#define VITALS_CLIENT_OPTIONS_INIT .size = sizeof(struct vitals_client_options)

/*
 * Serves one client that is connected already: @fd is an end of a socketpair, or was inherited or
 * accepted elsewhere. @options may be NULL. The client is greeted, counts among clients_max and
 * memory_max, and is closed when the other end is, or by vitals_server_close_clients() or
 * vitals_server_free(); one of these must come before @ctx is freed. If the call succeeds, @fd
 * belongs to the library, also where the other end has gone already; else it stays the caller's.
 * -EINVAL: an unknown dialect, wrong names of providers, or no stream socket of AF_UNIX; -ENOTSOCK;
 * -EBADF; -ENOTCONN; -EUSERS: there are clients_max clients; -EEXIST: @fd is served already; -E2BIG,
 * -ENOMEM, -ENOSPC; -EBUSY from inside collect().
 */
int vitals_server_add_client(struct vitals_server *server, struct vitals_ctx *ctx, int fd,
                             const struct vitals_client_options *options);

/*
 * Closes all clients of @ctx, added or accepted; its sockets go on listening. When neither are left,
 * the context is not used any more. -EBUSY from inside collect().
 */
int vitals_server_close_clients(struct vitals_server *server, const struct vitals_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
