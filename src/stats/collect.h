/* SPDX-License-Identifier: MIT */
/*
 * One query: which statistics of which objects are wanted, and the rows that the providers gave.
 * A collection is used for one query after another and then allocates nothing any more.
 */
#ifndef STATS_COLLECT_H
#define STATS_COLLECT_H

#include "base/arena.h"
#include "stats/ctx.h"
#include "stats/paths.h"
#include "stats/registry.h"

/* What a filter selects: a provider's statistics of these names. */
struct stats_filter {
    const char *provider; /* NULL: any */
    bool all_fields;
    const char *const *fields;
    size_t n_fields;
};

struct stats_request {
    const char *target;
    const struct providers *providers; /* others are as if there were none; NULL: all are shown */
    bool all_stats; /* no filters were given; an empty list of filters selects nothing */
    const struct stats_filter *filters;
    size_t n_filters;
    bool all_objects;
    const char **objects; /* sorted and made unique by stats_collect() */
    size_t n_objects;
    bool objects_sorted; /* it has done so: for requests that are answered in parts */
};

/* What one group gave. */
struct stats_part {
    struct stats_schema *schema;
    uint64_t *wanted_bits; /* by index of the statistic */
    uint32_t *wanted;      /* the indices of the wanted statistics, ascending */
    uint32_t n_wanted, wanted_cap;
    uint64_t **rows; /* by index of the object; NULL: this group has no row for it */
    size_t n_rows, rows_cap;
};

struct stats_collection {
    struct stats_request *request;
    struct path_table objects; /* in the order in which the groups named them first */
    struct stats_part *parts;  /* in the order of registration */
    size_t n_parts, parts_cap;
    struct arena rows, names;
    size_t n_names; /* in the arena; more than objects: some are of queries before */
};

/*
 * Asks the groups of the request's target. Never fails as a whole: what can't be read is left out,
 * and reported once through the log. -ENOMEM. The result lives until the next call.
 */
int stats_collect(struct stats_collection *collection, struct vitals_ctx *ctx,
                  struct stats_request *request);

void stats_collection_free(struct stats_collection *collection);

/* The schema of the group that is asked, as it was when the query came to it. */
const struct stats_schema *sink_schema(const struct vitals_sink *sink);

/* The row of object number @object, or NULL. */
static inline const uint64_t *stats_part_row(const struct stats_part *part, size_t object)
{
    return object < part->n_rows ? part->rows[object] : NULL;
}

#endif
