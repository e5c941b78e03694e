/* SPDX-License-Identifier: MIT */
/* Dialect 'flat': the form of QEMU 7.1 and later. qapi/stats-flat.json is its contract. */
#include "qmp/dialect.h"

#include <errno.h>

#include "base/json_write.h"
#include "qapi_commands.h"
#include "qmp/schema_order.h"
#include "qmp/stat_names.h"
#include "qmp/stat_texts.h"
#include "qmp/stats_arguments.h"

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

static void put_collection(struct qmp_call *call, struct list *list, bool is_vm)
{
    const struct stats_collection *collection = &call->bench->collection;
    size_t part, object;

    for (part = 0; part < collection->n_parts; part++) {
        for (object = collection->first; object < collection->objects.count; object++) {
            const uint64_t *row = stats_part_row(&collection->parts[part], object);

            if (row)
                put_result(list, &collection->parts[part], row,
                           is_vm ? NULL : collection->objects.paths[object]);
            qmp_send_early(call);
            if (call->out->failed)
                return;
        }
    }
}

/* One entry of `providers`, or NULL: all of all. */
static int answer(struct qmp_call *call, struct list *list, struct stats_request *request,
                  struct json_object *entry)
{
    struct stats_collection *collection = &call->bench->collection;
    bool is_vm = !strcmp(request->target, "vm");
    struct stats_filter filter;
    int err;

    if (entry && stats_read_filter(call, entry, "names", &filter))
        return -ENOMEM;
    request->all_stats = !entry;
    request->filters = &filter;
    request->n_filters = 1;
    err = stats_collect(collection, call->session->ctx, request);
    if (!err)
        put_collection(call, list, is_vm);
    while (!err && collection->n_cut && !call->out->failed) {
        err = stats_collect_more(collection, call->session->ctx, request);
        if (!err)
            put_collection(call, list, is_vm);
    }
    return err;
}

static int answer_each(struct qmp_call *call, struct list *list, struct stats_request *request,
                       struct json_object *providers)
{
    size_t n = json_object_array_length(providers), i;
    int err = 0;

    for (i = 0; i < n && !err && !call->out->failed; i++)
        err = answer(call, list, request, json_object_array_get_idx(providers, i));
    return err;
}

static void query_stats(struct qmp_call *call)
{
    struct json_object *providers = qmp_argument(call, "providers");
    struct list list = {.out = call->out, .separator = ""};
    struct stats_request request = {0};
    int err;

    if (providers && json_object_array_length(providers) > FLAT_PROVIDERS_MAX) {
        qmp_fail(call, QMP_GENERIC_ERROR, "Parameter 'providers' has more than %d elements",
                 FLAT_PROVIDERS_MAX);
        return;
    }
    buf_puts(call->out, "[");
    err = stats_read_objects(call, &request);
    if (!err)
        err = providers ? answer_each(call, &list, &request, providers)
                        : answer(call, &list, &request, NULL);
    if (err)
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
    buf_puts(call->out, "]");
}

/* ---- query-stats-schemas -------------------------------------------------------------------- */

static void put_unit(struct buf *out, uint8_t unit)
{
    const char *name = stat_unit_name(VITALS_DIALECT_FLAT, unit);

    if (name)
        buf_printf(out, ", \"unit\": \"%s\"", name);
}

static void put_stat(struct buf *out, const struct vitals_stat *stat)
{
    buf_printf(out, "{\"name\": \"%s\"", stat->name);
    put_unit(out, stat->unit);
    if (stat->exponent)
        buf_printf(out, ", \"base\": %u", stat->base);
    if (stat->type == VITALS_LINEAR_HIST)
        buf_printf(out, ", \"bucket-size\": %u", stat->bucket_size);
    buf_printf(out, ", \"exponent\": %d, \"type\": \"%s\"}", stat->exponent,
               stat_type_name(VITALS_DIALECT_FLAT, stat->type));
}

/* One entry for a provider and target, whose statistics may stand in several schemas. */
static size_t put_schema(struct list *list, const struct schema_list *schemas, size_t i)
{
    const struct stats_schema *first = schemas->schemas[i];
    const char *separator = "";
    struct buf *out = list->out;
    uint32_t stat;

    start_element(list);
    buf_printf(out, "{\"provider\": \"%s\", \"stats\": [", first->provider);
    do {
        const struct stats_schema *schema = schemas->schemas[i];

        for (stat = 0; stat < schema->n_stats; stat++) {
            if (schema_repeats(schemas, i, &schema->stats[stat]))
                continue;
            buf_puts(out, separator);
            put_stat(out, &schema->stats[stat]);
            separator = ", ";
        }
    } while (++i < schemas->n && !schema_begins_provider(schemas, i));
    buf_printf(out, "], \"target\": \"%s\"}", first->target);
    return i;
}

static void query_schemas(struct qmp_call *call, const char *provider)
{
    struct list list = {.out = call->out, .separator = ""};
    struct schema_list schemas;
    size_t i = 0;

    if (qmp_list_schemas(call->session, provider, &schemas)) {
        qmp_fail(call, QMP_GENERIC_ERROR, "out of memory");
        return;
    }
    buf_puts(call->out, "[");
    while (i < schemas.n)
        i = put_schema(&list, &schemas, i);
    buf_puts(call->out, "]");
    schema_list_free(&schemas);
}

const struct qmp_dialect qmp_flat = {
    .schema = &flat_schema,
    .qemu_major = 7,
    .qemu_minor = 1,
    .qemu_micro = 0,
    .query_stats = query_stats,
    .query_schemas = query_schemas,
};
