/* SPDX-License-Identifier: MIT */
/*
 * Schemas that several contexts share, found by the bytes they were made from: the descriptors of a
 * kernel's statistics file are the same for every vCPU of a host.
 */
#ifndef STATS_SCHEMA_POOL_H
#define STATS_SCHEMA_POOL_H

#include <stddef.h>

#include "stats/schema.h"

struct schema_pool;

struct schema_pool *schema_pool_new(void); /* NULL: no memory */
struct schema_pool *schema_pool_ref(struct schema_pool *pool);
void schema_pool_unref(struct schema_pool *pool);

/* What a schema was made from. */
struct schema_source {
    const char *provider, *target;
    uint32_t form; /* how the bytes are to be read: equal bytes of two forms are two sources */
    const void *bytes;
    size_t size;
};

/* A new reference to the schema that was made from @source, or NULL. */
struct stats_schema *schema_pool_find(struct schema_pool *pool, const struct schema_source *source);

/*
 * Keeps @schema for others to find, unless another thread was faster. Returns a new reference to the
 * one that is kept, or NULL: no memory.
 */
struct stats_schema *schema_pool_add(struct schema_pool *pool, const struct schema_source *source,
                                     struct stats_schema *schema);

#endif
