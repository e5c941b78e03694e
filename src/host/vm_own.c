/* SPDX-License-Identifier: MIT */
#include "host/vm_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a group's collect() finds: at another moment it may be others. */
struct vm_own {
    struct own_stats *stats;
    struct vitals_group *group;
};

static int collect(void *opaque, struct vitals_sink *sink)
{
    const struct vm_own *own = opaque;

    own_stats_collect(own->stats, sink);
    return 0;
}

static void release(void *opaque)
{
    struct vm_own *own = opaque;

    own_stats_unref(own->stats);
    free(own);
}

static bool is_of(const struct own_stats *stats, const char *provider, const char *target)
{
    return strcmp(stats->schema->provider, provider) == 0 &&
           strcmp(stats->schema->target, target) == 0;
}

/* Where it is, or the end. */
static size_t find(const struct host_vm *vm, const char *provider, const char *target)
{
    size_t i = 0;

    while (i < vm->n_own && !is_of(vm->own[i]->stats, provider, target))
        i++;
    return i;
}

struct own_stats *vm_own_find(const struct host_vm *vm, const char *provider, const char *target)
{
    size_t i = find(vm, provider, target);

    return i < vm->n_own ? vm->own[i]->stats : NULL;
}

struct own_stats *vm_own_at(const struct host_vm *vm, size_t i)
{
    return vm->own[i]->stats;
}

static int add(struct host_vm *vm, struct own_stats *stats, struct error_text *error)
{
    struct vm_own *own;
    int err;

    if (vm->n_own == HOST_OWN_MAX)
        return error_set(error, -E2BIG, "a VM has statistics of at most %d providers and targets",
                         HOST_OWN_MAX);
    own = calloc(1, sizeof(*own));
    if (!own)
        return error_set(error, -ENOMEM, "no memory for statistics");
    own->stats = own_stats_ref(stats);
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .collect = collect,
                                         .release = release, .opaque = own};
    err = registry_add(vm->ctx, &ops, stats->schema, &own->group);
    if (!err) {
        vm->own[vm->n_own++] = own;
        return 0;
    }
    vitals_error_text(vm->ctx, error->text, sizeof(error->text));
    return err;
}

int vm_own_put(struct host_vm *vm, struct own_stats *stats, struct error_text *error)
{
    size_t i = find(vm, stats->schema->provider, stats->schema->target);

    if (i == vm->n_own)
        return add(vm, stats, error);
    own_stats_ref(stats);
    own_stats_unref(vm->own[i]->stats);
    vm->own[i]->stats = stats;
    return 0;
}

void vm_own_remove(struct host_vm *vm, const char *provider, const char *target)
{
    size_t i = find(vm, provider, target);
    struct vitals_group *group;

    if (i == vm->n_own)
        return;
    group = vm->own[i]->group;
    vm->n_own--;
    memmove(&vm->own[i], &vm->own[i + 1], (vm->n_own - i) * sizeof(struct vm_own *));
    vitals_unregister(group);
}
