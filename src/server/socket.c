/* SPDX-License-Identifier: MIT */
/* What a socket that was made elsewhere must be. */
#define _GNU_SOURCE
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/un.h>

int socket_check_listening(int fd)
{
    int listening = 0, domain = 0, type = 0;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return -errno;
    /* Of packets, what is not read of one is lost. */
    if (domain != AF_UNIX || type != SOCK_STREAM || !listening)
        return -EINVAL;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

/* Nothing waits for it, so its flags may stay but for one: it is not for programs that are started. */
int socket_check_connected(int fd)
{
    struct sockaddr_un peer;
    socklen_t len = sizeof(int), peer_len = sizeof(peer);
    int domain = 0, type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return -errno;
    if (domain != AF_UNIX || type != SOCK_STREAM)
        return -EINVAL;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
        return -errno;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}
