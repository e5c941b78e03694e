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

/* How a VM is asked that has registered: it may have any providers. */
struct view_query {
    char *name; /* of the target */
    struct stats_collection collection;
    struct object_list list;
    bool is_there; /* some provider of the VM has the target */
};

/* ---- one target ----------------------------------------------------------------------------- */

static void free_query(struct view_query *query)
{
    if (!query)
        return;
    stats_collection_free(&query->collection);
    object_list_free(&query->list);
    free(query->name);
    free(query);
}

static void free_target(struct view_target *target)
{
    free_query(target->query);
    free(target->memory);
}

static bool reserve(struct view_target *target, size_t size)
{
    if (size <= target->size)
        return true;
    free(target->memory);
    target->memory = malloc(size);
    target->size = target->memory ? size : 0;
    return target->memory;
}

/* So many, which are still to be filled in. */
static int begin_target(struct view_target *target, size_t n_objects, size_t n_schemas)
{
    size_t objects = n_objects * sizeof(*target->objects);
    size_t schemas = n_schemas * sizeof(*target->schemas);
    size_t rows = n_objects * n_schemas * sizeof(*target->rows);

    target->n_objects = target->n_schemas = 0;
    if (!reserve(target, objects + schemas + rows))
        return -ENOMEM;
    target->objects = target->memory;
    target->schemas = (void *)((char *)target->memory + objects);
    target->rows = (void *)((char *)target->memory + objects + schemas);
    target->n_objects = n_objects;
    target->n_schemas = n_schemas;
    return 0;
}

static struct view_target *add_target(struct view_vm *vm, const char *name)
{
    struct view_target *targets = reallocarray(vm->targets, vm->n_targets + 1, sizeof(*targets));

    if (!targets)
        return NULL;
    vm->targets = targets;
    targets[vm->n_targets] = (struct view_target){.name = name};
    return &targets[vm->n_targets++];
}

static void free_vm(struct view_vm *vm)
{
    for (size_t i = 0; i < vm->n_targets; i++)
        free_target(&vm->targets[i]);
    free(vm->targets);
    host_vm_unref(vm->vm);
}

/* ---- a VM that the kernel has told of ------------------------------------------------------- */

/*
 * It has two providers, whose rows stand in it since the pass: there are thousands of such VMs, so that
 * queries of their contexts would cost more than all else. What is here is what the queries would say.
 */
enum { OF_KVM, OF_SCHED, PROVIDERS };

struct choice {
    const struct stats_schema *schemas[PROVIDERS]; /* NULL: no object has a row */
    size_t n_schemas;
};

static void choose(struct choice *choice, size_t provider, const struct stats_schema *schema)
{
    choice->schemas[provider] = schema;
    choice->n_schemas += schema != NULL;
}

static int begin_chosen(struct view_target *target, const struct choice *choice, size_t n_objects)
{
    int err = begin_target(target, n_objects, choice->n_schemas);
    size_t n = 0;

    for (size_t i = 0; i < PROVIDERS && !err; i++)
        if (choice->schemas[i])
            target->schemas[n++] = choice->schemas[i];
    return err;
}

static void put_object(struct view_target *target, size_t i, const struct choice *choice,
                       struct stats_object object, const uint64_t *const rows[PROVIDERS])
{
    size_t n = i * target->n_schemas;

    target->objects[i] = object;
    for (size_t j = 0; j < PROVIDERS; j++)
        if (choice->schemas[j])
            target->rows[n++] = rows[j];
}

static int take_vm(struct view_target *target, const struct host_vm *vm)
{
    bool has_sched = vm->has_sched && vm->has_sched_row;
    struct choice choice = {0};
    int err;

    choose(&choice, OF_KVM, vm->has_row ? vm->schemas[KVM_KIND_VM] : NULL);
    choose(&choice, OF_SCHED, has_sched ? vm->sched_schemas[SCHED_VM] : NULL);
    err = begin_chosen(target, &choice, choice.n_schemas > 0);
    if (!err && choice.n_schemas)
        put_object(target, 0, &choice, (struct stats_object){.number = -1, .thread = -1},
                   (const uint64_t *[]){vm->row, vm->sched_row});
    return err;
}

static void put_vcpu(struct view_target *target, size_t i, const struct choice *choice,
                     const struct host_vcpu *vcpu)
{
    int64_t thread = vcpu->thread_here ? (int64_t)vcpu->thread_here : -1;

    put_object(target, i, choice,
               (struct stats_object){.path = vcpu->path, .number = vcpu->id, .thread = thread},
               (const uint64_t *[]){vcpu->has_row ? vcpu->row : NULL,
                                    vcpu->has_sched_row ? vcpu->sched_row : NULL});
}

/* In the order of the providers: those of which only threads are known come last. */
static int take_vcpus(struct view_target *target, const struct host_vm *vm)
{
    size_t n_of_kvm = 0, n_of_sched = 0, n_others = 0, n = 0;
    struct choice choice = {0};
    int err;

    for (size_t i = 0; i < vm->n_vcpus; i++) {
        bool has_sched_row = vm->has_sched && vm->vcpus[i].has_sched_row;

        n_of_kvm += vm->vcpus[i].has_row;
        n_of_sched += has_sched_row;
        n_others += has_sched_row && !vm->vcpus[i].has_row;
    }
    choose(&choice, OF_KVM, n_of_kvm ? vm->schemas[KVM_KIND_VCPU] : NULL);
    choose(&choice, OF_SCHED, n_of_sched ? vm->sched_schemas[SCHED_VCPU] : NULL);
    err = begin_chosen(target, &choice, n_of_kvm + n_others);
    for (size_t i = 0; i < vm->n_vcpus && !err; i++)
        if (vm->vcpus[i].has_row)
            put_vcpu(target, n++, &choice, &vm->vcpus[i]);
    for (size_t i = 0; i < vm->n_vcpus && !err && n_others; i++)
        if (!vm->vcpus[i].has_row && vm->vcpus[i].has_sched_row)
            put_vcpu(target, n++, &choice, &vm->vcpus[i]);
    return err;
}

static int take_rows(struct view_vm *vm)
{
    int err = 0;

    for (size_t i = vm->n_targets; i < KVM_KINDS && !err; i++)
        err = add_target(vm, host_targets[i]) ? 0 : -ENOMEM;
    if (!err)
        err = take_vm(&vm->targets[KVM_KIND_VM], vm->vm);
    return err ? err : take_vcpus(&vm->targets[KVM_KIND_VCPU], vm->vm);
}

/* ---- a VM that has registered --------------------------------------------------------------- */

/* @name is of a schema, which a VM that has registered can take back. */
static struct view_query *new_query(const char *name)
{
    struct view_query *query = calloc(1, sizeof(*query));

    if (query)
        query->name = strdup(name);
    if (!query || query->name)
        return query;
    free(query);
    return NULL;
}

static struct view_target *find_target(const struct view_vm *vm, const char *name)
{
    for (size_t i = 0; i < vm->n_targets; i++)
        if (!strcmp(vm->targets[i].name, name))
            return &vm->targets[i];
    return NULL;
}

static struct view_target *add_query(struct view_vm *vm, const char *name)
{
    struct view_query *query = new_query(name);
    struct view_target *target = query ? add_target(vm, query->name) : NULL;

    if (target)
        target->query = query;
    else
        free_query(query);
    return target;
}

static bool see_target(struct view_vm *vm, const char *name)
{
    struct view_target *target = find_target(vm, name);

    if (!target)
        target = add_query(vm, name);
    if (target)
        target->query->is_there = true;
    return target;
}

/* Those that are still there stay in their order. */
static void drop_targets(struct view_vm *vm)
{
    size_t n = 0;

    for (size_t i = 0; i < vm->n_targets; i++) {
        if (vm->targets[i].query->is_there)
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
        vm->targets[i].query->is_there = false;
    while (registry_pin_next(vm->vm->ctx, NULL, &walk, &pin)) {
        is_whole &= see_target(vm, pin.schema->target);
        registry_unpin(&pin);
    }
    drop_targets(vm);
    return is_whole;
}

static struct stats_object find_object(const struct view_query *query, size_t i)
{
    const char *path = query->collection.objects.paths[i];
    const struct object_list *list = &query->list;

    if (i < list->n && !strcmp(list->objects[i].path, path))
        return list->objects[i];
    for (size_t j = 0; j < list->n; j++)
        if (!strcmp(list->objects[j].path, path))
            return list->objects[j];
    return (struct stats_object){.path = *path ? path : NULL, .number = -1, .thread = -1};
}

static int take_answer(struct view_target *target, const struct view_query *query)
{
    const struct stats_collection *collection = &query->collection;
    int err = begin_target(target, collection->objects.count, collection->n_parts);

    for (size_t j = 0; j < target->n_schemas; j++)
        target->schemas[j] = collection->parts[j].schema;
    for (size_t i = 0; i < target->n_objects; i++) {
        target->objects[i] = find_object(query, i);
        for (size_t j = 0; j < target->n_schemas; j++)
            target->rows[i * target->n_schemas + j] = stats_part_row(&collection->parts[j], i);
    }
    return err;
}

static int ask(struct view_vm *vm, struct view_target *target)
{
    struct view_query *query = target->query;
    struct stats_request all = {.target = query->name, .all_stats = true, .all_objects = true};
    int err = objects_list(&vm->vm->ctx->objects, query->name, &query->list);

    if (!err)
        err = stats_collect(&query->collection, vm->vm->ctx, &all);
    return err ? err : take_answer(target, query);
}

/* Of a statistics file that can't be read nothing is known. */
static bool ask_all(struct view_vm *vm)
{
    bool is_whole = find_targets(vm) && vm->vm->has_row;

    for (size_t i = 0; i < vm->n_targets; i++)
        is_whole &= ask(vm, &vm->targets[i]) == 0;
    return is_whole;
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

static void read_vm(struct view_vm *vm)
{
    vm->has_failed = vm->vm->is_registered ? !ask_all(vm) : take_rows(vm) != 0;
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
            read_vm(&view->vms[i]);
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
