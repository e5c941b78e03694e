/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run/user_socket.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/socket_name.h"

enum { VMS_OF_A_PROCESS = 64 };

static int path_of(const char *directory, const char *name, pid_t pid, unsigned n,
                   char path[PATH_MAX])
{
    const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
    char again[16] = "", file[SOCKET_NAME_MAX + 1];

    socket_name_make(name, 0, SOCKET_NAME_MIN, file);
    if (n > 1)
        snprintf(again, sizeof(again), "-%u", n);
    return snprintf(path, PATH_MAX, "%s/%s-%d%s.sock", directory, file, (int)pid, again) < (int)room
               ? 0
               : -ENAMETOOLONG;
}

/* A socket that nobody listens on is of a process that is gone, and replaced. */
static int listen_at(struct vitals_server *server, const char *directory, const char *name,
                     pid_t pid, struct user_socket *socket)
{
    char path[PATH_MAX];
    struct vitals_listen_options options = {VITALS_LISTEN_OPTIONS_INIT, .path = path};
    int err = -EADDRINUSE;

    for (unsigned n = 1; err == -EADDRINUSE && n <= VMS_OF_A_PROCESS; n++) {
        err = path_of(directory, name, pid, n, path);
        if (!err)
            err = vitals_server_listen(server, socket->ctx, &options, &socket->listener);
    }
    return err;
}

int user_socket_open(struct vitals_server *server, const char *directory,
                     const struct identity *identity, pid_t pid, int file,
                     struct user_socket *ret_socket)
{
    struct vitals_ctx_options options = {VITALS_CTX_OPTIONS_INIT, .name = identity->name,
                                         .uuid = *identity->uuid ? identity->uuid : NULL};
    struct user_socket socket = {0};
    int err = mkdir(directory, 0700) < 0 && errno != EEXIST ? -errno : 0;

    if (!err)
        err = vitals_ctx_new(&options, &socket.ctx);
    if (!err)
        err = vitals_kvm_new(socket.ctx, file, &socket.kvm);
    if (!err)
        err = listen_at(server, directory, identity->name, pid, &socket);
    if (err)
        user_socket_close(&socket);
    else
        *ret_socket = socket;
    return err;
}

int user_socket_add(struct user_socket *socket, unsigned id, int file)
{
    char path[64];

    snprintf(path, sizeof(path), "/kvm/vcpu[%u]", id);
    return vitals_kvm_add_vcpu(socket->kvm, path, file);
}

void user_socket_close(struct user_socket *socket)
{
    vitals_listener_close(socket->listener);
    vitals_kvm_free(socket->kvm);
    vitals_ctx_free(socket->ctx);
    *socket = (struct user_socket){0};
}
