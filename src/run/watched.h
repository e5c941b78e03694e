/* SPDX-License-Identifier: MIT */
/* Whether a process still has a VM, by what /proc says of its files. */
#ifndef RUN_WATCHED_H
#define RUN_WATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct watched {
    pid_t pid;
    int pidfd;
    dev_t program_device; /* that it executes: another one has none of the VMs of before */
    ino_t program;
};

/* -errno: it has ended, or can't be watched. */
int watched_open(pid_t pid, struct watched *ret_watched);
void watched_close(struct watched *watched);

/* Whether it has ended, or become another program. */
bool watched_has_ended(const struct watched *watched);

/*
 * Whether @fd of it is a file that the kernel calls @name, or begins so where that ends in ':'. True,
 * too, where it lets nobody look: it has changed its user.
 */
bool watched_has_file(const struct watched *watched, int fd, const char *name);

#endif
