/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/listener_probe.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/passed_files.h"

int listener_probe(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd < 0)
        return -errno;
    passed_files_refuse(fd);
    err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    if (passed_files_drain(fd)) /* else it is left open: closing it could take hours */
        close(fd);
    return err;
}
