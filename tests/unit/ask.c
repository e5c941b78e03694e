/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <stdlib.h>

#include "check.h"
#include "base/buf.h"

enum { ASK_FILTERS_MAX = 16 };

const char ask_end[] = "";

static size_t list_len(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static size_t to_filters(const struct ask_filter *asked, struct stats_filter *filters)
{
    size_t n;

    for (n = 0; asked && asked[n].provider != ask_end; n++)
        filters[n] = (struct stats_filter){.provider = asked[n].provider,
                                           .all_fields = !asked[n].fields,
                                           .fields = asked[n].fields,
                                           .n_fields = list_len(asked[n].fields)};
    return n;
}

/* ---- the answer as text --------------------------------------------------------------------- */

static void put_value(struct buf *out, const struct vitals_stat *stat, const uint64_t *row)
{
    uint32_t i;

    buf_printf(out, "%s=", stat->name);
    if (stat_is_histogram(stat))
        buf_puts(out, "[");
    for (i = 0; i < stat->count; i++)
        buf_printf(out, "%s%llu", i ? " " : "", (unsigned long long)row[stat->slot + i]);
    if (stat_is_histogram(stat))
        buf_puts(out, "]");
}

static void put_part(struct buf *out, const struct stats_part *part, const uint64_t *row)
{
    uint32_t i;

    buf_printf(out, " %s:", part->schema->provider);
    for (i = 0; i < part->n_wanted; i++) {
        buf_puts(out, i ? "," : "");
        put_value(out, &part->schema->stats[part->wanted[i]], row);
    }
}

static void put_object(struct buf *out, const struct stats_collection *collection, size_t object)
{
    const char *path = collection->objects.paths[object];
    bool any = false;
    size_t i;

    for (i = 0; i < collection->n_parts; i++) {
        const uint64_t *row = stats_part_row(&collection->parts[i], object);

        if (!row)
            continue;
        if (!any)
            buf_printf(out, "%s%s", out->len ? "; " : "", *path ? path : "vm");
        put_part(out, &collection->parts[i], row);
        any = true;
    }
}

static void put_objects(struct buf *out, const struct stats_collection *collection)
{
    size_t i;

    for (i = collection->first; i < collection->objects.count; i++)
        put_object(out, collection, i);
}

/* ---- asking --------------------------------------------------------------------------------- */

char *ask_with(struct stats_collection *collection, struct vitals_ctx *ctx, const struct ask *asked)
{
    struct stats_filter filters[ASK_FILTERS_MAX];
    size_t n_objects = list_len(asked->objects);
    const char **objects = malloc((n_objects + 1) * sizeof(*objects));
    struct stats_request request = {.target = asked->target,
                                    .all_stats = !asked->filters,
                                    .filters = filters,
                                    .n_filters = to_filters(asked->filters, filters),
                                    .all_objects = !asked->objects,
                                    .objects = objects,
                                    .n_objects = n_objects};
    struct buf out = {0};
    int err;

    if (n_objects)
        memcpy(objects, asked->objects, n_objects * sizeof(*objects));
    err = stats_collect(collection, ctx, &request);
    if (!err)
        put_objects(&out, collection);
    while (!err && collection->n_cut) {
        err = stats_collect_more(collection, ctx, &request);
        if (!err)
            put_objects(&out, collection);
    }
    buf_append(&out, "", 1);
    free(objects);
    if (err)
        buf_free(&out);
    return out.data;
}

char *ask(struct vitals_ctx *ctx, const struct ask *asked)
{
    struct stats_collection collection = {0};
    char *text = ask_with(&collection, ctx, asked);

    stats_collection_free(&collection);
    return text;
}

char *ask_all(struct vitals_ctx *ctx, const char *target)
{
    return ask(ctx, &(const struct ask){.target = target});
}

void check_answer(struct vitals_ctx *ctx, const struct ask *asked, const char *expected,
                  const char *file, int line)
{
    char *answer = ask(ctx, asked);

    _assert_string_equal(answer ? answer : "(failed)", expected, file, line);
    free(answer);
}
