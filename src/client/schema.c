/* SPDX-License-Identifier: MIT */
/* What statistics the peer has. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/ask.h"
#include "client/internal.h"
#include "kvm/meanings.h"
#include "qmp/stat_names.h"

#define QEMU_FLAT 70100 /* as which greet those that have the flat dialect */

/* The peer's dialect is not known yet. */
static bool read_type(const char *name, uint8_t *ret_type)
{
    int type = stat_type_find(VITALS_DIALECT_GROUPED, name);

    if (type < 0)
        type = stat_type_find(VITALS_DIALECT_FLAT, name);
    if (type < 0)
        return false;
    *ret_type = (uint8_t)type;
    return true;
}

/* A boolean has no unit: the grouped dialect can't tell it from any other number. */
static bool read_unit(const char *name, uint8_t *ret_unit)
{
    int unit = name ? stat_unit_find(VITALS_DIALECT_FLAT, name) : VITALS_NONE;

    if (unit < 0)
        unit = stat_unit_find(VITALS_DIALECT_GROUPED, name);
    if (unit < 0)
        return false;
    *ret_unit = unit == VITALS_BOOLEAN ? VITALS_NONE : (uint8_t)unit;
    return true;
}

/* False: it is there, and no number from @min to @max. */
static bool read_integer(struct json_object *entry, const char *name, int64_t min, int64_t max,
                         int64_t *number)
{
    if (!json_object_object_get_ex(entry, name, NULL))
        return true;
    *number = client_integer(entry, name, min - 1);
    return *number >= min && *number <= max;
}

/* Flat says it with a number, or not at all where the exponent is 0. */
static bool read_base(struct json_object *entry, uint8_t *ret_base)
{
    const char *name = client_string(entry, "base");
    int64_t number = 10;

    if (name)
        number = !strcmp(name, "pow2") ? 2 : !strcmp(name, "pow10") ? 10 : 0;
    else if (!read_integer(entry, "base", 2, 10, &number))
        return false;
    *ret_base = (uint8_t)number;
    return number == 2 || number == 10;
}

/* False: something that is not known here, or no statistic at all. */
static bool read_desc(struct json_object *entry, struct vitals_stat *desc)
{
    int64_t exponent = 0, bucket_size = 0;

    desc->name = client_name(entry, "name");
    if (!desc->name || !read_type(client_string(entry, "type"), &desc->type) ||
        !read_unit(client_string(entry, "unit"), &desc->unit) || !read_base(entry, &desc->base) ||
        !read_integer(entry, "exponent", INT16_MIN, INT16_MAX, &exponent) ||
        !read_integer(entry, "bucket-size", 0, UINT32_MAX, &bucket_size))
        return false;
    desc->exponent = (int16_t)exponent;
    desc->bucket_size = (uint32_t)bucket_size;
    return desc->type != VITALS_LINEAR_HIST || bucket_size > 0;
}

/* @schema: {provider, stats}. */
static int add_schema(struct client *client, const char *target, struct json_object *schema)
{
    const char *provider = client_name(schema, "provider");
    struct client_stat stat = {.target = target};
    struct json_object *entries = client_array(schema, "stats");
    struct client_stat *grown;
    size_t n;

    if (!provider || !entries)
        return 0;
    n = json_object_array_length(entries);
    if (n > CLIENT_STATS_MAX - client->n_stats)
        return -E2BIG;
    grown = reallocarray(client->stats, client->n_stats + n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    client->stats = grown;
    stat.provider = client_copy(&client->names, provider);
    for (size_t i = 0; i < n && stat.provider; i++) {
        if (!read_desc(client_element(entries, i, client->peer == CLIENT_QEMU), &stat.desc))
            continue;
        stat.desc.name = client_copy(&client->names, stat.desc.name);
        if (!stat.desc.name)
            return -ENOMEM;
        client->stats[client->n_stats++] = stat;
    }
    return stat.provider ? 0 : -ENOMEM;
}

/* ---- targets -------------------------------------------------------------------------------- */

static bool has_target(const struct client *client, const char *target)
{
    bool has = !strcmp(target, "vm") || !strcmp(target, "vcpu");

    for (size_t i = 0; i < client->n_targets && !has; i++)
        has = !strcmp(target, client->targets[i]);
    return has;
}

int client_add_target(struct client *client, const char *target)
{
    const char *copy;

    if (has_target(client, target))
        return 0;
    if (client->n_targets == CLIENT_TARGETS_MAX)
        return -E2BIG;
    copy = client_copy(&client->names, target);
    if (!copy)
        return -ENOMEM;
    client->targets[client->n_targets++] = copy;
    return 0;
}

/* A member for each in grouped; in flat each schema names its own. What is no name is left out. */
static int add_targets(struct client *client, struct json_object *value)
{
    int err = 0;

    if (client->peer == CLIENT_GROUPED) {
        json_object_object_foreach(value, target, schemas)
        {
            (void)schemas;
            if (!err && client_is_name(target))
                err = client_add_target(client, target);
        }
        return err;
    }
    for (size_t i = 0; i < json_object_array_length(value) && !err; i++) {
        const char *target = client_name(json_object_array_get_idx(value, i), "target");

        if (target)
            err = client_add_target(client, target);
    }
    return err;
}

/* ---- schemas -------------------------------------------------------------------------------- */

/* @value: a member for each target in grouped, one list of all in flat. */
static int add_schemas(struct client *client, const char *target, struct json_object *value)
{
    bool is_grouped = client->peer == CLIENT_GROUPED;
    struct json_object *schemas = is_grouped ? client_array(value, target) : value;
    size_t n = schemas ? json_object_array_length(schemas) : 0;
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        struct json_object *schema = json_object_array_get_idx(schemas, i);
        const char *of = is_grouped ? target : client_string(schema, "target");

        if (of && !strcmp(of, target))
            err = add_schema(client, target, schema);
    }
    return err;
}

static int compare_names(const struct client_stat *a, const struct client_stat *b)
{
    int order = strcmp(a->desc.name, b->desc.name);

    if (!order)
        order = strcmp(a->provider, b->provider);
    return order ? order : strcmp(a->target, b->target);
}

/* Of two with the same names, the one that the peer named first. */
static int compare_stats(const void *a, const void *b)
{
    const struct client_stat *const *stat_a = a, *const *stat_b = b;
    int order = compare_names(*stat_a, *stat_b);

    return order ? order : (*stat_a > *stat_b) - (*stat_a < *stat_b);
}

static void sort_by_name(struct client *client)
{
    for (size_t i = 0; i < client->n_stats; i++)
        client->by_name[i] = &client->stats[i];
    qsort(client->by_name, client->n_stats, sizeof(*client->by_name), compare_stats);
}

/* A name stands for one statistic: the first that has it. */
static void drop_namesakes(struct client *client)
{
    size_t n = 0;

    for (size_t i = client->n_stats; i-- > 1;)
        if (!compare_names(client->by_name[i - 1], client->by_name[i]))
            client->by_name[i]->desc.name = NULL;
    for (size_t i = 0; i < client->n_stats; i++)
        if (client->stats[i].desc.name)
            client->stats[n++] = client->stats[i];
    client->n_stats = n;
}

int client_index_stats(struct client *client)
{
    client->by_name = calloc(client->n_stats + 1, sizeof(struct client_stat *));
    if (!client->by_name)
        return -ENOMEM;
    sort_by_name(client);
    drop_namesakes(client);
    sort_by_name(client);
    return 0;
}

const struct client_stat *client_find_stat(const struct client *client, const char *target,
                                           const char *provider, const char *name)
{
    struct client_stat key = {.desc.name = name, .provider = provider, .target = target};
    size_t low = 0, high = client->n_stats;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(&key, client->by_name[middle]);

        if (!order)
            return client->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* The greeting says which dialect it is, and so does the form of the schemas. */
static bool is_expected(const struct client *client, bool is_vitals, json_type form)
{
    if (form == json_type_array)
        return client->qemu_version >= QEMU_FLAT || !is_vitals;
    return form == json_type_object && client->qemu_version < QEMU_FLAT;
}

static int add_all_schemas(struct client *client, struct json_object *value)
{
    int err = add_schemas(client, "vm", value);

    if (!err)
        err = add_schemas(client, "vcpu", value);
    for (size_t i = 0; i < client->n_targets && !err; i++)
        err = add_schemas(client, client->targets[i], value);
    return err ? err : client_index_stats(client);
}

static int take_schemas(struct client *client, bool is_vitals, struct json_object *value,
                        struct client_error *error)
{
    json_type form = json_object_get_type(value);
    int err;

    if (!is_expected(client, is_vitals, form))
        return client_fail(error, EPROTO, NULL, "%s: query-stats-schemas: not a list of schemas",
                           client->path);
    if (form == json_type_object)
        client->peer = CLIENT_GROUPED;
    else
        client->peer = is_vitals ? CLIENT_FLAT : CLIENT_QEMU;
    err = add_targets(client, value);
    if (err == -E2BIG)
        return client_fail(error, E2BIG, NULL, "%s: has more than %d targets", client->path,
                           CLIENT_TARGETS_MAX + 2);
    if (!err)
        err = add_all_schemas(client, value);
    if (err == -E2BIG)
        return client_fail(error, E2BIG, NULL, "%s: has more than %d statistics", client->path,
                           CLIENT_STATS_MAX);
    return err ? client_out_of_memory(client, error) : 0;
}

int client_read_schemas(struct client *client, bool is_vitals, struct client_error *error)
{
    static const struct ask ask = {"query-stats-schemas", NULL, CLIENT_ANY, NULL};
    struct json_object *reply, *value;
    int err = client_ask(client, &ask, &reply, &value, error);

    if (err)
        return err;
    err = take_schemas(client, is_vitals, value, error);
    connection_put(&client->connection, reply);
    return err;
}

/* ---- read again ----------------------------------------------------------------------------- */

/* Of each provider and target that a peer has. What is not 0 ends it, and is returned. */
typedef int schema_visit(struct client *client, const char *target, const char *provider,
                         struct json_object *schema);

/* @schemas: [{provider, stats}] of one target; or with NULL of those that they name. */
static int visit_target(struct client *client, const char *target, struct json_object *schemas,
                        schema_visit *visit)
{
    int result = 0;

    for (size_t i = 0; i < json_object_array_length(schemas) && !result; i++) {
        struct json_object *schema = json_object_array_get_idx(schemas, i);
        const char *of = target ? target : client_name(schema, "target");
        const char *provider = client_name(schema, "provider");

        if (of && provider)
            result = visit(client, of, provider, schema);
    }
    return result;
}

static int visit_schemas(struct client *client, struct json_object *value, schema_visit *visit)
{
    int result = 0;

    if (json_object_is_type(value, json_type_array))
        return visit_target(client, NULL, value, visit);
    if (!json_object_is_type(value, json_type_object))
        return 0;
    json_object_object_foreach(value, target, schemas)
    {
        if (!result && client_is_name(target) && json_object_is_type(schemas, json_type_array))
            result = visit_target(client, target, schemas, visit);
    }
    return result;
}

/* The reply to other arguments. A peer that does not know them has nothing to say. */
static int visit_again(struct client *client, const char *arguments, schema_visit *visit,
                       struct client_error *error)
{
    const struct ask ask = {
        .command = "query-stats-schemas", .arguments = arguments, .type = CLIENT_ANY};
    struct json_object *reply, *value;
    int err = client_ask_optional(client, &ask, &reply, &value, error);

    if (err || !value)
        return err;
    err = visit_schemas(client, value, visit);
    connection_put(&client->connection, reply);
    return err ? client_out_of_memory(client, error) : 0;
}

/* ---- news ----------------------------------------------------------------------------------- */

/* 1: it is not known, or was described in another way. */
static int is_news(struct client *client, const char *target, const char *provider,
                   struct json_object *entry)
{
    const struct client_stat *known;
    struct vitals_stat desc;

    if (!read_desc(entry, &desc))
        return 0;
    known = client_find_stat(client, target, provider, desc.name);
    return !known || desc.type != known->desc.type || desc.unit != known->desc.unit ||
           desc.base != known->desc.base || desc.exponent != known->desc.exponent ||
           desc.bucket_size != known->desc.bucket_size;
}

static int has_news(struct client *client, const char *target, const char *provider,
                    struct json_object *schema)
{
    struct json_object *stats = client_array(schema, "stats");
    int has = 0;

    for (size_t i = 0; stats && i < json_object_array_length(stats) && !has; i++)
        has = is_news(client, target, provider, json_object_array_get_idx(stats, i));
    return has;
}

int client_look_for_news(struct client *client, bool *ret_has, struct client_error *error)
{
    static const struct ask ask = {"query-stats-schemas", NULL, CLIENT_ANY, NULL};
    struct json_object *reply, *value;
    int err;

    *ret_has = false;
    if (client->local) {
        *ret_has = local_has_news(client);
        return 0;
    }
    if (client->peer == CLIENT_QEMU) /* which knows at its start what it will ever describe */
        return 0;
    err = client_ask(client, &ask, &reply, &value, error);
    if (err)
        return err;
    *ret_has = visit_schemas(client, value, has_news) != 0;
    connection_put(&client->connection, reply);
    return 0;
}

/* ---- help ----------------------------------------------------------------------------------- */

static bool has_unexplained(const struct client *client)
{
    for (size_t i = 0; i < client->n_stats; i++)
        if (!explanation_find(client->stats[i].provider, client->stats[i].target,
                              client->stats[i].desc.name))
            return true;
    return false;
}

static int take_help(struct client *client, const char *target, const char *provider,
                     struct json_object *entry)
{
    const char *name = client_name(entry, "name"), *help = client_name(entry, "help");
    struct client_stat *stat = NULL;

    if (name && help)
        stat = (struct client_stat *)client_find_stat(client, target, provider, name);
    if (!stat)
        return 0;
    stat->desc.help = client_copy(&client->names, help);
    return stat->desc.help ? 0 : -ENOMEM;
}

static int take_helps(struct client *client, const char *target, const char *provider,
                      struct json_object *schema)
{
    struct json_object *stats = client_array(schema, "stats");
    int err = 0;

    for (size_t i = 0; stats && i < json_object_array_length(stats) && !err; i++)
        err = take_help(client, target, provider, json_object_array_get_idx(stats, i));
    return err;
}

int client_read_help(struct client *client, struct client_error *error)
{
    if (client->local || client->peer == CLIENT_QEMU || !has_unexplained(client))
        return 0;
    return visit_again(client, "{\"help\": true}", take_helps, error);
}

/* ---- failures ------------------------------------------------------------------------------- */

static void set_failure(struct client *client, const char *target, const char *provider,
                        const char *failure)
{
    for (size_t i = 0; i < client->n_stats; i++)
        if (!strcmp(client->stats[i].target, target) &&
            !strcmp(client->stats[i].provider, provider))
            client->failures[i] = failure;
}

static int take_failure(struct client *client, const char *target, const char *provider,
                        struct json_object *schema)
{
    const char *failure = client_string(schema, "failure");
    char *copy = failure ? client_copy(&client->names, failure) : NULL;

    if (failure && !copy)
        return -ENOMEM;
    if (copy)
        text_make_plain(copy);
    set_failure(client, target, provider, copy);
    return 0;
}

int client_read_failures(struct client *client, struct client_error *error)
{
    if (client->local || client->peer == CLIENT_QEMU)
        return 0;
    free(client->failures);
    client->failures = calloc(client->n_stats + 1, sizeof(*client->failures));
    if (!client->failures)
        return client_out_of_memory(client, error);
    return visit_again(client, "{\"failures\": true}", take_failure, error);
}

const char *client_failure(const struct client *client, const struct client_stat *stat)
{
    return client->failures ? client->failures[stat - client->stats] : NULL;
}
