/* SPDX-License-Identifier: MIT */
/*
 * What of the host's files the daemon can reach from now on, whatever it is made to do: Landlock, which
 * takes no privilege, and nothing brings back.
 */
#ifndef HOST_CONFINE_H
#define HOST_CONFINE_H

#include <stddef.h>

enum { CONFINE_DIRECTORIES_MAX = 16 };

struct confinement {
    const char *written[CONFINE_DIRECTORIES_MAX]; /* where sockets and directories come and go */
    const char *read[CONFINE_DIRECTORIES_MAX];    /* directories and files; missing ones are none */
    size_t n_written, n_read;
};

/*
 * This thread, and those that it starts. As far as the kernel's version of Landlock goes, no connection
 * and no port of TCP can be had any more, no signal be sent to others. A path that can't be opened is none.
 * Returns the version; or -errno, and all is as before: -ENOSYS: the kernel has none, -EOPNOTSUPP: it is
 * not switched on.
 */
int confine(const struct confinement *confinement);

/* The version of the kernel's Landlock, or -errno as above. */
int confine_version(void);

#endif
