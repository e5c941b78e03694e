/* SPDX-License-Identifier: MIT */
/* Sockets that a manager of VMs needs for itself: QEMU serves one client at a time. */
#ifndef LOOK_MANAGER_H
#define LOOK_MANAGER_H

#include <stdbool.h>

#include "client/client.h"

/*
 * By the real path: libvirt's are refused always, Proxmox's unless the socket @is_named by itself.
 * 0, or -EPERM. Nothing is connected to.
 */
int manager_check(const char *path, bool is_named, struct client_error *error);

/* The same again when it is connected to: where the path leads may have changed. */
client_check *manager_check_of(bool is_named);

#endif
