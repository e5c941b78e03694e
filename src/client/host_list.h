/* SPDX-License-Identifier: MIT */
/* Which VMs the daemon of a host tells of: vitals-host(7). */
#ifndef CLIENT_HOST_LIST_H
#define CLIENT_HOST_LIST_H

#include "base/arena.h"
#include "client/client.h"

struct host_list_vm {
    const char *name;
    const char *socket; /* dialect grouped */
    const char *state;  /* as query-vms has it; NULL: it is not known */
    size_t n_vcpus;
    struct client_origin origin;
};

struct host_list {
    struct host_list_vm *vms; /* those that have a socket */
    size_t n;
    struct arena texts;
};

/* Asks at @path. @timeout_ms bounds the wait for each message. */
int host_list_read(const char *path, unsigned timeout_ms, struct host_list *ret_list,
                   struct client_error *error);

/* The same over a connection that has negotiated. */
int host_list_ask(struct client *client, struct host_list *ret_list, struct client_error *error);
void host_list_free(struct host_list *list);

/* The VM of this socket; NULL: there is none. */
const struct host_list_vm *host_list_find(const struct host_list *list, const char *socket);

#endif
