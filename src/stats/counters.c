/* SPDX-License-Identifier: MIT */
/*
 * Counters that the library owns. The elements of a counter stand once for each CPU (for several,
 * where there are more than SHARDS_MAX), in different cache lines: who counts adds to the one of its
 * CPU, atomically, as it may be moved to another CPU meanwhile. A query adds all of them up.
 */
#define _GNU_SOURCE
#include "vitals/counters.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sized.h"
#include "stats/collect.h"
#include "stats/paths.h"
#include "stats/registry.h"
#include "stats/report.h"

enum {
    SHARDS_MAX = 64,
    LINE_SIZE = 64, /* what two CPUs can't write at the same time without waiting for each other */
    LINE_ELEMENTS = LINE_SIZE / sizeof(uint64_t),
};

typedef _Atomic(uint64_t) element;

/* What a counter or a histogram is to those who count. */
struct cell {
    element *first; /* of shard 0 */
    uint32_t stride, shard_mask;
    uint32_t last_bucket, bucket_size; /* bucket_size 0: of a logarithmic histogram */
    bool is_histogram;
    struct cell *next; /* of its object, to be freed */
    void *memory;      /* its own, or NULL */
};
struct vitals_counter {
    struct cell cell;
};
struct vitals_histogram {
    struct cell cell;
};

struct object {
    struct cell **by_stat; /* by index of the statistic; NULL: it has none */
    uint32_t n_stats;
    struct cell *cells;
    element *line; /* of each shard: several counters share it */
    uint32_t line_used;
    char path[]; /* "": the VM */
};

struct vitals_counters {
    struct vitals_ctx *ctx;
    struct vitals_group *group;
    uint32_t n_shards; /* a power of two */
    bool is_vm;
    pthread_mutex_t lock; /* all below; none is held by those who count */
    struct stats_schema *schema;
    struct object **objects; /* in the order in which they came */
    struct path_table paths; /* of these, with the same numbers */
    size_t objects_cap;
};

/* ---- counting ------------------------------------------------------------------------------- */

static void add(const struct cell *cell, uint32_t bucket, uint64_t n)
{
    int cpu = sched_getcpu();
    uint32_t shard = (uint32_t)(cpu < 0 ? 0 : cpu) & cell->shard_mask;

    atomic_fetch_add_explicit(&cell->first[(size_t)shard * cell->stride + bucket], n,
                              memory_order_relaxed);
}

void vitals_counter_add(struct vitals_counter *counter, uint64_t n)
{
    if (counter)
        add(&counter->cell, 0, n);
}

static uint64_t bucket_of(const struct cell *cell, uint64_t value)
{
    if (cell->bucket_size)
        return value / cell->bucket_size;
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

void vitals_histogram_observe(struct vitals_histogram *histogram, uint64_t value)
{
    uint64_t bucket;

    if (!histogram)
        return;
    bucket = bucket_of(&histogram->cell, value);
    if (bucket > histogram->cell.last_bucket)
        bucket = histogram->cell.last_bucket;
    add(&histogram->cell, (uint32_t)bucket, 1);
}

/* ---- queries -------------------------------------------------------------------------------- */

static void sum(const struct vitals_counters *counters, const struct cell *cell, uint64_t *values)
{
    uint32_t shard, i;

    for (shard = 0; shard < counters->n_shards; shard++)
        for (i = 0; i <= cell->last_bucket; i++)
            values[i] += atomic_load_explicit(&cell->first[(size_t)shard * cell->stride + i],
                                              memory_order_relaxed);
}

/* Under the lock. The schema may be one from before statistics were added. */
static void fill(const struct vitals_counters *counters, const struct object *object,
                 struct vitals_sink *sink)
{
    const struct stats_schema *schema = sink_schema(sink);
    uint64_t *row = vitals_row(sink, counters->is_vm ? NULL : object->path);
    uint32_t i;

    for (i = 0; row && i < object->n_stats && i < schema->n_stats; i++)
        if (object->by_stat[i] && vitals_wants(sink, i))
            sum(counters, object->by_stat[i], row + schema->stats[i].slot);
}

static int collect(void *opaque, struct vitals_sink *sink)
{
    struct vitals_counters *counters = opaque;
    size_t i;

    pthread_mutex_lock(&counters->lock);
    for (i = 0; i < counters->paths.count; i++)
        fill(counters, counters->objects[i], sink);
    pthread_mutex_unlock(&counters->lock);
    return 0;
}

/* ---- making and freeing --------------------------------------------------------------------- */

static uint32_t count_shards(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    uint32_t n = 1;

    while (n < SHARDS_MAX && (long)n < cpus)
        n *= 2;
    return n;
}

static int add_group(struct vitals_counters *counters, const char *provider, const char *target)
{
    const struct vitals_group_ops ops = {VITALS_GROUP_OPS_INIT, .provider = provider,
                                         .target = target,      .flags = VITALS_GROUP_CONCURRENT,
                                         .collect = collect,    .opaque = counters};
    struct error_text error;
    int err = schema_new(&ops, &error, &counters->schema);

    if (err)
        return ctx_fail(counters->ctx, err, "%s", error.text);
    counters->is_vm = !strcmp(target, "vm");
    return registry_add(counters->ctx, &ops, counters->schema, &counters->group);
}

int vitals_counters_new(struct vitals_ctx *ctx, const char *provider, const char *target,
                        struct vitals_counters **ret_counters)
{
    struct vitals_counters *counters = calloc(1, sizeof(*counters));
    int err;

    if (!counters)
        return ctx_fail(ctx, -ENOMEM, "no memory for counters");
    counters->ctx = ctx;
    counters->n_shards = count_shards();
    pthread_mutex_init(&counters->lock, NULL);
    ctx_use(ctx);
    err = add_group(counters, provider, target);
    if (err) {
        vitals_counters_free(counters);
        return err;
    }
    *ret_counters = counters;
    return 0;
}

static void free_object(struct object *object)
{
    struct cell *cell;

    while ((cell = object->cells)) {
        object->cells = cell->next;
        free(cell->memory);
        free(cell);
    }
    free(object->by_stat);
    free(object);
}

int vitals_counters_free(struct vitals_counters *counters)
{
    size_t i;
    int err;

    if (!counters)
        return 0;
    err = vitals_unregister(counters->group);
    if (err)
        return err;
    for (i = 0; i < counters->paths.count; i++)
        free_object(counters->objects[i]);
    free(counters->objects);
    paths_free(&counters->paths);
    schema_unref(counters->schema);
    pthread_mutex_destroy(&counters->lock);
    ctx_leave(counters->ctx);
    free(counters);
    return 0;
}

struct vitals_group *vitals_counters_group(struct vitals_counters *counters)
{
    return counters ? counters->group : NULL;
}

/* ---- statistics, under the lock ------------------------------------------------------------- */

/* What is added stands behind all others, so rows of the schema before have the same slots. */
static int add_stat(struct vitals_counters *counters, const struct vitals_stat *stat,
                    struct error_text *error)
{
    const struct stats_schema *old = counters->schema;
    struct vitals_stat *stats = calloc(old->n_stats + 1, sizeof(*stats));
    const struct vitals_group_ops ops = {
        VITALS_GROUP_OPS_INIT, .provider = old->provider,   .target = old->target,
        .stats = stats,        .n_stats = old->n_stats + 1, .row_len = old->row_len + stat->count,
    };
    struct stats_schema *schema;
    int err;

    if (!stats)
        return error_set(error, -ENOMEM, "no memory for a statistic");
    memcpy(stats, old->stats, old->n_stats * sizeof(*stats));
    stats[old->n_stats] = *stat;
    stats[old->n_stats].slot = old->row_len;
    err = schema_new(&ops, error, &schema);
    free(stats);
    if (err)
        return err;
    registry_set_schema(counters->group, schema);
    schema_unref(counters->schema);
    counters->schema = schema;
    return 0;
}

static bool are_alike(const struct vitals_stat *a, const struct vitals_stat *b)
{
    return a->type == b->type && a->unit == b->unit && a->base == b->base &&
           a->exponent == b->exponent && a->count == b->count && a->bucket_size == b->bucket_size;
}

static int find_or_add_stat(struct vitals_counters *counters, const struct vitals_stat *stat,
                            struct error_text *error, uint32_t *ret_index)
{
    int64_t index = stat->name ? schema_find(counters->schema, stat->name) : -1;

    *ret_index = index >= 0 ? (uint32_t)index : counters->schema->n_stats;
    if (index < 0)
        return add_stat(counters, stat, error);
    if (!are_alike(&counters->schema->stats[index], stat))
        return error_set(error, -EEXIST, "statistic '%s' is there with another description",
                         stat->name);
    return 0;
}

/* ---- objects, under the lock ---------------------------------------------------------------- */

static int reserve_object(struct vitals_counters *counters)
{
    size_t cap = counters->objects_cap ? 2 * counters->objects_cap : 8;
    struct object **objects;

    if (counters->paths.count < counters->objects_cap)
        return 0;
    objects = realloc(counters->objects, cap * sizeof(struct object *));
    if (!objects)
        return -ENOMEM;
    counters->objects = objects;
    counters->objects_cap = cap;
    return 0;
}

/* NULL: no memory. */
static struct object *find_or_add_object(struct vitals_counters *counters, const char *path)
{
    int64_t index = paths_find(&counters->paths, path);
    struct object *object;

    if (index >= 0)
        return counters->objects[index];
    object = calloc(1, sizeof(*object) + strlen(path) + 1);
    if (!object)
        return NULL;
    strcpy(object->path, path);
    if (reserve_object(counters) || paths_add(&counters->paths, object->path)) {
        free(object);
        return NULL;
    }
    counters->objects[counters->paths.count - 1] = object;
    return object;
}

static int reserve_stat(struct object *object, uint32_t index)
{
    struct cell **by_stat;

    if (index < object->n_stats)
        return 0;
    by_stat = realloc(object->by_stat, (index + 1) * sizeof(struct cell *));
    if (!by_stat)
        return -ENOMEM;
    for (; object->n_stats <= index; object->n_stats++)
        by_stat[object->n_stats] = NULL;
    object->by_stat = by_stat;
    return 0;
}

/* ---- cells, under the lock ------------------------------------------------------------------ */

/* Zeros for so many elements of each shard. */
static element *allocate(const struct vitals_counters *counters, uint32_t stride)
{
    size_t size = (size_t)counters->n_shards * stride * sizeof(element);
    element *elements = aligned_alloc(LINE_SIZE, size);

    if (elements)
        memset((void *)elements, 0, size);
    return elements;
}

static int place_histogram(const struct vitals_counters *counters, struct cell *cell)
{
    cell->stride = (cell->last_bucket + LINE_ELEMENTS) / LINE_ELEMENTS * LINE_ELEMENTS;
    cell->first = allocate(counters, cell->stride);
    cell->memory = cell->first;
    return cell->first ? 0 : -ENOMEM;
}

static int place_counter(const struct vitals_counters *counters, struct object *object,
                         struct cell *cell)
{
    cell->stride = LINE_ELEMENTS;
    if (!object->line || object->line_used == LINE_ELEMENTS) {
        element *line = allocate(counters, LINE_ELEMENTS);

        if (!line)
            return -ENOMEM;
        object->line = line;
        object->line_used = 0;
        cell->memory = line; /* the first that uses it frees it */
    }
    cell->first = object->line + object->line_used++;
    return 0;
}

static struct cell *make_cell(const struct vitals_counters *counters, struct object *object,
                              const struct vitals_stat *stat)
{
    struct cell *cell = calloc(1, sizeof(*cell));
    int err;

    if (!cell)
        return NULL;
    cell->shard_mask = counters->n_shards - 1;
    cell->last_bucket = stat->count - 1u;
    cell->bucket_size = stat->bucket_size;
    cell->is_histogram = stat_is_histogram(stat);
    err = cell->is_histogram ? place_histogram(counters, cell)
                             : place_counter(counters, object, cell);
    if (err) {
        free(cell);
        return NULL;
    }
    cell->next = object->cells;
    object->cells = cell;
    return cell;
}

static int add_cell(struct vitals_counters *counters, const char *path,
                    const struct vitals_stat *stat, struct error_text *error,
                    struct cell **ret_cell)
{
    struct object *object;
    struct cell *cell;
    uint32_t index = 0;
    int err = find_or_add_stat(counters, stat, error, &index);

    if (err)
        return err;
    object = find_or_add_object(counters, path);
    if (!object || reserve_stat(object, index))
        return error_set(error, -ENOMEM, "no memory for a counter");
    if (object->by_stat[index])
        return error_set(error, -EEXIST, "'%s' has statistic '%s' already",
                         counters->is_vm ? "vm" : path, stat->name);
    cell = make_cell(counters, object, stat);
    if (!cell)
        return error_set(error, -ENOMEM, "no memory for a counter");
    object->by_stat[index] = cell;
    *ret_cell = cell;
    return 0;
}

/* ---- what a VMM calls ----------------------------------------------------------------------- */

static int check_path(const struct vitals_counters *counters, const char *object,
                      struct error_text *error)
{
    size_t len = object ? strnlen(object, VITALS_OBJECT_MAX + 1) : 0;

    if (counters->is_vm && object)
        return error_set(error, -EINVAL, "target 'vm' has no objects: the object must be NULL");
    if (!counters->is_vm && (!len || len > VITALS_OBJECT_MAX))
        return error_set(error, -EINVAL, "an object's path must have 1 to %d bytes",
                         VITALS_OBJECT_MAX);
    return 0;
}

static int take_stat(const struct vitals_stat *given, size_t size, const char *function,
                     struct vitals_stat *ret_stat, struct error_text *error)
{
    struct sized sized = SIZED("", struct vitals_stat, slot);
    int err;

    sized.function = function;
    err = sized_check(&sized, given, size, error);
    if (err)
        return err;
    sized_copy(&sized, given, size, ret_stat);
    if (ret_stat->slot)
        return error_set(error, -EINVAL, "slot is %u, must be 0: it is chosen here",
                         ret_stat->slot);
    if (!ret_stat->base)
        ret_stat->base = 10;
    return 0;
}

static int add_checked(struct vitals_counters *counters, const char *object,
                       const struct vitals_stat *stat, struct error_text *error,
                       struct cell **ret_cell)
{
    int err = check_path(counters, object, error);

    if (err)
        return err;
    pthread_mutex_lock(&counters->lock);
    err = add_cell(counters, object ? object : "", stat, error, ret_cell);
    pthread_mutex_unlock(&counters->lock);
    return err;
}

int vitals_counter_new_as(struct vitals_counters *counters, const char *object,
                          const struct vitals_stat *given, size_t stat_size,
                          struct vitals_counter **ret_counter)
{
    struct error_text error;
    struct vitals_stat stat;
    struct cell *cell;
    int err;

    if (!counters)
        return -EINVAL;
    err = take_stat(given, stat_size, "vitals_counter_new_as", &stat, &error);
    if (!err && stat.type != VITALS_CUMULATIVE && stat.type != VITALS_INSTANT)
        err = error_set(&error, -EINVAL, "type %u is neither cumulative nor instant", stat.type);
    if (!err && !stat.count)
        stat.count = 1;
    if (!err)
        err = add_checked(counters, object, &stat, &error, &cell);
    if (err)
        return ctx_fail(counters->ctx, err, "%s", error.text);
    *ret_counter = (struct vitals_counter *)cell;
    return 0;
}

int vitals_counter_new(struct vitals_counters *counters, const char *object, const char *name,
                       const char *help, struct vitals_counter **ret_counter)
{
    const struct vitals_stat stat = {.name = name, .help = help};

    return vitals_counter_new_as(counters, object, &stat, sizeof(stat), ret_counter);
}

int vitals_histogram_new(struct vitals_counters *counters, const char *object,
                         const struct vitals_stat *given, size_t stat_size,
                         struct vitals_histogram **ret_histogram)
{
    struct error_text error;
    struct vitals_stat stat;
    struct cell *cell;
    int err;

    if (!counters)
        return -EINVAL;
    err = take_stat(given, stat_size, "vitals_histogram_new", &stat, &error);
    if (!err && !stat_is_histogram(&stat))
        err = error_set(&error, -EINVAL, "type %u is that of no histogram", stat.type);
    if (!err)
        err = add_checked(counters, object, &stat, &error, &cell);
    if (err)
        return ctx_fail(counters->ctx, err, "%s", error.text);
    *ret_histogram = (struct vitals_histogram *)cell;
    return 0;
}

/* Under the lock. The table keeps its memory, so nothing can fail here. */
static struct object *take_object(struct vitals_counters *counters, size_t index)
{
    struct object *object = counters->objects[index];
    size_t i, n = counters->paths.count - 1;

    memmove(&counters->objects[index], &counters->objects[index + 1],
            (n - index) * sizeof(struct object *));
    paths_reset(&counters->paths);
    for (i = 0; i < n; i++)
        paths_add(&counters->paths, counters->objects[i]->path);
    return object;
}

int vitals_counters_remove(struct vitals_counters *counters, const char *path)
{
    struct object *object = NULL;
    int64_t index;

    if (!counters)
        return -EINVAL;
    pthread_mutex_lock(&counters->lock);
    index = paths_find(&counters->paths, path ? path : "");
    if (index >= 0)
        object = take_object(counters, (size_t)index);
    pthread_mutex_unlock(&counters->lock);
    if (!object)
        return ctx_fail(counters->ctx, -ENOENT, "there is no counter of '%s'", path ? path : "vm");
    free_object(object);
    return 0;
}
