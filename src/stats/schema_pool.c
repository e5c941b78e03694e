/* SPDX-License-Identifier: MIT */
#include "stats/schema_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pooled_schema {
    struct pooled_schema *next;
    struct stats_schema *schema;
    uint32_t form;
    size_t size;
    char bytes[];
};

/* A list: a kernel has one schema for each target. */
struct schema_pool {
    atomic_uint refs;
    pthread_mutex_t lock;
    struct pooled_schema *schemas;
};

struct schema_pool *schema_pool_new(void)
{
    struct schema_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return NULL;
    atomic_init(&pool->refs, 1);
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

struct schema_pool *schema_pool_ref(struct schema_pool *pool)
{
    atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return pool;
}

void schema_pool_unref(struct schema_pool *pool)
{
    struct pooled_schema *next;

    if (!pool || atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (; pool->schemas; pool->schemas = next) {
        next = pool->schemas->next;
        schema_unref(pool->schemas->schema);
        free(pool->schemas);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static bool is_made_from(const struct pooled_schema *pooled, const struct schema_source *source)
{
    return pooled->form == source->form && pooled->size == source->size &&
           !memcmp(pooled->bytes, source->bytes, source->size) &&
           !strcmp(pooled->schema->target, source->target) &&
           !strcmp(pooled->schema->provider, source->provider);
}

/* Under the lock. */
static struct stats_schema *find(struct schema_pool *pool, const struct schema_source *source)
{
    struct pooled_schema *pooled;

    for (pooled = pool->schemas; pooled; pooled = pooled->next)
        if (is_made_from(pooled, source))
            return schema_ref(pooled->schema);
    return NULL;
}

struct stats_schema *schema_pool_find(struct schema_pool *pool, const struct schema_source *source)
{
    struct stats_schema *schema;

    pthread_mutex_lock(&pool->lock);
    schema = find(pool, source);
    pthread_mutex_unlock(&pool->lock);
    return schema;
}

static struct pooled_schema *new_pooled(const struct schema_source *source,
                                        struct stats_schema *schema)
{
    struct pooled_schema *pooled = malloc(sizeof(*pooled) + source->size);

    if (!pooled)
        return NULL;
    pooled->schema = schema_ref(schema);
    pooled->form = source->form;
    pooled->size = source->size;
    memcpy(pooled->bytes, source->bytes, source->size);
    return pooled;
}

/* Under the lock. */
static struct stats_schema *add(struct schema_pool *pool, const struct schema_source *source,
                                struct stats_schema *schema)
{
    struct pooled_schema *pooled = new_pooled(source, schema);

    if (!pooled)
        return NULL;
    pooled->next = pool->schemas;
    pool->schemas = pooled;
    return schema_ref(schema);
}

struct stats_schema *schema_pool_add(struct schema_pool *pool, const struct schema_source *source,
                                     struct stats_schema *schema)
{
    struct stats_schema *kept;

    pthread_mutex_lock(&pool->lock);
    kept = find(pool, source);
    if (!kept)
        kept = add(pool, source, schema);
    pthread_mutex_unlock(&pool->lock);
    return kept;
}
