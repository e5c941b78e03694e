/* SPDX-License-Identifier: MIT */
/* The daemon of this host, which has a socket for each VM, and says which. */
#ifndef LOOK_DAEMON_H
#define LOOK_DAEMON_H

#include "client/host_list.h"
#include "look/look.h"

/*
 * The path of its socket, from malloc(), if the daemon answers. NULL: there is none; where one should
 * have answered, that is said.
 */
char *daemon_find(const struct look *look);

/*
 * The VMs that it has now: look->fleet, or where the daemon can't be asked for many of them, look->daemon_vms. 0, or
 * the exit status.
 */
int daemon_open(struct look *look);

/* Those that were told when that was done last, or when the round began. */
const struct host_list *daemon_vms(const struct look *look);

/* The VMs that it has now. */
int daemon_list(const struct look *look, struct host_list *ret_list, struct client_error *error);

/* Those of look->fleet that are wanted, to be watched. NULL: no memory. */
struct place *daemon_make_place(struct look *look);

/* Whose VM the client asks at @socket, if it is one of these. */
void daemon_tell(const struct host_list *list, const char *socket, struct client *client);

#endif
