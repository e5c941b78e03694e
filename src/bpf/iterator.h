/* SPDX-License-Identifier: MIT */
/* One pass of a program in the kernel over what it walks: all that it writes. */
#ifndef BPF_ITERATOR_H
#define BPF_ITERATOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"

struct bpf_link;
struct bpf_program;

enum {
    PASS_SIZE_MAX = 1 << 29, /* bytes; 100 000 VMs of 4 vCPUs have less */
    LOAD_LOG_SIZE = 1 << 18, /* of what the kernel says to a program that it refuses */
};

/* A pass, and what it has brought. All zeros at first. */
struct iterator {
    struct buf records;
    int fd;
    bool is_open; /* there is more to come */
};

/*
 * Begins a pass, and drops what the one before has brought, whether or not that has come to its end.
 * -EPERM: this kernel wants CAP_BPF for each pass.
 */
int iterator_begin(struct iterator *iterator, int link_fd);

/*
 * Takes what the kernel gives at a time, which walks on from where it was. More than 0: there may be
 * more; 0: that was all; -errno: it is over, and has brought nothing. -E2BIG: more than PASS_SIZE_MAX.
 */
int iterator_more(struct iterator *iterator);
void iterator_end(struct iterator *iterator); /* wherever it is; what it has brought stays */
void iterator_free(struct iterator *iterator);

/* A whole one. Errors as above. */
int iterator_read(struct iterator *iterator, int link_fd);

/* For passes over one process alone: the link to the last one is kept. All zeros at first. */
struct iterator_one {
    struct iterator pass;
    struct bpf_link *link;
    pid_t process;
};

/*
 * A pass over this process, by its number in the pid namespace of who reads; one that is gone has
 * nothing. Linux before 6.1 has no such passes, and goes over all processes: who asks must find out.
 */
int iterator_read_one(struct iterator_one *one, const struct bpf_program *program, pid_t process);
void iterator_one_free(struct iterator_one *one);

/* libbpf writes to stderr, unless it is told not to: for the whole program. */
void iterator_silence(void);

#endif
