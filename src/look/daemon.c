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

char *daemon_find(const struct look *look)
{
    struct client_error note = {0};
    char *path;
    int err;

    if (asprintf(&path, "%s/host.sock", host_run_directory()) < 0)
        return NULL;
    err = try_daemon(path);
    if (!err)
        return path;
    if (!is_absent(err)) {
        client_fail(&note, -err, NULL, "%s: the daemon does not answer: %s", path, strerror(-err));
        look_say(look, &note);
    }
    free(path);
    return NULL;
}

int daemon_list(const struct look *look, struct host_list *ret_list, struct client_error *error)
{
    return host_list_read(look->daemon, look_timeout_ms(&look->options), ret_list, error);
}

void daemon_tell(const struct host_list *list, const char *socket, struct client *client)
{
    const struct host_list_vm *vm = host_list_find(list, socket);

    if (vm)
        client_tell_origin(client, &vm->origin);
}
