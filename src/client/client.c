/* SPDX-License-Identifier: MIT */
/* Opening a client: who the peer is, and what it has. */
#define _GNU_SOURCE
#include "client/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/ask.h"
#include "client/host_list.h"
#include "client/internal.h"
#include "base/text.h"

#define QEMU_GROUPED 70000 /* as which those greet that have the grouped dialect */

/* ---- opening -------------------------------------------------------------------------------- */

static struct json_object *greeted_version(struct json_object *greeting)
{
    struct json_object *qmp = client_member(greeting, "QMP", json_type_object);

    return client_member(qmp, "version", json_type_object);
}

static bool greets_as_vitals(struct json_object *greeting)
{
    const char *package = client_string(greeted_version(greeting), "package");

    return package && !strncmp(package, "vitals ", strlen("vitals "));
}

/* 0 to 99. */
static unsigned version_part(struct json_object *version, const char *name)
{
    int64_t part = client_integer(version, name, 0);

    return part >= 0 && part <= 99 ? (unsigned)part : 99;
}

static unsigned greeted_qemu_version(struct json_object *greeting)
{
    struct json_object *version =
        client_member(greeted_version(greeting), "qemu", json_type_object);

    return 10000 * version_part(version, "major") + 100 * version_part(version, "minor") +
           version_part(version, "micro");
}

static int negotiate(struct client *client, bool *ret_is_vitals, struct client_error *error)
{
    static const struct ask ask = {"qmp_capabilities", NULL, json_type_object, NULL};
    struct json_object *message, *value;
    int err = connection_read_greeting(&client->connection, &message, error);

    if (err)
        return err;
    *ret_is_vitals = greets_as_vitals(message);
    client->qemu_version = greeted_qemu_version(message);
    connection_put(&client->connection, message);
    err = client_ask(client, &ask, &message, &value, error);
    if (!err)
        connection_put(&client->connection, message);
    return err;
}

/* "/run/web1.sock" is "web1". */
char *client_name_from_path(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return strndup(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static int read_vm_name(struct client *client, struct client_error *error)
{
    static const struct ask ask = {"query-name", NULL, json_type_object, NULL};
    struct json_object *reply, *value;
    int err = client_ask_optional(client, &ask, &reply, &value, error);
    const char *name;

    if (err)
        return err;
    name = client_string(value, "name");
    client->vm_name =
        name && *name ? strndup(name, CLIENT_NAME_MAX) : client_name_from_path(client->path);
    connection_put(&client->connection, reply);
    if (!client->vm_name)
        return client_out_of_memory(client, error);
    text_make_plain(client->vm_name);
    return 0;
}

/* Where nothing but other targets is described, it matters whether there are objects of them. */
static int look_for_statistics(struct client *client, struct client_error *error)
{
    struct client_request request = {.target = CLIENT_OTHER_TARGETS};
    struct client_snapshot *snapshot;
    bool *all;
    int err;

    for (size_t i = 0; i < client->n_stats && !client->has_statistics; i++)
        client->has_statistics =
            !strcmp(client->stats[i].target, "vm") || !strcmp(client->stats[i].target, "vcpu");
    if (client->has_statistics || !client->n_stats)
        return 0;
    request.wanted = all = malloc(client->n_stats);
    if (!all)
        return client_out_of_memory(client, error);
    memset(all, true, client->n_stats);
    err = client_query(client, &request, &snapshot, error);
    free(all);
    if (err)
        return err;
    client->has_statistics = snapshot->n_objects;
    client_snapshot_free(snapshot);
    return 0;
}

int client_introduce(struct client *client, struct client_error *error)
{
    bool is_vitals = true;
    int err = client->fleet ? 0 : negotiate(client, &is_vitals, error);

    if (!err)
        err = client_read_schemas(client, is_vitals, error);
    if (!err && client->peer == CLIENT_QEMU)
        client->origin.vmm = "qemu";
    if (!err && !client->fleet)
        err = read_vm_name(client, error);
    if (!err)
        err = client_read_vcpus(client, error);
    return err ? err : look_for_statistics(client, error);
}

/* The peer is the VMM, or stands before it; the kernel says who. */
static void read_origin(struct client *client)
{
    struct client_origin origin = {.way = "socket", .pid = -1, .uid = -1};
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(client->connection.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        peer.pid > 0) {
        origin.pid = peer.pid;
        origin.uid = peer.uid;
    }
    client->peer_pid = origin.pid;
    if (!client->is_told)
        client->origin = origin;
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
    read_origin(client);
    *ret_client = client;
    return 0;
}

int client_make_member(struct fleet *fleet, const struct host_list_vm *vm, size_t place,
                       struct client **ret_client, struct client_error *error)
{
    struct client *client = calloc(1, sizeof(*client));
    bool has_memory = false;

    if (client) {
        client->fleet = fleet;
        client->place = place;
        client->connection.fd = -1;
        client->qemu_version = QEMU_GROUPED;
        client->path = strdup(vm->socket);
        client->vm_name = strdup(vm->name);
        has_memory =
            client->path && client->vm_name && client_tell_origin(client, &vm->origin) == 0;
    }
    if (!has_memory) {
        client_free(client);
        return client_fail(error, ENOMEM, NULL, "%s: out of memory", vm->socket);
    }
    text_make_plain(client->path);
    client->connection.path = client->path;
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

int client_connect(const char *path, client_check *check, unsigned timeout_ms,
                   struct client **ret_client, struct client_error *error)
{
    struct connection connection;
    int err = connection_open(&connection, path, check, 0, timeout_ms, error);

    return err ? err : make_client(&connection, ret_client, error);
}

int client_open(const char *path, client_check *check, unsigned timeout_ms,
                struct client **ret_client, struct client_error *error)
{
    struct connection connection;
    int err = connection_open(&connection, path, check, timeout_ms, timeout_ms, error);

    return err ? err : finish(&connection, ret_client, error);
}

int client_adopt(int fd, const char *path, unsigned timeout_ms, struct client **ret_client,
                 struct client_error *error)
{
    struct connection connection;
    int err = connection_adopt(&connection, fd, path, timeout_ms, error);

    return err ? err : finish(&connection, ret_client, error);
}

/* ---- without a connection for a while ------------------------------------------------------- */

void client_let_go(struct client *client)
{
    connection_close(&client->connection);
    client->connection = (struct connection){.path = client->path,
                                             .check = client->connection.check,
                                             .fd = -1,
                                             .timeout_ms = client->connection.timeout_ms};
}

int client_reconnect(struct client *client, const char *path, struct client_error *error)
{
    struct connection connection;
    int64_t pid = client->peer_pid;
    int err = connection_open(&connection, path, client->connection.check, 0,
                              client->connection.timeout_ms, error);

    if (err)
        return err;
    connection.path = client->path;
    client->connection = connection;
    read_origin(client);
    if (client->peer_pid == pid)
        return 0;
    client_let_go(client);
    return client_fail(error, ESTALE, NULL, "%s: %s", client->path, strerror(ESTALE));
}

int client_negotiate(struct client *client, struct client_error *error)
{
    bool is_vitals;

    return negotiate(client, &is_vitals, error);
}

/* ---- the end, and what is known ------------------------------------------------------------- */

void client_free(struct client *client)
{
    if (!client)
        return;
    if (client->local)
        local_free(client->local);
    else if (!client->fleet)
        connection_close(&client->connection);
    arena_free(&client->names);
    arena_free(&client->paths);
    arena_free(&client->told);
    free(client->stats);
    free(client->by_name);
    free(client->failures);
    free(client->vcpus);
    free(client->by_path);
    free(client->vm_name);
    free(client->path);
    free(client);
}

void client_interrupt(struct client *client)
{
    if (!client->local && !client->fleet) /* others are asked over that connection, too */
        shutdown(client->connection.fd, SHUT_RDWR);
}

const char *client_path(const struct client *client)
{
    return client->path;
}

const char *client_socket(const struct client *client)
{
    return client->local ? NULL : client->path;
}

const char *client_vm_name(const struct client *client)
{
    return client->vm_name;
}

enum client_peer client_peer(const struct client *client)
{
    return client->peer;
}

/* False: no memory. */
static bool copy_text(struct arena *texts, const char *from, const char **ret_text)
{
    *ret_text = from ? client_copy(texts, from) : NULL;
    return !from || *ret_text;
}

int client_tell_origin(struct client *client, const struct client_origin *origin)
{
    struct client_origin told = *origin;

    if (!copy_text(&client->told, origin->way, &told.way) ||
        !copy_text(&client->told, origin->vmm, &told.vmm) ||
        !copy_text(&client->told, origin->uuid, &told.uuid))
        return -ENOMEM;
    client->origin = told;
    client->is_told = true;
    return 0;
}

bool client_is_of_host(const struct client *client)
{
    return client->peer == CLIENT_LOCAL || client->is_told;
}

const struct client_origin *client_origin(const struct client *client)
{
    return &client->origin;
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

bool client_has_statistics(const struct client *client)
{
    return client->has_statistics;
}

const struct client_vcpu *client_vcpus(const struct client *client, size_t *ret_n)
{
    *ret_n = client->n_vcpus;
    return client->vcpus;
}
