/* SPDX-License-Identifier: MIT */
/*
 * Counters and histograms that the library owns. A VMM adds a statistic in one line, and counts in
 * another, from any thread:
 *
 *      vitals_counters_new(ctx, "virtio", "vm", &virtio);
 *
 *      vitals_counter_new(virtio, NULL, "blk_requests", "Requests of the disk.", &disk->requests);
 *      vitals_counter_add(disk->requests, 1);
 *
 * There is no collect() to write: the library answers queries. To count takes no lock and no system
 * call. Each CPU has values of its own, which a query adds up, so threads that count the same thing at
 * the same time don't slow each other down: it costs some nanoseconds, whoever else counts. A query sees each addition once it is made; of two, it may see the later one alone.
 *
 * What could not be made may be NULL wherever it is passed: then nothing is counted, and what adds or
 * removes something is -EINVAL. So a VMM that sets its pointers to NULL at first may leave the results
 * of these calls unread.
 */
#ifndef VITALS_COUNTERS_H
#define VITALS_COUNTERS_H

#include "vitals/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vitals_counters;  /* the counters and histograms of one provider and target */
struct vitals_counter;   /* a number of one object */
struct vitals_histogram; /* a histogram of one object */

/*
 * A group without statistics, which are added one by one. -EINVAL, -E2BIG, -EEXIST, -ENOMEM as
 * vitals_register().
 */
int vitals_counters_new(struct vitals_ctx *ctx, const char *provider, const char *target,
                        struct vitals_counters **ret_counters);

/*
 * Unregisters the group, and frees all its counters and histograms: no thread may count in them any
 * more. Before vitals_ctx_free(). -EBUSY from inside collect(). NULL is allowed.
 */
int vitals_counters_free(struct vitals_counters *counters);

/* For vitals_object_add() and vitals_object_remove(), which give objects a number. Stays the library's. */
struct vitals_group *vitals_counters_group(struct vitals_counters *counters);

/*
 * A number of events. @object: NULL for target "vm", else the path of the object that it belongs to.
 * The first call with a name makes it a statistic of all objects of @counters, in the order of these
 * calls; an object that has no counter of it shows 0. @help: one sentence for people, or NULL.
 *
 * -EEXIST: the object has this statistic already (so a device that is reset keeps the counter that it
 * has, which goes on counting, or removes its object first), or others have it with another description;
 * -EINVAL, -E2BIG: as vitals_register(); -ENOMEM. A new statistic costs time that grows with the
 * number that there are; another object of one that is there does not.
 */
int vitals_counter_new(struct vitals_counters *counters, const char *object, const char *name,
                       const char *help, struct vitals_counter **ret_counter);

/*
 * A number of any unit and scale, VITALS_CUMULATIVE or VITALS_INSTANT. @stat_size: sizeof(*stat).
 * Of @stat, slot must be 0, and is chosen here; base 0 means 10, and count 0 means 1.
 */
int vitals_counter_new_as(struct vitals_counters *counters, const char *object,
                          const struct vitals_stat *stat, size_t stat_size,
                          struct vitals_counter **ret_counter);

/* A histogram, as above. Its buckets are @stat->count. */
int vitals_histogram_new(struct vitals_counters *counters, const char *object,
                         const struct vitals_stat *stat, size_t stat_size,
                         struct vitals_histogram **ret_histogram);

/* Frees what the object has: no thread may count in it any more. -ENOENT: it has nothing. */
int vitals_counters_remove(struct vitals_counters *counters, const char *object);

/* Adds to the number. One that is VITALS_INSTANT goes down by (uint64_t)-1. NULL: nothing happens. */
void vitals_counter_add(struct vitals_counter *counter, uint64_t n);

/* Counts @value, in the unit and scale of the histogram, in its bucket. NULL: nothing happens. */
void vitals_histogram_observe(struct vitals_histogram *histogram, uint64_t value);

#ifdef __cplusplus
}
#endif
#endif
