/* SPDX-License-Identifier: MIT */
/*
 * A schema: the descriptions of the statistics of one group. Never changed after it was made, counted
 * by references, and so shared by any number of groups, contexts and threads.
 */
#ifndef STATS_SCHEMA_H
#define STATS_SCHEMA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vitals/stats.h"

/* An enum only grows: a new last value is told here, and tables that lack it are no longer built. */
enum { STAT_TYPES = VITALS_LOG_HIST + 1, STAT_UNITS = VITALS_BOOLEAN + 1 };

/* What a reader of schemas, such as a dialect, makes of one once and wants to find again. */
struct schema_note {
    void (*free)(struct schema_note *note);
};
enum { SCHEMA_NOTES = 4 };

struct stats_schema {
    atomic_uint refs;
    const char *provider, *target;
    uint32_t n_stats, row_len;
    const uint32_t *by_name;       /* indices of the statistics, sorted by name */
    const uint32_t *counter_slots; /* of those that are cumulative */
    uint32_t n_counters;
    _Atomic(struct schema_note *) notes[SCHEMA_NOTES];
    struct vitals_stat stats[]; /* strings and numbers stand behind it, in the same allocation */
};

/* Copies what @ops describes. -EINVAL, -E2BIG, -EEXIST (a name twice), -ENOMEM, and the text. */
int schema_new(const struct vitals_group_ops *ops, struct error_text *error,
               struct stats_schema **ret_schema);
struct stats_schema *schema_ref(struct stats_schema *schema);
void schema_unref(struct stats_schema *schema); /* NULL is allowed */

/* The index of the statistic @name, or -1. */
int64_t schema_find(const struct stats_schema *schema, const char *name);

/* Whether @name can be that of a provider, target or statistic (@what); if not, -EINVAL or -E2BIG. */
int schema_check_name(const char *what, const char *name, struct error_text *error);

/* Whether @stat is described as the public header asks; if not, says why. */
int schema_check_stat(const struct vitals_stat *stat, uint32_t row_len, struct error_text *error);

/* Whether they describe the same rows: one can stand for the other. */
bool schema_is_equal(const struct stats_schema *one, const struct stats_schema *other);

/*
 * A statistic of @schema that @other describes in another way: its name can't stand for both. NULL: there is
 * none. The slots don't matter.
 */
const struct vitals_stat *schema_find_conflict(const struct stats_schema *schema,
                                               const struct stats_schema *other);

/*
 * Hands @note over to @schema as its note number @slot, and returns the note that stands there: of
 * two threads that bring one at the same time, the first wins and the other's is freed.
 */
struct schema_note *schema_keep_note(struct stats_schema *schema, unsigned slot,
                                     struct schema_note *note);

static inline struct schema_note *schema_get_note(struct stats_schema *schema, unsigned slot)
{
    return atomic_load_explicit(&schema->notes[slot], memory_order_acquire);
}

static inline bool stat_is_histogram(const struct vitals_stat *stat)
{
    return stat->type == VITALS_LINEAR_HIST || stat->type == VITALS_LOG_HIST;
}

#endif
