/* SPDX-License-Identifier: MIT */
#include "client/ask.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static int refuse(struct client *client, const char *command, struct json_object *reply,
                  struct client_error *error)
{
    struct json_object *object = client_member(reply, "error", json_type_object);
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

int client_ask_optional(struct client *client, const char *command, struct json_object **ret_reply,
                        struct json_object **ret_value, struct client_error *error)
{
    int err = client_ask(client, command, NULL, ret_reply, ret_value, error);

    if (err != -EOPNOTSUPP && err != -EREMOTEIO)
        return err;
    *ret_reply = *ret_value = NULL;
    return 0;
}

int client_out_of_memory(const struct client *client, struct client_error *error)
{
    return client_fail(error, ENOMEM, NULL, "%s: out of memory", client->path);
}
