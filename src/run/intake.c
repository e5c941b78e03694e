/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/intake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kvm/stats_fd.h"

enum { CONNECTIONS_WAITING = 4096 }; /* shims don't wait, and a VM may get so many vCPUs at once */

#define TEMPLATE "vitals-run.XXXXXX"
#define SOCKET   "shim"

/* ---- the socket ----------------------------------------------------------------------------- */

/* False: there is no such directory, or no room in it, or for its path. */
static bool make_directory(struct intake *intake, const char *base)
{
    size_t room = sizeof(intake->directory) - strlen("/" SOCKET);

    return base && base[0] == '/' &&
           snprintf(intake->directory, room, "%s/" TEMPLATE, base) < (int)room &&
           mkdtemp(intake->directory);
}

static int listen_at(struct intake *intake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, intake->path, strlen(intake->path));
    intake->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (intake->fd < 0 || bind(intake->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(intake->fd, CONNECTIONS_WAITING) < 0)
        return -errno;
    return 0;
}

/* A directory made by mkdtemp() is this user's, whatever the one above it is. */
int intake_open(struct intake *intake, struct error_text *error)
{
    int err;

    *intake = (struct intake){.fd = -1};
    if (!make_directory(intake, getenv("XDG_RUNTIME_DIR")) && !make_directory(intake, "/tmp"))
        return error_set(error, -errno, "no directory can be made in /tmp: %s", strerror(errno));
    snprintf(intake->path, sizeof(intake->path), "%.*s/" SOCKET,
             (int)(sizeof(intake->path) - sizeof("/" SOCKET)), intake->directory);
    err = listen_at(intake);
    if (err) {
        error_set(error, err, "%s can't be made: %s", intake->path, strerror(-err));
        intake_close(intake);
    }
    return err;
}

void intake_close(struct intake *intake)
{
    if (intake->fd >= 0)
        close(intake->fd);
    for (size_t i = 0; i < intake->n_silent; i++)
        close(intake->silent[i]);
    free(intake->silent);
    unlink(intake->path);
    rmdir(intake->directory);
}

/* ---- messages ------------------------------------------------------------------------------- */

/* The one file that came with the message, or -1; -EAGAIN: there is no message yet. */
static int receive(int fd, struct run_message *message)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = CMSG_LEN(sizeof(int))}; /* CMSG_SPACE has room for two */
    ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
    int file = n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -1;

    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&file, CMSG_DATA(header), sizeof(file));
    if (file >= 0 &&
        ((msg.msg_flags & MSG_CTRUNC) || n != sizeof(*message) || message->magic != RUN_MAGIC ||
         message->kind > RUN_VCPU || !kvm_stats_fd_is_kernels(file, message->kind == RUN_VM))) {
        close(file);
        file = -1;
    }
    return file;
}

/* Nobody else gets into the directory, but root, and who was let in before the VMM changed its user. */
static int take_from(int fd, struct intake_news *news)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0 ||
        peer.uid != geteuid())
        return -1;
    news->pid = peer.pid;
    news->file = receive(fd, &news->message);
    return news->file;
}

/* A connection ends with its process at the latest. False: no memory. */
static bool wait_for(struct intake *intake, int fd)
{
    int *silent = reallocarray(intake->silent, intake->n_silent + 1, sizeof(*silent));

    if (!silent)
        return false;
    intake->silent = silent;
    silent[intake->n_silent++] = fd;
    return true;
}

static void forget_silent(struct intake *intake, size_t i)
{
    close(intake->silent[i]);
    intake->n_silent--;
    memmove(&intake->silent[i], &intake->silent[i + 1],
            (intake->n_silent - i) * sizeof(*intake->silent));
}

/* The first that has told anything: who came later, came when it had been told. */
static bool take_from_silent(struct intake *intake, struct intake_news *news)
{
    for (size_t i = 0; i < intake->n_silent;) {
        int file = take_from(intake->silent[i], news);

        if (file == -EAGAIN) {
            i++;
            continue;
        }
        forget_silent(intake, i);
        if (file >= 0)
            return true;
    }
    return false;
}

/*
 * In the order in which they came: a VM is told before its vCPUs. So who has just come waits behind those that
 * are silent, which may have told meanwhile.
 */
bool intake_take(struct intake *intake, struct intake_news *ret_news)
{
    int fd;

    intake->is_short = false;
    if (take_from_silent(intake, ret_news))
        return true;
    while ((fd = accept4(intake->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (!wait_for(intake, fd))
            close(fd);
        else if (take_from_silent(intake, ret_news))
            return true;
    }
    intake->is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    return false;
}

nfds_t intake_poll(const struct intake *intake, struct pollfd *fds)
{
    nfds_t n = 0;

    fds[n++] = (struct pollfd){.fd = intake->is_short ? -1 : intake->fd, .events = POLLIN};
    for (size_t i = 0; i < intake->n_silent; i++)
        fds[n++] = (struct pollfd){.fd = intake->silent[i], .events = POLLIN};
    return n;
}
