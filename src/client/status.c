/* SPDX-License-Identifier: MIT */
/* Whether a VM runs, and its vCPUs. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"
#include "client/ask.h"
#include "client/host_list.h"
#include "client/internal.h"

const char *client_state_name(enum client_state state)
{
    static const char *const names[] = {
        [CLIENT_UNKNOWN] = NULL,    [CLIENT_RUNNING] = "running",
        [CLIENT_PAUSED] = "paused", [CLIENT_NEVER_RAN] = "never ran",
        [CLIENT_HALTED] = "halted", [CLIENT_OUTSIDE] = "outside",
    };
    ASSERT_COUNT(names, CLIENT_STATES);

    return names[state];
}

static void take_state(struct client *client, enum client_state state, const char *text)
{
    client->status.state = state;
    snprintf(client->status.text, sizeof(client->status.text), "%s", text ? text : "");
}

/* QEMU has a word for each reason why a VM does not run. */
static void take_status(struct client *client, struct json_object *value)
{
    struct json_object *running = client_member(value, "running", json_type_boolean);
    const char *word = client_name(value, "status");

    if (!running)
        take_state(client, CLIENT_UNKNOWN, NULL);
    else if (json_object_get_boolean(running))
        take_state(client, CLIENT_RUNNING, word ? word : "running");
    else
        take_state(client, CLIENT_PAUSED, word ? word : "paused");
}

/* As the VM's own socket would say it. */
static int take_state_of_member(struct client *client, struct client_error *error)
{
    const struct host_list_vm *vm = fleet_vm_of(client);
    const char *state = vm && vm->state ? vm->state : "";

    if (!vm)
        return client_fail(error, ESRCH, NULL, "%s: the VM has ended", client->path);
    if (!strcmp(state, "never-ran"))
        take_state(client, CLIENT_PAUSED, "prelaunch");
    else if (!strcmp(state, "paused"))
        take_state(client, CLIENT_PAUSED, state);
    else
        take_state(client, CLIENT_RUNNING, "running");
    return 0;
}

int client_read_status(struct client *client, struct client_error *error)
{
    static const struct ask ask = {"query-status", NULL, json_type_object, NULL};
    struct json_object *reply, *value;
    int err;

    if (client->local) {
        enum client_state state = local_state(client, -1);

        take_state(client, state, client_state_name(state));
        return 0;
    }
    if (client->fleet)
        return take_state_of_member(client, error);
    err = client_ask_optional(client, &ask, &reply, &value, error);
    if (err)
        return err;
    take_status(client, value);
    connection_put(&client->connection, reply);
    return 0;
}

const struct client_status *client_status(const struct client *client)
{
    return &client->status;
}
