/* SPDX-License-Identifier: MIT */
/* query-stats: the question, and what becomes of the answer. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "kvm/meanings.h"
#include "stats/histogram.h"
#include "client/ask.h"
#include "client/internal.h"
#include "client/reply.h"
#include "base/clock.h"
#include "base/json_write.h"

/* ---- the question --------------------------------------------------------------------------- */

/* A histogram of QEMU is judged by the counter beside it. */
static void ask_for_sum(struct query *query, const struct client_stat *stat)
{
    const char *name = kvm_sum_of_histogram(stat->desc.name);
    const struct client_stat *sum =
        name ? client_find_stat(query->client, stat->target, stat->provider, name) : NULL;

    if (sum)
        query->asked[sum - query->client->stats] = true;
}

static int choose(struct query *query)
{
    const struct client *client = query->client;

    free(query->asked);
    query->n_asked = 0;
    query->asked = calloc(client->n_stats + 1, sizeof(bool));
    if (!query->asked)
        return -ENOMEM;
    for (size_t i = 0; i < client->n_stats; i++) {
        if (strcmp(client->stats[i].target, query->target) || !query->request->wanted[i])
            continue;
        query->asked[i] = true;
        if (client->peer == CLIENT_QEMU)
            ask_for_sum(query, &client->stats[i]);
    }
    for (size_t i = 0; i < client->n_stats; i++)
        query->n_asked += query->asked[i];
    return 0;
}

static bool is_other(const char *target)
{
    return strcmp(target, "vm") && strcmp(target, "vcpu");
}

static void put_paths(struct buf *out, const struct query *query)
{
    const struct client_request *request = query->request;

    buf_puts(out, is_other(query->target) ? ", \"objects\": [" : ", \"vcpus\": [");
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
        json_put_string(out, stat->desc.name);
        provider = stat->provider;
    }
    buf_puts(out, provider ? "]}]" : "]");
}

static size_t count_stats(const struct query *query)
{
    size_t n = 0;

    for (size_t i = 0; i < query->client->n_stats; i++)
        n += !strcmp(query->client->stats[i].target, query->target);
    return n;
}

static int ask_once(struct query *query, struct gone *ret_gone, struct json_object **ret_reply,
                    struct json_object **ret_value, struct client_error *error)
{
    struct client *client = query->client;
    struct ask ask = {"query-stats", NULL, json_type_array, ret_gone};
    struct buf arguments = {0};
    int err;

    buf_puts(&arguments, "{\"target\": ");
    json_put_string(&arguments, query->target);
    if (query->request->paths && (client->peer != CLIENT_QEMU || !is_other(query->target)))
        put_paths(&arguments, query);
    if (query->n_asked < count_stats(query))
        put_filters(&arguments, query);
    buf_append(&arguments, "}", sizeof("}")); /* with its end */
    ask.arguments = arguments.data;
    if (client->peer == CLIENT_GROUPED)
        ask.type = json_type_object;
    err = arguments.failed ? client_out_of_memory(client, error)
                           : client_ask(client, &ask, ret_reply, ret_value, error);
    buf_free(&arguments);
    return err;
}

/* Asks no more for what is gone: all of its target, or a provider. False: it was not asked for. */
static bool drop_gone(struct query *query, const struct gone *gone)
{
    const struct client *client = query->client;
    bool is_target = !strcmp(gone->parameter, "target") && !strcmp(gone->value, query->target);
    bool is_provider = !strcmp(gone->parameter, "provider");
    size_t n = query->n_asked;

    for (size_t i = 0; i < client->n_stats; i++) {
        bool is_gone =
            is_target || (is_provider && !strcmp(client->stats[i].provider, gone->value));

        query->n_asked -= query->asked[i] && is_gone;
        query->asked[i] &= !is_gone;
    }
    return query->n_asked < n;
}

/*
 * The VM and its vCPUs are always there. Objects of other targets come and go, and the last one of a
 * provider or target takes its name along. -ENOENT: nothing is left to be asked for.
 */
static int ask_query(struct query *query, struct json_object **ret_reply,
                     struct json_object **ret_value, struct client_error *error)
{
    bool comes_and_goes = is_other(query->target);
    struct gone gone;
    int err;

    do
        err = ask_once(query, comes_and_goes ? &gone : NULL, ret_reply, ret_value, error);
    while (err == -ENOENT && drop_gone(query, &gone) && query->n_asked);
    return err == -ENOENT && query->n_asked ? -EREMOTEIO : err;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int explain_reply(const struct query *query, int err, struct client_error *error)
{
    const struct client *client = query->client;

    switch (err) {
    case EPROTO:
        return client_not_understood(client, "query-stats", error);
    case E2BIG:
        if (!strcmp(query->target, "vcpu"))
            return client_fail(error, err, NULL, "%s: query-stats: more than %d vCPUs",
                               client->path, CLIENT_VCPUS_MAX);
        return client_fail(error, err, NULL, "%s: query-stats: more than %d objects", client->path,
                           CLIENT_OBJECTS_MAX);
    default:
        return client_fail(error, err, NULL, "%s: %s", client->path, strerror(err));
    }
}

static bool is_asked_for(const struct client_request *request, const char *path)
{
    for (size_t i = 0; i < request->n_paths; i++)
        if (path && !strcmp(request->paths[i], path))
            return true;
    return false;
}

/* QEMU has no filter for objects that are no vCPUs. @first: of those of this target. */
static void drop_others(const struct query *query, size_t first)
{
    struct client_snapshot *snapshot = &query->snapshot->public;
    size_t n = first;

    if (!query->request->paths || !is_other(query->target))
        return;
    for (size_t i = first; i < snapshot->n_objects; i++)
        if (is_asked_for(query->request, snapshot->objects[i].path))
            snapshot->objects[n++] = snapshot->objects[i];
    snapshot->n_objects = n;
}

static int query_target(struct query *query, const char *target, struct client_error *error)
{
    struct client *client = query->client;
    struct json_object *reply, *value;
    size_t first = query->snapshot->public.n_objects;
    int err;

    query->target = target;
    if (choose(query))
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path);
    if (!strcmp(query->target, "vcpu") && (err = client_read_vcpus(client, error)))
        return err;
    if (query->n_asked == 0)
        return 0;
    if ((err = ask_query(query, &reply, &value, error)))
        return err == -ENOENT ? 0 : err;
    query->snapshot->public.time_ns = clock_now_ns();
    err = reply_read(query, value);
    connection_put(&client->connection, reply);
    if (err)
        return explain_reply(query, -err, error);
    drop_others(query, first);
    return 0;
}

static int run(struct query *query, struct client_error *error)
{
    struct client *client = query->client;
    const char *target = query->request->target;
    int err = 0;

    if (client->local) {
        if (local_is_gone(client))
            return client_fail(error, ESRCH, NULL, "%s: the VM has ended", client->path);
        err = local_query(query);
        return err ? client_fail(error, -err, NULL, "%s: %s", client->path, strerror(-err)) : 0;
    }
    if (strcmp(target, CLIENT_OTHER_TARGETS))
        return query_target(query, target, error);
    for (size_t i = 0; i < client->n_targets && !err; i++)
        err = query_target(query, client->targets[i], error);
    return err;
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
    struct owned_snapshot *private = (struct owned_snapshot *)snapshot;

    if (!private)
        return;
    arena_free(&private->arena);
    free(private);
}
