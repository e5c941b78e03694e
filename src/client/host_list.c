/* SPDX-License-Identifier: MIT */
#include "client/host_list.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/ask.h"

/* ---- one VM --------------------------------------------------------------------------------- */

/* What is no name is not known. False: no memory. */
static bool take_text(struct arena *texts, struct json_object *object, const char *name,
                      const char **ret_text)
{
    const char *text = client_name(object, name);

    *ret_text = text ? client_copy(texts, text) : NULL;
    return !text || *ret_text;
}

/* The list's own: it is not cut. */
static const char *take_socket(struct arena *texts, struct json_object *object)
{
    struct json_object *sockets = client_member(object, "sockets", json_type_object);
    const char *path = client_string(sockets, "grouped");

    return path && path[0] == '/' ? client_copy(texts, path) : NULL;
}

static bool take_vm(struct host_list *list, struct json_object *object)
{
    struct host_list_vm vm = {.socket = take_socket(&list->texts, object),
                              .origin = {.pid = client_integer(object, "pid", -1),
                                         .uid = client_integer(object, "uid", -1)}};
    struct client_origin *origin = &vm.origin;
    int64_t n_vcpus = client_integer(object, "vcpus", 0);

    vm.n_vcpus = n_vcpus > 0 && n_vcpus <= CLIENT_VCPUS_MAX ? (size_t)n_vcpus : 0;
    if (!take_text(&list->texts, object, "name", &vm.name) ||
        !take_text(&list->texts, object, "state", &vm.state) ||
        !take_text(&list->texts, object, "uuid", &origin->uuid) ||
        !take_text(&list->texts, object, "vmm", &origin->vmm) ||
        !take_text(&list->texts, object, "way", &origin->way))
        return false;
    if (vm.socket && vm.name && origin->way)
        list->vms[list->n++] = vm;
    return true;
}

/* ---- all ------------------------------------------------------------------------------------ */

static int take_vms(struct client *client, struct json_object *value, struct host_list *list,
                    struct client_error *error)
{
    size_t n = json_object_array_length(value);

    list->vms = calloc(n + 1, sizeof(*list->vms));
    if (!list->vms)
        return client_out_of_memory(client, error);
    for (size_t i = 0; i < n; i++)
        if (!take_vm(list, json_object_array_get_idx(value, i)))
            return client_out_of_memory(client, error);
    return 0;
}

int host_list_ask(struct client *client, struct host_list *ret_list, struct client_error *error)
{
    static const struct ask query = {"query-vms", NULL, json_type_array, NULL};
    struct host_list list = {0};
    struct json_object *reply, *value;
    int err = client_ask(client, &query, &reply, &value, error);

    if (err)
        return err;
    err = take_vms(client, value, &list, error);
    connection_put(&client->connection, reply);
    if (err)
        host_list_free(&list);
    else
        *ret_list = list;
    return err;
}

int host_list_read(const char *path, unsigned timeout_ms, struct host_list *ret_list,
                   struct client_error *error)
{
    struct client *client;
    int err = client_connect(path, NULL, timeout_ms, &client, error);

    if (err)
        return err;
    err = client_negotiate(client, error);
    if (!err)
        err = host_list_ask(client, ret_list, error);
    client_free(client);
    return err;
}

void host_list_free(struct host_list *list)
{
    free(list->vms);
    arena_free(&list->texts);
    *list = (struct host_list){0};
}

const struct host_list_vm *host_list_find(const struct host_list *list, const char *socket)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->vms[i].socket, socket))
            return &list->vms[i];
    return NULL;
}
