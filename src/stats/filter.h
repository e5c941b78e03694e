/* SPDX-License-Identifier: MIT */
/* From the names of a request to the indices of a schema, once per request and group. */
#ifndef STATS_FILTER_H
#define STATS_FILTER_H

#include "stats/collect.h"

/* Sets the part's wanted statistics; its schema is set. -ENOMEM. */
int filter_resolve(struct stats_part *part, const struct stats_request *request);

/* Sorts the request's objects and drops repeated ones. */
void filter_sort_objects(struct stats_request *request);

/* Whether the object was asked for. */
bool filter_wants_object(const struct stats_request *request, const char *path);

#endif
