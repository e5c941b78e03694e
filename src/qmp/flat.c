/* SPDX-License-Identifier: MIT */
/* Dialect 'flat': the form of QEMU 7.1 and later. qapi/stats-flat.json is its contract. */
#include "qmp/dialect.h"

#include <errno.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "qapi_commands.h"
#include "qmp/schema_order.h"
#include "qmp/stat_names.h"
#include "qmp/stat_texts.h"
#include "qmp/stats_arguments.h"
#include "stats/filter.h"

/*
 * Each entry of `providers` is answered on its own, so a client that repeats a provider multiplies
 * the reply.
 */
enum { FLAT_PROVIDERS_MAX = 16 };

static const struct stat_form flat_form = {
    .note = VITALS_DIALECT_FLAT,
    .histogram_start = TEXT("["),
    .histogram_end = TEXT("]"),
    .boolean = {TEXT("false"), TEXT("true")},
};

/* ---- query-stats ---------------------------------------------------------------------------- */

/* A list under way: what stands between its elements. */
struct list {
    struct buf *out;
    const char *separator;
};

static void start_element(struct list *list)
{
    buf_puts(list->out, list->separator);
    list->separator = ", ";
}

static void put_result(struct list *list, const struct stats_part *part, const uint64_t *row,
                       const char *path)
{
    struct buf *out = list->out;

    start_element(list);
    buf_printf(out, "{\"provider\": \"%s\", \"stats\": ", part->schema->provider);
    stat_texts_put_row(out, &flat_form, part, row);
    if (path) {
        buf_puts(out, ", \"qom-path\": ");
        json_put_string(out, path);
    }
    buf_puts(out, "}");
}

/* What is written in parts. Each entry of `providers` is a request, or there is one for all. */
struct query {
    struct stats_request request;
    struct stats_filter filter;
    struct json_object *providers; /* NULL: all of all */
    size_t entry, n_entries;
    bool is_read;        /* what the entry wants is known */
    bool is_collected;   /* what the next rows of the entry are taken from */
    size_t part, object; /* the next row of the collection */
    struct list list;
};

/* Of the rows that are collected. False: there are more, for later. */
static bool put_rows(struct qmp_call *call, struct query *query)
{
    const struct stats_collection *collection = &call->bench->collection;
    bool is_vm = !strcmp(query->request.target, "vm");

    for (; query->part < collection->n_parts; query->part++, query->object = collection->first) {
        const struct stats_part *part = &collection->parts[query->part];

        for (; query->object < collection->objects.count; query->object++) {
            const uint64_t *row = stats_part_row(part, query->object);

            if (qmp_has_written_enough(call) || call->out->failed)
                return false;
            if (row)
                put_result(&query->list, part, row,
                           is_vm ? NULL : collection->objects.paths[query->object]);
        }
    }
    return true;
}

static int read_entry(struct qmp_call *call, struct query *query)
{
    struct stats_request *request = &query->request;
    struct json_object *entry;

    if (query->is_read)
        return 0;
    request->since_ns = clock_now_ns(); /* what waited for earlier entries has its own time, too */
    request->all_stats = !query->providers;
    if (query->providers) {
        entry = json_object_array_get_idx(query->providers, query->entry);
        if (stats_read_filter(call, entry, "names", &query->filter))
            return -ENOMEM;
        request->filters = &query->filter;
        request->n_filters = 1;
    }
    query->is_read = true;
    return filter_index(request, &call->bench->arena);
}

static int collect(struct qmp_call *call, struct query *query)
{
    struct stats_collection *collection = &call->bench->collection;
    int err = query->is_collected
                  ? stats_collect_more(collection, call->session->ctx, &query->request)
                  : stats_collect(collection, call->session->ctx, &query->request);

    query->is_collected = true;
    query->is_read = false;
    query->part = 0;
    query->object = collection->first;
    return err;
}

/* What is collected is written. False: that was all. */
static bool has_more(const struct qmp_call *call, struct query *query)
{
    if (query->is_collected && !call->bench->collection.n_cut) {
        query->entry++;
        query->is_collected = false;
    }
    return query->entry < query->n_entries;
}

static void put_results(struct qmp_call *call)
{
    struct query *query = call->state;
    int err;

    query->list.out = call->out;
    while (!query->is_collected || put_rows(call, query)) {
        if (!has_more(call, query)) {
            buf_puts(call->out, "]");
            return;
        }
        if (qmp_has_worked_enough(call))
            break;
        err = query->is_collected ? 0 : read_entry(call, query);
        if (!err && !query->is_collected &&
            !stats_is_ready(call->session->ctx, &query->request, &call->bench->hook)) {
            qmp_look_again(call, put_results, query);
            return;
        }
        if (err || collect(call, query)) {
            qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
            return;
        }
    }
    qmp_go_on_later(call, put_results, query);
}

static int start_query(struct qmp_call *call, struct json_object *providers)
{
    struct query *query = arena_alloc(&call->bench->arena, sizeof(*query));

    call->state = query;
    if (!query)
        return -ENOMEM;
    *query = (struct query){.providers = providers,
                            .n_entries = providers ? json_object_array_length(providers) : 1,
                            .list = {.separator = ""}};
    return stats_read_objects(call, &query->request);
}

static void query_stats(struct qmp_call *call)
{
    struct json_object *providers = qmp_argument(call, "providers");

    if (providers && json_object_array_length(providers) > FLAT_PROVIDERS_MAX) {
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'providers' has more than %d elements",
                 FLAT_PROVIDERS_MAX);
    } else if (start_query(call, providers)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
    } else {
        buf_puts(call->out, "[");
        put_results(call);
    }
}

/* ---- query-stats-schemas -------------------------------------------------------------------- */

static void put_unit(struct buf *out, uint8_t unit)
{
    const char *name = stat_unit_name(VITALS_DIALECT_FLAT, unit);

    if (name)
        buf_printf(out, ", \"unit\": \"%s\"", name);
}

static void put_stat(struct buf *out, const struct schemas_question *question,
                     const struct vitals_stat *stat)
{
    buf_printf(out, "{\"name\": \"%s\"", stat->name);
    put_unit(out, stat->unit);
    if (stat->exponent)
        buf_printf(out, ", \"base\": %u", stat->base);
    if (stat->type == VITALS_LINEAR_HIST)
        buf_printf(out, ", \"bucket-size\": %u", stat->bucket_size);
    buf_printf(out, ", \"exponent\": %d, \"type\": \"%s\"", stat->exponent,
               stat_type_name(VITALS_DIALECT_FLAT, stat->type));
    schema_put_help(out, question, stat);
    buf_puts(out, "}");
}

/* One entry for a provider and target, whose statistics may stand in several schemas. */
static void begin_provider(struct qmp_call *call, const struct schema_walk *walk)
{
    buf_puts(call->out, walk->i ? ", " : "");
    buf_printf(call->out, "{\"provider\": \"%s\", \"stats\": [",
               walk->list.schemas[walk->i]->provider);
}

static void end_provider(struct qmp_call *call, const struct schema_walk *walk)
{
    const struct stats_schema *last = walk->list.schemas[walk->i - 1];

    buf_printf(call->out, "], \"target\": \"%s\"", last->target);
    schema_put_failure(call->out, walk, last);
    buf_puts(call->out, "}");
}

static void query_schemas(struct qmp_call *call, const struct schemas_question *question)
{
    static const struct schemas_form form = {.start = "[",
                                             .end = "]",
                                             .begin_provider = begin_provider,
                                             .put_stat = put_stat,
                                             .end_provider = end_provider};

    schemas_put(call, question, &form);
}

const struct qmp_dialect qmp_flat = {
    .schema = &flat_schema,
    .qemu_major = 7,
    .qemu_minor = 1,
    .qemu_micro = 0,
    .query_stats = query_stats,
    .query_schemas = query_schemas,
};
