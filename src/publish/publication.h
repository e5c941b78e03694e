/* SPDX-License-Identifier: MIT */
/*
 * A context that is published: a thread holds a connection to the daemon's register.sock, and tells it
 * what there is, and what has changed. It asks one thing at a time. All waiting is in one poll(), which
 * ends when the context changes or the registration is to end.
 */
#ifndef PUBLISH_PUBLICATION_H
#define PUBLISH_PUBLICATION_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/error.h"
#include "publish/own.h"
#include "publish/told.h"
#include "stats/apart.h"
#include "stats/ctx.h"
#include "vitals/publish.h"

enum {
    PUBLISH_RETRY_MS = 500,    /* between two attempts to connect */
    PUBLISH_REFUSED_MS = 5000, /* behind a refusal, which may be of what other VMs take */
    PUBLISH_REPLY_MAX = 64 << 10,
    PUBLISH_MESSAGE_MAX =
        256 << 10,        /* from which on a message takes no more; a daemon takes 1 MiB */
    PUBLISH_VMM_MAX = 31, /* bytes of a VMM's name */
};

struct publication {
    struct vitals_ctx *ctx;
    struct vitals_kvm *kvm;
    pid_t process; /* whose it is: a child made by fork() has a copy */
    struct sockaddr_un address;
    char vmm[PUBLISH_VMM_MAX + 1]; /* "": not said */
    struct thread_hook hook;
    uint32_t interval_ms; /* after which its own statistics are written again */
    bool is_kvm_alone;
    pthread_t thread;
    atomic_bool stopping;
    int changes_fd; /* the context's */

    /* All below. The thread has it but where it sleeps: a child knows by it whether they are whole. */
    pthread_mutex_t lock;
    atomic_int fd;    /* the connection, -1: there is none */
    unsigned n_ended; /* connections in a row at which not all could be told */
    bool has_changed;
    struct buf out, in;          /* the message, and what has come of replies */
    struct told told;            /* on this connection */
    struct own own;              /* the same, and what is written for it */
    struct error_text complaint; /* the last one that was logged */
};

/* ---- connection.c; -errno: the connection is of no use any more. -ECANCELED: it is to end. ---- */

/* To the daemon's greeting. */
int connection_open(struct publication *publication);
/* For all who have a copy, too: a child made by fork() keeps no VM registered. */
void connection_close(struct publication *publication);

/* Starts the message in `out`. */
void message_begin(struct publication *publication, const char *command);
void message_end(struct publication *publication, const char *end);

/*
 * Sends what a socket takes at once, with files, which may be closed then. Returns how much that is;
 * -EAGAIN: nothing.
 */
ssize_t connection_send(struct publication *publication, const int *fds, uint32_t n_fds);
/* Sends the rest, and waits for the reply. 1: it is an error, which has been logged. */
int connection_finish(struct publication *publication, size_t sent);
int connection_ask(struct publication *publication); /* both, without files */

/* Sleeps until @events of the connection, or a change, or so many ms. Returns the events, or -errno. */
int publication_sleep(struct publication *publication, short events, int ms);

/* ---- tell.c ---------------------------------------------------------------------------------- */

/* Introduces the VM. 1: it is refused. */
int tell_vm(struct publication *publication);
/* All that is not as the daemon has been told. */
int tell_changes(struct publication *publication);

#endif
