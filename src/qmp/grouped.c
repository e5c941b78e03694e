/* SPDX-License-Identifier: MIT */
/* Dialect 'grouped': the form of the 2022 proposal. qapi/stats-grouped.json is its contract. */
#include "qmp/grouped.h"

#include <errno.h>

#include "base/json_write.h"
#include "qapi_commands.h"
#include "qmp/stat_names.h"
#include "qmp/stat_texts.h"
#include "qmp/stats_arguments.h"
#include "stats/filter.h"

static const struct stat_form grouped_form = {
    .note = VITALS_DIALECT_GROUPED,
    .histogram_start = TEXT("{\"values\": ["),
    .histogram_end = TEXT("]}"),
    .boolean = {TEXT("0"), TEXT("1")},
};

/* ---- query-stats ---------------------------------------------------------------------------- */

static int read_filters(struct qmp_call *call, struct stats_request *request)
{
    struct json_object *array = qmp_argument(call, "filters");
    struct stats_filter *filters;
    size_t n, i;

    request->all_stats = !array;
    if (!array)
        return 0;
    n = json_object_array_length(array);
    filters = arena_alloc(&call->bench->arena, n * sizeof(*filters));
    if (!filters)
        return -ENOMEM;
    for (i = 0; i < n; i++)
        if (stats_read_filter(call, json_object_array_get_idx(array, i), "fields", &filters[i]))
            return -ENOMEM;
    request->filters = filters;
    request->n_filters = n;
    return 0;
}

/* The providers that have something for object number @object, as the list [{provider, stats}]. */
static void put_providers(struct buf *out, const struct stats_collection *collection, size_t object)
{
    const char *separator = "";
    size_t i;

    buf_puts(out, "[");
    for (i = 0; i < collection->n_parts; i++) {
        const struct stats_part *part = &collection->parts[i];
        const uint64_t *row = stats_part_row(part, object);

        if (!row)
            continue;
        buf_puts(out, separator);
        buf_puts(out, "{\"provider\": \"");
        buf_puts(out, part->schema->provider);
        buf_puts(out, "\", \"stats\": ");
        stat_texts_put_row(out, &grouped_form, part, row);
        buf_puts(out, "}");
        separator = ", ";
    }
    buf_puts(out, "]");
}

static bool has_rows(const struct stats_collection *collection, size_t object)
{
    size_t i;

    for (i = 0; i < collection->n_parts; i++)
        if (stats_part_row(&collection->parts[i], object))
            return true;
    return false;
}

static void put_object(struct qmp_call *call, struct grouped_query *query)
{
    const struct stats_collection *collection = &call->bench->collection;
    struct buf *out = call->out;

    buf_puts(out, query->separator);
    buf_puts(out, "{\"path\": ");
    json_put_string(out, collection->objects.paths[query->object]);
    buf_puts(out, ", \"providers\": ");
    put_providers(out, collection, query->object);
    buf_puts(out, "}");
    query->separator = ", ";
}

/* Of those that are collected. False: there are more, for later. */
static bool put_objects(struct qmp_call *call, struct grouped_query *query)
{
    const struct stats_collection *collection = &call->bench->collection;

    for (; query->object < collection->objects.count && !call->out->failed; query->object++) {
        if (!has_rows(collection, query->object))
            continue;
        if (qmp_has_written_enough(call))
            return false;
        put_object(call, query);
    }
    return true;
}

int grouped_put_more(struct qmp_call *call, struct grouped_query *query, struct vitals_ctx *ctx)
{
    struct stats_collection *collection = &call->bench->collection;

    while (put_objects(call, query) && !call->out->failed) {
        if (!collection->n_cut || !ctx) {
            buf_puts(call->out, "]}");
            return 1;
        }
        if (qmp_has_worked_enough(call))
            break;
        if (stats_collect_more(collection, ctx, &query->request))
            return -ENOMEM;
    }
    return 0;
}

/* The VM is the only object of its target. */
static void put_vm(struct buf *out, const struct stats_collection *collection)
{
    buf_puts(out, "{\"vm\": ");
    put_providers(out, collection, 0);
    buf_puts(out, "}");
}

/* The name of a target is that of its list, but for vCPUs. */
static void begin_target(struct buf *out, const char *target)
{
    buf_printf(out, "{\"%s\": [", strcmp(target, "vcpu") ? target : "vcpus");
}

int grouped_read(struct qmp_call *call, struct grouped_query *ret_query)
{
    struct stats_request *request = &ret_query->request;
    int err;

    *ret_query = (struct grouped_query){0};
    err = stats_read_objects(call, request);
    if (!err)
        err = read_filters(call, request);
    return err ? err : filter_index(request, &call->bench->arena);
}

int grouped_put(struct qmp_call *call, struct grouped_query *query, struct vitals_ctx *ctx)
{
    struct stats_collection *collection = &call->bench->collection;

    if (stats_collect(collection, ctx, &query->request))
        return -ENOMEM;
    if (!strcmp(query->request.target, "vm")) {
        put_vm(call->out, collection);
        return 1;
    }
    query->object = 0;
    query->separator = "";
    begin_target(call->out, query->request.target);
    return grouped_put_more(call, query, ctx);
}

static void go_on(struct qmp_call *call);

static void end_part(struct qmp_call *call, int result)
{
    if (result < 0)
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
    else if (!result)
        qmp_go_on_later(call, go_on, call->state);
}

static void go_on(struct qmp_call *call)
{
    end_part(call, grouped_put_more(call, call->state, call->session->ctx));
}

static void answer(struct qmp_call *call)
{
    struct grouped_query *query = call->state;

    if (!stats_is_ready(call->session->ctx, &query->request, &call->bench->hook))
        qmp_look_again(call, answer, query);
    else
        end_part(call, grouped_put(call, query, call->session->ctx));
}

static void query_stats(struct qmp_call *call)
{
    struct grouped_query *query = arena_alloc(&call->bench->arena, sizeof(*query));

    if (!query || grouped_read(call, query)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
        return;
    }
    call->state = query;
    answer(call);
}

/* ---- query-stats-schemas -------------------------------------------------------------------- */

static void put_stat(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat)
{
    buf_printf(out, "{\"name\": \"%s\", \"unit\": \"%s\", \"base\": \"%s\"", stat->name,
               stat_unit_name(VITALS_DIALECT_GROUPED, stat->unit),
               stat->base == 2 ? "pow2" : "pow10");
    if (stat->type == VITALS_LINEAR_HIST)
        buf_printf(out, ", \"bucket-size\": %u", stat->bucket_size);
    buf_printf(out, ", \"exponent\": %d, \"type\": \"%s\"", stat->exponent,
               stat_type_name(VITALS_DIALECT_GROUPED, stat->type));
    schema_put_help(out, question, stat);
    buf_puts(out, "}");
}

static void begin_provider(struct qmp_call *call, const struct schema_walk *walk)
{
    const struct stats_schema *schema = walk->list.schemas[walk->i];

    buf_puts(call->out, walk->i ? ", " : "");
    if (schema_begins_target(walk))
        buf_printf(call->out, "\"%s\": [", schema->target);
    buf_printf(call->out, "{\"provider\": \"%s\", \"stats\": [", schema->provider);
}

static void end_provider(struct qmp_call *call, const struct schema_walk *walk)
{
    buf_puts(call->out, "]");
    schema_put_failure(call->out, walk, walk->list.schemas[walk->i - 1]);
    buf_puts(call->out, "}");
    if (walk->i == walk->list.n || schema_begins_target(walk))
        buf_puts(call->out, "]");
}

const struct schemas_form grouped_schemas = {.start = "{",
                                             .end = "}",
                                             .begin_provider = begin_provider,
                                             .put_stat = put_stat,
                                             .end_provider = end_provider};

static void query_schemas(struct qmp_call *call, const struct schemas_question *question)
{
    schemas_put(call, question, &grouped_schemas);
}

const struct qmp_dialect qmp_grouped = {
    .schema = &grouped_schema,
    .qemu_major = 7,
    .qemu_minor = 0,
    .qemu_micro = 0,
    .query_stats = query_stats,
    .query_schemas = query_schemas,
};
