/* SPDX-License-Identifier: MIT */
/*
 * What of the host's files the daemon can reach from now on, whatever it is made to do: Landlock, which
 * takes no privilege, and nothing brings back.
 */
#ifndef SERVE_CONFINE_H
#define SERVE_CONFINE_H

#include <stddef.h>

enum { CONFINE_DIRECTORIES_MAX = 16 };

struct confinement {
    const char *written[CONFINE_DIRECTORIES_MAX]; /* where sockets and directories come and go */
    const char *read[CONFINE_DIRECTORIES_MAX];    /* directories and files; missing ones are none */
    size_t n_written, n_read;
};

/*
 * This thread, and those that it starts. No connection and no port of TCP can be had any more, no signal
 * be sent to others. Returns the version of the kernel's Landlock; or -errno: -ENOSYS: the kernel has
 * none, -EOPNOTSUPP: it is not switched on, or too old to let files be renamed.
 */
int confine(const struct confinement *confinement);

#endif
