/* SPDX-License-Identifier: MIT */
#include "qmp/schema_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"

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

int qmp_list_schemas(const struct qmp_session *session, const char *provider,
                     struct schema_list *ret_list)
{
    struct schema_list list;
    int err = registry_list_schemas(session->ctx, session->providers, &list);

    if (err)
        return err;
    err = sort(&list);
    drop_others(&list, provider);
    if (err)
        schema_list_free(&list);
    else
        *ret_list = list;
    return err;
}

bool schema_begins_target(const struct schema_list *list, size_t i)
{
    return i == 0 || !has_same_target(list->schemas[i - 1], list->schemas[i]);
}

bool schema_begins_provider(const struct schema_list *list, size_t i)
{
    return schema_begins_target(list, i) ||
           !has_same_provider(list->schemas[i - 1], list->schemas[i]);
}

bool schema_repeats(const struct schema_list *list, size_t i, const struct vitals_stat *stat)
{
    for (; !schema_begins_provider(list, i); i--)
        if (schema_find(list->schemas[i - 1], stat->name) >= 0)
            return true;
    return false;
}

void schema_put_help(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat)
{
    if (!question->help || !stat->help)
        return;
    buf_puts(out, ", \"help\": ");
    json_put_string(out, stat->help);
}

void schema_put_failure(struct qmp_call *call, const struct schemas_question *question,
                        const struct stats_schema *schema)
{
    int err = question->failures
                  ? registry_last_result(call->session->ctx, schema->provider, schema->target)
                  : 0;

    if (!err)
        return;
    buf_puts(call->out, ", \"failure\": ");
    json_put_string(call->out, strerror(err < 0 ? -err : err));
}
