/* SPDX-License-Identifier: MIT */
/* From the arguments of query-stats to a request. What is made lives in the workbench's arena. */
#ifndef QMP_STATS_ARGUMENTS_H
#define QMP_STATS_ARGUMENTS_H

#include "qmp/call.h"

/* Sets what all dialects have: target and objects, by `vcpus` or `objects`, of what is shown. -ENOMEM. */
int stats_read_objects(struct qmp_call *call, struct stats_request *request);

/*
 * Reads one filter, an object with optional members `provider` and @names (its name: "fields",
 * "names"). -ENOMEM.
 */
int stats_read_filter(struct qmp_call *call, struct json_object *object, const char *names,
                      struct stats_filter *filter);

#endif
