/* SPDX-License-Identifier: MIT */
/* Where the samples of a VM come from: a client, which is asked. */
#ifndef LOOK_SOURCE_H
#define LOOK_SOURCE_H

#include "client/client.h"

/* Of the VM itself, of its vCPUs, and of what else it has; NULL: was not asked for. */
struct sample {
    struct client_snapshot *of_vm, *of_vcpus, *of_others;
    struct client_status status;
};

struct source {
    struct client *client;
    const bool *wanted;       /* for each of its statistics */
    const char *const *paths; /* of the wanted vCPUs; NULL: all */
    size_t n_paths;
    const char *const *objects; /* those of other targets that are wanted; NULL: all */
    size_t n_objects;
    bool wants_vm, wants_vcpus, wants_others;
};

int source_sample(const struct source *source, struct sample *ret_sample,
                  struct client_error *error);
void sample_free(struct sample *sample);

#endif
