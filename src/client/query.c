/* SPDX-License-Identifier: MIT */
/* query-stats: the question, and the answer of any peer in one form. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/histogram.h"
#include "client/internal.h"
#include "qmp/json_write.h"
#include "stats/arena.h"

struct snapshot {
    struct client_snapshot public; /* first: client_snapshot_free() */
    struct arena arena;
};

/* One query under way. */
struct query {
    struct client *client;
    const struct client_request *request;
    bool *asked; /* what is wanted, and what is needed to judge it */
    size_t n_asked;
    struct snapshot *snapshot;
    size_t next; /* where the next statistic probably is in the schema */
};

/* ---- the question --------------------------------------------------------------------------- */

static bool is_stat(const struct client_stat *stat, const char *target, const char *provider,
                    const char *name)
{
    return !strcmp(stat->name, name) && !strcmp(stat->target, target) &&
           !strcmp(stat->provider, provider);
}

/* Both are in the same order, so that the search mostly ends where it begins. NULL: not there. */
static const struct client_stat *find_stat(struct query *query, const char *provider,
                                           const char *name)
{
    const struct client *client = query->client;

    for (size_t i = 0; i < client->n_stats; i++) {
        size_t at = (query->next + i) % client->n_stats;

        if (is_stat(&client->stats[at], query->request->target, provider, name)) {
            query->next = at + 1;
            return &client->stats[at];
        }
    }
    return NULL;
}

static size_t stat_index(const struct query *query, const struct client_stat *stat)
{
    return (size_t)(stat - query->client->stats);
}

/* A histogram of QEMU is judged by the counter beside it. */
static void ask_for_sum(struct query *query, const struct client_stat *stat)
{
    const char *name = histogram_sum_name(stat->name);
    const struct client_stat *sum = name ? find_stat(query, stat->provider, name) : NULL;

    if (sum)
        query->asked[stat_index(query, sum)] = true;
}

static int choose(struct query *query)
{
    const struct client *client = query->client;

    query->asked = calloc(client->n_stats + 1, sizeof(bool));
    if (!query->asked)
        return -ENOMEM;
    for (size_t i = 0; i < client->n_stats; i++) {
        if (strcmp(client->stats[i].target, query->request->target) || !query->request->wanted[i])
            continue;
        query->asked[i] = true;
        if (client->peer == CLIENT_QEMU)
            ask_for_sum(query, &client->stats[i]);
    }
    for (size_t i = 0; i < client->n_stats; i++)
        query->n_asked += query->asked[i];
    return 0;
}

static void put_paths(struct buf *out, const struct client_request *request)
{
    buf_puts(out, ", \"vcpus\": [");
    for (size_t i = 0; i < request->n_paths; i++) {
        buf_puts(out, i ? ", " : "");
        json_put_string(out, request->paths[i]);
    }
    buf_puts(out, "]");
}

/* The statistics of a provider stand together in the schema: a filter for each such run. */
static void put_filters(struct buf *out, const struct query *query)
{
    const struct client *client = query->client;
    bool is_grouped = client->peer == CLIENT_GROUPED;
    const char *provider = NULL;

    buf_puts(out, is_grouped ? ", \"filters\": [" : ", \"providers\": [");
    for (size_t i = 0; i < client->n_stats; i++) {
        const struct client_stat *stat = &client->stats[i];

        if (!query->asked[i])
            continue;
        if (provider && !strcmp(provider, stat->provider)) {
            buf_puts(out, ", ");
        } else {
            buf_puts(out, provider ? "]}, {\"provider\": " : "{\"provider\": ");
            json_put_string(out, stat->provider);
            buf_puts(out, is_grouped ? ", \"fields\": [" : ", \"names\": [");
        }
        json_put_string(out, stat->name);
        provider = stat->provider;
    }
    buf_puts(out, provider ? "]}]" : "]");
}

static size_t count_stats(const struct query *query)
{
    size_t n = 0;

    for (size_t i = 0; i < query->client->n_stats; i++)
        n += !strcmp(query->client->stats[i].target, query->request->target);
    return n;
}

static int ask(struct query *query, struct json_object **ret_reply, struct json_object **ret_value,
               struct client_error *error)
{
    struct client *client = query->client;
    struct buf arguments = {0};
    int err;

    buf_puts(&arguments, "{\"target\": ");
    json_put_string(&arguments, query->request->target);
    if (query->request->paths)
        put_paths(&arguments, query->request);
    if (query->n_asked < count_stats(query))
        put_filters(&arguments, query);
    buf_append(&arguments, "}", sizeof("}")); /* with its end */
    err = arguments.failed
              ? client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path)
              : client_ask(client, "query-stats", arguments.data, ret_reply, ret_value, error);
    buf_free(&arguments);
    return err;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool read_number(struct json_object *number, uint64_t *ret_value)
{
    if (json_object_is_type(number, json_type_boolean))
        *ret_value = json_object_get_boolean(number) ? 1 : 0;
    else if (json_object_is_type(number, json_type_int))
        *ret_value = json_object_get_uint64(number);
    else
        return false;
    return true;
}

/* A number, a bare list of buckets, or {"values": buckets}. */
static int read_value(struct arena *arena, struct json_object *json, struct client_value *value)
{
    struct json_object *buckets =
        json_object_is_type(json, json_type_array) ? json : client_array(json, "values");
    size_t n = buckets ? json_object_array_length(buckets) : 1;

    if (n == 0)
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

/* @entry: {name, value}. One that is not in the schema is new, and left out. */
static int add_value(struct query *query, struct client_object *object, const char *provider,
                     struct json_object *entry)
{
    struct client_value *value = &object->values[object->n_values];
    const char *name = client_string(entry, "name");
    struct json_object *json;
    int err;

    if (!name || !json_object_object_get_ex(entry, "value", &json))
        return -EPROTO;
    value->stat = find_stat(query, provider, name);
    if (!value->stat || !query->asked[stat_index(query, value->stat)] ||
        object->n_values == query->n_asked)
        return 0;
    err = read_value(&query->snapshot->arena, json, value);
    if (!err)
        object->n_values++;
    return err;
}

/* @result: {provider, stats}. */
static int add_values(struct query *query, struct client_object *object, struct json_object *result)
{
    const char *provider = client_string(result, "provider");
    struct json_object *entries = client_array(result, "stats");
    bool is_reversed = query->client->peer == CLIENT_QEMU;
    int err = 0;

    if (!provider || !entries)
        return -EPROTO;
    for (size_t i = 0; i < json_object_array_length(entries) && !err; i++)
        err = add_value(query, object, provider, client_element(entries, i, is_reversed));
    return err;
}

/* ---- objects -------------------------------------------------------------------------------- */

static bool is_path(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static char *copy_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);

    return copy ? memcpy(copy, text, size) : NULL;
}

static int64_t find_cpu_index(const struct client *client, const char *path)
{
    for (size_t i = 0; path && i < client->n_vcpus; i++)
        if (!strcmp(client->vcpus[i].path, path))
            return client->vcpus[i].index;
    return -1;
}

/* The object of @path, new if it is not there yet; objects have room for all of the reply. */
static struct client_object *get_object(struct query *query, const char *path)
{
    struct client_snapshot *snapshot = &query->snapshot->public;
    struct arena *arena = &query->snapshot->arena;
    struct client_object object = {.cpu_index = find_cpu_index(query->client, path)};

    for (size_t i = 0; i < snapshot->n_objects; i++)
        if (is_path(snapshot->objects[i].path, path))
            return &snapshot->objects[i];
    object.path = path ? copy_text(arena, path) : NULL;
    object.values = arena_alloc(arena, (query->n_asked + 1) * sizeof(*object.values));
    if ((path && !object.path) || !object.values)
        return NULL;
    snapshot->objects[snapshot->n_objects] = object;
    return &snapshot->objects[snapshot->n_objects++];
}

static int add_result(struct query *query, const char *path, struct json_object *result)
{
    struct client_object *object;

    if (!path && strcmp(query->request->target, "vm"))
        return -EPROTO;
    object = get_object(query, path);
    return object ? add_values(query, object, result) : -ENOMEM;
}

/* @vcpu: {path, providers}, each {provider, stats}. */
static int add_nested_results(struct query *query, struct json_object *vcpu)
{
    const char *path = client_string(vcpu, "path");
    struct json_object *results = client_array(vcpu, "providers");
    int err = results ? 0 : -EPROTO;

    for (size_t i = 0; !err && i < json_object_array_length(results); i++)
        err = add_result(query, path, json_object_array_get_idx(results, i));
    return err;
}

/* There are at most as many objects as elements in @results, whatever the dialect. */
static int add_results(struct query *query, struct json_object *results)
{
    bool is_nested = query->client->peer == CLIENT_GROUPED && strcmp(query->request->target, "vm");
    bool is_reversed = query->client->peer == CLIENT_QEMU;
    size_t n = json_object_array_length(results);
    int err = 0;

    query->snapshot->public.objects =
        arena_alloc(&query->snapshot->arena, (n + 1) * sizeof(struct client_object));
    if (!query->snapshot->public.objects)
        return -ENOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        struct json_object *element = client_element(results, i, is_reversed);

        err = is_nested ? add_nested_results(query, element)
                        : add_result(query, client_string(element, "qom-path"), element);
    }
    return err;
}

static int read_results(struct query *query, struct json_object *value)
{
    bool is_vm = !strcmp(query->request->target, "vm");

    if (query->client->peer == CLIENT_GROUPED)
        value = client_array(value, is_vm ? "vm" : "vcpus");
    return json_object_is_type(value, json_type_array) ? add_results(query, value) : -EPROTO;
}

/* ---- order ---------------------------------------------------------------------------------- */

static const struct client_value *find_value(const struct client_object *object,
                                             const char *provider, const char *name)
{
    for (size_t i = 0; i < object->n_values; i++) {
        const struct client_value *value = &object->values[i];
        if (!strcmp(value->stat->name, name) && !strcmp(value->stat->provider, provider))
            return value;
    }
    return NULL;
}

static enum histogram_order judge(const struct client_object *object,
                                  const struct client_value *value)
{
    const char *name = histogram_is(value->stat) ? histogram_sum_name(value->stat->name) : NULL;
    const struct client_value *sum = name ? find_value(object, value->stat->provider, name) : NULL;

    if (!sum)
        return HISTOGRAM_EITHER;
    return histogram_order(value->stat, value->values, value->n_values, sum->values[0]);
}

/*
 * A peer has one habit, so what its histograms and counters say together is kept for the next
 * query, too: it may come while nothing speaks for one order or the other.
 */
static void judge_all(struct query *query)
{
    const struct client_snapshot *snapshot = &query->snapshot->public;
    size_t n_forward = 0, n_reversed = 0;

    for (size_t i = 0; i < snapshot->n_objects; i++) {
        for (size_t j = 0; j < snapshot->objects[i].n_values; j++) {
            enum histogram_order order =
                judge(&snapshot->objects[i], &snapshot->objects[i].values[j]);
            n_forward += order == HISTOGRAM_FORWARD;
            n_reversed += order == HISTOGRAM_REVERSED;
        }
    }
    if (n_forward != n_reversed)
        query->client->reverses_histograms = n_reversed > n_forward;
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
        if (histogram_is(object->values[i].stat))
            reverse(object->values[i].values, object->values[i].n_values);
}

static void drop_unwanted(const struct query *query, struct client_object *object)
{
    size_t n = 0;

    for (size_t i = 0; i < object->n_values; i++)
        if (query->request->wanted[stat_index(query, object->values[i].stat)])
            object->values[n++] = object->values[i];
    object->n_values = n;
}

/* Those without an index come last, as they came. Almost sorted already, so simple is fast. */
static void sort_objects(struct client_snapshot *snapshot)
{
    for (size_t i = 1; i < snapshot->n_objects; i++) {
        struct client_object object = snapshot->objects[i];
        size_t j = i;

        for (; j > 0; j--) {
            if ((uint64_t)snapshot->objects[j - 1].cpu_index <= (uint64_t)object.cpu_index)
                break;
            snapshot->objects[j] = snapshot->objects[j - 1];
        }
        snapshot->objects[j] = object;
    }
}

static void put_in_order(struct query *query)
{
    struct client_snapshot *snapshot = &query->snapshot->public;

    if (query->client->peer == CLIENT_QEMU)
        judge_all(query);
    for (size_t i = 0; i < snapshot->n_objects; i++) {
        if (query->client->reverses_histograms)
            reverse_histograms(&snapshot->objects[i]);
        drop_unwanted(query, &snapshot->objects[i]);
    }
    sort_objects(snapshot);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int run(struct query *query, struct client_error *error)
{
    struct client *client = query->client;
    struct json_object *reply, *value;
    int err;

    if (choose(query))
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path);
    if (!strcmp(query->request->target, "vcpu") && (err = client_read_vcpus(client, error)))
        return err;
    if (query->n_asked == 0)
        return 0;
    if ((err = ask(query, &reply, &value, error)))
        return err;
    query->snapshot->public.time_ns = now_ns();
    err = read_results(query, value);
    json_object_put(reply);
    if (err == -EPROTO)
        return client_fail(error, EPROTO, NULL, "%s: query-stats: a reply that can't be understood",
                           client->path);
    if (err)
        return client_fail(error, -err, NULL, "%s: %s", client->path, strerror(-err));
    put_in_order(query);
    return 0;
}

int client_query(struct client *client, const struct client_request *request,
                 struct client_snapshot **ret_snapshot, struct client_error *error)
{
    struct query query = {.client = client, .request = request};
    int err;

    query.snapshot = calloc(1, sizeof(*query.snapshot));
    if (!query.snapshot)
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path);
    err = run(&query, error);
    free(query.asked);
    if (err)
        client_snapshot_free(&query.snapshot->public);
    else
        *ret_snapshot = &query.snapshot->public;
    return err;
}

void client_snapshot_free(struct client_snapshot *snapshot)
{
    struct snapshot *private = (struct snapshot *)snapshot;

    if (!private)
        return;
    arena_free(&private->arena);
    free(private);
}
