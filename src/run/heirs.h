/* SPDX-License-Identifier: MIT */
/*
 * Who can still make a VM that the shim tells of: each process that has inherited the shim, as children of the
 * command do, has the path of its socket in its environment.
 */
#ifndef RUN_HEIRS_H
#define RUN_HEIRS_H

#include <stdbool.h>

/* Whether there is one whose environment this user may read. One that is started meanwhile may be missed. */
bool heirs_are_left(const char *socket_path);

#endif
