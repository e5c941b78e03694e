/* SPDX-License-Identifier: MIT */
/* A client of a context in its own process: nothing is written out and read again. */
#ifndef CLIENT_LOCAL_H
#define CLIENT_LOCAL_H

#include <stdbool.h>

#include "client/client.h"

struct client_local {
    struct vitals_ctx *ctx;
    const char *path;        /* what stands for it in messages; copied */
    const uint64_t *time_ns; /* when its values were read, of CLOCK_MONOTONIC */
    const bool *is_gone;     /* the VM has ended, and queries fail; NULL: it never does */
    struct client_origin origin;
    /* Of the vCPU with this number, or with -1 of the VM; or NULL. */
    enum client_state (*state)(const void *opaque, int64_t vcpu);
    /* The context, both pointers and the origin's texts are borrowed until this is called, once. */
    void (*release)(void *opaque);
    void *opaque;
};

int client_open_local(const struct client_local *local, struct client **ret_client,
                      struct client_error *error);

#endif
