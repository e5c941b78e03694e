/* SPDX-License-Identifier: MIT */
#include "qmp/schema_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "stats/name_set.h"

/* A schema, and the first that has its target, and its provider, too. */
struct entry {
    struct stats_schema *schema;
    size_t target, provider, index;
};

static bool has_same_target(const struct stats_schema *one, const struct stats_schema *other)
{
    return !strcmp(one->target, other->target);
}

static bool has_same_provider(const struct stats_schema *one, const struct stats_schema *other)
{
    return !strcmp(one->provider, other->provider);
}

static size_t first_target(const struct schema_list *list, size_t i)
{
    size_t first = 0;

    if (!strcmp(list->schemas[i]->target, "vcpu"))
        return 0;
    if (!strcmp(list->schemas[i]->target, "vm"))
        return 1;
    while (!has_same_target(list->schemas[first], list->schemas[i]))
        first++;
    return first + 2;
}

static size_t first_provider(const struct schema_list *list, size_t i)
{
    size_t first = 0;

    while (!has_same_provider(list->schemas[first], list->schemas[i]))
        first++;
    return first;
}

static int compare(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;

    if (one->target != other->target)
        return one->target < other->target ? -1 : 1;
    if (one->provider != other->provider)
        return one->provider < other->provider ? -1 : 1;
    return (one->index > other->index) - (one->index < other->index);
}

static int sort(struct schema_list *list)
{
    struct entry *entries = calloc(list->n + 1, sizeof(*entries));
    size_t i;

    if (!entries)
        return -ENOMEM;
    for (i = 0; i < list->n; i++)
        entries[i] =
            (struct entry){list->schemas[i], first_target(list, i), first_provider(list, i), i};
    qsort(entries, list->n, sizeof(*entries), compare);
    for (i = 0; i < list->n; i++)
        list->schemas[i] = entries[i].schema;
    free(entries);
    return 0;
}

static void drop_others(struct schema_list *list, const char *provider)
{
    size_t n = 0, i;

    for (i = 0; i < list->n; i++) {
        struct stats_schema *schema = list->schemas[i];

        if (schema->n_stats && (!provider || !strcmp(schema->provider, provider)))
            list->schemas[n++] = schema;
        else
            schema_unref(schema);
    }
    list->n = n;
}

int schemas_list(struct vitals_ctx *ctx, const struct providers *providers,
                 const struct schemas_question *question, struct schema_list *ret_list)
{
    struct schema_list list;
    int err = registry_list_schemas(ctx, providers, &list);

    if (err)
        return err;
    err = sort(&list);
    drop_others(&list, question->provider);
    if (err)
        schema_list_free(&list);
    else
        *ret_list = list;
    return err;
}

bool schema_begins_target(const struct schema_walk *walk)
{
    return walk->i == 0 ||
           !has_same_target(walk->list.schemas[walk->i - 1], walk->list.schemas[walk->i]);
}

static bool begins_provider(const struct schema_walk *walk)
{
    return schema_begins_target(walk) ||
           !has_same_provider(walk->list.schemas[walk->i - 1], walk->list.schemas[walk->i]);
}

void schema_put_help(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat)
{
    if (!question->help || !stat->help)
        return;
    buf_puts(out, ", \"help\": ");
    json_put_string(out, stat->help);
}

void schema_put_failure(struct buf *out, const struct schema_walk *walk,
                        const struct stats_schema *schema)
{
    int err = walk->question.failures && walk->ctx
                  ? registry_last_result(walk->ctx, schema->provider, schema->target)
                  : 0;

    if (!err)
        return;
    buf_puts(out, ", \"failure\": ");
    json_put_string(out, strerror(err < 0 ? -err : err));
}

/* ---- in parts ------------------------------------------------------------------------------- */

/* Of the provider and target that begins. */
static size_t count_stats(const struct schema_walk *walk, size_t *ret_schemas)
{
    struct schema_walk at = *walk;
    size_t n = 0;

    do
        n += at.list.schemas[at.i++]->n_stats;
    while (at.i < at.list.n && !begins_provider(&at));
    *ret_schemas = at.i - walk->i;
    return n;
}

/* Several groups of a provider can have the same statistic: it is described once. */
static int begin_provider(struct qmp_call *call, struct schema_walk *walk)
{
    size_t n_schemas, n = count_stats(walk, &n_schemas);

    walk->seen = NULL;
    walk->separator = "";
    if (n_schemas > 1) { /* the names of one differ */
        walk->seen = name_set_new(&call->bench->arena, n);
        if (!walk->seen)
            return -ENOMEM;
    }
    walk->form->begin_provider(call, walk);
    return 0;
}

/* False: there are more, for later. */
static bool put_stats(struct qmp_call *call, struct schema_walk *walk)
{
    const struct stats_schema *schema = walk->list.schemas[walk->i];

    for (; walk->stat < schema->n_stats; walk->stat++) {
        const struct vitals_stat *stat = &schema->stats[walk->stat];

        if (walk->stat && qmp_has_written_enough(call))
            return false;
        if (walk->seen && !name_set_add(walk->seen, NULL, stat->name))
            continue;
        buf_puts(call->out, walk->separator);
        walk->form->put_stat(call->out, &walk->question, stat);
        walk->separator = ", ";
    }
    return true;
}

/* The next schema, or some of it: 0, there is more of it. */
static int put_schema(struct qmp_call *call, struct schema_walk *walk)
{
    if (!walk->stat && begins_provider(walk) && begin_provider(call, walk))
        return -ENOMEM;
    if (!put_stats(call, walk))
        return 0;
    walk->i++;
    walk->stat = 0;
    if (walk->i == walk->list.n || begins_provider(walk))
        walk->form->end_provider(call, walk);
    return 1;
}

int schemas_put_more(struct qmp_call *call, struct schema_walk *walk)
{
    if (!walk->has_begun)
        buf_puts(call->out, walk->form->start);
    walk->has_begun = true;
    while (walk->i < walk->list.n && !call->out->failed) {
        int result = put_schema(call, walk);

        if (result <= 0)
            return result;
        if (walk->i < walk->list.n && qmp_has_worked_enough(call))
            return 0;
    }
    buf_puts(call->out, walk->form->end);
    return 1;
}

static void put_schemas(struct qmp_call *call)
{
    int result = schemas_put_more(call, call->state);

    if (result < 0)
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
    else if (!result)
        qmp_go_on_later(call, put_schemas, call->state);
}

static void drop(void *opaque)
{
    struct schema_walk *walk = opaque;

    schema_list_free(&walk->list);
}

void schemas_put(struct qmp_call *call, const struct schemas_question *question,
                 const struct schemas_form *form)
{
    struct schema_walk *walk = arena_alloc(&call->bench->arena, sizeof(*walk));

    if (walk)
        *walk =
            (struct schema_walk){.form = form, .question = *question, .ctx = call->session->ctx};
    if (!walk || schemas_list(walk->ctx, call->session->providers, question, &walk->list)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
        return;
    }
    call->state = walk;
    call->drop = drop;
    put_schemas(call);
}
