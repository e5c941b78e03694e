/* SPDX-License-Identifier: MIT */
/*
 * A reply to query-stats-schemas, in parts: vCPUs, the VM, then other targets in the order in which they were
 * registered. Schemas of one provider and target stand together, and a statistic that several of them have is
 * there once.
 */
#ifndef QMP_SCHEMA_ORDER_H
#define QMP_SCHEMA_ORDER_H

#include "qmp/dialect.h"
#include "qmp/session.h"
#include "stats/registry.h"

struct schema_walk;

/* How a dialect writes it. */
struct schemas_form {
    const char *start, *end;
    /* Around the statistics of a provider and target, between which stands ", ". */
    void (*begin_provider)(struct qmp_call *call, const struct schema_walk *walk);
    void (*put_stat)(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat);
    void (*end_provider)(struct qmp_call *call, const struct schema_walk *walk);
};

/* Where it has come to. */
struct schema_walk {
    const struct schemas_form *form;
    struct schemas_question question;
    struct vitals_ctx *ctx; /* whose failures are told; NULL: nobody's */
    struct schema_list list;
    bool has_begun;
    size_t
        i; /* the schema that follows: of begin_provider() the first, of end_provider() one behind */
    uint32_t stat;         /* of it */
    struct name_set *seen; /* names of the provider and target; NULL: they have one schema */
    const char *separator;
};

/*
 * What a context shows by these providers (NULL: all) in the order of a reply, but for those of which the
 * question wants nothing. -ENOMEM.
 */
int schemas_list(struct vitals_ctx *ctx, const struct providers *providers,
                 const struct schemas_question *question, struct schema_list *ret_list);

/*
 * The next part of what a walk writes, which has a form, a question and a list. 1: that was all; 0: more follows
 * in a later turn; -ENOMEM.
 */
int schemas_put_more(struct qmp_call *call, struct schema_walk *walk);

/* Answers the call. */
void schemas_put(struct qmp_call *call, const struct schemas_question *question,
                 const struct schemas_form *form);

/* Whether schema number i of the walk begins a target. */
bool schema_begins_target(const struct schema_walk *walk);

/* Members that are there only if they are asked for, each with a ", " in front. */
void schema_put_help(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat);
void schema_put_failure(struct buf *out, const struct schema_walk *walk,
                        const struct stats_schema *schema);

#endif
