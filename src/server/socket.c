/* SPDX-License-Identifier: MIT */
/*
 * Listening unix sockets: made at a path, with exact permissions, in place of a stale one; and what
 * a socket that was made elsewhere must be.
 */
#define _GNU_SOURCE
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_address(const char *path, struct sockaddr_un *address)
{
    size_t len = strlen(path);

    if (!len)
        return -EINVAL;
    if (len >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, len + 1);
    return 0;
}

/* 0: nobody listens at the path any more. */
static int check_stale(const struct sockaddr_un *address)
{
    struct stat st;
    int fd, err;

    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
    close(fd);
    return err == ECONNREFUSED ? 0 : -EADDRINUSE;
}

static int bind_address(int fd, const struct sockaddr_un *address)
{
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

static int replace_stale(int fd, const struct sockaddr_un *address)
{
    int err = check_stale(address);

    if (err)
        return err;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return -errno;
    return bind_address(fd, address);
}

/* Of two servers that find the same stale socket, only one may replace it. */
static int lock_directory(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char *slash;
    int fd;

    strcpy(directory, path);
    slash = strrchr(directory, '/');
    if (!slash)
        strcpy(directory, ".");
    else
        slash[slash == directory] = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        flock(fd, LOCK_EX);
    return fd;
}

static int bind_path(int fd, const struct sockaddr_un *address, mode_t mode)
{
    int lock = lock_directory(address->sun_path);
    int err;

    /* The file is made with the mode of the socket, less the umask: never too open, for no moment. */
    if (fchmod(fd, mode) < 0)
        err = -errno;
    else
        err = bind_address(fd, address);
    if (err == -EADDRINUSE)
        err = replace_stale(fd, address);
    if (!err && listen(fd, SOMAXCONN) < 0)
        err = -errno;
    if (!err && chmod(address->sun_path, mode) < 0)
        err = -errno;
    if (lock >= 0)
        close(lock);
    return err;
}

int socket_listen(const char *path, mode_t mode)
{
    struct sockaddr_un address;
    int fd, err;

    err = make_address(path, &address);
    if (err)
        return err;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    err = bind_path(fd, &address, mode);
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}

int socket_check_listening(int fd)
{
    int listening = 0, domain = 0;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return -errno;
    if (domain != AF_UNIX || !listening)
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
