/* SPDX-License-Identifier: MIT */
/* The schemas of a reply to query-stats-schemas, in its order. */
#ifndef QMP_SCHEMA_ORDER_H
#define QMP_SCHEMA_ORDER_H

#include "qmp/dialect.h"
#include "qmp/session.h"
#include "stats/registry.h"

/*
 * What the session shows, of @provider or with NULL of all: vCPUs, the VM, then other targets in the order in
 * which they were registered. Schemas of one provider and target stand together. -ENOMEM.
 */
int qmp_list_schemas(const struct qmp_session *session, const char *provider,
                     struct schema_list *ret_list);

/* Members that are there only if they are asked for, each with a ", " in front. */
void schema_put_help(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat);
void schema_put_failure(struct qmp_call *call, const struct schemas_question *question,
                        const struct stats_schema *schema);

/* Whether number @i begins a target; and a provider of it. */
bool schema_begins_target(const struct schema_list *list, size_t i);
bool schema_begins_provider(const struct schema_list *list, size_t i);

/*
 * Several groups of a provider can have the same statistic: whether an earlier schema of the provider and target
 * of number @i has it already.
 */
bool schema_repeats(const struct schema_list *list, size_t i, const struct vitals_stat *stat);

#endif
