/* SPDX-License-Identifier: MIT */
/* From the names of a request to the indices of a schema, once per request and group. */
#ifndef STATS_FILTER_H
#define STATS_FILTER_H

#include "stats/collect.h"
#include "stats/name_set.h"

/* Sets the part's wanted statistics; its schema is set. -ENOMEM. */
int filter_resolve(struct stats_part *part, const struct stats_request *request);

/*
 * For requests of strangers, who may name tens of thousands: where the names are many, they are put where each
 * is found at once. Without it, each schema is searched for each name, and the objects are sorted. To be called
 * again when the filters change; the memory is the arena's. -ENOMEM.
 */
enum { FILTER_NAMES_MANY = 128 };
int filter_index(struct stats_request *request, struct arena *arena);

/* Drops repeated objects of the request, and sorts them where they have no index. */
void filter_sort_objects(struct stats_request *request);

/* Whether the object was asked for. */
bool filter_wants_object(const struct stats_request *request, const char *path);

#endif
