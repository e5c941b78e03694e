/* SPDX-License-Identifier: MIT */
#include "look/missing.h"

#include <errno.h>
#include <string.h>

/* The VM is always there; vCPUs may not be yet, or no more, and nothing says whether other objects are. */
static bool is_due(const struct source *source)
{
    size_t n_stats, n_vcpus;
    const struct client_stat *stats = client_stats(source->client, &n_stats);

    client_vcpus(source->client, &n_vcpus);
    if (source->paths)
        n_vcpus = source->n_paths < n_vcpus ? source->n_paths : n_vcpus;
    for (size_t i = 0; i < n_stats; i++)
        if (source->wanted[i] &&
            (!strcmp(stats[i].target, "vm") || (n_vcpus && !strcmp(stats[i].target, "vcpu"))))
            return true;
    return false;
}

static bool has_values(const struct client_snapshot *snapshot)
{
    for (size_t i = 0; snapshot && i < snapshot->n_objects; i++)
        if (snapshot->objects[i].n_values)
            return true;
    return false;
}

int missing_check(const struct source *source, const struct sample *sample,
                  struct client_error *error)
{
    if (!is_due(source) || has_values(sample->of_vm) || has_values(sample->of_vcpus) ||
        has_values(sample->of_others))
        return 0;
    return client_fail(error, EIO, "Its schemas name the statistics: the VMM could not read them.",
                       "%s: no value of what was asked for", client_path(source->client));
}
