/* SPDX-License-Identifier: MIT */
/* Opening a client: who the peer is, and what it has. */
#include "client/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/internal.h"
#include "client/text.h"

/* ---- JSON ----------------------------------------------------------------------------------- */

struct json_object *client_element(struct json_object *array, size_t i, bool is_reversed)
{
    size_t n = json_object_array_length(array);

    return json_object_array_get_idx(array, is_reversed ? n - 1 - i : i);
}

static struct json_object *member(struct json_object *object, const char *name, json_type type)
{
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

/* A text that a NUL cuts would be mistaken for a shorter one. */
const char *client_string(struct json_object *object, const char *name)
{
    struct json_object *value = member(object, name, json_type_string);
    const char *text = value ? json_object_get_string(value) : NULL;

    return text && strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

const char *client_name(struct json_object *object, const char *name)
{
    const char *text = client_string(object, name);

    return text && *text && strlen(text) <= CLIENT_NAME_MAX && text_is_plain(text) ? text : NULL;
}

struct json_object *client_array(struct json_object *object, const char *name)
{
    return member(object, name, json_type_array);
}

static int64_t integer(struct json_object *object, const char *name, int64_t without)
{
    struct json_object *value = member(object, name, json_type_int);

    return value ? json_object_get_int64(value) : without;
}

char *client_copy(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);

    return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- asking --------------------------------------------------------------------------------- */

static int refuse(struct client *client, const char *command, struct json_object *reply,
                  struct client_error *error)
{
    struct json_object *object = member(reply, "error", json_type_object);
    const char *error_class = client_string(object, "class");
    const char *text = client_string(object, "desc");

    if (error_class && !strcmp(error_class, "CommandNotFound"))
        return client_fail(error, EOPNOTSUPP, "QEMU has it since version 7.1.",
                           "%s: the server, of version %u.%u.%u, has no command %s", client->path,
                           client->qemu_version / 10000, client->qemu_version / 100 % 100,
                           client->qemu_version % 100, command);
    return client_fail(error, EREMOTEIO, NULL, "%s: %s: %s", client->path, command,
                       text ? text : "an error without a text");
}

int client_ask(struct client *client, const char *command, const char *arguments,
               struct json_object **ret_reply, struct json_object **ret_value,
               struct client_error *error)
{
    struct json_object *reply;
    int err = connection_ask(&client->connection, command, arguments, &reply, error);

    if (err)
        return err;
    if (!json_object_object_get_ex(reply, "return", ret_value)) {
        err = refuse(client, command, reply, error);
        json_object_put(reply);
        return err;
    }
    *ret_reply = reply;
    return 0;
}

/* For what the peer may not have: NULL without an error. */
static int ask_optional(struct client *client, const char *command, struct json_object **ret_reply,
                        struct json_object **ret_value, struct client_error *error)
{
    int err = client_ask(client, command, NULL, ret_reply, ret_value, error);

    if (err != -EOPNOTSUPP && err != -EREMOTEIO)
        return err;
    *ret_reply = *ret_value = NULL;
    return 0;
}

static int out_of_memory(const struct client *client, struct client_error *error)
{
    return client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path);
}

/* ---- schemas -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum vitals_type type;
} types[] = {
    {"cumulative", VITALS_CUMULATIVE},
    {"instant", VITALS_INSTANT},
    {"peak", VITALS_PEAK},
    {"linear-hist", VITALS_LINEAR_HIST},
    {"log-hist", VITALS_LOG_HIST},
    {"linear-histogram", VITALS_LINEAR_HIST},
    {"log2-histogram", VITALS_LOG_HIST},
};

static bool read_type(const char *name, enum vitals_type *ret_type)
{
    for (size_t i = 0; name && i < sizeof(types) / sizeof(types[0]); i++) {
        if (!strcmp(types[i].name, name)) {
            *ret_type = types[i].type;
            return true;
        }
    }
    return false;
}

/* A boolean has no unit: the grouped dialect can't tell it from any other number. */
static bool read_unit(const char *name, enum vitals_unit *ret_unit)
{
    if (!name || !strcmp(name, "none") || !strcmp(name, "boolean"))
        *ret_unit = VITALS_NONE;
    else if (!strcmp(name, "bytes"))
        *ret_unit = VITALS_BYTES;
    else if (!strcmp(name, "seconds"))
        *ret_unit = VITALS_SECONDS;
    else if (!strcmp(name, "cycles"))
        *ret_unit = VITALS_CYCLES;
    else
        return false;
    return true;
}

/* False: it is there, and no number from @min to @max. */
static bool read_integer(struct json_object *entry, const char *name, int64_t min, int64_t max,
                         int64_t *number)
{
    if (!json_object_object_get_ex(entry, name, NULL))
        return true;
    *number = integer(entry, name, min - 1);
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
static bool read_stat(struct json_object *entry, struct client_stat *stat)
{
    int64_t exponent = 0, bucket_size = 0;

    stat->name = client_name(entry, "name");
    if (!stat->name || !read_type(client_string(entry, "type"), &stat->type) ||
        !read_unit(client_string(entry, "unit"), &stat->unit) || !read_base(entry, &stat->base) ||
        !read_integer(entry, "exponent", INT16_MIN, INT16_MAX, &exponent) ||
        !read_integer(entry, "bucket-size", 0, UINT32_MAX, &bucket_size))
        return false;
    stat->exponent = (int16_t)exponent;
    stat->bucket_size = (uint32_t)bucket_size;
    return stat->type != VITALS_LINEAR_HIST || bucket_size > 0;
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
        if (!read_stat(client_element(entries, i, client->peer == CLIENT_QEMU), &stat))
            continue;
        stat.name = client_copy(&client->names, stat.name);
        if (!stat.name)
            return -ENOMEM;
        client->stats[client->n_stats++] = stat;
    }
    return stat.provider ? 0 : -ENOMEM;
}

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
    int order = strcmp(a->name, b->name);

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
            client->by_name[i]->name = NULL;
    for (size_t i = 0; i < client->n_stats; i++)
        if (client->stats[i].name)
            client->stats[n++] = client->stats[i];
    client->n_stats = n;
}

static int index_stats(struct client *client)
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
    struct client_stat key = {.name = name, .provider = provider, .target = target};
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

/* The form of the schemas tells the dialect. */
static int take_schemas(struct client *client, bool is_vitals, struct json_object *value)
{
    int err;

    if (json_object_is_type(value, json_type_object))
        client->peer = CLIENT_GROUPED;
    else if (json_object_is_type(value, json_type_array))
        client->peer = is_vitals ? CLIENT_FLAT : CLIENT_QEMU;
    else
        return -EPROTO;
    err = add_schemas(client, "vm", value);
    if (!err)
        err = add_schemas(client, "vcpu", value);
    return err ? err : index_stats(client);
}

static int read_schemas(struct client *client, bool is_vitals, struct client_error *error)
{
    struct json_object *reply, *value;
    int err = client_ask(client, "query-stats-schemas", NULL, &reply, &value, error);

    if (err)
        return err;
    err = take_schemas(client, is_vitals, value);
    json_object_put(reply);
    if (err == -EPROTO)
        return client_fail(error, EPROTO, NULL, "%s: query-stats-schemas: not a list of schemas",
                           client->path);
    if (err == -E2BIG)
        return client_fail(error, E2BIG, NULL, "%s: has more than %d statistics", client->path,
                           CLIENT_STATS_MAX);
    return err ? out_of_memory(client, error) : 0;
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static int compare_indices(const void *a, const void *b)
{
    const struct client_vcpu *vcpu_a = a, *vcpu_b = b;
    int order = (vcpu_a->index > vcpu_b->index) - (vcpu_a->index < vcpu_b->index);

    return order ? order : strcmp(vcpu_a->path, vcpu_b->path);
}

static int compare_paths(const void *a, const void *b)
{
    const struct client_vcpu *const *vcpu_a = a, *const *vcpu_b = b;
    int order = strcmp((*vcpu_a)->path, (*vcpu_b)->path);

    return order ? order : (*vcpu_a > *vcpu_b) - (*vcpu_a < *vcpu_b);
}

static void sort_vcpus(struct client *client)
{
    qsort(client->vcpus, client->n_vcpus, sizeof(*client->vcpus), compare_indices);
    for (size_t i = 0; i < client->n_vcpus; i++)
        client->by_path[i] = &client->vcpus[i];
    qsort(client->by_path, client->n_vcpus, sizeof(*client->by_path), compare_paths);
}

int64_t client_find_index(const struct client *client, const char *path)
{
    size_t low = 0, high = client->n_vcpus;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(client->by_path[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < client->n_vcpus && !strcmp(client->by_path[low]->path, path)
               ? client->by_path[low]->index
               : -1;
}

/* @list takes the place of the one before. */
static int take_vcpus(struct client *client, struct json_object *list)
{
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    free(client->vcpus);
    free(client->by_path);
    arena_reset(&client->paths);
    client->n_vcpus = 0;
    client->vcpus = NULL;
    client->by_path = NULL;
    if (n > CLIENT_VCPUS_MAX)
        return -E2BIG;
    client->vcpus = calloc(n + 1, sizeof(*client->vcpus));
    client->by_path = calloc(n + 1, sizeof(*client->by_path));
    if (!client->vcpus || !client->by_path)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct client_vcpu vcpu = {.path = client_name(entry, "qom-path"),
                                   .index = integer(entry, "cpu-index", -1)};

        if (!vcpu.path || vcpu.index < 0)
            continue;
        vcpu.path = client_copy(&client->paths, vcpu.path);
        if (!vcpu.path) {
            client->n_vcpus = 0; /* half a list is not sorted */
            return -ENOMEM;
        }
        client->vcpus[client->n_vcpus++] = vcpu;
    }
    sort_vcpus(client);
    return 0;
}

int client_read_vcpus(struct client *client, struct client_error *error)
{
    struct json_object *reply, *value;
    int err = ask_optional(client, "query-cpus-fast", &reply, &value, error);

    if (err)
        return err;
    err = take_vcpus(client, value);
    json_object_put(reply);
    if (err == -E2BIG)
        return client_fail(error, E2BIG, NULL, "%s: has more than %d vCPUs", client->path,
                           CLIENT_VCPUS_MAX);
    return err ? out_of_memory(client, error) : 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct json_object *greeted_version(struct json_object *greeting)
{
    struct json_object *qmp = member(greeting, "QMP", json_type_object);

    return member(qmp, "version", json_type_object);
}

static bool greets_as_vitals(struct json_object *greeting)
{
    const char *package = client_string(greeted_version(greeting), "package");

    return package && !strncmp(package, "vitals ", strlen("vitals "));
}

/* 0 to 99. */
static unsigned version_part(struct json_object *version, const char *name)
{
    int64_t part = integer(version, name, 0);

    return part >= 0 && part <= 99 ? (unsigned)part : 99;
}

static unsigned greeted_qemu_version(struct json_object *greeting)
{
    struct json_object *version = member(greeted_version(greeting), "qemu", json_type_object);

    return 10000 * version_part(version, "major") + 100 * version_part(version, "minor") +
           version_part(version, "micro");
}

static int negotiate(struct client *client, bool *ret_is_vitals, struct client_error *error)
{
    struct json_object *message, *value;
    int err = connection_read_greeting(&client->connection, &message, error);

    if (err)
        return err;
    *ret_is_vitals = greets_as_vitals(message);
    client->qemu_version = greeted_qemu_version(message);
    json_object_put(message);
    err = client_ask(client, "qmp_capabilities", NULL, &message, &value, error);
    if (!err)
        json_object_put(message);
    return err;
}

/* "/run/web1.sock" is "web1". */
static char *name_from_path(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return strndup(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static int read_vm_name(struct client *client, struct client_error *error)
{
    struct json_object *reply, *value;
    int err = ask_optional(client, "query-name", &reply, &value, error);
    const char *name;

    if (err)
        return err;
    name = client_string(value, "name");
    client->vm_name = name && *name ? strndup(name, CLIENT_NAME_MAX) : name_from_path(client->path);
    json_object_put(reply);
    if (!client->vm_name)
        return out_of_memory(client, error);
    text_make_plain(client->vm_name);
    return 0;
}

int client_introduce(struct client *client, struct client_error *error)
{
    bool is_vitals;
    int err = negotiate(client, &is_vitals, error);

    if (!err)
        err = read_schemas(client, is_vitals, error);
    if (!err)
        err = read_vm_name(client, error);
    return err ? err : client_read_vcpus(client, error);
}

/* The connection is open; the client owns it from here on. */
static int make_client(struct connection *connection, struct client **ret_client,
                       struct client_error *error)
{
    struct client *client = calloc(1, sizeof(*client));
    char *path = strdup(connection->path);

    if (!client || !path) {
        int err = client_fail(error, ENOMEM, NULL, "%s: out of memory", connection->path);

        connection_close(connection);
        free(client);
        free(path);
        return err;
    }
    client->connection = *connection;
    text_make_plain(path); /* it is connected: the path is only to be shown */
    client->connection.path = client->path = path;
    *ret_client = client;
    return 0;
}

/* Both steps over a connection that is open. */
static int finish(struct connection *connection, struct client **ret_client,
                  struct client_error *error)
{
    struct client *client;
    int err = make_client(connection, &client, error);

    if (err)
        return err;
    err = client_introduce(client, error);
    if (err)
        client_free(client);
    else
        *ret_client = client;
    return err;
}

int client_connect(const char *path, unsigned timeout_ms, struct client **ret_client,
                   struct client_error *error)
{
    struct connection connection;
    int err = connection_open(&connection, path, 0, timeout_ms, error);

    return err ? err : make_client(&connection, ret_client, error);
}

int client_open(const char *path, unsigned timeout_ms, struct client **ret_client,
                struct client_error *error)
{
    struct connection connection;
    int err = connection_open(&connection, path, timeout_ms, timeout_ms, error);

    return err ? err : finish(&connection, ret_client, error);
}

int client_adopt(int fd, const char *path, unsigned timeout_ms, struct client **ret_client,
                 struct client_error *error)
{
    struct connection connection;
    int err = connection_adopt(&connection, fd, path, timeout_ms, error);

    return err ? err : finish(&connection, ret_client, error);
}

void client_free(struct client *client)
{
    if (!client)
        return;
    connection_close(&client->connection);
    arena_free(&client->names);
    arena_free(&client->paths);
    free(client->stats);
    free(client->by_name);
    free(client->vcpus);
    free(client->by_path);
    free(client->vm_name);
    free(client->path);
    free(client);
}

void client_interrupt(struct client *client)
{
    shutdown(client->connection.fd, SHUT_RDWR);
}

const char *client_path(const struct client *client)
{
    return client->path;
}

const char *client_vm_name(const struct client *client)
{
    return client->vm_name;
}

enum client_peer client_peer(const struct client *client)
{
    return client->peer;
}

unsigned client_qemu_version(const struct client *client)
{
    return client->qemu_version;
}

const struct client_stat *client_stats(const struct client *client, size_t *ret_n)
{
    *ret_n = client->n_stats;
    return client->stats;
}

const struct client_vcpu *client_vcpus(const struct client *client, size_t *ret_n)
{
    *ret_n = client->n_vcpus;
    return client->vcpus;
}
