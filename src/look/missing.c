/* SPDX-License-Identifier: MIT */
#include "look/missing.h"

#include <string.h>

#include "look/private.h"

/* The VM is always there; vCPUs may not be yet, or no more. */
static bool is_expected(const struct look_vm *vm)
{
    size_t n_stats, n_vcpus;
    const struct client_stat *stats = client_stats(vm->client, &n_stats);

    client_vcpus(vm->client, &n_vcpus);
    if (vm->paths)
        n_vcpus = vm->n_paths < n_vcpus ? vm->n_paths : n_vcpus;
    for (size_t i = 0; i < n_stats; i++)
        if (vm->wanted[i] && (n_vcpus || !strcmp(stats[i].target, "vm")))
            return true;
    return false;
}

static bool has_values(const struct series_vm *values)
{
    for (size_t i = 0; i < values->n_objects; i++)
        if (values->objects[i]->n_series)
            return true;
    return false;
}

size_t missing_check(struct sampler *sampler)
{
    struct look *look = sampler->look;
    size_t n = 0;

    for (size_t i = 0; i < look->n_vms; i++) {
        struct look_vm *vm = &look->vms[i];
        bool is_missing = vm->client && is_expected(vm) && !has_values(&sampler->vms[i]);

        n += vm->client && !is_missing;
        if (is_missing && !sampler->outcomes[i].is_missing)
            look_fail(look, "Its schemas name the statistics: the VMM could not read them.",
                      "%s: no value of what was asked for", client_path(vm->client));
        sampler->outcomes[i].is_missing = is_missing;
    }
    return n;
}
