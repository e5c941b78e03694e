/* SPDX-License-Identifier: MIT */
/* The daemon without its event loop. One thread at a time. */
#ifndef SERVE_SERVICE_H
#define SERVE_SERVICE_H

#include "serve/host_socket.h"
#include "serve/options.h"
#include "serve/register_socket.h"
#include "web/web.h"

/* Sockets that the service manager has made, and keeps; -1: none, the daemon makes its own. */
struct service_sockets {
    int host, registration;
};

struct service {
    struct run_directory directory;
    struct host *host;
    struct vitals_server *server, *register_server;
    struct reads reads;
    struct vm_sockets sockets;
    struct host_socket host_socket;
    struct web *web;       /* NULL: nothing is served by HTTP, */
    struct roster *roster; /* nor told to it */
    struct register_socket register_socket;
    struct service_pass {
        bool is_under_way, is_read, retries;
        uint64_t begin_ns, cpu_ns; /* what it has taken so far */
    } pass;
    bool has_failed; /* the last pass, which was said */
};

/*
 * Loads what reads the host, gives up all privileges, and takes a first pass. False: it can't be, which
 * has been said.
 */
bool service_open(const struct serve_options *options, const struct service_sockets *given,
                  struct service *ret_service);

/* Answers what has arrived, and removes all sockets. */
void service_close(struct service *service);

/*
 * Other settings, which serve_check() has found right: what can change does, and the others are named in
 * the log. False: nothing has, which has been said.
 */
bool service_change(struct service *service, const struct serve_options *before,
                    const struct serve_options *now);

/*
 * A pass: at its end, each VM's values are those of now, and its sockets are there. @retries: those, too,
 * that could not be made before. Of one that is under way only this can change.
 *
 * service_go_on() returns some time after @until_ns of CLOCK_MONOTONIC: true says that there is more to
 * do. VMs' clients may be served in between, registrants not.
 */
void service_begin_pass(struct service *service, bool retries);
bool service_go_on(struct service *service, uint64_t until_ns);
/* What the last one took to read the host: CPU time. Sockets are made once for each VM. */
uint64_t service_pass_ns(const struct service *service);
void service_pass(struct service *service); /* a whole one that begins now */

/* Answers what has arrived at the fd of each server, but for what waits for a pass. Registrants: between passes. */
void service_serve(struct service *service);
void service_serve_registrants(struct service *service);
bool service_wants_pass(const struct service *service); /* it does, and nothing more comes first */

#endif
