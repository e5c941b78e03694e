/* SPDX-License-Identifier: MIT */
/* What a socket that was made elsewhere must be. */
#define _GNU_SOURCE
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>

static int fail(int fd, struct error_text *error)
{
    int err = -errno;

    return error_set(error, err, "fd %d: %s", fd, strerror(-err));
}

int socket_check_listening(int fd, struct error_text *error)
{
    int listening = 0, domain = 0, type = 0;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return fail(fd, error);
    /* Of packets, what is not read of one is lost. */
    if (domain != AF_UNIX || type != SOCK_STREAM || !listening)
        return error_set(error, -EINVAL, "fd %d is no listening unix socket of type SOCK_STREAM",
                         fd);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return fail(fd, error);
    return 0;
}

/* Nothing waits for it, so its flags may stay but for one: it is not for programs that are started. */
int socket_check_connected(int fd, struct error_text *error)
{
    struct sockaddr_un peer;
    socklen_t len = sizeof(int), peer_len = sizeof(peer);
    int domain = 0, type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return fail(fd, error);
    if (domain != AF_UNIX || type != SOCK_STREAM)
        return error_set(error, -EINVAL, "fd %d is no unix socket of type SOCK_STREAM", fd);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return fail(fd, error);
    return 0;
}
