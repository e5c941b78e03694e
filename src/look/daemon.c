/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "look/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/listener_probe.h"
#include "host/run_path.h"

/* 0, or -errno. Does not wait: one whose queue is full is there. */
static int try_daemon(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int err;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    err = listener_probe(&address);
    return err == -EAGAIN ? 0 : err;
}

static bool is_absent(int err)
{
    return err == -ENOENT || err == -ENOTDIR;
}

char *daemon_find_sockets(const struct look *look)
{
    const char *directory = host_run_directory();
    struct client_error note = {0};
    char *path, *pattern = NULL;
    int err;

    if (asprintf(&path, "%s/host.sock", directory) < 0)
        return NULL;
    err = try_daemon(path);
    if (!err && asprintf(&pattern, "%s/vms/*/qmp.sock", directory) < 0)
        pattern = NULL;
    if (err && !is_absent(err)) {
        client_fail(&note, -err, NULL, "%s: the daemon does not answer: %s", path, strerror(-err));
        look_say(look, &note);
    }
    free(path);
    return pattern;
}
