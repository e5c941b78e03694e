/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stats/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sized.h"
#include "stats/apart.h"
#include "stats/report.h"

enum { COLLECTORS_MIN = 8, SCHEMAS_MIN = 8 };

/* ---- registering ---------------------------------------------------------------------------- */

static bool is_same_kind(const struct stats_schema *one, const struct stats_schema *other)
{
    return !strcmp(one->target, other->target) && !strcmp(one->provider, other->provider);
}

static int check_pair(struct vitals_ctx *ctx, const struct vitals_group *group,
                      const struct vitals_group *other)
{
    const struct stats_schema *schema = group->schema;
    const struct vitals_stat *conflict;

    if (group->is_alone || other->is_alone)
        return error_set(&ctx->error, -EEXIST, "provider '%s' has a group for target '%s'",
                         schema->provider, schema->target);
    conflict = schema_find_conflict(schema, other->schema);
    if (conflict)
        return error_set(&ctx->error, -EEXIST,
                         "statistic '%s' has another description in another group of provider "
                         "'%s' and target '%s'",
                         conflict->name, schema->provider, schema->target);
    return 0;
}

static bool has_target(const struct vitals_ctx *ctx, const struct vitals_group *end,
                       const char *target)
{
    const struct vitals_group *group;

    for (group = ctx->groups; group != end; group = group->next)
        if (!strcmp(group->schema->target, target))
            return true;
    return false;
}

static int check_targets(struct vitals_ctx *ctx, const char *target)
{
    const struct vitals_group *group;
    unsigned n = 0;

    if (has_target(ctx, NULL, target))
        return 0;
    for (group = ctx->groups; group; group = group->next)
        n += !has_target(ctx, group, group->schema->target);
    return n < VITALS_TARGETS_MAX
               ? 0
               : error_set(&ctx->error, -E2BIG, "target '%s': there are %d others already", target,
                           VITALS_TARGETS_MAX);
}

/*
 * Under the lock. Names of statistics are each provider's own: a kernel that adds one must not push
 * out a VMM's. Groups with equal schemas have one: so it is described once.
 */
static int check_clash(struct vitals_ctx *ctx, struct vitals_group *group)
{
    struct stats_schema *checked = NULL, *own = group->schema;
    const struct vitals_group *other;
    int err = check_targets(ctx, own->target);

    for (other = ctx->groups; other && !err; other = other->next) {
        if (other->schema == checked || !is_same_kind(other->schema, own))
            continue;
        checked = other->schema;
        err = check_pair(ctx, group, other);
        if (!err && group->schema == own && schema_is_equal(checked, own))
            group->schema = schema_ref(checked);
    }
    if (group->schema != own)
        schema_unref(own);
    return err;
}

static void append(struct vitals_ctx *ctx, struct vitals_group *group)
{
    struct vitals_group **end = &ctx->groups;

    while (*end)
        end = &(*end)->next;
    *end = group;
    group->order = ++ctx->next_order;
    ctx_changed(ctx);
    ctx->n_apart += group->apart != NULL;
}

static struct vitals_group *new_group(struct vitals_ctx *ctx, const struct vitals_group_ops *ops,
                                      struct stats_schema *schema, bool is_alone)
{
    struct vitals_group *group = calloc(1, sizeof(*group));

    if (!group)
        return NULL;
    group->ctx = ctx;
    group->flags = ops->flags;
    group->is_alone = is_alone;
    group->collect = ops->collect;
    group->release = ops->release;
    group->opaque = ops->opaque;
    if (ops->flags & VITALS_GROUP_MAY_BLOCK) {
        group->apart = apart_new(ops->deadline_ms);
        if (!group->apart) {
            free(group);
            return NULL;
        }
    }
    group->schema = schema_ref(schema);
    pthread_mutex_init(&group->turn, NULL);
    return group;
}

static void free_group(struct vitals_group *group)
{
    if (!ctx_is_copy(group->ctx)) /* where a thread may have held its lock */
        apart_free(group->apart);
    pthread_mutex_destroy(&group->turn);
    schema_unref(group->schema);
    free(group);
}

static void call_release(const struct vitals_group_ops *ops)
{
    if (ops->release)
        ops->release(ops->opaque);
}

static int add_group(struct vitals_ctx *ctx, const struct vitals_group_ops *ops,
                     struct stats_schema *schema, bool is_alone, struct vitals_group **ret_group)
{
    struct vitals_group *group = new_group(ctx, ops, schema, is_alone);
    int err;

    if (!group) {
        call_release(ops);
        return ctx_fail(ctx, -ENOMEM, "no memory for a group");
    }
    ctx_adopt(ctx);
    pthread_mutex_lock(&ctx->lock);
    err = check_clash(ctx, group);
    if (!err)
        append(ctx, group);
    pthread_mutex_unlock(&ctx->lock);
    if (err) {
        free_group(group);
        call_release(ops);
        return err;
    }
    if (ret_group)
        *ret_group = group;
    return 0;
}

int registry_add(struct vitals_ctx *ctx, const struct vitals_group_ops *ops,
                 struct stats_schema *schema, struct vitals_group **ret_group)
{
    return add_group(ctx, ops, schema, true, ret_group);
}

static int check_callbacks(const struct vitals_group_ops *ops, struct error_text *error)
{
    if (!ops->collect)
        return error_set(error, -EINVAL, "collect is NULL");
    if (ops->flags & ~(uint32_t)(VITALS_GROUP_CONCURRENT | VITALS_GROUP_MAY_BLOCK))
        return error_set(error, -EINVAL, "flags 0x%x hold an unknown one", ops->flags);
    if (ops->reserved)
        return error_set(error, -EINVAL, "reserved is %u, must be 0", ops->reserved);
    if (!ops->n_stats)
        return error_set(error, -EINVAL, "a group without statistics");
    return 0;
}

/* On an error too, @ret_ops has what the caller's struct is long enough to have, for its release(). */
static int take_ops(const struct vitals_group_ops *given, struct vitals_group_ops *ret_ops,
                    struct error_text *error)
{
    static const struct sized sized = SIZED("vitals_register", struct vitals_group_ops, opaque);
    int err = sized_check(&sized, given, given->size, error);

    if (given->size >= sized.least)
        sized_copy(&sized, given, given->size, ret_ops);
    return err;
}

int vitals_register(struct vitals_ctx *ctx, const struct vitals_group_ops *given,
                    struct vitals_group **ret_group)
{
    struct vitals_group_ops ops = {0};
    struct stats_schema *schema;
    struct error_text error;
    int err;

    err = take_ops(given, &ops, &error);
    if (!err)
        err = check_callbacks(&ops, &error);
    if (!err)
        err = schema_new(&ops, &error, &schema);
    if (err) {
        ctx_fail(ctx, err, "%s", error.text);
        call_release(&ops);
        return err;
    }
    err = add_group(ctx, &ops, schema, false, ret_group);
    schema_unref(schema);
    return err;
}

void registry_set_schema(struct vitals_group *group, struct stats_schema *schema)
{
    struct vitals_ctx *ctx = group->ctx;
    struct stats_schema *old;

    pthread_mutex_lock(&ctx->lock);
    old = group->schema;
    group->schema = schema_ref(schema);
    pthread_mutex_unlock(&ctx->lock);
    schema_unref(old);
    ctx_changed(ctx);
}

/* ---- unregistering -------------------------------------------------------------------------- */

/*
 * Under the lock. Of a parent's threads the child has the one that called fork(), under the same
 * number, and it is its first. A later one may have got the number of another.
 */
static bool is_own(const struct vitals_ctx *ctx, const struct collector *collector)
{
    return pthread_equal(collector->thread, pthread_self()) &&
           (!ctx_is_copy(ctx) || gettid() == getpid());
}

bool registry_is_collecting(struct vitals_ctx *ctx)
{
    bool found = false;
    size_t i;

    pthread_mutex_lock(&ctx->lock);
    for (i = 0; !found && i < ctx->collectors.n; i++)
        found = is_own(ctx, &ctx->collectors.entries[i]);
    pthread_mutex_unlock(&ctx->lock);
    return found;
}

/* Who was inside collect() of a group that nobody is inside of any more had its lock. */
static void forget_turns(struct vitals_ctx *ctx)
{
    struct vitals_group *group;

    for (group = ctx->groups; group; group = group->next)
        if (!group->pins)
            pthread_mutex_init(&group->turn, NULL);
}

void registry_forget_pins(struct vitals_ctx *ctx)
{
    struct collectors *collectors = &ctx->collectors;
    struct vitals_group *group;
    size_t i, n = 0;

    for (group = ctx->groups; group; group = group->next) {
        group->pins = 0;
        group->leaving = false;
        if (group->apart)
            apart_forget(group->apart);
    }
    for (i = 0; i < collectors->n; i++)
        if (is_own(ctx, &collectors->entries[i]))
            collectors->entries[n++] = collectors->entries[i];
    collectors->n = n;
    for (i = 0; i < n; i++)
        collectors->entries[i].group->pins++;
    forget_turns(ctx);
}

/*
 * Under the lock. Waits for the queries that use the group, then takes it off the list. The queries of
 * a parent don't run in its child, and a child's own make the context its own first.
 */
static void detach(struct vitals_ctx *ctx, struct vitals_group *group)
{
    struct vitals_group **link = &ctx->groups;

    group->leaving = true;
    while (group->pins && !ctx_is_copy(ctx))
        pthread_cond_wait(&ctx->unpinned, &ctx->lock);
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    ctx->n_apart -= group->apart != NULL;
    ctx->n_detached++;
}

int vitals_unregister(struct vitals_group *group)
{
    struct vitals_ctx *ctx;
    int err;

    if (!group)
        return 0;
    ctx = group->ctx;
    err = ctx_check_copy(ctx);
    if (err)
        return err;
    if (registry_is_collecting(ctx))
        return ctx_fail(ctx, -EBUSY, "a group can't be unregistered from inside collect()");
    pthread_mutex_lock(&ctx->lock);
    detach(ctx, group);
    pthread_mutex_unlock(&ctx->lock);
    objects_remove_all(&ctx->objects, group);
    if (group->release)
        group->release(group->opaque);
    free_group(group);
    return 0;
}

/* ---- visiting ------------------------------------------------------------------------------- */

/* Goes on behind the last one, which may have been freed if any has left: then from the start. */
static struct vitals_group *find_next(struct vitals_ctx *ctx, const char *target,
                                      const struct group_walk *walk)
{
    bool is_there = walk->last && walk->n_detached == ctx->n_detached;
    struct vitals_group *group;

    for (group = is_there ? walk->last->next : ctx->groups; group && group->order <= walk->end;
         group = group->next)
        if (group->order > walk->order && !group->leaving &&
            (!target || !strcmp(group->schema->target, target)) &&
            providers_have(walk->providers, group->schema->provider))
            return group;
    return NULL;
}

bool registry_pin_next(struct vitals_ctx *ctx, const char *target, struct group_walk *walk,
                       struct group_pin *ret_pin)
{
    struct vitals_group *group;

    ctx_adopt(ctx);
    pthread_mutex_lock(&ctx->lock);
    if (!walk->end)
        walk->end = ctx->next_order;
    group = find_next(ctx, target, walk);
    if (group) {
        group->pins++;
        walk->order = group->order;
        walk->last = group;
        walk->n_detached = ctx->n_detached;
        *ret_pin = (struct group_pin){.group = group, .schema = schema_ref(group->schema)};
    }
    pthread_mutex_unlock(&ctx->lock);
    return group != NULL;
}

bool registry_pin(struct vitals_group *group, struct group_pin *ret_pin)
{
    struct vitals_ctx *ctx = group->ctx;
    bool is_there;

    pthread_mutex_lock(&ctx->lock);
    is_there = !group->leaving;
    if (is_there) {
        group->pins++;
        *ret_pin = (struct group_pin){.group = group, .schema = schema_ref(group->schema)};
    }
    pthread_mutex_unlock(&ctx->lock);
    return is_there;
}

void registry_unpin(struct group_pin *pin)
{
    struct vitals_ctx *ctx = pin->group->ctx;

    schema_unref(pin->schema);
    pthread_mutex_lock(&ctx->lock);
    if (!--pin->group->pins)
        pthread_cond_broadcast(&ctx->unpinned);
    pthread_mutex_unlock(&ctx->lock);
}

/* Under the lock. */
static int reserve_collector(struct collectors *collectors)
{
    size_t cap = collectors->cap ? 2 * collectors->cap : COLLECTORS_MIN;
    struct collector *entries;

    if (collectors->n < collectors->cap)
        return 0;
    entries = realloc(collectors->entries, cap * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    collectors->entries = entries;
    collectors->cap = cap;
    return 0;
}

static int enter(struct vitals_group *group)
{
    struct vitals_ctx *ctx = group->ctx;
    struct collectors *collectors = &ctx->collectors;
    int err;

    pthread_mutex_lock(&ctx->lock);
    err = reserve_collector(collectors);
    if (!err)
        collectors->entries[collectors->n++] =
            (struct collector){.thread = pthread_self(), .group = group};
    pthread_mutex_unlock(&ctx->lock);
    return err;
}

/* A thread that is inside twice has two, which are alike. */
static void leave(struct vitals_group *group)
{
    struct vitals_ctx *ctx = group->ctx;
    struct collectors *collectors = &ctx->collectors;
    size_t i = 0;

    pthread_mutex_lock(&ctx->lock);
    while (collectors->entries[i].group != group ||
           !pthread_equal(collectors->entries[i].thread, pthread_self()))
        i++;
    collectors->entries[i] = collectors->entries[--collectors->n];
    pthread_mutex_unlock(&ctx->lock);
}

int registry_collect(const struct group_pin *pin, struct vitals_sink *sink)
{
    struct vitals_group *group = pin->group;
    bool one_at_a_time = !(group->flags & VITALS_GROUP_CONCURRENT);
    int err = enter(group);

    if (err)
        return err;
    if (one_at_a_time)
        pthread_mutex_lock(&group->turn);
    err = group->collect(group->opaque, sink);
    atomic_store_explicit(&group->result, err, memory_order_relaxed);
    if (one_at_a_time)
        pthread_mutex_unlock(&group->turn);
    leave(group);
    return err;
}

/* ---- objects -------------------------------------------------------------------------------- */

/* The target of a group never changes, whatever schema it has. */
static int check_object(const struct vitals_group *group, const char *path)
{
    size_t len = strnlen(path, VITALS_OBJECT_MAX + 1);

    if (!strcmp(group->schema->target, "vm"))
        return ctx_fail(group->ctx, -EINVAL, "target 'vm' has no objects but the VM itself");
    if (!len || len > VITALS_OBJECT_MAX)
        return ctx_fail(group->ctx, -EINVAL, "an object's path must have 1 to %d bytes",
                        VITALS_OBJECT_MAX);
    return 0;
}

int vitals_object_add(struct vitals_group *group, const char *path, int64_t number)
{
    struct object_claim claim = {.owner = group, .path = path, .number = number, .thread = -1};
    struct vitals_ctx *ctx;
    struct error_text error;
    int err;

    if (!group)
        return -EINVAL;
    err = check_object(group, path);
    if (err)
        return err;
    ctx = group->ctx;
    claim.target = group->schema->target;
    ctx_adopt(ctx);
    if (number != VITALS_NUMBER_ANY && (number < 0 || number > VITALS_NUMBER_MAX))
        return ctx_fail(ctx, -EINVAL, "number %lld must be 0 to %d, or VITALS_NUMBER_ANY",
                        (long long)number, VITALS_NUMBER_MAX);
    err = objects_add(&ctx->objects, &claim, &error);
    return err ? ctx_fail(ctx, err, "%s", error.text) : 0;
}

int vitals_object_remove(struct vitals_group *group, const char *path)
{
    struct vitals_ctx *ctx;
    struct error_text error;
    int err;

    if (!group)
        return -EINVAL;
    ctx = group->ctx;
    ctx_adopt(ctx);
    err = objects_remove(&ctx->objects, group, group->schema->target, path, &error);
    return err ? ctx_fail(ctx, err, "%s", error.text) : 0;
}

int vitals_object_set_thread(struct vitals_ctx *ctx, const char *target, const char *path,
                             pid_t thread)
{
    struct error_text error;
    int err;

    if (thread != -1 && thread <= 0)
        return ctx_fail(ctx, -EINVAL, "thread %d must be a thread's id, or -1", thread);
    ctx_adopt(ctx);
    err = objects_set_thread(&ctx->objects, target, path, thread, &error);
    if (err)
        return ctx_fail(ctx, err, "%s", error.text);
    ctx_changed(ctx);
    return 0;
}

/* ---- providers ------------------------------------------------------------------------------ */

/* Under the lock. Whether a group before @group has the same provider. */
static bool is_repeated(const struct vitals_ctx *ctx, const struct vitals_group *group)
{
    const struct vitals_group *earlier;

    for (earlier = ctx->groups; earlier != group; earlier = earlier->next)
        if (!strcmp(earlier->schema->provider, group->schema->provider))
            return true;
    return false;
}

void registry_each_provider(struct vitals_ctx *ctx, void (*fn)(void *opaque, const char *provider),
                            void *opaque)
{
    const struct vitals_group *group;

    pthread_mutex_lock(&ctx->lock);
    for (group = ctx->groups; group; group = group->next)
        if (!is_repeated(ctx, group))
            fn(opaque, group->schema->provider);
    pthread_mutex_unlock(&ctx->lock);
}

int registry_last_result(struct vitals_ctx *ctx, const char *provider, const char *target)
{
    const struct vitals_group *group;
    int err = 0;

    pthread_mutex_lock(&ctx->lock);
    for (group = ctx->groups; group && !err; group = group->next)
        if (!strcmp(group->schema->provider, provider) && !strcmp(group->schema->target, target))
            err = atomic_load_explicit(&group->result, memory_order_relaxed);
    pthread_mutex_unlock(&ctx->lock);
    return err;
}

bool registry_has_provider(struct vitals_ctx *ctx, const char *provider)
{
    const struct vitals_group *group;
    bool found = false;

    pthread_mutex_lock(&ctx->lock);
    for (group = ctx->groups; group && !found; group = group->next)
        found = !strcmp(group->schema->provider, provider);
    pthread_mutex_unlock(&ctx->lock);
    return found;
}

/* ---- targets -------------------------------------------------------------------------------- */

/* Under the lock. Whether a group before @group, that is shown too, has the same target. */
static bool is_target_repeated(const struct vitals_ctx *ctx, const struct providers *providers,
                               const struct vitals_group *group)
{
    const struct vitals_group *earlier;

    for (earlier = ctx->groups; earlier != group; earlier = earlier->next)
        if (!strcmp(earlier->schema->target, group->schema->target) &&
            providers_have(providers, earlier->schema->provider))
            return true;
    return false;
}

void registry_each_target(struct vitals_ctx *ctx, const struct providers *providers,
                          void (*fn)(void *opaque, const char *target), void *opaque)
{
    const struct vitals_group *group;

    pthread_mutex_lock(&ctx->lock);
    for (group = ctx->groups; group; group = group->next)
        if (providers_have(providers, group->schema->provider) &&
            !is_target_repeated(ctx, providers, group))
            fn(opaque, group->schema->target);
    pthread_mutex_unlock(&ctx->lock);
}

bool registry_has_target(struct vitals_ctx *ctx, const struct providers *providers,
                         const char *target)
{
    const struct vitals_group *group;
    bool found = false;

    pthread_mutex_lock(&ctx->lock);
    for (group = ctx->groups; group && !found; group = group->next)
        found = !strcmp(group->schema->target, target) &&
                providers_have(providers, group->schema->provider);
    pthread_mutex_unlock(&ctx->lock);
    return found;
}

/* ---- schemas -------------------------------------------------------------------------------- */

static bool has_schema(const struct schema_list *list, const struct stats_schema *schema)
{
    size_t i;

    for (i = list->n; i-- > 0;) /* the next one has mostly that of the last */
        if (list->schemas[i] == schema)
            return true;
    return false;
}

static int list_schema(struct schema_list *list, struct stats_schema *schema)
{
    size_t cap = list->cap ? 2 * list->cap : SCHEMAS_MIN;
    struct stats_schema **grown;

    if (has_schema(list, schema))
        return 0;
    if (list->n == list->cap) {
        grown = reallocarray(list->schemas, cap, sizeof(struct stats_schema *));
        if (!grown)
            return -ENOMEM;
        list->schemas = grown;
        list->cap = cap;
    }
    list->schemas[list->n++] = schema_ref(schema);
    return 0;
}

int registry_list_schemas(struct vitals_ctx *ctx, const struct providers *providers,
                          struct schema_list *ret_list)
{
    struct schema_list list = {0};
    struct vitals_group *group;
    int err = 0;

    ctx_adopt(ctx);
    pthread_mutex_lock(&ctx->lock);
    for (group = ctx->groups; group && !err; group = group->next)
        if (!group->leaving && providers_have(providers, group->schema->provider))
            err = list_schema(&list, group->schema);
    pthread_mutex_unlock(&ctx->lock);
    if (err)
        schema_list_free(&list);
    else
        *ret_list = list;
    return err;
}

void schema_list_free(struct schema_list *list)
{
    while (list->n)
        schema_unref(list->schemas[--list->n]);
    free(list->schemas);
    *list = (struct schema_list){0};
}
