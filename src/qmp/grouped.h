/* SPDX-License-Identifier: MIT */
/*
 * Dialect 'grouped' for who answers for many contexts in one reply: each is named by the caller, and none is
 * the session's.
 */
#ifndef QMP_GROUPED_H
#define QMP_GROUPED_H

#include "qmp/schema_order.h"

/* What is written in parts. */
struct grouped_query {
    struct stats_request request;
    size_t object; /* the next one of the collection */
    const char *separator;
};

/* Reads the arguments of query-stats, once for all contexts. -ENOMEM. */
int grouped_read(struct qmp_call *call, struct grouped_query *ret_query);

/*
 * What query-stats returns of @ctx, from its begin, or what follows of that in a later turn. NULL: there is
 * no context any more, and what has been collected is all. 1: it is complete; 0: more follows in a later turn;
 * -ENOMEM.
 */
int grouped_put(struct qmp_call *call, struct grouped_query *query, struct vitals_ctx *ctx);
int grouped_put_more(struct qmp_call *call, struct grouped_query *query, struct vitals_ctx *ctx);

extern const struct schemas_form grouped_schemas;

#endif
