/* SPDX-License-Identifier: MIT */
/* A socket for a VM of a host without a daemon: DIR/NAME-PID.sock, for this user alone. */
#ifndef RUN_USER_SOCKET_H
#define RUN_USER_SOCKET_H

#include "host/identity.h"
#include "vitals/vitals.h"

struct user_socket {
    struct vitals_ctx *ctx;
    struct vitals_kvm *kvm;
    struct vitals_listener *listener;
};

/* Makes the directory if it is not there. Of two VMs of one process the second has -2 at its end. -errno. */
int user_socket_open(struct vitals_server *server, const char *directory,
                     const struct identity *identity, pid_t pid, int file,
                     struct user_socket *ret_socket);
int user_socket_add(struct user_socket *socket, unsigned id, int file);
void user_socket_close(struct user_socket *socket); /* one of all zeros is allowed */

#endif
