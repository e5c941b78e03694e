/* SPDX-License-Identifier: MIT */
/* DIR/host.sock: which VMs there are, whose they are, and where their sockets are. */
#ifndef SERVE_HOST_SOCKET_H
#define SERVE_HOST_SOCKET_H

#include "serve/vm_sockets.h"
#include "server/speak.h"

struct host_socket {
    const struct vm_sockets *sockets; /* what is told */
    struct vitals_ctx *ctx;           /* of no VM: its clients are accounted for by it */
    struct vitals_listener *listener;
    struct listener_speech speech;
};

/*
 * @sockets must stay until it is closed. @fd: a listening socket to take over, or -1: it is made in the
 * directory. It must stay where it is. -errno as of vitals_server_listen().
 */
int host_socket_open(const struct vm_sockets *sockets, int fd, struct host_socket *ret_socket);
void host_socket_close(struct host_socket *socket); /* one of all zeros is allowed */

#endif
