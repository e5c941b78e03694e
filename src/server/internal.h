/* SPDX-License-Identifier: MIT */
/*
 * The inside of a server: one epoll set with listeners and clients in it, served by one thread at a
 * time. What has come is noted for all clients first; then they have turns. Other threads may add and
 * close listeners: the lock is let go between two turns.
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/closer.h"
#include "qmp/session.h"
#include "server/protocol.h"
#include "server/socket_file.h"
#include "server/speak.h"
#include "server/timers.h"
#include "server/turns.h"
#include "vitals/qmp.h"

enum {
    SERVER_READ_SIZE = 16 * 1024, /* bytes taken from one client at a time */
    SERVER_EVENTS = 64,           /* taken from epoll at a time */
    /*
     * A client whose messages are refused this often in a row is taken for noise, and read only
     * once in NOISE_PAUSE_MS, so that it can't take time from the others.
     */
    NOISE_MESSAGES = 32,
    NOISE_PAUSE_MS = 10,
    /*
     * Of the files that the process may have open, those that clients can't take: one of
     * SERVER_FILES_SHARE, and at most so many.
     */
    SERVER_FILES_SHARE = 4,
    SERVER_FILES_LEFT_MAX = 256,
    PART_PAUSE_MS = 2,    /* after which one looks whether a group that may block has come back */
    ACCEPT_PAUSE_MS = 20, /* where there are no files, or no memory, for a client that waits */
    SERVER_REPLY_MAX = 64 << 20, /* bytes of a reply that are written at a time */
    SERVER_REPLY_KEPT = 1 << 20, /* bytes of a buffer that are kept for the next reply */
    /*
     * A client that takes nothing of a reply for so long is closed. It may have no process any more:
     * its own socket may lie in the queue that is not read meanwhile.
     */
    STALL_MS = 60 * 1000,
};

/*
 * What an event of epoll refers to. An event may come late, when its client is gone and the slot has
 * another owner; then the generation differs.
 */
enum slot_kind { SLOT_FREE, SLOT_WAKE, SLOT_TIMER, SLOT_LISTENER, SLOT_TRANSPORT };
struct slot {
    enum slot_kind kind;
    uint32_t generation;
    void *owner;
};

/* The clients of one user at one VM, see accounts.c. */
struct account {
    const struct vitals_ctx *ctx; /* NULL: of clients that look at none */
    uid_t user;
    uint32_t n_clients;
    size_t held;
    LIST_ENTRY(account) link;
};
LIST_HEAD(account_list, account);

struct transport {
    struct vitals_server *server;
    struct vitals_listener *listener;
    int fd;
    uint32_t slot;
    uint32_t interest; /* the events of epoll that are asked for */
    uint32_t noise;    /* refused messages in a row */
    bool passes_files; /* there may be files in its queue, see base/passed_files.h */
    bool ended;        /* it sends no more */
    bool wants_write;  /* its protocol has something to say */
    bool answered;     /* its request, and the reply may still have to be sent */
    struct protocol *protocol;
    struct buf input; /* received, and from fed on not yet taken */
    size_t fed;
    struct buf output; /* replies, from sent on not yet sent */
    size_t sent;
    size_t held; /* bytes counted in the server's, and in the account's */
    struct account *account;
    uint64_t progress_ns; /* when it last began to hold something, was answered, or took bytes */
    struct turn turn;
    struct timer noise_pause;
    struct timer part_pause;
    struct timer stall; /* set while it has a reply to take */
    int unread;         /* bytes in its socket when that was set */
};

struct vitals_listener {
    struct vitals_server *server;
    const struct listener_speech *speech; /* in place of the VM's commands; or NULL */
    const struct qmp_gate *gate;          /* NULL: commands wait for nothing */
    struct vitals_ctx *ctx;
    enum vitals_dialect dialect;
    struct providers *providers; /* that its clients are shown; NULL: all */
    int fd;
    bool passes_files; /* its clients may */
    uint32_t slot;
    uint32_t n_clients;      /* that came to it and are there */
    bool is_shut_down;       /* it takes no more clients */
    struct socket_file file; /* none where the socket was inherited */
    struct timer pause;
};

struct vitals_server {
    struct vitals_server_options options;
    pid_t process; /* whose it is: a child made by fork() has a copy that shares its files */
    _Atomic(const char *) copy_error; /* the text of the last error, in such a copy */
    bool is_copy; /* it is freed in a child: nothing may be done to what is shared */
    int epoll_fd;
    int wake_fd;  /* readable while a client waits for its turn, or the thread is to stop */
    int spare_fd; /* given up to accept and close a client when no fd is left */
    struct closer *closer;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;

    pthread_mutex_t error_lock; /* error */
    struct error_text error;    /* the last one of a call from outside */

    atomic_uint n_visitors; /* other threads that wait for the lock */
    pthread_cond_t visited;
    pthread_mutex_t lock; /* all below */
    struct slot *slots;
    uint32_t n_slots, n_clients;
    uint32_t first_free; /* no slot before it is */
    size_t held;         /* bytes held for all clients */
    struct account_list accounts;
    struct turns turns;
    bool serving; /* somebody is about to look who waits: nobody need be woken */
    bool awake;   /* wake_fd is readable */
    struct timers timers;
    struct qmp_workbench bench;
    struct buf reply; /* of the turn */
    uint8_t input[SERVER_READ_SIZE];
};

/* server.c; the start of each call from outside. -ECHILD: the server is another process's. */
int server_check_process(struct vitals_server *server);
/* For all but the thread that serves. -ECHILD, or -EBUSY: from inside collect(); with a text. */
int server_lock(struct vitals_server *server);
void server_unlock(struct vitals_server *server);
/* Under the lock: somebody waits for a turn, and nobody may be there to look. */
void server_wake(struct vitals_server *server);

/* server_error.c */
/* Sets the text of the server's last error, and returns @err. */
int server_fail(struct vitals_server *server, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The end of a call that has a context, too: both have the text. Returns @err, which may be 0. */
int server_report(struct vitals_server *server, struct vitals_ctx *ctx, int err,
                  const struct error_text *error);

int server_open_spare(const struct vitals_server *server); /* -1: none is left */

/* slots.c */
int slot_add(struct vitals_server *server, enum slot_kind kind, void *owner, int fd,
             uint32_t interest, uint32_t *ret_slot);
int slot_set_interest(struct vitals_server *server, uint32_t slot, int fd, uint32_t interest);
/* No events come any more, of which some come whatever is asked for. */
void slot_silence(struct vitals_server *server, int fd);
void slot_remove(struct vitals_server *server, uint32_t slot, int fd);
/* NULL: the event came too late. */
struct slot *slot_of_event(struct vitals_server *server, uint64_t data);

/* transport.c; a client may be closed in any of these. Under the lock. */
/*
 * Serves a connected socket. Takes the fd and the protocol if it succeeds; a client that has gone by
 * then is no error. @listener: where it came from, or NULL. -EUSERS: there are clients_max; -ENOMEM,
 * and what epoll says.
 */
int transport_open(struct vitals_server *server, int fd, struct protocol *protocol,
                   struct vitals_listener *listener);
void transport_event(struct transport *transport, uint32_t events);
void transport_close(struct transport *transport);
bool transports_serve_one(struct vitals_server *server); /* false: nobody waits */
void transport_look_again(void *transport);              /* what its reply waits for */
void transport_ask_again(struct transport *transport);   /* whether its gate opens */
void transport_resume(void *transport);                  /* its pause is over */
void transport_stalled(void *transport);                 /* it has had its reply for STALL_MS */

/* accounts.c; the fd is a client's. NULL: no memory. */
struct account *account_join(struct vitals_server *server, const struct vitals_ctx *ctx, int fd);
void account_leave(struct account *account);
uid_t account_user(
    int fd); /* whoever made the connection; all whom the kernel does not name are one */
/* The client to be closed where memory is short; NULL: there is none. */
struct transport *account_find_burden(const struct vitals_server *server);

/* hang_up.c: closes a client's socket, or a listening one, without waiting for a stranger. */
void hang_up(struct vitals_server *server, int fd, bool passes_files);
void hang_up_listening(struct vitals_listener *listener); /* and removes its file */

/* listener.c; under the lock. */
void listener_event(struct vitals_listener *listener, uint32_t events);
void listener_resume(void *listener);                 /* its pause is over */
void listener_free(struct vitals_listener *listener); /* its clients are gone */

/* qmp_protocol.c */
/* Takes a reference to @providers, which may be NULL. NULL: no memory. */
struct protocol *qmp_protocol_new(struct vitals_server *server, struct vitals_ctx *ctx,
                                  enum vitals_dialect dialect, struct providers *providers);
/* Before its client has said anything. */
void qmp_protocol_set_gate(struct protocol *protocol, const struct qmp_gate *gate);
/* Before its client, at @fd, has said anything. -errno as of its open(), and nothing is changed. */
int qmp_protocol_speak(struct protocol *protocol, const struct listener_speech *speech, int fd);
/* Says why it is not served, if that is not for lack of memory. */
void qmp_protocol_refuse(const struct vitals_server *server, int fd, int err);

/* receive.c */
enum { SENT_FDS_MAX = 253 }; /* SCM_MAX_FD: the kernel takes no more at a time */
struct received_fds {
    int fds[SENT_FDS_MAX];
    uint32_t count;
};
/* As recv(), with the descriptors that came along. -EMSGSIZE: too many; they stay in the queue. */
ssize_t receive_with_fds(int fd, void *bytes, size_t size, struct closer *closer,
                         struct received_fds *ret_fds);

/* socket.c */
int socket_check_listening(int fd, struct error_text *error);
/* A stream, see vitals_server_add_client(). */
int socket_check_connected(int fd, struct error_text *error);

#endif
