/* SPDX-License-Identifier: MIT */
/*
 * The VMs of a daemon, asked together over one connection to its own socket, in place of a connection to each:
 * vitals-host(7). Each has a client like any other. The first one that asks something asks it for those that
 * follow, too, and each takes its part of the reply. So they are to be asked in the order of the list, and each
 * the same; what was told in one round is not told in the next.
 *
 * One thread at a time, but for fleet_interrupt().
 */
#ifndef CLIENT_FLEET_H
#define CLIENT_FLEET_H

#include "client/host_list.h"

struct fleet;

struct fleet_options {
    const char *path;    /* of the daemon's socket; copied */
    unsigned timeout_ms; /* bounds the wait for each message */
    /* Which VMs will be asked. */
    bool (*wants)(const void *opaque, const struct host_list_vm *vm);
    const void *opaque;
};

/* Begins a round. -EOPNOTSUPP: the daemon is of a release that can't be asked for many VMs. */
int fleet_open(const struct fleet_options *options, struct fleet **ret_fleet,
               struct client_error *error);
void fleet_free(struct fleet *fleet); /* behind its clients; NULL is allowed */

/*
 * Begins a round: what is asked for from now on is as it is now. On an error the list stays, and whoever asks in
 * this round gets the error, too; the next round connects anew.
 */
int fleet_begin(struct fleet *fleet, struct client_error *error);

/* The VMs that there were when the round began, wanted or not. */
const struct host_list *fleet_vms(const struct fleet *fleet);
bool fleet_wants(const struct fleet *fleet, const struct host_list_vm *vm);

/* The client of the wanted VM that has this socket, which nobody connects to. -ESRCH: there is none. */
int fleet_open_vm(struct fleet *fleet, const char *socket, struct client **ret_client,
                  struct client_error *error);

/* From another thread: what waits fails now, and so does all that comes later. */
void fleet_interrupt(struct fleet *fleet);

#endif
