/* SPDX-License-Identifier: MIT */
#include "client/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/internal.h"
#include "client/reply.h"
#include "stats/collect.h"
#include "stats/histogram.h"

/* Where the statistics of a schema are among the client's. */
struct local_schema {
    struct stats_schema *schema;
    size_t first;
};

struct local {
    struct client_local options;
    struct stats_collection collection;
    struct object_list vcpus;
    struct local_schema *schemas;
    size_t n_schemas;
};

/* ---- statistics ----------------------------------------------------------------------------- */

static const struct client_stat *stats_of(const struct client *client,
                                          const struct stats_schema *schema)
{
    const struct local *local = client->local;

    for (size_t i = 0; i < local->n_schemas; i++)
        if (local->schemas[i].schema == schema)
            return &client->stats[local->schemas[i].first];
    return NULL;
}

static int add_schema(struct client *client, struct stats_schema *schema, const char *target)
{
    struct local *local = client->local;
    struct local_schema *schemas =
        reallocarray(local->schemas, local->n_schemas + 1, sizeof(*schemas));
    struct client_stat *stats =
        reallocarray(client->stats, client->n_stats + schema->n_stats + 1, sizeof(*stats));

    if (schemas)
        local->schemas = schemas;
    if (stats)
        client->stats = stats;
    if (!schemas || !stats)
        return -ENOMEM;
    schemas[local->n_schemas++] = (struct local_schema){schema_ref(schema), client->n_stats};
    for (uint32_t i = 0; i < schema->n_stats; i++) {
        struct client_stat stat = {schema->stats[i], schema->provider, target};

        stat.desc.help = NULL;
        stat.desc.count = 0;
        stat.desc.slot = 0;
        if (stat.desc.unit == VITALS_BOOLEAN)
            stat.desc.unit = VITALS_NONE;
        client->stats[client->n_stats++] = stat;
    }
    return 0;
}

bool local_has_news(const struct client *client)
{
    struct group_walk walk = {0};
    struct group_pin pin;
    bool has = false;

    while (!has && registry_pin_next(client->local->options.ctx, NULL, &walk, &pin)) {
        has = pin.schema->n_stats && !stats_of(client, pin.schema);
        registry_unpin(&pin);
    }
    return has;
}

static int add_schemas(struct client *client, const char *target)
{
    struct group_walk walk = {0};
    struct group_pin pin;
    int err = 0;

    while (!err && registry_pin_next(client->local->options.ctx, target, &walk, &pin)) {
        err = stats_of(client, pin.schema) ? 0 : add_schema(client, pin.schema, target);
        registry_unpin(&pin);
    }
    return err;
}

/* The targets beside "vm" and "vcpu". */
static int add_targets(struct client *client)
{
    struct group_walk walk = {0};
    struct group_pin pin;
    int err = 0;

    while (!err && registry_pin_next(client->local->options.ctx, NULL, &walk, &pin)) {
        err = client_add_target(client, pin.schema->target);
        registry_unpin(&pin);
    }
    return err;
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

int local_read_vcpus(struct client *client)
{
    struct local *local = client->local;
    struct object_list *list = &local->vcpus;
    uint64_t changes = list->changes;
    int err = objects_list(&local->options.ctx->objects, "vcpu", list);

    if (err || (changes == list->changes && client->n_vcpus == list->n))
        return err;
    err = client_reserve_vcpus(client, list->n);
    for (size_t i = 0; i < list->n && !err; i++)
        client->vcpus[client->n_vcpus++] =
            (struct client_vcpu){list->objects[i].path, list->objects[i].number,
                                 list->objects[i].thread, CLIENT_UNKNOWN};
    client_sort_vcpus(client);
    return err;
}

enum client_state local_state(const struct client *client, int64_t vcpu)
{
    const struct client_local *options = &client->local->options;

    return options->state ? options->state(options->opaque, vcpu) : CLIENT_UNKNOWN;
}

/* ---- a query -------------------------------------------------------------------------------- */

/* NULL: none of these can be. */
static const bool *wanted_of(const struct query *query, const struct client_stat *stats)
{
    return stats ? &query->request->wanted[stats - query->client->stats] : NULL;
}

/* Of all schemas that an object may have values of. */
static size_t count_wanted(const struct query *query)
{
    const struct stats_collection *collection = &query->client->local->collection;
    size_t n = 0;

    for (size_t i = 0; i < collection->n_parts; i++) {
        const struct stats_schema *schema = collection->parts[i].schema;
        const bool *wanted = wanted_of(query, stats_of(query->client, schema));

        for (uint32_t j = 0; wanted && j < schema->n_stats; j++)
            n += wanted[j];
    }
    return n;
}

static int add_values(const struct query *query, const struct stats_part *part, const uint64_t *row,
                      struct client_object *object)
{
    const struct client_stat *stats = stats_of(query->client, part->schema);
    const bool *wanted = wanted_of(query, stats);
    size_t size = part->schema->row_len * sizeof(*row);
    uint64_t *copy;

    if (!stats)
        return 0;
    copy = arena_alloc(&query->snapshot->arena, size);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, row, size);
    for (uint32_t i = 0; i < part->schema->n_stats; i++) {
        const struct vitals_stat *desc = &part->schema->stats[i];

        if (wanted[i])
            object->values[object->n_values++] =
                (struct client_value){&stats[i], &copy[desc->slot], desc->count};
    }
    return 0;
}

static int add_object(const struct query *query, size_t index, size_t n_wanted)
{
    const struct stats_collection *collection = &query->client->local->collection;
    struct client_snapshot *snapshot = &query->snapshot->public;
    struct arena *arena = &query->snapshot->arena;
    const char *path = collection->objects.paths[index];
    const struct client_vcpu *vcpu =
        strcmp(query->target, "vcpu") ? NULL : client_find_vcpu(query->client, path);
    struct client_object object = {
        .target = query->target,
        .cpu_index = vcpu ? vcpu->index : -1,
        .thread = vcpu ? vcpu->thread : -1,
        .path = *path ? client_copy(arena, path) : NULL,
        .values = arena_alloc(arena, (n_wanted + 1) * sizeof(*object.values)),
    };

    if ((*path && !object.path) || !object.values)
        return -ENOMEM;
    if (object.cpu_index >= 0)
        object.state = local_state(query->client, object.cpu_index);
    for (size_t i = 0; i < collection->n_parts; i++) {
        const uint64_t *row = stats_part_row(&collection->parts[i], index);

        if (row && add_values(query, &collection->parts[i], row, &object))
            return -ENOMEM;
    }
    if (object.n_values)
        snapshot->objects[snapshot->n_objects++] = object;
    return 0;
}

static int compare_objects(const void *a, const void *b)
{
    const struct client_object *one = a, *other = b;
    uint64_t number = (uint64_t)one->cpu_index, than = (uint64_t)other->cpu_index;

    return (number > than) - (number < than);
}

static int read_objects(const struct query *query)
{
    size_t n = query->client->local->collection.objects.count, n_wanted = count_wanted(query);
    struct client_snapshot *snapshot = &query->snapshot->public;
    int err = reply_reserve_objects(query, n);

    for (size_t i = 0; i < n && !err; i++)
        err = add_object(query, i, n_wanted);
    if (!err && !strcmp(query->target, "vcpu"))
        qsort(snapshot->objects, snapshot->n_objects, sizeof(*snapshot->objects), compare_objects);
    return err;
}

bool local_is_gone(const struct client *client)
{
    const struct client_local *options = &client->local->options;

    return options->is_gone && *options->is_gone;
}

static int query_target(struct query *query, const char *target)
{
    struct local *local = query->client->local;
    const struct client_request *request = query->request;
    struct stats_request all = {.target = target,
                                .all_stats = true,
                                .all_objects = !request->paths,
                                .objects = NULL,
                                .n_objects = request->n_paths};
    int err;

    query->target = target;
    if (request->paths) {
        all.objects =
            arena_alloc(&query->snapshot->arena, (request->n_paths + 1) * sizeof(*all.objects));
        if (!all.objects)
            return -ENOMEM;
        memcpy(all.objects, request->paths, request->n_paths * sizeof(*all.objects));
    }
    err = local_read_vcpus(query->client);
    if (!err)
        err = stats_collect(&local->collection, local->options.ctx, &all);
    query->snapshot->public.time_ns = *local->options.time_ns;
    return err ? err : read_objects(query);
}

int local_query(struct query *query)
{
    const struct client *client = query->client;
    int err = 0;

    if (strcmp(query->request->target, CLIENT_OTHER_TARGETS))
        return query_target(query, query->request->target);
    for (size_t i = 0; i < client->n_targets && !err; i++)
        err = query_target(query, client->targets[i]);
    return err;
}

/* ---- the client ----------------------------------------------------------------------------- */

void local_free(struct local *local)
{
    if (!local)
        return;
    stats_collection_free(&local->collection);
    object_list_free(&local->vcpus);
    for (size_t i = 0; i < local->n_schemas; i++)
        schema_unref(local->schemas[i].schema);
    free(local->schemas);
    if (local->options.release)
        local->options.release(local->options.opaque);
    free(local);
}

static int describe(struct client *client)
{
    const char *name = client->local->options.ctx->options.name;
    int err;

    client->peer = CLIENT_LOCAL;
    client->path = strdup(client->local->options.path);
    client->vm_name = strndup(name ? name : client->local->options.path, CLIENT_NAME_MAX);
    if (!client->path || !client->vm_name)
        return -ENOMEM;
    text_make_plain(client->path);
    text_make_plain(client->vm_name);
    client->origin = client->local->options.origin;
    err = add_schemas(client, "vm");
    if (!err)
        err = add_schemas(client, "vcpu");
    if (!err)
        err = add_targets(client);
    for (size_t i = 0; i < client->n_targets && !err; i++)
        err = add_schemas(client, client->targets[i]);
    if (!err)
        err = client_index_stats(client);
    client->has_statistics = client->n_stats;
    return err ? err : local_read_vcpus(client);
}

int client_open_local(const struct client_local *options, struct client **ret_client,
                      struct client_error *error)
{
    struct client *client = calloc(1, sizeof(*client));
    struct local *local = calloc(1, sizeof(*local));
    int err = client && local ? 0 : -ENOMEM;

    if (err) {
        free(client);
        free(local);
        if (options->release)
            options->release(options->opaque);
    } else {
        local->options = *options;
        client->local = local;
        client->connection.fd = -1;
        err = describe(client);
        if (err)
            client_free(client);
    }
    if (err)
        return client_fail(error, -err, NULL, "%s: %s", options->path, strerror(-err));
    *ret_client = client;
    return 0;
}
