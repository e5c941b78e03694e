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

struct name_set;

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
    const char **objects; /* made unique, and sorted if they are few, by stats_collect() */
    size_t n_objects;
    struct name_set *names, *object_names; /* where they are many, see filter_index() */
    /* Groups that may block run apart, see stats_is_ready(); 0: they are left out, nobody waits. */
    uint64_t since_ns;
    bool objects_sorted; /* the objects are as said: for requests that are answered in parts */
};

/* What the groups of one schema gave: most often it is one. */
struct stats_part {
    struct stats_schema *schema;
    size_t
        sibling; /* while it is made: number + 1 of an earlier part of the same provider; 0: none */
    uint64_t *wanted_bits; /* by index of the statistic */
    uint32_t *wanted;      /* the indices of the wanted statistics, ascending */
    uint32_t n_wanted, wanted_cap;
    size_t first;    /* the object of the first row */
    uint64_t **rows; /* of the objects from there on; NULL: this group has no row for it */
    size_t n_rows, rows_cap;
};

/*
 * Bytes of rows at a time that whoever answers strangers holds; more only where the rows of one object
 * are. And those that are kept for the next query: 1000 vCPUs of KVM take 2.5 MB.
 */
enum { STATS_ROWS_MAX = 4 << 20, STATS_ROWS_KEPT = 4 << 20, STATS_NAMES_KEPT = 256 << 10 };

/* What the table of objects takes of each, beside its name: it counts as rows. */
enum { STATS_OBJECT_SIZE = 64 };

struct stats_collection {
    struct stats_request *request;
    struct path_table objects; /* in the order in which the groups named them first */
    size_t first;              /* those before it were given before, see stats_collect_more() */
    size_t rows_max;           /* bytes of rows at a time; 0: all. To be set before there are any */
    size_t objects_max;        /* at a time: as many as have room; at least one */
    size_t rows_size;          /* bytes of rows that there are, and of the names of their objects */
    size_t objects_size;       /* of these, the names */
    bool is_full;              /* more rows were asked for than have room: it begins again */
    size_t object_size;        /* bytes of the rows of one object, where all groups have it */
    size_t n_cut;              /* times that a new object had no room */
    size_t end;                /* objects that the whole answer has at most; 0: not known yet */
    struct stats_part *parts;  /* in the order of registration */
    size_t n_parts, parts_cap;
    struct arena rows, names;
    size_t n_names; /* in the arena; more than objects: some are of queries before */
    size_t *given;  /* the objects whose rows a group gave to a part that has those of others */
    size_t n_given, given_cap;
};

struct thread_hook;

/*
 * Whether all groups that may block have what the request asks of them, or can't be waited for any
 * longer: then stats_collect() is called, with the same since_ns, which says when the request began.
 * Else ask again soon. Never waits.
 */
bool stats_is_ready(struct vitals_ctx *ctx, const struct stats_request *request,
                    const struct thread_hook *hook);

/*
 * All that one group has, up to VITALS_APART_ROWS_MAX bytes of rows: they are kept for whoever asks
 * next, so no query bounds them. -ENOMEM, or what its collect() returned.
 */
int stats_collect_group(struct stats_collection *collection, const struct group_pin *pin);

/*
 * Asks the groups of the request's target. Never fails as a whole: what can't be read is left out,
 * and reported once through the log. -ENOMEM. The result lives until the next call of one of these.
 */
int stats_collect(struct stats_collection *collection, struct vitals_ctx *ctx,
                  struct stats_request *request);

/*
 * The objects of the same request that had no room before, where rows_max is set: the result is of
 * those from `first` on. To be called while n_cut is not 0. Objects that are new since the first call
 * may be left out.
 */
int stats_collect_more(struct stats_collection *collection, struct vitals_ctx *ctx,
                       struct stats_request *request);

/* The result is not needed any more: gives rows back beyond what the usual query takes. */
void stats_collection_trim(struct stats_collection *collection);

void stats_collection_free(struct stats_collection *collection);
size_t
stats_collection_memory(const struct stats_collection *collection); /* bytes, but for little */

/* The schema of the group that is asked, as it was when the query came to it. */
const struct stats_schema *sink_schema(const struct vitals_sink *sink);

/* The row of object number @object, or NULL. */
static inline const uint64_t *stats_part_row(const struct stats_part *part, size_t object)
{
    size_t i = object - part->first;

    return i < part->n_rows ? part->rows[i] : NULL;
}

#endif
