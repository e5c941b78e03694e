/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "serve/own_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* As long as it has this one, it is not complete. In place of the last letters, so that it fits. */
#define UNFINISHED ".new"

static int make_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t len = strlen(path);

    if (len >= sizeof(ret_address->sun_path) || len <= strlen(UNFINISHED))
        return -ENAMETOOLONG;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, len - strlen(UNFINISHED));
    strcat(ret_address->sun_path, UNFINISHED);
    return 0;
}

/* Under its own name it is there when it has its mode, and somebody listens. */
static int bind_at(int fd, const struct sockaddr_un *address, const char *path, mode_t mode)
{
    unlink(address->sun_path);
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        chmod(address->sun_path, mode) < 0 || listen(fd, SOMAXCONN) < 0 ||
        rename(address->sun_path, path) < 0)
        return -errno;
    return 0;
}

int own_socket_make(const char *path, mode_t mode)
{
    struct sockaddr_un address;
    int err = make_address(path, &address), fd;

    if (err)
        return err;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    err = bind_at(fd, &address, path, mode);
    if (!err)
        return fd;
    unlink(address.sun_path);
    close(fd);
    return err;
}
