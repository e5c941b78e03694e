/* SPDX-License-Identifier: MIT */
#include "web/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct view {
    struct host *host;
    struct view_vm *vms; /* in the order of host_vms() */
    size_t n, cap;
    struct view_time time;
    bool reads_kernel;
};

/* ---- one VM --------------------------------------------------------------------------------- */

static void free_target(struct view_target *target)
{
    stats_collection_free(&target->collection);
    object_list_free(&target->list);
    free(target->name);
}

static void free_vm(struct view_vm *vm)
{
    for (size_t i = 0; i < vm->n_targets; i++)
        free_target(&vm->targets[i]);
    free(vm->targets);
    host_vm_unref(vm->vm);
}

static struct view_target *find_target(const struct view_vm *vm, const char *name)
{
    for (size_t i = 0; i < vm->n_targets; i++)
        if (!strcmp(vm->targets[i].name, name))
            return &vm->targets[i];
    return NULL;
}

/* @name is of a schema, which a VM that has registered can take back. */
static struct view_target *add_target(struct view_vm *vm, const char *name)
{
    struct view_target *targets, *target;

    targets = reallocarray(vm->targets, vm->n_targets + 1, sizeof(*targets));
    if (!targets)
        return NULL;
    vm->targets = targets;
    target = &targets[vm->n_targets];
    *target = (struct view_target){.name = strdup(name)};
    if (!target->name)
        return NULL;
    vm->n_targets++;
    return target;
}

static bool see_target(struct view_vm *vm, const char *name)
{
    struct view_target *target = find_target(vm, name);

    if (!target)
        target = add_target(vm, name);
    if (target)
        target->is_there = true;
    return target;
}

/* Those that are still there stay in their order. */
static void drop_targets(struct view_vm *vm)
{
    size_t n = 0;

    for (size_t i = 0; i < vm->n_targets; i++) {
        if (vm->targets[i].is_there)
            vm->targets[n++] = vm->targets[i];
        else
            free_target(&vm->targets[i]);
    }
    vm->n_targets = n;
}

static bool find_targets(struct view_vm *vm)
{
    struct group_walk walk = {0};
    struct group_pin pin;
    bool is_whole = true;

    for (size_t i = 0; i < vm->n_targets; i++)
        vm->targets[i].is_there = false;
    while (registry_pin_next(vm->vm->ctx, NULL, &walk, &pin)) {
        is_whole &= see_target(vm, pin.schema->target);
        registry_unpin(&pin);
    }
    drop_targets(vm);
    return is_whole;
}

static int collect_target(struct view_vm *vm, struct view_target *target)
{
    struct stats_request all = {.target = target->name, .all_stats = true, .all_objects = true};
    int err = objects_list(&vm->vm->ctx->objects, target->name, &target->list);

    return err ? err : stats_collect(&target->collection, vm->vm->ctx, &all);
}

/* Of a statistics file that can't be read nothing is known. */
static void collect(struct view_vm *vm)
{
    vm->has_failed = !find_targets(vm) || (vm->vm->is_registered && !vm->vm->has_row);
    for (size_t i = 0; i < vm->n_targets; i++)
        vm->has_failed |= collect_target(vm, &vm->targets[i]) != 0;
}

struct stats_object view_object(const struct view_target *target, size_t i)
{
    const char *path = target->collection.objects.paths[i];
    const struct object_list *list = &target->list;

    if (i < list->n && !strcmp(list->objects[i].path, path))
        return list->objects[i];
    for (size_t j = 0; j < list->n; j++)
        if (!strcmp(list->objects[j].path, path))
            return list->objects[j];
    return (struct stats_object){.path = *path ? path : NULL, .number = -1, .thread = -1};
}

/* ---- a pass --------------------------------------------------------------------------------- */

static void drop_gone(struct view *view)
{
    size_t n = 0;

    for (size_t i = 0; i < view->n; i++) {
        if (view->vms[i].vm->is_gone)
            free_vm(&view->vms[i]);
        else
            view->vms[n++] = view->vms[i];
    }
    view->n = n;
}

static int add_new(struct view *view)
{
    size_t n;
    struct host_vm *const *vms = host_vms(view->host, &n);

    if (n > view->cap) {
        struct view_vm *grown = reallocarray(view->vms, 2 * n, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        view->vms = grown;
        view->cap = 2 * n;
    }
    while (view->n < n) {
        view->vms[view->n] = (struct view_vm){.vm = host_vm_ref(vms[view->n])};
        view->n++;
    }
    return 0;
}

int view_read(struct view *view)
{
    uint64_t begin = clock_now_ns();
    double now = clock_unix_time();
    int err = host_read(view->host), grown;

    drop_gone(view);
    grown = add_new(view);
    for (size_t i = 0; i < view->n; i++)
        if (!err || view->vms[i].vm->is_registered)
            collect(&view->vms[i]);
    view->time = (struct view_time){.duration_ns = clock_now_ns() - begin,
                                    .registered_ns = host_registered_ns(view->host),
                                    .monotonic_ns = begin,
                                    .unix_ns = (uint64_t)(now * 1e3) * 1000000u};
    return err ? err : grown;
}

/* ---- the whole ------------------------------------------------------------------------------ */

int view_open(struct roster *roster, bool registered_only, struct bpf_why *why,
              struct view **ret_view)
{
    struct view *view = calloc(1, sizeof(*view));
    int err = -ENOMEM;

    if (!view)
        bpf_why_set(why, err, BPF_MISSING_KVM, "", "out of memory");
    else if (registered_only)
        err = host_open_empty(&view->host);
    else
        err = host_open("", why, &view->host);
    if (err) {
        free(view);
        return err;
    }
    view->reads_kernel = !registered_only;
    host_follow(view->host, roster);
    *ret_view = view;
    return 0;
}

void view_close(struct view *view)
{
    if (!view)
        return;
    for (size_t i = 0; i < view->n; i++)
        free_vm(&view->vms[i]);
    free(view->vms);
    host_close(view->host);
    free(view);
}

const struct view_vm *view_vms(const struct view *view, size_t *ret_n)
{
    *ret_n = view->n;
    return view->vms;
}

const struct view_vm *view_find(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->n; i++)
        if (!strcmp(view->vms[i].vm->name, name))
            return &view->vms[i];
    return NULL;
}

bool view_reads_kernel(const struct view *view)
{
    return view->reads_kernel;
}

struct view_time view_time(const struct view *view)
{
    return view->time;
}
