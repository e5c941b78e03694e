/* SPDX-License-Identifier: MIT */
/* The daemon without its event loop. One thread at a time. */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "serve/host_socket.h"
#include "serve/options.h"
#include "serve/register_socket.h"
#include "web/web.h"

struct service {
    struct run_directory directory;
    struct host *host;
    struct vitals_server *server, *register_server;
    struct vm_sockets sockets;
    struct host_socket host_socket;
    struct web *web;       /* NULL: nothing is served by HTTP, */
    struct roster *roster; /* nor told to it */
    struct register_socket register_socket;
    bool has_failed; /* the last pass, which was said */
};

/*
 * Loads what reads the host, gives up all privileges, and takes a first pass. False: it can't be, which
 * has been said.
 */
bool service_open(const struct serve_options *options, struct service *ret_service);

/* Answers what has arrived, and removes all sockets. */
void service_close(struct service *service);

/*
 * One pass: each VM's values are those of now, and its sockets are there. @retries: those, too, that
 * could not be made before.
 */
void service_pass(struct service *service, bool retries);

/* After a pass, answers what has arrived at the fds of both servers. */
void service_answer(struct service *service);

#endif
