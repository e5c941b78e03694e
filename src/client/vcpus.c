/* SPDX-License-Identifier: MIT */
/* What vCPUs the peer has. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/ask.h"
#include "client/internal.h"

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

void client_sort_vcpus(struct client *client)
{
    qsort(client->vcpus, client->n_vcpus, sizeof(*client->vcpus), compare_indices);
    for (size_t i = 0; i < client->n_vcpus; i++)
        client->by_path[i] = &client->vcpus[i];
    qsort(client->by_path, client->n_vcpus, sizeof(*client->by_path), compare_paths);
}

const struct client_vcpu *client_find_vcpu(const struct client *client, const char *path)
{
    size_t low = 0, high = client->n_vcpus;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(client->by_path[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < client->n_vcpus && !strcmp(client->by_path[low]->path, path) ? client->by_path[low]
                                                                              : NULL;
}

int client_reserve_vcpus(struct client *client, size_t n)
{
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
    return client->vcpus && client->by_path ? 0 : -ENOMEM;
}

/* @list takes the place of the one before; NULL: there are none. */
static int take_vcpus(struct client *client, struct json_object *list)
{
    size_t n = list ? json_object_array_length(list) : 0;
    int err = client_reserve_vcpus(client, n);

    if (err)
        return err;
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);
        struct client_vcpu vcpu = {.path = client_name(entry, "qom-path"),
                                   .index = client_integer(entry, "cpu-index", -1),
                                   .thread = client_integer(entry, "thread-id", -1)};

        if (!vcpu.path || vcpu.index < 0)
            continue;
        vcpu.path = client_copy(&client->paths, vcpu.path);
        if (!vcpu.path) {
            client->n_vcpus = 0; /* half a list is not sorted */
            return -ENOMEM;
        }
        client->vcpus[client->n_vcpus++] = vcpu;
    }
    client_sort_vcpus(client);
    return 0;
}

int client_read_vcpus(struct client *client, struct client_error *error)
{
    static const struct ask ask = {"query-cpus-fast", NULL, json_type_array, NULL};
    struct json_object *reply, *value;
    int err = client_ask_optional(client, &ask, &reply, &value, error);

    if (err)
        return err;
    err = take_vcpus(client, value);
    connection_put(&client->connection, reply);
    if (err == -E2BIG)
        return client_fail(error, E2BIG, NULL, "%s: has more than %d vCPUs", client->path,
                           CLIENT_VCPUS_MAX);
    return err ? client_out_of_memory(client, error) : 0;
}
