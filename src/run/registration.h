/* SPDX-License-Identifier: MIT */
/* One VM at a daemon's register.sock: vitals-register(7). The connection is the registration. */
#ifndef RUN_REGISTRATION_H
#define RUN_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "host/identity.h"

struct registration_vcpu {
    unsigned id;
    int file;
};

/* The connection, or -errno. @pid: the process of the VM, if it is not this one. */
int registration_begin(const char *directory, const struct identity *identity, pid_t pid, int file);

/* All or none. -errno; the connection is of no use then. */
int registration_add(int fd, const struct registration_vcpu *vcpus, size_t n);

/* Whether the daemon is still there. */
bool registration_lasts(int fd);

/* Returns when the daemon has let the VM's name go, or a second is over. */
void registration_end(int fd);

/* Whether somebody listens there. */
bool registration_is_possible(const char *directory);

#endif
