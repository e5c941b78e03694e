/* SPDX-License-Identifier: MIT */
/* The daemon of this host, which has a socket for each VM. */
#ifndef LOOK_DAEMON_H
#define LOOK_DAEMON_H

#include "look/look.h"

/*
 * The sockets of all VMs, as a pattern from malloc(), if the daemon answers. NULL: there is none; where
 * one should have answered, that is said.
 */
char *daemon_find_sockets(const struct look *look);

#endif
