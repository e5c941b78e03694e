/* SPDX-License-Identifier: MIT */
/* What the daemon has been told on a connection. */
#ifndef PUBLISH_TOLD_H
#define PUBLISH_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct told_vcpu {
    uint64_t serial; /* kvm/vcpus.h */
    int64_t thread;  /* -1: none */
    char *path;
    bool is_refused; /* it was told, and the daemon does not have it */
    bool is_gone;    /* it is not there any more, and the daemon does not know */
};

struct told {
    struct told_vcpu *vcpus; /* by serial */
    size_t n, cap;
    uint64_t next_serial;  /* those from there on have not been told */
    uint64_t single_until; /* those before it one by one: a message of several was refused */
    bool is_paused;
};

int told_append(struct told *told, uint64_t serial, const char *path, int64_t thread); /* -ENOMEM */
void told_cut(struct told *told, size_t n);                                            /* to @n */
/* Forgets those that are gone among the first @n. */
void told_forget_gone(struct told *told, size_t n);
void told_free(struct told *told); /* leaves what has told nothing */

#endif
