/* SPDX-License-Identifier: MIT */
#include "client/reply.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/bucket_order.h"
#include "kvm/meanings.h"
#include "stats/histogram.h"
#include "client/internal.h"

/*
 * What one provider says of one object. A reply may name an object again and again, so its parts
 * are collected and sorted first: no reply makes this slow, or large.
 */
struct part {
    const char *path; /* "": the VM */
    const char *provider;
    struct json_object *entries;
    size_t position; /* in the reply */
};

/* The parts of one object. */
struct group {
    const struct part *parts;
    size_t n_parts, n_entries;
    const struct client_vcpu *vcpu; /* NULL: it is none that the peer has listed */
};

/* ---- parts ---------------------------------------------------------------------------------- */

/* @result: {provider, stats}. */
static int add_part(const struct query *query, const char *path, struct json_object *result,
                    struct part *parts, size_t *n)
{
    bool is_vm = !strcmp(query->target, "vm");
    struct part part = {
        .path = is_vm ? "" : path,
        .provider = client_name(result, "provider"),
        .entries = client_array(result, "stats"),
        .position = *n,
    };

    if (!part.path || !part.provider || !part.entries)
        return -EPROTO;
    parts[(*n)++] = part;
    return 0;
}

/* @vcpu: {path, providers}, each {provider, stats}. */
static int add_nested_parts(const struct query *query, struct json_object *vcpu, struct part *parts,
                            size_t *n)
{
    const char *path = client_name(vcpu, "path");
    struct json_object *results = client_array(vcpu, "providers");
    int err = results ? 0 : -EPROTO;

    for (size_t i = 0; !err && i < json_object_array_length(results); i++)
        err = add_part(query, path, json_object_array_get_idx(results, i), parts, n);
    return err;
}

/* At least as many as there are parts. */
static size_t count_parts(struct json_object *results, bool is_nested)
{
    size_t n = json_object_array_length(results), n_nested = 0;

    for (size_t i = 0; is_nested && i < n; i++) {
        struct json_object *providers =
            client_array(json_object_array_get_idx(results, i), "providers");
        n_nested += providers ? json_object_array_length(providers) : 0;
    }
    return is_nested ? n_nested : n;
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *part_a = a, *part_b = b;
    int order = strcmp(part_a->path, part_b->path);

    return order ? order
                 : (part_a->position > part_b->position) - (part_a->position < part_b->position);
}

/* All parts, those of an object together. */
static int read_parts(struct query *query, struct json_object *results, struct part **ret_parts,
                      size_t *ret_n)
{
    bool is_nested = query->client->peer == CLIENT_GROUPED && strcmp(query->target, "vm");
    bool is_reversed = query->client->peer == CLIENT_QEMU;
    struct part *parts = calloc(count_parts(results, is_nested) + 1, sizeof(*parts));
    size_t n = 0;
    int err = parts ? 0 : -ENOMEM;

    for (size_t i = 0; !err && i < json_object_array_length(results); i++) {
        struct json_object *element = client_element(results, i, is_reversed);

        err = is_nested ? add_nested_parts(query, element, parts, &n)
                        : add_part(query, client_name(element, "qom-path"), element, parts, &n);
    }
    if (err) {
        free(parts);
        return err;
    }
    qsort(parts, n, sizeof(*parts), compare_parts);
    *ret_parts = parts;
    *ret_n = n;
    return 0;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool read_number(struct json_object *number, uint64_t *ret_value)
{
    if (json_object_is_type(number, json_type_boolean))
        *ret_value = json_object_get_boolean(number) ? 1 : 0;
    else if (json_object_is_type(number, json_type_int) && json_object_get_int64(number) >= 0)
        *ret_value = json_object_get_uint64(number);
    else
        return false;
    return true;
}

/* A number, a bare list of buckets, or {"values": buckets}. One bucket may come as a number. */
static int read_value(struct arena *arena, struct json_object *json, struct client_value *value)
{
    struct json_object *buckets =
        json_object_is_type(json, json_type_array) ? json : client_array(json, "values");
    size_t n = buckets ? json_object_array_length(buckets) : 1;

    if (n == 0 || (n > 1 && !histogram_is(&value->stat->desc)))
        return -EPROTO;
    value->n_values = n;
    value->values = arena_alloc(arena, n * sizeof(*value->values));
    if (!value->values)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct json_object *number = buckets ? json_object_array_get_idx(buckets, i) : json;
        if (!read_number(number, &value->values[i]))
            return -EPROTO;
    }
    return 0;
}

/* Replies are in the order of the schema, so that the statistic mostly is where it is expected. */
static const struct client_stat *find_stat(struct query *query, const char *provider,
                                           const char *name)
{
    const struct client *client = query->client;
    const struct client_stat *stat = &client->stats[query->next];

    if (query->next >= client->n_stats || strcmp(stat->desc.name, name) ||
        strcmp(stat->target, query->target) || strcmp(stat->provider, provider))
        stat = client_find_stat(client, query->target, provider, name);
    if (stat)
        query->next = (size_t)(stat - client->stats) + 1;
    return stat;
}

/* @entry: {name, value}. One that is not in the schema is new, and left out. */
static int add_value(struct query *query, struct client_object *object, const char *provider,
                     struct json_object *entry)
{
    struct client_value *value = &object->values[object->n_values];
    const struct client_stat *stat;
    const char *name = client_string(entry, "name");
    struct json_object *json;
    int err;

    if (!name || !json_object_object_get_ex(entry, "value", &json))
        return -EPROTO;
    stat = find_stat(query, provider, name);
    if (!stat || !query->asked[stat - query->client->stats])
        return 0;
    if (object->n_values == query->n_asked) /* so one of them is there twice */
        return -EPROTO;
    value->stat = stat;
    err = read_value(&query->snapshot->arena, json, value);
    if (!err)
        object->n_values++;
    return err;
}

static int compare_values(const void *a, const void *b)
{
    const struct client_value *value_a = a, *value_b = b;

    return (value_a->stat > value_b->stat) - (value_a->stat < value_b->stat);
}

/* In the order of the schema, as they mostly are already; each once. */
static int sort_values(struct client_object *object)
{
    bool is_sorted = true;

    for (size_t i = 1; i < object->n_values; i++)
        is_sorted &= object->values[i - 1].stat < object->values[i].stat;
    if (is_sorted)
        return 0;
    qsort(object->values, object->n_values, sizeof(*object->values), compare_values);
    for (size_t i = 1; i < object->n_values; i++)
        if (object->values[i - 1].stat == object->values[i].stat)
            return -EPROTO;
    return 0;
}

static int read_values(struct query *query, struct client_object *object, const struct part *part)
{
    bool is_reversed = query->client->peer == CLIENT_QEMU;
    int err = 0;

    for (size_t i = 0; !err && i < json_object_array_length(part->entries); i++)
        err =
            add_value(query, object, part->provider, client_element(part->entries, i, is_reversed));
    return err;
}

/* ---- objects -------------------------------------------------------------------------------- */

static int add_object(struct query *query, const struct group *group)
{
    struct client_snapshot *snapshot = &query->snapshot->public;
    struct arena *arena = &query->snapshot->arena;
    struct client_object *object = &snapshot->objects[snapshot->n_objects++];
    size_t room = group->n_entries < query->n_asked ? group->n_entries : query->n_asked;
    const char *path = group->parts->path;
    int err = 0;

    *object = (struct client_object){
        .target = query->target,
        .path = *path ? client_copy(arena, path) : NULL,
        .cpu_index = group->vcpu ? group->vcpu->index : -1,
        .thread = group->vcpu ? group->vcpu->thread : -1,
        .values = arena_alloc(arena, (room + 1) * sizeof(*object->values)),
    };
    if ((*path && !object->path) || !object->values)
        return -ENOMEM;
    for (size_t i = 0; i < group->n_parts && !err; i++)
        err = read_values(query, object, &group->parts[i]);
    return err ? err : sort_values(object);
}

static uint64_t index_of(const struct group *group)
{
    return group->vcpu ? (uint64_t)group->vcpu->index : UINT64_MAX;
}

/* Those without an index come last; else as they came. */
static int compare_groups(const void *a, const void *b)
{
    const struct group *group_a = a, *group_b = b;
    uint64_t index_a = index_of(group_a), index_b = index_of(group_b);
    size_t position_a = group_a->parts->position, position_b = group_b->parts->position;

    if (index_a != index_b)
        return index_a < index_b ? -1 : 1;
    return (position_a > position_b) - (position_a < position_b);
}

/* @groups has room for one for each part. */
static size_t make_groups(const struct query *query, const struct part *parts, size_t n,
                          struct group *groups)
{
    bool has_indices = !strcmp(query->target, "vcpu");
    size_t n_groups = 0;

    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(parts[i - 1].path, parts[i].path))
            groups[n_groups++] = (struct group){
                .parts = &parts[i],
                .vcpu = has_indices ? client_find_vcpu(query->client, parts[i].path) : NULL};
        groups[n_groups - 1].n_parts++;
        groups[n_groups - 1].n_entries += json_object_array_length(parts[i].entries);
    }
    qsort(groups, n_groups, sizeof(*groups), compare_groups);
    return n_groups;
}

int reply_reserve_objects(const struct query *query, size_t n)
{
    struct client_snapshot *snapshot = &query->snapshot->public;
    struct client_object *objects = arena_alloc(
        &query->snapshot->arena, (snapshot->n_objects + n + 1) * sizeof(*snapshot->objects));

    if (!objects)
        return -ENOMEM;
    if (snapshot->n_objects)
        memcpy(objects, snapshot->objects, snapshot->n_objects * sizeof(*objects));
    snapshot->objects = objects;
    return 0;
}

static int read_groups(struct query *query, const struct group *groups, size_t n)
{
    bool is_of_vcpus = !strcmp(query->target, "vcpu");
    int err;

    if (n > (is_of_vcpus ? CLIENT_VCPUS_MAX : CLIENT_OBJECTS_MAX))
        return -E2BIG;
    err = reply_reserve_objects(query, n);
    for (size_t i = 0; i < n && !err; i++)
        err = add_object(query, &groups[i]);
    return err;
}

static int read_results(struct query *query, struct json_object *results)
{
    struct part *parts;
    struct group *groups;
    size_t n;
    int err = read_parts(query, results, &parts, &n);

    if (err)
        return err;
    groups = calloc(n + 1, sizeof(*groups));
    err = groups ? read_groups(query, groups, make_groups(query, parts, n, groups)) : -ENOMEM;
    free(groups);
    free(parts);
    return err;
}

/* ---- the order of buckets ------------------------------------------------------------------- */

static enum histogram_order judge(const struct client *client, const struct client_object *object,
                                  const struct client_value *value)
{
    const struct client_stat *stat = value->stat;
    const char *name = histogram_is(&stat->desc) ? kvm_sum_of_histogram(stat->desc.name) : NULL;
    const struct client_stat *sum_stat =
        name ? client_find_stat(client, stat->target, stat->provider, name) : NULL;
    const struct client_value *sum = sum_stat ? client_find_value(object, sum_stat) : NULL;

    return sum ? histogram_order(&stat->desc, value->values, value->n_values, sum->values[0])
               : HISTOGRAM_EITHER;
}

/*
 * A peer has one habit, so what its histograms and counters say together is counted up over all
 * queries: one may come while nothing speaks for one order or the other, and a counter that has
 * moved on before its histogram was read can speak for the wrong one.
 */
static void judge_all(struct query *query, size_t first)
{
    const struct client_snapshot *snapshot = &query->snapshot->public;

    for (size_t i = first; i < snapshot->n_objects; i++) {
        const struct client_object *object = &snapshot->objects[i];

        for (size_t j = 0; j < object->n_values; j++) {
            enum histogram_order order = judge(query->client, object, &object->values[j]);
            query->client->reversals +=
                (order == HISTOGRAM_REVERSED) - (order == HISTOGRAM_FORWARD);
        }
    }
}

static void reverse(uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        uint64_t value = values[i];
        values[i] = values[n - 1 - i];
        values[n - 1 - i] = value;
    }
}

static void reverse_histograms(struct client_object *object)
{
    for (size_t i = 0; i < object->n_values; i++)
        if (histogram_is(&object->values[i].stat->desc))
            reverse(object->values[i].values, object->values[i].n_values);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void drop_unwanted(const struct query *query, struct client_object *object)
{
    size_t n = 0;

    for (size_t i = 0; i < object->n_values; i++)
        if (query->request->wanted[object->values[i].stat - query->client->stats])
            object->values[n++] = object->values[i];
    object->n_values = n;
}

/*
 * QEMU sends the last bucket first, as far as is known: that holds where nothing tells. Of several
 * targets the first decides, so that all of a snapshot comes one way.
 */
static void put_right(struct query *query, size_t first)
{
    struct client_snapshot *snapshot = &query->snapshot->public;

    if (query->client->peer == CLIENT_QEMU) {
        judge_all(query, first);
        if (first == 0)
            snapshot->is_reversed = query->client->reversals >= 0;
    }
    for (size_t i = first; i < snapshot->n_objects; i++) {
        if (snapshot->is_reversed)
            reverse_histograms(&snapshot->objects[i]);
        drop_unwanted(query, &snapshot->objects[i]);
    }
}

int reply_read(struct query *query, struct json_object *value)
{
    size_t first = query->snapshot->public.n_objects;
    int err;

    if (query->client->peer == CLIENT_GROUPED)
        value = client_array(value, !strcmp(query->target, "vcpu") ? "vcpus" : query->target);
    query->next = 0;
    err = json_object_is_type(value, json_type_array) ? read_results(query, value) : -EPROTO;
    if (!err)
        put_right(query, first);
    return err;
}

const struct client_value *client_find_value(const struct client_object *object,
                                             const struct client_stat *stat)
{
    const struct client_value key = {.stat = stat};

    return object->n_values ? bsearch(&key, object->values, object->n_values,
                                      sizeof(*object->values), compare_values)
                            : NULL;
}
