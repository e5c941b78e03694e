/* SPDX-License-Identifier: MIT */
/*
 * Which numbers of processes and threads are the ones here: those of the pid namespace that /proc
 * shows. It is mostly the process's own, or one above it: in a container that has the host's /proc.
 */
#ifndef BPF_OWN_NUMBERS_H
#define BPF_OWN_NUMBERS_H

#include <stdbool.h>
#include <sys/types.h>

struct own_numbers {
    pid_t process, thread;     /* of this thread, here */
    unsigned namespaces_above; /* the one of /proc is so many levels above our own */
    bool are_initial;          /* it is the initial one */
};

/*
 * False: /proc is not there, or is of a namespace without us, so that it says nothing of what we see.
 * Then the numbers here are those of our own namespace.
 */
bool own_numbers_read(struct own_numbers *ret_numbers);

#endif
