/* SPDX-License-Identifier: MIT */
/*
 * The name of a VM's socket, or of the directory of its sockets, after the VM. A VM's name is a stranger's
 * text; this one is of A-Z, a-z, 0-9, '.', '_' and '-', does not begin with a dot, and is short enough for a
 * socket's path.
 */
#ifndef HOST_SOCKET_NAME_H
#define HOST_SOCKET_NAME_H

#include <stddef.h>

enum {
    SOCKET_NAME_MAX = 64, /* bytes, without the NUL */
    SOCKET_NAME_MIN = 24, /* of which a name can still be known again */
};

/*
 * Any other byte becomes _HH, and so does a '_' before what looks like that, so that names which are
 * not cut differ as those of the VMs do. One that is longer than @max bytes is cut, and ends in a hash
 * of the whole one. @n_tried: those like it that were taken; from 1 on, it has a hash in any case.
 */
void socket_name_make(const char *vm_name, unsigned n_tried, size_t max,
                      char ret_name[SOCKET_NAME_MAX + 1]);

#endif
